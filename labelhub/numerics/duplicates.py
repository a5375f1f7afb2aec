"""Outlines and masks that two raters cannot have drawn independently: the same vertices, or all but the same voxels.

Two careful hands never agree to the vertex. Not here: copied classes (``copying``); objects that a model proposed to
both raters are alike for a good reason: leave out shapes that were accepted from a proposal.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.geometry import PlacedMask, mask_iou
from labelhub.numerics.results import FloatArray, IntArray

METHOD = "duplicate shapes"
VERSION = "1"

LEAST_IOU = 0.999
PRECISION = 1e-3
MIN_VERTICES = 5
MIN_VOXELS = 50


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two shapes (positions in the input) of two raters that are the same, and by which sign."""

    first: int
    second: int
    first_rater: int
    second_rater: int
    sign: str
    iou: float
    version: str = VERSION


def contour_fingerprint(points: ArrayLike, *, precision: float = PRECISION) -> str:
    """A hash that two outlines share if they have the same vertices, wherever they start and whichever way they run.

    Parameters
    ----------
    points : array of float, shape (vertex, 2)
        A closing repetition of the first vertex is left out.
    precision : float
        Vertices are rounded to multiples of it, in the unit of the points.

    Raises
    ------
    ValueError
        Where points are not finite pairs, there are none, or precision is not above 0.

    Examples
    --------
    >>> square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    >>> contour_fingerprint(square) == contour_fingerprint([(1, 1), (1, 0), (0, 0), (0, 1), (1, 1)])
    True
    """
    outline = np.asarray(points, dtype=np.float64)
    if outline.ndim != 2 or outline.shape[1] != 2 or not len(outline) or not np.isfinite(outline).all():
        message = f"points has shape {outline.shape}; finite points (x, y) are needed, at least one"
        raise ValueError(message)
    if not precision > 0:
        message = f"precision is {precision!r}; it must be above 0"
        raise ValueError(message)
    steps = np.rint(outline / precision).astype(np.int64)
    if len(steps) > 1 and (steps[0] == steps[-1]).all():
        steps = steps[:-1]
    one, other = _least_rotation(steps), _least_rotation(steps[::-1])
    return hashlib.sha256(min(one.tobytes(), other.tobytes())).hexdigest()


@checked
def duplicate_contours(
    contours: Sequence[ArrayLike], raters: Sequence[int], *, precision: float = PRECISION
) -> tuple[Duplicate, ...]:
    """The pairs of outlines on one unit that different raters gave with identical vertices.

    Outlines of fewer than five vertices are left out: boxes and triangles coincide by chance on a pixel grid.

    Parameters
    ----------
    contours : sequence of array of float, each of shape (vertex, 2)
        Outlines on one unit.
    raters : sequence of int
        Who drew each.
    precision : float
        As in :func:`contour_fingerprint`.

    Examples
    --------
    >>> drawn = [(0, 0), (4, 1), (5, 4), (3, 6), (1, 5)]
    >>> [(pair.first, pair.second) for pair in duplicate_contours([drawn, drawn[::-1], drawn[:4]], [7, 8, 9])]
    [(0, 1)]
    """
    _check_raters(len(contours), raters)
    seen: dict[str, list[int]] = {}
    found = []
    for position, contour in enumerate(contours):
        if len(one_a_unit(f"contours[{position}]", contour)) < MIN_VERTICES:
            continue
        alike = seen.setdefault(contour_fingerprint(contour, precision=precision), [])
        found += [
            Duplicate(earlier, position, raters[earlier], raters[position], "identical vertices", math.nan)
            for earlier in alike
            if raters[earlier] != raters[position]
        ]
        alike.append(position)
    return tuple(found)


@checked
def duplicate_masks(
    masks: Sequence[PlacedMask], raters: Sequence[int], *, least_iou: float = LEAST_IOU
) -> tuple[Duplicate, ...]:
    """The pairs of masks on one unit that different raters gave with an intersection over union of ``least_iou`` or more.

    Masks under 50 voxels are left out: small ones coincide by chance.

    Parameters
    ----------
    masks : sequence of PlacedMask
        Masks on one unit.
    raters : sequence of int
        Who drew each.
    least_iou : float
        Above 0 and at most 1.

    Raises
    ------
    ValueError
        Where there is not one rater a mask, or ``least_iou`` is not above 0 and at most 1.

    Examples
    --------
    >>> disc = PlacedMask(np.ones((10, 10), dtype=bool), (0, 0))
    >>> [(pair.first_rater, pair.second_rater) for pair in duplicate_masks([disc, disc, disc], [1, 1, 2])]
    [(1, 2), (1, 2)]
    """
    _check_raters(len(masks), raters)
    if not 0 < least_iou <= 1:
        message = f"least_iou is {least_iou!r}; above 0 and at most 1 is needed"
        raise ValueError(message)
    large = [position for position, mask in enumerate(masks) if int(mask.voxels.sum()) >= MIN_VOXELS]
    if len(large) < 2:
        return ()
    chosen = [masks[position] for position in large]
    iou: FloatArray = mask_iou(chosen, chosen)
    at, other = np.nonzero(np.triu(iou >= least_iou, k=1))
    return tuple(
        Duplicate(large[i], large[j], raters[large[i]], raters[large[j]], "same voxels", float(iou[i, j]))
        for i, j in zip(at, other, strict=True)
        if raters[large[i]] != raters[large[j]]
    )


def _least_rotation(steps: IntArray) -> IntArray:
    """The rotation that comes first in order; starts are tried only where the least vertex stands."""
    least = np.lexsort((steps[:, 1], steps[:, 0]))[0]
    starts = np.nonzero((steps == steps[least]).all(axis=1))[0]
    return min((np.ascontiguousarray(np.roll(steps, -int(start), axis=0)) for start in starts), key=np.ndarray.tolist)


def _check_raters(n: int, raters: Sequence[int]) -> None:
    if len(raters) != n:
        message = f"raters has {len(raters)} entries for {n} shapes; one a shape is needed"
        raise ValueError(message)
