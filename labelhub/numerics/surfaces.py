"""Distances between the surfaces of two masks, 2-D or 3-D, on grids with unequal spacing.

The surface of a mask is its voxels with a face neighbour outside it; beyond the image everything is outside. Each
surface voxel has a distance to the nearest surface voxel of the other mask; both directed sets are computed once, and
the measures are cheap reductions of them. Not here: empty masks (``overlap`` holds that table).

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212.
Nikolov S et al. (2021) Clinically applicable segmentation of head and neck anatomy. JMIR 23:e26151 (surface Dice).
Taha AA, Hanbury A (2015) Metrics for evaluating 3D medical image segmentation. BMC Medical Imaging 15:29.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import checked_spacing
from labelhub.numerics.nearest import margin_of, nearest_in_margin, with_margin, without_margin
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "surface distance"
VERSION = "1"

HD95_CONVENTION = "larger of the two directed 95th percentiles, linear interpolation"
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """Distances from each surface voxel of one mask to the other's surface, in the unit of the spacing; both ways."""

    from_first: FloatArray
    from_second: FloatArray


@checked
def surface_distances(first: BoolArray, second: BoolArray, spacing: Sequence[float]) -> SurfaceDistances:
    """Both directed sets of distances between the surfaces of two masks that are not empty.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        On the same grid. Everything beyond the array is background.
    spacing : sequence of float
        Size of a voxel along each axis, above 0.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is empty or not boolean, or the spacing is impossible.

    Examples
    --------
    A 10 x 10 square and the same shifted by two columns.

    >>> square, shifted = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> shifted[10:20, 12:22] = True
    >>> distances = surface_distances(square, shifted, (1.0, 1.0))
    >>> hausdorff_distance(distances), average_surface_distance(distances), surface_dice(distances, 1.0).__round__(4)
    (2.0, 1.0, 0.5556)
    """
    if first.shape != second.shape or not first.dtype == second.dtype == np.bool_:
        message = (
            f"first has shape {first.shape} and dtype {first.dtype}, second {second.shape} and {second.dtype}; "
            "boolean masks on one grid are needed"
        )
        raise ValueError(message)
    if not (first.any() and second.any()):
        message = "a mask is empty; surfaces exist only where both masks hold a voxel"
        raise ValueError(message)
    steps = checked_spacing(spacing, first.ndim)
    margin = margin_of(steps, first.shape)
    a, b = (_surface_in_margin(with_margin(mask, margin)) for mask in (first, second))
    return SurfaceDistances(nearest_in_margin(a, b, steps, margin), nearest_in_margin(b, a, steps, margin))


def surface(mask: BoolArray) -> BoolArray:
    """The voxels of a mask with a face neighbour outside it, the image's edge counting as outside.

    Examples
    --------
    >>> int(surface(np.ones((10, 10), dtype=bool)).sum())
    36
    """
    margin = (1,) * mask.ndim
    found = _surface_in_margin(with_margin(mask, margin))
    return np.asarray(found[without_margin(mask.shape, margin)], dtype=np.bool_)


def _surface_in_margin(mask: BoolArray) -> BoolArray:
    # In one piece and with nothing at the ends, a step along any axis is one distance.
    flat = mask.reshape(-1)
    inner = flat.copy()
    for stride in mask.strides:
        inner[stride:] &= flat[:-stride]
        inner[:-stride] &= flat[stride:]
    return np.greater(flat, inner, out=inner).reshape(mask.shape)


def hausdorff_distance(distances: SurfaceDistances) -> float:
    """The largest distance from a surface voxel of either mask to the other surface."""
    return float(max(distances.from_first.max(), distances.from_second.max()))


def hausdorff_distance_95(distances: SurfaceDistances) -> float:
    """The larger of the two directed 95th percentiles (not the percentile of the pooled set, nor a mean).

    Examples
    --------
    >>> hausdorff_distance_95(SurfaceDistances(np.arange(101.0), np.zeros(5)))
    95.0
    """
    return float(max(np.percentile(distances.from_first, 95), np.percentile(distances.from_second, 95)))


def average_surface_distance(distances: SurfaceDistances) -> float:
    """ASSD: the mean over the pooled distances of both directions."""
    total = distances.from_first.sum() + distances.from_second.sum()
    return float(total / (len(distances.from_first) + len(distances.from_second)))


def mean_directed_distance(distances: SurfaceDistances) -> float:
    """MASD: the mean of the two directed means."""
    return float((distances.from_first.mean() + distances.from_second.mean()) / 2)


def surface_dice(distances: SurfaceDistances, tolerance: float) -> float:
    """NSD: the share of surface voxels of both masks that lie within ``tolerance`` of the other surface.

    Parameters
    ----------
    distances : SurfaceDistances
    tolerance : float
        At least 0, in the unit of the spacing; a voxel exactly this far away is within.

    Raises
    ------
    ValueError
        Where the tolerance is below 0.
    """
    if not tolerance >= 0:
        message = f"tolerance is {tolerance!r}; it must be at least 0, in the unit of the spacing"
        raise ValueError(message)
    limit = tolerance * (1 + _ROUNDING)
    near = np.count_nonzero(distances.from_first <= limit) + np.count_nonzero(distances.from_second <= limit)
    return float(near / (len(distances.from_first) + len(distances.from_second)))
