"""Reading the audit chain, newest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from labelhub.audit.models import Event
from labelhub.audit.services import chain_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: kinds by how they begin, by whom, about what, and when (``until`` not included). Empty means any.

    ``actors`` are several of whom one did it; None asks for no group.
    """

    kinds: tuple[str, ...] = ()
    actor: str = ""
    actors: frozenset[str] | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def events_of_project(project_id: int) -> QuerySet[Event]:
    """Return the project's events, newest first."""
    return Event.objects.filter(chain=chain_of(project_id)).order_by("-seq")


def events_matching(project_id: int, wanted: Wanted) -> QuerySet[Event]:
    """Return the project's events that match, newest first."""
    rows = events_of_project(project_id)
    if wanted.kinds:
        begins = Q()
        for kind in wanted.kinds:
            begins |= Q(kind__startswith=kind)
        rows = rows.filter(begins)
    if wanted.actor:
        rows = rows.filter(actor=wanted.actor)
    if wanted.actors is not None:
        rows = rows.filter(actor__in=wanted.actors)
    if wanted.subject is not None:
        rows = rows.filter(subject=wanted.subject)
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    return rows if wanted.until is None else rows.filter(at__lt=wanted.until)


def acts_of(project_id: int, actor: str, *, kinds: Collection[str]) -> QuerySet[Event]:
    """Return what somebody did in the project, of these kinds alone, newest first."""
    rows = Event.objects.filter(chain=chain_of(project_id), actor=actor, kind__in=kinds)
    return rows.order_by("-at", "-seq")
