"""Writes COCO, annotation by annotation, always the same bytes for the same set.

COCO is two-dimensional: each marked plane of a volume becomes an image of its own, joined again by a ``labelhub``
object that other tools ignore. Outlines stay outlines; masks, and outlines with holes, become packed run lengths
where the image size is known. What COCO cannot carry is counted in the losses. Not here: reading
(:mod:`labelhub.formats.coco`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import orjson

from labelhub.formats.gathering import Written
from labelhub.formats.outlines import enclosed_area, outline_of
from labelhub.formats.rle import packed, plane_of
from labelhub.formats.shape_masks import plane_mask
from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, Loss, Reading, Region, Shape
from labelhub.formats.strict_json import Json
from labelhub.formats.written_extras import jsonable, stated_questions, stated_reading

_OUTLINED = ("polygon", "ellipse")


@dataclass(slots=True)
class _Numbering:
    """Ids of classes and images, given in the order of the set."""

    categories: dict[str, int]
    images: dict[tuple[str, int], int] = field(default_factory=dict)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)

    def lose(self, what: str, why: str) -> None:
        self.lost[what, why] += 1


def write_coco(annotations: AnnotationSet) -> Written:
    """The whole file in memory, and what COCO could not carry."""
    numbering = _numbering(annotations)
    return Written(b"".join(_chunks(annotations, numbering)), _losses(annotations, numbering))


def iter_coco(annotations: AnnotationSet) -> Iterator[bytes]:
    """The same file in pieces, for sets too large to hold twice. Ask :func:`coco_losses` for what is lost."""
    yield from _chunks(annotations, _numbering(annotations))


def coco_losses(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What COCO cannot carry of this set."""
    return write_coco(annotations).losses


def _numbering(annotations: AnnotationSet) -> _Numbering:
    labels = dict.fromkeys(annotations.labels)
    planes: dict[str, set[int]] = {}
    for reading in annotations.readings:
        for shape in reading.shapes:
            labels.setdefault(shape.label)
            planes.setdefault(reading.item, set()).update(_planes_of(shape))
    numbering = _Numbering({label: number for number, label in enumerate(labels, start=1)})
    for item in annotations.items:
        for z in sorted(planes.get(item.key, set()) or {0}):
            numbering.images[item.key, z] = len(numbering.images) + 1
    return numbering


def _planes_of(shape: Shape) -> list[int]:
    planes = {region.z for region in shape.regions}
    if shape.mask is not None:
        filled = np.flatnonzero(shape.mask.voxels.any(axis=(1, 2)))
        planes.update(int(z) + shape.mask.origin[0] for z in filled)
    return sorted(planes) or [0]


def _chunks(annotations: AnnotationSet, numbering: _Numbering) -> Iterator[bytes]:
    items = {item.key: item for item in annotations.items}
    yield b'{"info":{"description":"Written by LabelHub","version":"1"},\n"images":['
    for position, ((key, z), number) in enumerate(numbering.images.items()):
        yield _line(position, _image(items[key], z, number))
    yield b'],\n"annotations":['
    written = 0
    for reading in annotations.readings:
        item = items.get(reading.item)
        if item is None:
            numbering.lose("readings of unknown items", "the set does not list their item")
            continue
        for shape in reading.shapes:
            for record in _annotations(reading, shape, item, numbering):
                yield _line(written, {"id": written + 1, **record})
                written += 1
    yield b'],\n"categories":['
    for position, (label, number) in enumerate(numbering.categories.items()):
        yield _line(position, {"id": number, "name": label, "supercategory": ""})
    yield b'],\n"labelhub":{"questions":' + orjson.dumps(stated_questions(annotations)) + b',"readings":['
    known = [reading for reading in annotations.readings if reading.item in items]
    for position, reading in enumerate(known):
        yield _line(position, stated_reading(reading))
    yield b"]}}\n"


def _line(position: int, record: dict[str, Json]) -> bytes:
    return (b",\n" if position else b"\n") + orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY)


def _grid(item: ItemRecord, medium: int = 0) -> Grid | None:
    return item.grids[medium] if medium < len(item.grids) else None


def _image(item: ItemRecord, z: int, number: int) -> dict[str, Json]:
    grid = _grid(item)
    image: dict[str, Json] = {"id": number, "file_name": item.key}
    if grid is not None:
        image |= {"height": grid.size[1], "width": grid.size[2]}
        if grid.size[0] > 1:
            image["file_name"] = f"{item.key}#z{z}"
            image["labelhub"] = {"item": item.key, "z": z, "planes": grid.size[0]}
    if item.group is not None:
        image |= {"group": item.group, "group_kind": item.group_kind}
    return image


def _annotations(reading: Reading, shape: Shape, item: ItemRecord, numbering: _Numbering) -> Iterator[dict[str, Json]]:
    planes = _planes_of(shape)
    if shape.medium:
        numbering.lose("shapes on a second medium", "COCO knows one image an item")
        return
    if shape.source != "drawn":
        numbering.lose("how a shape came about", "COCO has no field for it")
    for z in planes:
        geometry = _geometry(shape, z, _grid(item), numbering)
        attributes = {key: jsonable(value) for key, value in sorted(shape.attributes.items())}
        extra: dict[str, Json] = {"shape": shape.shape_id, **geometry.pop("labelhub", {})}
        if reading.version != 1:
            extra["version"] = reading.version
        crowd = attributes.pop("iscrowd", 0)
        if "rotation" in geometry:
            attributes["rotation"] = geometry.pop("rotation")
        yield {
            "image_id": numbering.images[item.key, z],
            "category_id": numbering.categories[shape.label],
            **geometry,
            "iscrowd": 1 if crowd == 1 else 0,
            "annotator": reading.rater,
            "attributes": attributes,
            "labelhub": extra,
        }


def _geometry(shape: Shape, z: int, grid: Grid | None, numbering: _Numbering) -> dict[str, Json]:
    """COCO's fields for what lies on one plane; the parts it has no field for are counted as lost."""
    regions = [region for region in shape.regions if region.z == z]
    boxes = [region for region in regions if region.kind == "box"]
    points = [region for region in regions if region.kind == "points"]
    for _ in [region for region in regions if region.kind == "polyline"]:
        numbering.lose("open lines", "COCO has closed outlines only")
    for _ in [*boxes[1:], *points[1:]]:
        numbering.lose("further boxes or point lists of a shape", "COCO holds one of each an annotation")
    fields = _filled(shape, [region for region in regions if region.kind in _OUTLINED], z, grid, numbering)
    if points:
        fields |= _keypoints(points[0])
    if boxes:
        box = boxes[0]
        (x0, y0), (x1, y1) = box.points.tolist()
        if fields:
            fields.setdefault("labelhub", {})["box"] = True
        fields |= {"bbox": [x0, y0, x1 - x0, y1 - y0]}
        fields.setdefault("area", (x1 - x0) * (y1 - y0))
        fields.setdefault("segmentation", [])
        if box.rotation_deg:
            fields["rotation"] = box.rotation_deg
    return fields


def _keypoints(region: Region) -> dict[str, Json]:
    visibility = region.visibility or (2,) * len(region.points)
    triples = [[x, y, v] for (x, y), v in zip(region.points.tolist(), visibility, strict=True)]
    extra = {} if region.visibility else {"labelhub": {"plain_points": True}}
    return {
        "keypoints": [n for triple in triples for n in triple],
        "num_keypoints": sum(v > 0 for v in visibility),
        **extra,
    }


def _filled(shape: Shape, outlines: list[Region], z: int, grid: Grid | None, numbering: _Numbering) -> dict[str, Json]:
    has_holes = any(region.is_hole for region in outlines)
    if (shape.mask is not None or has_holes) and grid is not None:
        mask = plane_of(shape.mask, z, grid.size[1], grid.size[2]) if shape.mask is not None else None
        if outlines:
            numbering.lose("outlines with holes or beside a mask", "they are written as run lengths of whole pixels")
            drawn = plane_mask(outlines, grid)
            mask = drawn if mask is None else mask | drawn
        if mask is not None and mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            x, y = int(columns[0]), int(rows[0])
            return {
                "segmentation": {"size": [grid.size[1], grid.size[2]], "counts": packed(mask)},
                "area": int(mask.sum()),
                "bbox": [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1],
            }
        return {}
    if shape.mask is not None or has_holes:
        numbering.lose("masks and holes of images of unknown size", "run lengths need the image's width and height")
        outlines = [region for region in outlines if not region.is_hole]
    return _polygons(outlines, numbering)


def _polygons(outlines: list[Region], numbering: _Numbering) -> dict[str, Json]:
    if not outlines:
        return {}
    for _ in [region for region in outlines if region.kind == "ellipse"]:
        numbering.lose("ellipses", "they are written as polygons of 64 corners")
    rings = [outline_of(region) for region in outlines]
    corners = np.concatenate(rings)
    low, high = corners.min(axis=0), corners.max(axis=0)
    fields: dict[str, Json] = {
        "segmentation": [ring.ravel().tolist() for ring in rings],
        "area": float(sum(enclosed_area(ring) for ring in rings)),
        "bbox": [*low.tolist(), *(high - low).tolist()],
    }
    if any(region.edge_excluded for region in outlines):
        numbering.lose(
            "that an outline lies outside its object",
            "other tools count the outline in; LabelHub reads a flag beside it",
        )
        fields["labelhub"] = {"edge_excluded": True}
    return fields


def _losses(annotations: AnnotationSet, numbering: _Numbering) -> tuple[Loss, ...]:
    lost = dict(numbering.lost)
    grids = [grid for item in annotations.items for grid in item.grids]
    stated = {
        ("spacing and position in the patient", "COCO knows pixels only"): sum(
            grid.spacing_mm is not None or grid.affine is not None or grid.plane_positions_mm is not None
            for grid in grids
        ),
        ("planes of volumes in one piece", "each plane becomes an image; only LabelHub joins them again"): sum(
            grid.size[0] > 1 for grid in grids
        ),
        ("answers, empty reads and read kinds", "they stand in an extra object that other tools ignore"): sum(
            bool(r.answers) or r.is_empty_read or r.read_kind != "unknown" for r in annotations.readings
        ),
    }
    lost.update({key: count for key, count in stated.items() if count})
    return tuple(Loss(what, count, why) for (what, why), count in lost.items())
