"""Intraclass correlation of measurements by several raters: how much of the spread is between units.

Six forms, always named: model 1 (raters differ from unit to unit), 2 (the same raters, standing for others; the
default) or 3 (these raters only, consistency), of one rater or of the mean of k. Not here: categories (``agreement``,
``alpha``), and how far two methods differ in their own unit (``bland_altman``).

References
----------
Shrout PE, Fleiss JL (1979) Intraclass correlations: uses in assessing rater reliability. Psychol Bull 86:420-428.
McGraw KO, Wong SP (1996) Forming inferences about some intraclass correlation coefficients. Psychol Methods 1:30-46.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval
from labelhub.numerics.ratings import rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, check_level, undefined

METHOD = "intraclass correlation"
VERSION = "1"

_ZERO = 1e-14

Form: TypeAlias = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"]

_MODELS = {
    "1": "one-way random: each unit by other raters",
    "2": "two-way random, absolute agreement: raters stand for others",
    "3": "two-way mixed, consistency: these raters only",
}


@dataclass(frozen=True, slots=True, eq=False)
class IntraclassCorrelation:
    """The coefficient with the mean squares it is made of: between units, within units, between raters, error.

    ``n_raters`` is k (in model 1 with gaps the effective number k0, which may be a fraction). ``between_raters`` and
    ``error`` are NaN in model 1 with gaps.
    """

    estimate: Estimate
    model: str
    between_units: float
    within_units: float
    between_raters: float
    error: float
    n_raters: float


@checked
def intraclass_correlation(
    ratings: ArrayLike,
    form: Form = "ICC(2,1)",
    *,
    level: float = 0.95,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> IntraclassCorrelation:
    """The share of the variance of measurements that is between units: 1 is perfect, 0 is none; it may be negative.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        Measurements in one unit of measure, NaN where a rater did not measure. Models 2 and 3 use units that all raters
        measured and warn of those left out; model 1 uses all units with two measurements.
    form : {"ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"}
        The model, and whether one rater's value or the mean of k raters is judged.
    level : float
        Of the F-based interval (McGraw & Wong 1996); a resampling brings its own.
    resampling : Resampling, optional
        Where units cluster in patients; without it units are taken as independent and values as normal.
    unit : str
        What a row is, in words and in the plural.

    Returns
    -------
    IntraclassCorrelation
        NaN with a reason where fewer than two units are usable, fewer than two raters, or nothing varies.

    Raises
    ------
    ValueError
        Where the form is unknown, ratings are no matrix or infinite, or groups do not have one entry a unit.

    Examples
    --------
    Shrout & Fleiss (1979), six targets, four judges: .17, .29 and .71.

    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> [round(intraclass_correlation(judges, form).estimate.value, 4) for form in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)")]
    [0.1657, 0.2898, 0.7148]
    """
    check_level(level)
    model = form[4:5]
    matrix = rating_matrix(ratings)
    present = ~np.isnan(matrix)
    enough = 2 if model == "1" else max(2, matrix.shape[1])
    usable = present.sum(axis=1) >= enough
    rows = matrix[usable]
    n, left_out = len(rows), int((present.any(axis=1) & ~usable).sum())
    method = f"{form}, {_MODELS[model]}"
    notes = (f"{left_out} {unit} that not all raters measured are left out",) if left_out else ()
    if n < 2:
        reason = f"only {n} {unit} measured by {'two' if model == '1' else 'all'} raters; at least 2 are needed"
        empty = undefined(reason, n=n, unit=unit, method=method, version=VERSION, level=level).with_warnings(*notes)
        return IntraclassCorrelation(empty, _MODELS[model], NAN, NAN, NAN, NAN, NAN)
    contributions = _contributions(rows)
    squares = _mean_squares(contributions.sum(axis=0, keepdims=True), not np.isnan(rows).any())
    value = float(_coefficient(squares, form)[0])
    parts = [float(part[0]) for part in (squares.between, squares.within, squares.raters, squares.error, squares.size)]
    if math.isnan(value):
        empty = undefined(f"no variation between {unit}", n=n, unit=unit, method=method, version=VERSION, level=level)
        return IntraclassCorrelation(empty.with_warnings(*notes), _MODELS[model], *parts)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=level, warnings=notes)
    interval = _f_interval(form, n, parts, level, unit)
    if resampling is not None:
        complete = not np.isnan(rows).any()
        of_rows = _resampling_of(resampling, usable)
        interval = bootstrap_interval(
            contributions, lambda sums: _coefficient(_mean_squares(sums, complete), form), of_rows
        )
    return IntraclassCorrelation(bare.with_interval(interval), _MODELS[model], *parts)


@dataclass(frozen=True, slots=True, eq=False)
class _MeanSquares:
    between: FloatArray
    within: FloatArray
    raters: FloatArray
    error: FloatArray
    size: FloatArray
    units: FloatArray
    scale: FloatArray


def _resampling_of(resampling: Resampling, usable: np.ndarray) -> Resampling:
    if resampling.groups is None:
        return resampling
    groups = np.asarray(resampling.groups)
    if groups.shape != usable.shape:
        message = f"groups has shape {groups.shape}; one entry for each of the {len(usable)} units is needed"
        raise ValueError(message)
    return Resampling(
        resampling.rng, groups[usable], resampling.group_unit, resampling.n_resamples, resampling.kind, resampling.level
    )


def _contributions(rows: FloatArray) -> FloatArray:
    """Columns: 1, m, m**2, sum of squares, (unit total)**2 / m, then each rater's value; centred to keep digits."""
    present = ~np.isnan(rows)
    centred = np.where(present, rows - rows[present].mean(), 0.0)
    m, total = present.sum(axis=1), centred.sum(axis=1)
    return np.column_stack([np.ones(len(rows)), m, m**2, (centred**2).sum(axis=1), total**2 / m, centred])


def _mean_squares(sums: FloatArray, complete: bool) -> _MeanSquares:
    n, n_values, squared_sizes, square, between = sums[:, :5].T
    by_rater = sums[:, 5:]
    k = by_rater.shape[1]
    correction = by_rater.sum(axis=1) ** 2 / n_values
    with np.errstate(divide="ignore", invalid="ignore"):
        among = np.maximum(between - correction, 0.0)
        inside = np.maximum(square - between, 0.0)
        nothing = np.full(len(sums), NAN)
        raters = np.maximum((by_rater**2).sum(axis=1) / n - correction, 0.0) if complete else nothing
        rest = np.maximum(inside - raters, 0.0)
        return _MeanSquares(
            between=among / (n - 1),
            within=inside / (n_values - n),
            raters=raters / (k - 1),
            error=rest / ((n - 1) * (k - 1)),
            size=(n_values - squared_sizes / n_values) / (n - 1),
            units=n,
            scale=square,
        )


def _coefficient(found: _MeanSquares, form: Form) -> FloatArray:
    """Shrout & Fleiss (1979), with BMS, WMS, JMS, EMS and k as there."""
    bms, wms, jms, ems, k = found.between, found.within, found.raters, found.error, found.size
    above, below = {
        "ICC(1,1)": (bms - wms, bms + (k - 1) * wms),
        "ICC(2,1)": (bms - ems, bms + (k - 1) * ems + k * (jms - ems) / found.units),
        "ICC(3,1)": (bms - ems, bms + (k - 1) * ems),
        "ICC(1,k)": (bms - wms, bms),
        "ICC(2,k)": (bms - ems, bms + (jms - ems) / found.units),
        "ICC(3,k)": (bms - ems, bms),
    }[form]
    tiny = _ZERO * found.scale
    with np.errstate(divide="ignore", invalid="ignore"):
        # Rounding leaves a little where there is nothing; a resample of one unit drawn again and again is such a case.
        return np.where((found.scale > 0) & (below > tiny) & (found.units > 1), above / below, NAN)


def _f_interval(form: Form, n: int, parts: list[float], level: float, unit: str) -> Interval:
    bms, wms, jms, ems, k = parts
    method = "F-based (McGraw & Wong 1996), independent units"
    noise = wms if form[4] == "1" else ems
    if noise <= _ZERO * bms:
        return Interval(
            level=level, n_groups=n, group_unit=unit, reason="nothing varies within units, so F is infinite"
        )
    if form[4] == "2":
        low, high = _limits_of_model_two(n, k, bms, jms, ems, level)
    else:
        freedom = n * (k - 1) if form[4] == "1" else (n - 1) * (k - 1)
        f, tail = bms / noise, 0.5 + level / 2
        ratios = (f / float(stats.f.ppf(tail, n - 1, freedom)), f * float(stats.f.ppf(tail, freedom, n - 1)))
        low, high = ((ratio - 1) / (ratio + k - 1) for ratio in ratios)
    if form.endswith("k)"):
        low, high = (k * limit / (1 + (k - 1) * limit) for limit in (low, high))
    return Interval(low, high, level, method, n_groups=n, group_unit=unit)


def _limits_of_model_two(n: int, k: float, bms: float, jms: float, ems: float, level: float) -> tuple[float, float]:
    """McGraw & Wong (1996), table 7, ICC(A,1): degrees of freedom by Satterthwaite."""
    rho = (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n)
    a = k * rho / (n * (1 - rho))
    b = 1 + k * rho * (n - 1) / (n * (1 - rho))
    freedom = (a * jms + b * ems) ** 2 / ((a * jms) ** 2 / (k - 1) + (b * ems) ** 2 / ((n - 1) * (k - 1)))
    tail = 0.5 + level / 2
    lower, upper = float(stats.f.ppf(tail, n - 1, freedom)), float(stats.f.ppf(tail, freedom, n - 1))
    spread = k * jms + (k * n - k - n) * ems
    low = n * (bms - lower * ems) / (lower * spread + n * bms)
    high = n * (upper * bms - ems) / (spread + n * upper * bms)
    return low, high
