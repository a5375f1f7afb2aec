"""Cohen's kappa of two raters, unweighted and weighted. More raters: ``agreement`` and ``alpha``.

References
----------
Cohen J (1960) A coefficient of agreement for nominal scales. Educ Psychol Meas 20:37-46.
Cohen J (1968) Weighted kappa. Psychol Bull 70:213-220.
Fleiss JL, Cohen J, Everitt BS (1969) Large sample standard errors of kappa and weighted kappa. Psychol Bull 72:323-327.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.agreement import Agreement, corrected, is_identity
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, bootstrap_interval
from labelhub.numerics.ratings import category_codes, category_values, rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, undefined
from labelhub.numerics.weights import Weights, agreement_weights

METHOD = "Cohen's kappa"
VERSION = "1"

_SAME = 1e-12


@checked
def cohen_kappa(
    ratings: ArrayLike,
    *,
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    resampling: Resampling | None = None,
    unit: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Cohen's kappa of two raters: chance lets each have a distribution of their own. Units rated by one are left out.

    1 is perfect, 0 is chance, negative is systematic disagreement. The interval is normal, clipped at -1 and 1, with the
    standard error of Fleiss, Cohen and Everitt (1969) at the estimate. NaN with a reason where no unit was rated by both,
    or both used one category only. Parameters as in ``agreement.raw_agreement``, with exactly two columns (else a
    ValueError).

    Examples
    --------
    Cohen (1968), (88, 14, 18 / 10, 40, 10 / 2, 6, 12): .492.

    >>> from labelhub.numerics.ratings import ratings_from_table
    >>> ratings = ratings_from_table([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    >>> round(cohen_kappa(ratings).estimate.value, 4)
    0.4915
    """
    matrix = rating_matrix(ratings)
    if matrix.shape[1] != 2:
        message = f"ratings have {matrix.shape[1]} raters; Cohen's kappa needs exactly 2 (use fleiss_kappa or alpha)"
        raise ValueError(message)
    values = category_values(matrix, categories)
    q = len(values)
    weight = agreement_weights(weights, q)
    codes = category_codes(matrix, values)
    both = (codes >= 0).all(axis=1)
    cell = np.where(both, codes[:, 0] * q + codes[:, 1], 0)
    method = "Cohen's kappa" if is_identity(weights) else "weighted Cohen's kappa"
    share = np.where(both, weight.ravel()[cell] if q else NAN, NAN)
    n = int(both.sum())
    if n == 0:
        reason = f"no {unit} rated by both raters"
        empty = undefined(reason, n=0, unit=unit, method=method, version=VERSION, level=level)
        return Agreement(empty, NAN, NAN, share, np.empty(0))
    table = np.bincount(cell[both], minlength=q * q).reshape(q, q) / n
    observed, expected = _cohen_parts(table[None], weight)
    value = float(corrected(observed, expected)[0])
    parts = (float(observed[0]), float(expected[0]))
    if math.isnan(value):
        reason = "both raters used one category only: chance agreement is 1"
        empty = undefined(reason, n=n, unit=unit, method=method, version=VERSION, level=level)
        return Agreement(empty, *parts, share, np.empty(0))
    error = _cohen_error(table, weight, n)
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    estimate = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, standard_error=error)
    low, high = max(-1.0, value - half), min(1.0, value + half)
    interval = Interval(low, high, level, "normal, Fleiss–Cohen–Everitt", n_groups=n, group_unit=unit)
    if error <= _SAME:
        reason = f"all {unit} agree alike, so their spread says nothing of the error"
        interval = Interval(level=level, n_groups=n, group_unit=unit, reason=reason)
        estimate = replace(estimate, standard_error=NAN)
    if resampling is not None:
        indicator = np.zeros((len(matrix), q * q))
        indicator[np.nonzero(both)[0], cell[both]] = 1.0
        interval = bootstrap_interval(indicator, _cohen_statistic(weight), resampling)
    return Agreement(estimate.with_interval(interval), *parts, share, np.empty(0))


def _cohen_parts(tables: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    observed = (tables * weight).sum(axis=(1, 2))
    expected = np.einsum("bk,kl,bl->b", tables.sum(axis=2), weight, tables.sum(axis=1))
    return observed, expected


def _cohen_statistic(weight: FloatArray) -> Statistic:
    q = len(weight)

    def kappa(totals: FloatArray) -> FloatArray:
        tables = totals.reshape(-1, q, q)
        return corrected(*_cohen_parts(tables / np.maximum(tables.sum(axis=(1, 2), keepdims=True), 1), weight))

    return kappa


def _cohen_error(table: FloatArray, weight: FloatArray, n: int) -> float:
    """Fleiss, Cohen and Everitt (1969), eq. 13."""
    first, second = table.sum(axis=1), table.sum(axis=0)
    observed, expected = float((table * weight).sum()), float(first @ weight @ second)
    mean_weight = (weight @ second)[:, None] + (first @ weight)[None, :]
    inner = float((table * (weight * (1 - expected) - mean_weight * (1 - observed)) ** 2).sum())
    variance = inner - (observed * expected - 2 * expected + observed) ** 2
    return math.sqrt(max(variance, 0.0) / n) / (1 - expected) ** 2
