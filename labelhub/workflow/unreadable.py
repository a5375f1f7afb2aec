"""Items that cannot be read: a labeler says so with a reason, a second person confirms it, then the item is excluded.

The second person is a reviewer, or another labeler who says so in a read of their own, blind to the first. One who reads the
item refutes the claim, and the item goes on. Steps of ``lifecycle``. Not here: giving an item back without a claim (``skip``).
"""

from __future__ import annotations

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects import services as projects
from labelhub.projects.permissions import Action, require
from labelhub.reviews import questions
from labelhub.reviews.models import ClaimVerdict, UnreadableClaim
from labelhub.reviews.selectors import has_read
from labelhub.workflow import steps
from labelhub.workflow.errors import NothingToDecide, StepRefused
from labelhub.workflow.states import State, Work, require_step

# States in which two labelers' word takes an item out. Once it is decided, only a reviewer does.
UNDECIDED = (State.WAITING, State.READING, State.REWORK, State.REVIEW)


def claim(item: Item, assignment: Assignment, reason: str) -> Assignment:
    """Close the work with the claim; a second labeler's claim takes an undecided item out. The item is locked.

    Writes ``assignment.unreadable`` and what follows. Raises ``StepRefused`` (``reason-missing``) and ``WorkElsewhere``.
    """
    words = reason.strip()[:300]
    if not words:
        raise StepRefused("Say why it cannot be read. Nothing was changed.", code="reason-missing", status=422)
    work = assigned.of_item(item).get(pk=assignment.pk)
    require_step("cannot read", work)
    others = [entry for entry in questions.undecided_claims(item) if entry.assignment.labeler_id != work.labeler_id]
    assignments.close(assignment=work, state=Work.UNREADABLE, reason=words)
    own = questions.keep_claim(assignment=work, reason=words)
    steps.event(item, "assignment.unreadable", f"labeler:{work.labeler_id}", assignment=str(work.pk), claim=own.pk)
    if others and item.state in UNDECIDED:
        for entry in others:
            _decide(item, entry, is_confirmed=True, second=work)
        _decide(item, own, is_confirmed=True, second=others[0].assignment)
        steps.take_out(item, actor="system", reason="Two labelers could not read it.")
    return work


def refute_by_reading(item: Item, read: Assignment) -> None:
    """Whoever hands in a read of an item shows that it can be read: others' claims before it are refuted."""
    for entry in questions.undecided_claims(item):
        if entry.assignment.labeler_id != read.labeler_id:
            _decide(item, entry, is_confirmed=False, second=read)


def decide_claim(*, claim: UnreadableClaim, by: User, is_confirmed: bool, comment: str = "") -> ClaimVerdict:
    """Confirm a claim, which takes the item out, or refute it, and the item goes on. Writes ``unreadable.decided``.

    The same verdict twice is one. Raises ``NotFound`` or ``NotAllowed`` for those who do not review here, ``StepRefused``
    (``own-read``) for who read the item, and ``NothingToDecide`` where it was decided otherwise; both are kept then.
    """
    require(by, Action.REVIEW, claim)
    with transaction.atomic():
        item = steps.locked(claim.item_id)
        if has_read(by, item):
            raise StepRefused("You read this item yourself, so somebody else decides.", code="own-read")
        first = ClaimVerdict.objects.filter(claim=claim).first()
        outcome = ClaimVerdict.Outcome.CONFIRMED if is_confirmed else ClaimVerdict.Outcome.REFUTED
        if first is None:
            verdict = _decide(item, claim, is_confirmed=is_confirmed, by=by, comment=comment.strip())
            if is_confirmed and item.state != State.EXCLUDED:
                for other in questions.undecided_claims(item):
                    _decide(item, other, is_confirmed=True, by=by, comment=comment.strip())
                steps.take_out(item, actor=f"user:{by.pk}", reason="A reviewer confirmed that it cannot be read.")
            return verdict
        if (first.by_id, first.outcome) == (by.pk, outcome):
            return first
        projects.keep_stale_edit(
            project=item.project, what="claim", subject=f"item:{item.pk}", seen="undecided",
            newest=f"verdict:{first.pk}", content={"claim": claim.pk, "confirmed": is_confirmed, "comment": comment[:300]},
            by=by,
        )  # fmt: skip
    raise NothingToDecide(
        "Somebody decided this claim first, and the item went on by their decision. Yours was not carried out, and is kept."
    )


def _decide(
    item: Item, entry: UnreadableClaim, *, is_confirmed: bool, by: User | None = None, second: Assignment | None = None,
    comment: str = "",
) -> ClaimVerdict:  # fmt: skip
    verdict = questions.keep_verdict(entry, is_confirmed=is_confirmed, by=by, second=second, comment=comment)
    actor = f"user:{by.pk}" if by is not None else f"labeler:{second.labeler_id}" if second is not None else "system"
    steps.event(item, "unreadable.decided", actor, claim=entry.pk, outcome=verdict.outcome)
    return verdict
