"""Making releases: the settled labels of a moment as files, numbered, immutable, reproducible from their manifest.

A release is started by ``workflow.lifecycle`` and made by a job. Its manifest names every settlement and every file with its
SHA-256; :func:`rebuild` makes the files again from the manifest alone and must give the same bytes. Items go under their
code: no name of a patient or file leaves. Not here: how a file is written (``files``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.audit import services as audit
from labelhub.catalog.blobs import store_blob, store_blob_file
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import released_settlements
from labelhub.exports.files import FORMATS, IGNORED_AS, SHAPE_FORMATS, Made, made_files
from labelhub.exports.models import Release, ReleaseFile
from labelhub.exports.reads import reads_entries
from labelhub.jobs import services as jobs
from labelhub.jobs.registry import Running
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.projects.telling import tell_admins
from labelhub.scoring.planted import errors_that_stood

JOB_KIND = "exports.release"
MANIFEST = "manifest.json"
MANIFEST_VERSION = "2"


class ReleaseRefused(DomainError):
    """The release cannot be made; nothing was started."""

    code = "release-refused"


def start_release(
    *, project: Project, formats: Sequence[str], note: str, by: User, with_reads: bool = False
) -> Release:
    """Number a release, fix what it holds, and enqueue its job; ``with_reads`` adds every read. Writes ``release.started``.

    Raises :class:`ReleaseRefused` for an unknown format, for reads without a format that holds shapes, where nothing is
    settled yet, or where a label rests on a reading that let a planted error stand.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise ReleaseRefused(
            f"Unknown formats: {', '.join(unknown) or 'none given'}. Allowed: {', '.join(FORMATS)}.",
            code="format-unknown",
            status=422,
        )
    if with_reads and not SHAPE_FORMATS & set(formats):
        raise ReleaseRefused(
            f"Every read needs a format that holds shapes ({', '.join(sorted(SHAPE_FORMATS))}). No release was started.",
            code="reads-need-shapes",
            status=422,
        )
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        settlements = list(released_settlements(project))
        if not settlements:
            raise ReleaseRefused("No item is settled yet, so there is nothing to release.", code="nothing-settled")
        _require_looked(project, settlements)
        highest = Release.objects.filter(project=project).aggregate(highest=Max("number"))["highest"]
        release = Release.objects.create(
            project=project, number=(highest or 0) + 1, formats=sorted(set(formats)), note=note[:300], made_by=by,
            manifest=_contents(project, settlements, timezone.now(), with_reads=with_reads),
        )  # fmt: skip
        job = jobs.enqueue(
            kind=JOB_KIND, arguments={"release": release.pk}, project_id=project.pk, asked_by=f"user:{by.pk}",
            dedupe_key=f"release:{release.pk}",
        )  # fmt: skip
        Release.objects.filter(pk=release.pk).update(job_id=job.pk)
        release.job_id = job.pk
        audit.append(
            project_id=project.pk, kind="release.started", actor=f"user:{by.pk}", subject=f"release:{release.pk}",
            facts={"number": release.number, "settlements": len(settlements), "reads": len(release.manifest.get("reads", ()))},
        )  # fmt: skip
    return release


def run_release(running: Running) -> Mapping[str, Any]:
    """Make the files of a release: the handler of ``exports.release``."""
    release = Release.objects.select_related("project").get(pk=running.arguments["release"])
    build_release(release=release, running=running)
    return {"release": release.number, "files": release.files.count()}


def build_release(*, release: Release, running: Running | None = None) -> Release:
    """Write the files of a release that was started; one that is finished stays as it is. Writes ``release.finished``."""
    if release.finished_at is not None:
        return release
    made = _stored(made_files(release.manifest, release.project, release.formats, running))
    manifest = release.manifest | {"files": [entry for _, entry in made]}
    content = manifest_bytes(manifest)
    with transaction.atomic():
        # An attempt that died half way may have left rows; the files are the same.
        ReleaseFile.objects.filter(release=release).delete()
        blobs = [(blob, entry) for blob, entry in made]
        blobs.append(
            (store_blob(content=content, kind="release"), {"name": MANIFEST, "size": len(content), "losses": []})
        )
        ReleaseFile.objects.bulk_create(
            ReleaseFile(release=release, name=entry["name"], blob=blob, size=entry["size"], losses=entry["losses"])
            for blob, entry in blobs
        )
        release.manifest, release.sha256 = manifest, hashlib.sha256(content).hexdigest()
        release.finished_at = timezone.now()
        Release.objects.filter(pk=release.pk, finished_at=None).update(
            manifest=release.manifest, sha256=release.sha256, finished_at=release.finished_at
        )
        audit.append(
            project_id=release.project_id, kind="release.finished", actor="system", subject=f"release:{release.pk}",
            facts={"number": release.number, "sha256": release.sha256},
        )  # fmt: skip
        tell_admins(
            release.project, kind="release-done", text=f"Release {release.number} of {release.project.name} is finished.",
            about=f"releases:{release.project.slug}", key=f"release:{release.pk}",
        )  # fmt: skip
    return release


def rebuild(release: Release) -> dict[str, str]:
    """Make the files again from the manifest alone and return their SHA-256 by name; nothing is stored."""
    hashes: dict[str, str] = {}
    for made in made_files(release.manifest, release.project, release.formats, None):
        with made.path.open("rb") as stream:
            hashes[made.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        made.path.unlink()
    return hashes


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest as a file: the same bytes for the same content."""
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _require_looked(project: Project, settlements: Sequence[Settlement]) -> None:
    """No label may rest on a reading that let a planted error stand, whichever way it came to be one."""
    stood = errors_that_stood(project)
    if not stood:
        return
    rests = set(Settlement.objects.filter(item__project=project, inputs__in=stood).values_list("pk", flat=True))
    codes = sorted(settlement.item.code for settlement in settlements if settlement.pk in rests)
    if codes:
        raise ReleaseRefused(
            f"Labels of {len(codes)} items rest on readings that let a planted error stand: {', '.join(codes[:10])}"
            f"{' …' if len(codes) > 10 else ''}. No release was started. Settle them again without these readings.",
            code="error-stood",
        )


def _stored(files: Any) -> list[tuple[Any, dict[str, Any]]]:
    stored = []
    for made in files:
        blob = store_blob_file(path=made.path, kind="release")
        made.path.unlink(missing_ok=True)
        stored.append((blob, _entry(made, blob.pk, blob.size)))
    return stored


def _entry(made: Made, sha256: str, size: int) -> dict[str, Any]:
    losses = [{"what": loss.what, "count": loss.count, "why": loss.why} for loss in made.losses]
    return {"name": made.name, "sha256": sha256, "size": size, "losses": losses}


def _contents(project: Project, settlements: Sequence[Any], at: datetime, *, with_reads: bool) -> dict[str, Any]:
    reads = {"reads": reads_entries([entry.item_id for entry in settlements])} if with_reads else {}
    return reads | {
        "manifest_version": MANIFEST_VERSION,
        "project": project.slug,
        "as_of": at.isoformat(),
        "ignore": IGNORED_AS,
        "settlements": [
            {
                "item": entry.item.code, "settlement": entry.pk, "number": entry.number, "method": entry.method,
                "method_version": entry.method_version, "ontology": entry.ontology.number,
                "decided_by_reviewer": entry.decided_by_id is not None, "confidence": entry.confidence,
                # The whole item is one ignore region: no label of it is right.
                "is_ambiguous": entry.item.state == Item.State.AMBIGUOUS,
            }
            for entry in settlements
        ],
    }  # fmt: skip
