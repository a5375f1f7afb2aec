"""Agreement on questions: alpha with the distance of the answers' scale, raw agreement and Gwet's AC beside it.

A question on shapes is asked of the objects that readers marked: the units are matched objects, a reader who did not
mark one has given no answer. Alpha is never shown alone: where it and AC differ by more than 0.2, one answer prevails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labelhub.formats.shapes import Measure, QuestionSpec
from labelhub.numerics.agreement import gwet_ac, prevalence_warning, raw_agreement
from labelhub.numerics.alpha import Alpha, krippendorff_alpha
from labelhub.numerics.proportions import units_for_estimate
from labelhub.numerics.results import Estimate, undefined
from labelhub.numerics.weights import WeightName
from labelhub.scoring.gather import Gathered, Ratings, coding_of, item_ratings, plural
from labelhub.scoring.gather_objects import Objects
from labelhub.scoring.panel_rows import Bench, QuestionRow

_WEIGHTS: dict[Measure, WeightName] = {"nominal": "identity", "ordinal": "quadratic"}
HALF_WIDTH = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class AskedRatings:
    """The ratings of one question with its specification."""

    spec: QuestionSpec
    table: Ratings


def all_ratings(gathered: Gathered, objects: Objects) -> tuple[AskedRatings, ...]:
    """Every question's answers as arrays, in the order of the set's list; questions nobody answered are left out."""
    found = []
    for spec in gathered.questions:
        table = object_ratings(gathered, objects, spec) if spec.on_shapes else item_ratings(gathered, spec)
        if not np.isnan(table.ratings).all():
            found.append(AskedRatings(spec, table))
    return tuple(found)


def object_ratings(gathered: Gathered, objects: Objects, question: QuestionSpec) -> Ratings:
    """The answers to a question about each object: one unit a matched object that somebody answered it for."""
    rows, items, labels = [], [], []
    answers = (shape.attributes.get(question.key) for reading in gathered.readings.values() for shape in reading.shapes)
    coding = coding_of(question, answers)
    for label, found in objects.by_label.items():
        for unit, members in enumerate(found.shapes):
            row = np.full(len(gathered.raters), np.nan)
            for rater, shape in members.items():
                row[rater] = coding.code(shape.attributes.get(question.key))
            if not np.isnan(row).all():
                rows.append(row)
                items.append(int(found.item[unit]))
                labels.append(label)
    unit_name = plural(labels[0]) if len(set(labels)) == 1 else "objects"
    table = np.array(rows) if rows else np.empty((0, len(gathered.raters)))
    places = np.array(items, dtype=np.int64)
    return Ratings(question.key, table, places, coding.categories, coding.names, unit_name)


def question_row(bench: Bench, asked: AskedRatings) -> QuestionRow:
    """Agreement on one question."""
    spec, table = asked.spec, asked.table
    key = f"question.{spec.key}"
    twice = (~np.isnan(table.ratings)).sum(axis=1) >= 2
    alpha = krippendorff_alpha(
        table.ratings, spec.measure, resampling=bench.resampling(f"{key}.alpha", table.item), unit=table.unit
    )
    raw = _raw(bench, asked)
    gwet = _gwet(bench, asked)
    behind = table.item[twice]
    return QuestionRow(
        question=spec.key,
        measure=spec.measure,
        on_objects=spec.on_shapes,
        unit=table.unit,
        alpha=bench.measured(
            f"{key}.alpha", f"{spec.key}: Krippendorff's alpha ({spec.measure})", alpha.estimate, behind
        ),
        raw=bench.measured(f"{key}.raw", f"{spec.key}: raw agreement (equal answers)", raw, behind),
        gwet=bench.measured(f"{key}.gwet", f"{spec.key}: {gwet.method}", gwet, behind),
        prevalence_warning=prevalence_warning(alpha.estimate.value, gwet.value),
        counts=tuple(_counts(table)),
        reads_for_half_width=_units_needed(bench, alpha, table),
    )


def _raw(bench: Bench, asked: AskedRatings) -> Estimate:
    key = f"question.{asked.spec.key}.raw"
    resampling = bench.resampling(key, asked.table.item)
    return raw_agreement(asked.table.ratings, resampling=resampling, unit=asked.table.unit)


def _gwet(bench: Bench, asked: AskedRatings) -> Estimate:
    spec, table = asked.spec, asked.table
    weights = _WEIGHTS.get(spec.measure)
    if weights is None or len(table.categories) < 2:
        reason = "measured values have no categories" if weights is None else "only one category is possible"
        return undefined(reason, n=len(table.ratings), unit=table.unit, method="Gwet's AC", version="1")
    resampling = bench.resampling(f"question.{spec.key}.gwet", table.item)
    agreement = gwet_ac(
        table.ratings, weights=weights, categories=table.categories, resampling=resampling, unit=table.unit
    )
    return agreement.estimate


def _counts(table: Ratings) -> Iterator[tuple[str, int]]:
    given = table.ratings[~np.isnan(table.ratings)]
    for category, name in zip(table.categories, table.names, strict=True):
        yield name, int(np.count_nonzero(given == category))


def _units_needed(bench: Bench, alpha: Alpha, table: Ratings) -> int | None:
    """How many groups an interval of ± 0.05 would need, from the spread of this set; ``None`` where too few are known."""
    influence = alpha.influence
    known = np.isfinite(influence)
    groups = bench.gathered.groups[table.item]
    if known.sum() < 2 or len(np.unique(groups[known])) < 2 or not alpha.estimate.is_defined:
        return None
    centred = influence[known] - alpha.estimate.value
    totals = np.bincount(groups[known], weights=centred).astype(np.float64)
    present = np.bincount(groups[known]) > 0
    per_group = totals[present] * present.sum() / known.sum()
    return units_for_estimate(per_group, HALF_WIDTH).n
