"""Deciding an item matter by matter: the matters and their answers as JSON, the pictures of regions and of the label so far."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.urls import reverse

from labelhub.catalog import selectors as catalog
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_ontology
from labelhub.reviews.adjudications import others_at_work
from labelhub.reviews.pseudonyms import veil_of
from labelhub.web.access import person, project_page
from labelhub.web.matters import desk_document, matter_thumbnail, region_png
from labelhub.web.on_desk import item_on_desk
from labelhub.web.overlays import mask_png, wanted_in
from labelhub.web.review_item import fresh_json, keep_look
from labelhub.web.solid_label import solid_answer
from labelhub.workflow import adjudicating

MOST_BYTES, MOST_READINGS = 1 << 20, 100
SCORES = tuple(map(str, range(11)))
# Stands for the key of a matter in an address: no code is of this form.
ANY_KEY = "0" * 32
FRESH = "private, no-cache"
IMMUTABLE = "private, max-age=31536000, immutable"

View = Callable[..., HttpResponse]


def as_json(view: View) -> View:
    """Answer refusals with their code and sentence, as scripts read them."""

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except NotFound as error:
            return JsonResponse({"code": "not-found", "detail": str(error)}, status=404)
        except NotAllowed as error:
            return JsonResponse({"code": "not-allowed", "detail": str(error)}, status=403)
        except DomainError as error:
            return JsonResponse({"code": error.code, "detail": str(error)}, status=error.status)

    return answered


@project_page(Role.REVIEWER)
@as_json
def matters(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Return the matters of an item, how this reviewer answered them, and the label as it comes out."""
    item = item_on_desk(request, project, code)
    keep_look(person(request), item)
    return _answer(request, project, code, adjudicating.desk_of(item, person(request)))


@project_page(Role.REVIEWER, methods=("POST",))
@as_json
def answer(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Keep an answer to one matter; return what :func:`matters` does."""
    item = item_on_desk(request, project, code)
    sent = body_of(request)
    desk = adjudicating.answer_matter(
        item=item, by=person(request), key=str(sent.get("key", ""))[:64], choice=str(sent.get("choice", "")),
        submission=reading_in(sent),
        strokes=sent.get("strokes"), comment=str(sent.get("comment") or ""), request_id=request_id_of(sent),
    )  # fmt: skip
    return _answer(request, project, code, desk)


@project_page(Role.REVIEWER, methods=("POST",))
def settle(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Settle the item as it was decided, and go to what waits next."""
    item = item_on_desk(request, project, code)
    adjudicating.settle_regions(
        item=item, by=person(request), reason=request.POST.get("comment", ""),
        seen=request.POST.get("version", "")[:80] or None, said=_said(request.POST),
    )  # fmt: skip
    messages.success(request, f"Settled region by region. Item {item.code} is done.")
    return HttpResponseRedirect(f"{reverse('review-inbox')}?project={project.slug}")


@project_page(Role.REVIEWER)
def region(request: HttpRequest, project: Project, code: str, key: str, z: int) -> HttpResponse:
    """Return the voxels of a region on one plane as a PNG; nothing where it has none there."""
    png = region_png(_matter(request, project, code, key), z)
    return HttpResponse(status=204) if png is None else _picture(png, IMMUTABLE)


@project_page(Role.REVIEWER)
def thumbnail(request: HttpRequest, project: Project, code: str, key: str) -> HttpResponse:
    """Return a miniature of a region with the picture around it."""
    item = item_on_desk(request, project, code)
    matter = _matter(request, project, code, key)
    if matter.medium is None or matter.box is None:
        raise NotFound("This question has no place on a picture.")
    return _picture(matter_thumbnail(catalog.medium_of(item, matter.medium), matter), IMMUTABLE)


@project_page(Role.REVIEWER)
def result_mask(request: HttpRequest, project: Project, code: str, number: int, z: int) -> HttpResponse:
    """Return one plane of one shape of the label as it comes out now."""
    item = item_on_desk(request, project, code)
    parts = adjudicating.desk_of(item, person(request)).label.parts
    wanted = wanted_in(request.GET.get("part", ""))
    png = mask_png(parts[number].shape, z, wanted) if number < len(parts) else None
    if png is None and (wanted is None or number >= len(parts)):
        raise NotFound("The label has nothing there.")
    return HttpResponse(status=204) if png is None else _picture(png, FRESH)


@project_page(Role.REVIEWER)
def result_solid(request: HttpRequest, project: Project, code: str, ordinal: int) -> HttpResponse:
    """Return the label as it comes out now on a volume, for the 3-D view."""
    item = item_on_desk(request, project, code)
    parts = adjudicating.desk_of(item, person(request)).label.parts
    _, ontology = current_ontology(project)
    return solid_answer(catalog.medium_of(item, ordinal), [part.shape for part in parts], ontology)


def _said(post: QueryDict) -> dict[int, adjudicating.Said]:
    """What the form says of readings: a score and a comment for each, by the reading's id."""
    keys = [name.removeprefix("comment-") for name in post if name.startswith("comment-")][:MOST_READINGS]
    found = {}
    for key in keys:
        score = post.get(f"score-{key}", "").strip()
        if not key.isascii() or not key.isdigit() or len(key) > 18 or (score and score not in SCORES):
            raise DomainError(
                "A score is a whole number from 0 to 10. Nothing was settled, and your answers are kept.",
                code="number-refused", status=400,
            )  # fmt: skip
        found[int(key)] = adjudicating.Said(int(score) if score else None, post.get(f"comment-{key}", ""))
    return found


def _matter(request: HttpRequest, project: Project, code: str, key: str) -> adjudicating.Matter:
    item = item_on_desk(request, project, code)
    matter = adjudicating.desk_of(item, person(request)).sitting.found.by_key.get(key)
    if matter is None:
        raise NotFound("This region is no longer in dispute. Load the page again.")
    return matter


def _answer(request: HttpRequest, project: Project, code: str, desk: adjudicating.Desk) -> HttpResponse:
    item = item_on_desk(request, project, code)
    _, ontology = current_ontology(project)
    letters = veil_of(person(request), item).letters
    document = desk_document(desk, ontology, others_at_work(item, person(request)), letters)
    # One address is looked up for all of them: there may be hundreds.
    place = reverse("review-matter-thumbnail", args=[project.slug, code, ANY_KEY])
    for matter in document["matters"]:
        if matter["kind"] in ("area", "object"):
            matter["thumbnail"] = place.replace(ANY_KEY, matter["key"])
    return fresh_json(document)


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object that was sent. Raises ``DomainError``."""
    if len(request.body) > MOST_BYTES:
        raise DomainError(
            "What was sent is too large. Nothing was stored. Draw fewer points.", code="too-large", status=413
        )
    try:
        sent = json.loads(request.body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DomainError("What was sent is no answer. Nothing was stored.", code="unreadable", status=400) from error
    if not isinstance(sent, dict) or "\0" in request.body.decode(errors="replace"):
        raise DomainError("What was sent is no answer. Nothing was stored.", code="unreadable", status=400)
    return sent


def reading_in(sent: dict[str, Any]) -> int | None:
    """Return the id of the reading that is named by the key of its layer."""
    reader = str(sent.get("reader") or "")[:19]
    return int(reader[1:]) if reader[:1] == "s" and reader[1:].isascii() and reader[1:].isdigit() else None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def request_id_of(sent: dict[str, Any]) -> uuid.UUID:
    """Return the number that makes a retry meet its first. Raises ``DomainError``."""
    try:
        return uuid.UUID(str(sent.get("request_id", "")))
    except ValueError as error:
        raise DomainError(
            "This answer has no number, so it could be stored twice. Nothing was stored. Load the page again.",
            code="request-id-missing", status=400,
        ) from error  # fmt: skip


def _picture(png: bytes, cache: str) -> HttpResponse:
    response = HttpResponse(png, content_type="image/png")
    response["Cache-Control"] = cache
    return response
