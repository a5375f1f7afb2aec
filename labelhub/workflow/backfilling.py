"""Every score and posterior of a project brought up to date, as a job: after rules changed, or readings came from elsewhere.

Only what is missing or was made under other rules is computed, so a second run computes nothing, and one that was stopped
goes on where it was. No item moves. Where a worker of networks computes on an accelerator, it gets the job, and compares
masks there. Not here: how a number is made (``scoring``), and the project's panel (``analytics``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.analytics.services import ask_for_measure
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.consensus.audits import keep_known_answers
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.selectors import accelerated_workers_of
from labelhub.predictions.selectors import NETWORK_QUEUE, PLAIN_QUEUE
from labelhub.projects.models import Project
from labelhub.projects.permissions import Action, require
from labelhub.reviews.selectors import rejected
from labelhub.scoring.accelerators import quickest
from labelhub.scoring.posteriors import fit_project
from labelhub.scoring.services import score_item
from labelhub.workflow.lifecycle import locked

JOB_KIND = "scoring.backfill"


def start_backfill(*, project: Project, by: User) -> Job:
    """Have a worker bring every score up to date; asking twice is one job. Writes ``scores.renewal_asked``. Admins only."""
    require(by, Action.MANAGE, project)
    with transaction.atomic():
        job = jobs.enqueue(
            kind=JOB_KIND, arguments={"project": project.pk}, queue=_queue(), project_id=project.pk, asked_by=f"user:{by.pk}",
            dedupe_key=f"{JOB_KIND}:{project.pk}", total_units=_read_items(project).count() + 1,
        )  # fmt: skip
        audit.append(
            project_id=project.pk, kind="scores.renewal_asked", actor=f"user:{by.pk}", subject=f"project:{project.pk}",
            facts={"job": job.pk},
        )  # fmt: skip
    return job


def newest_backfill(project: Project) -> Job | None:
    """Return the newest such job of the project."""
    return Job.objects.filter(project_id=project.pk, kind=JOB_KIND).order_by("-pk").first()


def run_backfill(running: Running) -> Mapping[str, Any]:
    """Score item after item, each in a transaction of its own; then estimate the raters and judge all items by that."""
    project = Project.objects.get(pk=running.arguments["project"])
    keys = list(_read_items(project).order_by("pk").values_list("pk", flat=True))
    for done, key in enumerate(keys):
        running.progress(done, len(keys) + 1, f"Scoring item {done + 1} of {len(keys)}")
        with transaction.atomic():
            item = locked(key)
            score_item(item, set_aside=rejected(item), comparing=quickest())
    running.progress(len(keys), len(keys) + 1, "Estimating raters")
    with transaction.atomic():
        keep_known_answers(project)
    fitted = fit_project(project)
    ask_for_measure(project)
    running.progress(len(keys) + 1, len(keys) + 1, "Done")
    return {"items": len(keys), "topics": fitted["topics"]}


def _queue() -> str:
    """The queue of networks where a worker of it on an accelerator gave a sign of life, else that of everybody."""
    return NETWORK_QUEUE if accelerated_workers_of(NETWORK_QUEUE) else PLAIN_QUEUE


def _read_items(project: Project) -> Any:
    """The items that somebody read and that are not excluded."""
    read = Submission.objects.filter(assignment__item__project=project).values("assignment__item")
    return Item.objects.filter(project=project, pk__in=read).exclude(state=Item.State.EXCLUDED)
