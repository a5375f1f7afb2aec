"""Files on their way in over the web: sent in pieces, kept under the number of their entry, never under a name from outside.

A piece says where in the file it belongs; a sender that lost its place is told how much is here and goes on from there. When
all is sent the ingest starts, and the folder is emptied when it is over. Not here: what the files hold (``ingest``).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from labelhub.audit import services as audit
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.identity import read_options
from labelhub.catalog.models import IngestEntry, IngestRun
from labelhub.formats.limits import MAX_FILES
from labelhub.formats.pixels.archives import clean_name
from labelhub.projects.models import Project

CHUNK_BYTES = 4 << 20
MAX_UPLOAD_FILE_BYTES = 64 << 30
KEEP_FREE_BYTES = 1 << 30


class UploadOutOfStep(CatalogProblem):
    """The piece does not follow what is here; ``held`` is the number of bytes that are."""

    code = "upload-out-of-step"

    def __init__(self, held: int) -> None:
        super().__init__(f"{held} bytes of this file are here.", remedy="Go on from there.")
        self.held = held


def open_upload(*, project: Project, options: dict[str, object], asked_by: str) -> IngestRun:
    """Begin an upload: an ingest that waits for its files. Writes ``ingest.opened``. Raises :class:`CatalogProblem`."""
    document = read_options(options).to_document()
    with transaction.atomic():
        run = IngestRun.objects.create(
            project=project, source="upload", location="", options=document, asked_by=asked_by
        )
        audit.append(
            project_id=project.pk, kind="ingest.opened", actor=asked_by, subject=f"ingest:{run.pk}",
            facts={"source": "upload"},
        )  # fmt: skip
    # A number may come again after the database was restored from a backup: what lies there then is not of this upload.
    discard_upload(run)
    upload_folder(run).mkdir(parents=True, mode=0o700)
    return run


def receive_piece(*, run: IngestRun, name: str, offset: int, total: int, piece: bytes) -> int:
    """Keep a piece of the file ``name`` and return how many of its bytes are here now.

    Raises :class:`UploadOutOfStep` where the piece does not follow, :class:`CatalogProblem` where it cannot be taken.
    """
    if run.job_id is not None or run.source != "upload" or run.finished_at is not None:
        raise CatalogProblem("This upload is closed.", remedy="Start a new one.")
    entry = _entry(run, name, total)
    path = uploaded_path(entry)
    held = path.stat().st_size if path.exists() else 0
    if offset != held:
        raise UploadOutOfStep(held)
    if offset + len(piece) > total or len(piece) > CHUNK_BYTES:
        raise CatalogProblem("More bytes came than were announced.", remedy="Upload the file again.")
    _check_room(path.parent, len(piece))
    path.touch(mode=0o600)
    # At its place rather than at the end: the same piece sent twice at once writes the same bytes twice.
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(piece)
        if offset + len(piece) == total:
            stream.flush()
            os.fsync(stream.fileno())
    return held + len(piece)


def abandon_upload(*, run: IngestRun, asked_by: str) -> None:
    """Give up an upload that was never started; its files are deleted. Writes ``ingest.abandoned``."""
    with transaction.atomic():
        open_runs = IngestRun.objects.filter(pk=run.pk, source="upload", job_id=None, finished_at=None)
        if not open_runs.update(finished_at=timezone.now()):
            raise CatalogProblem("This upload was started already.", remedy="Cancel the ingest instead.")
        entries = IngestEntry.objects.filter(run=run, status=IngestEntry.Status.WAITING)
        n_files = entries.update(
            status=IngestEntry.Status.IGNORED, message="The upload was given up.", at=timezone.now()
        )
        audit.append(
            project_id=run.project_id, kind="ingest.abandoned", actor=asked_by, subject=f"ingest:{run.pk}",
            facts={"files": n_files},
        )  # fmt: skip
    discard_upload(run)


def upload_folder(run: IngestRun) -> Path:
    """Return the folder of this upload's files."""
    var: Path = settings.ENVIRONMENT.var
    return var / "uploads" / str(run.pk)


def uploaded_path(entry: IngestEntry) -> Path:
    """Return where the file of an entry lies: under the entry's number."""
    return upload_folder(entry.run) / str(entry.pk)


def discard_upload(run: IngestRun) -> None:
    """Delete the files of an upload whose ingest is over: what was good is stored."""
    shutil.rmtree(upload_folder(run), ignore_errors=True)


def _entry(run: IngestRun, name: str, total: int) -> IngestEntry:
    cleaned = clean_name(name)
    if cleaned is None or len(cleaned) > 1000:
        raise CatalogProblem("The name of this file points elsewhere or is too long.", remedy="Rename it.")
    if not 0 <= total <= MAX_UPLOAD_FILE_BYTES:
        raise CatalogProblem(
            f"A file may have up to {MAX_UPLOAD_FILE_BYTES >> 30} GiB.", remedy="Register its folder in place instead."
        )
    entry, is_new = IngestEntry.objects.get_or_create(run=run, path=cleaned, defaults={"size": total})
    if is_new and IngestEntry.objects.filter(run=run).count() > MAX_FILES:
        entry.delete()
        raise CatalogProblem(f"An upload holds up to {MAX_FILES} files.", remedy="Send the rest in another one.")
    if entry.size != total:
        raise CatalogProblem("Two files of this upload have the same path.", remedy="Rename one of them.")
    entry.run = run
    return entry


def _check_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed + KEEP_FREE_BYTES:
        raise CatalogProblem("The server's disk is almost full. What arrived is kept.", remedy="Make room, then go on.")
