"""The mean of scores with an interval that holds where several of them belong together (reviews of one patient's items).

Not here: shares (``proportions``), and means whose spread is far from normal (``bootstrap``).

References
----------
Liang KY, Zeger SL (1986) Longitudinal data analysis using generalized linear models. Biometrika 73:13-22 (eq. 5: the
variance of a mean from the sums of its clusters).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, Estimate, Interval, check_level, undefined

METHOD = "mean"
VERSION = "1"


@checked
def clustered_mean(
    values: ArrayLike, groups: Sequence[Hashable], *, level: float = 0.95, unit: str = "scores",
    group_unit: str = "patients", method: str = METHOD,
) -> Estimate:  # fmt: skip
    """The mean of all values, with a t interval over the groups that they belong to.

    Parameters
    ----------
    values : array of float, shape (value,)
        Finite.
    groups : sequence, length (value,)
        To what each value belongs; values of one group need not be independent.
    level : float
        Of the interval.
    unit, group_unit, method : str
        What ``n`` counts, what the groups are, and the name stamped on the result.

    Returns
    -------
    Estimate
        NaN without values; without an interval where there are fewer than two groups.

    Examples
    --------
    With every value its own group this is Student's interval: 4, 6, 8 has standard error 1.15.

    >>> found = clustered_mean([4.0, 6.0, 8.0], ["a", "b", "c"])
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (6.0, 1.03, 10.97)
    """
    check_level(level)
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or len(groups) != len(given) or not np.isfinite(given).all():
        message = f"values has shape {given.shape} and groups {len(groups)}; one finite value and group each is needed"
        raise ValueError(message)
    if not len(given):
        return undefined(f"no {unit}", n=0, unit=unit, method=method, version=VERSION, level=level)
    mean = float(given.mean())
    bare = Estimate(mean, NAN, NAN, n=len(given), unit=unit, method=method, version=VERSION)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    n_groups = len(numbers)
    if n_groups < 2:
        reason = f"values of one of {group_unit} only"
        return bare.with_interval(Interval(level=level, reason=reason, n_groups=n_groups, group_unit=group_unit))
    sums = np.bincount([numbers[group] for group in groups], weights=given - mean)
    error = math.sqrt(float(sums @ sums) * n_groups / (n_groups - 1)) / len(given)
    reach = float(stdtrit(n_groups - 1, (1 + level) / 2)) * error
    return bare.with_interval(
        Interval(mean - reach, mean + reach, level, "Student's t over groups", n_groups, group_unit)
    )
