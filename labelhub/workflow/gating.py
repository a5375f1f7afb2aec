"""Keeping gates up to date as gold answers come and go; most of it runs inside a step's transaction, with the item locked.

Not here: the gate itself (``routing.gates``), and what a pause does to items (``pausing``).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.catalog.models import Item
from labelhub.jobs.services import enqueue
from labelhub.projects.models import Labeler, Project
from labelhub.projects.selectors import labelers
from labelhub.routing import gates
from labelhub.routing.models import Gate
from labelhub.scoring.gold_answers import judged_on_gold

JOB_KIND = "workflow.send_on"


def after_gold(item: Item, before: Collection[int]) -> None:
    """Bring the gates of those up to date whose answers on the item's gold came or went since ``before``.

    Runs in the caller's transaction, with the item locked.
    """
    changed = judged_on_gold(item) ^ frozenset(before)
    if changed:
        reconsider(set(Submission.objects.filter(pk__in=changed).values_list("assignment__labeler_id", flat=True)))


def gold_dropped_out(item: Item) -> None:
    """Bring the gates of all who read the item up to date after its gold was retired or the item excluded."""
    reconsider(set(assigned.of_item(item).values_list("labeler_id", flat=True)))


def reconsider_project(project: Project) -> None:
    """Bring every labeler's gate up to date, after many readings or much gold came in at once."""
    with transaction.atomic():
        reconsider(set(labelers(project).values_list("pk", flat=True)))


def reconsider(labeler_ids: Collection[int]) -> None:
    """Compute these labelers' gates again and append what is new. Runs in the caller's transaction."""
    for labeler in Labeler.objects.filter(pk__in=labeler_ids, user__isnull=False).select_related("project"):
        for fact in gates.evaluate(labeler):
            if fact.kind == Gate.Kind.PAUSED:
                ask_to_send_on(fact)


def ask_to_send_on(fact: Gate) -> None:
    """Have a worker send the last unsettled items of the labeler whom ``fact`` paused to others."""
    enqueue(
        kind=JOB_KIND, arguments={"gate": fact.pk}, dedupe_key=f"{JOB_KIND}:{fact.pk}",
        project_id=fact.labeler.project_id, asked_by=fact.by,
    )  # fmt: skip
