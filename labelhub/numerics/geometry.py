"""Similarity of shapes: boxes, keypoints, and masks that are placed sparsely on a large grid.

Every function returns ``similarity[first, second]``, 1 where alike and 0 where apart. Points are ``(x, y)`` in
continuous pixel coordinates; the pixel in column i and row j covers [i, i+1) x [j, j+1). Not here: polygons
(``polygons``), rasterising (``rasterise``), and distances between surfaces (``surfaces``).

References
----------
Rezatofighi H et al. (2019) Generalized intersection over union. CVPR.
Lin T-Y et al. (2014) Microsoft COCO (object keypoint similarity of its evaluation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "shape similarity"
VERSION = "1"


class Placed(Protocol):
    """A mask that says where on the grid its first voxel lies; ``voxels`` and ``origin`` have the same axes."""

    @property
    def voxels(self) -> BoolArray:
        """Boolean ``[y, x]`` or ``[z, y, x]``."""

    @property
    def origin(self) -> tuple[int, ...]:
        """Index of the first voxel on the grid."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMask:
    """A piece of a mask: ``voxels[z, y, x]`` (or ``[y, x]``) placed with its first voxel at ``origin`` of the grid."""

    voxels: BoolArray
    origin: tuple[int, ...]


@checked
def box_iou(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Intersection over union of boxes ``(x0, y0, x1, y1)``: shape (first, second); 0 where both areas are 0.

    Parameters
    ----------
    first, second : array of float, shape (box, 4)
        ``x0 <= x1`` and ``y0 <= y1``, finite; anything else is a ValueError.

    Examples
    --------
    >>> box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(4).tolist()
    [[0.3333, 0.0]]
    """
    a, b = _boxes(first, "first"), _boxes(second, "second")
    overlap, union = _box_areas(a, b)
    return _ratio(overlap, union)


@checked
def box_giou(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Generalised IoU, -1 to 1: IoU less the share of the enclosing box that is covered by neither (Rezatofighi 2019).

    Examples
    --------
    >>> box_giou([[0, 0, 1, 1]], [[3, 0, 4, 1]]).tolist()
    [[-0.5]]
    """
    a, b = _boxes(first, "first"), _boxes(second, "second")
    overlap, union = _box_areas(a, b)
    outer = np.maximum(a[:, None, 2:], b[None, :, 2:]) - np.minimum(a[:, None, :2], b[None, :, :2])
    hull = outer.prod(axis=2)
    iou, empty = _ratio(overlap, union), _ratio(hull - union, hull)
    return np.asarray(iou - empty, dtype=np.float64)


@checked
def keypoint_similarity(
    first: ArrayLike,
    second: ArrayLike,
    area: float,
    falloff: ArrayLike,
    visible: ArrayLike | None = None,
) -> float:
    """Object keypoint similarity of two sets of keypoints: the mean of exp(-d^2 / (2 area k^2)) over visible points.

    Parameters
    ----------
    first, second : array of float, shape (keypoint, 2)
        NaN where a point is not marked.
    area : float
        The object's area in squared pixels, above 0.
    falloff : array of float, shape (keypoint,) or a number
        COCO's k, twice its sigmas, above 0: how far people usually differ on this point, as a share of the object's
        size.
    visible : array of bool, shape (keypoint,), optional
        Points that count; those that both marked by default. The similarity is NaN where none counts.

    Raises
    ------
    ValueError
        Where shapes differ, area or falloff is not above 0, or a point that counts is NaN.

    Examples
    --------
    >>> round(keypoint_similarity([[0, 0], [10, 0]], [[0, 0], [10, 2]], area=100.0, falloff=0.2), 4)
    0.8033
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2:
        message = f"first has shape {a.shape} and second {b.shape}; both must be (keypoint, 2)"
        raise ValueError(message)
    if not area > 0:
        message = f"area is {area!r}; it must be above 0"
        raise ValueError(message)
    marked = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    used = marked if visible is None else np.asarray(visible, dtype=bool)
    if used.shape != (len(a),) or (used & ~marked).any():
        message = (
            f"visible has shape {used.shape} for {len(a)} keypoints; one each, and only of points that both marked"
        )
        raise ValueError(message)
    spread = np.asarray(falloff, dtype=np.float64)
    if spread.shape not in ((), (len(a),)) or not (spread > 0).all():
        message = f"falloff is {spread.tolist()} for {len(a)} keypoints; a number above 0, or one each, is needed"
        raise ValueError(message)
    if not used.any():
        return float("nan")
    spread = np.broadcast_to(spread, (len(a),))
    squared = ((a - b) ** 2).sum(axis=1)
    return float(np.exp(-squared[used] / (2 * area * spread[used] ** 2)).mean())


@checked
def point_similarity(first: ArrayLike, second: ArrayLike, tolerance: float, spacing: ArrayLike = 1.0) -> FloatArray:
    """Closeness of single points: 1 where they coincide, falling in a line to 0 at ``tolerance`` apart.

    Parameters
    ----------
    first, second : array of float, shape (point, axis)
        Points of two raters.
    tolerance : float
        Distance at which the similarity reaches 0, in the unit of the spacing.
    spacing : float or array of float, shape (axis,)
        Size of a pixel along each axis of the points.

    Raises
    ------
    ValueError
        Where tolerance is not above 0.

    Examples
    --------
    >>> point_similarity([[0, 0]], [[3, 4], [30, 40]], tolerance=10.0).tolist()
    [[0.5, 0.0]]
    """
    if not tolerance > 0:
        message = f"tolerance is {tolerance!r}; it must be above 0"
        raise ValueError(message)
    a, b = np.atleast_2d(np.asarray(first, dtype=np.float64)), np.atleast_2d(np.asarray(second, dtype=np.float64))
    if a.size == 0 or b.size == 0:
        return np.zeros((0 if a.size == 0 else len(a), 0 if b.size == 0 else len(b)))
    gap = (a[:, None, :] - b[None, :, :]) * np.asarray(spacing, dtype=np.float64)
    return np.asarray(np.clip(1 - np.sqrt((gap**2).sum(axis=2)) / tolerance, 0.0, 1.0), dtype=np.float64)


@checked
def mask_iou(first: Sequence[Placed], second: Sequence[Placed]) -> FloatArray:
    """Intersection over union of placed masks, 2-D or 3-D: shape (first, second); 0 where both are empty.

    Examples
    --------
    >>> square = np.ones((10, 10), dtype=bool)
    >>> mask_iou([PlacedMask(square, (10, 10))], [PlacedMask(square, (10, 12))]).round(4).tolist()
    [[0.6667]]
    """
    overlap, size_first, size_second = mask_overlaps(first, second)
    union = size_first[:, None] + size_second[None, :] - overlap
    return _ratio(overlap, union)


@checked
def mask_dice(first: Sequence[Placed], second: Sequence[Placed]) -> FloatArray:
    """Dice of placed masks, 2-D or 3-D: shape (first, second); 0 where both are empty (see ``overlap`` for NaN rules).

    Examples
    --------
    >>> square = np.ones((10, 10), dtype=bool)
    >>> mask_dice([PlacedMask(square, (10, 10))], [PlacedMask(square, (10, 12))]).tolist()
    [[0.8]]
    """
    overlap, size_first, size_second = mask_overlaps(first, second)
    both = size_first[:, None] + size_second[None, :]
    return _ratio(2 * overlap, both)


def mask_overlaps(first: Sequence[Placed], second: Sequence[Placed]) -> tuple[IntArray, IntArray, IntArray]:
    """Voxels shared by every two masks, and the size of each: ``overlap[first, second]``, ``first``, ``second``."""
    left, right = [_checked_mask(mask) for mask in first], [_checked_mask(mask) for mask in second]
    overlap = np.zeros((len(left), len(right)), dtype=np.int64)
    sizes = [np.array([int(m.voxels.sum()) for m in side], dtype=np.int64) for side in (left, right)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            shared = shared_windows(a, b)
            if shared is not None:
                overlap[i, j] = np.count_nonzero(a.voxels[shared[0]] & b.voxels[shared[1]])
    return overlap, sizes[0], sizes[1]


def shared_windows(first: Placed, second: Placed) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
    """Where the bounding boxes of two placed masks meet, as slices into each; ``None`` where they do not."""
    if first.voxels.ndim != second.voxels.ndim:
        message = f"masks have {first.voxels.ndim} and {second.voxels.ndim} dimensions; they must be on the same grid"
        raise ValueError(message)
    into_first, into_second = [], []
    for a0, an, b0, bn in zip(first.origin, first.voxels.shape, second.origin, second.voxels.shape, strict=True):
        low, high = max(a0, b0), min(a0 + an, b0 + bn)
        if low >= high:
            return None
        into_first.append(slice(low - a0, high - a0))
        into_second.append(slice(low - b0, high - b0))
    return tuple(into_first), tuple(into_second)


def _checked_mask(mask: Placed) -> Placed:
    if mask.voxels.dtype != np.bool_ or mask.voxels.ndim != len(mask.origin):
        message = (
            f"a mask has dtype {mask.voxels.dtype}, {mask.voxels.ndim} dimensions and origin {mask.origin}; "
            "allowed are boolean voxels with one origin index a dimension"
        )
        raise ValueError(message)
    return mask


def _boxes(boxes: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(boxes, dtype=np.float64)
    if array.size and array.shape[-1:] != (4,):
        message = f"{name} has shape {array.shape}; (box, 4) with (x0, y0, x1, y1) is needed"
        raise ValueError(message)
    array = array.reshape(-1, 4)
    # A sum is finite only where every number is, unless it overflows: then each is looked at.
    is_finite = np.isfinite(array.sum()) or np.isfinite(array).all()
    if not is_finite or (array[:, 2:] < array[:, :2]).any():
        message = f"{name} holds a box not finite or ending before it starts; allowed is (x0, y0, x1, y1), x0 <= x1"
        raise ValueError(message)
    return array


def _box_areas(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What every two boxes share, and what both cover: one coordinate at a time, which is quicker than points."""
    (x0, y0, x1, y1), (left, top, right, bottom) = np.ascontiguousarray(a.T)[:, :, None], np.ascontiguousarray(b.T)
    wide = np.minimum(x1, right)
    wide -= np.maximum(x0, left)
    np.maximum(wide, 0.0, out=wide)
    high = np.minimum(y1, bottom)
    high -= np.maximum(y0, top)
    np.maximum(high, 0.0, out=high)
    wide *= high
    union = np.subtract((x1 - x0) * (y1 - y0) + (right - left) * (bottom - top), wide, out=high)
    return wide, union


def _ratio(above: ArrayLike, below: ArrayLike) -> FloatArray:
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
