"""Whether a gold unit is recognised: late raters do better or are faster on it than the first ones were.

Two signs, tested together: more right answers at exposure 8 or later than at the first ones (Fisher's exact test), and less
time (Welch's test on log seconds). Not here: retiring the unit.

References
----------
Fisher RA (1935) The logic of inductive inference. J R Stat Soc 98:39-82.
Welch BL (1947) The generalization of "Student's" problem. Biometrika 34:28-35.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, FloatArray, check_level

METHOD = "gold leak"
VERSION = "1"

FIRST_EXPOSURES = 3
LATE_EXPOSURE = 8


@dataclass(frozen=True, slots=True)
class GoldLeak:
    """Early against late exposures of one gold unit.

    ``p_accuracy`` and ``p_time`` are one-sided (late is better, late is faster), NaN where one cannot be tested; ``p_value``
    joins them (twice the smaller one, at most 1). ``time_ratio`` is the late geometric mean time over the early one.
    """

    is_suspect: bool
    p_value: float
    p_accuracy: float
    p_time: float
    early_share: float
    late_share: float
    time_ratio: float
    n_early: int
    n_late: int
    reason: str | None = None
    method: str = METHOD
    version: str = VERSION


@checked
def gold_leak(
    rank: ArrayLike,
    is_right: ArrayLike,
    seconds: ArrayLike | None = None,
    *,
    first: int = FIRST_EXPOSURES,
    late: int = LATE_EXPOSURE,
    level: float = 0.05,
) -> GoldLeak:
    """Tests one gold unit, or several pooled if each has early and late exposures.

    Parameters
    ----------
    rank : array of int, shape (answer,)
        Which exposure of its unit the answer was, from 1 on.
    is_right : array of bool, shape (answer,)
    seconds : array of float, shape (answer,), optional
        Time taken; above 0, NaN where unknown.
    first, late : int
        Ranks 1 to ``first`` are early, those from ``late`` on late; those between are left out.
    level : float
        Chance of a false suspicion that is accepted. Over many units, join ``p_value`` by ``false_discovery``.

    Raises
    ------
    ValueError
        Where rows differ in length, a rank is below 1, a time not above 0, or not 1 <= first < late.

    Examples
    --------
    Five of ten right early, twenty of twenty late:

    >>> found = gold_leak([1] * 10 + [9] * 20, [1, 0] * 5 + [1] * 20)
    >>> found.is_suspect, round(found.p_accuracy, 4)
    (True, 0.0018)
    """
    check_level(level)
    exposure, right = np.asarray(rank, dtype=np.int64), np.asarray(is_right)
    taken = np.full(exposure.shape, NAN) if seconds is None else np.asarray(seconds, dtype=np.float64)
    if exposure.ndim != 1 or not exposure.shape == right.shape == taken.shape or not np.isin(right, (0, 1)).all():
        message = f"rank has shape {exposure.shape}, is_right {right.shape}, seconds {taken.shape}; one each an answer"
        raise ValueError(message)
    if (exposure < 1).any() or (taken <= 0).any() or not 1 <= first < late:
        message = f"ranks start at 1, seconds lie above 0, and 1 <= first < late; first is {first}, late {late}"
        raise ValueError(message)
    is_early, is_late = exposure <= first, exposure >= late
    n_early, n_late = int(is_early.sum()), int(is_late.sum())
    if not n_early or not n_late:
        reason = "no early exposures" if n_late else "no late exposures"
        return GoldLeak(
            is_suspect=False, p_value=NAN, p_accuracy=NAN, p_time=NAN, early_share=NAN, late_share=NAN, time_ratio=NAN,
            n_early=n_early, n_late=n_late, reason=reason,
        )  # fmt: skip
    right_early, right_late = int(right[is_early].sum()), int(right[is_late].sum())
    table = [[right_late, n_late - right_late], [right_early, n_early - right_early]]
    p_accuracy = float(stats.fisher_exact(table, alternative="greater").pvalue)
    p_time, ratio = _faster(taken[is_early], taken[is_late])
    known = [p for p in (p_accuracy, p_time) if not np.isnan(p)]
    p_value = min(1.0, len(known) * min(known))
    return GoldLeak(
        p_value <= level,
        p_value,
        p_accuracy,
        p_time,
        right_early / n_early,
        right_late / n_late,
        ratio,
        n_early,
        n_late,
    )


def _faster(early: FloatArray, late: FloatArray) -> tuple[float, float]:
    logs = [np.log(times[~np.isnan(times)]) for times in (early, late)]
    if min(len(values) for values in logs) < 2:
        return NAN, NAN
    ratio = float(np.exp(logs[1].mean() - logs[0].mean()))
    if not any(np.ptp(values) > 0 for values in logs):
        return NAN, ratio
    return float(stats.ttest_ind(logs[1], logs[0], equal_var=False, alternative="less").pvalue), ratio
