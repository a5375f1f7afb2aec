"""Pixels for the canvas: raw slices, tiles of large pictures, reduced volumes, thumbnails, and the facts to draw them.

Reviewers and admins reach a medium by its number; a labeler only through an assignment of theirs, by the medium's place
in it, so that nothing in an address or an answer tells which item, patient or file it is. A slice never changes under its
address: the browser keeps it for its person, and it is confirmed by ETag without being read.
Not here: windowing and colour (the page does that), what a slice is (``catalog.selectors``).
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.assignments.onlookers import seen_by
from labelhub.catalog import overviews, selectors, tiles
from labelhub.catalog.models import Item, Medium
from labelhub.projects.hanging import Protocol
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_hanging

# For one person's browser only; the address names the pixels for ever, so asking again would be waste.
CACHE = "private, max-age=31536000, immutable"
THUMBNAIL_CACHE = "private, no-cache"
DEFAULT_THUMBNAIL = 160


class MediumView(APIView):
    """Facts of one medium, for reviewers and admins."""

    def get(self, request: Request, pk: int) -> Response:
        """Return grid, type, window and planes."""
        return Response(facts_of(selectors.medium_for(request.user, pk)))


class SliceView(APIView):
    """One slice by the medium's number, for reviewers and admins."""

    def get(self, request: Request, pk: int, plane: str, index: int) -> HttpResponse:
        """Return the raw rows, or 304."""
        return _slice(request, selectors.medium_for(request.user, pk), plane, index)


class TileView(APIView):
    """One tile of a large picture by the medium's number, for reviewers and admins."""

    def get(self, request: Request, pk: int, level: int, column: int, row: int) -> HttpResponse:
        """Return the raw rows, or 304."""
        return _tile(request, selectors.medium_for(request.user, pk), level, column, row)


class ThumbnailView(APIView):
    """A small picture of a medium, for reviewers and admins."""

    def get(self, request: Request, pk: int) -> HttpResponse:
        """Return a PNG, or 304. ``?size=`` is the longer side in pixels."""
        return _thumbnail(request, selectors.medium_for(request.user, pk))


class OverviewView(APIView):
    """A reduced copy of a volume by the medium's number, for reviewers and admins."""

    def get(self, request: Request, pk: int) -> HttpResponse:
        """Return the raw voxels, or 304."""
        return _overview(request, selectors.medium_for(request.user, pk))


class OwnMediaView(APIView):
    """Facts of all media of an assignment, for its labeler."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return the media in their order, without any number of theirs."""
        item = seen_by(request.user, assignment)[0].item
        return Response({"media": facts_in(item, current_hanging(item.project)[1])})


class OwnSliceView(APIView):
    """One slice of an assignment's medium, for its labeler."""

    def get(self, request: Request, assignment: uuid.UUID, ordinal: int, plane: str, index: int) -> HttpResponse:
        """Return the raw rows, or 304."""
        item = seen_by(request.user, assignment)[0].item
        return _slice(request, selectors.medium_of(item, ordinal), plane, index)


class OwnTileView(APIView):
    """One tile of an assignment's large picture, for its labeler."""

    def get(
        self, request: Request, assignment: uuid.UUID, ordinal: int, level: int, column: int, row: int
    ) -> HttpResponse:
        """Return the raw rows, or 304."""
        item = seen_by(request.user, assignment)[0].item
        return _tile(request, selectors.medium_of(item, ordinal), level, column, row)


class OwnOverviewView(APIView):
    """A reduced copy of an assignment's volume, for its labeler."""

    def get(self, request: Request, assignment: uuid.UUID, ordinal: int) -> HttpResponse:
        """Return the raw voxels, or 304."""
        item = seen_by(request.user, assignment)[0].item
        return _overview(request, selectors.medium_of(item, ordinal))


class OwnThumbnailView(APIView):
    """A small picture of an assignment's medium, for its labeler."""

    def get(self, request: Request, assignment: uuid.UUID, ordinal: int) -> HttpResponse:
        """Return a PNG, or 304."""
        item = seen_by(request.user, assignment)[0].item
        return _thumbnail(request, selectors.medium_of(item, ordinal))


def facts_in(item: Item, protocol: Protocol) -> list[dict[str, Any]]:
    """Return what the canvas is told of the media of an item, with the ``space`` of each: equal ones share a place."""
    media = selectors.media_of(item)
    spaces = selectors.spaces_of(media, is_one=protocol.is_one_space)
    return [facts_of(medium) | {"space": space} for medium, space in zip(media, spaces, strict=True)]


def facts_of(medium: Medium) -> dict[str, Any]:
    """Return what a page needs to draw a medium: no number of a row, no name, no identifier."""
    x, y, z = medium.size_x, medium.size_y, medium.size_z
    sides = {"axial": (x, y), "coronal": (x, z), "sagittal": (y, z)}
    return {
        "ordinal": medium.ordinal,
        "kind": medium.kind,
        "size": [medium.size_z, medium.size_y, medium.size_x],
        "spacing_mm": None if medium.spacing_x is None else [medium.spacing_z, medium.spacing_y, medium.spacing_x],
        "affine": medium.affine,
        "channels": medium.channels,
        "dtype": medium.dtype,
        "value_meaning": medium.value_meaning,
        "window": None if medium.window_width is None else [medium.window_center, medium.window_width],
        "metadata": medium.metadata,
        "has_pixels": medium.pixels_id is not None,
        "tiles": {"size": tiles.TILE, "levels": levels} if (levels := tiles.level_count(medium)) else None,
        "planes": {
            plane: {"width": sides[plane][0], "height": sides[plane][1], "count": selectors.slice_count(medium, plane)}
            for plane in selectors.PLANES
            if plane == "axial" or medium.kind == Medium.Kind.VOLUME
        },
    }


def _slice(request: Request, medium: Medium, plane: str, index: int) -> HttpResponse:
    known = selectors.plane_named(plane)
    etag = f'"{selectors.slice_etag(medium, known, index)}"'
    if _has(request, etag):
        return _unchanged(etag, CACHE)
    return _rows(selectors.read_slice(medium, known, index))


def _tile(request: Request, medium: Medium, level: int, column: int, row: int) -> HttpResponse:
    etag = f'"{tiles.tile_etag(medium, level, column, row)}"'
    if _has(request, etag):
        return _unchanged(etag, CACHE)
    return _rows(tiles.read_tile(medium, level, column, row))


def _rows(tile: selectors.SliceTile) -> HttpResponse:
    response = HttpResponse(tile.content, content_type="application/octet-stream")
    response["ETag"] = f'"{tile.etag}"'
    response["Cache-Control"] = CACHE
    response["X-Width"], response["X-Height"] = str(tile.width), str(tile.height)
    response["X-Channels"], response["X-Dtype"] = str(tile.channels), tile.dtype
    return response


def _overview(request: Request, medium: Medium) -> HttpResponse:
    etag = f'"{overviews.overview_etag(medium)}"'
    if _has(request, etag):
        return _unchanged(etag, CACHE)
    found = overviews.read_overview(medium)
    response = HttpResponse(found.content, content_type="application/octet-stream")
    response["ETag"] = etag
    response["Cache-Control"] = CACHE
    response["X-Size"] = ",".join(map(str, found.size))
    response["X-Steps"] = ",".join(map(str, found.steps))
    response["X-Dtype"] = found.dtype
    return response


def _thumbnail(request: Request, medium: Medium) -> HttpResponse:
    text = request.query_params.get("size", str(DEFAULT_THUMBNAIL))
    if not text.isascii() or not text.isdigit() or not 16 <= int(text[:5]) <= selectors.MAX_THUMBNAIL:
        raise NotFound(f"A thumbnail is 16 to {selectors.MAX_THUMBNAIL} pixels; {text[:10]!r} is not.")
    size = int(text)
    etag = f'"{selectors.thumbnail_etag(medium, size)}"'
    if _has(request, etag):
        return _unchanged(etag, THUMBNAIL_CACHE)
    response = HttpResponse(selectors.thumbnail(medium, size).png, content_type="image/png")
    response["ETag"] = etag
    response["Cache-Control"] = THUMBNAIL_CACHE
    return response


def _has(request: Request, etag: str) -> bool:
    """Whether the browser holds this very answer (weak tags too: a proxy may have compressed it)."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in given.split(",")}


def _unchanged(etag: str, cache: str) -> HttpResponse:
    response = HttpResponse(status=304)
    response["ETag"] = etag
    response["Cache-Control"] = cache
    return response
