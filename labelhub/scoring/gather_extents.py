"""Where a shape lies: the plain shape of any tool as voxels, a box or a place, and how alike two of them are.

Outlines become voxels by the rule of ``numerics.rasterise``. Two upright boxes are compared by their exact areas, all
else by voxels. Marks without area (points, lines, outlines that enclose no pixel) are alike by distance. Not here:
which shapes are the same object (``gather_objects``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.outlines import outline_of
from labelhub.formats.shapes import Grid, Region, Shape
from labelhub.numerics import surfaces
from labelhub.numerics.geometry import PlacedMask, box_iou, shared_windows
from labelhub.numerics.overlap import compare_placed
from labelhub.numerics.rasterise import shape_mask

BoolArray = NDArray[np.bool_]

AREA_KINDS = ("box", "polygon", "ellipse")
HD95_IN_PLANE = "within each slice that both outlined, pooled; " + surfaces.HD95_CONVENTION


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart two marks without area may lie and still be one: in the plane, and across planes.

    ``px`` counts where the size of a pixel is unknown, ``mm`` where it is known. Planes of unknown position must be the
    same or neighbours.
    """

    px: float = 10.0
    mm: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """Where one shape lies. ``place`` is its centre ``(z, y, x)``; ``None`` for a mere tag, which lies nowhere.

    ``mask`` is ``None`` where nothing is enclosed. ``box`` is ``(x0, y0, x1, y1)`` for a single upright box.
    """

    medium: int
    mask: PlacedMask | None
    place: tuple[float, float, float] | None
    box: tuple[float, float, float, float] | None = None

    @property
    def n_voxels(self) -> float:
        """Its size in pixels or voxels; an upright box counts exactly."""
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            return (x1 - x0) * (y1 - y0)
        return 0.0 if self.mask is None else float(np.count_nonzero(self.mask.voxels))


@dataclass(frozen=True, slots=True)
class PairComparison:
    """Two readers' extents of one object: overlap, distance and size. NaN where a measure does not apply."""

    dice: float
    iou: float
    hd95: float
    volume_difference: float
    unit: Literal["px", "mm"]
    is_in_plane: bool


def extent_of(shape: Shape, grid: Grid | None) -> Extent:
    """The extent of a shape on its medium's grid; what lies beyond a known grid is cut off."""
    size = None if grid is None else grid.size
    if shape.mask is not None:
        return _from_mask(shape, size)
    drawn = shape_mask(shape.regions, size)
    mask = drawn if drawn.voxels.any() else None
    return Extent(shape.medium, mask, _centre(shape.regions), _single_box(shape.regions))


def similarity(first: Extent, second: Extent, grid: Grid | None, threshold: float, reach: Reach) -> float:
    """IoU of two extents with area; else closeness, which equals ``threshold`` where the marks are ``reach`` apart."""
    if first.medium != second.medium:
        return 0.0
    if first.box is not None and second.box is not None and _same_plane(first, second):
        return float(box_iou([first.box], [second.box])[0, 0])
    if first.mask is not None and second.mask is not None:
        both, union = _counts(first.mask, second.mask)
        return both / union if union else 0.0
    if first.place is None or second.place is None:
        return 1.0 if first.place is second.place else 0.0
    return max(0.0, 1.0 - (1.0 - threshold) * _relative_distance(first, second, grid, reach))


def compare(first: Extent, second: Extent, grid: Grid | None, *, with_distance: bool = True) -> PairComparison | None:
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
    if spacing is None and _spans_planes(first.mask, second.mask):
        return _compare_in_plane(first.mask, second.mask)
    pair = compare_placed(first.mask, second.mask, size, spacing_mm=spacing)
    return PairComparison(pair.dice, pair.iou, pair.hausdorff_95, pair.volume_difference, unit, is_in_plane=False)


def overlap_counts(first: PlacedMask, second: PlacedMask) -> tuple[int, int, int]:
    """Voxels in both, in the first, in the second."""
    n_first, n_second = int(np.count_nonzero(first.voxels)), int(np.count_nonzero(second.voxels))
    shared = shared_windows(first, second)
    both = 0 if shared is None else int(np.count_nonzero(first.voxels[shared[0]] & second.voxels[shared[1]]))
    return both, n_first, n_second


def _from_mask(shape: Shape, size: tuple[int, int, int] | None) -> Extent:
    assert shape.mask is not None
    voxels, origin = shape.mask.voxels, shape.mask.origin
    if size is not None:
        cut = tuple(slice(0, max(0, n - start)) for n, start in zip(size, origin, strict=True))
        voxels = voxels[cut]
    if not voxels.any():
        return Extent(shape.medium, None, tuple(float(start) for start in origin))  # type: ignore[arg-type]
    bounds = []
    for axis in range(3):
        occupied = np.flatnonzero(voxels.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append((int(occupied[0]), int(occupied[-1]) + 1))
    piece = voxels[tuple(slice(low, high) for low, high in bounds)]
    start = tuple(o + low for o, (low, _) in zip(origin, bounds, strict=True))
    centre = tuple(o + (low + high) / 2 for o, (low, high) in zip(origin, bounds, strict=True))
    place = (centre[0] - 0.5, centre[1], centre[2])
    return Extent(shape.medium, PlacedMask(piece, start), place)


def _single_box(regions: Sequence[Region]) -> tuple[float, float, float, float] | None:
    if len(regions) != 1 or regions[0].kind != "box" or regions[0].rotation_deg:
        return None
    (x0, y0), (x1, y1) = regions[0].points
    return (float(min(x0, x1)), float(min(y0, y1)), float(max(x0, x1)), float(max(y0, y1)))


def _centre(regions: Sequence[Region]) -> tuple[float, float, float] | None:
    if not regions:
        return None
    points = [outline_of(region) if region.kind in AREA_KINDS else region.points for region in regions]
    x, y = np.mean([piece.mean(axis=0) for piece in points], axis=0)
    return (float(np.mean([region.z for region in regions])), float(y), float(x))


def _same_plane(first: Extent, second: Extent) -> bool:
    return first.place is not None and second.place is not None and first.place[0] == second.place[0]


def _counts(first: PlacedMask, second: PlacedMask) -> tuple[int, int]:
    both, n_first, n_second = overlap_counts(first, second)
    return both, n_first + n_second - both


def _relative_distance(first: Extent, second: Extent, grid: Grid | None, reach: Reach) -> float:
    """The distance of two places as a multiple of the reach; 0 where a mark lies inside the other's area."""
    assert first.place is not None
    assert second.place is not None
    if _is_inside(first, second) or _is_inside(second, first):
        return 0.0
    (z1, y1, x1), (z2, y2, x2) = first.place, second.place
    if grid is not None and grid.spacing_mm is not None:
        step_z, step_y, step_x = grid.spacing_mm
        gaps = ((z1 - z2) * step_z, (y1 - y2) * step_y, (x1 - x2) * step_x)
        return math.sqrt(sum(gap * gap for gap in gaps)) / reach.mm
    across = abs(z1 - z2)
    positions = None if grid is None else grid.plane_positions_mm
    if positions:
        known = np.arange(len(positions), dtype=np.float64)
        across = abs(float(np.interp(z1, known, positions)) - float(np.interp(z2, known, positions))) / reach.mm
    return math.hypot(across, math.hypot(y1 - y2, x1 - x2) / reach.px)


def _is_inside(mark: Extent, area: Extent) -> bool:
    if mark.mask is not None or area.mask is None or mark.place is None:
        return False
    index = tuple(math.floor(at) - start for at, start in zip(mark.place, area.mask.origin, strict=True))
    inside = all(0 <= i < n for i, n in zip(index, area.mask.voxels.shape, strict=True))
    return bool(inside and area.mask.voxels[index])


def _compare_boxes(first: Extent, second: Extent, unit: Literal["px", "mm"]) -> PairComparison:
    iou = float(box_iou([first.box or ()], [second.box or ()])[0, 0])
    a, b = first.n_voxels, second.n_voxels
    difference = 2 * (a - b) / (a + b) if a + b else math.nan
    return PairComparison(2 * iou / (1 + iou), iou, math.nan, difference, unit, is_in_plane=False)


def _spans_planes(first: PlacedMask, second: PlacedMask) -> bool:
    low = min(first.origin[0], second.origin[0])
    high = max(first.origin[0] + first.voxels.shape[0], second.origin[0] + second.voxels.shape[0])
    return bool(high - low > 1)


def _compare_in_plane(first: PlacedMask, second: PlacedMask) -> PairComparison:
    """Volumes without a known spacing: voxels are counted, distances are taken within slices only."""
    counted = _compare_counts(first, second, "px")
    there, back = [], []
    low = max(first.origin[0], second.origin[0])
    high = min(first.origin[0] + first.voxels.shape[0], second.origin[0] + second.voxels.shape[0])
    for z in range(low, high):
        one, other = _on_window(first, second, z)
        if one.any() and other.any():
            distances = surfaces.surface_distances(one, other, (1.0, 1.0))
            there.append(distances.from_first)
            back.append(distances.from_second)
    hd95 = math.nan
    if there:
        hd95 = surfaces.hausdorff_distance_95(surfaces.SurfaceDistances(np.concatenate(there), np.concatenate(back)))
    return replace(counted, hd95=hd95, is_in_plane=True)


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
