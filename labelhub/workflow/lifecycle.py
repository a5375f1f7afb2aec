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
from labelhub.analytics.services import keep_fresh
from labelhub.annotations import submissions
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.exports import services as exports
from labelhub.exports.models import Release
from labelhub.formats.shapes import Reading
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.services import count_hand_out
from labelhub.reviews.models import Decision
from labelhub.reviews.reviewer_tests import open_test
from labelhub.scoring import gold
from labelhub.workflow import (
    auditing,
    deciding,
    disputing,
    drafting,
    gating,
    handing_out,
    panel,
    returning,
    settling,
    steps,
    testing_reviewers,
    unreadable,
)
from labelhub.workflow.ambiguity import declare_ambiguous
from labelhub.workflow.desk import Desk, desk_of
from labelhub.workflow.disputing import close_dispute, dispute
from labelhub.workflow.errors import ItemExcluded, StepRefused
from labelhub.workflow.questions import answer, ask, publish_guideline
from labelhub.workflow.readers_left import ask_for_more
from labelhub.workflow.recalling import recall
from labelhub.workflow.rereading import send_back
from labelhub.workflow.returning import REWORK_LEASE_S
from labelhub.workflow.states import State, move, require_step
from labelhub.workflow.steps import event, locked
from labelhub.workflow.unreadable import decide_claim
from labelhub.workflow.waiting import park, resume, take_again

# Steps of the loop that have a module of their own, so that this one reads from top to bottom.
__all__ = [
    "REWORK_LEASE_S", "accept_readers", "answer", "ask", "cannot_read", "close_dispute", "decide_claim", "declare_ambiguous",
    "dispute", "exclude", "expire_leases", "hand_out", "locked", "park", "publish_guideline", "recall", "record_reading",
    "release", "resume", "review", "score_and_route", "send_back", "settle", "skip", "start_rework", "submit", "take_again",
]  # fmt: skip


def hand_out(*, labeler: Labeler, now: datetime | None = None) -> Assignment | None:
    """Give the labeler what they read next, or None. Asking again returns what they have begun, under a new lease.

    Writes ``item.handed_out``. Raises ``NotALabelerNow``, ``GuidelineUnread``, ``ExamFailed``, ``ExamTooShort`` and
    ``EnoughForToday``.
    """
    at = now or timezone.now()
    given, held, has_overdue = _first_choice(labeler, at, is_swept=False)
    if has_overdue:
        expire_leases(project=labeler.project, now=at)
        given, held, _ = _first_choice(labeler, at, is_swept=True)
    if given is not None:
        return given
    # Items that others held were passed over. One may still want a reader once they let go of it, and whoever is told
    # "nothing" does not ask again. One item's lock a transaction, so that two who wait never wait for each other.
    for key in held:
        with transaction.atomic():
            desk = desk_of(labeler, is_locked=True)
            if (begun := _begun(desk, at)) is not None:
                return begun
            choice = handing_out.choose_held(locked(key), desk)
            if choice is not None:
                return _give(choice, desk, at)
    # Nothing new is there: what they parked themselves, however short ago.
    waits = assigned.paused_of(labeler).filter(state=Assignment.State.PARKED).first()
    return None if waits is None else resume(assignment=waits, by=handing_out.person_of(labeler), now=at)


def skip(*, assignment: Assignment, reason: str, now: datetime | None = None) -> None:
    """Give an item back unread; the labeler does not get it again. Writes ``assignment.skipped``.

    A rework that its author declines goes to a reviewer. Raises ``NotOpen`` where it was closed already, and
    ``SkipForbidden`` where the policy allows no skipping.
    """
    with steps.step():
        item = locked(assignment.item_id)
        require_step("skip", assigned.of_item(item).get(pk=assignment.pk))
        steps.require_skippable(item)
        assignments.close(assignment=assignment, state=Assignment.State.SKIPPED, reason=reason.strip(), now=now)
        event(item, "assignment.skipped", f"labeler:{assignment.labeler_id}", assignment=str(assignment.pk))
        reader_left(item, assignment)


def cannot_read(*, assignment: Assignment, by: User, reason: str) -> Assignment:
    """Say that the item cannot be read, and why. A second person decides whether that is so. Twice is once.

    Writes ``assignment.unreadable`` and what follows. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, and
    as :func:`unreadable.claim`.
    """
    require(by, Action.LABEL, assignment)
    with steps.step():
        item = locked(assignment.item_id)
        work = assigned.of_item(item).get(pk=assignment.pk)
        if work.state == Assignment.State.UNREADABLE:
            return work
        work = unreadable.claim(item, work, reason)
        if item.state != State.EXCLUDED:
            reader_left(item, work)
    return work


def expire_leases(*, project: Project | None = None, now: datetime | None = None) -> int:
    """Close what is past its lease and put its items back into the queue. Drafts are kept. Writes ``assignment.expired``."""
    at = now or timezone.now()
    count = 0
    for assignment in assigned.overdue(project=project, now=at):
        with steps.step():
            item = locked(assignment.item_id)
            if assignments.expire(assignment=assignment, now=at):
                count += 1
                event(item, "assignment.expired", "system", assignment=str(assignment.pk))
                reader_left(item, assignment)
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
    with steps.step():
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
        unreadable.refute_by_reading(item, assignment)
        drafting.hear_helped(item, submission)
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
    with steps.step():
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


def score_and_route(*, item: Item, moves_gates: bool = True) -> None:
    """Bring the item's scores up to date, decide where it goes, and send it there. Writes ``item.routed`` and what follows.

    A late reading of an item that is settled or with a reviewer is scored and kept; so is one of an item whose author
    still works on a rework: it is decided when that is in. Who brings in many items at once leaves gates for last
    (``gating.reconsider_project``): half of an import in the order of its items is no course of anybody's work.
    """
    with steps.step():
        held = locked(item.pk)
        _score_and_route(held, moves_gates=moves_gates)
        item.state, item.wanted_reads = held.state, held.wanted_reads


def start_rework(*, submission: Submission, reason: str, by: User | None = None) -> Assignment:
    """Send a submission back to its author, who finds their shapes as they were. Writes ``item.returned``.

    Raises ``CannotReturn`` where the author has no account here, has left, is at work on the item, or had the policy's
    rounds.
    """
    if by is not None:
        require(by, Action.REVIEW, submission)
    with steps.step():
        return returning.return_to_author(locked(submission.assignment.item_id), submission, reason, by=by)


def review(
    *, submission: Submission, reviewer: User, verdict: str, score: int | None, comment: str, request_id: uuid.UUID,
    seen: str | None = None,
) -> Decision | None:  # fmt: skip
    """Keep a reviewer's judgement and act on it. A retried ``request_id`` gets the first judgement and does nothing.

    None: it was a test of the reviewer, and nothing follows for the item.

    *Accept* settles the item with this reading, or is one vote of a panel. *Reject* sends it back to its author with the
    comment; where that is not possible one more reader is asked, or what the policy's rules say. On an item that another
    reviewer settled, a rejection opens it for review again: both judgements stay. Raises ``NewerVersion`` where the author
    submitted again meanwhile, and ``StaleJudgement`` where the item is no longer as the reviewer ``seen`` it
    (``steps.versions_of``); what they sent is kept then. Writes ``submission.reviewed`` and what follows.
    """
    require(reviewer, Action.REVIEW, submission)
    if (test := open_test(reviewer, submission.assignment.item)) is not None:
        testing_reviewers.hear_judgement(test, submission, verdict, score, comment)
        return None
    with steps.step():
        item = locked(submission.assignment.item_id)
        if item.state == State.EXCLUDED:
            raise ItemExcluded(code=item.code)
        steps.require_newest(submission, request_id)
        is_retry = Decision.objects.filter(request_id=request_id).exists()
        content = {"submission": submission.pk, "verdict": verdict, "score": score, "comment": comment}
        stale = None if is_retry or panel.sits(item) else steps.keep_if_stale(item, reviewer, seen, content)
        if stale is None:
            return returning.judge(item, submission, reviewer, verdict, score, comment, request_id)
    raise stale


def settle(
    *, item: Item, reason: str, by: User | None = None, submission: Submission | None = None, seen: str | None = None
) -> Settlement:
    """Settle the item by the vote of its current readings, or with the one ``submission`` that a reviewer chose.

    Settling again is a further settlement. ``seen`` is as in :func:`review`. Writes ``item.settled``. Raises
    ``UnsettledTie`` (nothing is settled then), ``NothingToSettle``, ``StepRefused`` where a panel votes (see
    :func:`accept_readers`), and for a person ``NotAllowed``, ``StaleJudgement`` or, on an item they read, ``StepRefused``.
    """
    if by is not None:
        require(by, Action.REVIEW, item)
        settling.require_not_own(item, by)
    with steps.step():
        held = locked(item.pk)
        stale = None if by is None else steps.keep_if_stale(held, by, seen, {"verdict": "vote", "reason": reason[:300]})
        if stale is None:
            settlement = settling.settle(held, submission, reason, by)
            item.state = held.state
            return settlement
    raise stale


def accept_readers(*, item: Item, reason: str, by: User, seen: str | None = None) -> Settlement | None:
    """Settle the item by the vote of its readers as a reviewer wants.

    None: it was one vote of a panel, not the last, or a test of the reviewer.

    Raises as :func:`settle`, and ``ReviewRefused`` for who voted already.
    """
    require(by, Action.REVIEW, item)
    if (test := open_test(by, item)) is not None:
        testing_reviewers.hear_vote(test, reason)
        return None
    with steps.step():
        held = locked(item.pk)
        if panel.sits(held):
            settling.require_not_own(held, by)
            return settling.accept(held, None, by, reason)
    return settle(item=item, reason=reason, by=by, seen=seen)


def exclude(*, item: Item, by: User, reason: str) -> None:
    """Take the item out of the project's work for good; its readings stay on record. Writes ``item.excluded``.

    The reason stands in the audit chain: it names no person or file. Admins only.
    """
    require(by, Action.MANAGE, item)
    if not reason.strip():
        raise StepRefused("Say why the item is excluded. Nothing was changed.", code="reason-missing", status=422)
    with steps.step():
        held = locked(item.pk)
        if held.state == State.EXCLUDED:
            return
        steps.take_out(held, actor=f"user:{by.pk}", reason=reason.strip()[:300])
        disputing.close_all(held, by=by)
        gating.gold_dropped_out(held)
        keep_fresh(held.project)
        item.state = held.state


def release(*, project: Project, formats: Sequence[str], note: str, by: User, with_reads: bool = False) -> Release:
    """Start a release of the labels that are settled now, as a job. Writes ``release.started``. Admins only."""
    require(by, Action.MANAGE, project)
    return exports.start_release(project=project, formats=formats, note=note, by=by, with_reads=with_reads)


def _first_choice(labeler: Labeler, at: datetime, *, is_swept: bool) -> tuple[Assignment | None, tuple[int, ...], bool]:
    """Give what comes first and nobody holds: what was given, what others hold, and whether leases are to be swept first."""
    with transaction.atomic():
        desk = desk_of(labeler, is_locked=True)
        around = handing_out.around(desk, at)
        if around.has_overdue and not is_swept:
            return None, (), True
        if around.holds_work and (begun := _begun(desk, at)) is not None:
            return begun, (), False
        if around.has_ripe and (parked := assigned.comes_back(labeler, now=at)) is not None:
            return resume(assignment=parked, by=handing_out.person_of(labeler), now=at), (), False
        chosen = handing_out.choose(desk, at, around)
        return (None if chosen.choice is None else _give(chosen.choice, desk, at)), chosen.held, False


def _begun(desk: Desk, at: datetime) -> Assignment | None:
    """Return what the labeler has begun, under a new lease; their desk is locked."""
    begun = assigned.open_of(desk.labeler).first()
    if begun is None:
        return None
    lease_s = REWORK_LEASE_S if begun.read_kind == "rework" else desk.policy.lease_s
    return assignments.take_over(assignment=begun, lease_s=lease_s, now=at)


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
    event(item, "item.handed_out", f"labeler:{labeler.pk}", assignment=str(assignment.pk))
    return assignment


def reader_left(item: Item, left: Assignment) -> None:
    if deciding.after_reader_left(item, left):
        _score_and_route(item)


def _score_and_route(item: Item, *, moves_gates: bool = True) -> None:
    is_disputed = disputing.hear_third_reader(item)
    decided = deciding.score_then_decide(item, moves_gates=moves_gates, is_disputed=is_disputed)
    if decided is None:
        disputing.want_third_reader(item)
        auditing.hear_auditor(item)
        return
    outcome, reason = decided.verdict.outcome, decided.verdict.reason
    if decided.reference is not None:
        settling.settle_by_reference(item, decided.reference, reason=reason)
    elif outcome == "accept" and auditing.is_drawn_for_review(item):
        move(item=item, to=State.REVIEW)
    elif outcome == "accept":
        settling.settle_by_vote(item, decided.reads, reason=reason, merged=decided.merged)
    elif outcome == "back-to-author":
        returning.return_to_author(item, decided.odd_submission(), reason)
    elif outcome == "more-readers":
        ask_for_more(item, decided.verdict.wanted_reads)
    else:
        move(item=item, to=State.REVIEW)
