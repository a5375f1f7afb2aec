"""How far each voxel lies outside (positive) or inside (negative) a mask's boundary.

Not here: distances between two surfaces (``surfaces``).

References
----------
Maurer CR, Qi R, Raghavan V (2003) A linear time algorithm for computing exact Euclidean distance transforms. IEEE PAMI
25:265-270.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from labelhub.numerics.nearest import distance_bounds
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "signed distance"
VERSION = "1"


def signed_distance(mask: BoolArray, spacing: ArrayLike = 1.0) -> FloatArray:
    """Distance to the boundary between voxels, negative inside; half a step at the voxels on either side of it.

    Parameters
    ----------
    mask : array of bool, any dimensions
        Beyond the array is background.
    spacing : float or array of float, shape (axis,)
        Size of a voxel, above 0; the result is in its unit.

    Raises
    ------
    ValueError
        Where the mask is not boolean, or the spacing is not above 0.

    Examples
    --------
    >>> signed_distance(np.array([[False, True, True, False]])).tolist()
    [[0.5, -0.5, -0.5, 0.5]]
    """
    step = _checked_steps(mask, spacing)
    half = float(step.min()) / 2
    # Beyond the image is background, else a mask that touches the edge would have no boundary there.
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=step)
    outside = ndimage.distance_transform_edt(~padded, sampling=step)
    signed = np.where(padded, half - inside, outside - half)
    return np.asarray(signed[(slice(1, -1),) * mask.ndim], dtype=np.float64)


def signed_distances_at(mask: BoolArray, points: BoolArray, spacing: ArrayLike = 1.0) -> FloatArray:
    """As :func:`signed_distance`, of some voxels only: those that are true in ``points``, in C order.

    The cost grows with the points and how far they lie from the boundary, hardly with the array.

    Parameters
    ----------
    mask, points : array of bool, one shape
        The mask holds at least one voxel; beyond the array is background.
    spacing : float or array of float, shape (axis,)

    Raises
    ------
    ValueError
        As :func:`signed_distance`, and where the mask is empty or the shapes differ.

    Examples
    --------
    >>> mask = np.array([[False, True, True, False, False]])
    >>> signed_distances_at(mask, np.array([[True, True, False, False, True]])).tolist()
    [0.5, -0.5, 1.5]
    """
    return _signed_at(mask, points, spacing, cell=1)[0]


def signed_bounds_at(
    mask: BoolArray, points: BoolArray, spacing: ArrayLike = 1.0, *, cell: int = 4
) -> tuple[FloatArray, FloatArray]:
    """The least and the largest that each of :func:`signed_distances_at` can be; equal near the boundary.

    Far from it only one voxel in ``cell`` along each axis is measured.

    Examples
    --------
    >>> mask = np.array([[False, True, True, False, False]])
    >>> [side.tolist() for side in signed_bounds_at(mask, mask)]
    [[-0.5, -0.5], [-0.5, -0.5]]
    """
    return _signed_at(mask, points, spacing, cell=cell)


def _signed_at(mask: BoolArray, points: BoolArray, spacing: ArrayLike, *, cell: int) -> tuple[FloatArray, FloatArray]:
    step = _checked_steps(mask, spacing)
    if points.shape != mask.shape or points.dtype != np.bool_ or not mask.any():
        message = (
            f"points have dtype {points.dtype} and shape {points.shape} for a mask of shape {mask.shape} with "
            f"{np.count_nonzero(mask)} voxels; booleans on the grid of a mask that holds some are needed"
        )
        raise ValueError(message)
    steps, half = tuple(step.tolist()), float(step.min()) / 2
    is_inside = mask[points]
    if any(mask.take(end, axis=axis).any() for axis in range(mask.ndim) for end in (0, -1)):
        # Beyond the array is background, which only a mask that reaches its end can be nearest to.
        mask, points = np.pad(mask, 1), np.pad(points, 1)
    low, high = np.empty(len(is_inside)), np.empty(len(is_inside))
    if is_inside.any():
        nearest, farthest = distance_bounds(points & mask, ~mask, steps, cell=cell)
        low[is_inside], high[is_inside] = half - farthest, half - nearest
    if not is_inside.all():
        nearest, farthest = distance_bounds(points & ~mask, mask, steps, cell=cell)
        low[~is_inside], high[~is_inside] = nearest - half, farthest - half
    return low, high


def _checked_steps(mask: BoolArray, spacing: ArrayLike) -> FloatArray:
    step = np.asarray(spacing, dtype=np.float64)
    if mask.dtype != np.bool_ or step.shape not in ((), (mask.ndim,)) or not (np.isfinite(step) & (step > 0)).all():
        message = (
            f"mask has dtype {mask.dtype} and {mask.ndim} dimensions, spacing is {step.tolist()}; allowed are booleans, "
            "and one number above 0 or one an axis"
        )
        raise ValueError(message)
    return np.broadcast_to(step, (mask.ndim,))
