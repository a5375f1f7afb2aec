"""A labeler's gate in the life of a project: facts from gold answers, a proposal, a pause, what follows, and its end.

Planted and seen to fail: a pause without a proposal first, a paused labeler who is still handed work, items of a paused
labeler that nobody else gets, gold, settled or ambiguous items among those that go to others, two more readers where one was
planned, and a second evaluation that writes the facts again.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from labelhub.audit.models import Event
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.reviews.sightings import keep_sighting
from labelhub.routing import gates
from labelhub.routing.models import Gate, Route
from labelhub.scoring import gold as golds
from labelhub.scoring.gold_answers import gold_answers, planned_gold
from labelhub.workflow import gating, golding, lifecycle, pausing
from labelhub.workflow.errors import PausedNow
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    new_annotator,
    read,
    set_policy,
    square_reading,
    state,
    store,
    take,
)

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)
# Two wrong answers in a row fail, four right ones clear, two wrong ones then alarm.
SHORT = {"gate_good": 0.95, "gate_poor": 0.50, "gate_false_pause": 0.05, "gate_miss": 0.10, "drift_threshold": 4.0}


@pytest.fixture(autouse=True)
def _short_test(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=5, **SHORT)


def gold_item(cast: Cast, *, subject: str | None = None):
    item = add_item(cast.project, subject=subject)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    return item


def answer(cast: Cast, user, marks: str, *, subject: str | None = None) -> list:
    """Let ``user`` answer one gold item a mark: ``+`` right, ``-`` wrong."""
    items = []
    for mark in marks:
        items.append(gold_item(cast, subject=subject))
        store(cast, items[-1], user, SQUARE if mark == "+" else OTHER)
    return items


def kinds(cast: Cast, user) -> list[str]:
    return list(gates.facts_of(labeler(cast, user)).values_list("kind", flat=True))


def run_jobs() -> list[dict]:
    jobs = Job.objects.filter(kind=gating.JOB_KIND, state=Job.State.QUEUED)
    found = []
    for job in jobs:
        Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, worker="test", attempt=1)
        job.refresh_from_db()
        found.append(dict(pausing.run_send_on(Running(job))))
        Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    return found


def test_a_failed_test_proposes_a_pause_and_pauses_nobody(cast: Cast):
    answer(cast, cast.ann, "--")
    assert kinds(cast, cast.ann) == ["test-started", "proposed"]
    ann = labeler(cast, cast.ann)
    assert gates.state_of(ann) == "proposed"
    assert gates.is_decided(ann)
    assert not gates.is_paused(ann)
    add_item(cast.project)
    assert take(cast, cast.ann)
    fact = gates.facts_of(ann).last()
    assert fact.numbers["plan"]["good"] == 0.95
    assert fact.answer.assignment.labeler_id == ann.pk
    assert "after 2 gold answers" in fact.reason


def test_facts_are_written_once_however_often_the_gate_is_computed(cast: Cast):
    items = answer(cast, cast.ann, "++++--")
    before = kinds(cast, cast.ann)
    assert before == ["test-started", "cleared", "drift-alarm", "test-started"]
    for item in items:
        lifecycle.score_and_route(item=item)
    with transaction.atomic():
        assert gates.evaluate(labeler(cast, cast.ann)) == ()
    assert kinds(cast, cast.ann) == before
    assert kinds(cast, cast.ben) == []


def test_a_policy_that_pauses_without_asking_does_so(cast: Cast):
    set_policy(cast, readers=2, pause_without_asking=True, **SHORT)
    answer(cast, cast.ann, "--")
    assert kinds(cast, cast.ann) == ["test-started", "proposed", "paused"]
    assert Job.objects.filter(kind=gating.JOB_KIND).count() == 1


def test_a_submitted_gold_item_moves_the_gate_in_the_same_step(cast: Cast):
    gold_item(cast)
    read(cast, cast.ann, OTHER)
    gold_item(cast)
    # The first is still with its second reader, so Ann gets the other.
    read(cast, cast.ann, OTHER)
    assert gates.state_of(labeler(cast, cast.ann)) == "proposed"


def test_one_answer_a_patient_counts(cast: Cast):
    answer(cast, cast.ann, "---", subject="patient-1")
    assert gates.state_of(labeler(cast, cast.ann)) == "testing"
    assert len(gold_answers(cast.project)[labeler(cast, cast.ann).pk]) == 1
    assert planned_gold(cast.project) == (3, 1)


def test_training_gold_and_later_versions_judge_nobody(cast: Cast):
    item = add_item(cast.project)
    gold = store(cast, item, cast.ada, SQUARE, is_gold=True)
    golds.make_gold(item=item, submission=gold, by="test", kind="training")
    store(cast, item, cast.ann, OTHER)
    assert gold_answers(cast.project) == {}
    assert kinds(cast, cast.ann) == []


def test_excluded_gold_drops_out_and_the_finding_is_withdrawn(cast: Cast):
    items = answer(cast, cast.ann, "--")
    lifecycle.exclude(item=items[0], by=cast.ada, reason="The picture is broken.")
    assert kinds(cast, cast.ann)[-1] == "withdrawn"
    assert gates.state_of(labeler(cast, cast.ann)) == "testing"
    answer(cast, cast.ann, "-")
    assert gates.state_of(labeler(cast, cast.ann)) == "proposed"


def test_retired_gold_drops_out_and_comes_back_when_it_is_gold_again(cast: Cast):
    items = answer(cast, cast.ann, "--")
    gold = golds.current_gold(items[1])
    golds.retire_gold(gold=gold, reason="wrong", by="test")
    golding.gold_changed(items[1])
    assert gates.state_of(labeler(cast, cast.ann)) == "testing"
    golds.make_gold(item=items[1], submission=gold.submission, by="test")
    golding.gold_changed(items[1])
    assert gates.state_of(labeler(cast, cast.ann)) == "proposed"


def test_a_paused_labeler_is_handed_nothing_and_keeps_drafts(cast: Cast):
    add_item(cast.project)
    assignment = take(cast, cast.ann)
    draw(assignment, cast.ann, SQUARE)
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Reads the wrong side.")
    with pytest.raises(PausedNow, match="your drafts are kept"):
        lifecycle.hand_out(labeler=labeler(cast, cast.ann))
    with pytest.raises(PausedNow):
        lifecycle.take_again(assignment=assignment, by=cast.ann)
    assignment.refresh_from_db()
    assert assignment.state == "open"
    pausing.resume(labeler=labeler(cast, cast.ann), by=cast.ada, reason="We talked.")
    assert take(cast, cast.ann).pk == assignment.pk


def test_unsettled_items_of_a_paused_labeler_go_to_others_once(cast: Cast):
    items = [add_item(cast.project) for _ in range(3)]
    gold = answer(cast, cast.ann, "-")
    assert state(gold[0]) == "reading", "gold that wants its second reader must be passed over too"
    store(cast, items[0], cast.ann, SQUARE)
    for user in (cast.ann, cast.ben):
        store(cast, items[1], user, SQUARE)
    assert state(items[1]) == "settled"
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Reads the wrong side.")
    sent = run_jobs()
    routes = Route.objects.filter(rule="paused-labeler")
    assert sent == [{"items": 1}]
    assert list(routes.values_list("item", flat=True)) == [items[0].pk]
    items[0].refresh_from_db()
    assert items[0].wanted_reads == 3
    fact = Gate.objects.get(kind="paused")
    assert not pausing.send_on(item_id=items[0].pk, fact=fact)
    dora = new_annotator(cast, "Dora")
    store(cast, items[0], cast.ben, SQUARE)
    assert state(items[0]) == "reading"
    store(cast, items[0], dora, SQUARE)
    assert state(items[0]) == "settled"


def test_where_nobody_is_left_to_read_an_item_of_a_paused_labeler_it_goes_to_a_reviewer(cast: Cast):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, **SHORT)
    item, other = add_item(cast.project), add_item(cast.project, seed=1)
    for user, square in ((cast.ann, SQUARE), (cast.ben, OTHER)):
        store(cast, item, user, square)
    store(cast, other, cast.ann, SQUARE)
    keep_sighting(item=item, by=cast.rita)
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Many slips.")
    assert run_jobs() == [{"items": 2}]
    assert (state(item), state(other)) == ("review", "reading")
    routes = {row.item_id: row for row in Route.objects.filter(rule="paused-labeler")}
    assert [entry["outcome"] for entry in routes[item.pk].alternatives] == ["more-readers"]
    assert [entry["outcome"] for entry in routes[other.pk].alternatives] == ["reviewer"]
    assert run_jobs() == []


def test_what_a_reviewer_found_ambiguous_stays_so_through_a_pause(cast: Cast):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, **SHORT)
    item = add_item(cast.project)
    for user, square in ((cast.ann, SQUARE), (cast.ben, OTHER)):
        store(cast, item, user, square)
    item.refresh_from_db()
    lifecycle.declare_ambiguous(item=item, by=cast.rita, reason="Its edge is a matter of taste.")
    fact = pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Many slips.")
    assert run_jobs() == [{"items": 0}]
    assert not pausing.send_on(item_id=item.pk, fact=fact)
    assert state(item) == "ambiguous"


def test_an_item_of_which_one_read_was_planned_gets_one_more(cast: Cast):
    set_policy(cast, readers=2, overlap_share=0.0, **SHORT)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE, is_routed=False)
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Reads the wrong side.")
    run_jobs()
    item.refresh_from_db()
    assert item.wanted_reads == 2


def test_work_that_came_back_to_a_paused_labeler_goes_to_another(cast: Cast):
    item = add_item(cast.project)
    submission = store(cast, item, cast.ann, SQUARE)
    lifecycle.start_rework(submission=submission, reason="odd")
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Reads the wrong side.")
    run_jobs()
    assert state(item) == "reading"
    assert take(cast, cast.ben).item_id == item.pk


def test_declining_a_proposal_starts_a_new_test_on_new_gold(cast: Cast):
    answer(cast, cast.ann, "--")
    pausing.resume(labeler=labeler(cast, cast.ann), by=cast.ada, reason="The guideline was unclear.")
    assert kinds(cast, cast.ann)[-2:] == ["kept", "test-started"]
    assert gates.state_of(labeler(cast, cast.ann)) == "testing"
    answer(cast, cast.ann, "-")
    assert gates.state_of(labeler(cast, cast.ann)) == "testing"
    answer(cast, cast.ann, "-")
    assert kinds(cast, cast.ann)[-1] == "proposed"
    assert Gate.objects.filter(kind="test-started").count() == 2


def test_a_pause_needs_a_reason_an_admin_and_a_labeler_who_is_not_paused(cast: Cast):
    ann = labeler(cast, cast.ann)
    with pytest.raises(gates.GateRefused, match="Say why"):
        pausing.pause(labeler=ann, by=cast.ada, reason=" ")
    for user in (cast.ben, cast.otto):
        with pytest.raises((NotFound, NotAllowed)):
            pausing.pause(labeler=ann, by=user, reason="I say so.")
    with pytest.raises(NotAllowed):
        pausing.pause(labeler=ann, by=cast.rita, reason="I say so.")
    with pytest.raises(gates.GateRefused):
        pausing.resume(labeler=ann, by=cast.ada, reason="Nothing to end.")
    pausing.pause(labeler=ann, by=cast.ada, reason="Reads the wrong side.")
    with pytest.raises(gates.GateRefused):
        pausing.pause(labeler=ann, by=cast.ada, reason="Once more.")
    assert kinds(cast, cast.ann) == ["paused"]


def test_a_changed_policy_holds_from_the_next_test_on(cast: Cast):
    answer(cast, cast.ann, "-")
    set_policy(cast, readers=2, gate_good=0.90, gate_poor=0.75)
    answer(cast, cast.ann, "-")
    assert gates.state_of(labeler(cast, cast.ann)) == "proposed"


def test_facts_stand_in_the_audit_chain(cast: Cast):
    answer(cast, cast.ann, "--")
    pausing.pause(labeler=labeler(cast, cast.ann), by=cast.ada, reason="Reads the wrong side.")
    pausing.resume(labeler=labeler(cast, cast.ann), by=cast.ada, reason="We talked.")
    written = Event.objects.filter(kind__startswith="gate.").order_by("seq")
    assert [(event.kind, event.actor) for event in written] == [
        ("gate.test_started", "system"), ("gate.pause_proposed", "system"), ("gate.paused", f"user:{cast.ada.pk}"),
        ("gate.resumed", f"user:{cast.ada.pk}"), ("gate.test_started", "system"),
    ]  # fmt: skip
    assert "wrong side" not in str([event.facts for event in written])


def test_many_readings_brought_in_at_once_move_gates_once_in_the_order_of_the_work(cast: Cast):
    """Items come in another order than they were read: the first look at half of them would propose a pause."""
    items = [gold_item(cast) for _ in range(6)]
    marks = "++++--"
    for place in (4, 5, 0, 1, 2, 3):
        at = timezone.now() - timedelta(days=6 - place)
        reading = square_reading(items[place], "ann", SQUARE if marks[place] == "+" else OTHER)
        lifecycle.record_reading(
            item=items[place], labeler=labeler(cast, cast.ann), reading=reading, at=at, is_routed=False
        )
        lifecycle.score_and_route(item=items[place], moves_gates=False)
    assert kinds(cast, cast.ann) == []
    gating.reconsider_project(cast.project)
    assert kinds(cast, cast.ann) == ["test-started", "cleared", "drift-alarm", "test-started"]
