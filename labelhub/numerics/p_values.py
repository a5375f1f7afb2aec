"""P-values of agreement, each with its convention in words: what is resampled or assumed, one side or two.

Not here: intervals, which say more (``bootstrap``, and each coefficient).

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., chapter 5.
Davison AC, Hinkley DV (1997) Bootstrap Methods and their Application. Cambridge; section 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, resampled_values
from labelhub.numerics.results import NAN, Estimate, FloatArray

METHOD = "p-value"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class PValue:
    """A two-sided p-value against ``null``, and in words how it was made; NaN with a reason where undefined."""

    value: float
    null: float
    statistic: float
    convention: str
    n: int
    unit: str
    version: str = VERSION
    reason: str | None = None


@checked
def wald_p_value(estimate: Estimate, null: float = 0.0) -> PValue:
    """How surprising the estimate were if the true coefficient was ``null``: two-sided, Student over units.

    Convention (Gwet's): t = (value - null) / standard error with n - 1 degrees of freedom, the error being that at the
    estimate and not the one under the null hypothesis. Units are independent; where the estimate has an interval over
    groups (patients), its standard error and the degrees of freedom are those of groups.

    Examples
    --------
    >>> ac1 = Estimate(0.77544, 0.461, 1.0, 12, "items", "Gwet's AC1", "1", n_groups=12, standard_error=0.14295)
    >>> round(wald_p_value(ac1).value, 5)
    0.00021
    """
    n, error = estimate.n_groups, estimate.standard_error
    over = estimate.group_unit or "units"
    convention = f"two-sided Student t over {over}; standard error at the estimate, not under the null"
    if not estimate.is_defined or n < 2 or not error > 0:
        reason = estimate.reason or "no standard error above 0"
        return PValue(NAN, null, NAN, convention, n, estimate.group_unit, reason=reason)
    t = (estimate.value - null) / error
    return PValue(float(2 * stats.t.sf(abs(t), n - 1)), null, t, convention, n, estimate.group_unit)


@checked
def bootstrap_p_value(
    contributions: FloatArray, statistic: Statistic, resampling: Resampling, null: float = 0.0
) -> PValue:
    """The same from resamples of groups: twice the smaller share of resamples on either side of ``null``, at most 1.

    Convention: a resample exactly at ``null`` counts on both sides, one is added above and below (Davison & Hinkley
    1997, section 4.4), so the least p-value of B resamples is 2 / (B + 1). It answers as the percentile interval does.

    Parameters
    ----------
    contributions, statistic, resampling
        As in ``bootstrap.bootstrap_interval``.

    Examples
    --------
    >>> sums = np.column_stack([np.linspace(-1, 3, 30), np.ones(30)])
    >>> found = bootstrap_p_value(sums, lambda s: s[:, 0] / s[:, 1], Resampling(np.random.default_rng(0)))
    >>> found.value < 0.01
    True
    """
    convention = f"two-sided, twice the smaller tail of resampled {resampling.group_unit}, one added"
    values, n_groups = resampled_values(contributions, statistic, resampling)
    kept = values[np.isfinite(values)]
    unit = resampling.group_unit
    if len(kept) == 0:
        return PValue(NAN, null, NAN, convention, n_groups, unit, reason=f"only {n_groups} {unit}, or no value in any")
    below, above = np.count_nonzero(kept <= null), np.count_nonzero(kept >= null)
    share = (min(below, above) + 1) / (len(kept) + 1)
    at = float(statistic(np.asarray(contributions).sum(axis=0, keepdims=True))[0])
    return PValue(float(min(1.0, 2 * share)), null, at, convention, n_groups, unit)
