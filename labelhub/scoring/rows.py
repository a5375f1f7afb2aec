"""A comparison as rows of scores: one number a row, undefined ones as null with the reason. Not here: what is compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.predictions.models import Prediction
from labelhub.scoring.compare import ClassComparison, Comparison, Terms
from labelhub.scoring.model_quality import (
    DOUBTED,
    HELD_TO_BE,
    METHOD,
    OBJECTED,
    QUALITY,
    VERSION,
    ClassQuality,
    worst,
)
from labelhub.scoring.models import GoldReference, Score

SIMILARITY, RIGHT = "similarity", "right"
# Of an item: over planned independent reads (agreement), and over the readings that decide it now.
AGREEMENT, CURRENT_AGREEMENT = "agreement", "current-agreement"

_EDGE_REASONS = {
    "both-empty": "nothing is there in either",
    "first-empty": "only the second has it",
    "second-empty": "only the first has it",
}


@dataclass(frozen=True, slots=True)
class Between:
    """Whom a comparison is between."""

    item: Item
    about: str
    first: Submission
    second: Submission | None = None
    gold: GoldReference | None = None
    prediction: Prediction | None = None


def method_of(comparison_method: str, terms: Terms) -> str:
    """Return the method's name with the conventions that change its numbers."""
    limits = f"match IoU {terms.match_iou:g}; tolerance {terms.tolerance_mm:g} mm, {terms.tolerance_px:g} px"
    # Under the first classes nothing is said, so that what was compared before they could change stays as it is.
    classes = f"; ontology {terms.since}" if terms.since > 1 else ""
    return f"{comparison_method}; {limits}"[: 80 - len(classes)] + classes


def rows_of(comparison: Comparison, between: Between, terms: Terms) -> list[Score]:
    """Return one row for each number of ``comparison``."""
    method = method_of(comparison.method, terms)
    values = [
        _Value("", SIMILARITY, comparison.similarity, comparison.n_parts, "", comparison.edge_case, comparison.reason)
    ]
    for entry in comparison.classes:
        values += _class_values(entry)
    for answer in comparison.answers:
        if answer.is_equal is not None:
            values.append(_Value(answer.question, "equal", float(answer.is_equal), 1))
    return [
        Score(
            item=between.item, about=between.about, first=between.first, second=between.second, gold=between.gold,
            prediction=between.prediction, label=value.label[:80], metric=value.metric, value=_defined(value.value),
            n=int(value.n), unit=value.unit, reason=value.why[:200], edge_case=value.edge_case, method=method,
            method_version=comparison.version,
        )
        for value in values
    ]  # fmt: skip


def quality_rows(
    classes: Sequence[ClassQuality], held: Mapping[tuple[str, str], float], between: Between
) -> list[Score]:
    """Return one row for the worst quality, and for each class its quality, what the model objects to and what it doubts.

    ``held`` is what the model holds the place of each class to be, by (given, held).
    """
    lowest = worst(classes)
    values = [_Value("", QUALITY, math.nan if lowest is None else lowest, len(classes), reason="the model kept no map")]
    for entry in classes:
        values.append(_Value(entry.label, QUALITY, entry.quality, entry.n_voxels))
        values.append(_Value(entry.label, OBJECTED, entry.objected, len(entry.objections), entry.unit))
        values.append(_Value(entry.label, DOUBTED, entry.doubted, entry.n_voxels, entry.unit))
    values += [_Value(f"{given}>{other}", HELD_TO_BE, value, 1) for (given, other), value in sorted(held.items())]
    return [
        Score(
            item=between.item, about=between.about, first=between.first, prediction=between.prediction,
            label=value.label[:80], metric=value.metric, value=_defined(value.value), n=int(value.n), unit=value.unit,
            reason=value.why[:200], method=METHOD, method_version=VERSION,
        )
        for value in values
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Value:
    label: str
    metric: str
    value: float
    n: int
    unit: str = ""
    edge_case: str = ""
    reason: str = ""

    @property
    def why(self) -> str:
        """Why there is no value; empty where there is one."""
        if not math.isnan(self.value):
            return ""
        return self.reason or _EDGE_REASONS.get(self.edge_case, "not defined for these shapes")


def _class_values(entry: ClassComparison) -> Iterator[_Value]:
    n = entry.n_first + entry.n_second
    numbers = {
        SIMILARITY: (entry.similarity, ""),
        "dice": (entry.dice, ""),
        "iou": (entry.iou, ""),
        "hd95": (entry.hausdorff_95, entry.unit),
        "volume-difference": (entry.volume_difference, ""),
        "surface-dice": (entry.surface_dice, ""),
        "detection-f1": (entry.detection_f1, ""),
    }
    for metric, (value, unit) in numbers.items():
        yield _Value(entry.label, metric, value, n, unit, entry.edge_case)
    for question, (equal, compared) in entry.attributes_equal.items():
        yield _Value(f"{entry.label}.{question}", "equal", equal / compared, compared)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
