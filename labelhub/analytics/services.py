"""Measuring a project and keeping the result, at once or as a job. What is kept can always be made again.

Not here: the numbers (``scoring.panel``), and what a page says of them (``selectors``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Aggregate, Count, F, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelhub.analytics.copiers import keep_copiers_apart
from labelhub.analytics.models import Rollup
from labelhub.analytics.panel_store import to_bytes
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.services import enqueue, put_off
from labelhub.projects.models import Labeler, OntologyVersion, PolicyVersion, Project
from labelhub.projects.selectors import current_policy
from labelhub.scoring.extents import Reach
from labelhub.scoring.models import GoldReference
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import VERSION, Panel
from labelhub.scoring.stored import Kept, annotation_set_of, gold_set_of

JOB_KIND = "analytics.measure"
SEED = 1
# Before other work of its queue: numbers are to be seconds old, and a measure of what changed takes about one.
PRIORITY = 10
# After a measure a project rests for this share of the time that it took, and at most so long. However short that is, a job
# that waits has its turn then: a worker that looks takes what may be done, and the next measure may not be yet.
REST = 0.05
LONGEST_PAUSE = timedelta(minutes=1)
# Of so many projects a process keeps what it has read and compared.
MOST_PROJECTS = 4
_kept: OrderedDict[int, Kept] = OrderedDict()
_lock = threading.Lock()


def fingerprint_of(project: Project) -> str:
    """What the numbers of a project rest on now: newest submission, gold and item, retirement, exclusion, rules, method.

    One query: pages ask for it before anything else.
    """
    return kept_and_current(project)[1]


def n_submissions_in(fingerprint: str) -> int:
    """How many submissions a project had when this was its fingerprint."""
    return int(fingerprint.split("-")[1])


def kept_and_current(project: Project) -> tuple[tuple[int, str, datetime] | None, str]:
    """Return the kept rollup's id, fingerprint and date, if there is one, and the fingerprint of this moment; one query."""
    # By the versions of its ontology a project's submissions are found, and counted, in one index alone.
    newest = Submission.objects.filter(ontology=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    versions = OntologyVersion.objects.filter(project=OuterRef("pk"))
    submissions = Submission.objects.filter(ontology__project=OuterRef("pk"))
    gold = GoldReference.objects.filter(item__project=OuterRef("pk"))
    items = Item.objects.filter(project=OuterRef("pk"))
    excluded = items.filter(state=Item.State.EXCLUDED)
    unknown = Labeler.objects.filter(project=OuterRef("pk"), is_identifiable=False)
    parts = {
        "newest": _first(versions.annotate(newest=Subquery(newest)), "newest"),
        "n": _aggregate(submissions, "ontology__project", Count("pk")),
        "newest_gold": _aggregate(gold, "item__project", Max("pk")),
        "n_gold": _aggregate(gold, "item__project", Count("pk")),
        "n_retired": _aggregate(gold, "item__project", Count("retired_at")),
        "newest_item": _first(items, "pk"),
        "n_excluded": _aggregate(excluded, "project", Count("pk")),
        "n_unknown": _aggregate(unknown, "project", Count("pk")),
        "ontology": _aggregate(versions, "project", Max("number")),
        "policy": _aggregate(PolicyVersion.objects.filter(project=OuterRef("pk")), "project", Max("number")),
    }
    kept = Rollup.objects.filter(project=OuterRef("pk"))
    rollup = [Subquery(kept.values(name)[:1]) for name in ("pk", "fingerprint", "made_at")]
    *found, rollup_id, then, made_at = Project.objects.filter(pk=project.pk).values_list(*parts.values(), *rollup).get()
    now = "-".join(str(part) for part in (*found, VERSION))
    return (None if rollup_id is None else (rollup_id, then, made_at)), now


def _first(rows: QuerySet[Any], name: str) -> Coalesce:
    """The greatest value of a column, 0 where there is none; without a look at every row where an index has the order."""
    # A key is never null, and an index that has its order has not this one.
    greatest = "-pk" if name == "pk" else F(name).desc(nulls_last=True)
    ordered = rows.order_by(greatest).values(name)[:1]
    return Coalesce(Subquery(ordered), 0, output_field=IntegerField())


def _aggregate(rows: QuerySet[Any], project: str, number: Aggregate) -> Coalesce:
    counted = rows.order_by().values(project).annotate(number=number).values("number")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def measure_project(project: Project) -> Panel:
    """Measure the project as it stands and keep the panel in place of an earlier one.

    What this process has read and compared before is not read and compared again; the numbers are the same.
    """
    kept = _borrowed(project.pk)
    fingerprint = fingerprint_of(project)
    begun, knew_something = time.monotonic(), not kept.is_empty
    _, policy = current_policy(project)
    gold = gold_set_of(project, kept)
    readings = annotation_set_of(project, kept)
    panel = measure(
        readings,
        gold=gold if gold.readings else None,
        rng_seed=SEED,
        match_iou=policy.match_iou,
        tolerance=Reach(),
        min_items=policy.min_items,
        min_gold=policy.min_gold,
        gold_target=policy.gold_target,
        memory=kept.memory,
        lists_scores=False,
    )
    kept.keep_only([*gold.readings, *readings.readings], readings.items)
    is_kept = _give_back(project.pk, kept)
    # Before the panel is kept: what is kept is not measured again.
    keep_copiers_apart(project, panel)
    Rollup.objects.update_or_create(
        project=project,
        defaults={
            "fingerprint": fingerprint,
            "n_submissions": len(readings.readings),
            "content": to_bytes(panel),
            "method_version": VERSION,
            # How long reading everything for the first time took says nothing of the next measure.
            "took_s": time.monotonic() - begun if knew_something or not is_kept else 0.0,
            "made_at": timezone.now(),
        },
    )
    return panel


def _borrowed(project_id: int) -> Kept:
    """What is kept of the project, taken out so that no other thread uses it meanwhile; something empty where there is none."""
    with _lock:
        return _kept.pop(project_id, None) or Kept()


def _give_back(project_id: int, kept: Kept) -> bool:
    """Keep it for the next measure, and say whether it was kept."""
    if kept.is_too_large:
        return False
    with _lock:
        _kept[project_id] = kept
        while len(_kept) > MOST_PROJECTS:
            _kept.popitem(last=False)
    return True


@dataclass(frozen=True, slots=True)
class _Ask:
    """Asks for the measure of a project; equal to another one of the same project."""

    project: Project

    def __call__(self) -> None:
        ask_for_measure(self.project)


def keep_fresh(project: Project) -> None:
    """Have the project measured once the current transaction is committed; a second time in it changes nothing."""
    ask = _Ask(project)
    if not any(entry[1] == ask for entry in connection.run_on_commit):
        transaction.on_commit(ask)


def ask_for_measure(project: Project) -> None:
    """Have a worker measure the project as it is now, unless one is about to. After each, other work has a turn.

    A measure under way may have missed what happened since it began, so that one more follows it.
    """
    unfinished = Job.objects.filter(
        kind=JOB_KIND, project_id=project.pk, state__in=[Job.State.QUEUED, Job.State.RUNNING]
    ).order_by("-pk")
    found = list(unfinished.values_list("pk", "state"))
    if any(state == Job.State.QUEUED for _, state in found):
        return
    enqueue(
        kind=JOB_KIND,
        arguments={"project": project.pk},
        dedupe_key=f"{JOB_KIND}:{project.pk}:{found[0][0] if found else 0}",
        project_id=project.pk,
        asked_by="system",
        priority=PRIORITY,
        not_before=_rested_at(project),
    )


def _rested_at(project: Project) -> datetime | None:
    """When the project has rested from its last measure; None where there was none."""
    made = Rollup.objects.filter(project=project).values_list("made_at", "took_s").first()
    return None if made is None else made[0] + min(REST * timedelta(seconds=made[1]), LONGEST_PAUSE)


_when_measured: list[Callable[[Project], object]] = []


def when_measured(listener: Callable[[Project], object]) -> None:
    """Have ``listener`` hear of each project that the job measured. Called in ``apps.ready`` of a package above."""
    if listener not in _when_measured:
        _when_measured.append(listener)


def run_measure(running: Running) -> Mapping[str, Any]:
    """The job: measure one project, then tell those who act on what is new."""
    project = Project.objects.get(pk=running.arguments["project"])
    running.progress(0, 1, "Measuring all readings")
    panel = measure_project(project)
    # What was asked for meanwhile was put off until the rest after the measure before this one.
    put_off(kind=JOB_KIND, project_id=project.pk, until=_rested_at(project))
    for listener in _when_measured:
        listener(project)
    running.progress(1, 1, "Done")
    return {"items": panel.source.n_items, "readings": panel.source.n_readings}
