"""A reviewer at an image while people label it together: asking whether to come, watching, drawing too, going.

Not here: the rules (``workflow.watching``, ``assignments.onlookers``) and the labeling page for who labels (``labeling``).
"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.annotations import documents
from labelhub.assignments.models import Assignment
from labelhub.assignments.onlookers import watched_by, work_to_watch
from labelhub.assignments.selectors import drawn_by
from labelhub.catalog.published_examples import examples_in
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.web.access import person, project_page
from labelhub.workflow import watching
from labelhub.workflow.errors import StepRefused


@project_page(Role.REVIEWER, methods=("GET", "POST"))
def watch(request: HttpRequest, project: Project, assignment: uuid.UUID) -> HttpResponse:
    """Show the labeling page to who watches; ask before, and on POST come."""
    user = person(request)
    if _draws(request, assignment):
        return redirect("label-workspace", assignment)
    work = _of(project, work_to_watch(user, assignment))
    if request.method == "POST":
        try:
            watching.come(assignment=work, by=user)
        except StepRefused as refusal:
            messages.warning(request, str(refusal))
            return redirect("review-item", project.slug, work.item.code)
        return redirect("review-watch", project.slug, work.pk)
    try:
        watched_by(user, work.pk)
    except NotFound:
        live = next(iter(watching.live_work(user, project, item=work.item)), None)
        context = {"assignment": work, "names": live.names if live else (), "may_draw": watching.may_draw_too(work)}
        return render(request, "review/watch.html", context)
    guideline = documents.document_of(assignment=work).guideline
    context = {
        "assignment": work, "is_watching": True, "is_companion": True, "is_shared": True,
        "examples": examples_in(guideline), "guideline": guideline,
        "may_draw": watching.may_draw_too(work), "project": project,
        "queue_address": reverse("review-item", args=[project.slug, work.item.code]),
    }  # fmt: skip
    return render(request, "label/workspace.html", context)


@project_page(Role.REVIEWER, methods=("POST",))
def draw_too(request: HttpRequest, project: Project, assignment: uuid.UUID) -> HttpResponse:
    """Take a seat among those who label it."""
    work = _of(project, work_to_watch(person(request), assignment))
    try:
        watching.draw_too(assignment=work, by=person(request))
    except StepRefused as refusal:
        messages.warning(request, str(refusal))
        return redirect("review-watch", project.slug, work.pk)
    return redirect("label-workspace", work.pk)


@project_page(Role.REVIEWER, methods=("POST",))
def go(request: HttpRequest, project: Project, assignment: uuid.UUID) -> HttpResponse:
    """Watch no more."""
    work = _of(project, watched_by(person(request), assignment))
    watching.go(assignment=work, by=person(request))
    messages.success(request, f"You left {work.item.code}.")
    return redirect("review-item", project.slug, work.item.code)


def _draws(request: HttpRequest, assignment: uuid.UUID) -> bool:
    try:
        drawn_by(person(request), assignment)
    except NotFound:
        return False
    return True


def _of(project: Project, work: Assignment) -> Assignment:
    """The work, where it is of the project that the address names."""
    if work.item.project_id != project.pk:
        raise NotFound("There is no such work in this project.")
    return work
