"""Settling an item within a step: by the vote of its readers, by a reviewer's choice, or by a panel's last vote.

Each function runs inside a step's transaction, with the item locked. Not here: the label itself (``consensus``).
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
    """Raise ``StepRefused`` where ``by`` read the item."""
    if has_read(by, item):
        raise StepRefused(
            "You read this item yourself, so somebody else settles it. Nothing was changed.", code="own-read"
        )


def settle(held: Item, submission: Submission | None, reason: str, by: User | None) -> Settlement:
    """Settle by the vote of the current readings, or with the one that ``by`` chose."""
    if submission is None:
        return settle_by_vote(held, steps.current_reads(held), reason=reason, by=by)
    if by is None or submission.assignment.item_id != held.pk:
        raise StepRefused("A reviewer settles an item with a reading of it. Nothing was changed.", code="other-item")
    return settle_by_choice(held, submission, by, reason)


def accept(item: Item, submission: Submission | None, by: User, reason: str) -> Settlement | None:
    """Take a reviewer's acceptance of a reading, or of all together; None: it was one vote of a panel, not the last."""
    accepted = panel.accept(item, submission, by, reason)
    if not accepted.is_settled:
        return None
    if accepted.submission is not None:
        return settle_by_choice(item, accepted.submission, by, accepted.reason)
    return settle_by_vote(item, steps.current_reads(item), reason=accepted.reason, by=by)


def settle_by_vote(
    item: Item,
    reads: Sequence[Submission],
    *,
    reason: str,
    by: User | None = None,
    merged: consensus.Label | None = None,
) -> Settlement:
    """Settle with what the readings say together; ``merged`` where that was computed already."""
    settlement = consensus.settle_by_vote(item=item, submissions=reads, reason=reason, by=by, found=merged)
    _settled(item, settlement)
    return settlement


def settle_by_choice(item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    """Settle with one reading that ``by`` chose."""
    settlement = consensus.settle_by_choice(item=item, submission=submission, by=by, reason=reason)
    _settled(item, settlement)
    return settlement


def _settled(item: Item, settlement: Settlement) -> None:
    move(item=item, to=State.SETTLED)
    steps.withdraw_rework(item)
    auditing.draw(item, settlement)
