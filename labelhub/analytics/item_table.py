"""The table of items: state, agreement, readers and newest route of each, filtered, sorted and turned page by page.

Read only. Pages are cut by the place after which they begin (sort value and key), so a deep page costs what the first does.
Not here: one item's whole story (``item_story``), what a page looks like (``web``).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import Count, Exists, FloatField, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog import selectors as catalog
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project, TeamMember
from labelhub.routing.models import Route
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import AGREEMENT
from labelhub.scoring.versions import mixed, under_of

# Stands for "no agreement yet" in the order: such items come last when the worst come first.
UNKNOWN = 2.0
# What a sort key orders by; the item's key breaks ties.
SORTS = {
    "changed": "state_changed_at",
    "agreement": "agreement_key",
    "readers": "n_reads",
    "priority": "priority",
    "code": "code",
}
DEFAULT_SORT = "-changed"


class FilterRefused(ValueError):
    """A filter or a place in the list that no page of ours writes; the message names it."""


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What an address asks for; empty fields ask for everything."""

    state: str = ""
    text: str = ""
    outcome: str = ""
    labelers: tuple[int, ...] = ()
    label: str = ""
    agreement_below: float | None = None
    only_gold: bool = False
    team: int | None = None
    codes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads or read an item, and how it stands."""

    labeler_id: int
    name: str
    state: str
    read_kind: str


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One line of the table."""

    item: Item
    agreement: Score | None
    readers: tuple[Reader, ...]
    outcome: str
    reason: str
    has_picture: bool
    # The versions of the rules whose readings stand together in the agreement; empty where it is one.
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of the table. ``after`` asks for the next one and is empty on the last."""

    rows: tuple[ItemRow, ...]
    n_total: int
    after: str


def item_page(
    project: Project, *, wanted: ItemFilter, sort: str = DEFAULT_SORT, after: str = "", length: int | None = 50
) -> ItemPage:
    """Return a page of the project's items. ``length`` None gives all of them. Raises :class:`FilterRefused`."""
    key, is_down = sort.lstrip("-"), sort.startswith("-")
    if key not in SORTS:
        raise FilterRefused(f"The list cannot be sorted by {key[:40]!r}. It sorts by {', '.join(SORTS)}.")
    rows = _filtered(_with_numbers(catalog.items(project)), wanted)
    n_total = rows.count()
    field = SORTS[key]
    if after:
        rows = rows.filter(_behind(field, after, is_down=is_down))
    rows = rows.order_by(f"-{field}" if is_down else field, "-pk" if is_down else "pk")
    found = list(rows if length is None else rows[: length + 1])
    shown = found if length is None else found[:length]
    is_last = len(shown) == len(found)
    return ItemPage(tuple(_rows(shown)), n_total, "" if is_last else _place(shown[-1], field))


def state_counts(project: Project) -> dict[str, int]:
    """Return how many items are in each state, in the order of their life."""
    found = dict(Item.objects.filter(project=project).values_list("state").annotate(n=Count("pk")))
    return {state: found.get(state, 0) for state in Item.State.values}


def _with_numbers(items: QuerySet[Item]) -> QuerySet[Item]:
    """Add the sort keys: agreement of the item as a whole, and how many reads are in."""
    reads = Assignment.objects.filter(item=OuterRef("pk"), state=Assignment.State.SUBMITTED)
    n_reads = reads.order_by().values("item").annotate(n=Count("pk")).values("n")
    return items.annotate(
        agreement_key=Coalesce(Subquery(_agreement().values("value")[:1]), Value(UNKNOWN), output_field=FloatField()),
        n_reads=Coalesce(Subquery(n_reads), Value(0), output_field=IntegerField()),
    )


def _agreement() -> QuerySet[Score]:
    whole = Score.objects.filter(
        item=OuterRef("pk"), about=Score.About.ITEM, metric=AGREEMENT, label="", replaced_at=None
    )
    return whole.order_by("-pk")


def _filtered(items: QuerySet[Item], wanted: ItemFilter) -> QuerySet[Item]:
    if wanted.state:
        items = items.filter(state=wanted.state)
    if wanted.codes is not None:
        items = items.filter(code__in=wanted.codes)
    if wanted.text:
        items = items.filter(Q(code__istartswith=wanted.text) | Q(source_id__icontains=wanted.text))
    if wanted.outcome:
        newest = Route.objects.filter(item=OuterRef("pk")).order_by("-pk").values("outcome")[:1]
        items = items.annotate(newest_outcome=Subquery(newest)).filter(newest_outcome=wanted.outcome)
    for labeler_id in wanted.labelers:
        read = Assignment.objects.filter(item=OuterRef("pk"), labeler_id=labeler_id, state=Assignment.State.SUBMITTED)
        items = items.filter(Exists(read))
    if wanted.team is not None:
        members = TeamMember.objects.filter(team=wanted.team, ended_at=None).values("labeler")
        read = Assignment.objects.filter(item=OuterRef("pk"), labeler__in=members, state=Assignment.State.SUBMITTED)
        items = items.filter(Exists(read))
    if wanted.label:
        items = items.filter(Exists(Score.objects.filter(item=OuterRef("pk"), label=wanted.label, replaced_at=None)))
    if wanted.agreement_below is not None:
        items = items.filter(Q(agreement_key__lt=wanted.agreement_below))
    if wanted.only_gold:
        items = items.filter(Exists(GoldReference.objects.filter(item=OuterRef("pk"), retired_at=None)))
    return items


def _rows(items: list[Item]) -> list[ItemRow]:
    """Fill the lines of a page: three queries, however many lines."""
    keys = [item.pk for item in items]
    readers: dict[int, list[Reader]] = {}
    rules: dict[int, set[str]] = {}
    first = Submission.objects.filter(assignment=OuterRef("pk"), version=1)
    given = Assignment.objects.filter(item__in=keys).select_related("labeler").order_by("created_at", "pk")
    for row in given.annotate(
        ontology=Subquery(first.values("ontology__number")[:1]),
        guideline=Subquery(first.values("guideline__number")[:1]),
    ):
        if row.read_kind == "independent" and row.planned_blind:
            rules.setdefault(row.item_id, set()).add(under_of(row.ontology, row.guideline))
        if row.state in {*HELD, Assignment.State.SUBMITTED}:
            reader = Reader(row.labeler_id, row.labeler.name, row.state, row.read_kind)
            readers.setdefault(row.item_id, []).append(reader)
    whole = Score.objects.filter(item__in=keys, about=Score.About.ITEM, metric=AGREEMENT, label="", replaced_at=None)
    scores = {score.item_id: score for score in whole}
    routes = {route.item_id: route for route in Route.objects.filter(item__in=keys).order_by("pk")}
    return [
        ItemRow(
            item=item,
            agreement=scores.get(item.pk),
            readers=tuple(readers.get(item.pk, ())),
            outcome=routes[item.pk].outcome if item.pk in routes else "",
            reason=routes[item.pk].reason if item.pk in routes else "",
            has_picture=any(medium.pixels_id is not None for medium in item.media.all()),
            versions=mixed(rules.get(item.pk, ())),
        )
        for item in items
    ]


def labelers_of(project: Project) -> list[tuple[int, str]]:
    """Return the labelers that the filter offers."""
    return list(Labeler.objects.filter(project=project).order_by("name", "pk").values_list("pk", "name"))


def _place(item: Item, field: str) -> str:
    value = getattr(item, field)
    document = [value.isoformat() if hasattr(value, "isoformat") else value, item.pk]
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


def _behind(field: str, after: str, *, is_down: bool) -> Q:
    """The condition of the rows behind a place: a lesser (greater) value, or the same and a lesser (greater) key."""
    try:
        value, key = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        place: tuple[Any, int] = (value, int(key))
    except (ValueError, TypeError) as error:
        raise FilterRefused(
            "This place in the list is none that a page of ours wrote. Start from the first page."
        ) from error
    beyond = "lt" if is_down else "gt"
    return Q(**{f"{field}__{beyond}": place[0]}) | Q(**{field: place[0], f"pk__{beyond}": place[1]})
