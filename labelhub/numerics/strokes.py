"""Which pixels a brush stroke covers: an integer rasteriser whose twin in JavaScript gives the same bits.
 Coordinates are whole quarter pixels: the centre of pixel ``(i, j)`` is ``(4 i + 2, 4 j + 2)``. A round tip covers
every pixel centre within ``radius`` of the path (compared as squares), a square tip every centre that a square of
half side ``radius`` sweeps. Long segments are split at rounded points so that no product exceeds 2^53, the largest
integer a JavaScript number holds exactly: with ``|d| ≤ 1024`` a component and ``radius ≤ 2048``, ``cross² < 4.1e13``.
Canvas anti-aliasing is never used for masks: it differs between machines. Not here: which strokes count
(``annotations.fold``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tip: TypeAlias = Literal["round", "square"]
Bounds: TypeAlias = tuple[int, int, int, int]

MIN_RADIUS = 3  # 0.75 px: the smallest that always reaches the centre of the pixel it is in
MAX_RADIUS = 2048  # 512 px
LONGEST_SEGMENT = 1024


def stroke_bounds(points: Sequence[int], radius: int, *, width: int, height: int) -> Bounds | None:
    """Return the pixels ``(x0, y0, x1, y1)`` (ends excluded) outside which the stroke covers nothing; None where it
    misses the plane.
    """
    xs, ys = points[0::2], points[1::2]
    x0, x1 = _pixel_range(min(xs) - radius, max(xs) + radius, width)
    y0, y1 = _pixel_range(min(ys) - radius, max(ys) + radius, height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def paint_stroke(
    mask: NDArray[np.bool_], points: Sequence[int], radius: int, tip: Tip, *, value: bool, origin: tuple[int, int]
) -> None:
    """Set every pixel of ``mask[y, x]`` that the stroke covers to ``value``, in place.

    Parameters
    ----------
    mask
        A piece of a plane; its first pixel is ``origin`` ``(y, x)`` of that plane. What the stroke covers outside is
        dropped.
    points
        ``x0, y0, x1, y1, …`` in quarter pixels; one point is a dab.
    radius
        Of the tip, in quarter pixels, from ``MIN_RADIUS`` to ``MAX_RADIUS``.
    """
    height, width = mask.shape
    shift_y, shift_x = origin
    for ax, ay, bx, by in _segments(points):
        x0, x1 = _pixel_range(min(ax, bx) - radius - 4 * shift_x, max(ax, bx) + radius - 4 * shift_x, width)
        y0, y1 = _pixel_range(min(ay, by) - radius - 4 * shift_y, max(ay, by) + radius - 4 * shift_y, height)
        if x0 >= x1 or y0 >= y1:
            continue
        px = 4 * (np.arange(x0, x1, dtype=np.int64) + shift_x) + 2 - ax
        py = (4 * (np.arange(y0, y1, dtype=np.int64) + shift_y) + 2 - ay)[:, np.newaxis]
        mask[y0:y1, x0:x1][_covered(px, py, bx - ax, by - ay, radius, tip)] = value


def _covered(
    px: NDArray[np.int64], py: NDArray[np.int64], dx: int, dy: int, radius: int, tip: Tip
) -> NDArray[np.bool_]:
    """Whether the centres ``p`` (relative to the segment's start) are covered by the tip moving along ``d``."""
    cross = px * dy - py * dx
    if tip == "square":
        near_x = (px >= min(0, dx) - radius) & (px <= max(0, dx) + radius)
        near_y = (py >= min(0, dy) - radius) & (py <= max(0, dy) + radius)
        return np.asarray(near_x & near_y & (np.abs(cross) <= radius * (abs(dx) + abs(dy))), dtype=np.bool_)
    along, length2, radius2 = px * dx + py * dy, dx * dx + dy * dy, radius * radius
    at_start = px * px + py * py <= radius2
    at_end = (px - dx) ** 2 + (py - dy) ** 2 <= radius2
    beside = (along > 0) & (along < length2) & (cross * cross <= radius2 * length2)
    return np.asarray(at_start | at_end | beside, dtype=np.bool_)


def _segments(points: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the path's segments, none longer than ``LONGEST_SEGMENT`` in a component; a single point is a segment of
    length 0.
    """
    if len(points) == 2:
        yield points[0], points[1], points[0], points[1]
    for i in range(0, len(points) - 3, 2):
        ax, ay, dx, dy = points[i], points[i + 1], points[i + 2] - points[i], points[i + 3] - points[i + 1]
        pieces = max(1, -(-max(abs(dx), abs(dy)) // LONGEST_SEGMENT))
        for k in range(pieces):
            yield (
                ax + dx * k // pieces,
                ay + dy * k // pieces,
                ax + dx * (k + 1) // pieces,
                ay + dy * (k + 1) // pieces,
            )


def _pixel_range(low: int, high: int, size: int) -> tuple[int, int]:
    """Return the pixels whose centres lie in ``[low, high]`` quarter pixels, clipped to ``size``."""
    first, last = -((2 - low) // 4), (high - 2) // 4
    return max(0, first), min(size, last + 1)
