"""One result of a Label Studio annotation: a shape in pixels, or an answer.

Label Studio gives geometry in percent of the picture; a rectangle turns about its first corner, an ellipse about its
centre. Not here: tasks, annotations and who made them (:mod:`labelhub.formats.label_studio`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from labelhub.formats.gathering import Gathering
from labelhub.formats.label_studio_brush import brush_mask
from labelhub.formats.limits import MAX_TEXT, is_usable_number
from labelhub.formats.outlines import is_crossed, points_from_pairs
from labelhub.formats.rle import LyingRunLengthsError, cropped
from labelhub.formats.shapes import MaskRegion, Points, Region, Value
from labelhub.formats.strict_json import Json, as_list, as_mapping, whole_number

SHAPE_TYPES: Final = {
    "rectangle": "rectanglelabels",
    "polygon": "polygonlabels",
    "keypoint": "keypointlabels",
    "ellipse": "ellipselabels",
    "brush": "brushlabels",
}
ANSWER_TYPES: Final = frozenset({"choices", "taxonomy", "rating", "number", "textarea", "datetime"})


def shape_type(kind: object) -> str | None:
    """The plain name of a result type that holds geometry, with or without labels; ``None`` for all others."""
    if not isinstance(kind, str):
        return None
    plain = kind.removesuffix("labels")
    return plain if plain in SHAPE_TYPES and kind in (plain, SHAPE_TYPES[plain]) else None


def picture_size(result: dict[str, Json]) -> tuple[int, int] | None:
    """``(height, width)`` in pixels that a result states, or ``None``."""
    height, width = whole_number(result.get("original_height")), whole_number(result.get("original_width"))
    if height is None or width is None or not (0 < height <= 1_000_000 and 0 < width <= 1_000_000):
        return None
    return height, width


def read_geometry(found: Gathering, place: str, kind: str, result: dict[str, Json]) -> Region | MaskRegion | None:
    """The geometry of a result in pixels; ``None``, with a problem noted, where it cannot be had."""
    size = picture_size(result)
    value = as_mapping(result.get("value"))
    if size is None:
        found.problem(
            place,
            "The result does not say how many pixels its picture has, so percent cannot become pixels.",
            "Export again with original_width and original_height.",
        )
        return None
    if result.get("image_rotation") not in (None, 0):
        found.problem(
            place, "The picture was turned while it was labelled.", "Turn it back in Label Studio, export again."
        )
        return None
    region = _brush(found, place, value, size) if kind == "brush" else _region(kind, value, size)
    if region is None and kind != "brush":
        found.problem(place, f"The {kind} has no usable numbers.", "Correct or remove it.")
    if isinstance(region, Region) and region.kind == "polygon" and is_crossed(region.points):
        found.problem(place, "The outline crosses itself; it was kept as drawn.", "Redraw it if its area matters.")
    return region


def _region(kind: str, value: dict[str, Json], size: tuple[int, int]) -> Region | None:
    height, width = size
    if kind == "polygon":
        points = points_from_pairs(value.get("points"))
        if points is None:
            return None
        return Region("polyline" if value.get("closed") is False else "polygon", points * (width / 100, height / 100))
    names = {"rectangle": ("width", "height"), "ellipse": ("radiusX", "radiusY"), "keypoint": ()}[kind]
    numbers = [value.get(name) for name in ("x", "y", *names)]
    turn = value.get("rotation", 0)
    if not all(map(is_usable_number, numbers)) or not is_usable_number(turn):
        return None
    scale = np.array([width / 100, height / 100] * (len(numbers) // 2))
    pixels = (np.array(numbers, dtype=np.float64) * scale).reshape(-1, 2)
    if kind == "keypoint":
        return Region("points", pixels)
    if (pixels[1] < 0).any():
        return None
    if kind == "ellipse":
        return Region("ellipse", pixels, rotation_deg=float(turn))
    return _turned_box(pixels[0], pixels[1], float(turn))


def _turned_box(corner: Points, size: Points, degrees: float) -> Region:
    """Label Studio turns a box about its first corner; ours turns about its centre."""
    angle = math.radians(degrees)
    half = size / 2
    across = half[0] * math.cos(angle) - half[1] * math.sin(angle)
    down = half[0] * math.sin(angle) + half[1] * math.cos(angle)
    centre = np.array([corner[0] + across, corner[1] + down])
    return Region("box", np.array([centre - half, centre + half]), rotation_deg=degrees)


def _brush(found: Gathering, place: str, value: dict[str, Json], size: tuple[int, int]) -> MaskRegion | None:
    try:
        if value.get("format") != "rle":
            raise LyingRunLengthsError("only run lengths (format 'rle') are read")
        mask, partly = brush_mask(value.get("rle"), *size)
    except LyingRunLengthsError as error:
        found.problem(place, f"The brush mask was refused: {error}.", "Export it again.")
        return None
    found.lose("pixels that a brush covers in part", "a mask knows in or out; half covered counts as in", partly)
    return cropped(mask[np.newaxis])


def label_names(kind: str, value: dict[str, Json]) -> list[str]:
    """The class names on a result."""
    names = as_list(value.get(SHAPE_TYPES.get(kind, kind))) or as_list(value.get("labels"))
    return [name for name in names if isinstance(name, str) and name]


def read_answer(kind: str, value: dict[str, Json]) -> Value | None:
    """The answer that a result holds; ``None`` where it is empty or nothing that can be kept."""
    if kind in ("rating", "number"):
        number = value.get(kind)
        return number if is_usable_number(number) else None
    if kind == "datetime":
        text = value.get("datetime")
        return text if isinstance(text, str) and len(text) <= MAX_TEXT else None
    if kind == "textarea":
        texts = value.get("text")
        lines = [texts] if isinstance(texts, str) else [line for line in as_list(texts) if isinstance(line, str)]
        joined = "\n".join(lines)
        return joined if joined and len(joined) <= MAX_TEXT else None
    chosen = as_list(value.get(kind))
    if kind == "taxonomy":
        chosen = [" > ".join(map(str, path)) for path in chosen if isinstance(path, list)]
    names = tuple(sorted({name for name in chosen if isinstance(name, str)}))
    return (names[0] if len(names) == 1 else names) if names else None
