"""What a gate does to raters of a given accuracy: the chance of a pause, of a miss, and the gold that it costs.

The plain test's error rates are exact. The whole gate (a test; once cleared a drift watch, whose alarm calls for a new
test and is no pause) is played through. Naive rules are played beside it. Not here: deciding about a person
(``sequential``).

References
----------
Wald A (1945) Sequential tests of statistical hypotheses. Ann Math Stat 16:117-186.
Aroian LA (1968) Sequential analysis, direct method. Technometrics 10:125-132 (exact error rates of cut tests).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray
from labelhub.numerics.sequential import DRIFT_LIMIT, SprtPlan

METHOD = "gate"
VERSION = "1"

_TRUNCATION = 2


@dataclass(frozen=True, slots=True, eq=False)
class SprtBehaviour:
    """Exact behaviour of one cut test on a rater of this ``accuracy``.

    ``pauses`` and ``clears`` add up to 1; ``mean_n`` and ``median_n`` count gold units until the verdict.
    ``decided[n]`` is the chance of a verdict within ``n`` gold units, shape (longest test + 1,), 0 at 0 and 1 at the end;
    ``paused[n]`` that of a pause. Where it was played and not counted, ``n_played`` says with how many raters.
    """

    accuracy: float
    pauses: float
    clears: float
    mean_n: float
    median_n: int
    cut_short: float
    decided: FloatArray
    paused: FloatArray
    method: str = "exact, by counting paths"
    n_played: int = 0
    version: str = VERSION


@checked
def sprt_behaviour(accuracy: float, plan: SprtPlan | None = None) -> SprtBehaviour:
    """How often the test pauses a rater of this accuracy, and after how many gold units; nothing is simulated.

    Parameters
    ----------
    accuracy : float
        Of the rater, 0 to 1, the same on every gold unit.
    plan : SprtPlan, optional
        The default is .90 against .75 with errors .01 and .10.

    Examples
    --------
    >>> found = sprt_behaviour(0.90)
    >>> round(found.pauses, 4), round(found.mean_n, 1)
    (0.0077, 31.7)
    """
    _check_accuracy(accuracy)
    chosen = SprtPlan() if plan is None else plan
    limit = _TRUNCATION * chosen.fixed_n
    wrong = np.arange(limit + 1)
    chance = np.zeros(limit + 1)
    chance[0] = 1.0
    pauses = clears = mean_n = 0.0
    decided, paused = np.zeros(limit + 1), np.zeros(limit + 1)
    for n in range(1, limit + 1):
        chance[1:] = chance[1:] * accuracy + chance[:-1] * (1 - accuracy)
        chance[0] *= accuracy
        ratio = wrong * chosen.step_wrong + (n - wrong) * chosen.step_right
        if n == limit:
            middle = (chosen.pause_at + chosen.clear_at) / 2
            open_before = float(chance[(ratio < chosen.pause_at) & (ratio > chosen.clear_at)].sum())
            is_pause, is_clear = ratio > middle, ratio <= middle
        else:
            is_pause, is_clear = ratio >= chosen.pause_at, ratio <= chosen.clear_at
        now_paused, now_cleared = float(chance[is_pause].sum()), float(chance[is_clear].sum())
        pauses, clears = pauses + now_paused, clears + now_cleared
        mean_n += n * (now_paused + now_cleared)
        decided[n], paused[n] = decided[n - 1] + now_paused + now_cleared, paused[n - 1] + now_paused
        chance[is_pause | is_clear] = 0.0
    median_n = int(np.searchsorted(decided, 0.5 - 1e-12))
    return SprtBehaviour(accuracy, pauses, clears, mean_n, median_n, open_before, decided, paused)


@dataclass(frozen=True, slots=True, eq=False)
class GateBehaviour:
    """What the whole gate did to ``n_raters`` raters of one accuracy over ``n_gold`` gold units each.

    ``paused`` is the share paused by then (false pauses for a good rater); for a bad one ``1 - paused`` is the share
    missed. ``mean_gold_until_pause`` is over those paused (NaN without any), ``alarms`` and ``tests`` are means a rater.
    """

    accuracy: float
    paused: Estimate
    mean_gold_until_pause: float
    alarms: float
    tests: float
    n_gold: int
    n_raters: int
    plan: SprtPlan
    drift_limit: float
    method: str = "simulated whole gate: test, watch, test again on alarm"
    version: str = VERSION


@checked
def gate_behaviour(
    accuracy: float,
    rng: np.random.Generator,
    *,
    plan: SprtPlan | None = None,
    n_gold: int = 200,
    n_raters: int = 2000,
    drift_limit: float = DRIFT_LIMIT,
) -> GateBehaviour:
    """Plays the whole gate for raters of one accuracy: ask it at ``good``, at ``bad`` and between.

    Parameters
    ----------
    accuracy : float
        0 to 1, the same on every gold unit.
    rng : numpy.random.Generator
    plan : SprtPlan, optional
    n_gold : int
        Gold units that each rater meets.
    n_raters : int
        How many are played.
    drift_limit : float
        Of the watch after a clearance.

    Raises
    ------
    ValueError
        Where accuracy lies outside 0 to 1, or a number is not above 0.

    Examples
    --------
    >>> found = gate_behaviour(0.5, np.random.default_rng(0), n_raters=100)
    >>> found.paused.value
    1.0
    """
    _check_accuracy(accuracy)
    if n_gold < 1 or n_raters < 1 or not drift_limit > 0:
        message = f"n_gold is {n_gold}, n_raters {n_raters}, drift_limit {drift_limit}; all must be above 0"
        raise ValueError(message)
    chosen = SprtPlan() if plan is None else plan
    bounds = Bounds(chosen.pause_at, chosen.clear_at, _TRUNCATION * chosen.fixed_n, drift_limit)

    def answers(source: np.random.Generator, n: int) -> FloatArray:
        return np.where(source.random(n) < accuracy, chosen.step_right, chosen.step_wrong)

    state = _play(answers, bounds, rng, n_gold, n_raters)
    paused = state.paused_at > 0
    mean_gold = float(state.paused_at[paused].mean()) if paused.any() else NAN
    share = _share_paused(state)
    return GateBehaviour(
        accuracy, share, mean_gold, float(state.alarms.mean()), float(state.tests.mean()), n_gold, n_raters, chosen,
        drift_limit,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkNeeded:
    """Gold units and tasks until one test decides: median, and what nine of ten labelers stay within.

    ``n`` tests were drawn from the exact distribution of their length.
    """

    accuracy: float
    gold_median: int
    gold_ninety: int
    tasks_median: int
    tasks_ninety: int
    n: int
    method: str = "gold: exact; tasks: drawn, gold comes at random with its share"
    version: str = VERSION


@checked
def work_until_decision(
    accuracy: float,
    rng: np.random.Generator,
    *,
    plan: SprtPlan | None = None,
    exam: int = 0,
    share: float = 0.20,
    n_raters: int = 20_000,
) -> WorkNeeded:
    """How much a rater does until the test decides, where the first ``exam`` units are gold and then a ``share`` at random.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    rng : numpy.random.Generator
    plan : SprtPlan, optional
    exam : int
        Gold units that come first, one after the other.
    share : float
        The chance of each later task to be gold, above 0.
    n_raters : int
        How many are drawn.

    Examples
    --------
    >>> work_until_decision(0.75, np.random.default_rng(0), exam=0, share=1.0).gold_median
    38
    """
    if exam < 0 or not 0 < share <= 1:
        message = f"exam is {exam} and share {share}; at least 0, and above 0 up to 1"
        raise ValueError(message)
    return work_of(sprt_behaviour(accuracy, plan), rng, exam=exam, share=share, n_raters=n_raters)


def work_of(
    found: SprtBehaviour, rng: np.random.Generator, *, exam: int = 0, share: float = 0.20, n_raters: int = 20_000
) -> WorkNeeded:
    """As :func:`work_until_decision`, for a test whose behaviour is known, whatever test it is."""
    lengths = np.searchsorted(found.decided, rng.random(n_raters) * found.decided[-1], side="left")
    beyond = np.maximum(lengths - exam, 0)
    # Of a sequence of tasks that are gold at random, the one that is the k-th gold: k plus what came between.
    tasks = np.minimum(lengths, exam) + beyond
    between = beyond > 0
    tasks[between] += rng.negative_binomial(beyond[between], share)
    return WorkNeeded(
        found.accuracy, found.median_n, int(np.searchsorted(found.decided, 0.9 - 1e-12)),
        int(np.ceil(np.median(tasks))), int(np.ceil(np.quantile(tasks, 0.9))), n_raters,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a test pauses and clears, after how many units it is cut, and where the watch after it alarms."""

    pause_at: float
    clear_at: float
    longest: int
    drift_limit: float = DRIFT_LIMIT


# What one gold unit adds to the log likelihood ratio of each of n raters.
DrawSteps: TypeAlias = Callable[[np.random.Generator, int], FloatArray]


def played_test(
    draw: DrawSteps, bounds: Bounds, rng: np.random.Generator, *, level: float, n_raters: int = 5000
) -> SprtBehaviour:
    """One cut test, played: for steps of any kind, where paths cannot be counted.

    Parameters
    ----------
    draw : callable
        Given a generator and n, what one gold unit adds to the ratio of each of n raters.
    bounds : Bounds
    rng : numpy.random.Generator
    level : float
        What the raters are like (share right, mean credit): stated with the result, used for nothing.
    n_raters : int

    Examples
    --------
    >>> always = played_test(lambda rng, n: np.full(n, 1.0), Bounds(4.5, -2.3, 140), np.random.default_rng(0), level=0.0)
    >>> always.pauses, always.median_n
    (1.0, 5)
    """
    ratio, ended, is_pause = np.zeros(n_raters), np.zeros(n_raters, dtype=np.int64), np.zeros(n_raters, dtype=bool)
    middle = (bounds.pause_at + bounds.clear_at) / 2
    for unit in range(1, bounds.longest + 1):
        is_open = ended == 0
        ratio = np.where(is_open, ratio + draw(rng, n_raters), ratio)
        is_cut = unit == bounds.longest
        pause = is_open & ((ratio >= bounds.pause_at) | (is_cut & (ratio > middle)))
        done = pause | (is_open & ((ratio <= bounds.clear_at) | is_cut))
        ended[done], is_pause[pause] = unit, True
    counts = np.bincount(ended, minlength=bounds.longest + 1)
    pauses = np.bincount(ended[is_pause], minlength=bounds.longest + 1)
    decided, paused = counts.cumsum() / n_raters, pauses.cumsum() / n_raters
    cut = float(((ended == bounds.longest) & (ratio < bounds.pause_at) & (ratio > bounds.clear_at)).mean())
    return SprtBehaviour(
        level, float(paused[-1]), float(1 - paused[-1]), float(ended.mean()), int(np.searchsorted(decided, 0.5 - 1e-12)),
        cut, decided, paused, method="played", n_played=n_raters,
    )  # fmt: skip


def played_gate(
    draw: DrawSteps, bounds: Bounds, rng: np.random.Generator, *, n_gold: int = 200, n_raters: int = 5000
) -> Estimate:
    """The share paused by the whole gate within ``n_gold`` units: test, watch, new test on an alarm; steps of any kind."""
    return _share_paused(_play(draw, bounds, rng, n_gold, n_raters))


def _play(draw: DrawSteps, bounds: Bounds, rng: np.random.Generator, n_gold: int, n_raters: int) -> _Gate:
    state = _Gate(n_raters, bounds)
    for unit in range(1, n_gold + 1):
        state.meet(draw(rng, n_raters), unit)
    return state


def _share_paused(state: _Gate) -> Estimate:
    n = len(state.paused_at)
    return proportion(int((state.paused_at > 0).sum()), n, unit="simulated raters", method="paused by the whole gate")


class _Gate:
    """Every rater's place in the gate: in a test, or watched, or paused."""

    def __init__(self, n: int, bounds: Bounds) -> None:
        self.bounds = bounds
        self.is_tested = np.ones(n, dtype=bool)
        self.ratio, self.n_in_test = np.zeros(n), np.zeros(n, dtype=np.int64)
        self.paused_at, self.alarms = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.tests: IntArray = np.ones(n, dtype=np.int64)

    def meet(self, step: FloatArray, unit: int) -> None:
        bounds, is_open = self.bounds, self.paused_at == 0
        tested, watched = is_open & self.is_tested, is_open & ~self.is_tested
        self.ratio = np.where(watched, np.maximum(self.ratio + step, 0.0), np.where(tested, self.ratio + step, 0.0))
        self.n_in_test += tested
        is_cut = tested & (self.n_in_test >= bounds.longest)
        middle = (bounds.pause_at + bounds.clear_at) / 2
        pause = tested & ((self.ratio >= bounds.pause_at) | (is_cut & (self.ratio > middle)))
        clear = tested & ~pause & ((self.ratio <= bounds.clear_at) | is_cut)
        alarm = watched & (self.ratio >= bounds.drift_limit)
        self.paused_at[pause] = unit
        self.alarms += alarm
        self.tests += alarm
        self.is_tested = (self.is_tested & ~clear) | alarm
        self.ratio[clear | alarm] = 0.0
        self.n_in_test[clear | alarm] = 0


@checked
def naive_rule_pauses(
    accuracy: float,
    rng: np.random.Generator,
    *,
    last: int = 10,
    below: float = 0.8,
    n_gold: int = 200,
    n_raters: int = 5000,
) -> Estimate:
    """The share of raters that "accuracy over the last ``last`` answers under ``below``" pauses within ``n_gold`` units.

    The rule looks again after every answer, which is why it pauses nearly everybody in the end.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    rng : numpy.random.Generator
    last, below : int, float
        The rule: paused as soon as the share right of the last ``last`` answers is under ``below``.
    n_gold, n_raters : int
        How many gold units each of how many raters meets.

    Raises
    ------
    ValueError
        Where accuracy lies outside 0 to 1, or not 0 < last <= n_gold and 0 < below <= 1.

    Examples
    --------
    >>> share = naive_rule_pauses(0.90, np.random.default_rng(0))
    >>> 0.92 < share.value < 0.95
    True
    """
    _check_accuracy(accuracy)
    if not (0 < last <= n_gold and 0 < below <= 1 and n_raters >= 1):
        message = f"last is {last} of n_gold {n_gold}, below {below}; 0 < last <= n_gold and 0 < below <= 1 are needed"
        raise ValueError(message)
    wrong = np.zeros((n_raters, n_gold + 1), dtype=np.int64)
    np.cumsum(rng.random((n_raters, n_gold)) >= accuracy, axis=1, out=wrong[:, 1:])
    right = last - (wrong[:, last:] - wrong[:, :-last])
    is_paused = (right < below * last - 1e-9).any(axis=1)
    name = f"fewer than {below:.0%} of the last {last} right, looked at after every answer"
    return proportion(int(is_paused.sum()), n_raters, unit="simulated raters", method=name)


def _check_accuracy(accuracy: float) -> None:
    if not 0 <= accuracy <= 1:
        message = f"accuracy is {accuracy!r}; it lies between 0 and 1"
        raise ValueError(message)
