"""The states of an item and of the work on it, and the moves between them: one table, enforced at one place.

The table is pure data, so that a test can walk it without a database; check constraints hold the states themselves. Not here:
what makes an item move (``lifecycle``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from labelhub.assignments.models import Assignment
from labelhub.audit import prepared
from labelhub.audit.prepared import SLOTS, TIMES
from labelhub.catalog.models import Item
from labelhub.workflow.errors import IllegalMove, ItemChanged, WorkElsewhere

State = Item.State
Work = Assignment.State

# From each state of an item, the states that may follow. What is not listed is refused.
MOVES: Mapping[str, frozenset[str]] = {
    # Nobody reads it now; it wants a reader.
    State.WAITING: frozenset({State.READING, State.EXCLUDED}),
    # Somebody has it, or some of its planned reads are in.
    State.READING: frozenset(
        {State.WAITING, State.REWORK, State.REVIEW, State.SETTLED, State.AMBIGUOUS, State.EXCLUDED}
    ),
    # It went back to one of its authors, or one of them took their submission back.
    State.REWORK: frozenset({State.READING, State.REVIEW, State.SETTLED, State.AMBIGUOUS, State.EXCLUDED}),
    # A reviewer decides.
    State.REVIEW: frozenset({State.READING, State.REWORK, State.SETTLED, State.AMBIGUOUS, State.EXCLUDED}),
    # Its label stands; a reviewer who disagrees, a model that strongly disagrees or its only author opens it again, and who
    # changed the ontology or the instructions has it read anew.
    State.SETTLED: frozenset({State.READING, State.REVIEW, State.REWORK, State.AMBIGUOUS, State.EXCLUDED}),
    # A reviewer found that no label is right: it is released as "ignore". Another one may open it again, or settle it.
    State.AMBIGUOUS: frozenset({State.READING, State.REVIEW, State.SETTLED, State.EXCLUDED}),
    # Taken out for good, with a reason. Its readings stay on record.
    State.EXCLUDED: frozenset(),
}

# The same for the work of one labeler on one item. A submission that is recalled stays; what follows it is work of its own.
WORK_MOVES: Mapping[str, frozenset[str]] = {
    Work.OPEN: frozenset(
        {Work.PARKED, Work.ASKED, Work.SUBMITTED, Work.SKIPPED, Work.UNREADABLE, Work.DISPUTED, Work.EXPIRED}
    ),
    # Its labeler put it aside: nobody else gets it meanwhile.
    Work.PARKED: frozenset({Work.OPEN, Work.EXPIRED}),
    # It waits for a reviewer's answer, or until its labeler goes on without.
    Work.ASKED: frozenset({Work.OPEN, Work.EXPIRED}),
    # Its time ended; its labeler may take it again while it is wanted.
    Work.EXPIRED: frozenset({Work.OPEN}),
    Work.SUBMITTED: frozenset(),
    Work.SKIPPED: frozenset(),
    Work.UNREADABLE: frozenset(),
    Work.DISPUTED: frozenset(),
}

# Which step brings work from where to where; ``None`` begins work.
STEPS: Mapping[str, tuple[frozenset[str | None], str]] = {
    "hand out": (frozenset({None, Work.OPEN, Work.PARKED, Work.EXPIRED}), Work.OPEN),
    "take again": (frozenset({Work.EXPIRED, Work.OPEN}), Work.OPEN),
    "park": (frozenset({Work.OPEN}), Work.PARKED),
    "ask and wait": (frozenset({Work.OPEN}), Work.ASKED),
    "resume": (frozenset({Work.PARKED, Work.ASKED}), Work.OPEN),
    "answer": (frozenset({Work.ASKED}), Work.OPEN),
    "submit": (frozenset({Work.OPEN}), Work.SUBMITTED),
    "skip": (frozenset({Work.OPEN}), Work.SKIPPED),
    "cannot read": (frozenset({Work.OPEN}), Work.UNREADABLE),
    "dispute": (frozenset({Work.OPEN}), Work.DISPUTED),
    "expire": (frozenset({Work.OPEN, Work.PARKED, Work.ASKED}), Work.EXPIRED),
    "return or recall": (frozenset({None, Work.EXPIRED}), Work.OPEN),
}


def is_allowed(start: str, end: str) -> bool:
    """Whether an item in ``start`` may move to ``end``; staying where it is always may."""
    return start == end or end in MOVES.get(start, frozenset())


def require_step(step: str, work: Assignment) -> None:
    """Raise :class:`WorkElsewhere` where ``work`` is not where ``step`` begins."""
    if work.state not in STEPS[step][0]:
        raise WorkElsewhere(work.state)


def move(*, item: Item, to: str, now: datetime | None = None) -> None:
    """Move ``item`` within the caller's transaction; staying is no write.

    Raises :class:`IllegalMove` where the table has no such move, and :class:`ItemChanged` where somebody else moved
    the item since it was read: the write is conditional on the state it is believed to be in.
    """
    if item.state == to:
        return
    if not is_allowed(item.state, to):
        raise IllegalMove(code=item.code, start=item.state, end=to)
    at = now or timezone.now()
    believed = Item.objects.filter(pk=SLOTS[0], state=SLOTS[1])
    change = {"state": SLOTS[2], "state_changed_at": TIMES[0]}
    if not prepared.change(("move",), lambda: (believed, change), [item.pk, str(item.state), str(to)], [at]):
        raise ItemChanged(code=item.code, believed=item.state)
    item.state, item.state_changed_at = to, at
