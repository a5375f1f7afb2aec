"""The activity table: every assignment of a project with who, what, when and why, filtered and page by page.

Pages follow a key (the sorted value, then the row's own), so that the thousandth page costs what the first does. Counting
stops at a limit: nobody needs to know whether it is a hundred thousand or more. Not here: what an admin does with the rows
(``workflow.distribution``).
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelhub.annotations.models import Document
from labelhub.assignments.models import HELD, NOT_YET, Assignment, BatchItem
from labelhub.projects.models import Labeler, Project, Team, TeamMember
from labelhub.projects.teams import team_names

PAGE, MOST_COUNTED = 50, 10_000
# What may be sorted by: the key in the address -> the column. A leading minus turns the order.
SORTS: Mapping[str, str] = {"given": "created_at", "closed": "closed_key", "due": "due_key"}
DEFAULT_SORT = "-given"


class ActivityRefused(ValueError):
    """A filter, sort or place is none that the page writes."""


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What is shown. Empty means any."""

    labeler: int | None = None
    team: int | None = None
    batch: int | None = None
    kind: str = ""
    state: str = ""
    text: str = ""
    only_late: bool = False
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One assignment, the teams of its labeler, whose draft it goes on with, and whether something is drawn."""

    assignment: Assignment
    teams: tuple[Team, ...]
    has_draft: bool
    former: Labeler | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """The rows of a page, where the next one begins, and how many match (``is_more``: at least so many)."""

    rows: tuple[ActivityRow, ...]
    after: str
    n_total: int
    is_more: bool


def activity_page(
    project: Project, *, wanted: ActivityFilter, sort: str = DEFAULT_SORT, after: str = ""
) -> ActivityPage:
    """Return one page: five queries, however many rows there are. Raises :class:`ActivityRefused`."""
    field, is_down = _sorted_by(sort)
    found = _filtered(project, wanted)
    order = [f"-{field}", "-id"] if is_down else [field, "id"]
    page = found.order_by(*order)
    if after:
        page = page.filter(_behind(field, after, is_down=is_down))
    rows = list(page[: PAGE + 1])
    n_counted = found.order_by()[: MOST_COUNTED + 1].count()
    place = _place(rows[PAGE - 1], field) if len(rows) > PAGE else ""
    return ActivityPage(tuple(_rows(rows[:PAGE])), place, min(n_counted, MOST_COUNTED), n_counted > MOST_COUNTED)


def all_rows(project: Project, *, wanted: ActivityFilter) -> Iterator[ActivityRow]:
    """Yield every row that matches, newest first, without holding them in memory."""
    batch: list[Assignment] = []
    for row in _filtered(project, wanted).order_by("-created_at", "-id").iterator(chunk_size=2000):
        batch.append(row)
        if len(batch) == 2000:
            yield from _rows(batch)
            batch = []
    yield from _rows(batch)


def chosen(project: Project, keys: Sequence[str]) -> list[Assignment]:
    """Return the project's assignments with these ids, oldest first; texts that are no id are ignored."""
    ids = []
    for key in keys:
        try:
            ids.append(uuid.UUID(key))
        except ValueError:
            continue
    rows = Assignment.objects.filter(pk__in=ids, item__project=project).select_related("item__project", "labeler__user")
    return list(rows.order_by("created_at", "id"))


def matching(project: Project, *, wanted: ActivityFilter, most: int) -> list[Assignment]:
    """Return the first ``most`` assignments that match, oldest first: what a bulk act on a whole filter changes."""
    return list(_filtered(project, wanted).order_by("created_at", "id")[:most])


def _filtered(project: Project, wanted: ActivityFilter) -> QuerySet[Assignment]:
    rows = Assignment.objects.filter(item__project=project).annotate(
        closed_key=Coalesce(F("closed_at"), Value(NOT_YET)), due_key=Coalesce(F("due_at"), Value(NOT_YET))
    )
    rows = rows.select_related("item", "labeler", "continues__labeler", "assigned_by")
    if wanted.labeler is not None:
        rows = rows.filter(labeler=wanted.labeler)
    if wanted.team is not None:
        members = TeamMember.objects.filter(team=wanted.team, ended_at=None).values("labeler")
        rows = rows.filter(labeler__in=members)
    if wanted.batch is not None:
        rows = rows.filter(Exists(BatchItem.objects.filter(batch=wanted.batch, item=OuterRef("item"))))
    if wanted.kind:
        rows = rows.filter(read_kind=wanted.kind)
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.text:
        rows = rows.filter(Q(item__code__istartswith=wanted.text) | Q(item__source_id__icontains=wanted.text))
    if wanted.by_hand:
        rows = rows.filter(assigned_by__isnull=False)
    if wanted.only_late:
        rows = rows.filter(state__in=HELD, due_at__lt=timezone.now())
    return rows


def _rows(found: Sequence[Assignment]) -> list[ActivityRow]:
    if not found:
        return []
    teams = team_names([row.labeler for row in found])
    drafts = Document.objects.filter(assignment__in=found, head_seq__gt=0).values_list("assignment", flat=True)
    with_draft, now = set(drafts), timezone.now()
    return [
        ActivityRow(
            assignment=row,
            teams=tuple(teams.get(row.labeler_id, ())),
            has_draft=row.pk in with_draft,
            former=row.continues.labeler if row.continues is not None else None,
            is_late=row.state in HELD and row.due_at is not None and row.due_at < now,
        )
        for row in found
    ]


def _sorted_by(sort: str) -> tuple[str, bool]:
    field = SORTS.get(sort.lstrip("-"))
    if field is None:
        raise ActivityRefused(f"The table is not sorted by {sort[:20]!r}. It is by {', '.join(SORTS)}.")
    return field, sort.startswith("-")


def _place(row: Assignment, field: str) -> str:
    value: datetime = getattr(row, field)
    return base64.urlsafe_b64encode(orjson.dumps([value.isoformat(), str(row.pk)])).decode().rstrip("=")


def _behind(field: str, after: str, *, is_down: bool) -> Q:
    try:
        document: Any = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        value, key = datetime.fromisoformat(document[0]), uuid.UUID(document[1])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, binascii.Error) as error:
        raise ActivityRefused(
            "This place in the list is none that a page of ours wrote. Start from the first page."
        ) from error
    beyond = "lt" if is_down else "gt"
    return Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, f"id__{beyond}": key})
