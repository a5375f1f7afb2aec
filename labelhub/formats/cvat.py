"""Reads CVAT XML 1.1, for images and for video: boxes, polygons, lines, points, ellipses, masks, tags, tracks, attributes.

An image is an item; a video is one item whose planes are its frames. The rater is the ``assignee`` of the image's job
or task where the file states one, else the rater given for the file; an ``owner`` only created the task and is not a
rater. Geometry between the keyframes of a track is filled in on straight lines, as CVAT does for boxes, points and
outlines of as many vertices; other outlines keep their last keyframe. Not here: writing, images.

Format: CVAT documentation, "CVAT for image/video 1.1".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from labelhub.formats.cvat_elements import MARK_TAGS, attributes_of, read_mark
from labelhub.formats.cvat_tracks import read_track
from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY, Gathering, grid_conflict
from labelhub.formats.limits import MAX_FRAMES, MAX_MASK_VOXELS, MAX_SHAPES, number_or_none
from labelhub.formats.shapes import (
    AnnotationSet,
    EmptyMeans,
    Grid,
    ItemRecord,
    QuestionSpec,
    Reading,
    Shape,
    Value,
)
from labelhub.formats.strict_xml import Element, children, load_xml, tag_of, text_of

EMPTY_RULE: Final = (
    "A CVAT file lists every image of its task: an image without marks is 'read, nothing found' by the rater of the task. "
    "Where the task was not finished this is wrong: tell the reader that empty means not read."
)
_NOMINAL_INPUTS: Final = frozenset({"select", "radio", "checkbox"})


@dataclass(slots=True)
class _File:
    """One CVAT file while it is read: the labels it declares, its raters, what each rater drew on each item."""

    name: str
    rater: str | None
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    assignees: dict[str, str] = field(default_factory=dict)
    shapes: dict[tuple[str, str], list[Shape]] = field(default_factory=dict)
    answers: dict[tuple[str, str], dict[str, Value]] = field(default_factory=dict)


def is_cvat(root: Element) -> bool:
    """Whether an XML root is a CVAT file of version 1.1 (or one that states no version but has its form)."""
    return tag_of(root) == "annotations" and text_of(root, "version") in ("1.1", "1.0", "")


def read_cvat(
    files: Mapping[str, bytes], *, raters: Mapping[str, str] | None = None, empty_means: EmptyMeans = "read-empty"
) -> AnnotationSet:
    """Read CVAT files, given by name; ``raters`` names the rater of a file without an assignee."""
    found = Gathering()
    for name, root in found.each_root(files, load_xml):
        if not is_cvat(root):
            found.problem(
                name, f"This XML (root <{tag_of(root)}>) is not CVAT 1.1.", "Export as 'CVAT for images/video 1.1'."
            )
            continue
        _read_file(found, _File(name, (raters or {}).get(name)), root, marks_empty=empty_means == "read-empty")
    return found.finish("cvat", empty_means=empty_means, empty_rule=EMPTY_RULE)


def _read_file(found: Gathering, file: _File, root: Element, *, marks_empty: bool) -> None:
    _read_meta(found, file, root)
    tracks = children(root, "track")
    images = children(root, "image")
    for position, image in enumerate(images):
        if position >= MAX_SHAPES:
            found.problem(file.name, f"The file lists more than {MAX_SHAPES} images.", "Split it and read the parts.")
            break
        _read_image(found, file, image, marks_empty=marks_empty)
    if tracks or not images:
        _read_video(found, file, root, tracks, marks_empty=marks_empty)
    for key in dict.fromkeys((*file.shapes, *file.answers)):
        item, rater = key
        shapes, answers = tuple(file.shapes.get(key, ())), file.answers.get(key, {})
        found.readings.append(
            Reading(item, rater, shapes, answers, is_empty_read=not shapes and not answers, locator=file.name)
        )


def _read_meta(found: Gathering, file: _File, root: Element) -> None:
    """Labels with the types of their attributes, and who was assigned to which task."""
    for meta in children(root, "meta"):
        for part in meta.iter():
            if tag_of(part) == "label":
                _read_label(found, file, part)
            elif tag_of(part) in ("task", "project", "job"):
                person = text_of(part, "assignee", "username") or text_of(part, "assignee")
                if person:
                    file.assignees[text_of(part, "id") if tag_of(part) == "task" else ""] = person


def _read_label(found: Gathering, file: _File, label: Element) -> None:
    name = text_of(label, "name")
    if not name:
        return
    types = file.labels.setdefault(name, {})
    found.add_labels([name])
    for block in children(label, "attributes"):
        for attribute in children(block, "attribute"):
            key, kind = text_of(attribute, "name"), text_of(attribute, "input_type")
            types[key] = kind
            choices = tuple(v for v in text_of(attribute, "values").replace("\r", "").split("\n") if v)
            if kind in _NOMINAL_INPUTS:
                listed: tuple[Value, ...] = (False, True) if kind == "checkbox" else choices
                found.questions.setdefault(key, QuestionSpec(key, "nominal", listed, on_shapes=True))
            elif kind == "number":
                found.questions.setdefault(key, QuestionSpec(key, "interval", (), on_shapes=True))


def _rater_of(found: Gathering, file: _File, task: str, place: str) -> str | None:
    """The assignee of the task; a project's or job's assignee where the file holds one task; else the file's rater."""
    rater = file.assignees.get(task) if task else None
    if rater is None and len(set(file.assignees.values())) == 1 and (not task or task in file.assignees):
        rater = next(iter(file.assignees.values()))
    rater = rater or file.rater
    if rater is None:
        found.problem(
            place,
            "Who drew this cannot be told: the file states no assignee and belongs to nobody.",
            UNKNOWN_RATER_REMEDY,
        )
    return rater


def _read_image(found: Gathering, file: _File, image: Element, *, marks_empty: bool) -> None:
    name, number = image.attrib.get("name", ""), image.attrib.get("id", "?")
    place = f"{file.name}, image {number[:40]} {name[:100]}".rstrip()
    height, width = number_or_none(image.attrib.get("height")), number_or_none(image.attrib.get("width"))
    if (
        not name
        or height is None
        or width is None
        or not 0 < height * width <= MAX_MASK_VOXELS
        or min(height, width) < 1
    ):
        found.problem(place, "The image has no name or no possible width and height.", "Export the file again.")
        return
    subset = image.attrib.get("subset", "")
    item = f"{subset}/{name}" if subset else name
    grid = Grid((1, int(height), int(width)))
    if grid_conflict(found.items.get(item), grid):
        found.problem(place, "Another file gives this image another size.", "Check that both name the same image.")
        return
    rater = _rater_of(found, file, image.attrib.get("task_id", ""), place)
    found.add_item(ItemRecord(item, source_id=name, grids=(grid,)))
    if rater is None:
        return
    shapes: list[Shape] = []
    for position, mark in enumerate(image):
        spot = f"{place}, {tag_of(mark)} no. {position + 1}"
        label = mark.attrib.get("label", "")
        if tag_of(mark) not in MARK_TAGS and tag_of(mark) != "tag":
            found.lose(f"elements <{tag_of(mark)[:40]}>", "LabelHub has no shape for them")
            found.leave_incomplete(item, rater)
            continue
        if not _is_declared(found, file, label, spot):
            found.leave_incomplete(item, rater)
            continue
        attributes = attributes_of(found, spot, mark, file.labels[label])
        if tag_of(mark) == "tag":
            file.answers.setdefault((item, rater), {})
            _add_tag(found, file.answers[item, rater], label)
            continue
        drawn = read_mark(found, spot, mark, z=0)
        if drawn is None:
            found.leave_incomplete(item, rater)
            continue
        regions, mask = drawn
        shapes.append(Shape(str(len(shapes) + 1), label, regions, mask, attributes))
    if shapes or (marks_empty and (item, rater) not in file.answers):
        file.shapes.setdefault((item, rater), []).extend(shapes)


def _is_declared(found: Gathering, file: _File, label: str, spot: str) -> bool:
    """Whether the file declares the label; a problem is noted where it does not."""
    if label in file.labels:
        return True
    found.problem(
        spot,
        f"The label {label[:60]!r} is not among the file's labels.",
        "Add it to the labels of the task, or correct it. The mark was left out.",
    )
    return False


def _add_tag(found: Gathering, answers: dict[str, Value], label: str) -> None:
    """A tag says that the whole image has a class: it answers one question, with one or several classes."""
    known = answers.get("tag", ())
    names = sorted({*((known,) if isinstance(known, str) else known if isinstance(known, tuple) else ()), label})
    answers["tag"] = names[0] if len(names) == 1 else tuple(names)
    found.questions.setdefault("tag", QuestionSpec("tag", "nominal"))
    found.note("Tags are kept as answers to the question 'tag'; attributes of tags are not kept.")


def _read_video(found: Gathering, file: _File, root: Element, tracks: list[Element], *, marks_empty: bool) -> None:
    meta = next(iter(children(root, "meta")), root)
    parts = [part for part in meta.iter() if tag_of(part) in ("task", "job")]
    task = parts[0] if parts else meta
    name = text_of(meta, "source") or text_of(task, "name") or file.name
    place = f"{file.name}, video {name[:60]}"
    height = number_or_none(text_of(task, "original_size", "height"))
    width = number_or_none(text_of(task, "original_size", "width"))
    rater = _rater_of(found, file, text_of(task, "id"), place)
    start, stop = number_or_none(text_of(task, "start_frame")), number_or_none(text_of(task, "stop_frame"))
    first, last = int(start or 0), int(stop or 0)
    step = number_or_none(text_of(task, "frame_filter").removeprefix("step=")) or 1
    drawn = [
        read_track(
            found, f"{place}, track {track.attrib.get('id', '?')[:20]}", track, file.labels, last=last, step=int(step)
        )
        for track in tracks
    ]
    shapes = [shape for shape in drawn if shape is not None]
    if len(shapes) < len(drawn):
        found.leave_incomplete(name, rater)
    reach = [region.z for shape in shapes for region in shape.regions]
    depth = max([last, *reach]) + 1
    if height is None or width is None or height < 1 or width < 1 or depth > MAX_FRAMES:
        grids: tuple[Grid, ...] = ()
    else:
        grids = (Grid((depth, int(height), int(width))),)
    if grids and grid_conflict(found.items.get(name), grids[0]):
        found.problem(
            place, "Another file gives this video another size or length.", "Check that both name the same video."
        )
        return
    found.add_item(ItemRecord(name, source_id=name, grids=grids))
    if rater is not None and (shapes or marks_empty):
        file.shapes.setdefault((name, rater), []).extend(shapes)
    found.note(f"Frames of videos are planes; frames {first} to {last} of a task were looked at." if last else "")
    found.notes.pop("", None)
