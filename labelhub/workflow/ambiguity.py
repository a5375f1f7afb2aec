"""Declaring an item, or regions of it, truly ambiguous: settled as *ignore*, with all readings kept. A step of ``lifecycle``.

For cases in which experts who agree on the rules still cannot say what is right: forcing a label there makes noise. Not here:
the settlement itself (``consensus.ambiguity``).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus import ambiguity as settling
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import current_settlement
from labelhub.projects.models import Role
from labelhub.projects.permissions import Action, require, role_in
from labelhub.reviews.reviewer_tests import open_test
from labelhub.workflow import disputing, panel, steps, testing_reviewers
from labelhub.workflow.errors import ItemExcluded, StepRefused
from labelhub.workflow.settling import require_not_own
from labelhub.workflow.states import State, move


def declare_ambiguous(
    *, item: Item, by: User, reason: str, submission: Submission | None = None, shapes: Collection[str] = (),
    seen: str | None = None,
) -> Settlement | None:  # fmt: skip
    """Settle the item as ignore; with ``submission`` and ``shapes``, as that reading with only these shapes ignored.

    None: it was a test of the reviewer, and nothing follows for the item.
    ``seen`` is the item's mark (``steps.versions_of``) when the reviewer opened it. Writes ``item.settled`` and
    ``item.ambiguous``. Raises ``NotFound`` or ``NotAllowed``, ``StepRefused`` (``reason-missing``, ``own-read``,
    ``own-return``, ``shape-unknown``, ``nothing-read``, and ``panel-votes`` for all but admins while a panel sits),
    ``ItemExcluded``, and ``StaleJudgement``; what was sent is kept then.
    """
    require(by, Action.REVIEW, item)
    words = reason.strip()
    if not words:
        raise StepRefused("Say why no label is right here. Nothing was changed.", code="reason-missing", status=422)
    if (test := open_test(by, item)) is not None:
        testing_reviewers.hear_ambiguous(test, words, submission, shapes)
        return None
    require_not_own(item, by)
    with transaction.atomic():
        held = steps.locked(item.pk)
        if held.state == State.EXCLUDED:
            raise ItemExcluded(code=held.code)
        now = current_settlement(held)
        if held.state == State.AMBIGUOUS and not shapes and now is not None and now.decided_by_id == by.pk:
            return now
        if panel.sits(held) and role_in(by, held.project) != Role.ADMIN:
            raise StepRefused(
                "A panel of reviewers votes on this item, so one reviewer alone cannot settle it as ambiguous. Nothing was "
                "changed. Vote, or ask an admin.",
                code="panel-votes",
            )
        content = {"verdict": "ambiguous", "reason": words[:300], "shapes": sorted(shapes)}
        refusal = steps.keep_if_stale(held, by, seen, content)
        if refusal is None:
            settlement = _settle(held, by, words, submission, frozenset(shapes))
            item.state = held.state
            return settlement
    raise refusal


def _settle(held: Item, by: User, reason: str, submission: Submission | None, shapes: frozenset[str]) -> Settlement:
    reads = steps.current_reads(held)
    if not reads:
        raise StepRefused("Nobody has read this item yet. Nothing was changed.", code="nothing-read")
    if submission is None:
        settlement = settling.settle_as_ambiguous(item=held, submissions=reads, by=by, reason=reason)
    else:
        known = set(submission.annotations.values_list("shape_id", flat=True))
        if submission.assignment.item_id != held.pk or not shapes or not shapes <= known:
            raise StepRefused(
                "These shapes are not all of the chosen reading. Nothing was changed. Load the page again.",
                code="shape-unknown", status=422,
            )  # fmt: skip
        settlement = settling.settle_with_ambiguous_shapes(
            item=held, submission=submission, others=reads, shapes=shapes, by=by, reason=reason
        )
    move(item=held, to=State.AMBIGUOUS if submission is None else State.SETTLED)
    steps.withdraw_rework(held)
    disputing.close_all(held, by=by)
    steps.event(held, "item.ambiguous", f"user:{by.pk}", settlement=settlement.pk, shapes=len(shapes))
    return settlement
