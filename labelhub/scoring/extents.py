"""Where a shape lies, and how alike two shapes are: the one definition, for pairs that are stored and for whole sets.

A shape of any tool has an *extent*: the voxels that it encloses (its mask and its outlines, cut off at the grid), and the
place of its centre. Two extents with area are alike by IoU: two upright boxes of a plane by their exact areas, all else
by voxels. Marks without area (points, lines, outlines that enclose no voxel) are alike by closeness, which falls in a line
from 1 where they coincide and equals the matching threshold where they are :class:`Reach` apart:

- keypoints, equally many: the mean closeness of corresponding points;
- lines: the mean closeness along both lengths, plane by plane;
- anything else: the closeness of the centres, 1 where the one lies inside the other's area.

A tag lies nowhere and is like any tag. Pure. Not here: which shapes are one object (``numerics.matching``, given this
table), what is measured of two that are (``extent_overlap``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray

from labelhub.formats.outlines import outline_of
from labelhub.formats.shapes import Grid, MaskRegion, Region, Shape
from labelhub.numerics.geometry import PlacedMask, box_iou
from labelhub.numerics.rasterise import shape_mask, union_of

FloatArray = NDArray[np.float64]
Size = tuple[int, int, int]
Box = tuple[float, float, float, float]

AREA_KINDS = ("box", "polygon", "ellipse")
_LINE_STEP_PX = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart two marks without area may lie and still be one: in the plane, and across planes.

    ``px`` counts where the size of a pixel is unknown, ``mm`` where it is known. Planes of unknown position must be the
    same or neighbours.
    """

    px: float = 10.0
    mm: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """Where one shape lies. ``place`` is its centre ``(z, y, x)``; ``None`` for a mere tag, which lies nowhere.

    ``mask`` is ``None`` where nothing is enclosed. ``box`` is ``(x0, y0, x1, y1)`` for a single upright box.
    """

    shape: Shape
    mask: PlacedMask | None
    place: tuple[float, float, float] | None
    box: Box | None = None

    @property
    def medium(self) -> int:
        """The medium of the item on which it lies."""
        return self.shape.medium

    @property
    def has_area(self) -> bool:
        """Whether it encloses anything; an upright box does, however thin."""
        return self.mask is not None or self.box is not None

    @property
    def n_voxels(self) -> float:
        """Its size in pixels or voxels; an upright box counts exactly."""
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            return (x1 - x0) * (y1 - y0)
        return 0.0 if self.mask is None else float(np.count_nonzero(self.mask.voxels))


def extent_of(shape: Shape, size: Size | None) -> Extent:
    """The extent of a shape on a grid of ``size``, beyond which it is cut off; ``None`` where the grid is unknown."""
    drawn = shape_mask(shape.regions, size)
    if shape.mask is None:
        return Extent(shape, drawn if drawn.voxels.any() else None, _centre(shape.regions), _single_box(shape.regions))
    pieces = [_cut(shape.mask, size), drawn]
    voxels = union_of([piece for piece in pieces if piece.voxels.size] or pieces[:1])
    if not voxels.voxels.any():
        return Extent(shape, None, tuple(float(start) for start in shape.mask.origin))  # type: ignore[arg-type]
    mask = _cropped(voxels)
    middle = [start + length / 2 for start, length in zip(mask.origin, mask.voxels.shape, strict=True)]
    return Extent(shape, mask, (middle[0] - 0.5, middle[1], middle[2]))


Known: TypeAlias = dict[tuple[int, Size | None], Extent]
# How many voxels two masks share, by their ids; with the masks, so that their ids are not given to others.
Shared: TypeAlias = dict[tuple[int, int], tuple[int, PlacedMask, PlacedMask]]


class Extents:
    """The extents of shapes, each found once however often it is compared. Lives as long as one item is looked at.

    ``shared`` is for :func:`similarity_table`, which then counts no two of them a second time.
    """

    def __init__(self) -> None:
        self._own: Known = {}
        self._kept: dict[int, Known] = {}
        self.shared: Shared = {}

    def keep_in(self, known: Known, shapes: Sequence[Shape]) -> None:
        """Keep the extents of these shapes in ``known``, and take from it those that are there, for as long as it lives."""
        for shape in shapes:
            self._kept[id(shape)] = known

    def of(self, shape: Shape, size: Size | None) -> Extent:
        """Return :func:`extent_of` the shape."""
        # The extent holds the shape, so that its id is not given to another one.
        key = (id(shape), size)
        known = self._kept.get(key[0], self._own)
        if key not in known:
            known[key] = extent_of(shape, size)
        return known[key]

    def know(self, shape: Shape, size: Size | None, mask: PlacedMask) -> None:
        """Keep the voxels that the shape encloses, whose outlines were made of them: filling would give them again."""
        self._own[id(shape), size] = Extent(shape, mask, _centre(shape.regions), _single_box(shape.regions))

    def voxels_of(self, shape: Shape, size: Size | None) -> PlacedMask:
        """Return the voxels that the shape encloses, which may be none."""
        mask = self.of(shape, size).mask
        return mask if mask is not None else PlacedMask(np.zeros((0, 0, 0), dtype=np.bool_), (0, 0, 0))


def draws_area(shape: Shape) -> bool:
    """Whether the shape was drawn to enclose an area (a mask, polygon, box or ellipse), even if it encloses no voxel."""
    return shape.mask is not None or any(region.kind in AREA_KINDS for region in shape.regions)


def grid_at(medium: int, grids: Sequence[Grid]) -> Grid | None:
    """The grid of a medium; ``None`` where it is unknown."""
    return grids[medium] if medium < len(grids) else None


def grid_size_of(
    medium: int, shapes: Sequence[Shape], grids: Sequence[Grid]
) -> tuple[Size, tuple[float, float, float] | None]:
    """The size and spacing of a medium; where its grid is unknown, the smallest size that holds the shapes, in pixels."""
    grid = grid_at(medium, grids)
    if grid is not None:
        return grid.size, grid.spacing_mm
    ends = np.ones(3, dtype=np.int64)
    for shape in (shape for shape in shapes if shape.medium == medium):
        if shape.mask is not None:
            ends = np.maximum(ends, np.add(shape.mask.origin, shape.mask.voxels.shape))
        for region in shape.regions:
            reach = outline_of(region).max(axis=0) if region.kind in AREA_KINDS else region.points.max(axis=0)
            ends = np.maximum(ends, [region.z + 1, int(np.ceil(reach[1])) + 1, int(np.ceil(reach[0])) + 1])
    return (int(ends[0]), int(ends[1]), int(ends[2])), None


def similarity_table(
    first: Sequence[Extent],
    second: Sequence[Extent],
    grids: Sequence[Grid],
    threshold: float,
    reach: Reach,
    shared: Shared | None = None,
) -> FloatArray:
    """``similarity[first, second]`` from 0 to 1 of every two extents whatever their classes; 0 across media.

    ``shared`` remembers what was counted.
    """
    known: Shared = {} if shared is None else shared
    table = np.zeros((len(first), len(second)))
    for medium in {extent.medium for extent in first} & {extent.medium for extent in second}:
        rows = [i for i, extent in enumerate(first) if extent.medium == medium]
        columns = [j for j, extent in enumerate(second) if extent.medium == medium]
        ruler = _Ruler(grid_at(medium, grids), threshold, reach)
        own, others = [first[i] for i in rows], [second[j] for j in columns]
        table[np.ix_(rows, columns)] = _on_one_medium(own, own if first is second else others, ruler, known)
    return table


@dataclass(frozen=True, slots=True)
class _Ruler:
    """What turns a distance into closeness on one medium."""

    grid: Grid | None
    threshold: float
    reach: Reach

    def closeness(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """From 1 to 0, of each place ``(z, y, x)`` of the first to the same one of the second."""
        return self.closeness_at(self._apart(first, second))

    def closeness_at(self, reaches: FloatArray) -> FloatArray:
        """From 1 to 0, at distances counted in reaches."""
        return np.clip(1 - (1 - self.threshold) * reaches, 0.0, 1.0)

    def in_plane(self) -> tuple[float, float]:
        """How many reaches one pixel is, along y and along x."""
        if self.grid is not None and self.grid.spacing_mm is not None:
            return self.grid.spacing_mm[1] / self.reach.mm, self.grid.spacing_mm[2] / self.reach.mm
        return 1 / self.reach.px, 1 / self.reach.px

    def _apart(self, first: FloatArray, second: FloatArray) -> FloatArray:
        gaps = first - second
        across = np.abs(gaps[:, 0])
        if self.grid is not None and self.grid.spacing_mm is not None:
            across = across * (self.grid.spacing_mm[0] / self.reach.mm)
        elif self.grid is not None and self.grid.plane_positions_mm:
            positions = np.asarray(self.grid.plane_positions_mm, dtype=np.float64)
            planes = np.arange(len(positions), dtype=np.float64)
            at = [np.interp(side[:, 0], planes, positions) for side in (first, second)]
            across = np.abs(at[0] - at[1]) / self.reach.mm
        step_y, step_x = self.in_plane()
        return np.sqrt(across**2 + (gaps[:, 1] * step_y) ** 2 + (gaps[:, 2] * step_x) ** 2)


def _on_one_medium(first: Sequence[Extent], second: Sequence[Extent], ruler: _Ruler, known: Shared) -> FloatArray:
    table = np.zeros((len(first), len(second)))
    filled = [[i for i, extent in enumerate(side) if extent.mask is not None] for side in (first, second)]
    is_boxes_only = all(extent.box is not None for extent in (*first, *second))
    if filled[0] and filled[1] and not is_boxes_only:
        _fill_areas(table, first, second, filled, known)
    without = [[i for i, extent in enumerate(side) if extent.mask is None] for side in (first, second)]
    for i in range(len(first)) if without[1] else without[0]:
        for j in range(len(second)) if first[i].mask is None else without[1]:
            table[i, j] = _closeness(first[i], second[j], ruler)
    boxes = [[i for i, extent in enumerate(side) if extent.box is not None] for side in (first, second)]
    if boxes[0] and boxes[1]:
        corners = [np.array([side[i].box for i in own]) for side, own in zip((first, second), boxes, strict=True)]
        planes = [[side[i].shape.regions[0].z for i in own] for side, own in zip((first, second), boxes, strict=True)]
        window = np.ix_(*boxes)
        table[window] = box_iou(*corners) * np.equal.outer(*planes)
    return table


def _fill_areas(
    table: FloatArray, first: Sequence[Extent], second: Sequence[Extent], filled: list[list[int]], known: Shared
) -> None:
    """Voxels are counted only where bounding boxes meet; the table and what is ``known`` are the caller's own."""
    masks = [
        [extent.mask for i in own if (extent := side[i]).mask is not None]
        for side, own in zip((first, second), filled, strict=True)
    ]
    low = [np.array([mask.origin for mask in side]) for side in masks]
    high = [start + np.array([m.voxels.shape for m in side]) for start, side in zip(low, masks, strict=True)]
    meets = ((low[0][:, None] < high[1][None]) & (low[1][None] < high[0][:, None])).all(axis=2)
    is_same = first is second
    if is_same:
        meets = np.triu(meets)
    sizes = [np.array([np.count_nonzero(mask.voxels) for mask in side], dtype=np.float64) for side in masks]
    rows, columns = np.nonzero(meets)
    if not len(rows):
        return
    shared = np.array(
        [_n_shared(masks[0][i], masks[1][j], known) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]
    )
    values = shared / (sizes[0][rows] + sizes[1][columns] - shared)
    at = np.array(filled[0])[rows], np.array(filled[1])[columns]
    table[at] = values
    if is_same:
        table[at[::-1]] = values


def _n_shared(first: PlacedMask, second: PlacedMask, known: Shared) -> int:
    """How many voxels two masks share whose bounding boxes meet."""
    key = (id(first), id(second))
    if key in known:
        return known[key][0]
    # Written out axis by axis: an item of many objects asks for thousands of pairs.
    (az, ay, ax), (bz, by, bx) = first.origin, second.origin
    (an, am, ak), (bn, bm, bk) = first.voxels.shape, second.voxels.shape
    z0, y0, x0 = max(az, bz), max(ay, by), max(ax, bx)
    z1, y1, x1 = min(az + an, bz + bn), min(ay + am, by + bm), min(ax + ak, bx + bk)
    own = first.voxels[z0 - az : z1 - az, y0 - ay : y1 - ay, x0 - ax : x1 - ax]
    other = second.voxels[z0 - bz : z1 - bz, y0 - by : y1 - by, x0 - bx : x1 - bx]
    n_shared = int(np.count_nonzero(own & other))
    known[key] = n_shared, first, second
    return n_shared


def _closeness(first: Extent, second: Extent, ruler: _Ruler) -> float:
    if first.place is None or second.place is None:
        return 1.0 if first.place is second.place else 0.0
    if _is_inside(first, second) or _is_inside(second, first):
        return 1.0
    natures = {_nature(first.shape), _nature(second.shape)}
    if natures == {"points"}:
        left, right = _stacked(first.shape), _stacked(second.shape)
        if left.shape == right.shape:
            return float(ruler.closeness(left, right).mean())
    if natures == {"line"}:
        return _line_closeness(first.shape, second.shape, ruler)
    return float(ruler.closeness(np.array([first.place]), np.array([second.place]))[0])


def _is_inside(mark: Extent, area: Extent) -> bool:
    if mark.mask is not None or area.mask is None or mark.place is None:
        return False
    index = tuple(math.floor(at) - start for at, start in zip(mark.place, area.mask.origin, strict=True))
    inside = all(0 <= i < n for i, n in zip(index, area.mask.voxels.shape, strict=True))
    return bool(inside and area.mask.voxels[index])


def _nature(shape: Shape) -> str:
    if draws_area(shape):
        return "area"
    kinds = {region.kind for region in shape.regions}
    if kinds == {"points"}:
        return "points"
    return "line" if any(region.kind == "polyline" and len(region.points) > 1 for region in shape.regions) else "mark"


def _stacked(shape: Shape) -> FloatArray:
    """The keypoints of a shape, ``(z, y, x)`` each."""
    return np.vstack([np.column_stack([np.full(len(r.points), float(r.z)), r.points[:, ::-1]]) for r in shape.regions])


def _line_closeness(first: Shape, second: Shape, ruler: _Ruler) -> float:
    total, length = 0.0, 0
    for z in {region.z for region in (*first.regions, *second.regions)}:
        lines = [_line(shape, z, ruler) for shape in (first, second)]
        for line, other in (lines, lines[::-1]):
            steps = shapely.points(shapely.get_coordinates(line))
            length += len(steps)
            if len(steps) and not other.is_empty:
                total += float(ruler.closeness_at(shapely.distance(steps, other)).sum())
    return total / length


def _line(shape: Shape, z: int, ruler: _Ruler) -> shapely.Geometry:
    """The lines of a shape on one plane, in reaches, with a vertex at least every half pixel."""
    step_y, step_x = ruler.in_plane()
    step = np.array([step_x, step_y])
    lines = [shapely.LineString(r.points * step) for r in shape.regions if r.z == z and len(r.points) > 1]
    return shapely.segmentize(shapely.MultiLineString(lines), _LINE_STEP_PX * min(step_x, step_y))


def _cut(mask: MaskRegion, size: Size | None) -> PlacedMask:
    if size is None:
        return PlacedMask(mask.voxels, mask.origin)
    low = np.clip(np.negative(mask.origin), 0, mask.voxels.shape)
    high = np.clip(np.subtract(size, mask.origin), low, mask.voxels.shape)
    window = tuple(slice(int(start), int(end)) for start, end in zip(low, high, strict=True))
    return PlacedMask(mask.voxels[window], tuple(int(start) for start in np.add(mask.origin, low)))


def _cropped(mask: PlacedMask) -> PlacedMask:
    """The same voxels without empty margins."""
    window, origin = [], []
    for axis, start in enumerate(mask.origin):
        occupied = np.flatnonzero(mask.voxels.any(axis=tuple(other for other in range(3) if other != axis)))
        window.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
        origin.append(start + int(occupied[0]))
    return PlacedMask(mask.voxels[tuple(window)], tuple(origin))


def _single_box(regions: Sequence[Region]) -> Box | None:
    if len(regions) != 1 or regions[0].kind != "box" or regions[0].rotation_deg or regions[0].is_hole:
        return None
    (x0, y0), (x1, y1) = regions[0].points
    return (float(min(x0, x1)), float(min(y0, y1)), float(max(x0, x1)), float(max(y0, y1)))


def _centre(regions: Sequence[Region]) -> tuple[float, float, float] | None:
    if not regions:
        return None
    points = [outline_of(region) if region.kind in AREA_KINDS else region.points for region in regions]
    if len(regions) == 1:
        x, y = points[0].mean(axis=0).tolist()
        return (float(regions[0].z), y, x)
    x, y = np.mean([piece.mean(axis=0) for piece in points], axis=0)
    return (float(np.mean([region.z for region in regions])), float(y), float(x))
