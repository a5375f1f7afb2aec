"""The states of an item and the moves between them: one table, enforced at one place.

The table is pure data, so that a test can walk it without a database. Not here: what makes an item move (``lifecycle``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from labelhub.catalog.models import Item
from labelhub.workflow.errors import IllegalMove, ItemChanged

State = Item.State

# From each state, the states that may follow. What is not listed is refused.
MOVES: Mapping[str, frozenset[str]] = {
    # Nobody reads it now; it wants a reader.
    State.WAITING: frozenset({State.READING, State.EXCLUDED}),
    # Somebody has it, or some of its planned reads are in.
    State.READING: frozenset({State.WAITING, State.REWORK, State.REVIEW, State.SETTLED, State.EXCLUDED}),
    # It went back to one of its authors.
    State.REWORK: frozenset({State.READING, State.REVIEW, State.SETTLED, State.EXCLUDED}),
    # A reviewer decides.
    State.REVIEW: frozenset({State.READING, State.REWORK, State.SETTLED, State.EXCLUDED}),
    # Its label stands; a reviewer who disagrees or a model that strongly disagrees opens it again.
    State.SETTLED: frozenset({State.REVIEW, State.REWORK, State.EXCLUDED}),
    # Taken out for good, with a reason. Its readings stay on record.
    State.EXCLUDED: frozenset(),
}


def is_allowed(start: str, end: str) -> bool:
    """Whether an item in ``start`` may move to ``end``; staying where it is always may."""
    return start == end or end in MOVES.get(start, frozenset())


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
    changed = Item.objects.filter(pk=item.pk, state=item.state).update(state=to, state_changed_at=at)
    if not changed:
        raise ItemChanged(code=item.code, believed=item.state)
    item.state, item.state_changed_at = to, at
