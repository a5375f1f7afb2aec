"""Long work as rows that refresh themselves: progress, rate, time left, cancel. They survive a reload: the job is the truth."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.jobs import services
from labelhub.jobs.models import Job
from labelhub.jobs.selectors import job_of, progress_of
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.web.access import actor, project_page


@project_page(Role.ADMIN)
def job(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one job as a row, for htmx. A row of a job that ended asks no more."""
    return render(request, "components/job.html", {"row": job_row(_job(project, pk))})


@project_page(Role.ADMIN, methods=("POST",))
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask a job to stop where its work is whole."""
    services.cancel_by(job=_job(project, pk), actor=actor(request))
    return render(request, "components/job.html", {"row": job_row(_job(project, pk))})


def job_row(row: Job) -> dict[str, Any]:
    """Return what ``components/job.html`` shows of a job."""
    return {"job": row, "progress": progress_of(row), "name": row.kind.replace(".", " ")}


def _job(project: Project, pk: int) -> Job:
    row = job_of(project.pk, pk)
    if row is None:
        raise NotFound("There is no such job in this project.")
    return row
