"""One crowd of labels, one budget: fixed overlap with several methods, and LabelHub's routing, which pays its gold itself.

Not here: comparing them over seeds (``comparison``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelhub.config.simulation.label_crowd import LabelCrowd
from labelhub.config.simulation.run import ROUTING, Pause, Run, balanced_asks, capacity_of, planted_share
from labelhub.numerics.answers import Answers, answers_from_rows
from labelhub.numerics.consensus import MAXIMUM_LIKELIHOOD, dawid_skene, expected_correct, majority_vote, one_coin
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.label_value import StoppingRule
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.projects.policy import Policy
from labelhub.routing import allocation

MAJORITY = "majority vote, fixed overlap"
DAWID_SKENE = "Dawid-Skene, fixed overlap"
DAWID_SKENE_ML = "Dawid-Skene (maximum likelihood), fixed overlap"
ONE_COIN = "one-coin, fixed overlap"
HIERARCHICAL = "hierarchical Dawid-Skene, fixed overlap"
# The target is set against these; the others stand beside them.
BASELINES = (DAWID_SKENE, DAWID_SKENE_ML, ONE_COIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the router works: gold for everybody first, asks a round (share of the budget), and when it is fitted anew.

    ``refit_growth`` is the growth of the answers after which all is fitted anew, in ``fit_rounds`` rounds.
    """

    first_gold: int = 5
    asks_a_round: float = 0.02
    refit_growth: float = 0.05
    fit_rounds: int = 12
    look_for_copies: bool = True


def fixed_overlap(crowd: LabelCrowd, overlap: int, rng: np.random.Generator) -> dict[str, Run]:
    """Every item read by ``overlap`` labelers, all equally often, no gold: the methods on the same answers."""
    units, raters = balanced_asks(crowd.n_items, crowd.n_raters, overlap, rng)
    crowd.ask(units, raters)
    budget = crowd.n_items * overlap
    answers = answers_from_rows(
        units, raters, crowd.given[units, raters], n_units=crowd.n_items, n_raters=crowd.n_raters,
        categories=list(range(crowd.n_classes)),
    )  # fmt: skip
    truth = crowd.truth[: crowd.n_items].astype(np.float64)
    given = crowd.given[: crowd.n_items].astype(np.float64)
    vote = majority_vote(np.where(given < 0, np.nan, given), categories=list(range(crowd.n_classes)))
    right = {
        MAJORITY: expected_correct(vote, truth),
        DAWID_SKENE: dawid_skene(answers).expected_correct(truth),
        DAWID_SKENE_ML: dawid_skene(answers, priors=MAXIMUM_LIKELIHOOD).expected_correct(truth),
        ONE_COIN: one_coin(answers).expected_correct(truth),
        HIERARCHICAL: hierarchical_dawid_skene(answers).expected_correct(truth),
    }
    most = int(np.bincount(raters).max())
    return {
        name: Run(
            method=name, error=float(1 - values.mean()), n_labels=len(units), n_gold=0, budget=budget,
            capacity=most, most_by_one=most,
        )
        for name, values in right.items()
    }  # fmt: skip


def routed(crowd: LabelCrowd, overlap: int, rng: np.random.Generator, pace: Pace | None = None) -> Run:
    """LabelHub's routing with ``overlap`` labels an item to spend on average, gold included."""
    return _Routing(crowd, overlap, rng, Pace() if pace is None else pace).run()


class _Routing:
    """The state of one routed project: who answered what, who may go on, what is believed."""

    def __init__(self, crowd: LabelCrowd, overlap: int, rng: np.random.Generator, pace: Pace) -> None:
        self.crowd, self.rng, self.pace = crowd, rng, pace
        self.policy: Policy = crowd.scenario.policy
        self.rule: StoppingRule = allocation.stopping_rule(self.policy)
        self.budget = overlap * crowd.n_items
        self.capacity = capacity_of(crowd.n_raters, self.budget, crowd.scenario.capacity)
        self.known = np.full(crowd.n_units, np.nan)
        self.known[crowd.n_items :] = crowd.truth[crowd.n_items :]
        self.gold_left = [list(rng.permutation(np.arange(crowd.n_items, crowd.n_units))) for _ in range(crowd.n_raters)]
        self.gold_right: list[list[bool]] = [[] for _ in range(crowd.n_raters)]
        self.states: list[allocation.GateState] = ["testing"] * crowd.n_raters
        self.pairs: tuple[tuple[int, int], ...] = ()
        self.spent = self.n_fitted = 0
        self.beliefs: allocation.Beliefs

    def run(self) -> Run:
        for _ in range(self.pace.first_gold):
            for rater in range(self.crowd.n_raters):
                self._ask_gold(rater)
        self._fit(max_rounds=self.pace.fit_rounds)
        while self.spent < self.budget and self._round():
            pass
        self._fit(max_rounds=200)
        right = allocation.chance_right(self.beliefs, self.crowd.truth.astype(np.float64))[: self.crowd.n_items]
        # Counted from what was answered, not from the router's own books: gold that it forgot would show.
        return Run(
            method=ROUTING, error=float(1 - right.mean()), n_labels=int((self.crowd.given[: self.crowd.n_items] >= 0).sum()),
            n_gold=int((self.crowd.given[self.crowd.n_items :] >= 0).sum()), budget=self.budget, capacity=self.capacity,
            most_by_one=int(self.crowd.n_given.max()), pauses=self._pauses(), notes=self._notes(),
            share_by_planted=planted_share(self.crowd.n_given, [has_fault(self.crowd, k) for k in range(self.crowd.n_raters)]),
        )  # fmt: skip

    def _round(self) -> bool:
        """Hand out the most valuable asks, gold in place of some of them; false where nobody can be asked any more."""
        wanted = min(max(self.crowd.n_raters, round(self.pace.asks_a_round * self.budget)), self.budget - self.spent)
        before = self.spent
        asks = allocation.choose_asks(self._worth(), self._paced((self.spent + wanted) / self.budget), wanted)
        if not len(asks.unit):
            asks = allocation.choose_asks(self._worth(), self._room(), wanted)
        is_item = np.array([not self._gold_instead(rater) for rater in asks.rater.tolist()], dtype=bool)
        is_item &= np.array([self.states[rater] != "paused" for rater in asks.rater.tolist()], dtype=bool)
        unit, rater = asks.unit[is_item], asks.rater[is_item]
        given = self.crowd.ask(unit, rater)
        self.spent += len(unit)
        self.beliefs = self.beliefs.after(unit, rater, given)
        if self.spent >= self.n_fitted * (1 + self.pace.refit_growth):
            self._fit(max_rounds=self.pace.fit_rounds)
        return self.spent > before

    def _room(self) -> IntArray:
        is_active = np.array([state != "paused" for state in self.states])
        return np.where(is_active, self.capacity - self.crowd.n_given, 0)

    def _paced(self, progress: float) -> IntArray:
        is_active = np.array([state != "paused" for state in self.states])
        capacity = np.where(is_active, self.capacity, 0).astype(np.int64)
        return allocation.paced_room(self.crowd.n_given, capacity, progress)

    def _gold_instead(self, rater: int) -> bool:
        """Hand out a gold unit in place of an item at the policy's share; the gate looks at the answer at once."""
        share = allocation.gold_share(self.states[rater], self.policy)
        if not self.gold_left[rater] or self.rng.random() >= share:
            return False
        self._ask_gold(rater)
        return True

    def _ask_gold(self, rater: int) -> None:
        unit = self.gold_left[rater].pop()
        given = self.crowd.ask(np.array([unit]), np.array([rater]))
        self.gold_right[rater].append(bool(given[0] == self.crowd.truth[unit]))
        self.states[rater] = allocation.gate_state(self.gold_right[rater], self.policy)
        self.spent += 1

    def _worth(self) -> FloatArray:
        items = slice(0, self.crowd.n_items)
        has_answered: BoolArray = self.crowd.given[items] >= 0
        is_active = self._room() > 0
        beliefs = allocation.Beliefs(self.beliefs.posterior[items], self.beliefs.confusion, self.beliefs.prevalence)
        may_ask = allocation.may_be_asked(has_answered, is_active, self.pairs)
        return allocation.worth_of_asking(beliefs, has_answered.sum(axis=1), self.rule, may_ask=may_ask)

    def _fit(self, *, max_rounds: int) -> None:
        answers = self._answers()
        self.beliefs = allocation.class_beliefs(answers, self.known, max_rounds=max_rounds)
        self.n_fitted = max(self.spent, self.budget // 20)
        if self.pace.look_for_copies and self.spent > self.budget / 4:
            self.pairs = allocation.copier_pairs(answers, self.beliefs)

    def _answers(self) -> Answers:
        unit, rater = np.nonzero(self.crowd.given >= 0)
        return answers_from_rows(
            unit, rater, self.crowd.given[unit, rater], n_units=self.crowd.n_units, n_raters=self.crowd.n_raters,
            categories=list(range(self.crowd.n_classes)),
        )  # fmt: skip

    def _pauses(self) -> tuple[Pause, ...]:
        return tuple(
            Pause(rater=rater, after_gold=len(self.gold_right[rater]), is_planted=has_fault(self.crowd, rater))
            for rater, state in enumerate(self.states)
            if state == "paused"
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [f"copying found: {first} and {second}" for first, second in self.pairs]
        if self.spent < self.budget:
            notes.append(f"{self.budget - self.spent} labels unspent: those who may go on are at their capacity")
        return tuple(notes)


def has_fault(crowd: LabelCrowd, rater: int) -> bool:
    """Whether the scenario planted a fault in this labeler: one that is named, or less right than the gate's poor level."""
    giver = crowd.scenario.labelers[rater]
    is_named = (
        giver.copies is not None or bool(giver.spams) or giver.tires_to is not None or giver.overlooks is not None
    )
    return is_named or giver.accuracy < crowd.scenario.policy.gate_poor
