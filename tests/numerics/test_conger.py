"""Conger's kappa and the weight schemes: published values, slow twins, and input without an answer."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.conger import conger_kappa
from labelhub.numerics.ratings import ratings_from_table
from labelhub.numerics.weights import agreement_weights, weights_from_disagreement
from tests.numerics.test_published_agreement import CATEGORIES, FOUR_BY_TWELVE, near

SCHEMES = ["identity", "linear", "quadratic", "ordinal", "radical", "ratio", "circular", "bipolar"]
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.sampled_from([1.0, 2.0, 3.0, 5.0, math.nan]),
)


def test_conger_of_four_observers_with_standard_error():
    found = conger_kappa(FOUR_BY_TWELVE, categories=CATEGORIES).estimate
    assert (found.value, found.standard_error) == (near(0.76207), near(0.15011))
    weighted = conger_kappa(FOUR_BY_TWELVE, weights="quadratic", categories=CATEGORIES).estimate
    assert weighted.value == near(0.85717)
    assert weighted.method == "weighted Conger's kappa"


def test_conger_of_irrcacs_own_file_where_the_third_rater_rated_unit_twelve():
    ratings = FOUR_BY_TWELVE.copy()
    ratings[11] = [np.nan, np.nan, 3, np.nan]
    found = conger_kappa(ratings, categories=CATEGORIES).estimate
    assert (found.value, found.standard_error) == (near(0.76282), near(0.14917))


def slow_conger(ratings: np.ndarray, categories: list[float], weight: np.ndarray) -> float:
    position = {value: k for k, value in enumerate(categories)}
    shares = []
    for row in ratings:
        codes = [position[v] for v in row if not math.isnan(v)]
        pairs = list(permutations(codes, 2))
        if pairs:
            shares.append(sum(weight[a, b] for a, b in pairs) / len(pairs))
    marginals = []
    for column in ratings.T:
        codes = [position[v] for v in column if not math.isnan(v)]
        if codes:
            marginals.append([codes.count(k) / len(codes) for k in range(len(categories))])
    if not shares:
        return math.nan
    pairs_of_raters = list(permutations(np.array(marginals), 2))
    expected = sum(a @ weight @ b for a, b in pairs_of_raters) / len(pairs_of_raters)
    return math.nan if expected >= 1 - 1e-12 else (np.mean(shares) - expected) / (1 - expected)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from(SCHEMES))
def test_conger_equals_its_slow_twin(ratings, scheme):
    categories = [1.0, 2.0, 3.0, 5.0]
    found = conger_kappa(ratings, weights=scheme, categories=categories).estimate
    expected = slow_conger(ratings, categories, agreement_weights(scheme, 4))
    assert found.value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert (found.reason is None) == (not math.isnan(expected))


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (4, 4), elements=st.integers(0, 9)), st.sampled_from(SCHEMES))
def test_conger_of_two_complete_raters_is_cohens_kappa(table, scheme):
    table[0, 1] += 1
    ratings = ratings_from_table(table)
    categories = [0, 1, 2, 3]
    expected = cohen_kappa(ratings, weights=scheme, categories=categories)
    found = conger_kappa(ratings, weights=scheme, categories=categories)
    assert found.estimate.value == pytest.approx(expected.estimate.value, abs=1e-12, nan_ok=True)
    assert found.expected == pytest.approx(expected.expected, abs=1e-12)


def test_the_mean_contribution_of_a_unit_is_the_coefficient():
    found = conger_kappa(FOUR_BY_TWELVE, categories=CATEGORIES, weights="linear")
    assert np.nanmean(found.influence) == pytest.approx(found.estimate.value, abs=1e-12)


def test_error_of_conger_is_that_of_many_repetitions():
    rng = np.random.default_rng(5)

    def drawn() -> np.ndarray:
        truth = rng.integers(0, 3, 150)
        right = rng.random((150, 4)) < [0.9, 0.8, 0.7, 0.85]
        ratings = np.where(right, truth[:, None], rng.integers(0, 3, (150, 4))).astype(float)
        ratings[rng.random(ratings.shape) < 0.2] = np.nan
        return ratings

    found = [conger_kappa(drawn()).estimate for _ in range(200)]
    spread = np.std([estimate.value for estimate in found])
    assert np.mean([estimate.standard_error for estimate in found]) == pytest.approx(spread, rel=0.15)


def test_conger_resampled_over_patients_has_their_count():
    rng = np.random.default_rng(2)
    ratings = np.repeat(rng.integers(0, 3, (40, 1)), 3, axis=1).astype(float)
    ratings[::3, 2] = 0
    again = Resampling(rng, np.arange(40) // 2, "patients", n_resamples=400)
    found = conger_kappa(ratings, resampling=again).estimate
    assert (found.n_groups, found.group_unit) == (20, "patients")
    assert found.low < found.value < found.high


def test_conger_of_nothing_is_undefined_with_a_reason():
    nothing = conger_kappa(np.full((3, 2), np.nan)).estimate
    assert math.isnan(nothing.value)
    assert nothing.reason == "no items with two ratings"
    same = conger_kappa(np.ones((5, 3))).estimate
    assert "one category only" in str(same.reason)


def test_a_rater_without_ratings_changes_nothing():
    padded = np.column_stack([FOUR_BY_TWELVE, np.full(12, np.nan)])
    found, expected = conger_kappa(padded).estimate, conger_kappa(FOUR_BY_TWELVE).estimate
    assert (found.value, found.standard_error) == (expected.value, expected.standard_error)


def slow_weight(scheme: str, x: list[float], k: int, j: int) -> float:
    low, high, gap = min(x), max(x), abs(x[k] - x[j])
    if k == j:
        return 0.0
    return {
        "identity": 1.0,
        "linear": gap / (high - low),
        "quadratic": gap**2 / (high - low) ** 2,
        "radical": math.sqrt(gap) / math.sqrt(high - low),
        "ordinal": math.comb(abs(k - j) + 1, 2) / math.comb(len(x), 2),
        "ratio": (gap / (x[k] + x[j])) ** 2 / ((high - low) / (high + low)) ** 2,
        "circular": math.sin(math.pi * gap / (high - low + 1)) ** 2,
        "bipolar": gap**2 / ((x[k] + x[j] - 2 * low) * (2 * high - x[k] - x[j])),
    }[scheme]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 30), min_size=2, max_size=7), st.sampled_from(SCHEMES))
def test_weights_equal_their_slow_twins(values, scheme):
    x = [float(v) for v in sorted(values)]
    distance = np.array([[slow_weight(scheme, x, k, j) for j in range(len(x))] for k in range(len(x))])
    distance /= distance.max()
    found = agreement_weights(scheme, len(x), x)
    np.testing.assert_allclose(found, 1 - distance, atol=1e-12)
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 1).all()


def test_the_last_category_is_next_to_the_first_on_a_circle():
    circle = agreement_weights("circular", 6)
    assert circle[0, 5] == circle[0, 1]
    assert circle[0, 3] == 0


def test_a_gap_near_a_pole_counts_more_in_bipolar_weights():
    scale = agreement_weights("bipolar", 7)
    assert scale[0, 1] < scale[3, 4]
    assert scale[0, 6] == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_category_or_none_needs_no_weights(scheme):
    assert agreement_weights(scheme, 1).tolist() == [[1.0]]
    assert agreement_weights(scheme, 0).shape == (0, 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: agreement_weights("cubic", 3), "weights is 'cubic'; allowed are 'identity'"),
        (lambda: agreement_weights("linear", 3, [1, 3, 2]), "3 finite rising numbers are needed"),
        (lambda: agreement_weights("linear", 3, [1, 2]), "3 finite rising numbers are needed"),
        (lambda: agreement_weights("ratio", 2, [-1, 2]), "values start at -1"),
        (lambda: agreement_weights(np.eye(2), 3), "weights has shape"),
        (lambda: agreement_weights([[1, 2], [2, 1]], 2), "nowhere above 1"),
        (lambda: weights_from_disagreement([[0, 0], [0, 0]]), "disagreement has no entry above 0"),
    ],
)
def test_weights_that_are_none_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
