"""One item for its reviewer: readers side by side and overlaid, and the pictures of the layers that the page asks for."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.accounts.models import User
from labelhub.analytics.item_story import ItemStory, story_of
from labelhub.analytics.layers import Layer, layer_named, layers_of
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item, Medium
from labelhub.consensus.regions import sitting_of
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.reviews import questions, tickets
from labelhub.reviews.pseudonyms import veil_of
from labelhub.reviews.reviewer_tests import open_test
from labelhub.reviews.selectors import has_read
from labelhub.reviews.sightings import keep_sighting, knows_others
from labelhub.reviews.threads import threads_about
from labelhub.scoring.reads import reads_of
from labelhub.web.access import person, project_page
from labelhub.web.blind_review import veil_asked, veil_disputes, veil_threads, veiled_layers, veiled_story
from labelhub.web.on_desk import item_on_desk, versions_seen, without_outcome
from labelhub.web.overlays import (
    Piece,
    dispute_piece,
    dispute_thumbnail,
    heat_piece,
    heat_step,
    layer_document,
    mask_png,
    wanted_in,
)
from labelhub.web.solid_label import solid_answer
from labelhub.web.viewer import viewer_of
from labelhub.web.words import ERROR_KINDS
from labelhub.workflow import watching
from labelhub.workflow.adjudicating import decides_by_region
from labelhub.workflow.panel import panel_seen
from labelhub.workflow.steps import current_reads

# Shapes of a submission never change; which layers there are does, so their list is asked for anew.
IMMUTABLE = "private, max-age=31536000, immutable"
FRESH = "private, no-cache"
THUMBNAIL_PX = 224
KINDS_SHOWN = [(number, kind, *words) for number, (kind, words) in enumerate(ERROR_KINDS.items(), start=1)]


@project_page(Role.REVIEWER)
def item(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Show the readers of one item and take a decision."""
    row = item_on_desk(request, project, code)
    is_own = has_read(person(request), row)
    keep_look(person(request), row, is_own=is_own)
    veil = veil_of(person(request), row)
    story = without_outcome(request, row, _without_gold(request, row, story_of(row, person(request))))
    story = veiled_story(story, veil)
    asked, claimed = list(questions.questions_about(row)), list(questions.claims_about(row))
    talk, disputed = threads_about(person(request), row), tickets.disputes_about(row)
    veil_asked([*asked, *claimed], veil)
    veil_disputes(disputed, veil)
    veil_threads([(thread, getattr(thread, "said", ())) for thread in talk], veil)
    context = {
        "item": row, "story": story, "viewer": viewer_of(request, project, story), "request_id": uuid.uuid4(),
        "version": versions_seen(request, [row])[row.pk], "questions": asked,
        "threads": talk, "disputes": disputed,
        "live": [(work, project.slug) for work in watching.live_work(person(request), project, item=row)],
        "decides": not is_own and decides_by_region(person(request), row),
        "may_take": not tickets.is_party(person(request), row), "new_id": uuid.uuid4(),
        "authors_read": current_policy(project)[1].authors_read_comments, "claims": claimed,
        "panel": panel_seen(person(request), row), "kinds": KINDS_SHOWN, "scores": range(11),
        "names_errors": bool(story.current) and not is_own,
        "is_own": is_own, "names": {r.submission.pk: r.labeler.name for r in story.readers},
    }  # fmt: skip
    return render(request, "review/item.html", context)


@project_page(Role.REVIEWER)
def layers(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Return all layers of the item: outlines as points, masks by where they lie."""
    row = item_on_desk(request, project, code)
    keep_look(person(request), row)
    _, ontology = current_ontology(project)
    return fresh_json({"layers": [layer_document(layer, ontology) for layer in _layers(request, row)]})


@project_page(Role.REVIEWER)
def mask(request: HttpRequest, project: Project, code: str, layer: str, number: int, z: int) -> HttpResponse:
    """Return one plane of one shape's mask as a PNG, or the ``part`` of it that is asked for; nothing where that is empty."""
    found = _layer(request, item_on_desk(request, project, code), layer)
    if number >= len(found.reading.shapes):
        raise NotFound("This layer has no such shape.")
    wanted = wanted_in(request.GET.get("part", ""))
    png = mask_png(found.reading.shapes[number], z, wanted)
    if png is None and wanted is None:
        raise NotFound("The shape has nothing on this plane.")
    return HttpResponse(status=204) if png is None else _picture(png, IMMUTABLE)


@project_page(Role.REVIEWER)
def solid(request: HttpRequest, project: Project, code: str, layer: str, ordinal: int) -> HttpResponse:
    """Return what a layer marks on a volume, for the 3-D view."""
    row = item_on_desk(request, project, code)
    found = _layer(request, row, layer)
    _, ontology = current_ontology(project)
    return solid_answer(catalog.medium_of(row, ordinal), found.reading.shapes, ontology)


@project_page(Role.REVIEWER)
def dispute(request: HttpRequest, project: Project, code: str, ordinal: int, z: int) -> HttpResponse:
    """Return where the readers differ on a plane, as a transparent picture of that part; nothing where they do not.

    ``X-Left`` and ``X-Top`` say where it begins, ``X-Step`` how many pixels of the plane one of its is.
    """
    row = item_on_desk(request, project, code)
    medium, found = catalog.medium_of(row, ordinal), _layers(request, row)
    etag = _etag(found, f"{ordinal}:{z}")
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    piece = _heat_of(row, medium, found, z)
    if piece is None:
        return _with_etag(HttpResponse(status=204), etag)
    response = _with_etag(_picture(piece.png, FRESH), etag)
    response["X-Left"], response["X-Top"], response["X-Step"] = str(piece.left), str(piece.top), str(piece.step)
    return response


@project_page(Role.REVIEWER)
def thumbnail(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Return a small picture of the plane on which the readers differ most, with the heat over it; of several media, of one."""
    row = item_on_desk(request, project, code)
    media, found = catalog.media_of(row), _layers(request, row)
    etag = _etag(found, f"thumbnail:{','.join(str(medium.pixels_id) for medium in media)}")
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    return _with_etag(_picture(dispute_thumbnail(media, found, THUMBNAIL_PX), FRESH), etag)


def keep_look(user: User, row: Item, *, is_own: bool | None = None) -> None:
    """Who opens the readings of others to review them is given the item for no blind read any more.

    ``is_own`` where the caller knows whether they read it themselves.
    """
    if not (has_read(user, row) if is_own is None else is_own) and not knows_others(user, row):
        keep_sighting(item=row, by=user)


def fresh_json(document: object) -> HttpResponse:
    """Return a document that may hold thousands of points, to be asked for anew each time."""
    response = HttpResponse(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json")
    response["Cache-Control"] = FRESH
    return response


def _hides_gold(request: HttpRequest, row: Item) -> bool:
    """Whether gold stays hidden: reviewers are measured on it too, as long as the item waits for one of them."""
    return getattr(request, "role", "") != Role.ADMIN and row.state == Item.State.REVIEW


def _hidden_kinds(request: HttpRequest, row: Item) -> frozenset[str]:
    """Which layers of the item are not this reviewer's to see before they have judged it."""
    hidden = {"gold"} if _hides_gold(request, row) else set()
    if open_test(person(request), row) is not None:
        hidden.add("settled")
    return frozenset(hidden)


def _layer(request: HttpRequest, row: Item, key: str) -> Layer:
    """One layer that this reviewer may see now. Raises ``NotFound``."""
    found = layer_named(row, key)
    if found.kind in _hidden_kinds(request, row):
        raise NotFound("This item has no such layer any more. Load the page again.")
    return found


def _layers(request: HttpRequest, row: Item) -> tuple[Layer, ...]:
    found = layers_of(row)
    hidden = _hidden_kinds(request, row)
    shown = tuple(layer for layer in found if layer.kind not in hidden)
    keys = {layer.key for layer in shown}
    every = [entry for entry in reads_of(row).every if f"s{entry.pk}" in keys]
    owners = {f"s{entry.pk}": entry.assignment.labeler_id for entry in every}
    return veiled_layers(shown, veil_of(person(request), row), owners)


def _without_gold(request: HttpRequest, row: Item, story: ItemStory) -> ItemStory:
    if not _hides_gold(request, row):
        return story
    readers = [replace(one, gold_similarity=None, gold_right=None) for one in story.readers if not one.is_gold]
    return replace(story, readers=tuple(readers), gold=None)


def _heat_of(item: Item, medium: Medium, found: tuple[Layer, ...], z: int) -> Piece | None:
    """The heat of painted classes is known from their disputes already; that of boxes is counted here."""
    reads = current_reads(item)
    if len(reads) < 2:
        return None
    ground = sitting_of(item, reads).found.grounds.get(medium.ordinal)
    if ground is None:
        return dispute_piece(medium, found, z)
    heat = ground.heat(z, heat_step(medium))
    return None if heat is None else heat_piece(medium, *heat)


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
    return f'"{hashlib.sha256(f"3:{place}:{keys}".encode()).hexdigest()}"'
