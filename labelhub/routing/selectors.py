"""Reading routes. Hidden from annotators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.routing.models import Route

# A read that is worth this share of the best one is as good: what is known of labelers is no more exact.
NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Preference:
    """The labelers from whom one more read of an item is worth most, and since when that is known."""

    labelers: frozenset[int]
    at: datetime


def routes_of(item: Item) -> QuerySet[Route]:
    """Return the item's routes, newest first: the first is the current one."""
    return Route.objects.filter(item=item).select_related("author", "policy").order_by("-pk")


def current_route(item: Item) -> Route | None:
    """Return where the item was last sent, and why."""
    return routes_of(item).first()


def routes_in(project: Project) -> QuerySet[Route]:
    """Return the project's routes, newest first."""
    return Route.objects.filter(item__project=project).select_related("item", "author").order_by("-pk")


def was_routed_on(item: Item, trigger: str) -> bool:
    """Whether a rule on this occasion moved the item before."""
    return Route.objects.filter(item=item, numbers__trigger=trigger).exists()


def preferences_of(items: Sequence[int]) -> dict[int, Preference]:
    """Return, of the items with these ids, whose read is worth nearly as much as the best's, by the newest decision on each.

    Items of which nothing is known are left out. For the order of hand-out only; one query.
    """
    rows = Route.objects.filter(item__in=items).order_by("pk").values_list("item", "next_labelers", "at")
    newest = {item: (worth, at) for item, worth, at in rows}
    return {item: Preference(_nearly_best(worth), at) for item, (worth, at) in newest.items() if _nearly_best(worth)}


def _nearly_best(worth: Sequence[Mapping[str, float]]) -> frozenset[int]:
    best = max((entry["value"] for entry in worth), default=0.0)
    if best <= 0:
        return frozenset()
    return frozenset(int(entry["labeler"]) for entry in worth if entry["value"] >= NEARLY * best)
