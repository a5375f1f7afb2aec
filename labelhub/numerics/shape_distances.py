"""Distances between two annotations of one kind, for ``structured.structured_alpha``; and the same after moving them.

0 is equal. Dice, IoU, boundary and keypoint distances end at 1, the generalised IoU's at 2. NaN where both are empty.
Not here: similarity of many shapes at once (``geometry``), every measure of a pair (``overlap``).

References
----------
Rezatofighi H et al. (2019) Generalized intersection over union. CVPR.
Lin T-Y et al. (2014) Microsoft COCO (object keypoint similarity of its evaluation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask, box_giou, box_iou, keypoint_similarity, mask_overlaps
from labelhub.numerics.overlap import compare_placed
from labelhub.numerics.results import NAN, BoolArray, FloatArray

METHOD = "shape distance"
VERSION = "1"

Annotation = TypeVar("Annotation")


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """The keypoints of one object: ``points[keypoint] = (x, y)``, NaN where not marked, and the object's area."""

    points: FloatArray
    area: float


@checked
def dice_distance(first: Placed, second: Placed) -> float:
    """1 - Dice of two masks; NaN where both are empty.

    Parameters
    ----------
    first, second : Placed
        Boolean masks on one grid.

    Examples
    --------
    >>> square = np.ones((10, 10), dtype=bool)
    >>> round(dice_distance(PlacedMask(square, (10, 10)), PlacedMask(square, (10, 12))), 3)
    0.2
    """
    both, sizes = _counts(first, second)
    return 1 - 2 * both / sizes if sizes else NAN


@checked
def iou_distance(first: Placed, second: Placed) -> float:
    """1 - intersection over union of two masks; NaN where both are empty."""
    both, sizes = _counts(first, second)
    return 1 - both / (sizes - both) if sizes else NAN


def box_distance(first: ArrayLike, second: ArrayLike) -> float:
    """1 - intersection over union of two boxes ``(x0, y0, x1, y1)``."""
    return 1 - float(box_iou(_row(first), _row(second))[0, 0])


def generalised_box_distance(first: ArrayLike, second: ArrayLike) -> float:
    """1 - generalised IoU of two boxes: 0 to 2, and still growing where boxes do not touch."""
    return 1 - float(box_giou(_row(first), _row(second))[0, 0])


@checked
def boundary_distance(
    largest: float, spacing_mm: Sequence[float] | None = None, grid_size: Sequence[int] | None = None
) -> Callable[[Placed, Placed], float]:
    """The distance min(HD95 / ``largest``, 1) between outlines of masks; 1 where one is empty, NaN where both are.

    Parameters
    ----------
    largest : float
        From how far apart on two outlines count as unlike, in mm, or in pixels without spacing. Fix it before reading.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.
    grid_size : sequence of int, optional
        Of the whole image; an axis of length 1 there is no dimension. The masks' own extent by default: give it where
        masks of a volume may lie in one slice.

    Raises
    ------
    ValueError
        Where ``largest`` is not above 0.

    Examples
    --------
    >>> square = np.ones((10, 10), dtype=bool)
    >>> boundary_distance(10)(PlacedMask(square, (10, 10)), PlacedMask(square, (10, 12)))
    0.2
    """
    if not largest > 0:
        message = f"largest is {largest!r}; it must be above 0"
        raise ValueError(message)

    def distance(first: Placed, second: Placed) -> float:
        sizes = int(first.voxels.sum()), int(second.voxels.sum())
        if not all(sizes):
            return 1.0 if any(sizes) else NAN
        low = np.minimum(first.origin, second.origin)
        one, other = moved_mask(first, -low), moved_mask(second, -low)
        extent = np.maximum(np.add(one.origin, one.voxels.shape), np.add(other.origin, other.voxels.shape))
        size = extent if grid_size is None else np.maximum(extent, grid_size)
        return min(compare_placed(one, other, size.tolist(), spacing_mm=spacing_mm).hausdorff_95 / largest, 1.0)

    return distance


@checked
def keypoint_distance(falloff: ArrayLike) -> Callable[[Keypoints, Keypoints], float]:
    """The distance 1 - object keypoint similarity; a point that one of the two alone marked counts as unlike.

    The object's area is the mean of both. ``falloff`` is as in ``geometry.keypoint_similarity``.

    Examples
    --------
    >>> one = Keypoints(np.array([[0.0, 0.0], [10.0, 0.0]]), 100.0)
    >>> two = Keypoints(np.array([[0.0, 0.0], [np.nan, np.nan]]), 100.0)
    >>> keypoint_distance(0.2)(one, two)
    0.5
    """

    def distance(first: Keypoints, second: Keypoints) -> float:
        seen_first, seen_second = _marked(first), _marked(second)
        both, either = seen_first & seen_second, seen_first | seen_second
        if not either.any():
            return NAN
        if not both.any():
            return 1.0
        points = [np.where(both[:, None], marks.points, 0.0) for marks in (first, second)]
        alike = keypoint_similarity(points[0], points[1], (first.area + second.area) / 2, falloff, both)
        return 1 - alike * float(both.sum() / either.sum())

    return distance


@checked
def registered(
    distance: Callable[[Annotation, Annotation], float],
    centre: Callable[[Annotation], FloatArray],
    move: Callable[[Annotation, FloatArray], Annotation],
) -> Callable[[Annotation, Annotation], float]:
    """The distance after the second annotation is moved so that both centres coincide: position no longer counts.

    Use as ``chance_distance`` of ``structured_alpha`` with the baseline ``TRANSLATION_REGISTERED``.

    Examples
    --------
    >>> square = np.ones((4, 4), dtype=bool)
    >>> moved = registered(dice_distance, mask_centre, moved_mask)
    >>> moved(PlacedMask(square, (0, 0)), PlacedMask(square, (50, 70)))
    0.0
    """

    def after_moving(first: Annotation, second: Annotation) -> float:
        return distance(first, move(second, centre(first) - centre(second)))

    return after_moving


def mask_centre(mask: Placed) -> FloatArray:
    """The centre of a mask's voxels on the grid, NaN where it is empty: shape (axis,)."""
    voxels = np.argwhere(mask.voxels)
    if len(voxels) == 0:
        return np.full(mask.voxels.ndim, NAN)
    return np.asarray(voxels.mean(axis=0) + mask.origin, dtype=np.float64)


def moved_mask(mask: Placed, step: FloatArray) -> PlacedMask:
    """The mask moved by ``step`` rounded to whole voxels; an undefined step (an empty mask) moves nothing."""
    whole = np.floor(np.nan_to_num(step) + 0.5).astype(np.int64)
    return PlacedMask(mask.voxels, tuple((np.asarray(mask.origin) + whole).tolist()))


def mask_size(mask: Placed) -> float:
    """How many voxels a mask has."""
    return float(np.count_nonzero(mask.voxels))


def box_centre(box: ArrayLike) -> FloatArray:
    """The centre ``(x, y)`` of a box ``(x0, y0, x1, y1)``."""
    corners = np.asarray(box, dtype=np.float64)
    return np.asarray((corners[:2] + corners[2:]) / 2, dtype=np.float64)


def moved_box(box: ArrayLike, step: FloatArray) -> FloatArray:
    """The box moved by ``step = (x, y)``."""
    return np.asarray(box, dtype=np.float64) + np.tile(step, 2)


def box_size(box: ArrayLike) -> float:
    """The area of a box."""
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    return float((x1 - x0) * (y1 - y0))


def _row(box: ArrayLike) -> FloatArray:
    return np.asarray(box, dtype=np.float64)[None]


def _marked(keypoints: Keypoints) -> BoolArray:
    return np.asarray(~np.isnan(keypoints.points).any(axis=1), dtype=bool)


def _counts(first: Placed, second: Placed) -> tuple[int, int]:
    """Voxels in both, and those of each added up."""
    overlap, one, other = mask_overlaps([first], [second])
    return int(overlap[0, 0]), int(one[0] + other[0])
