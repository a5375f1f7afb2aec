"""Which submissions of an item count for what.

Agreement uses *counted* reads: first versions of planned independent reads. Routing and consensus use *current* reads: each
labeler's latest answer, of every kind that is a judgement of the item. Gold, training and repeat reads vote on nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.scoring.models import GoldReference
from labelhub.scoring.planted import let_stand

# Kinds of reading that have a voice in what the item's label is.
VOTING = frozenset({"independent", "assisted", "unblinded", "co-edited", "rework", "unknown"})


@dataclass(frozen=True, slots=True)
class Reads:
    """The submissions of an item, oldest first: all, those that count for agreement, and those that decide now.

    ``was_gold``: one of them is the item's gold, or ever was. ``n_set_aside`` counts readers whose latest answer is not heard.
    """

    every: tuple[Submission, ...]
    counted: tuple[Submission, ...]
    current: tuple[Submission, ...]
    was_gold: bool = False
    n_set_aside: int = 0


def reads_of(item: Item, *, set_aside: Collection[int] = ()) -> Reads:
    """Return the item's submissions by what they count for.

    ``set_aside`` are ids of submissions that no longer speak for their author (rejected ones): none of them is current, nor
    is one that let a planted error stand.
    """
    every = tuple(
        Submission.objects.filter(assignment__item=item)
        .select_related("assignment__labeler__user", "ontology")
        .order_by("submitted_at", "pk")
    )
    # A submission that was ever gold stays out of the vote: the truth may not be measured against itself.
    gold = set(GoldReference.objects.filter(item=item).values_list("submission_id", flat=True))
    others = [submission for submission in every if submission.pk not in gold]
    counted = tuple(submission for submission in others if is_counted(submission))
    silenced = {*set_aside, *let_stand(others)}
    latest = _latest(others)
    current = tuple(entry for entry in latest if entry.pk not in silenced)
    return Reads(every, counted, current, was_gold=bool(gold), n_set_aside=len(latest) - len(current))


def is_counted(submission: Submission) -> bool:
    """Whether agreement may use the submission: the first version of a planned independent read."""
    return submission.read_kind == "independent" and submission.planned_blind is True and submission.version == 1


def _latest(submissions: Sequence[Submission]) -> tuple[Submission, ...]:
    latest: dict[int, Submission] = {}
    for submission in submissions:
        if submission.read_kind in VOTING:
            labeler_id = submission.assignment.labeler_id
            # A labeler's place in the order is that of their first answer.
            latest[labeler_id] = submission
    return tuple(latest.values())
