"""Surface distances weighted by area: each piece of surface counts with its size, however the voxels lie under it.

Where ``surfaces`` counts surface voxels, here the surface runs between voxel centres as marching cubes would draw it.
Every cell of 2 x 2 (x 2) neighbouring voxels that is neither full nor empty holds one surface element (surfel): its
area (in 2-D its length) depends on which corners are inside and on the spacing, its place is the centre of the cell.
Values equal those of the surface-distance package of the authors of surface Dice. Not here: empty masks against
anything but each other (see :func:`surfel_surface_dice`).

References
----------
Nikolov S et al. (2021) Clinically applicable segmentation of head and neck anatomy. JMIR 23:e26151.
Lorensen WE, Cline HE (1987) Marching cubes. Computer Graphics 21:163-169.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from skimage.measure import marching_cubes

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, MaskPair, checked_tolerance, mask_pair
from labelhub.numerics.nearest import margin_of, nearest_in_margin, with_margin
from labelhub.numerics.results import NAN, BoolArray, FloatArray

METHOD = "surfel-weighted surface distance"
VERSION = "1"

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class SurfelDistances:
    """Distance and area of every surfel of both masks, and how the masks stand to each other.

    Arrays are empty for an empty mask; distances are infinite where the other mask is empty. Areas are in the square of
    ``unit``, lengths in 2-D.
    """

    from_first: FloatArray
    from_second: FloatArray
    area_first: FloatArray
    area_second: FloatArray
    unit: LengthUnit
    edge_case: EdgeCase
    method: str = METHOD
    version: str = VERSION


@checked
def surfel_distances(
    first: BoolArray, second: BoolArray, *, spacing_mm: Sequence[float] | None = None
) -> SurfelDistances:
    """Both directed sets of surfel distances of two masks on one grid.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        Everything beyond the array is background; an axis of length 1 is no dimension.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis; without it lengths are in pixels.

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or the spacing is impossible.

    Examples
    --------
    Two pixels of 2 x 1 mm that are 2 mm apart, from the tests of the surface-distance package.

    >>> first, second = np.zeros((100, 100), dtype=bool), np.zeros((100, 100), dtype=bool)
    >>> first[50, 70] = second[50, 72] = True
    >>> found = surfel_distances(first, second, spacing_mm=(2, 1))
    >>> found.from_first.tolist(), found.area_first.round(3).tolist(), surfel_surface_dice(found, 1.0)
    ([2.0, 1.0, 2.0, 1.0], [1.118, 1.118, 1.118, 1.118], 0.5)
    """
    return surfels_of_pair(mask_pair(first, second, spacing_mm))


def surfels_of_pair(pair: MaskPair) -> SurfelDistances:
    """As :func:`surfel_distances`, of a pair that was made ready before."""
    areas = surfel_areas(pair.spacing)
    # There is a cell more than voxels along each axis: it lies in the margin.
    margin = margin_of(pair.spacing, tuple(length + 1 for length in pair.first.shape))
    room = tuple(step + 1 for step in margin)
    borders, area = [], []
    for mask in (pair.first, pair.second):
        border, codes = _border_codes(with_margin(mask, room))
        borders.append(border)
        area.append(areas[codes])
    if pair.edge_case == "none":
        forward = nearest_in_margin(borders[0], borders[1], pair.spacing, margin)
        backward = nearest_in_margin(borders[1], borders[0], pair.spacing, margin)
    else:
        forward, backward = (np.full(len(one), np.inf) for one in area)
    return SurfelDistances(forward, backward, area[0], area[1], pair.unit, pair.edge_case)


def _border_codes(mask: BoolArray) -> tuple[BoolArray, np.ndarray]:
    """The cells that the surface passes, each in the place of its last corner, and their codes alone, in C order."""
    flat = mask.reshape(-1)
    some, every = flat.copy(), flat.copy()
    for stride in mask.strides:
        some[stride:] |= some[:-stride]
        every[stride:] &= every[:-stride]
    border = np.greater(some, every, out=some)
    cells = np.flatnonzero(border)
    codes = np.zeros(len(cells), dtype=np.uint8)
    for corner in np.ndindex((2,) * mask.ndim):
        before = sum(stride for stride, end in zip(mask.strides, corner, strict=True) if not end)
        codes <<= 1
        codes |= flat.view(np.uint8).take(cells - before)
    return border.reshape(mask.shape), codes


def surfel_surface_dice(distances: SurfelDistances, tolerance: float) -> float:
    """NSD by area: the share of both surfaces that lies within ``tolerance`` of the other; NaN where both are empty.

    Parameters
    ----------
    distances : SurfelDistances
    tolerance : float
        At least 0, in the unit of the distances.

    Examples
    --------
    >>> left, right = np.zeros((8, 8), dtype=bool), np.zeros((8, 8), dtype=bool)
    >>> left[2:6, 2:6] = right[2:6, 3:7] = True
    >>> surfel_surface_dice(surfel_distances(left, right), 1.0)
    1.0
    """
    within = [area.sum() * share for area, share in zip(_areas(distances), _within(distances, tolerance), strict=True)]
    total = distances.area_first.sum() + distances.area_second.sum()
    return float(sum(within) / total) if total else NAN


def surfel_overlaps(distances: SurfelDistances, tolerance: float) -> tuple[float, float]:
    """The share of each surface alone that lies within ``tolerance`` of the other; NaN for an empty mask."""
    shares = [
        share if area.size else NAN
        for area, share in zip(_areas(distances), _within(distances, tolerance), strict=True)
    ]
    return shares[0], shares[1]


def surfel_average_distances(distances: SurfelDistances) -> tuple[float, float]:
    """The mean distance from each surface to the other, weighted by area; NaN where a mask is empty."""
    if distances.edge_case != "none":
        return NAN, NAN
    return (
        float((distances.from_first * distances.area_first).sum() / distances.area_first.sum()),
        float((distances.from_second * distances.area_second).sum() / distances.area_second.sum()),
    )


def surfel_hausdorff(distances: SurfelDistances, percentile: float = 100.0) -> float:
    """The larger of the two directed percentiles by area: the least distance that covers this percentage of a surface.

    NaN where a mask is empty.

    Parameters
    ----------
    distances : SurfelDistances
    percentile : float
        0 to 100; 95 gives the package's robust Hausdorff distance.

    Raises
    ------
    ValueError
        Where the percentile lies outside 0 to 100.
    """
    if not 0 <= percentile <= 100:
        message = f"percentile is {percentile!r}; allowed is 0 to 100"
        raise ValueError(message)
    if distances.edge_case != "none":
        return NAN
    both = ((distances.from_first, distances.area_first), (distances.from_second, distances.area_second))
    return max(_covering_distance(distance, area, percentile / 100) for distance, area in both)


def neighbour_codes(mask: BoolArray) -> np.ndarray:
    """Which corners of every cell are inside, as a number: one bit a corner, the first corner the highest.

    Cells have the grid's shape plus one along each axis; the corners of the first cell are mostly beyond the image.

    Examples
    --------
    >>> neighbour_codes(np.array([[True]])).tolist()
    [[1, 2], [4, 8]]
    """
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros(tuple(length + 1 for length in mask.shape), dtype=np.uint8)
    for corner in np.ndindex((2,) * mask.ndim):
        codes <<= 1
        codes |= padded[tuple(slice(start, start + length) for start, length in zip(corner, codes.shape, strict=True))]
    return codes


@lru_cache(maxsize=32)
def surfel_areas(spacing: tuple[float, ...]) -> FloatArray:
    """The area of the surface in a cell (2-D: length, 1-D: 1 an end), by the number that says which corners are inside.

    Where faces are ambiguous the rarer side's corners are cut off one by one, so that a mask and its complement have the
    same surface.

    Examples
    --------
    >>> surfel_areas((2.0, 1.0)).round(3).tolist()[:4]
    [0.0, 1.118, 1.118, 1.0]
    """
    if len(spacing) == 1:
        areas = np.array([0.0, 1.0, 1.0, 0.0])
    else:
        areas = _contour_lengths(spacing) if len(spacing) == 2 else _cube_areas(spacing)
    areas.flags.writeable = False
    return areas


def _contour_lengths(spacing: tuple[float, ...]) -> FloatArray:
    down, across = spacing
    lengths = np.zeros(16)
    for code in range(1, 15):
        corners = np.array([code >> 3 & 1, code >> 2 & 1, code >> 1 & 1, code & 1], dtype=bool).reshape(2, 2)
        diagonal = 0.5 * float(np.hypot(down, across))
        if corners.sum() != 2:
            lengths[code] = diagonal
        elif corners[0, 0] == corners[1, 1]:
            lengths[code] = 2 * diagonal
        else:
            lengths[code] = across if corners[0, 0] == corners[0, 1] else down
    return lengths


def _cube_areas(spacing: tuple[float, ...]) -> FloatArray:
    z, y, x = spacing
    faces = np.array([y * x, z * x, z * y])
    return np.array([float(np.linalg.norm(normals * faces, axis=1).sum()) for normals in _cube_normals()])


@lru_cache(maxsize=1)
def _cube_normals() -> tuple[FloatArray, ...]:
    """Of every cell the triangles that cut it, as normals whose length is the area in a unit cell."""
    normals = []
    for code in range(256):
        corners = np.array([code >> (7 - corner) & 1 for corner in range(8)], dtype=np.float64).reshape(2, 2, 2)
        if code in (0, 255):
            normals.append(np.zeros((0, 3)))
            continue
        rarer = corners if corners.sum() <= 4 else 1 - corners
        points, triangles, _, _ = marching_cubes(rarer, 0.5, method="lorensen")
        a, b, c = (points[triangles[:, corner]].astype(np.float64) for corner in range(3))
        normals.append(np.cross(b - a, c - a) / 2)
    return tuple(normals)


def _areas(distances: SurfelDistances) -> tuple[FloatArray, FloatArray]:
    return distances.area_first, distances.area_second


def _within(distances: SurfelDistances, tolerance: float) -> tuple[float, float]:
    limit = checked_tolerance(tolerance) * (1 + _ROUNDING)
    shares = [
        float(area[distance <= limit].sum() / area.sum()) if area.size else 0.0
        for distance, area in zip((distances.from_first, distances.from_second), _areas(distances), strict=True)
    ]
    return shares[0], shares[1]


def _covering_distance(distance: FloatArray, area: FloatArray, share: float) -> float:
    order = np.argsort(distance, kind="stable")
    covered = np.cumsum(area[order])
    place = int(np.searchsorted(covered / covered[-1], share))
    return float(distance[order][min(place, len(order) - 1)])
