"""Which items somebody of a team read, as a reviewer may know it: their lists are filtered by it.

Where a reviewer is tested on an item, readings that came in since are hidden from them, and so are not counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import QuerySet

from labelhub.annotations.models import Submission
from labelhub.projects.models import Team
from labelhub.projects.teams import labelers_in
from labelhub.reviews.calibration_models import ReviewTest


def read_in(team: Team, *, hidden: Mapping[int, datetime] | None = None) -> QuerySet[Submission, int]:
    """Return the ids of items that somebody of the team read; ``hidden`` says from when on nothing counts, by item."""
    rows = Submission.objects.filter(assignment__labeler__in=labelers_in(team))
    for item, since in (hidden or {}).items():
        rows = rows.exclude(assignment__item=item, submitted_at__gte=since)
    return rows.order_by().values_list("assignment__item", flat=True)


def tests_in(team: Team, tests: Iterable[ReviewTest]) -> tuple[ReviewTest, ...]:
    """Return those of the tests whose item somebody of the team had read by then. No query where there are none."""
    found = {test.item_id: test for test in tests}
    if not found:
        return ()
    hidden = {key: test.hides_from for key, test in found.items()}
    read = set(read_in(team, hidden=hidden).filter(assignment__item__in=found))
    return tuple(test for key, test in found.items() if key in read)
