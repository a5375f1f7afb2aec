"""Measuring a project and keeping the result, at once or as a job. What is kept can always be made again.

Not here: the numbers (``scoring.panel``), and what a page says of them (``selectors``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone

from labelhub.analytics.models import Rollup
from labelhub.analytics.panel_store import to_bytes
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.jobs.registry import Running
from labelhub.jobs.services import enqueue
from labelhub.projects.models import Labeler, Project
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring.extents import Reach
from labelhub.scoring.models import GoldReference
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import VERSION, Panel
from labelhub.scoring.stored import annotation_set_of, gold_set_of

JOB_KIND = "analytics.measure"
SEED = 1


def fingerprint_of(project: Project) -> str:
    """What the numbers of a project rest on now: newest submission, gold, retirement, exclusion, rules and method."""
    submissions = Submission.objects.filter(assignment__item__project=project).aggregate(
        newest=Max("pk"), n=Count("pk")
    )
    gold = GoldReference.objects.filter(item__project=project).aggregate(
        newest=Max("pk"), n=Count("pk"), n_retired=Count("retired_at")
    )
    n_items = Item.objects.filter(project=project).exclude(state=Item.State.EXCLUDED).count()
    n_unknown = Labeler.objects.filter(project=project, is_identifiable=False).count()
    ontology, policy = current_ontology(project)[0].number, current_policy(project)[0].number
    parts = (
        submissions["newest"] or 0, submissions["n"], gold["newest"] or 0, gold["n"], gold["n_retired"], n_items, n_unknown,
        ontology, policy, VERSION,
    )  # fmt: skip
    return "-".join(str(part) for part in parts)


def measure_project(project: Project) -> Panel:
    """Measure the project as it stands and keep the panel in place of an earlier one."""
    fingerprint = fingerprint_of(project)
    begun = time.monotonic()
    _, policy = current_policy(project)
    gold = gold_set_of(project)
    readings = annotation_set_of(project)
    panel = measure(
        readings,
        gold=gold if gold.readings else None,
        rng_seed=SEED,
        match_iou=policy.match_iou,
        tolerance=Reach(),
        min_items=policy.min_items,
        min_gold=policy.min_gold,
        gold_target=policy.gold_target,
    )
    Rollup.objects.update_or_create(
        project=project,
        defaults={
            "fingerprint": fingerprint,
            "n_submissions": len(readings.readings),
            "content": to_bytes(panel),
            "method_version": VERSION,
            "took_s": time.monotonic() - begun,
            "made_at": timezone.now(),
        },
    )
    return panel


def ask_for_measure(project: Project) -> None:
    """Have a worker measure the project, unless one is about to."""
    enqueue(
        kind=JOB_KIND,
        arguments={"project": project.pk},
        dedupe_key=f"{JOB_KIND}:{project.pk}",
        project_id=project.pk,
        asked_by="system",
    )


def run_measure(running: Running) -> Mapping[str, Any]:
    """The job: measure one project."""
    project = Project.objects.get(pk=running.arguments["project"])
    running.progress(0, 1, "Measuring all readings")
    panel = measure_project(project)
    running.progress(1, 1, "Done")
    return {"items": panel.source.n_items, "readings": panel.source.n_readings}
