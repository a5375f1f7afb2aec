"""The time of reviewers at an item's desk: counted from signs of life as labeling is, and kept apart from it.

What passed since somebody's last sign of life anywhere counts once, for the item that they are at now, unless it was a pause
(``annotations.documents.IDLE_AFTER_S``). So two windows never count one minute twice, and a client's clock is never asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, FloatField, IntegerField, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.documents import counted_s
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, require
from labelhub.reviews.error_models import DeskTime


@dataclass(frozen=True, slots=True)
class TimeAtDesk:
    """How long somebody reviewed, in seconds, and at how many items."""

    n: int
    active_s: float


def beat_at_desk(*, item: Item, by: User) -> float:
    """Count a sign of life of a reviewer at an item; return their seconds there so far.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here.
    """
    require(by, Action.REVIEW, item)
    with transaction.atomic():
        # One person's windows, one after the other; the time is taken once the lock is held.
        User.objects.select_for_update().get(pk=by.pk)
        now = timezone.now()
        last = DeskTime.objects.filter(reviewer=by).aggregate(last=Max("beat_at"))["last"]
        row, _ = DeskTime.objects.get_or_create(item=item, reviewer=by, defaults={"beat_at": now})
        row.active_s += counted_s(last, now)
        row.beat_at = now
        row.save(update_fields=["active_s", "beat_at"])
    return row.active_s


def with_desk_time(labelers: QuerySet[Labeler]) -> QuerySet[Any]:
    """Add ``n_desk`` and ``desk_s``: at how many items of their project each reviewed, and how long."""
    rows = DeskTime.objects.filter(reviewer=OuterRef("user"), item__project=OuterRef("project")).order_by()
    one = rows.values("reviewer")
    n, seconds = one.annotate(n=Count("pk")).values("n"), one.annotate(s=Sum("active_s")).values("s")
    return labelers.annotate(
        n_desk=Coalesce(Subquery(n), 0, output_field=IntegerField()),
        desk_s=Coalesce(Subquery(seconds), 0.0, output_field=FloatField()),
    )


def desk_time_of(user: User, projects: Iterable[Project]) -> TimeAtDesk:
    """Return somebody's own time at the desks of these projects."""
    rows = DeskTime.objects.filter(reviewer=user, item__project__in=list(projects))
    found = rows.aggregate(n=Count("pk"), active=Sum("active_s"))
    return TimeAtDesk(found["n"], found["active"] or 0.0)


def desk_times_on(item: Item) -> dict[int, float]:
    """Return how long each reviewer was at the item's desk, by their id."""
    return dict(DeskTime.objects.filter(item=item).values_list("reviewer", "active_s"))
