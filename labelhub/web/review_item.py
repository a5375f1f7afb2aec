"""One item for its reviewer: readers side by side and overlaid, and the pictures of the layers that the page asks for."""

from __future__ import annotations

import hashlib
import uuid

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from labelhub.analytics.item_story import story_of
from labelhub.analytics.layers import Layer, layer_named, layers_of
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item, Medium
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_ontology
from labelhub.reviews import questions
from labelhub.reviews.selectors import has_read
from labelhub.web.access import person, project_page
from labelhub.web.overlays import dispute_png, dispute_thumbnail, layer_document, mask_png
from labelhub.web.viewer import viewer_of
from labelhub.workflow.steps import versions_of

# Shapes of a submission never change; which layers there are does, so their list is asked for anew.
IMMUTABLE = "private, max-age=31536000, immutable"
FRESH = "private, no-cache"
THUMBNAIL_PX = 224


@project_page(Role.REVIEWER)
def item(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Show the readers of one item and take a decision."""
    row = catalog.item_for(person(request), project, code)
    story = story_of(row)
    context = {
        "item": row, "story": story, "viewer": viewer_of(request, project, story), "request_id": uuid.uuid4(),
        "version": versions_of([row])[row.pk], "questions": questions.questions_about(row),
        "claims": questions.claims_about(row), "is_own": has_read(person(request), row),
        "names": {r.submission.pk: r.labeler.name for r in story.readers},
    }  # fmt: skip
    return render(request, "review/item.html", context)


@project_page(Role.REVIEWER)
def layers(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Return all layers of the item: outlines as points, masks by where they lie."""
    row = catalog.item_for(person(request), project, code)
    _, ontology = current_ontology(project)
    response = JsonResponse({"layers": [layer_document(layer, ontology) for layer in layers_of(row)]})
    response["Cache-Control"] = FRESH
    return response


@project_page(Role.REVIEWER)
def mask(request: HttpRequest, project: Project, code: str, layer: str, number: int, z: int) -> HttpResponse:
    """Return one plane of one shape's mask as a PNG."""
    found = layer_named(catalog.item_for(person(request), project, code), layer)
    if number >= len(found.reading.shapes):
        raise NotFound("This layer has no such shape.")
    png = mask_png(found.reading.shapes[number], z)
    if png is None:
        raise NotFound("The shape has nothing on this plane.")
    return _picture(png, IMMUTABLE)


@project_page(Role.REVIEWER)
def dispute(request: HttpRequest, project: Project, code: str, ordinal: int, z: int) -> HttpResponse:
    """Return where the readers differ on a plane, as a transparent picture; nothing where they do not."""
    row = catalog.item_for(person(request), project, code)
    medium, found = catalog.medium_of(row, ordinal), layers_of(row)
    etag = _etag(found, f"{ordinal}:{z}")
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    png = dispute_png(medium, found, z)
    return _with_etag(HttpResponse(status=204) if png is None else _picture(png, FRESH), etag)


@project_page(Role.REVIEWER)
def thumbnail(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Return a small picture of the plane on which the readers differ most, with the heat over it."""
    row = catalog.item_for(person(request), project, code)
    medium, found = _first_with_pixels(row), layers_of(row)
    etag = _etag(found, f"thumbnail:{medium.pixels_id}")
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    return _with_etag(_picture(dispute_thumbnail(medium, found, THUMBNAIL_PX), FRESH), etag)


def _first_with_pixels(row: Item) -> Medium:
    media = catalog.media_of(row)
    return next((medium for medium in media if medium.pixels_id is not None), media[0])


def _picture(png: bytes, cache: str) -> HttpResponse:
    response = HttpResponse(png, content_type="image/png")
    response["Cache-Control"] = cache
    return response


def _with_etag(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = FRESH
    return response


def _etag(found: tuple[Layer, ...], place: str) -> str:
    keys = ",".join(layer.key for layer in found)
    return f'"{hashlib.sha256(f"1:{place}:{keys}".encode()).hexdigest()}"'
