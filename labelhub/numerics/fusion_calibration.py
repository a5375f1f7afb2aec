"""Gold-calibrated fusion: each rater's outline is moved back by the offset it has on gold, then the outlines are averaged.

No vote can correct what most raters do alike: where three of five draw 4 mm too large, so does every majority. Gold
shows each rater's mean signed offset b and spread sigma; the fused distance is the mean of (distance + b) with weights
1 / (sigma^2 + h^2), h half a step of the grid. Among fair raters this is slightly worse than a vote, so it is switched
on for a label only where gold says it helps: every rater has gold of five patients or more, some offset differs from 0
(t test over patients, Holm over raters x labels), and with each patient's gold left out in turn the fused masks are closer
to the truth (Dice) than the majority's. Not here: rater offsets for their own sake (``surface_offset``).

References
----------
Warfield SK et al. (2008) Validation of image segmentation by estimating rater bias and variance. Phil Trans R Soc A
366:2361-2375.
Holm S (1979) A simple sequentially rejective multiple test procedure. Scand J Stat 6:65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.fusion import FusedShape, distance_stack, empty_shape, half_step
from labelhub.numerics.mask_pair import check_masks, mask_pair
from labelhub.numerics.mean_outline import mean_outline_mask
from labelhub.numerics.results import NAN, BoolArray, FloatArray, check_level
from labelhub.numerics.surface_offset import surface_offsets

METHOD = "gold-calibrated signed-distance fusion"
VERSION = "1"

LEAST_PATIENTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class GoldCase:
    """A structure with a known mask that raters read: ``masks[rater]``, ``None`` where a rater did not read it."""

    truth: BoolArray
    masks: Sequence[BoolArray | None]
    patient: str
    label: int = 1
    spacing_mm: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class RaterOffset:
    """By how much a rater draws a label too large (positive) on gold, and how raggedly.

    ``offset`` is the mean over patients, with its interval and p value (t, patients); ``p_adjusted`` is Holm's over all
    raters and labels; ``noise`` the standard deviation of the outline around the offset. All NaN without gold on which both
    masks hold something (``n_undefined`` counts the others); the interval also with a single patient.
    """

    rater: int
    label: int
    offset: float
    low: float
    high: float
    noise: float
    p_value: float
    p_adjusted: float
    n_masks: int
    n_patients: int
    n_undefined: int
    level: float


@dataclass(frozen=True, slots=True)
class CalibrationDecision:
    """Whether calibrated fusion is used for a label, and why: ``reason`` is a sentence either way.

    ``dice_fused`` and ``dice_majority`` are means over ``n_patients`` with that patient's gold left out; NaN where it did
    not come to that.
    """

    label: int
    is_on: bool
    reason: str
    dice_fused: float
    dice_majority: float
    n_patients: int
    offsets: tuple[RaterOffset, ...]
    method: str = METHOD
    version: str = VERSION


@checked
def rater_offsets(cases: Sequence[GoldCase], *, level: float = 0.95) -> tuple[RaterOffset, ...]:
    """Every rater's offset on gold, label by label.

    Parameters
    ----------
    cases : sequence of GoldCase
        Every case has a place for each rater, ``None`` where unread.
    level : float
        Of the intervals over patients.

    Examples
    --------
    >>> truth = np.zeros((30, 30), dtype=bool)
    >>> truth[10:20, 10:20] = True
    >>> large = np.zeros((30, 30), dtype=bool)
    >>> large[8:22, 8:22] = True
    >>> found = rater_offsets([GoldCase(truth, [truth, large], patient) for patient in "abcde"])
    >>> [round(one.offset, 1) for one in found], [one.n_patients for one in found]
    ([0.0, 2.1], [5, 5])
    """
    check_level(level)
    moments = [_moments(case) for case in cases]
    found = [
        _offset(rater, label, cases, moments, level)
        for label in sorted({case.label for case in cases})
        for rater in range(_n_raters(cases))
    ]
    adjusted = _holm([one.p_value for one in found])
    return tuple(replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True))


@checked
def calibrated_fusion(
    masks: Sequence[BoolArray],
    offsets: Sequence[RaterOffset],
    *,
    spacing_mm: Sequence[float] | None = None,
) -> FusedShape:
    """The mask at the weighted mean of the raters' outlines, each moved back by its offset.

    Parameters
    ----------
    masks : sequence of array of bool, one grid, shape (y, x) or (z, y, x)
    offsets : sequence of RaterOffset
        One a mask, in the same order and unit, of one label.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.

    Raises
    ------
    ValueError
        Where a mask has no offset with a value, grids differ, or the spacing is impossible.

    Examples
    --------
    >>> truth, large = np.zeros((30, 30), dtype=bool), np.zeros((30, 30), dtype=bool)
    >>> truth[10:20, 10:20] = large[8:22, 8:22] = True
    >>> offsets = rater_offsets([GoldCase(truth, [truth, large], patient) for patient in "abcde"])
    >>> int(calibrated_fusion([truth, large], offsets).mask().sum())
    100
    """
    return _fused(masks, *_known(masks, offsets), spacing_mm)


@checked
def calibrated_mask(
    masks: Sequence[BoolArray],
    offsets: Sequence[RaterOffset],
    *,
    spacing_mm: Sequence[float] | None = None,
) -> BoolArray:
    """The mask of :func:`calibrated_fusion` alone, which is much quicker where raters mostly agree.

    Parameters
    ----------
    masks, offsets, spacing_mm
        As there.

    Examples
    --------
    >>> truth, large = np.zeros((30, 30), dtype=bool), np.zeros((30, 30), dtype=bool)
    >>> truth[10:20, 10:20] = large[8:22, 8:22] = True
    >>> offsets = rater_offsets([GoldCase(truth, [truth, large], patient) for patient in "abcde"])
    >>> int(calibrated_mask([truth, large], offsets).sum())
    100
    """
    check_masks(masks)
    shift, noise = _known(masks, offsets)
    is_drawn = np.array([bool(mask.any()) for mask in masks])
    if not is_drawn.any() or 2 * int(is_drawn.sum()) < len(masks):
        return np.zeros(masks[0].shape, dtype=np.bool_)
    drawn = [mask for mask, is_one in zip(masks, is_drawn, strict=True) if is_one]
    weights, _ = _weights(noise[is_drawn], half_step(masks[0].shape, spacing_mm))
    return mean_outline_mask(drawn, weights, shift[is_drawn], spacing_mm=spacing_mm)


def _known(masks: Sequence[BoolArray], offsets: Sequence[RaterOffset]) -> tuple[FloatArray, FloatArray]:
    """Offset and noise of each mask's rater."""
    shift = np.array([one.offset for one in offsets], dtype=np.float64)
    noise = np.array([one.noise for one in offsets], dtype=np.float64)
    if len(offsets) != len(masks) or not (np.isfinite(shift).all() and np.isfinite(noise).all()):
        message = f"offsets has {len(offsets)} for {len(masks)} masks; each mask needs one with a value"
        raise ValueError(message)
    return shift, noise


def _weights(noise: FloatArray, half: float) -> tuple[FloatArray, float]:
    """Weights that add up to 1, and the precision of all together."""
    precision = 1 / (noise**2 + half**2)
    total = float(precision.sum())
    return precision / total, total


@checked
def decide_calibration(cases: Sequence[GoldCase], *, level: float = 0.95) -> tuple[CalibrationDecision, ...]:
    """For each label whether calibrated fusion is to be used, by the rule of this module.

    Parameters
    ----------
    cases : sequence of GoldCase
        As in :func:`rater_offsets`.
    level : float
        One minus it is the level that Holm's p values must undercut.

    Examples
    --------
    >>> truth, large = np.zeros((30, 30), dtype=bool), np.zeros((30, 30), dtype=bool)
    >>> truth[10:20, 10:20] = large[8:22, 8:22] = True
    >>> cases = [GoldCase(truth, [truth, large, large], patient) for patient in "abcdef"]
    >>> decision = decide_calibration(cases)[0]
    >>> decision.is_on, decision.dice_fused > decision.dice_majority
    (True, True)
    """
    offsets = rater_offsets(cases, level=level)
    moments = [_moments(case) for case in cases]
    return tuple(
        _decision(label, cases, moments, tuple(one for one in offsets if one.label == label), 1 - level)
        for label in sorted({case.label for case in cases})
    )


def _decision(
    label: int,
    cases: Sequence[GoldCase],
    moments: Sequence[FloatArray],
    offsets: tuple[RaterOffset, ...],
    alpha: float,
) -> CalibrationDecision:
    few = [one.rater for one in offsets if one.n_patients < LEAST_PATIENTS]
    if few:
        reason = f"rater {', '.join(map(str, few))} has gold of fewer than {LEAST_PATIENTS} patients"
        return _off(label, reason, offsets)
    if not any(one.p_adjusted < alpha for one in offsets):
        reason = "no rater's offset differs from 0: an average would move no outline for a reason"
        return _off(label, reason, offsets)
    fused, majority, patients = _left_out(label, cases, moments)
    is_on = fused > majority
    reason = f"with each patient's gold left out the Dice is {fused:.4f} against {majority:.4f} of the majority"
    return CalibrationDecision(label, is_on, reason, fused, majority, patients, offsets)


def _off(label: int, reason: str, offsets: tuple[RaterOffset, ...]) -> CalibrationDecision:
    return CalibrationDecision(
        label, is_on=False, reason=reason, dice_fused=NAN, dice_majority=NAN, n_patients=0, offsets=offsets
    )


def _left_out(label: int, cases: Sequence[GoldCase], moments: Sequence[FloatArray]) -> tuple[float, float, int]:
    """Mean Dice over patients of the fused and of the majority's mask, parameters from the other patients."""
    per_patient: dict[str, list[tuple[float, float]]] = {}
    n_raters = _n_raters(cases)
    for case in cases:
        if case.label != label or not case.truth.any():
            continue
        raters = [rater for rater in range(n_raters) if case.masks[rater] is not None]
        rest = [k for k, other in enumerate(cases) if other.label == label and other.patient != case.patient]
        found = [_summary(rater, [moments[k] for k in rest], [cases[k].patient for k in rest]) for rater in raters]
        usable = [(rater, one) for rater, one in zip(raters, found, strict=True) if math.isfinite(one[0])]
        masks = [mask for rater, _ in usable if (mask := case.masks[rater]) is not None]
        if not masks:
            continue
        shift, noise = (np.array([one[part] for _, one in usable]) for part in (0, 1))
        fused = _fused(masks, shift, noise, case.spacing_mm).mask()
        majority = 2 * np.sum(masks, axis=0) >= len(masks)
        per_patient.setdefault(case.patient, []).append((_dice(fused, case.truth), _dice(majority, case.truth)))
    means = np.array([np.mean(values, axis=0) for values in per_patient.values()])
    return float(means[:, 0].mean()), float(means[:, 1].mean()), len(means)


def _fused(
    masks: Sequence[BoolArray], shift: FloatArray, noise: FloatArray, spacing_mm: Sequence[float] | None
) -> FusedShape:
    stack = distance_stack(masks, spacing_mm, shift)
    weights, total = np.zeros(len(masks)), 0.0
    if stack.is_drawn.any():
        weights[stack.is_drawn], total = _weights(noise[stack.is_drawn], stack.half_step)
    if not stack.is_present:
        return empty_shape(stack, weights)
    distance = np.tensordot(weights[stack.is_drawn], stack.distances, axes=1)
    spread = np.full(distance.shape, 1 / math.sqrt(total))
    return FusedShape(
        distance, spread, stack.box, stack.shape, weights, shift, stack.unit, stack.warnings, method=METHOD
    )


def _moments(case: GoldCase) -> FloatArray:
    """Mean and mean square of the signed offsets of each rater, NaN where a mask is empty; ``[rater, 2]``, inf: unread."""
    result = np.full((len(case.masks), 2), np.inf)
    for rater, mask in enumerate(case.masks):
        if mask is None:
            continue
        pair = mask_pair(mask, case.truth, case.spacing_mm)
        offsets = surface_offsets(pair) if pair.edge_case == "none" else np.array([NAN])
        result[rater] = offsets.mean(), (offsets**2).mean()
    return result


def _summary(rater: int, moments: Sequence[FloatArray], patients: Sequence[str]) -> tuple[float, float, FloatArray]:
    """Offset, noise and the offset of each patient of one rater."""
    rows = [(one[rater], patient) for one, patient in zip(moments, patients, strict=True) if np.isfinite(one[rater, 0])]
    if not rows:
        return NAN, NAN, np.zeros(0)
    names = sorted({patient for _, patient in rows})
    means = np.array([np.mean([row[0] for row, patient in rows if patient == name]) for name in names])
    offset = float(means.mean())
    around = [row[1] - 2 * offset * row[0] + offset**2 for row, _ in rows]
    return offset, math.sqrt(max(float(np.mean(around)), 0.0)), means


def _offset(
    rater: int, label: int, cases: Sequence[GoldCase], moments: Sequence[FloatArray], level: float
) -> RaterOffset:
    mine = [k for k, case in enumerate(cases) if case.label == label]
    offset, noise, means = _summary(rater, [moments[k] for k in mine], [cases[k].patient for k in mine])
    n_undefined = sum(bool(np.isnan(moments[k][rater, 0])) for k in mine)
    n_masks = sum(bool(np.isfinite(moments[k][rater, 0])) for k in mine)
    low, high, p = NAN, NAN, NAN
    n = len(means)
    if n >= 2:
        error = float(means.std(ddof=1)) / math.sqrt(n)
        reach = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
        low, high = offset - reach, offset + reach
        p = float(2 * stats.t.sf(abs(offset) / error, n - 1)) if error > 0 else float(offset == 0)
    return RaterOffset(rater, label, offset, low, high, noise, p, NAN, n_masks, n, n_undefined, level)


def _holm(values: Sequence[float]) -> FloatArray:
    """Holm's adjusted p values; NaN stays NaN and is not counted."""
    p = np.asarray(values, dtype=np.float64)
    result = np.full(len(p), NAN)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return result


def _n_raters(cases: Sequence[GoldCase]) -> int:
    counts = {len(case.masks) for case in cases}
    if len(counts) != 1:
        message = f"cases have {sorted(counts)} raters; every case needs a place for each rater (None where unread)"
        raise ValueError(message)
    return counts.pop()


def _dice(mask: BoolArray, truth: BoolArray) -> float:
    return float(2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth)))
