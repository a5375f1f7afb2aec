"""Conger's kappa: Cohen's for any number of raters, each with a distribution over categories of their own.

Chance agreement is averaged over all pairs of different raters, so with two raters who rated everything it is Cohen's
kappa. Columns must be identified raters. Fleiss' kappa, where raters are anonymous, is in ``agreement``.

References
----------
Conger AJ (1980) Integration and generalization of kappas for multiple raters. Psychol Bull 88:322-328.
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., section 2.4 and the linearised variance of chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.agreement import (
    Agreement,
    corrected,
    counts_by_unit,
    is_identity,
    unit_agreement,
    with_student_interval,
)
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, bootstrap_interval
from labelhub.numerics.ratings import category_codes, category_values, rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, check_level, undefined
from labelhub.numerics.weights import Weights, agreement_weights

METHOD = "Conger's kappa"
VERSION = "1"


@checked
def conger_kappa(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Conger's kappa of identified raters: 1 is perfect, 0 is chance, negative is systematic disagreement.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate. A rater without any rating does not count.
    weights, categories, resampling, unit, level
        As in ``agreement.raw_agreement``.

    Returns
    -------
    Agreement
        NaN with a reason where no unit has two ratings, or where chance agreement is 1.

    Raises
    ------
    ValueError
        Where ratings are no matrix or infinite, a rating is outside the categories, or weights are none.

    Examples
    --------
    Krippendorff's four observers and twelve units: .76207, standard error .15011.

    >>> gap = float("nan")
    >>> observers = np.array([[1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
    ...                       [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap]])
    >>> found = conger_kappa(observers.T).estimate
    >>> round(found.value, 5), round(found.standard_error, 5)
    (0.76207, 0.15011)
    """
    check_level(level)
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    weight = agreement_weights(weights, len(values))
    weight = (weight + weight.T) / 2
    codes = category_codes(matrix, values)
    codes = codes[:, (codes >= 0).any(axis=0)]
    method = METHOD if is_identity(weights) else f"weighted {METHOD}"
    share = unit_agreement(counts_by_unit(matrix, values), weight)
    n = int(np.isfinite(share).sum())
    if n == 0:
        empty = undefined(f"no {unit} with two ratings", n=0, unit=unit, method=method, version=VERSION, level=level)
        return Agreement(empty, NAN, NAN, share, np.empty(0))
    contributions = _contributions(codes, share, len(values))
    total = contributions.sum(axis=0, keepdims=True)
    observed, expected = _parts(total, codes.shape[1], weight)
    parts = (float(observed[0]), float(expected[0]))
    value = float(corrected(observed, expected)[0])
    if np.isnan(value):
        reason = "all raters used one category only: chance agreement is 1"
        empty = undefined(reason, n=n, unit=unit, method=method, version=VERSION, level=level)
        return Agreement(empty, *parts, share, np.empty(0))
    rated = (codes >= 0).any(axis=1)
    influence = np.full(len(matrix), NAN)
    influence[rated] = _influence(codes[rated], share[rated], weight, parts, value)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=level)
    estimate = with_student_interval(bare, influence[rated])
    if resampling is not None:
        statistic = _statistic(codes.shape[1], weight)
        estimate = estimate.with_interval(bootstrap_interval(contributions, statistic, resampling))
    return Agreement(estimate, *parts, share, influence)


def _contributions(codes: IntArray, share: FloatArray, n_categories: int) -> FloatArray:
    """Columns: p_a|i, 1 where two ratings, then for each rater and category 1 where this is the rating."""
    n_units, n_raters = codes.shape
    known = np.isfinite(share)
    given = np.zeros((n_units, n_raters * n_categories))
    unit, rater = np.nonzero(codes >= 0)
    given[unit, rater * n_categories + codes[unit, rater]] = 1.0
    return np.column_stack([np.where(known, share, 0.0), known, given]).astype(np.float64)


def _parts(totals: FloatArray, n_raters: int, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Observed agreement, and chance agreement of two different raters drawn at random."""
    marginal = totals[:, 2:].reshape(len(totals), n_raters, len(weight))
    ratings = marginal.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = totals[:, 0] / totals[:, 1]
        # A rater whose units were all left out of a resample is no rater there.
        share = np.where(ratings[:, :, None] > 0, marginal / ratings[:, :, None], 0.0)
        raters = (ratings > 0).sum(axis=1)
        pooled = share.sum(axis=1)
        among_all = np.einsum("bk,kl,bl->b", pooled, weight, pooled)
        with_self = np.einsum("bgk,kl,bgl->b", share, weight, share, optimize=True)
        expected = (among_all - with_self) / (raters * (raters - 1))
    return observed, expected


def _statistic(n_raters: int, weight: FloatArray) -> Statistic:
    def kappa(totals: FloatArray) -> FloatArray:
        observed, expected = _parts(totals, n_raters, weight)
        return corrected(observed, np.where(np.isfinite(expected), expected, 1.0))

    return kappa


def _influence(
    codes: IntArray, share: FloatArray, weight: FloatArray, parts: tuple[float, float], value: float
) -> FloatArray:
    """Gwet's kappa*_i = kappa_i - 2 (1 - kappa)(p_e|i - p_e)/(1 - p_e), with the p_e|i of Conger's chance agreement.

    A rating of rater g in category l moves chance agreement by h[g, l], the weight it has with the other raters'
    distributions; a rater with gaps counts as if the rated units stood for all.
    """
    n, n_raters = codes.shape
    q = len(weight)
    expected = parts[1]
    present = codes >= 0
    rated = present.sum(axis=0)
    counts = np.stack([np.bincount(column[column >= 0], minlength=q) for column in codes.T])
    marginal = counts / rated[:, None]
    others = (marginal.sum(axis=0)[None, :] - marginal) @ weight
    own = (marginal * others).sum(axis=1)
    given = np.where(present, others[np.arange(n_raters)[None, :], codes], 0.0)
    moved = n / rated * (given - (present - rated / n) * own)
    unit_expected = moved.sum(axis=1) / (n_raters * (n_raters - 1))
    known = np.isfinite(share)
    unit_value = np.where(known, n / known.sum() * (share - expected) / (1 - expected), 0.0)
    return np.asarray(unit_value - 2 * (1 - value) * (unit_expected - expected) / (1 - expected), dtype=np.float64)
