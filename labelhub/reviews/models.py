"""What reviewers decided and said."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item


class Decision(models.Model):
    """A reviewer judged one submission: accept or reject, a score 0-10, a comment (required on reject). Never changed."""

    class Verdict(models.TextChoices):
        """The judgement."""

        ACCEPT = "accept"
        REJECT = "reject"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    score = models.PositiveSmallIntegerField(null=True)
    comment = models.TextField(blank=True)
    request_id = models.UUIDField(unique=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A rejection says why; a score is between 0 and 10."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(score=None) | models.Q(score__lte=10), name="a_review_score_is_between_0_and_10"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict="accept") | ~models.Q(comment=""), name="a_rejection_says_why"
            ),
        ]


class PanelVote(models.Model):
    """One reviewer's vote in a panel: for a reading, or for what the readers say together (no ``submission``). Never changed.

    A panel sits from ``sat_since``, the moment the item came into review; coming back later is a further sitting.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    comment = models.TextField(blank=True)
    sat_since = models.DateTimeField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One vote a reviewer and sitting."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "reviewer", "sat_since"], name="one_vote_a_reviewer_and_sitting"),
        ]
