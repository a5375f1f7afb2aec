"""Reads Label Studio's JSON and JSON-MIN exports: several annotators on a task are kept apart.

An item is a task; its key is the task's number unless a data field is named for it. An annotation that was skipped or
cancelled is not a read; one with an empty result is an empty read. An annotation that started from a prediction is
assisted, one that started from another annotation is unblinded; else the kind is unknown, because the export does not
say what was seen. Predictions, drafts and relations are counted as not kept. Not here: writing, geometry.

Format: labelstud.io, "Label Studio JSON format of annotated tasks".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY, Gathering, group_of
from labelhub.formats.label_studio_values import (
    ANSWER_TYPES,
    label_names,
    picture_size,
    read_answer,
    read_geometry,
    shape_type,
)
from labelhub.formats.limits import MAX_SHAPES
from labelhub.formats.rle import LyingRunLengthsError, joined
from labelhub.formats.shapes import (
    AnnotationSet,
    Grid,
    ItemRecord,
    MaskRegion,
    QuestionSpec,
    Reading,
    ReadKind,
    Region,
    Shape,
    Value,
)
from labelhub.formats.strict_json import Json, as_list, as_mapping, load_json, whole_number
from labelhub.formats.written_extras import restored_reading

EMPTY_RULE: Final = (
    "An annotation with an empty result that was not skipped is 'read, nothing found'; a skipped or cancelled "
    "annotation, and a task without an annotation by a person, is 'not read'."
)
_MIN_META: Final = frozenset(
    [
        "id",
        "annotator",
        "annotation_id",
        "created_at",
        "updated_at",
        "lead_time",
        "agreement",
        "comments",
        "history",
        "file_upload",
    ]
)


@dataclass(slots=True)
class _Export:
    """One export file while it is read."""

    name: str
    rater: str | None
    item_field: str | None
    tasks: dict[str, bytes]
    versions: dict[tuple[str, str], int]


@dataclass(slots=True)
class _Pieces:
    """One region of Label Studio with everything that was said of it."""

    regions: list[Region] = field(default_factory=list)
    masks: list[MaskRegion] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)
    medium: int = 0


def is_label_studio(root: Json) -> bool:
    """Whether a JSON root looks like an export of Label Studio, whole or minimal."""
    first = as_mapping(root[0]) if isinstance(root, list) and root else as_mapping(root)
    whole = isinstance(first.get("data"), dict) and isinstance(first.get("annotations", first.get("completions")), list)
    return whole or ("annotation_id" in first and "annotator" in first)


def read_label_studio(
    files: Mapping[str, bytes], *, raters: Mapping[str, str] | None = None, item_field: str | None = None
) -> AnnotationSet:
    """Read exports, given by name; ``item_field`` names the data field that identifies an item across projects."""
    found = Gathering()
    tasks: dict[str, bytes] = {}
    versions: dict[tuple[str, str], int] = {}
    for name, root in found.each_root(files, load_json):
        if not is_label_studio(root):
            found.problem(name, "This JSON is not an export of Label Studio.", "Name its real format.")
            continue
        export = _Export(name, (raters or {}).get(name), item_field, tasks, versions)
        for position, task in enumerate(as_list(root) or [root]):
            if position >= MAX_SHAPES:
                found.problem(name, f"The export holds more than {MAX_SHAPES} tasks.", "Split it and read the parts.")
                break
            _read_task(found, export, as_mapping(task), position)
    return found.finish("label-studio", empty_means="read-empty", empty_rule=EMPTY_RULE, unit_name="task")


def _read_task(found: Gathering, export: _Export, task: dict[str, Json], position: int) -> None:
    is_minimal = "annotations" not in task and "completions" not in task
    data = task if is_minimal else as_mapping(task.get("data"))
    number = task.get("id")
    place = f"{export.name}, task {number if whole_number(number) is not None else f'no. {position + 1}'}"
    named = as_mapping(task.get("labelhub")).get("item") or (
        data.get(export.item_field) if export.item_field else number
    )
    if not isinstance(named, str | int) or isinstance(named, bool) or str(named) == "":
        found.problem(place, "The task has no number, or not the data field that names items.", "Export it again.")
        return
    key = str(named)
    content = orjson.dumps({} if is_minimal else data, option=orjson.OPT_SORT_KEYS)
    if export.tasks.setdefault(key, content) != content and not export.item_field:
        found.problem(
            place,
            "Another export has a task of this number with other data.",
            "Name the data field that tells items apart (such as image), or read the exports one by one.",
        )
        return
    group_kind, group = group_of(data)
    found.add_item(ItemRecord(key, source_id=str(number), group=group, group_kind=group_kind))
    found.lose("predictions", "they are a model's, not a reader's", len(as_list(task.get("predictions"))))
    found.lose("drafts", "they were not submitted", len(as_list(task.get("drafts"))))
    if is_minimal:
        _read_annotation(found, export, key, _whole(found, task), place)
        return
    for annotation in as_list(task.get("annotations", task.get("completions"))):
        fields = as_mapping(annotation)
        _read_annotation(found, export, key, fields, f"{place}, annotation {str(fields.get('id', '?'))[:40]}")


def _whole(found: Gathering, record: dict[str, Json]) -> dict[str, Json]:
    """The annotation of a minimal record in the form of the whole export."""
    results: list[dict[str, Json]] = []
    for name, content in record.items():
        if name in _MIN_META:
            continue
        for value in map(as_mapping, content if isinstance(content, list) else [content]):
            kind = next((k for k in value if shape_type(k) or k in ANSWER_TYPES or k == "labels"), None)
            if kind is not None:
                result_id = str(value.get("id") or f"{name} {len(results)}")
                results.append({**value, "id": result_id, "from_name": name, "type": kind, "value": value})
        if isinstance(content, str | int | float):
            found.lose(
                f"column {name[:60]}", "the minimal export does not tell an answer from data: use the whole JSON export"
            )
    return {"id": record.get("annotation_id"), "completed_by": record.get("annotator"), "result": results}


def _rater(annotation: dict[str, Json]) -> str | None:
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("username") or person.get("id")
    if isinstance(person, str | int) and not isinstance(person, bool) and str(person).strip():
        return str(person).strip()
    return None


def _read_annotation(found: Gathering, export: _Export, key: str, annotation: dict[str, Json], place: str) -> None:
    if annotation.get("was_cancelled") is True or annotation.get("skipped") is True:
        found.note("Skipped or cancelled annotations were left out: their authors have not read those tasks.")
        return
    rater = _rater(annotation) or export.rater
    if rater is None:
        found.problem(
            place,
            "Who made this annotation cannot be told: it has no completed_by.",
            UNKNOWN_RATER_REMEDY,
        )
        return
    if annotation.get("ground_truth") is True:
        found.lose("ground truth flags", "gold is a set of its own: give it as such")
    results = [as_mapping(result) for result in as_list(annotation.get("result"))]
    pieces = _collect(found, place, key, results)
    answers = _answers(found, place, results, pieces)
    reading = Reading(
        key,
        rater,
        _shapes(found, place, pieces),
        answers,
        is_empty_read=not results,
        read_kind=_read_kind(annotation, results),
        locator=place,
    )
    stated = annotation.get("labelhub")
    restored = restored_reading(found, place, stated, (key,)) if stated is not None else None
    if restored is not None:
        reading = replace(
            restored, shapes=reading.shapes, answers={**reading.answers, **restored.answers}, locator=place
        )
    if results and not reading.shapes and not reading.answers:
        found.problem(
            place,
            "Nothing in this annotation could be used, so it does not count as read.",
            "Correct its results, or leave the annotation empty if there is nothing to mark.",
        )
        return
    version = export.versions.get((key, rater), 0) + 1
    export.versions[key, rater] = version
    if restored is None and version > 1:
        reading = replace(
            reading, version=version, read_kind="repeat" if reading.read_kind == "unknown" else reading.read_kind
        )
    found.readings.append(reading)


def _read_kind(annotation: dict[str, Json], results: list[dict[str, Json]]) -> ReadKind:
    if annotation.get("parent_annotation"):
        return "unblinded"
    origins = {origin for result in results if isinstance(origin := result.get("origin"), str)}
    if annotation.get("parent_prediction") or origins & {"prediction", "prediction-changed"}:
        return "assisted"
    return "unknown"


def _collect(found: Gathering, place: str, key: str, results: list[dict[str, Json]]) -> dict[str, _Pieces]:
    """The regions of an annotation by their id, each with its geometry and class names."""
    pieces: dict[str, _Pieces] = {}
    names: dict[str, list[str]] = {}
    for position, result in enumerate(results):
        kind = shape_type(result.get("type"))
        spot = f"{place}, result {str(result.get('id', f'no. {position + 1}'))[:40]}"
        own_id = str(result.get("id") or f"no. {position + 1}")
        if kind is None:
            if result.get("type") == "labels":
                names.setdefault(own_id, []).extend(label_names("labels", as_mapping(result.get("value"))))
            continue
        geometry = read_geometry(found, spot, kind, result)
        if geometry is None or not _same_picture(found, spot, key, result):
            continue
        part = pieces.setdefault(str(result.get("labelhub_shape") or own_id), _Pieces())
        part.medium = max(whole_number(result.get("item_index")) or 0, 0)
        if isinstance(geometry, MaskRegion):
            part.masks.append(geometry)
        elif not _is_named_twice(part, geometry):
            part.regions.append(geometry)
        part.labels += [n for n in label_names(kind, as_mapping(result.get("value"))) if n not in part.labels]
    for own_id, labels in names.items():
        if own_id in pieces:
            pieces[own_id].labels += [name for name in labels if name not in pieces[own_id].labels]
    return pieces


def _is_named_twice(part: _Pieces, geometry: Region) -> bool:
    """Whether the same region came already under another control of the labelling page."""
    return any(
        known.kind == geometry.kind and known.points.tolist() == geometry.points.tolist() for known in part.regions
    )


def _same_picture(found: Gathering, spot: str, key: str, result: dict[str, Json]) -> bool:
    size = picture_size(result)
    item = found.items[key]
    if size is None or (whole_number(result.get("item_index")) or 0) > 0:
        return True
    if not item.grids:
        found.items[key] = replace(item, grids=(Grid((1, *size)),))
    elif item.grids[0].size[1:] != size:
        found.problem(spot, "Another result of this task states another picture size.", "Check the task's picture.")
        return False
    return True


def _answers(
    found: Gathering, place: str, results: list[dict[str, Json]], pieces: dict[str, _Pieces]
) -> dict[str, Value]:
    """Answers to the whole task; those that share an id with a region become attributes of its shape."""
    answers: dict[str, Value] = {}
    for result in results:
        kind, name = result.get("type"), result.get("from_name")
        if shape_type(kind) or kind == "labels":
            continue
        if not isinstance(kind, str) or kind not in ANSWER_TYPES or not isinstance(name, str) or not name:
            found.lose(f"results of type {str(kind)[:40]}", "they are neither shapes nor answers about a picture")
            continue
        answer = read_answer(kind, as_mapping(result.get("value")))
        if answer is None:
            continue
        part = pieces.get(str(result.get("labelhub_shape") or result.get("id")))
        (answers if part is None else part.attributes)[name] = answer
        _know_question(found, name, kind, answer, on_shapes=part is not None)
    return answers


def _know_question(found: Gathering, name: str, kind: str, answer: Value, *, on_shapes: bool) -> None:
    if kind in ("textarea", "datetime"):
        found.note("Free texts and dates are kept with their reads; agreement is not computed on them.")
        return
    known = found.questions.get(name)
    if kind in ("rating", "number"):
        found.questions[name] = QuestionSpec(name, "ordinal" if kind == "rating" else "interval", (), on_shapes)
        return
    given = answer if isinstance(answer, tuple) else (answer,)
    choices = tuple(dict.fromkeys((*(known.choices if known else ()), *given)))
    found.questions[name] = QuestionSpec(name, "nominal", choices, on_shapes)


def _shapes(found: Gathering, place: str, pieces: dict[str, _Pieces]) -> tuple[Shape, ...]:
    shapes = []
    for own_id, part in pieces.items():
        label = part.labels[0] if part.labels else "unlabelled"
        if len(part.labels) > 1:
            found.lose("further classes on one region", "a shape has one class; the first is kept")
        try:
            mask = joined(part.masks) if part.masks else None
        except LyingRunLengthsError as error:
            found.problem(place, f"The brush mask was refused: {error}.", "Split the region.")
            continue
        found.add_labels([label])
        shapes.append(Shape(own_id, label, tuple(part.regions), mask, part.attributes, part.medium))
    return tuple(shapes)
