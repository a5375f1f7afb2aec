"""Writes CVAT XML 1.1 for images, one file a rater: CVAT has no field for who drew a single shape.

Every file lists every image that its rater read, so that an empty read is an image without marks. Volumes and videos
are not written: their planes beyond the first are counted as lost. Not here: reading (:mod:`labelhub.formats.cvat`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.rle import cropped
from labelhub.formats.shape_masks import plane_mask
from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, Loss, MaskRegion, Reading, Region, Shape, Value
from labelhub.formats.xml_text import element

_Lost = Counter[tuple[str, str]]
_NEVER_WRITTEN = frozenset({"occluded"})


def write_cvat(annotations: AnnotationSet) -> WrittenFiles:
    """One file a rater, by file name, and what CVAT could not carry."""
    lost: _Lost = Counter()
    raters = list(dict.fromkeys(reading.rater for reading in annotations.readings))
    types = _attribute_types(annotations)
    files = {}
    for number, rater in enumerate(raters, start=1):
        safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", rater).strip(".")[:60]
        files[f"{number:03d}_{safe}.xml"] = _file(annotations, rater, types, lost)
    return WrittenFiles(files, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


def cvat_losses(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What CVAT cannot carry of this set."""
    return write_cvat(annotations).losses


def _attribute_types(annotations: AnnotationSet) -> dict[str, dict[str, str]]:
    """The labels in order, with an input type for each attribute that occurs."""
    labels: dict[str, dict[str, str]] = {label: {} for label in annotations.labels}
    for reading in annotations.readings:
        tag = reading.answers.get("tag")
        for name in tag if isinstance(tag, tuple) else (tag,):
            if isinstance(name, str):
                labels.setdefault(name, {})
        for shape in reading.shapes:
            types = labels.setdefault(shape.label, {})
            for key, value in sorted(shape.attributes.items()):
                if key not in _NEVER_WRITTEN:
                    kind = _input_type(value)
                    types[key] = kind if types.get(key, kind) == kind else "text"
    return labels


def _input_type(value: Value) -> str:
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, int | float) else "text"


def _file(annotations: AnnotationSet, rater: str, types: dict[str, dict[str, str]], lost: _Lost) -> bytes:
    labels = [
        element(
            "label",
            None,
            element("name", text=label),
            element("attributes", None, *(_declared(key, kind) for key, kind in attributes.items())),
        )
        for label, attributes in types.items()
    ]
    assignee = element("assignee", None, element("username", text=rater))
    mode = element("mode", text="annotation")
    task = element("task", None, mode, element("labels", None, *labels), assignee)
    items = {item.key: item for item in annotations.items}
    images = []
    for number, reading in enumerate(r for r in annotations.readings if r.rater == rater and r.item in items):
        images.append(_image(items[reading.item], reading, number, types, lost))
    content = element("annotations", None, element("version", text="1.1"), element("meta", None, task), *images)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{content}\n'.encode()


def _declared(key: str, kind: str) -> str:
    values = "false\ntrue" if kind == "checkbox" else ""
    return element(
        "attribute",
        None,
        element("name", text=key),
        element("mutable", text="False"),
        element("input_type", text=kind),
        element("default_value", text=""),
        element("values", text=values),
    )


def _image(item: ItemRecord, reading: Reading, number: int, types: dict[str, dict[str, str]], lost: _Lost) -> str:
    grid = item.grids[0] if item.grids else Grid((1, *_reach(reading)))
    if not item.grids:
        lost["that an image's size is unknown", "CVAT needs one; the reach of the marks was written"] += 1
    if grid.spacing_mm is not None or grid.affine is not None:
        lost["spacing and position in the patient", "CVAT knows pixels only"] += 1
    if item.group is not None:
        lost["patients and other groups", "CVAT has no field for them"] += 1
    if reading.read_kind != "unknown" or reading.planned_blind is not None:
        lost["read kinds", "CVAT has no field for them"] += 1
    if reading.version > 1:
        lost["which version a read is", "CVAT keeps one state of an image"] += 1
    marks = [mark for shape in reading.shapes for mark in _marks(shape, grid, types, lost)]
    for key, value in sorted(reading.answers.items()):
        names = value if isinstance(value, tuple) else (value,)
        if key == "tag" and all(isinstance(name, str) for name in names):
            marks += [element("tag", {"label": name, "source": "manual"}) for name in names]
        else:
            lost["answers", "CVAT has tags for whole images only"] += 1
    attributes = {"id": number, "name": item.key, "width": grid.size[2], "height": grid.size[1]}
    return element("image", attributes, *marks)


def _reach(reading: Reading) -> tuple[int, int]:
    corners = [region.points.max(axis=0) for shape in reading.shapes for region in shape.regions]
    x, y = np.ceil(np.max(corners, axis=0)) + 1 if corners else (1, 1)
    return max(int(y), 1), max(int(x), 1)


def _marks(shape: Shape, grid: Grid, types: dict[str, dict[str, str]], lost: _Lost) -> list[str]:
    regions = [region for region in shape.regions if region.z == 0]
    beyond = len(shape.regions) - len(regions) + (shape.mask is not None and shape.mask.voxels.shape[0] > 1)
    if beyond or (shape.mask is not None and shape.mask.origin[0] > 0):
        lost["planes beyond the first", "images are written flat"] += 1
    drawn: list[tuple[str, dict[str, object]]] = []
    if any(region.is_hole for region in regions):
        lost["outlines with holes", "they are written as masks of whole pixels"] += 1
        drawn.append(_mask(cropped(plane_mask(regions, grid)[np.newaxis])))
        regions = [region for region in regions if region.kind in ("polyline", "points")]
    if shape.mask is not None and shape.mask.origin[0] == 0:
        drawn.append(_mask(MaskRegion(shape.mask.voxels[:1], shape.mask.origin)))
    drawn += [_region(region, lost) for region in regions]
    if not drawn:
        lost["shapes without geometry on the first plane", "a mark needs a place"] += 1
    if len(drawn) > 1:
        lost["that pieces form one shape", "each piece becomes a shape of its own"] += 1
    occluded = 1 if shape.attributes.get("occluded") is True else 0
    attributes = [
        element("attribute", {"name": key}, text=_text(value, lost))
        for key, value in sorted(shape.attributes.items())
        if key in types[shape.label]
    ]
    fixed = {"label": shape.label, "source": "manual", "occluded": occluded}
    return [element(name, {**fixed, **places, "z_order": 0}, *attributes) for name, places in drawn]


def _text(value: Value, lost: _Lost) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        lost["attributes of several choices", "they are joined by '; '"] += 1
        return "; ".join(value)
    return value if isinstance(value, str) else repr(value)


def _mask(mask: MaskRegion) -> tuple[str, dict[str, object]]:
    flat = mask.voxels[0].ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges.tolist(), flat.size]).tolist()
    if flat[0]:
        runs.insert(0, 0)
    _, top, left = mask.origin
    height, width = mask.voxels.shape[1:]
    return "mask", {"rle": ", ".join(map(str, runs)), "left": left, "top": top, "width": width, "height": height}


def _region(region: Region, lost: _Lost) -> tuple[str, dict[str, object]]:
    if region.edge_excluded:
        lost["that an outline lies outside its object", "CVAT has no field for it"] += 1
    if region.visibility:
        lost["visibility of keypoints", "points have none in CVAT"] += 1
    turn = {"rotation": repr(region.rotation_deg)} if region.rotation_deg else {}
    if region.kind in ("box", "ellipse"):
        names = ("xtl", "ytl", "xbr", "ybr") if region.kind == "box" else ("cx", "cy", "rx", "ry")
        return region.kind, {**dict(zip(names, map(repr, region.points.ravel().tolist()), strict=True)), **turn}
    return region.kind, {"points": _pairs(region.points.tolist())}


def _pairs(points: Iterable[Iterable[float]]) -> str:
    return ";".join(",".join(map(repr, pair)) for pair in points)
