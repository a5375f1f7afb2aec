"""Reading the catalog: items, grids, and pixels as whole arrays, slices and thumbnails.

A slice is the raw rows of one plane (little endian, the stored type, channels last): the page windows it, so moving the
window asks for nothing. Its ETag follows from the blob's hash and the plane alone, so an unchanged slice is confirmed
without being read. Not here: who may see it (``projects.permissions``), the routes (``api.media``).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, get_args

import numpy as np
from django.db.models import Count, QuerySet
from numpy.typing import NDArray

from labelhub.catalog import decoded
from labelhub.catalog.blobs import open_blob
from labelhub.catalog.errors import NoPixels
from labelhub.catalog.models import Blob, IngestEntry, IngestRun, Item, Medium
from labelhub.formats import pixel_blob
from labelhub.formats.pixel_blob import Plane
from labelhub.formats.shapes import Grid
from labelhub.projects.models import Project
from labelhub.projects.permissions import Action, NotFound, Person, require, visible_to

PLANES: tuple[Plane, ...] = get_args(Plane)
MAX_THUMBNAIL = 512
# Part of every ETag: goes up when the bytes of an answer would change for the same pixels.
TILE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class SliceTile:
    """One plane as raw rows: ``content`` is little endian ``dtype``, ``height`` x ``width`` x ``channels``."""

    content: bytes
    width: int
    height: int
    dtype: str
    channels: int
    etag: str

    def __bytes__(self) -> bytes:
        return self.content


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small PNG, windowed for the eye."""

    png: bytes
    etag: str


def items(project: Project) -> QuerySet[Item]:
    """Return all items of the project with what a list shows of them, oldest first."""
    return (
        Item.objects.filter(project=project).select_related("subject", "study").prefetch_related("media").order_by("pk")
    )


def item_for(user: Person, project: Project, code: str) -> Item:
    """Return the item if it exists for ``user`` (reviewers and admins). Raises ``NotFound``."""
    item = visible_to(user, Item.objects.filter(project=project, code=code)).select_related("project").first()
    if item is None:
        raise NotFound("There is no such item in this project, or it is not yours to see.")
    return item


def items_by_code(project: Project, codes: Sequence[str]) -> list[Item]:
    """Return the project's items with these codes; codes that no item has are passed over. For admins."""
    return list(Item.objects.filter(project=project, code__in=codes).select_related("project").order_by("pk"))


def medium_for(user: Person, medium_id: int) -> Medium:
    """Return the medium if it exists for ``user`` (reviewers and admins). Raises ``NotFound``."""
    medium = Medium.objects.select_related("item__project", "pixels").filter(pk=medium_id).first()
    if medium is None:
        raise NotFound("There is no such picture, or it is not yours to see.")
    require(user, Action.VIEW, medium)
    return medium


def media_of(item: Item) -> list[Medium]:
    """Return the media of an item in their order."""
    return list(Medium.objects.filter(item=item).select_related("pixels").order_by("ordinal"))


def spaces_of(media: Sequence[Medium], *, is_one: bool = False) -> list[int]:
    """Return for each medium of an item the number of the space that its affine leads into, from 0 in their order.

    Media of one frame of reference share a space, as do those whose source names none; all of them where ``is_one`` says so.
    Numbers and not keys: equal keys would tell that two items are of one patient.
    """
    frames: list[str] = []
    for medium in media:
        if medium.frame_key not in frames:
            frames.append(medium.frame_key)
    return [0 if is_one else frames.index(medium.frame_key) for medium in media]


def series_of(project: Project, most: int = 60) -> list[dict[str, Any]]:
    """Return the kinds of volumes that items of the project hold, by their place in the item: name, number, how many."""
    rows = (
        Medium.objects.filter(item__project=project, kind=Medium.Kind.VOLUME)
        .values("ordinal", "metadata__series_description", "metadata__modality")
        .annotate(n=Count("pk"))
        .order_by("ordinal", "-n")[:most]
    )
    return [
        {
            "number": row["ordinal"] + 1,
            "description": row["metadata__series_description"] or "",
            "modality": row["metadata__modality"] or "",
            "n": row["n"],
        }
        for row in rows
    ]


def medium_of(item: Item, ordinal: int) -> Medium:
    """Return one medium of an item by its number. Raises ``NotFound``."""
    medium = Medium.objects.filter(item=item, ordinal=ordinal).select_related("pixels").first()
    if medium is None:
        raise NotFound("This item has no such picture.")
    return medium


def ingest_runs(project: Project) -> QuerySet[IngestRun]:
    """Return the project's ingests, newest first."""
    return IngestRun.objects.filter(project=project).order_by("-pk")


def ingest_run_for(user: Person, project: Project, run_id: int) -> IngestRun:
    """Return the ingest if it exists for ``user`` (admins). Raises ``NotFound``."""
    run = visible_to(user, IngestRun.objects.filter(project=project, pk=run_id)).select_related("project").first()
    if run is None:
        raise NotFound("There is no such ingest in this project, or it is not yours to see.")
    return run


def unfinished_ingest(project: Project, *, source: str, location: str) -> IngestRun | None:
    """Return the newest ingest of this place that was started and not finished, or None."""
    runs = IngestRun.objects.filter(project=project, source=source, location=location, finished_at=None)
    return runs.order_by("-pk").first()


def ingest_entries(run: IngestRun, *, status: str = "", after: int = 0) -> QuerySet[IngestEntry]:
    """Return what became of each file of an ingest, in the order in which they were found, from a place on."""
    entries = IngestEntry.objects.filter(run=run, pk__gt=after).select_related("item").order_by("pk")
    return entries.filter(status=status) if status else entries


def ingest_counts(run: IngestRun) -> dict[str, int]:
    """Return how many files have each status, and how many items they became."""
    entries = IngestEntry.objects.filter(run=run)
    found = {row["status"]: row["n"] for row in entries.values("status").annotate(n=Count("pk")).order_by()}
    n_items = entries.filter(status=IngestEntry.Status.STORED).values("item").distinct().count()
    return {**{status: found.get(status, 0) for status in IngestEntry.Status.values}, "items": n_items}


def grid_of(medium: Medium) -> Grid:
    """Return the grid of a medium as a plain shape."""
    spacing = (medium.spacing_z, medium.spacing_y, medium.spacing_x)
    known = None if None in spacing else (float(spacing[0] or 0), float(spacing[1] or 0), float(spacing[2] or 0))
    return Grid(
        size=(medium.size_z, medium.size_y, medium.size_x),
        spacing_mm=known,
        affine=None if medium.affine is None else np.asarray(medium.affine, dtype=np.float64),
        plane_positions_mm=None if medium.plane_positions_mm is None else tuple(medium.plane_positions_mm),
    )


def slice_count(medium: Medium, plane: Plane) -> int:
    """Return how many slices a plane has."""
    return {"axial": medium.size_z, "coronal": medium.size_y, "sagittal": medium.size_x}[plane]


def plane_named(name: str) -> Plane:
    """Return the plane of that name. Raises ``NotFound``."""
    for plane in PLANES:
        if plane == name:
            return plane
    raise NotFound(f"There is no plane {name[:20]!r}; there are {', '.join(PLANES)}.")


def slice_etag(medium: Medium, plane: Plane, index: int) -> str:
    """Return the ETag (without quotes) of a slice; needs no pixels. Raises :class:`NoPixels`, ``NotFound``."""
    blob = pixels_of(medium)
    count = slice_count(medium, plane)
    if not 0 <= index < count:
        raise NotFound(f"The {plane} plane has slices 0 to {count - 1}; {index} is outside.")
    return hashlib.sha256(f"{TILE_VERSION}:{blob.sha256}:{plane}:{index}".encode()).hexdigest()


def read_slice(medium: Medium, plane: Plane, index: int) -> SliceTile:
    """Return a slice: axial [y, x], coronal [z, x], sagittal [z, y]. Raises :class:`NoPixels`, ``NotFound``."""
    etag = slice_etag(medium, plane, index)
    rows = _rows(medium, plane, index)
    return SliceTile(
        content=np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<")).tobytes(),
        width=rows.shape[1],
        height=rows.shape[0],
        dtype=rows.dtype.name,
        channels=rows.shape[2] if rows.ndim == 3 else 1,
        etag=etag,
    )


def pixels_of(medium: Medium) -> Blob:
    """Return the blob of the medium's pixels. Raises :class:`NoPixels`."""
    if medium.pixels is None:
        raise NoPixels(
            "Only the grid of this item is known; its picture was never brought in.",
            remedy="An admin can ingest it under Data.",
        )
    return medium.pixels


def read_slice_rows(medium: Medium) -> NDArray[Any]:
    """Return the only slice of a picture, ``[y, x]`` or ``[y, x, c]``. Raises :class:`NoPixels`."""
    return _rows(medium, "axial", 0)


def read_pixels(medium: Medium) -> NDArray[Any]:
    """Return the whole array ``[z, y, x]`` or ``[z, y, x, c]``. Raises :class:`NoPixels`."""
    with _opened(medium) as stream:
        return pixel_blob.read_pixels(stream)


def thumbnail_etag(medium: Medium, size: int) -> str:
    """Return the ETag (without quotes) of a thumbnail; needs no pixels. Raises :class:`NoPixels`."""
    window = f"{medium.window_center}:{medium.window_width}"
    return hashlib.sha256(f"{TILE_VERSION}:{pixels_of(medium).sha256}:thumbnail:{size}:{window}".encode()).hexdigest()


def thumbnail(medium: Medium, size: int = 160) -> Thumbnail:
    """Return the middle slice as a PNG of at most ``size`` pixels a side, true to the voxels' shape."""
    from PIL import Image

    size = min(max(size, 16), MAX_THUMBNAIL)
    etag = thumbnail_etag(medium, size)
    with _opened(medium) as stream:
        rows = pixel_blob.read_slice(stream, "axial", medium.size_z // 2)
    image = Image.fromarray(windowed(rows, _window_of(medium)))
    height = medium.size_y * (medium.spacing_y or 1.0)
    width = medium.size_x * (medium.spacing_x or medium.spacing_y or 1.0)
    scale = size / max(height, width)
    image = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=False)
    return Thumbnail(png=out.getvalue(), etag=etag)


def windowed(rows: NDArray[Any], window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Return ``[y, x]`` or ``[y, x, 3]`` as uint8 for the eye. Without a window the 1st to 99th percentile is shown.

    Colour in uint8 is left as it is; values that are not numbers are black.
    """
    if rows.ndim == 3:
        rows = rows[..., :3] if rows.shape[2] >= 3 else rows[..., 0]
    if rows.dtype == np.uint8 and (rows.ndim == 3 or window is None):
        return np.ascontiguousarray(rows, dtype=np.uint8)
    values = rows.astype(np.float32)
    finite = np.isfinite(values)
    if window is None:
        low, high = np.percentile(values[finite], [1.0, 99.0]) if finite.any() else (0.0, 1.0)
    else:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    scaled = (np.where(finite, values, low) - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0.0, 1.0) * 255.0 + 0.5, dtype=np.uint8)


def _rows(medium: Medium, plane: Plane, index: int) -> NDArray[Any]:
    """One plane; across the stored slices through the whole volume in memory, where it is not too large for that."""
    n_values = medium.size_z * medium.size_y * medium.size_x * medium.channels
    if plane != "axial" and n_values * np.dtype(medium.dtype).itemsize <= decoded.LARGEST_BYTES:
        whole = decoded.volumes.get(pixels_of(medium).sha256, lambda: read_pixels(medium))
        return whole[:, index] if plane == "coronal" else whole[:, :, index]
    with _opened(medium) as stream:
        return pixel_blob.read_slice(stream, plane, index)


def _window_of(medium: Medium) -> tuple[float, float] | None:
    if medium.window_center is None or medium.window_width is None:
        return None
    return medium.window_center, medium.window_width


@contextmanager
def _opened(medium: Medium) -> Iterator[BinaryIO]:
    with open_blob(pixels_of(medium)) as stream:
        yield stream
