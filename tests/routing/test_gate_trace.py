"""The course of a gate: test, watch, new test on an alarm; and its error rates over 20,000 played labelers.

Planted and seen to fail: the test restarted for ever in place of the watch (a good labeler is then paused too often), and a
watch whose alarm pauses by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from labelhub.numerics.gate import gate_behaviour, sprt_behaviour
from labelhub.numerics.sequential import SprtPlan
from labelhub.projects.policy import Policy
from labelhub.routing.gate_plan import plan_from, reference_among
from labelhub.routing.gate_trace import GatePlan, plan_of_document, trace_of
from labelhub.scoring.gold_answers import GoldAnswer

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
PLAN = GatePlan(0.90, 0.75, 0.01, 0.10, 4.0)
# Two wrong answers in a row pause, four right ones clear, two wrong ones alarm.
SHORT = GatePlan(0.95, 0.50, 0.05, 0.10, 4.0)
N_PLAYED = 20_000


def answers(pattern: str, *, group: str = "") -> tuple[GoldAnswer, ...]:
    """One answer a character, an hour apart: ``+`` right, ``-`` wrong."""
    return tuple(
        GoldAnswer(n, n, f"i{n}", group, START + timedelta(hours=n), mark == "+") for n, mark in enumerate(pattern)
    )


def course(pattern: str, *, restarts=(), plan=SHORT):
    return trace_of(answers(pattern), lambda _: plan, restarts)


def kinds(trace) -> list[str]:
    return [event.kind for event in trace.events]


def test_nobody_is_judged_without_gold():
    found = course("")
    assert (found.stage, found.events, found.segments) == ("testing", (), ())


def test_a_bad_start_fails_and_later_answers_are_left_out():
    found = course("--+++")
    assert (found.stage, found.n_unused) == ("failed", 3)
    assert [(event.kind, event.test, event.answer) for event in found.events] == [
        ("test-started", 1, 0), ("proposed", 1, 1),
    ]  # fmt: skip


def test_a_good_start_clears_and_a_watch_follows():
    found = course("+++++++")
    assert found.stage == "cleared"
    assert [(part.kind, len(part.heights)) for part in found.segments] == [("test", 4), ("watch", 3)]
    assert found.segments[1].lower is None


def test_an_alarm_of_the_watch_starts_a_new_test_on_new_gold_and_pauses_nobody():
    found = course("++++--")
    assert kinds(found) == ["test-started", "cleared", "drift-alarm", "test-started"]
    assert found.stage == "testing"
    # The two wrong answers that raised the alarm have no part in the new test: one more does not end it.
    assert course("++++---").stage == "testing"
    assert course("++++----").stage == "failed"
    assert course("++++--++++").stage == "cleared"


def test_a_person_s_decision_starts_a_new_test_with_the_next_answer():
    again = START + timedelta(hours=2, minutes=30)
    found = course("--+++++", restarts=[again])
    assert found.stage == "cleared"
    assert found.n_unused == 1
    assert [(event.kind, event.test, event.answer) for event in found.events[2:]] == [
        ("test-started", 2, None), ("cleared", 2, 6),
    ]  # fmt: skip


def test_a_test_keeps_the_plan_it_began_with():
    found = trace_of(answers("++++--"), lambda test: SHORT if test == 1 else PLAN)
    assert found.events[1].kind == "cleared"
    assert trace_of(answers("++++----"), lambda test: SHORT if test == 1 else PLAN).stage == "testing"
    assert plan_of_document(PLAN.to_document()) == PLAN


def test_a_test_without_a_clear_case_ends_at_twice_the_fixed_size():
    pattern = ("+++++-" * 100)[: PLAN.longest]
    found = course(pattern, plan=PLAN)
    assert PLAN.longest == 140
    assert found.events[1].is_truncated
    assert found.events[1].n_used == PLAN.longest


def test_one_test_keeps_its_error_rates_over_20000_labelers():
    """A7 of the methods: false pause at most alpha and miss at most beta, with two standard errors."""
    plan = SprtPlan()
    used = GatePlan(plan.good, plan.bad, plan.false_pause, plan.miss, 4.0)
    rng = np.random.default_rng(20_260_105)
    for accuracy, said, rate in ((plan.good, "pause", plan.false_pause), (plan.bad, "clear", plan.miss)):
        share = played(rng, accuracy, used, said)
        error = (rate * (1 - rate) / N_PLAYED) ** 0.5
        assert share <= rate + 2 * error
        exact = sprt_behaviour(accuracy, plan)
        assert share == pytest.approx(exact.pauses if said == "pause" else exact.clears, abs=4 * error)


def played(rng: np.random.Generator, accuracy: float, plan: GatePlan, said: str) -> float:
    """The share of 20,000 labelers whose first test ends so; the right and wrong answers are those of the course itself."""
    right = rng.random((N_PLAYED, plan.longest)) < accuracy
    given = answers("+" * plan.longest)
    wrong = answers("-" * plan.longest)
    count = 0
    for row in right:
        marked = [good if hit else bad for hit, good, bad in zip(row, given, wrong, strict=True)]
        # Most tests end early: the whole row is played only where the first part does not decide.
        verdict = next(
            verdict
            for length in (30, plan.longest)
            if (verdict := trace_of(marked[:length], lambda _: plan).segments[0].verdict) != "continue"
        )
        count += verdict == said
    return count / N_PLAYED


def test_the_whole_course_pauses_as_often_as_the_gate_that_the_certificate_plays():
    rng = np.random.default_rng(3)
    n, n_gold = 1500, 200
    given, wrong = answers("+" * n_gold), answers("-" * n_gold)
    for accuracy in (0.90, 0.75):
        rows = rng.random((n, n_gold)) < accuracy
        failed = [
            trace_of([a if hit else b for hit, a, b in zip(row, given, wrong, strict=True)], lambda _: PLAN).stage
            == "failed"
            for row in rows
        ]
        certified = gate_behaviour(accuracy, rng, n_raters=20_000).paused.value
        error = (certified * (1 - certified) / n) ** 0.5
        assert np.mean(failed) == pytest.approx(certified, abs=3 * error)


def test_a_labeler_who_decays_is_proposed_as_often_as_one_who_was_always_so():
    """Right on .90 at first and on .60 after 60 gold answers: at least 1 - miss are proposed within the next 140."""
    rng = np.random.default_rng(7)
    given, wrong = answers("+" * 200), answers("-" * 200)
    rate = np.where(np.arange(200) < 60, 0.90, 0.60)
    rows = rng.random((2000, 200)) < rate
    failed = np.mean(
        [
            trace_of([a if hit else b for hit, a, b in zip(row, given, wrong, strict=True)], lambda _: PLAN).stage
            == "failed"
            for row in rows
        ]
    )
    assert failed >= 1 - PLAN.miss


def test_good_is_what_reference_readers_reach_on_the_same_gold():
    policy = Policy(min_gold=20)
    hard = answers("+" * 85 + "-" * 15)
    measured = plan_from(policy, reference_among({7}, {7: hard, 8: answers("+" * 50)}, policy))
    assert (measured.good, measured.poor, measured.source, measured.n_reference) == (
        0.85, 0.75, "reference readers", 100,
    )  # fmt: skip


def test_a_judged_reviewer_is_not_their_own_reference():
    policy = Policy()
    found = reference_among({7}, {7: answers("+" * 100)}, policy, judged_id=7)
    assert "0 gold answers of the 20" in found.unused_because
    assert plan_from(policy, found).source == "policy"


def test_reference_readers_who_fail_the_gold_themselves_make_no_yardstick():
    policy = Policy()
    found = reference_among({7}, {7: answers("+" * 76 + "-" * 24)}, policy)
    assert "look at the gold" in found.unused_because
    assert plan_from(policy, found).good == policy.gate_good
