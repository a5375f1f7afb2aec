"""The life of an item, one function a step, from top to bottom as the loop runs.

    hand out → submit → (score → route) → review → settle → release

Every write that moves an item goes through here, in one transaction a step, with the item locked first and its audit events
inside. Moves are those of ``states``; what refuses a step raises before anything is stored. Not here: how a number is made
(``scoring``), which rule decides (``routing``), what an answer holds (``annotations``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations import submissions
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.consensus import services as consensus
from labelhub.consensus.merge import Merged
from labelhub.consensus.models import Settlement
from labelhub.exports import services as exports
from labelhub.exports.models import Release
from labelhub.formats.shapes import Reading
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import count_hand_out
from labelhub.reviews import services as reviews
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import has_read
from labelhub.scoring import gold
from labelhub.workflow import deciding, handing_out, steps
from labelhub.workflow.desk import Desk, desk_of
from labelhub.workflow.errors import CannotReturn, ItemExcluded, NoLongerWanted, StepRefused
from labelhub.workflow.states import State, move

# Work that came back may wait for its author this long; then a reviewer takes it.
REWORK_LEASE_S = 7 * 24 * 3600


def hand_out(*, labeler: Labeler, now: datetime | None = None) -> Assignment | None:
    """Give the labeler what they read next, or None. Asking again returns what they have begun, under a new lease.

    Writes ``item.handed_out``. Raises ``NotALabelerNow``, ``GuidelineUnread``, ``ExamFailed``, ``ExamTooShort`` and
    ``EnoughForToday``.
    """
    at = now or timezone.now()
    expire_leases(project=labeler.project, now=at)
    with transaction.atomic():
        desk = desk_of(labeler, is_locked=True)
        begun = assigned.open_of(labeler).first() if handing_out.has_open(desk) else None
        if begun is not None:
            lease_s = REWORK_LEASE_S if begun.read_kind == "rework" else desk.policy.lease_s
            return assignments.take_over(assignment=begun, lease_s=lease_s, now=at)
        chosen = handing_out.choose(desk, at)
        if chosen.choice is not None:
            return _give(chosen.choice, desk, at)
    # Items that others held were passed over. One may still want a reader once they let go of it, and whoever is told
    # "nothing" does not ask again. One item's lock a transaction, so that two who wait never wait for each other.
    for key in chosen.held:
        with transaction.atomic():
            desk = desk_of(labeler, is_locked=True)
            choice = handing_out.choose_held(locked(key), desk)
            if choice is not None:
                return _give(choice, desk, at)
    return None


def take_again(*, assignment: Assignment, by: User, now: datetime | None = None) -> Assignment:
    """Give its author the work back whose time ended, with the draft as it was. Taking twice is taking once.

    Writes ``assignment.taken_again``. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``NoLongerWanted``
    where the item has its readers by now, ``NotOpen`` where the work was submitted or skipped, and as :func:`hand_out`.
    """
    require(by, Action.LABEL, assignment)
    handing_out.require_may_label(assignment.labeler)
    with transaction.atomic():
        item = locked(assignment.item_id)
        late = assigned.of_item(item).get(pk=assignment.pk)
        if late.state == Assignment.State.OPEN:
            return late
        if late.state != Assignment.State.EXPIRED:
            raise NotOpen(late.state)
        _, policy = current_policy(item.project)
        choice = handing_out.choose_again(late, item, policy)
        if choice is None:
            raise NoLongerWanted
        again = assignments.open_assignment(
            item=item, labeler=late.labeler, read_kind=late.read_kind, planned_blind=choice.planned_blind,
            reason=choice.reason, lease_s=policy.lease_s, follows=late.follows, now=now,
        )  # fmt: skip
        if item.state == State.WAITING:
            move(item=item, to=State.READING, now=now)
        _event(item, "assignment.taken_again", f"labeler:{again.labeler_id}", assignment=str(again.pk))
    return again


def skip(*, assignment: Assignment, reason: str, now: datetime | None = None) -> None:
    """Give an item back unread; the labeler does not get it again. Writes ``assignment.skipped``.

    A rework that its author declines goes to a reviewer. Raises ``NotOpen`` where it was closed already, and
    ``SkipForbidden`` where the policy allows no skipping.
    """
    with transaction.atomic():
        item = locked(assignment.item_id)
        steps.require_skippable(item)
        assignments.close(assignment=assignment, state=Assignment.State.SKIPPED, reason=reason.strip(), now=now)
        _event(item, "assignment.skipped", f"labeler:{assignment.labeler_id}", assignment=str(assignment.pk))
        deciding.after_reader_left(item)


def expire_leases(*, project: Project | None = None, now: datetime | None = None) -> int:
    """Close what is past its lease and put its items back into the queue. Drafts are kept. Writes ``assignment.expired``."""
    at = now or timezone.now()
    count = 0
    for assignment in assigned.overdue(project=project, now=at):
        with transaction.atomic():
            item = locked(assignment.item_id)
            if assignments.expire(assignment=assignment, now=at):
                count += 1
                _event(item, "assignment.expired", "system", assignment=str(assignment.pk))
                deciding.after_reader_left(item)
    return count


def submit(
    *, assignment: Assignment, by: User, request_id: uuid.UUID, no_finding: bool = False,
    extent: Mapping[str, Any] | None = None, active_s: float | None = None,
) -> Submission:  # fmt: skip
    """Freeze what the labeler drew, close the assignment, then score and route the item, all or nothing.

    A retried ``request_id`` gets the first answer and does nothing. Writes ``submission.frozen`` and what follows. Raises
    ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``ItemExcluded``, and what ``freeze`` refuses.
    """
    require(by, Action.LABEL, assignment)
    with transaction.atomic():
        item = locked(assignment.item_id)
        earlier = Submission.objects.filter(assignment=assignment, request_id=request_id).first()
        if earlier is not None:
            return earlier
        if item.state == State.EXCLUDED:
            raise ItemExcluded(code=item.code)
        submission = submissions.freeze(
            assignment=assignment, request_id=request_id, no_finding=no_finding, extent=extent, active_s=active_s
        )
        assignments.close(assignment=assignment, state=Assignment.State.SUBMITTED)
        _score_and_route(item)
    return submission


def record_reading(
    *, item: Item, labeler: Labeler, reading: Reading, at: datetime | None = None, is_gold: bool = False,
    is_routed: bool = True, active_s: float | None = None,
) -> Submission:  # fmt: skip
    """Store a reading made elsewhere (an import, a simulated reader), then score and route the item unless told not to.

    With ``is_gold`` it becomes the item's gold and votes on nothing. An import of several readers stores them with
    ``is_routed=False`` and calls :func:`score_and_route` once an item is whole. Writes ``submission.stored`` and what follows.
    """
    with transaction.atomic():
        held = locked(item.pk)
        if held.state == State.EXCLUDED:
            raise ItemExcluded(code=held.code)
        submission = steps.store(held, labeler, reading, at=at, is_gold=is_gold, active_s=active_s)
        if not is_gold and held.state == State.WAITING:
            move(item=held, to=State.READING, now=at)
        if is_routed:
            _score_and_route(held)
        item.state, item.wanted_reads = held.state, held.wanted_reads
    return submission


def score_and_route(*, item: Item) -> None:
    """Bring the item's scores up to date, decide where it goes, and send it there. Writes ``item.routed`` and what follows.

    A late reading of an item that is settled or with a reviewer is scored and kept; so is one of an item whose author
    still works on a rework: it is decided when that is in.
    """
    with transaction.atomic():
        held = locked(item.pk)
        _score_and_route(held)
        item.state, item.wanted_reads = held.state, held.wanted_reads


def start_rework(*, submission: Submission, reason: str, by: User | None = None) -> Assignment:
    """Send a submission back to its author, who finds their shapes as they were. Writes ``item.returned``.

    Raises ``CannotReturn`` where the author has no account here, has left, is at work on the item, or had the policy's
    rounds.
    """
    if by is not None:
        require(by, Action.REVIEW, submission)
    with transaction.atomic():
        return _return_to_author(locked(submission.assignment.item_id), submission, reason, by=by)


def review(
    *, submission: Submission, reviewer: User, verdict: str, score: int | None, comment: str, request_id: uuid.UUID
) -> Decision:
    """Keep a reviewer's judgement and act on it. A retried ``request_id`` gets the first judgement and does nothing.

    *Accept* settles the item with this reading. *Reject* sends it back to its author with the comment; where that is not
    possible one more reader is asked. On an item that another reviewer settled, a rejection opens it for review again:
    both judgements stay. Raises ``NewerVersion`` where the author submitted again meanwhile. Writes ``submission.reviewed``
    and what follows.
    """
    require(reviewer, Action.REVIEW, submission)
    with transaction.atomic():
        item = locked(submission.assignment.item_id)
        if item.state == State.EXCLUDED:
            raise ItemExcluded(code=item.code)
        steps.require_newest(submission, request_id)
        decision, is_new = reviews.decide(
            submission=submission,
            reviewer=reviewer,
            verdict=verdict,
            score=score,
            comment=comment,
            request_id=request_id,
        )
        if not is_new:
            return decision
        if verdict == Decision.Verdict.ACCEPT:
            if item.state != State.SETTLED:
                _settle_by_choice(item, submission, reviewer, "A reviewer found this reading right.")
        elif item.state == State.SETTLED and steps.settled_by_other(item, reviewer):
            move(item=item, to=State.REVIEW)
        else:
            _reject(item, submission, reviewer)
    return decision


def settle(*, item: Item, reason: str, by: User | None = None, submission: Submission | None = None) -> Settlement:
    """Settle the item by the vote of its current readings, or with the one ``submission`` that a reviewer chose.

    Settling again is a further settlement. Writes ``item.settled``. Raises ``UnsettledTie`` (nothing is settled
    then), ``NothingToSettle``, and for a person ``NotAllowed`` or, on an item they read, ``StepRefused``.
    """
    if by is not None:
        require(by, Action.REVIEW, item)
        if has_read(by, item):
            raise StepRefused(
                "You read this item yourself, so somebody else settles it. Nothing was changed.", code="own-read"
            )
    with transaction.atomic():
        held = locked(item.pk)
        if submission is not None:
            if by is None or submission.assignment.item_id != held.pk:
                raise StepRefused(
                    "A reviewer settles an item with a reading of it. Nothing was changed.", code="other-item"
                )
            settlement = _settle_by_choice(held, submission, by, reason)
        else:
            settlement = _settle_by_vote(held, steps.current_reads(held), reason=reason, by=by)
        item.state = held.state
    return settlement


def exclude(*, item: Item, by: User, reason: str) -> None:
    """Take the item out of the project's work for good; its readings stay on record. Writes ``item.excluded``.

    The reason stands in the audit chain: it names no person or file. Admins only.
    """
    require(by, Action.MANAGE, item)
    if not reason.strip():
        raise StepRefused("Say why the item is excluded. Nothing was changed.", code="reason-missing", status=422)
    with transaction.atomic():
        held = locked(item.pk)
        if held.state == State.EXCLUDED:
            return
        move(item=held, to=State.EXCLUDED)
        _event(held, "item.excluded", f"user:{by.pk}", reason=reason.strip()[:300])
        item.state = held.state


def release(*, project: Project, formats: Sequence[str], note: str, by: User) -> Release:
    """Start a release of the labels that are settled now, as a job. Writes ``release.started``. Admins only."""
    require(by, Action.MANAGE, project)
    return exports.start_release(project=project, formats=formats, note=note, by=by)


def locked(item_id: int) -> Item:
    """Return the item, locked until the transaction ends: the first lock of every step, so that steps never cross."""
    return Item.objects.select_for_update(of=("self",)).select_related("project").get(pk=item_id)


def _give(choice: handing_out.Choice, desk: Desk, at: datetime) -> Assignment:
    labeler, item = desk.labeler, choice.item
    if desk.policy.skip_rule == "later":
        assignments.forgive_skips(item=item, labeler=labeler, now=at)
    assignment = assignments.open_assignment(
        item=item, labeler=labeler, read_kind=choice.read_kind, planned_blind=choice.planned_blind,
        reason=choice.reason, lease_s=desk.policy.lease_s, is_begun=True, now=at,
    )  # fmt: skip
    if item.state == State.WAITING and choice.read_kind in assigned.FILLING:
        move(item=item, to=State.READING, now=at)
    count_hand_out(labeler=labeler)
    if choice.gold is not None:
        gold.expose_gold(gold=choice.gold, most=desk.policy.gold_max_exposures)
    _event(item, "item.handed_out", f"labeler:{labeler.pk}", assignment=str(assignment.pk))
    return assignment


def _score_and_route(item: Item) -> None:
    decided = deciding.score_then_decide(item)
    if decided is None:
        return
    outcome, reason = decided.verdict.outcome, decided.verdict.reason
    if outcome == "accept":
        _settle_by_vote(item, decided.reads, reason=reason, merged=decided.merged)
    elif outcome == "back-to-author":
        _return_to_author(item, decided.odd_submission(), reason)
    elif outcome == "more-readers":
        deciding.want_reads(item, decided.verdict.wanted_reads)
    else:
        move(item=item, to=State.REVIEW)


def _settle_by_vote(
    item: Item, reads: Sequence[Submission], *, reason: str, by: User | None = None, merged: Merged | None = None
) -> Settlement:
    settlement = consensus.settle_by_vote(item=item, submissions=reads, reason=reason, by=by, merged=merged)
    _settled(item)
    return settlement


def _settle_by_choice(item: Item, submission: Submission, by: User, reason: str) -> Settlement:
    settlement = consensus.settle_by_choice(item=item, submission=submission, by=by, reason=reason)
    _settled(item)
    return settlement


def _settled(item: Item) -> None:
    """The label stands: rework that is still out is no longer needed; reads in progress may come in late."""
    move(item=item, to=State.SETTLED)
    for assignment in assigned.of_item(item).filter(state=Assignment.State.OPEN, read_kind="rework"):
        assignments.withdraw(assignment=assignment)


def _reject(item: Item, submission: Submission, reviewer: User) -> None:
    try:
        _return_to_author(item, submission, "A reviewer rejected it.", by=reviewer)
    except CannotReturn:
        if item.state == State.SETTLED:
            move(item=item, to=State.REVIEW)
        deciding.want_reads(item, assigned.n_filled(item) + 1)


def _return_to_author(item: Item, submission: Submission, reason: str, *, by: User | None = None) -> Assignment:
    _, policy = current_policy(item.project)
    steps.require_returnable(submission, policy)
    former = submission.assignment
    assignment = assignments.open_assignment(
        item=item, labeler=former.labeler, read_kind="rework", planned_blind=False, reason=reason, lease_s=REWORK_LEASE_S,
        follows=former,
    )  # fmt: skip
    move(item=item, to=State.REWORK)
    actor = "system" if by is None else f"user:{by.pk}"
    _event(item, "item.returned", actor, assignment=str(assignment.pk), submission=submission.pk)
    return assignment


def _event(item: Item, kind: str, actor: str, **facts: Any) -> None:
    audit.append(project_id=item.project_id, kind=kind, actor=actor, subject=f"item:{item.pk}", facts=facts)
