"""The durable queue: enqueue, claim, heartbeat, finish. Whoever runs a job, the row is the only truth.

A claim is one conditional update, so two workers never hold the same job; later writes carry worker and attempt, so a
worker that lost its lease cannot write over its successor. Not here: what a job does (`registry`), the loop (`worker`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from labelhub.jobs.models import Job

LEASE = timedelta(seconds=20)


class LeaseLost(RuntimeError):
    """Another worker holds the job now, or it was cancelled: stop, write nothing."""


class JobCancelled(RuntimeError):
    """Somebody asked to cancel; the handler stops where its work is whole."""


def enqueue(
    *, kind: str, arguments: Mapping[str, Any], queue: str = "cpu", priority: int = 0, dedupe_key: str = "",
    project_id: int | None = None, asked_by: str = "", total_units: int = 0,
) -> Job:  # fmt: skip
    """Add a job, or return the unfinished one that has the same ``dedupe_key``."""
    try:
        with transaction.atomic():
            return Job.objects.create(
                kind=kind, arguments=dict(arguments), queue=queue, priority=priority, dedupe_key=dedupe_key,
                project_id=project_id, asked_by=asked_by, total_units=total_units,
            )  # fmt: skip
    except IntegrityError:
        return Job.objects.get(dedupe_key=dedupe_key, state__in=[Job.State.QUEUED, Job.State.RUNNING])


def claim(*, worker: str, queues: list[str]) -> Job | None:
    """Take the most urgent job that is waiting, or whose worker stopped giving signs of life; None if there is none."""
    now = timezone.now()
    free = Q(state=Job.State.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    abandoned = Q(state=Job.State.RUNNING, lease_until__lt=now)
    candidates = Job.objects.filter(free | abandoned, queue__in=queues).order_by("-priority", "id")
    for job in candidates[:8]:
        if job.attempt >= job.max_attempts:
            _give_up(job)
            continue
        mine = Job.objects.filter(pk=job.pk, state=job.state, attempt=job.attempt).update(
            state=Job.State.RUNNING, worker=worker, attempt=F("attempt") + 1, lease_until=now + LEASE,
            started_at=job.started_at or now,
        )  # fmt: skip
        if mine:
            job.refresh_from_db()
            return job
    return None


def heartbeat(job: Job, *, done: int | None = None, total: int | None = None, message: str | None = None) -> None:
    """Renew the lease and show progress. Raises :class:`LeaseLost` or :class:`JobCancelled`."""
    changes: dict[str, Any] = {"lease_until": timezone.now() + LEASE}
    if done is not None:
        changes["done_units"] = done
    if total is not None:
        changes["total_units"] = total
    if message is not None:
        changes["message"] = message[:300]
    if not _mine(job).update(**changes):
        raise LeaseLost(f"Job {job.pk} is held by another worker.")
    if Job.objects.filter(pk=job.pk, cancel_asked=True).exists():
        raise JobCancelled(f"Job {job.pk} was cancelled.")


def finish(job: Job, *, result: Mapping[str, Any]) -> bool:
    """Mark the job done. False where the lease was lost: then nothing was written."""
    return _close(job, Job.State.DONE, result=dict(result))


def fail(job: Job, *, error: str, retry_in: timedelta | None = None) -> bool:
    """Mark the job failed, or put it back for another attempt after ``retry_in``."""
    if retry_in is not None and job.attempt < job.max_attempts:
        again = timezone.now() + retry_in
        return bool(_mine(job).update(state=Job.State.QUEUED, worker="", lease_until=None, not_before=again, error=error))
    return _close(job, Job.State.FAILED, error=error)


def close_cancelled(job: Job) -> bool:
    """Mark the job cancelled after its handler stopped."""
    return _close(job, Job.State.CANCELLED)


def ask_cancel(job_id: int) -> None:
    """Cancel: at once if it waits, at its next heartbeat if it runs."""
    now = timezone.now()
    Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(state=Job.State.CANCELLED, finished_at=now)
    Job.objects.filter(pk=job_id, state=Job.State.RUNNING).update(cancel_asked=True)


def _mine(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, worker=job.worker, attempt=job.attempt)


def _close(job: Job, state: str, **values: Any) -> bool:
    return bool(_mine(job).update(state=state, finished_at=timezone.now(), lease_until=None, **values))


def _give_up(job: Job) -> None:
    Job.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state).update(
        state=Job.State.FAILED, finished_at=timezone.now(), lease_until=None,
        error=f"Its worker died {job.attempt} times. Nothing half-done was kept. Start it again, or look at the log.",
    )  # fmt: skip
