"""Agreement coefficients against published tables. Tolerance 5e-4, as the figures are printed."""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.agreement import brennan_prediger, fleiss_kappa, gwet_ac, prevalence_warning, raw_agreement
from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.proportions import proportion
from labelhub.numerics.ratings import ratings_from_counts, ratings_from_table
from labelhub.numerics.weights import weights_from_disagreement
from tests.realdata import real

TOLERANCE = 5e-4
GAP = np.nan

# Krippendorff (2011), data E, also Gwet's raw_4raters: four observers, twelve units.
FOUR_BY_TWELVE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
).T
CATEGORIES = [1, 2, 3, 4, 5]


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


def table_of(name: str) -> np.ndarray:
    return np.genfromtxt(real("published", name), delimiter=",", skip_header=1)[:, 1:]


@pytest.mark.parametrize(
    ("measure", "value"),
    [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)],
)
def test_alpha_of_krippendorff_2011_four_observers(measure, value):
    assert krippendorff_alpha(FOUR_BY_TWELVE, measure).estimate.value == near(value)


def test_the_shared_table_is_the_printed_one():
    np.testing.assert_array_equal(table_of("krippendorff_4x12.csv"), FOUR_BY_TWELVE)


@pytest.mark.parametrize(
    ("measure", "value"),
    [("nominal", 0.691358), ("interval", 0.810845), ("ordinal", 0.806721), ("ratio", 0.808944)],
)
def test_alpha_of_the_three_by_fifteen_table_of_wikipedia(measure, value):
    assert krippendorff_alpha(table_of("krippendorff_3x15.csv"), measure).estimate.value == near(value)


def test_alpha_of_krippendorff_2011_binary():
    ratings = np.array([list("0100000010"), list("1110010000")]).astype(float).T
    assert krippendorff_alpha(ratings).estimate.value == near(0.095238)


def test_gwet_ac1_with_standard_error_and_interval():
    # Gwet (2014), table 2.10 and irrCAC's raw_4raters.
    found = gwet_ac(FOUR_BY_TWELVE, categories=CATEGORIES).estimate
    assert (found.value, found.standard_error) == (near(0.77544), near(0.14295))
    assert (found.low, found.high) == (near(0.46081), 1.0)


@pytest.mark.parametrize(
    ("coefficient", "value", "error"),
    [(fleiss_kappa, 0.76117, 0.15302), (brennan_prediger, 0.77273, 0.14472), (gwet_ac, 0.77544, 0.14295)],
)
def test_unweighted_coefficients_of_the_same_table(coefficient, value, error):
    found = coefficient(FOUR_BY_TWELVE, categories=CATEGORIES)
    assert (found.estimate.value, found.estimate.standard_error) == (near(value), near(error))
    assert found.observed == near(0.81818)


def test_alpha_has_gwets_linearised_standard_error():
    assert krippendorff_alpha(FOUR_BY_TWELVE).estimate.standard_error == near(0.14557)


@pytest.mark.parametrize(
    ("weights", "ac2", "fleiss", "bp"),
    [
        ("quadratic", 0.91400, 0.86494, 0.90152),
        ("linear", 0.85874, 0.81794, 0.84848),
        ("ordinal", 0.89894, 0.85021, 0.88636),
    ],
)
def test_weighted_coefficients(weights, ac2, fleiss, bp):
    assert gwet_ac(FOUR_BY_TWELVE, weights=weights, categories=CATEGORIES).estimate.value == near(ac2)
    assert fleiss_kappa(FOUR_BY_TWELVE, weights=weights, categories=CATEGORIES).estimate.value == near(fleiss)
    assert brennan_prediger(FOUR_BY_TWELVE, weights=weights, categories=CATEGORIES).estimate.value == near(bp)


@pytest.mark.parametrize(("power", "value"), [(2.0, 0.84911), (1.0, 0.80038)])
def test_alpha_with_a_given_distance(power, value):
    # Gwet's alpha with quadratic and linear weights: distances |k - l|^power.
    codes = FOUR_BY_TWELVE - 1
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) ** power
    assert krippendorff_alpha(codes, distance=distance).estimate.value == near(value)


def test_gwets_ordinal_weights_are_not_krippendorffs_ordinal_metric():
    gap = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert krippendorff_alpha(FOUR_BY_TWELVE - 1, distance=gap * (gap + 1) / 20).estimate.value == near(0.83364)
    assert krippendorff_alpha(FOUR_BY_TWELVE, "ordinal").estimate.value == near(0.815388)


def test_fleiss_ten_subjects_fourteen_raters():
    ratings = ratings_from_counts(table_of("fleiss_10x14_counts.csv"))
    found = fleiss_kappa(ratings)
    assert (found.observed, found.expected) == (near(0.37802), near(0.21276))
    assert (found.estimate.value, found.estimate.standard_error) == (near(0.20993), near(0.09237))
    assert gwet_ac(ratings).estimate.value == near(0.22561)
    assert brennan_prediger(ratings).estimate.value == near(0.22253)
    assert raw_agreement(ratings).value == near(0.37802)


def test_three_by_three_abstractors_of_gwet():
    ratings = ratings_from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    found = cohen_kappa(ratings).estimate
    assert (found.value, found.standard_error) == (near(0.79641), near(0.05891))
    assert fleiss_kappa(ratings).estimate.value == near(0.79624)
    assert gwet_ac(ratings).estimate.value == near(0.84933)
    assert brennan_prediger(ratings).estimate.value == near(0.835)
    assert krippendorff_alpha(ratings).estimate.value == near(0.79726)
    assert raw_agreement(ratings).value == near(0.89)


def test_two_by_two_table():
    ratings = ratings_from_table([[20, 5], [10, 15]])
    found = cohen_kappa(ratings).estimate
    assert (found.value, found.standard_error) == (near(0.400), near(0.127))
    assert fleiss_kappa(ratings).estimate.value == near(0.39394)
    assert gwet_ac(ratings).estimate.value == near(0.40594)
    assert krippendorff_alpha(ratings).estimate.value == near(0.4000)


@pytest.mark.parametrize(
    ("table", "kappa", "ac1"), [([[40, 9], [6, 45]], 0.6995, 0.7008), ([[80, 10], [5, 5]], 0.3182, 0.8080)]
)
def test_paradox_of_feinstein_and_cicchetti(table, kappa, ac1):
    ratings = ratings_from_table(table)
    assert raw_agreement(ratings).value == near(0.85)
    assert cohen_kappa(ratings).estimate.value == near(kappa)
    assert gwet_ac(ratings).estimate.value == near(ac1)
    assert brennan_prediger(ratings).estimate.value == near(0.70)


def test_extreme_prevalence_is_warned_of():
    ratings = ratings_from_table([[118, 5], [2, 0]])
    kappa, ac1 = cohen_kappa(ratings).estimate.value, gwet_ac(ratings).estimate.value
    assert (kappa, ac1) == (near(-0.0234), near(0.9408))
    assert brennan_prediger(ratings).estimate.value == near(0.888)
    assert raw_agreement(ratings).value == near(0.944)
    assert "prevails" in (prevalence_warning(krippendorff_alpha(ratings).estimate.value, ac1) or "")


def test_cohen_1968_weighted_by_disagreement():
    ratings = ratings_from_table([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    weights = weights_from_disagreement([[0, 1, 3], [1, 0, 6], [3, 6, 0]])
    assert cohen_kappa(ratings).estimate.value == near(0.4915)
    assert cohen_kappa(ratings, weights=weights).estimate.value == near(0.3478)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_of_newcombe_1998(successes, n, low, high):
    found = proportion(successes, n, kind="wilson")
    assert (found.low, found.high) == (near(low), near(high))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe (1998), table I, method 5: Clopper-Pearson.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_exact_intervals_of_newcombe_1998(successes, n, low, high):
    found = proportion(successes, n, kind="exact")
    assert (found.low, found.high) == (near(low), near(high))


def test_cohen_table_of_krippendorff_small_sample_relation():
    # Without gaps and with two raters: alpha = 1 - (1 - pi)(N - 1)/N.
    ratings = ratings_from_table([[20, 5], [10, 15]])
    pi, n = fleiss_kappa(ratings).estimate.value, 100
    assert krippendorff_alpha(ratings).estimate.value == pytest.approx(1 - (1 - pi) * (n - 1) / n, abs=1e-12)
