"""Layers as the page draws them: outlines as points, masks as small PNGs, and where people differ as a heat picture.

Hidden from annotators as a whole. Not here: which layers there are (``analytics.layers``), tinting (the page's script).
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labelhub.analytics.layers import Dispute, Layer, dispute_of
from labelhub.catalog import tiles
from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import grid_of, read_slice, windowed
from labelhub.formats.shapes import Region, Shape
from labelhub.projects.errors import DomainError
from labelhub.projects.ontology import Ontology

HEAT = (255, 92, 46)
MOST_OPAQUE = 140
FALLBACK_COLOUR = "#a0a0a0"
# What is sent as one picture at most; of what is larger a part or a coarser copy is.
MOST_PIXELS = tiles.LARGE_PIXELS
MOST_STEP = 256


def layer_document(layer: Layer, ontology: Ontology) -> dict[str, Any]:
    """Return a layer as JSON-ready dictionaries: every shape with its outlines, and where its mask has pixels."""
    shapes = [_shape_document(number, shape, ontology) for number, shape in enumerate(layer.reading.shapes)]
    return {"key": layer.key, "kind": layer.kind, "name": layer.name, "shapes": shapes}


def _shape_document(number: int, shape: Shape, ontology: Ontology) -> dict[str, Any]:
    entry = ontology.label_class(shape.label)
    document: dict[str, Any] = {
        "number": number,
        "label": entry.name if entry is not None else shape.label,
        "colour": entry.colour if entry is not None else FALLBACK_COLOUR,
        "medium": shape.medium,
        "regions": [_region_document(region) for region in shape.regions],
    }
    if shape.mask is not None:
        depth, height, width = shape.mask.voxels.shape
        z, y, x = shape.mask.origin
        document["mask"] = {"z": [z, z + depth], "y": y, "x": x, "height": height, "width": width}
    return document


def _region_document(region: Region) -> dict[str, Any]:
    return {
        "kind": region.kind,
        "points": np.ascontiguousarray(np.round(region.points, 2)),
        "z": region.z,
        "rotation": region.rotation_deg,
        "hole": region.is_hole,
    }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a mask's plane is asked for, in pixels of its own box: one pixel of the answer for ``step`` of them."""

    step: int
    left: int
    top: int
    width: int
    height: int


def wanted_in(text: str) -> Wanted | None:
    """Return the part that an address asks for as ``step,left,top,width,height``; None for all of it.

    Raises ``DomainError`` for what is no such part, or is too large to be sent as one picture.
    """
    if not text:
        return None
    parts = text[:80].split(",")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 8]
    if len(numbers) == len(parts) == 5:
        step, _, _, width, height = numbers
        if 0 < step <= MOST_STEP and 0 < -(-width // step) * -(-height // step) <= MOST_PIXELS:
            return Wanted(*numbers)
    raise DomainError("This part of a mask cannot be shown.", code="part-refused", status=400)


def mask_png(shape: Shape, z: int, wanted: Wanted | None = None) -> bytes | None:
    """Return one plane of a shape's mask, or a part of it, as a PNG whose opacity is the mask; None where nothing is there.

    With a step a pixel stands for a block of the mask, and is lit where any of it is.
    """
    if shape.mask is None or not 0 <= z - shape.mask.origin[0] < shape.mask.voxels.shape[0]:
        return None
    plane = shape.mask.voxels[z - shape.mask.origin[0]]
    if wanted is None:
        return alpha_png(plane)
    part = plane[wanted.top : wanted.top + wanted.height, wanted.left : wanted.left + wanted.width]
    return alpha_png(part, wanted.step) if part.any() else None


def alpha_png(plane: NDArray[np.bool_], step: int = 1) -> bytes:
    """Return a plane as a white PNG whose opacity it is; a pixel stands for ``step`` rows and columns, of which any is lit."""
    for axis in (0, 1) if step > 1 else ():
        plane = np.logical_or.reduceat(plane, np.arange(0, plane.shape[axis], step), axis=axis)
    alpha = Image.fromarray(np.where(plane, 255, 0).astype(np.uint8))
    return png_of(Image.merge("LA", (Image.new("L", alpha.size, 255), alpha)))


@dataclass(frozen=True, slots=True)
class Piece:
    """A transparent picture of a part of a plane: where it begins there, and how many pixels of the plane one of its is."""

    png: bytes
    left: int
    top: int
    step: int


def heat_step(medium: Medium) -> int:
    """Return how many pixels a side one of the heat stands for, so that that of a large picture travels too."""
    return step_for(medium.size_y, medium.size_x)


def step_for(height: int, width: int) -> int:
    """Return how many pixels a side one must stand for, so that so many can be sent as one picture."""
    return max(1, math.ceil(math.sqrt(height * width / MOST_PIXELS)))


def dispute_piece(medium: Medium, layers: tuple[Layer, ...], z: int) -> Piece | None:
    """Return where the readers differ on plane ``z``; None where they do not."""
    dispute = dispute_of(medium=medium.ordinal, grid=grid_of(medium), layers=layers)
    found = None if dispute is None else dispute.heat(z, heat_step(medium))
    return None if found is None else heat_piece(medium, *found)


def heat_piece(medium: Medium, heat: NDArray[np.float64], at: tuple[int, int]) -> Piece | None:
    """Return the part of a plane's heat in which there is any; its first row and column lie ``at``. None without any."""
    step = heat_step(medium)
    rows, columns = np.flatnonzero(heat.any(axis=1)), np.flatnonzero(heat.any(axis=0))
    if not rows.size:
        return None
    top, left = int(rows[0]), int(columns[0])
    part = heat[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    png = png_of(Image.fromarray(_heat(part), "RGBA"))
    return Piece(png, at[1] + left * step, at[0] + top * step, step)


def dispute_thumbnail(media: Sequence[Medium], layers: tuple[Layer, ...], size: int) -> bytes:
    """Return a small picture of the medium and the plane on which readers differ most, with the heat of that plane over it.

    Where the picture itself was never brought in, the heat stands on black, cut out with some room around it.
    """
    medium, z, found = most_disputed(media, layers)
    box, lit, step = (0, 0, medium.size_x, medium.size_y), None, heat_step(medium)
    has_pixels = medium.pixels_id is not None
    if found is not None:
        heat = _whole_plane(medium, found.heat(z, step), step)
        lit = Image.fromarray(_opacity(heat))
        if not has_pixels:
            left, top, right, bottom = _box_around(heat)
            lit, box = lit.crop((left, top, right, bottom)), (left * step, top * step, right * step, bottom * step)
    height, width = (box[3] - box[1]) * (medium.spacing_y or 1.0), (box[2] - box[0]) * (medium.spacing_x or 1.0)
    scale = size / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Made small before it is laid over: of a photograph that is a hundredth of the pixels.
    result = picture_in(medium, z, box, size).resize(small) if has_pixels else Image.new("RGB", small, "black")
    if lit is not None:
        result.paste(HEAT, (0, 0), lit.resize(small))
    return png_of(result)


def most_disputed(media: Sequence[Medium], layers: tuple[Layer, ...]) -> tuple[Medium, int, Dispute | None]:
    """Return the medium and plane on which readers differ most, and how; where they do not, the middle of the first picture."""
    drawn = {shape.medium for layer in layers if layer.kind == "reader" for shape in layer.reading.shapes}
    most, place = 0.0, None
    for medium in (entry for entry in media if entry.ordinal in drawn):
        found = dispute_of(medium=medium.ordinal, grid=grid_of(medium), layers=layers)
        value, z = (0.0, 0) if found is None else found.worst()
        if value > most and z < medium.size_z:
            most, place = value, (medium, z, found)
    if place is not None:
        return place
    first = next((medium for medium in media if medium.pixels_id is not None), media[0])
    return first, first.size_z // 2, None


def picture_in(medium: Medium, z: int, box: tuple[int, int, int, int], finest: int) -> Image.Image:
    """Return what lies in ``box`` (left, top, right, bottom; black beyond the plane) under the medium's window.

    Of a large picture that is sent in tiles, a coarser level where that has ``finest`` pixels along the longer side still.
    """
    n_levels = tiles.level_count(medium)
    if not n_levels:
        return plane_picture(medium, z).convert("RGB").crop(box)
    longest = max(box[2] - box[0], box[3] - box[1])
    level = min(max(int(math.log2(longest / finest)), 0) if longest > finest else 0, n_levels - 1)
    left, top, right, bottom = (side >> level for side in box)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    piece = windowed(tiles.read_piece(medium, level, (left, top, right, bottom)), _window_of_large(medium))
    result = Image.new("RGB", (right - left, bottom - top))
    if piece.size:
        result.paste(Image.fromarray(piece).convert("RGB"), (max(-left, 0), max(-top, 0)))
    return result


def _window_of_large(medium: Medium) -> tuple[float, float] | None:
    """The window of a picture in tiles: where none is stated that of its coarsest level, so that all parts look alike."""
    if (stated := _window(medium)) is not None or medium.dtype == "uint8":
        return stated
    coarse = tiles.read_piece(medium, tiles.level_count(medium) - 1, (0, 0, medium.size_x, medium.size_y))
    values = coarse[np.isfinite(coarse)]
    low, high = np.percentile(values, [1.0, 99.0]) if values.size else (0.0, 1.0)
    return float(low + high) / 2, float(high - low)


def plane_picture(medium: Medium, z: int) -> Image.Image:
    """Return plane ``z`` of a medium that has pixels, under its window."""
    tile = read_slice(medium, "axial", z)
    rows = np.frombuffer(tile.content, dtype=np.dtype(tile.dtype).newbyteorder("<"))
    rows = rows.reshape((tile.height, tile.width) if tile.channels == 1 else (tile.height, tile.width, tile.channels))
    return Image.fromarray(windowed(rows, _window(medium))).convert("RGBA")


def _box_around(plane: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a square that holds all that is above zero, half as large again."""
    rows, columns = np.nonzero(plane)
    if not rows.size:
        return 0, 0, plane.shape[1], plane.shape[0]
    middle = (int(rows.min() + rows.max()) // 2, int(columns.min() + columns.max()) // 2)
    half = max(int(np.ptp(rows)), int(np.ptp(columns)), 8) * 3 // 4 + 1
    return middle[1] - half, middle[0] - half, middle[1] + half, middle[0] + half


def _whole_plane(
    medium: Medium, found: tuple[NDArray[np.float64], tuple[int, int]] | None, step: int
) -> NDArray[np.float64]:
    """The disagreement on the whole of a plane, of which ``found`` is a piece with its first row and column."""
    plane = np.zeros((-(-medium.size_y // step), -(-medium.size_x // step)))
    if found is not None:
        heat, (top, left) = found[0], (found[1][0] // step, found[1][1] // step)
        part = plane[top : top + heat.shape[0], left : left + heat.shape[1]]
        part[:] = heat[: part.shape[0], : part.shape[1]]
    return plane


def _heat(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    picture = np.zeros((*plane.shape, 4), dtype=np.uint8)
    picture[..., :3] = HEAT
    picture[..., 3] = _opacity(plane)
    return picture


def _opacity(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(np.round(np.clip(plane, 0.0, 1.0) * MOST_OPAQUE), dtype=np.uint8)


def _window(medium: Medium) -> tuple[float, float] | None:
    if medium.window_center is None or medium.window_width is None:
        return None
    return medium.window_center, medium.window_width


def png_of(picture: Image.Image) -> bytes:
    """Return the picture as the bytes of a PNG."""
    out = io.BytesIO()
    picture.save(out, format="PNG", compress_level=1)
    return out.getvalue()
