"""Opening, renewing and closing assignments. Each later write is fenced, so that an old lease cannot write over a new one.

Not here: whom to give what (``workflow``), what was drawn (``annotations``), and audit events (the step that calls writes
one for all it does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.assignments.errors import AlreadyRead, LeaseLost, NotOpen
from labelhub.assignments.models import HELD, PAUSED, Assignment, Recall
from labelhub.assignments.selectors import filling, overdue_now
from labelhub.audit import prepared
from labelhub.audit.prepared import SLOTS
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler

State = Assignment.State
# Kinds of reading that may be a labeler's second on an item.
REPEATABLE = frozenset({"rework", "repeat", "adjudication", "training"})


@dataclass(frozen=True, slots=True)
class ByHand:
    """Who gave work by hand, and until when it is due."""

    by: User
    due_at: datetime | None = None


def open_assignment(
    *, item: Item, labeler: Labeler, read_kind: str, planned_blind: bool, reason: str, lease_s: float | None,
    follows: Assignment | None = None, continues: Assignment | None = None, is_begun: bool = False,
    by_hand: ByHand | None = None, now: datetime | None = None,
) -> Assignment:  # fmt: skip
    """Give ``item`` to ``labeler`` for ``lease_s`` seconds (None: no end). An expired one of the same kind is opened again.

    The caller holds the item. Raises :class:`AlreadyRead` where the labeler has, read or skipped the item, or somebody goes
    on with their draft of it, except for a rework or a repeat read, or where an admin opened skipped work again.
    """
    at = now or timezone.now()
    lease_until = None if lease_s is None else at + timedelta(seconds=lease_s)
    earlier = _earlier_of(item, labeler)
    # Who was shown a model's draft of an item never reads it on their own again, whenever it comes back to them.
    if read_kind == "independent" and any(row.read_kind == "assisted" for row in earlier):
        read_kind = "assisted"
    if read_kind not in REPEATABLE and any(_bars(row) for row in earlier):
        raise AlreadyRead
    if read_kind not in REPEATABLE and continues is None and _was_handed_over(earlier):
        raise AlreadyRead
    values = {
        "lease_until": lease_until, "reason": reason[:300], "begun_at": at if is_begun else None,
        "assigned_by_id": by_hand and by_hand.by.pk, "due_at": by_hand and by_hand.due_at,
    }  # fmt: skip
    expired = None if continues is not None else _expired_twin(earlier, read_kind, follows)
    if expired is not None:
        try:
            with transaction.atomic():
                return _open_again(expired, planned_blind=planned_blind, **values)
        except IntegrityError as error:
            raise AlreadyRead from error
    opened = Assignment(
        item=item, labeler=labeler, read_kind=read_kind, planned_blind=planned_blind, follows=follows,
        continues=continues, **values,
    )  # fmt: skip
    if not prepared.insert(opened, unless_taken=True):
        raise AlreadyRead
    _recount(item.pk)
    return opened


def record_closed(
    *, item: Item, labeler: Labeler, read_kind: str, planned_blind: bool | None, reason: str, at: datetime | None = None
) -> Assignment:
    """Write down a reading made elsewhere: an assignment that was submitted from the start.

    Raises :class:`AlreadyRead` where the labeler has an independent read of the item.
    """
    closed = Assignment(
        item=item, labeler=labeler, read_kind=read_kind, planned_blind=planned_blind, reason=reason[:300],
        state=State.SUBMITTED, closed_at=at or timezone.now(), begun_at=at or timezone.now(),
    )  # fmt: skip
    with transaction.atomic():
        if not prepared.insert(closed, unless_taken=True):
            raise AlreadyRead
        _recount(item.pk)
    return closed


def renew(*, assignment: Assignment, lease_s: float, fence: int, now: datetime | None = None) -> Assignment:
    """Extend the lease of an open assignment. Raises :class:`LeaseLost` where ``fence`` is old or it is no longer open."""
    until = (now or timezone.now()) + timedelta(seconds=lease_s)
    mine = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN, fence=fence)
    if not mine.update(lease_until=until):
        raise LeaseLost
    assignment.lease_until = until
    return assignment


def mark_assisted(*, assignment: Assignment) -> None:
    """Write down that the labeler was shown a model's draft: an independent read is an assisted one from now on."""
    mine = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN, read_kind="independent")
    if mine.update(read_kind="assisted"):
        assignment.read_kind = "assisted"


def take_over(*, assignment: Assignment, lease_s: float, now: datetime | None = None) -> Assignment:
    """Start a new lease on an open assignment (another window, a rework that is begun); older windows can no longer renew."""
    at = now or timezone.now()
    until = at + timedelta(seconds=lease_s)
    changed = Assignment.objects.filter(pk=assignment.pk, state=State.OPEN).update(
        lease_until=until, fence=F("fence") + 1, begun_at=Coalesce(F("begun_at"), at)
    )
    assignment.refresh_from_db(fields=["state", "lease_until", "fence", "begun_at"])
    if not changed:
        raise NotOpen(assignment.state)
    return assignment


def expire(*, assignment: Assignment, now: datetime | None = None) -> bool:
    """Close an assignment whose lease is over, or that waited too long; False where it was renewed or closed meanwhile.

    The draft is kept; a late write meets the higher fence. Work that an admin gave by hand stays its labeler's: it is laid
    down, and False is returned. The caller holds the item.
    """
    at = now or timezone.now()
    by_hand = Assignment.objects.filter(
        pk=assignment.pk, state=State.OPEN, lease_until__lt=at, assigned_by__isnull=False
    ).exclude(read_kind="rework")
    if by_hand.update(lease_until=None, begun_at=None, fence=F("fence") + 1):
        return False
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


def requeue_skipped(*, assignment: Assignment, now: datetime | None = None) -> bool:
    """Open skipped work to its labeler again; False where it was not skipped, or was opened again before."""
    rows = Assignment.objects.filter(pk=assignment.pk, state=State.SKIPPED, requeued_at=None)
    return bool(rows.update(requeued_at=now or timezone.now()))


def forgive_skips(*, item: Item, labeler: Labeler, now: datetime | None = None) -> None:
    """Open an item to a labeler again who skipped it, because the policy lets it come back later."""
    rows = Assignment.objects.filter(item=item, labeler=labeler, state=State.SKIPPED, requeued_at=None)
    rows.update(requeued_at=now or timezone.now())


def _earlier_of(item: Item, labeler: Labeler) -> list[Assignment]:
    """What the labeler had of the item, the newest first."""
    return prepared.instances(
        ("had-of-an-item",),
        lambda: Assignment.objects.filter(item=SLOTS[0], labeler=SLOTS[1]).order_by("-created_at"),
        [item.pk, labeler.pk],
    )


def _bars(earlier: Assignment) -> bool:
    """Whether an earlier assignment means that its labeler does not get the item again."""
    if earlier.state == State.SKIPPED:
        return earlier.requeued_at is None
    return earlier.state != State.EXPIRED


def _was_handed_over(earlier: Sequence[Assignment]) -> bool:
    ended = [row.pk for row in earlier if row.state == State.EXPIRED]
    return bool(ended) and Assignment.objects.filter(continues__in=ended).exists()


def _expired_twin(earlier: Sequence[Assignment], read_kind: str, follows: Assignment | None) -> Assignment | None:
    key = None if follows is None else follows.pk
    return next(
        (
            row for row in earlier
            if row.state == State.EXPIRED and row.read_kind == read_kind and row.follows_id == key
        ),
        None,
    )  # fmt: skip


def _open_again(assignment: Assignment, *, planned_blind: bool, **values: Any) -> Assignment:
    changed = Assignment.objects.filter(pk=assignment.pk, state=State.EXPIRED).update(
        state=State.OPEN, fence=F("fence") + 1, closed_at=None,
        # A read that was bought because others disagreed stays unplanned, whatever it is offered as now.
        planned_blind=assignment.planned_blind and planned_blind, **values,
    )  # fmt: skip
    if not changed:
        raise AlreadyRead
    _recount(assignment.item_id)
    assignment.refresh_from_db()
    return assignment


def _close_held(rows: QuerySet[Assignment], state: str, *, at: datetime, skip_reason: str = "") -> bool:
    items = list(rows.values_list("item_id", flat=True))
    closed = rows.filter(state__in=HELD).update(
        state=state, closed_at=at, fence=F("fence") + 1, lease_until=None, waiting_since=None, skip_reason=skip_reason
    )
    if closed and state != State.SUBMITTED:
        for item_id in items:
            _recount(item_id)
    return bool(closed)


def _recount(item_id: int) -> None:
    """Count the item's reads again, so that handing out needs to count nothing: never a sum that could drift."""

    def counted() -> tuple[QuerySet[Item], dict[str, Any]]:
        mine = filling().filter(item_id=SLOTS[0]).order_by().values("item_id")
        taken = mine.annotate(n=Count("labeler", distinct=True)).values("n")
        return Item.objects.filter(pk=SLOTS[0]), {"reads_taken": Coalesce(Subquery(taken), 0)}

    prepared.change(("recount",), counted, [item_id])
