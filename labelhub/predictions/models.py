"""What models drew. A prediction is never a reading: it votes on nothing that it pre-labelled."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Blob, Item
from labelhub.projects.models import Project


class ModelVersion(models.Model):
    """A model as it was when it predicted: which predictor, with which parameters.

    A network names its architecture with literal arguments (``architectures``), its weights (a safetensors blob), and of each
    map that comes out the class of the ontology that it means (``classes``; empty: none of them, as the background).
    ``checksum`` is the SHA-256 of what was brought in, ``source`` says where it came from. One that was trained here names the
    release by number and hash (releases lie above this package), and ``fold_of`` leads from a model of cross-validation,
    which saw only a part of the items, to the version that saw all.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    predictor = models.CharField(max_length=120)
    parameters = models.JSONField(default=dict)
    architecture = models.CharField(max_length=40, blank=True)
    arguments = models.JSONField(default=dict)
    weights = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")
    classes = models.JSONField(default=list)
    release_number = models.PositiveIntegerField(null=True)
    release_sha256 = models.CharField(max_length=64, blank=True)
    metrics = models.JSONField(default=dict)
    licence = models.CharField(max_length=200, blank=True)
    checksum = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=300, blank=True)
    fold_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="folds")
    fold = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project and name."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name", "number"], name="a_model_number_is_used_once"),
            models.CheckConstraint(
                condition=models.Q(architecture="", weights=None)
                | (~models.Q(architecture="") & ~models.Q(weights=None)),
                name="a_network_has_an_architecture_and_weights",
            ),
        ]

    @property
    def is_network(self) -> bool:
        """Whether a worker with a framework is needed to run it."""
        return bool(self.architecture)


class TrainedItem(models.Model):
    """An item whose settled label a version learned from: what the version says of it is no evidence about that label."""

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="trained_items")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Noted once."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "item"], name="a_version_learns_from_an_item_once"),
        ]


class Prediction(models.Model):
    """What a model version says of an item: shapes and answers as plain documents (masks as blobs), with confidences.

    ``maps`` names, medium by medium, the blobs of probabilities and doubts that the model gave. ``is_out_of_sample`` marks the
    word of a model of cross-validation on an item that was kept from it.
    """

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    shapes = models.JSONField(default=list)
    answers = models.JSONField(default=dict)
    confidence = models.FloatField(null=True)
    maps = models.JSONField(default=list)
    is_out_of_sample = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A version predicts an item once."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "item"], name="a_model_version_predicts_an_item_once"),
        ]


class Draft(models.Model):
    """A labeler asked for a model's draft of the image they have: what they were shown, or that they were shown none.

    ``arm`` is drawn in secret: *shown*; *planted*, with the error in ``planted`` (its kind and both versions of the shape);
    *withheld*, with ``why``; *none* where no model has seen the image. ``shapes`` are as shown, in the form in which they
    are drawn here. Who was shown anything reads with help from then on.
    """

    class Arm(models.TextChoices):
        """What the labeler got."""

        SHOWN = "shown"
        PLANTED = "planted"
        WITHHELD = "withheld"
        NONE = "none"

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="+")
    prediction = models.ForeignKey(Prediction, null=True, on_delete=models.PROTECT, related_name="+")
    arm = models.CharField(max_length=8, choices=Arm.choices)
    why = models.CharField(max_length=20, blank=True)
    shapes = models.JSONField(default=list)
    planted = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """What was planted is on record, and nothing is on record as planted that was not."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(arm="planted") ^ models.Q(planted={}), name="a_planted_error_is_on_record"
            ),
            models.CheckConstraint(
                condition=models.Q(arm="withheld") ^ models.Q(why=""), name="a_draft_is_withheld_for_a_reason"
            ),
        ]


# Arms in which the labeler saw something of a model's.
SEEN_ARMS = (Draft.Arm.SHOWN, Draft.Arm.PLANTED)


class TrainingRun(models.Model):
    """A training that somebody started: from which release, with which settings, and the version that came of it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    release_number = models.PositiveIntegerField()
    settings = models.JSONField(default=dict)
    job_id = models.BigIntegerField(null=True)
    started_by = models.CharField(max_length=80, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    plan = models.JSONField(default=dict)
    model = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    finished_at = models.DateTimeField(null=True)


class TrainingPoint(models.Model):
    """What was measured after an epoch of a fold (the last fold, ``None``, learns from all items)."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="points")
    fold = models.PositiveSmallIntegerField(null=True)
    epoch = models.PositiveIntegerField()
    loss = models.FloatField()
    held_out_loss = models.FloatField(null=True)
    held_out_dice = models.FloatField(null=True)
    measured_at = models.DateTimeField(auto_now_add=True)
