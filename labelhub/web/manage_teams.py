"""Teams and qualifications of labelers, and the pairs who never read the same item."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.analytics.cases import CopyingPair, copying_pairs
from labelhub.analytics.selectors import kept_standing
from labelhub.projects import teams
from labelhub.projects.errors import DomainError
from labelhub.projects.models import KeptApart, Labeler, Project, Role, Team
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import labelers
from labelhub.scoring.panel_rows import Panel
from labelhub.web.access import actor, project_page
from labelhub.web.evidence import MOST_CODES, items_link


@project_page(Role.ADMIN)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the teams, who is in them, who holds which qualification, and who is kept apart."""
    team = team_asked_for(request, project)
    everybody = list(labelers(project))
    shown = everybody if team is None else list(labelers(project).filter(pk__in=teams.labelers_in(team)))
    members, held = teams.team_names(shown), teams.qualifications_of(shown)
    rows = [
        (labeler, [one.pk for one in members.get(labeler.pk, ())], ", ".join(held.get(labeler.pk, ())))
        for labeler in shown
    ]
    # First the panel: measuring keeps apart whom it finds.
    standing = kept_standing(project)
    apart = list(teams.pairs_apart(project))
    keys = {frozenset((pair.first_id, pair.second_id)) for pair in apart}
    context = {
        "teams": teams.teams_of(project),
        "kinds": Team.Kind.values,
        "team": team,
        "rows": rows,
        "everybody": everybody,
        "pairs": [(pair, _items_behind(project, pair)) for pair in apart],
        "let_together": _let_together(project, None if standing is None else standing.panel, keys),
    }
    return render(request, "manage/teams.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def add(request: HttpRequest, project: Project) -> HttpResponse:
    """Make a team."""
    team = teams.make_team(
        project=project, name=request.POST.get("name", ""), kind=request.POST.get("kind", ""), by=actor(request)
    )
    messages.success(request, f"There is a team “{team}” now.")
    return redirect("manage-teams", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def place(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Set the teams and qualifications of a labeler."""
    labeler = _labeler(project, str(pk))
    chosen = set(request.POST.getlist("team"))
    mine = [team for team in teams.teams_of(project) if str(team.pk) in chosen]
    names = request.POST.get("qualifications", "").split(",")
    teams.place(labeler=labeler, teams=mine, qualifications=names[:20], by=actor(request))
    messages.success(request, f"Kept for {labeler}.")
    return redirect("manage-teams", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def keep_apart(request: HttpRequest, project: Project) -> HttpResponse:
    """Never give two labelers the same item from now on."""
    post = request.POST
    teams.keep_apart(
        first=_labeler(project, post.get("first", "")), second=_labeler(project, post.get("second", "")),
        reason=post.get("reason", ""), by=actor(request),
    )  # fmt: skip
    messages.success(request, "The two read no item together from now on. What both read already stays.")
    return redirect("manage-teams", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def let_together(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take a separation back."""
    pair = teams.pairs_apart(project).filter(pk=pk).first()
    if pair is None:
        raise NotFound("There is no such pair in this project.")
    teams.let_together(pair=pair, by=actor(request))
    messages.success(request, f"{pair.first} and {pair.second} may read the same items again.")
    return redirect("manage-teams", project.slug)


def _items_behind(project: Project, pair: KeptApart) -> str:
    """Return the address of the items by which the system found the pair; nothing where an admin keeps it apart."""
    codes = pair.evidence.get("items", ())
    return items_link(project, codes=",".join(codes[:MOST_CODES])) if codes else ""


def _let_together(project: Project, panel: Panel | None, apart: set[frozenset[int]]) -> list[tuple[CopyingPair, str]]:
    """The pairs that the newest panel found copying and that may still read the same items, each with its items."""
    found = () if panel is None else copying_pairs(project, panel)
    return [
        (pair, items_link(project, codes=",".join(pair.items[:MOST_CODES])))
        for pair in found
        if frozenset((pair.first.pk, pair.second.pk)) not in apart
    ]


def team_asked_for(request: HttpRequest, project: Project) -> Team | None:
    """Return the team that the address filters by; None where it names none. Raises ``DomainError`` for an unknown one."""
    asked = request.GET.get("team", "")
    if not asked:
        return None
    found = teams.teams_of(project).filter(pk=int(asked)).first() if _is_key(asked) else None
    if found is None:
        raise DomainError(
            "There is no such team in this project. Choose from the list.", code="filter-refused", status=400
        )
    return found


def _labeler(project: Project, key: str) -> Labeler:
    found = labelers(project).filter(pk=int(key)).first() if _is_key(key) else None
    if found is None:
        raise NotFound("There is no such labeler in this project.")
    return found


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 15
