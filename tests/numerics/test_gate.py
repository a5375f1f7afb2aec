"""Gates and watches: exact error rates, the whole gate played through, run lengths of charts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelhub.numerics.control_charts import drift_run_length, ewma, ewma_run_length
from labelhub.numerics.gate import (
    Bounds,
    gate_behaviour,
    naive_rule_pauses,
    played_gate,
    sprt_behaviour,
    work_until_decision,
)
from labelhub.numerics.graded_sprt import ErrorRates, mask_credit, sprt_by_difficulty, sprt_of_scores
from labelhub.numerics.sequential import SprtPlan, drift, sprt


@pytest.mark.parametrize(
    ("plan", "false_pause", "caught", "mean_good", "mean_bad", "mean_half"),
    [
        (SprtPlan(0.90, 0.75, 0.05, 0.10), 0.040, 0.908, 29.5, 29.6, 8.9),
        (SprtPlan(0.90, 0.75, 0.01, 0.10), 0.007, 0.906, 31, 45, 13),
        (SprtPlan(0.90, 0.70, 0.05, 0.10), 0.035, 0.914, 18.5, 18.3, 8.0),
        (SprtPlan(0.95, 0.80, 0.05, 0.10), 0.033, 0.913, 23.6, 20.9, 6.1),
    ],
)
def test_exact_error_rates_are_as_planned_and_as_simulated_before(
    plan, false_pause, caught, mean_good, mean_bad, mean_half
):
    good, bad, half = (sprt_behaviour(accuracy, plan) for accuracy in (plan.good, plan.bad, 0.5))
    assert good.pauses <= plan.false_pause
    assert 1 - bad.pauses <= plan.miss
    assert good.pauses == pytest.approx(false_pause, abs=0.003)
    assert bad.pauses == pytest.approx(caught, abs=0.015)
    assert [good.mean_n, bad.mean_n, half.mean_n] == pytest.approx([mean_good, mean_bad, mean_half], rel=0.05)
    for found in (good, bad, half):
        assert found.pauses + found.clears == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "plan",
    [SprtPlan(), SprtPlan(0.9, 0.75, 0.05, 0.1), SprtPlan(0.9, 0.7, 0.05, 0.1), SprtPlan(0.95, 0.8, 0.05, 0.1)],
    ids=lambda plan: f"{plan.good}/{plan.bad} {plan.false_pause}",
)
def test_twenty_thousand_played_tests_keep_the_errors_and_equal_the_exact_rates(plan):
    rng = np.random.default_rng(0)
    n = 20_000
    shares = {}
    for accuracy in (plan.good, (plan.good + plan.bad) / 2, plan.bad):
        steps = np.where(rng.random((n, 2 * plan.fixed_n)) < accuracy, plan.step_right, plan.step_wrong)
        course = np.cumsum(steps, axis=1)
        is_end = (course >= plan.pause_at) | (course <= plan.clear_at)
        end = np.where(is_end.any(axis=1), is_end.argmax(axis=1), course.shape[1] - 1)
        last = course[np.arange(n), end]
        paused = np.where(is_end.any(axis=1), last > 0, last > (plan.pause_at + plan.clear_at) / 2).mean()
        exact = sprt_behaviour(accuracy, plan)
        assert exact.pauses == pytest.approx(paused, abs=0.01)
        assert exact.mean_n == pytest.approx((end + 1).mean(), rel=0.02)
        shares[accuracy] = paused
    assert shares[plan.good] <= plan.false_pause + 2 * math.sqrt(plan.false_pause / n)
    assert 1 - shares[plan.bad] <= plan.miss + 2 * math.sqrt(plan.miss / n)


def test_certain_raters_are_decided_certainly():
    assert sprt_behaviour(1.0).clears == 1.0
    assert sprt_behaviour(0.0).pauses == 1.0
    assert sprt_behaviour(0.0).median_n == 5


def test_the_whole_gate_seldom_pauses_the_good_and_soon_the_bad():
    rng = np.random.default_rng(1)
    shares = [gate_behaviour(accuracy, rng, n_raters=1500).paused.value for accuracy in (0.90, 0.85, 0.80, 0.75)]
    assert shares[0] < 0.03
    assert shares[3] > 0.97
    assert shares == sorted(shares)
    watched = gate_behaviour(0.90, rng, n_raters=1500)
    # Pausing at every alarm of the watch would pause about one in seven.
    assert 0.10 < watched.alarms < 0.20
    assert watched.tests == pytest.approx(1 + watched.alarms)
    assert math.isnan(gate_behaviour(1.0, rng, n_raters=10).mean_gold_until_pause)


def test_the_played_gate_equals_the_services_rater_by_rater():
    plan, n_gold = SprtPlan(), 150
    draws = np.random.default_rng(5).random((n_gold, 60))
    slow = []
    for rater in range(60):
        answers, start, paused = draws[:, rater] < 0.8, 0, False
        while start < n_gold:
            run = sprt(answers[start:], plan)
            start += run.n_used
            if run.verdict != "clear":
                paused = run.verdict == "pause"
                break
            alarm = drift(answers[start:]).alarm_at
            if alarm is None:
                break
            start += alarm + 1
        slow.append(paused)

    class Replay(np.random.Generator):
        def __init__(self):
            super().__init__(np.random.PCG64(0))
            self.rows = iter(draws)

        def random(self, n):  # type: ignore[override]
            return next(self.rows)

    def draw(rng, n):
        return np.where(rng.random(n) < 0.8, plan.step_right, plan.step_wrong)

    bounds = Bounds(plan.pause_at, plan.clear_at, 2 * plan.fixed_n)
    assert 0 < np.mean(slow) < 1
    assert gate_behaviour(0.8, Replay(), n_gold=n_gold, n_raters=60).paused.value == pytest.approx(np.mean(slow))
    assert played_gate(draw, bounds, Replay(), n_gold=n_gold, n_raters=60).value == pytest.approx(np.mean(slow))


@pytest.mark.parametrize(
    ("accuracy", "last", "below", "share"),
    [
        (0.90, 10, 0.8, 0.938),
        (0.90, 10, 0.7, 0.49),
        (0.90, 20, 0.8, 0.66),
        (0.95, 10, 0.8, 0.41),
        (0.95, 10, 0.7, 0.06),
    ],
)
def test_naive_rules_pause_the_good_in_the_end(accuracy, last, below, share):
    found = naive_rule_pauses(accuracy, np.random.default_rng(2), last=last, below=below)
    assert found.value == pytest.approx(share, abs=0.02)


def test_impossible_gates_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="accuracy is 2"):
        sprt_behaviour(2)
    with pytest.raises(ValueError, match="n_gold is 0"):
        gate_behaviour(0.5, rng, n_gold=0)
    with pytest.raises(ValueError, match="last is 0"):
        naive_rule_pauses(0.5, rng, last=0)


def test_equal_difficulty_gives_the_plain_test():
    rng = np.random.default_rng(3)
    for accuracy in (0.5, 0.8, 0.95):
        answers = rng.random(400) < accuracy
        plain = sprt(answers)
        graded = sprt_by_difficulty(answers, np.full(400, 0.9), np.full(400, 0.75))
        assert (graded.verdict, graded.n_used) == (plain.verdict, plain.n_used)


def test_a_rater_of_hard_units_is_not_paused_for_their_difficulty():
    rng = np.random.default_rng(4)
    good = np.where(rng.random((2000, 300)) < 0.5, 0.97, 0.70)
    bad = good - 0.15
    right = rng.random(good.shape) < good
    graded = [sprt_by_difficulty(*rows) for rows in zip(right, good, bad, strict=True)]
    assert np.mean([run.verdict == "pause" for run in graded]) <= 0.015
    plain = [sprt(row, SprtPlan(0.90, 0.75)) for row in right]
    assert np.mean([run.verdict == "pause" for run in plain]) > 0.05


def test_scores_are_tested_within_the_errors_asked_for():
    rng = np.random.default_rng(5)
    paused = {
        mean: np.mean(
            [
                sprt_of_scores(rng.normal(mean, 0.2, 80), good=0.9, bad=0.7, spread=0.2).verdict == "pause"
                for _ in range(3000)
            ]
        )
        for mean in (0.9, 0.7)
    }
    assert paused[0.9] <= 0.01 + 2 * math.sqrt(0.01 * 0.99 / 3000)
    assert paused[0.7] >= 0.90 - 2 * math.sqrt(0.09 / 3000)


def test_graded_tests_are_cut_at_twice_the_fixed_size():
    run = sprt_of_scores(np.full(200, 0.8), good=0.9, bad=0.7, spread=0.2)
    assert run.is_truncated
    assert run.n_used == 2 * run.fixed_n
    assert run.verdict == "clear"
    assert sprt_by_difficulty([], [], []).verdict == "continue"
    assert math.isnan(sprt_by_difficulty([], [], []).fixed_n)


def test_impossible_graded_tests_are_refused():
    with pytest.raises(ValueError, match="two chances"):
        sprt_by_difficulty([1], [0.9], [])
    with pytest.raises(ValueError, match="chance_if_bad"):
        sprt_by_difficulty([1], [0.7], [0.9])
    with pytest.raises(ValueError, match="one finite number"):
        sprt_of_scores([math.nan], good=1, bad=0, spread=1)
    with pytest.raises(ValueError, match="bad < good"):
        sprt_of_scores([0.5], good=0, bad=1, spread=1)
    with pytest.raises(ValueError, match="miss 0"):
        ErrorRates(miss=0.5)
    with pytest.raises(ValueError, match="dice has shape"):
        mask_credit([0.5], [])


def test_credit_is_measured_by_what_readers_reach_and_unknown_stays_unknown():
    found = mask_credit([0.8, 0.7, math.nan, 0.9], [[0.9], [0.9, math.nan], [0.9], []])
    np.testing.assert_allclose(found, [0.5, 0.0, math.nan, math.nan], atol=1e-12)


@pytest.mark.parametrize(
    ("weight", "width", "lengths"),
    [
        (0.05, 2.615, (490, 28.6, 11.5, 5.2)),
        (0.10, 2.814, (503, 31.8, 10.3, 4.4)),
        (0.20, 2.962, (497, 42.4, 10.5, 3.7)),
        (0.40, 3.054, (506, 69.8, 14.1, 3.5)),
    ],
)
def test_run_lengths_of_the_weighted_mean(weight, width, lengths):
    found = [ewma_run_length(shift, weight=weight, width=width) for shift in (0, 0.5, 1, 2)]
    assert found == pytest.approx(lengths, rel=0.05)


def test_the_charts_own_alarms_have_that_run_length():
    rng = np.random.default_rng(6)
    alarms = [ewma(rng.normal(1, 1, 200), mean=0, spread=1).alarm_at for _ in range(2000)]
    assert np.mean([alarm + 1 for alarm in alarms]) == pytest.approx(ewma_run_length(1.0), rel=0.04)


def test_the_weighted_mean_equals_its_slow_twin():
    values, z, slow = np.random.default_rng(7).normal(3, 2, 50), 0.0, []
    for value in values:
        z = 0.2 * (value - 3) / 2 + 0.8 * z
        slow.append(z)
    np.testing.assert_allclose(ewma(values, mean=3, spread=2, weight=0.2).course, slow, atol=1e-12)


@pytest.mark.parametrize(
    ("limit", "good", "bad"), [(2.5, 196, 22), (3, 376, 27), (3.5, 656, 32), (4, 1024, 37), (4.5, 1832, 43)]
)
def test_run_lengths_of_the_cusum(limit, good, bad):
    assert drift_run_length(0.90, limit=limit) == pytest.approx(good, rel=0.05)
    assert drift_run_length(0.75, limit=limit) == pytest.approx(bad, rel=0.05)


def test_charts_refuse_what_they_cannot_watch_and_warn_of_a_short_baseline():
    assert drift_run_length(1.0) == math.inf
    assert "30 points" in ewma([0.0], mean=0, spread=1, n_baseline=30).warnings[0]
    assert ewma([0.0], mean=0, spread=1, n_baseline=100).warnings == ()
    assert ewma([], mean=0, spread=1).alarm_at is None
    for call in (
        lambda: ewma([math.nan], mean=0, spread=1),
        lambda: ewma([0.0], mean=0, spread=0),
        lambda: ewma_run_length(0, weight=0),
        lambda: drift_run_length(0.9, limit=0),
    ):
        with pytest.raises(ValueError, match="above 0"):
            call()


def test_tasks_until_a_decision_are_the_gold_and_what_comes_between():
    """Without an exam and with only gold a task is a gold item; a share of a fifth takes about five times as many."""
    rng = np.random.default_rng(3)
    only_gold = work_until_decision(0.75, rng, share=1.0)
    assert abs(only_gold.tasks_median - only_gold.gold_median) <= 1
    fifth = work_until_decision(0.75, rng, share=0.2)
    assert fifth.gold_median == only_gold.gold_median == sprt_behaviour(0.75).median_n
    assert fifth.tasks_median == pytest.approx(5 * fifth.gold_median, rel=0.1)
    with_exam = work_until_decision(0.75, rng, exam=20, share=0.2)
    assert with_exam.tasks_median < fifth.tasks_median - 60


@pytest.mark.parametrize("given", [{"exam": -1}, {"share": 0.0}, {"share": 1.5}])
def test_work_of_no_share_is_refused(given):
    with pytest.raises(ValueError, match="at least 0, and above 0 up to 1"):
        work_until_decision(0.75, np.random.default_rng(0), **given)
