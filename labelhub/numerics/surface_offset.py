"""By how much one outline lies outside (positive: over-drawn) or inside (negative: under-drawn) another.

From each surface voxel of the first mask: the distance to the second's surface, positive where the voxel lies outside
the second mask, negative inside, 0 on its surface. From each surface voxel of the second: positive where it lies inside
the first. Both are pooled, so that exchanging the masks exchanges the sign. A boundary moved evenly outwards by 2 mm has
offset 2 and SD 0; one that is right on average but ragged has offset 0 and a large SD. Not here: distances without sign
(``surfaces``), and what follows for a rater (``fusion_calibration``).

References
----------
Warfield SK et al. (2008) Validation of image segmentation by estimating rater bias and variance. Phil Trans R Soc A
366:2361-2375 (signed distance as the measure of a rater's bias).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, MaskPair, mask_pair
from labelhub.numerics.nearest import nearest_distances
from labelhub.numerics.results import NAN, BoolArray, FloatArray
from labelhub.numerics.surfaces import surface

METHOD = "signed surface offset"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class SurfaceOffset:
    """Mean and standard deviation of the signed offsets over ``n`` surface voxels of both masks, in ``unit``.

    ``value`` is positive where the first mask is drawn too large (against a truth as second mask). ``sd`` divides by n.
    NaN where a mask is empty; ``penalised_distance`` is then the image's diagonal, as for every distance.
    """

    value: float
    sd: float
    n: int
    unit: LengthUnit
    edge_case: EdgeCase
    penalised_distance: float
    method: str = METHOD
    version: str = VERSION


@checked
def signed_surface_offset(
    first: BoolArray, second: BoolArray, *, spacing_mm: Sequence[float] | None = None
) -> SurfaceOffset:
    """By how much the first mask's outline lies outside the second's.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        The drawn mask and the truth, or two readers' masks. An axis of length 1 is no dimension.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis; without it lengths are in pixels.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or the spacing is impossible.

    Examples
    --------
    >>> square, larger = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> larger[8:22, 8:22] = True
    >>> found = signed_surface_offset(larger, square)
    >>> round(found.value, 2), round(signed_surface_offset(square, larger).value, 2)
    (2.06, -2.06)
    """
    pair = mask_pair(first, second, spacing_mm)
    if pair.edge_case != "none":
        return SurfaceOffset(NAN, NAN, 0, pair.unit, pair.edge_case, pair.penalised_distance)
    offsets = surface_offsets(pair)
    return SurfaceOffset(
        float(offsets.mean()), float(offsets.std()), len(offsets), pair.unit, pair.edge_case, pair.penalised_distance
    )


def surface_offsets(pair: MaskPair) -> FloatArray:
    """Every signed offset of a pair in which neither mask is empty: those of the first mask's surface come first."""
    a, b = surface(pair.first), surface(pair.second)
    outwards = np.where(pair.second[a], -1.0, 1.0) * nearest_distances(a, b, pair.spacing)
    inwards = np.where(pair.first[b], 1.0, -1.0) * nearest_distances(b, a, pair.spacing)
    return np.concatenate([outwards, inwards])
