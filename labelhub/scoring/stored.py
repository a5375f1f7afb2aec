"""Stored annotations of a project as a plain set of readings, so that pages and ``analyze`` measure with the same code.

A few queries however many submissions. Items that were excluded are left out, and so are submissions that were ever
gold: the truth may not be measured against itself; the standing gold is a set of its own. Not here: any number.
"""

from __future__ import annotations

from collections.abc import Iterable

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import rater_key, readings_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, items
from labelhub.formats.shapes import AnnotationSet, ItemRecord, Reading
from labelhub.projects.models import Labeler, Project
from labelhub.projects.selectors import current_ontology, labelers
from labelhub.scoring.models import GoldReference

EMPTY_RULE = "A submission without marks is stored only with an explicit “no finding”; who did not submit has not read."
# Ids in one query: far below what any database takes.
CHUNK = 2_000


def annotation_set_of(project: Project) -> AnnotationSet:
    """Every submission that is not gold, of every item that is not excluded, in the order in which they were made."""
    gold = GoldReference.objects.filter(item__project=project).values("submission_id")
    submissions = (
        Submission.objects.filter(assignment__item__project=project)
        .exclude(assignment__item__state=Item.State.EXCLUDED)
        .exclude(pk__in=gold)
    )
    return _set(project, submissions.order_by("pk").values_list("pk", flat=True))


def gold_set_of(project: Project) -> AnnotationSet:
    """The standing gold of every item that is not excluded."""
    standing = GoldReference.objects.filter(item__project=project, retired_at=None)
    standing = standing.exclude(item__state=Item.State.EXCLUDED)
    return _set(project, standing.order_by("submission_id").values_list("submission_id", flat=True))


def display_names(project: Project) -> dict[str, str]:
    """The names of labelers by the key under which their readings stand."""
    return {rater_key(labeler): labeler.name for labeler in labelers(project)}


def _set(project: Project, submission_ids: Iterable[int]) -> AnnotationSet:
    _, ontology = current_ontology(project)
    readings = _readings(list(submission_ids))
    raters = {reading.rater for reading in readings}
    unknown = Labeler.objects.filter(project=project, is_identifiable=False)
    return AnnotationSet(
        format="project",
        items=tuple(_record(item) for item in items(project).exclude(state=Item.State.EXCLUDED)),
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
