"""Work given by hand, queued again and handed over: what changes, what stays and why, and who may do it.

Planted once and seen to fail: ``continue_document`` without the operations' authors, ``withdraw`` left out of ``hand_over``,
``reads_taken`` not counted again in ``_close_held``; parked work taken
for closed in ``requeue`` and ``hand_over``, left out of ``held_by``; who handed a draft over given the item again by the queue,
by hand, on taking it again, and to review.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.annotations import documents, history
from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import authors_of, n_filled, own_queue
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.services import remove_member
from labelhub.reviews.selectors import has_read
from labelhub.scoring import exams
from labelhub.workflow import distribution, lifecycle, satisfied
from labelhub.workflow.errors import NoLongerWanted, StepRefused
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    new_annotator,
    next_for,
    read,
    review,
    set_policy,
    state,
    store,
    submit,
    take,
)

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _two_readers(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=2)


def give(cast: Cast, items, user, **rest):
    return distribution.assign_by_hand(items=items, labeler=labeler(cast, user), by=cast.ada, **rest)


def test_who_has_not_passed_the_entry_exam_is_given_nothing_by_hand_and_gets_no_draft(cast: Cast):
    items = [add_item(cast.project, seed=number) for number in range(2)]
    held = take(cast, cast.ben)
    set_policy(cast, readers=2, max_readers=2, exam_items=2)
    refused = {"The labeler has not passed the entry exam. Let them sit it first, or admit them on the Gold page.": 1}
    assert give(cast, items[:1], cast.ann).kept == refused
    handed = distribution.hand_over(chosen=[held], to=labeler(cast, cast.ann), by=cast.ada, reason="away")
    held.refresh_from_db()
    assert (handed.kept, held.state) == (refused, "open")
    exams.rule(labeler=labeler(cast, cast.ann), verdict="admitted", reason="known from before", by="user:1")
    assert give(cast, items[:1], cast.ann).n_done == 1


def test_work_given_by_hand_comes_first_and_the_first_due_before_others(cast: Cast):
    items = [add_item(cast.project, seed=number) for number in range(3)]
    now = timezone.now()
    give(cast, [items[2]], cast.ann, due_at=now + timedelta(days=2))
    give(cast, [items[1]], cast.ann, due_at=now + timedelta(days=1))
    order = [read(cast, cast.ann, SQUARE).assignment for _ in range(3)]
    assert [row.item for row in order] == [items[1], items[2], items[0]]
    assert order[0].reason == "Assigned to you by Ada."
    assert (order[0].read_kind, order[0].planned_blind) == ("independent", True)


def test_work_given_by_hand_stays_its_labelers_when_a_lease_ends(cast: Cast):
    item = add_item(cast.project)
    give(cast, [item], cast.ann)
    mine = take(cast, cast.ann)
    assert mine.lease_until is not None
    assert lifecycle.expire_leases(now=timezone.now() + timedelta(hours=2)) == 0
    mine.refresh_from_db()
    assert mine.state == "open"
    assert [mine.lease_until, mine.begun_at] == [None, None]
    assert own_queue(labeler(cast, cast.ann)).open[0].id == mine.pk


def test_what_cannot_be_given_stays_and_says_why(cast: Cast):
    mine, full = add_item(cast.project), add_item(cast.project)
    Item.objects.filter(pk=full.pk).update(reads_taken=2)
    give(cast, [mine], cast.ann)
    outcome = give(cast, [mine, full], cast.ann)
    assert outcome.n_done == 0
    assert {text.split(".")[0] for text in outcome.kept} == {
        "This labeler has read or skipped this item already", "The item has all the readers that it wants",
    }  # fmt: skip
    remove_member(project=cast.project, user=cast.ben, actor="test")
    assert give(cast, [mine], cast.ben).n_done == 0
    for user in (cast.ann, cast.rita, cast.otto):
        with pytest.raises((NotAllowed, NotFound)):
            distribution.assign_by_hand(items=[mine], labeler=labeler(cast, cast.ann), by=user)


def test_open_skipped_and_submitted_work_is_queued_again(cast: Cast):
    items = [add_item(cast.project, seed=number) for number in range(3)]
    opened = take(cast, cast.ann)
    done = distribution.requeue(chosen=[opened], by=cast.ada, reason="on leave")
    assert (done.n_done, state(opened.item)) == (1, "waiting")
    skipped = take(cast, cast.ann)
    lifecycle.skip(assignment=skipped, reason="dark")
    distribution.requeue(chosen=[skipped], by=cast.ada, reason="brighter now")
    met = {read(cast, cast.ann, SQUARE).assignment.item_id for _ in items}
    assert met == {item.pk for item in items}, "also what was skipped"
    settled = read(cast, cast.ben, SQUARE).assignment
    assert state(settled.item) == "settled"
    assert distribution.requeue(chosen=[settled], by=cast.ada, reason="look again").n_done == 1
    assert state(settled.item) == "reading"
    cleo = new_annotator(cast, "Cleo")
    assert settled.item_id in {read(cast, cleo, SQUARE).assignment.item_id for _ in items}
    assert Event.objects.filter(kind="assignment.requeued").count() == 3
    with pytest.raises(StepRefused, match="Say why"):
        distribution.requeue(chosen=[settled], by=cast.ada, reason=" ")


def test_gold_is_not_queued_again_by_hand(cast: Cast):
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    answer = store(cast, item, cast.ann, SQUARE)
    outcome = distribution.requeue(chosen=[answer.assignment], by=cast.ada, reason="look again")
    assert outcome.kept == {"The item is gold, which only the queue places.": 1}
    assert state(item) == "settled"


def test_a_draft_that_is_handed_over_names_both_and_is_no_independent_read(cast: Cast):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    outcome = distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="Ann is ill")
    assert outcome.n_done == 1, outcome
    given = take(cast, cast.ben)
    assert (given.item, given.read_kind, given.planned_blind) == (item, "co-edited", False)
    draw(given, cast.ben, OTHER)
    assert [entry.name for entry in authors_of(given)] == ["Ann", "Ben"]
    authors = (
        Operation.objects.filter(document__assignment=given).order_by("seq").values_list("author__username", flat=True)
    )
    assert list(authors) == ["ann", "ben"]
    assert submit(given, cast.ben).annotations.count() == 2
    mine.refresh_from_db()
    assert mine.state == "expired"
    assert n_filled(item) == Item.objects.get(pk=item.pk).reads_taken == 1
    assert len(history.state_of(documents.document_of(assignment=mine)).standing_shapes()) == 1, (
        "Ann's draft is as it was"
    )


def test_who_handed_a_draft_over_neither_reads_the_item_again_nor_reviews_it(cast: Cast):
    item, other = add_item(cast.project), add_item(cast.project, seed=1)
    mine = take(cast, cast.rita)
    draw(mine, cast.rita, SQUARE)
    distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="Rita is ill")
    assert has_read(cast.rita, mine.item)
    mine.refresh_from_db()
    with pytest.raises(NoLongerWanted):
        lifecycle.take_again(assignment=mine, by=cast.rita)
    assert not give(cast, [mine.item], cast.rita).n_done
    submit(take(cast, cast.ben), cast.ben)
    assert read(cast, cast.rita, SQUARE).assignment.item == next(row for row in (item, other) if row != mine.item)
    assert next_for(cast, cast.rita) is None


def test_a_draft_may_be_handed_back_to_who_began_it(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="Ann is ill")
    theirs = take(cast, cast.ben)
    done = distribution.hand_over(chosen=[theirs], to=labeler(cast, cast.ann), by=cast.ada, reason="Ann is back")
    assert done.n_done == 1, done
    assert [entry.name for entry in authors_of(take(cast, cast.ann))] == ["Ann", "Ben", "Ann"]


def test_work_without_a_draft_is_handed_over_as_a_fresh_read(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    distribution.hand_over(chosen=[mine], to=labeler(cast, cast.ben), by=cast.ada, reason="left")
    given = take(cast, cast.ben)
    assert (given.read_kind, given.planned_blind, given.continues_id) == ("independent", True, None)
    again = distribution.hand_over(chosen=[given], to=labeler(cast, cast.ben), by=cast.ada, reason="x")
    assert again.n_done == 0


def test_who_read_the_item_cannot_go_on_with_anothers_draft_and_rework_goes_to_a_reviewer(cast: Cast):
    item = add_item(cast.project)
    mine = read(cast, cast.ann, SQUARE)
    theirs = take(cast, cast.ben)
    draw(theirs, cast.ben, OTHER)
    outcome = distribution.hand_over(chosen=[theirs], to=labeler(cast, cast.ann), by=cast.ada, reason="x")
    assert outcome.n_done == 0
    theirs.refresh_from_db()
    assert theirs.state == "open", "nothing is half done"
    submit(theirs, cast.ben)
    review(mine, cast.rita, "reject", "Look again.")
    rework = Assignment.objects.get(read_kind="rework")
    cleo = labeler(cast, new_annotator(cast, "Cleo"))
    assert distribution.hand_over(chosen=[rework], to=cleo, by=cast.ada, reason="left").n_done == 1
    assert state(item) == "review"
    assert next_for(cast, cleo.user) is None


def test_all_work_of_somebody_who_leaves_goes_back(cast: Cast):
    for number in range(2):
        add_item(cast.project, seed=number)
    give(cast, list(Item.objects.all()), cast.ann)
    outcome = distribution.release_work_of(labeler=labeler(cast, cast.ann), by=cast.ada, reason="left")
    assert outcome.n_done == 2
    assert set(Item.objects.values_list("state", "reads_taken")) == {("waiting", 0)}


def test_parked_and_asked_work_is_handed_over_and_queued_again_like_open_work(cast: Cast):
    for number in range(3):
        add_item(cast.project, seed=number)
    parked, asked, third = (_parked(cast), _asked(cast), _parked(cast))
    draw(third_open := lifecycle.resume(assignment=third, by=cast.ann), cast.ann, SQUARE)
    lifecycle.park(assignment=third_open, by=cast.ann)
    outcome = distribution.requeue(chosen=[parked], by=cast.ada, reason="ill")
    assert (outcome.n_done, outcome.kept) == (1, {})
    cleo = labeler(cast, new_annotator(cast, "Cleo"))
    outcome = distribution.hand_over(chosen=[asked, third], to=cleo, by=cast.ada, reason="ill")
    assert (outcome.n_done, outcome.kept) == (2, {})
    for row in (parked, asked, third):
        row.refresh_from_db()
    assert {parked.state, asked.state, third.state} == {"expired"}
    now = Assignment.objects.filter(labeler=cleo).order_by("created_at")
    assert [(row.read_kind, row.continues_id) for row in now] == [("independent", None), ("co-edited", third.pk)]


def test_departure_takes_parked_and_asked_work_back_too(cast: Cast):
    for number in range(2):
        add_item(cast.project, seed=number)
    _parked(cast)
    _asked(cast)
    assert distribution.release_work_of(labeler=labeler(cast, cast.ann), by=cast.ada, reason="left").n_done == 2
    assert set(Item.objects.values_list("state", "reads_taken")) == {("waiting", 0)}


def test_items_with_all_their_reads_wait_for_whoever_parked_one(cast: Cast):
    item = add_item(cast.project)
    parked = _parked(cast)
    read(cast, cast.ben, SQUARE)
    set_policy(cast, readers=1, max_readers=2)
    assert satisfied.decide_satisfied(project=cast.project) == 0
    assert state(item) == "reading"
    distribution.requeue(chosen=[parked], by=cast.ada, reason="ill")
    assert state(item) == "settled" or satisfied.decide_satisfied(project=cast.project) == 1
    assert state(item) == "settled"


def _parked(cast: Cast) -> Assignment:
    mine = take(cast, cast.ann)
    return lifecycle.park(assignment=mine, by=cast.ann)


def _asked(cast: Cast) -> Assignment:
    mine = take(cast, cast.ann)
    lifecycle.ask(assignment=mine, by=cast.ann, text="Is the rim part of it?", is_waiting=True)
    mine.refresh_from_db()
    return mine
