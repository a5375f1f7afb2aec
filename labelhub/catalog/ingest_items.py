"""What was decoded becomes an item: pixels and originals first, then item and entries in one transaction, or nothing.

Not here: decoding, and which media belong together (``ingest_walk``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.db import transaction
from django.utils import timezone

from labelhub.catalog.blobs import store_blob_file
from labelhub.catalog.identity import Place
from labelhub.catalog.models import Blob, IngestEntry, IngestRun, Item, Medium, Original
from labelhub.catalog.services import ItemIdentity, NewMedium, NewOriginal, create_item
from labelhub.formats import pixel_blob
from labelhub.formats.pixels.wire import StoredMedium
from labelhub.projects.models import Project

Status = IngestEntry.Status
DUPLICATE = "The same file is in this project already. Nothing was stored again."
_MESSAGE = 500
_LOOK_UP = 500


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file to be read: its entry, its name for admins, where it lies, its hash. ``stays``: it is registered in place."""

    entry_id: int
    name: str
    path: Path
    stays: bool
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A decoded medium whose pixels are stored, with the files it came from, and what their paths say of it."""

    medium: StoredMedium
    pixels: Blob
    window: tuple[float, float] | None
    files: tuple[Arrived, ...]
    place: Place


def store_item(*, run: IngestRun, pieces: Sequence[Piece], identity: ItemIdentity) -> Item | None:
    """Add one item of these media and tell their entries. None where it was there already, or another worker was faster."""
    media = [_new_medium(piece) for piece in pieces]
    files = {file.entry_id: file for piece in pieces for file in piece.files}
    told = {file.entry_id: piece for piece in pieces for file in piece.files}
    with transaction.atomic():
        # One at a time a project, so that two ingests of the same file cannot both find it missing.
        Project.objects.select_for_update().get(pk=run.project_id)
        if not IngestEntry.objects.filter(pk__in=list(files)[:1], status=Status.WAITING).exists():
            return None
        known = known_items(run.project, (file.sha256 for file in files.values()))
        if all(file.sha256 in known for file in files.values()):
            for file in files.values():
                mark(run, [file.entry_id], Status.DUPLICATE, message=DUPLICATE, item_id=known[file.sha256])
            return None
        item = create_item(
            project=run.project, media=media, identity=identity, source_id=pieces[0].place.source_id, actor=run.asked_by
        )
        for message, entry_ids in _by_message(run.project, item, told, known).items():
            mark(run, entry_ids, Status.STORED, message=message, item_id=item.pk)
    return item


def keep_pixels(media: Sequence[StoredMedium]) -> list[tuple[Blob, tuple[float, float] | None]]:
    """Store the decoded pixels for good and take their files away; give the blob and the window of each medium."""
    kept = [
        (store_blob_file(path=medium.path, kind="pixels"), suggested_window(medium.path, medium)) for medium in media
    ]
    # Only now: media with equal pixels share one file.
    for medium in media:
        medium.path.unlink(missing_ok=True)
    return kept


def known_items(project: Project, hashes: Iterable[str]) -> dict[str, int]:
    """Return the item that each file of the project with one of these hashes became."""
    wanted = sorted(set(hashes))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), _LOOK_UP):
        rows = Original.objects.filter(project=project, sha256__in=wanted[start : start + _LOOK_UP]).order_by("-pk")
        found.update(rows.values_list("sha256", "medium__item_id"))
    return found


def mark(
    run: IngestRun,
    entry_ids: Sequence[int],
    status: str,
    *,
    message: str = "",
    remedy: str = "",
    item_id: int | None = None,
) -> None:
    """Tell waiting entries what became of them; what another worker told already stays."""
    for start in range(0, len(entry_ids), _LOOK_UP):
        waiting = IngestEntry.objects.filter(run=run, pk__in=entry_ids[start : start + _LOOK_UP], status=Status.WAITING)
        waiting.update(
            status=status, message=message[:_MESSAGE], remedy=remedy[:_MESSAGE], item_id=item_id, at=timezone.now()
        )


def slice_bytes(medium: StoredMedium) -> int:
    """Return the bytes of one axial slice as it is sent to a page."""
    return int(np.prod(medium.blob.shape[1:], dtype=np.int64)) * np.dtype(medium.blob.dtype).itemsize


def suggested_window(path: Path, medium: StoredMedium) -> tuple[float, float] | None:
    """Return centre and width that show a medium well: the file's own, soft tissue for CT, else the 1st to 99th percentile.

    None where 8-bit pixels are shown as they are. Everybody starts with the same window, so that readers see the same.
    """
    if medium.window is not None:
        return medium.window
    if medium.value_meaning == "HU":
        return (40.0, 400.0)
    if medium.blob.dtype == "uint8":
        return None
    depth = medium.grid.size[0]
    some = sorted({round(z) for z in np.linspace(0, depth - 1, min(depth, 9))})
    values = np.concatenate([pixel_blob.read_slice(path, "axial", z).ravel()[::7] for z in some])
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [1.0, 99.0])
    if low == high:
        # Almost everything is background: the percentiles would show nothing of the rest.
        low, high = values.min(), values.max()
    return (float(low + high) / 2, max(float(high - low), 1e-3))


def _new_medium(piece: Piece) -> NewMedium:
    medium = piece.medium
    shape = medium.blob.shape
    return NewMedium(
        kind=medium.kind,
        grid=medium.grid,
        channels=shape[3] if len(shape) == 4 else 1,
        dtype=medium.blob.dtype,
        value_meaning=medium.value_meaning,
        window=piece.window,
        metadata={name: list(value) if isinstance(value, tuple) else value for name, value in medium.metadata.items()},
        pixels=piece.pixels,
        originals=tuple(_new_original(file) for file in piece.files),
        frame=medium.identity.frame_of_reference_uid,
    )


def _new_original(file: Arrived) -> NewOriginal:
    blob: Blob | None = None if file.stays else store_blob_file(path=file.path, kind="original")
    return NewOriginal(
        name=file.name,
        sha256=file.sha256,
        size=file.size,
        in_place_path=str(file.path) if file.stays else "",
        blob=blob,
    )


def _by_message(
    project: Project, item: Item, told: Mapping[int, Piece], known: Mapping[str, int]
) -> dict[str, list[int]]:
    """Entries by what the admin is to be told of them: warnings, files met before, pixels that another item has."""
    twins = set(
        Medium.objects.filter(item__project=project, pixels__in=[piece.medium.blob.name for piece in told.values()])
        .exclude(item=item)
        .values_list("pixels_id", flat=True)
    )
    messages: dict[str, list[int]] = {}
    for entry_id, piece in told.items():
        sentences = list(piece.medium.warnings)
        if not piece.place.is_in_table:
            sentences.append("The table does not name this file; its subject is taken from DICOM or is unknown.")
        before = sum(file.sha256 in known for file in piece.files)
        if before:
            sentences.append(f"{before} of its {len(piece.files)} files are part of another item too.")
        if piece.medium.blob.name in twins:
            sentences.append("Another item of this project has exactly these pixels.")
        messages.setdefault(" ".join(sentences), []).append(entry_id)
    return messages
