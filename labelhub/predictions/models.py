"""What models drew. A prediction is never a reading: it votes on nothing that it pre-labelled."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Project


class ModelVersion(models.Model):
    """A model as it was when it predicted: which predictor, with which parameters."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    number = models.PositiveIntegerField()
    predictor = models.CharField(max_length=120)
    parameters = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Numbers count within a project and name."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name", "number"], name="a_model_number_is_used_once"),
        ]


class Prediction(models.Model):
    """What a model version says of an item: shapes and answers as plain documents (masks as blobs), with confidences."""

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    shapes = models.JSONField(default=list)
    answers = models.JSONField(default=dict)
    confidence = models.FloatField(null=True)
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
