"""The activity table, and what an admin does from it: queue work again, give it, hand it over; and the batches.

Not here: the acts themselves (``workflow.distribution``), the rows (``analytics.activity``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.analytics.activity import (
    DEFAULT_SORT,
    PAGE,
    ActivityFilter,
    ActivityRefused,
    ActivityRow,
    activity_page,
    all_rows,
    chosen,
)
from labelhub.analytics.item_table import labelers_of
from labelhub.assignments.batches import batch_rows, batches_of, change_batch, make_batch
from labelhub.assignments.models import Assignment
from labelhub.catalog.selectors import items_by_code
from labelhub.projects import teams
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import labelers
from labelhub.web.access import actor, person, project_page
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv
from labelhub.workflow import distribution, watching
from labelhub.workflow.distribution import Outcome

CSV_HEADER = (
    "item", "source_id", "labeler", "teams", "kind", "state", "given", "begun", "lease_until", "due", "closed", "assigned_by",
    "continues_draft_of", "reason", "skip_reason",
)  # fmt: skip
KINDS = ("independent", "assisted", "unblinded", "co-edited", "rework", "repeat", "adjudication", "training", "unknown")
MOST_CHOSEN = 500


@project_page(Role.ADMIN)
def activity(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List every assignment with its filters in the address, as a page or as CSV."""
    sort = request.GET.get("sort") or DEFAULT_SORT
    wanted = _filter_of(request.GET)
    if wants_csv(request):
        return csv_answer(f"{project.slug}-activity", CSV_HEADER, _csv_rows(all_rows(project, wanted=wanted)))
    try:
        page = activity_page(project, wanted=wanted, sort=sort, after=request.GET.get("after", ""))
    except ActivityRefused as error:
        raise DomainError(str(error), code="filter-refused", status=400) from error
    context = {
        "page": page,
        "wanted": wanted,
        "labelers": labelers_of(project),
        "teams": teams.teams_of(project),
        "batches": batches_of(project),
        "states": Assignment.State.values,
        "kinds": KINDS,
        "is_filtered": wanted != ActivityFilter(),
        "default_sort": DEFAULT_SORT,
        "watched": {work.id for work in watching.live_work(person(request), project, most=PAGE)},
    }
    return render(request, "manage/activity.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def act(request: HttpRequest, project: Project) -> HttpResponse:
    """Do one thing with the chosen rows: queue them again, or hand them over to somebody."""
    post = request.POST
    rows = chosen(project, post.getlist("chosen")[:MOST_CHOSEN])
    if not rows:
        raise DomainError("No row was chosen. Nothing was changed.", code="nothing-chosen", status=400)
    reason = post.get("reason", "")
    if post.get("act") == "requeue":
        outcome = distribution.requeue(chosen=rows, by=person(request), reason=reason)
    elif post.get("act") == "hand-over":
        to = _labeler(project, post.get("to", ""))
        outcome = distribution.hand_over(
            chosen=rows, to=to, by=person(request), reason=reason, due_at=_day(post.get("due", ""))
        )
    else:
        raise DomainError(
            "This is nothing that can be done with rows. Nothing was changed.", code="act-unknown", status=400
        )
    _tell(request, outcome, len(rows))
    return redirect(_back(project, post))


@project_page(Role.ADMIN, methods=("POST",))
def assign(request: HttpRequest, project: Project) -> HttpResponse:
    """Give items, named by their codes, to a labeler by hand."""
    post = request.POST
    items = items_by_code(project, _codes(post))
    if not items:
        raise DomainError("No item has one of these codes. Nothing was changed.", code="nothing-chosen", status=400)
    outcome = distribution.assign_by_hand(
        items=items, labeler=_labeler(project, post.get("to", "")), by=person(request), due_at=_day(post.get("due", ""))
    )
    _tell(request, outcome, len(items))
    return redirect(_back(project, post))


@project_page(Role.ADMIN)
def batches(request: HttpRequest, project: Project) -> HttpResponse:
    """List the batches, and how far each is; with a team, how far its items are."""
    team = team_asked_for(request, project)
    context = {"rows": batch_rows(project, team=team), "teams": teams.teams_of(project), "team": team}
    return render(request, "manage/batches.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def add_batch(request: HttpRequest, project: Project) -> HttpResponse:
    """Make a batch of the items whose codes are named."""
    post = request.POST
    items = items_by_code(project, _codes(post))
    if not items:
        raise DomainError("No item has one of these codes. Nothing was changed.", code="nothing-chosen", status=400)
    batch = make_batch(
        project=project, name=post.get("name", ""), items=items, by=actor(request), is_shared=post.get("shared") == "1",
        priority=_whole(post.get("priority", "0"), low=-1000, high=1000), due_at=_day(post.get("due", "")),
        qualification=post.get("qualification", ""),
    )  # fmt: skip
    messages.success(request, f"“{batch}” has {len(items)} items now.")
    return redirect("manage-batches", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def edit_batch(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Change the priority, due date and qualification of a batch."""
    batch = batches_of(project).filter(pk=pk).first()
    if batch is None:
        raise NotFound("There is no such batch in this project.")
    post = request.POST
    change_batch(
        batch=batch, priority=_whole(post.get("priority", "0"), low=-1000, high=1000), due_at=_day(post.get("due", "")),
        qualification=post.get("qualification", ""), by=actor(request),
    )  # fmt: skip
    messages.success(request, f"“{batch}” was changed.")
    return redirect("manage-batches", project.slug)


def _filter_of(get: QueryDict) -> ActivityFilter:
    return ActivityFilter(
        labeler=_key(get.get("labeler", "")), team=_key(get.get("team", "")), batch=_key(get.get("batch", "")),
        kind=_one_of(get.get("kind", ""), KINDS), state=_one_of(get.get("state", ""), Assignment.State.values),
        text=get.get("q", "").strip()[:100], only_late=get.get("late") == "1", by_hand=get.get("hand") == "1",
    )  # fmt: skip


def _one_of(value: str, allowed: Iterable[str]) -> str:
    if value and value not in allowed:
        raise DomainError(
            f"{value[:40]!r} is none of {', '.join(allowed)}. Choose from the list.", code="filter-refused", status=400
        )
    return value


def _key(text: str) -> int | None:
    return _whole(text, low=0, high=10**12) if text else None


def _whole(text: str, *, low: int, high: int) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12 or not low <= int(text) <= high:
        raise DomainError(f"{text[:40]!r} is no whole number from {low} to {high}. Nothing was changed.", status=400)
    return int(text)


def _day(text: str) -> datetime | None:
    """Return the end of the day that a date field names."""
    if not text:
        return None
    try:
        return datetime.combine(datetime.fromisoformat(text).date(), time(23, 59), tzinfo=UTC)
    except ValueError as error:
        raise DomainError(
            f"{text[:40]!r} is no date. Write one like 2026-03-31. Nothing was changed.", status=400
        ) from error


def _labeler(project: Project, key: str) -> Labeler:
    found = labelers(project).filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 12 else None
    if found is None:
        raise DomainError("Choose to whom. Nothing was changed.", code="labeler-missing", status=400)
    return found


def _codes(post: QueryDict) -> list[str]:
    return post.get("codes", "").replace(",", " ").split()[:5000]


def _back(project: Project, post: QueryDict) -> str:
    """The table with the filters that the rows were chosen under."""
    return f"{reverse('manage-activity', args=[project.slug])}?{QueryDict(post.get('filters', '')[:500]).urlencode()}"


def _tell(request: HttpRequest, outcome: Outcome, n: int) -> None:
    if outcome.n_done:
        messages.success(request, f"{outcome.n_done} of {n} done.")
    for sentence, count in outcome.kept.items():
        messages.warning(request, f"{count} stayed as they were. {sentence}")


def _csv_rows(rows: Iterable[ActivityRow]) -> Iterator[tuple[Any, ...]]:
    for entry in rows:
        row = entry.assignment
        yield (
            row.item.code, row.item.source_id, row.labeler.name, "; ".join(team.name for team in entry.teams), row.read_kind,
            row.state, *(at and at.isoformat() for at in (row.created_at, row.begun_at, row.lease_until, row.due_at)),
            row.closed_at and row.closed_at.isoformat(), str(row.assigned_by or ""), entry.former and entry.former.name,
            row.reason, row.skip_reason,
        )  # fmt: skip
