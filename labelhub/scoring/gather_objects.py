"""Which shapes of several readers are the same object, and how alike they drew it: one pass over the items.

Shapes of one label are matched first (detection), then all shapes whatever their label (which class was given). A label
of which no reader drew more than one mask an item is a *whole* (an organ, a tissue): its masks are compared as they are,
however little they overlap. Not here: any coefficient (``panel``).

Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197: match places first, then agree on classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.matching import Clusters, cluster_objects
from labelhub.numerics.rasterise import union_of
from labelhub.scoring.extent_overlap import PairComparison, compare_extents, overlap_counts
from labelhub.scoring.extents import Extent, Reach, extent_of, grid_at, similarity_table
from labelhub.scoring.gather import FloatArray, Gathered, IntArray


@dataclass(frozen=True, slots=True)
class Matching:
    """When two readers' marks are one object: least IoU of areas, and reach of marks without area.

    ``sweep`` are other least overlaps at which detection is looked at again, to see whether it hangs on the one chosen.
    """

    iou: float = 0.3
    reach: Reach = field(default_factory=Reach)
    sweep: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two readers who both marked one object: which item, object and raters, and the comparison (first against second)."""

    item: int
    unit: int
    first: int
    second: int
    comparison: PairComparison


@dataclass(frozen=True, slots=True, eq=False)
class WholePair:
    """Two readers of one item and label, all their shapes taken together. Counts are voxels."""

    item: int
    first: int
    second: int
    n_both: int
    n_first: int
    n_second: int


@dataclass(frozen=True, slots=True, eq=False)
class LabelObjects:
    """The objects of one label over all items.

    ``found[unit, rater]`` is 1 where marked, 0 where read, asked and not marked, NaN where not asked or not read.
    ``size[unit, rater]`` are voxels (NaN without area), ``item[unit]`` the item. ``shapes[unit]`` are the readers' marks.
    ``presence[item, rater]`` says whether the reader marked any, NaN where not asked. ``whole_pairs`` compare all marks
    of the label together. ``n_without_area`` counts outlines that enclose no pixel. ``sweep`` is (least overlap, pooled
    positive specific agreement).
    """

    label: str
    found: FloatArray
    item: IntArray
    size: FloatArray
    shapes: tuple[Mapping[int, Shape], ...]
    pairs: tuple[Pair, ...]
    presence: FloatArray
    whole_pairs: tuple[WholePair, ...]
    has_area: bool
    is_whole: bool
    n_without_area: int
    sweep: tuple[tuple[float, float], ...] = ()

    @property
    def n_shapes(self) -> int:
        """How many marks were made."""
        return sum(len(members) for members in self.shapes)


@dataclass(frozen=True, slots=True, eq=False)
class MixedObjects:
    """Objects matched whatever their label: ``category[unit, rater]`` is the label's position in ``labels``, NaN where
    the reader was not asked; ``len(labels)`` where the reader marked nothing there.
    """

    labels: tuple[str, ...]
    category: FloatArray
    item: IntArray

    @property
    def not_annotated(self) -> float:
        """The category of a reader who marked nothing there."""
        return float(len(self.labels))


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """Every label's objects, and the objects matched across labels (``None`` where only one label occurs)."""

    by_label: Mapping[str, LabelObjects]
    mixed: MixedObjects | None
    matching: Matching


def gather_objects(gathered: Gathered, matching: Matching | None = None) -> Objects:
    """Match the marks of all readers of each item; items read once contribute their marks and no pair."""
    rule = matching or Matching()
    occurring = {shape.label for reading in gathered.readings.values() for shape in reading.shapes}
    labels = tuple(label for label in gathered.labels if label in occurring)
    wholes = {label for label in labels if _is_whole(gathered, label)}
    builders = {
        label: _LabelBuilder(label, len(gathered.items), len(gathered.raters), label in wholes) for label in labels
    }
    mixed = _MixedBuilder(labels, len(gathered.raters)) if len(labels) > 1 else None
    for item in range(len(gathered.items)):
        marks = _marks(gathered, item)
        alike = _similarities(marks, gathered.items[item].grids, rule, wholes)
        for label, builder in builders.items():
            chosen = [place for place, mark in enumerate(marks) if mark.shape.label == label]
            builder.add(gathered, item, [marks[p] for p in chosen], alike[np.ix_(chosen, chosen)], rule)
        if mixed is not None and marks:
            mixed.add(gathered, item, marks, alike, rule)
    found = {label: builder.finish() for label, builder in builders.items()}
    return Objects(found, None if mixed is None else mixed.finish(), rule)


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


def _marks(gathered: Gathered, item: int) -> list[Mark]:
    grids = gathered.items[item].grids
    return [
        mark
        for rater in gathered.by_item[item]
        for mark in marks_of(gathered.readings[item, rater].shapes, grids, rater)
    ]


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


def _is_whole(gathered: Gathered, label: str) -> bool:
    has_mask = False
    for reading in gathered.readings.values():
        media = [shape.medium for shape in reading.shapes if shape.label == label]
        if len(media) != len(set(media)):
            return False
        has_mask = has_mask or any(shape.mask is not None for shape in reading.shapes if shape.label == label)
    return has_mask


class _LabelBuilder:
    """Collects one label's objects item by item; extents are dropped as soon as an item is done."""

    def __init__(self, label: str, n_items: int, n_raters: int, is_whole: bool) -> None:
        self.label, self.is_whole, self.n_raters = label, is_whole, n_raters
        self.found: list[FloatArray] = []
        self.size: list[FloatArray] = []
        self.item: list[int] = []
        self.shapes: list[Mapping[int, Shape]] = []
        self.pairs: list[Pair] = []
        self.whole_pairs: list[WholePair] = []
        self.presence = np.full((n_items, n_raters), np.nan)
        self.has_area = False
        self.n_without_area = 0
        # For each other threshold: marks shared by two readers, and marks that two readers could have shared.
        self.swept: dict[float, tuple[float, float]] = {}

    def add(self, gathered: Gathered, item: int, marks: list[Mark], alike: NDArray[np.float64], rule: Matching) -> None:
        asked = [rater for rater in gathered.by_item[item] if gathered.was_asked(item, rater, self.label)]
        self.presence[item, asked] = 0.0
        for mark in marks:
            self.presence[item, mark.rater] = 1.0
            self.has_area = self.has_area or mark.extent.has_area
            self.n_without_area += mark.extent.mask is None and any(r.kind == "polygon" for r in mark.shape.regions)
        self._add_whole(item, marks, asked)
        if not marks:
            return
        clusters = cluster_objects(alike, [mark.rater for mark in marks], rule.iou, n_raters=self.n_raters)
        for members in clusters.members:
            self._add_object(item, {int(r): marks[int(m)] for r, m in enumerate(members) if m >= 0}, asked)
        if not self.is_whole and self.has_area and len(asked) >= 2:
            owners = [mark.rater for mark in marks]
            for threshold in rule.sweep:
                again = clusters if threshold == rule.iou else cluster_objects(alike, owners, threshold)
                self._count(threshold, again, len(asked))

    def _add_object(self, item: int, members: Mapping[int, Mark], asked: list[int]) -> None:
        unit = len(self.item)
        found, size = np.full(self.n_raters, np.nan), np.full(self.n_raters, np.nan)
        found[asked] = 0.0
        for rater, mark in members.items():
            found[rater] = 1.0
            if mark.extent.has_area:
                size[rater] = mark.extent.n_voxels
        self.found.append(found)
        self.size.append(size)
        self.item.append(item)
        self.shapes.append({rater: mark.shape for rater, mark in members.items()})
        for first, second in combinations(sorted(members), 2):
            pair = compare_extents(members[first].extent, members[second].extent, members[first].grid)
            if pair is not None:
                self.pairs.append(Pair(item, unit, first, second, pair))

    def _count(self, threshold: float, clusters: Clusters, n_asked: int) -> None:
        n_found = clusters.n_found
        shared, possible = self.swept.get(threshold, (0.0, 0.0))
        shared += float((n_found * (n_found - 1)).sum())
        self.swept[threshold] = (shared, possible + float(n_found.sum()) * (n_asked - 1))

    def _add_whole(self, item: int, marks: list[Mark], asked: list[int]) -> None:
        """All marks of each reader together, on each medium; both empty gives a pair of zero counts."""
        readers = sorted({*asked, *(mark.rater for mark in marks)})
        for medium in sorted({mark.extent.medium for mark in marks}) or [0]:
            masks: dict[int, PlacedMask | None] = {}
            for reader in readers:
                drawn = [m.extent.mask for m in marks if m.rater == reader and m.extent.medium == medium]
                pieces = [mask for mask in drawn if mask is not None]
                masks[reader] = union_of(pieces) if pieces else None
            for first, second in combinations(readers, 2):
                self.whole_pairs.append(WholePair(item, first, second, *_counts(masks[first], masks[second])))

    def finish(self) -> LabelObjects:
        shape = (0, self.n_raters)
        return LabelObjects(
            label=self.label,
            found=np.array(self.found) if self.found else np.empty(shape),
            item=np.array(self.item, dtype=np.int64),
            size=np.array(self.size) if self.size else np.empty(shape),
            shapes=tuple(self.shapes),
            pairs=tuple(self.pairs),
            presence=self.presence,
            whole_pairs=tuple(self.whole_pairs),
            has_area=self.has_area,
            is_whole=self.is_whole,
            n_without_area=self.n_without_area,
            sweep=tuple(
                (threshold, shared / possible) for threshold, (shared, possible) in self.swept.items() if possible
            ),
        )


class _MixedBuilder:
    """Collects the objects that were matched whatever their label."""

    def __init__(self, labels: tuple[str, ...], n_raters: int) -> None:
        self.labels, self.n_raters = labels, n_raters
        self.code = {label: float(place) for place, label in enumerate(labels)}
        self.category: list[FloatArray] = []
        self.item: list[int] = []

    def add(self, gathered: Gathered, item: int, marks: list[Mark], alike: NDArray[np.float64], rule: Matching) -> None:
        clusters = cluster_objects(alike, [mark.rater for mark in marks], rule.iou, n_raters=self.n_raters)
        codes = [self.code[mark.shape.label] for mark in marks]
        table = clusters.table(codes, not_annotated=float(len(self.labels)))
        for unit, row in enumerate(table):
            row = row.copy()
            given = {self.labels[int(row[r])] for r in np.nonzero(clusters.members[unit] >= 0)[0]}
            for rater in range(self.n_raters):
                # Whoever was not asked for a class that others gave here cannot be said to have missed it.
                if clusters.members[unit, rater] < 0 and not all(gathered.was_asked(item, rater, lb) for lb in given):
                    row[rater] = np.nan
            self.category.append(row)
            self.item.append(item)

    def finish(self) -> MixedObjects:
        table = np.array(self.category) if self.category else np.empty((0, self.n_raters))
        return MixedObjects(self.labels, table, np.array(self.item, dtype=np.int64))


def _counts(first: PlacedMask | None, second: PlacedMask | None) -> tuple[int, int, int]:
    if first is not None and second is not None:
        return overlap_counts(first, second)
    sizes = [0 if mask is None else int(np.count_nonzero(mask.voxels)) for mask in (first, second)]
    return 0, sizes[0], sizes[1]


def clusters_of(marks: list[Mark], grids: Sequence[Grid], rule: Matching, n_raters: int) -> Clusters:
    """The objects among marks of any label of one item."""
    table = _similarities(marks, grids, rule)
    return cluster_objects(table, [mark.rater for mark in marks], rule.iou, n_raters=n_raters)
