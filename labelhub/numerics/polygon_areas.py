"""The area that simple polygons share, exactly and for many pairs at once, from the trapezoids below their edges.

The region below an edge, down to a common line, counts positive or negative by the edge's direction; the areas of the
trapezoids add up to the polygon's, and those of all intersections of two trapezoids to what two polygons share. Only
edges that lie above each other contribute. It is quadratic in the number of points, so it is for short rings. Not here:
shapes of several rings or rings that cross themselves (``geometry.polygon_iou`` hands them to GEOS).

References
----------
O'Rourke J (1998) Computational Geometry in C, 2nd ed., 1.3 (area of a polygon as a sum of signed areas).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.results import BoolArray, FloatArray, IntArray

# Longer rings are quicker by a sweep line.
MAX_POINTS = 48
# Pairs of edges looked at once: the room for them stays in a core's cache.
_EDGE_PAIRS = 60_000
# Takes the place of 0 below a fraction; far below what a length can be.
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Rings of at least three points, closed and filled up to the longest by repeating the first point.

    ``x[ring, point]``, ``y[ring, point]``; ``area[ring]`` is positive where counter-clockwise in axes to the right and up.
    ``box[ring]`` is (x0, y0, x1, y1). ``is_star[ring]`` is proved simple: all of it is seen from the mean of its points.
    """

    x: FloatArray
    y: FloatArray
    n_points: IntArray
    area: FloatArray
    box: FloatArray
    is_star: BoolArray


def rings_of(points: Sequence[FloatArray]) -> Rings:
    """Rings ``(point, 2)`` as one structure of arrays.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> rings = rings_of([square, square[[0, 2, 1, 3]]])
    >>> rings.area.tolist(), rings.is_star.tolist()
    ([4.0, 0.0], [True, False])
    """
    n_points = np.array([len(ring) for ring in points], dtype=np.int64)
    every = np.concatenate([*points, np.zeros((0, 2))])
    starts = np.cumsum(n_points) - n_points
    place = np.arange(int(n_points.max(initial=0)) + 1)
    index = starts[:, None] + np.where(place < n_points[:, None], place, 0)
    x, y = every[index, 0], every[index, 1]
    box = np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)
    from_x, from_y = x - x[:, :1], y - y[:, :1]
    area = (from_x[:, :-1] * from_y[:, 1:] - from_x[:, 1:] * from_y[:, :-1]).sum(axis=1) / 2
    return Rings(x, y, n_points, area, box, _is_star(x, y, n_points, area))


def shared_areas(first: Rings, second: Rings, rows: IntArray, columns: IntArray) -> FloatArray:
    """The area shared by the simple rings ``first[rows[i]]`` and ``second[columns[i]]``: shape (pair,).

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> rings = rings_of([square, square[::-1] + 1])
    >>> shared_areas(rings, rings, np.array([0, 0]), np.array([0, 1])).tolist()
    [4.0, 1.0]
    """
    result = np.empty(len(rows))
    work = first.n_points[rows] * second.n_points[columns]
    # The most work first, so that a piece has no more than its first pair promises.
    order = np.argsort(-work, kind="stable")
    corner = np.minimum(first.box.min(axis=0, initial=np.inf), second.box.min(axis=0, initial=np.inf))[:2]
    left, right = _edges(first, corner), _edges(second, corner)
    done = 0
    while done < len(order):
        piece = order[done : done + max(1, _EDGE_PAIRS // int(work[order[done]]))]
        points = int(first.n_points[rows[piece]].max()), int(second.n_points[columns[piece]].max())
        result[piece] = _shared(left, right, rows[piece], columns[piece], points)
        done += len(piece)
    turn = np.sign(first.area[rows]) * np.sign(second.area[columns])
    return np.asarray(np.maximum(result * turn, 0.0), dtype=np.float64)


def _is_star(x: FloatArray, y: FloatArray, n_points: IntArray, area: FloatArray) -> BoolArray:
    """Seen from the mean point every edge turns the same way, and all of them once around."""
    dx = x - (x[:, :-1].sum(axis=1) - (x.shape[1] - 1 - n_points) * x[:, 0])[:, None] / n_points[:, None]
    dy = y - (y[:, :-1].sum(axis=1) - (y.shape[1] - 1 - n_points) * y[:, 0])[:, None] / n_points[:, None]
    turns = (dx[:, :-1] * dy[:, 1:] - dx[:, 1:] * dy[:, :-1]) * np.sign(area)[:, None]
    crossings = ((dy[:, :-1] < 0) & (dy[:, 1:] >= 0)).sum(axis=1)
    return np.asarray((area != 0) & (crossings == 1) & (turns >= 0).all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """From ``low`` to ``high`` along x, each (ring, edge): height at x = 0, slope, and direction as a sign."""

    low: FloatArray
    high: FloatArray
    height: FloatArray
    slope: FloatArray
    sign: FloatArray


def _edges(rings: Rings, corner: FloatArray) -> _Edges:
    """Edges of rings moved so that no point of theirs is left of or below 0: short numbers lose no digits."""
    x, y = rings.x - corner[0], rings.y - corner[1]
    x0, x1 = x[:, :-1], x[:, 1:]
    width = x1 - x0
    # An edge has width for what is above it; that of a steep one is too small for its great slope to matter.
    slope = np.divide(y[:, 1:] - y[:, :-1], width, out=np.zeros_like(width), where=width != 0)
    return _Edges(np.minimum(x0, x1), np.maximum(x0, x1), y[:, :-1] - slope * x0, slope, np.sign(width))


def _shared(left: _Edges, right: _Edges, rows: IntArray, columns: IntArray, points: tuple[int, int]) -> FloatArray:
    """Sum over edges above each other of sign times sign times the integral of the lower one, from a line below both."""
    here, there = slice(0, points[0]), slice(0, points[1])
    start = np.maximum(left.low[rows, here][:, :, None], right.low[columns, there][:, None, :])
    width = np.minimum(left.high[rows, here][:, :, None], right.high[columns, there][:, None, :])
    width -= start
    met = np.flatnonzero(width > 0)
    start, width = start.ravel()[met], width.ravel()[met]
    edge, other = np.divmod(met, points[1])
    pair, edge = np.divmod(edge, points[0])
    n_left, n_right = left.low.shape[1], right.low.shape[1]
    edge += (rows * n_left)[pair]
    other += (columns * n_right)[pair]
    slope = right.slope.ravel()[other]
    steeper = left.slope.ravel()[edge] - slope
    height = right.height.ravel()[other]
    # The lower of two lines is the second plus the negative part of the difference, which crosses 0 at most once.
    begin = left.height.ravel()[edge] - height + steeper * start
    end = begin + steeper * width
    least, most = np.minimum(begin, end), np.maximum(begin, end)
    np.minimum(least, -_TINY, out=least)
    negative = least * (least / (least - np.maximum(most, 0.0))) + np.minimum(most, 0.0)
    doubled = 2 * height + slope * (2 * start + width) + negative
    weights = left.sign.ravel()[edge] * right.sign.ravel()[other] * width * doubled
    return np.bincount(pair, weights=weights, minlength=len(rows)) / 2
