"""What happens to an item between a reading and a decision: scoring it, deciding, and readers who come and go.

The parts of ``lifecycle`` that need no permission of their own; each runs inside a step's transaction, with the item locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from labelhub.analytics.services import keep_fresh
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.consensus.services import Label, merged_label
from labelhub.projects.selectors import current_policy
from labelhub.reviews.selectors import rejected
from labelhub.routing.policy_rules import GOLD_STANDS, Verdict, may_accept
from labelhub.routing.selectors import was_routed_on
from labelhub.routing.services import has_rules_on, keep_route, route_item, situation_of
from labelhub.scoring.gold import current_gold, was_gold
from labelhub.scoring.gold_answers import judged_on_gold
from labelhub.scoring.services import ItemScores, score_item
from labelhub.workflow.gating import after_gold
from labelhub.workflow.states import State, move


@dataclass(frozen=True, slots=True)
class Decided:
    """Where the item goes, on which readings, and what they say together where that was computed.

    ``reference`` is the gold that stands in place of what the readings say.
    """

    verdict: Verdict
    reads: Sequence[Submission]
    merged: Label | None
    reference: Submission | None = None

    def odd_submission(self) -> Submission:
        """Return the reading that goes back to its author."""
        return next(entry for entry in self.reads if entry.assignment.labeler_id == self.verdict.author)


def score_then_decide(item: Item, *, moves_gates: bool = True, is_disputed: bool = False) -> Decided | None:
    """Score the item and decide where it goes; None where it is no longer (or not yet) to be decided.

    An item ``is_disputed`` while it waits for a third reader. Once that is committed, a worker brings the project's numbers
    up to date.
    """
    keep_fresh(item.project)
    aside = rejected(item)
    judged = judged_on_gold(item) if moves_gates and was_gold(item) else None
    scores = score_item(item, set_aside=aside)
    if judged is not None:
        after_gold(item, judged)
    current = scores.reads.current
    if (sent := _after_gold(item, scores)) is not None:
        return Decided(sent, current, None)
    if item.state not in (State.READING, State.REWORK) or not current:
        return None
    if is_disputed or assigned.has_open(item, read_kind="rework"):
        return None
    _, policy = current_policy(item.project)
    situation = replace(situation_of(item, scores, policy), is_fixed_work=_is_fixed_work(current, aside))
    merged = None
    if not scores.has_gold and may_accept(situation, policy):
        merged = merged_label(item, current, loaded=scores.loaded, judged=scores.judged)
        situation = replace(situation, has_tie=bool(merged.merged.ties), doubt=merged.merged.doubt)
    _, verdict = keep_route(item, situation)
    return Decided(verdict, current, merged, reference_of(item) if verdict.rule == GOLD_STANDS else None)


def reference_of(item: Item) -> Submission | None:
    """Return the reading that is the item's gold now."""
    gold = current_gold(item)
    return None if gold is None else gold.submission


def after_rejection(item: Item, submission: Submission) -> Verdict:
    """Decide where the item goes now that a reviewer rejected ``submission``."""
    scores = score_item(item, set_aside=rejected(item))
    _, verdict = route_item(item, scores, trigger="review", rejected=submission)
    return verdict


def _after_gold(item: Item, scores: ItemScores) -> Verdict | None:
    """Return what the policy says of readings that were compared with gold; it is heard once an item."""
    if item.state not in (State.READING, State.SETTLED) or not scores.gold or not has_rules_on(item, "gold"):
        return None
    if was_routed_on(item, "gold"):
        return None
    route, verdict = route_item(item, scores, trigger="gold")
    return verdict if route is not None else None


def want_reads(item: Item, wanted: int) -> None:
    """Ask for more readers: the item shall have ``wanted`` reads, and stands in the queue again.

    What the policy plans anyway is not written down, so that a changed share of overlap reaches items at once.
    """
    _, policy = current_policy(item.project)
    if wanted > max(item.wanted_reads, assigned.planned_reads(item, policy)):
        Item.objects.filter(pk=item.pk).update(wanted_reads=wanted)
        item.wanted_reads = wanted
    move(item=item, to=State.READING)


def after_reader_left(item: Item, left: Assignment) -> bool:
    """Put the item where it belongs after somebody skipped it, could not read it or ran out of time.

    Returns whether it is to be decided again: what its author took back, and did not hand in anew, stands as it was.
    """
    if item.state == State.READING and assigned.n_filled(item) == 0:
        move(item=item, to=State.WAITING)
    if item.state == State.REWORK and not assigned.has_open(item, read_kind="rework"):
        if assigned.is_recalled(left):
            move(item=item, to=State.READING)
            return True
        # Its author does not mend it: waiting longer would leave it nowhere.
        move(item=item, to=State.REVIEW)
    return False


def _is_fixed_work(current: Sequence[Submission], rejected_ids: frozenset[int]) -> bool:
    """Whether a current reading mends one that a reviewer rejected."""
    if not rejected_ids:
        return False
    former = set(Submission.objects.filter(pk__in=rejected_ids).values_list("assignment_id", flat=True))
    return any(entry.read_kind == "rework" and entry.assignment.follows_id in former for entry in current)
