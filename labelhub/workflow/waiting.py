"""Work that waits: parked by its labeler and gone on with, or run out of time and taken again. Steps of ``lifecycle``.

What waits keeps its draft and its place, and nobody else gets it, for at most ``selectors.LONGEST_WAIT_S``. Not here: work that
waits for an answer (``questions``), and when parked work is offered again (``lifecycle.hand_out``).
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import Assignment
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_policy
from labelhub.workflow import handing_out, steps
from labelhub.workflow.errors import ItemExcluded, NoLongerWanted, TooMuchParked
from labelhub.workflow.states import State, Work, move, require_step

# More than this would be holding images back from others.
MOST_WAITING = 10


def park(*, assignment: Assignment, by: User, now: datetime | None = None) -> Assignment:
    """Put open work aside with its draft. Parking twice is parking once. Writes ``assignment.parked``.

    Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``WorkElsewhere`` where it is not open, and
    ``TooMuchParked``.
    """
    require(by, Action.LABEL, assignment)
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = assigned.of_item(item).get(pk=assignment.pk)
        if work.state == Work.PARKED:
            return work
        require_step("park", work)
        require_room(work)
        assignments.pause(assignment=work, state=Work.PARKED, now=now)
        steps.event(item, "assignment.parked", f"labeler:{work.labeler_id}", assignment=str(work.pk))
    return work


def resume(*, assignment: Assignment, by: User, now: datetime | None = None) -> Assignment:
    """Go on with what was parked, or with a question still unanswered. Resuming open work does nothing.

    Writes ``assignment.resumed``. Raises as :func:`park`, ``ItemExcluded``, and as ``lifecycle.hand_out``.
    """
    require(by, Action.LABEL, assignment)
    handing_out.require_may_label(assignment.labeler)
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = assigned.of_item(item).get(pk=assignment.pk)
        if work.state == Work.OPEN:
            return work
        require_step("resume", work)
        if item.state == State.EXCLUDED:
            raise ItemExcluded(code=item.code)
        _, policy = current_policy(item.project)
        assignments.resume(assignment=work, lease_s=policy.lease_s, now=now)
        steps.event(item, "assignment.resumed", f"labeler:{work.labeler_id}", assignment=str(work.pk))
    return work


def take_again(*, assignment: Assignment, by: User, now: datetime | None = None) -> Assignment:
    """Give its author the work back whose time ended, with the draft as it was. Taking twice is taking once.

    Writes ``assignment.taken_again``. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``NoLongerWanted``
    where the item has its readers by now, ``NotOpen`` where the work was submitted or skipped, and as ``lifecycle.hand_out``.
    """
    require(by, Action.LABEL, assignment)
    handing_out.require_may_label(assignment.labeler)
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
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
        steps.event(item, "assignment.taken_again", f"labeler:{again.labeler_id}", assignment=str(again.pk))
    return again


def require_room(work: Assignment) -> None:
    """Raise ``TooMuchParked`` where the labeler has as much waiting as anybody may."""
    if assigned.paused_of(work.labeler).count() >= MOST_WAITING:
        raise TooMuchParked(MOST_WAITING)
