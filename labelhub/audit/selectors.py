"""Reading the audit chain, newest first."""

from __future__ import annotations

from django.db.models import QuerySet

from labelhub.audit.models import Event
from labelhub.audit.services import chain_of


def events_of_project(project_id: int) -> QuerySet[Event]:
    """Return the project's events, newest first."""
    return Event.objects.filter(chain=chain_of(project_id)).order_by("-seq")
