"""A new project in one page: name, classes, policy in plain words, people. All but the name may be left for later."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import Ontology, OntologyProblem
from labelhub.projects.policy import Policy, PolicyProblem
from labelhub.projects.services import create_project
from labelhub.web import ontology_form, policy_words
from labelhub.web.access import page, person
from labelhub.web.invitations import InvitationRefused, Invited, invite
from labelhub.web.manage_rules import builder_context, typed_rows
from labelhub.web.ontology_guess import GuessRefused
from labelhub.web.ontology_guess import guess as guess_ontology

MOST_BYTES = 64 * 1024 * 1024
MOST_PEOPLE = 200
# The rules that a first project is asked for; the rest keep their defaults until somebody looks under Policy.
ASKED = ("readers", "max_readers", "accept_agreement", "gold_share")


class FormRefused(ValueError):
    """Something in the form cannot be used; nothing was stored."""


@page("admin", methods=("GET", "POST"))
@never_cache
def new(request: HttpRequest) -> HttpResponse:
    """Ask for what a project needs; make it, all or nothing."""
    if request.method == "GET":
        return _page(request, builder_context([], ""))
    try:
        project, invited = _make(request)
    except (OntologyProblem, PolicyProblem, InvitationRefused, FormRefused) as error:
        context = builder_context(typed_rows(request), request.POST.get("questions", ""))
        return _page(request, context | {"refusal": f"{error} Nothing was stored yet."}, status=400)
    links = [(one.user, _address(request, one.token)) for one in invited if one.token is not None]
    if links:
        return render(request, "manage/invited.html", {"project": project, "links": links})
    messages.success(request, f"{project.name} is there. Bring its pictures in next.")
    return redirect("manage-overview", project.slug)


@page("admin", methods=("POST",))
def guess(request: HttpRequest) -> HttpResponse:
    """Read the classes out of an uploaded annotation file and hand them to the builder; nothing is stored."""
    file = request.FILES.get("file")
    if file is None:
        return _notice(request, "Choose a file first.")
    if (file.size or 0) > MOST_BYTES:
        return _notice(request, f"The file is larger than {MOST_BYTES // 1024 // 1024} MiB. Add the classes by hand.")
    try:
        found = guess_ontology(file.name or "file", file.read())
    except GuessRefused as error:
        return _notice(request, str(error))
    response = _notice(request, f"{len(found['rows'])} classes were found. Look them over below.", level="success")
    response["HX-Trigger"] = json.dumps({"guessed": found})
    return response


def _make(request: HttpRequest) -> tuple[Project, list[Invited]]:
    name = request.POST.get("title", "").strip()
    if not name:
        raise FormRefused("The project needs a name.")
    asked = {key: request.POST[key] for key in ASKED if request.POST.get(key, "").strip()}
    with transaction.atomic():
        project = create_project(
            name=name,
            ontology=ontology_form.ontology_of_form(request.POST, Ontology()),
            policy=policy_words.policy_of_fields(asked),
            created_by=person(request),
            description=request.POST.get("description", "").strip()[:2000],
            guideline=request.POST.get("guideline", "").strip(),
        )
        lines = [line for line in request.POST.get("people", "").splitlines() if line.strip()]
        if len(lines) > MOST_PEOPLE:
            raise FormRefused(f"{len(lines)} people at once are too many; {MOST_PEOPLE} can be added, the rest later.")
        invited = [_invite(request, project, line) for line in lines]
    return project, invited


def _invite(request: HttpRequest, project: Project, line: str) -> Invited:
    """Add the person of one line: ``name for signing in, name shown, role``; the role may be left out."""
    cells = [cell.strip() for cell in line.split(",")]
    role = cells[-1].lower() if len(cells) > 1 and cells[-1].lower() in Role.values else Role.ANNOTATOR.value
    shown = cells[1] if len(cells) > 1 and cells[1].lower() not in Role.values else cells[0]
    return invite(project=project, username=cells[0], display_name=shown, role=role, by=person(request))


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    groups = policy_words.groups_of(Policy())
    rules = [rule for rules in groups.values() for rule in rules if rule.name in ASKED]
    return render(request, "manage/new.html", context | {"rules": rules, "typed": request.POST}, status=status)


def _notice(request: HttpRequest, text: str, level: str = "error") -> HttpResponse:
    return render(request, "components/notice.html", {"text": text, "level": level})


def _address(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("sign-in-link", args=[token]))
