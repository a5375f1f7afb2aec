"""What is measured of two extents that are one object: overlap, distance and size.

Two upright boxes are compared by their exact areas, all else by voxels. Distances across slices of unknown spacing are not
invented: they are taken within slices. Not here: where a shape lies and how alike two are (``extents``), which are the
same object (``gather_objects``, ``compare``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid
from labelhub.numerics import surfaces
from labelhub.numerics.geometry import PlacedMask, box_iou, shared_windows
from labelhub.numerics.overlap import compare_placed
from labelhub.scoring.extents import Extent

BoolArray = NDArray[np.bool_]

HD95_IN_PLANE = "within each slice that both outlined, pooled; " + surfaces.HD95_CONVENTION


@dataclass(frozen=True, slots=True)
class PairComparison:
    """Two readers' extents of one object: overlap, distance and size. NaN where a measure does not apply."""

    dice: float
    iou: float
    hd95: float
    volume_difference: float
    unit: Literal["px", "mm"]
    is_in_plane: bool


def compare_extents(
    first: Extent, second: Extent, grid: Grid | None, *, with_distance: bool = True
) -> PairComparison | None:
    """Overlap, distance and size of two extents; ``None`` where one of them encloses nothing.

    The distance is the costly part; without it ``hd95`` is NaN.
    """
    spacing = None if grid is None else grid.spacing_mm
    unit: Literal["px", "mm"] = "px" if spacing is None else "mm"
    if first.box is not None and second.box is not None and _same_plane(first, second):
        return _compare_boxes(first, second, unit)
    if first.mask is None or second.mask is None:
        return None
    if not with_distance:
        return _compare_counts(first.mask, second.mask, unit)
    size = grid.size if grid is not None else _enclosing(first.mask, second.mask)
    if spacing is None and spans_planes(first.mask, second.mask):
        counted = _compare_counts(first.mask, second.mask, "px")
        return replace(counted, hd95=distance_in_plane(first.mask, second.mask), is_in_plane=True)
    pair = compare_placed(first.mask, second.mask, size, spacing_mm=spacing)
    return PairComparison(pair.dice, pair.iou, pair.hausdorff_95, pair.volume_difference, unit, is_in_plane=False)


def overlap_counts(first: PlacedMask, second: PlacedMask) -> tuple[int, int, int]:
    """Voxels in both, in the first, in the second."""
    n_first, n_second = int(np.count_nonzero(first.voxels)), int(np.count_nonzero(second.voxels))
    shared = shared_windows(first, second)
    both = 0 if shared is None else int(np.count_nonzero(first.voxels[shared[0]] & second.voxels[shared[1]]))
    return both, n_first, n_second


def spans_planes(first: PlacedMask, second: PlacedMask) -> bool:
    """Whether two masks lie on more than one plane together."""
    low = min(first.origin[0], second.origin[0])
    high = max(first.origin[0] + first.voxels.shape[0], second.origin[0] + second.voxels.shape[0])
    return bool(high - low > 1)


def distance_in_plane(first: PlacedMask, second: PlacedMask) -> float:
    """The HD95 of volumes without a known spacing, within each slice that both occupy; NaN where they share none."""
    there, back = [], []
    low = max(first.origin[0], second.origin[0])
    high = min(first.origin[0] + first.voxels.shape[0], second.origin[0] + second.voxels.shape[0])
    for z in range(low, high):
        one, other = _on_window(first, second, z)
        if one.any() and other.any():
            distances = surfaces.surface_distances(one, other, (1.0, 1.0))
            there.append(distances.from_first)
            back.append(distances.from_second)
    if not there:
        return math.nan
    return surfaces.hausdorff_distance_95(surfaces.SurfaceDistances(np.concatenate(there), np.concatenate(back)))


def _same_plane(first: Extent, second: Extent) -> bool:
    return first.place is not None and second.place is not None and first.place[0] == second.place[0]


def _compare_boxes(first: Extent, second: Extent, unit: Literal["px", "mm"]) -> PairComparison:
    iou = float(box_iou([first.box or ()], [second.box or ()])[0, 0])
    a, b = first.n_voxels, second.n_voxels
    difference = 2 * (a - b) / (a + b) if a + b else math.nan
    return PairComparison(2 * iou / (1 + iou), iou, math.nan, difference, unit, is_in_plane=False)


def _compare_counts(first: PlacedMask, second: PlacedMask, unit: Literal["px", "mm"]) -> PairComparison:
    """What voxel counts alone tell."""
    both, a, b = overlap_counts(first, second)
    if a + b == 0:
        return PairComparison(math.nan, math.nan, math.nan, math.nan, unit, is_in_plane=False)
    return PairComparison(
        2 * both / (a + b), both / (a + b - both), math.nan, 2 * (a - b) / (a + b), unit, is_in_plane=False
    )


def _on_window(first: PlacedMask, second: PlacedMask, z: int) -> tuple[BoolArray, BoolArray]:
    flat = [PlacedMask(mask.voxels[z - mask.origin[0]], mask.origin[1:]) for mask in (first, second)]
    low = np.min([mask.origin for mask in flat], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in flat], axis=0)
    windows = []
    for mask in flat:
        window = np.zeros(tuple(int(length) for length in high - low), dtype=bool)
        y, x = (int(start - least) for start, least in zip(mask.origin, low, strict=True))
        window[y : y + mask.voxels.shape[0], x : x + mask.voxels.shape[1]] = mask.voxels
        windows.append(window)
    return windows[0], windows[1]


def _enclosing(first: PlacedMask, second: PlacedMask) -> tuple[int, ...]:
    ends = [np.add(mask.origin, mask.voxels.shape) for mask in (first, second)]
    return tuple(int(end) for end in np.max(ends, axis=0))
