"""Agreement coefficients: slow obvious twins, invariances, and input that has no answer."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import krippendorff as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from labelhub.numerics.agreement import brennan_prediger, fleiss_kappa, gwet_ac, raw_agreement
from labelhub.numerics.alpha import Measure, krippendorff_alpha
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.specific import found_by, pairwise_raw_agreement, pairwise_specific_agreement, specific_agreement
from labelhub.numerics.weights import agreement_weights

MEASURES: tuple[Measure, ...] = ("nominal", "ordinal", "interval", "ratio")
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.sampled_from([1.0, 2.0, 3.0, 5.0, math.nan]),
)


def slow_alpha(ratings: np.ndarray, measure: str) -> float:
    units = [row[~np.isnan(row)] for row in ratings]
    units = [row for row in units if len(row) >= 2]
    values = np.concatenate(units) if units else np.empty(0)

    def squared(a: float, b: float) -> float:
        if measure == "nominal":
            return float(a != b)
        if measure == "interval":
            return (a - b) ** 2
        if measure == "ratio":
            return ((a - b) / (a + b)) ** 2
        low, high = min(a, b), max(a, b)
        between = sum(1 for v in values if low <= v <= high)
        return (between - (np.sum(values == a) + np.sum(values == b)) / 2) ** 2 if a != b else 0.0

    observed = sum(sum(squared(a, b) for a, b in permutations(row, 2)) / (len(row) - 1) for row in units)
    expected = sum(squared(a, b) for a, b in permutations(values, 2))
    if expected == 0:
        return math.nan
    n = len(values)
    return 1 - (observed / n) / (expected / (n * (n - 1)))


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from(MEASURES))
def test_alpha_equals_its_slow_twin(ratings, measure):
    found = krippendorff_alpha(ratings, measure).estimate
    expected = slow_alpha(ratings, measure)
    assert found.value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert (found.reason is None) == (not math.isnan(expected))


@pytest.mark.parametrize("measure", MEASURES)
def test_alpha_equals_the_reference_package_on_many_ratings(measure):
    rng = np.random.default_rng(7)
    ratings = rng.integers(1, 7, (300, 5)).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    expected = oracle.alpha(reliability_data=ratings.T, level_of_measurement=measure)
    assert krippendorff_alpha(ratings, measure).estimate.value == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.sampled_from(MEASURES), st.randoms(use_true_random=False))
def test_alpha_ignores_the_order_of_units_and_of_raters(ratings, measure, random):
    units, raters = list(range(ratings.shape[0])), list(range(ratings.shape[1]))
    random.shuffle(units)
    random.shuffle(raters)
    again = krippendorff_alpha(ratings[units][:, raters], measure).estimate.value
    assert again == pytest.approx(krippendorff_alpha(ratings, measure).estimate.value, abs=1e-12, nan_ok=True)


def slow_coefficient(ratings: np.ndarray, categories: list[float], weight: np.ndarray, chance: str) -> float:
    position = {value: k for k, value in enumerate(categories)}
    shares, profiles = [], []
    for row in ratings:
        codes = [position[v] for v in row if not math.isnan(v)]
        if codes:
            profiles.append([codes.count(k) / len(codes) for k in range(len(categories))])
        if len(codes) >= 2:
            pairs = list(permutations(codes, 2))
            shares.append(sum(weight[a, b] for a, b in pairs) / len(pairs))
    if not shares:
        return math.nan
    prevalence, q = np.mean(profiles, axis=0), len(categories)
    expected = {
        "fleiss": prevalence @ weight @ prevalence,
        "gwet": weight.sum() / (q * (q - 1)) * (prevalence * (1 - prevalence)).sum(),
        "bp": weight.sum() / q**2,
    }[chance]
    return math.nan if expected >= 1 - 1e-12 else (np.mean(shares) - expected) / (1 - expected)


@settings(max_examples=50, deadline=None)
@given(TABLES, st.sampled_from(["identity", "linear", "quadratic", "ordinal", "radical"]))
def test_coefficients_equal_their_slow_twins(ratings, scheme):
    categories = [1.0, 2.0, 3.0, 5.0]
    weight = agreement_weights(scheme, 4)
    for name, coefficient in (("fleiss", fleiss_kappa), ("gwet", gwet_ac), ("bp", brennan_prediger)):
        found = coefficient(ratings, weights=scheme, categories=categories).estimate.value
        expected = slow_coefficient(ratings, categories, weight, name)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_renaming_categories_changes_no_nominal_coefficient():
    rng = np.random.default_rng(1)
    ratings = rng.integers(0, 3, (40, 3)).astype(float)
    renamed = np.array([7.0, 1.0, 4.0])[ratings.astype(int)]
    for coefficient in (fleiss_kappa, gwet_ac, brennan_prediger, krippendorff_alpha):
        again = coefficient(renamed).estimate.value
        assert coefficient(ratings).estimate.value == pytest.approx(again, abs=1e-12)


def test_random_answers_give_alpha_near_zero():
    ratings = np.random.default_rng(5).integers(0, 3, (2000, 3)).astype(float)
    for measure in ("nominal", "ordinal", "interval"):
        assert abs(krippendorff_alpha(ratings, measure).estimate.value) < 0.05
    assert abs(gwet_ac(ratings).estimate.value) < 0.05


def test_one_value_everywhere_is_undefined_and_says_why():
    found = krippendorff_alpha(np.ones((10, 3))).estimate
    assert math.isnan(found.value)
    assert "no variation" in (found.reason or "")
    assert found.n == 10
    assert "only one category is used" in str(fleiss_kappa(np.ones((10, 3)), categories=[1, 2]).estimate.reason)
    assert "only one category is possible" in str(gwet_ac(np.ones((10, 3))).estimate.reason)


@pytest.mark.parametrize(
    "ratings", [np.full((4, 3), np.nan), np.empty((0, 3)), np.array([[1.0, np.nan]]), np.ones((5, 1))]
)
def test_no_unit_with_two_ratings_is_undefined_and_says_why(ratings):
    for coefficient in (krippendorff_alpha, fleiss_kappa, gwet_ac, brennan_prediger):
        found = coefficient(ratings).estimate
        assert math.isnan(found.value)
        assert math.isnan(found.low)
        assert "two ratings" in (found.reason or "")
    assert math.isnan(raw_agreement(ratings).value)


def test_ratings_outside_the_categories_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ratings contain \[9\.0\]; allowed are the categories"):
        gwet_ac([[1, 9], [2, 1]], categories=[1, 2])
    with pytest.raises(ValueError, match="infinite"):
        krippendorff_alpha([[1, np.inf]])
    with pytest.raises(ValueError, match="they must have two"):
        raw_agreement([1, 2, 3])
    with pytest.raises(ValueError, match="measure is 'cardinal'"):
        krippendorff_alpha([[1, 2]], "cardinal")
    with pytest.raises(ValueError, match="negative"):
        krippendorff_alpha([[-1, 2]], "ratio")
    with pytest.raises(ValueError, match="exactly 2"):
        cohen_kappa(np.ones((4, 3)))
    with pytest.raises(ValueError, match="symmetric"):
        krippendorff_alpha([[0, 1]], distance=[[0, 1], [2, 0]])


def test_cohen_leaves_out_units_of_one_rater_and_counts_the_rest():
    found = cohen_kappa(np.array([[0, 0], [1, 1], [np.nan, 1], [0, 1]]))
    assert found.estimate.n == 3
    assert found.estimate.value == pytest.approx(0.4)
    assert math.isnan(cohen_kappa([[0, 0], [0, 0]]).estimate.value)
    assert math.isnan(cohen_kappa([[0, np.nan]]).estimate.value)


def test_the_number_of_possible_categories_enters_ac1():
    ratings = [[0, 0], [0, 1], [1, 1], [0, 0]]
    few, many = gwet_ac(ratings, categories=[0, 1]), gwet_ac(ratings, categories=[0, 1, 2, 3])
    assert few.estimate.value < many.estimate.value


def test_unit_disagreements_average_to_observed_disagreement():
    rng = np.random.default_rng(3)
    ratings = rng.integers(1, 5, (30, 4)).astype(float)
    for measure in MEASURES:
        found = krippendorff_alpha(ratings, measure)
        assert np.mean(found.unit_disagreement) == pytest.approx(found.observed)
        assert found.estimate.value == pytest.approx(1 - found.observed / found.expected)


def test_influence_averages_to_alpha_and_to_ac1():
    rng = np.random.default_rng(4)
    ratings = rng.integers(1, 4, (50, 3)).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = np.nan
    found = gwet_ac(ratings)
    assert np.nanmean(found.influence) == pytest.approx(found.estimate.value, abs=1e-9)
    assert np.nanmean(krippendorff_alpha(ratings).influence) == pytest.approx(
        krippendorff_alpha(ratings).estimate.value, abs=0.02
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_analytic_and_bootstrap_intervals_of_alpha_are_alike_on_independent_units(measure: Measure):
    rng = np.random.default_rng(11)
    truth = rng.integers(1, 5, (600, 1))
    ratings = np.where(rng.random((600, 4)) < 0.75, truth, rng.integers(1, 5, (600, 4))).astype(float)
    ratings[rng.random(ratings.shape) < 0.1] = np.nan
    plain = krippendorff_alpha(ratings, measure).estimate
    drawn = krippendorff_alpha(ratings, measure, resampling=Resampling(rng)).estimate
    assert drawn.low == pytest.approx(plain.low, abs=0.012)
    assert drawn.high == pytest.approx(plain.high, abs=0.012)
    assert drawn.interval_method == "BCa bootstrap over items"


@pytest.mark.parametrize("measure", MEASURES)
def test_a_resample_of_alpha_is_alpha_of_the_repeated_units(measure):
    # The statistic of summed contributions must equal alpha computed anew on the same units, repeated.
    from labelhub.numerics.alpha import _terms

    rng = np.random.default_rng(2)
    ratings = rng.integers(1, 6, (25, 3)).astype(float)
    terms = _terms(ratings, measure, None)
    drawn = rng.multinomial(25, np.full(25, 1 / 25), size=6)
    fast = terms.statistic(drawn @ terms.contributions)
    slow = [krippendorff_alpha(np.repeat(ratings, times, axis=0), measure).estimate.value for times in drawn]
    np.testing.assert_allclose(fast, slow, atol=1e-10)


@pytest.mark.parametrize("measure", ["ordinal", "interval", "ratio"])
def test_thousands_of_different_values_are_measured_without_a_table_of_pairs(measure: Measure):
    rng = np.random.default_rng(6)
    truth = rng.lognormal(3, 1, (900, 1))
    ratings = truth * rng.lognormal(0, 0.3, (900, 3))
    ratings[0, 0] = 0.0
    values = stats.rankdata(ratings).reshape(ratings.shape) if measure == "ordinal" else ratings
    gap, both = np.subtract.outer(values.ravel(), values.ravel()), np.add.outer(values.ravel(), values.ravel())
    np.fill_diagonal(both, 1.0)
    distance = (gap / both if measure == "ratio" else gap) ** 2
    np.fill_diagonal(distance, 0.0)
    within = distance.reshape(900, 3, 900, 3)[np.arange(900), :, np.arange(900), :].sum()
    expected = 1 - (within / 2 / 2700) / (distance.sum() / (2700 * 2699))
    found = krippendorff_alpha(ratings, measure, resampling=Resampling(rng, n_resamples=200)).estimate
    assert found.value == pytest.approx(expected, abs=1e-5)
    assert found.low < found.value < found.high
    assert bool(found.warnings) == (measure != "interval")


def slow_specific(ratings: np.ndarray, category: float) -> float:
    both = either = 0.0
    for a, b in combinations(range(ratings.shape[1]), 2):
        for row in ratings:
            if not (math.isnan(row[a]) or math.isnan(row[b])):
                both += 2 * int(row[a] == category and row[b] == category)
                either += int(row[a] == category) + int(row[b] == category)
    return both / either if either else math.nan


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_pooled_specific_agreement_equals_its_slow_twin(ratings):
    expected = slow_specific(ratings, 1.0)
    found = specific_agreement(ratings, 1.0)
    assert found.value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert (found.reason is None) == (not math.isnan(expected))


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_mean_over_pairs_is_the_mean_of_the_pair_matrix(ratings):
    matrix = pairwise_specific_agreement(ratings, 1.0).values
    upper = matrix[np.triu_indices(len(matrix), 1)]
    for (a, b), value in zip(combinations(range(len(matrix)), 2), upper, strict=True):
        assert value == pytest.approx(slow_specific(ratings[:, [a, b]], 1.0), abs=1e-12, nan_ok=True)
    found = specific_agreement(ratings, 1.0, pairing="mean-over-pairs").value
    expected = np.mean(upper[~np.isnan(upper)]) if np.isfinite(upper).any() else math.nan
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_readers_of_ninety_percent_sensitivity_have_alpha_near_zero_and_specific_agreement_near_ninety():
    # Hripcsak & Rothschild (2005): without true negatives chance correction has nothing to hold on to.
    found = (np.random.default_rng(8).random((4000, 2)) < 0.9).astype(float)
    found = found[found.any(axis=1)]
    assert specific_agreement(found).value == pytest.approx(0.90, abs=0.01)
    assert abs(krippendorff_alpha(found).estimate.value) < 0.15


def test_pairwise_raw_agreement_counts_common_units():
    matrix = pairwise_raw_agreement(np.array([[1, 1, np.nan], [1, 2, 2], [3, 3, np.nan]]))
    assert matrix.n.tolist() == [[3, 3, 1], [3, 3, 1], [1, 1, 1]]
    assert matrix.values[0, 1] == pytest.approx(2 / 3)


def test_found_by_keeps_numbers_of_readers_apart():
    rows = found_by(np.array([[1, 0, np.nan, np.nan], [1, 1, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]]))
    assert [(row.n_raters, row.counts.tolist(), row.n) for row in rows] == [(2, [0, 1, 0], 1), (4, [0, 2, 0, 0, 1], 3)]


def test_single_rater_specific_agreement_is_undefined():
    found = specific_agreement([[1], [0]])
    assert math.isnan(found.value)
    assert found.reason
    assert math.isnan(specific_agreement([[1], [0]], pairing="mean-over-pairs").value)


def test_specific_agreement_by_pairs_is_resampled_by_patients():
    rng = np.random.default_rng(20)
    patients = np.repeat(np.arange(25), 4)
    ratings = (rng.random((100, 3)) < rng.random(25)[patients][:, None]).astype(float)
    again = Resampling(rng, patients, "patients", 300)
    found = specific_agreement(ratings, pairing="mean-over-pairs", resampling=again)
    assert found.low < found.value < found.high
    with_category = len(np.unique(patients[ratings.any(axis=1)]))
    assert (found.n_groups, found.group_unit) == (with_category, "patients")
