"""What a reviewer did, newest first, out of the audit chain of their projects: only their own acts.

Decisions of one item's regions in a row are one line. Not here: how their judgements hold (``reviews.calibration``), and the
record of a whole project (``web.manage_audit``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from labelhub.accounts.models import User
from labelhub.analytics.event_places import Place, places_of
from labelhub.analytics.event_words import words_of
from labelhub.annotations.models import Submission
from labelhub.audit.models import Event
from labelhub.audit.selectors import acts_of
from labelhub.projects.models import Project
from labelhub.reviews.reviewer_tests import hides_from
from labelhub.reviews.workload import REVIEWS

PAGE = 40
KINDS = (
    *REVIEWS, "objects.judged", "reading.appraised", "dispute.decided", "question.answered", "unreadable.decided",
    "thread.opened", "comment.written", "comment.edited", "thread.resolved", "thread.reopened",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnAct:
    """One thing that somebody did: when, in which project, what, and on which item (None where that is unknown)."""

    at: datetime
    project: Project
    what: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class OwnActs:
    """The acts of a page, and before when the next one begins (None: nowhere)."""

    acts: tuple[OwnAct, ...]
    before: datetime | None


def own_acts(user: User, projects: Sequence[Project], *, before: datetime | None = None) -> OwnActs:
    """Return what ``user`` did as a reviewer in these projects. A query a project and three for what it was about."""
    found: list[tuple[Event, Project]] = []
    hidden = _hidden_subjects(user, projects)
    for project in projects:
        rows = acts_of(project.pk, f"user:{user.pk}", kinds=KINDS).exclude(subject__in=hidden)
        rows = rows if before is None else rows.filter(at__lt=before)
        found += [(event, project) for event in rows[: PAGE + 1]]
    found.sort(key=lambda entry: entry[0].at, reverse=True)
    shown = found[:PAGE]
    places = places_of(event for event, _ in shown)
    acts = []
    for _, group in groupby(shown, key=_line_of):
        events = list(group)
        event, project = events[0]
        acts.append(OwnAct(event.at, project, _words(event, len(events)), places.get(event.subject)))
    return OwnActs(tuple(acts), shown[-1][0].at if len(found) > PAGE else None)


def _hidden_subjects(user: User, projects: Sequence[Project]) -> list[str]:
    """What somebody decided of an item that is before them again, they are not told."""
    items = list(hides_from(user, projects))
    read = Submission.objects.filter(assignment__item__in=items).values_list("pk", flat=True) if items else ()
    return [*(f"item:{key}" for key in items), *(f"submission:{key}" for key in read)]


def _line_of(entry: tuple[Event, Project]) -> tuple[str, object]:
    """Events with the same key, one after the other, are one line."""
    event, _ = entry
    return event.subject, event.kind if event.kind == "matter.answered" else (event.chain, event.seq)


def _words(event: Event, n: int) -> str:
    return f"decided {n} things in dispute" if n > 1 else words_of(event.kind, event.facts)
