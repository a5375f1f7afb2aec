"""Readings made elsewhere become a project's items, imported labelers and submissions: the loop goes on from there.

Items without pixels get their known grid only. An import may be repeated or continued: an item is known again by its
source id, a reading by item, rater, kind and version, and what is there already is left as it is. Each item is one
transaction, so a bad one is listed and the rest goes on. Not here: reading files (``formats.sources``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item, Medium
from labelhub.catalog.services import ItemIdentity, NewMedium, create_item
from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, Problem, QuestionSpec, Reading, Shape
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Project
from labelhub.projects.ontology import LabelClass, Ontology, OntologyProblem, read_ontology
from labelhub.projects.selectors import current_ontology
from labelhub.projects.services import imported_labeler, publish_ontology
from labelhub.workflow import gating
from labelhub.workflow.lifecycle import record_reading, score_and_route

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#8c6bb1", "#b2df8a", "#999999")
LEAST_SIDE = 64
GOLD_RATER = "gold"

ReadingKey = tuple[str, str, str, int]


class UnknownLabels(DomainError):
    """The readings use classes or questions that the project's ontology does not have; nothing was imported."""

    code = "unknown-labels"
    status = 422


@dataclass(slots=True)
class ImportSummary:
    """What an import did."""

    n_items: int = 0
    n_readings: int = 0
    n_known: int = 0
    n_not_read: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_readings(
    *,
    project: Project,
    readings: AnnotationSet,
    by: User | None,
    gold: AnnotationSet | None = None,
    adds_labels: bool = False,
    is_routed: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> ImportSummary:
    """Store every reading of the set; ``progress`` is told items done and items in all.

    With ``adds_labels`` missing classes and questions become a new version of the ontology, else :class:`UnknownLabels` is
    raised and nothing is stored. Writes ``item.created``, ``submission.stored`` and what routing does, then
    ``readings.imported``.
    """
    _fit_ontology(project, readings, by, adds_labels=adds_labels)
    summary = ImportSummary(problems=list(readings.problems))
    items = {item.source_id: item for item in Item.objects.filter(project=project).exclude(source_id="")}
    known = _known_readings(project)
    names = _source_ids(readings.items)
    by_item = _by_item(readings.readings)
    truth = _gold_by_source(gold, readings)
    for number, record in enumerate(readings.items, start=1):
        source_id = names[record.key]
        task = _ItemTask(record, source_id, by_item[record.key], truth.get(source_id))
        try:
            with transaction.atomic():
                done = _import_item(project, task, items.get(source_id), readings, known)
                if done.n_stored and is_routed:
                    score_and_route(item=done.item, moves_gates=False)
        except DomainError as error:
            summary.problems.append(
                Problem(source_id, f"This item was not imported: {error}", "Mend it in the source and import again.")
            )
        else:
            items[source_id] = done.item
            known |= done.keys
            summary.n_items += done.is_new
            summary.n_readings += len(done.keys)
            summary.n_known += done.n_known
            summary.n_not_read += done.n_not_read
        if progress is not None:
            progress(number, len(readings.items))
    gating.reconsider_project(project)
    _record_import(project, by, summary)
    return summary


def ontology_of(readings: AnnotationSet) -> Ontology:
    """An ontology that holds every class, attribute and question of the set. Raises ``OntologyProblem``."""
    attributes = _attributes_by_label(readings)
    classes = [
        {
            "key": label,
            "name": label,
            "colour": COLOURS[place % len(COLOURS)],
            "tool": _tool(readings, label),
            "shortcut": str(place + 1) if place < 9 else "",
            "attributes": [_question(spec) for spec in attributes[label]],
        }
        for place, label in enumerate(_labels(readings))
    ]
    questions = [_question(spec) for spec in readings.questions if not spec.on_shapes]
    return read_ontology({"classes": classes, "questions": questions})


def _fit_ontology(project: Project, readings: AnnotationSet, by: User | None, *, adds_labels: bool) -> None:
    _, current = current_ontology(project)
    try:
        needed = ontology_of(readings)
    except OntologyProblem as problem:
        raise UnknownLabels(
            f"The classes and questions of these readings cannot be stored: {problem} Nothing was imported."
        ) from problem
    merged = _merged(current, needed)
    if merged == current:
        return
    if not adds_labels:
        missing = [entry.key for entry in needed.classes if current.label_class(entry.key) is None]
        missing += [question.key for question in needed.questions if current.question(question.key) is None]
        listed = ", ".join(missing[:10]) or "attributes of known classes"
        raise UnknownLabels(
            f"The project's ontology does not have: {listed}. Nothing was imported. Add them to the ontology, or ask for it "
            "with --add-labels."
        )
    publish_ontology(project=project, ontology=merged, by=by)


def _merged(current: Ontology, needed: Ontology) -> Ontology:
    """The current ontology with what is missing; what is there keeps its name, colour and tool."""
    taken = {entry.shortcut for entry in current.classes}
    classes: list[LabelClass] = []
    for entry in current.classes:
        other = needed.label_class(entry.key)
        known = {attribute.key for attribute in entry.attributes}
        added = tuple(attribute for attribute in other.attributes if attribute.key not in known) if other else ()
        classes.append(replace(entry, attributes=(*entry.attributes, *added)) if added else entry)
    missing = [entry for entry in needed.classes if current.label_class(entry.key) is None]
    classes += [replace(entry, shortcut="") if entry.shortcut in taken else entry for entry in missing]
    questions = [q for q in needed.questions if current.question(q.key) is None]
    return Ontology(tuple(classes), (*current.questions, *questions))


def _labels(readings: AnnotationSet) -> tuple[str, ...]:
    occurring = (shape.label for reading in readings.readings for shape in reading.shapes)
    return tuple(dict.fromkeys([*readings.labels, *occurring]))


def _attributes_by_label(readings: AnnotationSet) -> dict[str, list[QuestionSpec]]:
    """The questions on shapes, under the classes whose shapes answer them; unlisted attributes are kept as text."""
    listed = {spec.key: spec for spec in readings.questions if spec.on_shapes}
    seen: dict[str, dict[str, None]] = defaultdict(dict)
    for reading in readings.readings:
        for shape in reading.shapes:
            for key in shape.attributes:
                seen[shape.label].setdefault(key)
    text = QuestionSpec("", "nominal", (), on_shapes=True)
    return defaultdict(
        list,
        {
            label: [spec for key, spec in listed.items() if key in keys]
            + [replace(text, key=key) for key in keys if key not in listed]
            for label, keys in seen.items()
        },
    )


def _question(spec: QuestionSpec) -> dict[str, object]:
    choices = [_choice_text(choice) for choice in spec.choices]
    kind = "number" if spec.measure in ("interval", "ratio") else "choice" if len(choices) >= 2 else "text"
    return {
        "key": spec.key,
        "text": spec.key,
        "kind": kind,
        "choices": choices if kind == "choice" else [],
        "measure": spec.measure,
    }


def _choice_text(choice: object) -> str:
    return str(int(choice)) if isinstance(choice, float) and choice.is_integer() else str(choice)


def _tool(readings: AnnotationSet, label: str) -> str:
    """The tool of the first shapes of the class."""
    for reading in readings.readings:
        for shape in reading.shapes:
            if shape.label != label:
                continue
            if shape.mask is not None:
                return "brush"
            if shape.regions:
                return {"points": "point"}.get(shape.regions[0].kind, shape.regions[0].kind)
    return "polygon"


def _source_ids(records: Sequence[ItemRecord]) -> dict[str, str]:
    """The id under which each item is stored: what the source's users know, where that is one item's alone."""
    uses: dict[str, int] = defaultdict(int)
    for record in records:
        uses[record.source_id] += 1
    return {
        record.key: (record.source_id if record.source_id and uses[record.source_id] == 1 else record.key)[:200]
        for record in records
    }


def _by_item(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        found[reading.item].append(reading)
    return found


def _gold_by_source(gold: AnnotationSet | None, readings: AnnotationSet) -> dict[str, Reading]:
    if gold is None:
        return {}
    names = {**_source_ids(gold.items), **_source_ids(readings.items)}
    return {names[reading.item]: reading for reading in gold.readings if reading.item in names}


def _known_readings(project: Project) -> set[ReadingKey]:
    rows = Submission.objects.filter(assignment__item__project=project).exclude(assignment__labeler__source_key="")
    return set(
        rows.values_list("assignment__item__source_id", "assignment__labeler__source_key", "read_kind", "version")
    )


@dataclass(frozen=True, slots=True)
class _ItemTask:
    """One item to be imported, with its readings and its gold."""

    record: ItemRecord
    source_id: str
    readings: Sequence[Reading]
    gold: Reading | None


@dataclass(slots=True)
class _ItemDone:
    """What was stored of one item; counted only once its transaction is through."""

    item: Item
    is_new: bool
    keys: set[ReadingKey] = field(default_factory=set)
    n_gold: int = 0
    n_known: int = 0
    n_not_read: int = 0

    @property
    def n_stored(self) -> int:
        """How many readings are new, gold included."""
        return len(self.keys) + self.n_gold


def _import_item(
    project: Project, task: _ItemTask, item: Item | None, source: AnnotationSet, known: set[ReadingKey]
) -> _ItemDone:
    done = _ItemDone(item or _new_item(project, task), is_new=item is None)
    for reading in sorted(task.readings, key=lambda reading: reading.version):
        says_something = bool(reading.shapes or reading.answers or reading.is_empty_read)
        key = (task.source_id, reading.rater[:120], reading.read_kind, reading.version)
        if not says_something and source.empty_means == "not-read":
            done.n_not_read += 1
        elif key in known or key in done.keys:
            done.n_known += 1
        else:
            stated = replace(reading, is_empty_read=reading.is_empty_read or not says_something)
            labeler = _labeler(project, reading.rater, is_identifiable=source.raters_identifiable)
            record_reading(item=done.item, labeler=labeler, reading=stated, is_routed=False)
            done.keys.add(key)
    done.n_gold = _store_gold(done.item, task, known)
    return done


def _new_item(project: Project, task: _ItemTask) -> Item:
    shapes = [shape for reading in task.readings for shape in reading.shapes]
    grids = task.record.grids
    n_media = max([len(grids), *(shape.medium + 1 for shape in shapes), 1])
    media = []
    for ordinal in range(n_media):
        grid = grids[ordinal] if ordinal < len(grids) else _enclosing(shapes, ordinal)
        kind = Medium.Kind.VOLUME if grid.size[0] > 1 or grid.plane_positions_mm else Medium.Kind.PHOTOGRAPH
        media.append(NewMedium(kind=kind, grid=grid))
    return create_item(project=project, media=media, identity=_identity(task.record), source_id=task.source_id)


def _identity(record: ItemRecord) -> ItemIdentity:
    if record.group is None:
        return ItemIdentity()
    if record.group_kind == "study":
        return ItemIdentity(study=record.group)
    return ItemIdentity(subject=record.group, subject_kind=record.group_kind[:16])


def _enclosing(shapes: Sequence[Shape], ordinal: int) -> Grid:
    """The least grid that holds everything drawn, where the source states none."""
    size = [1, LEAST_SIDE, LEAST_SIDE]
    for shape in shapes:
        if shape.medium != ordinal:
            continue
        if shape.mask is not None:
            ends = [start + n for start, n in zip(shape.mask.origin, shape.mask.voxels.shape, strict=True)]
            size = [max(a, b) for a, b in zip(size, ends, strict=True)]
        for region in shape.regions:
            reach = region.points.max(axis=0) if region.kind != "ellipse" else region.points.sum(axis=0)
            x, y = (math.ceil(float(value)) + 1 for value in np.nan_to_num(reach))
            size = [max(size[0], region.z + 1), max(size[1], y), max(size[2], x)]
    return Grid(size=(size[0], size[1], size[2]))


def _store_gold(item: Item, task: _ItemTask, known: set[ReadingKey]) -> int:
    reading = task.gold
    if reading is None or any(key[:2] == (task.source_id, GOLD_RATER) for key in known):
        return 0
    says_something = bool(reading.shapes or reading.answers)
    labeler = _labeler(item.project, GOLD_RATER, is_identifiable=True)
    stated = replace(reading, is_empty_read=reading.is_empty_read or not says_something)
    record_reading(item=item, labeler=labeler, reading=stated, is_gold=True, is_routed=False)
    return 1


def _labeler(project: Project, rater: str, *, is_identifiable: bool) -> Labeler:
    return imported_labeler(project=project, source_key=rater, name=rater, is_identifiable=is_identifiable)


def _record_import(project: Project, by: User | None, summary: ImportSummary) -> None:
    with transaction.atomic():
        audit.append(
            project_id=project.pk,
            kind="readings.imported",
            actor=f"user:{by.pk}" if by is not None else "system",
            subject=f"project:{project.pk}",
            facts={"items": summary.n_items, "readings": summary.n_readings, "problems": len(summary.problems)},
        )
