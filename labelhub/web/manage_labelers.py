"""Labelers one by one and two by two, their gates, and classes: numbers with intervals. By name: this is no league table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.analytics import selectors as analytics
from labelhub.analytics.cases import concerns_of, stand_out
from labelhub.analytics.event_words import facts_in_words
from labelhub.analytics.labeler_errors import errors_of
from labelhub.analytics.labeler_evidence import PARTS, work_key
from labelhub.analytics.labeler_standings import LabelerStanding, standings_of
from labelhub.annotations.plain import rater_key
from labelhub.projects import selectors
from labelhub.projects.errors import DomainError
from labelhub.projects.models import KeptApart, Labeler, Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.teams import apart_from, labelers_in, teams_of
from labelhub.routing import gates
from labelhub.scoring.panel_rows import Measured, PairRow, Panel
from labelhub.web.access import person, project_page
from labelhub.web.case_pictures import GAP_BETWEEN_PX, SIDE_PX
from labelhub.web.evidence import MOST_CODES, items_link, number_link
from labelhub.web.gate_chart import chart_of, rows_of
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv
from labelhub.web.words import ERROR_KINDS
from labelhub.workflow import pausing

# What a form may do with a labeler's gate, and what is said when it is done.
STEPS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "pause": (pausing.pause, "{name} is paused. Their last unsettled items go to others; resume them to undo this."),
    "propose": (pausing.propose, "A pause of {name} is proposed. Nothing changes for them until an admin decides."),
    "resume": (pausing.resume, "{name} gets work, and a new test starts with the next gold."),
}
# The tables of the page, one at a time: each is wide, and people look at one of them.
VIEWS: Mapping[str, str] = {
    "standing": "How each stands",
    "agreement": "With the other readers",
    "gold": "Against gold",
}
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


# Least sure labels shown of each question; the report has more.
MOST_DOUBTS = 10


@project_page(Role.ADMIN)
def labelers(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List labelers by name: gold after shrinkage, agreement, reviews, work, and how their gate stands."""
    team = team_asked_for(request, project)
    found = standings_of(project)
    if team is not None:
        inside = set(labelers_in(team).values_list("pk", flat=True))
        found = replace(found, rows=tuple(entry for entry in found.rows if entry.labeler.pk in inside))
    if wants_csv(request):
        return csv_answer(f"{project.slug}-labelers", CSV_HEADER, _csv_rows(found.rows))
    standing = found.standing
    view = request.GET.get("view", "")
    view = view if view in VIEWS else "standing"
    context = {
        "found": found,
        "lines": [_line(project, entry) for entry in found.rows] if view == "standing" else [],
        "has_labelers": bool(found.rows),
        "standing": standing,
        "policy": found.policy,
        "noticed": _noticed(found.rows, standing.panel) if standing is not None else frozenset(),
        "is_known": standing is None or standing.panel.source.are_raters_known,
        "views": VIEWS,
        "view": view,
        "table": _table(found.rows, view) if view != "standing" else None,
        "teams": teams_of(project),
        "team": team,
    }
    return render(request, "manage/labelers.html", context)


@project_page(Role.ADMIN)
def labeler(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one labeler: their numbers, the course of their gate, and what was noticed."""
    found = standings_of(project)
    entry = next((entry for entry in found.rows if entry.labeler.pk == pk), None)
    if entry is None:
        raise NotFound("There is no such labeler in this project.")
    standing = found.standing
    concerns = concerns_of(project, entry.labeler, standing.panel) if standing is not None else ()
    apart = list(apart_from(entry.labeler))
    line = _line(project, entry)
    context = {
        "entry": entry,
        "times": (
            ("Labeling", entry.active_s, entry.n_timed, line["labeling_time"]),
            ("Rework", entry.rework_s, entry.n_reworked, line["rework_time"]),
            ("Review", entry.desk.active_s, entry.desk.n, line["review_time"]),
        ),
        "line": line,
        "policy": found.policy,
        "standing": standing,
        "chart": chart_of(entry.trace),
        "gate_rows": rows_of(entry.trace),
        "facts": facts_in_words(entry.facts),
        "concerns": [
            (
                concern,
                items_link(project, codes=",".join(concern.items[:MOST_CODES])),
                _apart_from(concern.other, apart),
            )
            for concern in concerns
        ],
        "errors": [
            (named, ERROR_KINDS[named.kind], items_link(project, codes=",".join(named.items[:MOST_CODES])))
            for named in errors_of(entry.labeler)
        ],
        "first_copy": next((concern for concern in concerns if concern.other is not None), None),
        "case_size": (SIDE_PX, SIDE_PX),
        "pair_size": (2 * SIDE_PX + GAP_BETWEEN_PX, SIDE_PX),
    }
    return render(request, "manage/labeler.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def labeler_gate(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Pause a labeler, propose it, or end a pause or proposal; each with a reason."""
    chosen = selectors.labelers(project).filter(pk=pk).first()
    if chosen is None:
        raise NotFound("There is no such labeler in this project.")
    step = STEPS.get(request.POST.get("step", ""))
    if step is None:
        raise DomainError(
            "Choose what to do: pause, propose or resume. Nothing was changed.", code="no-step", status=400
        )
    act, done = step
    try:
        act(labeler=chosen, by=person(request), reason=request.POST.get("reason", ""))
    except gates.GateRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done.format(name=chosen.name))
    return redirect(f"{reverse('manage-labeler', args=[project.slug, pk])}#gate")


@project_page(Role.ADMIN)
def pairs(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how each two labelers agree, as a matrix with the items behind every cell; then classes and questions."""
    team = team_asked_for(request, project)
    standing = analytics.standing_of(project)
    panel = standing.panel if standing is not None else None
    rows = [row for row in panel.pairs if not row.item] if panel is not None else []
    if team is not None:
        inside = {rater_key(one) for one in labelers_in(team)}
        rows = [row for row in rows if {row.first, row.second} <= inside]
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
        "most_doubts": f":{MOST_DOUBTS}",
        "teams": teams_of(project),
        "team": team,
    }
    return render(request, "manage/pairs.html", context)


def _apart_from(other: Labeler | None, pairs: Sequence[KeptApart]) -> KeptApart | None:
    """Return which of the pairs keeps ``other`` apart, if any does."""
    return next((pair for pair in pairs if other is not None and other.pk in (pair.first_id, pair.second_id)), None)


def _noticed(entries: Sequence[LabelerStanding], panel: Panel) -> frozenset[int]:
    """The ids of the labelers about whom something stands out."""
    keys = stand_out(panel)
    return frozenset(entry.labeler.pk for entry in entries if rater_key(entry.labeler) in keys)


def _table(entries: Sequence[LabelerStanding], part: str) -> dict[str, Any]:
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
    # Most numbers are of two people in either order; a probability that the first is better has one for each.
    numbers = {(row.second, row.first): row.measured for row in rows}
    numbers |= {(row.first, row.second): row.measured for row in rows}
    sure = sorted(m.estimate.value for m in numbers.values() if m.estimate.is_defined and not m.is_grey)

    def cell(first: str, second: str) -> Cell:
        measured = numbers.get((first, second))
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


def _line(project: Project, entry: LabelerStanding) -> dict[str, Any]:
    """Return a labeler's numbers for the table, each with the list of the items behind it."""
    gold = items_link(project, labeler=str(entry.labeler.pk), gold="1")
    last = entry.trace.last
    return {
        "entry": entry,
        "gold": gold if entry.gold.items else "",
        "wrong": _with_codes(project, entry.wrong),
        "reviewed": _with_codes(project, entry.review.items),
        "agreement": number_link(project, entry.agreement.key) if entry.agreement and entry.agreement.items else "",
        "stretch": _with_codes(project, entry.in_stretch),
        # A pause by hand may rest on no gold: then on what was said of it.
        "pauses": _with_codes(project, entry.paused_over)
        or f"{reverse('manage-labeler', args=[project.slug, entry.labeler.pk])}#gate",
        "height": last.heights[-1] if last is not None else None,
        "last": last,
        **{part.replace("-", "_"): number_link(project, work_key(entry.labeler, part)) for part in PARTS},
    }


def _with_codes(project: Project, codes: Sequence[str]) -> str:
    return items_link(project, codes=",".join(codes[:MOST_CODES])) if codes else ""


# How times of work are measured.
TIMED = "signs of life with pauses above 30 s left out"


def _csv_rows(entries: Iterable[LabelerStanding]) -> Iterator[tuple[Any, ...]]:
    for entry in entries:
        own = (entry.gold, entry.shrunk, entry.better, entry.first_pass, entry.review)
        groups: list[tuple[str, tuple[Measured, ...]]] = [("gold and reviews", own)]
        if entry.row is not None:
            groups += [("other readers", entry.row.agreement), ("gold", entry.row.gold)]
        for against, numbers in groups:
            for measured in numbers:
                est = measured.estimate
                value, low, high = (number if number == number else None for number in (est.value, est.low, est.high))
                yield (
                    entry.labeler.name, against, measured.name, value, low, high, est.n, est.unit, est.method,
                    measured.is_grey, est.reason,
                )  # fmt: skip
        for name, count, unit in (
            ("labels made", entry.n_submitted, "submissions"), ("pauses", entry.n_pauses, "pauses"),
        ):  # fmt: skip
            yield (entry.labeler.name, "work", name, count, None, None, count, unit, "counted", False, "")
        for name, seconds, n in (
            ("labeling time, provisional", entry.active_s, entry.n_timed),
            ("rework time, provisional", entry.rework_s, entry.n_reworked),
            ("review time, provisional", entry.desk.active_s, entry.desk.n),
        ):
            value, reason = (seconds, "") if n else (None, "nothing was measured")
            yield (entry.labeler.name, "work", name, value, None, None, n, "s", TIMED, False, reason)
        for name, number, n, unit, method in _gate_numbers(entry):
            yield (entry.labeler.name, "gate", name, number, None, None, n, unit, method, False, "")


def _gate_numbers(entry: LabelerStanding) -> Iterator[tuple[str, Any, int, str, str]]:
    """How the gate stands, the last values of its last test and of the watch after it with their limits, and the pauses."""
    trace = entry.trace
    yield entry.gate or "none", None, len(trace.answers), "gold answers", "sequential test"
    test = next((part for part in reversed(trace.segments) if part.kind == "test"), None)
    if test is not None:
        n, method = len(test.heights), f"SPRT, test {test.test}"
        yield "log likelihood ratio of poor to good", test.heights[-1], n, "gold answers", method
        yield "log likelihood ratio that clears", test.lower, n, "gold answers", method
        yield "log likelihood ratio that fails", test.upper, n, "gold answers", method
    if trace.last is not None and trace.last.kind == "watch":
        n, method = len(trace.last.heights), f"CUSUM after test {trace.last.test}"
        yield "CUSUM", trace.last.heights[-1], n, "gold answers", method
        yield "CUSUM that alarms", trace.last.upper, n, "gold answers", method
    if entry.last_paused_at is not None:
        yield "last pause began", entry.last_paused_at.isoformat(), entry.n_pauses, "pauses", "counted"
