"""Stored scores, and which submission is an item's gold. Everything here is hidden from annotators."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.predictions.models import Draft, Prediction
from labelhub.projects.models import Labeler, Project


class GoldReference(models.Model):
    """An item's true answer, as far as anyone knows: a submission made by an expert or settled. Retired, never deleted.

    ``n_exposures`` counts the labelers who were given it as gold; at the policy's most it rests (``rested_at``): nobody is
    given it any more, and what was measured against it stands. ``drawn`` says how it was chosen. ``doubted_at`` is when it was
    last sent to the reviewers, because good labelers fail it or an admin doubts it.
    """

    class Kind(models.TextChoices):
        """What the gold is for; only training gold gives feedback."""

        EXAM = "exam"
        HIDDEN = "hidden"
        TRAINING = "training"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.HIDDEN)
    drawn = models.CharField(max_length=12, default="hand")
    n_exposures = models.PositiveIntegerField(default=0)
    rested_at = models.DateTimeField(null=True)
    doubted_at = models.DateTimeField(null=True)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)
    retired_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        """One current gold an item."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(retired_at=None), name="one_current_gold_an_item"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "item"], condition=models.Q(retired_at=None, rested_at=None), name="gold_in_use"
            ),
        ]


class ExamRuling(models.Model):
    """An admin decides after a failed entry exam: the labeler may work, sits it again on other items, or stays out."""

    class Verdict(models.TextChoices):
        """What was decided."""

        ADMITTED = "admitted"
        AGAIN = "again"
        REFUSED = "refused"

    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.CharField(max_length=300)
    decided_by = models.CharField(max_length=80)
    at = models.DateTimeField(auto_now_add=True)


class Score(models.Model):
    """One number about one item, with its method. Undefined is a null value with a reason, never 0 or 1.

    ``about`` says whom it compares: two submissions (``pair``), a submission with gold (``gold``), with a model (``model``), or
    all first planned independent reads of the item (``item``). ``label`` is a class or question key, empty for the item.
    """

    class About(models.TextChoices):
        """Whom the number compares."""

        PAIR = "pair"
        GOLD = "gold"
        MODEL = "model"
        ITEM = "item"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    about = models.CharField(max_length=8, choices=About.choices)
    first = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    second = models.ForeignKey(Submission, null=True, on_delete=models.PROTECT, related_name="+")
    gold = models.ForeignKey(GoldReference, null=True, on_delete=models.PROTECT, related_name="+")
    prediction = models.ForeignKey(Prediction, null=True, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=80, blank=True)
    metric = models.CharField(max_length=40)
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0)
    unit = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    edge_case = models.CharField(max_length=24, blank=True)
    method = models.CharField(max_length=80)
    method_version = models.CharField(max_length=16)
    # An item's agreement is recomputed as readers come in; the row that a newer one replaced keeps the date.
    computed_at = models.DateTimeField(auto_now_add=True)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        """Current scores are found by item."""

        indexes: ClassVar = [
            models.Index(fields=["item", "about", "metric"], name="scores_of_an_item"),
            models.Index(fields=["first"], name="scores_of_a_first_reader"),
            models.Index(fields=["second"], name="scores_of_a_second_reader"),
        ]


class TruthFit(models.Model):
    """What was estimated of a project's raters in one topic (a question, objects, shapes), from how many answers.

    Estimated again as readings come in; the row that a newer one replaced keeps the date. ``parameters`` is the document of
    ``truth_fit``. ``n_known`` counts items whose true answer is known, from gold or from an auditor.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    topic = models.CharField(max_length=100)
    parameters = models.JSONField(default=dict)
    chosen = models.CharField(max_length=60)
    why = models.CharField(max_length=300, blank=True)
    n_units = models.PositiveIntegerField(default=0)
    n_answers = models.PositiveIntegerField(default=0)
    n_known = models.PositiveIntegerField(default=0)
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=16)
    computed_at = models.DateTimeField(auto_now_add=True)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        """One estimate stands for each topic."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "topic"], condition=models.Q(replaced_at=None), name="one_standing_estimate_a_topic"
            ),
        ]


class Posterior(models.Model):
    """How sure the item's label is now: the units its current readings speak of, and the least sure of them.

    Always made again from the readings and the standing estimates, so it is renewed in place; what a decision rested on is
    stored with the decision. ``value`` is null with a ``reason`` where nothing can be said. ``n_known`` is the least number
    of items with a known answer that any topic it rests on was corrected by.
    """

    item = models.OneToOneField(Item, on_delete=models.PROTECT, related_name="+")
    value = models.FloatField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    worst = models.CharField(max_length=120, blank=True)
    is_calibrated = models.BooleanField(default=False)
    n_known = models.PositiveIntegerField(default=0)
    units = models.JSONField(default=list)
    # Which readings, gold, rules and method version it rests on.
    fingerprint = models.CharField(max_length=200)
    method = models.CharField(max_length=80)
    method_version = models.CharField(max_length=16)
    computed_at = models.DateTimeField()


class AuditedItem(models.Model):
    """An accepted item that an auditor read blind, as an item with a known answer: what its readers said unit by unit, the
    auditor's answer beside each, and the ``chance`` with which the item was drawn. Corrects how sure posteriors are.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="+")
    chance = models.FloatField()
    units = models.JSONField(default=list)
    method_version = models.CharField(max_length=16)
    computed_at = models.DateTimeField()

    class Meta:
        """It was drawn with a chance."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(chance__gt=0, chance__lte=1),
                name="an_audited_item_had_a_chance_above_0_and_at_most_1",
            ),
        ]


class HelpedReading(models.Model):
    """A reading whose author was shown a model's draft: how near it stayed to that, and what became of a planted error.

    ``similarity`` is that of the reading and the draft, null where the two cannot be compared; ``is_unchanged`` says that not a
    voxel differs. Where an error was planted, ``kind`` names it and ``undone_share`` is the share of the voxels it changed that
    the reading shows as the model had them (1 or 0 for marks without area); it was caught from half on. A reading that let it
    stand speaks for nobody.
    """

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="+")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="+")
    similarity = models.FloatField(null=True)
    is_unchanged = models.BooleanField()
    kind = models.CharField(max_length=12, blank=True)
    undone_share = models.FloatField(null=True)
    is_caught = models.BooleanField(null=True)
    method = models.CharField(max_length=60)
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A share is a share, and it belongs to a planted error."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind="", undone_share=None, is_caught=None)
                | (~models.Q(kind="") & models.Q(undone_share__gte=0, undone_share__lte=1, is_caught__isnull=False)),
                name="a_planted_error_was_undone_to_a_share_from_0_to_1",
            ),
        ]


class DraftsAgain(models.Model):
    """An admin lets a labeler have drafts again who had let too many planted errors stand; the test begins anew."""

    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField(auto_now_add=True)
