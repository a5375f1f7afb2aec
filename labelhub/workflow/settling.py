"""Settling an item within a step: by the vote of its readers, a reviewer's choice, a panel's last vote, or its gold.

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
from labelhub.reviews.services import DISPUTED
from labelhub.reviews.tickets import is_party
from labelhub.scoring.planted import let_stand
from labelhub.workflow import auditing, disputing, panel, steps, testing_reviewers
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.states import State, move


def require_not_own(item: Item, by: User) -> None:
    """Raise ``StepRefused`` where ``by`` read the item, or returned a reading of it whose author disputes that."""
    if has_read(by, item):
        raise StepRefused(
            "You read this item yourself, so somebody else settles it. Nothing was changed.", code="own-read"
        )
    if is_party(by, item):
        raise StepRefused(DISPUTED, code="own-return")


def require_no_panel(held: Item, by: User | None) -> None:
    """Raise ``StepRefused`` where a panel votes on the item: nobody decides alone, but an admin where it found no majority."""
    if panel.sits(held) and not panel.is_left_to(held, by):
        raise StepRefused(
            "A panel of reviewers votes on this item, so nobody settles it alone. Nothing was changed. Vote instead.",
            code="panel-votes",
        )


def require_looked(submission: Submission) -> None:
    """Raise ``StepRefused`` for a reading that let an error stand which was planted in the draft it began from."""
    if let_stand([submission]):
        raise StepRefused(
            "This reading let an error stand that was planted in the model's draft, so it cannot be the item's label. Nothing "
            "was changed. Settle by region or with another reading, or ask one more reader.",
            code="error-stood",
        )


def settle(held: Item, submission: Submission | None, reason: str, by: User | None) -> Settlement:
    """Settle by the vote of the current readings, or with the one that ``by`` chose. Raises as :func:`require_no_panel`."""
    require_no_panel(held, by)
    if submission is None:
        return settle_by_vote(held, steps.current_reads(held), reason=reason, by=by)
    if by is None or submission.assignment.item_id != held.pk:
        raise StepRefused("A reviewer settles an item with a reading of it. Nothing was changed.", code="other-item")
    return settle_by_choice(held, submission, by, reason)


def accept(item: Item, submission: Submission | None, by: User, reason: str) -> Settlement | None:
    """Take a reviewer's acceptance of a reading, or of all together; None: it was one vote of a panel, not the last."""
    if submission is not None:
        require_looked(submission)
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
    settled(item, settlement, by, None)
    return settlement


def settle_by_choice(item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    """Settle with one reading that ``by`` chose. Raises ``StepRefused`` for one that let a planted error stand."""
    require_looked(submission)
    settlement = consensus.settle_by_choice(item=item, submission=submission, by=by, reason=reason)
    settled(item, settlement, by, submission)
    return settlement


def settle_by_reference(item: Item, reference: Submission, *, reason: str) -> Settlement:
    """Settle with the item's gold, which nobody need decide about."""
    settlement = consensus.settle_by_reference(item=item, reference=reference, reason=reason)
    settled(item, settlement, None, None)
    return settlement


def settled(item: Item, settlement: Settlement, by: User | None, chosen: Submission | None) -> None:
    """Move the item that ``settlement`` settled, take work back that is out on it, and draw who looks at it again."""
    came_at = item.state_changed_at if item.state == State.REVIEW else None
    move(item=item, to=State.SETTLED)
    steps.withdraw_rework(item)
    disputing.settled(item, by, chosen)
    auditing.draw(item, settlement)
    if came_at is not None:
        testing_reviewers.place(item, settlement, by, came_at)
