"""The drawn elements of CVAT XML: box, polygon, polyline, points, ellipse and mask, with their attributes.

Not here: images, tracks and raters (:mod:`labelhub.formats.cvat`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from labelhub.formats.gathering import Gathering
from labelhub.formats.limits import MAX_MASK_VOXELS, MAX_POINTS_A_REGION, MAX_TEXT, number_or_none
from labelhub.formats.outlines import is_crossed
from labelhub.formats.rle import cropped
from labelhub.formats.shapes import MaskRegion, Points, Region, Value
from labelhub.formats.strict_xml import Element, children, tag_of

MARK_TAGS: Final = frozenset({"box", "polygon", "polyline", "points", "ellipse", "mask"})
Drawn = tuple[tuple[Region, ...], MaskRegion | None]


def read_mark(found: Gathering, place: str, mark: Element, *, z: int) -> Drawn | None:
    """The geometry of one element on plane ``z``; ``None``, with a problem noted, where it cannot be used."""
    kind = tag_of(mark)
    if kind == "mask":
        mask = _mask(mark, z)
        if mask is None:
            found.problem(
                place, "The mask was refused: its runs do not fill its width and height.", "Export the mask again."
            )
            return None
        return (), mask
    region = _region(kind, mark, z)
    if region is None:
        found.problem(place, f"The {kind} has no usable numbers.", "Correct or remove it.")
        return None
    if region.kind == "polygon" and is_crossed(region.points):
        found.problem(place, "The outline crosses itself; it was kept as drawn.", "Redraw it if its area matters.")
    return (region,), None


def _region(kind: str, mark: Element, z: int) -> Region | None:
    turn = number_or_none(mark.attrib.get("rotation", "0"))
    if turn is None:
        return None
    if kind == "box":
        corners = [number_or_none(mark.attrib.get(name)) for name in ("xtl", "ytl", "xbr", "ybr")]
        numbers = [number for number in corners if number is not None]
        if len(numbers) < 4 or numbers[2] < numbers[0] or numbers[3] < numbers[1]:
            return None
        return Region("box", np.array(numbers).reshape(2, 2), z=z, rotation_deg=turn)
    if kind == "ellipse":
        values = [number_or_none(mark.attrib.get(name)) for name in ("cx", "cy", "rx", "ry")]
        numbers = [number for number in values if number is not None]
        if len(numbers) < 4 or min(numbers[2:]) < 0:
            return None
        return Region("ellipse", np.array(numbers).reshape(2, 2), z=z, rotation_deg=turn)
    points = _points(mark.attrib.get("points", ""))
    if points is None:
        return None
    if kind == "polygon":
        return Region("polygon", points, z=z) if len(points) >= 3 else None
    if kind == "polyline":
        return Region("polyline", points, z=z) if len(points) >= 2 else None
    return Region("points", points, z=z)


def _points(text: str) -> Points | None:
    pairs = [pair.split(",") for pair in text.split(";")]
    if len(pairs) > MAX_POINTS_A_REGION or any(len(pair) != 2 for pair in pairs):
        return None
    numbers = [number_or_none(number) for pair in pairs for number in pair]
    usable = [number for number in numbers if number is not None]
    return np.array(usable).reshape(-1, 2) if len(usable) == len(numbers) else None


def _mask(mark: Element, z: int) -> MaskRegion | None:
    """CVAT's runs go along the rows of the mask's own rectangle, background first."""
    names = ("left", "top", "width", "height")
    sides = [number_or_none(mark.attrib.get(name)) for name in names]
    if any(side is None or side < 0 or side != int(side) for side in sides):
        return None
    left, top, width, height = (int(side or 0) for side in sides)
    texts = mark.attrib.get("rle", "").split(",")
    runs = [int(text) for text in map(str.strip, texts) if text.isascii() and text.isdigit() and len(text) < 12]
    if len(runs) != len(texts) or not 0 < width * height <= MAX_MASK_VOXELS or sum(runs) != width * height:
        return None
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, np.array(runs, dtype=np.int64))
    return cropped(flat.reshape(1, height, width), (z, top, left))


def attributes_of(found: Gathering, place: str, mark: Element, types: Mapping[str, str]) -> dict[str, Value]:
    """The attributes of an element in the types that its label declares; ``occluded`` is kept where it is set."""
    attributes: dict[str, Value] = {}
    if mark.attrib.get("occluded") == "1":
        attributes["occluded"] = True
    if mark.attrib.get("z_order", "0") != "0":
        found.lose("drawing order", "shapes may overlap; no order is kept")
    if mark.attrib.get("group_id", "0") not in ("", "0"):
        found.lose("groups of shapes", "each shape stands alone")
    for attribute in children(mark, "attribute"):
        name, text = attribute.attrib.get("name", ""), (attribute.text or "").strip()
        if name not in types:
            found.problem(
                place, f"The attribute {name[:60]!r} is not declared for this label.", "Declare it, or remove it."
            )
            continue
        value = _typed(text, types[name])
        if value is None:
            found.problem(place, f"The attribute {name[:60]!r} is no {types[name]}.", "It counts as not answered.")
        elif text:
            attributes[name] = value
    return attributes


def _typed(text: str, kind: str) -> Value | None:
    if len(text) > MAX_TEXT:
        return None
    if kind == "checkbox":
        return {"true": True, "false": False, "": False}.get(text.lower())
    if kind == "number" and text:
        return number_or_none(text)
    return text
