"""A project and its rules. Ontology, guideline and policy are versioned: a version never changes after it is written."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class Role(models.TextChoices):
    """What somebody is in a project. A reviewer annotates too; an admin may do everything but read blind."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Project(models.Model):
    """A set of items that is labelled under one ontology, guideline and policy at a time."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)
    # Turns patient and study identifiers into keys that cannot be led back without the site's secret.
    pseudonym_salt = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.name


class OntologyVersion(models.Model):
    """What can be said about an item: classes, attributes, questions (``projects.ontology.Ontology`` as a document)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="ontologies")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    # What became of classes that are no more: merged into which, split into which (``projects.lineage``).
    lineage = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="an_ontology_number_is_used_once_a_project"),
        ]


class GuidelineVersion(models.Model):
    """The instructions a labeler reads and acknowledges before the first item under them.

    ``n_examples`` pictures go with the text; which they are stands in ``catalog``.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    n_examples = models.PositiveSmallIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="a_guideline_number_is_used_once_a_project"),
        ]


class PolicyVersion(models.Model):
    """How many readers, which thresholds, what happens then (``projects.policy.Policy`` as a document)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="policies")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="a_policy_number_is_used_once_a_project"),
        ]


class HangingVersion(models.Model):
    """How the series of an item hang on the panes of the editor (``projects.hanging.Protocol`` as a document)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="hangings")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="a_hanging_number_is_used_once_a_project"),
        ]


class PriceVersion(models.Model):
    """What an hour of labeling and of reviewing costs from ``created_at`` on (``projects.prices.Prices`` as a document)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="prices")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="a_price_number_is_used_once_a_project"),
        ]


class Membership(models.Model):
    """Somebody has a role in a project, from a time until a time. Removal is a date, so that history stays readable."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        """One current role a person."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "user"],
                condition=models.Q(removed_at=None),
                name="one_current_role_a_person_a_project",
            ),
        ]


class Labeler(models.Model):
    """Who labels in a project: a member (``user``), or an imported rater without an account (``source_key``).

    ``is_identifiable`` is false where an imported rater's number means nothing across files: no table a labeler is shown then.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="labelers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    source_key = models.CharField(max_length=120, blank=True)
    name = models.CharField(max_length=120)
    is_identifiable = models.BooleanField(default=True)
    # How often they were given something: their place in the secret sequences of draws (gold, repeats, order).
    n_handed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One labeler a person, one an imported key."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "user"], condition=models.Q(user__isnull=False), name="one_labeler_a_member"
            ),
            models.UniqueConstraint(
                fields=["project", "source_key"], condition=~models.Q(source_key=""), name="one_labeler_an_imported_key"
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | ~models.Q(source_key=""),
                name="a_labeler_is_a_member_or_an_imported_key",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Acknowledgement(models.Model):
    """A labeler has read a guideline version."""

    guideline = models.ForeignKey(GuidelineVersion, on_delete=models.PROTECT, related_name="+")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="acknowledgements")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Reading twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["guideline", "labeler"], name="a_labeler_acknowledges_a_guideline_once"),
        ]


class StaleEdit(models.Model):
    """Somebody saved over a version that another person had replaced meanwhile: refused, and kept as it was sent.

    ``what`` is ``policy``, ``ontology``, ``guideline`` or ``judgement``; ``seen`` is the version that they had before them,
    ``newest`` the one that held.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=12)
    subject = models.CharField(max_length=80)
    seen = models.CharField(max_length=80)
    newest = models.CharField(max_length=80)
    content = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A refused edit names both versions."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(seen=models.F("newest")), name="a_stale_edit_saw_another_version"
            ),
        ]


class Team(models.Model):
    """A site, a vendor or another group of labelers: a filter of the admin's pages, without any right of its own."""

    class Kind(models.TextChoices):
        """What the team is."""

        SITE = "site"
        VENDOR = "vendor"
        GROUP = "group"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="teams")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.GROUP)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="a_team_name_is_used_once_a_project"),
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    """A labeler belongs to a team, from a time until a time."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="members")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="teams")
    since = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Belonging twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "labeler"], condition=models.Q(ended_at=None), name="a_labeler_is_once_in_a_team"
            ),
        ]


class Qualification(models.Model):
    """An admin says that a labeler may do work that asks for this qualification, from a time until a time."""

    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="qualifications")
    name = models.CharField(max_length=60)
    granted_by = models.CharField(max_length=80)
    since = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Holding it twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["labeler", "name"], condition=models.Q(ended_at=None), name="a_qualification_is_held_once"
            ),
        ]


class KeptApart(models.Model):
    """Two labelers never read the same item, because they were found to copy from one another. ``first`` has the lower id.

    ``evidence`` is what the system found them by: ``identical`` of ``compared`` outlines on ``items`` (codes). It is empty
    where an admin keeps them apart.
    """

    first = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    decided_by = models.CharField(max_length=80)
    evidence = models.JSONField(default=dict)
    since = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """A pair is one fact, whichever of the two is named first."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["first", "second"], condition=models.Q(ended_at=None), name="a_pair_is_kept_apart_once"
            ),
            models.CheckConstraint(
                condition=models.Q(first__lt=models.F("second")), name="a_pair_is_two_labelers_in_order"
            ),
        ]
