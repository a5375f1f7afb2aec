"""Opening, renewing and closing assignments. Each later write is fenced, so that an old lease cannot write over a new one.

Not here: whom to give what (``workflow``), what was drawn (``annotations``), and audit events (the step that calls writes
one for all it does).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labelhub.assignments.errors import AlreadyRead, LeaseLost, NotOpen
from labelhub.assignments.models import HELD, PAUSED, Assignment, Recall
from labelhub.assignments.selectors import overdue_now
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler

State = Assignment.State
# Kinds of reading that may be a labeler's second on an item.
REPEATABLE = frozenset({"rework", "repeat", "adjudication", "training"})


def open_assignment(
    *, item: Item, labeler: Labeler, read_kind: str, planned_blind: bool, reason: str, lease_s: float | None,
    follows: Assignment | None = None, now: datetime | None = None,
) -> Assignment:  # fmt: skip
    """Give ``item`` to ``labeler`` for ``lease_s`` seconds (None: no end). An expired one of the same kind is opened again.

    Raises :class:`AlreadyRead` where the labeler has, read or skipped the item, except for a rework or a repeat read.
    """
    at = now or timezone.now()
    lease_until = None if lease_s is None else at + timedelta(seconds=lease_s)
    earlier = Assignment.objects.filter(item=item, labeler=labeler)
    if read_kind not in REPEATABLE and earlier.exclude(state=State.EXPIRED).exists():
        raise AlreadyRead
    expired = earlier.filter(state=State.EXPIRED, read_kind=read_kind, follows=follows).order_by("-created_at").first()
    try:
        with transaction.atomic():
            if expired is not None:
                return _open_again(expired, lease_until=lease_until, planned_blind=planned_blind, reason=reason)
            return Assignment.objects.create(
                item=item, labeler=labeler, read_kind=read_kind, planned_blind=planned_blind, reason=reason[:300],
                lease_until=lease_until, follows=follows, created_at=at,
            )  # fmt: skip
    except IntegrityError as error:
        raise AlreadyRead from error


def record_closed(
    *, item: Item, labeler: Labeler, read_kind: str, planned_blind: bool | None, reason: str, at: datetime | None = None
) -> Assignment:
    """Write down a reading made elsewhere: an assignment that was submitted from the start.

    Raises :class:`AlreadyRead` where the labeler has an independent read of the item.
    """
    try:
        with transaction.atomic():
            return Assignment.objects.create(
                item=item, labeler=labeler, read_kind=read_kind, planned_blind=planned_blind, reason=reason[:300],
                state=State.SUBMITTED, closed_at=at or timezone.now(),
            )  # fmt: skip
    except IntegrityError as error:
        raise AlreadyRead from error


def renew(*, assignment: Assignment, lease_s: float, fence: int, now: datetime | None = None) -> Assignment:
    """Extend the lease of an open assignment. Raises :class:`LeaseLost` where ``fence`` is old or it is no longer open."""
    until = (now or timezone.now()) + timedelta(seconds=lease_s)
    mine = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN, fence=fence)
    if not mine.update(lease_until=until):
        raise LeaseLost
    assignment.lease_until = until
    return assignment


def take_over(*, assignment: Assignment, lease_s: float, now: datetime | None = None) -> Assignment:
    """Start a new lease on an open assignment (another window, a rework that is begun); older windows can no longer renew."""
    until = (now or timezone.now()) + timedelta(seconds=lease_s)
    changed = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN).update(
        lease_until=until, fence=F("fence") + 1
    )
    assignment.refresh_from_db()
    if not changed:
        raise NotOpen(assignment.state)
    return assignment


def expire(*, assignment: Assignment, now: datetime | None = None) -> bool:
    """Close an assignment whose lease is over, or that waited too long; False where it was renewed or closed meanwhile.

    The draft is kept; a late write meets the higher fence. The caller holds the item.
    """
    at = now or timezone.now()
    return _close_held(overdue_now(Assignment.objects.filter(pk=assignment.pk), at), State.EXPIRED, at=at)


def withdraw(*, assignment: Assignment, now: datetime | None = None) -> bool:
    """Close held work that is no longer needed, as if its time had ended; the draft is kept."""
    return _close_held(Assignment.objects.filter(pk=assignment.pk), State.EXPIRED, at=now or timezone.now())


def pause(*, assignment: Assignment, state: str, now: datetime | None = None) -> None:
    """Let open work wait, parked or for an answer: it stays its labeler's and has no lease. Raises :class:`NotOpen`."""
    at = now or timezone.now()
    changed = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN).update(
        state=state, waiting_since=at, lease_until=None, fence=F("fence") + 1
    )
    assignment.refresh_from_db()
    if not changed:
        raise NotOpen(assignment.state)


def resume(*, assignment: Assignment, lease_s: float, now: datetime | None = None) -> None:
    """Go on with work that waited, under a new lease. Raises :class:`NotOpen` where it no longer waits."""
    until = (now or timezone.now()) + timedelta(seconds=lease_s)
    changed = Assignment.objects.filter(pk=assignment.pk, state__in=PAUSED).update(
        state=State.OPEN, waiting_since=None, lease_until=until, fence=F("fence") + 1
    )
    assignment.refresh_from_db()
    if not changed:
        raise NotOpen(assignment.state)


def record_recall(*, former: Assignment, again: Assignment) -> Recall:
    """Write down that ``former``'s submission was taken back and goes on in ``again``; a second time is refused."""
    try:
        with transaction.atomic():
            return Recall.objects.create(former=former, again=again)
    except IntegrityError as error:
        raise AlreadyRead from error


def close(*, assignment: Assignment, state: str, reason: str = "", now: datetime | None = None) -> None:
    """Close an open assignment as submitted, skipped or unreadable. Raises :class:`NotOpen`: closing twice is one close."""
    rows = Assignment.objects.filter(pk=assignment.pk)
    at = now or timezone.now()
    if not _close_held(rows.filter(state=State.OPEN), state, at=at, skip_reason=reason[:300]):
        raise NotOpen(Assignment.objects.values_list("state", flat=True).get(pk=assignment.pk))
    assignment.state, assignment.closed_at, assignment.skip_reason = state, at, reason[:300]


def _open_again(
    assignment: Assignment, *, lease_until: datetime | None, planned_blind: bool, reason: str
) -> Assignment:
    changed = Assignment.objects.filter(pk=assignment.pk, state=State.EXPIRED).update(
        state=State.OPEN, lease_until=lease_until, fence=F("fence") + 1, closed_at=None,
        # A read that was bought because others disagreed stays unplanned, whatever it is offered as now.
        planned_blind=assignment.planned_blind and planned_blind, reason=reason[:300],
    )  # fmt: skip
    if not changed:
        raise AlreadyRead
    assignment.refresh_from_db()
    return assignment


def _close_held(rows: QuerySet[Assignment], state: str, *, at: datetime, skip_reason: str = "") -> bool:
    closed = rows.filter(state__in=HELD).update(
        state=state, closed_at=at, fence=F("fence") + 1, lease_until=None, waiting_since=None, skip_reason=skip_reason
    )
    return bool(closed)
