"""Bringing files in: an upload, an archive, or a folder registered in place, as one job that can be cut off at any point.

Each file has an entry that says what became of it. Entries that are not waiting are passed over, so a run that was cancelled
or whose worker died goes on where it was; each item is one short transaction, so nothing is there by halves. One bad file is
refused with a sentence and a remedy, and the rest goes on. Names of files and folders stay in entries and originals.
Not here: reading files (``sandbox``), one item (``ingest_items``), the walk over files (``ingest_walk``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labelhub.audit import services as audit
from labelhub.catalog.blobs import discard_stale_partials
from labelhub.catalog.errors import CatalogProblem, PlaceRefused
from labelhub.catalog.identity import read_options
from labelhub.catalog.ingest_walk import Walk
from labelhub.catalog.models import IngestEntry, IngestRun
from labelhub.catalog.places import checked_folder, files_in
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.selectors import ingest_counts
from labelhub.catalog.uploads import discard_upload, upload_folder
from labelhub.jobs import services as jobs
from labelhub.jobs.registry import Running
from labelhub.projects.models import Project

JOB_KIND = "catalog.ingest"
_BATCH = 1000


def start_ingest(
    *, project: Project, source: str, location: str, options: Mapping[str, Any] | None = None, asked_by: str,
    is_trusted: bool = False,
) -> IngestRun:  # fmt: skip
    """Read a folder or file of the server as a job. Writes ``ingest.started``.

    ``source`` is ``folder`` (files stay where they are) or ``upload`` (originals are copied into the storage). Only a
    command at the server's terminal says ``is_trusted``: then any place may be read. Raises ``PlaceRefused`` and
    ``CatalogProblem``; nothing was started then.
    """
    if source not in {"folder", "upload"}:
        raise CatalogProblem(f"source is {source!r}.", remedy="It is folder or upload.")
    document = read_options(options or {}).to_document()
    folder = checked_folder(location, roots=settings.ENVIRONMENT.in_place_roots, is_trusted=is_trusted)
    with transaction.atomic():
        run = IngestRun.objects.create(
            project=project, source=source, location=str(folder), options=document, asked_by=asked_by
        )
        return _enqueue(run, asked_by)


def start_upload(*, run: IngestRun, asked_by: str) -> IngestRun:
    """Ingest what was uploaded. Twice is once. Writes ``ingest.started``. Raises ``CatalogProblem`` if nothing arrived."""
    if run.finished_at is not None:
        if run.job_id is None:
            raise CatalogProblem("This upload was given up.", remedy="Start a new one.")
        return run
    with transaction.atomic():
        if not IngestEntry.objects.filter(run=run).exists():
            raise CatalogProblem("Nothing was uploaded yet.", remedy="Add files first.")
        return _enqueue(run, asked_by)


def resume_ingest(*, run: IngestRun, asked_by: str) -> IngestRun:
    """Go on with a run that was cancelled or failed; what is stored is passed over. Writes ``ingest.started``."""
    if run.finished_at is not None:
        raise CatalogProblem("This ingest is finished.", remedy="Start a new one for further files.")
    with transaction.atomic():
        return _enqueue(run, asked_by)


def cancel_ingest(*, run: IngestRun, asked_by: str) -> None:
    """Stop a run between two files; what is stored stays. Writes ``ingest.cancel_asked``."""
    if run.job_id is None or run.finished_at is not None:
        raise CatalogProblem("This ingest is not running.", remedy="Nothing is to be done.")
    with transaction.atomic():
        jobs.ask_cancel(run.job_id)
        audit.append(project_id=run.project_id, kind="ingest.cancel_asked", actor=asked_by, subject=f"ingest:{run.pk}")


def run_ingest(running: Running) -> Mapping[str, Any]:
    """Do the job ``catalog.ingest``. Returns counts by status. Raises ``JobRefused`` where trying again cannot help."""
    run = IngestRun.objects.select_related("project").get(pk=running.arguments["run"])
    work = _work_folder(run, running.job.attempt)
    discard_stale_partials()
    try:
        root = _plan(run)
        with Decoder(scratch=work) as decoder:
            Walk(run=run, root=root, work=work, decoder=decoder, running=running).go()
    except CatalogProblem as problem:
        raise jobs.JobRefused(str(problem)) from problem
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _finish(run)


def _enqueue(run: IngestRun, asked_by: str) -> IngestRun:
    job = jobs.enqueue(
        kind=JOB_KIND, arguments={"run": run.pk}, dedupe_key=f"{JOB_KIND}:{run.pk}", project_id=run.project_id,
        asked_by=asked_by,
    )  # fmt: skip
    if run.job_id == job.pk:
        return run
    run.job_id = job.pk
    run.save(update_fields=["job_id"])
    audit.append(
        project_id=run.project_id, kind="ingest.started", actor=asked_by, subject=f"ingest:{run.pk}",
        facts={"source": run.source, "job": job.pk},
    )  # fmt: skip
    return run


def _plan(run: IngestRun) -> Path:
    """Write an entry for each file that has none yet, and return the folder that entries' paths start from."""
    if run.source == "upload" and not run.location:
        _refuse_incomplete(run)
        return upload_folder(run)
    place = Path(run.location)
    if not place.exists():
        raise PlaceRefused(
            "The folder is not there any more. What was stored stays.", remedy="Put it back, then go on."
        )
    root = place.parent if place.is_file() else place
    known = set(IngestEntry.objects.filter(run=run).values_list("path", flat=True))
    batch: list[IngestEntry] = []
    for path in files_in(place):
        name = path.relative_to(root).as_posix()
        if name not in known:
            batch.append(IngestEntry(run=run, path=name, size=path.stat().st_size))
        if len(batch) >= _BATCH:
            IngestEntry.objects.bulk_create(batch)
            batch = []
    IngestEntry.objects.bulk_create(batch)
    return root


def _refuse_incomplete(run: IngestRun) -> None:
    for entry in IngestEntry.objects.filter(run=run, status=IngestEntry.Status.WAITING).iterator():
        path = upload_folder(run) / str(entry.pk)
        held = path.stat().st_size if path.exists() else 0
        # An entry without a size is a member of an archive: it was never sent by itself.
        if entry.size is not None and held != entry.size:
            entry.status, entry.at = IngestEntry.Status.REFUSED, timezone.now()
            entry.message = f"Only {held} of {entry.size} bytes arrived. Nothing of it was stored."
            entry.remedy = "Upload it again."
            entry.save(update_fields=["status", "at", "message", "remedy"])


def _finish(run: IngestRun) -> Mapping[str, Any]:
    counts = ingest_counts(run)
    finished: datetime = timezone.now()
    with transaction.atomic():
        IngestRun.objects.filter(pk=run.pk).update(finished_at=finished)
        audit.append(
            project_id=run.project_id,
            kind="ingest.finished",
            actor=run.asked_by,
            subject=f"ingest:{run.pk}",
            facts=counts,
        )
    discard_upload(run)
    _discard_work(run)
    return counts


def _work_folder(run: IngestRun, attempt: int) -> Path:
    """A folder for unpacked and decoded files. Each attempt has its own: an earlier one may not know yet that it is over."""
    var: Path = settings.ENVIRONMENT.var
    work = var / "work" / f"ingest-{run.pk}-{attempt}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    return work


def _discard_work(run: IngestRun) -> None:
    var: Path = settings.ENVIRONMENT.var
    for left in (var / "work").glob(f"ingest-{run.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)
