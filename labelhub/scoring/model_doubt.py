"""What a prediction says of an item before anybody labels it: how unsure the model is, of which class, and what it looks like.

From the maps of probabilities that a network keeps; a model without maps has its confidences only. Not here: choosing items
(``numerics.acquisition``), what a given label is worth beside a prediction (``model_quality``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from labelhub.numerics.results import FloatArray
from labelhub.numerics.uncertainty import image_score, margin_uncertainty, predictive_entropy, scores_by_class
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import pixel_maps
from labelhub.predictions.predictor import PixelMap

# A pixel to which every class gives less than this is certain background, and its entropy is nothing.
LEAST_PROBABILITY: Final = 0.01
# Each class is described by so many by so many means of its probability.
GRID: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class ItemDoubt:
    """How unsure a model is of an item. Entropies in nats, of the most unsure twentieth of the pixels on average.

    ``by_class`` has the mean entropy of the pixels predicted as each class, NaN where there are none; ``epistemic`` (bits) is
    NaN where the model was asked once. ``features`` describe what it sees and where.
    """

    entropy: float
    margin: float
    epistemic: float
    by_class: FloatArray
    has_foreground: bool
    features: FloatArray


def doubt_of(prediction: Prediction, labels: Sequence[str], n_media: int) -> ItemDoubt:
    """Return how unsure the model was of the item; of several media the most unsure counts."""
    found = [_of_medium(pixel_maps(prediction, medium=medium), labels) for medium in range(n_media)]
    known = [entry for entry in found if entry is not None]
    if not known:
        return _without_maps(prediction, labels)
    return ItemDoubt(
        max(entry.entropy for entry in known), max(entry.margin for entry in known),
        _largest([entry.epistemic for entry in known]),
        np.array([_largest([float(entry.by_class[at]) for entry in known]) for at in range(len(labels))]),
        any(entry.has_foreground for entry in known), np.mean([entry.features for entry in known], axis=0),
    )  # fmt: skip


def _of_medium(maps: Sequence[PixelMap], labels: Sequence[str]) -> ItemDoubt | None:
    given = {entry.label: entry.values for entry in maps if entry.kind == "probability"}
    if not given:
        return None
    size = next(iter(given.values())).shape
    classes = np.stack([given[label] if label in given else np.zeros(size, np.uint8) for label in labels]) / 255.0
    likely = classes.max(axis=0) > LEAST_PROBABILITY
    chosen = classes[:, likely]
    background = np.clip(1.0 - chosen.sum(axis=0), 0.0, 1.0)
    table = np.concatenate([background[None], chosen])
    table = table / table.sum(axis=0)
    entropy, margin = np.zeros(size), np.zeros(size)
    by_class = np.full(len(labels), np.nan)
    if likely.any():
        own = predictive_entropy(table, category_axis=0)
        entropy[likely], margin[likely] = own, margin_uncertainty(table, category_axis=0)
        by_class = scores_by_class(own, table.argmax(axis=0), len(labels) + 1)[1:]
    doubts = [entry.values / 255.0 * entry.most for entry in maps if entry.kind == "epistemic"]
    return ItemDoubt(
        image_score(entropy, "top"), image_score(margin, "top"),
        max((image_score(entry, "top") for entry in doubts), default=float("nan")), by_class,
        bool((classes >= 0.5).any()), np.concatenate([_blocks(entry.max(axis=0)) for entry in classes]),
    )  # fmt: skip


def _without_maps(prediction: Prediction, labels: Sequence[str]) -> ItemDoubt:
    """Confidences stand in for probabilities: they order items, and that is all that choosing needs."""
    sure: dict[str, list[float]] = {}
    for entry in prediction.shapes:
        if entry.get("confidence") is not None:
            sure.setdefault(entry["label"], []).append(float(entry["confidence"]))
    means = np.array([float(np.mean(sure[label])) if label in sure else np.nan for label in labels])
    doubt = 1.0 - means
    worst = float(np.nanmax(doubt)) if np.isfinite(doubt).any() else float("nan")
    counts = np.array([float(len(sure.get(label, ()))) for label in labels])
    return ItemDoubt(
        worst, worst, float("nan"), doubt, bool(prediction.shapes), np.concatenate([np.nan_to_num(means), counts])
    )


def _blocks(plane: FloatArray) -> FloatArray:
    """The means of a plane in ``GRID`` by ``GRID`` parts, row by row."""
    rows, columns = (np.array_split(np.arange(side), GRID) for side in plane.shape)
    return np.array(
        [plane[np.ix_(y, x)].mean() if len(y) and len(x) else 0.0 for y in rows for x in columns], dtype=np.float64
    )


def _largest(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return max(known, default=float("nan"))
