"""The items behind what a labeler's row says of their work: first passes, times, and what was skipped, ended or is held.

Looked up when a number is opened, never while the table is made. Not here: the numbers (``labeler_standings``), those of the
kept panel (``evidence``), addresses (``web``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD, Assignment
from labelhub.assignments.selectors import FILLING
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project
from labelhub.reviews.error_models import DeskTime
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import counted

# Of submissions: what was made of work that came back, and first answers on items that are settled.
CAME_BACK: Final = Q(read_kind="rework", assignment__recall_of=None)
FIRST_SETTLED: Final = Q(version=1, read_kind__in=FILLING, assignment__item__state=Item.State.SETTLED)
# Of assignments: first answers that were sent back.
SENT_BACK: Final = Q(read_kind="rework", follows__read_kind__in=FILLING)


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a number of a labeler's row: the number's key, its name, and codes of items."""

    key: str
    name: str
    items: tuple[str, ...]


def work_key(labeler: Labeler, part: str) -> str:
    """Return the key of a number about the labeler's work."""
    return f"labeler-{labeler.pk}.{part}"


def work_named(project: Project, key: str) -> Behind | None:
    """Return the items behind a number about somebody's work; None where the key is none of those."""
    found = re.fullmatch(r"labeler-([0-9]{1,12})\.([a-z-]+)", key)
    part = PARTS.get(found.group(2)) if found is not None else None
    labeler = Labeler.objects.filter(project=project, pk=found.group(1)).first() if found is not None else None
    if part is None or labeler is None:
        return None
    name, codes = part
    return Behind(key, f"{name} of {labeler.name}", tuple(dict.fromkeys(codes(labeler))))


def _first_passes(labeler: Labeler) -> Iterable[str]:
    """First answers on items that are settled, were sent back, or were rejected."""
    yield from _of_submissions(labeler, FIRST_SETTLED)
    yield from _codes(Assignment.objects.filter(SENT_BACK, labeler=labeler), "item__code")
    returned = Assignment.objects.filter(follows=OuterRef("submission__assignment"), read_kind="rework")
    rejected = Decision.objects.filter(
        ~Exists(returned), submission__assignment__labeler=labeler, submission__version=1,
        submission__read_kind__in=FILLING, verdict=Decision.Verdict.REJECT,
    )  # fmt: skip
    yield from _codes(counted(rejected), "item__code")


def _labeled(labeler: Labeler) -> Iterable[str]:
    return _of_submissions(labeler, ~CAME_BACK, active_s__isnull=False)


def _reworked(labeler: Labeler) -> Iterable[str]:
    return _of_submissions(labeler, CAME_BACK, active_s__isnull=False)


def _reviewed(labeler: Labeler) -> Iterable[str]:
    rows = DeskTime.objects.filter(reviewer=labeler.user_id, item__project=labeler.project_id)
    return _codes(rows, "item__code") if labeler.user_id is not None else ()


def _submitted(labeler: Labeler) -> Iterable[str]:
    return _of_submissions(labeler, Q())


def _given(*states: str) -> Callable[[Labeler], Iterable[str]]:
    def codes(labeler: Labeler) -> Iterable[str]:
        return _codes(Assignment.objects.filter(labeler=labeler, state__in=states), "item__code")

    return codes


# What a number is called in its key -> its name on the page of items, and the items behind it.
PARTS: Mapping[str, tuple[str, Callable[[Labeler], Iterable[str]]]] = {
    "first-pass": ("first-pass acceptance", _first_passes),
    "made": ("labels made", _submitted),
    "labeling-time": ("labeling time", _labeled),
    "rework-time": ("rework time", _reworked),
    "review-time": ("review time", _reviewed),
    "held": ("work held", _given(*HELD)),
    "skipped": ("skipped work", _given("skipped")),
    "ended": ("work whose time ended", _given("expired")),
}


def _of_submissions(labeler: Labeler, which: Q, **more: bool) -> Iterable[str]:
    return _codes(Submission.objects.filter(which, assignment__labeler=labeler, **more), "assignment__item__code")


def _codes(rows: QuerySet, column: str) -> Iterable[str]:  # type: ignore[type-arg]
    return rows.order_by(column).values_list(column, flat=True).distinct()
