"""Rework tickets and disputes: what the author gets, who reads third, what follows, and what nobody may learn.

Planted once and seen to fail: a reviewer let through as third reader; the rejecting reviewer let decide; an upheld dispute that
leaves the reading aside; a dispute taken twice as two; a ticket that names the others' class; exact outlines on a blind item;
an earlier reader's further version, or a former reviewer's reading, taken for the third; a wait for whose time is over.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.accounts.services import create_person
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.jobs import worker
from labelhub.jobs.models import Job
from labelhub.projects.models import Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import add_member
from labelhub.reviews import tickets
from labelhub.reviews.models import Dispute, DisputeOutcome, ReworkTicket
from labelhub.reviews.selectors import inbox, rejected
from labelhub.reviews.services import ReviewRefused
from labelhub.workflow import disputing, lifecycle, overdue
from labelhub.workflow.errors import ItemExcluded, NoMoreDisputes, NothingToDecide, StepRefused, WorkElsewhere
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    new_annotator,
    next_for,
    read,
    review,
    rule,
    set_policy,
    state,
    store,
    submit,
    take,
)

pytestmark = pytest.mark.django_db

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture
def returned(cast: Cast):
    """Ann and Ben differ, Rita returns Ann's; Cleo is there and read nothing."""
    set_policy(cast, max_readers=2, slip_agreement=0.0)
    item = add_item(cast.project)
    by_ann, _ = read(cast, cast.ann, SQUARE), read(cast, cast.ben, OTHER)
    assert state(item) == "review"
    review(by_ann, cast.rita, "reject", "Follow the edge.", 3)
    assert state(item) == "rework"
    cleo = new_annotator(cast, "Cleo")
    return item, by_ann, take(cast, cast.ann), cleo


def rolf(cast: Cast):
    user = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
    return user


def ticket(cast: Cast, work: Assignment) -> tickets.OwnTicket:
    found = tickets.own_ticket(work, current_policy(cast.project)[1])
    assert found is not None
    return found


def test_a_ticket_holds_the_words_and_coarse_marks_and_nobody_elses_name_or_class(cast: Cast, returned):
    _, _, work, _ = returned
    own = ticket(cast, work)
    assert (own.words, own.score, own.round, own.disputes_left) == ("Follow the edge.", 3, 1, 1)
    assert own.marks["kind"] == "coarse"
    assert own.marks["regions"], "the two readings lie apart"
    for region in own.marks["regions"]:
        assert set(region) == {"z", "planes", "y", "x", "radius", "unit", "distance", "medium"}
        assert region["distance"] in (1, 2, 5, 10, 20, 50)
        # The square of the other reader has its middle at 47.5; the mark stands around the author's own outline.
        assert region["radius"] >= 15
    assert "outlines" not in own.marks
    assert not any(word in str(own) for word in ("Ben", "Rita", "nucleus"))


def test_where_the_policy_shows_other_answers_the_ticket_holds_both_outlines(cast: Cast):
    set_policy(cast, max_readers=2, show_other_answers_on_rework=True)
    add_item(cast.project)
    by_ann, _ = read(cast, cast.ann, SQUARE), read(cast, cast.ben, OTHER)
    review(by_ann, cast.rita, "reject", "No.")
    own = ticket(cast, take(cast, cast.ann))
    assert own.marks["kind"] == "exact"
    assert {line["whose"] for line in own.marks["outlines"]} == {"own", "other"}
    sides = {region["side"] for region in own.marks["regions"]}
    assert sides == {"extra", "missing"}
    assert "Ben" not in str(own)


def test_a_ticket_without_other_readers_marks_nothing(cast: Cast):
    set_policy(cast, readers=1)
    add_item(cast.project)
    review(read(cast, cast.ann, SQUARE), cast.rita, "reject", "No.")
    assert ticket(cast, take(cast, cast.ann)).marks["regions"] == []


def test_a_dispute_closes_the_rework_and_asks_one_more_reader_through_the_routing(cast: Cast, returned):
    item, _, work, cleo = returned
    before = Event.objects.count()
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.")
    assert lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.") == kept
    assert Dispute.objects.count() == 1
    work.refresh_from_db()
    item.refresh_from_db()
    assert (work.state, item.state, rule(item), item.wanted_reads) == ("disputed", "reading", "disputed", 3)
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))[before:]
    assert kinds.count("rework.disputed") == 1
    assert take(cast, cleo).item == item


def test_the_third_reader_never_saw_another_reading(cast: Cast, returned):
    """Not a reviewer, not an admin, nobody who was one, not an earlier reader."""
    item, _, work, cleo = returned
    former = create_person(username="fred", display_name="Fred", actor="test")
    add_member(project=cast.project, user=former, role=Role.REVIEWER, actor="test")
    add_member(project=cast.project, user=former, role=Role.ANNOTATOR, actor="test")
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.")
    for user in (rolf(cast), cast.rita, cast.ada, former, cast.ben, cast.ann):
        assert next_for(cast, user) is None, user
    assert take(cast, cleo).item == item


def test_a_third_reader_who_agrees_overturns_the_return(cast: Cast, returned):
    item, by_ann, work, cleo = returned
    other = rolf(cast)
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.")
    assert by_ann.pk in rejected(item)
    read(cast, cleo, SQUARE)
    outcome = DisputeOutcome.objects.get()
    assert (outcome.kind, outcome.similarity, outcome.threshold) == ("upheld", 1.0, 0.8)
    assert rejected(item) == frozenset(), "the reading speaks again"
    assert tickets.own_disputes(labeler(cast, cast.ann))[0].told == "Your reading stands."
    # Ben still differs, and no further read is asked for: another reviewer decides than who returned it.
    assert state(item) == "review"
    assert [row.item for row in inbox(other, cast.project).rows] == [item]
    assert inbox(cast.rita, cast.project).rows == ()
    for verdict in ("accept", "reject"):
        with pytest.raises(ReviewRefused, match="another reviewer decides"):
            review(by_ann, cast.rita, verdict, "No.")
    with pytest.raises(StepRefused, match="another reviewer decides"):
        lifecycle.settle(item=item, reason="x", by=cast.rita, submission=by_ann)
    with pytest.raises(StepRefused, match="another reviewer decides"):
        lifecycle.declare_ambiguous(item=item, reason="x", by=cast.rita)
    review(by_ann, other, "accept")
    assert state(item) == "settled"


def test_a_third_reader_who_does_not_agree_lets_the_return_stand(cast: Cast, returned):
    item, by_ann, work, cleo = returned
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.")
    read(cast, cleo, OTHER)
    assert DisputeOutcome.objects.get().kind == "refuted"
    assert by_ann.pk in rejected(item)
    assert state(item) == "settled", "Ben and the third reader agree"
    told = tickets.own_disputes(labeler(cast, cast.ann))[0]
    assert told.is_decided
    assert "does not count" in told.told


def test_disputes_are_limited_and_rounds_count_on(cast: Cast, returned):
    item, by_ann, work, cleo = returned
    other = rolf(cast)
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is the edge.")
    read(cast, cleo, SQUARE)
    review(by_ann, other, "reject", "I see it so too.")
    again = take(cast, cast.ann)
    own = ticket(cast, again)
    assert (own.round, own.disputes_left, own.words) == (2, 0, "I see it so too.")
    with pytest.raises(NoMoreDisputes):
        lifecycle.dispute(assignment=again, by=cast.ann, reason="Still.")
    draw(again, cast.ann, OTHER)
    submit(again, cast.ann)
    assert state(item) == "review", "fixed work goes to a reviewer"


def test_nobody_left_to_read_means_another_reviewer(cast: Cast):
    set_policy(cast, max_readers=2, slip_agreement=0.0)
    item = add_item(cast.project)
    by_ann, _ = read(cast, cast.ann, SQUARE), read(cast, cast.ben, OTHER)
    review(by_ann, cast.rita, "reject", "No.")
    lifecycle.dispute(assignment=take(cast, cast.ann), by=cast.ann, reason="It is.")
    assert (state(item), rule(item)) == ("review", "disputed")
    assert DisputeOutcome.objects.get().kind == "to-reviewer"
    assert not tickets.own_disputes(labeler(cast, cast.ann))[0].is_decided
    assert inbox(cast.rita, cast.project).rows == ()
    review(by_ann, cast.ada, "accept")
    assert [row.kind for row in DisputeOutcome.objects.order_by("pk")] == ["to-reviewer", "upheld"]


def test_a_reviewer_may_take_a_dispute_up_but_not_who_returned_it(cast: Cast, returned):
    item, _, work, _ = returned
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    with pytest.raises(StepRefused, match="another reviewer takes it"):
        lifecycle.close_dispute(dispute=kept, by=cast.rita)
    for user in (cast.ben, cast.otto):
        with pytest.raises(NotFound):
            lifecycle.close_dispute(dispute=kept, by=user)
    first = lifecycle.close_dispute(dispute=kept, by=cast.ada)
    assert lifecycle.close_dispute(dispute=kept, by=cast.ada) == first
    with pytest.raises(NothingToDecide):
        lifecycle.close_dispute(dispute=kept, by=rolf(cast))
    assert state(item) == "review"
    assert inbox(cast.rita, cast.project).rows == (), "who returned it does not decide the dispute"
    tickets.keep_outcome(kept, "moot", by=cast.ada, reason="Said elsewhere.")
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [item], "nothing is in dispute any more"


def test_a_return_by_a_rule_that_is_disputed_says_that_a_reviewer_decides_and_any_may(cast: Cast):
    """Planted and seen to fail: “another reviewer” where none returned it."""
    set_policy(cast, readers=3, max_readers=3)
    item = add_item(cast.project)
    for user, square in ((cast.ann, OTHER), (cast.ben, SQUARE), (new_annotator(cast, "Cleo"), SQUARE)):
        read(cast, user, square)
    assert (state(item), rule(item)) == ("rework", "own-slip")
    lifecycle.dispute(assignment=take(cast, cast.ann), by=cast.ann, reason="It is.")
    (row,) = inbox(cast.rita, cast.project).rows
    assert row.reason.endswith("without having seen another reading. A reviewer decides.")


def test_a_third_reader_who_never_comes_leaves_the_dispute_to_a_reviewer(cast: Cast, returned):
    """Planted and seen to fail: an item taken from a reader who has it now; a card without why; a parked item that holds on."""
    item, _, work, cleo = returned
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    late = timezone.now() + timedelta(days=7, minutes=1)
    assert disputing.end_waits(now=late - timedelta(minutes=2)) == 0
    reading = take(cast, cleo)
    Assignment.objects.filter(pk=reading.pk).update(lease_until=late + timedelta(minutes=5))
    assert disputing.end_waits(now=late) == 0, "somebody reads it now"
    Assignment.objects.filter(pk=reading.pk).update(lease_until=late + timedelta(minutes=5) - timedelta(days=7))
    lifecycle.park(assignment=reading, by=cleo)
    set_policy(cast, max_readers=2, slip_agreement=0.0, dispute_wait_days=0)
    assert disputing.end_waits(now=late) == 0, "this policy waits on"
    set_policy(cast, max_readers=2, slip_agreement=0.0)
    assert disputing.end_waits(now=late) == 1
    assert disputing.end_waits(now=late) == 0
    outcome = DisputeOutcome.objects.get(dispute=kept)
    assert (outcome.kind, outcome.by, outcome.reason) == ("to-reviewer", None, "No third reader came within 7 days.")
    card = inbox(rolf(cast), cast.project).rows[0]
    assert card.item == item
    assert "No third reader came within 7 days. Another reviewer decides." in card.reason
    assert inbox(cast.rita, cast.project).rows == (), "who returned it does not decide"
    draw(lifecycle.resume(assignment=reading, by=cleo), cleo, SQUARE)
    submit(reading, cleo)
    assert (state(item), DisputeOutcome.objects.count()) == ("review", 1), "a late reading is kept and decides nothing"


def test_the_hourly_job_ends_waits_and_sets_its_next_run(cast: Cast, returned):
    _, _, work, _ = returned
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    Dispute.objects.filter(pk=kept.pk).update(at=timezone.now() - timedelta(days=8))
    overdue.schedule()
    assert overdue.schedule().pk == overdue.schedule().pk
    worker.run_pending(queues=["cpu"], name="test")
    assert Job.objects.filter(kind=overdue.JOB_KIND, state="done").count() == 1
    assert DisputeOutcome.objects.get().kind == "to-reviewer"
    waiting = Job.objects.get(kind=overdue.JOB_KIND, state="queued")
    assert waiting.not_before > timezone.now() + timedelta(minutes=50)


def test_where_there_is_one_reviewer_alone_they_decide_themselves(cast: Cast, returned):
    item, by_ann, work, _ = returned
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    assert tickets.is_party(cast.rita, item)
    cast.ada.is_active = False
    cast.ada.save()
    assert not tickets.is_party(cast.rita, item)
    lifecycle.close_dispute(dispute=kept, by=cast.rita)
    review(by_ann, cast.rita, "accept")
    assert state(item) == "settled"


def test_what_cannot_be_disputed_is_refused_in_a_sentence(cast: Cast, returned):
    item, _, work, _ = returned
    for reason in ("", "   "):
        with pytest.raises(StepRefused, match="Say why"):
            lifecycle.dispute(assignment=work, by=cast.ann, reason=reason)
    with pytest.raises(StepRefused, match="at most 2000"):
        lifecycle.dispute(assignment=work, by=cast.ann, reason="x" * 2001)
    for user in (cast.ben, cast.otto, cast.rita):
        with pytest.raises((NotFound, PermissionError)):
            lifecycle.dispute(assignment=work, by=user, reason="x")
    lifecycle.exclude(item=item, by=cast.ada, reason="x")
    with pytest.raises(ItemExcluded):
        lifecycle.dispute(assignment=work, by=cast.ann, reason="x")


def test_own_work_taken_back_has_no_ticket_and_ordinary_work_neither(cast: Cast):
    set_policy(cast, readers=1, max_readers=1)
    add_item(cast.project), add_item(cast.project)
    mine = read(cast, cast.ann, SQUARE)
    again = lifecycle.recall(assignment=mine.assignment, by=cast.ann)
    with pytest.raises(StepRefused, match="sent back to you"):
        lifecycle.dispute(assignment=again, by=cast.ann, reason="x")
    submit(again, cast.ann)
    with pytest.raises(StepRefused, match="sent back to you"):
        lifecycle.dispute(assignment=take(cast, cast.ben), by=cast.ben, reason="x")
    assert ReworkTicket.objects.count() == 0


def test_submitted_rework_cannot_be_disputed_afterwards(cast: Cast, returned):
    _, _, work, _ = returned
    draw(work, cast.ann, (12, 10, 20))
    submit(work, cast.ann)
    with pytest.raises(WorkElsewhere):
        lifecycle.dispute(assignment=work, by=cast.ann, reason="x")


def test_an_earlier_readers_further_version_and_a_former_reviewers_reading_are_no_third_read(cast: Cast, returned):
    item, _, work, cleo = returned
    former = create_person(username="fred", display_name="Fred", actor="test")
    for role in (Role.REVIEWER, Role.ANNOTATOR):
        add_member(project=cast.project, user=former, role=role, actor="test")
    kept = lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    store(cast, item, cast.ben, SQUARE, version=2)
    store(cast, item, former, SQUARE)
    assert tickets.third_read(kept) is None
    assert not DisputeOutcome.objects.exists()
    by_cleo = read(cast, cleo, SQUARE)
    assert tickets.third_read(kept) == by_cleo


def test_a_third_reader_whose_time_is_over_holds_the_dispute_no_longer(cast: Cast, returned):
    """Catches a wait that goes on for work which was left open and never parked."""
    _, _, work, cleo = returned
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    reading, late = take(cast, cleo), timezone.now() + timedelta(days=7, minutes=1)
    assert reading.lease_until < late
    assert disputing.end_waits(now=late) == 1
    assert DisputeOutcome.objects.get().kind == "to-reviewer"


def test_an_item_in_dispute_that_is_taken_out_leaves_nothing_open(cast: Cast, returned):
    item, _, work, _ = returned
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    lifecycle.exclude(item=item, by=cast.ada, reason="x")
    assert DisputeOutcome.objects.get().kind == "moot"
    assert tickets.undecided(item) == ()


def test_a_read_that_is_not_blind_is_no_third_read(cast: Cast, returned):
    """An admin who is given the item by hand sees everybody's labels: the dispute waits on."""
    from labelhub.workflow import distribution

    item, _, work, cleo = returned
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    distribution.assign_by_hand(items=[item], labeler=labeler(cast, cast.ada), by=cast.ada)
    read(cast, cast.ada, SQUARE)
    assert not DisputeOutcome.objects.exists()
    assert state(item) == "reading"
    read(cast, cleo, SQUARE)
    assert DisputeOutcome.objects.get().kind == "upheld"
