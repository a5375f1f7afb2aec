"""The gold page: every gold with its kind, exposures and pass rate; making, drawing, excluding it; doubtful gold; exams."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_policy, labelers
from labelhub.projects.teams import labelers_in, teams_of
from labelhub.scoring import exams
from labelhub.scoring.gold_health import PAGE, GoldRow, gold_audit, gold_counts, gold_of, gold_rows
from labelhub.scoring.models import ExamRuling, GoldReference
from labelhub.web.access import actor, person, project_page
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv
from labelhub.workflow import golding

CSV_HEADER = ("item", "kind", "chosen", "made", "exposures", "resting_since", "passed", "low", "high", "n", "method")


@project_page(Role.ADMIN)
def gold(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Show the project's gold, what good labelers fail, and where labelers stand in the entry exam."""
    kind = request.GET.get("kind", "")
    if kind and kind not in GoldReference.Kind.values:
        raise DomainError("There is no such kind of gold. Choose from the list.", code="filter-refused", status=400)
    before = request.GET.get("before", "")
    place = int(before) if before.isascii() and before.isdigit() and len(before) < 15 else None
    rows = gold_rows(project, kind=kind, before=place)
    if wants_csv(request):
        return csv_answer(f"{project.slug}-gold", CSV_HEADER, (_line(row) for row in rows))
    _, policy = current_policy(project)
    team = team_asked_for(request, project)
    sitting = labelers(project) if team is None else labelers_in(team)
    here = [labeler for labeler in sitting if labeler.user_id is not None] if policy.exam_items else []
    context = {
        "rows": rows,
        "next_before": rows[-1].gold.pk if len(rows) == PAGE else None,
        "kind": kind,
        "kinds": GoldReference.Kind.values,
        "counts": gold_counts(project),
        "policy": policy,
        "audit": gold_audit(project),
        "n_promotable": len(golding.promotable(project)),
        "standings": exams.standings(here, policy),
        "verdicts": ExamRuling.Verdict.values,
        "teams": teams_of(project) if policy.exam_items else (),
        "team": team,
        "is_exam_short": policy.exam_items > exams.n_exam_gold(project),
    }
    return render(request, "manage/gold.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def draw(request: HttpRequest, project: Project) -> HttpResponse:
    """Make gold of settled items, at random or stratified."""
    post = request.POST
    n = post.get("n", "")
    made = golding.draw_gold(
        project=project, n=int(n) if n.isascii() and n.isdigit() and len(n) < 5 else 0, kind=post.get("kind", ""),
        by=person(request), is_stratified=post.get("how") != "random",
    )  # fmt: skip
    messages.success(request, f"{len(made)} item{'' if len(made) == 1 else 's'} became gold.")
    return redirect("manage-gold", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def exclude(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take one gold out of use, with a reason; scores are computed again."""
    golding.exclude_gold(gold=_gold(project, pk), reason=request.POST.get("reason", ""), by=person(request))
    messages.success(request, "The gold is out of use, and no accuracy rests on it any more.")
    return redirect("manage-gold", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def doubt(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send the item of a gold to the reviewers."""
    golding.send_to_experts(gold=_gold(project, pk), by=person(request), reason="Good labelers fail it.")
    messages.success(request, "The item is with the reviewers now.")
    return redirect("manage-gold", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def rule(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Decide about somebody's entry exam."""
    labeler = labelers(project).filter(pk=pk).first()
    if labeler is None:
        raise NotFound("There is no such labeler in this project.")
    post = request.POST
    exams.rule(labeler=labeler, verdict=post.get("verdict", ""), reason=post.get("reason", ""), by=actor(request))
    messages.success(request, f"Kept for {labeler}.")
    return redirect("manage-gold", project.slug)


def _gold(project: Project, pk: int) -> GoldReference:
    found = gold_of(project, pk)
    if found is None:
        raise NotFound("There is no such gold in use in this project.")
    return found


def _line(row: GoldRow) -> tuple[Any, ...]:
    gold, passed = row.gold, row.passed
    value, low, high = (number if number == number else None for number in (passed.value, passed.low, passed.high))
    return (
        gold.item.code, gold.kind, gold.drawn, gold.made_at.isoformat(), gold.n_exposures,
        gold.rested_at and gold.rested_at.isoformat(), value, low, high, passed.n, passed.method,
    )  # fmt: skip
