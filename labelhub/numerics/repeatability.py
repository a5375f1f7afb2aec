"""How far a rater agrees with themselves when the same unit comes back: spread within a unit, and its shares.

Repeats of labels are two columns of one rater: use ``cohen.cohen_kappa``; repeats of masks: the mean Dice of the two
(``bootstrap.mean_estimate``). Here: measurements. Not here: agreement between raters.

References
----------
Bland JM, Altman DG (1996) Measurement error. BMJ 313:744 (within-subject standard deviation, repeatability).
Bland JM, Altman DG (1986) Lancet 327:307-310 (coefficient of repeatability).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval
from labelhub.numerics.ratings import rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, check_level, undefined

METHOD = "repeatability"
VERSION = "1"

_MULTIPLIER = 1.96


@dataclass(frozen=True, slots=True)
class Repeatability:
    """``within`` is s_w, the standard deviation of repeats of one unit; ``coefficient`` is 1.96 sqrt(2) s_w.

    Two measurements of the same unit by the same rater differ by less than ``coefficient`` 95 times in 100.
    ``grows_with_size`` is the p-value of Kendall's tau between a unit's mean and its spread (small: consider
    logarithms).
    """

    within: Estimate
    coefficient: Estimate
    grows_with_size: float


@checked
def repeatability(
    repeats: ArrayLike,
    *,
    multiplier: float = _MULTIPLIER,
    level: float = 0.95,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> Repeatability:
    """Spread of repeated measurements of the same unit by one rater, and how far two of them may lie apart.

    Parameters
    ----------
    repeats : array of float, shape (unit, repeat)
        NaN where a unit has fewer repeats; units with one do not count. No learning is assumed between repeats.
    multiplier : float
        1.96, or 2 as in Bland & Altman (1986).
    level : float
        Of the chi-squared interval over repeats; a resampling brings its own.
    resampling : Resampling, optional
        Where units cluster in patients.

    Returns
    -------
    Repeatability
        NaN with a reason where no unit has two repeats.

    Raises
    ------
    ValueError
        Where the multiplier is not above 0, or repeats are no matrix or infinite.

    Examples
    --------
    >>> found = repeatability([[10.0, 12.0], [20.0, 19.0], [15.0, 15.0], [31.0, 30.0]])
    >>> round(found.within.value, 3), round(found.coefficient.value, 3)
    (0.866, 2.4)
    """
    check_level(level)
    if not multiplier > 0:
        message = f"multiplier is {multiplier!r}; it must be above 0, 1.96 is usual"
        raise ValueError(message)
    matrix = rating_matrix(repeats)
    present = ~np.isnan(matrix)
    times = present.sum(axis=1)
    mean = np.where(present, matrix, 0.0).sum(axis=1) / np.maximum(times, 1)
    squares = np.where(present, (matrix - mean[:, None]) ** 2, 0.0).sum(axis=1)
    freedom = np.maximum(times - 1, 0)
    n = int((times >= 2).sum())
    names = ("within-unit standard deviation s_w", f"repeatability {multiplier:g} sqrt(2) s_w")
    if n == 0:
        none = [undefined(f"no {unit} measured twice", n=0, unit=unit, method=name, version=VERSION) for name in names]
        return Repeatability(none[0], none[1], NAN)
    value = math.sqrt(float(squares.sum() / freedom.sum()))
    interval = _chi_squared(value, int(freedom.sum()), n, level, unit)
    if resampling is not None:
        contributions = np.column_stack([squares, freedom]).astype(np.float64)
        interval = bootstrap_interval(contributions, _within, resampling)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=names[0], version=VERSION).with_interval(interval)
    factor = multiplier * math.sqrt(2)
    wide = Estimate(value * factor, NAN, NAN, n=n, unit=unit, method=names[1], version=VERSION).with_interval(
        _times(interval, factor)
    )
    twice = times >= 2
    tau = stats.kendalltau(mean[twice], np.sqrt(squares[twice] / freedom[twice])).pvalue if n > 2 else NAN
    return Repeatability(bare, wide, float(tau))


def _within(sums: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, np.sqrt(sums[:, 0] / sums[:, 1]), NAN)


def _chi_squared(value: float, freedom: int, n: int, level: float, unit: str) -> Interval:
    if value == 0:
        reason = "all repeats are equal, so their spread says nothing of the error"
        return Interval(level=level, n_groups=n, group_unit=unit, reason=reason)
    tail = (1 - level) / 2
    low, high = (value * math.sqrt(freedom / float(stats.chi2.ppf(share, freedom))) for share in (1 - tail, tail))
    return Interval(low, high, level, "chi-squared, independent normal repeats", n_groups=n, group_unit=unit)


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(
        interval.low * factor, interval.high * factor, interval.level, interval.method, interval.n_groups,
        interval.group_unit, interval.n_resamples, interval.n_dropped, interval.reason, interval.warnings,
        interval.standard_error * factor,
    )  # fmt: skip
