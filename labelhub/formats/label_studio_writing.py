"""Writes Label Studio's JSON: one task an item, one annotation a reading, the same bytes for the same set.

Geometry goes out in percent, so only items of known size can be written. Holes and masks become brush strokes. Pieces
of one shape are joined again by a field that Label Studio ignores. Not here: reading
(:mod:`labelhub.formats.label_studio`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import orjson

from labelhub.formats.gathering import Written
from labelhub.formats.label_studio_brush import packed_brush
from labelhub.formats.label_studio_values import SHAPE_TYPES
from labelhub.formats.rle import plane_of
from labelhub.formats.shape_masks import plane_mask
from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, Loss, Reading, Region, Shape, Value
from labelhub.formats.strict_json import Json
from labelhub.formats.written_extras import jsonable, stated_reading

_NAMES: Mapping[str, str] = {
    "box": "rectangle",
    "polygon": "polygon",
    "polyline": "polygon",
    "ellipse": "ellipse",
    "points": "keypoint",
}


def write_label_studio(annotations: AnnotationSet) -> Written:
    """The whole export, and what Label Studio could not carry."""
    lost: Counter[tuple[str, str]] = Counter()
    readings: dict[str, list[Reading]] = {}
    for reading in annotations.readings:
        readings.setdefault(reading.item, []).append(reading)
    people = {rater: n for n, rater in enumerate(sorted({r.rater for r in annotations.readings}), start=1)}
    tasks = [
        _task(item, number, readings.get(item.key, []), people, lost)
        for number, item in enumerate(annotations.items, start=1)
    ]
    content = orjson.dumps(tasks, option=orjson.OPT_INDENT_2) + b"\n"
    return Written(content, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


def label_studio_losses(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What Label Studio cannot carry of this set."""
    return write_label_studio(annotations).losses


def _task(
    item: ItemRecord, number: int, readings: list[Reading], people: Mapping[str, int], lost: Counter[tuple[str, str]]
) -> dict[str, Json]:
    data: dict[str, Json] = {"image": item.source_id or item.key}
    if item.group is not None:
        data |= {"group": item.group, "group_kind": item.group_kind}
    grid = item.grids[0] if item.grids else None
    if grid is not None and (grid.spacing_mm is not None or grid.affine is not None):
        lost["spacing and position in the patient", "Label Studio knows pixels only"] += 1
    annotations = []
    for place, reading in enumerate(readings, start=1):
        results = [result for shape in reading.shapes for result in _results(shape, grid, lost)]
        results += [_answer(f"answer {key}", key, value, lost) for key, value in sorted(reading.answers.items())]
        annotations.append(
            {
                "id": number * 10_000 + place,
                "completed_by": {"id": people[reading.rater], "username": reading.rater},
                "was_cancelled": False,
                "result": results,
                "labelhub": {k: v for k, v in stated_reading(reading).items() if k != "answers"},
            }
        )
    return {"id": number, "data": data, "labelhub": {"item": item.key}, "annotations": annotations}


def _results(shape: Shape, grid: Grid | None, lost: Counter[tuple[str, str]]) -> list[dict[str, Json]]:
    if grid is None or shape.medium:
        lost["shapes on pictures of unknown size or on a second medium", "percent need the picture's size"] += 1
        return []
    on_plane = [region for region in shape.regions if region.z == 0]
    planes = {region.z for region in shape.regions} | ({shape.mask.origin[0]} if shape.mask is not None else set())
    if planes - {0} or (shape.mask is not None and shape.mask.voxels.shape[0] > 1):
        lost["shapes on planes beyond the first", "Label Studio's tasks hold flat pictures"] += 1
    has_mask = shape.mask is not None and shape.mask.origin[0] == 0
    has_holes = any(region.is_hole for region in on_plane)
    size = {"original_width": grid.size[2], "original_height": grid.size[1], "image_rotation": 0}
    values: list[tuple[str, dict[str, Json]]] = []
    if has_mask or has_holes:
        mask = plane_mask(on_plane, grid) if has_holes else np.zeros(grid.size[1:], dtype=np.bool_)
        if shape.mask is not None and has_mask:
            mask |= plane_of(shape.mask, 0, grid.size[1], grid.size[2])
        if has_holes:
            lost["outlines with holes", "they are written as brush strokes of whole pixels"] += 1
            on_plane = [region for region in on_plane if region.kind in ("polyline", "points")]
        values.append(("brush", {"format": "rle", "rle": packed_brush(mask)}))
    for region in on_plane:
        values += [(_NAMES[region.kind], value) for value in _values(region, grid, lost)]
    if len(values) > 1:
        lost[
            "shapes of several pieces", "Label Studio shows each piece as a region; only LabelHub joins them again"
        ] += 1
    results = [
        {
            "id": f"{shape.shape_id}" if n == 0 else f"{shape.shape_id}#{n}",
            "type": SHAPE_TYPES[kind],
            "from_name": kind,
            "to_name": "image",
            "origin": "manual",
            **size,
            "value": {**value, SHAPE_TYPES[kind]: [shape.label]},
            "labelhub_shape": shape.shape_id,
        }
        for n, (kind, value) in enumerate(values)
    ]
    if not results:
        lost["shapes without geometry", "a region needs a place"] += 1
        return []
    return results + [_answer(shape.shape_id, key, value, lost) for key, value in sorted(shape.attributes.items())]


def _values(region: Region, grid: Grid, lost: Counter[tuple[str, str]]) -> list[dict[str, Json]]:
    percent = region.points * (100 / grid.size[2], 100 / grid.size[1])
    if region.edge_excluded:
        lost["that an outline lies outside its object", "Label Studio has no field for it"] += 1
    if region.kind in ("polygon", "polyline"):
        return [{"points": percent.tolist(), "closed": region.kind == "polygon"}]
    if region.kind == "points":
        if region.visibility:
            lost["visibility of keypoints", "Label Studio has no field for it"] += 1
        return [{"x": x, "y": y, "width": 0.5} for x, y in percent.tolist()]
    if region.kind == "ellipse":
        (x, y), (rx, ry) = percent.tolist()
        return [{"x": x, "y": y, "radiusX": rx, "radiusY": ry, "rotation": region.rotation_deg}]
    return [_box(region, grid)]


def _box(region: Region, grid: Grid) -> dict[str, Json]:
    """Ours turns about its centre; Label Studio wants the first corner after the turn."""
    size = region.points[1] - region.points[0]
    centre = region.points.mean(axis=0)
    angle = math.radians(region.rotation_deg)
    half = size / 2
    x = centre[0] - half[0] * math.cos(angle) + half[1] * math.sin(angle)
    y = centre[1] - half[0] * math.sin(angle) - half[1] * math.cos(angle)
    return {
        "x": float(x) * 100 / grid.size[2],
        "y": float(y) * 100 / grid.size[1],
        "width": float(size[0]) * 100 / grid.size[2],
        "height": float(size[1]) * 100 / grid.size[1],
        "rotation": region.rotation_deg,
    }


def _answer(result_id: str, name: str, value: Value, lost: Counter[tuple[str, str]]) -> dict[str, Json]:
    base: dict[str, Json] = {"id": result_id, "from_name": name, "to_name": "image", "origin": "manual"}
    if isinstance(value, bool):
        lost["true and false", "they become the choices 'true' and 'false'"] += 1
        value = "true" if value else "false"
    if isinstance(value, int | float):
        return {**base, "type": "number", "value": {"number": value}}
    chosen = jsonable(value) if isinstance(value, tuple) else [value]
    return {**base, "type": "choices", "value": {"choices": chosen}}
