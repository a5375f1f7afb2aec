"""Each step alone: who may take it, what it refuses, what taking it twice does."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.annotations.errors import AnnotationRefused
from labelhub.annotations.models import Submission
from labelhub.annotations.selectors import has_draft
from labelhub.assignments import services as assignments
from labelhub.assignments.errors import AlreadyRead, LeaseLost, NotOpen
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.consensus.models import Settlement
from labelhub.consensus.services import UnsettledTie
from labelhub.exports.services import ReleaseRefused
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_guideline
from labelhub.projects.services import acknowledge_guideline, publish_guideline, remove_member
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import rejected
from labelhub.reviews.services import MAX_COMMENT, ReviewRefused
from labelhub.reviews.sightings import keep_sighting
from labelhub.routing.models import Route
from labelhub.workflow import deciding, lifecycle
from labelhub.workflow.errors import (
    CannotReturn,
    GuidelineUnread,
    ItemExcluded,
    NewerVersion,
    NotALabelerNow,
    StepRefused,
)
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
    square_reading,
    state,
    store,
    submit,
    take,
)

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast)


# Handing out ---------------------------------------------------------------------------------------------------------


def test_asking_again_returns_what_was_begun_and_the_older_window_cannot_renew(cast: Cast):
    add_item(cast.project)
    first = take(cast, cast.ann)
    again = take(cast, cast.ann)
    assert (again.pk, again.fence) == (first.pk, first.fence + 1)
    with pytest.raises(LeaseLost):
        assignments.renew(assignment=first, lease_s=60, fence=first.fence)
    assert assignments.renew(assignment=again, lease_s=60, fence=again.fence).lease_until is not None


def test_no_more_people_read_an_item_than_are_wanted(cast: Cast):
    item = add_item(cast.project)
    cleo = new_annotator(cast, "Cleo")
    take(cast, cast.ann)
    take(cast, cast.ben)
    assert next_for(cast, cleo) is None
    set_policy(cast, readers=3)
    assert take(cast, cleo).item == item, "the overlap may be raised at any time"


def test_items_of_higher_priority_and_those_begun_come_first(cast: Cast):
    plain, begun, urgent = (add_item(cast.project) for _ in range(3))
    type(urgent).objects.filter(pk=urgent.pk).update(priority=5)
    store(cast, begun, cast.ben, SQUARE)
    order = [read(cast, cast.ann, SQUARE).assignment.item for _ in range(3)]
    assert order == [urgent, begun, plain]


def test_nothing_is_handed_to_outsiders_to_those_who_left_or_before_the_instructions_are_read(cast: Cast):
    add_item(cast.project)
    mine = labeler(cast, cast.ben)
    with pytest.raises(NotFound):
        labeler(cast, cast.otto)
    publish_guideline(project=cast.project, text="Mark every nucleus.", by=cast.ada)
    with pytest.raises(GuidelineUnread):
        take(cast, cast.ben)
    acknowledge_guideline(labeler=mine, guideline=current_guideline(cast.project))
    assert take(cast, cast.ben)
    remove_member(project=cast.project, user=cast.ben, actor="test")
    with pytest.raises(NotALabelerNow):
        lifecycle.hand_out(labeler=mine)


def test_an_admin_reads_but_never_blind(cast: Cast):
    add_item(cast.project)
    assignment = take(cast, cast.ada)
    assert (assignment.read_kind, assignment.planned_blind) == ("unblinded", False)


def test_nobody_reads_an_item_that_they_judged(cast: Cast):
    set_policy(cast, readers=3)
    item = add_item(cast.project)
    submission = read(cast, cast.ann, SQUARE)
    review(submission, cast.rita, "reject", "No.")
    assert state(item) == "rework"
    lifecycle.skip(assignment=take(cast, cast.ann), reason="")
    assert state(item) == "review"
    assert next_for(cast, cast.rita) is None


def test_gold_is_drawn_by_share_goes_to_each_labeler_once_and_looks_like_any_item(cast: Cast):
    set_policy(cast, gold_share=0.5, readers=1)
    gold = [add_item(cast.project, subject=f"patient {n}") for n in range(3)]
    for item in gold:
        store(cast, item, cast.rita, SQUARE, is_gold=True)
    for _ in range(12):
        add_item(cast.project)
    met = [read(cast, cast.ann, SQUARE).assignment.item_id for _ in range(15)]
    assert len(set(met)) == 15
    assert {item.pk for item in gold} <= set(met)
    kinds = set(Assignment.objects.filter(labeler=labeler(cast, cast.ann)).values_list("read_kind", "planned_blind"))
    assert kinds == {("independent", True)}


def test_two_gold_items_of_one_patient_never_go_to_one_labeler_as_gold(cast: Cast):
    set_policy(cast, gold_share=0.5)
    for n in range(2):
        item = add_item(cast.project, subject="the same patient")
        store(cast, item, cast.rita, SQUARE, is_gold=True)
        for user in (cast.ben, cast.ada):
            lifecycle.record_reading(
                item=item, labeler=labeler(cast, user), reading=square_reading(item, f"{user}{n}", SQUARE)
            )
        assert state(item) == "settled"
    for _ in range(6):
        add_item(cast.project)
    met = [read(cast, cast.ann, SQUARE).assignment.item for _ in range(6)]
    assert sum(item.group_kind == "patient" for item in met) <= 1


# Leases and skips ----------------------------------------------------------------------------------------------------


def test_an_item_whose_time_ran_out_goes_back_and_its_draft_waits_for_its_labeler(cast: Cast):
    item = add_item(cast.project)
    late = take(cast, cast.ann)
    draw(late, cast.ann, SQUARE)
    later = timezone.now() + timedelta(hours=2)
    assert lifecycle.expire_leases(now=later) == 1
    assert lifecycle.expire_leases(now=later) == 0
    assert state(item) == "waiting"
    with pytest.raises(AnnotationRefused) as refusal:
        submit(late, cast.ann)
    assert refusal.value.code == "lease-ended"
    again = take(cast, cast.ann)
    assert (again.pk, again.state) == (late.pk, "open")
    assert submit(again, cast.ann).annotations.count() == 1


def test_a_skipped_item_goes_to_somebody_else_and_not_back(cast: Cast):
    item = add_item(cast.project)
    assignment = take(cast, cast.ann)
    lifecycle.skip(assignment=assignment, reason="too dark")
    assert state(item) == "waiting"
    with pytest.raises(NotOpen):
        lifecycle.skip(assignment=assignment, reason="again")
    assert next_for(cast, cast.ann) is None
    assert take(cast, cast.ben).item == item


def test_rework_that_its_author_never_takes_up_goes_to_a_reviewer(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    review(first, cast.rita, "reject", "Look again.")
    lifecycle.expire_leases(now=timezone.now() + timedelta(days=8))
    assert state(item) == "review"


# Submitting ----------------------------------------------------------------------------------------------------------


def test_a_retried_submit_is_the_same_submit(cast: Cast):
    add_item(cast.project)
    for user in (cast.ann, cast.ben):
        assignment = take(cast, user)
        draw(assignment, user, SQUARE)
        request_id = uuid.uuid4()
        replies = [submit(assignment, user, request_id=request_id) for _ in range(4)]
        assert len({reply.pk for reply in replies}) == 1
        with pytest.raises(AnnotationRefused):
            submit(assignment, user)
    assert (Submission.objects.count(), Route.objects.count(), Settlement.objects.count()) == (2, 2, 1)


def test_an_empty_submit_without_no_finding_stores_nothing(cast: Cast):
    item = add_item(cast.project)
    assignment = take(cast, cast.ann)
    events = Event.objects.count()
    with pytest.raises(AnnotationRefused) as refusal:
        submit(assignment, cast.ann)
    assert refusal.value.code == "nothing-drawn"
    assert (Submission.objects.count(), Event.objects.count(), state(item)) == (0, events, "reading")


def test_two_empty_reads_settle_as_no_finding(cast: Cast):
    item = add_item(cast.project)
    read(cast, cast.ann)
    read(cast, cast.ben)
    assert Settlement.objects.get(item=item).no_finding


def test_a_late_reading_of_a_settled_item_is_kept_and_scored(cast: Cast):
    item = add_item(cast.project)
    late = take(cast, cast.ann)
    draw(late, cast.ann, OTHER)
    submission = store(cast, item, cast.ben, SQUARE)
    review(submission, cast.rita, "accept")
    assert state(item) == "settled"
    submit(late, cast.ann)
    assert (state(item), Settlement.objects.count()) == ("settled", 1)
    assert Submission.objects.filter(assignment__item=item).count() == 2


def test_a_failure_while_routing_takes_the_submission_back_too(cast: Cast, monkeypatch):
    add_item(cast.project)
    assignment = take(cast, cast.ann)
    draw(assignment, cast.ann, SQUARE)

    def broken(*_, **__):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(deciding, "score_item", broken)
    with pytest.raises(RuntimeError):
        submit(assignment, cast.ann)
    assignment.refresh_from_db()
    assert (assignment.state, Submission.objects.count()) == ("open", 0)


# Reviewing, settling, excluding --------------------------------------------------------------------------------------


def disputed(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    return item, read(cast, cast.ann, SQUARE), read(cast, cast.ben, OTHER)


def test_a_judgement_is_stored_once_and_needs_a_comment_on_reject(cast: Cast):
    item, first, _ = disputed(cast)
    for given, code in (
        ({"verdict": "reject"}, "comment-missing"),
        ({"verdict": "accept", "score": 11}, "score-out-of-range"),
        ({"verdict": "accept", "score": -1}, "score-out-of-range"),
        ({"verdict": "accept", "comment": "x" * (MAX_COMMENT + 1)}, "comment-too-long"),
        ({"verdict": "maybe"}, "verdict-unknown"),
    ):
        with pytest.raises(ReviewRefused) as refusal:
            review(first, cast.rita, **given)
        assert refusal.value.code == code
    request_id = uuid.uuid4()
    decisions = {review(first, cast.rita, "reject", "Edge.", request_id=request_id).pk for _ in range(3)}
    assert (len(decisions), Decision.objects.count(), state(item)) == (1, 1, "rework")
    assert Assignment.objects.filter(item=item, read_kind="rework").count() == 1


@pytest.mark.parametrize("score", [0, 10])
def test_the_ends_of_the_scale_and_the_longest_comment_are_kept(cast: Cast, score):
    _, first, _ = disputed(cast)
    review(first, cast.rita, "reject", "x" * MAX_COMMENT, score)
    kept = Decision.objects.get()
    assert (kept.score, len(kept.comment)) == (score, MAX_COMMENT)


def test_the_newest_judgement_of_a_reading_says_whether_it_is_set_aside(cast: Cast):
    item, first, _ = disputed(cast)
    review(first, cast.rita, "reject", "Edge.")
    assert rejected(item) == {first.pk}
    review(first, cast.ada, "accept")
    assert rejected(item) == frozenset()
    review(first, cast.rita, "reject", "Still.")
    assert rejected(item) == {first.pk}


def test_each_shape_of_a_label_names_the_shapes_that_it_was_made_of(cast: Cast):
    item, _, second = disputed(cast)
    review(second, cast.rita, "accept")
    (shape,) = Settlement.objects.get(item=item).shapes.all()
    assert shape.merged_from == [{"submission": second.pk, "shape": second.annotations.get().shape_id}]
    voted = add_item(cast.project, seed=1)
    alike = [store(cast, voted, user, SQUARE) for user in (cast.ann, cast.ben)]
    (shape,) = Settlement.objects.get(item=voted).shapes.all()
    assert {source["submission"] for source in shape.merged_from} == {entry.pk for entry in alike}


def test_reviewers_do_not_judge_items_that_they_read(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    read(cast, cast.rita, SQUARE)
    second = read(cast, cast.ben, OTHER)
    with pytest.raises(ReviewRefused) as refusal:
        review(second, cast.rita, "accept")
    assert refusal.value.code == "own-read"
    with pytest.raises(StepRefused):
        lifecycle.settle(item=item, by=cast.rita, reason="mine", submission=second)


def test_a_rejection_after_the_last_round_asks_one_more_reader(cast: Cast):
    set_policy(cast, max_readers=2, max_rework_rounds=0)
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    with pytest.raises(CannotReturn):
        lifecycle.start_rework(submission=first, reason="x", by=cast.rita)
    cleo = new_annotator(cast, "Cleo")
    review(first, cast.rita, "reject", "Not this.")
    assert state(item) == "reading"
    read(cast, cleo, (41, 40, 15))
    assert (state(item), rule(item)) == ("settled", "agreement"), "the rejected reading no longer votes"


def test_where_the_rules_ask_for_a_reader_and_nobody_is_left_a_reviewer_decides(cast: Cast):
    set_policy(cast, readers=2, max_readers=7)
    item = add_item(cast.project)
    # A reviewer who saw no reading could read it.
    keep_sighting(item=item, by=cast.rita)
    read(cast, cast.ann, SQUARE)
    assert state(item) == "reading", "the second planned reader may still come"
    read(cast, cast.ben, OTHER)
    assert (state(item), rule(item)) == ("review", "no-reader-left")
    last, before = Route.objects.filter(item=item).order_by("-pk")[:2]
    assert (last.outcome, last.numbers["wanted_reads"], before.outcome) == ("reviewer", 3, "more-readers")
    assert [entry["outcome"] for entry in last.alternatives] == ["more-readers"]


def test_planned_readers_who_are_not_there_yet_are_waited_for(cast: Cast):
    set_policy(cast, readers=3, max_readers=3)
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, SQUARE)
    assert state(item) == "reading"


def test_a_rejection_that_nobody_is_left_to_read_again_stays_with_the_reviewers(cast: Cast):
    set_policy(cast, max_readers=2, max_rework_rounds=0)
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    review(first, cast.rita, "reject", "Not this.")
    assert (state(item), rule(item)) == ("review", "no-reader-left")


def test_a_judgement_of_a_version_that_its_author_replaced_is_answered_with_both(cast: Cast):
    item, first, _ = disputed(cast)
    request_id = uuid.uuid4()
    review(first, cast.rita, "reject", "Look again.", request_id=request_id)
    rework = take(cast, cast.ann)
    second = submit(rework, cast.ann)
    with pytest.raises(NewerVersion) as refusal:
        review(first, cast.ada, "accept")
    assert (refusal.value.seen, refusal.value.newest, refusal.value.status) == (1, 2, 409)
    assert Decision.objects.count() == 1
    assert review(first, cast.rita, "reject", "Look again.", request_id=request_id).pk == Decision.objects.get().pk
    review(second, cast.ada, "accept")
    assert state(item) == "settled"


def test_an_item_is_settled_with_a_reading_of_its_own_only(cast: Cast):
    item, _, _ = disputed(cast)
    set_policy(cast, readers=1)
    add_item(cast.project, seed=9)
    other = read(cast, cast.ann, SQUARE)
    for by in (cast.rita, None):
        with pytest.raises(StepRefused):
            lifecycle.settle(item=item, by=by, reason="x", submission=other)


def test_a_second_reviewer_who_disagrees_opens_the_item_again_and_both_judgements_stay(cast: Cast):
    item, first, second = disputed(cast)
    review(first, cast.rita, "accept")
    assert state(item) == "settled"
    review(first, cast.ada, "reject", "I see nothing there.")
    assert (state(item), Decision.objects.count()) == ("review", 2)
    review(second, cast.ada, "accept")
    assert [row.number for row in Settlement.objects.order_by("pk")] == [1, 2]


def test_a_tie_is_never_settled_in_silence(cast: Cast):
    item, _, _ = disputed(cast)
    with pytest.raises(UnsettledTie):
        lifecycle.settle(item=item, by=cast.rita, reason="let it be")
    assert (state(item), Settlement.objects.count()) == ("review", 0)


def test_accepting_takes_rework_back_that_is_no_longer_needed(cast: Cast):
    item, first, second = disputed(cast)
    review(first, cast.rita, "reject", "Look again.")
    review(second, cast.rita, "accept")
    assert state(item) == "settled"
    assert not Assignment.objects.filter(item=item, state="open").exists()


def test_an_excluded_item_takes_nothing_more_and_keeps_what_it_has(cast: Cast):
    item, first, _ = disputed(cast)
    with pytest.raises(StepRefused):
        lifecycle.exclude(item=item, by=cast.ada, reason=" ")
    lifecycle.exclude(item=item, by=cast.ada, reason="motion")
    lifecycle.exclude(item=item, by=cast.ada, reason="motion")
    assert state(item) == "excluded"
    with pytest.raises(ItemExcluded):
        review(first, cast.rita, "accept")
    with pytest.raises(ItemExcluded):
        store(cast, item, cast.ada, SQUARE)
    assert Submission.objects.filter(assignment__item=item).count() == 2


@pytest.mark.parametrize("how", ["begun", "taken back", "parked"])
def test_whoever_still_works_on_an_excluded_item_is_given_other_work_and_the_draft_is_kept(cast: Cast, how: str):
    item = add_item(cast.project)
    mine = take(cast, cast.ann)
    draw(mine, cast.ann, SQUARE)
    if how == "taken back":
        submit(mine, cast.ann)
        mine = lifecycle.recall(assignment=mine, by=cast.ann)
    elif how == "parked":
        lifecycle.park(assignment=mine, by=cast.ann)
    lifecycle.exclude(item=item, by=cast.ada, reason="motion")
    mine.refresh_from_db()
    assert mine.state == "expired"
    assert next_for(cast, cast.ann) is None
    assert how == "taken back" or has_draft([mine.pk]) == {mine.pk}


def test_an_imported_reader_reads_an_item_once(cast: Cast):
    item = add_item(cast.project)
    ann = labeler(cast, cast.ann)
    lifecycle.record_reading(item=item, labeler=ann, reading=square_reading(item, "ann", SQUARE), is_routed=False)
    with pytest.raises(AlreadyRead):
        lifecycle.record_reading(item=item, labeler=ann, reading=square_reading(item, "ann", OTHER))
    second = lifecycle.record_reading(
        item=item, labeler=ann, reading=square_reading(item, "ann", OTHER, version=2), is_routed=False
    )
    assert second.version == 2


def test_a_release_needs_something_settled_and_a_known_format(cast: Cast):
    for formats, code in ((["docx"], "format-unknown"), ([], "format-unknown"), (["coco"], "nothing-settled")):
        with pytest.raises(ReleaseRefused) as refusal:
            lifecycle.release(project=cast.project, formats=formats, note="", by=cast.ada)
        assert refusal.value.code == code


# Who may ------------------------------------------------------------------------------------------------------------


def test_every_step_is_refused_to_those_whose_it_is_not(cast: Cast):
    item, first, _ = disputed(cast)
    open_item = add_item(cast.project)
    mine = take(cast, cast.ann)
    assert mine.item == open_item

    def submit_as(user):
        return lambda: submit(mine, user, no_finding=True)

    def review_as(user):
        return lambda: review(first, user, "accept")

    def settle_as(user):
        return lambda: lifecycle.settle(item=item, by=user, reason="x", submission=first)

    def rework_as(user):
        return lambda: lifecycle.start_rework(submission=first, reason="x", by=user)

    def exclude_as(user):
        return lambda: lifecycle.exclude(item=item, by=user, reason="x")

    def release_as(user):
        return lambda: lifecycle.release(project=cast.project, formats=["csv"], note="", by=user)

    refused = [
        *(
            (submit_as(user), error)
            for user, error in (
                (cast.otto, NotFound),
                (cast.ben, NotFound),
                (cast.rita, NotAllowed),
                (cast.ada, NotAllowed),
            )
        ),
        *(
            (review_as(user), error)
            for user, error in ((cast.otto, NotFound), (cast.ben, NotFound), (cast.ann, NotAllowed))
        ),
        *((settle_as(user), NotFound) for user in (cast.otto, cast.ann)),
        *(
            (rework_as(user), error)
            for user, error in ((cast.otto, NotFound), (cast.ann, NotAllowed), (cast.ben, NotFound))
        ),
        *(
            (exclude_as(user), error)
            for user, error in ((cast.otto, NotFound), (cast.ann, NotFound), (cast.rita, NotAllowed))
        ),
        *(
            (release_as(user), error)
            for user, error in ((cast.otto, NotFound), (cast.ann, NotAllowed), (cast.rita, NotAllowed))
        ),
    ]
    before = (Event.objects.count(), Submission.objects.count(), state(item))
    for step, error in refused:
        with pytest.raises(error):
            step()
    assert (Event.objects.count(), Submission.objects.count(), state(item)) == before
