"""The settled value of measured numbers: a mean weighted by each rater's estimated precision.

Not here: agreement of measurements (``bland_altman``, ``intraclass``), and raters' constant offsets, which answers alone
cannot tell from the truth: calibrate by gold first.

References
----------
Raykar VC et al. (2010) Learning from crowds. JMLR 11:1297-1322, section 5 (regression).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.ratings import rating_matrix
from labelhub.numerics.results import NAN, FloatArray, IntArray

METHOD = "precision-weighted mean"
VERSION = "1"

_PRIOR_SHAPE = 2.0
_LEAST_SHARE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class NumberConsensus:
    """``value[unit]`` and its ``standard_error[unit]`` (NaN without measurements); ``variance[rater]`` of errors.

    ``n_values[rater]`` counts measurements. A rater without any has the prior's variance.
    """

    value: FloatArray
    standard_error: FloatArray
    variance: FloatArray
    n_values: IntArray
    n_iterations: int
    is_converged: bool
    warnings: tuple[str, ...] = ()
    method: str = METHOD
    version: str = VERSION


@checked
def number_consensus(values: ArrayLike, *, tolerance: float = 1e-8, max_iterations: int = 500) -> NumberConsensus:
    """The value of each unit, and how much each rater scatters, by expectation and maximisation.

    A rater's variance has an inverse-gamma prior IG(2, ·) around the pooled scatter: without one, maximum likelihood
    collapses onto a single rater whose variance goes to 0.

    Parameters
    ----------
    values : array of float, shape (unit, rater)
        NaN where a rater did not measure.
    tolerance, max_iterations : float, int
        Stop when no variance changes by more than this share, or after so many rounds.

    Examples
    --------
    Eight units; the third rater scatters by 1, the others by 0.1: the mean leans away from the third.

    >>> steady = np.arange(8.0)
    >>> wild = steady + [1, -1, 1, -1, 1, -1, 1, -1]
    >>> found = number_consensus(np.column_stack([steady + 0.1, steady - 0.1, wild]))
    >>> int(found.variance.argmax()), bool(abs(found.value[0]) < 1 / 3)
    (2, True)
    """
    matrix = rating_matrix(values)
    present = ~np.isnan(matrix)
    n_values, n_units = present.sum(axis=0), present.sum(axis=1)
    filled = np.where(present, matrix, 0.0)
    first = np.where(n_units > 0, filled.sum(axis=1) / np.maximum(n_units, 1), 0.0)
    residual = np.where(present, matrix - first[:, None], 0.0)
    freedom = int(present.sum() - (n_units > 0).sum())
    pooled = float((residual**2).sum()) / freedom if freedom > 0 else NAN
    if not pooled > 0:
        return _exact(first, n_units, n_values, freedom)
    scale = (_PRIOR_SHAPE + 1) * pooled
    variance, value, n_iterations, is_converged = np.full(matrix.shape[1], pooled), first, 0, False
    precision = np.zeros(len(matrix))
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        precision = present @ (1 / variance)
        known = np.maximum(precision, _LEAST_SHARE / pooled)
        value = (filled @ (1 / variance)) / known
        squares = np.where(present, (matrix - value[:, None]) ** 2 + (1 / known)[:, None], 0.0).sum(axis=0)
        renewed = (squares + 2 * scale) / (n_values + 2 * _PRIOR_SHAPE + 2)
        is_converged = bool((np.abs(renewed - variance) <= tolerance * variance).all())
        variance = renewed
    with np.errstate(divide="ignore"):
        error = np.where(n_units > 0, 1 / np.sqrt(precision), NAN)
    notes = () if is_converged else (f"not converged after {max_iterations} rounds",)
    return NumberConsensus(
        np.where(n_units > 0, value, NAN), error, variance, n_values.astype(np.int64), n_iterations, is_converged, notes
    )


def _exact(value: FloatArray, n_units: IntArray, n_values: IntArray, freedom: int) -> NumberConsensus:
    """The result where raters never differ, or no unit was measured twice: no scatter can be told."""
    alone = freedom <= 0
    reason = "no unit was measured twice: scatter is unknown" if alone else "all measurements agree exactly"
    spread = np.full(len(n_values), NAN if alone else 0.0)
    error = np.where(n_units > 0, NAN if alone else 0.0, NAN)
    shown = np.where(n_units > 0, value, NAN)
    return NumberConsensus(shown, error, spread, n_values.astype(np.int64), 0, is_converged=True, warnings=(reason,))
