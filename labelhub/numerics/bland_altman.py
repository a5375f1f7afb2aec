"""How far two measurements of the same thing differ, in their own unit: bias and limits of agreement, with intervals.

Units measured more than once are handled by a random-effects model, because repeated pairs of one unit are alike. Not
here: correlation-like indices (``concordance``, ``intraclass``), and one rater against themselves (``repeatability``).

References
----------
Bland JM, Altman DG (1986) Statistical methods for assessing agreement between two methods. Lancet 327:307-310.
Bland JM, Altman DG (2007) Agreement between methods of measurement with multiple observations per individual.
J Biopharm Stat 17:571-582.
Zou GY (2013) Confidence interval estimation for the Bland-Altman limits of agreement with multiple observations per
individual. Stat Methods Med Res 22:630-642.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, check_level, undefined

METHOD = "Bland–Altman limits of agreement"
VERSION = "1"

_SUGGESTION_P = 0.05
_SAME = 1e-12

Scale: TypeAlias = Literal["difference", "ratio"]


@dataclass(frozen=True, slots=True)
class ProportionalBias:
    """Whether the difference grows with the size: the slope of difference on mean, and its two-sided p-value."""

    slope: Estimate
    p_value: float


@dataclass(frozen=True, slots=True)
class LimitsOfAgreement:
    """Bias and limits, each with an interval; on the scale "ratio" they are ratios first / second, else differences.

    ``spread`` is the standard deviation of one difference; with repeats it is made of ``between_units`` and
    ``within_units`` (NaN without repeats). ``log_suggested`` says that the spread grows with the size and logarithms
    cure it: call again with ``scale="ratio"``.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    spread: float
    between_units: float
    within_units: float
    proportional: ProportionalBias
    log_suggested: bool
    log_reason: str
    n_units: int
    n_pairs: int
    scale: Scale
    multiplier: float


@checked
def limits_of_agreement(
    first: ArrayLike,
    second: ArrayLike,
    *,
    units: ArrayLike | None = None,
    scale: Scale = "difference",
    multiplier: float = 1.96,
    level: float = 0.95,
    unit: str = "items",
) -> LimitsOfAgreement:
    """Bias (mean of first - second) and the limits within which most differences lie.

    Parameters
    ----------
    first, second : array of float, shape (pair,)
        The two measurements; pairs with NaN in either are left out.
    units : array, shape (pair,), optional
        Which unit each pair is of, where units were measured more than once; the model is then d = bias + unit effect +
        error, so the limits are for one further pair of a new unit.
    scale : {"difference", "ratio"}
        "ratio" works on logarithms and gives ratios; all values must be above 0.
    multiplier : float
        How many standard deviations the limits lie from the bias: 1.96, or 2 as in Bland & Altman (1986).
    level : float
        Of the intervals of the bias and of each limit. Without repeats Student's, with standard error s/sqrt(n) and
        sqrt(3 s**2/n) (1986); with repeats by the method of variance estimates recovery (Zou 2013).
    unit : str
        What ``n`` counts, in words and in the plural.

    Returns
    -------
    LimitsOfAgreement
        NaN with a reason where fewer than three units were measured twice; without intervals, with a reason, where all
        differences are equal.

    Raises
    ------
    ValueError
        Where rows differ in length or are infinite, the scale is unknown, or a value is not above 0 with scale="ratio".

    Examples
    --------
    Differences -1, 0, 1, 2, 3: bias 1, standard deviation 1.58.

    >>> found = limits_of_agreement([1, 3, 5, 7, 9], [2, 3, 4, 5, 6])
    >>> round(found.bias.value, 3), round(found.lower.value, 3), round(found.upper.value, 3)
    (1.0, -2.099, 4.099)
    """
    check_level(level)
    x, y, labels = _checked(first, second, units, scale, multiplier)
    names, number = np.unique(labels, return_inverse=True)
    n_units, n_pairs = len(names), len(x)
    log_suggested, log_reason = _log_suggestion(x, y, scale)
    if scale == "ratio":
        x, y = np.log(x), np.log(y)
    method = METHOD + (" on logarithms" if scale == "ratio" else "")
    if n_units < 3:
        reason = f"only {n_units} {unit} measured by both; at least 3 are needed"
        none = undefined(reason, n=n_units, unit=unit, method=method, version=VERSION, level=level)
        return _without_limits(none, n_pairs, log_reason, scale, multiplier)
    difference = x - y
    repeated = n_pairs > n_units
    parts = _repeated(difference, number, multiplier, level) if repeated else _single(difference, multiplier, level)
    label = "random effects of units, Zou 2013" if repeated else "Student, Bland & Altman 1986"

    def shown(triple: tuple[float, float, float]) -> Estimate:
        value, low, high = (math.exp(number) for number in triple) if scale == "ratio" else triple
        interval = Interval(low, high, level, label, n_groups=n_units, group_unit=unit)
        if parts.spread <= _SAME * max(1.0, float(np.abs(difference).max())):
            reason = f"all {n_pairs} differences are equal, so their spread says nothing of the error"
            interval = Interval(level=level, n_groups=n_units, group_unit=unit, reason=reason)
        return Estimate(value, NAN, NAN, n=n_units, unit=unit, method=method, version=VERSION).with_interval(interval)

    return LimitsOfAgreement(
        bias=shown(parts.bias),
        lower=shown(parts.lower),
        upper=shown(parts.upper),
        spread=parts.spread,
        between_units=parts.between,
        within_units=parts.within,
        proportional=_proportional(x, y, number, level, unit),
        log_suggested=log_suggested,
        log_reason=log_reason,
        n_units=n_units,
        n_pairs=n_pairs,
        scale=scale,
        multiplier=multiplier,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Value, low and high of the bias and of both limits, and the standard deviations."""

    bias: tuple[float, float, float]
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    spread: float
    between: float
    within: float


def _without_limits(
    none: Estimate, n_pairs: int, log_reason: str, scale: Scale, multiplier: float
) -> LimitsOfAgreement:
    return LimitsOfAgreement(
        bias=none, lower=none, upper=none, spread=NAN, between_units=NAN, within_units=NAN,
        proportional=ProportionalBias(none, NAN), log_suggested=False, log_reason=log_reason, n_units=none.n,
        n_pairs=n_pairs, scale=scale, multiplier=multiplier,
    )  # fmt: skip


def _checked(
    first: ArrayLike, second: ArrayLike, units: ArrayLike | None, scale: str, multiplier: float
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or np.isinf(x).any() or np.isinf(y).any():
        message = f"first has shape {x.shape}, second {y.shape}; one finite number (or NaN) a pair is needed in each"
        raise ValueError(message)
    labels = np.arange(len(x)) if units is None else np.asarray(units)
    if labels.shape != x.shape:
        message = f"units has shape {labels.shape}; one entry for each of the {len(x)} pairs is needed"
        raise ValueError(message)
    if not multiplier > 0:
        message = f"multiplier is {multiplier!r}; a number above 0 is needed"
        raise ValueError(message)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if scale == "ratio" and (min(x.min(initial=np.inf), y.min(initial=np.inf)) <= 0):
        message = "a measurement is 0 or below; scale='ratio' needs values above 0"
        raise ValueError(message)
    return x, y, labels[known]


def _single(difference: FloatArray, multiplier: float, level: float) -> _Parts:
    n = len(difference)
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.5 + level / 2, n - 1))
    half, wide = t * spread / math.sqrt(n), t * math.sqrt(3 * spread**2 / n)
    low, high = bias - multiplier * spread, bias + multiplier * spread
    return _Parts(
        (bias, bias - half, bias + half),
        (low, low - wide, low + wide),
        (high, high - wide, high + wide),
        spread,
        NAN,
        NAN,
    )


def _repeated(difference: FloatArray, number: np.ndarray, multiplier: float, level: float) -> _Parts:
    """Zou (2013), equations 4 to 6: every unit counts alike, whatever the number of its pairs."""
    sizes = np.bincount(number)
    n, n_pairs = len(sizes), len(difference)
    means = np.bincount(number, weights=difference) / sizes
    bias = float(means.mean())
    of_means = float(means.var(ddof=1))
    inside = float(((difference - means[number]) ** 2).sum() / (n_pairs - n))
    share = 1 - float((1 / sizes).mean())
    variance = of_means + share * inside
    spread = math.sqrt(variance)
    tail = (1 - level) / 2
    freedoms = (n - 1, n_pairs - n)
    amounts = (of_means, share * inside)
    low, high = (
        [a * (f / float(stats.chi2.ppf(share_below, f)) - 1) for a, f in zip(amounts, freedoms, strict=True)]
        for share_below in (1 - tail, tail)
    )
    least = max(0.0, variance - math.hypot(*low))
    most = variance + math.hypot(*high)
    half = float(stats.t.ppf(1 - tail, n - 1)) * math.sqrt(of_means / n)
    away = math.hypot(half, multiplier * (math.sqrt(most) - spread))
    near = math.hypot(half, multiplier * (spread - math.sqrt(least)))
    lower, upper = bias - multiplier * spread, bias + multiplier * spread
    between = math.sqrt(max(0.0, of_means - float((1 / sizes).mean()) * inside))
    return _Parts(
        (bias, bias - half, bias + half), (lower, lower - away, lower + near), (upper, upper - near, upper + away),
        spread, between, math.sqrt(inside),
    )  # fmt: skip


def _proportional(x: FloatArray, y: FloatArray, number: np.ndarray, level: float, unit: str) -> ProportionalBias:
    """The slope of difference on mean, over the means of units so that repeats are not counted as independent."""
    sizes = np.bincount(number)
    size = np.bincount(number, weights=(x + y) / 2) / sizes
    difference = np.bincount(number, weights=x - y) / sizes
    n, name = len(sizes), "proportional bias: slope of difference on mean"
    if np.ptp(size) <= 1e-12 * np.abs(size).max():
        none = undefined(f"all {unit} have the same mean", n=n, unit=unit, method=name, version=VERSION, level=level)
        return ProportionalBias(none, NAN)
    line = stats.linregress(size, difference)
    half = float(stats.t.ppf(0.5 + level / 2, n - 2)) * float(line.stderr)
    slope = float(line.slope)
    interval = Interval(slope - half, slope + half, level, "Student, least squares", n_groups=n, group_unit=unit)
    if not half > _SAME:
        reason = "all differences lie on one line, so their spread says nothing of the error"
        interval = Interval(level=level, n_groups=n, group_unit=unit, reason=reason)
    bare = Estimate(slope, NAN, NAN, n=n, unit=unit, method=name, version=VERSION, standard_error=float(line.stderr))
    return ProportionalBias(bare.with_interval(interval), float(line.pvalue))


def _log_suggestion(x: FloatArray, y: FloatArray, scale: Scale) -> tuple[bool, str]:
    """Spearman's correlation of the size with how far differences lie from their line, before and after logarithms."""
    if scale == "ratio":
        return False, "already on logarithms"
    if len(x) < 4 or min(x.min(), y.min()) <= 0:
        return False, "logarithms need at least four pairs of values above 0"
    grows, p_value = _growth(x, y)
    if not (grows > 0 and p_value < _SUGGESTION_P):
        return False, f"the spread of differences does not grow with the size (rho = {grows:.2g}, p = {p_value:.2g})"
    after, still = _growth(np.log(x), np.log(y))
    if still < _SUGGESTION_P and abs(after) > grows / 2:
        return False, "the spread of differences grows with the size, but logarithms do not cure it"
    return True, f"the spread of differences grows with the size (p = {p_value:.2g}); use scale='ratio'"


def _growth(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    size, difference = (x + y) / 2, x - y
    if np.ptp(size) <= 0:
        return 0.0, 1.0
    line = stats.linregress(size, difference)
    rest = np.abs(difference - line.intercept - line.slope * size)
    if np.ptp(rest) <= 1e-12 * max(1.0, float(np.abs(difference).max())):
        return 0.0, 1.0
    found = stats.spearmanr(size, rest)
    return float(found.statistic), float(found.pvalue)
