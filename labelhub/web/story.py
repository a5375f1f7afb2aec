"""The story of one item: a page for reviewers and admins, the pictures in it, and the same as one file that proves itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe

from labelhub.accounts.models import User
from labelhub.analytics.item_story import ItemStory, events_about, story_of
from labelhub.analytics.layers import Layer, layers_of
from labelhub.analytics.sight import Sight, sight_of
from labelhub.analytics.story_facts import HeldBy, StoryFacts, facts_of
from labelhub.analytics.story_names import Names, Veiled, codes_for, shown_names
from labelhub.analytics.story_summary import in_short
from labelhub.analytics.timeline import Entry, timeline_of
from labelhub.assignments.selectors import wanted_reads
from labelhub.audit.models import Event
from labelhub.audit.proofs import is_as_written, proven, sealed_page
from labelhub.audit.sealed import block
from labelhub.audit.services import chain_of
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item, Medium
from labelhub.exports.selectors import releases_holding
from labelhub.exports.stories import record_export
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_policy
from labelhub.reviews.pseudonyms import veil_of
from labelhub.reviews.selectors import hidden_since
from labelhub.reviews.sightings import keep_sighting
from labelhub.web.access import person, project_page
from labelhub.web.case_pictures import VERSION, case_png
from labelhub.web.on_desk import item_on_desk
from labelhub.web.overlays import dispute_thumbnail

FRESH = "private, no-cache"
PIXELS, DISPUTE = "pixels", "dispute"
SIDE_PX = 420


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the story: its name in the page, where it comes from, and what it shows."""

    id: str
    src: str
    alt: str


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that the page and the file show."""

    story: ItemStory
    facts: StoryFacts
    events: tuple[Event, ...]
    entries: tuple[Entry, ...]
    context: dict[str, Any]


@project_page(Role.REVIEWER)
def story(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Show what happened to the item, from its pixels to its releases, as far as this person may see it."""
    item = item_on_desk(request, project, code)
    sight = sight_of(person(request), item)
    told = _told(item, sight, None, person(request))
    keys = {entry.picture for entry in told.entries if entry.picture}
    if sight.sees_others and len(told.story.current) > 1 and told.story.media:
        keys.add(DISPUTE)
    pictures = {
        key: Picture(f"picture-{key}", reverse("review-story-picture", args=[project.slug, code, key]), _alt(key))
        for key in keys
    }
    context = told.context | {"pictures": pictures, "is_whole": is_as_written(told.events)}
    return render(request, "story/page.html", context)


@project_page(Role.REVIEWER)
def picture(request: HttpRequest, project: Project, code: str, layer: str) -> HttpResponse:
    """Return one picture of the story: the pixels alone, where the readers differ, or what one of them drew."""
    item = item_on_desk(request, project, code)
    sight = sight_of(person(request), item)
    if layer != PIXELS and not sight.sees_others:
        raise NotFound("You may still read this item, so what others saw in it is not shown to you.")
    media, layers = catalog.media_of(item), layers_of(item) if layer != PIXELS else ()
    etag = _etag(media, layer, layers)
    if request.headers.get("If-None-Match") == etag:
        return _with_etag(HttpResponse(status=304), etag)
    return _with_etag(HttpResponse(_png(media, layers, layer), content_type="image/png"), etag)


@project_page(Role.REVIEWER, methods=("POST",))
def look(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Show somebody what others saw, at their own wish: they are given the item for no blind read any more."""
    item = item_on_desk(request, project, code)
    if sight_of(person(request), item).may_look:
        keep_sighting(item=item, by=person(request))
    return redirect("review-story", project.slug, code)


@project_page(Role.ADMIN, methods=("POST",))
def export(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Send the story as one file: people under numbers, pictures inside, events with their proofs, sealed. On the record."""
    item = catalog.item_for(person(request), project, code)
    if hidden_since(person(request), item) is not None:
        raise DomainError(
            "A panel votes on this item and you have not voted, so its whole story is not yours yet. Nothing was written. Vote "
            "first, or wait until the panel has decided.",
            code="votes-are-open",
        )
    page = story_file(item)
    record_export(item=item, by=person(request), content=page)
    answer = HttpResponse(page, content_type="text/html; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="story-{item.code}.html"'
    answer["Content-Length"] = str(len(page))
    return answer


def story_file(item: Item) -> bytes:
    """Return the whole story of an item as a sealed page that needs nothing beside it."""
    told = _told(item, Sight(), codes_for(item))
    keys = [entry.picture for entry in told.entries if entry.picture]
    if len(told.story.current) > 1 and told.story.media:
        keys.insert(0, DISPUTE)
    media, layers = catalog.media_of(item), layers_of(item)
    drawn = {key: _png(media, layers, key) for key in dict.fromkeys(keys)}
    pictures = {
        key: Picture(f"picture-{key}", f"data:image/png;base64,{base64.b64encode(png).decode()}", _alt(key))
        for key, png in drawn.items()
    }
    document = proven(chain_of(item.project_id), told.events) | {
        "item": item.code, "made_at": timezone.now().isoformat(),
        "pictures": [
            {"id": f"picture-{key}", "sha256": hashlib.sha256(png).hexdigest()} for key, png in drawn.items()
        ],
    }  # fmt: skip
    context = told.context | {
        "pictures": pictures, "document": document, "is_file": True,
        # Made here from numbers, hashes and escaped text: nothing in it can end the element.
        "block": mark_safe(block(document).decode()),  # noqa: S308
        "style": mark_safe(_style()),  # noqa: S308
    }  # fmt: skip
    return sealed_page(render_to_string("story/file.html", context).rstrip("\n").encode())


def _told(item: Item, sight: Sight, codes: Names | None, user: User | None = None) -> Told:
    """Tell the story; ``codes`` are used in place of names for what leaves."""
    story = story_of(item, user)
    held = [HeldBy(release.pk, release.number, release.sha256, number) for release, number in releases_holding(item)]
    facts = facts_of(story, held)
    rows = events_about(item, [reader.submission.pk for reader in story.readers], [row.pk for row in held], user=user)
    events = tuple(rows)
    names = codes or shown_names(events, facts.people(), item)
    if user is not None and (veil := veil_of(user, item)).item is not None:
        names = Veiled(names, veil)
    entries = timeline_of(events, facts, names, sight)
    context = {
        "item": item, "project": item.project, "entries": entries, "sight": sight,
        "n_events": len(events) if sight.sees_others else len(entries),
        "short": in_short(story, held, names, wanted=wanted_reads(item, current_policy(item.project)[1])),
    }  # fmt: skip
    return Told(story, facts, events, entries, context)


def _png(media: Sequence[Medium], layers: Sequence[Layer], key: str) -> bytes:
    """Draw one picture. The planes and cuts of what was drawn are the same, so that pictures can be compared."""
    if not media:
        raise NotFound("This item has no picture.")
    medium = next((entry for entry in media if entry.pixels_id is not None), media[0])
    readers = [layer for layer in layers if layer.kind == "reader"]
    if key == PIXELS:
        return dispute_thumbnail([medium], (), SIDE_PX)
    if key == DISPUTE:
        return dispute_thumbnail([medium], tuple(readers), SIDE_PX)
    own = next((layer for layer in layers if layer.key == key), None)
    if own is None:
        raise NotFound("This item has no such picture.")
    return case_png(media, own, [layer for layer in readers if layer.key != key], is_pair=False)


def _alt(key: str) -> str:
    if key == PIXELS:
        return "The item, with nothing drawn on it"
    if key == DISPUTE:
        return "The item, with where its readers differ"
    if key.startswith("c"):
        return "The settled label in a solid line, the readers in dashed ones"
    return "This reading in a solid line, the other readers in dashed ones"


def _style() -> str:
    found = [finders.find(f"css/{name}.css") for name in ("tokens", "story")]
    return "\n".join(Path(str(place)).read_text(encoding="utf-8") for place in found if place)


def _etag(media: Sequence[Medium], layer: str, layers: Sequence[Layer]) -> str:
    """Shapes of a layer never change; which layers there are and the pixels' window do."""
    pixels = ",".join(f"{medium.pixels_id}:{medium.window_center}:{medium.window_width}" for medium in media)
    keys = ",".join(f"{entry.kind}:{entry.key}" for entry in layers)
    return f'"{hashlib.sha256(f"story:{VERSION}:{pixels}:{layer}:{keys}".encode()).hexdigest()}"'


def _with_etag(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = FRESH
    return response
