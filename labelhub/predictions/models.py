"""What models drew. A prediction is never a reading: it votes on nothing that it pre-labelled."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

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
