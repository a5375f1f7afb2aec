"""Parking, asking, not being able to read, taking back, and true ambiguity: what each step does, refuses and shows to whom.

Planted once and seen to fail: parked work left out of the reads that fill an item (second test: they are counted wrong),
a recall that asks only for reviewers' decisions and not for other people's reads, and a claim that no read refutes.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from labelhub.annotations import documents, history
from labelhub.annotations.errors import AnnotationRefused
from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import n_filled
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import released_settlements
from labelhub.projects.errors import DomainError
from labelhub.projects.models import StaleEdit
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_guideline
from labelhub.projects.services import acknowledge_guideline
from labelhub.reviews.questions import open_claims, open_questions, own_questions
from labelhub.scoring.reads import reads_of
from labelhub.workflow import lifecycle, waiting
from labelhub.workflow.errors import CannotRecall, NothingToDecide, StaleJudgement, StepRefused, TooMuchParked
from labelhub.workflow.steps import versions_of
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    next_for,
    read,
    redraw,
    review,
    set_policy,
    state,
    submit,
    take,
)  # fmt: skip

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _one_reader(cast: Cast) -> None:
    set_policy(cast, readers=1, max_readers=3)


def kinds(item: Item) -> list[str]:
    return list(Event.objects.filter(subject=f"item:{item.pk}").order_by("seq").values_list("kind", flat=True))


# Parking


def test_parked_work_keeps_its_draft_and_goes_on_where_it_was(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    parked = lifecycle.park(assignment=mine, by=cast.ann)
    assert (parked.state, parked.lease_until) == ("parked", None)
    assert lifecycle.park(assignment=mine, by=cast.ann).state == "parked"
    with pytest.raises(AnnotationRefused) as refusal:
        draw(mine, cast.ann, OTHER)
    assert refusal.value.code == "assignment-waits"
    again = lifecycle.resume(assignment=mine, by=cast.ann)
    assert len(history.state_of(documents.document_of(assignment=again)).standing_shapes()) == 1
    assert submit(again, cast.ann).annotations.count() == 1
    assert state(item) == "settled"
    assert kinds(item).count("assignment.parked") == 1


def test_nobody_else_gets_what_is_parked_and_its_lease_lives(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    lifecycle.park(assignment=mine, by=cast.ann)
    assert n_filled(item) == Item.objects.get(pk=item.pk).reads_taken == 1
    assert next_for(cast, cast.ben) is None
    assert lifecycle.expire_leases(now=timezone.now() + timedelta(days=13)) == 0
    assert state(item) == "reading"
    assert lifecycle.expire_leases(now=timezone.now() + timedelta(days=15)) == 1
    assert state(item) == "waiting"
    assert take(cast, cast.ben).item_id == item.pk


def test_parked_work_comes_back_first_after_half_a_day_and_before_that_only_where_nothing_is_new(cast: Cast):
    first = add_item(cast.project)
    parked = take(cast, cast.ann)
    lifecycle.park(assignment=parked, by=cast.ann)
    second = add_item(cast.project, seed=1)
    assert take(cast, cast.ann).item_id == second.pk
    submit(Assignment.objects.get(item=second), cast.ann, no_finding=True)
    assert take(cast, cast.ann).item_id == first.pk
    lifecycle.park(assignment=parked, by=cast.ann)
    add_item(cast.project, seed=2)
    later = lifecycle.hand_out(labeler=labeler(cast, cast.ann), now=timezone.now() + timedelta(hours=13))
    assert later is not None
    assert later.item_id == first.pk


def test_nobody_holds_more_back_than_ten(cast: Cast):
    for number in range(waiting.MOST_WAITING + 1):
        add_item(cast.project, seed=number)
    for _ in range(waiting.MOST_WAITING):
        lifecycle.park(assignment=take(cast, cast.ann), by=cast.ann)
    last = take(cast, cast.ann)
    with pytest.raises(TooMuchParked):
        lifecycle.park(assignment=last, by=cast.ann)
    last.refresh_from_db()
    assert last.state == "open"


def test_the_database_refuses_work_that_waits_with_a_lease_and_states_nobody_knows(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    rows = Assignment.objects.filter(pk=mine.pk)
    for wrong in (
        {"state": "parked"},
        {"state": "lost"},
        {"waiting_since": timezone.now()},
        {"closed_at": timezone.now()},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)


def test_an_item_is_in_no_eighth_state(cast: Cast):
    item = add_item(cast.project)
    with pytest.raises(IntegrityError), transaction.atomic():
        Item.objects.filter(pk=item.pk).update(state="lost")


STEPS = {
    "park": lambda work, by: lifecycle.park(assignment=work, by=by),
    "resume": lambda work, by: lifecycle.resume(assignment=work, by=by),
    "ask": lambda work, by: lifecycle.ask(assignment=work, by=by, text="Is this debris?", is_waiting=True),
    "cannot read": lambda work, by: lifecycle.cannot_read(assignment=work, by=by, reason="dark"),
    "recall": lambda work, by: lifecycle.recall(assignment=work, by=by),
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_its_labelers_alone(cast: Cast, step: str):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    for user in (cast.ben, cast.otto, cast.rita, cast.ada):
        with pytest.raises((NotFound, NotAllowed)):
            STEPS[step](mine, user)
    mine.refresh_from_db()
    assert mine.state == "open"


@pytest.mark.parametrize("step", ["park", "ask", "cannot read"])
def test_what_was_submitted_can_no_longer_be_set_aside(cast: Cast, step: str):
    add_item(cast.project)
    done = read(cast, cast.ann, SQUARE).assignment
    with pytest.raises(NotOpen) as refusal:
        STEPS[step](done, cast.ann)
    assert refusal.value.code == "assignment-closed"


# Questions


def test_a_question_waits_for_its_answer_and_the_work_comes_back_to_its_asker(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    question = lifecycle.ask(assignment=mine, by=cast.ann, text=" Is this debris? ", is_waiting=True)
    mine.refresh_from_db()
    assert (mine.state, question.text) == ("asked", "Is this debris?")
    assert lifecycle.ask(assignment=mine, by=cast.ann, text="Is this debris?", is_waiting=True) == question
    assert list(open_questions(cast.rita, cast.project)) == [question]
    lifecycle.answer(question=question, by=cast.rita, text="No.", is_general=False)
    assert list(open_questions(cast.rita, cast.project)) == []
    assert take(cast, cast.ann).pk == mine.pk
    (own,) = own_questions(mine)
    assert (own.text, own.answer) == ("Is this debris?", "No.")
    assert kinds(item)[-2:] == ["question.asked", "question.answered"]


def test_who_does_not_wait_goes_on_and_reads_the_answer_all_the_same(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    question = lifecycle.ask(assignment=mine, by=cast.ann, text="Both?", is_waiting=False)
    mine.refresh_from_db()
    assert mine.state == "open"
    submit(mine, cast.ann, no_finding=True)
    lifecycle.answer(question=question, by=cast.rita, text="Both.", is_general=False)
    assert own_questions(mine)[0].answer == "Both."


def test_no_other_annotator_sees_a_question_and_nobody_but_reviewers_answers(cast: Cast):
    set_policy(cast, readers=2)
    add_item(cast.project)
    mine, other = take(cast, cast.ann), take(cast, cast.ben)
    question = lifecycle.ask(assignment=mine, by=cast.ann, text="Which?", is_waiting=True)
    assert own_questions(other) == ()
    for user in (cast.ann, cast.ben, cast.otto):
        assert not open_questions(user, cast.project).exists()
        with pytest.raises((NotFound, NotAllowed)):
            lifecycle.answer(question=question, by=user, text="This.", is_general=True)


def test_a_second_answer_is_refused_and_kept_beside_the_first(cast: Cast):
    add_item(cast.project)
    question = lifecycle.ask(assignment=take(cast, cast.ann), by=cast.ann, text="Which?", is_waiting=True)
    first = lifecycle.answer(question=question, by=cast.rita, text="This.", is_general=False)
    assert lifecycle.answer(question=question, by=cast.rita, text="This.", is_general=False) == first
    with pytest.raises(NothingToDecide):
        lifecycle.answer(question=question, by=cast.ada, text="That.", is_general=False)
    assert StaleEdit.objects.get().content["text"] == "That."
    assert own_questions(question.assignment)[0].answer == "This."


def test_a_general_answer_goes_into_the_next_guideline_once_and_names_no_item(cast: Cast):
    item = add_item(cast.project)
    question = lifecycle.ask(
        assignment=take(cast, cast.ann), by=cast.ann, text="Is a halo part of it?", is_waiting=True
    )
    lifecycle.answer(question=question, by=cast.rita, text="Yes, up to its edge.", is_general=True)
    assert "halo" not in current_guideline(cast.project).text
    version = lifecycle.publish_guideline(project=cast.project, text="Mark nuclei.", by=cast.ada)
    assert "Is a halo part of it?" in version.text
    assert "Yes, up to its edge." in version.text
    assert item.code not in version.text
    again = lifecycle.publish_guideline(project=cast.project, text=version.text, by=cast.ada)
    assert again.text.count("halo") == 1


def test_an_asker_may_go_on_without_the_answer(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    lifecycle.ask(assignment=mine, by=cast.ann, text="Which?", is_waiting=True)
    submit(lifecycle.resume(assignment=mine, by=cast.ann), cast.ann, no_finding=True)
    assert state(item) == "settled"


# Cannot be read


def test_two_labelers_blind_to_each_other_take_an_unreadable_item_out(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    lifecycle.cannot_read(assignment=mine, by=cast.ann, reason="Black.")
    assert lifecycle.cannot_read(assignment=mine, by=cast.ann, reason="Black.").state == "unreadable"
    assert state(item) == "waiting"
    assert next_for(cast, cast.ann) is None
    second = take(cast, cast.ben)
    assert second.planned_blind is True
    lifecycle.cannot_read(assignment=second, by=cast.ben, reason="Nothing to see.")
    assert state(item) == "excluded"
    assert not open_claims(cast.rita, cast.project).exists()


def test_a_claim_on_what_was_taken_out_meanwhile_waits_for_nobody(cast: Cast):
    item = add_item(cast.project)
    lifecycle.cannot_read(assignment=take(cast, cast.ann), by=cast.ann, reason="Black.")
    assert open_claims(cast.rita, cast.project).exists()
    lifecycle.exclude(item=item, by=cast.ada, reason="Twice there.")
    assert not open_claims(cast.rita, cast.project).exists()


def test_an_answer_that_is_for_who_asked_alone_goes_into_no_guideline(cast: Cast):
    add_item(cast.project)
    question = lifecycle.ask(assignment=take(cast, cast.ann), by=cast.ann, text="This one?", is_waiting=False)
    lifecycle.answer(question=question, by=cast.rita, text="Leave it out.", is_general=False)
    version = lifecycle.publish_guideline(project=cast.project, text="Mark nuclei.", by=cast.ada)
    assert version.text == "Mark nuclei."


def test_whoever_reads_it_refutes_the_claim_and_the_item_goes_on(cast: Cast):
    item = add_item(cast.project)
    lifecycle.cannot_read(assignment=take(cast, cast.ann), by=cast.ann, reason="Black.")
    (claim,) = open_claims(cast.rita, cast.project)
    read(cast, cast.ben, SQUARE)
    assert state(item) == "settled"
    claim.refresh_from_db()
    assert (claim.verdict.outcome, claim.verdict.by, claim.verdict.second.labeler.user) == ("refuted", None, cast.ben)


@pytest.mark.parametrize(("is_confirmed", "ends"), [(True, "excluded"), (False, "waiting")])
def test_a_reviewer_decides_a_claim(cast: Cast, is_confirmed: bool, ends: str):
    item = add_item(cast.project)
    lifecycle.cannot_read(assignment=take(cast, cast.ann), by=cast.ann, reason="Black.")
    (claim,) = open_claims(cast.rita, cast.project)
    for user in (cast.ann, cast.ben, cast.otto):
        with pytest.raises((NotFound, NotAllowed)):
            lifecycle.decide_claim(claim=claim, by=user, is_confirmed=True)
    first = lifecycle.decide_claim(claim=claim, by=cast.rita, is_confirmed=is_confirmed)
    assert lifecycle.decide_claim(claim=claim, by=cast.rita, is_confirmed=is_confirmed) == first
    with pytest.raises(NothingToDecide):
        lifecycle.decide_claim(claim=claim, by=cast.ada, is_confirmed=not is_confirmed)
    assert state(item) == ends
    assert kinds(item).count("unreadable.decided") == 1


def test_a_reviewer_who_could_not_read_it_does_not_confirm_themself(cast: Cast):
    add_item(cast.project)
    lifecycle.cannot_read(assignment=take(cast, cast.rita), by=cast.rita, reason="Black.")
    assert not open_claims(cast.rita, cast.project).exists()
    (claim,) = open_claims(cast.ada, cast.project)
    with pytest.raises(StepRefused) as refusal:
        lifecycle.decide_claim(claim=claim, by=cast.rita, is_confirmed=True)
    assert refusal.value.code == "own-read"


def test_a_claim_needs_a_reason(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    with pytest.raises(StepRefused):
        lifecycle.cannot_read(assignment=mine, by=cast.ann, reason="  ")
    mine.refresh_from_db()
    assert mine.state == "open"


# Taking back


def test_a_submission_is_taken_back_and_its_first_version_is_what_counts(cast: Cast):
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    assert state(item) == "settled"
    again = lifecycle.recall(assignment=first.assignment, by=cast.ann)
    assert lifecycle.recall(assignment=first.assignment, by=cast.ann) == again
    assert (state(item), again.read_kind) == ("rework", "rework")
    redraw(again, cast.ann, OTHER)
    second = submit(again, cast.ann)
    assert (second.version, state(item)) == (2, "settled")
    reads = reads_of(item)
    assert (list(reads.counted), list(reads.current)) == ([first], [second])
    assert kinds(item).count("submission.recalled") == 1


def test_taking_back_does_not_use_up_the_rounds_of_rework(cast: Cast):
    set_policy(cast, readers=1, max_rework_rounds=1)
    add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    second = submit(lifecycle.recall(assignment=first.assignment, by=cast.ann), cast.ann)
    review(second, cast.rita, "reject", "Not quite.")
    assert take(cast, cast.ann).follows == second.assignment


def test_once_somebody_else_acted_it_can_no_longer_be_taken_back(cast: Cast):
    set_policy(cast, readers=2, max_readers=3)
    item = add_item(cast.project)
    mine = read(cast, cast.ann, SQUARE)
    theirs = read(cast, cast.ben, OTHER)
    with pytest.raises(CannotRecall):
        lifecycle.recall(assignment=mine.assignment, by=cast.ann)
    again = lifecycle.recall(assignment=theirs.assignment, by=cast.ben)
    assert state(item) == "rework"
    second = submit(again, cast.ben)
    review(second, cast.rita, "accept")
    with pytest.raises(CannotRecall):
        lifecycle.recall(assignment=second.assignment, by=cast.ben)


def test_what_was_taken_back_and_not_handed_in_again_stands_as_it_was(cast: Cast):
    item = add_item(cast.project)
    mine = read(cast, cast.ann, SQUARE)
    again = lifecycle.recall(assignment=mine.assignment, by=cast.ann)
    lifecycle.expire_leases(now=timezone.now() + timedelta(days=1))
    again.refresh_from_db()
    assert (again.state, state(item)) == ("expired", "settled")


def test_who_left_takes_nothing_back(cast: Cast):
    add_item(cast.project)
    mine = read(cast, cast.ann, SQUARE)
    acknowledge_guideline(labeler=labeler(cast, cast.ann), guideline=current_guideline(cast.project))
    lifecycle.publish_guideline(project=cast.project, text="New.", by=cast.ada)
    with pytest.raises(DomainError) as refusal:
        lifecycle.recall(assignment=mine.assignment, by=cast.ann)
    assert refusal.value.code == "guideline-unread"


# Ambiguity


def disputed(cast: Cast) -> Item:
    set_policy(cast, readers=2, max_readers=2)
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    item.refresh_from_db()
    return item


def test_an_ambiguous_item_is_settled_as_ignore_with_all_reads_and_released_so(cast: Cast):
    item = disputed(cast)
    settlement = lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="Both are right.")
    assert state(item) == "ambiguous"
    assert settlement.inputs.count() == 2
    assert [shape.label for shape in settlement.shapes.all()] == [IGNORE]
    kept = Settlement.objects.get(pk=settlement.pk)
    assert (settlement.asked_labels, kept.asked_labels, kept.no_finding) == ([], [], False)
    assert list(released_settlements(cast.project)) == [settlement]
    assert lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="Both are right.") == settlement
    assert not Item.objects.filter(pk=item.pk, state="settled").exists()


def test_single_shapes_may_be_ambiguous_and_the_rest_is_settled(cast: Cast):
    item = disputed(cast)
    chosen = reads_of(item).current[0]
    (row,) = chosen.annotations.all()
    settlement = lifecycle.declare_ambiguous(
        item=item, by=cast.rita, reason="No edge.", submission=chosen, shapes=[row.shape_id]
    )
    assert state(item) == "settled"
    (shape,) = settlement.shapes.all()
    assert (shape.label, shape.attributes, settlement.inputs.count()) == (IGNORE, {"was": "nucleus"}, 2)
    with pytest.raises(StepRefused):
        lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="x", submission=chosen, shapes=["nobody's"])


def test_another_reviewer_opens_an_ambiguous_item_again_or_settles_it(cast: Cast):
    item = disputed(cast)
    lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="Both are right.")
    chosen = reads_of(item).current[0]
    review(chosen, cast.ada, "reject", "I disagree.")
    assert state(item) == "review"
    review(reads_of(item).current[1], cast.ada, "accept")
    assert state(item) == "settled"
    assert Settlement.objects.filter(item=item).count() == 2


@pytest.mark.parametrize("name", ["ann", "otto"])
def test_only_reviewers_find_an_item_ambiguous(cast: Cast, name: str):
    item = disputed(cast)
    with pytest.raises((NotFound, NotAllowed)):
        lifecycle.declare_ambiguous(item=item, by=getattr(cast, name), reason="Hard.")


# Stale judgements


def test_a_judgement_on_what_the_item_no_longer_is_is_refused_and_kept(cast: Cast):
    item = disputed(cast)
    seen = versions_of([item])[item.pk]
    first, second = reads_of(item).current
    review(first, cast.rita, "accept", seen=seen)
    for act in (
        lambda: review(second, cast.ada, "reject", "Wrong.", seen=seen),
        lambda: lifecycle.settle(item=item, by=cast.ada, reason="vote", seen=seen),
        lambda: lifecycle.declare_ambiguous(item=item, by=cast.ada, reason="Hard.", seen=seen),
    ):
        with pytest.raises(StaleJudgement) as refusal:
            act()
        assert refusal.value.status == 409
    assert state(item) == "settled"
    kept = [edit.content["verdict"] for edit in StaleEdit.objects.order_by("pk")]
    assert kept == ["reject", "vote", "ambiguous"]


def test_a_retried_judgement_is_not_stale(cast: Cast):
    item = disputed(cast)
    seen, request_id = versions_of([item])[item.pk], uuid.uuid4()
    first = reads_of(item).current[0]
    made = review(first, cast.rita, "accept", seen=seen, request_id=request_id)
    assert review(first, cast.rita, "accept", seen=seen, request_id=request_id) == made
    assert StaleEdit.objects.count() == 0
