"""Quality against quantity: the published accuracies and break-even (A11), bounds, twins, and noise that data do not cure.

Methods, section 7 (logistic regression, 50 dimensions): 1,000 clean labels .8211; 10,000 flipped by .1, .2, .3, .342, .4, .45
give .8320, .8283, .8189, .8098, .7790, .7174; 2,000 and 4,000 clean ones .828 and .832; break-even about .29, to lie in .25 to
.34. The strength of that world is not printed: 3 is ours, and gives all of these within .005 (the last within .014).
**Not reproduced**: 250 clean ones give .787 here, and .778 there.

Planted once and seen to fail: the ratio of information with p in place of q; flips applied twice; accuracy on the given labels
in place of the clean ones; the few learned from spoilt labels too.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from scipy.special import expit

from labelhub.numerics.quality_quantity import (
    break_even,
    break_even_flip_rate,
    information_factor,
    logistic_information_ratio,
)
from labelhub.numerics.spoilt_labels import (
    NOISES,
    Learned,
    World,
    best_accuracy,
    boundary_shift,
    draw_units,
    learn,
    spoilt_labels,
    true_accuracy,
)

RATES = (0.0, 0.1, 0.2, 0.25, 0.3, 0.342, 0.4, 0.45)
PUBLISHED = {0.1: 0.8320, 0.2: 0.8283, 0.3: 0.8189, 0.342: 0.8098, 0.4: 0.7790, 0.45: 0.7174}


@lru_cache(maxsize=1)
def of_flips():
    return break_even("flips", np.random.default_rng(0), rates=RATES, n_seeds=12)


def test_a11_ten_times_as_many_flipped_labels_break_even_between_25_and_34_percent():
    estimate = of_flips().estimate
    assert 0.25 <= estimate.low <= estimate.value <= estimate.high <= 0.34
    assert (estimate.n, estimate.unit, estimate.interval_method) == (12, "seeds", "Student's t over groups")


def test_accuracies_are_the_published_ones():
    found = of_flips()
    assert found.clean.mean() == pytest.approx(0.8211, abs=0.004)
    for rate, accuracy in zip(found.rates, found.accuracy.mean(axis=0), strict=True):
        if rate in PUBLISHED:
            assert accuracy == pytest.approx(PUBLISHED[rate], abs=0.014 if rate > 0.4 else 0.005), rate
    many = learned_from(2000), learned_from(4000)
    assert many == pytest.approx((0.828, 0.832), abs=0.004)


def learned_from(n):
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        units, direction = draw_units(World(), n, rng)
        given = spoilt_labels(units, "flips", 0.0, World(), rng)
        found.append(true_accuracy(learn(units.seen, given), direction, World()))
    return np.mean(found)


def test_the_bound_is_342_thousandths_and_above_what_is_found():
    assert break_even_flip_rate(10.0) == pytest.approx(0.342, abs=5e-4)
    assert break_even_flip_rate(10.0) == pytest.approx((1 - 10**-0.5) / 2)
    assert of_flips().estimate.high < break_even_flip_rate(10.0)
    assert 10 * information_factor(break_even_flip_rate(10.0)) == pytest.approx(1.0)
    assert 7 * information_factor(break_even_flip_rate(7.0, n_classes=5), n_classes=5) == pytest.approx(1.0)
    assert break_even_flip_rate(1.0) == 0.0


@pytest.mark.parametrize("noise", ["confusion", "boundary"])
def test_systematic_errors_break_even_early_and_more_labels_do_not_help(noise):
    found = break_even(noise, np.random.default_rng(0), rates=(0.0, 0.05, 0.1, 0.2, 0.3), n_seeds=4)
    assert found.estimate.high < 0.1
    # Ten times as many again: the accuracy stays where it was.
    more = break_even(noise, np.random.default_rng(0), rates=(0.0, 0.2), n_clean=3000, n_seeds=2)
    assert more.accuracy[:, 1].mean() == pytest.approx(found.accuracy[:, 3].mean(), abs=0.01)
    assert more.accuracy[:, 1].mean() < best_accuracy(World()) - 0.05


def test_no_noise_is_a_null_experiment():
    """Equal counts of clean labels: nothing leads, whichever noise is named."""
    for noise in NOISES:
        found = break_even(
            noise, np.random.default_rng(0), n_clean=300, ratio=1.0, rates=(0.0, 0.4), n_seeds=2, world=World(5)
        )
        assert np.array_equal(found.accuracy[:, 0], found.clean)  # fmt: skip


def test_information_of_a_flipped_label_is_what_its_score_varies_by():
    """The twin: the variance of the derivative of the log-likelihood of the logit, summed over the two answers."""
    for p in (0.02, 0.3, 0.5, 0.9):
        for rate in (0.0, 0.1, 0.4):
            logit = math.log(p / (1 - p))

            def given(value, rate=rate):
                return rate + (1 - 2 * rate) * expit(value)

            step = 1e-5
            slope = (given(logit + step) - given(logit - step)) / (2 * step)
            q = given(logit)
            information = q * (slope / q) ** 2 + (1 - q) * (slope / (1 - q)) ** 2
            assert logistic_information_ratio(p, rate) == pytest.approx(information / (p * (1 - p)), rel=1e-6)
            assert logistic_information_ratio(p, rate) <= information_factor(rate) + 1e-12


def test_newton_finds_what_a_slow_search_finds():
    rng = np.random.default_rng(3)
    seen, given = rng.standard_normal((257, 4)), rng.integers(0, 2, 257).astype(float)

    def cost(values):
        logits = values[0] + seen @ values[1:]
        return np.logaddexp(0, logits).sum() - given @ logits + values[1:] @ values[1:] / 2

    slow = optimize.minimize(cost, np.zeros(5), tol=1e-12).x
    found = learn(seen, given)
    assert [found.intercept, *found.weights] == pytest.approx(slow, abs=1e-4)
    turned = learn(seen[:, ::-1], given)
    assert turned.weights[::-1] == pytest.approx(found.weights)
    flipped = learn(seen, 1 - given)
    assert flipped.weights == pytest.approx(-found.weights)


def test_accuracy_is_that_of_many_new_units():
    world, rng = World(6, 2.0), np.random.default_rng(4)
    units, direction = draw_units(world, 200_000, rng)
    learned = Learned(0.4, rng.standard_normal(6))
    true = units.lot < expit(units.logits)
    share = np.mean(true == (learned.intercept + units.seen @ learned.weights > 0))
    assert true_accuracy(learned, direction, world) == pytest.approx(share, abs=0.004)
    best = integrate.quad(lambda z: stats.norm.pdf(z) * max(expit(2 * z), expit(-2 * z)), -9, 9, points=[0])[0]
    assert best_accuracy(World(3, 2.0)) == pytest.approx(best, abs=1e-5)


def test_every_noise_spoils_the_share_that_it_says():
    units, _ = draw_units(World(4), 100_000, np.random.default_rng(5))
    clean = spoilt_labels(units, "flips", 0.0, World(4), np.random.default_rng(6))
    for noise in NOISES:
        given = spoilt_labels(units, noise, 0.2, World(4), np.random.default_rng(6))
        assert np.mean(given != clean) == pytest.approx(0.2, abs=0.005), noise
    shares = {noise: np.mean(spoilt_labels(units, noise, 0.2, World(4), np.random.default_rng(6))) for noise in NOISES}
    assert shares["confusion"] < 0.31 < shares["flips"] < 0.51 < shares["boundary"]
    assert boundary_shift(3.0, 0.0) == 0.0


def test_labels_all_alike_and_separable_ones_have_an_answer():
    seen = np.random.default_rng(7).standard_normal((30, 2))
    assert math.isfinite(learn(seen, np.ones(30)).intercept)
    apart = learn(seen, (seen[:, 0] > 0).astype(float), ridge=1e-6)
    assert np.isfinite(apart.weights).all()


def test_crossings_that_are_not_there_are_said():
    never = break_even("flips", np.random.default_rng(0), n_clean=20, rates=(0.0, 0.01), n_seeds=2, world=World(3))
    assert never.estimate.reason == "the many are never worse at any rate tried"
    some = break_even("flips", np.random.default_rng(8), n_clean=60, rates=(0.0, 0.2, 0.3), n_seeds=8, world=World(3))
    assert 0 < np.isnan(some.crossings).sum() < 8
    assert "without a crossing" in some.estimate.warnings[0]
    at_once = break_even("boundary", np.random.default_rng(0), n_clean=500, rates=(0.3, 0.4), n_seeds=1, world=World(3))
    assert at_once.crossings.tolist() == [0.3]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: information_factor(0.6), "flip_rate is 0.6"),
        (lambda: information_factor(0.1, n_classes=1), "n_classes is 1"),
        (lambda: break_even_flip_rate(0.5), "ratio is 0.5"),
        (lambda: logistic_information_ratio(1.0, 0.1), "probability is 1.0"),
        (lambda: World(0), "at least one dimension"),
        (lambda: draw_units(World(), 0, np.random.default_rng(0)), "n is 0"),
        (lambda: boundary_shift(3.0, 0.5), "rate is 0.5"),
        (lambda: learn(np.zeros((2, 2)), np.zeros(3)), "one label a unit"),
        (lambda: learn(np.zeros((2, 2)), np.array([0.0, 2.0])), "0 and 1 only"),
        (lambda: true_accuracy(Learned(0.0, np.zeros(2)), np.zeros(3), World()), "must be alike"),
        (lambda: break_even("flips", np.random.default_rng(0), rates=(0.2, 0.1)), "two rising rates"),
    ],
)  # fmt: skip
def test_what_is_no_share_or_count_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
