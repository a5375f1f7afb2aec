"""Who did what in a project, newest first, and whether the record is as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse

from labelhub.analytics.event_places import Place, places_of
from labelhub.analytics.event_words import lines_of, without_open_votes
from labelhub.audit import selectors, services
from labelhub.audit.models import Event
from labelhub.audit.selectors import Wanted
from labelhub.catalog.selectors import items_by_code
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role, Team
from labelhub.projects.selectors import labelers, members
from labelhub.projects.teams import labelers_in, teams_of
from labelhub.web.access import person, project_page
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv

LENGTH = 100
# The kinds that are asked for together, by a word: how their names begin.
GROUPS = {
    "Reading": ("submission.", "assignment.", "item.handed_out"),
    "Routing and settling": ("item.routed", "item.returned", "item.settled", "item.ambiguous", "item.excluded"),
    "Reviewing": ("submission.reviewed", "panel.", "dispute.", "rework.", "question.", "unreadable."),
    "Talk": ("thread.", "comment."),
    "Gold and gates": ("gold.", "gate.", "exam."),
    "People": ("member.", "team.", "labeler.", "pair."),
    "Rules": ("policy.", "ontology.", "guideline.", "edit."),
    "Releases and jobs": ("release.", "job.", "ingest."),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they stand in the address."""

    kind: str = ""
    group: str = ""
    who: str = ""
    item: str = ""
    team: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_choice(self) -> bool:
        """Whether events are chosen by anything but their time."""
        return bool(self.kind or self.group or self.who or self.item or self.team)


@project_page(Role.ADMIN)
def audit(request: HttpRequest, project: Project) -> HttpResponseBase:
    """List the project's events, a page at a time, or all that match as CSV; open votes only to whom they may be shown."""
    team = team_asked_for(request, project)
    asked = Asked(**{name: request.GET.get(name, "").strip()[:80] for name in Asked.__slots__})
    events = selectors.events_matching(project.pk, _wanted(project, asked, team))
    told = partial(without_open_votes, project=project, user=person(request), is_chosen=asked.is_choice)
    if wants_csv(request):
        header = ("number", "at", "actor", "kind", "subject", "facts", "hash")
        rows = (
            (e.seq, e.at.isoformat(), e.actor, e.kind, e.subject, str(e.facts), e.hash) for e in told(events.iterator())
        )
        return csv_answer(f"{project.slug}-audit", header, rows)
    before = _before(request.GET)
    if before is not None:
        events = events.filter(seq__lt=before)
    found = _first(events, told)
    lines, places = lines_of(found[:LENGTH]), places_of(found[:LENGTH])
    context = {
        "lines": [(line, places.get(line.subject), _address(project, places.get(line.subject))) for line in lines],
        "before": lines[-1].seq if len(found) > LENGTH else "", "asked": asked, "groups": GROUPS,
        "is_filtered": asked != Asked(), "people": _people(project),
        "teams": teams_of(project), "team": team,
    }  # fmt: skip
    return render(request, "manage/audit.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def verify(request: HttpRequest, project: Project) -> HttpResponse:
    """Walk the whole chain and say whether every event is as it was written."""
    return render(request, "manage/audit_verdict.html", {"verdict": services.verify(services.chain_of(project.pk))})


def _wanted(project: Project, asked: Asked, team: Team | None) -> Wanted:
    if asked.group and asked.group not in GROUPS:
        raise DomainError(
            "There is no such group of events. Choose one from the list.", code="filter-refused", status=400
        )
    subject = None
    if asked.item:
        found = items_by_code(project, [asked.item])
        subject = f"item:{found[0].pk}" if found else "item:none"
    kinds = GROUPS[asked.group] if asked.group else ()
    until = _day(asked.until)
    return Wanted(
        kinds=(asked.kind,) if asked.kind else kinds, actor=asked.who, actors=_actors(team), subject=subject,
        since=_day(asked.since), until=None if until is None else until + timedelta(days=1),
    )  # fmt: skip


def _actors(team: Team | None) -> frozenset[str] | None:
    """As whom the people of the team act."""
    if team is None:
        return None
    seats = labelers_in(team).values_list("pk", "user_id")
    return frozenset(name for pk, user in seats for name in (f"labeler:{pk}", f"user:{user}"))


def _first(events: QuerySet[Event], told: Callable[[Iterable[Event]], Iterator[Event]]) -> list[Event]:
    """Return a page of what may be told and one more. Read on until it is full: a short page would tell what was left out."""
    found: list[Event] = []
    rest = events
    while len(found) <= LENGTH:
        looked_at = list(rest[: LENGTH + 1])
        found += told(looked_at)
        if len(looked_at) <= LENGTH:
            break
        rest = events.filter(seq__lt=looked_at[-1].seq)
    return found[: LENGTH + 1]


def _people(project: Project) -> list[tuple[str, str]]:
    """Who may have done something: members by their account, and everybody as a labeler."""
    found = [(f"user:{entry.user_id}", str(entry.user)) for entry in members(project)]
    return [
        *found,
        *((f"labeler:{one.pk}", f"{one.name}, as a labeler") for one in labelers(project)),
        ("system", "The system"),
    ]


def _address(project: Project, place: Place | None) -> str:
    if place is None:
        return ""
    if place.kind == "release":
        return reverse("manage-releases", args=[project.slug])
    routes = {"item": "manage-item", "labeler": "manage-labeler", "job": "manage-job"}
    return reverse(routes[place.kind], args=[project.slug, place.key])


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC)
    except ValueError as error:
        raise DomainError(
            f"“{text[:20]}” is no day. Write it as 2026-01-31.", code="filter-refused", status=400
        ) from error


def _before(get: QueryDict) -> int | None:
    before = get.get("before", "")
    if not before:
        return None
    if not before.isascii() or not before.isdigit() or len(before) > 15:
        raise DomainError(
            "This place in the list is none that a page of ours wrote.", code="filter-refused", status=400
        )
    return int(before)
