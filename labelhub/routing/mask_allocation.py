"""Whom to ask next about which mask, who is poor, which reading is its author's slip, and how the mask is settled.

A reader's outline is taken to lie around the truth with the spread that gold showed; an item on which readers differ more
than their gold foretells is harder by that factor. One more reader is worth the fall in the expected distance to the truth.
Pure: arrays in, arrays out. Not here: class answers (``allocation``), what the rules decide (``policy_rules``).

References
----------
Warfield SK et al. (2008) Validation of image segmentation by estimating rater bias and variance. Phil Trans R Soc A
366:2361-2375.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from labelhub.numerics.fusion import shape_average
from labelhub.numerics.fusion_calibration import (
    CalibrationDecision,
    GoldCase,
    RaterOffset,
    calibrated_fusion,
    rater_offsets,
)
from labelhub.numerics.graded_sprt import ErrorRates, mask_credit, sprt_of_scores
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray
from labelhub.numerics.signed_distances import signed_distance
from labelhub.numerics.staple import staple
from labelhub.numerics.surfaces import surface
from labelhub.projects.policy import Policy
from labelhub.routing.allocation import GateState
from labelhub.routing.policy_rules import ReaderView, Situation, Verdict, decide

METHOD = "expected fall of the mean distance to the truth"
VERSION = "1"

FusionName: TypeAlias = Literal["calibrated fusion", "STAPLE in the region", "median outline", "weighted mean outline"]
CALIBRATED: FusionName = "calibrated fusion"
STAPLE: FusionName = "STAPLE in the region"
MEDIAN: FusionName = "median outline"
WEIGHTED: FusionName = "weighted mean outline"
_DRAWS_A_CASE = 8

# The mean of |x| of a normal variable of spread 1.
_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)
# What is known of an item that nobody read, in readings of a usual rater.
_PRIOR_READINGS = 0.05
# How many differences of a usual item are mixed into an item's own before its difficulty is believed.
_PRIOR_PAIRS = 1.5
# Credit of gold masks (numerics.graded_sprt.mask_credit): what a good and a poor rater reach, and the spread of one mask.
GOOD_CREDIT, POOR_CREDIT, CREDIT_SPREAD = 0.9, 0.5, 0.3


@dataclass(frozen=True, slots=True)
class OutlineDifference:
    """How far two readings of one item differ: mean distance between their outlines after shifting, and plain Dice."""

    distance: float
    dice: float


def outline_difference(first: BoolArray, second: BoolArray, shift: float = 0.0) -> OutlineDifference:
    """The mean absolute distance of either outline from the other, the second moved inwards by ``shift`` against the first.

    Both empty differ by 0; where one is empty the distance is NaN and the Dice 0.

    Examples
    --------
    >>> small, large = np.zeros((30, 30), dtype=bool), np.zeros((30, 30), dtype=bool)
    >>> small[10:20, 10:20] = large[8:22, 8:22] = True
    >>> round(outline_difference(small, large).distance, 1), round(outline_difference(small, large, 2.0).distance, 1)
    (2.0, 0.3)
    """
    total = int(first.sum()) + int(second.sum())
    if total == 0:
        return OutlineDifference(0.0, 1.0)
    dice = 2 * int((first & second).sum()) / total
    if not first.any() or not second.any():
        return OutlineDifference(NAN, dice)
    to_second = signed_distance(second)[surface(first)] + 0.5 + shift
    to_first = signed_distance(first)[surface(second)] + 0.5 - shift
    return OutlineDifference(float(np.abs(np.concatenate([to_second, to_first])).mean()), dice)


def difficulty_factors(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """How much harder each item is than usual: shape (unit,), from sums over its pairs of readers, drawn towards 1.

    Parameters
    ----------
    observed, expected : array of float, shape (unit,)
        Sum over pairs of the difference that was seen, and of that which the two readers' gold foretells.

    Examples
    --------
    >>> difficulty_factors(np.array([0.0, 6.0]), np.array([0.0, 2.0])).round(2).tolist()
    [1.0, 2.14]
    """
    usual = float(expected[expected > 0].mean()) if (expected > 0).any() else 1.0
    return np.asarray((observed + _PRIOR_PAIRS * usual) / (expected + _PRIOR_PAIRS * usual), dtype=np.float64)


def expected_difference(first_spread: float, second_spread: float) -> float:
    """The mean distance that two readers with these spreads around the truth are expected to differ by."""
    return _MEAN_ABSOLUTE * math.hypot(first_spread, second_spread)


def expected_distance(spreads: Sequence[float]) -> float:
    """The mean distance to the truth that is expected of the weighted mean of readers with these spreads.

    Examples
    --------
    >>> round(expected_distance([1.0]), 2), round(expected_distance([1.0] * 4), 2)
    (0.8, 0.4)
    """
    return _MEAN_ABSOLUTE / math.sqrt(sum(1 / spread**2 for spread in spreads))


def worth_of_reading(
    precision: FloatArray,
    factor: FloatArray,
    spread: FloatArray,
    *,
    may_ask: BoolArray,
    costs: FloatArray | None = None,
) -> FloatArray:
    """How far one more reader lowers the expected mean distance to the truth, per cost: shape (unit, rater).

    Parameters
    ----------
    precision : array of float, shape (unit,)
        Sum over the item's readers of 1 / spread squared; 0 for an unread item.
    factor : array of float, shape (unit,)
        From :func:`difficulty_factors`.
    spread : array of float, shape (rater,)
        Each rater's spread around the truth on gold, in the unit of distance; above 0.
    may_ask : array of bool, shape (unit, rater)
    costs : array of float, shape (rater,), optional

    Examples
    --------
    An unread item comes first, then a hard one, then an easy one.

    >>> ask = np.ones((3, 1), dtype=bool)
    >>> found = worth_of_reading(np.array([0.0, 2.0, 2.0]), np.array([1.0, 3.0, 1.0]), np.ones(1), may_ask=ask)
    >>> found.ravel().round(2).tolist()
    [2.79, 0.31, 0.1]
    """
    certainty = 1 / spread**2
    before = precision + _PRIOR_READINGS * float(np.median(certainty))
    fall = 1 / np.sqrt(before)[:, None] - 1 / np.sqrt(before[:, None] + certainty[None, :])
    worth = _MEAN_ABSOLUTE * factor[:, None] * fall
    return np.where(may_ask, worth if costs is None else worth / costs[None, :], -np.inf)


def reader_spreads(decision: CalibrationDecision | None, n_raters: int) -> FloatArray:
    """Each rater's spread around the truth on gold: shape (rater,); drawn towards the others', NaN gold gets their median.

    Where calibrated fusion is on, the offset is corrected and only what wobbles around it counts; else the offset counts too.
    """
    spread = np.full(n_raters, NAN)
    if decision is not None:
        for one in decision.offsets:
            offset = 0.0 if decision.is_on else one.offset
            spread[one.rater] = math.hypot(one.noise, offset)
    known = spread[np.isfinite(spread)]
    usual = float(np.median(known)) if len(known) else 1.0
    return np.asarray(np.where(np.isfinite(spread), np.maximum(spread, usual / 4), usual), dtype=np.float64)


def shifts_of(decision: CalibrationDecision | None, n_raters: int) -> FloatArray:
    """What is added to each rater's signed distance: the offset where calibrated fusion is on, else 0."""
    shift = np.zeros(n_raters)
    if decision is not None and decision.is_on:
        for one in decision.offsets:
            shift[one.rater] = one.offset
    return shift


def mask_dice(mask: BoolArray, truth: BoolArray) -> float:
    """Dice of two masks; NaN where both are empty."""
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else NAN


def moved(mask: BoolArray, shift: float) -> BoolArray:
    """The mask with its outline moved inwards by ``shift``."""
    return np.asarray(signed_distance(mask) + shift < 0) if shift and mask.any() else mask


def mask_gate_state(dice: Sequence[float], reader_dice: Sequence[Sequence[float]], policy: Policy) -> GateState:
    """Where a rater of masks stands after these gold masks: Wald's test on credit against what the others reach.

    Examples
    --------
    >>> others = [[0.9, 0.92]] * 6
    >>> mask_gate_state([0.6] * 6, others, Policy()), mask_gate_state([0.91] * 6, others, Policy())
    ('paused', 'cleared')
    """
    credit = mask_credit(np.asarray(dice, dtype=np.float64), [np.asarray(row) for row in reader_dice])
    rates = ErrorRates(policy.gate_false_pause, policy.gate_miss)
    known = credit[np.isfinite(credit)]
    verdict = sprt_of_scores(known, good=GOOD_CREDIT, bad=POOR_CREDIT, spread=CREDIT_SPREAD, rates=rates).verdict
    states: dict[str, GateState] = {"pause": "paused", "clear": "cleared", "continue": "testing"}
    return states[verdict]


def verdict_on_reads(
    raters: Sequence[int], dice: FloatArray, rework_rounds: Sequence[int], policy: Policy, *, wanted_reads: int
) -> Verdict:
    """What the policy's rules decide about the item's readings: a slip goes back to its author, and so on.

    Parameters
    ----------
    raters : sequence of int
        Who read the item.
    dice : array of float, shape (reading, reading)
        Similarity of every pair.
    rework_rounds : sequence of int
        How often the item went back to each of them.
    """
    n = len(raters)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    views = tuple(
        ReaderView(
            labeler_id=raters[place],
            to_others=_mean([dice[place, other] for other in range(n) if other != place]),
            without=_mean([dice[a, b] for a, b in pairs if place not in (a, b)]),
            rework_rounds=rework_rounds[place],
        )
        for place in range(n)
    )
    values = [float(dice[a, b]) for a, b in pairs]
    situation = Situation(views, wanted_reads, agreement=_mean(values), best_pair=max(values, default=None))
    return decide(situation, policy)


@dataclass(frozen=True, slots=True)
class FusionChoice:
    """How masks are settled, and why: ``dice[name]`` is what each way reached on gold (empty where there was no choice)."""

    name: FusionName
    reason: str
    dice: Mapping[FusionName, float]
    offsets: tuple[RaterOffset, ...]


def choose_fusion(
    cases: Sequence[GoldCase], decision: CalibrationDecision, rng: np.random.Generator, *, readers: int = 3
) -> FusionChoice:
    """Calibrated fusion where its rule switched it on; else what is closest to gold when few raters are drawn.

    An item has few readings and a gold case those of all raters, so ``readers`` of them are drawn at random, eight times a
    case, among those whom the decision knows. STAPLE stays the choice where nothing beats it. A weighted mean takes each
    rater's wobble from the other cases.
    """
    if decision.is_on:
        return FusionChoice(CALIBRATED, decision.reason, {}, decision.offsets)
    level = tuple(replace(one, offset=0.0) for one in decision.offsets)
    reached: dict[FusionName, list[float]] = {STAPLE: [], MEDIAN: [], WEIGHTED: []}
    for place, case in enumerate(cases):
        without = rater_offsets([other for k, other in enumerate(cases) if k != place]) if len(cases) > 1 else level
        apart = tuple(replace(one, offset=0.0) for one in without)
        there = [one.rater for one in level if case.masks[one.rater] is not None]
        for _ in range(_DRAWS_A_CASE):
            drawn = rng.choice(there, min(readers, len(there)), replace=False).tolist()
            masks = [mask for rater in drawn if (mask := case.masks[rater]) is not None]
            for name, values in reached.items():
                values.append(mask_dice(settled_mask(masks, drawn, FusionChoice(name, "", {}, apart)), case.truth))
    dice = {name: float(np.nanmean(values)) for name, values in reached.items()}
    best = max(dice, key=lambda name: (dice[name], name == STAPLE))
    told = ", ".join(f"{name} {value:.4f}" for name, value in dice.items())
    reason = f"{decision.reason}; with {readers} readers drawn on gold the Dice is: {told}"
    return FusionChoice(best, reason, dice, level)


def renumbered(decision: CalibrationDecision, raters: Sequence[int]) -> CalibrationDecision:
    """A decision made among some raters only, with the numbers that these have among all."""
    return replace(decision, offsets=tuple(replace(one, rater=raters[one.rater]) for one in decision.offsets))


def settled_mask(masks: Sequence[BoolArray], raters: Sequence[int], choice: FusionChoice) -> BoolArray:
    """The consensus of an item's readings in the chosen way; STAPLE where a rater's offset is not known."""
    if choice.name == MEDIAN:
        return shape_average(masks).mask()
    if choice.name in (CALIBRATED, WEIGHTED):
        by_rater = {one.rater: one for one in choice.offsets}
        offsets = [by_rater[rater] for rater in raters if rater in by_rater]
        if len(offsets) == len(masks) and all(math.isfinite(one.offset + one.noise) for one in offsets):
            return calibrated_fusion(masks, offsets).mask()
    return staple(masks).mask()


def may_read(has_read: BoolArray, is_active: BoolArray, n_reads: IntArray, policy: Policy) -> BoolArray:
    """Which rater may be asked about which item: never twice, never paused, never beyond the policy's most readers."""
    return ~has_read & is_active[None, :] & (n_reads < policy.max_readers)[:, None]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
