"""The hourly look for what waited too long: disputes whose third reader never came.

Not here: the rule (``disputing``), and leases, which end when somebody asks for work (``lifecycle.expire_leases``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.workflow import disputing

JOB_KIND = "workflow.end_waits"
RUN_EVERY, KEEP_RUNS = timedelta(hours=1), timedelta(days=2)


def run_end_waits(running: Running) -> Mapping[str, Any]:
    """The job: set the next run, then end what waited too long."""
    # First of all, so that a run that fails does not end the chain of runs.
    schedule(after=RUN_EVERY)
    Job.objects.filter(kind=JOB_KIND, finished_at__lt=timezone.now() - KEEP_RUNS).delete()
    return {"disputes": disputing.end_waits()}


def schedule(*, after: timedelta = timedelta(0), now: datetime | None = None) -> Job:
    """Have the job run after this time, unless it waits already."""
    at = (now or timezone.now()) + after
    # A run in progress holds the usual key, so the next one is known by its hour.
    key = f"{JOB_KIND}:{int(at.timestamp() // RUN_EVERY.total_seconds())}"
    return jobs.enqueue(kind=JOB_KIND, arguments={}, asked_by="system", dedupe_key=key, not_before=at)
