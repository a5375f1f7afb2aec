"""An item as it lies before a reviewer: where they are tested on it, as it would look if it waited for them.

Not here: which tests there are (``reviews.reviewer_tests``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.http import HttpRequest

from labelhub.analytics.item_story import ItemStory
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.reviews.calibration_models import ReviewTest
from labelhub.reviews.reviewer_tests import as_it_waits, open_test, open_tests
from labelhub.routing.models import Route
from labelhub.web.access import person
from labelhub.workflow.steps import versions_of


def item_on_desk(request: HttpRequest, project: Project, code: str) -> Item:
    """Return the item. Raises ``NotFound`` where the project has none of that code."""
    item = catalog.item_for(person(request), project, code)
    return as_it_waits(item, open_test(person(request), item))


def without_outcome(request: HttpRequest, item: Item, story: ItemStory) -> ItemStory:
    """Return the story as it was when the item came to a reviewer, where this one is tested on it."""
    test = open_test(person(request), item)
    if test is None:
        return story
    routes = (Route(item=item, outcome=Route.Outcome.REVIEWER, reason=test.reason),) if test.reason else ()
    return replace(story, routes=routes, settlements=(), events=())


def versions_seen(
    request: HttpRequest, items: Iterable[Item], *, tests: Iterable[ReviewTest] | None = None
) -> Mapping[int, str]:
    """Return the marks of how far each item has come; one on which the reviewer is tested is never that of the item itself.

    So a form that is sent twice, and heard as a test the first time, acts on nothing the second time. ``tests`` are those open
    for them where the page knows these already.
    """
    rows = list(items)
    marks = dict(versions_of(rows))
    if tests is None:
        projects = {item.project_id: item.project for item in rows}
        tests = [test for project in projects.values() for test in open_tests(person(request), project)]
    for test in tests:
        if test.item_id in marks:
            marks[test.item_id] = hashlib.sha256(f"{marks[test.item_id]}:{test.pk}".encode()).hexdigest()[:32]
    return marks
