"""Releases: settled labels as files. Made by a job, listed with what each format could not carry, downloaded here."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.catalog.blobs import open_blob
from labelhub.exports import selectors
from labelhub.jobs.selectors import job_of
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.web.access import person, project_page
from labelhub.web.manage_jobs import job_row
from labelhub.workflow import lifecycle

FORMATS = {
    "coco": "COCO JSON: polygons, boxes, run-length masks",
    "nifti": "NIfTI label maps, one a volume",
    "png": "PNG masks, one a picture or slice",
    "csv": "CSV of every score",
}


@project_page(Role.ADMIN, methods=("GET", "POST"))
def releases(request: HttpRequest, project: Project) -> HttpResponse:
    """List releases; sending the form starts the next one."""
    if request.method == "POST":
        chosen = [name for name in request.POST.getlist("formats") if name in FORMATS]
        if not chosen:
            raise DomainError("Choose at least one format. No release was started.", code="formats-missing", status=400)
        note = request.POST.get("note", "").strip()[:300]
        made = lifecycle.release(
            project=project, formats=chosen, note=note, by=person(request), with_reads=request.POST.get("reads") == "1"
        )
        messages.success(request, f"Release {made.number} is being made.")
        return redirect("manage-releases", project.slug)
    rows = []
    for release in selectors.releases_of(project):
        job = job_of(project.pk, release.job_id) if release.job_id else None
        is_open = job is not None and release.finished_at is None
        rows.append({"release": release, "row": job_row(job) if job is not None and is_open else None})
    return render(request, "manage/releases.html", {"rows": rows, "formats": FORMATS})


@project_page(Role.ADMIN)
def download(request: HttpRequest, project: Project, number: int, name: str) -> FileResponse:
    """Send one file of a release; its bytes are those of the manifest's hash."""
    file = selectors.release_file(project, number, name)
    response = FileResponse(open_blob(file.blob), as_attachment=True, filename=file.name.rpartition("/")[2])
    response["Content-Length"] = str(file.size)
    response["ETag"] = f'"{file.blob_id}"'
    return response
