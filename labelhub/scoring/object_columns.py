"""The marks of all items under each other, as columns: what each item's marks came to, put together for all its readers.

An item's part is kept as arrays by position of the reader (``item_objects``), so that putting a set together is a few
operations on columns, however many items there are. Not here: which marks are one object, and any coefficient (``panel``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from labelhub.formats.shapes import Shape
from labelhub.scoring.extent_overlap import PairComparison
from labelhub.scoring.gather import FloatArray, IntArray
from labelhub.scoring.item_objects import PAIR_COLUMNS, LabelOfItem

BoolArray = NDArray[np.bool_]


class Pair(NamedTuple):
    """Two readers who both marked one object: which item, object and raters, and the comparison (first against second)."""

    item: int
    unit: int
    first: int
    second: int
    comparison: PairComparison


@dataclass(frozen=True, slots=True, eq=False)
class Pairs(Sequence[Pair]):
    """Every two readers who both marked one object, in columns of one entry a pair; one by one they are a :class:`Pair`.

    Pairs of an item stand beside each other, and so do those of an object.
    """

    item: IntArray
    unit: IntArray
    first: IntArray
    second: IntArray
    dice: FloatArray
    iou: FloatArray
    hd95: FloatArray
    volume_difference: FloatArray
    is_mm: BoolArray
    is_in_plane: BoolArray

    def __len__(self) -> int:
        return len(self.item)

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Pair]: ...
    def __getitem__(self, place: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        comparison = PairComparison(
            float(self.dice[place]), float(self.iou[place]), float(self.hd95[place]), float(self.volume_difference[place]),
            "mm" if self.is_mm[place] else "px", bool(self.is_in_plane[place]),
        )  # fmt: skip
        return Pair(
            int(self.item[place]), int(self.unit[place]), int(self.first[place]), int(self.second[place]), comparison
        )


def pairs_of_item(pairs: Pairs, item: int) -> range:
    """The places of an item's pairs."""
    return range(int(np.searchsorted(pairs.item, item)), int(np.searchsorted(pairs.item, item, side="right")))


@dataclass(frozen=True, slots=True, eq=False)
class WholePairs:
    """Every two readers of one item and label, all their shapes taken together: the item, and counts of voxels."""

    item: IntArray
    n_both: IntArray
    n_first: IntArray
    n_second: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ReadersMarks(Sequence[Mapping[int, Shape]]):
    """The readers' marks of each object, by rater; put together when one is asked for."""

    by_position: Sequence[Mapping[int, Shape]]
    item: IntArray
    columns: Mapping[int, Sequence[int]]

    def __len__(self) -> int:
        return len(self.by_position)

    @overload
    def __getitem__(self, place: int) -> Mapping[int, Shape]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Mapping[int, Shape]]: ...
    def __getitem__(self, place: int | slice) -> Mapping[int, Shape] | Sequence[Mapping[int, Shape]]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        raters = self.columns[int(self.item[place])]
        return {raters[position]: shape for position, shape in self.by_position[place].items()}


class Layout:
    """Which rater each position among the readers of an item is: item 0, 1, … in their order."""

    def __init__(self, by_item: Mapping[int, Sequence[int]], n_raters: int) -> None:
        self.by_item, self.n_items, self.n_raters = by_item, len(by_item), n_raters
        n_readers = lengths(list(by_item.values()))
        self._start = np.cumsum(n_readers) - n_readers
        self._raters = np.fromiter(chain.from_iterable(by_item.values()), dtype=np.int64, count=int(n_readers.sum()))

    def raters(self, item: IntArray, position: NDArray[Any]) -> IntArray:
        """The rater at each position of each item."""
        found: IntArray = self._raters[self._start[item] + position.astype(np.int64)]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumns:
    """One label's objects: ``found[unit, rater]``, ``size[unit, rater]``, ``presence[item, rater]`` and the pairs.

    ``names[unit]`` are the ids of an object's shapes, in the order of its readers.
    """

    found: FloatArray
    size: FloatArray
    item: IntArray
    shapes: ReadersMarks
    names: tuple[str, ...]
    pairs: Pairs
    presence: FloatArray
    whole_pairs: WholePairs


def label_columns(layout: Layout, of_item: Sequence[LabelOfItem]) -> LabelColumns:
    """Put what one label's marks came to on each item under each other; ``of_item`` in the order of the items."""
    n_units = lengths([own.names for own in of_item])
    item, first = np.repeat(np.arange(layout.n_items), n_units), np.cumsum(n_units) - n_units
    presence = np.full((layout.n_items, layout.n_raters), np.nan)
    at, asked = stacked([own.asked for own in of_item], np.int64, ())
    presence[at, layout.raters(at, asked)] = 0.0
    found, size = presence[item], np.full((len(item), layout.n_raters), np.nan)
    at, marks = stacked([own.marks for own in of_item], np.float64, (3,))
    unit, rater = first[at] + marks[:, 0].astype(np.int64), layout.raters(at, marks[:, 1])
    found[unit, rater], size[unit, rater], presence[at, rater] = 1.0, marks[:, 2], 1.0
    return LabelColumns(
        found=found,
        size=size,
        item=item,
        shapes=ReadersMarks(list(chain.from_iterable(own.objects for own in of_item)), item, layout.by_item),
        names=tuple(chain.from_iterable(own.names for own in of_item)),
        pairs=_pairs(layout, of_item, first),
        presence=presence,
        whole_pairs=_whole_pairs(of_item),
    )


def mixed_columns(layout: Layout, tables: Mapping[int, FloatArray]) -> tuple[FloatArray, IntArray]:
    """``category[unit, rater]`` and ``item[unit]`` of objects matched whatever their label, from each item's own table."""
    items = np.array(list(tables), dtype=np.int64)
    n_units = lengths(list(tables.values()))
    n_readers = np.array([table.shape[1] for table in tables.values()], dtype=np.int64)
    item, width = np.repeat(items, n_units), np.repeat(n_readers, n_units)
    category = np.full((len(item), layout.n_raters), np.nan)
    unit = np.repeat(np.arange(len(item)), width)
    position = np.arange(len(unit)) - np.repeat(np.cumsum(width) - width, width)
    values = np.concatenate([table.ravel() for table in tables.values()]) if tables else np.empty(0)
    category[unit, layout.raters(item[unit], position)] = values
    return category, item


def lengths(parts: Sequence[Any]) -> IntArray:
    """How long each part is."""
    return np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))


def stacked(parts: Sequence[NDArray[Any]], dtype: DTypeLike, shape: tuple[int, ...]) -> tuple[IntArray, NDArray[Any]]:
    """The parts under each other, and which part each row is of; ``shape`` is that of a row."""
    rows = np.concatenate(parts) if parts else np.empty((0, *shape), dtype=dtype)
    return np.repeat(np.arange(len(parts)), lengths(parts)), rows


def _pairs(layout: Layout, of_item: Sequence[LabelOfItem], first_unit: IntArray) -> Pairs:
    item, table = stacked([own.pairs for own in of_item], np.float64, (PAIR_COLUMNS,))
    # Columns that a mean is taken of lie in one piece each.
    unit, first, second, dice, iou, hd95, volume_difference, is_mm, is_in_plane = np.ascontiguousarray(table.T)
    return Pairs(
        item=item,
        unit=first_unit[item] + unit.astype(np.int64),
        first=layout.raters(item, first),
        second=layout.raters(item, second),
        dice=dice,
        iou=iou,
        hd95=hd95,
        volume_difference=volume_difference,
        is_mm=is_mm > 0,
        is_in_plane=is_in_plane > 0,
    )


def _whole_pairs(of_item: Sequence[LabelOfItem]) -> WholePairs:
    item, counts = stacked([own.whole for own in of_item], np.int64, (3,))
    return WholePairs(item, counts[:, 0], counts[:, 1], counts[:, 2])
