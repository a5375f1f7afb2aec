"""Wald's test where gold units differ in difficulty, and where an answer earns partial credit (masks).

The same bounds and the same cut as ``sequential.sprt``; only the step that a unit adds differs. Not here: the plain test
(``sequential``), its error rates (``gate``), and how difficulty is estimated (``rater_models``).

References
----------
Wald A (1945) Sequential tests of statistical hypotheses. Ann Math Stat 16:117-186.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import FloatArray
from labelhub.numerics.sequential import Verdict

METHOD = "sequential probability ratio test, graded"
VERSION = "1"

CREDIT_SPAN = 0.2
_TRUNCATION = 2


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """The chance to pause a good rater, and to clear a bad one, that the test may reach."""

    false_pause: float = 0.01
    miss: float = 0.10

    def __post_init__(self) -> None:
        """Refuse rates that no test can keep."""
        if not (0 < self.false_pause < 0.5 and 0 < self.miss < 0.5):
            message = f"false_pause is {self.false_pause} and miss {self.miss}; both must lie between 0 and 0.5"
            raise ValueError(message)

    @property
    def pause_at(self) -> float:
        """At or above this log likelihood ratio the rater is paused."""
        return math.log((1 - self.miss) / self.false_pause)

    @property
    def clear_at(self) -> float:
        """At or below this log likelihood ratio the rater is cleared."""
        return math.log(self.miss / (1 - self.false_pause))

    @property
    def reach(self) -> float:
        """The sum of the two normal quantiles, which sizes the test of fixed length."""
        return -float(ndtri(self.false_pause)) - float(ndtri(self.miss))


@dataclass(frozen=True, slots=True, eq=False)
class GradedSprt:
    """The verdict, after how many units it fell, the log likelihood ratio after each, and whether it was cut short.

    ``fixed_n`` is the size of a test of fixed length with the same errors (NaN where it cannot be told); at twice that
    the nearer bound decides.
    """

    verdict: Verdict
    n_used: int
    ratio: FloatArray
    is_truncated: bool
    fixed_n: float
    rates: ErrorRates
    method: str = METHOD
    version: str = VERSION


@checked
def sprt_by_difficulty(
    is_right: ArrayLike, chance_if_good: ArrayLike, chance_if_bad: ArrayLike, rates: ErrorRates | None = None
) -> GradedSprt:
    """The test where each gold unit has its own chance to be answered right, such as from an item response curve.

    A hard unit answered wrong then says little against a rater, and an easy one much.

    Parameters
    ----------
    is_right : array of bool, shape (unit,)
        In the order in which the answers were given.
    chance_if_good, chance_if_bad : array of float, shape (unit,)
        The chance of a right answer of a rater who is just good enough, and of one who is not; 0 < bad < good < 1.
    rates : ErrorRates, optional
        .01 and .10 by default.

    Raises
    ------
    ValueError
        Where rows differ in length, an answer is neither right nor wrong, or not 0 < bad < good < 1 for every unit.

    Examples
    --------
    Five misses on easy units pause, on hard ones they do not.

    >>> easy = sprt_by_difficulty([0] * 5, [0.95] * 5, [0.80] * 5).verdict
    >>> easy, sprt_by_difficulty([0] * 5, [0.40] * 5, [0.30] * 5).verdict
    ('pause', 'continue')
    """
    used = ErrorRates() if rates is None else rates
    steps = steps_by_difficulty(is_right, chance_if_good, chance_if_bad)
    if not len(steps):
        return decide_on_steps(steps, math.nan, used)
    return decide_on_steps(steps, fixed_size_by_difficulty(chance_if_good, chance_if_bad, used), used)


def steps_by_difficulty(is_right: ArrayLike, chance_if_good: ArrayLike, chance_if_bad: ArrayLike) -> FloatArray:
    """What each answer adds to the log likelihood ratio of :func:`sprt_by_difficulty`: shape (unit,). Raises as it does."""
    answers = np.asarray(is_right)
    good, bad = np.asarray(chance_if_good, dtype=np.float64), np.asarray(chance_if_bad, dtype=np.float64)
    if answers.ndim != 1 or not np.isin(answers, (0, 1)).all() or not answers.shape == good.shape == bad.shape:
        message = f"is_right has shape {answers.shape}; one true or false and two chances a gold unit are needed"
        raise ValueError(message)
    if not ((bad > 0) & (bad < good) & (good < 1)).all():
        message = f"chance_if_bad is {bad.tolist()} and chance_if_good {good.tolist()}; 0 < bad < good < 1 is needed"
        raise ValueError(message)
    return np.where(answers.astype(bool), np.log(bad / good), np.log((1 - bad) / (1 - good)))


def fixed_size_by_difficulty(chance_if_good: ArrayLike, chance_if_bad: ArrayLike, rates: ErrorRates) -> int:
    """How many units like these a test of fixed size with the same errors needs (normal approximation)."""
    good, bad = np.asarray(chance_if_good, dtype=np.float64), np.asarray(chance_if_bad, dtype=np.float64)
    # A unit's worth is the squared distance of the two chances over their variance; n units of the mean worth decide.
    variance = (good * (1 - good) + bad * (1 - bad)) / 2
    return math.ceil(rates.reach**2 / float(np.mean((good - bad) ** 2 / variance)))


@checked
def sprt_of_scores(
    scores: ArrayLike, *, good: float, bad: float, spread: float, rates: ErrorRates | None = None
) -> GradedSprt:
    """The test on scores that are about normal with known spread: mean ``good`` against mean ``bad``.

    Parameters
    ----------
    scores : array of float, shape (unit,)
        Such as :func:`mask_credit` of each gold mask, in the order in which they were drawn.
    good, bad : float
        The mean of a rater who is good enough, and of one who is not; bad < good.
    spread : float
        Standard deviation of one score, above 0; from 100 or more scores of accepted raters.
    rates : ErrorRates, optional
        .01 and .10 by default.

    Raises
    ------
    ValueError
        Where a score is not finite, or not bad < good with a spread above 0.

    Examples
    --------
    >>> sprt_of_scores([0.5, 0.4, 0.6, 0.5], good=0.9, bad=0.7, spread=0.2).verdict
    'pause'
    """
    used = ErrorRates() if rates is None else rates
    steps = steps_of_scores(scores, good=good, bad=bad, spread=spread)
    return decide_on_steps(steps, fixed_size_of_scores(good=good, bad=bad, spread=spread, rates=used), used)


def steps_of_scores(scores: ArrayLike, *, good: float, bad: float, spread: float) -> FloatArray:
    """What each score adds to the log likelihood ratio of :func:`sprt_of_scores`: shape (unit,). Raises as it does."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        message = f"scores has shape {values.shape}; one finite number a gold unit is needed"
        raise ValueError(message)
    if not (bad < good and spread > 0 and math.isfinite(good - bad + spread)):
        message = f"good is {good}, bad {bad} and spread {spread}; bad < good and spread above 0 are needed"
        raise ValueError(message)
    return np.asarray((good - bad) / spread**2 * ((good + bad) / 2 - values), dtype=np.float64)


def fixed_size_of_scores(*, good: float, bad: float, spread: float, rates: ErrorRates) -> int:
    """How many scores a test of fixed size with the same errors needs."""
    return math.ceil((rates.reach * spread / (good - bad)) ** 2)


@checked
def mask_credit(dice: ArrayLike, reader_dice: Sequence[ArrayLike]) -> FloatArray:
    """Credit of 0 to 1 for each gold mask, measured by what reference readers reach with each other on that unit.

    Full credit from the median Dice of the readers on, none from 0.2 below it, in a line between.

    Parameters
    ----------
    dice : array of float, shape (unit,)
        The judged rater's Dice against gold; NaN (no value) gives NaN.
    reader_dice : sequence of array of float
        For each unit the Dice values between reference readers, the judged rater left out; a unit without any gives NaN.

    Raises
    ------
    ValueError
        Where there is not one set of reader values a unit.

    Examples
    --------
    >>> mask_credit([0.9, 0.7, 0.5], [[0.8, 0.85, 0.9]] * 3).round(3).tolist()
    [1.0, 0.25, 0.0]
    """
    reached = np.asarray(dice, dtype=np.float64)
    if reached.ndim != 1 or len(reader_dice) != len(reached):
        message = f"dice has shape {reached.shape} and reader_dice {len(reader_dice)} units; one of each is needed"
        raise ValueError(message)
    known = [np.asarray(values, dtype=np.float64) for values in reader_dice]
    kept = [values[~np.isnan(values)] for values in known]
    top = np.array([float(np.median(values)) if len(values) else math.nan for values in kept])
    return np.asarray(np.clip((reached - top + CREDIT_SPAN) / CREDIT_SPAN, 0.0, 1.0), dtype=np.float64)


def decide_on_steps(steps: FloatArray, fixed_n: float, rates: ErrorRates) -> GradedSprt:
    """Runs the test over what each unit adds to the log likelihood ratio; at twice ``fixed_n`` units the nearer bound decides.

    ``fixed_n`` belongs to the test as it was planned, not to the units met so far: NaN is a test that is never cut.

    Examples
    --------
    >>> decide_on_steps(np.array([2.5, 2.5]), 10, ErrorRates()).verdict
    'pause'
    """
    limit = len(steps) + 1 if math.isnan(fixed_n) else _TRUNCATION * int(fixed_n)
    ratio = np.cumsum(steps)[:limit]
    reached = np.nonzero((ratio >= rates.pause_at) | (ratio <= rates.clear_at))[0]
    if len(reached):
        end = int(reached[0])
        verdict: Verdict = "pause" if ratio[end] > 0 else "clear"
        return GradedSprt(verdict, end + 1, ratio[: end + 1], is_truncated=False, fixed_n=fixed_n, rates=rates)
    if len(ratio) == limit:
        verdict = "pause" if ratio[-1] > (rates.pause_at + rates.clear_at) / 2 else "clear"
        return GradedSprt(verdict, limit, ratio, is_truncated=True, fixed_n=fixed_n, rates=rates)
    return GradedSprt("continue", len(ratio), ratio, is_truncated=False, fixed_n=fixed_n, rates=rates)
