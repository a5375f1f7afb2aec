"""What a new ontology or new instructions would touch, shown before they are published, and sending the chosen items back.

Not here: which items are touched (``workflow.revising``), what sending back does (``workflow.rereading``).
"""

from __future__ import annotations

from typing import Any, Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.jobs.selectors import jobs_of_kind
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_guideline, current_ontology
from labelhub.web.access import person
from labelhub.web.manage_jobs import job_row
from labelhub.workflow import rereading
from labelhub.workflow.revising import MOST_LISTED, Impact, touched_ids

# Fields of this page itself; all others are the change, which is sent along.
OWN_FIELDS = ("csrfmiddlewaretoken", "confirmed", "send", "chosen", "reason")
ALL, CHOSEN = "all", "chosen"


def is_confirmed(request: HttpRequest) -> bool:
    """Whether what the change touches was seen."""
    return request.POST.get("confirmed") == "1"


def shown(
    request: HttpRequest, project: Project, impact: Impact, *, what: Literal["ontology", "guideline"],
    fates: list[dict[str, Any]] | None = None,
) -> HttpResponse:  # fmt: skip
    """Show what the change touches, with the change itself in hidden fields; nothing is published."""
    asked_here = {name for row in fates or () for name in (f"fate-{row['key']}", f"part-{row['key']}")}
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in OWN_FIELDS and name not in asked_here
        for value in values
    ]
    newest = current_guideline(project) if what == "guideline" else current_ontology(project)[0]
    context = {
        "impact": impact, "what": what, "fields": fields, "fates": fates or [], "next": newest.number + 1,
        "n_more": max(0, len(impact.items) - len(impact.listed)), "most_listed": MOST_LISTED,
        "reason": request.POST.get("reason", ""),
    }  # fmt: skip
    return render(request, "manage/version_impact.html", context)


def send_chosen(request: HttpRequest, project: Project, impact: Impact) -> None:
    """Have the items that the form chose sent back by a worker, now that the version is published."""
    send = request.POST.get("send", "")
    items = list(impact.items) if send == ALL else touched_ids(impact, request.POST.getlist("chosen"))
    if send not in (ALL, CHOSEN) or not items:
        return
    reason = request.POST.get("reason", "").strip() or "The rules changed since it was read."
    rereading.start_sending(project=project, items=items, by=person(request), reason=reason)
    messages.success(request, f"{len(items)} item{'s go' if len(items) != 1 else ' goes'} back for a new read.")


def sending_rows(project: Project) -> list[dict[str, Any]]:
    """Return the job that sends items back, where one is queued or running, or was the last."""
    return [job_row(job) for job in jobs_of_kind(project.pk, rereading.JOB_KIND)]
