"""Signs that a rater answers without looking: little variety, long runs, answers that tell nothing of the truth.

Each sign has an innocent reading (a series of normal cases is a run), so that they are shown beside each other and judge
nobody. Not here: copying (``copying``), speed.

References
----------
Raykar VC, Yu S (2012) Eliminating spammers and ranking annotators for crowdsourced labeling tasks. JMLR 13:491-518, eq 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from labelhub.numerics.arguments import checked
from labelhub.numerics.ratings import category_codes, category_values, rating_matrix
from labelhub.numerics.results import NAN, FloatArray, IntArray

METHOD = "spam indices"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class SpamIndices:
    """One row a rater; NaN without answers.

    ``entropy`` of the answers from 0 (always the same) to 1 (all categories alike); ``commonest`` is the share of the
    commonest answer; ``longest_run`` of identical answers in the order given, and ``run_p_value``, the chance of one as
    long among as many independent answers with the same shares (an upper bound).
    """

    n: IntArray
    entropy: FloatArray
    commonest: FloatArray
    longest_run: IntArray
    run_p_value: FloatArray
    categories: FloatArray
    method: str = METHOD
    version: str = VERSION


@checked
def spam_indices(
    ratings: ArrayLike, *, order: ArrayLike | None = None, categories: Sequence[float] | None = None
) -> SpamIndices:
    """How varied each rater's answers are, and how long the same one was repeated.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate.
    order : array of float, shape (unit, rater), optional
        When each answer was given (any ascending number); the order of the units by default.
    categories : sequence of float, optional
        The possible categories; those that occur by default.

    Raises
    ------
    ValueError
        Where a rating is outside the categories, or order has another shape.

    Examples
    --------
    >>> found = spam_indices([[0, 0], [1, 0], [0, 0], [1, 0]])
    >>> found.entropy.tolist(), found.longest_run.tolist()
    ([1.0, 0.0], [1, 4])
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    codes = category_codes(matrix, values)
    when = np.broadcast_to(np.arange(len(matrix))[:, None], matrix.shape) if order is None else np.asarray(order)
    if when.shape != matrix.shape:
        message = f"order has shape {when.shape}; that of the ratings, {matrix.shape}, is needed"
        raise ValueError(message)
    n_raters, q = matrix.shape[1], len(values)
    rows = [codes[np.argsort(when[:, rater], kind="stable"), rater] for rater in range(n_raters)]
    given = [row[row >= 0] for row in rows]
    n = np.array([len(row) for row in given], dtype=np.int64)
    counts = np.array([np.bincount(row, minlength=q) for row in given], dtype=np.float64).reshape(n_raters, q)
    with np.errstate(invalid="ignore"):
        shares = counts / n[:, None]
    entropy = -xlogy(shares, shares).sum(axis=1) / np.log(q) if q > 1 else np.full(n_raters, NAN)
    runs = [_longest_run(row) for row in given]
    p_values = [_run_p_value(share, run, len(row)) for share, run, row in zip(shares, runs, given, strict=True)]
    return SpamIndices(
        n=n,
        entropy=np.where(n > 0, np.abs(entropy), NAN),
        commonest=np.where(n > 0, shares.max(axis=1, initial=0.0), NAN),
        longest_run=np.array(runs, dtype=np.int64),
        run_p_value=np.array(p_values, dtype=np.float64),
        categories=values,
    )


@checked
def clicker_ratio(n_right: ArrayLike, n: ArrayLike, n_categories: int) -> FloatArray:
    """Log likelihood ratio of "is right as often as counted" against "clicks evenly": near 0 for a clicker, shape (rater,).

    Parameters
    ----------
    n_right, n : array of float, shape (rater,)
        How many of how many answers agree with gold or consensus (soft counts are welcome).
    n_categories : int
        At least 2.

    Raises
    ------
    ValueError
        Where not 0 <= n_right <= n, or there are fewer than two categories.

    Examples
    --------
    >>> clicker_ratio([50, 95], [100, 100], 2).round(1).tolist()
    [0.0, 49.5]
    """
    right, total = np.asarray(n_right, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if n_categories < 2 or right.shape != total.shape or ((right < 0) | (right > total)).any():
        message = f"n_right is {right.tolist()} of n {total.tolist()}, categories {n_categories}; 0 <= n_right <= n, 2 or more"
        raise ValueError(message)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(total > 0, right / total, NAN)
    known = xlogy(right, share) + xlogy(total - right, 1 - share)
    by_clicks = right * np.log(1 / n_categories) + (total - right) * np.log(1 - 1 / n_categories)
    return np.asarray(known - by_clicks, dtype=np.float64)


@checked
def spammer_scores(confusion: ArrayLike) -> FloatArray:
    """How much a rater's answers depend on the truth: 0 for a spammer of any habit, 1 for one who is always right.

    The squared distance of the confusion matrix from its mean row, over that of a perfect one (Raykar and Yu, eq 7). Someone
    who is always wrong in the same way scores high: the answers tell the truth once known.

    Parameters
    ----------
    confusion : array of float, shape (rater, truth, given)
        Rows add up to 1.

    Raises
    ------
    ValueError
        Where a row does not add up to 1, or shapes do not fit.

    Examples
    --------
    >>> spammer_scores([[[0.7, 0.3], [0.7, 0.3]], [[1, 0], [0, 1]], [[0, 1], [1, 0]]]).tolist()
    [0.0, 1.0, 1.0]
    """
    table = np.asarray(confusion, dtype=np.float64)
    if table.ndim != 3 or table.shape[1] != table.shape[2] or table.shape[1] < 2:
        message = f"confusion has shape {table.shape}; (rater, truth, given) with 2 or more categories is needed"
        raise ValueError(message)
    if not np.allclose(table.sum(axis=2), 1.0):
        message = f"confusion has row sums from {table.sum(axis=2).min()} to {table.sum(axis=2).max()}; each must be 1"
        raise ValueError(message)
    q = table.shape[1]
    return np.asarray(((table - table.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)) / (q - 1), dtype=np.float64)


def _longest_run(row: IntArray) -> int:
    if not len(row):
        return 0
    ends = np.concatenate([np.nonzero(np.diff(row))[0], [len(row) - 1]])
    return int(np.diff(ends, prepend=-1).max())


def _run_p_value(shares: FloatArray, run: int, n: int) -> float:
    """At most the sum, over categories and starts, of the chance that a run of this length begins there."""
    if n == 0:
        return NAN
    chances = shares**run * (1 + (n - run) * (1 - shares))
    return float(min(chances.sum(), 1.0))
