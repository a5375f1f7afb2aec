"""Krippendorff's alpha: nominal, ordinal, interval, ratio or any distance between values; any raters, any gaps.

1 is perfect agreement, 0 is what chance gives, negative is systematic disagreement. Not here: alpha of shapes, whose
distances exist between annotations and not between values (``structured``).

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability. University of Pennsylvania.
Hayes AF, Krippendorff K (2007) Answering the call for a standard reliability measure. Commun Methods Meas 1:77-89.
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed. (linearised standard error).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.agreement import with_student_interval
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, bootstrap_interval
from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, Interval, check_level, undefined

METHOD = "Krippendorff's alpha"
VERSION = "1"

NO_VARIATION = "no variation: every pairable rating has the same value, so chance disagreement is 0"
# Above this size the ranks of ordinal values stay those of the whole set while groups are resampled.
_MAX_COINCIDENCES = 50_000_000
# Above this many values no table of values by values is made.
_MAX_CATEGORIES = 2_000
_ZERO = 1e-12

Measure: TypeAlias = Literal["nominal", "ordinal", "interval", "ratio"]


@dataclass(frozen=True, slots=True, eq=False)
class Alpha:
    """Alpha with its parts.

    ``observed`` and ``expected`` are D_o and D_e; ``unit_disagreement[unit]`` is the mean distance between two ratings
    of the unit (NaN with fewer than two); ``n_ratings`` counts the pairable ratings (of units with at least two);
    ``influence[unit]`` are linearised contributions whose mean is about alpha, NaN where the unit is not pairable.
    """

    estimate: Estimate
    observed: float
    expected: float
    unit_disagreement: FloatArray
    influence: FloatArray
    n_ratings: int


@checked
def krippendorff_alpha(
    ratings: ArrayLike,
    measure: Measure = "nominal",
    *,
    distance: ArrayLike | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Alpha:
    """Krippendorff's alpha of ratings with gaps: D_o / D_e is observed over chance disagreement, alpha one minus it.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate. Units with fewer than two ratings do not count.
    measure : {"nominal", "ordinal", "interval", "ratio"}
        Which difference counts how much. "ratio" needs values of at least 0.
    distance : array of float, shape (category, category), optional
        Any symmetric distance with 0 on the diagonal, in place of ``measure``; ratings are then its row numbers.
    resampling : Resampling, optional
        How to make the interval; without it the interval is Gwet's analytic one, over independent units.
    unit : str
        What a row is, in words and in the plural.
    level : float
        Of the analytic interval; a resampling brings its own.

    Returns
    -------
    Alpha
        ``estimate.n`` counts units with two ratings. NaN with a reason where there is none (one rater, say), or where all
        values are equal (D_e = 0; this is not 1). Without an analytic interval, with a reason, where all units agree.

    Raises
    ------
    ValueError
        Where ratings are not a matrix or infinite, the measure is unknown, the distance is not one (or a rating is none
        of its rows), or ratio data are negative.

    Examples
    --------
    Krippendorff (2011), data E: four observers, twelve units, nominal .743, ordinal .815.

    >>> gap = float("nan")
    >>> observers = np.array([[1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
    ...                       [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap]])
    >>> [round(krippendorff_alpha(observers.T, measure).estimate.value, 3) for measure in ("nominal", "ordinal")]
    [0.743, 0.815]
    """
    check_level(level)
    matrix = rating_matrix(ratings)
    _check_measure(measure, matrix, distance)
    name = "given distance" if distance is not None else measure
    method = f"{METHOD} ({name})"
    present = ~np.isnan(matrix)
    pairable = present.sum(axis=1) >= 2
    rows = matrix[pairable]
    n_ratings = int(present[pairable].sum())
    spread = np.full(len(matrix), NAN)
    if n_ratings == 0:
        empty = undefined(f"no {unit} with two ratings", n=0, unit=unit, method=method, version=VERSION, level=level)
        return Alpha(empty, NAN, NAN, spread, spread.copy(), 0)
    terms = _terms(rows, measure, distance)
    total = terms.contributions.sum(axis=0, keepdims=True)
    unit_sums, expected_sum = terms.unit_sums, terms.expected_sum
    observed, expected = float(unit_sums.sum() / n_ratings), expected_sum / (n_ratings * (n_ratings - 1))
    spread[pairable] = unit_sums / present[pairable].sum(axis=1)
    n = int(pairable.sum())
    value = float(terms.statistic(total)[0])
    if math.isnan(value):
        empty = undefined(NO_VARIATION, n=n, unit=unit, method=method, version=VERSION, level=level)
        return Alpha(empty, observed, expected, spread, np.full(len(matrix), NAN), n_ratings)
    influence = np.full(len(matrix), NAN)
    estimate = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=level)
    if terms.codes is not None and terms.distances is not None:
        influence[pairable] = _influence(terms.codes, terms.distances, unit_sums)
        estimate = with_student_interval(estimate, _recentred(influence[pairable], value))
    else:
        reason = f"more than {_MAX_CATEGORIES} different values: pass a resampling for an interval"
        estimate = estimate.with_interval(Interval(level=level, reason=reason))
    if resampling is not None:
        estimate = _resampled(estimate, terms, pairable, resampling)
    return Alpha(estimate, observed, expected, spread, influence, n_ratings)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What alpha is made of: sums over units for the bootstrap, and D_o's and D_e's numerators."""

    contributions: FloatArray
    statistic: Statistic
    unit_sums: FloatArray
    expected_sum: float
    codes: IntArray | None
    distances: FloatArray | None
    warnings: tuple[str, ...] = ()


def alpha_terms(ratings: FloatArray, measure: Measure) -> Terms:
    """The sums that alpha is made of, one row a unit (0 where it is not pairable), for a bootstrap of something more.

    Examples
    --------
    >>> terms = alpha_terms(np.array([[1.0, 2.0], [1.0, 1.0], [2.0, np.nan]]), "nominal")
    >>> terms.contributions.shape, round(float(terms.statistic(terms.contributions.sum(axis=0, keepdims=True))[0]), 3)
    ((3, 3), 0.0)
    """
    pairable = (~np.isnan(ratings)).sum(axis=1) >= 2
    terms = _terms(ratings[pairable], measure, None)
    contributions = np.zeros((len(ratings), terms.contributions.shape[1]))
    contributions[pairable] = terms.contributions
    return replace(terms, contributions=contributions)


def value_distances(values: FloatArray, totals: FloatArray, measure: Measure) -> FloatArray:
    """Krippendorff's squared distances between ``values`` that occur ``totals`` times: shape (value, value).

    Examples
    --------
    >>> value_distances(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 2.0]), "ordinal")[0].tolist()
    [0.0, 9.0, 36.0]
    """
    _check_measure(measure, values, None)
    if measure == "nominal":
        return 1 - np.eye(len(values))
    if measure == "ratio":
        both = values[:, None] + values[None, :]
        return np.asarray(((values[:, None] - values[None, :]) / np.where(both > 0, both, 1.0)) ** 2, dtype=np.float64)
    place = _mid_ranks(totals) if measure == "ordinal" else values
    return np.asarray((place[:, None] - place[None, :]) ** 2, dtype=np.float64)


def _terms(rows: FloatArray, measure: Measure, distance: ArrayLike | None) -> Terms:
    if distance is not None:
        distances = np.asarray(distance, dtype=np.float64)
        return _matrix_terms(category_codes(rows, np.arange(len(distances), dtype=np.float64)), distances)
    values = category_values(rows, None)
    codes = category_codes(rows, values)
    if measure == "nominal":
        return _nominal_terms(codes, len(values))
    if measure == "ratio" and len(values) > _MAX_CATEGORIES:
        terms = _terms(_on_levels(rows, values), measure, None)
        return replace(
            terms, warnings=(f"values were put on {_MAX_CATEGORIES - 1} levels evenly spaced in their logarithm",)
        )
    if measure == "ratio":
        return _matrix_terms(codes, value_distances(values, np.ones(len(values)), measure))
    if measure == "interval":
        return _interval_terms(rows, codes, values)
    ranks = _mid_ranks(np.bincount(codes[codes >= 0], minlength=len(values)).astype(np.float64))
    if len(rows) * len(values) ** 2 <= _MAX_COINCIDENCES:
        return _ordinal_terms(codes, ranks)
    present = codes >= 0
    terms = _interval_terms(np.where(present, ranks[codes], NAN), codes, ranks)
    note = "too many different values to rank anew in each resample: ranks are those of the whole set"
    return replace(terms, warnings=(note,))


def _nominal_terms(codes: IntArray, n_values: int) -> Terms:
    counts = category_counts(codes, n_values)
    raters = counts.sum(axis=1)
    sums = (raters**2 - (counts**2).sum(axis=1)) / (raters - 1)
    totals = counts.sum(axis=0)
    distances = 1 - np.eye(n_values) if n_values <= _MAX_CATEGORIES else None
    return Terms(
        np.column_stack([sums, counts]), _nominal_alpha, sums, float(totals.sum() ** 2 - (totals**2).sum()),
        codes if distances is not None else None, distances,
    )  # fmt: skip


def _nominal_alpha(totals: FloatArray) -> FloatArray:
    counts = totals[:, 1:]
    n = counts.sum(axis=1)
    return _alpha(totals[:, 0], n**2 - (counts**2).sum(axis=1), n, n**2)


def _interval_terms(rows: FloatArray, codes: IntArray, values: FloatArray) -> Terms:
    # Centring keeps the differences of large sums exact; the first value makes equal ratings exactly 0.
    present = codes >= 0
    centred = np.where(present, rows - rows[present][0], 0.0)
    raters, first, second = present.sum(axis=1), centred.sum(axis=1), (centred**2).sum(axis=1)
    deviation = np.where(present, centred - (first / raters)[:, None], 0.0)
    sums = 2 * raters * (deviation**2).sum(axis=1) / (raters - 1)
    contributions = np.column_stack([sums, raters, first, second]).astype(np.float64)
    n, total, square = contributions[:, 1:].sum(axis=0)
    small = len(values) <= _MAX_CATEGORIES
    distances = (values[:, None] - values[None, :]) ** 2 if small else None
    return Terms(
        contributions, _interval_alpha, sums, float(2 * (n * square - total**2)), codes if small else None, distances
    )


def _interval_alpha(totals: FloatArray) -> FloatArray:
    n, first, second = totals[:, 1], totals[:, 2], totals[:, 3]
    return _alpha(totals[:, 0], 2 * (n * second - first**2), n, n * second)


def _on_levels(rows: FloatArray, values: FloatArray) -> FloatArray:
    """Ratio distances depend on the logarithms' difference alone, so levels even in the logarithm err evenly."""
    positive = values[values > 0]
    low, high = np.log(positive[0]), np.log(positive[-1])
    step = (high - low) / (_MAX_CATEGORIES - 2)
    with np.errstate(divide="ignore"):
        level = np.round((np.log(rows) - low) / step)
    return np.asarray(np.where(rows > 0, np.exp(low + level * step), rows), dtype=np.float64)


def _matrix_terms(codes: IntArray, distances: FloatArray) -> Terms:
    counts = category_counts(codes, len(distances))
    raters = counts.sum(axis=1)
    sums = ((counts @ distances) * counts).sum(axis=1) / (raters - 1)

    def matrix_alpha(totals: FloatArray) -> FloatArray:
        drawn = totals[:, 1:]
        n = drawn.sum(axis=1)
        return _alpha(totals[:, 0], ((drawn @ distances) * drawn).sum(axis=1), n, n**2 * distances.max())

    totals = counts.sum(axis=0)
    expected = float(totals @ distances @ totals)
    return Terms(np.column_stack([sums, counts]), matrix_alpha, sums, expected, codes, distances)


def _ordinal_terms(codes: IntArray, ranks: FloatArray) -> Terms:
    """Contributions are coincidences, because the ordinal distance itself depends on how often each value occurs."""
    q = len(ranks)
    counts = category_counts(codes, q)
    raters = counts.sum(axis=1)
    coincidences = counts[:, :, None] * counts[:, None, :]
    coincidences[:, np.arange(q), np.arange(q)] -= counts
    coincidences /= (raters - 1)[:, None, None]
    distances = (ranks[:, None] - ranks[None, :]) ** 2
    totals = counts.sum(axis=0)

    def ordinal_alpha(sums: FloatArray) -> FloatArray:
        tables = sums.reshape(-1, q, q)
        occurs = tables.sum(axis=2)
        rank = _mid_ranks(occurs)
        n = occurs.sum(axis=1)
        rank = rank - n[:, None] / 2
        square = (occurs * rank**2).sum(axis=1)
        within = ((tables @ rank[:, :, None])[:, :, 0] * rank).sum(axis=1)
        observed = 2 * (square - within)
        return _alpha(observed, 2 * (n * square - (occurs * rank).sum(axis=1) ** 2), n, n * square)

    return Terms(
        coincidences.reshape(len(codes), q * q), ordinal_alpha,
        (coincidences * distances).sum(axis=(1, 2)), float(totals @ distances @ totals), codes, distances,
    )  # fmt: skip


def _mid_ranks(counts: FloatArray) -> FloatArray:
    """Positions whose squared differences are the ordinal distances (n_g added from a to b, less half of both ends)."""
    return np.asarray(np.cumsum(counts, axis=-1) - counts / 2, dtype=np.float64)


def _alpha(observed_sum: FloatArray, expected_sum: FloatArray, n: FloatArray, scale: FloatArray) -> FloatArray:
    """One minus D_o / D_e with D_o = observed_sum / N, D_e = expected_sum / (N (N - 1)); NaN where D_e is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - (n - 1) * observed_sum / expected_sum
    return np.where(expected_sum > _ZERO * scale, value, NAN)


def _influence(codes: IntArray, distances: FloatArray, unit_sums: FloatArray) -> FloatArray:
    """Gwet's linearised contributions, with agreement weights 1 - distance / largest distance."""
    weight = 1 - distances / max(float(distances.max()), np.finfo(float).tiny)
    counts = category_counts(codes, len(distances))
    raters = counts.sum(axis=1)
    mean_raters = raters.mean()
    pairs_agree = raters - unit_sums / max(float(distances.max()), np.finfo(float).tiny)
    share = counts.mean(axis=0) / mean_raters
    expected = float(share @ weight @ share)
    excess = (raters - mean_raters) / mean_raters
    observed = float(pairs_agree.mean() / mean_raters)
    value = (observed - expected) / (1 - expected)
    # Units with more raters weigh more, so the observed and the expected part are both ratios of sums.
    agreement = pairs_agree / mean_raters - observed * excess
    unit_expected = counts @ (weight @ share) / mean_raters - expected * excess
    unit_value = (agreement - expected) / (1 - expected)
    return np.asarray(unit_value - 2 * (1 - value) * (unit_expected - expected) / (1 - expected), dtype=np.float64)


def _recentred(influence: FloatArray, value: float) -> FloatArray:
    """Contributions shifted to have ``value`` as their mean: alpha's small-sample term is a constant, not a spread."""
    return np.asarray(influence - influence.mean() + value, dtype=np.float64)


def _resampled(estimate: Estimate, terms: Terms, pairable: np.ndarray, resampling: Resampling) -> Estimate:
    groups = None if resampling.groups is None else np.asarray(resampling.groups)
    if groups is not None:
        if groups.shape != pairable.shape:
            message = f"groups has shape {groups.shape}; one entry for each of the {len(pairable)} units is needed"
            raise ValueError(message)
        groups = groups[pairable]
    chosen = Resampling(
        resampling.rng, groups, resampling.group_unit, resampling.n_resamples, resampling.kind, resampling.level
    )
    interval = bootstrap_interval(terms.contributions, terms.statistic, chosen)
    return estimate.with_interval(interval).with_warnings(*terms.warnings)


def _check_measure(measure: str, matrix: FloatArray, distance: ArrayLike | None) -> None:
    if distance is None:
        if measure == "ratio" and (matrix[~np.isnan(matrix)] < 0).any():
            message = "ratings contain a negative value; ratio data start at 0 (use measure='interval')"
            raise ValueError(message)
        return
    given = np.asarray(distance, dtype=np.float64)
    square = given.ndim == 2 and given.shape[0] == given.shape[1]
    if not (square and np.isfinite(given).all() and (given >= 0).all() and np.allclose(given, given.T)):
        message = f"distance has shape {given.shape}; a finite symmetric square matrix of at least 0 is needed"
        raise ValueError(message)
    if np.diag(given).any():
        message = "distance has a value other than 0 on its diagonal"
        raise ValueError(message)
    category_values(matrix, list(range(len(given))))
