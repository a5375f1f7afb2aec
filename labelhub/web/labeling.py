"""The annotator's pages: the queue, the labeling page, one's own work, and the steps taken from them.

Nothing here tells whether an item is gold, why it was handed out, what others drew or how anything scored: two worlds that
differ only in hidden labels give the same pages, and steps are answered on a beat (``workflow.beat``). Not here: the
drawing itself (``static/js/label``, ``api.documents``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.annotations import documents
from labelhub.annotations.replies import kept_reply
from labelhub.annotations.selectors import OwnWork, has_draft, own_work
from labelhub.assignments.batches import lies_in_shared_batch
from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import drawn_by, is_recalled, own_assignment, own_queue
from labelhub.catalog.published_examples import examples_in
from labelhub.catalog.selectors import media_of
from labelhub.catalog.tiles import level_count
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_guideline, current_policy, guideline_of, labeler_of
from labelhub.projects.services import acknowledge_guideline
from labelhub.reviews.questions import answered, own_questions
from labelhub.reviews.selectors import own_comments
from labelhub.reviews.threads import own_threads
from labelhub.reviews.tickets import own_disputes, own_ticket
from labelhub.reviews.verdicts import errors_returned
from labelhub.routing.gates import is_paused
from labelhub.web.access import page, person
from labelhub.web.context import Home, homes_of
from labelhub.web.label_feedback import training_of
from labelhub.workflow import lifecycle, together
from labelhub.workflow.beat import on_a_beat
from labelhub.workflow.errors import GuidelineUnread, StepRefused
from labelhub.workflow.handing_out import outlook

BODY_BYTES = 64 * 1024
BAR_STEP = 20


@page("annotator")
def queue(request: HttpRequest) -> HttpResponse:
    """One button to start, and under it what waits, what was done today, and the state of one's own recent work."""
    labeler = _labeler(request, request.GET.get("project", ""))
    request.project = labeler.project  # type: ignore[attr-defined]
    guideline, is_acknowledged = guideline_of(labeler)
    mine = own_queue(labeler, recent=12)
    before = outlook(labeler, holds_work=bool(mine.open))
    begun = has_draft([entry.id for entry in mine.open])
    has_disputed = any(entry.state == Assignment.State.DISPUTED for entry in mine.closed)
    return render(
        request,
        "label/queue.html",
        {
            "labeler": labeler,
            "guideline": guideline,
            "examples": examples_in(guideline),
            "is_acknowledged": is_acknowledged,
            "returned": [entry for entry in mine.open if entry.is_rework],
            "begun": [entry for entry in mine.open if not entry.is_rework],
            "paused": mine.paused,
            "answered": answered([entry.id for entry in mine.open]),
            "with_draft": begun,
            "recent": mine.closed,
            "disputes": own_disputes(labeler, recent=5) if has_disputed else (),
            "has_work": before.has_work,
            "exam_left": before.exam_left,
            "is_paused": before.is_paused,
            "refusal": before.refusal,
            "work": own_work(labeler),
            "together": together.shared_work(labeler) if before.has_batches else (),
            "others": [home for home in _homes(request) if home.project != labeler.project],
        },
    )


@page("annotator", methods=("POST",))
@on_a_beat
def take_next(request: HttpRequest) -> HttpResponse:
    """Hand out the next item and open it."""
    labeler = _labeler(request, request.POST.get("project", ""))
    try:
        address = _next_address(labeler, is_told=True)
    except StepRefused as refusal:
        messages.warning(request, str(refusal))
        address = queue_address(labeler)
    if address is None:
        messages.info(request, "Nothing waits for you in this project now. Come back later, or take another project.")
        return redirect(queue_address(labeler))
    return redirect(address)


@page("annotator", methods=("POST",))
def acknowledge(request: HttpRequest, guideline_id: int) -> HttpResponse:
    """Record that the instructions were read."""
    for home in homes_of(person(request)):
        guideline = current_guideline(home.project)
        if guideline.pk == guideline_id:
            labeler = labeler_of(person(request), home.project)
            acknowledge_guideline(labeler=labeler, guideline=guideline)
            return redirect(queue_address(labeler))
    messages.warning(request, "These instructions were replaced meanwhile. Read the newer version.")
    return redirect("label-queue")


@page("annotator")
def workspace(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """The labeling page of one assignment; opening it starts the clock of its lease.

    Who may join the people who label it together is asked whether they want to.
    """
    try:
        own = drawn_by(request.user, assignment)
    except NotFound:
        together.work_to_join(person(request), assignment)
        return redirect("label-join", assignment)
    is_companion = own.labeler.user_id != person(request).pk
    document = documents.document_of(assignment=own)
    if own.state == Assignment.State.OPEN:
        documents.renew_lease(assignment=own, policy=document.policy)
    is_rework = own.read_kind == "rework"
    policy = current_policy(own.labeler.project)[1]
    comments = own_comments(own.labeler, own.item) if is_rework else ()
    return render(
        request,
        "label/workspace.html",
        {
            "assignment": own,
            "is_companion": is_companion,
            "is_shared": lies_in_shared_batch(own.item),
            "guideline": document.guideline,
            "examples": examples_in(document.guideline),
            "is_rework": is_rework,
            "is_expired": own.state == Assignment.State.EXPIRED,
            "is_recalled": is_recalled(own),
            "questions": () if is_companion else own_questions(own),
            "comments": [comment for comment in comments if comment.comment],
            "threads": () if is_companion else own_threads(own.labeler, own.item),
            "ticket": own_ticket(own, policy) if is_rework else None,
            "errors": errors_returned(own, policy) if is_rework else (),
            "queue_address": queue_address(own.labeler),
            "first_slice": _first_slice(own),
        },
    )


def _first_slice(own: Assignment) -> str:
    """Return the address of the slice that the page shows first: the middle one of an item's only medium, else none."""
    media = media_of(own.item)
    if len(media) != 1 or media[0].pixels_id is None or level_count(media[0]):
        return ""
    return reverse("api-own-slice", args=[own.pk, media[0].ordinal, "axial", (media[0].size_z - 1) // 2])


@page("annotator", methods=("POST",))
@on_a_beat
def take_again(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Give the work back whose time ended and open it; where it is too late for that, say so on the queue."""
    own = own_assignment(request.user, assignment)
    try:
        lifecycle.take_again(assignment=own, by=person(request))
    except (StepRefused, NotOpen) as refusal:
        messages.warning(request, str(refusal))
        return redirect(queue_address(own.labeler))
    return redirect("label-workspace", own.pk)


def answers_json(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer a refusal with its code and sentence, as the page's script expects, instead of a page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            return JsonResponse({"code": "not-found", "detail": str(error)}, status=404)
        except NotAllowed as error:
            return JsonResponse({"code": "not-allowed", "detail": str(error)}, status=403)
        except DomainError as error:
            return JsonResponse({"code": error.code, "detail": str(error)}, status=error.status)

    return guarded


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def submit(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Submit the assignment. A retried request gets the first answer: the same submission, and where to go on."""
    own = drawn_by(request.user, assignment)
    mine = own.labeler if own.labeler.user_id == person(request).pk else labeler_of(person(request), own.item.project)
    body = body_of(request)
    extent = body.get("extent")
    submission = lifecycle.submit(
        assignment=own,
        by=person(request),
        request_id=_request_id(body),
        no_finding=body.get("no_finding") is True,
        extent=extent if isinstance(extent, Mapping) else {},
    )

    def answer() -> str:
        reply = {"version": submission.version, "submitted_at": submission.submitted_at.isoformat()}
        is_training = own.read_kind == "training"
        after = reverse("label-feedback", args=[own.pk]) if is_training else onward(mine)
        return orjson.dumps(reply | {"next": after}).decode()

    kept = kept_reply(submission=submission, channel="page", make=answer)
    return HttpResponse(kept, content_type="application/json")


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def skip(request: HttpRequest, assignment: uuid.UUID) -> JsonResponse:
    """Give the item back, with a reason that reviewers and admins read."""
    own = own_assignment(request.user, assignment)
    reason = body_of(request).get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise DomainError("Say why you skip this image. Nothing was changed.", code="reason-missing", status=422)
    lifecycle.skip(assignment=own, reason=reason[:300])
    return JsonResponse({"next": onward(own.labeler)})


@page("annotator")
def my_work(request: HttpRequest) -> HttpResponse:
    """One's own counts, times and training. Private, and free of anything that depends on hidden labels."""
    labeler = _labeler(request, request.GET.get("project", ""))
    request.project = labeler.project  # type: ignore[attr-defined]
    mine = own_queue(labeler, recent=50)
    work = own_work(labeler)
    return render(
        request,
        "label/me.html",
        {
            "labeler": labeler,
            "is_paused": is_paused(labeler),
            "work": work,
            "recent": mine.closed,
            "mine": mine,
            "disputes": own_disputes(labeler),
            "bars": _bars(work),
            "bar_width": BAR_STEP * len(work.days),
            "finished_days": [entry for entry in reversed(work.days) if entry.n],
            **training_of(labeler),
        },
    )


def _bars(work: OwnWork) -> list[dict[str, Any]]:
    """One bar a day, in the units of the picture: 80 high, its foot at 80."""
    heights = [round(80 * entry.n / work.most_a_day) for entry in work.days]
    return [
        {"x": BAR_STEP * place + 2, "y": 80 - height, "height": height, "day": entry.day, "n": entry.n}
        for place, (entry, height) in enumerate(zip(work.days, heights, strict=True))
    ]


def _labeler(request: HttpRequest, slug: str) -> Labeler:
    """The labeler that this person is in the project named, else where work of theirs is begun, else in their first."""
    projects = [home.project for home in _homes(request)]
    labelers = []
    for project in projects:
        with suppress(NotFound):
            if not slug or project.slug == slug:
                labeler = labeler_of(person(request), project)
                labeler.project = project
                labelers.append(labeler)
    if not labelers:
        raise NotFound("You label in no such project. Ask an admin to add you.")
    begun = (labeler for labeler in labelers if not slug and own_queue(labeler, recent=1).open)
    return next(begun, labelers[0])


def _homes(request: HttpRequest) -> list[Home]:
    """The person's projects, read once a request; the page's frame finds them there too."""
    known: list[Home] | None = getattr(request, "homes", None)
    if known is None:
        known = request.homes = homes_of(person(request))  # type: ignore[attr-defined]
    return known


def _next_address(labeler: Labeler, *, is_told: bool = False) -> str | None:
    """Hand out the next item and return its page; None where there is none.

    The queue's page where the instructions must be read first, or where a refusal is told there: who asks again is told why
    (``is_told``).
    """
    try:
        assignment = lifecycle.hand_out(labeler=labeler)
    except GuidelineUnread:
        return queue_address(labeler)
    except StepRefused:
        # Paused, or an exam that was not passed: the queue says which; what was submitted before stands either way.
        if is_told:
            raise
        return queue_address(labeler)
    return None if assignment is None else reverse("label-workspace", args=[assignment.pk])


def onward(labeler: Labeler) -> str:
    """Return where somebody goes on who is done with an image: the next one, else their queue."""
    return _next_address(labeler) or queue_address(labeler)


def queue_address(labeler: Labeler) -> str:
    """Return the labeler's queue."""
    return f"{reverse('label-queue')}?project={labeler.project.slug}"


def body_of(request: HttpRequest) -> Mapping[str, Any]:
    """Return the JSON object that a script of ours sent. Raises ``DomainError``."""
    if len(request.body) > BODY_BYTES:
        raise DomainError("This request is too large. Nothing was changed.", code="too-large", status=413)
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise DomainError("This request cannot be read. Nothing was changed.", code="malformed", status=400) from error
    return body if isinstance(body, dict) else {}


def _request_id(body: Mapping[str, Any]) -> uuid.UUID:
    value = body.get("request_id")
    try:
        return uuid.UUID(value if isinstance(value, str) and len(value) <= 36 else "")
    except ValueError as error:
        raise DomainError("The request names no id. Nothing was submitted.", code="malformed", status=400) from error
