"""Which marks of the readers of one item are the same object, and what two who drew the same one came to.

Shapes of one label are matched first (detection), then all shapes whatever their label (which class was given). Raters are
positions among the readers of the item, so that what is found rests on their readings alone and may be remembered. Pure. Not
here: arrays over all items (``gather_objects``), how alike two extents are (``extents``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, Reading, Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.matching import Clusters, cluster_objects
from labelhub.numerics.rasterise import union_of
from labelhub.scoring.extent_overlap import PairComparison, compare_extents, overlap_counts
from labelhub.scoring.extents import Extent, Reach, extent_of, grid_at, similarity_table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
PAIR_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class Matching:
    """When two readers' marks are one object: least IoU of areas, and reach of marks without area.

    ``sweep`` are other least overlaps at which detection is looked at again, to see whether it hangs on the one chosen.
    """

    iou: float = 0.3
    reach: Reach = field(default_factory=Reach)
    sweep: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelOfItem:
    """The marks of one label on one item, matched.

    ``asked`` are the raters in whose scope it was. ``objects[unit]`` are the shapes of one object by rater, ``names[unit]``
    their ids; a row of ``marks`` is (unit, rater, voxels, NaN without an area). ``pairs`` compare two of an object: unit,
    first, second, Dice, IoU, HD95, size difference, whether in millimetres, whether within planes. ``whole`` compares all
    marks of two raters (voxels of both, first, second). ``swept`` counts, for other thresholds, marks that two raters share
    and that they could have shared.
    """

    asked: IntArray
    has_area: bool
    n_without_area: int
    objects: tuple[Mapping[int, Shape], ...]
    names: tuple[str, ...]
    marks: FloatArray
    pairs: FloatArray
    whole: IntArray
    swept: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ItemObjects:
    """Each label's marks, and ``mixed[unit, rater]``: the label's position for objects matched whatever their label.

    ``len(labels)`` stands where the rater marked nothing, NaN where they were not asked; None where there is one label, or
    no mark.
    """

    by_label: Mapping[str, LabelOfItem]
    mixed: FloatArray | None


def objects_of_item(
    readings: Sequence[Reading], grids: Sequence[Grid], labels: tuple[str, ...], wholes: Collection[str],
    swept: Collection[str], rule: Matching,
) -> ItemObjects:  # fmt: skip
    """Match the marks of an item's readings; ``swept`` are labels looked at under other thresholds even without area here."""
    marks = [mark for rater, reading in enumerate(readings) for mark in marks_of(reading.shapes, grids, rater)]
    alike = _similarities(marks, grids, rule, wholes)
    by_label = {}
    for label in labels:
        chosen = [place for place, mark in enumerate(marks) if mark.shape.label == label]
        own, table = [marks[place] for place in chosen], alike[np.ix_(chosen, chosen)]
        asked = tuple(rater for rater, reading in enumerate(readings) if _was_asked(reading, label))
        is_swept = label not in wholes and (label in swept or any(mark.extent.has_area for mark in own))
        by_label[label] = _of_label(own, table, asked, len(readings), rule, is_swept=is_swept)
    mixed = _mixed(readings, marks, alike, labels, rule) if len(labels) > 1 and marks else None
    return ItemObjects(by_label, mixed)


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One shape of one rater with its extent and the grid it lies on."""

    rater: int
    shape: Shape
    extent: Extent
    grid: Grid | None


def marks_of(shapes: Sequence[Shape], grids: Sequence[Grid], rater: int) -> list[Mark]:
    """The shapes of one reading as marks; a medium without a known grid has none."""
    marks = []
    for shape in shapes:
        grid = grid_at(shape.medium, grids)
        marks.append(Mark(rater, shape, extent_of(shape, None if grid is None else grid.size), grid))
    return marks


def _similarities(
    marks: Sequence[Mark], grids: Sequence[Grid], rule: Matching, wholes: Collection[str] = ()
) -> NDArray[np.float64]:
    """How alike the marks of different raters are; masks of one *whole* are the same object by definition."""
    table = np.zeros((len(marks), len(marks)))
    raters = np.array([mark.rater for mark in marks])
    for first, second in combinations(sorted(set(raters.tolist())), 2):
        rows, columns = np.flatnonzero(raters == first), np.flatnonzero(raters == second)
        own, other = ([mark.extent for mark in marks if mark.rater == rater] for rater in (first, second))
        alike = similarity_table(own, other, grids, rule.iou, rule.reach)
        table[np.ix_(rows, columns)], table[np.ix_(columns, rows)] = alike, alike.T
    for label in wholes:
        media = np.array([mark.shape.medium if mark.shape.label == label else -1 for mark in marks])
        same = (media[:, None] == media[None, :]) & (media >= 0)[:, None] & (raters[:, None] != raters[None, :])
        table[same] = 1.0
    return table


def clusters_of(marks: list[Mark], grids: Sequence[Grid], rule: Matching, n_raters: int) -> Clusters:
    """The objects among marks of any label of one item."""
    table = _similarities(marks, grids, rule)
    return cluster_objects(table, [mark.rater for mark in marks], rule.iou, n_raters=n_raters)


def _was_asked(reading: Reading, label: str) -> bool:
    return reading.asked_labels is None or label in reading.asked_labels


def _of_label(
    marks: list[Mark], alike: FloatArray, asked: tuple[int, ...], n_raters: int, rule: Matching, *, is_swept: bool
) -> LabelOfItem:
    objects: list[Mapping[int, Mark]] = []
    pairs: list[tuple[float, ...]] = []
    swept: tuple[tuple[float, float, float], ...] = ()
    if marks:
        clusters = cluster_objects(alike, [mark.rater for mark in marks], rule.iou, n_raters=n_raters)
        for unit, row in enumerate(clusters.members):
            members = {rater: marks[int(place)] for rater, place in enumerate(row) if place >= 0}
            objects.append(members)
            for first, second in combinations(sorted(members), 2):
                pair = compare_extents(members[first].extent, members[second].extent, members[first].grid)
                if pair is not None:
                    pairs.append((unit, first, second, *_numbers(pair)))
        if is_swept and len(asked) >= 2:
            swept = _swept(marks, alike, clusters, len(asked), rule)
    found = [
        (unit, rater, mark.extent.n_voxels if mark.extent.has_area else np.nan)
        for unit, members in enumerate(objects)
        for rater, mark in members.items()
    ]
    return LabelOfItem(
        asked=np.array(asked, dtype=np.int64),
        has_area=any(mark.extent.has_area for mark in marks),
        n_without_area=sum(
            mark.extent.mask is None and any(region.kind == "polygon" for region in mark.shape.regions)
            for mark in marks
        ),
        objects=tuple({rater: mark.shape for rater, mark in members.items()} for members in objects),
        names=tuple("\n".join(mark.shape.shape_id for mark in members.values()) for members in objects),
        marks=np.array(found, dtype=np.float64).reshape(-1, 3),
        pairs=np.array(pairs, dtype=np.float64).reshape(-1, PAIR_COLUMNS),
        whole=np.array(_whole(marks, asked), dtype=np.int64).reshape(-1, 3),
        swept=swept,
    )


def _numbers(pair: PairComparison) -> tuple[float, ...]:
    return pair.dice, pair.iou, pair.hd95, pair.volume_difference, float(pair.unit == "mm"), float(pair.is_in_plane)


def _swept(
    marks: list[Mark], alike: FloatArray, clusters: Clusters, n_asked: int, rule: Matching
) -> tuple[tuple[float, float, float], ...]:
    owners = [mark.rater for mark in marks]
    rows = []
    for threshold in rule.sweep:
        again = clusters if threshold == rule.iou else cluster_objects(alike, owners, threshold)
        n_found = again.n_found
        rows.append((threshold, float((n_found * (n_found - 1)).sum()), float(n_found.sum()) * (n_asked - 1)))
    return tuple(rows)


def _whole(marks: list[Mark], asked: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """All marks of each rater together, on each medium; both empty gives a pair of zero counts."""
    readers = sorted({*asked, *(mark.rater for mark in marks)})
    rows: list[tuple[int, int, int]] = []
    for medium in sorted({mark.extent.medium for mark in marks}) or [0]:
        masks: dict[int, PlacedMask | None] = {}
        for reader in readers:
            drawn = [m.extent.mask for m in marks if m.rater == reader and m.extent.medium == medium]
            pieces = [mask for mask in drawn if mask is not None]
            masks[reader] = union_of(pieces) if pieces else None
        rows += [_counts(masks[first], masks[second]) for first, second in combinations(readers, 2)]
    return rows


def _counts(first: PlacedMask | None, second: PlacedMask | None) -> tuple[int, int, int]:
    if first is not None and second is not None:
        return overlap_counts(first, second)
    sizes = [0 if mask is None else int(np.count_nonzero(mask.voxels)) for mask in (first, second)]
    return 0, sizes[0], sizes[1]


def _mixed(
    readings: Sequence[Reading], marks: list[Mark], alike: FloatArray, labels: tuple[str, ...], rule: Matching
) -> FloatArray:
    code = {label: float(place) for place, label in enumerate(labels)}
    clusters = cluster_objects(alike, [mark.rater for mark in marks], rule.iou, n_raters=len(readings))
    table = clusters.table([code[mark.shape.label] for mark in marks], not_annotated=float(len(labels))).copy()
    for unit, row in enumerate(table):
        given = {labels[int(row[rater])] for rater in np.nonzero(clusters.members[unit] >= 0)[0]}
        for rater, reading in enumerate(readings):
            # Whoever was not asked for a class that others gave here cannot be said to have missed it.
            if clusters.members[unit, rater] < 0 and not all(_was_asked(reading, label) for label in given):
                row[rater] = np.nan
    return table
