"""Recorded crowds asked again, in random orders: fixed overlap against asking where it is worth most; only answers that exist.

Two ways of adaptive asking: *whom too* picks item and rater, nobody above ``SHARE`` times the fair share; *next in line* picks
the item only, the rater being who comes next in the order. No gold is used: what is known of raters comes from the answers.
Not here: reading files (``recorded``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labelhub.config.simulation.comparison import mean_over_seeds
from labelhub.config.simulation.recorded import RecordedCrowd
from labelhub.numerics.answers import Answers, answers_from_rows
from labelhub.numerics.consensus import dawid_skene, expected_correct, majority_vote, one_coin
from labelhub.numerics.label_value import StoppingRule
from labelhub.numerics.results import NAN, BoolArray, Estimate, FloatArray, IntArray
from labelhub.routing import allocation

MAJORITY = "majority vote, fixed overlap"
DAWID_SKENE = "Dawid-Skene, fixed overlap"
ONE_COIN = "one-coin, fixed overlap"
HIERARCHICAL = "hierarchical, fixed overlap"
WHOM_TOO = "adaptive, whom too"
NEXT_IN_LINE = "adaptive, next in line"
# Adaptive asking settles by the hierarchical model too: only against that one is a gain routing's and not the model's.
FIXED = (MAJORITY, DAWID_SKENE, ONE_COIN, HIERARCHICAL)
WAYS = (*FIXED, NEXT_IN_LINE, WHOM_TOO)
SHARE = 3.0
_ROUNDS_A_LABEL = 8
_RULE = StoppingRule(confidence=0.95, least=2, most=50)


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """``accuracy[way][order, budget]`` at ``budgets`` labels an item (mean), and what was really spent for each, an item."""

    crowd: RecordedCrowd
    budgets: tuple[int, ...]
    accuracy: Mapping[str, FloatArray]
    spent: Mapping[str, FloatArray]

    def estimate(self, way: str, place: int) -> Estimate:
        """The mean accuracy over orders of one way at one budget."""
        return mean_over_seeds(self.accuracy[way][:, place], f"accuracy of {way} over random orders")

    def gain(self, way: str, place: int) -> Estimate:
        """By how much a way is more accurate than the best fixed one, paired over orders."""
        best = np.max([self.accuracy[name][:, place] for name in FIXED], axis=0)
        return mean_over_seeds(self.accuracy[way][:, place] - best, f"{way} minus the best fixed overlap, over orders")


def replay(crowd: RecordedCrowd, *, n_orders: int = 10, most: int = 7, first_seed: int = 0) -> Replay:
    """Ask the crowd anew in ``n_orders`` random orders, up to ``most`` labels an item on average."""
    budgets = tuple(range(1, most + 1))
    shape = (n_orders, len(budgets))
    accuracy = {way: np.full(shape, NAN) for way in WAYS}
    spent = {way: np.full(shape, NAN) for way in WAYS}
    for row in range(n_orders):
        rng = np.random.default_rng([first_seed + row, 505])
        rank = _ranks(crowd.given >= 0, rng)
        for place, budget in enumerate(budgets):
            asked = (crowd.given >= 0) & (rank < budget)
            for way, value in _fixed(crowd, asked).items():
                accuracy[way][row, place], spent[way][row, place] = value, asked.sum() / len(asked)
        for way in (NEXT_IN_LINE, WHOM_TOO):
            accuracy[way][row], spent[way][row] = _adaptive(crowd, rank, budgets, is_whom=way == WHOM_TOO)
    return Replay(crowd, budgets, accuracy, spent)


def _ranks(exists: BoolArray, rng: np.random.Generator) -> IntArray:
    """In which place each existing answer of an item comes, from 0; those that do not exist come last."""
    keys = np.where(exists, rng.random(exists.shape), 2.0)
    return np.argsort(np.argsort(keys, axis=1), axis=1).astype(np.int64)


def _fixed(crowd: RecordedCrowd, asked: BoolArray) -> dict[str, float]:
    answers = _answers(crowd, asked)
    given = np.where(asked, crowd.given, np.nan)
    vote = expected_correct(majority_vote(given, categories=list(range(len(crowd.categories)))), crowd.truth)
    return {
        MAJORITY: float(np.nanmean(vote)),
        DAWID_SKENE: float(np.nanmean(dawid_skene(answers).expected_correct(crowd.truth))),
        ONE_COIN: float(np.nanmean(one_coin(answers).expected_correct(crowd.truth))),
        HIERARCHICAL: float(np.nanmean(_right(answers, crowd))),
    }


def _adaptive(
    crowd: RecordedCrowd, rank: IntArray, budgets: tuple[int, ...], *, is_whom: bool
) -> tuple[FloatArray, FloatArray]:
    """Accuracy and labels spent an item at each budget, on one way through the answers."""
    n_items, n_raters = crowd.given.shape
    exists, asked = crowd.given >= 0, (crowd.given >= 0) & (rank < 1)
    beliefs = allocation.class_beliefs(_answers(crowd, asked))
    accuracy, spent = np.full(len(budgets), NAN), np.full(len(budgets), NAN)
    for place, budget in enumerate(budgets):
        limit = budget * n_items
        step = max(1, n_items // _ROUNDS_A_LABEL)
        # Some answered far more than others: who could give much may give at most so many times the fair share.
        capacity = np.full(n_raters, int(np.ceil(SHARE * limit / n_raters)))
        while (left := limit - int(asked.sum())) > 0:
            may_ask = exists & ~asked
            if not is_whom:
                may_ask &= rank == asked.sum(axis=1)[:, None]
            room = np.maximum(capacity - asked.sum(axis=0), 0) if is_whom else np.full(n_raters, limit)
            may_ask &= (room > 0)[None, :]
            worth = allocation.worth_of_asking(beliefs, asked.sum(axis=1), _RULE, may_ask=may_ask)
            asks = allocation.choose_asks(worth, room, min(step, left))
            if not len(asks.unit):
                break
            asked[asks.unit, asks.rater] = True
            beliefs = allocation.class_beliefs(_answers(crowd, asked), max_rounds=12)
        accuracy[place] = float(np.nanmean(_right(_answers(crowd, asked), crowd)))
        spent[place] = asked.sum() / n_items
    return accuracy, spent


def _right(answers: Answers, crowd: RecordedCrowd) -> FloatArray:
    return allocation.chance_right(allocation.class_beliefs(answers, max_rounds=200), crowd.truth)


def _answers(crowd: RecordedCrowd, asked: BoolArray) -> Answers:
    unit, rater = np.nonzero(asked)
    n_items, n_raters = crowd.given.shape
    return answers_from_rows(
        unit, rater, crowd.given[unit, rater], n_units=n_items, n_raters=n_raters,
        categories=list(range(len(crowd.categories))),
    )  # fmt: skip
