"""Drawings of what readers marked on the most disputed items: overlaid outlines, one reader one colour and one stroke.

No image is needed: shapes are drawn on a dark ground. Each view shows one object, on the plane where its readers differ
most, with everything else that was marked there. Strokes differ in pattern as well as in colour, and each mark carries
its reader's number. Not here: which items are disputed (``scoring.panel_items``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from numpy.typing import NDArray

from labelhub.formats.outlines import outline_of
from labelhub.formats.shapes import AnnotationSet, Shape
from labelhub.scoring.extents import AREA_KINDS, Extent, extent_of, grid_at
from labelhub.scoring.gather import Gathered, gather
from labelhub.scoring.gather_objects import LabelObjects, Objects, gather_objects
from labelhub.scoring.item_objects import Matching

# Okabe & Ito's palette, told apart by people with any colour vision.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2", "#ffffff")
DASHES = ("none", "6 3", "2 2", "8 3 2 3", "1 3", "10 4", "4 4 1 4", "12 2")
VIEWS_AN_ITEM = 3
LEAST_VIEW_PX = 24.0
POINT_VIEW_PX = 60.0
_SIDE = 260

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class View:
    """One drawing and what it shows, in words."""

    svg: SafeString
    caption: str


def pictures_of(
    annotation_set: AnnotationSet, items: Sequence[str], matching: Matching, names: Sequence[str], kinds: Sequence[str]
) -> dict[str, tuple[View, ...]]:
    """The views of each of these items, most disputed object first; items without shapes have none."""
    wanted = set(items)
    subset = replace(
        annotation_set,
        items=tuple(item for item in annotation_set.items if item.key in wanted),
        readings=tuple(reading for reading in annotation_set.readings if reading.item in wanted),
    )
    gathered = gather(subset, kinds=kinds)
    objects = gather_objects(gathered, matching)
    numbers = {name: place for place, name in enumerate(names)}
    views = {}
    for index, item in enumerate(gathered.items):
        ranked = sorted(_disputes(objects, index), key=lambda dispute: -dispute.weight)
        views[item.key] = tuple(_view(gathered, index, dispute, numbers) for dispute in ranked[:VIEWS_AN_ITEM])
    return views


@dataclass(frozen=True, slots=True, eq=False)
class _Dispute:
    """One object on which the readers of an item differ, and by how much."""

    label: LabelObjects
    unit: int
    weight: float


def _disputes(objects: Objects, item: int) -> list[_Dispute]:
    found = []
    for label in objects.by_label.values():
        dice: dict[int, list[float]] = {}
        for pair in label.pairs:
            if pair.item == item:
                dice.setdefault(pair.unit, []).append(pair.comparison.dice)
        for unit in np.nonzero(label.item == item)[0]:
            row = label.found[unit]
            readers, marked = int((~np.isnan(row)).sum()), int((row == 1).sum())
            if readers < 2:
                continue
            missed = 2 * min(marked, readers - marked) / readers
            unlike = 1 - float(np.mean(dice[int(unit)])) if int(unit) in dice else 0.0
            # A picture of outlines tells more than one of a dot, so areas come first.
            found.append(_Dispute(label, int(unit), missed + unlike + (2.0 if label.has_area else 0.0)))
    return found


def _view(gathered: Gathered, item: int, dispute: _Dispute, numbers: dict[str, int]) -> View:
    grids = gathered.items[item].grids
    members = dispute.label.shapes[dispute.unit]
    medium = next(iter(members.values())).medium
    grid = grid_at(medium, grids)
    extents = {rater: extent_of(shape, None if grid is None else grid.size) for rater, shape in members.items()}
    z = _plane(list(extents.values()))
    box = _window(list(extents.values()))
    marks = [
        _drawn(shape, z, _number(gathered, rater, numbers), box)
        for rater in gathered.by_item[item]
        for shape in gathered.readings[item, rater].shapes
        if shape.medium == medium
    ]
    caption = _caption(gathered, item, dispute, z)
    x0, y0, x1, y1 = box
    svg = format_html(
        '<svg class="picture" role="img" viewBox="{} {} {} {}" width="{}" height="{}" aria-label="{}">'
        '<rect x="{}" y="{}" width="{}" height="{}" fill="#0b0b0b"/>{}</svg>',
        f"{x0:.1f}", f"{y0:.1f}", f"{x1 - x0:.1f}", f"{y1 - y0:.1f}", _SIDE, _SIDE, caption,
        f"{x0:.1f}", f"{y0:.1f}", f"{x1 - x0:.1f}", f"{y1 - y0:.1f}",
        mark_safe("".join(marks)),  # noqa: S308 - each part was made by format_html
    )  # fmt: skip
    return View(svg, caption)


def legend(names: Sequence[str]) -> SafeString:
    """Which stroke is which reader's."""
    return format_html_join(
        "",
        '<span class="key"><svg width="36" height="12" aria-hidden="true"><line x1="1" y1="6" x2="35" y2="6" '
        'stroke="{}" stroke-width="3" stroke-dasharray="{}"/></svg>{}</span>',
        ((*_stroke(number), name) for number, name in enumerate(names)),
    )


def _stroke(number: int) -> tuple[str, str]:
    """Colour and dash pattern of a reader; a ninth reader has the first's colour and another pattern."""
    place, turn = number % len(COLOURS), number // len(COLOURS)
    return COLOURS[place], DASHES[(place + turn) % len(DASHES)]


def _number(gathered: Gathered, rater: int, numbers: dict[str, int]) -> int:
    return numbers.get(gathered.raters[rater], rater)


def _plane(extents: Sequence[Extent]) -> int:
    """The plane where the most pixels were marked by some but not by all of those who marked the object."""
    count: dict[int, int] = {}
    planes: dict[int, list[tuple[NDArray[np.bool_], int, int]]] = {}
    for extent in extents:
        if extent.mask is None:
            z = round(extent.place[0]) if extent.place is not None else 0
            count.setdefault(z, 0)
            continue
        z0, y0, x0 = extent.mask.origin
        for offset in range(extent.mask.voxels.shape[0]):
            if extent.mask.voxels[offset].any():
                planes.setdefault(z0 + offset, []).append((extent.mask.voxels[offset], y0, x0))
    for z, pieces in planes.items():
        count[z] = _disputed_pixels(pieces, len(extents))
    return max(count, key=lambda z: (count[z], -z)) if count else 0


def _disputed_pixels(pieces: list[tuple[NDArray[np.bool_], int, int]], n_readers: int) -> int:
    low_y, low_x = min(y for _, y, _ in pieces), min(x for _, _, x in pieces)
    height = max(y + mask.shape[0] for mask, y, _ in pieces) - low_y
    width = max(x + mask.shape[1] for mask, _, x in pieces) - low_x
    votes = np.zeros((height, width), dtype=np.int64)
    for mask, y, x in pieces:
        votes[y - low_y : y - low_y + mask.shape[0], x - low_x : x - low_x + mask.shape[1]] += mask
    return int(np.count_nonzero((votes > 0) & (votes < max(n_readers, 2))))


def _window(extents: Sequence[Extent]) -> Box:
    """A square around the object, with room to see where it lies."""
    points = []
    for extent in extents:
        if extent.mask is not None:
            _, y0, x0 = extent.mask.origin
            _, height, width = extent.mask.voxels.shape
            points += [(x0, y0), (x0 + width, y0 + height)]
        elif extent.place is not None:
            points.append((extent.place[2], extent.place[1]))
    everything = np.array(points or [(0.0, 0.0)], dtype=np.float64)
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = float(max(high - low))
    side = max(span * 1.6, LEAST_VIEW_PX if span > 0 else POINT_VIEW_PX)
    x, y = ((low + high) / 2).tolist()
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def _caption(gathered: Gathered, item: int, dispute: _Dispute, z: int) -> str:
    row = dispute.label.found[dispute.unit]
    marked = [gathered.raters[int(rater)] for rater in np.nonzero(row == 1)[0]]
    n_readers = int((~np.isnan(row)).sum())
    grids = gathered.items[item].grids
    positions = grids[0].plane_positions_mm if grids else None
    where = ""
    if positions and 0 <= z < len(positions):
        where = f", slice at {positions[z]:g} mm"
    elif grids and grids[0].size[0] > 1:
        where = f", slice {z + 1}"
    dice = [pair.comparison.dice for pair in dispute.label.pairs if pair.unit == dispute.unit]
    alike = f", mean Dice {np.mean(dice):.2f}" if dice else ""
    return f"{dispute.label.label}: marked by {', '.join(marked)} ({len(marked)} of {n_readers}){where}{alike}"


def _drawn(shape: Shape, z: int, number: int, box: Box) -> SafeString:
    """One reader's mark on one plane, with the reader's number beside it; nothing where it lies outside the view."""
    colour, dash = _stroke(number)
    parts: list[SafeString] = []
    seen: list[NDArray[np.float64]] = []
    for region in shape.regions:
        points = outline_of(region) if region.kind in AREA_KINDS else region.points
        if region.z != z or not _is_in_view(points, box):
            continue
        if region.kind == "points":
            parts += [_cross(float(x), float(y), colour) for x, y in points]
        else:
            parts.append(_line(points, colour, dash, is_closed=region.kind in AREA_KINDS))
        seen.append(points)
    if shape.mask is not None and 0 <= z - shape.mask.origin[0] < shape.mask.voxels.shape[0]:
        _, y0, x0 = shape.mask.origin
        plane = shape.mask.voxels[z - shape.mask.origin[0]]
        filled = np.argwhere(plane)[:, ::-1] + np.array([x0 + 0.5, y0 + 0.5])
        if len(filled) and _is_in_view(filled, box):
            path = _edges(plane, x0, y0)
            parts.append(format_html('<path d="{}" fill="none" stroke="{}" {}/>', path, colour, _pen(dash)))
            seen.append(filled)
    if not parts:
        return SafeString("")
    return format_html("{}" * (len(parts) + 1), *parts, _tag(np.concatenate(seen), number, colour, box))


def _is_in_view(points: NDArray[np.float64], box: Box) -> bool:
    low, high = points.min(axis=0), points.max(axis=0)
    return bool(low[0] < box[2] and high[0] > box[0] and low[1] < box[3] and high[1] > box[1])


def _tag(points: NDArray[np.float64], number: int, colour: str, box: Box) -> SafeString:
    """The reader's number beside the outline, each reader's on another side so that they do not cover one another."""
    size = (box[2] - box[0]) / 18
    angle = 2 * np.pi * (number * 3 % 8) / 8 - np.pi / 4
    direction = np.array([np.cos(angle), np.sin(angle)])
    x, y = points[int(np.argmax(points @ direction))] + direction * size
    x = min(max(float(x), box[0] + size), box[2] - size)
    y = min(max(float(y), box[1] + size), box[3] - size)
    return format_html(
        '<text x="{}" y="{}" font-size="{}" fill="{}" font-family="sans-serif" text-anchor="middle">{}</text>',
        f"{x:.1f}",
        f"{y + size / 3:.1f}",
        f"{size:.2f}",
        colour,
        number + 1,
    )


def _line(points: NDArray[np.float64], colour: str, dash: str, *, is_closed: bool) -> SafeString:
    path = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + ("Z" if is_closed else "")
    return format_html('<path d="{}" fill="none" stroke="{}" {}/>', path, colour, _pen(dash))


def _cross(x: float, y: float, colour: str) -> SafeString:
    path = f"M{x - 2:.2f} {y:.2f}H{x + 2:.2f}M{x:.2f} {y - 2:.2f}V{y + 2:.2f}"
    return format_html('<path d="{}" fill="none" stroke="{}" {}/>', path, colour, _pen("none"))


def _pen(dash: str) -> SafeString:
    return format_html('stroke-width="2" vector-effect="non-scaling-stroke" stroke-dasharray="{}"', dash)


def _edges(plane: NDArray[np.bool_], x0: int, y0: int) -> str:
    """The border of a mask along pixel edges: runs of borders between a pixel inside and one outside."""
    padded = np.pad(plane, 1)
    level = padded[1:, 1:-1] != padded[:-1, 1:-1]
    upright = padded[1:-1, 1:] != padded[1:-1, :-1]
    parts = [f"M{x0 + a} {y0 + row}h{b - a}" for row, a, b in _runs(level)]
    parts += [f"M{x0 + column} {y0 + a}v{b - a}" for column, a, b in _runs(upright.T)]
    return "".join(parts)


def _runs(borders: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Row, start and end of every run of true cells."""
    steps = np.diff(np.pad(borders, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    return [(int(row), int(a), int(b)) for row, a, b in zip(rows, starts, ends, strict=True)]
