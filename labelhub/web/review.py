"""The reviewer's inbox by expected value of a look, decisions, and one's own reviewing."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.accounts.models import User
from labelhub.analytics.own_acts import own_acts
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import item_for
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role, Team
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_policy
from labelhub.projects.teams import labelers_in
from labelhub.reviews import questions, selectors
from labelhub.reviews.appraisals import appraised_by
from labelhub.reviews.calibration import calibration_of
from labelhub.reviews.desk_time import beat_at_desk, desk_time_of
from labelhub.reviews.models import Decision
from labelhub.reviews.pseudonyms import veils
from labelhub.reviews.reviewer_tests import hides_from, kinds_placed, open_test
from labelhub.scoring.reads import reads_of
from labelhub.web.access import page, person, project_page
from labelhub.web.blind_review import veil_asked
from labelhub.web.context import Home, homes_of
from labelhub.web.on_desk import item_on_desk, versions_seen
from labelhub.web.review_teams import offered_teams
from labelhub.workflow import lifecycle, watching

LENGTH = 60
VOTED = "Your vote is kept; the panel decides"
RECENT = 100
MOST_SHAPES = 1000


@page("reviewer")
def inbox(request: HttpRequest) -> HttpResponse:
    """Show what waits for this reviewer, the most valuable look first, in one project or in all of theirs."""
    homes = [home for home in request.homes if home.may_review]  # type: ignore[attr-defined]
    asked = request.GET.get("project", "")
    chosen = [home for home in homes if home.project.slug == asked] if asked else homes
    if asked and not chosen:
        raise NotFound("There is no such project, or you do not review in it.")
    teams, team = offered_teams(request, chosen)
    waits = [_waits(person(request), home, team) for home in chosen]
    found = [(row, one.home) for one in waits for row in one.found.rows]
    rows = sorted(found, key=lambda entry: -entry[0].value)[:LENGTH]
    if len(chosen) == 1:
        request.project = chosen[0].project  # type: ignore[attr-defined]
    tests = [test for one in waits for test in one.found.tests]
    versions = versions_seen(request, [row.item for row, _ in rows], tests=tests)
    context = {
        "rows": [(row, home, versions[row.item.pk], shown_words(row.n_media, row.depth)) for row, home in rows],
        "questions": [(row, one.home) for one in waits for row in one.questions],
        "claims": [(row, one.home) for one in waits for row in one.claims],
        "live": [
            (work, home.project.slug)
            for home in chosen
            for work in watching.live_work(person(request), home.project, is_reviewer=home.may_review, team=team)
        ],
        "teams": teams, "team": team,
        "homes": homes, "asked": asked, "n_waiting": sum(one.found.n_waiting for one in waits), "length": LENGTH,
        "project": chosen[0].project if len(chosen) == 1 else None,
    }  # fmt: skip
    return render(request, "review/inbox.html", context)


@project_page(Role.REVIEWER, methods=("POST",))
def beat(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Count a sign of life of who reviews the item; the time is measured here."""
    active_s = beat_at_desk(item=item_for(person(request), project, code), by=person(request))
    return JsonResponse({"active_s": round(active_s, 1)})


@project_page(Role.REVIEWER, methods=("POST",))
def decide(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Judge one reader's submission; then go to what waits next."""
    item = item_on_desk(request, project, code)
    chosen = _number(request.POST.get("submission", ""), most=2**62)
    submission = next((one for one in reads_of(item).current if one.pk == chosen), None)
    if submission is None:
        raise NotFound("This reading is no longer the newest of its reader. Nothing was stored. Load the page again.")
    verdict = request.POST.get("verdict", "")
    decided = lifecycle.review(
        submission=submission, reviewer=person(request), verdict=verdict,
        score=_number(request.POST.get("score", ""), most=10), comment=request.POST.get("comment", ""),
        request_id=_request_id(request), seen=_seen(request),
    )  # fmt: skip
    if decided is None:
        is_accepted = verdict == Decision.Verdict.ACCEPT
        return _tested(
            request,
            project,
            item,
            "Accepted" if is_accepted else "Returned",
            Item.State.SETTLED if is_accepted else Item.State.REWORK,
        )
    item.refresh_from_db()
    is_vote = verdict == Decision.Verdict.ACCEPT and item.state == Item.State.REVIEW
    word = VOTED if is_vote else "Accepted" if verdict == Decision.Verdict.ACCEPT else "Returned"
    return _next(request, project, item, word)


@project_page(Role.REVIEWER, methods=("POST",))
def settle(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Settle the item by the vote of all its current readers."""
    item = item_on_desk(request, project, code)
    reason = request.POST.get("comment", "").strip() or "A reviewer looked and took the readers' vote."
    is_test = open_test(person(request), item) is not None
    settlement = lifecycle.accept_readers(item=item, reason=reason, by=person(request), seen=_seen(request))
    if is_test:
        return _tested(request, project, item, "Settled by the readers' vote", Item.State.SETTLED)
    return _next(request, project, item, "Settled by the readers' vote" if settlement else VOTED)


@project_page(Role.REVIEWER, methods=("POST",))
def ambiguous(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Settle the item as ignore, or one reading of it with single shapes ignored: no label is right there."""
    item = item_on_desk(request, project, code)
    ticked = [text.partition(":") for text in request.POST.getlist("shape")[:MOST_SHAPES]]
    shapes = [shape_id for _, _, shape_id in ticked]
    submission = None
    if ticked:
        chosen = _number(request.POST.get("submission", ""), most=2**62)
        if any(key != str(chosen) for key, _, _ in ticked):
            raise DomainError(
                "Tick shapes of the one reading that you chose. Nothing was stored. Go back and choose again.",
                code="shapes-of-several", status=422,
            )  # fmt: skip
        submission = next((one for one in reads_of(item).current if one.pk == chosen), None)
        if submission is None:
            raise NotFound(
                "This reading is no longer the newest of its reader. Nothing was stored. Load the page again."
            )
    settlement = lifecycle.declare_ambiguous(
        item=item, by=person(request), reason=request.POST.get("comment", ""), submission=submission, shapes=shapes,
        seen=_seen(request),
    )  # fmt: skip
    word = "Settled as ambiguous" if submission is None else "Settled, in part as ambiguous"
    if settlement is None:
        return _tested(request, project, item, word, Item.State.AMBIGUOUS if submission is None else Item.State.SETTLED)
    return _next(request, project, item, word)


@page("reviewer")
def me(request: HttpRequest) -> HttpResponse:
    """Show this reviewer their own judgements, how they hold, and what they did, newest first."""
    projects = [home.project for home in homes_of(person(request)) if home.may_review]
    # What somebody decided of an item that is before them again, they are not told.
    tested = hides_from(person(request), projects)
    made = list(selectors.judged_by(person(request)).exclude(item__in=tested)[:RECENT])
    verdicts = Counter(decision.verdict for decision in made)
    appraised = appraised_by(person(request)).exclude(item__in=tested)[:RECENT]
    given = [row.score for row in made] + [row.score for row in appraised]
    scores = [score for score in given if score is not None]
    mean = sum(scores) / len(scores) if scores else None
    names = {Decision.Verdict.ACCEPT: "accepted", Decision.Verdict.REJECT: "returned"}
    counts = {word: verdicts.get(verdict, 0) for verdict, word in names.items()}
    held = calibration_of(person(request), projects)
    before = _moment(request.GET.get("before", ""))
    context = {
        "made": made, "counts": counts, "mean_score": mean, "n_scores": len(scores), "earlier": before is not None,
        "held": held, "desk": desk_time_of(person(request), projects),
        "is_tested": any(kinds_placed(current_policy(project)[1]) for project in projects), "has_several": len(projects) > 1,
        "acts": own_acts(person(request), projects, before=before),
    }  # fmt: skip
    return render(request, "review/me.html", context)


@dataclass(frozen=True, slots=True)
class _Waits:
    """What of one project waits for a reviewer."""

    home: Home
    found: selectors.Inbox
    questions: list[Any]
    claims: list[Any]


def _waits(user: User, home: Home, team: Team | None) -> _Waits:
    """What waits for ``user`` in a project, told as readers may be named to them. What all parts rest on is asked for once."""
    found = selectors.inbox(user, home.project, limit=LENGTH, team=team)
    own = {} if team is None else {"assignment__labeler__in": labelers_in(team)}
    asked: list[Any] = list(questions.open_questions(user, home.project).filter(**own)[:LENGTH])
    claims: list[Any] = list(questions.open_claims(user, home.project).filter(**own)[:LENGTH])
    items = {row.item_id: row.item for row in (*asked, *claims)} | {row.item.pk: row.item for row in found.rows}
    tested = {test.item_id for test in found.tests}
    veil = veils(user, home.project, items.values(), role=home.role, tested=tested)
    for row in (*asked, *claims):
        veil_asked([row], veil[row.item_id])
    rows = tuple(replace(row, reason=veil[row.item.pk].text(row.reason)) for row in found.rows)
    return _Waits(home, replace(found, rows=rows), asked, claims)


def shown_words(n_media: int, depth: int) -> str:
    """What of an item its thumbnail shows, in words; empty where it is all of it."""
    if n_media > 1:
        slices = " and its slice" if depth > 1 else ""
        return f"shown: of {n_media} pictures the one{slices} with most dispute"
    return f"shown: of {depth} slices the one with most dispute" if depth > 1 else ""


def _next(request: HttpRequest, project: Project, item: Item, word: str) -> HttpResponse:
    """Go on with the same item while it waits for a reviewer, else back to the inbox; htmx gets an empty card."""
    item.refresh_from_db()
    if request.headers.get("HX-Request") == "true":
        return HttpResponse("")
    messages.success(request, f"{word}. Item {item.code}: {item.get_state_display().lower()}.")
    if item.state == Item.State.REVIEW and word != VOTED:
        return redirect("review-item", project.slug, item.code)
    return HttpResponseRedirect(f"{reverse('review-inbox')}?project={project.slug}")


def _moment(text: str) -> datetime | None:
    """Return the time at which a page of acts begins; None for the first one."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text[:40])
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise DomainError("This place in the list is none of ours. Start again.", code="filter-refused", status=400)
    return at


def _tested(request: HttpRequest, project: Project, item: Item, word: str, state: Item.State) -> HttpResponse:
    """Go on as if what a tested reviewer decided had been done: that it was a test shows in nothing."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse("")
    is_vote = current_policy(project)[1].panel_reviewers > 1 and state == Item.State.SETTLED
    shown = Item.State.REVIEW if is_vote else state
    messages.success(request, f"{VOTED if is_vote else word}. Item {item.code}: {shown.label.lower()}.")
    return HttpResponseRedirect(f"{reverse('review-inbox')}?project={project.slug}")


def _request_id(request: HttpRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get("request_id", ""))
    except ValueError as error:
        raise DomainError(
            "This form has no number, so it could be stored twice. Nothing was stored. Load the page again.",
            code="request-id-missing", status=400,
        ) from error  # fmt: skip


def _seen(request: HttpRequest) -> str | None:
    """What the item was when the form was made; None where the form does not say."""
    return request.POST.get("version", "")[:80] or None


def _number(text: str, *, most: int) -> int | None:
    """Return the whole number in a field; None where it is empty; refused beyond ``most``."""
    if not text.strip():
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
        raise DomainError(
            f"“{text[:20]}” is no number from 0 to {most}. Nothing was stored.", code="number-refused", status=400
        )
    return int(text)
