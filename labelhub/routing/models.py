"""What was decided, and why: the route of an item, and the gate of a labeler. Rows are appended, never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, PolicyVersion


class Route(models.Model):
    """One routing decision. Never changed: a later decision is a further row."""

    class Outcome(models.TextChoices):
        """Where the item goes."""

        ACCEPT = "accept"
        MORE_READERS = "more-readers"
        BACK_TO_AUTHOR = "back-to-author"
        REVIEWER = "reviewer"
        MAYBE_AMBIGUOUS = "maybe-ambiguous"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    rule = models.CharField(max_length=40)
    # A sentence for people, the numbers it rests on, and the outcomes not taken with why.
    reason = models.CharField(max_length=400)
    numbers = models.JSONField(default=dict)
    alternatives = models.JSONField(default=list)
    # Whom one more read is worth most from: [{"labeler": id, "value": fall of the expected share of errors}], best first.
    next_labelers = models.JSONField(default=list)
    author = models.ForeignKey(Labeler, null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="+")
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The newest route of an item is its current one."""

        indexes: ClassVar = [models.Index(fields=["item", "-id"], name="routes_of_an_item")]


class Gate(models.Model):
    """One fact about whether a labeler may go on: what their test on gold came to, or what a person decided about it.

    The newest row of a labeler says how they stand. Automatic facts name the gold ``answer`` after which they fell and the
    number of the ``test`` they belong to; a person's decision names who and why. ``numbers`` are the plan and the state
    of the test at that moment.
    """

    class Kind(models.TextChoices):
        """What happened."""

        TEST_STARTED = "test-started"
        CLEARED = "cleared"
        DRIFT_ALARM = "drift-alarm"
        PROPOSED = "proposed"
        PAUSED = "paused"
        RESUMED = "resumed"
        KEPT = "kept"
        WITHDRAWN = "withdrawn"

    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    test = models.PositiveIntegerField()
    answer = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    numbers = models.JSONField(default=dict)
    # A sentence for admins. It never reaches the labeler.
    reason = models.CharField(max_length=400)
    # "user:7", or "system" where the gate itself did it.
    by = models.CharField(max_length=80)
    policy = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="+")
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The newest fact is how the labeler stands; whoever pauses somebody says why."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="a_fact_of_the_gate_says_why"),
            models.CheckConstraint(condition=~models.Q(by=""), name="a_fact_of_the_gate_says_who"),
        ]
        indexes: ClassVar = [models.Index(fields=["labeler", "-id"], name="gate_of_a_labeler")]
