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
    step = np.asarray(spacing, dtype=np.float64)
    if mask.dtype != np.bool_ or step.shape not in ((), (mask.ndim,)) or not (np.isfinite(step) & (step > 0)).all():
        message = (
            f"mask has dtype {mask.dtype} and {mask.ndim} dimensions, spacing is {step.tolist()}; allowed are booleans, "
            "and one number above 0 or one an axis"
        )
        raise ValueError(message)
    step = np.broadcast_to(step, (mask.ndim,))
    half = float(step.min()) / 2
    # Beyond the image is background, else a mask that touches the edge would have no boundary there.
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=step)
    outside = ndimage.distance_transform_edt(~padded, sampling=step)
    signed = np.where(padded, half - inside, outside - half)
    return np.asarray(signed[(slice(1, -1),) * mask.ndim], dtype=np.float64)
