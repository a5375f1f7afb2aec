"""The pictures of a labeler's clearest cases. Not here: which cases they are (``analytics.cases``), how they are drawn."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse

from labelhub.analytics.layers import layers_of
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Medium
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.web.access import person, project_page
from labelhub.web.case_pictures import VERSION, case_png

FRESH = "private, no-cache"
BETWEEN = "+"


@project_page(Role.ADMIN)
def picture(request: HttpRequest, project: Project, code: str, layer: str, others: str) -> HttpResponse:
    """Return one layer of an item over others (their keys joined by "+"); with ``?pair=1`` the two side by side."""
    item = catalog.item_for(person(request), project, code)
    media, is_pair = catalog.media_of(item), "pair" in request.GET
    etag = _etag(media, f"{layer}:{others}:{is_pair}")
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    layers = {found.key: found for found in layers_of(item)}
    wanted = [layers.get(key) for key in (layer, *others.split(BETWEEN))]
    found = [entry for entry in wanted if entry is not None]
    if len(found) < len(wanted):
        raise NotFound("This item has no such layer any more. Load the page again.")
    png = case_png(media, found[0], found[1:], is_pair=is_pair)
    return _with_etag(HttpResponse(png, content_type="image/png"), etag)


def _etag(media: list[Medium], asked: str) -> str:
    """Shapes of a layer never change; the pixels' window may be set anew."""
    pixels = ",".join(f"{medium.pixels_id}:{medium.window_center}:{medium.window_width}" for medium in media)
    return f'"{hashlib.sha256(f"{VERSION}:{pixels}:{asked}".encode()).hexdigest()}"'


def _with_etag(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = FRESH
    return response
