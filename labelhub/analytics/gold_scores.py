"""What model versions reach on gold, item by item: the same held-out items for each, and none that it learned from."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from labelhub.predictions.models import ModelVersion, TrainedItem
from labelhub.scoring.model_on_gold import ON_GOLD
from labelhub.scoring.models import Score

# By item code: the similarity with its gold, and the item's group.
OnGold = dict[str, tuple[float, str]]


def on_gold_of(models: Iterable[ModelVersion]) -> dict[int, OnGold]:
    """Return, for each version by its number in the database, what it reaches on gold that it did not learn from: one query."""
    told = TrainedItem.objects.filter(model=OuterRef("prediction__model"), item=OuterRef("item"))
    rows = Score.objects.filter(
        about=Score.About.MODEL, metric=ON_GOLD, prediction__model__in=list(models), replaced_at=None,
        gold__retired_at=None, value__isnull=False,
    ).exclude(Exists(told))  # fmt: skip
    found: dict[int, OnGold] = {}
    for model, code, group, value in rows.values_list(
        "prediction__model", "item__code", "item__group_key", "value"
    ).order_by("pk"):
        found.setdefault(model, {})[code] = (float(value or 0.0), group or code)
    return found
