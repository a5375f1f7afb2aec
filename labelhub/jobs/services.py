"""The durable queue: enqueue, claim, heartbeat, finish. Whoever runs a job, the row is the only truth.

A claim is one conditional update, so two workers never hold the same job; later writes carry worker and attempt, so a
worker that lost its lease cannot write over its successor. Leases are compared with the clock of the machine that claims:
machines that share a queue keep their clocks within a few seconds. Not here: what a job does (`registry`), the loop
(`worker`), how other machines hear of a job (`dispatch`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from labelhub.audit import services as audit
from labelhub.jobs import dispatch
from labelhub.jobs.models import Job, WorkerSign

LEASE = timedelta(seconds=20)
# A job that no worker took for this long is announced again: its message may have been lost.
STRANDED_AFTER = timedelta(seconds=30)
# Workers that gave no sign for so long are forgotten.
FORGOTTEN_AFTER = timedelta(days=1)
_CANDIDATES = 8
_ROUNDS = 10


class LeaseLost(RuntimeError):
    """Another worker holds the job now, or it was cancelled: stop, write nothing."""


class JobCancelled(RuntimeError):
    """Somebody asked to cancel; the handler stops where its work is whole."""


class WorkerStopping(RuntimeError):
    """The worker was told to end; the handler stops where its work is whole, and the job waits for another worker."""


class JobRefused(RuntimeError):
    """What a handler raises when trying again cannot help. The sentence is what the page shows."""


def enqueue(
    *, kind: str, arguments: Mapping[str, Any], queue: str = "cpu", priority: int = 0, dedupe_key: str = "",
    project_id: int | None = None, asked_by: str = "", total_units: int = 0, not_before: datetime | None = None,
) -> Job:  # fmt: skip
    """Add a job, or return the unfinished one that has the same ``dedupe_key``; announce it when the transaction commits."""
    while True:
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    kind=kind, arguments=dict(arguments), queue=queue, priority=priority, dedupe_key=dedupe_key,
                    project_id=project_id, asked_by=asked_by, total_units=total_units, not_before=not_before,
                )  # fmt: skip
        except IntegrityError:
            unfinished = Job.objects.filter(dedupe_key=dedupe_key, state__in=[Job.State.QUEUED, Job.State.RUNNING])
            twin = unfinished.first() if dedupe_key else None
            if twin is not None:
                return twin
            if not dedupe_key:
                raise
            # The twin finished between the two looks: now there is room.
            continue
        dispatch.announce(job)
        return job


def claim(*, worker: str, queues: list[str]) -> Job | None:
    """Take the most urgent job that is waiting, or whose worker stopped giving signs of life; None if there is none."""
    for _ in range(_ROUNDS):
        candidates = list(_free(timezone.now()).filter(queue__in=queues).order_by("-priority", "id")[:_CANDIDATES])
        if not candidates:
            return None
        for job in candidates:
            if _take(job, worker):
                return job
    return None


def due_in(*, queues: Sequence[str]) -> float:
    """Return the seconds until the next job of these queues may be taken whose time has not come; infinity without one."""
    now = timezone.now()
    waiting = Job.objects.filter(queue__in=queues, state=Job.State.QUEUED, not_before__gt=now)
    first: datetime | None = waiting.aggregate(first=Min("not_before"))["first"]
    return math.inf if first is None else (first - now).total_seconds()


def claim_one(*, worker: str, job_id: int) -> Job | None:
    """Take this job if it is free; None where another worker has it or it is over. A message delivered twice is harmless."""
    job = _free(timezone.now()).filter(pk=job_id).first()
    return job if job is not None and _take(job, worker) else None


def stranded() -> list[Job]:
    """Return the jobs that should have been taken by now: their message was lost, or their worker died."""
    now = timezone.now()
    old = Q(created_at__lt=now - STRANDED_AFTER) | Q(attempt__gt=0)
    return list(_free(now).filter(old).order_by("-priority", "id")[:1000])


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
    """Mark the job done and forget an earlier attempt's error. False where the lease was lost: then nothing was written."""
    return _close(job, Job.State.DONE, result=dict(result), error="")


def fail(job: Job, *, error: str, retry_in: timedelta | None = None) -> bool:
    """Mark the job failed, or put it back for another attempt after ``retry_in``."""
    if retry_in is not None and job.attempt < job.max_attempts:
        again = timezone.now() + retry_in
        return bool(
            _mine(job).update(state=Job.State.QUEUED, worker="", lease_until=None, not_before=again, error=error)
        )
    return _close(job, Job.State.FAILED, error=error)


def put_off(*, kind: str, project_id: int, until: datetime | None) -> None:
    """Let no worker take the waiting jobs of a kind for a project before then; who was told of an earlier time is told anew."""
    waiting = Job.objects.filter(kind=kind, project_id=project_id, state=Job.State.QUEUED)
    if waiting.update(not_before=until):
        for job in waiting:
            dispatch.announce(job)


def put_back(job: Job) -> bool:
    """Let another worker go on with the job at once. The interrupted attempt does not count against it."""
    return bool(
        _mine(job).update(
            state=Job.State.QUEUED, worker="", lease_until=None, not_before=None, max_attempts=F("max_attempts") + 1
        )
    )


def close_cancelled(job: Job) -> bool:
    """Mark the job cancelled after its handler stopped."""
    return _close(job, Job.State.CANCELLED)


def ask_cancel(job_id: int) -> None:
    """Cancel: at once if it waits, at its next heartbeat if it runs."""
    unfinished = Job.objects.filter(pk=job_id, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    unfinished.update(cancel_asked=True)
    Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(state=Job.State.CANCELLED, finished_at=timezone.now())


def cancel_by(*, job: Job, actor: str) -> None:
    """Cancel a job as somebody asked. Writes ``job.cancel_asked``."""
    with transaction.atomic():
        ask_cancel(job.pk)
        audit.append(project_id=job.project_id, kind="job.cancel_asked", actor=actor, subject=f"job:{job.pk}")


def sign_of_life(*, worker: str, queues: Sequence[str] | None = None, note: str = "") -> None:
    """Note that a worker is there, so that pages can say whether anybody takes jobs of a queue."""
    now = timezone.now()
    if queues is None:
        WorkerSign.objects.filter(name=worker).update(seen_at=now)
        return
    WorkerSign.objects.update_or_create(
        name=worker, defaults={"queues": list(queues), "note": note[:200], "seen_at": now}
    )
    WorkerSign.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()


def farewell(*, worker: str) -> None:
    """Note that a worker has ended."""
    WorkerSign.objects.filter(name=worker).delete()


def _free(now: datetime) -> QuerySet[Job]:
    waiting = Q(state=Job.State.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    abandoned = Q(state=Job.State.RUNNING, lease_until__lt=now)
    return Job.objects.filter(waiting | abandoned)


def _take(job: Job, worker: str) -> bool:
    """Claim ``job`` if it is still as it was read; close it where it is to be cancelled or was tried too often."""
    # The lease is part of the condition: a worker that was slow, not dead, and just renewed it keeps its job.
    unchanged = Job.objects.filter(pk=job.pk, state=job.state, attempt=job.attempt, lease_until=job.lease_until)
    now = timezone.now()
    if job.cancel_asked:
        unchanged.update(state=Job.State.CANCELLED, finished_at=now, lease_until=None)
        return False
    if job.attempt >= job.max_attempts:
        error = f"Its worker died {job.attempt} times. Nothing half-done was kept. Start it again, or look at the log."
        unchanged.update(state=Job.State.FAILED, finished_at=now, lease_until=None, error=job.error or error)
        return False
    mine = unchanged.update(
        state=Job.State.RUNNING, worker=worker, attempt=F("attempt") + 1, lease_until=now + LEASE,
        started_at=job.started_at or now,
    )  # fmt: skip
    if mine:
        job.refresh_from_db()
    return bool(mine)


def _mine(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, worker=job.worker, attempt=job.attempt)


def _close(job: Job, state: str, **values: Any) -> bool:
    return bool(_mine(job).update(state=state, finished_at=timezone.now(), lease_until=None, **values))
