"""clDice: whether two tubular masks (vessels, airways, nerves) run along the same centre lines.

The centre line of each mask should lie inside the other: precision is the share of the first mask's centre line inside
the second, sensitivity the reverse. Centre lines are skeletons of scikit-image: Zhang's in 2-D, Lee's in 3-D. They are
thinned on the voxel grid, so the spacing plays no part. Not here: blobs, for which a centre line means little.

References
----------
Shit S et al. (2021) clDice: a novel topology-preserving loss function for tubular structure segmentation. CVPR, eq. 1-2.
Zhang TY, Suen CY (1984) A fast parallel algorithm for thinning digital patterns. CACM 27:236-239.
Lee TC, Kashyap RL, Chu CN (1994) Building skeleton models via 3-D medial surface/axis thinning. CVGIP 56:462-478.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.morphology import skeletonize

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import EdgeCase, mask_pair
from labelhub.numerics.results import NAN, BoolArray

METHOD = "clDice"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class CentrelineOverlap:
    """clDice of a mask (first) and a truth or another reader's mask (second), 1 where each covers the other's line.

    ``precision`` is the share of the first mask's centre line (``n_first`` voxels) inside the second; ``sensitivity``
    the share of the second's inside the first. NaN where both masks are empty; 0 where one is.
    """

    value: float
    precision: float
    sensitivity: float
    n_first: int
    n_second: int
    edge_case: EdgeCase
    method: str = METHOD
    version: str = VERSION


@checked
def cl_dice(first: BoolArray, second: BoolArray, *, both_empty_is_perfect: bool = False) -> CentrelineOverlap:
    """Centre-line Dice (clDice) of two masks on one grid.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        An axis of length 1 is no dimension.
    both_empty_is_perfect : bool
        Two empty masks get 1 in place of NaN.

    Raises
    ------
    ValueError
        Where the grids differ, or a mask is not boolean.

    Examples
    --------
    The first mask follows half of a line and misses the other.

    >>> line, half = np.zeros((9, 40), dtype=bool), np.zeros((9, 40), dtype=bool)
    >>> line[3:6, 4:36] = half[3:6, 4:20] = True
    >>> found = cl_dice(half, line)
    >>> found.precision, round(found.sensitivity, 2), round(found.value, 2)
    (1.0, 0.52, 0.68)
    """
    pair = mask_pair(first, second)
    if pair.edge_case != "none":
        value = pair.share_or_edge(NAN, both_empty_is_perfect=both_empty_is_perfect)
        return CentrelineOverlap(value, value, value, 0, 0, pair.edge_case)
    lines = [centre_line(mask) for mask in (pair.first, pair.second)]
    n_first, n_second = (int(np.count_nonzero(line)) for line in lines)
    precision = float(np.count_nonzero(lines[0] & pair.second) / n_first)
    sensitivity = float(np.count_nonzero(lines[1] & pair.first) / n_second)
    total = precision + sensitivity
    value = 2 * precision * sensitivity / total if total else 0.0
    return CentrelineOverlap(value, precision, sensitivity, n_first, n_second, pair.edge_case)


def centre_line(mask: BoolArray) -> BoolArray:
    """The skeleton of a mask, one voxel wide; never empty where the mask is not. A row of voxels is its own.

    Examples
    --------
    >>> int(centre_line(np.ones((3, 9), dtype=bool)).sum())
    8
    """
    if mask.ndim == 1:
        return mask
    # A rim of background: thinning treats the array's edge otherwise than the object's.
    line = np.asarray(skeletonize(np.pad(mask, 1)), dtype=bool)[(slice(1, -1),) * mask.ndim]
    # Zhang's rule can thin a tiny object away; its own voxels then stand for its line.
    return line if line.any() else mask
