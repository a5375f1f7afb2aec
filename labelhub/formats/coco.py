"""Reads COCO: polygons, run-length masks, boxes, keypoints with visibility, attributes; one or many files.

The rater of an annotation is the first of: a field of the annotation or of its ``attributes``, a field of its image,
a field of ``info``, the rater given for the file. Where none is there the annotation is refused. Files that LabelHub
wrote carry a ``labelhub`` object that joins the planes of a volume and keeps empty reads and answers; other tools
ignore it. Panoptic segments and captions are counted as not kept. Not here: writing
(:mod:`labelhub.formats.coco_writing`), pixels.

Format: Lin et al. 2014, Microsoft COCO (arXiv 1405.0312), and the data format page of its web site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from labelhub.formats.coco_geometry import read_geometry
from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY, Gathering, grid_conflict, group_of, plain_value
from labelhub.formats.limits import MAX_MASK_VOXELS, MAX_SHAPES, is_usable_number
from labelhub.formats.rle import joined
from labelhub.formats.shapes import (
    AnnotationSet,
    EmptyMeans,
    Grid,
    ItemRecord,
    MaskRegion,
    Reading,
    Region,
    Shape,
    Value,
)
from labelhub.formats.strict_json import Json, as_list, as_mapping, load_json, whole_number
from labelhub.formats.written_extras import read_questions, restored_reading

RATER_FIELDS: Final = ("annotator", "rater", "annotator_id", "rater_id", "labeler", "reader", "created_by", "user")
_KNOWN_FIELDS: Final = frozenset(
    [
        "id",
        "image_id",
        "category_id",
        "segmentation",
        "area",
        "bbox",
        "iscrowd",
        "keypoints",
        "num_keypoints",
        "attributes",
        "score",
        "labelhub",
    ]
)

FILE_RULE: Final = (
    "Where a file belongs to one rater, every image it lists was read by that rater: none drawn means 'read, empty'. "
    "Where the rater is named on the annotations, an image without any by a rater counts as not read by that rater, "
    "unless the file states an empty read."
)


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of one file: which item and plane it shows, and its pixels."""

    item: str
    z: int
    height: int
    width: int
    rater: str | None


@dataclass(slots=True)
class _Parts:
    """A shape while its planes are collected."""

    label: str
    attributes: dict[str, Value]
    regions: list[Region] = field(default_factory=list)
    masks: list[MaskRegion] = field(default_factory=list)


@dataclass(slots=True)
class _File:
    """What one file says, while it is read."""

    name: str
    rater: str | None
    rater_fields: tuple[str, ...]
    categories: dict[int, str] = field(default_factory=dict)
    images: dict[int, _Image] = field(default_factory=dict)
    shapes: dict[tuple[str, str, int], dict[str, _Parts]] = field(default_factory=dict)


def is_coco(root: Json) -> bool:
    """Whether a JSON root looks like a COCO file."""
    return isinstance(root, dict) and isinstance(root.get("images"), list)


def read_coco(
    files: Mapping[str, bytes],
    *,
    raters: Mapping[str, str] | None = None,
    rater_fields: tuple[str, ...] = RATER_FIELDS,
    empty_means: EmptyMeans | None = None,
) -> AnnotationSet:
    """Read COCO files, given by name; ``raters`` names the rater of a file whose annotations do not say who drew them.

    ``empty_means`` overrides how an image without annotations is taken in a file that belongs to one rater.
    """
    found = Gathering()
    raters = raters or {}
    for name, root in found.each_root(files, load_json):
        if not is_coco(root):
            found.problem(name, "This JSON has no list of images, so it is not COCO.", "Name its real format.")
            continue
        file = _File(name, raters.get(name), rater_fields)
        _read_file(found, file, root, marks_empty=empty_means != "not-read")
    by_file = any(name in raters for name in files)
    return found.finish(
        "coco",
        empty_means=empty_means or ("read-empty" if by_file else "not-read"),
        empty_rule=FILE_RULE,
    )


def _read_file(found: Gathering, file: _File, root: dict[str, Json], *, marks_empty: bool) -> None:
    _read_categories(found, file, root)
    info = as_mapping(root.get("info"))
    file.rater = _rater_in(info, file.rater_fields) or file.rater
    _read_images(found, file, root)
    for question in read_questions(root.get("labelhub")):
        found.questions.setdefault(question.key, question)
    annotations = root.get("annotations")
    if annotations is None:
        found.note("Some files list images without annotations; they add items, not reads.")
        return
    for position, annotation in enumerate(as_list(annotations)):
        if position >= MAX_SHAPES:
            found.problem(
                file.name, f"The file holds more than {MAX_SHAPES} annotations.", "Split it and read the parts."
            )
            # What stands behind the limit may lie on any image.
            marks_empty = False
            break
        _read_annotation(found, file, annotation, position)
    _finish_file(found, file, as_mapping(root.get("labelhub")), marks_empty=marks_empty)


def _read_categories(found: Gathering, file: _File, root: dict[str, Json]) -> None:
    for category in map(as_mapping, as_list(root.get("categories"))):
        number, name = category.get("id"), category.get("name")
        if type(number) is not int or not isinstance(name, str) or not name:
            found.problem(file.name, f"The category {str(category)[:80]} has no id or no name.", "Give it both.")
            continue
        if number in file.categories and file.categories[number] != name:
            found.problem(file.name, f"The category id {number} names two classes.", "Give each class its own id.")
            continue
        file.categories[number] = name
        if as_list(category.get("skeleton")) or as_list(category.get("keypoints")):
            found.lose("names and skeleton of keypoints", "keypoints are kept in order, without names or connections")
    found.add_labels(file.categories.values())


def _read_images(found: Gathering, file: _File, root: dict[str, Json]) -> None:
    for image in map(as_mapping, as_list(root.get("images"))):
        number = whole_number(image.get("id"))
        place = f"{file.name}, image {str(image.get('id'))[:40]}"
        if number is None or number in file.images:
            found.problem(
                place, "The image id is missing, not a number or used twice.", "Give each image its own number."
            )
            continue
        height, width = whole_number(image.get("height")), whole_number(image.get("width"))
        known_size = height is not None and width is not None
        height, width = height or 0, width or 0
        if known_size and not (height > 0 and width > 0 and height * width <= MAX_MASK_VOXELS):
            found.problem(
                place, f"An image of {width} x {height} pixels is impossible.", "Correct its width and height."
            )
            continue
        extra = as_mapping(image.get("labelhub"))
        file_name = image.get("file_name")
        item = extra.get("item") or (file_name if isinstance(file_name, str) and file_name else f"image {number}")
        plane, depth = extra.get("z", 0), extra.get("planes", 1)
        if not (isinstance(item, str) and type(plane) is int and type(depth) is int and 0 <= plane < depth <= 100_000):
            found.problem(
                place, "The 'labelhub' object of the image is damaged.", "Remove it, or write the file again."
            )
            continue
        grid = Grid((depth, height, width)) if known_size else None
        if grid_conflict(found.items.get(item), grid):
            found.problem(
                place,
                "Another file or image gives this image another size, so their shapes cannot be laid over each other.",
                "Check that both name the same image.",
            )
            continue
        group_kind, group = group_of(image)
        found.add_item(
            ItemRecord(item, source_id=item, group=group, group_kind=group_kind, grids=(grid,) if grid else ())
        )
        file.images[number] = _Image(item, plane, height, width, _rater_in(image, file.rater_fields))


def _rater_in(fields: dict[str, Json], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return None


def _read_annotation(found: Gathering, file: _File, annotation: Json, position: int) -> None:
    fields = {"id": f"no. {position + 1}", **as_mapping(annotation)}
    place = f"{file.name}, annotation {str(fields['id'])[:40]}"
    attributes = as_mapping(fields.get("attributes"))
    number = fields.get("image_id")
    image = file.images.get(number) if type(number) is int else None
    rater = (
        _rater_in(fields, file.rater_fields)
        or _rater_in(attributes, file.rater_fields)
        or (image.rater if image is not None else None)
        or file.rater
    )
    is_kept = _keep_annotation(found, file, fields, place, image, rater)
    if image is not None and not is_kept:
        found.leave_incomplete(image.item, rater)


def _keep_annotation(
    found: Gathering, file: _File, fields: dict[str, Json], place: str, image: _Image | None, rater: str | None
) -> bool:
    """Add the annotation to the shapes of its reading; False where it could not be used, which is noted."""
    if "segments_info" in fields:
        found.lose("panoptic segments", "they lie in PNG files beside the JSON, which this reader does not take")
        return False
    if "caption" in fields:
        found.lose("captions", "free text about an image has no place among labels")
        return False
    label = _label_on(found, file, fields, image, place)
    if image is None or label is None:
        return False
    if rater is None:
        found.problem(
            place,
            "Who drew this cannot be told: no field names the annotator and the file belongs to nobody.",
            UNKNOWN_RATER_REMEDY,
        )
        return False
    extra = as_mapping(fields.get("labelhub"))
    parts = _Parts(label, _attributes(found, file, fields, as_mapping(fields.get("attributes"))))
    if not read_geometry(found, place, fields, image, parts):
        return False
    version = extra.get("version", 1)
    shape_id = str(extra.get("shape") or fields["id"])
    shapes = file.shapes.setdefault((image.item, rater, version if type(version) is int and version > 0 else 1), {})
    known = shapes.get(shape_id)
    if known is None:
        shapes[shape_id] = parts
    elif "shape" in extra and known.label == label:
        known.regions += parts.regions
        known.masks += parts.masks
    else:
        found.problem(place, "This annotation id is used twice for one image and rater.", "Give each its own id.")
    return True


def _label_on(found: Gathering, file: _File, fields: dict[str, Json], image: _Image | None, place: str) -> str | None:
    number, category = fields.get("image_id"), fields.get("category_id")
    label = file.categories.get(category) if type(category) is int else None
    if image is None:
        found.problem(
            place, f"The image id {str(number)[:40]} is not in the file.", "Add the image or remove the annotation."
        )
    elif label is None:
        found.problem(
            place,
            f"The category id {str(category)[:40]} is not among the file's categories.",
            "Add the category to the file, or correct the id. The annotation was left out.",
        )
    return label


def _attributes(
    found: Gathering, file: _File, fields: dict[str, Json], attributes: dict[str, Json]
) -> dict[str, Value]:
    kept: dict[str, Value] = {}
    for key, value in attributes.items():
        plain = plain_value(value)
        if key in file.rater_fields or key == "rotation":
            continue
        if plain is None:
            found.lose(f"attribute {key[:60]}", "its value is nested, missing or too long")
        else:
            kept[key] = plain
    if fields.get("iscrowd") == 1:
        kept.setdefault("iscrowd", 1)
    if is_usable_number(fields.get("score")):
        kept.setdefault("score", fields["score"])
    for key in fields.keys() - _KNOWN_FIELDS - set(file.rater_fields):
        found.lose(f"annotation field {key[:60]}", "only geometry, class, rater and attributes are kept")
    return kept


def _finish_file(found: Gathering, file: _File, extra: dict[str, Json], *, marks_empty: bool) -> None:
    readings: dict[tuple[str, str, int], Reading] = {}
    for (item, rater, version), shapes in file.shapes.items():
        readings[item, rater, version] = Reading(
            item,
            rater,
            tuple(
                Shape(shape_id, p.label, tuple(p.regions), joined(p.masks) if p.masks else None, p.attributes)
                for shape_id, p in shapes.items()
            ),
            version=version,
            locator=file.name,
        )
    known_items = {image.item for image in file.images.values()}
    for stated in as_list(extra.get("readings")):
        reading = restored_reading(found, file.name, stated, known_items)
        if reading is not None:
            drawn = readings.get((reading.item, reading.rater, reading.version))
            readings[reading.item, reading.rater, reading.version] = replace(
                reading,
                shapes=drawn.shapes if drawn else (),
                is_empty_read=reading.is_empty_read and drawn is None,
                locator=file.name,
            )
    if marks_empty and file.rater is not None and not extra.get("readings"):
        read = {(item, rater) for item, rater, _ in readings}
        for item in dict.fromkeys(image.item for image in file.images.values()):
            if (item, file.rater) not in read:
                readings[item, file.rater, 1] = Reading(item, file.rater, is_empty_read=True, locator=file.name)
    found.readings.extend(readings.values())
