"""The admin's list of projects, and the overview of one: what the numbers say, each sentence with its evidence behind it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.analytics.item_table import state_counts
from labelhub.projects.models import Project, Role
from labelhub.web.access import page, person, project_page
from labelhub.web.context import homes_of


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
    """Say what the numbers say."""
    counts = state_counts(project)
    return render(request, "manage/overview.html", {"counts": counts, "total": sum(counts.values())})
