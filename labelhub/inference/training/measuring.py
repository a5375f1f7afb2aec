"""What a training reached: Dice of out-of-sample predictions with settled labels, class by class, beside what people reach.

Each item is judged by the model of the fold that was kept from its whole group. Not here: making the predictions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelhub.formats.shape_masks import shape_mask
from labelhub.inference.training.cases import IGNORED, Label
from labelhub.numerics.bootstrap import Resampling, mean_estimate
from labelhub.numerics.overlap import dice_from_counts
from labelhub.numerics.results import Estimate
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import reading_of
from labelhub.scoring.selectors import reader_overlap

METHOD = "cross-validated Dice with settled labels, by group"


def item_dice(prediction: Prediction, labels: Sequence[Label], number: int, key: str) -> float:
    """Return the Dice of one item over its media; pixels that count for nothing are left out; NaN where neither has any."""
    both = ours = theirs = 0
    reading = reading_of(prediction)
    for label in labels:
        counts = label.map != IGNORED
        said = np.zeros(label.grid.size, dtype=bool)
        for shape in reading.shapes:
            if shape.label == key and shape.medium == label.medium.ordinal:
                mask = shape_mask(shape, label.grid)
                box = tuple(slice(low, low + n) for low, n in zip(mask.origin, mask.voxels.shape, strict=True))
                said[box] |= mask.voxels
        truth = label.map == number
        said &= counts
        both += int((said & truth).sum())
        ours += int(said.sum())
        theirs += int(truth.sum())
    return math.nan if ours + theirs == 0 else dice_from_counts(both, ours, theirs)


def metrics_of(
    values: Mapping[str, Mapping[int, float]], groups: Mapping[int, str], *, seed: int, n_items: int
) -> dict[str, Any]:
    """Return the metrics of a version as a document: for each class the mean over items with its interval over groups."""
    classes = {}
    for key, by_item in values.items():
        items = sorted(by_item)
        people = reader_overlap(items, key)
        classes[key] = {
            "dice": figure([by_item[item] for item in items], [groups[item] for item in items], seed, METHOD),
            "readers": figure(
                [people[item] for item in sorted(people)], [groups[i] for i in sorted(people)], seed, METHOD
            ),
        }
    return {"method": METHOD, "n_items": n_items, "n_groups": len(set(groups.values())), "classes": classes}


def without_folds(n_items: int) -> dict[str, Any]:
    """Return the metrics where nothing could be held out: none, and why."""
    reason = "all labels are of one group (one patient), so none could be held out honestly"
    return {"method": METHOD, "n_items": n_items, "n_groups": 1, "classes": {}, "reason": reason}


def figure(values: Sequence[float], groups: Sequence[str], seed: int, method: str) -> dict[str, Any]:
    """Return the mean over items with its interval over groups as a document for pages."""
    resampling = Resampling(np.random.default_rng(seed), groups=np.asarray(groups), group_unit="groups")
    return _document(mean_estimate(values, resampling if values else None, unit="items", method=method))


def _document(estimate: Estimate) -> dict[str, Any]:
    """A number for pages; what is undefined is null, with the reason."""
    return {
        "value": _plain(estimate.value), "low": _plain(estimate.low), "high": _plain(estimate.high), "n": estimate.n,
        "n_groups": estimate.n_groups, "reason": estimate.reason or "", "interval_reason": estimate.interval_reason or "",
        "interval_method": estimate.interval_method,
    }  # fmt: skip


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
