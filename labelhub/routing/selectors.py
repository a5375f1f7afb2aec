"""Reading routes. Hidden from annotators."""

from __future__ import annotations

from django.db.models import QuerySet

from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.routing.models import Route


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


def preferred_labelers(item: Item) -> list[int]:
    """Return the labelers whose read of the item is worth most, best first, by its newest decision; empty: nothing is known.

    A hint for the order of hand-out among items that want a reader, never a reason to refuse somebody work.
    """
    route = current_route(item)
    return [] if route is None else [int(entry["labeler"]) for entry in route.next_labelers]
