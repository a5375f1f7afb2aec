"""Layers as the page draws them: outlines as points, masks as small PNGs, and where people differ as a heat picture.

Hidden from annotators as a whole. Not here: which layers there are (``analytics.layers``), tinting (the page's script).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labelhub.analytics.layers import Dispute, Layer, dispute_of
from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import grid_of, read_slice, windowed
from labelhub.formats.shapes import Region, Shape
from labelhub.projects.ontology import Ontology

HEAT = (255, 92, 46)
MOST_OPAQUE = 140
FALLBACK_COLOUR = "#a0a0a0"


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
        "points": np.round(region.points, 2).tolist(),
        "z": region.z,
        "rotation": region.rotation_deg,
        "hole": region.is_hole,
    }


def mask_png(shape: Shape, z: int) -> bytes | None:
    """Return one plane of a shape's mask as a PNG whose opacity is the mask; None where it has nothing there."""
    if shape.mask is None or not 0 <= z - shape.mask.origin[0] < shape.mask.voxels.shape[0]:
        return None
    plane = shape.mask.voxels[z - shape.mask.origin[0]]
    alpha = np.where(plane, 255, 0).astype(np.uint8)
    return png_of(Image.merge("LA", (Image.new("L", alpha.shape[::-1], 255), Image.fromarray(alpha))))


def dispute_png(medium: Medium, layers: tuple[Layer, ...], z: int) -> bytes | None:
    """Return where the readers differ on plane ``z``, as a transparent heat picture of the whole plane."""
    dispute = dispute_of(medium=medium.ordinal, grid=grid_of(medium), layers=layers)
    if dispute is None:
        return None
    return png_of(Image.fromarray(_heat(_whole_plane(medium, dispute.heat(z))), "RGBA"))


def heat_png(medium: Medium, heat: NDArray[np.float64], at: tuple[int, int]) -> bytes:
    """Return a piece of a plane's heat, whose first row and column are ``at``, as a transparent picture of the plane."""
    return png_of(Image.fromarray(_heat(_whole_plane(medium, (heat, at))), "RGBA"))


def dispute_thumbnail(media: Sequence[Medium], layers: tuple[Layer, ...], size: int) -> bytes:
    """Return a small picture of the medium and the plane on which readers differ most, with the heat of that plane over it.

    Where the picture itself was never brought in, the heat stands on black, cut out with some room around it.
    """
    medium, z, found = most_disputed(media, layers)
    has_pixels = medium.pixels_id is not None
    picture = plane_picture(medium, z) if has_pixels else Image.new("RGB", (medium.size_x, medium.size_y), "black")
    lit = None
    if found is not None:
        heat = _whole_plane(medium, found.heat(z))
        lit = Image.fromarray(_opacity(heat))
        if not has_pixels:
            box = _box_around(heat)
            picture, lit = picture.crop(box), lit.crop(box)
    height, width = picture.height * (medium.spacing_y or 1.0), picture.width * (medium.spacing_x or 1.0)
    scale = size / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Made small before it is laid over: of a photograph that is a hundredth of the pixels.
    result = picture.convert("RGB").resize(small)
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


def _whole_plane(medium: Medium, found: tuple[NDArray[np.float64], tuple[int, int]] | None) -> NDArray[np.float64]:
    """The disagreement on the whole of a plane, of which ``found`` is a piece with its first row and column."""
    plane = np.zeros((medium.size_y, medium.size_x))
    if found is not None:
        heat, (top, left) = found
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
