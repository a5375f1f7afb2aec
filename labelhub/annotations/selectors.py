"""Reading one's own submissions: what somebody may know of their own work. No number here depends on anybody else's labels."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.utils import timezone

from labelhub.annotations.models import Document, Submission
from labelhub.projects.models import Labeler


@dataclass(frozen=True, slots=True)
class OwnDay:
    """What somebody finished on one day. Times cover only the ``n_timed`` images whose time was measured."""

    day: date
    n: int
    n_timed: int
    active_s: float
    median_s: float | None


@dataclass(frozen=True, slots=True)
class OwnWork:
    """A labeler's counts and times: a day each, oldest first and without gaps, and over all of them.

    ``labeling_s`` is the time of the ``n_labeled`` timed images that were labeled, ``rework_s`` that of the ``n_reworked`` that
    had come back; work that was taken back by oneself is labeling.
    """

    days: tuple[OwnDay, ...]
    n: int
    n_labeled: int
    labeling_s: float
    n_reworked: int
    rework_s: float
    n_no_finding: int
    median_s: float | None

    @property
    def today(self) -> OwnDay:
        """The last day."""
        return self.days[-1]

    @property
    def most_a_day(self) -> int:
        """The largest count of a day, at least 1."""
        return max(1, *(entry.n for entry in self.days))


def own_work(labeler: Labeler, *, days: int = 28, today: date | None = None) -> OwnWork:
    """Return what the labeler finished in the last ``days`` days."""
    last = today or timezone.now().date()
    first = last - timedelta(days=days - 1)
    rows = list(
        Submission.objects.filter(assignment__labeler=labeler, day__range=(first, last)).values_list(
            "day", "active_s", "no_finding", "read_kind", "assignment__recall_of"
        )
    )
    entries = tuple(
        _day(at, [active_s for day, active_s, *_ in rows if day == at])
        for at in (first + timedelta(days=n) for n in range(days))
    )
    timed = [
        (active_s, kind == "rework" and recalled is None)
        for _, active_s, _, kind, recalled in rows
        if active_s is not None
    ]
    labeled, again = [s for s, is_again in timed if not is_again], [s for s, is_again in timed if is_again]
    return OwnWork(
        days=entries, n=len(rows), n_labeled=len(labeled), labeling_s=float(sum(labeled)), n_reworked=len(again),
        rework_s=float(sum(again)), n_no_finding=sum(row[2] for row in rows), median_s=_median(labeled),
    )  # fmt: skip


def has_draft(assignment_ids: Sequence[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Return those of the assignments in whose copy something was done."""
    rows = Document.objects.filter(assignment__in=assignment_ids, head_seq__gt=0)
    return frozenset(rows.values_list("assignment_id", flat=True))


def _day(at: date, times: Sequence[float | None]) -> OwnDay:
    timed = [time for time in times if time is not None]
    return OwnDay(at, len(times), len(timed), float(sum(timed)), _median(timed))


def _median(times: Sequence[float]) -> float | None:
    return float(np.median(times)) if times else None
