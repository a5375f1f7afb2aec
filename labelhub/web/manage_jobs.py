"""Long work as rows that refresh themselves: progress, rate, time left, cancel. They survive a reload: the job is the truth."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.jobs import services
from labelhub.jobs.models import Job
from labelhub.jobs.selectors import job_of, progress_of
from labelhub.predictions.selectors import NETWORK_QUEUE, are_networks_run
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.web.access import actor, person, project_page
from labelhub.web.words import JOBS
from labelhub.workflow.backfilling import newest_backfill, start_backfill
from labelhub.workflow.predicting import left_out_of


@project_page(Role.ADMIN)
def job(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one job as a row, for htmx. A row of a job that ended asks no more."""
    return _row_answer(request, _job(project, pk))


@project_page(Role.ADMIN, methods=("POST",))
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask a job to stop where its work is whole."""
    services.cancel_by(job=_job(project, pk), actor=actor(request))
    return _row_answer(request, _job(project, pk))


@project_page(Role.ADMIN, methods=("GET", "POST"))
def renew_scores(request: HttpRequest, project: Project) -> HttpResponse:
    """Have every score of the project brought up to date; a GET shows how far that is, for htmx (nothing once over)."""
    if request.method == "POST":
        start_backfill(project=project, by=person(request))
        messages.success(request, "Scores are being brought up to date. Labels and states stay as they are.")
        return redirect("manage-items", project.slug)
    newest = newest_backfill(project)
    if newest is None or newest.state in (Job.State.DONE, Job.State.CANCELLED):
        return HttpResponse()
    return render(request, "components/job.html", {"row": job_row(newest)})


def job_row(row: Job) -> dict[str, Any]:
    """Return what ``components/job.html`` shows of a job."""
    return {
        "job": row, "progress": progress_of(row), "name": JOBS.get(row.kind, row.kind), "left_out": left_out_of(row),
        "lacks_worker": row.queue == NETWORK_QUEUE and row.state == Job.State.QUEUED and not are_networks_run(),
    }  # fmt: skip


def _row_answer(request: HttpRequest, row: Job) -> HttpResponse:
    shown = job_row(row)
    answer = render(request, "components/job.html", {"row": shown})
    if shown["progress"].is_over:
        # What the job made, where the page shows it, asks for itself once more.
        answer["HX-Trigger"] = "job-over"
    return answer


def _job(project: Project, pk: int) -> Job:
    row = job_of(project.pk, pk)
    if row is None:
        raise NotFound("There is no such job in this project.")
    return row
