"""Boundary IoU: the overlap of the rims of two masks, as sensitive to a large object's outline as to a small one's.

The rim of a mask is its voxels within ``width`` of what lies outside it; beyond the image everything is outside. Without
spacing the rim is that of the paper: the mask less its erosion by ``width`` pixels with the full neighbourhood
(diagonals included). With spacing the width is a length in mm between voxel centres. Not here: rims on both sides of
the outline.

References
----------
Cheng B et al. (2021) Boundary IoU: improving object-centric image segmentation evaluation. CVPR, eq. 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, MaskPair, mask_pair
from labelhub.numerics.results import BoolArray

METHOD = "boundary IoU"
VERSION = "1"

# The paper's choice for images of natural scenes.
DEFAULT_SHARE_OF_DIAGONAL = 0.02
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class BoundaryOverlap:
    """Boundary IoU of two masks, 1 where the rims coincide; NaN where both masks are empty, 0 where one is.

    ``width`` of the rim is in ``unit``; ``n_first`` and ``n_second`` count the voxels of the rims.
    """

    value: float
    width: float
    unit: LengthUnit
    n_first: int
    n_second: int
    edge_case: EdgeCase
    method: str = METHOD
    version: str = VERSION


@checked
def boundary_iou(
    first: BoolArray,
    second: BoolArray,
    *,
    width: float | None = None,
    spacing_mm: Sequence[float] | None = None,
    both_empty_is_perfect: bool = False,
) -> BoundaryOverlap:
    """IoU of the rims of two masks on one grid.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        The whole image, whose diagonal decides the default width. An axis of length 1 is no dimension.
    width : float, optional
        Width of the rim: whole pixels of at least 1, or mm with spacing. By default 2 % of the image's diagonal, rounded
        to whole pixels (at least 1) where lengths are in pixels.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.
    both_empty_is_perfect : bool
        Two empty masks get 1 in place of NaN.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or width or spacing is impossible.

    Examples
    --------
    A 10 x 10 square and the same shifted by two columns.

    >>> square, shifted = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> shifted[10:20, 12:22] = True
    >>> [round(boundary_iou(shifted, square, width=width).value, 4) for width in (1, 2)]
    [0.2857, 0.3333]
    """
    pair = mask_pair(first, second, spacing_mm)
    used = _checked_width(pair, width)
    rims = [rim(mask, used, None if pair.unit == "px" else pair.spacing) for mask in (pair.first, pair.second)]
    both, either = int(np.count_nonzero(rims[0] & rims[1])), int(np.count_nonzero(rims[0] | rims[1]))
    value = pair.share_or_edge(both / max(either, 1), both_empty_is_perfect=both_empty_is_perfect)
    counts = [int(np.count_nonzero(one)) for one in rims]
    return BoundaryOverlap(value, used, pair.unit, counts[0], counts[1], pair.edge_case)


def rim(mask: BoolArray, width: float, spacing_mm: Sequence[float] | None = None) -> BoolArray:
    """The voxels of a mask within ``width`` of the outside: whole pixels with diagonals, or mm where spacing is given.

    Examples
    --------
    >>> int(rim(np.ones((10, 10), dtype=bool), 2).sum())
    64
    """
    if spacing_mm is None:
        inner = ndimage.minimum_filter(mask.view(np.uint8), 2 * int(width) + 1, mode="constant", cval=0)
        return np.asarray(mask & (inner == 0))
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[(slice(1, -1),) * mask.ndim]
    return np.asarray(mask & (depth <= width * (1 + _ROUNDING)))


def _checked_width(pair: MaskPair, width: float | None) -> float:
    if width is None:
        share = DEFAULT_SHARE_OF_DIAGONAL * pair.diagonal
        # Half to even, as the paper's own code rounds.
        return float(max(round(share), 1)) if pair.unit == "px" else max(share, min(pair.spacing))
    if not (math.isfinite(width) and width > 0) or (pair.unit == "px" and width != int(width)):
        message = f"width is {width!r}; a whole number of pixels of at least 1, or mm above 0 with spacing, is needed"
        raise ValueError(message)
    return float(width)
