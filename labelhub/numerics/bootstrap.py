"""Bootstrap intervals that resample the highest known group (patient, else study, else image), never ratings or pixels.

A statistic here is a function of sums over units, so a resample is a vector of counts times a matrix of *contributions*.
Equal groups are drawn together, as one multinomial. Not here: what a statistic's contributions are (each family says so).

References
----------
Efron B, Tibshirani RJ (1993) An Introduction to the Bootstrap. Chapman & Hall; chapter 14 for the BCa interval.
Field CA, Welsh AH (2007) Bootstrapping clustered data. J R Stat Soc B 69:369-390.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import ndtr, ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.proportions import proportion_interval
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, Interval, check_level, undefined

METHOD = "group bootstrap"
VERSION = "1"

DROPPED_SHARE_WARNED = 0.05
FEW_GROUPS = 10
# Groups drawn at once: they and their counts stay in a core's cache. The random numbers are the same however many.
_CHUNK, _LEFT_OUT = 100_000, 2_000_000
# A binomial costs about so many uniform integers: counts are drawn where many rows are equal, groups one by one elsewhere.
_BINOMIAL = 8
_TIE = 1e-12

IntervalKind: TypeAlias = Literal["bca", "percentile"]
Statistic: TypeAlias = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How an interval is to be made: what is resampled, how often, with which random numbers.

    ``groups`` has one entry a unit (any labels as an array: patients, else studies, else images); ``None`` makes every
    unit its own group. ``group_unit`` names the groups in words, in the plural.
    """

    rng: np.random.Generator
    groups: ArrayLike | None = None
    group_unit: str = "items"
    n_resamples: int = 2000
    kind: IntervalKind = "bca"
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        check_level(self.level)
        if self.n_resamples < 1:
            message = f"n_resamples is {self.n_resamples!r}; at least 1 is needed, 2000 is usual"
            raise ValueError(message)
        if self.kind not in ("bca", "percentile"):
            message = f"kind is {self.kind!r}; allowed are 'bca' and 'percentile'"
            raise ValueError(message)
        labels = np.asarray(self.groups if self.groups is not None else ())
        if (labels.dtype.kind == "f" and np.isnan(labels).any()) or (labels.dtype.kind == "O" and None in labels):
            message = "groups holds NaN or None; a unit of unknown group needs a name of its own"
            raise ValueError(message)


@checked
def bootstrap_interval(contributions: FloatArray, statistic: Statistic, resampling: Resampling) -> Interval:
    """The interval of a statistic of sums over units, by resampling groups of units.

    Parameters
    ----------
    contributions : array of float, shape (unit, column)
        What each unit adds to the sums that the statistic is made of.
    statistic : callable
        Maps sums, shape (resample, column), to values, shape (resample,); NaN where a resample has no value.
    resampling : Resampling
        The groups, how often, and the random numbers.

    Returns
    -------
    Interval
        NaN with a reason where fewer than two groups contribute, or where every resample gives the same value.
        Resamples without a value are dropped, counted, and warned of above 5 %.

    Examples
    --------
    The law school data of Efron & Tibshirani (1993): the mean LSAT of 15 schools is 600.3; a 90 % interval.

    >>> lsat = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594.0])
    >>> sums = np.column_stack([lsat, np.ones(15)])
    >>> again = Resampling(np.random.default_rng(1), n_resamples=4000, level=0.9)
    >>> interval = bootstrap_interval(sums, lambda total: total[:, 0] / total[:, 1], again)
    >>> 580 < interval.low < 587 and 613 < interval.high < 621
    True
    """
    sums = group_sums(contributions, resampling.groups)
    sums = sums[np.any(sums != 0, axis=1)]
    return counted_bootstrap_interval(*_distinct_rows(sums), statistic, resampling)


def resampled_values(contributions: FloatArray, statistic: Statistic, resampling: Resampling) -> tuple[FloatArray, int]:
    """The statistic in each resample (NaN where it has no value), and how many groups contribute.

    Empty where fewer than two groups do. Parameters as in :func:`bootstrap_interval`.
    """
    sums = group_sums(contributions, resampling.groups)
    sums = sums[np.any(sums != 0, axis=1)]
    if len(sums) < 2:
        return np.empty(0), len(sums)
    rows, multiplicity = _distinct_rows(sums)
    return _resampled_values(rows, multiplicity, statistic, resampling), len(sums)


def counted_bootstrap_interval(
    rows: FloatArray, multiplicity: IntArray, statistic: Statistic, resampling: Resampling
) -> Interval:
    """As :func:`bootstrap_interval`, of groups whose different contributions are ``rows``, each ``multiplicity`` times."""
    n_groups = int(multiplicity.sum())
    if n_groups < 2:
        return _too_few(n_groups, resampling)
    total = multiplicity @ rows
    values = _resampled_values(rows, multiplicity, statistic, resampling)
    value = float(statistic(total[None])[0])
    return _interval(values, value, lambda: statistic(total - rows), multiplicity, resampling)


@checked
def weighted_bootstrap_interval(n_groups: int, statistic: Statistic, resampling: Resampling) -> Interval:
    """The interval of a statistic that is not a function of sums, such as one over pairs of groups.

    Parameters
    ----------
    n_groups : int
        How many groups there are; ``resampling.groups`` is not looked at.
    statistic : callable
        Maps how often each group was drawn, shape (resample, group), to values, shape (resample,).
    resampling : Resampling
        How often, and the random numbers.
    """
    if n_groups < 2:
        return _too_few(n_groups, resampling)
    ones, value = np.ones(n_groups, dtype=np.int64), float(statistic(np.ones((1, n_groups)))[0])
    values = _resampled_values(None, ones, statistic, resampling)

    def left_out() -> FloatArray:
        step = max(1, _LEFT_OUT // n_groups)
        weights = (1.0 - np.eye(min(step, n_groups - start), n_groups, start) for start in range(0, n_groups, step))
        return np.concatenate([statistic(chunk) for chunk in weights])

    return _interval(values, value, left_out, ones, resampling)


def percentile_interval(values: FloatArray, value: float, n_groups: int, resampling: Resampling) -> Interval:
    """The percentile interval of resampled ``values`` that the caller drew, NaN among them dropped and counted."""
    chosen = replace(resampling, kind="percentile")
    return _interval(values, value, lambda: np.empty(0), np.ones(n_groups, dtype=np.int64), chosen)


@checked
def ratio_estimate(
    numerators: ArrayLike,
    denominators: ArrayLike,
    resampling: Resampling | None = None,
    *,
    unit: str = "items",
    method: str = "ratio of sums",
    version: str = VERSION,
    n: int | None = None,
) -> Estimate:
    """A ratio of two sums over units, such as a mean or a share, with its bootstrap interval.

    Where the ratio is exactly 0 or 1 the groups do not differ and resampling says nothing; for shares the interval is
    then Wilson's over the groups that contribute.

    Parameters
    ----------
    numerators, denominators : array of float, shape (unit,)
        What each unit adds above and below; a unit with NaN in either is left out.
    resampling : Resampling, optional
        Without it there is no interval, and the result says so.
    n : int, optional
        What to print as the count; the number of units with a positive denominator by default.

    Raises
    ------
    ValueError
        Where there is not one numerator and one denominator a unit, or not one group a unit.
    """
    above = np.asarray(numerators, dtype=np.float64)
    below = np.asarray(denominators, dtype=np.float64)
    if above.shape != below.shape or above.ndim != 1:
        message = f"numerators have shape {above.shape}, denominators {below.shape}; each needs one value a unit"
        raise ValueError(message)
    usable = np.isfinite(above) & np.isfinite(below)
    above, below = np.where(usable, above, 0.0), np.where(usable, below, 0.0)
    count = int(np.count_nonzero(below > 0)) if n is None else n
    level = 0.95 if resampling is None else resampling.level
    if below.sum() <= 0:
        return undefined(f"no {unit}", n=count, unit=unit, method=method, version=version, level=level)
    value = float(above.sum() / below.sum())
    bare = Estimate(value, NAN, NAN, n=count, unit=unit, method=method, version=version, level=level)
    if resampling is None:
        return bare.with_interval(Interval(level=level, reason="no resampling was asked for"))
    interval = bootstrap_interval(np.column_stack([above, below]), _ratio, resampling)
    is_share = bool(np.all(above >= 0) and np.all(above <= below))
    is_at_edge = interval.reason is not None and interval.n_groups >= 2 and is_share and value in (0.0, 1.0)
    return bare.with_interval(_share_at_the_edge(value, interval) if is_at_edge else interval)


@checked
def mean_estimate(
    values: ArrayLike,
    resampling: Resampling | None = None,
    *,
    unit: str = "items",
    method: str = "mean",
    version: str = VERSION,
) -> Estimate:
    """The mean of one value a unit, NaN left out and not counted, with its bootstrap interval over groups.

    Parameters
    ----------
    values : array of float, shape (unit,)
        NaN where a unit has no value.
    resampling : Resampling, optional
        How to make the interval; without it there is none, and the result says so.
    unit, method, version : str
        What a value is of (in the plural), and the stamps on the result.

    Examples
    --------
    >>> mean_estimate([0.9, 0.8, float("nan"), 0.7], unit="pairs").n
    3
    """
    array = np.asarray(values, dtype=np.float64)
    estimate = ratio_estimate(array, np.ones_like(array), resampling, unit=unit, method=method, version=version)
    left_out = int(np.count_nonzero(~np.isfinite(array)))
    return estimate.with_warnings(f"{left_out} {unit} without a value are left out") if left_out else estimate


def group_sums(contributions: FloatArray, groups: ArrayLike | None) -> FloatArray:
    """Contributions added up within each group: shape (group, column), groups in sorted order.

    Raises
    ------
    ValueError
        Where contributions are no matrix, or groups do not have one entry a unit.

    Examples
    --------
    >>> group_sums(np.array([[1.0], [2.0], [4.0]]), ["p1", "p2", "p1"]).ravel().tolist()
    [5.0, 2.0]
    """
    matrix = np.asarray(contributions, dtype=np.float64)
    if matrix.ndim != 2:
        message = f"contributions have {matrix.ndim} dimensions; they must have two, (unit, column)"
        raise ValueError(message)
    if groups is None:
        return matrix
    labels = np.asarray(groups)
    if labels.shape != (len(matrix),):
        message = f"groups has shape {labels.shape}; one entry for each of the {len(matrix)} units is needed"
        raise ValueError(message)
    names, index = np.unique(labels, return_inverse=True)
    shape = (len(names), len(matrix))
    gather = sparse.csr_array((np.ones(len(matrix)), (index, np.arange(len(matrix)))), shape=shape)
    return np.asarray(gather @ matrix, dtype=np.float64)


def _distinct_rows(sums: FloatArray) -> tuple[FloatArray, IntArray]:
    # Sorting one mixed number a row is many times quicker than sorting rows; that no two different rows share one is
    # checked, so a coincidence costs time and nothing else.
    mixed = sums @ np.sqrt(np.arange(2.0, sums.shape[1] + 2.0))
    _, first, member, multiplicity = np.unique(mixed, return_index=True, return_inverse=True, return_counts=True)
    rows = sums[first]
    if not np.array_equal(rows[member], sums):
        rows, multiplicity = np.unique(sums, axis=0, return_counts=True)
    return rows, multiplicity.astype(np.int64)


def _resampled_values(
    rows: FloatArray | None, multiplicity: IntArray, statistic: Statistic, resampling: Resampling
) -> FloatArray:
    """Values of all resamples; without ``rows`` the statistic sees the counts themselves."""
    drawn_at_once = min(int(multiplicity.sum()), _BINOMIAL * len(multiplicity))
    step = max(1, _CHUNK // max(drawn_at_once, 1 if rows is None else rows.shape[1]))
    sizes = (min(step, resampling.n_resamples - start) for start in range(0, resampling.n_resamples, step))
    drawn = (_draw_counts(multiplicity, size, resampling.rng) for size in sizes)
    return np.concatenate([statistic(counts if rows is None else counts @ rows) for counts in drawn])


def _draw_counts(multiplicity: IntArray, size: int, rng: np.random.Generator) -> FloatArray:
    """How often each distinct row is drawn in each resample; both branches draw from the same multinomial."""
    n_groups, n_rows = int(multiplicity.sum()), len(multiplicity)
    if n_rows * _BINOMIAL < n_groups:
        return rng.multinomial(n_groups, multiplicity / n_groups, size=size).astype(np.float64)
    drawn = rng.integers(0, n_groups, size=(size, n_groups))
    if n_rows < n_groups:
        drawn = np.repeat(np.arange(n_rows), multiplicity)[drawn]
    drawn += np.arange(size)[:, None] * n_rows
    return np.bincount(drawn.ravel(), minlength=size * n_rows).reshape(size, n_rows).astype(np.float64)


def _interval(
    values: FloatArray, value: float, left_out: Callable[[], FloatArray], multiplicity: IntArray, resampling: Resampling
) -> Interval:
    kept = values[np.isfinite(values)]
    n_groups, n_dropped = int(multiplicity.sum()), len(values) - len(kept)
    if len(kept) == 0:
        return _without("no resample has a value", n_groups, n_dropped, resampling)
    if np.ptp(kept) <= _TIE * max(1.0, abs(value)):
        reason = f"the {resampling.group_unit} do not differ, so resampling them says nothing"
        return _without(reason, n_groups, n_dropped, resampling)
    tails = np.array([(1 - resampling.level) / 2, (1 + resampling.level) / 2])
    notes = _warnings(n_dropped, n_groups, resampling)
    if resampling.kind == "bca":
        corrected = _bca_tails(tails, kept, value, left_out(), multiplicity)
        if corrected is None:
            notes += ("the BCa correction is undefined here; the percentile interval is shown",)
        else:
            tails = corrected
    low, high = np.quantile(kept, tails)
    return Interval(
        float(low), float(high), resampling.level, _method_name(resampling), n_groups, resampling.group_unit,
        resampling.n_resamples, n_dropped, warnings=notes, standard_error=float(kept.std(ddof=1)),
    )  # fmt: skip


def _without(reason: str, n_groups: int, n_dropped: int, resampling: Resampling) -> Interval:
    return Interval(
        NAN, NAN, resampling.level, _method_name(resampling), n_groups, resampling.group_unit, resampling.n_resamples,
        n_dropped, reason,
    )  # fmt: skip


def _too_few(n_groups: int, resampling: Resampling) -> Interval:
    reason = f"only {n_groups} of the {resampling.group_unit} carry a value; an interval needs at least 2"
    return _without(reason, n_groups, 0, resampling)


def _method_name(resampling: Resampling) -> str:
    name = "BCa bootstrap" if resampling.kind == "bca" else "percentile bootstrap"
    return f"{name} over {resampling.group_unit}"


def _bca_tails(
    tails: FloatArray, kept: FloatArray, value: float, left_out: FloatArray, multiplicity: IntArray
) -> FloatArray | None:
    """The corrected percentiles (Efron & Tibshirani 1993, eq. 14.10), the acceleration from a jackknife over groups."""
    tolerance = _TIE * max(1.0, abs(value))
    below = np.mean(kept < value - tolerance) + 0.5 * np.mean(np.abs(kept - value) <= tolerance)
    if not (0.0 < below < 1.0 and np.all(np.isfinite(left_out))):
        return None
    weights = multiplicity / multiplicity.sum()
    deviation = weights @ left_out - left_out
    spread = float(multiplicity @ deviation**2)
    if spread <= 0:
        return None
    bias, acceleration = float(ndtri(below)), float(multiplicity @ deviation**3) / (6 * spread**1.5)
    shifted = bias + ndtri(tails)
    stretched = 1 - acceleration * shifted
    if (stretched <= 0).any():
        # Beyond its pole the correction turns over, and the lower end would come out above the upper one.
        return None
    return np.asarray(ndtr(bias + shifted / stretched), dtype=np.float64)


def _warnings(n_dropped: int, n_groups: int, resampling: Resampling) -> tuple[str, ...]:
    found = []
    if n_dropped > DROPPED_SHARE_WARNED * resampling.n_resamples:
        share = 100 * n_dropped / resampling.n_resamples
        found.append(f"{share:.0f} % of the resamples had no value and were dropped; the interval may be too narrow")
    if n_groups < FEW_GROUPS:
        found.append(f"only {n_groups} {resampling.group_unit} were resampled; the interval is rough")
    return tuple(found)


def _ratio(totals: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(totals[:, 1] > 0, totals[:, 0] / totals[:, 1], NAN)


def _share_at_the_edge(value: float, interval: Interval) -> Interval:
    wilson = proportion_interval(
        value * interval.n_groups, interval.n_groups, kind="wilson", level=interval.level, unit=interval.group_unit
    )
    return Interval(
        low=wilson.low,
        high=wilson.high,
        level=interval.level,
        method=f"Wilson over {interval.group_unit} (all alike)",
        n_groups=interval.n_groups,
        group_unit=interval.group_unit,
    )
