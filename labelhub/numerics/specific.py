"""Agreement on one category among raters: the measure for detection, where what nobody saw cannot be counted.

For two raters positive specific agreement is the F1 score between them. Not here: matching the objects (``matching``).

References
----------
Uebersax JS (1982) A design-independent method for measuring the reliability of psychiatric diagnosis.
Hripcsak G, Rothschild AS (2005) Agreement, the F-measure, and reliability in information retrieval. JAMIA 12:296-298.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval, ratio_estimate
from labelhub.numerics.ratings import rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, Interval, undefined

METHOD = "positive specific agreement"
VERSION = "1"

Pairing: TypeAlias = Literal["pooled", "mean-over-pairs"]


@checked
def specific_agreement(
    ratings: ArrayLike,
    category: float = 1.0,
    *,
    pairing: Pairing = "pooled",
    resampling: Resampling | None = None,
    unit: str = "items",
    method: str = METHOD,
) -> Estimate:
    """If one rater gives the category, how likely another rater of the same unit does too: 2 both / (first + second).

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        For detection a unit is an object (a cluster of matched shapes) or an item read as empty by all: 1 found, 0 read
        but not found, NaN not read by this rater. A rater's column may mean different people in different units when
        ``pairing`` is "pooled".
    category : float
        The category asked about; 0 gives negative specific agreement.
    pairing : {"pooled", "mean-over-pairs"}
        "pooled" adds the pairs of all units and raters up before dividing; "mean-over-pairs" takes each pair of columns
        by itself and averages the pairs that used the category (identified raters only).
    resampling : Resampling, optional
        How to make the interval; without it there is none.
    unit : str
        What a row is, in words and in the plural.

    Returns
    -------
    Estimate
        ``n`` counts units in which at least one of two or more raters gave the category. NaN with a reason where none.

    Raises
    ------
    ValueError
        Where the pairing is unknown, or ratings are no matrix or infinite.

    Examples
    --------
    Table (20, 5 / 10, 15) with the first category asked about: 2 * 20 / (25 + 30).

    >>> from labelhub.numerics.ratings import ratings_from_table
    >>> round(specific_agreement(ratings_from_table([[20, 5], [10, 15]]), 0).value, 4)
    0.7273
    """
    matrix = rating_matrix(ratings)
    known = ~np.isnan(matrix)
    positive = (matrix == category).astype(np.float64)
    raters, given = known.sum(axis=1).astype(np.float64), positive.sum(axis=1)
    n = int(np.count_nonzero((raters >= 2) & (given >= 1)))
    if pairing == "pooled":
        both = np.where(raters >= 2, given * (given - 1), 0.0)
        either = np.where(raters >= 2, given * (raters - 1), 0.0)
        name = f"{method}, pooled over pairs"
        estimate = ratio_estimate(both, either, resampling, unit=unit, method=name, version=VERSION, n=n)
        if n == 0:
            reason = f"nobody gave the category in any of the {unit} rated twice"
            return replace(estimate, reason=reason, interval_reason=reason)
        return estimate
    return _mean_over_pairs(positive, known.astype(np.float64), n, resampling, unit, f"{method}, mean over pairs")


@dataclass(frozen=True, slots=True, eq=False)
class PairMatrix:
    """A measure of every pair of raters: ``values[rater, rater]`` (NaN where undefined) and what each rests on."""

    values: FloatArray
    n: IntArray
    unit: str
    method: str
    version: str = VERSION


@checked
def pairwise_specific_agreement(ratings: ArrayLike, category: float = 1.0, *, unit: str = "items") -> PairMatrix:
    """Specific agreement of every two raters; ``n`` counts units where at least one of the two gave the category.

    Parameters
    ----------
    ratings, category, unit
        As in :func:`specific_agreement`; columns are identified raters.

    Examples
    --------
    >>> pairwise_specific_agreement([[1, 1, 0], [1, 0, 0]]).values[0].tolist()
    [1.0, 0.6666666666666666, 0.0]
    """
    matrix = rating_matrix(ratings)
    known = (~np.isnan(matrix)).astype(np.float64)
    positive = (matrix == category).astype(np.float64)
    both = positive.T @ positive
    by_row = positive.T @ known
    return PairMatrix(_divided(2 * both, by_row + by_row.T), (by_row + by_row.T - both).astype(np.int64), unit, METHOD)


@checked
def pairwise_raw_agreement(ratings: ArrayLike, *, unit: str = "items") -> PairMatrix:
    """The share of commonly rated units on which two raters gave the same category; ``n`` counts those units.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        Columns are identified raters, NaN where one did not rate.
    unit : str
        What a row is, in words and in the plural.

    Examples
    --------
    >>> pairwise_raw_agreement([[1, 1], [2, 1], [1, float("nan")]]).values[0].tolist()
    [1.0, 0.5]
    """
    matrix = rating_matrix(ratings)
    known = (~np.isnan(matrix)).astype(np.float64)
    same = np.zeros((matrix.shape[1], matrix.shape[1]))
    for value in np.unique(matrix[~np.isnan(matrix)]):
        given = (matrix == value).astype(np.float64)
        same += given.T @ given
    common = known.T @ known
    return PairMatrix(_divided(same, common), common.astype(np.int64), unit, "raw agreement of a pair")


@dataclass(frozen=True, slots=True, eq=False)
class FoundBy:
    """How many objects exactly ``k`` of the raters who looked found: ``counts[k]``, of ``n`` objects in all."""

    n_raters: int
    counts: IntArray
    n: int


@checked
def found_by(ratings: ArrayLike) -> tuple[FoundBy, ...]:
    """For each number of raters who looked, how many objects were found by 1, 2, ... of them.

    Objects read by different numbers of people are kept apart: "found by two" means another thing of two than of four.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        1 found, 0 read but not found, NaN not read by this rater.

    Examples
    --------
    >>> [(row.n_raters, row.counts.tolist()) for row in found_by([[1, 1, 0], [1, 1, 1], [1, 0, float("nan")]])]
    [(2, [0, 1, 0]), (3, [0, 0, 1, 1])]
    """
    matrix = rating_matrix(ratings)
    raters = (~np.isnan(matrix)).sum(axis=1)
    found = (matrix == 1).sum(axis=1)
    rows = []
    for n_raters in np.unique(raters[found > 0]):
        counts = np.bincount(found[(raters == n_raters) & (found > 0)], minlength=n_raters + 1)
        rows.append(FoundBy(int(n_raters), counts.astype(np.int64), int(counts.sum())))
    return tuple(rows)


def _mean_over_pairs(
    positive: FloatArray, known: FloatArray, n: int, resampling: Resampling | None, unit: str, method: str
) -> Estimate:
    pairs = list(combinations(range(positive.shape[1]), 2))
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    both = 2 * positive[:, first] * positive[:, second]
    either = positive[:, first] * known[:, second] + positive[:, second] * known[:, first]
    contributions = np.column_stack([both, either])
    value = float(_mean_ratio(contributions.sum(axis=0, keepdims=True))[0]) if pairs else NAN
    if np.isnan(value):
        reason = f"no two raters of whom one gave the category in any of the {unit}"
        return undefined(reason, n=n, unit=unit, method=method, version=VERSION)
    estimate = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION)
    unused = int(np.count_nonzero(either.sum(axis=0) == 0))
    if unused:
        estimate = estimate.with_warnings(f"{unused} of {len(pairs)} pairs of raters never met the category: left out")
    if resampling is None:
        return estimate.with_interval(Interval(reason="no resampling was asked for"))
    return estimate.with_interval(bootstrap_interval(contributions, _mean_ratio, resampling))


def _mean_ratio(totals: FloatArray) -> FloatArray:
    n_pairs = totals.shape[1] // 2
    share = _divided(totals[:, :n_pairs], totals[:, n_pairs:])
    counted = np.isfinite(share)
    return _divided(np.where(counted, share, 0.0).sum(axis=1), counted.sum(axis=1).astype(np.float64))


def _divided(above: FloatArray, below: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, NAN)
