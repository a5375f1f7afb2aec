"""Similarity of shapes bounded by polygons, from their exact areas.

Short rings that are proved simple go through ``polygon_areas``; shapes of several rings, with holes, with many points or
with rings that cross themselves go through GEOS. Both are exact up to rounding. Not here: other shapes (``geometry``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from labelhub.numerics.arguments import checked
from labelhub.numerics.polygon_areas import MAX_POINTS, Rings, rings_of, shared_areas
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "polygon areas"
VERSION = "2"

# Beyond this many pairs of boxes a tree finds those that meet sooner than comparing all.
_ALL_BOXES = 250_000


@dataclass(frozen=True, slots=True, eq=False)
class PolygonShape:
    """A shape of polygons: its ``parts`` are added up, then its ``holes`` cut out; each is points ``(point, 2)``."""

    parts: tuple[ArrayLike, ...]
    holes: tuple[ArrayLike, ...] = ()


@checked
def polygon_iou(
    first: Sequence[PolygonShape],
    second: Sequence[PolygonShape] | None = None,
    *,
    raters: ArrayLike | None = None,
    at_least: float = 0.0,
    linked: bool = False,
) -> FloatArray:
    """Intersection over union of polygons from their exact areas: shape (first, second).

    Parameters
    ----------
    first, second : sequence of PolygonShape
        Rings that cross themselves are taken by the even-odd rule. Fewer than three points have no area. Without
        ``second``, all pairs of ``first``.
    raters : array of int, shape (first,), optional
        Who drew each, without ``second``: two shapes of one rater are given as 0 without being looked at.
    at_least : float
        Pairs whose boxes and areas show that they stay below this are given as 0 without being looked at; what
        :func:`labelhub.numerics.matching.match_pair` needs is its threshold.
    linked : bool
        Without ``second``: look also at pairs below ``at_least`` that a chain of pairs above it joins, which is what
        :func:`labelhub.numerics.matching.cluster_objects` needs with its threshold.

    Examples
    --------
    >>> square = PolygonShape(([(0, 0), (2, 0), (2, 2), (0, 2)],))
    >>> moved = PolygonShape(([(1, 0), (3, 0), (3, 2), (1, 2)],))
    >>> polygon_iou([square], [moved]).round(4).tolist()
    [[0.3333]]
    >>> polygon_iou([square, moved]).round(4).tolist()
    [[1.0, 0.3333], [0.3333, 1.0]]
    """
    left = _solids(first)
    if second is not None:
        right = _solids(second)
        result = np.zeros((len(left.area), len(right.area)))
        rows, columns = _candidates(left, right, at_least)
        result[rows, columns] = _iou(left, right, rows, columns)
        return result
    result = np.zeros((len(left.area), len(left.area)))
    rows, columns = _candidates(left, left, 0.0 if linked else at_least)
    owner = np.arange(len(left.area)) if raters is None else np.asarray(raters)
    kept = (rows < columns) & (owner[rows] != owner[columns])
    rows, columns = rows[kept], columns[kept]
    if linked and at_least > 0:
        may_reach = _may_reach(left, left, rows, columns, at_least)
        result[rows[may_reach], columns[may_reach]] = _iou(left, left, rows[may_reach], columns[may_reach])
        _, part = connected_components(csr_array(result >= at_least), directed=False)
        rows, columns = rows[~may_reach], columns[~may_reach]
        is_joined = part[rows] == part[columns]
        rows, columns = rows[is_joined], columns[is_joined]
    result[rows, columns] = _iou(left, left, rows, columns)
    result += result.T
    np.fill_diagonal(result, (left.area > 0).astype(np.float64))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Solids:
    """Shapes by their areas and boxes; ``ring[shape]`` is its place among ``rings``, or -1 where GEOS has it.

    ``geometry[shape]`` is None until somebody asks for a short ring.
    """

    shapes: Sequence[PolygonShape]
    area: FloatArray
    box: FloatArray
    ring: IntArray
    rings: Rings
    geometry: np.ndarray

    def geometries(self, chosen: IntArray) -> np.ndarray:
        """As GEOS has them."""
        for index in np.unique(chosen).tolist():
            if self.geometry[index] is None:
                self.geometry[index] = _area_of(self.shapes[index])
        return self.geometry[chosen]


def _solids(shapes: Sequence[PolygonShape]) -> _Solids:
    n = len(shapes)
    chosen, points = [], []
    for index, shape in enumerate(shapes):
        if len(shape.parts) == 1 and not shape.holes:
            ring = shape.parts[0]
            if not isinstance(ring, np.ndarray) or ring.dtype != np.float64 or ring.ndim != 2:
                ring = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
            if 3 <= len(ring) <= MAX_POINTS:
                chosen.append(index)
                points.append(ring)
    # Looked at afterwards, all at once: points that are not finite are refused by then, whatever came of them.
    with np.errstate(invalid="ignore", over="ignore"):
        rings = rings_of(points)
    _check_finite(rings.x, rings.y)
    short = np.array(chosen, dtype=np.int64)
    geometry = np.full(n, None, dtype=object)
    is_simple = rings.is_star.copy()
    for place in np.nonzero(~is_simple)[0]:
        is_simple[place] = rings.area[place] != 0 and shapely.Polygon(points[place]).is_valid
    ring_of = np.full(n, -1, dtype=np.int64)
    ring_of[short[is_simple]] = np.nonzero(is_simple)[0]
    area, box = np.zeros(n), np.full((n, 4), np.nan)
    area[short], box[short] = np.abs(rings.area), rings.box
    others = np.nonzero(ring_of < 0)[0]
    if len(others):
        geometry[others] = [_area_of(shapes[i]) for i in others.tolist()]
        area[others], box[others] = shapely.area(geometry[others]), shapely.bounds(geometry[others])
    return _Solids(shapes, area, box, ring_of, rings, geometry)


def _candidates(left: _Solids, right: _Solids, at_least: float) -> tuple[IntArray, IntArray]:
    """Pairs whose boxes meet and whose IoU is not bound to stay below ``at_least``; NaN boxes meet nothing."""
    a, b = left.box, right.box
    if len(a) * len(b) <= _ALL_BOXES:
        meets: BoolArray = a[:, None, 0] < b[None, :, 2]
        for one, other in (
            (b[None, :, 0], a[:, None, 2]),
            (a[:, None, 1], b[None, :, 3]),
            (b[None, :, 1], a[:, None, 3]),
        ):
            meets &= one < other
        rows, columns = np.nonzero(meets)
    else:
        here, there = (np.nonzero(np.isfinite(boxes).all(axis=1))[0] for boxes in (a, b))
        found = shapely.STRtree(shapely.box(*b[there].T)).query(shapely.box(*a[here].T))
        rows, columns = here[found[0]], there[found[1]]
    if at_least > 0:
        kept = _may_reach(left, right, rows, columns, at_least)
        rows, columns = rows[kept], columns[kept]
    return rows, columns


def _may_reach(left: _Solids, right: _Solids, rows: IntArray, columns: IntArray, least: float) -> BoolArray:
    """Whether the IoU of a pair can be that much, by what its boxes share and by its areas."""
    a, b = left.box, right.box
    sides = np.minimum(a[rows, 2:], b[columns, 2:]) - np.maximum(a[rows, :2], b[columns, :2])
    area, other = left.area[rows], right.area[columns]
    shared = np.minimum(np.maximum(sides, 0).prod(axis=1), np.minimum(area, other))
    return np.asarray(shared >= least * (area + other - shared) * (1 - 1e-9))


def _iou(left: _Solids, right: _Solids, rows: IntArray, columns: IntArray) -> FloatArray:
    overlap = _overlaps(left, right, rows, columns)
    union = left.area[rows] + right.area[columns] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def _overlaps(left: _Solids, right: _Solids, rows: IntArray, columns: IntArray) -> FloatArray:
    result = np.zeros(len(rows))
    a, b = left.ring[rows], right.ring[columns]
    is_short = (a >= 0) & (b >= 0)
    result[is_short] = shared_areas(left.rings, right.rings, a[is_short], b[is_short])
    others = np.nonzero(~is_short)[0]
    if len(others):
        first, second = left.geometries(rows[others]), right.geometries(columns[others])
        grid = _finest_grid(left.box, right.box)
        result[others] = shapely.area(shapely.intersection(first, second, grid_size=grid))
    return result


def _finest_grid(*boxes: FloatArray) -> float:
    """The width of a grid to which GEOS rounds crossings: a few steps of what a float can tell at these places.

    Without one GEOS takes outside for inside where a repaired crossing lies beside the line of another edge by rounding alone.
    """
    furthest = max(float(np.nanmax(np.abs(box), initial=0.0)) for box in boxes)
    return float(2.0 ** max(int(np.frexp(furthest)[1]) - 46, -1000))


def _check_finite(*coordinates: FloatArray) -> None:
    if not all(np.isfinite(one).all() for one in coordinates):
        message = "a ring holds a point that is not finite; every x and y must be a finite number"
        raise ValueError(message)


def _area_of(shape: PolygonShape) -> shapely.Geometry:
    """The exact area of a shape; crossing rings are repaired, so that every area is well defined."""
    solid = shapely.union_all([_ring_area(ring) for ring in shape.parts])
    return shapely.difference(solid, shapely.union_all([_ring_area(ring) for ring in shape.holes]))


def _ring_area(ring: ArrayLike) -> shapely.Geometry:
    points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
    _check_finite(points)
    if len(points) < 3:
        return shapely.Polygon()
    area = shapely.Polygon(points)
    if area.is_valid:
        return area
    # Repairing also returns the lines that a ring runs back and forth on; they have no area, and GEOS fails on mixtures.
    pieces = shapely.get_parts(shapely.make_valid(area))
    return shapely.union_all(pieces[shapely.get_dimensions(pieces) == 2])
