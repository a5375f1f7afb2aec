"""The settled truth of an item. A settlement never changes; settling again is a further row."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Blob, Item, Medium
from labelhub.projects.models import OntologyVersion


class Settlement(models.Model):
    """What the item's label is, from which submissions, by which method, how sure, and who or what decided."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    inputs = models.ManyToManyField(Submission, related_name="+")
    ontology = models.ForeignKey(OntologyVersion, on_delete=models.PROTECT, related_name="+")
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=16)
    # Empty where the method decided by rule; else the reviewer who did.
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    no_finding = models.BooleanField(default=False)
    asked_labels = models.JSONField(default=list)
    answers = models.JSONField(default=dict)
    # Of the answer or shape that is least sure, by the method that settled it (the share of readers where that is the
    # vote); null where one reader decided.
    confidence = models.FloatField(null=True)
    answer_confidence = models.JSONField(default=dict)
    # Why this method and no other, and where a majority vote says otherwise.
    why = models.CharField(max_length=400, blank=True)
    differences = models.JSONField(default=list)
    # The estimates of raters that it rests on.
    fits = models.JSONField(default=list)
    # Who or what decided each region, out of which reading, when and why (``consensus.provenance``).
    provenance = models.JSONField(default=list)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within an item."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "number"], name="settlements_are_numbered_within_an_item"),
        ]


class SettledShape(models.Model):
    """One shape of a settlement, with the shapes it was merged from and how many readers had it."""

    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="shapes")
    medium = models.ForeignKey(Medium, on_delete=models.PROTECT, related_name="+")
    shape_id = models.CharField(max_length=64)
    label = models.CharField(max_length=80)
    regions = models.JSONField(default=list)
    mask = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")
    mask_origin = models.JSONField(null=True)
    attributes = models.JSONField(default=dict)
    votes = models.PositiveSmallIntegerField(default=0)
    readers = models.PositiveSmallIntegerField(default=0)
    confidence = models.FloatField(null=True)
    drawn_by = models.CharField(max_length=60, blank=True)
    vote_dice = models.FloatField(null=True)
    merged_from = models.JSONField(default=list)


class AuditLot(models.Model):
    """How the secret draw fell for an accepted label: whether somebody reads the item again, blind, and with what chance.

    A row for every acceptance that had a chance, also where it was not drawn: the chance is what the residual error is
    weighted by. ``stratum`` says whether a rule or a reviewer accepted.
    """

    class Stratum(models.TextChoices):
        """Who accepted the label."""

        AUTOMATIC = "automatic"
        REVIEWED = "reviewed"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    settlement = models.OneToOneField(Settlement, on_delete=models.PROTECT, related_name="audit_lot")
    stratum = models.CharField(max_length=10, choices=Stratum.choices)
    chance = models.FloatField()
    is_drawn = models.BooleanField()
    rule = models.CharField(max_length=40)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A lot had a chance; open lots are found by item."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(chance__gt=0, chance__lte=1), name="an_audit_lot_has_a_chance_above_0_and_at_most_1"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["item", "is_drawn"], name="audit_lots_of_an_item")]


class AuditReading(models.Model):
    """Somebody who had seen neither the item nor its label read it; how alike that is, and whether the label is wrong by it.

    ``similarity`` and ``is_wrong`` are null where the two cannot be compared; ``reason`` says why.
    """

    lot = models.OneToOneField(AuditLot, on_delete=models.PROTECT, related_name="reading")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    similarity = models.FloatField(null=True)
    is_wrong = models.BooleanField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    method = models.CharField(max_length=80)
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Undefined says why."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(similarity__isnull=False, is_wrong__isnull=False)
                | models.Q(similarity=None, is_wrong=None) & ~models.Q(reason=""),
                name="an_audit_finds_right_or_wrong_or_says_why_not",
            ),
        ]
