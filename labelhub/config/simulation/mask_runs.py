"""One crowd of masks, one budget: fixed overlap with a vote and STAPLE, and LabelHub's routing, which pays its gold itself.

Not here: comparing them over seeds (``comparison``).
"""

from __future__ import annotations

import math

import numpy as np

from labelhub.config.simulation.mask_crowd import MaskCrowd
from labelhub.config.simulation.run import ROUTING, Pause, Run, balanced_asks, capacity_of, planted_share
from labelhub.numerics.fusion_calibration import GoldCase, decide_calibration
from labelhub.numerics.mask_pair import mask_pair
from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.numerics.staple import staple
from labelhub.numerics.surfaces import average_surface_distance, surface_distances
from labelhub.routing import mask_allocation as allocation
from labelhub.routing.allocation import GateState, choose_asks, paced_room

MAJORITY = "majority vote, fixed overlap"
STAPLE = "STAPLE in the region, fixed overlap"
BASELINES = (MAJORITY, STAPLE)
ASKS_A_ROUND = 0.05


def distance_to_truth(mask: BoolArray, truth: BoolArray) -> float:
    """The average symmetric surface distance in pixels; the diagonal of the grid where the mask is empty."""
    pair = mask_pair(mask, truth)
    if pair.edge_case != "none":
        return math.hypot(*truth.shape)
    return average_surface_distance(surface_distances(pair.first, pair.second, pair.spacing))


def fixed_overlap(crowd: MaskCrowd, overlap: int, rng: np.random.Generator) -> dict[str, Run]:
    """Every item read by ``overlap`` readers, all equally often, no gold: vote and STAPLE on the same readings."""
    units, raters = balanced_asks(crowd.n_items, crowd.n_raters, overlap, rng)
    errors: dict[str, list[float]] = {MAJORITY: [], STAPLE: []}
    for unit in range(crowd.n_items):
        masks = [crowd.read(unit, rater) for rater in raters[units == unit].tolist()]
        vote = 2 * np.sum(masks, axis=0) >= len(masks)
        errors[MAJORITY].append(distance_to_truth(vote, crowd.truth[unit]))
        errors[STAPLE].append(distance_to_truth(staple(masks).mask(), crowd.truth[unit]))
    most = int(np.bincount(raters).max())
    return {
        name: Run(
            method=name, error=float(np.mean(values)), n_labels=len(units), n_gold=0, budget=len(units),
            capacity=most, most_by_one=most,
        )
        for name, values in errors.items()
    }  # fmt: skip


def routed(crowd: MaskCrowd, overlap: int) -> Run:
    """LabelHub's routing with ``overlap`` readings an item to spend on average, gold and second looks included."""
    return _Routing(crowd, overlap).run()


class _Routing:
    """The state of one routed project of masks."""

    def __init__(self, crowd: MaskCrowd, overlap: int) -> None:
        self.crowd, self.policy = crowd, crowd.scenario.policy
        self.budget = overlap * crowd.n_items
        self.capacity = capacity_of(crowd.n_raters, self.budget, crowd.scenario.capacity)
        # A small project cannot pay for all of it: half of the budget is left for the items.
        self.gold_each = max(1, min(crowd.scenario.gold_each, self.budget // (2 * crowd.n_raters)))
        self.n_given: IntArray = np.zeros(crowd.n_raters, dtype=np.int64)
        self.n_gold = self.n_labels = self.n_again = self.n_reviews = 0
        self.states: list[GateState] = ["testing"] * crowd.n_raters
        self.choice: allocation.FusionChoice
        self.reads: list[dict[int, BoolArray]] = [{} for _ in range(crowd.n_items)]
        self.looks: list[dict[int, int]] = [{} for _ in range(crowd.n_items)]
        self.dice: list[dict[tuple[int, int], float]] = [{} for _ in range(crowd.n_items)]
        self.gaps: list[dict[tuple[int, int], float]] = [{} for _ in range(crowd.n_items)]
        self.spread: FloatArray = np.ones(crowd.n_raters)
        self.shift: FloatArray = np.zeros(crowd.n_raters)

    def run(self) -> Run:
        self._read_gold()
        while self._left() > 0 and self._round():
            pass
        errors = [distance_to_truth(self._settled(unit), self.crowd.truth[unit]) for unit in range(self.crowd.n_items)]
        return Run(
            method=ROUTING, error=float(np.mean(errors)), n_labels=self.n_labels, n_gold=self.n_gold,
            n_again=self.n_again, budget=self.budget, capacity=self.capacity, most_by_one=int(self.n_given.max()),
            pauses=self._pauses(), notes=self._notes(),
            share_by_planted=planted_share(self.n_given, [has_fault(self.crowd, k) for k in range(self.crowd.n_raters)]),
        )  # fmt: skip

    def _left(self) -> int:
        return self.budget - self.n_gold - self.n_labels - self.n_again

    def _read_gold(self) -> None:
        """Everybody's gold first: it tells the offsets, whether to correct them, and who is poor even then."""
        crowd, everybody = self.crowd, list(range(self.crowd.n_raters))
        self.n_gold = self.gold_each * crowd.n_raters
        self.n_given += self.gold_each
        cases = self._cases(everybody)
        shift = allocation.shifts_of(decide_calibration(cases)[0], crowd.n_raters)
        dice = np.array([[allocation.mask_dice(allocation.moved(crowd.read(unit, rater), shift[rater]), crowd.truth[unit])
                          for unit in self._gold_units()] for rater in everybody])  # fmt: skip
        for rater in everybody:
            others = np.delete(dice, rater, axis=0).T.tolist()
            self.states[rater] = allocation.mask_gate_state(dice[rater].tolist(), others, self.policy)
        # Who is paused settles nothing any more: the way of settling is chosen among those who go on.
        active = np.flatnonzero(self._is_active()).tolist()
        decision = allocation.renumbered(decide_calibration(self._cases(active))[0], active)
        self.choice = allocation.choose_fusion(cases, decision, np.random.default_rng([crowd.seed, 404]))
        self.spread = allocation.reader_spreads(decision, crowd.n_raters)
        self.shift = allocation.shifts_of(decision, crowd.n_raters)

    def _gold_units(self) -> range:
        return range(self.crowd.n_items, self.crowd.n_items + self.gold_each)

    def _cases(self, raters: list[int]) -> list[GoldCase]:
        crowd = self.crowd
        return [
            GoldCase(crowd.truth[unit], [crowd.read(unit, rater) for rater in raters], patient=f"gold {unit}")
            for unit in self._gold_units()
        ]

    def _round(self) -> bool:
        wanted = min(max(self.crowd.n_raters, round(ASKS_A_ROUND * self.budget)), self._left())
        before = self._left()
        worth = self._worth()
        capacity = np.where(self._is_active(), self.capacity, 0).astype(np.int64)
        asks = choose_asks(worth, paced_room(self.n_given, capacity, 1 - (self._left() - wanted) / self.budget), wanted)
        if not len(asks.unit):
            asks = choose_asks(worth, np.maximum(capacity - self.n_given, 0), wanted)
        for unit, rater in zip(asks.unit.tolist(), asks.rater.tolist(), strict=True):
            self._take(unit, rater, self.crowd.read(unit, rater))
            self.n_labels += 1
        for unit in asks.unit.tolist():
            self._mend(unit)
        return self._left() < before

    def _is_active(self) -> BoolArray:
        return np.array([state != "paused" for state in self.states])

    def _worth(self) -> FloatArray:
        n_items, n_raters = self.crowd.n_items, self.crowd.n_raters
        has_read = np.zeros((n_items, n_raters), dtype=bool)
        precision, observed, expected = np.zeros(n_items), np.zeros(n_items), np.zeros(n_items)
        for unit, reads in enumerate(self.reads):
            has_read[unit, list(reads)] = True
            precision[unit] = sum(1 / self.spread[rater] ** 2 for rater in reads)
            for (first, second), gap in self.gaps[unit].items():
                if math.isfinite(gap):
                    observed[unit] += gap
                    expected[unit] += allocation.expected_difference(self.spread[first], self.spread[second])
        is_free = self._is_active() & (self.n_given < self.capacity)
        allowed = allocation.may_read(has_read, is_free, has_read.sum(axis=1), self.policy)
        factor = allocation.difficulty_factors(observed, expected)
        return allocation.worth_of_reading(precision, factor, self.spread, may_ask=allowed)

    def _take(self, unit: int, rater: int, mask: BoolArray) -> None:
        """Keep a reading, and how it differs from the item's others."""
        for other, theirs in self.reads[unit].items():
            if other == rater:
                continue
            found = allocation.outline_difference(mask, theirs, float(self.shift[other] - self.shift[rater]))
            key = (min(rater, other), max(rater, other))
            self.dice[unit][key], self.gaps[unit][key] = found.dice, found.distance
        self.reads[unit][rater] = mask
        self.n_given[rater] += 1

    def _mend(self, unit: int) -> None:
        """Let the policy's rules look at the item; a slip goes back to its author, who pays with a label."""
        raters = list(self.reads[unit])
        dice = np.eye(len(raters))
        for (first, second), value in self.dice[unit].items():
            a, b = raters.index(first), raters.index(second)
            dice[a, b] = dice[b, a] = value
        rounds = [self.looks[unit].get(rater, 0) for rater in raters]
        verdict = allocation.verdict_on_reads(raters, dice, rounds, self.policy, wanted_reads=self.policy.readers)
        author = verdict.author
        if verdict.outcome != "back-to-author" or author is None:
            self.n_reviews += verdict.outcome == "reviewer"
            return
        if self._left() <= 0 or self.n_given[author] >= self.capacity or self.states[author] == "paused":
            return
        self.looks[unit][author] = self.looks[unit].get(author, 0) + 1
        self._take(unit, author, self.crowd.read(unit, author, self.looks[unit][author]))
        self.n_again += 1

    def _settled(self, unit: int) -> BoolArray:
        raters = list(self.reads[unit])
        if not raters:
            return np.zeros_like(self.crowd.truth[unit])
        return allocation.settled_mask([self.reads[unit][rater] for rater in raters], raters, self.choice)

    def _pauses(self) -> tuple[Pause, ...]:
        return tuple(
            Pause(rater=rater, after_gold=self.gold_each, is_planted=has_fault(self.crowd, rater))
            for rater, state in enumerate(self.states)
            if state == "paused"
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [f"settled by {self.choice.name}: {self.choice.reason}"]
        if self._left() > 0:
            notes.append(f"{self._left()} labels unspent: those who may go on are at their capacity")
        return tuple(notes)


def has_fault(crowd: MaskCrowd, rater: int) -> bool:
    """Whether the scenario planted a fault in this reader: an offset, left-out parts, or twice the usual wobble."""
    givers = crowd.scenario.labelers
    usual = float(np.median([giver.noise_px for giver in givers]))
    giver = givers[rater]
    return giver.offset_px != 0 or giver.missing_share > 0 or giver.noise_px > 2 * usual
