"""Which test a project's gold can carry, what an answer then counts as, and that the certificate is of the test that runs.

Looked for: the judged labeler among those whose outlines say what full credit is; a reference reader measured by their own
pairs; every answer counted as right or wrong whatever the plan says; a certificate that plays right and wrong for partial
credit. Planted once and seen to fail: difficulties that the judged labeler's own answers helped to tell.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.special import expit

from labelhub.projects.policy import Policy, PolicyProblem, read_policy
from labelhub.routing.gate_certificate import Supply, certify, lowered
from labelhub.routing.gate_plan import choose_plan
from labelhub.routing.gate_trace import GatePlan, plan_of_document, trace_of
from labelhub.scoring.gold_answers import GoldAnswer

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SUPPLY = Supply(n_items=300, n_units=300, n_labelers=5, max_exposures=15)
READERS = (1, 2, 3, 4)


def answer(item: int, *, is_right: bool = True, dice: float | None = None, **rest) -> GoldAnswer:
    return GoldAnswer(1000 + item, item, f"I{item}", "", START + timedelta(minutes=item), is_right, dice=dice, **rest)


def outlines(*, readers=READERS, n_items: int = 12, seed: int = 0):
    """Reference readers' gold answers and pairs: on each item they reach .85 with each other, and with gold about that."""
    rng = np.random.default_rng(seed)
    answers = {
        reader: tuple(answer(item, dice=float(np.clip(rng.normal(0.8, 0.05), 0, 1))) for item in range(n_items))
        for reader in readers
    }
    pairs = {
        item: tuple((a, b, 0.85) for a in readers for b in readers if a < b) for item in range(n_items)
    }  # fmt: skip
    return answers, pairs


def classes(*, n_items: int = 60, n_labelers: int = 8, seed: int = 1):
    """Labelers of one skill on items half of which are hard: answers by labeler, and the items' true chances."""
    rng = np.random.default_rng(seed)
    chance = expit(np.where(np.arange(n_items) % 2, 3.0, 0.3))
    return {
        labeler: tuple(answer(item, is_right=bool(rng.random() < chance[item])) for item in range(n_items))
        for labeler in range(1, n_labelers + 1)
    }


def test_outlines_that_three_reference_readers_drew_are_tested_by_partial_credit():
    answers, pairs = outlines()
    found = choose_plan(Policy(), answers, READERS, pairs)
    plan = found.plan
    assert (plan.kind, plan.n_reference, plan.usual) == ("credit", 48, 0.85)
    assert len(found.earned) == 48
    assert plan.good == pytest.approx(np.mean(found.earned), abs=1e-4)
    assert plan.poor == pytest.approx(plan.good - 0.15, abs=1e-4)
    assert plan.spread == pytest.approx(np.std(found.earned, ddof=1), abs=1e-4)
    assert "4 reference readers drew 48 gold outlines" in plan.why


def test_who_is_judged_says_nothing_of_what_full_credit_is():
    """Reader 1's pairs reach .99; once reader 1 is judged, full credit is what the others reach."""
    answers, pairs = outlines()
    high = {item: tuple((a, b, 0.99 if a == 1 else 0.85) for a, b, _ in rows) for item, rows in pairs.items()}
    assert choose_plan(Policy(), answers, READERS, high).plan.usual > 0.9
    judged = choose_plan(Policy(), answers, READERS, high, judged_id=1).plan
    assert (judged.usual, judged.n_reference) == (0.85, 36)
    # Reader 2 is measured by 3 and 4 and by 1, never by a pair of their own: (1,3), (1,4) and (3,4) have a median of .99.
    only = {item: tuple(row for row in rows if 2 not in row[:2] or row[2] > 1) for item, rows in high.items()}
    with_pairs_of_two = choose_plan(Policy(), {2: answers[2] * 3}, READERS, high)
    without = choose_plan(Policy(), {2: answers[2] * 3}, READERS, only)
    assert with_pairs_of_two.earned == without.earned


@pytest.mark.parametrize(
    ("readers", "policy", "said"),
    [
        ((1, 2), Policy(), "and there are 0"),
        (READERS, Policy(min_gold=60), "partial credit needs 60 gold outlines"),
        (READERS, Policy(gate_test="right-wrong"), "the policy says so"),
    ],
)
def test_where_reference_readers_are_too_few_answers_are_right_or_wrong_and_it_says_why(readers, policy, said):
    answers, pairs = outlines(readers=readers)
    plan = choose_plan(policy, answers, readers, pairs).plan
    assert plan.kind == "right-wrong"
    assert said in plan.why


def test_gold_that_asks_questions_beside_outlines_has_no_credit():
    answers, pairs = outlines()
    asked = {key: tuple(replace(entry, asks=True) for entry in own) for key, own in answers.items()}
    plan = choose_plan(Policy(), asked, READERS, pairs).plan
    assert plan.kind == "right-wrong"
    assert "questions beside outlines" in plan.why


def test_credit_pauses_whose_outlines_are_all_right_but_poor():
    answers, pairs = outlines()
    plan = choose_plan(Policy(), answers, READERS, pairs).plan
    poor = [answer(item, dice=0.66) for item in range(12)]
    found = trace_of(poor, lambda test: plan)
    assert found.stage == "failed"
    assert found.last.marks[0] is False
    assert found.last.words[0] == "credit 0.05"
    assert trace_of(poor, lambda test: GatePlan(0.9, 0.75, 0.01, 0.1, 4.0)).stage == "testing"
    full = [answer(item, dice=0.9) for item in range(60)]
    assert trace_of(full, lambda test: plan).stage == "cleared"


def test_an_answer_without_an_area_has_full_credit_or_none():
    answers, pairs = outlines()
    plan = choose_plan(Policy(), answers, READERS, pairs).plan
    counted = plan.counted([answer(1, is_right=True), answer(2, is_right=False)])
    assert counted.words == ("credit 1.00", "credit 0.00")


def test_classes_are_tested_by_the_difficulty_of_each_item():
    """A miss on an item that a good labeler often misses says less than one on an easy item."""
    answers = classes()
    plan = choose_plan(Policy(), answers, (), {}, judged_id=1).plan
    assert plan.kind == "difficulty"
    assert "7 other labelers" in plan.why
    good, poor = np.array([a for _, a, _ in plan.items]), np.array([b for _, _, b in plan.items])
    assert len(plan.items) == 60
    assert good.mean() == pytest.approx(0.9, abs=0.01)
    assert poor.mean() == pytest.approx(0.75, abs=0.015)
    assert good[1::2].mean() > good[::2].mean() + 0.05
    hard, easy = int(np.argmin(good)), int(np.argmax(good))
    steps = plan.counted([answer(hard, is_right=False), answer(easy, is_right=False)]).steps
    assert 0 < steps[0] < steps[1]
    unknown = plan.counted([answer(999, is_right=False)]).steps[0]
    assert unknown == pytest.approx(np.log(0.25 / 0.1))


def test_difficulty_is_told_by_others_alone():
    """Labeler 1 misses everything: with their own answers in it, every item would look harder than it is for others."""
    answers = classes()
    failing = answers | {1: tuple(replace(entry, is_right=False) for entry in answers[1])}
    same = choose_plan(Policy(), answers, (), {}, judged_id=1).plan
    assert choose_plan(Policy(), failing, (), {}, judged_id=1).plan == same


def test_classes_with_too_few_answers_are_right_or_wrong_and_it_says_why():
    few = classes(n_labelers=3)
    plan = choose_plan(Policy(), few, (), {}, judged_id=1).plan
    assert plan.kind == "right-wrong"
    assert "the difficulty of 0 gold items can be told" in plan.why


def test_by_surface_an_outline_is_right_from_080_on():
    given = [answer(1, is_right=True, dice=0.9, surface=0.79), answer(2, is_right=False, dice=0.7, surface=0.8)]
    plan = choose_plan(Policy(gate_test="surface"), {1: tuple(given)}, (1,), {}).plan
    assert plan.kind == "surface"
    counted = plan.counted(given)
    assert counted.marks == (False, True)
    assert counted.words == ("surface Dice 0.79", "surface Dice 0.80")


def test_a_plan_survives_its_document_and_an_older_one_is_right_or_wrong():
    answers, pairs = outlines()
    plan = choose_plan(Policy(), answers, READERS, pairs).plan
    assert plan_of_document(plan.to_document()) == plan
    older = {
        "good": 0.9,
        "poor": 0.75,
        "false_pause": 0.01,
        "miss": 0.1,
        "drift_limit": 4.0,
        "source": "policy",
        "n_reference": 0,
    }
    assert plan_of_document(older).kind == "right-wrong"
    with pytest.raises(PolicyProblem, match="gate_test"):
        read_policy({"gate_test": "guess"})


def share_paused(plan: GatePlan, draw, n_gold: int, n: int = 400) -> float:
    """The share of labelers whom the course itself pauses, answer by answer, as it runs in a project."""
    rng = np.random.default_rng(5)
    stages = [trace_of([draw(rng, place) for place in range(n_gold)], lambda test: plan).stage for _ in range(n)]
    return stages.count("failed") / n


@pytest.mark.parametrize("role", ["good", "between", "poor"])
def test_the_certificate_of_partial_credit_is_of_the_course_that_runs(role):
    answers, pairs = outlines(n_items=30)
    planned = choose_plan(Policy(), answers, READERS, pairs)
    found = certify(Policy(), planned.reference, replace(SUPPLY, n_units=60), planned).of(role)
    assert (found.one.n_played, found.planned.n) == (5000, 5000)
    pool = lowered(np.array(planned.earned), found.accuracy)
    assert pool.mean() == pytest.approx(found.accuracy, abs=1e-6)

    def draw(rng, place):
        return answer(10_000 + place, dice=planned.plan.usual - 0.2 + 0.2 * float(rng.choice(pool)))

    seen = share_paused(planned.plan, draw, 60)
    assert seen == pytest.approx(found.planned.value, abs=3 * np.sqrt(0.25 / 400) if 0.1 < seen < 0.9 else 0.035)


@pytest.mark.parametrize("role", ["good", "poor"])
def test_the_certificate_of_difficulty_is_of_the_course_that_runs(role):
    planned = choose_plan(Policy(), classes(), (), {}, judged_id=1)
    found = certify(Policy(), planned.reference, replace(SUPPLY, n_units=60), planned).of(role)
    table = [(item, good if role == "good" else poor) for item, good, poor in planned.plan.items]

    def draw(rng, place):
        item, chance = table[int(rng.integers(len(table)))]
        return replace(answer(item, is_right=bool(rng.random() < chance)), at=START + timedelta(minutes=place))

    seen = share_paused(planned.plan, draw, 60)
    assert seen == pytest.approx(found.planned.value, abs=3 * np.sqrt(0.25 / 400) if 0.1 < seen < 0.9 else 0.035)


def test_one_graded_test_keeps_its_promised_errors_about():
    """Wald's bounds promise .01 and .10; credits are no normal numbers, so the certificate says what is really reached."""
    answers, pairs = outlines(n_items=40)
    planned = choose_plan(Policy(), answers, READERS, pairs)
    found = certify(Policy(), planned.reference, SUPPLY, planned)
    assert found.is_certified
    assert not found.is_counted
    assert found.of("good").one.pauses < 0.03
    assert found.of("poor").one.clears < 0.15
    assert (
        found.plan.longest
        == 56
        < certify(Policy(), replace(planned.reference, unused_because="x"), SUPPLY).plan.longest
    )
