"""Chance-corrected and raw agreement between raters on categories, missing ratings allowed everywhere.

Raw agreement, Scott's pi / Fleiss' kappa, Brennan-Prediger and Gwet's AC1/AC2 for any number of raters. Cohen's kappa
is in ``cohen``, Krippendorff's alpha in ``alpha``, agreement on one category in ``specific``. Agreement is between
people: accuracy against gold is not computed here.

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed. (formulas and linearised standard errors).
Fleiss JL (1971) Measuring nominal scale agreement among many raters. Psychol Bull 76:378-382.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, bootstrap_interval, ratio_estimate
from labelhub.numerics.proportions import proportion_interval
from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, check_level, undefined
from labelhub.numerics.weights import Weights, agreement_weights

METHOD = "agreement of raters"
VERSION = "1"

PREVALENCE_GAP = 0.2
_SAME = 1e-12

Chance: TypeAlias = Literal["fleiss", "gwet", "brennan-prediger"]

_EXPECTED_NAMES = {"fleiss": "Fleiss' kappa", "gwet": "Gwet's AC", "brennan-prediger": "Brennan–Prediger"}


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """A coefficient with its parts.

    ``observed`` and ``expected`` agreement; ``unit_agreement[unit]`` is the share of agreeing pairs of ratings on the
    unit (NaN with fewer than two ratings); ``influence[unit]`` are the linearised contributions whose mean is the
    coefficient (for planning; empty where there is no analytic form).
    """

    estimate: Estimate
    observed: float
    expected: float
    unit_agreement: FloatArray
    influence: FloatArray


@checked
def raw_agreement(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Estimate:
    """The share of pairs of raters that agree on a unit, averaged over units with at least two ratings.

    1 means that every two raters agree on every unit. It is not corrected for chance.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate.
    weights : str or array, shape (category, category)
        Partial credit for near misses; identity by default.
    categories : sequence of float, optional
        The possible categories in order; those that occur by default.
    resampling : Resampling, optional
        How to make the interval; without it the interval is Student's over units, and Wilson's (Jeffreys' below ten
        units) where the share is exactly 0 or 1.
    unit : str
        What a row is, in words and in the plural.
    level : float
        Confidence level, strictly between 0 and 1; a resampling brings its own.

    Returns
    -------
    Estimate
        ``n`` counts units with at least two ratings. NaN with a reason where there is none, such as with one rater.

    Raises
    ------
    ValueError
        Where ratings are not a matrix or infinite, a rating is outside ``categories``, or ``weights`` are none.

    Examples
    --------
    Fleiss (1971) as tabulated by Wikipedia has .378; here two raters agree on three units of four:

    >>> raw_agreement([[1, 1], [2, 2], [1, 2], [1, 1]]).value
    0.75
    """
    check_level(level)
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    share = unit_agreement(counts_by_unit(matrix, values), agreement_weights(weights, len(values)))
    known = np.isfinite(share)
    method = "raw agreement" if is_identity(weights) else "weighted raw agreement"
    if resampling is not None:
        return ratio_estimate(
            np.where(known, share, 0.0), known.astype(np.float64), resampling, unit=unit, method=method, version=VERSION
        )
    n = int(known.sum())
    if n == 0:
        return undefined(f"no {unit} with two ratings", n=0, unit=unit, method=method, version=VERSION, level=level)
    value = float(share[known].mean())
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=level)
    if n > 1 and value in (0.0, 1.0):
        return bare.with_interval(proportion_interval(value * n, n, level=level, unit=unit))
    return with_student_interval(bare, share[known])


@checked
def fleiss_kappa(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Fleiss' kappa (Scott's pi for two raters): 1 is perfect, 0 is chance, negative is systematic disagreement.

    Chance takes all raters to share one distribution over categories, that of all rated units (those with one rating
    too). The interval is Student's with Gwet's linearised error over units that anybody rated. NaN with a reason where
    no unit has two ratings, or where chance agreement is 1. Parameters as in :func:`raw_agreement`.

    Examples
    --------
    Two raters, table (20, 5 / 10, 15): Scott's pi is .39394.

    >>> from labelhub.numerics.ratings import ratings_from_table
    >>> round(fleiss_kappa(ratings_from_table([[20, 5], [10, 15]])).estimate.value, 5)
    0.39394
    """
    return _chance_corrected(ratings, "fleiss", weights, categories, resampling, unit, level)


@checked
def gwet_ac(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Gwet's AC1 (AC2 with weights): chance-corrected agreement that stays stable where one category is rare.

    Pass ``categories``: the number of *possible* categories enters the formula, not of those that happen to occur.
    Interval, undefined cases and parameters as in :func:`fleiss_kappa`; with one possible category it is undefined.

    Examples
    --------
    Extreme prevalence (118, 5 / 2, 0): kappa is -.0234 although 94 % agree; AC1 is .9408 (Gwet 2014).

    >>> from labelhub.numerics.ratings import ratings_from_table
    >>> round(gwet_ac(ratings_from_table([[118, 5], [2, 0]])).estimate.value, 4)
    0.9408
    """
    return _chance_corrected(ratings, "gwet", weights, categories, resampling, unit, level)


@checked
def brennan_prediger(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Brennan-Prediger: chance takes every possible category to be equally likely. Else as :func:`gwet_ac`.

    Examples
    --------
    Abstractors (13, 0, 0 / 0, 20, 7 / 0, 4, 56): .835 (Gwet 2014).

    >>> from labelhub.numerics.ratings import ratings_from_table
    >>> ratings = ratings_from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    >>> round(brennan_prediger(ratings).estimate.value, 3)
    0.835
    """
    return _chance_corrected(ratings, "brennan-prediger", weights, categories, resampling, unit, level)


@checked
def prevalence_warning(alpha: float, ac: float) -> str | None:
    """The warning where alpha and AC differ by more than 0.2: agreement is high, one category is rare, alpha is harsh.

    Examples
    --------
    >>> prevalence_warning(-0.0234, 0.9408) is None
    False
    >>> prevalence_warning(0.70, 0.71) is None
    True
    """
    if math.isnan(alpha) or math.isnan(ac) or abs(alpha - ac) <= PREVALENCE_GAP:
        return None
    return (
        f"alpha {alpha:.2f} and AC {ac:.2f} differ by more than {PREVALENCE_GAP}: one category prevails, "
        "so neither number tells the story alone; look at agreement on the rare category"
    )


def with_student_interval(estimate: Estimate, influence: FloatArray) -> Estimate:
    """The estimate with the interval ``value -+ t(n-1) s/sqrt(n)`` of its per-unit contributions, clipped at -1 and 1.

    Where all contributions are equal (perfect agreement) there is none: that few units do not differ is no certainty.
    """
    n = len(influence)
    if n < 2:
        reason = f"only {n} {estimate.unit} carry a value; an interval needs at least 2"
        return replace(estimate, interval_reason=reason, n_groups=n, group_unit=estimate.unit)
    deviation = influence - estimate.value
    error = math.sqrt(float(deviation @ deviation) / (n * (n - 1)))
    if error <= _SAME:
        reason = f"all {estimate.unit} agree alike, so their spread says nothing of the error"
        return replace(estimate, interval_reason=reason, n_groups=n, group_unit=estimate.unit)
    half = float(stats.t.ppf(0.5 + estimate.level / 2, n - 1)) * error
    interval = Interval(
        max(-1.0, estimate.value - half), min(1.0, estimate.value + half), estimate.level,
        "analytic (Gwet), independent units", n_groups=n, group_unit=estimate.unit,
    )  # fmt: skip
    return replace(estimate.with_interval(interval), standard_error=error)


def _chance_corrected(
    ratings: ArrayLike,
    chance: Chance,
    weights: Weights,
    categories: Sequence[float] | None,
    resampling: Resampling | None,
    unit: str,
    level: float,
) -> Agreement:
    check_level(level)
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    q = len(values)
    weight = agreement_weights(weights, q)
    counts = counts_by_unit(matrix, values)
    rated = counts.sum(axis=1) > 0
    share = unit_agreement(counts, weight)
    method = _EXPECTED_NAMES[chance] + ("" if chance != "gwet" else ("1" if is_identity(weights) else "2"))
    method = method if is_identity(weights) or chance == "gwet" else f"weighted {method}"
    known = np.isfinite(share)
    n = int(known.sum())
    contributions = _contributions(counts, share)
    statistic = _statistic(chance, weight)
    observed, expected = _parts(contributions.sum(axis=0, keepdims=True), chance, weight)
    parts = (float(observed[0]), float(expected[0]))
    value = float(corrected(observed, expected)[0])
    if math.isnan(value):
        only = "possible" if len(weight) < 2 else "used"
        reason = f"no {unit} with two ratings" if n == 0 else f"only one category is {only}: chance agreement is 1"
        empty = undefined(reason, n=n, unit=unit, method=method, version=VERSION, level=level)
        return Agreement(empty, *parts, share, np.empty(0))
    estimate = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=level)
    influence = _influence(counts[rated], share[rated], chance, weight, parts, value)
    estimate = with_student_interval(estimate, influence)
    if resampling is not None:
        estimate = estimate.with_interval(bootstrap_interval(contributions, statistic, resampling))
    spread = np.full(len(matrix), NAN)
    spread[rated] = influence
    return Agreement(estimate, *parts, share, spread)


def counts_by_unit(matrix: FloatArray, values: FloatArray) -> FloatArray:
    """How many raters put each unit into each of the category ``values``: shape (unit, category)."""
    return category_counts(category_codes(matrix, values), len(values))


def unit_agreement(counts: FloatArray, weight: FloatArray) -> FloatArray:
    """Agreement within each unit, p_a|i = sum_k r_ik (r*_ik - 1) / (r_i (r_i - 1)); NaN with fewer than two ratings."""
    raters = counts.sum(axis=1)
    near = counts @ weight.T
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (counts * (near - 1)).sum(axis=1) / (raters * (raters - 1))
    return np.where(raters >= 2, share, NAN)


def _contributions(counts: FloatArray, share: FloatArray) -> FloatArray:
    """Columns: p_a|i, 1 where two ratings, 1 where any rating, then r_ik / r_i of each category."""
    raters = counts.sum(axis=1)
    known = np.isfinite(share)
    profile = counts / np.maximum(raters, 1)[:, None]
    return np.column_stack([np.where(known, share, 0.0), known, raters > 0, profile]).astype(np.float64)


def _parts(totals: FloatArray, chance: Chance, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    q = len(weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = totals[:, 0] / totals[:, 1]
        prevalence = totals[:, 3:] / totals[:, 2:3]
        if chance == "fleiss":
            expected = np.einsum("bk,kl,bl->b", prevalence, weight, prevalence)
        elif chance == "gwet":
            expected = weight.sum() / np.float64(q * (q - 1)) * (prevalence * (1 - prevalence)).sum(axis=1)
        else:
            expected = np.full(len(totals), weight.sum() / np.float64(q * q))
    return observed, expected


def corrected(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """(p_a - p_e) / (1 - p_e), NaN where chance agreement is 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), NAN)


def _statistic(chance: Chance, weight: FloatArray) -> Statistic:
    def coefficient(totals: FloatArray) -> FloatArray:
        return corrected(*_parts(totals, chance, weight))

    return coefficient


def _influence(
    counts: FloatArray, share: FloatArray, chance: Chance, weight: FloatArray, parts: tuple[float, float], value: float
) -> FloatArray:
    """Gwet's linearised contributions kappa*_i = kappa_i - 2 (1 - kappa)(p_e|i - p_e)/(1 - p_e)."""
    expected = parts[1]
    raters = counts.sum(axis=1)
    profile = counts / raters[:, None]
    prevalence = profile.mean(axis=0)
    n, n_known, q = len(counts), np.isfinite(share).sum(), len(weight)
    unit_value = np.where(np.isfinite(share), n / n_known * (share - expected) / (1 - expected), 0.0)
    if chance == "gwet":
        unit_expected = weight.sum() / (q * (q - 1)) * profile @ (1 - prevalence)
    elif chance == "fleiss":
        unit_expected = profile @ ((weight + weight.T) @ prevalence / 2)
    else:
        unit_expected = np.full(n, expected)
    return np.asarray(unit_value - 2 * (1 - value) * (unit_expected - expected) / (1 - expected), dtype=np.float64)


def is_identity(weights: Weights) -> bool:
    """Whether these are the weights that give no partial credit."""
    return isinstance(weights, str) and weights == "identity"
