"""What the files of a release are written from: settled labels, or readings, as plain sets, few of them in memory at once.

Not here: which they are (the manifest says), and writing files (``files``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from labelhub.catalog.models import Item, Medium
from labelhub.catalog.selectors import grid_of
from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.models import SettledShape, Settlement
from labelhub.consensus.selectors import readings_of_settlements
from labelhub.formats.shapes import AnnotationSet, ItemRecord, QuestionSpec, Reading
from labelhub.projects.models import OntologyVersion, Project
from labelhub.projects.ontology import read_ontology

# Readings whose shapes are held in memory at a time: as many as together have so many voxels, at least one.
MOST_AT_A_TIME = 50
MOST_VOXELS = 1 << 26
# Ids in one query: far below what any database takes.
CHUNK = 2_000
EMPTY_RULE = "An item without shapes is stated as read and empty."


@dataclass(frozen=True, slots=True)
class Contents:
    """What one file is written from, in the order of the manifest.

    ``keys`` are ids of settlements or submissions, ``items[key]`` the id of its item, ``load`` gives their readings with
    the items. ``labels`` are the classes of the whole release: the same numbers in every file.
    """

    project: Project
    keys: Sequence[int]
    items: Mapping[int, int]
    load: Callable[[Sequence[int]], Sequence[tuple[Item, Reading]]]
    as_of: datetime
    labels: tuple[str, ...]
    questions: tuple[QuestionSpec, ...]
    is_first_version: bool

    def batches(self) -> Iterator[AnnotationSet]:
        """Yield the readings one item or medium at a time; few are held at once."""
        for start in range(0, len(self.keys), MOST_AT_A_TIME):
            for keys in _light(self.keys[start : start + MOST_AT_A_TIME], self.items):
                yield from _singly(self._set(keys))

    def whole(self) -> AnnotationSet:
        """Return all as one set."""
        return self._set(self.keys)

    def _set(self, keys: Sequence[int]) -> AnnotationSet:
        loaded = self.load(keys)
        media: dict[int, list[Medium]] = {}
        of_items = Medium.objects.filter(item__in={item.pk for item, _ in loaded})
        for medium in of_items.order_by("item", "ordinal"):
            media.setdefault(medium.item_id, []).append(medium)
        items: dict[str, ItemRecord] = {}
        readings: list[Reading] = []
        for item, reading in loaded:
            for record, part in _by_medium(item, reading, media.get(item.pk, [])):
                items.setdefault(record.key, record)
                readings.append(part)
        return AnnotationSet(
            format="labelhub", items=tuple(items.values()), readings=tuple(readings), labels=self.labels,
            questions=self.questions, empty_rule=EMPTY_RULE,
        )  # fmt: skip


def settled_contents(manifest: Mapping[str, Any], project: Project) -> Contents:
    """Return the settled labels of a release."""
    keys = [entry["settlement"] for entry in manifest["settlements"]]
    items: dict[int, int] = {}
    for some in chunks(keys):
        items |= dict(Settlement.objects.filter(pk__in=some).values_list("pk", "item_id"))
    return contents_of(manifest, project, keys, items, _settled)


def contents_of(
    manifest: Mapping[str, Any], project: Project, keys: Sequence[int], items: Mapping[int, int],
    load: Callable[[Sequence[int]], Sequence[tuple[Item, Reading]]],
) -> Contents:  # fmt: skip
    """Return contents under the classes and questions of the whole release."""
    used = {entry["ontology"] for entry in (*manifest["settlements"], *manifest.get("reads", ()))}
    rows = OntologyVersion.objects.filter(project=project, number__in=used)
    ontologies = [read_ontology(version.content) for version in rows.order_by("-number")]
    labels = dict.fromkeys(entry.key for ontology in ontologies for entry in ontology.classes)
    questions = {question.key: question for ontology in reversed(ontologies) for question in ontology.question_specs()}
    settlements = [entry["settlement"] for entry in manifest["settlements"]]
    ignored = SettledShape.objects.filter(label=IGNORE)
    if any(ignored.filter(settlement__in=some).exists() for some in chunks(settlements)):
        # The last one, so that the numbers of the classes stay as they are without it.
        labels[IGNORE] = None
    return Contents(
        project, keys, items, load, datetime.fromisoformat(manifest["as_of"]), tuple(labels), tuple(questions.values()),
        is_first_version="ignore" not in manifest,
    )  # fmt: skip


def chunks(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut ids into runs that one query takes."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _settled(keys: Sequence[int]) -> list[tuple[Item, Reading]]:
    rows = Settlement.objects.select_related("item").in_bulk(list(keys))
    settlements = [rows[key] for key in keys]
    # The settlement's number stands in the manifest; in files a settled label has one version.
    readings = [replace(reading, version=1) for reading in readings_of_settlements(settlements)]
    return [(entry.item, reading) for entry, reading in zip(settlements, readings, strict=True)]


def _light(keys: Sequence[int], items: Mapping[int, int]) -> Iterator[Sequence[int]]:
    """Cut a run of readings into shorter ones of at most ``MOST_VOXELS``, so that large volumes are read one by one."""
    voxels: Counter[int] = Counter()
    for medium in Medium.objects.filter(item__in={items[key] for key in keys}):
        voxels[medium.item_id] += math.prod(grid_of(medium).size)
    run: list[int] = []
    weight = 0
    for key in keys:
        own = voxels[items[key]]
        if run and weight + own > MOST_VOXELS:
            yield run
            run, weight = [], 0
        run.append(key)
        weight += own
    yield run


def _singly(annotations: AnnotationSet) -> Iterator[AnnotationSet]:
    """Each reading as a set of its own, so that a writer makes one reading's files at a time."""
    items = {item.key: item for item in annotations.items}
    for reading in annotations.readings:
        yield replace(annotations, items=(items[reading.item],), readings=(reading,))


def _by_medium(item: Item, reading: Reading, media: Sequence[Medium]) -> Iterator[tuple[ItemRecord, Reading]]:
    """One entry a medium, because files hold one picture or volume each; the first keeps the answers about the item."""
    for place, medium in enumerate(media):
        key = item.code if len(media) == 1 else f"{item.code}-{medium.ordinal}"
        shapes = tuple(replace(shape, medium=0) for shape in reading.shapes if shape.medium == medium.ordinal)
        record = ItemRecord(key=key, group=item.group_key or None, group_kind=item.group_kind, grids=(grid_of(medium),))
        answers = reading.answers if place == 0 else {}
        yield (
            record,
            replace(reading, item=key, shapes=shapes, answers=answers, is_empty_read=not shapes and not answers),
        )
