"""What reviewers decided and said, what labelers asked them, and what labelers could not read."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import GuidelineVersion


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


class Question(models.Model):
    """A labeler asked about an item. Reviewers and the asker read it; no other annotator ever does.

    Whether the asker waits for the answer is the state of ``assignment``. Never changed; asking again is a further row.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A question says something."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(text=""), name="a_question_has_words"),
        ]


class QuestionReply(models.Model):
    """A reviewer answered. One that is ``general`` concerns everybody and goes into the next guideline version."""

    class Reach(models.TextChoices):
        """Whom the answer concerns."""

        ASKER = "asker"
        GENERAL = "general"

    question = models.OneToOneField(Question, on_delete=models.PROTECT, related_name="reply")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    reach = models.CharField(max_length=8, choices=Reach.choices)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """An answer says something."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(text=""), name="an_answer_has_words"),
            models.CheckConstraint(
                condition=models.Q(reach__in=["asker", "general"]), name="an_answer_has_a_known_reach"
            ),
        ]


class TakenIntoGuideline(models.Model):
    """A general answer stands in the instructions since this version."""

    reply = models.OneToOneField(QuestionReply, on_delete=models.PROTECT, related_name="taken")
    guideline = models.ForeignKey(GuidelineVersion, on_delete=models.PROTECT, related_name="+")


class UnreadableClaim(models.Model):
    """A labeler says that an item cannot be read, and why. Its assignment is closed with it."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A claim says why."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="an_unreadable_claim_says_why"),
        ]


class ClaimVerdict(models.Model):
    """Whether a second person confirmed a claim: a reviewer (``by``), or another labeler's own blind read."""

    class Outcome(models.TextChoices):
        """What the second person found."""

        CONFIRMED = "confirmed"
        REFUTED = "refuted"

    claim = models.OneToOneField(UnreadableClaim, on_delete=models.PROTECT, related_name="verdict")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    # The other labeler's read that decided, where no reviewer did.
    second = models.ForeignKey(Assignment, null=True, on_delete=models.PROTECT, related_name="+")
    comment = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Somebody else decided, and in one of two ways."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=["confirmed", "refuted"]), name="a_claim_is_confirmed_or_refuted"
            ),
            models.CheckConstraint(
                condition=models.Q(by__isnull=False, second=None) | models.Q(by=None, second__isnull=False),
                name="a_reviewer_or_a_second_reader_decides_a_claim",
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
