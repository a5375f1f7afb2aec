"""Grids of volumes: checking affines, comparing grids, and moving label maps from one grid to another through the affine.

Masks on different grids are never compared by index. Affines map the index ``(x, y, z, 1)`` of a voxel centre to
millimetres in RAS+, arrays are ``[z, y, x]``. Not here: files, interpolation of images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.shapes import Grid, MaskRegion

MAX_SPACING_MM = 1_000.0
MIN_SPACING_MM = 1e-5
TOLERANCE_VOXELS = 1e-2


class ImpossibleGridError(ValueError):
    """A grid that no scanner produces, or two grids that cannot be brought together."""


def checked_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine itself. Raises :class:`ImpossibleGridError` where it is not finite, flat or of absurd spacing."""
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.allclose(matrix[3], (0, 0, 0, 1)):
        raise ImpossibleGridError("its affine holds numbers that are not finite or is no 4 x 4 affine")
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    if (steps < MIN_SPACING_MM).any() or (steps > MAX_SPACING_MM).any():
        raise ImpossibleGridError(f"its affine states voxels of {' x '.join(f'{step:.3g}' for step in steps)} mm")
    if abs(np.linalg.det(matrix[:3, :3] / steps)) < 1e-3:
        raise ImpossibleGridError("its affine is flat: two axes point the same way")
    return matrix


def grid_of(size: tuple[int, int, int], affine: NDArray[np.float64]) -> Grid:
    """A grid with the spacing that its affine states."""
    matrix = checked_affine(affine)
    x, y, z = np.linalg.norm(matrix[:3, :3], axis=0).tolist()
    return Grid(size, (z, y, x), matrix)


def same_grid(first: Grid, second: Grid) -> bool:
    """Whether two grids have the same voxels in the same places, to a hundredth of a voxel at every corner."""
    if first.size != second.size:
        return False
    if first.affine is None or second.affine is None:
        return first.affine is None and second.affine is None and first.spacing_mm == second.spacing_mm
    z, y, x = first.size
    corners = np.array([[i, j, k, 1] for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)], dtype=np.float64)
    apart = corners @ first.affine.T - corners @ second.affine.T
    smallest = min(np.linalg.norm(first.affine[:3, :3], axis=0))
    return bool(np.abs(apart).max() <= TOLERANCE_VOXELS * smallest)


def plane_shift(first: Grid, second: Grid) -> int | None:
    """By how many planes ``second`` starts after ``first`` where both share rows, columns and steps; else ``None``."""
    if first.affine is None or second.affine is None or first.size[1:] != second.size[1:]:
        return None
    steps = np.linalg.norm(first.affine[:3, :3], axis=0)
    if np.abs(first.affine[:3, :3] - second.affine[:3, :3]).max() > 1e-3 * steps.min():
        return None
    offset = np.linalg.solve(first.affine[:3, :3], second.affine[:3, 3] - first.affine[:3, 3])
    shift = round(float(offset[2]))
    return shift if np.abs(offset - (0, 0, shift)).max() <= TOLERANCE_VOXELS * 10 else None


def resample_labels(labels: NDArray[np.integer], source: Grid, target: Grid) -> NDArray[np.integer]:
    """A label map on another grid: each voxel of the target takes the nearest voxel of the source, 0 outside it.

    Raises :class:`ImpossibleGridError` where a grid has no position.
    """
    if source.affine is None or target.affine is None:
        raise ImpossibleGridError("one of the two grids has no position in the patient")
    if int(np.prod(target.size)) > MAX_MASK_VOXELS:
        raise ImpossibleGridError("the grid to fill is too large")
    to_source = np.linalg.inv(source.affine) @ target.affine
    depth, height, width = target.size
    out = np.zeros(target.size, dtype=labels.dtype)
    y, x = np.mgrid[0:height, 0:width]
    plane = np.stack([x, y, np.zeros_like(x), np.ones_like(x)]).reshape(4, -1).astype(np.float64)
    limits = np.array(labels.shape[::-1]).reshape(3, 1)
    for z in range(depth):
        plane[2] = z
        nearest = np.floor((to_source @ plane)[:3] + 0.5).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < limits)).all(axis=0)
        i, j, k = nearest[:, inside]
        out[z].reshape(-1)[inside] = labels[k, j, i]
    return out


def resample_to(mask: MaskRegion, source: Grid, target: Grid) -> NDArray[np.bool_]:
    """A placed mask as a whole mask on another grid, nearest voxel through the affine."""
    whole = np.zeros(source.size, dtype=np.uint8)
    z, y, x = (slice(start, start + n) for start, n in zip(mask.origin, mask.voxels.shape, strict=True))
    whole[z, y, x] = mask.voxels
    return resample_labels(whole, source, target) > 0
