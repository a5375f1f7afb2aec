"""What admins do with the distribution of work: give it by hand, queue it again, hand it over, ask for more reads.

Each act is one transaction an item, with the item locked first, so that a bulk act that stops half way leaves whole items
behind. Acts say how many they changed and why others stayed. Not here: what the queue hands out by itself
(``handing_out``), and the steps of one item's life (``lifecycle``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.batches import lies_in_shared_batch, qualification_of
from labelhub.assignments.models import HELD, Assignment
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Role
from labelhub.projects.permissions import Action, require, role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.projects.teams import holds
from labelhub.reviews.sightings import knows_others
from labelhub.scoring import exams
from labelhub.scoring.gold import current_gold
from labelhub.workflow import deciding, lifecycle, queue
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.states import State, move


@dataclass(slots=True)
class Outcome:
    """What a bulk act did: how many it changed, and why the others stayed as they were, with how often."""

    n_done: int = 0
    kept: dict[str, int] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        """Count one that stayed, and why."""
        self.kept[sentence] = self.kept.get(sentence, 0) + 1


class CannotGive(StepRefused):
    """The labeler cannot be given this item."""

    code = "cannot-give"


def assign_by_hand(*, items: Sequence[Item], labeler: Labeler, by: User, due_at: datetime | None = None) -> Outcome:
    """Give items to a labeler, who takes them up before anything else, the first due before others. Admins only.

    It has no lease before it is begun. Writes ``item.assigned``. What cannot be given stays, with the reason: items that
    they met, that have their readers, that a batch closes to them, that somebody kept apart from them reads.
    """
    require(by, Action.MANAGE, labeler)

    def give(item: Item) -> None:
        policy = current_policy(item.project)[1]
        kind, is_planned = _reading_of(item, labeler, policy)
        given = assignments.open_assignment(
            item=item, labeler=labeler, read_kind=kind, planned_blind=is_planned, reason=f"Assigned to you by {by}.",
            lease_s=None, by_hand=assignments.ByHand(by, due_at),
        )  # fmt: skip
        if item.state == State.WAITING:
            move(item=item, to=State.READING)
        _event(item, "item.assigned", by, assignment=str(given.pk), labeler=labeler.pk)

    return _each([item.pk for item in items], give)


def requeue(*, chosen: Sequence[Assignment], by: User, reason: str) -> Outcome:
    """Put work back into the queue. Admins only. Writes ``assignment.requeued``.

    Held work, also what is parked or waits for an answer, is taken from its labeler (the draft is kept); skipped work goes
    to anybody again, also to who skipped it; an item whose reading was submitted gets one more reader, and a settled one
    goes to a reviewer's table for that.
    """
    _require_reason(reason)

    def put_back(item: Item, row: Assignment) -> None:
        require(by, Action.MANAGE, item)
        if row.state in HELD:
            assignments.withdraw(assignment=row)
            lifecycle.reader_left(item, row)
        elif row.state == Assignment.State.SKIPPED:
            if not assignments.requeue_skipped(assignment=row):
                raise CannotGive("It was put back already.")
        elif row.state == Assignment.State.SUBMITTED:
            _want_one_more(item)
        else:
            raise CannotGive("Its time ended, so it is in the queue already.")
        _event(item, "assignment.requeued", by, assignment=str(row.pk), was=row.state, reason=reason.strip()[:300])

    return _each_assignment(chosen, put_back)


def hand_over(
    *, chosen: Sequence[Assignment], to: Labeler, by: User, reason: str, due_at: datetime | None = None
) -> Outcome:
    """Give held work to somebody else: on absence, on departure. Admins only. Writes ``assignment.handed_over``.

    A draft goes along: then the reading is the work of both, names both, and counts as co-edited, never as independent.
    Without a draft the new labeler reads like everybody. Rework goes to a reviewer, because nobody mends another's reading.
    """
    _require_reason(reason)

    def pass_on(item: Item, row: Assignment) -> None:
        require(by, Action.MANAGE, item)
        if row.state not in HELD:
            raise CannotGive("It is closed already, so there is nothing to hand over.")
        if row.labeler_id == to.pk:
            raise CannotGive("It is with this labeler already.")
        facts = {"assignment": str(row.pk), "to": to.pk, "reason": reason.strip()[:300]}
        if row.read_kind == "rework":
            assignments.withdraw(assignment=row)
            lifecycle.reader_left(item, row)
            _event(item, "assignment.handed_over", by, **facts, rework=True)
            return
        has_draft = documents.has_operations(row)
        policy = current_policy(item.project)[1]
        assignments.withdraw(assignment=row)
        item.refresh_from_db()
        kind, is_planned = _reading_of(item, to, policy)
        given = assignments.open_assignment(
            item=item, labeler=to, read_kind="co-edited" if has_draft else kind, planned_blind=is_planned and not has_draft,
            reason=f"Handed over from {row.labeler} by {by}.", lease_s=None, continues=row if has_draft else None,
            by_hand=assignments.ByHand(by, due_at or row.due_at),
        )  # fmt: skip
        if has_draft:
            documents.continue_document(former=row, assignment=given)
        _event(item, "assignment.handed_over", by, **facts, now=str(given.pk), with_draft=has_draft)

    return _each_assignment(chosen, pass_on)


def release_work_of(*, labeler: Labeler, by: User, reason: str) -> Outcome:
    """Put all that somebody holds back into the queue, parked work too, as on departure. Writes ``assignment.requeued``."""
    return requeue(chosen=list(assigned.held_by(labeler)), by=by, reason=reason)


def _reading_of(item: Item, labeler: Labeler, policy: Policy) -> tuple[str, bool]:
    """Return as what the labeler would read the item, and whether planned blind. Raises ``CannotGive``."""
    role = role_in(labeler.user, labeler.project) if labeler.user is not None else None
    if role is None or labeler.user is None:
        raise CannotGive("The labeler has no account here, or has left.")
    if role != Role.ADMIN and not exams.may_work(labeler, policy):
        raise CannotGive(
            "The labeler has not passed the entry exam. Let them sit it first, or admit them on the Gold page."
        )
    if item.state not in queue.WANTING:
        raise CannotGive("The item is decided, with a reviewer, with its author, or excluded.")
    if current_gold(item) is not None:
        raise CannotGive("The item is gold, which only the queue places.")
    if item.reads_taken >= assigned.wanted_reads(item, policy):
        raise CannotGive("The item has all the readers that it wants.")
    if knows_others(labeler.user, item):
        raise CannotGive("The labeler knows what others said of the item.")
    if queue.is_with_partner(item, labeler):
        raise CannotGive("Somebody who is kept apart from the labeler reads the item.")
    if not holds(labeler, qualification_of(item)):
        raise CannotGive("The item's batch asks for a qualification that the labeler does not hold.")
    if lies_in_shared_batch(item):
        return "co-edited", False
    if role == Role.ADMIN:
        return "unblinded", False
    return "independent", item.reads_taken < assigned.planned_reads(item, policy)


def _want_one_more(item: Item) -> None:
    if item.state == State.EXCLUDED:
        raise CannotGive("The item is excluded.")
    if current_gold(item) is not None:
        raise CannotGive("The item is gold, which only the queue places.")
    if item.state == State.SETTLED:
        # Its label no longer stands unquestioned; a further reading decides with the others.
        move(item=item, to=State.REVIEW)
    deciding.want_reads(item, assigned.n_filled(item) + 1)


def _each(keys: Sequence[int], act: Callable[[Item], None]) -> Outcome:
    outcome = Outcome()
    for key in dict.fromkeys(keys):
        try:
            with transaction.atomic():
                act(lifecycle.locked(key))
        except DomainError as refusal:
            outcome.note(str(refusal))
        else:
            outcome.n_done += 1
    return outcome


def _each_assignment(chosen: Sequence[Assignment], act: Callable[[Item, Assignment], None]) -> Outcome:
    outcome = Outcome()
    for row in chosen:
        try:
            with transaction.atomic():
                item = lifecycle.locked(row.item_id)
                act(item, assigned.of_item(item).get(pk=row.pk))
        except DomainError as refusal:
            outcome.note(str(refusal))
        else:
            outcome.n_done += 1
    return outcome


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise StepRefused("Say why. Nothing was changed.", code="reason-missing", status=400)


def _event(item: Item, kind: str, by: User, **facts: object) -> None:
    audit.append(project_id=item.project_id, kind=kind, actor=f"user:{by.pk}", subject=f"item:{item.pk}", facts=facts)
