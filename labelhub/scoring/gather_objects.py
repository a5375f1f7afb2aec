"""Which shapes of several readers are the same object, and how alike they drew it: one pass over the items.

What the marks of one item come to is ``item_objects``'s; here they are put under each other as arrays over all items. A label
of which no reader drew more than one mask an item is a *whole* (an organ, a tissue): its masks are compared as they are,
however little they overlap. Not here: any coefficient (``panel``).

Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197: match places first, then agree on classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from labelhub.formats.shapes import Reading, Shape
from labelhub.scoring.extent_overlap import PairComparison
from labelhub.scoring.gather import FloatArray, Gathered, IntArray
from labelhub.scoring.item_objects import LabelOfItem, Matching, objects_of_item
from labelhub.scoring.remembered import Memory


class Pair(NamedTuple):
    """Two readers who both marked one object: which item, object and raters, and the comparison (first against second).

    A tuple, because a set has tens of thousands, all of which are made anew for each panel.
    """

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


def gather_objects(gathered: Gathered, matching: Matching | None = None, memory: Memory | None = None) -> Objects:
    """Match the marks of all readers of each item; items read once contribute their marks and no pair."""
    rule, memory = matching or Matching(), memory or Memory()
    occurring, manifold, masked = _kinds_of_marks(gathered, memory)
    labels = tuple(label for label in gathered.labels if label in occurring)
    wholes = frozenset(label for label in labels if label in masked and label not in manifold)
    builders = {
        label: _LabelBuilder(label, len(gathered.items), len(gathered.raters), label in wholes) for label in labels
    }
    mixed = _MixedBuilder(labels, len(gathered.raters)) if len(labels) > 1 else None
    for item, columns in gathered.by_item.items():
        readings = [gathered.readings[item, column] for column in columns]
        # Marks are looked at under other thresholds from the first area on.
        swept = frozenset(label for label, builder in builders.items() if builder.has_area)
        rules = memory.number_of((labels, wholes, swept, rule))
        found = memory.part(
            "objects of an item",
            [gathered.items[item], *readings],
            rules,
            lambda: objects_of_item(readings, gathered.items[item].grids, labels, wholes, swept, rule),  # noqa: B023
        )
        for label, builder in builders.items():
            builder.add(item, columns, found.by_label[label])
        if mixed is not None and found.mixed is not None:
            mixed.add(item, columns, found.mixed)
    by_label = {label: builder.finish() for label, builder in builders.items()}
    return Objects(by_label, None if mixed is None else mixed.finish(), rule)


def _kinds_of_marks(gathered: Gathered, memory: Memory) -> tuple[set[str], set[str], set[str]]:
    """The labels that occur, those of which somebody drew several on one medium, and those drawn as masks."""
    found: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    for item, columns in gathered.by_item.items():
        readings = [gathered.readings[item, column] for column in columns]
        kinds = memory.part("kinds of marks", readings, None, lambda: _kinds_of(readings))  # noqa: B023
        for every, own in zip(found, kinds, strict=True):
            every |= own
    return found


def _kinds_of(readings: Sequence[Reading]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    times = Counter(
        (place, shape.label, shape.medium) for place, reading in enumerate(readings) for shape in reading.shapes
    )
    manifold = frozenset(label for (_, label, _), count in times.items() if count > 1)
    masked = frozenset(shape.label for reading in readings for shape in reading.shapes if shape.mask is not None)
    return frozenset(label for _, label, _ in times), manifold, masked


class _LabelBuilder:
    """Puts one label's objects of all items under each other."""

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

    def add(self, item: int, columns: Sequence[int], own: LabelOfItem) -> None:
        """Take in what the label's marks of one item came to; its raters stand in ``columns``."""
        asked = [columns[rater] for rater in own.asked]
        self.presence[item, asked] = 0.0
        self.presence[item, [columns[rater] for rater in own.marked]] = 1.0
        self.has_area = self.has_area or own.has_area
        self.n_without_area += own.n_without_area
        first = len(self.item)
        for members, sizes in zip(own.objects, own.sizes, strict=True):
            found, size = np.full(self.n_raters, np.nan), np.full(self.n_raters, np.nan)
            found[asked] = 0.0
            for rater in members:
                found[columns[rater]] = 1.0
            for rater, voxels in sizes.items():
                size[columns[rater]] = voxels
            self.found.append(found)
            self.size.append(size)
            self.item.append(item)
            self.shapes.append({columns[rater]: shape for rater, shape in members.items()})
        self.pairs += [Pair(item, first + unit, columns[a], columns[b], pair) for unit, a, b, pair in own.pairs]
        self.whole_pairs += [WholePair(item, columns[a], columns[b], *counts) for a, b, counts in own.whole]
        for threshold, shared, possible in own.swept:
            before = self.swept.get(threshold, (0.0, 0.0))
            self.swept[threshold] = (before[0] + shared, before[1] + possible)

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
    """Puts the objects that were matched whatever their label under each other."""

    def __init__(self, labels: tuple[str, ...], n_raters: int) -> None:
        self.labels, self.n_raters = labels, n_raters
        self.category: list[FloatArray] = []
        self.item: list[int] = []

    def add(self, item: int, columns: Sequence[int], table: FloatArray) -> None:
        """Take in the objects of one item; who did not read it has said nothing."""
        for own in table:
            row = np.full(self.n_raters, np.nan)
            row[list(columns)] = own
            self.category.append(row)
            self.item.append(item)

    def finish(self) -> MixedObjects:
        table = np.array(self.category) if self.category else np.empty((0, self.n_raters))
        return MixedObjects(self.labels, table, np.array(self.item, dtype=np.int64))
