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
from labelhub.numerics.ratings import ratings_from_table
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


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.95, 0.95), st.floats(0.01, 0.5), st.integers(2, 60))
def test_bands_hold_students_probability_on_fishers_scale(value, error, n):
    found = benchmark(Estimate(value, -1, 1, 100, "items", "kappa", "1", n_groups=n, standard_error=error))
    on_z = stats.t(n - 1, math.log((1 + value) / (1 - value)) / 2, error / (1 - value**2))
    edges = [
        math.inf if low == 1 else -math.inf if low == -1 else math.atanh(low) for low in (1, 0.8, 0.6, 0.4, 0.2, 0, -1)
    ]
    for band, high, low in zip(found.bands, edges, edges[1:], strict=False):
        assert band.probability == pytest.approx(on_z.cdf(high) - on_z.cdf(low), abs=1e-9)
        assert band.cumulative == pytest.approx(on_z.sf(low), abs=1e-9)
    assert found.claimed == next(band for band in found.bands if band.cumulative >= 0.95)
    assert sum(band.probability for band in found.bands) == pytest.approx(1)


def outcomes(n: int, chances: list[float]) -> list[tuple[tuple[int, int, int], float]]:
    """Every way in which n units of three kinds can fall out, with its probability."""
    ways = [(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]
    return [(way, float(stats.multinomial(n, chances).pmf(way))) for way in ways]


@pytest.mark.parametrize(("coefficient", "prevalence"), [(gwet_ac, 0.5), (gwet_ac, 0.1), (fleiss_kappa, 0.5)])
@pytest.mark.parametrize("limit", [0.4, 0.6])
def test_words_that_are_not_true_are_claimed_in_five_of_a_hundred_at_most(coefficient, prevalence, limit):
    """Two raters of equal accuracy and 16 units, of whom the true coefficient lies just below a band: all 153 outcomes.

    A normal error in place of Student's on Fisher's z claims the band in up to 13 of a hundred.
    """

    def table(counts) -> np.ndarray:
        return ratings_from_table([[counts[0], counts[1]], [0, counts[2]]])

    def chances(accuracy: float) -> list[float]:
        both, none = accuracy**2, (1 - accuracy) ** 2
        one = prevalence * both + (1 - prevalence) * none
        other = (1 - prevalence) * both + prevalence * none
        return [other, 1 - one - other, one]

    def true(accuracy: float) -> float:
        # A cell of one rater's only is split, which leaves both coefficients as they are.
        shares = np.rint(np.array(chances(accuracy)) * 1e4).astype(int)
        return coefficient(table(shares), categories=[0, 1]).estimate.value

    below = max(accuracy for accuracy in np.arange(0.6, 1.0, 0.01) if true(accuracy) < limit)
    false = 0.0
    for counts, chance in outcomes(16, chances(below)):
        found = benchmark(coefficient(table(counts), categories=[0, 1]).estimate)
        false += chance * (found.claimed is not None and found.claimed.low >= limit)
    assert false < 0.05


@pytest.mark.parametrize(("scale", "name"), [("altman", "fair"), ("fleiss", "poor")])
def test_other_scales_have_their_own_words(scale, name):
    claimed = benchmark(gwet_ac(FOUR_BY_TWELVE, categories=CATEGORIES).estimate, scale).claimed
    assert claimed is not None
    assert claimed.name == name


@pytest.mark.parametrize(("value", "n"), [(1.0, 5), (-1.0, 5), (0.5, 1)])
def test_no_band_is_claimed_where_the_error_has_no_place_on_fishers_scale(value, n):
    found = benchmark(Estimate(value, -1, 1, n, "items", "kappa", "1", standard_error=0.2))
    assert found.claimed is None
    assert "no error on Fisher's z" in str(found.reason)


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
