"""Model versions side by side: how far each agrees with people, and people with each other on the same items.

The second number is what no model can be shown to exceed on these labels. What a version says of an item that it learned from
is left out. Not here: training (``inference``), routing by disagreement (``routing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db.models import Avg, Q

from labelhub.analytics.gold_scores import on_gold_of
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

    ``on_gold`` is the similarity with gold of items that it did not learn from: the same items for every version.
    ``held_out`` is what cross-validation reached, class by class: Dice with settled labels, and that of the readers with each
    other. ``apart`` are the codes of the items on which it is furthest from its readers, the furthest first.
    """

    model: ModelVersion
    n_seen: int
    n_learned: int
    with_people: Estimate
    people: Estimate
    on_gold: Estimate
    held_out: tuple[tuple[str, Estimate, Estimate], ...]
    apart: tuple[str, ...]


def model_rows(project: Project, *, most_apart: int = 50) -> list[ModelRow]:
    """Return the project's model versions, newest first."""
    models = list(models_of(project))
    seen = _counts(Prediction.objects.filter(model__in=models).values_list("model_id", flat=True))
    learned = _counts(TrainedItem.objects.filter(model__in=models).values_list("model_id", flat=True))
    near = _by_item(models)
    people = _people(models)
    on_gold = on_gold_of(models)
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
                _mean(on_gold.get(model.pk, {}), "similarity with gold, on items that it did not learn from"),
                _held_out(model),
                tuple(furthest[:most_apart]),
            )
        )
    return rows


def _held_out(model: ModelVersion) -> tuple[tuple[str, Estimate, Estimate], ...]:
    """The numbers that a training left with its version."""
    classes = model.metrics.get("classes", {})
    method = str(model.metrics.get("method", ""))
    return tuple(
        (key, kept_estimate(own["dice"], method), kept_estimate(own["readers"], method)) for key, own in classes.items()
    )


def kept_estimate(document: Mapping[str, Any], method: str) -> Estimate:
    """Return a number that a training left with its version."""

    def number(name: str) -> float:
        value = document.get(name)
        return float("nan") if value is None else float(value)

    return Estimate(
        number("value"), number("low"), number("high"), n=int(document.get("n", 0)), unit="items", method=method,
        version="1", n_groups=int(document.get("n_groups", 0)), group_unit="groups",
        interval_method=str(document.get("interval_method", "")),
        interval_reason=document.get("interval_reason") or None, reason=document.get("reason") or None,
    )  # fmt: skip


def _by_item(models: list[ModelVersion]) -> dict[int, dict[str, tuple[float, str]]]:
    """The mean similarity with the readers of each item, by version: with the item's group. Not of items learned from."""
    told = set(TrainedItem.objects.filter(model__in=models).values_list("model_id", "item_id"))
    of_them = Q(prediction__model__in=models) | Q(
        prediction__model__fold_of__in=models, prediction__is_out_of_sample=True
    )
    rows = Score.objects.filter(
        of_them, about=Score.About.MODEL, metric=SIMILARITY, label="", replaced_at=None, value__isnull=False
    ).values_list(
        "prediction__model", "prediction__model__fold_of", "item", "item__code", "item__group_key", "value"
    )  # fmt: skip
    values: dict[int, dict[tuple[str, str], list[float]]] = {}
    for version, whole, item, code, group, value in rows:
        model = whole or version
        # What a fold said of an item that was kept from it is the word of the version that later learned from all.
        if whole is not None or (version, item) not in told:
            values.setdefault(model, {}).setdefault((code, group or code), []).append(float(value or 0.0))
    return {
        model: {code: (float(np.mean(own)), group) for (code, group), own in items.items()}
        for model, items in values.items()
    }


def _people(models: list[ModelVersion]) -> dict[str, tuple[float, str]]:
    """The mean similarity of the readers of each item that a model looked at, with the item's group: one row an item."""
    seen = Prediction.objects.filter(Q(model__in=models) | Q(model__fold_of__in=models)).values("item")
    rows = Score.objects.filter(
        item__in=seen, about=Score.About.PAIR, metric=SIMILARITY, label="", replaced_at=None, value__isnull=False
    )
    found = rows.values("item__code", "item__group_key").annotate(mean=Avg("value")).order_by("item__code")
    return {row["item__code"]: (float(row["mean"]), row["item__group_key"] or row["item__code"]) for row in found}


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
