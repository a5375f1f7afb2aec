"""Intervals for other raters, p-values and verbal bands: slow twins, coverage, and input without an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from labelhub.numerics import rater_bootstrap
from labelhub.numerics.agreement import brennan_prediger, fleiss_kappa, gwet_ac, raw_agreement
from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bands import benchmark
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval, group_sums, ratio_estimate
from labelhub.numerics.p_values import bootstrap_p_value, wald_p_value
from labelhub.numerics.rater_bootstrap import agreement_of_other_raters
from labelhub.numerics.results import Estimate
from labelhub.numerics.specific import specific_agreement
from tests.numerics.test_published_agreement import CATEGORIES, FOUR_BY_TWELVE

TABLES = arrays(np.float64, (6, 5), elements=st.sampled_from([1.0, 2.0, 3.0, math.nan]))


def again(seed: int = 0, **changes: object) -> Resampling:
    return Resampling(np.random.default_rng(seed), n_resamples=200, **changes)


def plain(ratings: np.ndarray, coefficient: str, categories: list[float]) -> float:
    if coefficient == "alpha":
        return krippendorff_alpha(ratings).estimate.value
    if coefficient == "raw":
        return raw_agreement(ratings, categories=categories).value
    known = {"fleiss": fleiss_kappa, "gwet": gwet_ac, "brennan-prediger": brennan_prediger}[coefficient]
    return known(ratings, categories=categories).estimate.value


@settings(max_examples=80, deadline=None)
@given(TABLES, st.sampled_from(["raw", "alpha", "fleiss", "gwet", "brennan-prediger"]))
def test_the_value_is_that_of_the_coefficient_itself(ratings, coefficient):
    found = agreement_of_other_raters(ratings, coefficient, again(), categories=[1, 2, 3])
    assert found.value == pytest.approx(plain(ratings, coefficient, [1, 2, 3]), abs=1e-9, nan_ok=True)
    assert (found.reason is None) == (not math.isnan(found.value))


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (5, 4), elements=st.integers(0, 2)), arrays(np.int64, 4, elements=st.integers(0, 3)))
def test_a_rater_drawn_twice_is_never_paired_with_themselves(codes, often):
    patterns = rater_bootstrap._patterns(codes, None)
    counts = np.asarray(patterns.counts.sum(axis=0))[None]
    found = rater_bootstrap._values(patterns, counts, often[None].astype(float), np.eye(3), "raw")[0]
    shares = []
    for row in codes:
        pairs = [(g, h) for g in range(4) for h in range(4) if g != h]
        weight = sum(often[g] * often[h] for g, h in pairs)
        if weight:
            shares.append(sum(often[g] * often[h] * (row[g] == row[h]) for g, h in pairs) / weight)
    assert found == pytest.approx(np.mean(shares) if shares else math.nan, abs=1e-12, nan_ok=True)


def drawn_raters(rng: np.random.Generator, n_units: int, n_raters: int) -> np.ndarray:
    truth = rng.integers(0, 3, n_units)
    skill = np.clip(rng.normal(0.75, 0.12, n_raters), 0.35, 1)
    right = rng.random((n_units, n_raters)) < skill
    return np.where(right, truth[:, None], rng.integers(0, 3, (n_units, n_raters))).astype(float)


def test_intervals_over_raters_and_units_cover_agreement_of_other_raters_where_those_over_units_do_not():
    rng = np.random.default_rng(1)
    true = float(np.mean([krippendorff_alpha(drawn_raters(rng, 400, 150)).estimate.value for _ in range(10)]))
    covered = {"both": 0, "units": 0}
    for _ in range(60):
        ratings = drawn_raters(rng, 80, 8)
        both = agreement_of_other_raters(ratings, "alpha", Resampling(rng, n_resamples=200))
        units = krippendorff_alpha(ratings, resampling=Resampling(rng, n_resamples=200)).estimate
        covered["both"] += both.low <= true <= both.high
        covered["units"] += units.low <= true <= units.high
    assert covered["both"] >= 51
    assert covered["units"] < covered["both"]


def test_drawing_raters_alone_says_so_and_needs_five_of_them():
    ratings = drawn_raters(np.random.default_rng(3), 40, 6)
    found = agreement_of_other_raters(ratings, "gwet", again(), drawn="raters")
    assert (found.n_groups, found.group_unit) == (6, "raters")
    assert found.interval_method == "percentile bootstrap over raters"
    few = agreement_of_other_raters(ratings[:, :4], "gwet", again())
    assert few.is_defined
    assert math.isnan(few.low)
    assert few.interval_reason == "only 4 raters; drawing raters anew needs at least 5"


def test_patients_are_drawn_whole_when_units_are_drawn_with_raters():
    rng = np.random.default_rng(4)
    ratings = np.repeat(drawn_raters(rng, 12, 6), 10, axis=0)
    alone = agreement_of_other_raters(ratings, "alpha", again())
    grouped = agreement_of_other_raters(
        ratings, "alpha", again(groups=np.repeat(np.arange(12), 10), group_unit="patients")
    )
    assert grouped.width > 1.2 * alone.width
    assert grouped.group_unit == "raters and patients"


def test_other_raters_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="coefficient is 'beta'"):
        agreement_of_other_raters(np.ones((2, 2)), "beta", again())
    with pytest.raises(ValueError, match="groups has shape"):
        agreement_of_other_raters(np.ones((2, 2)), "alpha", again(groups=[1]))
    nothing = agreement_of_other_raters(np.full((2, 6), np.nan), "alpha", again())
    assert nothing.reason == "no items with two ratings"
    same = agreement_of_other_raters(np.ones((4, 6)), "alpha", again())
    assert "no variation" in str(same.reason)


def test_bands_hold_the_probability_of_a_normal_cut_off_at_one():
    ac1 = gwet_ac(FOUR_BY_TWELVE, categories=CATEGORIES).estimate
    found = benchmark(ac1)
    normal = stats.truncnorm(
        (-1 - ac1.value) / ac1.standard_error, (1 - ac1.value) / ac1.standard_error, ac1.value, ac1.standard_error
    )
    for band in found.bands:
        assert band.probability == pytest.approx(normal.cdf(band.high) - normal.cdf(band.low), abs=1e-9)
        assert band.cumulative == pytest.approx(normal.sf(band.low), abs=1e-9)
    assert found.claimed is not None
    assert found.claimed.name == "moderate"
    assert sum(band.probability for band in found.bands) == pytest.approx(1)


@pytest.mark.parametrize(("scale", "name"), [("altman", "moderate"), ("fleiss", "intermediate to good")])
def test_other_scales_have_their_own_words(scale, name):
    claimed = benchmark(gwet_ac(FOUR_BY_TWELVE, categories=CATEGORIES).estimate, scale).claimed
    assert claimed is not None
    assert claimed.name == name


def test_no_band_is_claimed_without_an_error_and_the_exact_one_with_an_error_of_zero():
    bare = Estimate(0.7, math.nan, math.nan, 5, "items", "kappa", "1", interval_reason="not asked for")
    assert benchmark(bare).claimed is None
    assert "not asked for" in str(benchmark(bare).reason)
    exact = benchmark(Estimate(1.0, 1, 1, 5, "items", "kappa", "1", standard_error=0.0))
    assert exact.claimed is not None
    assert exact.claimed.name == "almost perfect"
    with pytest.raises(ValueError, match="scale is 'mine'"):
        benchmark(bare, "mine")
    with pytest.raises(ValueError, match="certainty is 1"):
        benchmark(bare, certainty=1)


def test_p_value_is_students_with_the_error_at_the_estimate():
    ac1 = gwet_ac(FOUR_BY_TWELVE, categories=CATEGORIES).estimate
    found = wald_p_value(ac1, 0.5)
    t = (ac1.value - 0.5) / ac1.standard_error
    assert found.value == pytest.approx(2 * stats.t.sf(t, 11))
    assert "not under the null" in found.convention
    assert math.isnan(wald_p_value(Estimate(0.7, 0, 1, 5, "items", "kappa", "1")).value)


def test_bootstrap_p_value_agrees_with_the_percentile_interval():
    rng = np.random.default_rng(8)
    sums = np.column_stack([rng.normal(0.5, 1, 40), np.ones(40)])

    def mean(totals: np.ndarray) -> np.ndarray:
        return totals[:, 0] / totals[:, 1]

    found = bootstrap_p_value(sums, mean, again(), 0.5)
    assert 0.05 < found.value <= 1
    assert bootstrap_p_value(sums, mean, again(), 3.0).value == pytest.approx(2 / 201)
    assert bootstrap_p_value(sums, mean, again(), 0.5).value == found.value
    alone = bootstrap_p_value(sums[:1], mean, again())
    assert math.isnan(alone.value)
    assert "only 1 items" in str(alone.reason)


def test_p_values_of_chance_agreement_are_spread_evenly():
    rng = np.random.default_rng(9)
    values = [wald_p_value(gwet_ac(rng.integers(0, 3, (60, 3)).astype(float)).estimate).value for _ in range(300)]
    assert 0.01 <= np.mean(np.array(values) < 0.05) <= 0.1


@pytest.mark.parametrize("measure", ["nominal", "ordinal", "interval", "ratio"])
def test_random_labels_give_alpha_near_zero(measure):
    rng = np.random.default_rng(12)
    for _ in range(5):
        ratings = rng.integers(1, 5, (2000, 3)).astype(float)
        assert abs(krippendorff_alpha(ratings, measure).estimate.value) < 0.05


def test_measures_of_one_unit_or_without_resampling_have_no_interval():
    one = raw_agreement([[1, 1]])
    assert "needs at least 2" in str(one.interval_reason)
    pairs = specific_agreement([[1, 1], [1, 0]], pairing="mean-over-pairs")
    assert pairs.interval_reason == "no resampling was asked for"


def test_sums_of_the_wrong_shape_are_refused_and_resamples_without_a_value_said():
    with pytest.raises(ValueError, match="numerators have shape"):
        ratio_estimate([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="contributions have 1 dimensions"):
        group_sums(np.ones(3), None)
    never = bootstrap_interval(np.eye(3), lambda sums: np.full(len(sums), np.nan), again())
    assert never.reason == "no resample has a value"
