"""Writing the catalog: blobs, items with their media, and the ready-made ways to add one photograph or one volume.

Each item is one short transaction: item, media, originals and the event, or nothing. The pixels are durable before
it begins. Identifiers come in raw and leave as keys (``pseudonyms``); the raw ones are never stored. Not here: reading
files (``ingest``), the state of an item's life (``workflow.lifecycle``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from numpy.typing import NDArray

from labelhub.audit import services as audit
from labelhub.catalog.blobs import open_blob, read_blob, store_blob, store_blob_file
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.models import Blob, Item, Medium, Original, Study, Subject
from labelhub.catalog.pseudonyms import pseudonym, random_code
from labelhub.formats.pixel_blob import encode_pixels_to_file
from labelhub.formats.shapes import Grid
from labelhub.projects.models import Project

__all__ = [
    "ItemIdentity", "NewMedium", "NewOriginal", "add_photograph", "add_volume", "create_item", "open_blob", "read_blob",
    "store_blob", "store_blob_file", "store_pixels",
]  # fmt: skip

CODE_ATTEMPTS = 5
_STORED_TYPES = ("uint8", "int16", "uint16", "float32")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOriginal:
    """A file that a medium came from: kept as a blob, or in place."""

    name: str
    sha256: str
    size: int
    in_place_path: str = ""
    blob: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMedium:
    """A picture or volume to be added. ``pixels`` is None where only the grid is known.

    ``window`` is ``(centre, width)``. ``metadata`` holds technical facts only, never an identifier. ``frame`` is the source's
    identifier of the frame of reference; a key that stands for it is kept.
    """

    kind: str
    grid: Grid
    channels: int = 1
    dtype: str = "uint8"
    value_meaning: str = "intensity"
    window: tuple[float, float] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pixels: Blob | None = None
    originals: tuple[NewOriginal, ...] = ()
    frame: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemIdentity:
    """Whose pictures these are, as the source says it. None: unknown, and never guessed.

    ``subject_kind`` says what the subject is: ``patient``, ``scan``, ``image`` (a parent), ``folder``, ``column``.
    """

    subject: str | None = None
    subject_kind: str = "patient"
    study: str | None = None


def create_item(
    *, project: Project, media: Sequence[NewMedium], identity: ItemIdentity, source_id: str = "", priority: int = 0,
    actor: str = "system",
) -> Item:  # fmt: skip
    """Add an item with its media, in the order given. Writes ``item.created``.

    Raises :class:`CatalogProblem` where there is no medium or a grid is empty; nothing is stored then.
    """
    if not media:
        raise CatalogProblem("An item needs at least one picture or a known grid.", remedy="Add a medium to it.")
    for medium in media:
        _check_grid(medium.grid)
    with transaction.atomic():
        subject, study = _identity_rows(project, identity)
        item = _new_item(
            project,
            subject=subject,
            study=study,
            source_id=source_id[:200],
            priority=priority,
        )
        for ordinal, medium in enumerate(media):
            _add_medium(item, ordinal, medium)
        audit.append(
            project_id=project.pk, kind="item.created", actor=actor, subject=f"item:{item.pk}",
            facts={"media": len(media), "group_kind": item.group_kind},
        )  # fmt: skip
    return item


def add_photograph(
    *, project: Project, pixels: NDArray[np.uint8], identity: ItemIdentity, source_id: str = "", name: str = "",
    actor: str = "system",
) -> Item:  # fmt: skip
    """Add an item of one photograph ``[y, x]`` or ``[y, x, c]`` (uint8)."""
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3}:
        raise CatalogProblem(
            f"A photograph is uint8 with axes [y, x] or [y, x, c], not {pixels.dtype} with {pixels.ndim} axes.",
            remedy="Convert it, or add it as a volume.",
        )
    volume = pixels[np.newaxis]
    blob = store_pixels(pixels=volume)
    medium = NewMedium(
        kind=Medium.Kind.PHOTOGRAPH,
        grid=Grid(size=(1, pixels.shape[0], pixels.shape[1])),
        channels=pixels.shape[2] if pixels.ndim == 3 else 1,
        value_meaning="RGB" if pixels.ndim == 3 and pixels.shape[2] >= 3 else "intensity",
        pixels=blob,
        originals=_named(name, blob),
    )
    return create_item(project=project, media=[medium], identity=identity, source_id=source_id, actor=actor)


def add_volume(
    *, project: Project, pixels: NDArray[Any], grid: Grid, value_meaning: str = "intensity",
    window: tuple[float, float] | None = None, identity: ItemIdentity, source_id: str = "", name: str = "",
    actor: str = "system",
) -> Item:  # fmt: skip
    """Add an item of one volume ``[z, y, x]`` on its grid."""
    if pixels.ndim != 3 or pixels.shape != grid.size:
        raise CatalogProblem(
            f"The volume has shape {pixels.shape} and its grid {grid.size}.",
            remedy="Give the volume on its own grid, as [z, y, x].",
        )
    kept = as_stored_type(pixels)
    blob = store_pixels(pixels=kept)
    medium = NewMedium(
        kind=Medium.Kind.VOLUME, grid=grid, dtype=kept.dtype.name, value_meaning=value_meaning, window=window,
        pixels=blob, originals=_named(name, blob),
    )  # fmt: skip
    return create_item(project=project, media=[medium], identity=identity, source_id=source_id, actor=actor)


def store_pixels(*, pixels: NDArray[Any]) -> Blob:
    """Keep canonical pixels ``[z, y, x]`` or ``[z, y, x, c]`` of a stored type (``as_stored_type``) as a blob."""
    with tempfile.TemporaryDirectory(prefix="labelhub-pixels-") as folder:
        path = Path(folder) / "pixels"
        encode_pixels_to_file(path, iter(pixels), shape=pixels.shape, dtype=pixels.dtype)
        return store_blob_file(path=path, kind="pixels")


def as_stored_type(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the array in one of the four stored types; whole numbers never change value.

    Raises :class:`CatalogProblem` for values that none of the types holds: complex ones, and whole numbers beyond 2^24.
    """
    if pixels.dtype.name in _STORED_TYPES:
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    if pixels.dtype.kind in "bui":
        low, high = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, 0)
        for name in ("uint8", "int16", "uint16"):
            limits = np.iinfo(name)
            if limits.min <= low and high <= limits.max:
                return pixels.astype(name)
        if max(-low, high) <= 1 << 24:
            return pixels.astype(np.float32)
    raise CatalogProblem(
        f"Pixels of type {pixels.dtype} with these values cannot be kept without loss.",
        remedy="Convert them to 8 or 16 bit, or to 32-bit floating point.",
    )


def _identity_rows(project: Project, identity: ItemIdentity) -> tuple[Subject | None, Study | None]:
    subject = study = None
    raw_subject = (identity.subject or "").strip()
    raw_study = (identity.study or "").strip()
    if raw_subject:
        key = pseudonym(project=project, kind=identity.subject_kind, identifier=raw_subject)
        subject, _ = Subject.objects.get_or_create(project=project, key=key, defaults={"kind": identity.subject_kind})
    if raw_study:
        # The subject is part of it: "baseline" of one patient is not "baseline" of another.
        key = pseudonym(project=project, kind="study", identifier=f"{raw_subject}\x00{raw_study}")
        study, _ = Study.objects.get_or_create(project=project, key=key, defaults={"subject": subject})
    return subject, study


def _new_item(project: Project, subject: Subject | None, study: Study | None, **values: Any) -> Item:
    """Make the row under a free random code. The group is the highest known unit: subject, else study, else none."""
    group = (subject.key, subject.kind) if subject else (study.key, "study") if study else ("", "unknown")
    for _ in range(CODE_ATTEMPTS):
        try:
            with transaction.atomic():
                return Item.objects.create(
                    project=project, code=random_code(), subject=subject, study=study,
                    group_key=group[0], group_kind=group[1], **values,
                )  # fmt: skip
        except IntegrityError:
            continue
    raise CatalogProblem("No free code was found for a new item. Nothing was stored.", remedy="Try again.")


def _add_medium(item: Item, ordinal: int, new: NewMedium) -> Medium:
    grid = new.grid
    spacing: Sequence[float | None] = grid.spacing_mm or (None, None, None)
    center, width = new.window or (None, None)
    medium = Medium.objects.create(
        item=item, ordinal=ordinal, kind=new.kind, size_z=grid.size[0], size_y=grid.size[1], size_x=grid.size[2],
        channels=new.channels, dtype=new.dtype, spacing_z=spacing[0], spacing_y=spacing[1], spacing_x=spacing[2],
        affine=None if grid.affine is None else np.asarray(grid.affine, dtype=np.float64).tolist(),
        plane_positions_mm=None if grid.plane_positions_mm is None else [float(mm) for mm in grid.plane_positions_mm],
        value_meaning=new.value_meaning, window_center=center, window_width=width, metadata=dict(new.metadata),
        pixels=new.pixels,
        frame_key=pseudonym(project=item.project, kind="frame", identifier=new.frame) if new.frame else "",
    )  # fmt: skip
    Original.objects.bulk_create(
        Original(
            medium=medium, project_id=item.project_id, name=original.name[:1000], sha256=original.sha256,
            size=original.size, in_place_path=original.in_place_path, blob=original.blob,
        )
        for original in new.originals
    )  # fmt: skip
    return medium


def _named(name: str, blob: Blob) -> tuple[NewOriginal, ...]:
    return (NewOriginal(name=name, sha256=blob.sha256, size=blob.size),) if name else ()


def _check_grid(grid: Grid) -> None:
    if min(grid.size) < 1:
        raise CatalogProblem(
            f"A grid of {grid.size} voxels is empty.", remedy="Give the size as (z, y, x), each at least 1."
        )
    if grid.spacing_mm is not None and not all(np.isfinite(mm) and mm > 0 for mm in grid.spacing_mm):
        raise CatalogProblem(
            f"A spacing of {grid.spacing_mm} mm is impossible.",
            remedy="Give positive millimetres, or None where unknown.",
        )
    if grid.affine is not None and (np.shape(grid.affine) != (4, 4) or not np.isfinite(grid.affine).all()):
        raise CatalogProblem(
            "The affine is not a finite 4 x 4 matrix.", remedy="Give voxel (x, y, z) to RAS+ mm, or None."
        )
