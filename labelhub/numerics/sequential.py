"""Deciding during the work whether a rater is good enough: Wald's sequential test on gold, and a CUSUM for drift.

Units are taken as independent: at most one gold unit a patient for each rater's test. Not here: what is done with the
decision (routing pauses and clears), and how good the rater is (``rater_models``, ``proportions``).

References
----------
Wald A (1945) Sequential tests of statistical hypotheses. Ann Math Stat 16:117-186.
Reynolds MR, Stoumbos ZG (1999) A CUSUM chart for monitoring a proportion. J Quality Technology 31:87-108.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "sequential probability ratio test"
VERSION = "1"

DRIFT_LIMIT = 4.0
_TRUNCATION = 2

Verdict: TypeAlias = Literal["pause", "clear", "continue"]


@dataclass(frozen=True, slots=True)
class SprtPlan:
    """A test of "accuracy is ``good``" against "accuracy is ``bad``".

    ``false_pause`` bounds the chance to pause a good rater, ``miss`` that to clear a bad one. The defaults pause a
    rater of .90 in under 1 % of tests and catch one of .75 in 90 %.
    """

    good: float = 0.90
    bad: float = 0.75
    false_pause: float = 0.01
    miss: float = 0.10

    def __post_init__(self) -> None:
        """Refuse a plan that cannot decide."""
        if not 0 < self.bad < self.good < 1:
            message = f"bad is {self.bad} and good {self.good}; 0 < bad < good < 1 is needed"
            raise ValueError(message)
        if not (0 < self.false_pause < 0.5 and 0 < self.miss < 0.5):
            message = f"false_pause is {self.false_pause} and miss {self.miss}; both must lie between 0 and 0.5"
            raise ValueError(message)

    @property
    def step_right(self) -> float:
        """What a right answer adds to the log likelihood ratio."""
        return math.log(self.bad / self.good)

    @property
    def step_wrong(self) -> float:
        """What a wrong answer adds to the log likelihood ratio."""
        return math.log((1 - self.bad) / (1 - self.good))

    @property
    def pause_at(self) -> float:
        """At or above this ratio the rater is paused."""
        return math.log((1 - self.miss) / self.false_pause)

    @property
    def clear_at(self) -> float:
        """At or below this ratio the rater is cleared."""
        return math.log(self.miss / (1 - self.false_pause))

    @property
    def fixed_n(self) -> int:
        """How many units a test of fixed size with the same errors needs (normal approximation)."""
        spread = [math.sqrt(p * (1 - p)) for p in (self.good, self.bad)]
        reach = -float(ndtri(self.false_pause)) * spread[0] - float(ndtri(self.miss)) * spread[1]
        return math.ceil((reach / (self.good - self.bad)) ** 2)


@dataclass(frozen=True, slots=True, eq=False)
class SprtResult:
    """The verdict, after how many units it fell, and the log likelihood ratio after each unit.

    ``is_truncated`` says that the test was ended at twice the fixed size by which bound was nearer.
    """

    verdict: Verdict
    n_used: int
    ratio: FloatArray
    is_truncated: bool
    plan: SprtPlan
    method: str = METHOD
    version: str = VERSION


@checked
def sprt(is_right: ArrayLike, plan: SprtPlan | None = None) -> SprtResult:
    """Runs the test over gold answers in the order in which they were given; later answers change no verdict.

    Parameters
    ----------
    is_right : array of bool, shape (unit,)
        Whether each gold answer was right.
    plan : SprtPlan, optional
        The default is .90 against .75 with errors .01 and .10.

    Raises
    ------
    ValueError
        Where an answer is neither right nor wrong.

    Examples
    --------
    Five wrong answers in a row pause; so few right ones do not clear yet.

    >>> sprt([False] * 5).verdict, sprt([False] * 5).n_used, sprt([True] * 5).verdict
    ('pause', 5, 'continue')
    """
    chosen = SprtPlan() if plan is None else plan
    answers = _answers(is_right)
    limit = _TRUNCATION * chosen.fixed_n
    ratio = np.cumsum(np.where(answers, chosen.step_right, chosen.step_wrong))[:limit]
    reached = np.nonzero((ratio >= chosen.pause_at) | (ratio <= chosen.clear_at))[0]
    if len(reached):
        end = int(reached[0])
        return SprtResult(
            "pause" if ratio[end] > 0 else "clear", end + 1, ratio[: end + 1], is_truncated=False, plan=chosen
        )
    if len(ratio) == limit:
        middle = (chosen.pause_at + chosen.clear_at) / 2
        return SprtResult("pause" if ratio[-1] > middle else "clear", limit, ratio, is_truncated=True, plan=chosen)
    return SprtResult("continue", len(ratio), ratio, is_truncated=False, plan=chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """A Bernoulli CUSUM: its course, and the unit (from 0) at which it first reached the limit, if it did."""

    course: FloatArray
    alarm_at: int | None
    limit: float
    method: str = "Bernoulli CUSUM"
    version: str = VERSION


@checked
def drift(is_right: ArrayLike, *, limit: float = DRIFT_LIMIT, good: float = 0.90, bad: float = 0.75) -> Drift:
    """Watches a cleared rater: an alarm calls for a new test, it is no verdict (false alarm once in about 1,000 units).

    S = max(0, S + log likelihood ratio) of ``bad`` against ``good``.

    Parameters
    ----------
    is_right : array of bool, shape (unit,)
        Whether each gold answer was right, in the order in which they were given.
    limit : float
        Height of an alarm, above 0.
    good, bad : float
        The accuracies that the ratio compares; 0 < bad < good < 1.

    Raises
    ------
    ValueError
        Where an answer is neither right nor wrong, limit is not above 0, or not 0 < bad < good < 1.

    Examples
    --------
    >>> drift([True] * 50 + [False] * 5, good=0.90, bad=0.75).alarm_at
    54
    """
    plan = SprtPlan(good, bad)
    return watch_steps(np.where(_answers(is_right), plan.step_right, plan.step_wrong), limit=limit)


def watch_steps(steps: FloatArray, *, limit: float = DRIFT_LIMIT) -> Drift:
    """The same watch over what each unit adds to the log likelihood ratio, whatever the test is that it adds to.

    Examples
    --------
    >>> watch_steps(np.array([-1.0, 2.5, 2.5])).alarm_at
    2
    """
    if not limit > 0:
        message = f"limit is {limit!r}; it must be above 0, 4 is usual"
        raise ValueError(message)
    total = np.concatenate([[0.0], np.cumsum(steps)])
    # S is the rise of the running sum above its lowest point so far.
    course = (total - np.minimum.accumulate(total))[1:]
    alarms = np.nonzero(course >= limit)[0]
    return Drift(course, int(alarms[0]) if len(alarms) else None, limit)


def _answers(is_right: ArrayLike) -> BoolArray:
    answers = np.asarray(is_right)
    if answers.ndim != 1 or not np.isin(answers, (0, 1)).all():
        message = (
            f"is_right has shape {answers.shape} and holds {np.unique(answers)[:5].tolist()}; one true or false (1 or 0) a "
            "gold unit is needed"
        )
        raise ValueError(message)
    return answers.astype(bool)
