"""Reading jobs: how far, how fast, how long still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from labelhub.jobs.models import Job, WorkerSign

# A worker gives a sign at least every ten seconds, also while it computes.
GONE_AFTER = timedelta(seconds=30)
# So begins the note of a worker that computes on an accelerator; the accelerator's name follows.
ON_ACCELERATOR: Final = "GPU "
# And so that of one whose machine has not what jobs of its queues need; the package's name follows.
LACKS: Final = "lacks "


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands. ``share`` is 0 to 1; rate and time left are None where they cannot be told yet."""

    state: str
    done: int
    total: int
    share: float
    rate_per_s: float | None
    left_s: float | None
    took_s: float | None
    message: str
    is_over: bool
    is_stopping: bool


def workers_of(queue: str) -> list[WorkerSign]:
    """Return the workers that take jobs of a queue, have what these need, and gave a sign of life lately."""
    since = timezone.now() - GONE_AFTER
    alive = WorkerSign.objects.filter(seen_at__gte=since).order_by("name")
    return [sign for sign in alive if queue in sign.queues and not sign.note.startswith(LACKS)]


def accelerated_workers_of(queue: str) -> list[WorkerSign]:
    """Return those of :func:`workers_of` that note to compute on an accelerator."""
    return [sign for sign in workers_of(queue) if sign.note.startswith(ON_ACCELERATOR)]


def job_of(project_id: int, job_id: int) -> Job | None:
    """Return a job of the project, or None."""
    return Job.objects.filter(project_id=project_id, pk=job_id).first()


def jobs_of_kind(project_id: int, kind: str, *, most: int = 1) -> list[Job]:
    """Return the newest jobs of a kind in the project, newest first."""
    return list(Job.objects.filter(project_id=project_id, kind=kind).order_by("-pk")[:most])


def progress_of(job: Job, *, now: datetime | None = None) -> Progress:
    """Return how ``job`` stands, from its row alone."""
    is_over = job.state in {Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED}
    end = job.finished_at if is_over else (now or timezone.now())
    took_s = (end - job.started_at).total_seconds() if end and job.started_at else None
    rate = job.done_units / took_s if took_s and took_s > 1 and job.done_units else None
    left = (job.total_units - job.done_units) / rate if rate and not is_over and job.total_units else None
    return Progress(
        state=job.state,
        # Progress is written now and then, so what is done seldom ends at the last unit.
        done=max(job.done_units, job.total_units) if job.state == Job.State.DONE else job.done_units,
        total=job.total_units,
        share=min(job.done_units / job.total_units, 1.0) if job.total_units else (1.0 if job.state == "done" else 0.0),
        rate_per_s=rate,
        left_s=left,
        took_s=took_s,
        message=job.message,
        is_over=is_over,
        is_stopping=job.cancel_asked and not is_over,
    )
