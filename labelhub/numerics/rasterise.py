"""From outlines to masks: which pixels belong to a polygon, box or ellipse. The one place where that rule is written.

A pixel belongs to a shape when its *centre* does. The pixel in column i and row j has its centre at (i + 0.5, j + 0.5).
Inside a ring is decided by the even-odd rule. A centre exactly on the outline belongs to the shape on its left and top
side and not on its right and bottom side, so that shapes that share an edge share no pixel; with ``edge_excluded`` no
centre on the outline belongs (LIDC's contours lie outside the object). Every mask is returned in its own bounding box.
Not here: brush strokes, and areas of polygons, which need no pixels (``geometry``).

References
----------
Foley JD et al. (1990) Computer Graphics, section 3.5 (scan conversion of polygons).
Armato SG et al. (2011) LIDC-IDRI. Medical Physics 38:915-931 (outlines as the first pixels outside the nodule).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "pixel centre rule"
VERSION = "1"

_ON_EDGE = 1e-9


class Outline(Protocol):
    """One piece of a shape on one plane, as ``formats.shapes.Region`` describes it."""

    @property
    def kind(self) -> str:
        """Box, polygon, ellipse; other kinds enclose no area."""

    @property
    def points(self) -> FloatArray:
        """Corners of a box, vertices of a polygon, centre and radii of an ellipse."""

    @property
    def z(self) -> int:
        """Index of the plane."""

    @property
    def is_hole(self) -> bool:
        """Whether it is cut out of the other pieces on its plane."""

    @property
    def rotation_deg(self) -> float:
        """Clockwise turn about the centre, of a box or ellipse."""

    @property
    def edge_excluded(self) -> bool:
        """Whether the outline itself lies outside."""


@checked
def polygon_mask(ring: ArrayLike, *, edge_excluded: bool = False, size: tuple[int, int] | None = None) -> PlacedMask:
    """The pixels whose centres lie inside one ring (even-odd), in the ring's bounding box: ``voxels[y, x]``.

    Parameters
    ----------
    ring : array of float, shape (point, 2)
        ``(x, y)``; closed or not. Fewer than three different points enclose nothing.
    edge_excluded : bool
        Whether centres exactly on the outline are outside.
    size : (int, int), optional
        ``(height, width)`` of the image; what lies beyond is cut off.

    Examples
    --------
    An LIDC outline through the centres of a 4 x 4 block leaves the 2 x 2 pixels within.

    >>> outline = [(0.5, 0.5), (3.5, 0.5), (3.5, 3.5), (0.5, 3.5)]
    >>> mask = polygon_mask(outline, edge_excluded=True)
    >>> int(mask.voxels.sum()), int(polygon_mask(outline).voxels.sum())
    (4, 9)
    """
    points = _ring_points(ring)
    if len(points) < 3:
        return _nothing()
    left, top, width, height = _pixel_box(points, size)
    if width <= 0 or height <= 0:
        return _nothing()
    local = points - np.array([left, top])
    mask = _even_odd(local, width, height)
    if edge_excluded:
        mask &= ~_on_outline(local, width, height)
    return PlacedMask(mask, (top, left))


@checked
def box_mask(
    corners: ArrayLike, *, rotation_deg: float = 0.0, edge_excluded: bool = False, size: tuple[int, int] | None = None
) -> PlacedMask:
    """The pixels whose centres lie in a box with the corners ``(x0, y0), (x1, y1)``, turned clockwise about its centre.

    Parameters
    ----------
    corners : array of float, shape (2, 2)
        Two opposite corners (x, y).
    rotation_deg : float
        Clockwise, about the middle.
    edge_excluded : bool
        Whether pixel centres on the outline are left out.
    size : tuple of int, optional
        ``(height, width)`` of the image; what lies beyond is cut off.

    Examples
    --------
    >>> box_mask([(1, 1), (4, 3)]).voxels.shape
    (2, 3)
    """
    (x0, y0), (x1, y1) = np.asarray(corners, dtype=np.float64).reshape(2, 2)
    ring = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return polygon_mask(_turned(ring, rotation_deg), edge_excluded=edge_excluded, size=size)


@checked
def ellipse_mask(
    centre_and_radii: ArrayLike,
    *,
    rotation_deg: float = 0.0,
    edge_excluded: bool = False,
    size: tuple[int, int] | None = None,
) -> PlacedMask:
    """The pixels whose centres lie in an ellipse ``(cx, cy), (rx, ry)``, turned clockwise about its centre.

    A centre on the outline belongs unless ``edge_excluded``.

    Parameters
    ----------
    centre_and_radii : array of float, shape (2, 2)
        ``(cx, cy), (rx, ry)``; finite, radii of at least 0 (else a ValueError); a radius of 0 gives no pixels.
    rotation_deg, edge_excluded, size
        As in :func:`box_mask`.

    Examples
    --------
    >>> int(ellipse_mask([(5, 5), (2, 2)]).voxels.sum())
    12
    """
    (cx, cy), (rx, ry) = np.asarray(centre_and_radii, dtype=np.float64).reshape(2, 2)
    if not (math.isfinite(cx) and math.isfinite(cy) and rx >= 0 and ry >= 0 and math.isfinite(rx * ry)):
        message = f"centre_and_radii is {(cx, cy)}, {(rx, ry)}; finite numbers with radii of at least 0 are needed"
        raise ValueError(message)
    if rx == 0 or ry == 0:
        return _nothing()
    angle = math.radians(rotation_deg)
    half_x = math.hypot(rx * math.cos(angle), ry * math.sin(angle))
    half_y = math.hypot(rx * math.sin(angle), ry * math.cos(angle))
    hull = np.array([(cx - half_x, cy - half_y), (cx + half_x, cy + half_y)])
    left, top, width, height = _pixel_box(hull, size)
    if width <= 0 or height <= 0:
        return _nothing()
    dx = np.arange(left, left + width)[None, :] + 0.5 - cx
    dy = np.arange(top, top + height)[:, None] + 0.5 - cy
    along = (dx * math.cos(angle) + dy * math.sin(angle)) / rx
    across = (dy * math.cos(angle) - dx * math.sin(angle)) / ry
    radius = along**2 + across**2
    return PlacedMask(radius < 1 - _ON_EDGE if edge_excluded else radius <= 1 + _ON_EDGE, (top, left))


@checked
def shape_mask(outlines: Sequence[Outline], grid_size: Sequence[int] | None = None) -> PlacedMask:
    """The voxels of a shape drawn as outlines on one or many planes: ``voxels[z, y, x]`` in the shape's bounding box.

    On each plane the pieces are added up, then the holes are cut out (also where a hole's ``edge_excluded`` says that
    its outline is not part of the hole). Polylines and points enclose nothing. A shape without area gives ``voxels`` of
    size 0.

    Parameters
    ----------
    outlines : sequence of Outline
        ``formats.shapes.Region`` objects.
    grid_size : sequence of int, optional
        ``(z, y, x)`` of the medium; what lies beyond is cut off.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> def ring(low, high, is_hole=False):
    ...     points = np.array([(low, low), (high, low), (high, high), (low, high)], dtype=float)
    ...     return SimpleNamespace(
    ...         kind="polygon", points=points, z=7, is_hole=is_hole, rotation_deg=0.0, edge_excluded=False)
    >>> mask = shape_mask([ring(0, 10), ring(2, 5, is_hole=True)])
    >>> mask.origin, int(mask.voxels.sum())
    ((7, 0, 0), 91)
    """
    size = None if grid_size is None else (int(grid_size[1]), int(grid_size[2]))
    n_planes = None if grid_size is None else int(grid_size[0])
    planes = []
    for z in sorted({outline.z for outline in outlines}):
        if n_planes is not None and not 0 <= z < n_planes:
            continue
        here = [outline for outline in outlines if outline.z == z]
        if len(here) == 1 and not here[0].is_hole:
            single = _outline_mask(here[0], size)
            if single.voxels.any():
                planes.append(PlacedMask(single.voxels[None], (z, *single.origin)))
            continue
        solid = union_of([_outline_mask(outline, size) for outline in here if not outline.is_hole])
        holes = [_outline_mask(outline, size) for outline in here if outline.is_hole]
        plane = without(solid, holes)
        if plane.voxels.any():
            planes.append(PlacedMask(plane.voxels[None], (z, *plane.origin)))
    if len(planes) == 1:
        return planes[0]
    return union_of(planes) if planes else PlacedMask(np.zeros((0, 0, 0), dtype=bool), (0, 0, 0))


@checked
def union_of(masks: Sequence[Placed]) -> PlacedMask:
    """All voxels of several placed masks of equal dimensions, in the bounding box of the boxes that hold any.

    Examples
    --------
    >>> dot = np.ones((1, 1), dtype=bool)
    >>> union_of([PlacedMask(dot, (0, 0)), PlacedMask(dot, (1, 2))]).voxels.astype(int).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    if len({mask.voxels.ndim for mask in masks}) > 1:
        message = f"masks have {sorted({mask.voxels.ndim for mask in masks})} dimensions; all must be on the same grid"
        raise ValueError(message)
    filled = [mask for mask in masks if mask.voxels.size]
    if not filled:
        return _nothing() if not masks else PlacedMask(masks[0].voxels.copy(), tuple(masks[0].origin))
    origin = np.min([mask.origin for mask in filled], axis=0)
    end = np.max([np.add(mask.origin, mask.voxels.shape) for mask in filled], axis=0)
    voxels = np.zeros(tuple(end - origin), dtype=bool)
    for mask in filled:
        voxels[_inside(mask, origin)] |= mask.voxels
    return PlacedMask(voxels, tuple(int(start) for start in origin))


@checked
def without(mask: Placed, holes: Sequence[Placed]) -> PlacedMask:
    """A placed mask with others cut out of it."""
    voxels = mask.voxels.copy()
    for hole in holes:
        meeting = [
            (max(a, b), min(a + n, b + m))
            for a, n, b, m in zip(mask.origin, voxels.shape, hole.origin, hole.voxels.shape, strict=True)
        ]
        if any(low >= high for low, high in meeting):
            continue
        own = tuple(slice(low - a, high - a) for (low, high), a in zip(meeting, mask.origin, strict=True))
        cut = tuple(slice(low - b, high - b) for (low, high), b in zip(meeting, hole.origin, strict=True))
        voxels[own] &= ~hole.voxels[cut]
    return PlacedMask(voxels, tuple(mask.origin))


@checked
def on_grid(mask: Placed, grid_size: Sequence[int]) -> BoolArray:
    """A placed mask as a full boolean array of the grid; what lies beyond the grid is cut off.

    Examples
    --------
    >>> on_grid(PlacedMask(np.ones((2, 2), dtype=bool), (1, 1)), (2, 3)).astype(int).tolist()
    [[0, 0, 0], [0, 1, 1]]
    """
    full = np.zeros(tuple(grid_size), dtype=bool)
    whole = PlacedMask(np.ones(full.shape, dtype=bool), (0,) * full.ndim)
    target, source = [], []
    for a, n, b, m in zip(whole.origin, full.shape, mask.origin, mask.voxels.shape, strict=True):
        low, high = max(a, b), min(a + n, b + m)
        target.append(slice(low, max(low, high)))
        source.append(slice(low - b, max(low, high) - b))
    full[tuple(target)] = mask.voxels[tuple(source)]
    return full


def _outline_mask(outline: Outline, size: tuple[int, int] | None) -> PlacedMask:
    if outline.kind == "polygon":
        return polygon_mask(outline.points, edge_excluded=outline.edge_excluded, size=size)
    if outline.kind == "box":
        return box_mask(
            outline.points, rotation_deg=outline.rotation_deg, edge_excluded=outline.edge_excluded, size=size
        )
    if outline.kind == "ellipse":
        return ellipse_mask(
            outline.points, rotation_deg=outline.rotation_deg, edge_excluded=outline.edge_excluded, size=size
        )
    return _nothing()


def _ring_points(ring: ArrayLike) -> FloatArray:
    points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        message = "ring holds a point that is not finite; every x and y must be a finite number"
        raise ValueError(message)
    return points


def _pixel_box(points: FloatArray, size: tuple[int, int] | None) -> tuple[int, int, int, int]:
    """First column, first row, width and height of the pixels whose centres lie within the points' extent."""
    low = np.ceil(points.min(axis=0) - 0.5 - _ON_EDGE).astype(np.int64)
    high = np.floor(points.max(axis=0) - 0.5 + _ON_EDGE).astype(np.int64) + 1
    if size is not None:
        low, high = np.maximum(low, 0), np.minimum(high, [size[1], size[0]])
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _even_odd(points: FloatArray, width: int, height: int) -> BoolArray:
    """Each edge toggles, in every row it crosses, all centres to its right."""
    row, x = _crossings(points, height, include_lower_end=False)
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    # A closed ring crosses a row an even number of times, so that runs outside and inside take turns over all rows.
    toggles = np.sort(row * width + column)
    runs = np.diff(toggles, prepend=0, append=height * width)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)


def _crossings(points: FloatArray, height: int, *, include_lower_end: bool) -> tuple[IntArray, FloatArray]:
    """Where each edge that is not level meets each row of centres: row, x."""
    start, end = points, np.roll(points, -1, axis=0)
    upper = np.minimum(start[:, 1], end[:, 1])
    lower = np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(upper - 0.5), 0, height).astype(np.int64)
    past = np.floor(lower - 0.5) + 1 if include_lower_end else np.ceil(lower - 0.5)
    n_rows = np.where(upper < lower, np.clip(past, 0, height).astype(np.int64) - first, 0).clip(min=0)
    edge = np.repeat(np.arange(len(points)), n_rows)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + first[edge]
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    # Multiplying before dividing keeps crossings at whole and half pixels exact.
    return row.astype(np.int64), x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)


def _on_outline(points: FloatArray, width: int, height: int) -> BoolArray:
    marked = np.zeros((height, width), dtype=bool)
    row, x = _crossings(points, height, include_lower_end=True)
    column = np.rint(x - 0.5)
    exact = (np.abs(column + 0.5 - x) <= _ON_EDGE) & (column >= 0) & (column < width)
    marked[row[exact], column[exact].astype(np.int64)] = True
    start, end = points, np.roll(points, -1, axis=0)
    level = np.nonzero((start[:, 1] == end[:, 1]) & (np.rint(start[:, 1] - 0.5) == start[:, 1] - 0.5))[0]
    for edge in level:
        row_of_edge = int(start[edge, 1] - 0.5)
        left, right = sorted((start[edge, 0], end[edge, 0]))
        if 0 <= row_of_edge < height:
            begin = max(0, math.ceil(left - 0.5 - _ON_EDGE))
            marked[row_of_edge, begin : max(begin, math.floor(right - 0.5 + _ON_EDGE) + 1)] = True
    return marked


def _turned(ring: FloatArray, rotation_deg: float) -> FloatArray:
    if rotation_deg == 0:
        return ring
    angle = math.radians(rotation_deg)
    centre = ring.mean(axis=0)
    # y runs down, so the usual turn from x to y is clockwise on the screen.
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray((ring - centre) @ turn + centre, dtype=np.float64)


def _inside(mask: Placed, origin: np.ndarray) -> tuple[slice, ...]:
    return tuple(
        slice(int(start - low), int(start - low + length))
        for start, low, length in zip(mask.origin, origin, mask.voxels.shape, strict=True)
    )


def _nothing() -> PlacedMask:
    return PlacedMask(np.zeros((0, 0), dtype=bool), (0, 0))
