"""The gate's certificate: what a failed test means, how often it is wrong, and how much gold and work it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project, Role
from labelhub.projects.selectors import current_policy
from labelhub.projects.teams import annotators_in, teams_of
from labelhub.routing.gate_certificate import COMPARED_OVER, N_PLAYED, Behaviour, Certificate, among, certificate_of
from labelhub.routing.gate_plan import KINDS
from labelhub.web.access import project_page
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv

CSV_HEADER = ("what", "labeler", "right_on", "value", "low", "high", "n", "unit", "method")
ROLES = {"good": "good", "between": "between", "poor": "poor", "policy": "good by the policy"}
EXACT = "exact, by counting paths"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the certificate: what it says, and a cell for each kind of labeler of whom it is asked."""

    name: str
    note: str
    cells: tuple[Cell | None, ...]
    is_naive: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A share with its interval where it was played, or a bare exact number; ``is_error`` marks a wrong decision."""

    value: float
    low: float | None
    high: float | None
    n: int | None
    unit: str
    method: str
    is_error: bool = False
    is_count: bool = False


@project_page(Role.ADMIN)
def gate(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Show what the project's gate promises, or why it promises nothing."""
    team = team_asked_for(request, project)
    certificate = certificate_of(project)
    n_inside = certificate.supply.n_labelers if team is None else annotators_in(team)
    if team is not None:
        certificate = among(certificate, n_inside)
    lines = lines_of(certificate, n_inside, "this team's" if team is not None else "all")
    if wants_csv(request):
        return csv_answer(f"{project.slug}-gate", CSV_HEADER, _csv_rows(certificate, lines))
    version, policy = current_policy(project)
    good, poor = certificate.of("good"), certificate.of("poor")
    context = {
        "certificate": certificate,
        "plan": certificate.plan,
        "supply": certificate.supply,
        "lines": lines,
        "columns": [(ROLES[entry.role], entry.accuracy) for entry in certificate.behaviours],
        "good": good,
        "poor": poor,
        "kind": KINDS[certificate.plan.kind],
        "over": min(certificate.supply.reachable, COMPARED_OVER),
        "compared_over": COMPARED_OVER,
        "n_played": N_PLAYED,
        "version": version,
        "policy": policy,
        "teams": teams_of(project),
        "team": team,
        "n_inside": n_inside,
    }
    return render(request, "manage/gate.html", context)


def lines_of(certificate: Certificate, m: int, whose: str) -> tuple[Line, ...]:
    """Return the rows of the certificate; what happens to at least one is asked of ``m`` labelers, and left out of none."""
    over = min(certificate.supply.reachable, COMPARED_OVER)
    how = "exact" if certificate.is_counted else "played"
    lines = [
        _line("One test pauses", how, certificate, lambda b: _one(b.one.pauses, b, wrong_for="good")),
        _line("One test clears", how, certificate, lambda b: _one(b.one.clears, b, wrong_for="poor")),
    ]
    if over:
        lines += [
            _line(f"The whole gate pauses within the {over} planned gold items", "test, watch, new test on an alarm",
                  certificate, lambda b: _share(b.planned, b, wrong_for="good")),
        ]  # fmt: skip
    if over and m:
        people, note = f"{whose} {m} labeler{'' if m == 1 else 's'}", f"if all are such; {over} gold items each"
        lines += [
            _line(f"At least one of {people} is paused", note, certificate,
                  lambda b: _mistake(b.any_paused, b, wrong_for="good")),
            _line(f"At least one of {people} is not paused", note, certificate,
                  lambda b: _mistake(b.any_missed, b, wrong_for="poor")),
        ]  # fmt: skip
    lines += [
        _line(f"The whole gate pauses within {COMPARED_OVER} gold items", "for comparison with the rule below",
              certificate, lambda b: _share(b.compared, b, wrong_for="good")),
        Line(f"“Fewer than 8 of the last 10 right” pauses within {COMPARED_OVER}", _naive_note(certificate),
             tuple(_share(b.naive, b, wrong_for="good") for b in certificate.behaviours), is_naive=True),
        _line("Gold until a test decides: half within", how, certificate,
              lambda b: _count(b.work.gold_median, b.one.n_played or None)),
        _line("Gold until a test decides: 90 % within", how, certificate,
              lambda b: _count(b.work.gold_ninety, b.one.n_played or None)),
        _line("Tasks until a test decides: half within", _work_note(certificate), certificate,
              lambda b: _count(b.work.tasks_median, b.work.n)),
        _line("Tasks until a test decides: 90 % within", _work_note(certificate), certificate,
              lambda b: _count(b.work.tasks_ninety, b.work.n)),
    ]  # fmt: skip
    return tuple(lines)


def _naive_note(certificate: Certificate) -> str:
    if certificate.plan.kind != "credit":
        return "the usual rule, not used here"
    shares = ", ".join(f"{entry.naive_accuracy:.3g}" for entry in certificate.behaviours)
    return f"the usual rule, not used here; of labelers right on {shares}"


def _work_note(certificate: Certificate) -> str:
    exam = f"{certificate.exam} exam items first, then " if certificate.exam else ""
    return f"{exam}gold is {certificate.share:.0%} of the work"


def _line(name: str, note: str, certificate: Certificate, cell_of: Any) -> Line:
    return Line(name, note, tuple(cell_of(entry) for entry in certificate.behaviours))


def _one(value: float, behaviour: Behaviour, *, wrong_for: str) -> Cell:
    """A rate of one test: exact where paths were counted, else with the interval of playing it."""
    n, is_error = behaviour.one.n_played, _is_wrong(behaviour, wrong_for)
    if not n:
        return Cell(value, None, None, None, "", EXACT, is_error=is_error)
    share = proportion(round(value * n), n, unit="simulated raters", method="one test, played")
    return Cell(share.value, share.low, share.high, share.n, share.unit, share.method, is_error=is_error)


def _share(share: Estimate | None, behaviour: Behaviour, *, wrong_for: str) -> Cell:
    assert share is not None
    return Cell(
        share.value, share.low, share.high, share.n, share.unit, share.method, is_error=_is_wrong(behaviour, wrong_for)
    )


def _mistake(share: Estimate | None, behaviour: Behaviour, *, wrong_for: str) -> Cell | None:
    """The share where it is one of wrong decisions; of the others nobody asks it."""
    return _share(share, behaviour, wrong_for=wrong_for) if _is_wrong(behaviour, wrong_for) else None


def _count(value: int, n: int | None = None) -> Cell:
    return Cell(value, None, None, n, "drawn tests", EXACT if n is None else "drawn", is_count=True)


def _is_wrong(behaviour: Behaviour, wrong_for: str) -> bool:
    return behaviour.role == wrong_for or (wrong_for == "good" and behaviour.role == "policy")


def _csv_rows(certificate: Certificate, lines: tuple[Line, ...]) -> Iterator[tuple[Any, ...]]:
    for line in lines:
        for behaviour, cell in zip(certificate.behaviours, line.cells, strict=True):
            if cell is None:
                continue
            yield (
                line.name, ROLES[behaviour.role], behaviour.accuracy, cell.value, cell.low, cell.high, cell.n, cell.unit,
                cell.method,
            )  # fmt: skip
