"""Proportions and bootstrap intervals: coverage, groups, degenerate resamples, planning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labelhub.numerics.agreement import brennan_prediger, fleiss_kappa, gwet_ac, raw_agreement
from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bands import benchmark
from labelhub.numerics.bland_altman import limits_of_agreement
from labelhub.numerics.bootstrap import (
    Resampling,
    bootstrap_interval,
    group_sums,
    mean_estimate,
    ratio_estimate,
    weighted_bootstrap_interval,
)
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.conger import conger_kappa
from labelhub.numerics.p_values import wald_p_value
from labelhub.numerics.proportions import proportion, proportion_interval, units_for_estimate, units_for_proportion
from labelhub.numerics.repeatability import repeatability


def ratio(totals):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(totals[:, 1] > 0, totals[:, 0] / totals[:, 1], np.nan)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.data())
def test_wilson_and_exact_equal_scipy(n, data):
    successes = data.draw(st.integers(0, n))
    for kind in ("wilson", "exact"):
        ours = proportion_interval(successes, n, kind=kind)
        theirs = stats.binomtest(successes, n).proportion_ci(method=kind)
        assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.data())
def test_an_interval_holds_its_share_and_mirrors(n, data):
    successes = data.draw(st.integers(0, n))
    for kind in ("wilson", "jeffreys", "exact"):
        one, other = proportion(successes, n, kind=kind), proportion(n - successes, n, kind=kind)
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.low == pytest.approx(1 - other.high, abs=1e-9)


def test_jeffreys_is_used_below_ten_units_and_named():
    assert proportion(3, 9).interval_method == "Jeffreys"
    assert proportion(3, 10).interval_method == "Wilson"
    # Brown, Cai & DasGupta (2001): quantiles of Beta(x + 1/2, n - x + 1/2).
    found = proportion(3, 9)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 3.5, 6.5), abs=1e-9)


def test_no_units_is_undefined_with_a_reason():
    found = proportion(0, 0, unit="gold items")
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert found.reason == "no gold items"


@pytest.mark.parametrize(("successes", "n"), [(5, 4), (-1, 4), (1, math.inf)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="successes is"):
        proportion_interval(successes, n)
    with pytest.raises(ValueError, match="kind is 'wald'"):
        proportion(1, 4, kind="wald")


@pytest.mark.parametrize(("guess", "half_width"), [(0.5, 0.05), (0.9, 0.05), (0.9, 0.10), (0.02, 0.01)])
def test_planned_units_are_the_fewest_that_reach_the_width(guess, half_width):
    n = units_for_proportion(guess, half_width).n
    wide, narrow = (proportion_interval(guess * k, k, kind="wilson") for k in (n - 1, n))
    assert narrow.high - narrow.low <= 2 * half_width < wide.high - wide.low


def test_planned_units_of_alpha_give_about_the_wanted_width():
    rng = np.random.default_rng(0)

    def read(n):
        truth = rng.integers(0, 3, (n, 1))
        return np.where(rng.random((n, 2)) < 0.8, truth, rng.integers(0, 3, (n, 2))).astype(float)

    needed = units_for_estimate(krippendorff_alpha(read(150)).influence, 0.05).n
    reached = krippendorff_alpha(read(needed)).estimate
    assert reached.width / 2 == pytest.approx(0.05, abs=0.012)


def test_planning_refuses_what_it_cannot_judge():
    with pytest.raises(ValueError, match="at least 2"):
        units_for_estimate([0.4, math.nan])
    with pytest.raises(ValueError, match="half_width is 0"):
        units_for_proportion(0.5, 0)
    with pytest.raises(ValueError, match="guess is 2"):
        units_for_proportion(2)
    with pytest.raises(ValueError, match="level is 95"):
        units_for_proportion(0.5, level=95)


def test_groups_are_resampled_and_printed():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(0.5, 0.1, 30), 8)
    patients = np.repeat(np.arange(30), 8)
    by_item = mean_estimate(values, Resampling(np.random.default_rng(2)))
    by_patient = mean_estimate(values, Resampling(np.random.default_rng(2), patients, "patients"))
    assert (by_patient.n, by_patient.n_groups, by_patient.group_unit) == (240, 30, "patients")
    assert by_patient.width > 2 * by_item.width
    assert by_patient.interval_method == "BCa bootstrap over patients"


def test_mean_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        sample = rng.exponential(1.0, 40)
        found = mean_estimate(sample, Resampling(rng, n_resamples=600))
        hits += found.low <= 1.0 <= found.high
    assert 176 <= hits <= 200


def test_both_ways_of_drawing_give_the_same_distribution():
    rng = np.random.default_rng(4)
    few_kinds = np.column_stack([rng.integers(0, 2, 400), np.ones(400)]).astype(float)
    many_kinds = few_kinds + rng.normal(0, 1e-9, few_kinds.shape) * np.array([1.0, 0.0])
    one = bootstrap_interval(few_kinds, ratio, Resampling(rng, n_resamples=4000, kind="percentile"))
    other = bootstrap_interval(many_kinds, ratio, Resampling(rng, n_resamples=4000, kind="percentile"))
    assert [one.low, one.high] == pytest.approx([other.low, other.high], abs=0.006)


def test_bca_equals_scipy_on_a_mean():
    sample = np.random.default_rng(5).exponential(1.0, 60)
    ours = mean_estimate(sample, Resampling(np.random.default_rng(6), n_resamples=20000))
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.01)


def test_one_group_has_no_interval_and_says_why():
    found = mean_estimate([0.1, 0.9], Resampling(np.random.default_rng(0), ["p1", "p1"], "patients"))
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert "only 1 of the patients" in (found.interval_reason or "")


def test_resamples_without_a_value_are_dropped_counted_and_warned_of():
    ratings = np.array([[1, 1], [1, 1], [2, 2]], dtype=float)
    found = krippendorff_alpha(ratings, resampling=Resampling(np.random.default_rng(0))).estimate
    assert found.value == 1.0
    assert math.isnan(found.low)
    mixed = np.array([[1, 1], [1, 1], [1, 1], [2, 1], [2, 2]], dtype=float)
    drawn = krippendorff_alpha(mixed, resampling=Resampling(np.random.default_rng(0))).estimate
    assert any("had no value and were dropped" in warning for warning in drawn.warnings)


def test_a_share_of_one_gets_wilsons_interval_over_groups():
    groups = np.repeat(np.arange(20), 3)
    found = ratio_estimate(np.ones(60), np.ones(60), Resampling(np.random.default_rng(0), groups, "patients"))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 0.1611, abs=5e-4)
    assert "Wilson over patients" in found.interval_method


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(30)
    one, two = (mean_estimate(values, Resampling(np.random.default_rng(9))) for _ in range(2))
    assert (one.low, one.high) == (two.low, two.high)


def test_group_sums_add_within_groups_of_any_labels():
    sums = group_sums(np.arange(8.0).reshape(4, 2), np.array(["b", "a", "b", "c"]))
    assert sums.tolist() == [[2.0, 3.0], [4.0, 6.0], [6.0, 7.0]]
    with pytest.raises(ValueError, match="one entry for each of the 4 units"):
        group_sums(np.ones((4, 2)), [1, 2])


def test_impossible_resampling_is_refused():
    with pytest.raises(ValueError, match="n_resamples is 0"):
        Resampling(np.random.default_rng(0), n_resamples=0)
    with pytest.raises(ValueError, match="level is 1"):
        Resampling(np.random.default_rng(0), level=1)


def test_groups_must_fit_the_units_of_alpha():
    with pytest.raises(ValueError, match="groups has shape"):
        krippendorff_alpha(np.eye(3), resampling=Resampling(np.random.default_rng(0), [1, 2]))


def test_an_interval_over_patients_brings_its_own_standard_error():
    # The analytic error takes items as independent; beside patients it would claim far too much.
    rng = np.random.default_rng(10)
    patients = np.repeat(np.arange(12), 20)
    agrees = (rng.random(12) < 0.6)[patients]
    ratings = np.column_stack([rng.integers(0, 2, 240), np.zeros(240)]).astype(float)
    ratings[:, 1] = np.where(agrees, ratings[:, 0], 1 - ratings[:, 0])
    for coefficient in (raw_agreement, fleiss_kappa, krippendorff_alpha, cohen_kappa, conger_kappa):
        alone = _estimate(coefficient(ratings))
        grouped = _estimate(coefficient(ratings, resampling=Resampling(rng, patients, "patients", 500)))
        assert grouped.standard_error > 2 * alone.standard_error
        assert grouped.standard_error == pytest.approx(grouped.width / 3.92, rel=0.25)
        found, claimed = wald_p_value(grouped, 0.2), wald_p_value(alone, 0.2)
        assert (found.n, found.unit, "over patients" in found.convention) == (12, "patients", True)
        assert found.value > claimed.value
    one = Resampling(rng, np.zeros(240), "patients")
    without = krippendorff_alpha(ratings, resampling=one).estimate
    assert math.isnan(without.standard_error)
    assert "only 1 of the patients" in str(benchmark(without).reason)


def test_repeats_over_patients_scale_their_standard_error():
    rng = np.random.default_rng(11)
    found = repeatability(rng.normal(size=(40, 2)), resampling=Resampling(rng, np.arange(40) // 2, "patients", 300))
    assert found.coefficient.standard_error == pytest.approx(1.96 * math.sqrt(2) * found.within.standard_error)


@pytest.mark.parametrize("n", [2, 5, 50])
def test_perfect_agreement_of_few_units_is_no_certainty(n):
    ratings = np.column_stack([np.arange(n) % 2, np.arange(n) % 2]).astype(float)
    raw = raw_agreement(ratings)
    assert (raw.value, raw.high) == (1.0, 1.0)
    assert raw.low == proportion(n, n).low < 1
    for coefficient in (fleiss_kappa, gwet_ac, brennan_prediger, krippendorff_alpha, conger_kappa, cohen_kappa):
        found = coefficient(ratings).estimate
        assert found.value == 1.0
        assert math.isnan(found.low)
        assert math.isnan(found.standard_error)
        assert "agree alike" in str(found.interval_reason)


def test_levels_of_analytic_intervals_are_those_asked_for():
    rng = np.random.default_rng(12)
    ratings = rng.integers(0, 3, (40, 3)).astype(float)
    for coefficient in (raw_agreement, fleiss_kappa, gwet_ac, brennan_prediger, krippendorff_alpha, conger_kappa):
        wide, narrow = (_estimate(coefficient(ratings, level=level)) for level in (0.99, 0.8))
        assert (wide.level, narrow.level) == (0.99, 0.8)
        ratio = stats.t.ppf(0.995, 39) / stats.t.ppf(0.9, 39)
        assert (wide.value - wide.low) / (narrow.value - narrow.low) == pytest.approx(ratio)


def test_the_correction_gives_way_where_it_would_turn_the_interval_over():
    # One unit carries all the skew (acceleration 1/6), and a level beyond what the correction can bear.
    values = np.zeros(400)
    values[0] = 1.0
    extreme = Resampling(np.random.default_rng(0), n_resamples=300, level=1 - 1e-9)
    found = bootstrap_interval(np.column_stack([values, np.ones(400)]), ratio, extreme)
    assert found.warnings == ("the BCa correction is undefined here; the percentile interval is shown",)
    assert found.low <= 1 / 400 <= found.high


def test_the_correction_gives_way_where_leaving_one_out_says_nothing():
    note = ("the BCa correction is undefined here; the percentile interval is shown",)
    # Without the one unit in which anybody differs nothing varies.
    ratings = np.ones((30, 3))
    ratings[0, 0] = 2
    found = krippendorff_alpha(ratings, resampling=Resampling(np.random.default_rng(0), n_resamples=300)).estimate
    assert note[0] in found.warnings
    assert found.low <= found.value <= found.high
    # A statistic that no single unit moves, but units drawn twice do.
    sign = np.tile([1.0, -1.0], 10)
    even = weighted_bootstrap_interval(
        20, lambda drawn: (drawn * (drawn - 1)) @ sign, Resampling(np.random.default_rng(0), n_resamples=300)
    )
    assert even.warnings == note
    assert even.low < 0 < even.high


def test_differences_and_repeats_that_are_all_equal_have_no_interval():
    same = limits_of_agreement([1, 2, 3], [2, 3, 4])
    assert [one.value for one in (same.bias, same.lower, same.upper)] == [-1, -1, -1]
    assert all("differences are equal" in str(one.interval_reason) for one in (same.bias, same.lower, same.upper))
    assert "on one line" in str(same.proportional.slope.interval_reason)
    repeats = repeatability([[1, 1], [2, 2]])
    assert repeats.within.value == repeats.coefficient.value == 0
    assert "repeats are equal" in str(repeats.coefficient.interval_reason)


def _estimate(found):
    return found if hasattr(found, "value") else found.estimate
