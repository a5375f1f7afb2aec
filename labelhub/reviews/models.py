"""What reviewers decided and said, what came back to its author and was disputed, what labelers asked or could not read."""

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


class ReworkTicket(models.Model):
    """A reading went back to its author: the words and marks that they get with it. Never changed.

    ``decision`` is the judgement that sent it back, None where a rule of the policy did. ``marks`` is what the author may see
    of where the others differ (``reviews.marks``). Work that is returned once more is a further ticket.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    decision = models.ForeignKey(Decision, null=True, on_delete=models.PROTECT, related_name="+")
    words = models.TextField(blank=True)
    marks = models.JSONField(default=dict)
    round = models.PositiveSmallIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The newest ticket of an assignment is its current one; rounds count from one."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(round__gte=1), name="rounds_of_rework_count_from_one"),
        ]
        indexes: ClassVar = [models.Index(fields=["assignment", "-id"], name="tickets_of_an_assignment")]


class Dispute(models.Model):
    """An author stands by a reading that came back, and says why. Its rework is closed with it; a third reader decides."""

    ticket = models.OneToOneField(ReworkTicket, on_delete=models.PROTECT, related_name="dispute")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A dispute says why."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="a_dispute_says_why"),
        ]


class DisputeOutcome(models.Model):
    """What became of a dispute: by the ``read`` of somebody who saw no other, by a reviewer (``by``), or by neither.

    The newest outcome holds. ``to-reviewer`` decides nothing: nobody could read the item blind, or the two readings cannot be
    compared, so that another reviewer than the one who returned it looks.
    """

    class Kind(models.TextChoices):
        """What it came to."""

        # The reading speaks again.
        UPHELD = "upheld"
        # The return stands.
        REFUTED = "refuted"
        TO_REVIEWER = "to-reviewer"
        # The item was taken out of the work.
        MOOT = "moot"

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="outcomes")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    read = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    # How alike the third reading is to the disputed one, and the least that counts as the same.
    similarity = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    method = models.CharField(max_length=80, blank=True)
    method_version = models.CharField(max_length=16, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Known outcomes only; a third reading that decides comes with its number."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["upheld", "refuted", "to-reviewer", "moot"]),
                name="a_dispute_ends_in_a_known_way",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind__in=["upheld", "refuted"])
                | models.Q(by__isnull=False)
                | models.Q(read__isnull=False, similarity__isnull=False, threshold__isnull=False),
                name="a_dispute_is_decided_on_a_number_or_by_somebody",
            ),
        ]


class Thread(models.Model):
    """Comments pinned to an item: to all of it, a reading, one shape of a reading, or a place on a picture. Never changed.

    Reviewers and admins read it; with ``is_for_author`` the author of ``submission`` too, who is told no name; with
    ``assignment`` (pinned while labeling) who draws in that copy.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    assignment = models.ForeignKey(Assignment, null=True, on_delete=models.PROTECT, related_name="+")
    shape_id = models.CharField(max_length=64, blank=True)
    # A place ``(x, y, z)`` of this medium, and how far around it is meant.
    medium = models.PositiveSmallIntegerField(null=True)
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)
    z = models.PositiveIntegerField(null=True)
    radius = models.FloatField(null=True)
    is_for_author = models.BooleanField(default=False)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A place is whole or none; a shape is one of a reading; only a reading has an author."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(medium=None, x=None, y=None, z=None)
                | models.Q(medium__isnull=False, x__isnull=False, y__isnull=False, z__isnull=False),
                name="the_place_of_a_thread_is_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(shape_id="", is_for_author=False) | models.Q(submission__isnull=False),
                name="a_shape_or_an_author_is_of_a_reading",
            ),
            models.CheckConstraint(
                condition=models.Q(assignment=None) | models.Q(submission=None, medium__isnull=False),
                name="a_pin_of_a_working_copy_has_a_place",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["item", "id"], name="threads_of_an_item")]


class Comment(models.Model):
    """One thing said in a thread. An edit is a further row that ``replaces`` this one: of two edits of one text one is late."""

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="comments")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    request_id = models.UUIDField(unique=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A comment says something."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(text=""), name="a_comment_has_words"),
        ]


class Mention(models.Model):
    """A comment names somebody who may read it."""

    comment = models.ForeignKey(Comment, on_delete=models.PROTECT, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Naming somebody twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["comment", "user"], name="a_comment_names_somebody_once"),
        ]


class ThreadTurn(models.Model):
    """A thread was resolved or opened again. The newest turn holds; without any it is open."""

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="turns")
    is_resolved = models.BooleanField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # A client's own number of the act, where it sends one: a retry is the same act.
    request_id = models.UUIDField(null=True, unique=True)
    at = models.DateTimeField(auto_now_add=True)


class Sighting(models.Model):
    """A reviewer looked at what others saw in an item, and so can no longer read it blind. For good: nobody unsees."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Looking twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "user"], name="somebody_sees_an_item_once"),
        ]


class MatterAnswer(models.Model):
    """A reviewer decided one matter of an item: one thing that its readers do not say alike. Never changed: the last counts.

    ``key`` names what is in dispute (the voxels of a region, the marks of an object, a question), so that an answer belongs to
    just that. ``submission`` is the reading chosen, or the one that a drawn correction starts from (none: the readers'
    common label); ``strokes`` are what was drawn. *Open* takes an earlier answer back.
    """

    class Choice(models.TextChoices):
        """What holds."""

        READER = "reader"
        CONSENSUS = "consensus"
        DRAWN = "drawn"
        AMBIGUOUS = "ambiguous"
        OPEN = "open"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    choice = models.CharField(max_length=10, choices=Choice.choices)
    submission = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    strokes = models.JSONField(default=list)
    comment = models.CharField(max_length=400, blank=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    request_id = models.UUIDField(unique=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Known choices; a reader's choice names the reading."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(choice__in=["reader", "consensus", "drawn", "ambiguous", "open"]),
                name="a_matter_is_decided_in_a_known_way",
            ),
            models.CheckConstraint(
                condition=~models.Q(choice="reader") | models.Q(submission__isnull=False),
                name="a_chosen_reader_has_a_reading",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["item", "reviewer", "id"], name="matter_answers_of_a_reviewer")]


# Rows of this package that have a module of their own.
from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult  # noqa: E402, F401
from labelhub.reviews.error_models import Appraisal, DeskTime, ObjectVerdict  # noqa: E402, F401
