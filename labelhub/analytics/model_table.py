"""Model versions side by side: how far each agrees with people, and people with each other on the same items.

The second number is what no model can be shown to exceed on these labels. What a version says of an item that it learned from
is left out. Not here: training (``inference``), routing by disagreement (``routing``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from labelhub.numerics.bootstrap import Resampling, mean_estimate
from labelhub.numerics.results import Estimate
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem
from labelhub.predictions.selectors import models_of
from labelhub.projects.models import Project
from labelhub.scoring.models import Score
from labelhub.scoring.rows import SIMILARITY

SEED: Final = 20_261_130


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One version: how many items it looked at, how near it is to the readers, and how near those are to each other there.

    ``apart`` are the codes of the items on which it is furthest from its readers, the furthest first.
    """

    model: ModelVersion
    n_seen: int
    n_learned: int
    with_people: Estimate
    people: Estimate
    apart: tuple[str, ...]


def model_rows(project: Project, *, most_apart: int = 50) -> list[ModelRow]:
    """Return the project's model versions, newest first."""
    models = list(models_of(project))
    seen = _counts(Prediction.objects.filter(model__in=models).values_list("model_id", flat=True))
    learned = _counts(TrainedItem.objects.filter(model__in=models).values_list("model_id", flat=True))
    near = _by_item(models)
    people = _people(project, {item for own in near.values() for item in own})
    rows = []
    for model in models:
        own = near.get(model.pk, {})
        furthest = sorted(own, key=lambda code: (own[code][0], code))
        both = {code: people[code] for code in own if code in people}
        rows.append(
            ModelRow(
                model,
                seen.get(model.pk, 0),
                learned.get(model.pk, 0),
                _mean(own, "similarity of model and readers"),
                _mean(both, "similarity of readers with each other, on the same items"),
                tuple(furthest[:most_apart]),
            )
        )
    return rows


def _by_item(models: list[ModelVersion]) -> dict[int, dict[str, tuple[float, str]]]:
    """The mean similarity with the readers of each item, by version: with the item's group. Not of items learned from."""
    told = set(TrainedItem.objects.filter(model__in=models).values_list("model_id", "item_id"))
    rows = Score.objects.filter(
        about=Score.About.MODEL, metric=SIMILARITY, label="", replaced_at=None, value__isnull=False,
        prediction__model__in=models,
    ).values_list("prediction__model", "item", "item__code", "item__group_key", "value")  # fmt: skip
    values: dict[int, dict[tuple[str, str], list[float]]] = {}
    for model, item, code, group, value in rows:
        if (model, item) not in told:
            values.setdefault(model, {}).setdefault((code, group or code), []).append(float(value or 0.0))
    return {
        model: {code: (float(np.mean(own)), group) for (code, group), own in items.items()}
        for model, items in values.items()
    }


def _people(project: Project, codes: set[str]) -> dict[str, tuple[float, str]]:
    rows = Score.objects.filter(
        item__project=project, about=Score.About.PAIR, metric=SIMILARITY, label="", replaced_at=None, value__isnull=False,
    ).values_list("item__code", "item__group_key", "value")  # fmt: skip
    values: dict[tuple[str, str], list[float]] = {}
    for code, group, value in rows:
        if code in codes:
            values.setdefault((code, group or code), []).append(float(value or 0.0))
    return {code: (float(np.mean(own)), group) for (code, group), own in values.items()}


def _mean(items: dict[str, tuple[float, str]], method: str) -> Estimate:
    groups = np.array([group for _, group in items.values()])
    resampling = Resampling(
        np.random.default_rng(SEED), groups=groups, group_unit="patients or items", kind="percentile"
    )
    return mean_estimate([value for value, _ in items.values()], resampling, unit="items", method=method)


def _counts(keys: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for key in keys:
        found[key] = found.get(key, 0) + 1
    return found
