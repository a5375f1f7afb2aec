"""Stored annotations of a project as a plain set of readings, so that pages and ``analyze`` measure with the same code.

A few queries however many submissions. Items that were excluded are left out, and so are submissions that were ever
gold: the truth may not be measured against itself; the standing gold is a set of its own. What was read under an earlier
ontology stands as what it says under the present one. Not here: any number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from django.db.models import QuerySet

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import rater_key, readings_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, items
from labelhub.formats.shapes import AnnotationSet, ItemRecord, Reading
from labelhub.projects.lineage import Translation
from labelhub.projects.models import Labeler, Project
from labelhub.projects.selectors import current_ontology, labelers, translations_of
from labelhub.scoring.models import GoldReference
from labelhub.scoring.remembered import Memory
from labelhub.scoring.versions import translated

EMPTY_RULE = "A submission without marks is stored only with an explicit “no finding”; who did not submit has not read."
# Ids in one query: far below what any database takes.
CHUNK = 2_000
# Voxels of masks, a byte each, that a process keeps of a project between two panels.
MOST_VOXELS = 256 << 20

Key: TypeAlias = tuple[Any, ...]


class Kept:
    """The readings and items of one project as they were read last, so that only new ones are read again.

    Submissions never change; what may change of a reading's or an item's surroundings is part of its key. ``memory`` holds
    what the panel came to for them. For one thread at a time.
    """

    def __init__(self) -> None:
        self.memory = Memory()
        self._readings: dict[Key, Reading] = {}
        self._records: dict[Key, ItemRecord] = {}

    def readings(self, keys: Sequence[Key], translations: Mapping[int, Translation]) -> list[Reading]:
        """The readings of these submissions as they speak now; a key begins with the submission's id."""
        missing = [key for key in keys if key not in self._readings]
        found = [translated(reading, translations) for reading in _readings([key[0] for key in missing])]
        self._readings |= dict(zip(missing, found, strict=True))
        return [self._readings[key] for key in keys]

    def records(self, project: Project, keys: Sequence[Key]) -> tuple[ItemRecord, ...]:
        """The project's items of these keys, which begin with the item's id."""
        missing = {key[0]: key for key in keys if key not in self._records}
        if missing:
            rows = items(project) if len(missing) > CHUNK else items(project).filter(pk__in=list(missing))
            self._records |= {missing[row.pk]: _record(row) for row in rows if row.pk in missing}
        # An item that was made since the keys were read is none of them; one that is gone is left out.
        return tuple(self._records[key] for key in keys if key in self._records)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read yet."""
        return not self._records

    @property
    def is_too_large(self) -> bool:
        """Whether the masks of the readings take more memory than a worker may hold between two panels."""
        masks = (shape.mask for reading in self._readings.values() for shape in reading.shapes)
        return sum(mask.voxels.size for mask in masks if mask is not None) > MOST_VOXELS

    def keep_only(self, used: Collection[Reading], records: Collection[ItemRecord]) -> None:
        """Forget what the newest sets no longer hold."""
        own, listed = {id(reading) for reading in used}, {id(record) for record in records}
        self._readings = {key: reading for key, reading in self._readings.items() if id(reading) in own}
        self._records = {key: record for key, record in self._records.items() if id(record) in listed}
        self.memory.forget_unused()


def annotation_set_of(project: Project, kept: Kept | None = None) -> AnnotationSet:
    """Every submission that is not gold, of every item that is not excluded, in the order in which they were made."""
    gold = GoldReference.objects.filter(item__project=project).values("submission_id")
    submissions = (
        Submission.objects.filter(assignment__item__project=project)
        .exclude(assignment__item__state=Item.State.EXCLUDED)
        .exclude(pk__in=gold)
    )
    return _set(project, submissions.order_by("pk"), kept or Kept())


def gold_set_of(project: Project, kept: Kept | None = None) -> AnnotationSet:
    """The standing gold of every item that is not excluded."""
    standing = GoldReference.objects.filter(item__project=project, retired_at=None)
    standing = standing.exclude(item__state=Item.State.EXCLUDED)
    submissions = Submission.objects.filter(pk__in=standing.values("submission"))
    return _set(project, submissions.order_by("pk"), kept or Kept())


def display_names(project: Project) -> dict[str, str]:
    """The names of labelers by the key under which their readings stand."""
    return {rater_key(labeler): labeler.name for labeler in labelers(project)}


def _set(project: Project, submissions: QuerySet[Submission], kept: Kept) -> AnnotationSet:
    version, ontology = current_ontology(project)
    # After a rollback another submission may get the same id: the work and the request tell them apart. What a reading says
    # under the newest ontology is another reading under the next.
    keys = submissions.values_list("pk", "assignment_id", "request_id", "assignment__labeler__source_key")
    readings = kept.readings([(*key, version.pk) for key in keys], translations_of(project))
    raters = {reading.rater for reading in readings}
    unknown = Labeler.objects.filter(project=project, is_identifiable=False)
    current = Item.objects.filter(project=project).exclude(state=Item.State.EXCLUDED).order_by("pk")
    return AnnotationSet(
        format="project",
        items=kept.records(project, list(current.values_list("pk", "code", "source_id", "group_key", "group_kind"))),
        readings=tuple(readings),
        labels=tuple(entry.key for entry in ontology.classes),
        questions=ontology.question_specs(),
        raters_identifiable=not any(rater_key(labeler) in raters for labeler in unknown),
        empty_means="read-empty",
        empty_rule=EMPTY_RULE,
        unit_name="item",
    )


def _readings(submission_ids: list[int]) -> list[Reading]:
    found: list[Reading] = []
    for start in range(0, len(submission_ids), CHUNK):
        rows = [Submission(pk=pk) for pk in submission_ids[start : start + CHUNK]]
        found += readings_of(rows)
    return found


def _record(item: Item) -> ItemRecord:
    return ItemRecord(
        key=item.code,
        source_id=item.source_id or item.code,
        group=item.group_key or None,
        group_kind=item.group_kind,
        grids=tuple(grid_of(medium) for medium in item.media.all()),
    )
