"""Rows by which reviewers are calibrated: reviews whose outcome is known, placed among the others, and what came of them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item


class ReviewTest(models.Model):
    """A reviewer is to judge an item whose outcome is known, without being told so. The item itself goes on as it is.

    *gold*: the item has gold. *again*: another reviewer (``decided_by``) settled it as label ``settled_as``. *own*: the
    reviewer did so themselves, long enough ago. What happened since ``hides_from`` is hidden from them until they judged;
    ``reason`` is what their inbox says of it, and they are offered it from ``due_from`` on. Never changed.
    """

    class Kind(models.TextChoices):
        """By what the judgement is tested."""

        GOLD = "gold"
        AGAIN = "again"
        OWN = "own"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    settled_as = models.PositiveIntegerField(null=True)
    hides_from = models.DateTimeField()
    reason = models.CharField(max_length=400, blank=True)
    due_from = models.DateTimeField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Known kinds; a decision that is tested has its label and who made it; one test a reviewer, item and label."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind="gold", settled_as=None, decided_by=None)
                | models.Q(kind__in=["again", "own"], settled_as__isnull=False, decided_by__isnull=False),
                name="a_review_is_tested_by_gold_or_by_a_decision",
            ),
            models.UniqueConstraint(
                fields=["item", "reviewer", "settled_as"], condition=models.Q(settled_as__isnull=False),
                name="a_decision_is_tested_once_a_reviewer",
            ),
            models.UniqueConstraint(
                fields=["item", "reviewer"], condition=models.Q(kind="gold"), name="gold_tests_a_reviewer_once"
            ),
        ]  # fmt: skip
        indexes: ClassVar = [models.Index(fields=["reviewer", "item"], name="tests_of_a_reviewer")]


class ReviewTestResult(models.Model):
    """What the reviewer decided, and whether that is what was known: ``held`` is empty where the two cannot be compared."""

    class Choice(models.TextChoices):
        """What they did."""

        ACCEPT = "accept"
        REJECT = "reject"
        VOTE = "vote"
        REGIONS = "regions"
        AMBIGUOUS = "ambiguous"

    test = models.OneToOneField(ReviewTest, on_delete=models.PROTECT, related_name="result")
    choice = models.CharField(max_length=10, choices=Choice.choices)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    score = models.PositiveSmallIntegerField(null=True)
    comment = models.TextField(blank=True)
    held = models.BooleanField(null=True)
    # How alike their label (or the reading they returned) and the known one are, and the least that counts as the same.
    similarity = models.FloatField(null=True)
    threshold = models.FloatField()
    reason = models.CharField(max_length=200, blank=True)
    method = models.CharField(max_length=80)
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Accepting or returning is of a reading; a score is between 0 and 10."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(choice__in=["accept", "reject"]) | models.Q(submission__isnull=False),
                name="a_tested_judgement_of_a_reading_names_it",
            ),
            models.CheckConstraint(
                condition=models.Q(score=None) | models.Q(score__lte=10), name="a_tested_score_is_between_0_and_10"
            ),
        ]
