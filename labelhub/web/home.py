"""`/` lands each person where their work is; search; the vocabulary of every word and number shown anywhere."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.accounts.models import User
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item
from labelhub.projects.models import Role
from labelhub.projects.permissions import highest_role
from labelhub.reviews.reviewer_tests import as_it_waits, open_tests
from labelhub.web.access import page, person
from labelhub.web.context import Home, homes_of
from labelhub.web.words import DEFINITIONS, LABELER_NUMBERS, TIRING, VOCABULARY
from labelhub.workflow.disclosures import DISCLOSURES

MOST_FOUND = 20


@page("signed-in")
def home(request: HttpRequest) -> HttpResponse:
    """Send an admin to their projects, a reviewer to the inbox, an annotator to the queue."""
    role = highest_role(person(request))
    if role == Role.ADMIN:
        managed = [entry for entry in homes_of(person(request)) if entry.may_manage]
        return (
            redirect("manage-overview", managed[0].project.slug) if len(managed) == 1 else redirect("manage-projects")
        )
    if role == Role.REVIEWER:
        return redirect("review-inbox")
    if role == Role.ANNOTATOR:
        return redirect("label-queue")
    return render(request, "home/nowhere.html")


@page("signed-in")
def search(request: HttpRequest) -> HttpResponse:
    """Find projects by name and, for who may see them, items by code or source id. One hit opens at once."""
    text = request.GET.get("q", "").strip()[:100]
    homes = homes_of(person(request)) if text else []
    found = [entry for entry in homes if text.casefold() in entry.project.name.casefold()]
    rows = [(item, entry) for entry in homes if entry.may_review for item in _items(person(request), entry, text)][
        :MOST_FOUND
    ]
    if len(rows) == 1 and not found:
        item, entry = rows[0]
        return redirect("manage-item" if entry.may_manage else "review-item", entry.project.slug, item.code)
    return render(request, "home/search.html", {"q": text, "found": found, "rows": rows})


@page("signed-in")
def help_page(request: HttpRequest) -> HttpResponse:
    """Explain the words and define the numbers."""
    context = {
        "vocabulary": VOCABULARY,
        "definitions": dict.fromkeys(DEFINITIONS.values()),
        "labeler_numbers": [
            (name, *words) for name, words in [*LABELER_NUMBERS.items(), ("change per ten items", TIRING)]
        ],
        "disclosures": DISCLOSURES,
    }
    return render(request, "home/help.html", context)


def _items(user: User, entry: Home, text: str) -> list[Item]:
    matches = Q(code__istartswith=text) | Q(source_id__icontains=text)
    tests = {test.item_id: test for test in open_tests(user, entry.project)}
    found = catalog.items(entry.project).filter(matches)[:MOST_FOUND]
    return [as_it_waits(item, tests.get(item.pk)) for item in found]
