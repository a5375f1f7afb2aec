"""Added path length: how much outline a reviewer would have to draw to turn one mask into another.

Outlines are drawn plane by plane. On each plane the contour of the truth is its pixels with an edge neighbour outside;
those farther than a tolerance from the contour that is already there have to be drawn. It counts work, not quality: a
truth that is empty on a plane costs nothing there, since deleting is not drawing. Not here: time models.

References
----------
Vaassen F et al. (2020) Evaluation of measures for assessing time-saving of automatic organ-at-risk segmentation in
radiotherapy. Phys Imaging Radiat Oncol 13:1-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, checked_tolerance, mask_pair
from labelhub.numerics.nearest import nearest_distances
from labelhub.numerics.results import NAN, BoolArray
from labelhub.numerics.surfaces import surface

METHOD = "added path length"
VERSION = "1"

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AddedPath:
    """``n_added`` of the ``n_contour`` contour pixels of the truth have to be drawn; ``share`` of them.

    ``length`` is ``n_added`` times the pixel's side in ``unit``, NaN where the pixels of a plane are not square. ``share``
    is NaN where the truth has no contour.
    """

    n_added: int
    n_contour: int
    share: float
    length: float
    tolerance: float
    unit: LengthUnit
    edge_case: EdgeCase
    method: str = METHOD
    version: str = VERSION


@checked
def added_path_length(
    first: BoolArray,
    second: BoolArray,
    *,
    tolerance: float = 0.0,
    spacing_mm: Sequence[float] | None = None,
    plane_axis: int = 0,
) -> AddedPath:
    """How much contour has to be added to the first mask to make it the second.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        What is there, and the truth (or the mask after editing). An axis of length 1 is no dimension.
    tolerance : float
        Contour no farther than this from what is there need not be drawn; mm with spacing, else pixels.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.
    plane_axis : int
        The axis across the planes of a volume (without effect in 2-D).

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, the spacing is impossible, or tolerance or plane_axis is out of
        range.

    Examples
    --------
    >>> square, shifted = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> shifted[10:20, 12:22] = True
    >>> [added_path_length(shifted, square, tolerance=tolerance).n_added for tolerance in (0, 1)]
    [20, 16]
    """
    checked_tolerance(tolerance)
    pair = mask_pair(first, second, spacing_mm)
    if not 0 <= plane_axis < 3:
        message = f"plane_axis is {plane_axis}; allowed are 0, 1 and 2"
        raise ValueError(message)
    given, truth, spacing = pair.first, pair.second, pair.spacing
    if pair.n_dimensions == 3:
        given, truth = np.moveaxis(given, plane_axis, 0), np.moveaxis(truth, plane_axis, 0)
        spacing = tuple(step for axis, step in enumerate(spacing) if axis != plane_axis)
    else:
        given, truth = given[None], truth[None]
    counts = np.array([_plane_counts(a, b, tolerance, spacing) for a, b in zip(given, truth, strict=True)]).sum(axis=0)
    n_added, n_contour = int(counts[0]), int(counts[1])
    side = spacing[0] if len(set(spacing)) == 1 else NAN
    share = n_added / n_contour if n_contour else NAN
    return AddedPath(n_added, n_contour, share, n_added * side, tolerance, pair.unit, pair.edge_case)


def _plane_counts(given: BoolArray, truth: BoolArray, tolerance: float, spacing: tuple[float, ...]) -> tuple[int, int]:
    if not truth.any():
        return 0, 0
    wanted = surface(truth)
    n_contour = int(np.count_nonzero(wanted))
    if not given.any():
        return n_contour, n_contour
    distances = nearest_distances(wanted, surface(given), spacing)
    return int(np.count_nonzero(distances > tolerance * (1 + _ROUNDING))), n_contour
