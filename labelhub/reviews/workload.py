"""How many items somebody reviewed today, and how many they are still offered: an item is one review, however it was done.

Returning a reading, a vote, a settlement, and answers to any number of its matters are one review of the item. Counted from
the audit chain, where each of them stands. Not here: which items wait (``selectors``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, QuerySet
from django.db.models.functions import Cast, Substr
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit.models import Event
from labelhub.audit.selectors import acts_of
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy

# What a reviewer does to an item that is a review of it.
REVIEWS = ("submission.reviewed", "panel.voted", "matter.answered", "item.settled", "item.ambiguous", "review.tested")
NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Day:
    """How many further items a reviewer is offered today, and which they began: those stay theirs to finish."""

    left: int
    begun: frozenset[int]


def day_of(user: User, project: Project, *, policy: Policy | None = None, now: datetime | None = None) -> Day:
    """Return how far ``user`` is with today's reviews; without a limit in the policy more is left than there are items."""
    most = (policy or current_policy(project)[1]).reviews_a_day
    if not most:
        return Day(NO_LIMIT, frozenset())
    morning = (now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    begun = reviewed_items(user, project, since=morning)
    return Day(max(0, most - len(begun)), begun)


def reviewed_items(user: User, project: Project, *, since: datetime) -> frozenset[int]:
    """Return the ids of the items that ``user`` reviewed in the project since then. One query."""
    acts = acts_of(project.pk, f"user:{user.pk}", kinds=REVIEWS).filter(at__gte=since).order_by()
    judged = Submission.objects.filter(pk__in=_about(acts, "submission").values("about")).order_by()
    items = _about(acts, "item").values_list("about", flat=True)
    return frozenset(items.union(judged.values_list("assignment__item_id", flat=True)))


def _about(acts: QuerySet[Event], kind: str) -> QuerySet[Any]:
    """The acts whose subject is of a kind, with its number as ``about``."""
    prefix = f"{kind}:"
    number = Cast(Substr("subject", len(prefix) + 1), BigIntegerField())
    return acts.filter(subject__startswith=prefix).annotate(about=number)
