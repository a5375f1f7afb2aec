"""Who may label what, until when, and why they were given it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce

from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project

# Stands for a time that has not come, where rows are sorted by it.
NOT_YET = datetime(9999, 1, 1, tzinfo=UTC)


class Assignment(models.Model):
    """A labeler was given an item. Imported readings have one too, closed from the start.

    ``read_kind`` says how the read counts (``formats.shapes.ReadKind``); ``planned_blind`` that it was planned before any
    label of the item was seen, null where the source of an imported reading does not say. ``reason`` says why this item to
    this person; it never reaches the annotator. ``fence`` goes up with each new lease, so that a write under an old lease is
    refused. ``follows`` is the assignment whose submission came back. Work that waits (parked, or for an answer) has no lease:
    it stays its labeler's, since ``waiting_since``.

    ``assigned_by`` names who gave it by hand, ``due_at`` until when; such work has no lease before it is begun.
    ``continues`` is the work of somebody else whose draft was handed over. ``requeued_at`` says that an admin opened
    skipped work to its labeler again.
    """

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open"
        # Put aside with its draft by its labeler, who goes on with it later.
        PARKED = "parked"
        # Its labeler asked a question and waits for the answer.
        ASKED = "asked"
        SUBMITTED = "submitted"
        SKIPPED = "skipped"
        EXPIRED = "expired"
        # Its labeler says that it cannot be read; a second person decides whether that is so.
        UNREADABLE = "unreadable"
        # It came back, and its labeler stands by what they had submitted: somebody else decides.
        DISPUTED = "disputed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    read_kind = models.CharField(max_length=12)
    planned_blind = models.BooleanField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=1)
    follows = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followers")
    skip_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    waiting_since = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    assigned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    continues = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="continued_by")
    requeued_at = models.DateTimeField(null=True)

    class Meta:
        """One held assignment a labeler and item; one planned read unless it is a repeat or a rework; known states only."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["item", "labeler"],
                condition=models.Q(state__in=["open", "parked", "asked"]),
                name="one_held_assignment_a_labeler_and_item",
            ),
            models.UniqueConstraint(
                fields=["item", "labeler"],
                condition=models.Q(read_kind="independent", state__in=["open", "parked", "asked", "submitted"]),
                name="one_planned_read_a_labeler_and_item",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["open", "parked", "asked", "submitted", "skipped", "expired", "unreadable", "disputed"]
                ),
                name="an_assignment_is_in_a_known_state",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["parked", "asked"], waiting_since__isnull=False, lease_until=None)
                | (~models.Q(state__in=["parked", "asked"]) & models.Q(waiting_since=None)),
                name="work_that_waits_has_no_lease_and_a_start",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["open", "parked", "asked"]) | models.Q(closed_at=None),
                name="work_that_is_held_was_not_closed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["labeler", "state", "created_at"], name="assignments_of_a_labeler"),
            models.Index(fields=["labeler", "item"], name="what_a_labeler_met"),
            models.Index(fields=["lease_until"], condition=models.Q(state="open"), name="leases_that_run"),
            models.Index(
                fields=["waiting_since"], condition=models.Q(state__in=["parked", "asked"]), name="waits_that_may_end"
            ),
            models.Index(
                Coalesce(models.F("closed_at"), models.Value(NOT_YET)).desc(),
                models.F("id").desc(),
                name="assignments_last_closed_first",
            ),
            models.Index(fields=["-created_at", "-id"], name="assignments_newest_first"),
        ]


# States in which the work is still its labeler's.
HELD = (Assignment.State.OPEN, Assignment.State.PARKED, Assignment.State.ASKED)
# States in which it waits for its labeler, or for an answer.
PAUSED = (Assignment.State.PARKED, Assignment.State.ASKED)


class Companion(models.Model):
    """Somebody labels an item together with the one it was given to: only in a shared batch. Leaving ends the row.

    They draw in the same working copy; its submission is one, of all who took part.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="companions")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    joined_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        """Nobody sits twice at one item."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["assignment", "labeler"], condition=models.Q(left_at=None), name="a_companion_sits_once"
            ),
        ]


class Onlooker(models.Model):
    """A reviewer watches people label an item together, from when to when. Those see that they are there.

    They draw nothing: who draws too has a seat (:class:`Companion`) besides.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    came_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        """Nobody watches one work twice at once."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["assignment", "user"], condition=models.Q(left_at=None), name="an_onlooker_watches_once"
            ),
        ]


class Recall(models.Model):
    """A labeler took a submission back before anybody else had acted on it, and goes on with it in ``again``.

    The submission stays: its first version is what scores rest on.
    """

    former = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="recall")
    again = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="recall_of")
    at = models.DateTimeField(auto_now_add=True)


class Batch(models.Model):
    """Items that are worked through together, under one priority, due date and required qualification.

    Solo or shared is a property of the batch, never of one item: in a shared one people label together, and nothing made
    there counts as an independent read.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    is_shared = models.BooleanField(default=False)
    priority = models.IntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    qualification = models.CharField(max_length=60, blank=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Names count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="a_batch_name_is_used_once_a_project"),
        ]

    def __str__(self) -> str:
        return self.name


class BatchItem(models.Model):
    """An item lies in a batch; moving it to another is a change of this row."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="places")
    item = models.OneToOneField(Item, on_delete=models.PROTECT, related_name="+")
