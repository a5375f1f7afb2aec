"""The admin's list of projects, and the overview of one: what the numbers say, each sentence with its evidence behind it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.analytics import selectors as analytics
from labelhub.analytics.item_table import state_counts
from labelhub.analytics.team_overview import overview_of_team
from labelhub.consensus.audits import residuals
from labelhub.predictions.selectors import networks_state
from labelhub.projects.models import Project, Role
from labelhub.projects.selectors import current_policy
from labelhub.projects.teams import teams_of
from labelhub.scoring.stored import display_names
from labelhub.web.access import page, person, project_page
from labelhub.web.context import homes_of
from labelhub.web.evidence import named, sentence_link
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.words import WITHOUT_NETWORKS

MOST_DISPUTED = 6


@page("admin")
def projects(request: HttpRequest) -> HttpResponse:
    """List the projects that this person manages, with how far each is."""
    rows = [
        {"project": home.project, "counts": (counts := state_counts(home.project)), "total": sum(counts.values())}
        for home in homes_of(person(request))
        if home.may_manage
    ]
    return render(request, "manage/projects.html", {"rows": rows})


@project_page(Role.ADMIN)
def overview(request: HttpRequest, project: Project) -> HttpResponse:
    """Say what the numbers say, at most four sentences; then funnel, agreement, gold, and what to look at first."""
    team = team_asked_for(request, project)
    found = analytics.project_overview(project) if team is None else overview_of_team(project, team)
    panel = found.standing.panel if found.standing is not None else None
    _, policy = current_policy(project)
    context = {
        "overview": found,
        "sentences": [
            (sentence, sentence_link(project, sentence, team=team.pk if team is not None else None))
            for sentence in found.sentences
        ],
        "counts": found.funnel,
        "total": found.n_items,
        "disputed": [row for row in panel.disputed if row.reason][:MOST_DISPUTED] if panel is not None else (),
        "cautions": [
            named(caution, display_names(project)) for caution in (panel.cautions if panel is not None else ())
        ],
        "residuals": residuals(project, team=team),
        "teams": teams_of(project),
        "team": team,
        "policy": policy,
        "without_networks": WITHOUT_NETWORKS.get(networks_state().value, ""),
    }
    return render(request, "manage/overview.html", context)
