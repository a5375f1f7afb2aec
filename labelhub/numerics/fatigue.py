"""Whether somebody gets worse within a session: accuracy against the position in the session.

The within-session slope of a linear probability model: each session's mean is taken out of outcome and position, so that
a hard day or a learning curve over days is not taken for tiring. Not here: drift over weeks (``sequential``), speed.

Angrist JD, Pischke J-S (2009) Mostly Harmless Econometrics, 5.1 and 8.2: fixed effects, cluster-robust errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, Estimate

METHOD = "within-session slope of accuracy"
VERSION = "1"
MIN_SESSIONS_FOR_CLUSTERS = 8
ITEMS_A_STEP = 10


@checked
def sessions_of(times_s: Sequence[float], *, gap_s: float = 1800.0) -> NDArray[np.int64]:
    """Number the sessions of a person's work: a pause of more than ``gap_s`` seconds begins a new one.

    ``times_s`` are ascending seconds. Returns one session number (from 0) a time; empty input gives an empty array.

    Raises
    ------
    ValueError
        Where times are not one ascending row, or hold NaN.

    Examples
    --------
    >>> sessions_of([0, 60, 120, 9000, 9060]).tolist()
    [0, 0, 0, 1, 1]
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or np.isnan(times).any() or (np.diff(times) < 0).any():
        message = f"times_s has shape {times.shape}; one ascending row of seconds without NaN is needed"
        raise ValueError(message)
    if times.size == 0:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate(([0], np.cumsum(np.diff(times) > gap_s))).astype(np.int64)


@checked
def fatigue_slope(
    is_right: Sequence[float] | NDArray[np.generic],
    position: Sequence[int] | NDArray[np.generic],
    session: Sequence[int] | NDArray[np.generic],
    *,
    level: float = 0.95,
) -> Estimate:
    """Change of accuracy per ten items of a session: −0.05 means five percentage points lost every ten items.

    Parameters
    ----------
    is_right
        One truth value an answer that can be judged (against gold).
    position
        Place of the answer in its session, counting all items of the session from 0, judged or not.
    session
        Which session the answer belongs to.
    level
        Of the interval: cluster-robust by session with at least 8 sessions, else heteroskedasticity-robust (HC1).

    Returns
    -------
    Estimate
        In accuracy (0 to 1) per ten items. NaN with a reason where no session has two judged answers at different places.

    References
    ----------
    Angrist and Pischke (2009), chapters 5.1 (fixed effects) and 8.2 (clusters).

    Raises
    ------
    ValueError
        Where the rows differ in length or hold NaN.

    Examples
    --------
    >>> right = [1, 1, 1, 1, 0, 1, 0, 0] * 3
    >>> slope = fatigue_slope(right, list(range(8)) * 3, [0] * 8 + [1] * 8 + [2] * 8)
    >>> round(slope.value, 3)
    -1.548
    """
    outcome, place, group = (np.asarray(values, dtype=np.float64) for values in (is_right, position, session))
    if not outcome.shape == place.shape == group.shape or outcome.ndim != 1:
        message = (
            f"is_right has shape {outcome.shape}, position {place.shape}, session {group.shape}; rows of one length"
        )
        raise ValueError(f"{message} are needed")
    if np.isnan([outcome, place, group]).any():
        message = "is_right, position or session holds NaN; leave out answers that cannot be judged or placed"
        raise ValueError(message)
    _, names = np.unique(group, return_inverse=True)
    n_sessions = int(names.max()) + 1 if names.size else 0
    x, y = (_centred(values, names, n_sessions) for values in (place, outcome))
    spread = float(x @ x)
    if spread == 0:
        return _undefined(len(outcome), n_sessions, level, "no session has two judged answers at different places")
    slope = float(x @ y) / spread
    error, freedom, method = _robust_error(x, y - slope * x, names, n_sessions, spread)
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * error if freedom > 0 else NAN
    return Estimate(
        value=slope * ITEMS_A_STEP,
        low=(slope - reach) * ITEMS_A_STEP,
        high=(slope + reach) * ITEMS_A_STEP,
        n=len(outcome),
        unit="judged answers",
        method=METHOD,
        version=VERSION,
        level=level,
        n_groups=n_sessions,
        group_unit="sessions",
        interval_method=method,
        interval_reason=None if freedom > 0 else "too few judged answers for an interval",
        standard_error=error * ITEMS_A_STEP,
    )


def _centred(values: NDArray[np.float64], names: NDArray[np.int64], n_sessions: int) -> NDArray[np.float64]:
    counts = np.bincount(names, minlength=n_sessions)
    means = np.bincount(names, values, minlength=n_sessions) / np.maximum(counts, 1)
    return np.asarray(values - means[names], dtype=np.float64)


def _robust_error(
    x: NDArray[np.float64], residual: NDArray[np.float64], names: NDArray[np.int64], n_sessions: int, spread: float
) -> tuple[float, int, str]:
    """Return the slope's standard error, its degrees of freedom and how it was made."""
    n = len(x)
    if n_sessions >= MIN_SESSIONS_FOR_CLUSTERS:
        sums = np.bincount(names, x * residual, minlength=n_sessions)
        scale = n_sessions / (n_sessions - 1) * (n - 1) / max(n - n_sessions - 1, 1)
        return float(np.sqrt(scale * (sums @ sums))) / spread, n_sessions - 1, "cluster-robust by session, t"
    freedom = n - n_sessions - 1
    scale = n / freedom if freedom > 0 else NAN
    return float(np.sqrt(scale * float((x * residual) @ (x * residual)))) / spread, freedom, "robust (HC1), t"


def _undefined(n: int, n_sessions: int, level: float, reason: str) -> Estimate:
    return Estimate(
        value=NAN, low=NAN, high=NAN, n=n, unit="judged answers", method=METHOD, version=VERSION, level=level,
        n_groups=n_sessions, group_unit="sessions", reason=reason, interval_reason=reason,
    )  # fmt: skip
