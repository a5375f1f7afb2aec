"""How alike single shapes are, whatever they were drawn with: areas by IoU, points and lines by nearness.

Everything is ``similarity[first, second]`` from 0 to 1. A bare tag (a class without place) is like any tag. Points fall from
1 to 0 over :data:`POINT_REACH` tolerances, so that a click a few pixels off is still the same object. Lines are compared as
the share of their length that lies within the tolerance of the other. Pure. Not here: matching (``numerics.matching``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, MaskRegion, Shape
from labelhub.numerics.geometry import PlacedMask, box_iou, mask_iou, point_similarity
from labelhub.numerics.rasterise import shape_mask, union_of

FloatArray = NDArray[np.float64]
Size = tuple[int, int, int]

POINT_REACH = 5.0
_LINE_STEP_PX = 0.5


def shape_similarity(
    first: Sequence[Shape],
    second: Sequence[Shape],
    grids: Sequence[Grid] = (),
    *,
    reach_mm: float = 2.0,
    reach_px: float = 2.0,
    fillings: Fillings | None = None,
) -> FloatArray:
    """How alike every two shapes are, whatever their classes; 0 across media and across areas, points, lines and tags."""
    filled = fillings if fillings is not None else Fillings()
    table = np.zeros((len(first), len(second)))
    if not first or not second:
        return table
    for medium in {shape.medium for shape in first} & {shape.medium for shape in second}:
        size, spacing = grid_size_of(medium, (*first, *second), grids)
        scale = (1.0, 1.0, 1.0) if spacing is None else spacing
        reach = reach_px if spacing is None else reach_mm
        for nature, alike in _SIMILARITY.items():
            rows, columns = _of_nature(first, medium, nature), _of_nature(second, medium, nature)
            if rows and columns:
                values = alike([first[i] for i in rows], [second[j] for j in columns], scale, reach)
                table[np.ix_(rows, columns)] = values
        _fill_areas(table, first, second, medium, size, filled)
    return table


class Fillings:
    """The voxels of shapes, each filled once however often it is compared. Lives as long as one item is looked at."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Size], tuple[Shape, PlacedMask]] = {}

    def of(self, shape: Shape, size: Size) -> PlacedMask:
        """Return :func:`placed` of the shape."""
        key = (id(shape), size)
        if key not in self._known:
            # The shape is kept too, so that its id is not given to another one.
            self._known[key] = (shape, placed(shape, size))
        return self._known[key][1]


def placed(shape: Shape, size: Size) -> PlacedMask:
    """The voxels of a shape that encloses an area, ``[z, y, x]``, cut off at the grid: its mask and its outlines."""
    pieces = [_inside(shape.mask, size)] if shape.mask is not None else []
    if shape.regions:
        pieces.append(shape_mask(shape.regions, size))
    return pieces[0] if len(pieces) == 1 else union_of(pieces)


def has_area(shape: Shape) -> bool:
    """Whether the shape encloses an area (a mask, polygon, box or ellipse)."""
    return shape.mask is not None or any(region.kind in ("box", "polygon", "ellipse") for region in shape.regions)


def grid_size_of(
    medium: int, shapes: Sequence[Shape], grids: Sequence[Grid]
) -> tuple[Size, tuple[float, float, float] | None]:
    """The size and spacing of a medium; where its grid is unknown, the smallest size that holds the shapes, in pixels."""
    if medium < len(grids):
        return grids[medium].size, grids[medium].spacing_mm
    ends = np.ones(3, dtype=np.int64)
    for shape in (shape for shape in shapes if shape.medium == medium):
        if shape.mask is not None:
            ends = np.maximum(ends, np.add(shape.mask.origin, shape.mask.voxels.shape))
        for region in shape.regions:
            reach = region.points.max(axis=0)
            if region.kind == "ellipse":
                reach = region.points[0] + float(region.points[1].max())
            ends = np.maximum(ends, [region.z + 1, int(np.ceil(reach[1])) + 1, int(np.ceil(reach[0])) + 1])
    return (int(ends[0]), int(ends[1]), int(ends[2])), None


def _fill_areas(
    table: FloatArray, first: Sequence[Shape], second: Sequence[Shape], medium: int, size: Size, filled: Fillings
) -> None:
    """Two upright boxes exactly, everything else by voxels; the table is the caller's own."""
    boxes = _of_nature(first, medium, "box"), _of_nature(second, medium, "box")
    rows = sorted(boxes[0] + _of_nature(first, medium, "area"))
    columns = sorted(boxes[1] + _of_nature(second, medium, "area"))
    if not rows or not columns:
        return
    if len(boxes[0]) < len(rows) or len(boxes[1]) < len(columns):
        left, right = [filled.of(first[i], size) for i in rows], [filled.of(second[j], size) for j in columns]
        for i, meeting in enumerate(_meeting(left, right)):
            if len(meeting):
                table[rows[i], np.array(columns)[meeting]] = mask_iou([left[i]], [right[j] for j in meeting])[0]
    if boxes[0] and boxes[1]:
        corners = [
            np.array([_corners(shapes[i]) for i in own]) for shapes, own in zip((first, second), boxes, strict=True)
        ]
        same_plane = np.equal.outer(
            [first[i].regions[0].z for i in boxes[0]], [second[j].regions[0].z for j in boxes[1]]
        )
        table[np.ix_(*boxes)] = box_iou(*corners) * same_plane


def _meeting(first: Sequence[PlacedMask], second: Sequence[PlacedMask]) -> list[NDArray[np.int64]]:
    """For each mask of the first, those of the second whose bounding boxes meet its own: all others share nothing."""
    low = [np.array([mask.origin for mask in side]) for side in (first, second)]
    high = [
        start + np.array([mask.voxels.shape for mask in side]) for start, side in zip(low, (first, second), strict=True)
    ]
    meets = (low[0][:, None] < high[1][None]) & (low[1][None] < high[0][:, None])
    return [np.flatnonzero(row) for row in meets.all(axis=2)]


def _of_nature(shapes: Sequence[Shape], medium: int, nature: str) -> list[int]:
    return [index for index, shape in enumerate(shapes) if shape.medium == medium and _nature(shape) == nature]


def _nature(shape: Shape) -> str:
    if shape.mask is None and len(shape.regions) == 1 and shape.regions[0].kind == "box":
        region = shape.regions[0]
        return "box" if not region.rotation_deg and not region.is_hole else "area"
    if has_area(shape):
        return "area"
    if not shape.regions:
        return "tag"
    return "points" if all(region.kind == "points" for region in shape.regions) else "line"


def _corners(shape: Shape) -> FloatArray:
    points = shape.regions[0].points
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _inside(mask: MaskRegion, size: Size) -> PlacedMask:
    low = np.clip(np.negative(mask.origin), 0, mask.voxels.shape)
    high = np.clip(np.subtract(size, mask.origin), low, mask.voxels.shape)
    window = tuple(slice(int(start), int(end)) for start, end in zip(low, high, strict=True))
    origin = tuple(int(start) for start in np.add(mask.origin, low))
    return PlacedMask(mask.voxels[window], origin if mask.voxels[window].size else (0, 0, 0))


def _points_alike(
    first: Sequence[Shape], second: Sequence[Shape], scale: tuple[float, float, float], reach: float
) -> FloatArray:
    """The mean closeness of corresponding points; 0 where the numbers of points differ."""
    table = np.zeros((len(first), len(second)))
    step = np.array([scale[2], scale[1], scale[0]])
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            left, right = _stacked(a), _stacked(b)
            if left.shape == right.shape:
                gap = np.linalg.norm((left - right) * step, axis=1)[:, None]
                table[i, j] = float(point_similarity(_flat(gap), [[0.0, 0.0]], POINT_REACH * reach).mean())
    return table


def _flat(gap: FloatArray) -> FloatArray:
    return np.hstack([gap, np.zeros_like(gap)])


def _stacked(shape: Shape) -> FloatArray:
    return np.vstack([np.column_stack([r.points, np.full(len(r.points), float(r.z))]) for r in shape.regions])


def _lines_alike(
    first: Sequence[Shape], second: Sequence[Shape], scale: tuple[float, float, float], reach: float
) -> FloatArray:
    table = np.zeros((len(first), len(second)))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            near = length = 0.0
            for z in {region.z for region in (*a.regions, *b.regions)}:
                left, right = _line(a, z, scale), _line(b, z, scale)
                near += _near(left, right, reach) + _near(right, left, reach)
                length += len(shapely.get_coordinates(left)) + len(shapely.get_coordinates(right))
            table[i, j] = near / length if length else 0.0
    return table


def _line(shape: Shape, z: int, scale: tuple[float, float, float]) -> shapely.Geometry:
    step = np.array([scale[2], scale[1]])
    lines = [region.points * step for region in shape.regions if region.z == z and len(region.points) > 1]
    return shapely.segmentize(
        shapely.MultiLineString([shapely.LineString(line) for line in lines]), _LINE_STEP_PX * min(step)
    )


def _near(line: shapely.Geometry, other: shapely.Geometry, reach: float) -> float:
    points = shapely.points(shapely.get_coordinates(line))
    return float(np.count_nonzero(shapely.distance(points, other) <= reach)) if len(points) else 0.0


def _tags_alike(
    first: Sequence[Shape], second: Sequence[Shape], scale: tuple[float, float, float], reach: float
) -> FloatArray:
    del scale, reach
    return np.ones((len(first), len(second)))


_SIMILARITY = {"points": _points_alike, "line": _lines_alike, "tag": _tags_alike}
