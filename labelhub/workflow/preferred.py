"""Whom an extra read is asked first: the labelers from whom it is worth most, by what was known when the item was routed.

A read beyond the planned ones is kept for them for a while, then anybody may take it, and they still get it before other
items of its priority. It changes who is asked when, never whether the read is made. Nothing of it is told to anybody who
labels. Not here: what a read is worth (``routing.worth``), which items want a read (``queue``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from labelhub.projects.policy import Policy
from labelhub.routing.selectors import preferences_of
from labelhub.workflow.desk import Desk

# So long after its route an extra read is kept for those from whom it is worth most.
KEPT_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that wants a read, as the queue's query returns it."""

    pk: int
    reads_taken: int
    overlap_draw: float

    def is_extra(self, policy: Policy) -> bool:
        """Whether its planned reads are taken, so that its next one was asked for because of what they say."""
        return self.reads_taken >= (policy.readers if self.overlap_draw < policy.overlap_share else 1)


def for_labeler(found: Sequence[Candidate], desk: Desk, at: datetime) -> tuple[list[int], list[int]]:
    """Return the items in their order, those that ask for this labeler apart and first; without what is kept for others.

    One query where an extra read is among them, none otherwise.
    """
    extra = [entry.pk for entry in found if entry.is_extra(desk.policy)]
    wishes = preferences_of(extra) if extra else {}
    first = [entry.pk for entry in found if entry.pk in wishes and desk.labeler.pk in wishes[entry.pk].labelers]
    kept = {key for key, wish in wishes.items() if wish.at > at - KEPT_FOR}
    rest = [entry.pk for entry in found if entry.pk not in kept and entry.pk not in first]
    return first, rest
