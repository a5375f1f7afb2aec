"""Skill apart from bias and from difficulty: slow twins, coverage in simulations, and input without an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats

from labelhub.numerics import difficulty
from labelhub.numerics.difficulty import adjusted_accuracy, adjusted_means
from labelhub.numerics.signal_detection import signal_detection


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(0, 40)] * 4))
def test_signal_detection_equals_its_slow_twin(counts):
    hits, misses, alarms, rejections = counts
    found = signal_detection(*counts)
    if not hits + misses or not alarms + rejections:
        assert "the finding" in str(found.criterion.reason)
        return
    h, f = (hits + 0.5) / (hits + misses + 1), (alarms + 0.5) / (alarms + rejections + 1)
    z = stats.norm.ppf
    assert found.sensitivity_index.value == pytest.approx(z(h) - z(f), abs=1e-9)
    assert found.criterion.value == pytest.approx(-(z(h) + z(f)) / 2, abs=1e-9)
    assert found.criterion.standard_error == pytest.approx(found.sensitivity_index.standard_error / 2)


def test_intervals_of_signal_detection_cover():
    rng = np.random.default_rng(1)
    skill, bias = 1.8, -0.4
    covered = {"d": 0, "c": 0}
    for _ in range(400):
        hits = rng.binomial(60, stats.norm.cdf(skill / 2 - bias))
        alarms = rng.binomial(80, stats.norm.cdf(-skill / 2 - bias))
        found = signal_detection(hits, 60 - hits, alarms, 80 - alarms)
        covered["d"] += found.sensitivity_index.low <= skill <= found.sensitivity_index.high
        covered["c"] += found.criterion.low <= bias <= found.criterion.high
    assert 368 <= covered["d"] <= 396
    assert 368 <= covered["c"] <= 396


def test_shares_of_signal_detection_are_not_corrected():
    found = signal_detection(10, 0, 0, 10)
    assert (found.sensitivity.value, found.specificity.value) == (1, 1)
    assert math.isfinite(found.sensitivity_index.high)
    with pytest.raises(ValueError, match="each must be at least 0"):
        signal_detection(-1, 0, 0, 0)


def answers(rng: np.random.Generator, confounding: float) -> tuple[np.ndarray, np.ndarray]:
    skill, hard, slope = rng.normal(0, 1, 12), rng.normal(0, 1, 150), np.exp(rng.normal(0, 0.3, 150))
    p = 1 / (1 + np.exp(-slope[:, None] * (skill - hard[:, None])))
    right = (rng.random(p.shape) < p).astype(float)
    shift = confounding * np.sign(hard)[:, None]
    right[rng.random(p.shape) >= np.where(np.arange(12) < 6, 0.5 - shift, 0.5 + shift)] = np.nan
    return right, p.mean(axis=0)


def test_accuracy_on_the_average_unit_is_covered_where_units_are_given_out_at_random():
    rng = np.random.default_rng(2)
    covered = total = 0
    confounded = 0
    for _ in range(12):
        right, true = answers(rng, 0.0)
        found = adjusted_accuracy(right)
        covered += sum(e.low <= t <= e.high for e, t in zip(found.adjusted, true, strict=True))
        total += 12
        confounded += found.assignment_p < 0.05
    assert covered / total > 0.9
    assert confounded <= 3


def test_adjusting_for_difficulty_brings_scores_nearer_to_the_truth_where_units_were_not_equally_hard():
    rng = np.random.default_rng(3)
    errors: dict[str, list[float]] = {"raw": [], "adjusted": []}
    for _ in range(12):
        right, true = answers(rng, 0.25)
        found = adjusted_accuracy(right)
        errors["raw"].extend(e.value - t for e, t in zip(found.raw, true, strict=True))
        errors["adjusted"].extend(e.value - t for e, t in zip(found.adjusted, true, strict=True))
        assert found.assignment_p < 0.05
        assert "equally hard" in found.warnings[-1]
    assert np.std(errors["adjusted"]) < 0.85 * np.std(errors["raw"])


def test_the_logistic_fit_is_the_best_there_is():
    rng = np.random.default_rng(4)
    right = (rng.random((6, 4)) < 0.6).astype(float)
    right[0, 0] = np.nan
    known = ~np.isnan(right)

    def loss(parameters: np.ndarray) -> float:
        theta, b, log_a = np.split(parameters, [4, 10])
        p = 1 / (1 + np.exp(-np.exp(log_a)[:, None] * (theta - b[:, None])))
        fit = -np.where(right == 1, np.log(p), np.log(1 - p))[known].sum()
        return float(fit + (theta @ theta + b @ b + log_a @ log_a / 0.09) / 2)

    best = optimize.minimize(loss, np.zeros(16), method="BFGS").x
    found = adjusted_accuracy(right)
    np.testing.assert_allclose(found.skill, best[:4], atol=2e-3)
    np.testing.assert_allclose(found.difficulty, best[4:10], atol=2e-3)


def test_errors_of_shares_are_those_of_the_whole_information_matrix():
    rng = np.random.default_rng(5)
    known = rng.random((5, 3)) < 0.8
    theta, b, a = rng.normal(size=3), rng.normal(size=5), np.exp(rng.normal(0, 0.3, 5))
    p = 1 / (1 + np.exp(-a[:, None] * (theta - b[:, None])))
    information = np.diag(np.r_[np.ones(8), np.full(5, 1 / 0.09)])
    gradients = np.zeros((3, 13))
    used = known.any(axis=1)
    for i in range(5):
        for w in range(3):
            slope = np.zeros(13)
            slope[w], slope[3 + i], slope[8 + i] = a[i], -a[i], a[i] * (theta[w] - b[i])
            if known[i, w]:
                information += p[i, w] * (1 - p[i, w]) * np.outer(slope, slope)
            gradients[w] += used[i] * p[i, w] * (1 - p[i, w]) * slope / used.sum()
    expected = np.sqrt(np.einsum("wi,ij,wj->w", gradients, np.linalg.inv(information), gradients))
    np.testing.assert_allclose(difficulty._share_errors(known, theta, b, a), expected, rtol=1e-9)


def test_few_answers_none_and_impossible_ones():
    right = np.array([[1, 0, np.nan], [1, 1, np.nan], [np.nan, np.nan, np.nan]])
    found = adjusted_accuracy(right)
    assert "2 units have fewer than 3 answers" in found.warnings[0]
    assert math.isnan(found.difficulty[2])
    assert found.raw[2].reason == "no gold items"
    assert found.adjusted[2].warnings == ("no gold items: the average of all raters is shown",)
    with pytest.raises(ValueError, match="allowed are 0, 1 and NaN"):
        adjusted_accuracy([[0.5]])
    nobody = adjusted_accuracy(np.full((2, 2), np.nan))
    assert math.isnan(nobody.adjusted[0].value)


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (5, 3), elements=st.integers(0, 9).map(float)), st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_the_restricted_likelihood_is_that_of_the_full_covariance(scores, log_ratios):
    if np.ptp(scores) == 0:
        return
    known = np.ones((5, 3), dtype=bool)
    known[0, 0] = False
    at, fixed = np.array(log_ratios), np.array([0.3, -0.2])

    def direct(ratios: np.ndarray) -> float:
        rows, columns = np.nonzero(known)
        y = scores[rows, columns]
        v = np.eye(len(y)) + np.equal.outer(columns, columns) / math.exp(ratios[0])
        v = v + np.equal.outer(rows, rows) / math.exp(ratios[1])
        inverse = np.linalg.inv(v)
        one = np.ones(len(y))
        precision = one @ inverse @ one
        rest = y - (one @ inverse @ y) / precision
        quadratic = rest @ inverse @ rest
        n = len(y)
        return float((n - 1) * math.log(quadratic / (n - 1)) + np.linalg.slogdet(v)[1] + math.log(precision))

    def ours(ratios: np.ndarray) -> float:
        return difficulty._solve(np.where(known, scores, 0.0), known, ratios)[0]

    if np.ptp(scores[known]) > 0:
        assert ours(at) - ours(fixed) == pytest.approx(direct(at) - direct(fixed), abs=1e-6)


def test_adjusted_means_cover_the_true_ones_and_come_nearer_than_raw_ones():
    rng = np.random.default_rng(6)
    covered = total = 0
    errors: dict[str, list[float]] = {"raw": [], "adjusted": []}
    for _ in range(25):
        skill, hard = rng.normal(0, 0.05, 8), rng.normal(0, 0.1, 60)
        dice = 0.8 + skill - hard[:, None] + rng.normal(0, 0.04, (60, 8))
        shift = 0.4 * np.sign(hard)[:, None]
        dice[rng.random(dice.shape) >= np.where(np.arange(8) < 4, 0.5 - shift, 0.5 + shift)] = np.nan
        found = adjusted_means(dice)
        for raw, adjusted, true in zip(found.raw, found.adjusted, 0.8 + skill, strict=True):
            covered += adjusted.low <= true <= adjusted.high
            total += 1
            errors["raw"].append(raw.value - true)
            errors["adjusted"].append(adjusted.value - true)
        assert found.assignment_p < 0.05
    assert 0.9 <= covered / total <= 0.99
    assert np.std(errors["adjusted"]) < 0.5 * np.std(errors["raw"])


def test_spread_of_raters_units_and_noise_is_found():
    rng = np.random.default_rng(7)
    scores = rng.normal(0, 2, 40) + rng.normal(0, 3, (200, 1)) + rng.normal(0, 1, (200, 40))
    assert adjusted_means(scores).spread == pytest.approx((2, 3, 1), rel=0.3)


def test_means_that_cannot_be_adjusted_say_why():
    apart = adjusted_means([[1.0, np.nan], [np.nan, 2.0]])
    assert "cannot be told apart" in str(apart.adjusted[0].reason)
    same = adjusted_means(np.ones((3, 2)))
    assert same.adjusted[1].reason == "nothing varies"
