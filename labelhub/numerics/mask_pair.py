"""Two masks made ready for comparison: checked, cut to what they cover, and told which row of the empty table applies.

Every measure of a pair of masks starts here, so that the rules are written once: both masks lie on one grid; an axis of
length 1 is no dimension; everything beyond the image is background; lengths are in "mm" where the spacing is known and
else in "px". Not here: any measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.results import NAN, BoolArray

METHOD = "pair of masks"
VERSION = "1"

EdgeCase: TypeAlias = Literal["none", "both-empty", "first-empty", "second-empty"]
LengthUnit: TypeAlias = Literal["mm", "px"]


@dataclass(frozen=True, slots=True, eq=False)
class MaskPair:
    """Two masks in the bounding box of their union, without the axes that are no dimension.

    ``spacing`` belongs to the axes of ``first`` and ``second``; ``voxel_volume`` counts every axis of the grid where the
    spacing is known (a slice of known thickness has a volume) and is 1 where it is not. ``origin`` places the window on
    the axes kept. ``diagonal`` is that of the whole grid, in ``unit``.
    """

    first: BoolArray
    second: BoolArray
    origin: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: LengthUnit
    voxel_volume: float
    diagonal: float
    n_first: int
    n_second: int
    edge_case: EdgeCase

    @property
    def n_dimensions(self) -> int:
        """How many axes of the grid are longer than 1 (at least one)."""
        return self.first.ndim

    @property
    def is_one_empty(self) -> bool:
        """Whether exactly one of the masks is empty."""
        return self.edge_case in ("first-empty", "second-empty")

    @property
    def penalised_distance(self) -> float:
        """The diagonal of the image where exactly one mask is empty, else NaN: rank such a pair as worst."""
        return self.diagonal if self.is_one_empty else NAN

    def share_or_edge(self, value: float, *, both_empty_is_perfect: bool) -> float:
        """A similarity with the rows of the table for empty masks: 0 against an empty one, NaN (or 1) where both are.

        ``value`` counts only where both masks hold a voxel.
        """
        if self.edge_case == "both-empty":
            return 1.0 if both_empty_is_perfect else NAN
        return 0.0 if self.is_one_empty else value


@checked
def mask_pair(first: BoolArray, second: BoolArray, spacing_mm: Sequence[float] | None = None) -> MaskPair:
    """Two whole masks on one grid, ready for comparison.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean or not of 2 or 3 dimensions, or the spacing is impossible.

    Examples
    --------
    >>> square = np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> pair = mask_pair(square, np.zeros_like(square), (1, 3))
    >>> pair.first.shape, pair.origin, pair.unit, pair.edge_case
    ((10, 10), (10, 10), 'mm', 'second-empty')
    """
    if np.shape(first) != np.shape(second):
        message = f"masks have shapes {np.shape(first)} and {np.shape(second)}; both must be on the same grid"
        raise ValueError(message)
    start = (0,) * np.ndim(first)
    return placed_pair(
        PlacedMask(np.asarray(first), start), PlacedMask(np.asarray(second), start), np.shape(first), spacing_mm
    )


def placed_pair(
    first: Placed, second: Placed, grid_size: Sequence[int], spacing_mm: Sequence[float] | None = None
) -> MaskPair:
    """As :func:`mask_pair`, of pieces placed on a grid of ``grid_size``; the grid is never filled.

    Examples
    --------
    >>> piece = PlacedMask(np.ones((1, 4, 4), dtype=bool), (3, 0, 0))
    >>> placed_pair(piece, piece, (1000, 1000, 1000)).n_first
    16
    """
    size, spacing = _checked_grid(first, second, grid_size, spacing_mm)
    a, b, low = _on_common_window(first, second)
    kept = tuple(axis for axis, length in enumerate(size) if length > 1) or (len(size) - 1,)
    dropped = tuple(axis for axis in range(len(size)) if axis not in kept)
    a, b = a.squeeze(axis=dropped), b.squeeze(axis=dropped)
    n_first, n_second = int(np.count_nonzero(a)), int(np.count_nonzero(b))
    return MaskPair(
        first=a,
        second=b,
        origin=tuple(int(low[axis]) for axis in kept),
        spacing=tuple(spacing[axis] for axis in kept),
        unit="px" if spacing_mm is None else "mm",
        voxel_volume=math.prod(spacing) if spacing_mm is not None else 1.0,
        diagonal=math.sqrt(sum((spacing[axis] * size[axis]) ** 2 for axis in kept)),
        n_first=n_first,
        n_second=n_second,
        edge_case=_edge_case(n_first, n_second),
    )


def checked_tolerance(tolerance: float) -> float:
    """The tolerance, or a ValueError where it is not a finite number of at least 0."""
    if not (math.isfinite(tolerance) and tolerance >= 0):
        message = f"tolerance is {tolerance!r}; a finite number of at least 0 is needed"
        raise ValueError(message)
    return tolerance


def checked_spacing(spacing_mm: Sequence[float] | None, n_dimensions: int) -> tuple[float, ...]:
    """One step an axis; 1 where nothing is known. A ValueError where a step is not finite and above 0."""
    if spacing_mm is None:
        return (1.0,) * n_dimensions
    spacing = tuple(float(step) for step in spacing_mm)
    if len(spacing) != n_dimensions or not all(math.isfinite(step) and step > 0 for step in spacing):
        message = f"spacing_mm is {tuple(spacing_mm)}; {n_dimensions} finite numbers above 0 are needed, one an axis"
        raise ValueError(message)
    return spacing


def bounds(mask: BoolArray) -> tuple[slice, ...] | None:
    """The bounding box of a mask, ``None`` where it is empty.

    Examples
    --------
    >>> bounds(np.array([[False, False], [False, True]]))
    (slice(1, 2, None), slice(1, 2, None))
    """
    if mask.size == 0:
        return None
    box: list[slice] = []
    rest = mask
    for _ in range(mask.ndim):
        # Axis by axis on what is left: the first look reads all voxels, every later one only a projection.
        occupied = np.flatnonzero(rest.reshape(len(rest), -1).any(axis=1)) if rest.ndim > 1 else np.flatnonzero(rest)
        if len(occupied) == 0:
            return None
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
        rest = np.asarray(rest[box[-1]].any(axis=0))
    return tuple(box)


def check_masks(masks: Sequence[BoolArray]) -> None:
    """Raise ``ValueError`` unless there are masks, all boolean and on one grid."""
    if len(masks) == 0:
        message = "masks is empty; at least one rater's mask is needed"
        raise ValueError(message)
    for number, mask in enumerate(masks):
        if mask.dtype != np.bool_ or mask.shape != masks[0].shape:
            message = (
                f"rater {number} has dtype {mask.dtype} and shape {mask.shape}; boolean masks on one grid are needed"
            )
            raise ValueError(message)


def _checked_grid(
    first: Placed, second: Placed, grid_size: Sequence[int], spacing_mm: Sequence[float] | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    size = tuple(int(length) for length in grid_size)
    for name, mask in (("first", first), ("second", second)):
        if mask.voxels.dtype != np.bool_:
            message = f"{name} has dtype {mask.voxels.dtype}; masks are boolean (compare one label at a time)"
            raise ValueError(message)
        ends = [start + length for start, length in zip(mask.origin, mask.voxels.shape, strict=False)]
        inside = len(ends) == mask.voxels.ndim == len(size) and len(size) in (2, 3)
        if not inside or min(mask.origin) < 0 or any(end > length for end, length in zip(ends, size, strict=True)):
            message = (
                f"{name} has shape {mask.voxels.shape} at {tuple(mask.origin)}; it must lie inside the grid {size}, "
                "with 2 or 3 dimensions"
            )
            raise ValueError(message)
    return size, checked_spacing(spacing_mm, len(size))


def _on_common_window(first: Placed, second: Placed) -> tuple[BoolArray, BoolArray, np.ndarray]:
    """Both masks on the bounding box of their union: nothing beyond it can change any measure."""
    boxes = [
        ([part.start + start for part, start in zip(box, mask.origin, strict=True)],
         [part.stop + start for part, start in zip(box, mask.origin, strict=True)])
        for mask, box in ((first, bounds(first.voxels)), (second, bounds(second.voxels)))
        if box is not None
    ]  # fmt: skip
    if not boxes:
        shape = (1,) * first.voxels.ndim
        return np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool), np.zeros(len(shape), dtype=np.int64)
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    return _window(first, low, high), _window(second, low, high), low


def _window(mask: Placed, low: np.ndarray, high: np.ndarray) -> BoolArray:
    source, target = [], []
    is_whole = True
    for axis, start in enumerate(mask.origin):
        begin, end = max(start, int(low[axis])), min(start + mask.voxels.shape[axis], int(high[axis]))
        if begin >= end:
            return np.zeros(tuple(high - low), dtype=bool)
        is_whole &= begin == low[axis] and end == high[axis]
        source.append(slice(begin - start, end - start))
        target.append(slice(begin - int(low[axis]), end - int(low[axis])))
    if is_whole:
        return mask.voxels[tuple(source)]
    result = np.zeros(tuple(high - low), dtype=bool)
    result[tuple(target)] = mask.voxels[tuple(source)]
    return result


def _edge_case(n_first: int, n_second: int) -> EdgeCase:
    if n_first and n_second:
        return "none"
    if n_first:
        return "second-empty"
    return "first-empty" if n_second else "both-empty"
