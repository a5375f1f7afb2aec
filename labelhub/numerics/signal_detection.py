"""Signal detection: how well a rater tells present from absent (d'), apart from how readily they say "present" (c).

Two raters of equal accuracy may differ: one calls too much, one too little. Not here: sensitivity and specificity by
themselves (``proportions``), continuous ratings (areas under curves).

References
----------
Hautus MJ (1995) Corrections for extreme proportions. Behav Res Methods 27:46-51 (the log-linear correction).
Gourevitch V, Galanter E (1967) A significance test for one parameter isosensitivity functions. Psychometrika 32:25-33.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import NAN, Estimate, Interval, check_level, undefined

METHOD = "signal detection"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class SignalDetection:
    """Skill and bias of one rater on gold units, with the shares they come from.

    ``sensitivity_index`` is d': 0 is guessing, 1 about 69 % right without bias, 3 about 93 %. ``criterion`` is c: 0 is
    unbiased, negative an over-caller, positive an under-caller.
    """

    sensitivity_index: Estimate
    criterion: Estimate
    sensitivity: Estimate
    specificity: Estimate


@checked
def signal_detection(
    hits: int, misses: int, false_alarms: int, correct_rejections: int, *, level: float = 0.95, unit: str = "gold items"
) -> SignalDetection:
    """D' and criterion with intervals, from the four counts of a yes-no task on independent units.

    Always with the log-linear correction (half a unit added to each count), so that shares of 0 and 1 have a value; the
    variances are Gourevitch and Galanter's at the corrected shares. Sensitivity and specificity are not corrected.

    Parameters
    ----------
    hits, misses : int
        Units with the finding, called present or not.
    false_alarms, correct_rejections : int
        Units without it, called present or not.
    level : float
        Confidence level.
    unit : str
        What is counted, in words and in the plural.

    Returns
    -------
    SignalDetection
        d' and c are NaN with a reason where there is no unit with the finding, or none without.

    Raises
    ------
    ValueError
        Where a count is below 0.

    Examples
    --------
    The same skill, once calling readily and once rarely: d' is equal, the criterion changes sign.

    >>> ready, rare = signal_detection(48, 2, 20, 30), signal_detection(30, 20, 2, 48)
    >>> round(ready.sensitivity_index.value, 2), round(rare.sensitivity_index.value, 2)
    (1.9, 1.9)
    >>> round(ready.criterion.value, 2), round(rare.criterion.value, 2)
    (-0.7, 0.7)
    """
    check_level(level)
    counts = (hits, misses, false_alarms, correct_rejections)
    if min(counts) < 0:
        message = f"counts are {counts}; each must be at least 0"
        raise ValueError(message)
    with_it, without_it = hits + misses, false_alarms + correct_rejections
    n = with_it + without_it
    shares = (
        proportion(hits, with_it, level=level, unit=unit, method="sensitivity"),
        proportion(correct_rejections, without_it, level=level, unit=unit, method="specificity"),
    )
    if not with_it or not without_it:
        reason = f"no {unit} {'with' if not with_it else 'without'} the finding"
        none = undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION, level=level)
        return SignalDetection(none, none, *shares)
    hit_rate, alarm_rate = (hits + 0.5) / (with_it + 1), (false_alarms + 0.5) / (without_it + 1)
    z_hit, z_alarm = float(ndtri(hit_rate)), float(ndtri(alarm_rate))
    variance = _variance(hit_rate, z_hit, with_it) + _variance(alarm_rate, z_alarm, without_it)
    error = math.sqrt(variance)
    return SignalDetection(
        _estimate(z_hit - z_alarm, error, "d' (log-linear correction)", (n, unit, level)),
        _estimate(-(z_hit + z_alarm) / 2, error / 2, "criterion c (log-linear correction)", (n, unit, level)),
        *shares,
    )


def _variance(share: float, z: float, n: int) -> float:
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return share * (1 - share) / (n * density**2)


def _estimate(value: float, error: float, method: str, counted: tuple[int, str, float]) -> Estimate:
    n, unit, level = counted
    half = float(ndtri(0.5 + level / 2)) * error
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, standard_error=error)
    label = "normal, Gourevitch & Galanter 1967"
    return bare.with_interval(Interval(value - half, value + half, level, label, n_groups=n, group_unit=unit))
