"""One shape out of several raters' shapes of the same object: boxes, masks and keypoints.

Not here: which shapes are the same object (``matching``), and fusion that weighs raters by their skill.

References
----------
Armato SG et al. (2011) LIDC-IDRI. Medical Physics 38:915-931 (the 50 % consensus mask).
Weiszfeld E (1937) Sur le point pour lequel la somme des distances de n points donnes est minimum. Tohoku Math J 43:355.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.results import NAN, BoolArray, FloatArray

METHOD = "object merge"
VERSION = "1"

_OUTLIER_MADS = 3.0
_MAD_TO_SIGMA = 1.4826


def default_quorum(n_raters: int) -> int:
    """How many raters must have marked a thing for it to count: half of them, rounded up, and at least one.

    Raises
    ------
    ValueError
        Where ``n_raters`` is below 1.

    Examples
    --------
    >>> [default_quorum(n) for n in (1, 2, 3, 4)]
    [1, 1, 2, 2]
    """
    if n_raters < 1:
        message = f"n_raters is {n_raters!r}; at least 1 is needed"
        raise ValueError(message)
    return math.ceil(n_raters / 2)


@dataclass(frozen=True, slots=True, eq=False)
class MergedMask:
    """A merged mask with its votes: ``mask`` (voxels marked by ``quorum`` or more of ``n_raters``) and ``votes``.

    ``votes.shape == mask.voxels.shape``. ``n_split`` counts the voxels that exactly half of the raters marked: at the
    default quorum such a tie belongs to the mask.
    """

    mask: PlacedMask
    votes: np.ndarray
    quorum: int
    n_raters: int
    n_split: int
    method: str = "voxel vote at the quorum, ties inside"
    version: str = VERSION


@checked
def merge_masks(masks: Sequence[Placed], *, n_raters: int | None = None, quorum: int | None = None) -> MergedMask:
    """The voxels that at least ``quorum`` raters marked, in the bounding box of all their masks.

    Parameters
    ----------
    masks : sequence of Placed
        One a rater who marked the object, all 2-D or all 3-D.
    n_raters : int, optional
        Whose votes count; those who marked the object by default. Larger where an absent mask is a vote against.
    quorum : int, optional
        Least votes; half of ``n_raters`` rounded up by default (LIDC's 50 % consensus).

    Raises
    ------
    ValueError
        Where there is no mask, dimensions differ, or ``n_raters`` or ``quorum`` cannot be.

    Examples
    --------
    >>> row = lambda start: PlacedMask(np.ones((1, 3), dtype=bool), (0, start))
    >>> merged = merge_masks([row(0), row(1), row(2)])
    >>> merged.mask.origin, merged.mask.voxels.astype(int).tolist()
    ((0, 0), [[0, 1, 1, 1, 0]])
    """
    if not masks:
        message = "masks is empty; at least one mask is needed"
        raise ValueError(message)
    count = len(masks) if n_raters is None else n_raters
    if count < len(masks):
        message = f"n_raters is {count}; there are {len(masks)} masks"
        raise ValueError(message)
    needed = default_quorum(count) if quorum is None else quorum
    if not 1 <= needed <= count:
        message = f"quorum is {needed}; allowed is 1 to n_raters = {count}"
        raise ValueError(message)
    votes, origin = vote_map(masks)
    split = int(np.count_nonzero(2 * votes == count))
    return MergedMask(PlacedMask(votes >= needed, origin), votes, needed, count, split)


def vote_map(masks: Sequence[Placed]) -> tuple[np.ndarray, tuple[int, ...]]:
    """How many masks hold each voxel, in the bounding box of all of them, and that box's origin."""
    filled = [mask for mask in masks if mask.voxels.size]
    if not filled:
        n_dimensions = masks[0].voxels.ndim if masks else 3
        return np.zeros((0,) * n_dimensions, dtype=np.int32), (0,) * n_dimensions
    if len({mask.voxels.ndim for mask in filled}) != 1:
        message = "masks mix 2 and 3 dimensions; they must be on the same grid"
        raise ValueError(message)
    low = np.min([mask.origin for mask in filled], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in filled], axis=0)
    # Room for twice the votes, because that is what majorities are compared with.
    votes = np.zeros(tuple(high - low), dtype=np.min_scalar_type(2 * len(masks)))
    for mask in filled:
        start = np.asarray(mask.origin) - low
        window = tuple(slice(int(a), int(a + n)) for a, n in zip(start, mask.voxels.shape, strict=True))
        votes[window] += mask.voxels
    return votes, tuple(int(start) for start in low)


@checked
def merge_boxes(boxes: ArrayLike) -> FloatArray:
    """The coordinate-wise median of boxes ``(x0, y0, x1, y1)``, which one wild rater of three cannot move far.

    Parameters
    ----------
    boxes : array of float, shape (rater, 4)

    Raises
    ------
    ValueError
        Where there is no box, or one is not four finite numbers.

    Examples
    --------
    >>> merge_boxes([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 90, 10]]).tolist()
    [0.0, 0.0, 11.0, 10.0]
    """
    array = np.asarray(boxes, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 4 or len(array) == 0 or not np.isfinite(array).all():
        message = f"boxes has shape {array.shape}; finite (x0, y0, x1, y1) of at least one rater are needed"
        raise ValueError(message)
    return np.asarray(np.median(array, axis=0), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class MergedPoints:
    """Merged keypoints: ``points[keypoint]`` (NaN where too few marked it), who was an outlier, how many marked it."""

    points: FloatArray
    is_outlier: BoolArray
    n_marked: np.ndarray
    method: str = "geometric median, outliers beyond 3 MAD marked"
    version: str = VERSION


@checked
def merge_keypoints(points: ArrayLike, *, quorum: int | None = None) -> MergedPoints:
    """The geometric median of each keypoint over raters, and which rater's point lies far from it.

    Parameters
    ----------
    points : array of float, shape (rater, keypoint, 2) or (rater, keypoint, 3)
        NaN where a rater did not mark the point.
    quorum : int, optional
        How many raters must have marked it; half rounded up by default.

    Raises
    ------
    ValueError
        Where points have another shape, or the quorum is not 1 to the number of raters.

    Examples
    --------
    >>> merged = merge_keypoints([[[0, 0]], [[1, 0]], [[0, 1]], [[90, 90]]])
    >>> merged.points.round(1).tolist(), merged.is_outlier.ravel().tolist()
    ([[0.5, 0.5]], [False, False, False, True])
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 3 or len(array) == 0 or array.shape[2] not in (2, 3):
        message = f"points has shape {array.shape}; (rater, keypoint, 2 or 3) with at least one rater is needed"
        raise ValueError(message)
    needed = default_quorum(len(array)) if quorum is None else quorum
    if not 1 <= needed <= len(array):
        message = f"quorum is {needed}; allowed is 1 to the number of raters, {len(array)}"
        raise ValueError(message)
    marked: BoolArray = np.asarray(np.isfinite(array).all(axis=2))
    merged = np.full(array.shape[1:], NAN)
    is_outlier = np.zeros(marked.shape, dtype=bool)
    for keypoint in range(array.shape[1]):
        here = array[marked[:, keypoint], keypoint]
        if len(here) < needed:
            continue
        merged[keypoint] = geometric_median(here)
        distance = np.linalg.norm(here - merged[keypoint], axis=1)
        scale = _MAD_TO_SIGMA * float(np.median(distance))
        is_outlier[marked[:, keypoint], keypoint] = (distance > _OUTLIER_MADS * scale) & (scale > 0) & (len(here) > 2)
    return MergedPoints(merged, is_outlier, marked.sum(axis=0))


def geometric_median(points: ArrayLike, *, tolerance: float = 1e-10, max_iterations: int = 500) -> FloatArray:
    """The point with the least total distance to all given points; it may be one of them.

    Parameters
    ----------
    points : array of float, shape (point, axis)
    tolerance, max_iterations : float, int
        Stop when a step is no longer than this share of the points' spread, or after so many steps.

    Raises
    ------
    ValueError
        Where there is no point, or one is not finite.

    Examples
    --------
    >>> geometric_median([[0, 0], [2, 0], [0, 2], [2, 2]]).round(6).tolist()
    [1.0, 1.0]
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or len(array) == 0 or not np.isfinite(array).all():
        message = f"points has shape {array.shape}; at least one row of finite coordinates is needed"
        raise ValueError(message)
    for point in array:
        if _is_median(point, array):
            return np.array(point, dtype=np.float64)
    guess: FloatArray = np.asarray(array.mean(axis=0), dtype=np.float64)
    scale = max(float(np.ptp(array, axis=0).max()), 1e-300)
    for _ in range(max_iterations):
        following = _better_point(guess, array)
        if np.linalg.norm(following - guess) <= tolerance * scale:
            return following
        guess = following
    return guess


def _is_median(point: FloatArray, array: FloatArray) -> bool:
    """Whether the pull of the other points is no stronger than the points that lie here can hold."""
    away = array - point
    distance = np.linalg.norm(away, axis=1)
    others = distance > 0
    pull = (away[others] / distance[others, None]).sum(axis=0)
    return bool(np.linalg.norm(pull) <= np.count_nonzero(~others) + 1e-12)


def _better_point(guess: FloatArray, array: FloatArray) -> FloatArray:
    """Newton's step where it helps, else Weiszfeld's, which always does but is slow beside a given point."""
    away = array - guess
    distance = np.maximum(np.linalg.norm(away, axis=1), 1e-12)
    unit = away / distance[:, None]
    curvature = ((np.eye(array.shape[1]) - unit[:, :, None] * unit[:, None, :]) / distance[:, None, None]).sum(axis=0)
    newton = guess + np.linalg.lstsq(curvature, unit.sum(axis=0), rcond=None)[0]
    weiszfeld = (array / distance[:, None]).sum(axis=0) / (1 / distance).sum()
    totals = [float(np.linalg.norm(array - point, axis=1).sum()) for point in (newton, weiszfeld)]
    return np.asarray(newton if totals[0] <= totals[1] else weiszfeld, dtype=np.float64)
