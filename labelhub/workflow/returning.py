"""A reviewer's judgement taking effect, and work going back to its author with a ticket. Parts of ``lifecycle``.

Each function runs inside a step's transaction, with the item locked. Not here: keeping the judgement (``reviews.services``),
what the author may see of the differences (``reviews.marks``), and an author who disagrees (``disputing``).
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.reviews import services as reviews
from labelhub.reviews import tickets
from labelhub.reviews.marks import Seal, marks_of
from labelhub.reviews.models import Decision
from labelhub.workflow import deciding, settling, steps
from labelhub.workflow.errors import CannotReturn
from labelhub.workflow.readers_left import ask_for_more
from labelhub.workflow.states import State, move

# Work that came back may wait for its author this long; then a reviewer takes it.
REWORK_LEASE_S = 7 * 24 * 3600


def judge(
    item: Item,
    submission: Submission,
    reviewer: User,
    verdict: str,
    score: int | None,
    comment: str,
    request_id: uuid.UUID,
) -> Decision:
    """Keep a judgement and act on it; a retry does nothing."""
    decision, is_new = reviews.decide(
        submission=submission, reviewer=reviewer, verdict=verdict, score=score, comment=comment, request_id=request_id
    )
    if not is_new:
        return decision
    if verdict == Decision.Verdict.ACCEPT:
        if item.state != State.SETTLED:
            settling.accept(item, submission, reviewer, "A reviewer found this reading right.")
    elif item.state == State.AMBIGUOUS or (item.state == State.SETTLED and steps.settled_by_other(item, reviewer)):
        move(item=item, to=State.REVIEW)
    else:
        _reject(item, submission, reviewer, decision)
    return decision


def return_to_author(
    item: Item, submission: Submission, reason: str, *, by: User | None = None, decision: Decision | None = None
) -> Assignment:
    """Open a rework of the submission for its author, with a ticket. Writes ``item.returned``. Raises ``CannotReturn``."""
    _, policy = current_policy(item.project)
    steps.require_returnable(submission, policy)
    former = submission.assignment
    assignment = assignments.open_assignment(
        item=item, labeler=former.labeler, read_kind="rework", planned_blind=False, reason=reason, lease_s=REWORK_LEASE_S,
        follows=former,
    )  # fmt: skip
    ticket = tickets.keep_ticket(
        assignment=assignment, submission=submission, decision=decision, marks=marks_for(item, submission, policy),
        n_round=assigned.rework_rounds(item).get(former.labeler_id, 1),
    )  # fmt: skip
    move(item=item, to=State.REWORK)
    actor = "system" if by is None else f"user:{by.pk}"
    steps.event(item, "item.returned", actor, assignment=str(assignment.pk), submission=submission.pk, ticket=ticket.pk)
    if former.labeler.user is not None:
        notify(
            users=[former.labeler.user], kind="returned", text=f"Your work on {item.code} came back to you.",
            about=f"work:{assignment.pk}", project_id=item.project_id, key=f"returned:{ticket.pk}",
        )  # fmt: skip
    return assignment


def marks_for(item: Item, submission: Submission, policy: Policy) -> dict[str, Any]:
    """Return the marks on a reading that goes back: where it differs from the other readings that speak for the item."""
    author = submission.assignment.labeler_id
    others = [entry for entry in steps.current_reads(item) if entry.assignment.labeler_id != author]
    own, *rest = readings_of([submission, *others])
    return marks_of(
        own, rest, grids=[grid_of(medium) for medium in media_of(item)], tolerance_mm=policy.tolerance_mm,
        tolerance_px=policy.tolerance_px, is_exact=policy.show_other_answers_on_rework,
        seal=Seal(f"item:{item.pk}", f"{item.project.pseudonym_salt}:marks of returned work".encode()),
    )  # fmt: skip


def _reject(item: Item, submission: Submission, reviewer: User, decision: Decision) -> None:
    verdict = deciding.after_rejection(item, submission)
    if verdict.outcome == "back-to-author":
        with suppress(CannotReturn):
            return_to_author(item, submission, verdict.reason, by=reviewer, decision=decision)
            return
    if item.state == State.SETTLED or verdict.outcome == "reviewer":
        move(item=item, to=State.REVIEW)
    if verdict.outcome in ("back-to-author", "more-readers"):
        ask_for_more(item, max(verdict.wanted_reads, assigned.n_filled(item) + 1))
