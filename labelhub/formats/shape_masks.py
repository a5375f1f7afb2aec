"""From drawn shapes to placed masks, for formats that hold pixels only.

A thin crossing to ``numerics.rasterise``, where the rule of filling is written once. Not here: that rule, files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.rle import cropped, joined
from labelhub.formats.shapes import Grid, MaskRegion, Region, Shape
from labelhub.numerics import rasterise


def shape_mask(shape: Shape, grid: Grid) -> MaskRegion:
    """Everything a shape encloses on a grid, as the smallest placed mask; what lies outside the grid is cut off.

    A shape without area gives a mask of one false voxel. Raises ``ValueError`` where the mask would be too large.
    """
    pieces = [_cut(shape.mask, grid)] if shape.mask is not None else []
    regions = [region for region in shape.regions if 0 <= region.z < grid.size[0]]
    if regions:
        drawn = rasterise.shape_mask(regions, grid.size)
        if drawn.voxels.size:
            pieces.append(cropped(drawn.voxels, (int(drawn.origin[0]), int(drawn.origin[1]), int(drawn.origin[2]))))
    filled = [piece for piece in pieces if piece.voxels.any()]
    return joined(filled) if filled else MaskRegion(np.zeros((1, 1, 1), dtype=np.bool_))


def plane_mask(regions: Sequence[Region], grid: Grid) -> NDArray[np.bool_]:
    """``mask[y, x]`` of what the regions of one plane enclose: their union, less their holes."""
    height, width = grid.size[1], grid.size[2]
    if height * width > MAX_MASK_VOXELS:
        raise ValueError(f"a plane of {width} x {height} pixels is too large to fill")
    whole = np.zeros((height, width), dtype=np.bool_)
    drawn = rasterise.shape_mask(regions, grid.size)
    if drawn.voxels.size:
        _, y, x = drawn.origin
        _, rows, columns = drawn.voxels.shape
        whole[y : y + rows, x : x + columns] = drawn.voxels.any(axis=0)
    return whole


def _cut(mask: MaskRegion, grid: Grid) -> MaskRegion:
    room = [max(0, size - start) for size, start in zip(grid.size, mask.origin, strict=True)]
    kept = mask.voxels[: room[0], : room[1], : room[2]]
    return cropped(kept, mask.origin) if kept.size else MaskRegion(np.zeros((1, 1, 1), dtype=np.bool_))
