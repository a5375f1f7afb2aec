"""The admin's table of items, and everything about one item."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from labelhub.analytics.evidence import number_named
from labelhub.analytics.item_story import story_of
from labelhub.analytics.item_table import (
    DEFAULT_SORT,
    FilterRefused,
    ItemFilter,
    ItemRow,
    item_page,
    labelers_of,
)
from labelhub.analytics.labeler_evidence import Behind, work_named
from labelhub.analytics.selectors import standing_of
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.projects.teams import teams_of
from labelhub.routing.models import Route
from labelhub.scoring.gold import current_gold, make_gold, retire_gold
from labelhub.scoring.panel_rows import Measured
from labelhub.scoring.reads import reads_of
from labelhub.web.access import actor, person, project_page
from labelhub.web.evidence import MOST_CODES
from labelhub.web.tables import csv_answer, wants_csv
from labelhub.web.viewer import viewer_of
from labelhub.workflow import golding, lifecycle

GOLD_KIND = "hidden"
CSV_HEADER = (
    "item",
    "source_id",
    "group",
    "state",
    "since",
    "reads",
    "readers",
    "agreement",
    "pairs",
    "route",
    "reason",
)


@project_page(Role.ADMIN)
def items(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List the project's items with their filters in the address, as a page or as CSV."""
    sort = request.GET.get("sort") or DEFAULT_SORT
    try:
        behind = _number_behind(request, project)
        wanted = _filter_of(request, behind)
        if wants_csv(request):
            page = item_page(project, wanted=wanted, sort=sort, length=None)
            return csv_answer(f"{project.slug}-items", CSV_HEADER, _csv_rows(page.rows))
        page = item_page(project, wanted=wanted, sort=sort, after=request.GET.get("after", ""))
    except FilterRefused as error:
        raise DomainError(str(error), code="filter-refused", status=400) from error
    _, ontology = current_ontology(project)
    context = {
        "page": page,
        "wanted": wanted,
        "labelers": labelers_of(project),
        "states": Item.State.values,
        "teams": teams_of(project),
        "outcomes": Route.Outcome.values,
        "labels": ontology.classes,
        "behind": behind,
        "codes": request.GET.get("codes", ""),
        "is_filtered": wanted != ItemFilter(),
        "default_sort": DEFAULT_SORT,
        "min_pairs": 1,
    }
    return render(request, "manage/items.html", context)


@project_page(Role.ADMIN)
def item(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Show one item: picture with readers, scores, routes with reasons, decisions, label, history."""
    row = catalog.item_for(person(request), project, code)
    _, policy = current_policy(project)
    story = story_of(row, person(request))
    context = {"item": row, "story": story, "viewer": viewer_of(request, project, story), "policy": policy}
    return render(request, "manage/item.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def exclude(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Take an item out of the project's work, with a reason."""
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise DomainError("Say why the item is taken out. Nothing was changed.", code="reason-missing", status=400)
    lifecycle.exclude(item=catalog.item_for(person(request), project, code), by=person(request), reason=reason)
    messages.success(request, f"Item {code} was excluded. Its labels are kept.")
    return redirect("manage-item", project.slug, code)


@project_page(Role.ADMIN, methods=("POST",))
def gold(request: HttpRequest, project: Project, code: str) -> HttpResponse:
    """Make one reading of the item its gold, or take the present gold out of use; scores follow at once."""
    row = catalog.item_for(person(request), project, code)
    chosen = request.POST.get("submission", "")
    if chosen:
        submission = next((one for one in reads_of(row).every if str(one.pk) == chosen), None)
        if submission is None:
            raise NotFound("This item has no such reading.")
        make_gold(item=row, submission=submission, by=actor(request), kind=request.POST.get("kind") or GOLD_KIND)
        messages.success(request, "This reading is the item's gold now. It votes no more.")
    elif (current := current_gold(row)) is not None:
        given = request.POST.get("reason", "").strip()
        retire_gold(gold=current, reason=given or "taken out of use by an admin", by=actor(request))
        messages.success(request, "The gold is out of use. Accuracy rests on it no more.")
    golding.gold_changed(row)
    return redirect("manage-item", project.slug, code)


def _number_behind(request: HttpRequest, project: Project) -> Measured | Behind | None:
    """Return the number whose items the address asks for: of somebody's work, or of the kept panel."""
    key = request.GET.get("of", "")
    if not key:
        return None
    if (work := work_named(project, key)) is not None:
        return work
    standing = standing_of(project)
    found = number_named(standing.panel, key) if standing is not None else None
    if found is None:
        raise FilterRefused(
            "The numbers were measured anew and this one is gone. Go back to the overview and open it again."
        )
    return found


def _filter_of(request: HttpRequest, behind: Measured | Behind | None) -> ItemFilter:
    get = request.GET.get
    codes = get("codes", "")
    labelers = tuple(_whole(text) for text in request.GET.getlist("labeler") if text)
    below = get("below", "")
    return ItemFilter(
        state=_one_of(get("state", ""), Item.State.values),
        text=get("q", "").strip()[:100],
        outcome=_one_of(get("outcome", ""), Route.Outcome.values),
        labelers=labelers[:2],
        label=get("label", "")[:80],
        agreement_below=_number(below) if below else None,
        only_gold=get("gold", "") == "1",
        team=_whole(get("team", "")) if get("team") else None,
        codes=behind.items if behind is not None else tuple(codes.split(",")[:MOST_CODES]) if codes else None,
    )


def _one_of(value: str, allowed: list[str]) -> str:
    if value and value not in allowed:
        raise FilterRefused(f"{value[:40]!r} is none of {', '.join(allowed)}. Choose from the list.")
    return value


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise FilterRefused(f"{text[:40]!r} is no labeler's number. Choose from the list.")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise FilterRefused(f"{text[:40]!r} is no number. Write one like 0.8.") from error
    if not math.isfinite(value):
        raise FilterRefused(f"{text[:40]!r} is no number to compare with. Write one like 0.8.")
    return value


def _csv_rows(rows: tuple[ItemRow, ...]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        agreement = row.agreement
        yield (
            row.item.code, row.item.source_id, row.item.group_key, row.item.state, row.item.state_changed_at.isoformat(),
            len(row.readers), "; ".join(reader.name for reader in row.readers),
            agreement.value if agreement else None, agreement.n if agreement else 0, row.outcome, row.reason,
        )  # fmt: skip
