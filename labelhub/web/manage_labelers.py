"""Labelers one by one and two by two, and classes: numbers with intervals. By name, never by rank: this is no league table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from labelhub.analytics import selectors as analytics
from labelhub.analytics.cases import concerns_of, stand_out
from labelhub.analytics.selectors import LabelerEntry
from labelhub.annotations.plain import rater_key
from labelhub.projects import selectors
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.teams import labelers_in, teams_of
from labelhub.scoring.panel_rows import Measured, PairRow, Panel
from labelhub.web.access import project_page
from labelhub.web.case_pictures import GAP_BETWEEN_PX, SIDE_PX
from labelhub.web.evidence import MOST_CODES, items_link
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv

CSV_HEADER = (
    "labeler", "against", "number", "value", "low", "high", "n", "unit", "method", "is_grey", "undefined_because",
)  # fmt: skip
SHADES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix of pairs; ``shade`` is 1 (least) to 5 (most) among the cells that are not grey."""

    measured: Measured | None
    first: Labeler | None
    second: Labeler | None
    shade: int


@project_page(Role.ADMIN)
def labelers(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List labelers by name with their numbers against the others and against gold."""
    standing = analytics.standing_of(project)
    entries = analytics.labeler_table(project)
    team = team_asked_for(request, project)
    if team is not None:
        inside = set(labelers_in(team).values_list("pk", flat=True))
        entries = tuple(entry for entry in entries if entry.labeler.pk in inside)
    if wants_csv(request):
        return csv_answer(f"{project.slug}-labelers", CSV_HEADER, _csv_rows(entries))
    rows = [entry.row for entry in entries if entry.row is not None]
    context = {
        "entries": entries,
        "standing": standing,
        "noticed": _noticed(entries, standing.panel) if standing is not None else frozenset(),
        "is_known": standing is None or standing.panel.source.are_raters_known,
        "tables": [
            ("With the other readers", _table(entries, "agreement")),
            ("Against gold", _table(entries, "gold")),
        ],
        "has_numbers": bool(rows),
        "teams": teams_of(project),
        "team": team,
    }
    return render(request, "manage/labelers.html", context)


@project_page(Role.ADMIN)
def labeler(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one labeler: what they did, their numbers, what they take for what, and what was noticed."""
    standing = analytics.standing_of(project)
    entry = next((entry for entry in analytics.labeler_table(project) if entry.labeler.pk == pk), None)
    if entry is None:
        raise NotFound("There is no such labeler in this project.")
    concerns = concerns_of(project, entry.labeler, standing.panel) if standing is not None else ()
    context = {
        "entry": entry,
        "standing": standing,
        "concerns": [
            (concern, items_link(project, codes=",".join(concern.items[:MOST_CODES]))) for concern in concerns
        ],
        "first_copy": next((concern for concern in concerns if concern.other is not None), None),
        "case_size": (SIDE_PX, SIDE_PX),
        "pair_size": (2 * SIDE_PX + GAP_BETWEEN_PX, SIDE_PX),
    }
    return render(request, "manage/labeler.html", context)


@project_page(Role.ADMIN)
def pairs(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how each two labelers agree, as a matrix with the items behind every cell; then classes and questions."""
    standing = analytics.standing_of(project)
    panel = standing.panel if standing is not None else None
    rows = [row for row in panel.pairs if not row.item] if panel is not None else []
    kinds = list(dict.fromkeys(row.about for row in rows))
    about = request.GET.get("about", "")
    about = about if about in kinds else next(iter(kinds), "")
    context = {
        "standing": standing,
        "panel": panel,
        "kinds": kinds,
        "about": about,
        "matrix": _matrix([row for row in rows if row.about == about], _by_key(project)),
        "confusion": _confusion(panel) if panel is not None else [],
    }
    return render(request, "manage/pairs.html", context)


def _noticed(entries: Sequence[LabelerEntry], panel: Panel) -> frozenset[int]:
    """The ids of the labelers about whom something stands out."""
    keys = stand_out(panel)
    return frozenset(entry.labeler.pk for entry in entries if rater_key(entry.labeler) in keys)


def _table(entries: Sequence[LabelerEntry], part: str) -> dict[str, Any]:
    """Return the columns and rows of one table; a labeler without a number has an empty cell there."""
    found = [(entry, getattr(entry.row, part) if entry.row is not None else ()) for entry in entries]
    names = list(dict.fromkeys(measured.name for _, numbers in found for measured in numbers))
    rows = []
    for entry, numbers in found:
        by_name = {measured.name: measured for measured in numbers}
        if by_name:
            rows.append((entry, [by_name.get(name) for name in names]))
    return {"names": names, "rows": rows}


def _matrix(rows: Sequence[PairRow], people: dict[str, Labeler]) -> dict[str, Any]:
    keys = sorted({key for row in rows for key in (row.first, row.second)}, key=lambda key: _shown(key, people))
    numbers = {frozenset((row.first, row.second)): row.measured for row in rows}
    sure = sorted(m.estimate.value for m in numbers.values() if m.estimate.is_defined and not m.is_grey)

    def cell(first: str, second: str) -> Cell:
        measured = numbers.get(frozenset((first, second))) if first != second else None
        return Cell(measured, people.get(first), people.get(second), _shade(measured, sure))

    return {
        "names": [_shown(key, people) for key in keys],
        "rows": [
            (_shown(first, people), people.get(first), [cell(first, second) for second in keys]) for first in keys
        ],
    }


def _shade(measured: Measured | None, sure: Sequence[float]) -> int:
    """In which fifth of the certain numbers this one lies; 0 for grey, undefined and missing ones."""
    if measured is None or measured.is_grey or not measured.estimate.is_defined or sure[0] == sure[-1]:
        return 0
    share = (measured.estimate.value - sure[0]) / (sure[-1] - sure[0])
    return min(int(share * SHADES), SHADES - 1) + 1


def _confusion(panel: Panel) -> list[tuple[str, list[int]]]:
    if panel.classes is None:
        return []
    return [(label, list(row)) for label, row in zip(panel.classes.labels, panel.classes.confusion, strict=True)]


def _by_key(project: Project) -> dict[str, Labeler]:
    return {rater_key(labeler): labeler for labeler in selectors.labelers(project)}


def _shown(key: str, people: dict[str, Labeler]) -> str:
    return people[key].name if key in people else key


def _csv_rows(entries: Iterable[LabelerEntry]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        if entry.row is None:
            continue
        for against, numbers in (("other readers", entry.row.agreement), ("gold", entry.row.gold)):
            for measured in numbers:
                est = measured.estimate
                value, low, high = (number if number == number else None for number in (est.value, est.low, est.high))
                yield (
                    entry.labeler.name, against, measured.name, value, low, high, est.n, est.unit, est.method,
                    measured.is_grey, est.reason,
                )  # fmt: skip
