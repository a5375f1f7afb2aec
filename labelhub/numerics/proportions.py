"""Intervals for a share, and how many units an interval of a wanted width needs.

Not here: shares over clustered units, whose interval comes from ``bootstrap``; here units are independent.

References
----------
Newcombe RG (1998) Two-sided confidence intervals for the single proportion. Statistics in Medicine 17:857-872.
Brown LD, Cai TT, DasGupta A (2001) Interval estimation for a binomial proportion. Statistical Science 16:101-133.
Clopper CJ, Pearson ES (1934) The use of confidence or fiducial limits. Biometrika 26:404-413.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import betaincinv, ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, Estimate, Interval, check_level, undefined

METHOD = "proportion"
VERSION = "1"

SMALL_N = 10

Kind: TypeAlias = Literal["auto", "wilson", "jeffreys", "exact"]


@checked
def proportion(
    successes: int, n: int, *, kind: Kind = "auto", level: float = 0.95, unit: str = "items", method: str = METHOD
) -> Estimate:
    """A share with its interval: Wilson, or Jeffreys where fewer than 10 units were counted.

    Parameters
    ----------
    successes, n : int
        How many of how many; ``0 <= successes <= n``. Units are taken as independent.
    kind : {"auto", "wilson", "jeffreys", "exact"}
        Which interval; "auto" is Jeffreys below 10 units and Wilson from 10 on.
    level : float
        Confidence level, strictly between 0 and 1.
    unit : str
        What ``n`` counts, in words.
    method : str
        The name stamped on the result ("accuracy against gold").

    Returns
    -------
    Estimate
        NaN with a reason where ``n`` is 0.

    Raises
    ------
    ValueError
        Where the counts are impossible or ``kind`` is unknown.

    Examples
    --------
    Newcombe (1998), table I, method 3: 81 of 263.

    >>> share = proportion(81, 263)
    >>> round(share.low, 4), round(share.high, 4)
    (0.2553, 0.3662)
    """
    interval = proportion_interval(successes, n, kind=kind, level=level, unit=unit)
    if n == 0:
        return undefined(f"no {unit}", n=0, unit=unit, method=method, version=VERSION, level=level)
    share = successes / n
    error = math.sqrt(share * (1 - share) / n)
    bare = Estimate(share, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, standard_error=error)
    return bare.with_interval(interval)


@checked
def proportion_interval(
    successes: float, n: float, *, kind: Kind = "auto", level: float = 0.95, unit: str = "items"
) -> Interval:
    """The interval of a share alone; see :func:`proportion`. The counts may be weighted (fractional).

    Parameters
    ----------
    successes, n : float
        How many of how many, 0 <= successes <= n.
    kind, level, unit
        As in :func:`proportion`.

    Examples
    --------
    Newcombe (1998): 0 of 20 and 1 of 29, Wilson's score interval without continuity correction.

    >>> [round(proportion_interval(x, n, kind="wilson").high, 4) for x, n in ((0, 20), (1, 29))]
    [0.1611, 0.1718]
    """
    check_level(level)
    if not (math.isfinite(n) and n >= 0 and 0 <= successes <= n):
        message = f"successes is {successes!r} of n {n!r}; allowed is 0 <= successes <= n, both finite"
        raise ValueError(message)
    if n == 0:
        return Interval(level=level, reason=f"no {unit}", group_unit=unit)
    used = ("jeffreys" if n < SMALL_N else "wilson") if kind == "auto" else kind
    low, high = _LIMITS[used](float(successes), float(n), level)
    return Interval(low, high, level, _NAMES[used], n_groups=int(n), group_unit=unit)


@dataclass(frozen=True, slots=True)
class ReadsNeeded:
    """How many units give an interval of the wanted half width, and on what guess that rests."""

    n: int
    half_width: float
    level: float
    assumed: str
    method: str
    version: str = VERSION


@checked
def units_for_proportion(guess: float = 0.5, half_width: float = 0.05, *, level: float = 0.95) -> ReadsNeeded:
    """How many units must be counted for Wilson's interval of a share to reach ``half_width`` on each side.

    Parameters
    ----------
    guess : float
        The share expected, 0 to 1; 0.5 is the safe choice where nothing is known.
    half_width : float
        Half the interval's width wanted, above 0 and below 0.5.
    level : float
        Confidence level.

    Returns
    -------
    ReadsNeeded
        The smallest whole ``n`` whose expected Wilson interval is at most ``2 * half_width`` wide.

    Raises
    ------
    ValueError
        Where guess lies outside 0 to 1, half_width outside 0 to .5, or level outside 0 to 1.

    Examples
    --------
    The cruder normal approximation gives 385 units for 0.5 +- 0.05 and 139 for 0.9 +- 0.05.

    >>> units_for_proportion(0.5, 0.05).n, units_for_proportion(0.9, 0.05).n
    (381, 141)
    """
    check_level(level)
    _check_half_width(half_width)
    if not 0.0 <= guess <= 1.0:
        message = f"guess is {guess!r}; a share lies between 0 and 1"
        raise ValueError(message)

    def is_enough(n: int) -> bool:
        low, high = _wilson(guess * n, float(n), level)
        return high - low <= 2 * half_width

    above = 1
    while not is_enough(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (below, middle) if is_enough(middle) else (middle, above)
    return ReadsNeeded(above, half_width, level, f"a share near {guess:g}", "Wilson interval, expected width")


@checked
def units_for_estimate(influence: ArrayLike, half_width: float = 0.05, *, level: float = 0.95) -> ReadsNeeded:
    """How many units an estimate needs, from the spread of its per-unit contributions in a pilot (approximate).

    The variance of a smooth estimate is about that of its linearised per-unit contributions divided by ``n`` (Gwet
    2014, section 5.4, for agreement coefficients); a normal interval then needs ``n = (z s / half_width)**2`` units.

    Parameters
    ----------
    influence : array of float, shape (n,)
        Per-unit contributions whose mean is the estimate, such as ``Alpha.influence``; NaN entries are left out.
        Where units cluster in patients, pass the sums by patient and read the answer as patients.
    half_width, level : float
        As in :func:`units_for_proportion`.

    Returns
    -------
    ReadsNeeded
        At least 2 units.

    Raises
    ------
    ValueError
        Where fewer than two contributions are finite.

    Examples
    --------
    >>> units_for_estimate([0.5, 1.0, 1.0, 0.0, 1.0], 0.05).n
    308
    """
    check_level(level)
    _check_half_width(half_width)
    values = np.asarray(influence, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2:
        message = f"influence has {len(values)} finite values; at least 2 are needed to judge a spread"
        raise ValueError(message)
    spread = float(np.std(values, ddof=1))
    n = max(2, math.ceil((_normal_quantile(level) * spread / half_width) ** 2))
    return ReadsNeeded(n, half_width, level, f"the spread of {len(values)} pilot units", "normal approximation")


def _check_half_width(half_width: float) -> None:
    if not 0.0 < half_width < 0.5:
        message = f"half_width is {half_width!r}; it must lie strictly between 0 and 0.5"
        raise ValueError(message)


def _normal_quantile(level: float) -> float:
    return float(ndtri(0.5 + level / 2))


def _wilson(x: float, n: float, level: float) -> tuple[float, float]:
    z = _normal_quantile(level)
    centre = (x + z * z / 2) / (n + z * z)
    half = z * math.sqrt(x * (n - x) / n + z * z / 4) / (n + z * z)
    # Rounding would leave 1e-17 where the limit is exactly 0 or 1.
    return (0.0 if x == 0 else centre - half), (1.0 if x == n else centre + half)


def _jeffreys(x: float, n: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else float(betaincinv(x + 0.5, n - x + 0.5, tail))
    high = 1.0 if x == n else float(betaincinv(x + 0.5, n - x + 0.5, 1 - tail))
    return low, high


def _exact(x: float, n: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low = 0.0 if x == 0 else float(stats.beta.ppf(tail, x, n - x + 1))
    high = 1.0 if x == n else float(stats.beta.ppf(1 - tail, x + 1, n - x))
    return low, high


_LIMITS = {"wilson": _wilson, "jeffreys": _jeffreys, "exact": _exact}
_NAMES = {"wilson": "Wilson", "jeffreys": "Jeffreys", "exact": "exact (Clopper–Pearson)"}
