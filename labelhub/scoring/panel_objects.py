"""Detection, overlap and class of objects: the part of the panel that rests on matched marks.

True negatives are unseen in detection, so chance-corrected coefficients would mislead; positive specific agreement is
reported (Hripcsak & Rothschild 2005, JAMIA 12:296-298). Intervals resample groups of items, never marks or pixels.
"""

from __future__ import annotations

import numpy as np

from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bootstrap import mean_estimate, ratio_estimate
from labelhub.numerics.specific import found_by, specific_agreement
from labelhub.scoring.extent_overlap import HD95_IN_PLANE
from labelhub.scoring.gather import FloatArray, IntArray
from labelhub.scoring.gather_objects import LabelObjects, MixedObjects
from labelhub.scoring.panel_rows import (
    Bench,
    ClassRow,
    DetectionRow,
    FoundByRow,
    Measured,
    ObjectScore,
    OverlapRow,
)
from labelhub.scoring.remembered import digest_of

OVERLAP_VERSION = "1"


def detection_row(bench: Bench, objects: LabelObjects) -> DetectionRow:
    """How far readers agree that objects of this label are there."""
    label, key = objects.label, f"detection.{objects.label}"
    unit = "objects"
    shared = objects.item[_n_readers(objects.found) >= 2]
    pooled = specific_agreement(
        objects.found, resampling=bench.resampling(f"{key}.psa", objects.item), unit=unit
    ).with_warnings(*([] if len(shared) else ["no item with this label has two readers"]))
    return DetectionRow(
        label=label,
        n_objects=len(objects.item),
        n_marks=objects.n_shapes,
        agreement=bench.measured(f"{key}.psa", f"Detection of {label}: positive specific agreement", pooled, shared),
        mean_over_pairs=_mean_over_pairs(bench, objects),
        found_by=_found_by_rows(bench, objects),
        n_reads=int(np.count_nonzero(~np.isnan(objects.presence))),
        n_empty_reads=int(np.count_nonzero(objects.presence == 0)),
        empty_reads=_empty_reads(bench, objects),
        both_empty=_both_empty(bench, objects),
        n_items_all_empty=int(np.count_nonzero(_all_empty(objects.presence))),
        is_whole=objects.is_whole,
        matched_by=_matched_by(bench, objects),
        sensitivity=objects.sweep,
    )


def overlap_row(bench: Bench, objects: LabelObjects) -> OverlapRow:
    """How alike readers drew the objects that both marked, and everything of the label on an item."""
    label, key, pairs = objects.label, f"overlap.{objects.label}", objects.pairs
    whole = objects.whole_pairs
    marked = whole.n_first + whole.n_second > 0
    items = whole.item[marked]
    dice = 2 * whole.n_both[marked] / (whole.n_first + whole.n_second)[marked]
    unit = "pairs of readers"
    return OverlapRow(
        label=label,
        dice=_mean(bench, f"{key}.dice", f"{label}: mean pairwise Dice of objects both marked", pairs.dice, pairs.item, unit),
        iou=_mean(bench, f"{key}.iou", f"{label}: mean pairwise IoU of objects both marked", pairs.iou, pairs.item, unit),
        hd95=_hd95_rows(bench, objects),
        volume_difference=_volume_difference(bench, objects),
        whole_dice=_mean(
            bench, f"{key}.whole-dice", f"{label}: mean pairwise Dice of all marks of an item", dice, items, unit
        ),
        whole_iou=_mean(
            bench, f"{key}.whole-iou", f"{label}: mean pairwise IoU of all marks of an item", dice / (2 - dice), items, unit
        ),
        both_empty=_pairs_both_empty(bench, objects),
        n_without_area=objects.n_without_area,
    )  # fmt: skip


def object_scores(bench: Bench, objects: LabelObjects) -> tuple[ObjectScore, ...]:
    """Every comparison of two readers' outlines of one object, for the table of all scores."""
    items, raters = bench.gathered.items, bench.gathered.raters
    return tuple(
        ObjectScore(
            item=items[pair.item].key,
            label=objects.label,
            object=pair.unit,
            first=raters[pair.first],
            second=raters[pair.second],
            dice=pair.comparison.dice,
            iou=pair.comparison.iou,
            hd95=pair.comparison.hd95,
            hd95_unit=pair.comparison.unit,
            size_difference=pair.comparison.volume_difference,
        )
        for pair in objects.pairs
    )


def class_row(bench: Bench, mixed: MixedObjects) -> ClassRow:
    """How far readers agree on the class of an object, matched whatever the class."""
    missing = mixed.not_annotated
    table = mixed.category
    alpha = krippendorff_alpha(table, "nominal", resampling=bench.resampling("class.alpha", mixed.item), unit="objects")
    named = np.where(table == missing, np.nan, table)
    same, pairs = _equal_pairs(named)
    raw = ratio_estimate(
        same, pairs, bench.resampling("class.raw", mixed.item), unit="objects",
        method="share of pairs of readers with the same class", version=OVERLAP_VERSION, n=int(np.count_nonzero(pairs)),
    )  # fmt: skip
    behind = mixed.item[pairs > 0]
    return ClassRow(
        alpha=bench.measured("class.alpha", "Class of an object, alpha with “not marked”", alpha.estimate, mixed.item),
        raw=bench.measured("class.raw", "Class of an object that both marked, raw agreement", raw, behind),
        labels=mixed.labels,
        confusion=confusion_counts(named, len(mixed.labels)),
    )


def confusion_counts(table: FloatArray, n_categories: int) -> tuple[tuple[int, ...], ...]:
    """Counts of (category of one rater, category of another) over all pairs of raters, in both orders."""
    counts = np.zeros((n_categories, n_categories), dtype=np.int64)
    for row in table:
        given = row[~np.isnan(row)].astype(np.int64)
        tally = np.bincount(given, minlength=n_categories)
        counts += np.outer(tally, tally) - np.diag(tally)
    return tuple(tuple(int(count) for count in row) for row in counts)


def _n_readers(found: FloatArray) -> IntArray:
    return np.asarray((~np.isnan(found)).sum(axis=1), dtype=np.int64)


def _mean_over_pairs(bench: Bench, objects: LabelObjects) -> Measured:
    """The F1 of every two readers of an item, averaged; pairs that both marked nothing have none and are left out."""
    key = f"detection.{objects.label}.mean-over-pairs"
    sums, counts = np.zeros(len(bench.gathered.items)), np.zeros(len(bench.gathered.items))
    places, starts = np.unique(objects.item, return_index=True)
    # The units of an item stand beside each other.
    for item, start, end in zip(places, starts, [*starts[1:].tolist(), len(objects.item)], strict=True):
        rows = objects.found[start:end]
        known = digest_of(rows)
        sums[item], counts[item] = bench.memory.part("sum over pairs", (), known, lambda: _over_pairs(rows))  # noqa: B023
    everything = np.arange(len(sums), dtype=np.int64)
    estimate = ratio_estimate(
        sums, counts, bench.resampling(key, everything), unit="pairs of readers of an item",
        method="positive specific agreement, mean over the pairs of readers of each item", version=OVERLAP_VERSION,
        n=int(counts.sum()),
    )  # fmt: skip
    return bench.measured(
        key, f"Detection of {objects.label}: mean over pairs of readers", estimate, np.nonzero(counts)[0]
    )


def _over_pairs(rows: FloatArray) -> tuple[float, int]:
    """The F1 of every two readers of an item who marked anything, added up, and how many pairs these are."""
    known = np.asarray(~np.isnan(rows))
    positive = np.where(known, rows, 0.0)
    both, by_row = positive.T @ positive, positive.T @ known
    either = by_row + by_row.T
    pair = np.triu(either > 0, 1) & np.logical_and.outer(known.any(axis=0), known.any(axis=0))
    return float((2 * both[pair] / either[pair]).sum()), int(pair.sum())


def _found_by_rows(bench: Bench, objects: LabelObjects) -> tuple[FoundByRow, ...]:
    rows = []
    readers = _n_readers(objects.found)
    n_found = (objects.found == 1).sum(axis=1)
    for table in found_by(objects.found):
        if table.n_raters < 2:
            continue
        among = readers == table.n_raters
        for k in range(1, table.n_raters + 1):
            key = f"detection.{objects.label}.found-by-{k}-of-{table.n_raters}"
            exactly = (n_found == k)[among].astype(np.float64)
            items = objects.item[among]
            share = ratio_estimate(
                exactly, np.ones_like(exactly), bench.resampling(key, items), unit="objects",
                method="share of objects", version=OVERLAP_VERSION,
            )  # fmt: skip
            name = f"{objects.label} marked by {k} of {table.n_raters} readers"
            measured = bench.measured(key, name, share, items[exactly > 0])
            rows.append(FoundByRow(table.n_raters, k, int(table.counts[k]), measured))
    return tuple(rows)


def _empty_reads(bench: Bench, objects: LabelObjects) -> Measured:
    key = f"detection.{objects.label}.empty-reads"
    reads = (~np.isnan(objects.presence)).sum(axis=1).astype(np.float64)
    empty = (objects.presence == 0).sum(axis=1).astype(np.float64)
    everything = np.arange(len(reads), dtype=np.int64)
    share = ratio_estimate(
        empty, reads, bench.resampling(key, everything), unit="reads",
        method="share of reads that marked none", version=OVERLAP_VERSION, n=int(reads.sum()),
    )  # fmt: skip
    return bench.measured(key, f"Reads without any {objects.label}", share, np.nonzero(empty)[0])


def _both_empty(bench: Bench, objects: LabelObjects) -> Measured:
    key = f"detection.{objects.label}.negative"
    everything = np.arange(len(objects.presence), dtype=np.int64)
    estimate = specific_agreement(
        objects.presence, 0.0, resampling=bench.resampling(key, everything), unit=bench.gathered.unit,
        method="negative specific agreement",
    )  # fmt: skip
    empty = np.nonzero((objects.presence == 0).any(axis=1))[0]
    name = f"Agreement that an item holds no {objects.label}"
    return bench.measured(key, name, estimate, empty)


def _all_empty(presence: FloatArray) -> np.ndarray:
    read = ~np.isnan(presence)
    return np.asarray(read.any(axis=1) & (np.where(read, presence, 0.0).sum(axis=1) == 0))


def _matched_by(bench: Bench, objects: LabelObjects) -> str:
    settings = bench.settings
    if objects.is_whole:
        return "one mask a reader and item, compared as it is"
    reach = f"within {settings.reach_px:g} px (or {settings.reach_mm:g} mm where the size of a pixel is known)"
    if objects.has_area:
        return f"IoU of at least {settings.match_iou:g}; marks without area {reach}"
    return f"centres {reach}"


def _mean(bench: Bench, key: str, name: str, values: FloatArray, items: IntArray, unit: str) -> Measured:
    estimate = mean_estimate(values, bench.resampling(key, items), unit=unit, method=name, version=OVERLAP_VERSION)
    return bench.measured(key, name, estimate, items)


def _hd95_rows(bench: Bench, objects: LabelObjects) -> tuple[Measured, ...]:
    """One number a unit of length: millimetres and pixels are never averaged."""
    pairs, rows = objects.pairs, []
    for unit in ("mm", "px"):
        chosen = (pairs.is_mm == (unit == "mm")) & ~np.isnan(pairs.hd95)
        if chosen.any():
            where = f", {HD95_IN_PLANE}" if pairs.is_in_plane[chosen].any() else ""
            name, key = f"{objects.label}: mean pairwise HD95 in {unit}{where}", f"overlap.{objects.label}.hd95-{unit}"
            rows.append(_mean(bench, key, name, pairs.hd95[chosen], pairs.item[chosen], "pairs of readers"))
    return tuple(rows)


def _volume_difference(bench: Bench, objects: LabelObjects) -> Measured:
    key = f"overlap.{objects.label}.size-difference"
    name = f"{objects.label}: mean absolute size difference of two readers, 2|A−B|/(A+B)"
    return _mean(bench, key, name, np.abs(objects.pairs.volume_difference), objects.pairs.item, "pairs of readers")


def _pairs_both_empty(bench: Bench, objects: LabelObjects) -> Measured:
    key = f"overlap.{objects.label}.both-empty"
    presence = objects.presence
    readers, empty = (~np.isnan(presence)).sum(axis=1), (presence == 0).sum(axis=1)
    pairs, both = readers * (readers - 1) / 2, empty * (empty - 1) / 2
    everything = np.arange(len(presence), dtype=np.int64)
    share = ratio_estimate(
        both, pairs, bench.resampling(key, everything), unit="pairs of readers",
        method="share of pairs that both marked nothing (left out of overlap)", version=OVERLAP_VERSION,
        n=int(pairs.sum()),
    )  # fmt: skip
    return bench.measured(key, f"{objects.label}: pairs that both marked nothing", share, np.nonzero(both)[0])


def _equal_pairs(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pairs of raters with equal categories and all pairs, a unit."""
    n = (~np.isnan(table)).sum(axis=1).astype(np.float64)
    same = np.zeros(len(table))
    for value in np.unique(table[~np.isnan(table)]):
        count = (table == value).sum(axis=1)
        same += count * (count - 1) / 2
    return same, n * (n - 1) / 2
