"""The ways an item's label comes to stand: by vote, by a reviewer's choice, by a panel. Parts of ``lifecycle.settle`` and
``lifecycle.review``, run inside a step's transaction with the item locked.

Not here: what the label is (``consensus``), and who may settle (the step).
"""

from __future__ import annotations

from collections.abc import Sequence

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus import services as consensus
from labelhub.consensus.models import Settlement
from labelhub.reviews.selectors import has_read
from labelhub.workflow import auditing, panel, steps
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.states import State, move


def require_not_own(item: Item, by: User) -> None:
    """Raise where ``by`` read the item: nobody settles what they read."""
    if has_read(by, item):
        raise StepRefused(
            "You read this item yourself, so somebody else settles it. Nothing was changed.", code="own-read"
        )


def accept(item: Item, submission: Submission | None, by: User, reason: str) -> Settlement | None:
    """Settle as a reviewer found right, or keep one vote of the policy's panel (None: it was not the last)."""
    accepted = panel.accept(item, submission, by, reason)
    if not accepted.is_settled:
        return None
    if accepted.submission is not None:
        return by_choice(item, accepted.submission, by, accepted.reason)
    return by_vote(item, steps.current_reads(item), reason=accepted.reason, by=by)


def by_vote_or_choice(item: Item, submission: Submission | None, reason: str, by: User | None) -> Settlement:
    """Settle with the one ``submission``, or by the vote of the current readings where there is none."""
    if submission is None:
        return by_vote(item, steps.current_reads(item), reason=reason, by=by)
    if by is None or submission.assignment.item_id != item.pk:
        raise StepRefused("A reviewer settles an item with a reading of it. Nothing was changed.", code="other-item")
    return by_choice(item, submission, by, reason)


def by_vote(
    item: Item,
    reads: Sequence[Submission],
    *,
    reason: str,
    by: User | None = None,
    merged: consensus.Label | None = None,
) -> Settlement:
    """Settle by what the readings say together; ``merged`` may be given where it was computed already."""
    settlement = consensus.settle_by_vote(item=item, submissions=reads, reason=reason, by=by, found=merged)
    _stands(item, settlement)
    return settlement


def by_choice(item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    """Settle with one reading as it was drawn."""
    settlement = consensus.settle_by_choice(item=item, submission=submission, by=by, reason=reason)
    _stands(item, settlement)
    return settlement


def _stands(item: Item, settlement: Settlement) -> None:
    """The label stands: rework that is still out is no longer needed; reads in progress may come in late."""
    move(item=item, to=State.SETTLED)
    auditing.draw(item, settlement)
    steps.withdraw_rework(item)
