"""How many errors are left among accepted units, from a random audit: design-weighted, with an interval for few errors.

Each audited unit stands for 1 / (its chance to be audited) units. Units of one patient share errors, so that the interval
counts patients. Not here: choosing whom to audit.

References
----------
Horvitz DG, Thompson DJ (1952) A generalization of sampling without replacement from a finite universe. JASA 47:663-685.
Korn EL, Graubard BI (1998) Confidence intervals for proportions with small expected number of positive counts estimated
from survey data. Survey Methodology 24:193-201.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.proportions import proportion_interval
from labelhub.numerics.results import NAN, Estimate, FloatArray, check_level, undefined

METHOD = "residual error, Horvitz–Thompson"
VERSION = "1"

_FEW = 10


@checked
def residual_error(
    is_wrong: ArrayLike,
    chance: ArrayLike,
    *,
    n_units: int | None = None,
    groups: ArrayLike | None = None,
    group_unit: str = "patients",
    level: float = 0.95,
    unit: str = "audited items",
) -> Estimate:
    """The share of accepted units that are wrong, judged by the auditor.

    Parameters
    ----------
    is_wrong : array of bool, shape (audited unit,)
        What the auditor found.
    chance : array of float, shape (audited unit,)
        Each unit's chance to be audited, above 0 and at most 1.
    n_units : int, optional
        How many units were accepted in all. With it the estimate is Horvitz and Thompson's (weighted errors over
        ``n_units``); without it the weighted share (Hájek's).
    groups : array, shape (audited unit,), optional
        The highest known group of each unit, such as the patient; every unit its own group by default.
    group_unit, level, unit
        In words what groups are; of the interval; what was audited.

    Returns
    -------
    Estimate
        The interval is exact (Clopper-Pearson) on the effective number of units (Korn and Graubard), which is at most the
        number audited; without any error it is that of the groups' weights. NaN with a reason where nothing was audited.

    Raises
    ------
    ValueError
        Where rows differ in length, ``is_wrong`` is not 0 or 1, a chance is not above 0 and at most 1, or ``n_units``
        is below the number audited.

    Examples
    --------
    2 errors in 40 audited at 5 %:

    >>> found = residual_error([1, 1] + [0] * 38, [0.05] * 40)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.05, 0.006, 0.171)
    """
    check_level(level)
    wrong, chances = one_a_unit("is_wrong", is_wrong), np.asarray(chance, dtype=np.float64)
    names = np.arange(len(wrong)) if groups is None else np.asarray(groups)
    if wrong.ndim != 1 or not wrong.shape == chances.shape == names.shape or not np.isin(wrong, (0, 1)).all():
        message = (
            f"is_wrong has shape {wrong.shape}, chance {chances.shape}, groups {names.shape}; one each a unit is needed, "
            "and is_wrong 0 or 1"
        )
        raise ValueError(message)
    if not ((chances > 0) & (chances <= 1)).all() or (n_units is not None and n_units < len(wrong)):
        message = (
            f"chance runs from {chances.min(initial=1)} to {chances.max(initial=0)}, n_units is {n_units}; chance must lie "
            f"above 0 and at most at 1, and n_units be at least the {len(wrong)} audited"
        )
        raise ValueError(message)
    n = len(wrong)
    if n == 0:
        return undefined("nothing was audited", n=0, unit=unit, method=METHOD, version=VERSION, level=level)
    weight = 1 / chances
    _, group = np.unique(names, return_inverse=True)
    total = float(weight.sum()) if n_units is None else float(n_units)
    value = min(float(weight @ wrong) / total, 1.0)
    # Against a known total the number audited varies too: deviations are then from 0 and not from the share.
    centre = float(weight @ wrong / weight.sum()) if n_units is None else 0.0
    moved = np.bincount(group, weight * (wrong - centre)) / total
    effective, error = _effective_n(moved, np.bincount(group, weight).astype(np.float64), value, n, level)
    n_groups = len(moved)
    interval = proportion_interval(value * effective, effective, kind="exact", level=level)
    words = "units" if groups is None else group_unit
    return Estimate(
        value=value, low=interval.low, high=interval.high, n=n, unit=unit, method=METHOD, version=VERSION, level=level,
        n_groups=n_groups, group_unit=words, interval_method=f"exact on {effective:.1f} effective units (Korn–Graubard)",
        standard_error=error,
        warnings=_doubts(n_groups, len(np.unique(group[wrong.astype(bool)])), words),
    )  # fmt: skip


def _doubts(n_groups: int, n_with_errors: int, words: str) -> tuple[str, ...]:
    found = [] if n_groups >= _FEW else [f"only {n_groups} {words}: the interval is rough"]
    if 0 < n_with_errors < _FEW and n_with_errors < n_groups:
        found.append(
            f"errors come from {n_with_errors} {words} only: where some have many, the true share lies above the interval "
            "in up to one case of twelve"
        )
    return tuple(found)


def _effective_n(
    moved: FloatArray, group_weight: FloatArray, share: float, n: int, level: float
) -> tuple[float, float]:
    """Effective number of units, and the standard error of the share."""
    n_groups = len(moved)
    # Groups' weights alone say how much independent evidence there is where no spread can be seen.
    independent = float(group_weight.sum() ** 2 / (group_weight**2).sum())
    if n_groups < 2:
        return 1.0, NAN
    variance = n_groups / (n_groups - 1) * float(moved @ moved)
    if variance <= 0 or not 0 < share < 1:
        return independent, math.sqrt(max(variance, 0.0)) if 0 < share < 1 else NAN
    # Few groups, or unequal ones, know the spread badly: Student's factor, eq 4 of Korn and Graubard.
    tail = (1 + level) / 2
    factor = float(stats.t.ppf(tail, max(n - 1, 1)) / stats.t.ppf(tail, max(independent - 1, 1))) ** 2
    return float(np.clip(share * (1 - share) / variance * factor, 1.0, n)), math.sqrt(variance)
