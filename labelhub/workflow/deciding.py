"""What happens to an item between a reading and a decision: scoring it, deciding, and readers who come and go.

The parts of ``lifecycle`` that need no permission of their own; each runs inside a step's transaction, with the item locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.catalog.models import Item
from labelhub.consensus.merge import Merged
from labelhub.consensus.services import merged_label
from labelhub.projects.selectors import current_policy
from labelhub.reviews.selectors import rejected
from labelhub.routing.policy_rules import Verdict
from labelhub.routing.services import may_be_accepted, route_item
from labelhub.scoring.services import score_item
from labelhub.workflow.states import State, move


@dataclass(frozen=True, slots=True)
class Decided:
    """Where the item goes, on which readings, and what they say together where that was computed."""

    verdict: Verdict
    reads: Sequence[Submission]
    merged: Merged | None

    def odd_submission(self) -> Submission:
        """Return the reading that goes back to its author."""
        return next(entry for entry in self.reads if entry.assignment.labeler_id == self.verdict.author)


def score_then_decide(item: Item) -> Decided | None:
    """Score the item and decide where it goes; None where it is no longer (or not yet) to be decided."""
    aside = rejected(item)
    scores = score_item(item, set_aside=aside)
    current = scores.reads.current
    if item.state not in (State.READING, State.REWORK) or not current:
        return None
    if assigned.has_open(item, read_kind="rework"):
        return None
    merged = merged_label(item, current) if may_be_accepted(item, scores) else None
    has_tie = merged is not None and bool(merged.ties)
    _, verdict = route_item(item, scores, has_tie=has_tie, is_fixed_work=_is_fixed_work(current, aside))
    return Decided(verdict, current, merged)


def want_reads(item: Item, wanted: int) -> None:
    """Ask for more readers: the item shall have ``wanted`` reads, and stands in the queue again.

    What the policy plans anyway is not written down, so that a changed share of overlap reaches items at once.
    """
    _, policy = current_policy(item.project)
    if wanted > max(item.wanted_reads, assigned.planned_reads(item, policy)):
        Item.objects.filter(pk=item.pk).update(wanted_reads=wanted)
        item.wanted_reads = wanted
    move(item=item, to=State.READING)


def after_reader_left(item: Item) -> None:
    """Put the item where it belongs after somebody skipped it or ran out of time."""
    if item.state == State.READING and assigned.n_filled(item) == 0:
        move(item=item, to=State.WAITING)
    if item.state == State.REWORK and not assigned.has_open(item, read_kind="rework"):
        # Its author does not mend it: waiting longer would leave it nowhere.
        move(item=item, to=State.REVIEW)


def _is_fixed_work(current: Sequence[Submission], rejected_ids: frozenset[int]) -> bool:
    """Whether a current reading mends one that a reviewer rejected."""
    if not rejected_ids:
        return False
    former = set(Submission.objects.filter(pk__in=rejected_ids).values_list("assignment_id", flat=True))
    return any(entry.read_kind == "rework" and entry.assignment.follows_id in former for entry in current)
