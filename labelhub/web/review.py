"""The reviewer's inbox by expected value of a look, decisions, and one's own reviewing."""

from __future__ import annotations

import uuid
from collections import Counter

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.analytics.item_table import reader_counts
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.reviews import questions, selectors
from labelhub.reviews.models import Decision
from labelhub.scoring.reads import reads_of
from labelhub.web.access import page, person, project_page
from labelhub.web.context import Home, homes_of
from labelhub.workflow import lifecycle
from labelhub.workflow.steps import versions_of

LENGTH = 60
VOTED = "Your vote is kept; the panel decides"
RECENT = 100
MOST_SHAPES = 1000


@page("reviewer")
def inbox(request: HttpRequest) -> HttpResponse:
    """Show what waits for this reviewer, the most valuable look first, in one project or in all of theirs."""
    homes = [home for home in homes_of(person(request)) if home.may_review]
    asked = request.GET.get("project", "")
    chosen = [home for home in homes if home.project.slug == asked] if asked else homes
    if asked and not chosen:
        raise NotFound("There is no such project, or you do not review in it.")
    rows = [(row, home) for home in chosen for row in selectors.inbox(person(request), home.project, limit=LENGTH)]
    rows.sort(key=lambda entry: -entry[0].value)
    if len(chosen) == 1:
        request.project = chosen[0].project  # type: ignore[attr-defined]
    asked_of = [
        (row, home) for home in chosen for row in questions.open_questions(person(request), home.project)[:LENGTH]
    ]
    claims = [(row, home) for home in chosen for row in questions.open_claims(person(request), home.project)[:LENGTH]]
    versions = versions_of(row.item for row, _ in rows[:LENGTH])
    readers = reader_counts(row.item for row, _ in rows[:LENGTH])
    context = {
        "rows": [(row, home, readers.get(row.item.pk, 0), versions[row.item.pk]) for row, home in rows[:LENGTH]],
        "questions": asked_of, "claims": claims,
        "homes": homes, "asked": asked, "n_waiting": _n_waiting(request, chosen), "length": LENGTH,
        "project": chosen[0].project if len(chosen) == 1 else None,
    }  # fmt: skip
    return render(request, "review/inbox.html", context)


@project_page(Role.REVIEWER, methods=("POST",))
def decide(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Judge one reader's submission; then go to what waits next."""
    item = catalog.item_for(person(request), project, code)
    chosen = _number(request.POST.get("submission", ""), most=2**62)
    submission = next((one for one in reads_of(item).current if one.pk == chosen), None)
    if submission is None:
        raise NotFound("This reading is no longer the newest of its reader. Nothing was stored. Load the page again.")
    verdict = request.POST.get("verdict", "")
    lifecycle.review(
        submission=submission, reviewer=person(request), verdict=verdict,
        score=_number(request.POST.get("score", ""), most=10), comment=request.POST.get("comment", ""),
        request_id=_request_id(request), seen=_seen(request),
    )  # fmt: skip
    item.refresh_from_db()
    is_vote = verdict == Decision.Verdict.ACCEPT and item.state == Item.State.REVIEW
    word = VOTED if is_vote else "Accepted" if verdict == Decision.Verdict.ACCEPT else "Returned"
    return _next(request, project, item, word)


@project_page(Role.REVIEWER, methods=("POST",))
def settle(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Settle the item by the vote of all its current readers."""
    item = catalog.item_for(person(request), project, code)
    reason = request.POST.get("comment", "").strip() or "A reviewer looked and took the readers' vote."
    settlement = lifecycle.accept_readers(item=item, reason=reason, by=person(request), seen=_seen(request))
    return _next(request, project, item, "Settled by the readers' vote" if settlement else VOTED)


@project_page(Role.REVIEWER, methods=("POST",))
def ambiguous(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Settle the item as ignore, or one reading of it with single shapes ignored: no label is right there."""
    item = catalog.item_for(person(request), project, code)
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
    lifecycle.declare_ambiguous(
        item=item, by=person(request), reason=request.POST.get("comment", ""), submission=submission, shapes=shapes,
        seen=_seen(request),
    )  # fmt: skip
    return _next(
        request, project, item, "Settled as ambiguous" if submission is None else "Settled, in part as ambiguous"
    )


@page("reviewer")
def me(request: HttpRequest) -> HttpResponse:
    """Show this reviewer their own judgements."""
    made = list(selectors.judged_by(person(request))[:RECENT])
    verdicts = Counter(decision.verdict for decision in made)
    scores = [decision.score for decision in made if decision.score is not None]
    mean = sum(scores) / len(scores) if scores else None
    names = {Decision.Verdict.ACCEPT: "accepted", Decision.Verdict.REJECT: "returned"}
    counts = {word: verdicts.get(verdict, 0) for verdict, word in names.items()}
    context = {"made": made, "counts": counts, "mean_score": mean, "n_scores": len(scores), "recent": RECENT}
    return render(request, "review/me.html", context)


def _next(request: HttpRequest, project: Project, item: Item, word: str) -> HttpResponse:
    """Go on with the same item while it waits for a reviewer, else back to the inbox; htmx gets an empty card."""
    item.refresh_from_db()
    if request.headers.get("HX-Request") == "true":
        return HttpResponse("")
    messages.success(request, f"{word}. Item {item.code}: {item.get_state_display().lower()}.")
    if item.state == Item.State.REVIEW and word != VOTED:
        return redirect("review-item", project.slug, item.code)
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


def _n_waiting(request: HttpRequest, homes: list[Home]) -> int:
    return sum(selectors.n_waiting(person(request), home.project) for home in homes)
