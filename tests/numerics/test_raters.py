"""Rater models and sequential tests against published tables and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from labelhub.numerics.rater_models import probability_greater, shrunken_shares
from labelhub.numerics.sequential import SprtPlan, drift, sprt


@pytest.mark.parametrize(
    ("good", "bad", "false_pause", "pause_at", "clear_at", "wrong", "right", "fixed_n"),
    [
        (0.90, 0.75, 0.05, 2.890, -2.251, 0.9163, -0.1823, 49),
        (0.90, 0.75, 0.01, 4.500, -2.293, 0.9163, -0.1823, 70),
        (0.90, 0.70, 0.05, 2.890, -2.251, 1.0986, -0.2513, 30),
        (0.95, 0.80, 0.05, 2.890, -2.251, 1.3863, -0.1719, 34),
    ],
)
def test_bounds_and_steps_of_walds_test(good, bad, false_pause, pause_at, clear_at, wrong, right, fixed_n):
    plan = SprtPlan(good, bad, false_pause, 0.10)
    assert [plan.pause_at, plan.clear_at] == pytest.approx([pause_at, clear_at], abs=1e-3)
    assert [plan.step_wrong, plan.step_right] == pytest.approx([wrong, right], abs=1e-4)
    assert abs(plan.fixed_n - fixed_n) <= 1


@pytest.mark.parametrize(("accuracy", "share_paused", "mean_n"), [(0.90, 0.007, 31), (0.75, 0.906, 45), (0.5, 1.0, 13)])
def test_the_default_gate_errs_as_seldom_as_planned(accuracy, share_paused, mean_n):
    rng = np.random.default_rng(0)
    runs = [sprt(rng.random(140) < accuracy) for _ in range(4000)]
    paused = np.mean([run.verdict == "pause" for run in runs])
    assert paused == pytest.approx(share_paused, abs=0.015)
    assert np.mean([run.n_used for run in runs]) == pytest.approx(mean_n, abs=1.5)
    assert all(run.verdict != "continue" for run in runs)


def test_answers_after_the_verdict_change_nothing():
    answers = [False] * 5 + [True] * 100
    assert (sprt(answers).verdict, sprt(answers).n_used) == ("pause", 5)
    assert sprt([]).verdict == "continue"


def test_a_test_that_will_not_end_is_cut_at_twice_the_fixed_size():
    # Alternating so that the ratio stays between the bounds: one wrong in six.
    run = sprt(([False] + [True] * 5) * 60)
    assert run.is_truncated
    assert run.n_used == 2 * SprtPlan().fixed_n


@pytest.mark.parametrize(("limit", "arl_good", "arl_bad"), [(2.5, 196, 22), (4.0, 1024, 37)])
def test_run_lengths_of_the_drift_watch(limit, arl_good, arl_bad):
    rng = np.random.default_rng(1)
    for accuracy, expected in ((0.90, arl_good), (0.75, arl_bad)):
        lengths = []
        for _ in range(1500):
            alarm = drift(rng.random(expected * 12) < accuracy, limit=limit).alarm_at
            lengths.append(expected * 12 if alarm is None else alarm + 1)
        assert np.mean(lengths) == pytest.approx(expected, rel=0.08)


def test_drift_equals_its_slow_twin():
    rng = np.random.default_rng(2)
    answers = rng.random(200) < 0.8
    plan, total, slow = SprtPlan(), 0.0, []
    for answer in answers:
        total = max(0.0, total + (plan.step_right if answer else plan.step_wrong))
        slow.append(total)
    np.testing.assert_allclose(drift(answers).course, slow, atol=1e-12)


def test_shrinkage_lowers_the_error_of_shares_from_few_units():
    # 40 raters with 5 to 100 gold units: error falls by about a quarter.
    rng = np.random.default_rng(3)
    raw_error, shrunk_error, covered, total = 0.0, 0.0, 0, 0
    for _ in range(60):
        truth, n = rng.beta(16, 4, 40), rng.integers(5, 101, 40)
        right = rng.binomial(n, truth)
        found = shrunken_shares(right, n)
        raw_error += float(((right / n - truth) ** 2).mean())
        shrunk_error += float(((found.mean - truth) ** 2).mean())
        covered += int(((found.low <= truth) & (truth <= found.high)).sum())
        total += 40
    assert math.sqrt(shrunk_error / raw_error) < 0.85
    assert covered / total == pytest.approx(0.95, abs=0.02)


def test_equal_raters_are_pulled_together_and_unequal_ones_are_not():
    same = shrunken_shares([45, 46, 44, 45], [50, 50, 50, 50])
    assert np.ptp(same.mean) < 0.01
    apart = shrunken_shares([95, 50, 10, 80], [100, 100, 100, 100])
    assert np.abs(apart.mean - [0.95, 0.5, 0.1, 0.8]).max() < 0.03


def test_raters_without_gold_get_the_prior_and_few_raters_are_warned_of():
    found = shrunken_shares([9, 8, 7, 0], [10, 10, 10, 0])
    assert found.mean[3] == pytest.approx(found.prior_a / (found.prior_a + found.prior_b))
    few = shrunken_shares([9], [10])
    assert few.warnings
    assert few.estimate(0).n == 10
    assert shrunken_shares([], []).mean.shape == (0,)


@pytest.mark.parametrize("parameters", [(3, 1, 1, 3), (9.5, 1.2, 40, 7), (500, 60, 480, 70), (0.5, 0.5, 2, 2)])
def test_probability_of_being_better_equals_simulation(parameters):
    a1, b1, a2, b2 = parameters
    rng = np.random.default_rng(4)
    drawn = np.mean(stats.beta.rvs(a1, b1, size=200_000, random_state=rng) > rng.beta(a2, b2, 200_000))
    assert probability_greater(a1, b1, a2, b2) == pytest.approx(drawn, abs=0.005)
    assert probability_greater(a1, b1, a2, b2) + probability_greater(a2, b2, a1, b1) == pytest.approx(1, abs=1e-3)


def test_a_rater_is_as_good_as_itself():
    found = shrunken_shares([9, 5, 7], [10, 10, 10])
    assert found.probability_better(0, 0) == 0.5
    assert found.probability_better(0, 1) > 0.5


def test_impossible_plans_and_answers_are_refused():
    with pytest.raises(ValueError, match="bad is"):
        SprtPlan(0.7, 0.9)
    with pytest.raises(ValueError, match="false_pause is 0"):
        SprtPlan(false_pause=0)
    with pytest.raises(ValueError, match="one true or false"):
        sprt([0.5])
    with pytest.raises(ValueError, match="limit is 0"):
        drift([True], limit=0)
    with pytest.raises(ValueError, match="right is"):
        shrunken_shares([3], [2])
    with pytest.raises(ValueError, match="above 0"):
        probability_greater(0, 1, 1, 1)


def test_probability_above_a_target_is_the_posteriors_upper_tail():
    found = shrunken_shares([45, 20, 0], [50, 40, 0])
    above = found.probability_above(0.8)
    for rater, (right, n) in enumerate([(45, 50), (20, 40), (0, 0)]):
        a, b = found.prior_a + right, found.prior_b + n - right
        assert above[rater] == pytest.approx(stats.beta(a, b).sf(0.8), rel=1e-9)
    assert above[0] > above[2] > above[1], "a rater without answers lies where the others are"
    with pytest.raises(ValueError, match=r"target is 1\.2"):
        found.probability_above(1.2)
