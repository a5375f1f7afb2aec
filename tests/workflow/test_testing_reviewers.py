"""Reviewers are calibrated: decisions judged again and gold among their items, blind, and what the judgements come to.

Planted and seen to fail: a tested judgement that moves the item; the settled label, the first decision, its words or its gold
shown before the judgement; a mark of the item that tells that it was settled; an earlier answer of one's own that is carried
over; the decider chosen while another is there; a form sent twice that acts on the item the second time; a test placed for an
admin; a result counted against the second reviewer instead of the first; a reader of the item asked to judge it again; gold
placed before who read or knows it; what was said of the readings, by another or oneself, shown before the judgement.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.accounts.services import create_person
from labelhub.analytics.item_story import story_of
from labelhub.audit.models import Event
from labelhub.consensus.models import Settlement
from labelhub.consensus.regions import forget_sittings
from labelhub.consensus.services import UnsettledTie
from labelhub.jobs import worker
from labelhub.projects.models import Role
from labelhub.projects.services import add_member
from labelhub.reviews.appraisals import appraisals_of
from labelhub.reviews.calibration import calibration_of
from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult
from labelhub.reviews.models import Decision
from labelhub.reviews.reviewer_tests import as_it_waits, open_test
from labelhub.reviews.selectors import Screen, inbox, side_by_side
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.sightings import keep_sighting
from labelhub.scoring.gold import make_gold
from labelhub.workflow import adjudicating, lifecycle, testing_reviewers
from labelhub.workflow.errors import StaleJudgement
from labelhub.workflow.steps import versions_of
from tests.cast import Cast
from tests.workflow.walking import add_item, review, rule, set_policy, state, store

pytestmark = pytest.mark.django_db
SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_sittings()


@pytest.fixture
def rolf(cast: Cast):
    user = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
    return user


def disputed(cast: Cast, seed: int = 0, **policy):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, **({"rereview_share": 1.0} | policy))
    item = add_item(cast.project, seed=seed)
    by_ann, by_ben = (store(cast, item, user, drawn) for user, drawn in ((cast.ann, SQUARE), (cast.ben, OTHER)))
    assert state(item) == "review"
    item.refresh_from_db()
    return item, by_ann, by_ben


def test_a_decision_comes_to_another_reviewer_who_is_told_nothing_of_it(cast: Cast, rolf):
    item, by_ann, _ = disputed(cast)
    before = versions_of([item])[item.pk]
    why = inbox(rolf, cast.project).rows[0].reason
    review(by_ann, cast.rita, "accept", "Ann is right.", 9)
    test = ReviewTest.objects.get()
    assert (test.kind, test.reviewer, test.decided_by, test.settled_as) == ("again", rolf, cast.rita, 1)
    (row,) = inbox(rolf, cast.project).rows
    assert (row.item, row.reason, row.item.state, row.disagreement) == (item, why, "review", 1.0)
    assert inbox(rolf, cast.project).n_waiting == 1
    assert inbox(cast.rita, cast.project).rows == () == inbox(cast.ada, cast.project).rows
    seen = side_by_side(rolf, as_it_waits(item, test))
    assert (len(seen.readings), seen.decisions) == (2, ())
    assert len(versions_of([item])[item.pk]) == len(before) == 32, "a mark tells nothing of a settlement"


@pytest.mark.parametrize(
    ("choice", "held"), [("accept ann", True), ("accept ben", False), ("reject ben", True), ("reject ann", False)]
)
def test_what_the_second_reviewer_decides_is_compared_and_moves_nothing_but_a_disagreement(cast, rolf, choice, held):
    item, by_ann, by_ben = disputed(cast)
    review(by_ann, cast.rita, "accept")
    verdict, _, who = choice.partition(" ")
    n = Decision.objects.count()
    assert review(by_ann if who == "ann" else by_ben, rolf, verdict, "Because.", 4) is None
    result = ReviewTestResult.objects.get()
    assert (result.held, result.choice, result.score, result.threshold) == (held, verdict, 4, 0.8)
    assert (Decision.objects.count(), Settlement.objects.count()) == (n, 1)
    assert Event.objects.filter(kind="review.tested", subject=f"item:{item.pk}", actor=f"user:{rolf.pk}").count() == 1
    calibration = calibration_of(cast.rita, [cast.project])
    assert (calibration.overturned.value, calibration.overturned.n) == (0.0 if held else 1.0, 1)
    assert calibration.again[0].by == "another reviewer, blind"
    assert calibration_of(rolf, [cast.project]).overturned.n == 0
    assert inbox(rolf, cast.project).rows == ()
    if held:
        assert state(item) == "settled"
    else:
        assert (state(item), rule(item)) == ("review", "judged-otherwise")
        assert [row.item for row in inbox(cast.ada, cast.project).rows] == [item], "a third one decides"
        assert inbox(cast.rita, cast.project).rows == ()


def test_every_way_to_decide_is_heard_and_none_of_them_twice(cast: Cast, rolf):
    ways = {
        "vote": lambda item, **_: lifecycle.accept_readers(item=item, reason="x", by=rolf),
        "ambiguous": lambda item, **_: lifecycle.declare_ambiguous(item=item, reason="x", by=rolf),
        "regions": lambda item, **_: regions(item, rolf),
    }
    for seed, (choice, way) in enumerate(ways.items()):
        item, by_ann, _ = disputed(cast, seed)
        review(by_ann, cast.rita, "accept")
        test = open_test(rolf, item)
        assert test is not None
        seen = versions_of([item])[item.pk]
        if choice == "vote":
            # Two who share nothing are tied, as they would be for anybody.
            with pytest.raises(UnsettledTie):
                way(item)
            assert open_test(rolf, item) == test
            continue
        assert way(item) is None
        result = ReviewTestResult.objects.get(test=test)
        assert (result.choice, result.held) == (choice, False)
        assert Settlement.objects.filter(item=item).count() == 1
        with pytest.raises(StaleJudgement):
            lifecycle.declare_ambiguous(item=item, reason="x", by=rolf, seen=f"{seen[:-1]}x")


def regions(item, by, **said):
    for matter in adjudicating.desk_of(item, by).sitting.found.matters:
        adjudicating.answer_matter(item=item, by=by, key=matter.key, choice="ambiguous", request_id=uuid.uuid4())
    return adjudicating.settle_regions(item=item, by=by, **said)


def test_what_was_said_in_the_moment_from_which_on_words_are_hidden_is_hidden():
    since = timezone.now()
    screen = Screen(user=1, since=since)
    assert [screen.shows(2, since - timedelta(microseconds=1)), screen.shows(2, since)] == [True, False]
    assert screen.shows(1, since), "one's own words"


def test_what_is_no_judgement_is_refused_as_ever_and_the_test_stays_open(cast: Cast, rolf):
    item, by_ann, _ = disputed(cast)
    review(by_ann, cast.rita, "accept")
    for verdict, comment, score in (("reject", " ", None), ("accept", "", 11), ("maybe", "", None)):
        with pytest.raises(ReviewRefused):
            review(by_ann, rolf, verdict, comment, score)
    assert open_test(rolf, item) is not None
    set_policy(cast, readers=2, max_readers=2)
    assert open_test(rolf, item) is None, "where the policy places none, those that are open lapse"
    assert inbox(rolf, cast.project).rows == ()


def test_where_there_is_no_other_the_same_reviewer_begins_anew_after_a_time(cast: Cast):
    item, by_ann, _ = disputed(cast)
    regions(item, cast.rita)
    test = ReviewTest.objects.get()
    assert (test.kind, test.reviewer) == ("own", cast.rita)
    assert inbox(cast.rita, cast.project).rows == ()
    ReviewTest.objects.filter(pk=test.pk).update(due_from=timezone.now())
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [item]
    assert adjudicating.desk_of(item, cast.rita).answers == (), "what they answered before is not before them"
    review(by_ann, cast.rita, "accept")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.like_oneself.value, held.like_oneself.n, held.overturned.n) == (0.0, 1, 0)
    assert state(item) == "settled", "a person of two minds opens nothing"


def test_nobody_is_tested_who_knows_the_item_or_sees_everything(cast: Cast, rolf):
    item, by_ann, _ = disputed(cast)
    adjudicating.answer_matter(
        item=item, by=rolf, key=adjudicating.desk_of(item, rolf).sitting.found.matters[0].key, choice="ambiguous",
        request_id=uuid.uuid4(),
    )  # fmt: skip
    review(by_ann, cast.rita, "accept")
    assert ReviewTest.objects.get().kind == "own", "Rolf knows the item, and Ada is an admin"
    other, by_ann, _ = disputed(cast, 1)
    review(by_ann, cast.ada, "accept")
    assert not ReviewTest.objects.filter(item=other).exists(), "an admin's decision is not tested by draw"
    _, by_ann, _ = disputed(cast, 2, rereview_share=0.0)
    review(by_ann, cast.rita, "accept")
    assert ReviewTest.objects.count() == 1


def test_a_reviewer_who_read_the_item_is_not_asked_to_judge_it_again(cast: Cast, rolf):
    item, by_ann, _ = disputed(cast)
    store(cast, item, rolf, OTHER, is_routed=False)
    review(by_ann, cast.rita, "accept")
    test = ReviewTest.objects.get()
    assert (test.item, test.kind, test.reviewer) == (item, "own", cast.rita), "Rolf drew one of the readings"


def test_how_good_the_first_found_the_readings_is_shown_once_the_second_has_judged(cast: Cast, rolf):
    item, by_ann, by_ben = disputed(cast)
    regions(item, cast.rita, said={by_ben.pk: adjudicating.Said(2, "Far off.")})
    assert open_test(rolf, item) is not None
    told = {
        user: {reader.submission: reader.appraisal for reader in story_of(item, user).readers}
        for user in (rolf, cast.rita)
    }
    assert told[rolf] == {by_ann: None, by_ben: None}
    assert told[cast.rita][by_ben].comment == "Far off."
    review(by_ann, rolf, "accept")
    assert appraisals_of(item, rolf)[by_ben.pk].score == 2


def test_what_one_said_of_readings_is_not_before_them_while_they_decide_anew(cast: Cast):
    """Catches an own appraisal that is shown to who is tested on a decision of their own."""
    item, by_ann, by_ben = disputed(cast)
    regions(item, cast.rita, said={by_ben.pk: adjudicating.Said(2, "Far off.")})
    assert by_ben.pk in appraisals_of(item, cast.rita)
    ReviewTest.objects.update(due_from=timezone.now())
    assert appraisals_of(item, cast.rita) == {}
    review(by_ann, cast.rita, "accept")
    assert by_ben.pk in appraisals_of(item, cast.rita)


def gold_item(cast: Cast, seed: int, *drawn, subject: str | None = None):
    item = add_item(cast.project, seed=seed, subject=subject)
    answer = store(
        cast, item, cast.ada, SQUARE, is_gold=False, is_routed=False, read_kind="adjudication", planned_blind=False
    )
    make_gold(item=item, submission=answer, by="test", kind="hidden")
    for user, square in zip((cast.ann, cast.ben), drawn, strict=True):
        store(cast, item, user, square)
    return item


def test_gold_is_placed_where_it_looks_like_what_waits_and_measures_the_reviewer(cast: Cast):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, review_gold_share=0.5)
    alike, apart = gold_item(cast, 0, SQUARE, SQUARE), gold_item(cast, 1, SQUARE, OTHER)
    assert (state(alike), state(apart)) == ("settled", "settled")
    _, by_ann, _ = disputed(cast, 2, rereview_share=0.0, review_gold_share=0.5)
    review(by_ann, cast.rita, "accept")
    worker.run_pending(queues=["cpu"], name="test")
    test = ReviewTest.objects.get()
    assert (test.kind, test.item, test.reviewer) == ("gold", apart, cast.rita)
    (row,) = inbox(cast.rita, cast.project).rows
    assert row.item == apart
    assert "gold" not in row.reason
    assert row.reason == next(
        route for route in [test.reason] if "reviewer" in route
    )  # the policy's own sentence on such readings
    right, wrong = (entry[0] for entry in side_by_side(cast.rita, apart).readings)
    review(wrong, cast.rita, "reject", "No.")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.right_on_gold.value, held.right_on_gold.n) == (1.0, 1)
    assert held.right_on_gold.low < 1.0
    assert (state(apart), rule(apart)) == ("settled", "gold-stands")
    assert testing_reviewers.place_gold(cast.project, cast.rita, turn=7) is None, "each is placed once"
    assert right != wrong


def test_gold_that_a_reviewer_read_or_knows_is_not_placed_among_their_reviews(cast: Cast, rolf):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, review_gold_share=0.5)
    read, seen = (gold_item(cast, seed, SQUARE, OTHER) for seed in range(2))
    store(cast, read, cast.rita, OTHER, is_routed=False)
    keep_sighting(item=seen, by=cast.rita)
    assert [testing_reviewers.place_gold(cast.project, cast.rita, turn=turn) for turn in range(3)] == [None] * 3
    placed = {testing_reviewers.place_gold(cast.project, rolf, turn=turn).item for turn in range(2)}
    assert placed == {read, seen}, "to who does not know them both look like what waits"


def test_one_gold_item_a_patient(cast: Cast):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, review_gold_share=0.5)
    for seed in range(2):
        gold_item(cast, seed, SQUARE, OTHER, subject="one")
    assert testing_reviewers.place_gold(cast.project, cast.rita, turn=1) is not None
    assert testing_reviewers.place_gold(cast.project, cast.rita, turn=2) is None


def test_an_item_that_was_settled_anew_meanwhile_tests_nothing(cast: Cast, rolf):
    item, by_ann, by_ben = disputed(cast)
    review(by_ann, cast.rita, "accept")
    lifecycle.settle(item=item, reason="x", by=cast.ada, submission=by_ben)
    review(by_ben, rolf, "accept")
    result = ReviewTestResult.objects.get()
    assert (result.held, result.reason) == (None, "the item was settled anew meanwhile")
    assert calibration_of(cast.rita, [cast.project]).overturned.n == 0
