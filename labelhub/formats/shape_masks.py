"""From drawn shapes to placed masks, for formats that hold pixels only.

A pixel belongs to an outline that encloses its centre. Centres on the outline itself belong to it, except where the
outline is marked as lying outside its object. Lines and points enclose nothing. Not here: masks in millimetres,
grids, files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.outlines import outline_of
from labelhub.formats.rle import cropped, joined
from labelhub.formats.shapes import Grid, MaskRegion, Region, Shape

_ENCLOSING = ("box", "polygon", "ellipse")


def shape_mask(shape: Shape, grid: Grid) -> MaskRegion:
    """Everything a shape encloses on a grid, as the smallest placed mask; what lies outside the grid is cut off.

    Raises ``ValueError`` where the mask would be larger than the limit.
    """
    pieces = []
    if shape.mask is not None:
        pieces.append(_cut(shape.mask, grid))
    planes = sorted(
        {region.z for region in shape.regions if region.kind in _ENCLOSING and 0 <= region.z < grid.size[0]}
    )
    for z in planes:
        plane = plane_mask([region for region in shape.regions if region.z == z], grid)
        if plane.any():
            pieces.append(cropped(plane[np.newaxis], (z, 0, 0)))
    if not pieces:
        return MaskRegion(np.zeros((1, 1, 1), dtype=np.bool_))
    return joined(pieces)


def plane_mask(regions: Sequence[Region], grid: Grid) -> NDArray[np.bool_]:
    """``mask[y, x]`` of what the regions of one plane enclose: their union, less their holes."""
    height, width = grid.size[1], grid.size[2]
    if height * width > MAX_MASK_VOXELS:
        raise ValueError(f"a plane of {width} x {height} pixels is too large to fill")
    filled = np.zeros((height, width), dtype=np.bool_)
    holes = np.zeros_like(filled)
    for region in regions:
        if region.kind in _ENCLOSING:
            _fill(holes if region.is_hole else filled, region)
    return filled & ~holes


def _fill(target: NDArray[np.bool_], region: Region) -> None:
    outline = outline_of(region)
    if len(outline) < 3:
        return
    low = np.clip(np.floor(outline.min(axis=0)).astype(int), 0, (target.shape[1], target.shape[0]))
    high = np.clip(np.ceil(outline.max(axis=0)).astype(int) + 1, 0, (target.shape[1], target.shape[0]))
    if (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    surface = shapely.make_valid(shapely.Polygon(outline))
    shapely.prepare(surface)
    test = shapely.contains_xy if region.edge_excluded else shapely.intersects_xy
    target[low[1] : high[1], low[0] : high[0]] |= test(surface, x, y)


def _cut(mask: MaskRegion, grid: Grid) -> MaskRegion:
    z, y, x = mask.origin
    room = [max(0, size - start) for size, start in zip(grid.size, (z, y, x), strict=True)]
    return cropped(mask.voxels[: room[0], : room[1], : room[2]], mask.origin)
