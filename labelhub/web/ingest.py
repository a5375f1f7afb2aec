"""The admin's Data page: files dropped or picked, folders in place, and each ingest with progress, failures and remedies.

An ingest is a row whose truth is its job, so it survives a reload. Names of files stand here because admins may see them.
Not here: what an ingest does (``catalog.ingest``), how files arrive in pieces (``catalog.uploads``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.catalog import ingest, selectors, uploads
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.identity import ITEM_PER, RULES, IngestOptions
from labelhub.catalog.models import IngestEntry, IngestRun
from labelhub.jobs.selectors import job_of, progress_of
from labelhub.projects.models import Project, Role
from labelhub.web.access import actor, person, project_page
from labelhub.web.tables import csv_answer, wants_csv

RUNS_SHOWN = 50
ENTRIES_SHOWN = 200
FAILURES_SHOWN = 5
RULE_WORDS = {
    "auto": "DICOM tags; other files: unknown",
    "folder": "The folder that a file lies in",
    "pattern": "A pattern in the file's name",
    "column": "A column of a CSV table among the files",
}
ITEM_WORDS = {
    "file": "Each file or DICOM series",
    "study": "All series of a DICOM study together",
    "folder": "All files of a folder together",
    "pattern": "Files with the same group item of the pattern together",
}


@project_page(Role.ADMIN)
def data(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the ways in, and what came in, newest first."""
    runs = list(selectors.ingest_runs(project)[:RUNS_SHOWN])
    waiting = next((run for run in runs if _is_open(run)), None)
    return render(
        request,
        "manage/data.html",
        {
            "rows": [_row(project, run) for run in runs],
            "open_upload": waiting,
            "rules": [(name, RULE_WORDS[name]) for name in RULES],
            "item_per": [(name, ITEM_WORDS[name]) for name in ITEM_PER],
            "defaults": IngestOptions(),
            "roots": settings.ENVIRONMENT.in_place_roots,
            "piece_bytes": uploads.CHUNK_BYTES,
        },
    )


@project_page(Role.ADMIN, methods=("POST",))
def open_upload(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Begin an upload and tell where its pieces go."""

    def begin() -> dict[str, Any]:
        run = uploads.open_upload(project=project, options=_options(request), asked_by=actor(request))
        return {"run": run.pk, **_addresses(project, run)}

    return _json(begin)


@project_page(Role.ADMIN, methods=("POST",))
def receive_piece(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Take one piece of one file; the answer tells how much of the file is here."""
    run = selectors.ingest_run_for(person(request), project, pk)

    def receive() -> dict[str, Any]:
        held = uploads.receive_piece(
            run=run, name=request.GET.get("name", ""), offset=_number(request, "offset"), total=_number(request, "total"),
            piece=request.body,
        )  # fmt: skip
        return {"held": held}

    return _json(receive)


@project_page(Role.ADMIN, methods=("POST",))
def start(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Ingest what was uploaded."""
    run = selectors.ingest_run_for(person(request), project, pk)
    if request.headers.get("Accept") != "application/json":
        ingest.start_upload(run=run, asked_by=actor(request))
        return redirect("manage-data-run", project.slug, run.pk)
    return _json(lambda: {"run": ingest.start_upload(run=run, asked_by=actor(request)).pk, **_addresses(project, run)})


@project_page(Role.ADMIN, methods=("POST",))
def folder(request: HttpRequest, project: Project) -> HttpResponse:
    """Register a folder of the server in place."""
    location = request.POST.get("location", "").strip()
    run = ingest.start_ingest(
        project=project, source="folder", location=location, options=_options(request), asked_by=actor(request)
    )
    messages.success(request, "The folder is being read. Its files stay where they are.")
    return redirect("manage-data-run", project.slug, run.pk)


@project_page(Role.ADMIN)
def run_page(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Show one ingest: its progress, and what became of each file, as a page or as CSV."""
    run = selectors.ingest_run_for(person(request), project, pk)
    status = request.GET.get("status", "")
    status = status if status in IngestEntry.Status.values else ""
    if wants_csv(request):
        rows = selectors.ingest_entries(run, status=status).iterator(chunk_size=1000)
        lines = ((e.path, e.status, e.message, e.remedy, e.item.code if e.item else "") for e in rows)
        return csv_answer(f"{project.slug}-ingest-{run.pk}", ("file", "status", "message", "remedy", "item"), lines)
    after = request.GET.get("after", "")
    place = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    entries = list(selectors.ingest_entries(run, status=status, after=place)[: ENTRIES_SHOWN + 1])
    more = entries[ENTRIES_SHOWN - 1].pk if len(entries) > ENTRIES_SHOWN else None
    context = {"row": _row(project, run), "entries": entries[:ENTRIES_SHOWN], "status": status, "more": more}
    return render(request, "manage/data_run.html", {**context, "is_first": place == 0})


@project_page(Role.ADMIN)
def row(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one ingest as a row, for htmx. A row of an ingest that is over asks no more."""
    return _row_answer(request, project, selectors.ingest_run_for(person(request), project, pk))


@project_page(Role.ADMIN, methods=("POST",))
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Stop an ingest between two files; what is stored stays."""
    run = selectors.ingest_run_for(person(request), project, pk)
    ingest.cancel_ingest(run=run, asked_by=actor(request))
    return _row_answer(request, project, run)


@project_page(Role.ADMIN, methods=("POST",))
def resume(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Go on with an ingest that was cancelled or failed."""
    run = selectors.ingest_run_for(person(request), project, pk)
    ingest.resume_ingest(run=run, asked_by=actor(request))
    return _row_answer(request, project, run)


@project_page(Role.ADMIN, methods=("POST",))
def abandon(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give up an upload that was never started."""
    run = selectors.ingest_run_for(person(request), project, pk)
    uploads.abandon_upload(run=run, asked_by=actor(request))
    messages.success(request, "The upload was given up and its files deleted.")
    return redirect("manage-data", project.slug)


def _row_answer(request: HttpRequest, project: Project, run: IngestRun) -> HttpResponse:
    shown = _row(project, run)
    answer = render(request, "manage/data_row.html", {"row": shown, "hide_failures": "brief" in request.GET})
    if not shown["is_live"]:
        # The list of files on the ingest's own page asks for itself once more.
        answer["HX-Trigger"] = "ingest-over"
    return answer


def _row(project: Project, run: IngestRun) -> dict[str, Any]:
    """What the row of an ingest shows: its job's progress, counts, and the first failures."""
    job = job_of(project.pk, run.job_id) if run.job_id is not None else None
    progress = progress_of(job) if job is not None else None
    is_over = progress is None or progress.is_over
    return {
        "run": run,
        "job": job,
        "progress": progress,
        "counts": selectors.ingest_counts(run),
        "failures": list(selectors.ingest_entries(run, status="refused")[:FAILURES_SHOWN]),
        "is_open": _is_open(run),
        "is_live": not is_over,
        "may_resume": is_over and run.job_id is not None and run.finished_at is None,
    }


def _is_open(run: IngestRun) -> bool:
    """Whether an upload still waits for files."""
    return run.source == "upload" and not run.location and run.job_id is None and run.finished_at is None


def _options(request: HttpRequest) -> dict[str, object]:
    """The options of the form; fields that the chosen rules do not use are left out."""
    given: dict[str, object] = {
        name: request.POST[name] for name in IngestOptions().to_document() if request.POST.get(name)
    }
    uses = {given.get("subject_from"), given.get("item_per")}
    if "pattern" not in uses:
        given.pop("pattern", None)
    if "column" not in uses:
        for name in ("table", "file_column", "subject_column", "study_column", "source_id_column"):
            given.pop(name, None)
    return given


def _addresses(project: Project, run: IngestRun) -> dict[str, str]:
    names = {"piece": "manage-data-piece", "start": "manage-data-start", "page": "manage-data-run"}
    return {key: reverse(name, args=[project.slug, run.pk]) for key, name in names.items()}


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise CatalogProblem(f"{name} is no number of bytes.", remedy="Upload the file again.")
    return int(text)


def _json(answer: Callable[[], dict[str, Any]]) -> JsonResponse:
    """Answer the page's script; a refusal carries its sentence, and how much of the file is here where that is the point."""
    try:
        return JsonResponse(answer())
    except uploads.UploadOutOfStep as problem:
        return JsonResponse({"code": problem.code, "detail": str(problem), "held": problem.held}, status=problem.status)
    except CatalogProblem as problem:
        return JsonResponse({"code": problem.code, "detail": str(problem)}, status=problem.status)
