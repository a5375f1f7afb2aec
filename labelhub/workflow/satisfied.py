"""Items that have all their reads once a policy asks for fewer: they are decided when it is published.

Without it they would wait for a reader whom nobody sends. It follows the publication of a policy, at once where few items
are concerned, else as a job. What is settled, with a reviewer or with its author stays where it is. Not here: publishing
(``projects.services``), the decision on one item (``lifecycle.score_and_route``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from labelhub.accounts.models import User
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.projects.models import PolicyVersion, Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import publish_policy as write_policy
from labelhub.workflow import lifecycle, queue
from labelhub.workflow.states import State

JOB_KIND = "workflow.decide_satisfied"
# Up to so many items are decided within the request that publishes.
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Published:
    """The new version, how many items were decided at once, and the job that decides where there are more."""

    version: PolicyVersion
    n_decided: int
    job: Job | None


def publish_policy(*, project: Project, policy: Policy, by: User, seen: int | None = None) -> Published:
    """Publish a policy and decide what waits for no reader under it. Raises ``StaleVersion`` as publishing does."""
    version = write_policy(project=project, policy=policy, by=by, seen=seen)
    n_found = len(satisfied(project)[: AT_ONCE + 1])
    if n_found <= AT_ONCE:
        return Published(version, decide_satisfied(project=project) if n_found else 0, None)
    job = jobs.enqueue(
        kind=JOB_KIND, arguments={"project": project.pk}, project_id=project.pk, asked_by=f"user:{by.pk}",
        dedupe_key=f"{JOB_KIND}:{project.pk}:{version.number}", total_units=satisfied(project).count(),
    )  # fmt: skip
    return Published(version, 0, job)


def decide_satisfied(*, project: Project, running: Running | None = None) -> int:
    """Score and route the items that wait for no reader under the present policy; return how many.

    One transaction an item; items that somebody took up meanwhile are left to them.
    """
    keys, n_done = list(satisfied(project).values_list("pk", flat=True)), 0
    for done, key in enumerate(keys):
        if running is not None:
            running.progress(done, len(keys), f"Item {done + 1} of {len(keys)}")
        with transaction.atomic():
            item = lifecycle.locked(key)
            if satisfied(project).filter(pk=key).exists():
                lifecycle.score_and_route(item=item)
                n_done += 1
    if running is not None:
        running.progress(len(keys), len(keys), "Done")
    return n_done


def run_decide_satisfied(running: Running) -> Mapping[str, Any]:
    """The job: decide the items that wait for no reader since the policy changed."""
    return {"items": decide_satisfied(project=Project.objects.get(pk=running.arguments["project"]), running=running)}


def satisfied(project: Project) -> QuerySet[Item]:
    """Return the items being read that nobody holds and that have all the reads that they want now.

    A read that somebody asked for, or a rule of an older policy, stays wanted: it was said of this very item.
    """
    _, policy = current_policy(project)
    reading = Item.objects.filter(project=project, state=State.READING)
    held = Assignment.objects.filter(item=OuterRef("pk"), state__in=HELD)
    wanting = queue.with_room(reading, policy)
    return reading.exclude(pk__in=wanting.values("pk")).exclude(Exists(held)).order_by("pk")
