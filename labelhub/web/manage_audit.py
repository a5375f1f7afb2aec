"""Who did what in a project, newest first, and whether the record is as it was written."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from labelhub.analytics.event_words import lines_of
from labelhub.audit import selectors, services
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.web.access import project_page
from labelhub.web.tables import csv_answer, wants_csv

LENGTH = 100


@project_page(Role.ADMIN)
def audit(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List the project's events, a page at a time, or all as CSV."""
    events = selectors.events_of_project(project.pk)
    kind = request.GET.get("kind", "").strip()[:80]
    if kind:
        events = events.filter(kind__startswith=kind)
    if wants_csv(request):
        header = ("number", "at", "actor", "kind", "subject", "facts", "hash")
        rows = ((e.seq, e.at.isoformat(), e.actor, e.kind, e.subject, str(e.facts), e.hash) for e in events.iterator())
        return csv_answer(f"{project.slug}-audit", header, rows)
    before = request.GET.get("before", "")
    if before:
        if not before.isascii() or not before.isdigit() or len(before) > 15:
            raise DomainError(
                "This place in the list is none that a page of ours wrote.", code="filter-refused", status=400
            )
        events = events.filter(seq__lt=int(before))
    found = list(events[: LENGTH + 1])
    lines = lines_of(found[:LENGTH])
    context = {"lines": lines, "before": lines[-1].seq if len(found) > LENGTH else "", "kind": kind}
    return render(request, "manage/audit.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def verify(request: HttpRequest, project: Project) -> HttpResponse:
    """Walk the whole chain and say whether every event is as it was written."""
    return render(request, "manage/audit_verdict.html", {"verdict": services.verify(services.chain_of(project.pk))})
