"""Reading models and predictions. Hidden from annotators."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from labelhub.catalog.models import Item
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.projects.models import Project


def models_of(project: Project) -> QuerySet[ModelVersion]:
    """Return the project's model versions, newest first."""
    return ModelVersion.objects.filter(project=project).order_by("-pk")


def newest_prediction(item: Item) -> Prediction | None:
    """Return what the newest model version said of the item."""
    return Prediction.objects.filter(item=item).select_related("model", "item").order_by("-created_at", "-pk").first()


def unseen_items(model: ModelVersion) -> QuerySet[Item]:
    """Return items with pixels that this model version has not looked at, in order."""
    seen = Prediction.objects.filter(model=model, item=OuterRef("pk"))
    items = Item.objects.filter(project=model.project_id).exclude(state=Item.State.EXCLUDED)
    return items.exclude(media__pixels=None).exclude(Exists(seen)).order_by("pk")
