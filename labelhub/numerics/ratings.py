"""The one form in which this package takes ratings: ``ratings[unit, rater]``, float, NaN where a rater did not rate.

Categories are numbers (codes of classes, or measured values). Tables and counts from publications are turned into this
form here, so that no function has two input forms. Not here: any coefficient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.results import FloatArray, IntArray

# Whole numbers in a range no wider than this are counted in place of sorted.
_COUNTED = 1_000


def rating_matrix(ratings: ArrayLike) -> FloatArray:
    """The ratings as a float array ``[unit, rater]``; a ValueError names what is wrong with them.

    Examples
    --------
    >>> rating_matrix([[1, 2], [3, float("nan")]]).shape
    (2, 2)
    """
    matrix = np.asarray(ratings, dtype=np.float64)
    if matrix.ndim != 2:
        message = f"ratings have {matrix.ndim} dimensions; they must have two, ratings[unit, rater]"
        raise ValueError(message)
    if np.isinf(matrix).any():
        message = "ratings contain an infinite value; allowed are finite numbers, and NaN for a rating not given"
        raise ValueError(message)
    return matrix


def category_values(ratings: FloatArray, categories: Sequence[float] | None) -> FloatArray:
    """The possible categories in their order: those given, else the sorted values that occur.

    Raises
    ------
    ValueError
        Where ``categories`` repeats a value, or a rating is outside them.
    """
    occurring = _occurring(ratings)
    if categories is None:
        return occurring
    possible = np.asarray(categories, dtype=np.float64)
    if possible.ndim != 1 or len(np.unique(possible)) != len(possible):
        message = f"categories is {categories!r}; a list of different numbers is needed"
        raise ValueError(message)
    outside = np.setdiff1d(occurring, possible)
    if len(outside):
        message = f"ratings contain {outside[:5].tolist()}; allowed are the categories {possible.tolist()}"
        raise ValueError(message)
    return possible


def _occurring(ratings: FloatArray) -> FloatArray:
    """The sorted different values; those of many ratings in few whole numbers are counted, which sorting is not."""
    given = ratings[~np.isnan(ratings)]
    low, high = given.min(initial=np.inf), given.max(initial=-np.inf)
    if not high - low <= _COUNTED or not np.array_equal(np.rint(given), given):
        return np.unique(given)
    return np.asarray(low + np.nonzero(np.bincount((given - low).astype(np.int64)))[0], dtype=np.float64)


def category_codes(ratings: FloatArray, values: FloatArray) -> IntArray:
    """The position of every rating in ``values``, -1 where there is none: shape (unit, rater)."""
    if len(values) and np.array_equal(values, values[0] + np.arange(len(values))):
        return np.where(np.isnan(ratings), -1.0, ratings - values[0]).astype(np.int64)
    order = np.argsort(values, kind="stable")
    present = ~np.isnan(ratings)
    codes = np.full(ratings.shape, -1, dtype=np.int64)
    codes[present] = order[np.searchsorted(values[order], ratings[present])]
    return codes


def category_counts(codes: IntArray, n_categories: int) -> FloatArray:
    """How many raters put each unit into each category: float, shape (unit, category).

    Examples
    --------
    >>> category_counts(np.array([[0, 0, 1], [1, -1, -1]]), 2).tolist()
    [[2.0, 1.0], [0.0, 1.0]]
    """
    n_units = len(codes)
    unit, rater = np.nonzero(codes >= 0)
    flat = unit * n_categories + codes[unit, rater]
    return np.bincount(flat, minlength=n_units * n_categories).reshape(n_units, n_categories).astype(np.float64)


def ratings_from_counts(counts: ArrayLike) -> FloatArray:
    """Ratings with the given ``counts[unit, category]``; raters are anonymous, categories are 0, 1, 2 and so on.

    Only coefficients that do not ask who rated (all but Cohen's and pairwise ones) may be computed from the result.

    Raises
    ------
    ValueError
        Where counts are no matrix of whole numbers of at least 0.

    Examples
    --------
    >>> ratings_from_counts([[2, 1], [0, 2]]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 1.0, nan]]
    """
    table = np.asarray(counts)
    if table.ndim != 2 or (table < 0).any() or (table != np.floor(table)).any():
        message = "counts must be whole numbers of at least 0 with two dimensions, counts[unit, category]"
        raise ValueError(message)
    whole = table.astype(np.int64)
    size = whole.sum(axis=1)
    ratings = np.full((len(table), int(size.max(initial=0))), np.nan)
    given = np.arange(ratings.shape[1])[None, :] < size[:, None]
    ratings[given] = np.repeat(np.tile(np.arange(table.shape[1]), len(table)), whole.ravel())
    return ratings


def ratings_from_table(table: ArrayLike) -> FloatArray:
    """Ratings of two raters with the cross table ``table[first rater, second rater]``; categories are 0, 1, 2, ...

    Raises
    ------
    ValueError
        Where the table is not square, or a count is not whole or below 0.

    Examples
    --------
    >>> ratings_from_table([[1, 0], [1, 1]]).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    counts = np.asarray(table)
    is_square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    if not is_square or not ((counts >= 0) & (counts == np.floor(counts))).all():
        message = f"table is {counts.tolist()}; a square table of whole counts of at least 0 is needed"
        raise ValueError(message)
    first, second = np.indices(counts.shape)
    repeats = counts.astype(np.int64).ravel()
    return np.column_stack([np.repeat(first.ravel(), repeats), np.repeat(second.ravel(), repeats)]).astype(np.float64)
