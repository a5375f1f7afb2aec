"""Whom to ask next about which unit, for class answers: by what one more answer is expected to be worth.

Pure: what is known comes in as arrays, what is to be asked goes out. ``class_beliefs`` learns from all answers and from gold;
between two such fits ``Beliefs.after`` carries single answers on. ``worth_of_asking`` prices every unit and rater,
``choose_asks`` picks under capacity, ``gate_state`` says who is paused. The same functions serve the queue and the simulation.
Not here: masks (``mask_allocation``), where an item goes once it is read (``policy_rules``), and handing out (``workflow``).

References
----------
Sheng VS, Provost F, Ipeirotis PG (2008) Get another label? KDD, 614-622.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelhub.numerics.answers import Answers
from labelhub.numerics.class_posterior import ClassPosterior
from labelhub.numerics.copying import shared_errors
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.label_value import StoppingRule, next_steps, settling_loss, value_of_answers
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.projects.policy import Policy
from labelhub.routing.gate_trace import GatePlan, trace_of
from labelhub.scoring.gold_answers import GoldAnswer

METHOD = "expected value of one more answer"
VERSION = "1"

# One step cannot see past a tie of two, nor past a lead that one answer does not turn; two answers may.
_BLIND = 1e-9
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)

GateState: TypeAlias = Literal["testing", "cleared", "paused"]


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """What is believed of units and raters: ``posterior[unit, category]``, ``confusion[rater, truth, given]``, ``prevalence``.

    A unit without answers has the prevalence as posterior.
    """

    posterior: FloatArray
    confusion: FloatArray
    prevalence: FloatArray

    def after(self, unit: IntArray, rater: IntArray, given: IntArray) -> Beliefs:
        """The beliefs after further answers, the raters' confusions taken as they are. Units must differ from each other.

        Examples
        --------
        >>> found = Beliefs(np.array([[0.5, 0.5]]), np.array([[[0.8, 0.2], [0.2, 0.8]]]), np.array([0.5, 0.5]))
        >>> found.after(np.array([0]), np.array([0]), np.array([1])).posterior.round(2).tolist()
        [[0.2, 0.8]]
        """
        posterior = self.posterior.copy()
        joint = posterior[unit] * self.confusion[rater, :, given]
        posterior[unit] = joint / joint.sum(axis=1, keepdims=True)
        return replace(self, posterior=posterior)


def class_beliefs(answers: Answers, known: ArrayLike | None = None, *, max_rounds: int = 40) -> Beliefs:
    """Fit of all answers so far, gold units among them: hierarchical Dawid-Skene with the known truths fixed.

    Parameters
    ----------
    answers : Answers
    known : array of float, shape (unit,), optional
        The true category of gold units, else NaN.
    max_rounds : int
        Of the fit; few are enough to decide whom to ask next, 200 for what is settled.
    """
    found = hierarchical_dawid_skene(answers, known=known, max_iterations=max_rounds)
    posterior = np.where(np.isnan(found.posterior), found.prevalence, found.posterior)
    return Beliefs(posterior, found.confusion, found.prevalence)


def chance_right(beliefs: Beliefs, truth: FloatArray) -> FloatArray:
    """The chance that each unit is right where it is settled now, ties broken at random: shape (unit,); NaN without truth."""
    found = ClassPosterior(
        posterior=beliefs.posterior,
        categories=np.arange(beliefs.posterior.shape[1], dtype=np.float64),
        log_likelihood=np.nan,
        n_iterations=0,
        is_converged=True,
        method=METHOD,
    )
    return found.expected_correct(truth)


def stopping_rule(policy: Policy) -> StoppingRule:
    """When the policy stops asking: its readers at least, its most readers, its calibrated posterior."""
    return StoppingRule(confidence=policy.posterior, least=policy.readers, most=policy.max_readers)


def worth_of_asking(
    beliefs: Beliefs, n_answers: IntArray, rule: StoppingRule, *, may_ask: BoolArray, costs: FloatArray | None = None
) -> FloatArray:
    """How far asking a rater lowers the expected errors per cost: shape (unit, rater), -inf where the rater may not be asked.

    One step ahead; where no single answer can change what would be settled, half of what two answers are worth. Units that
    the rule calls settled or sends to a reviewer come after all others (their worth is lowered by 1).

    Parameters
    ----------
    beliefs : Beliefs
    n_answers : array of int, shape (unit,)
    rule : StoppingRule
    may_ask : array of bool, shape (unit, rater)
        False where the rater answered already, is paused, or copies from somebody who answered.
    costs : array of float, shape (rater,), optional
        Cost of an answer; 1 by default.

    Examples
    --------
    >>> raters = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.6, 0.4], [0.4, 0.6]]])
    >>> found = Beliefs(np.array([[0.5, 0.5]]), raters, np.array([0.5, 0.5]))
    >>> worth_of_asking(found, np.array([1]), StoppingRule(), may_ask=np.array([[True, True]])).round(2).tolist()
    [[0.4, 0.1]]
    """
    n_units, n_raters = may_ask.shape
    worth = np.full((n_units, n_raters), -np.inf)
    open_units = np.flatnonzero(may_ask.any(axis=1))
    if not len(open_units):
        return worth
    posterior = beliefs.posterior[open_units]
    found = np.stack([value_of_answers(posterior, [table]) for table in beliefs.confusion], axis=1)
    blind = np.flatnonzero(found.max(axis=1) <= _BLIND)
    if len(blind):
        usual = beliefs.confusion[may_ask.any(axis=0)].mean(axis=0)
        ahead = [value_of_answers(posterior[blind], [table, usual]) / 2 for table in beliefs.confusion]
        found[blind] = np.stack(ahead, axis=1)
        # Where even two answers change nothing, the surer rater about the less sure unit comes first.
        skill = np.einsum("rkk->r", beliefs.confusion) / beliefs.confusion.shape[1]
        found[blind] += _BLIND * settling_loss(posterior[blind])[:, None] * skill[None, :]
    per_cost = found if costs is None else found / costs[None, :]
    is_open = next_steps(posterior, n_answers[open_units], rule) == "ask"
    worth[open_units] = np.where(may_ask[open_units], per_cost - np.where(is_open, 0.0, 1.0)[:, None], -np.inf)
    return worth


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """Who is asked about what, best first, with the worth of each answer; no unit twice."""

    unit: IntArray
    rater: IntArray
    worth: FloatArray


def choose_asks(worth: FloatArray, room: IntArray, n: int) -> Asks:
    """The ``n`` asks of greatest worth, each unit once, no rater above ``room``: greedy, best first.

    One ask a unit, because the next one depends on the answer.

    Parameters
    ----------
    worth : array of float, shape (unit, rater)
        -inf where not allowed.
    room : array of int, shape (rater,)
        How many answers each rater may still give.

    Examples
    --------
    >>> asks = choose_asks(np.array([[0.5, 0.4], [0.3, 0.1]]), np.array([1, 5]), 2)
    >>> list(zip(asks.unit.tolist(), asks.rater.tolist()))
    [(0, 0), (1, 1)]
    """
    left = room.copy()
    units: list[int] = []
    raters: list[int] = []
    taken = np.zeros(len(worth), dtype=bool)
    flat = worth.ravel()
    candidates = np.flatnonzero(np.isfinite(flat))
    order = candidates[np.argsort(-flat[candidates], kind="stable")]
    for place in order.tolist():
        unit, rater = divmod(place, worth.shape[1])
        if len(units) >= n:
            break
        if taken[unit] or left[rater] <= 0:
            continue
        taken[unit] = True
        left[rater] -= 1
        units.append(unit)
        raters.append(rater)
    chosen = np.asarray(units, dtype=np.int64), np.asarray(raters, dtype=np.int64)
    return Asks(*chosen, worth[chosen])


def best_units_for(worth: FloatArray, rater: int, n: int = 1) -> IntArray:
    """The units of greatest worth for one rater who asks for work; fewer than ``n`` where there are no more.

    Examples
    --------
    >>> best_units_for(np.array([[0.1, 0.0], [0.4, -np.inf]]), 0).tolist()
    [1]
    """
    column = worth[:, rater]
    order = np.argsort(-column, kind="stable")[:n]
    return order[np.isfinite(column[order])].astype(np.int64)


def paced_room(n_given: IntArray, capacity: IntArray, progress: float) -> IntArray:
    """How many answers each rater may give now so that nobody is ahead of the pace that ends at capacity: shape (rater,).

    Without pacing the best raters are spent on the first units, and nobody good is left for the disputes.

    Parameters
    ----------
    n_given, capacity : array of int, shape (rater,)
        Answers given so far, and how many may be given in all.
    progress : float
        Share of the budget that will be spent when these answers are in, 0 to 1.

    Examples
    --------
    >>> paced_room(np.array([4, 10, 0]), np.array([20, 20, 0]), 0.5).tolist()
    [6, 0, 0]
    """
    due = np.ceil(capacity * min(progress, 1.0) - 1e-9).astype(np.int64)
    return np.asarray(np.maximum(np.minimum(due, capacity) - n_given, 0), dtype=np.int64)


def gate_state(is_right: ArrayLike, policy: Policy) -> GateState:
    """Where a rater stands after these gold answers, by the course that runs in a project (``gate_trace``), right or wrong.

    Examples
    --------
    >>> gate_state([False] * 5, Policy()), gate_state([True] * 40, Policy()), gate_state([True, False], Policy())
    ('paused', 'cleared', 'testing')
    """
    plan = GatePlan(
        policy.gate_good, policy.gate_poor, policy.gate_false_pause, policy.gate_miss, policy.drift_threshold
    )
    answers = [GoldAnswer(place, place, "", "", _ANY_TIME, bool(hit)) for place, hit in enumerate(np.asarray(is_right))]
    states: dict[str, GateState] = {"failed": "paused", "cleared": "cleared", "testing": "testing"}
    return states[trace_of(answers, lambda _: plan).stage]


def gold_share(state: GateState, policy: Policy) -> float:
    """The share of gold in what a rater is handed out: more until the gate decided; none for who is paused."""
    return {"testing": policy.gold_share_undecided, "cleared": policy.gold_share, "paused": 0.0}[state]


def copier_pairs(answers: Answers, beliefs: Beliefs, *, sure: float = 0.9) -> tuple[tuple[int, int], ...]:
    """Pairs of raters who share too many identical errors on units whose truth is all but sure: not asked of one unit."""
    surest = beliefs.posterior.max(axis=1)
    truth = np.where(surest >= sure, answers.categories[beliefs.posterior.argmax(axis=1)], np.nan)
    return shared_errors(answers, truth).flagged_pairs


def may_be_asked(has_answered: BoolArray, is_active: BoolArray, pairs: tuple[tuple[int, int], ...] = ()) -> BoolArray:
    """Which rater may be asked about which unit: shape (unit, rater). Never twice, never paused, never both of a copier pair.

    Examples
    --------
    >>> may_be_asked(np.array([[True, False, False]]), np.array([True, True, False]), ((0, 1),)).tolist()
    [[False, False, False]]
    """
    allowed = ~has_answered & is_active[None, :]
    for first, second in pairs:
        allowed[:, first] &= ~has_answered[:, second]
        allowed[:, second] &= ~has_answered[:, first]
    return allowed


def step_of_units(beliefs: Beliefs, n_answers: IntArray, rule: StoppingRule) -> NDArray[np.str_]:
    """For each unit "stop" (settled), "ask", or "review" (the policy's most readers are in and it is not sure)."""
    return next_steps(beliefs.posterior, n_answers, rule)
