"""Comments and disputes for reviewers: the list of what waits for an answer, and each act from it or from an item's page.

Not here: who reads what, and the rows (``reviews.threads``, ``reviews.tickets``); what an author sees (``labeling``).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.accounts.models import User
from labelhub.catalog import selectors as catalog
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role, Team
from labelhub.projects.permissions import NotFound
from labelhub.projects.teams import labelers_in
from labelhub.reviews import thread_list, threads, tickets
from labelhub.reviews.models import Dispute
from labelhub.reviews.pseudonyms import veils
from labelhub.reviews.thread_list import Wanted
from labelhub.reviews.threads import Pin
from labelhub.reviews.writing import readers_of
from labelhub.scoring.reads import reads_of
from labelhub.web.access import page, person, project_page
from labelhub.web.blind_review import veil_disputes, veil_threads
from labelhub.web.context import homes_of
from labelhub.web.review_teams import offered_teams
from labelhub.workflow import lifecycle

SHOWN = {"waiting": "Waits for you", "open": "Open", "resolved": "Resolved", "all": "All"}
MOST_PEOPLE, MOST_DISPUTES = 8, 50


@page("reviewer")
def inbox(request: HttpRequest) -> HttpResponse:
    """List threads and disputes of this reviewer's projects, those that wait for an answer first."""
    user, homes = person(request), [home for home in homes_of(person(request)) if home.may_review]
    asked = request.GET.get("project", "")
    here = [home for home in homes if not asked or home.project.slug == asked]
    chosen = [home.project for home in here]
    if asked and not chosen:
        raise NotFound("There is no such project, or you do not review in it.")
    show = request.GET.get("show") or "open"
    if show not in SHOWN:
        raise DomainError("There is no such list. Choose one from the menu.", code="filter-refused", status=400)
    before = _place(request.GET.get("before", ""))
    teams, team = offered_teams(request, here)
    text, mine = request.GET.get("q", "").strip()[:100], request.GET.get("mine") == "1"
    wanted = Wanted(show=show, text=text, mine=mine, team=team)
    found = thread_list.page_of(user, chosen, wanted, before=before)
    if len(chosen) == 1:
        request.project = chosen[0]  # type: ignore[attr-defined]
    _veil(user, found)
    context = {
        "rows": found.rows, "before": found.before, "shown": SHOWN, "wanted": wanted, "homes": homes, "asked": asked,
        "disputes": _disputes(user, chosen, team) if show != "resolved" and not before else [],
        "is_filtered": bool(wanted.text or wanted.mine or asked or team or show != "open"),
        "teams": teams, "team": team,
        "project": chosen[0] if len(chosen) == 1 else None,
    }  # fmt: skip
    return render(request, "review/threads.html", context)


@project_page(Role.REVIEWER, methods=("POST",))
def open_thread(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Open a thread on an item, or on a reading, a shape or a place of it."""
    item, post = catalog.item_for(person(request), project, code), request.POST
    thread = threads.open_thread(
        item=item, by=person(request), text=post.get("text", ""), request_id=_request_id(post), pin=_pin(item, post),
        is_for_author=post.get("for_author") == "1",
    )  # fmt: skip
    messages.success(request, "Written. Who is named in it is told.")
    return HttpResponseRedirect(f"{reverse('review-item', args=[project.slug, item.code])}#thread-{thread.pk}")


@project_page(Role.REVIEWER, methods=("POST",))
def reply(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Answer in a thread."""
    thread = threads.thread_for(person(request), project, pk)
    threads.reply(
        thread=thread, by=person(request), text=request.POST.get("text", ""), request_id=_request_id(request.POST)
    )
    return _back(request, project, thread.item.code, thread.pk)


@project_page(Role.REVIEWER, methods=("POST",))
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Mend one's own comment; what it said before is kept."""
    comment = threads.comment_for(person(request), project, pk)
    threads.edit(
        comment=comment, by=person(request), text=request.POST.get("text", ""), request_id=_request_id(request.POST)
    )
    return _back(request, project, comment.thread.item.code, comment.thread_id)


@project_page(Role.REVIEWER, methods=("POST",))
def turn(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Resolve a thread, or open it again."""
    thread = threads.thread_for(person(request), project, pk)
    is_resolved = request.POST.get("resolved") == "1"
    seen = _place(request.POST.get("seen", "")) or 0
    threads.turn(thread=thread, by=person(request), is_resolved=is_resolved, seen=seen)
    return _back(request, project, thread.item.code, thread.pk)


@project_page(Role.REVIEWER)
def people(request: HttpRequest, project: Project) -> JsonResponse:
    """Return who may be named in a comment and whose name begins so: for completing it while it is typed."""
    start = request.GET.get("q", "").strip().casefold()[:60]
    found = [
        {"name": str(user), "username": user.username} for user in readers_of(project)
        if user.username.casefold().startswith(start) or str(user).casefold().startswith(start)
    ]  # fmt: skip
    return JsonResponse({"people": found[:MOST_PEOPLE]})


@project_page(Role.REVIEWER, methods=("POST",))
def close_dispute(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take a dispute that waits for its third reader to a reviewer: to oneself, unless one returned the reading."""
    dispute = tickets.dispute_for(person(request), project, pk)
    lifecycle.close_dispute(dispute=dispute, by=person(request))
    messages.success(
        request, f"Item {dispute.item.code} is with a reviewer now. Whoever settles it decides the dispute."
    )
    return redirect("review-item", project.slug, dispute.item.code)


def _veil(user: User, found: thread_list.ThreadPage) -> None:
    """Tell each thread as its readers may be named."""
    by_project: dict[int, list[thread_list.ThreadRow]] = {}
    for row in found.rows:
        by_project.setdefault(row.thread.item.project_id, []).append(row)
    for rows in by_project.values():
        project = rows[0].thread.item.project
        veil = veils(user, project, {row.thread.item_id: row.thread.item for row in rows}.values())
        for row in rows:
            veil_threads([(row.thread, row.said)], veil[row.thread.item_id])


def _disputes(user: User, projects: Sequence[Project], team: Team | None) -> list[tuple[Dispute, bool]]:
    """The disputes that are not decided, each with whether this reviewer may take it; of a team its people's."""
    own = {} if team is None else {"ticket__submission__assignment__labeler__in": labelers_in(team)}
    rows = []
    for project in projects:
        found = list(tickets.open_disputes(user, project).filter(**own)[:MOST_DISPUTES])
        veil = veils(user, project, {row.item_id: row.item for row in found}.values())
        for row in found:
            veil_disputes([row], veil[row.item_id])
        rows += found
    return [(row, not tickets.is_party(user, row.item)) for row in rows]


def _pin(item: Any, post: QueryDict) -> Pin:
    chosen, shape = post.get("submission", ""), post.get("shape", "")[:64]
    submission = None
    if chosen:
        submission = next((one for one in reads_of(item).every if str(one.pk) == chosen), None)
        if submission is None:
            raise NotFound("There is no such reading of this item. Nothing was stored. Load the page again.")
    if not post.get("medium", ""):
        return Pin(submission=submission, shape_id=shape)
    return Pin(
        submission=submission, shape_id=shape, medium=int(_number(post, "medium")), x=_number(post, "x"),
        y=_number(post, "y"), z=int(_number(post, "z")), radius=_number(post, "radius") if post.get("radius") else None,
    )  # fmt: skip


def _number(post: QueryDict, name: str) -> float:
    try:
        value = float(post.get(name, "")[:24])
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise DomainError(
            "The place of this comment is no place on the picture. Nothing was stored. Choose it again.",
            code="pin-refused", status=400,
        )  # fmt: skip
    return value


def _place(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise DomainError("This place in the list is none of ours. Start again.", code="filter-refused", status=400)
    return int(text)


def _request_id(post: QueryDict) -> uuid.UUID:
    try:
        return uuid.UUID(post.get("request_id", "")[:36])
    except ValueError as error:
        raise DomainError(
            "This form has no number, so it could be stored twice. Nothing was stored. Load the page again.",
            code="request-id-missing", status=400,
        ) from error  # fmt: skip


def _back(request: HttpRequest, project: Project, code: str, thread: int) -> HttpResponse:
    """Back to the list where the act came from it, else to the item."""
    if request.POST.get("from") == "list":
        query = request.POST.get("query", "")[:400]
        return HttpResponseRedirect(f"{reverse('review-threads')}{f'?{query}' if query else ''}")
    return HttpResponseRedirect(f"{reverse('review-item', args=[project.slug, code])}#thread-{thread}")
