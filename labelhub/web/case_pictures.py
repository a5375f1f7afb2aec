"""A case as a picture: one labeler's shapes in a solid line, what they are compared with in a dashed one, on the item.

The plane on which the two differ most, cut out around what is drawn and enlarged; black where the item has no pixels. A
pair stands side by side, with every vertex marked, so that "the same to the last vertex" is seen. Not here: which cases are
shown (``analytics.cases``), the page's own viewer (``overlays``).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.measure import find_contours

from labelhub.analytics.layers import Layer
from labelhub.catalog.models import Medium
from labelhub.formats.outlines import outline_of
from labelhub.formats.shapes import Region, Shape
from labelhub.scoring.extents import AREA_KINDS
from labelhub.web.overlays import most_disputed, picture_in

# Part of a picture's ETag: raise it when the drawing changes.
VERSION = 1
OWN, OTHER = (255, 176, 0), (88, 196, 255)
HALO = (0, 0, 0)
SIDE_PX = 320
GAP_BETWEEN_PX = 4
# Drawn so many times as large and then made smaller: lines without jags.
FINENESS = 2
LINE_PX, DASH_PX, GAP_PX, DOT_PX = 3, 11, 8, 3
LEAST_VIEW_PX = 24.0
MARGIN = 0.22

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The cut in pixels of the plane, and how many pixels of the drawing one of them is, across and down."""

    left: float
    top: float
    right: float
    bottom: float
    across: float
    down: float

    @property
    def size(self) -> tuple[int, int]:
        return max(1, round((self.right - self.left) * self.across)), max(
            1, round((self.bottom - self.top) * self.down)
        )

    def placed(self, points: Points) -> list[tuple[float, float]]:
        moved = (points - (self.left, self.top)) * (self.across, self.down)
        return [(float(x), float(y)) for x, y in moved]


def case_png(media: Sequence[Medium], own: Layer, others: Sequence[Layer], *, is_pair: bool) -> bytes:
    """Return the picture of one case; ``is_pair`` puts the two readings side by side instead of one over the other."""
    medium, z = _plane(media, own, others)
    lines = [[*_lines(own, medium, z)], [line for other in others for line in _lines(other, medium, z)]]
    frame = _frame(medium, [line for side in lines for line, _ in side])
    ground = _ground(medium, z, frame)
    if is_pair:
        left, right = ground, ground.copy()
        _draw(left, frame, lines[0], OWN, is_dashed=False, with_vertices=True)
        _draw(right, frame, lines[1], OTHER, is_dashed=False, with_vertices=True)
        gap = GAP_BETWEEN_PX * FINENESS
        picture = Image.new("RGB", (2 * ground.width + gap, ground.height), "white")
        picture.paste(left, (0, 0))
        picture.paste(right, (ground.width + gap, 0))
    else:
        picture = ground
        _draw(picture, frame, lines[1], OTHER, is_dashed=True)
        _draw(picture, frame, lines[0], OWN, is_dashed=False)
    picture = picture.resize((picture.width // FINENESS, picture.height // FINENESS), Image.Resampling.BOX)
    out = io.BytesIO()
    picture.save(out, format="PNG", compress_level=6)
    return out.getvalue()


def _plane(media: Sequence[Medium], own: Layer, others: Sequence[Layer]) -> tuple[Medium, int]:
    """The medium and plane on which they differ most; where they do not, one on which something is drawn."""
    readers = tuple(replace(layer, kind="reader") for layer in (own, *others))
    medium, z, found = most_disputed(media, readers)
    if found is not None:
        return medium, z
    for shape in (shape for layer in readers for shape in layer.reading.shapes):
        medium = next((entry for entry in media if entry.ordinal == shape.medium), media[0])
        planes = _planes_of(shape)
        if planes:
            return medium, min(planes[len(planes) // 2], medium.size_z - 1)
    return media[0], media[0].size_z // 2


def _planes_of(shape: Shape) -> list[int]:
    planes = {region.z for region in shape.regions}
    if shape.mask is not None:
        planes |= {int(z) + shape.mask.origin[0] for z in np.flatnonzero(shape.mask.voxels.any(axis=(1, 2)))}
    return sorted(planes)


def _lines(layer: Layer, medium: Medium, z: int) -> Iterator[tuple[Points, bool]]:
    """Every line of the layer on the plane, with whether it is closed; a single point is a line of one vertex."""
    for shape in layer.reading.shapes:
        if shape.medium != medium.ordinal:
            continue
        for region in shape.regions:
            if region.z == z:
                yield from _region_lines(region)
        if shape.mask is not None and 0 <= z - shape.mask.origin[0] < shape.mask.voxels.shape[0]:
            plane = np.pad(shape.mask.voxels[z - shape.mask.origin[0]].astype(np.float64), 1)
            corner = np.array([shape.mask.origin[2], shape.mask.origin[1]]) - 0.5
            yield from ((contour[:, ::-1] + corner, True) for contour in find_contours(plane, 0.5))


def _region_lines(region: Region) -> Iterator[tuple[Points, bool]]:
    if region.kind in AREA_KINDS:
        yield outline_of(region), True
    elif region.kind == "polyline":
        yield region.points, False
    else:
        yield from ((point.reshape(1, 2), False) for point in region.points)


def _frame(medium: Medium, lines: Iterable[Points]) -> _Frame:
    """A square in millimetres (else pixels) around all lines with some room, no larger than the plane needs."""
    step_x, step_y = medium.spacing_x or 1.0, medium.spacing_y or 1.0
    step_x, step_y = step_x / min(step_x, step_y), step_y / min(step_x, step_y)
    drawn = [points for points in lines if len(points)]
    corners = np.vstack(drawn) if drawn else np.array([[0.0, 0.0], [medium.size_x, medium.size_y]])
    low, high = corners.min(axis=0) * (step_x, step_y), corners.max(axis=0) * (step_x, step_y)
    side = max(float((high - low).max()) * (1 + 2 * MARGIN), LEAST_VIEW_PX)
    limits = (medium.size_x * step_x, medium.size_y * step_y)
    side = min(side, max(limits))
    start = [_start((a + b) / 2, side, limit) for a, b, limit in zip(low, high, limits, strict=True)]
    scale = SIDE_PX * FINENESS / side
    left, top = start[0] / step_x, start[1] / step_y
    return _Frame(left, top, left + side / step_x, top + side / step_y, scale * step_x, scale * step_y)


def _start(middle: float, side: float, limit: float) -> float:
    """Where the cut begins: around its middle, but inside the plane where the plane is large enough."""
    if side >= limit:
        return (limit - side) / 2
    return min(max(middle - side / 2, 0.0), limit - side)


def _ground(medium: Medium, z: int, frame: _Frame) -> Image.Image:
    if medium.pixels_id is None:
        return Image.new("RGB", frame.size, "black")
    box = (int(np.floor(frame.left)), int(np.floor(frame.top)), int(np.ceil(frame.right)), int(np.ceil(frame.bottom)))
    across, down = round((box[2] - box[0]) * frame.across), round((box[3] - box[1]) * frame.down)
    cut = picture_in(medium, z, box, max(frame.size)).resize((across, down), Image.Resampling.BICUBIC)
    left, top = round((frame.left - box[0]) * frame.across), round((frame.top - box[1]) * frame.down)
    return cut.crop((left, top, left + frame.size[0], top + frame.size[1]))


def _draw(
    picture: Image.Image,
    frame: _Frame,
    lines: Iterable[tuple[Points, bool]],
    colour: tuple[int, int, int],
    *,
    is_dashed: bool,
    with_vertices: bool = False,
) -> None:
    pen = ImageDraw.Draw(picture)
    width = LINE_PX * FINENESS
    for points, is_closed in lines:
        vertices = frame.placed(points)
        if len(vertices) == 1:
            _dot(pen, vertices[0], 2 * DOT_PX * FINENESS, colour)
            continue
        path = [*vertices, vertices[0]] if is_closed else vertices
        pieces = list(_dashes(path)) if is_dashed else [path]
        for piece in pieces:
            pen.line(piece, fill=HALO, width=width + 2 * FINENESS, joint="curve")
        for piece in pieces:
            pen.line(piece, fill=colour, width=width, joint="curve")
        if with_vertices:
            for vertex in vertices:
                _dot(pen, vertex, DOT_PX * FINENESS + 1, (255, 255, 255))


def _dot(pen: ImageDraw.ImageDraw, at: tuple[float, float], radius: int, colour: tuple[int, int, int]) -> None:
    x, y = at
    pen.ellipse((x - radius - 2, y - radius - 2, x + radius + 2, y + radius + 2), fill=HALO)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _dashes(path: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """The pieces of a path that are drawn, of even length along it, round corners too."""
    points = np.array(path)
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    step = (DASH_PX + GAP_PX) * FINENESS
    for start in np.arange(0.0, along[-1], step):
        end = min(start + DASH_PX * FINENESS, along[-1])
        places = [start, *along[(along > start) & (along < end)], end]
        yield [(float(np.interp(at, along, points[:, 0])), float(np.interp(at, along, points[:, 1]))) for at in places]
