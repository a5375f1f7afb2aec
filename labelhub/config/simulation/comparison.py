"""Routing against fixed overlap over paired seeds: the same items, labelers and faults for all, the same budget.

Not here: how each works (``label_runs``, ``mask_runs``), and writing it down (``report``).
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import django
import numpy as np
from scipy import stats

from labelhub.config.simulation import label_runs, mask_runs
from labelhub.config.simulation.label_crowd import LabelCrowd
from labelhub.config.simulation.mask_crowd import MaskCrowd
from labelhub.config.simulation.run import ROUTING, Run, capacity_of
from labelhub.config.simulation.scenario import LabelScenario, MaskScenario
from labelhub.numerics.results import NAN, Estimate, FloatArray

METHOD = "paired seeds"
VERSION = "1"
SHORT_ITEMS = {"labels": 400, "masks": 60}


@dataclass(frozen=True, slots=True)
class Compared:
    """One scenario under one budget: for every seed what each way of working did."""

    scenario: LabelScenario | MaskScenario
    budget: int
    seeds: tuple[int, ...]
    runs: tuple[Mapping[str, Run], ...]

    @property
    def baselines(self) -> tuple[str, ...]:
        """The ways that the target is set against."""
        return label_runs.BASELINES if isinstance(self.scenario, LabelScenario) else mask_runs.BASELINES

    def errors(self, method: str) -> FloatArray:
        """The error of one way in each seed."""
        return np.array([runs[method].error for runs in self.runs])

    def best_fixed(self) -> FloatArray:
        """The error of the better of the baselines, seed by seed."""
        return np.asarray(np.min([self.errors(name) for name in self.baselines], axis=0), dtype=np.float64)

    def gains(self) -> FloatArray:
        """By what share routing's error is lower than the better baseline's, in each seed; negative where it is higher."""
        best = self.best_fixed()
        return np.asarray(1 - self.errors(ROUTING) / np.where(best > 0, best, NAN), dtype=np.float64)

    def gain(self) -> Estimate:
        """The mean gain over seeds with its interval."""
        return mean_over_seeds(self.gains(), "share by which routing's error is lower than the better baseline's")

    def difference(self) -> Estimate:
        """The mean paired difference of the errors, routing minus the better baseline."""
        return mean_over_seeds(self.errors(ROUTING) - self.best_fixed(), "routing's error minus the better baseline's")

    @property
    def n_met(self) -> int:
        """In how many seeds the target was met."""
        return int((self.gains() >= self.scenario.target).sum())

    @property
    def is_met(self) -> bool:
        """Whether the target was met in every seed."""
        return self.n_met == len(self.seeds)

    def verdict(self) -> str:
        """One sentence: met, missed, or that routing gains nothing."""
        gain, scenario = self.gain(), self.scenario
        of_all = f"the target of {scenario.target:.0%} is met in {self.n_met} of {len(self.seeds)} seeds"
        if not gain.is_defined:
            return f"not defined: {gain.reason}"
        is_sure = math.isfinite(gain.low) and gain.low > 0
        if not is_sure:
            return f"routing gains nothing that these seeds show; {of_all}"
        word = "met" if self.is_met else "missed"
        note = "" if scenario.gain_is_expected else "; errors that all share stay: what is left of the error is theirs"
        return f"{word}: {gain.value:.0%} lower error, {of_all}{note}"


def mean_over_seeds(values: FloatArray, method: str) -> Estimate:
    """The mean over paired seeds and its t interval."""
    known = values[np.isfinite(values)]
    n = len(known)
    if n == 0:
        return Estimate(NAN, NAN, NAN, 0, "seeds", method, VERSION, reason="no seed gave an error to compare with")
    value = float(known.mean())
    if n < 2:
        return Estimate(value, NAN, NAN, n, "seeds", method, VERSION, interval_reason="one seed has no spread")
    reach = float(stats.t.ppf(0.975, n - 1) * known.std(ddof=1) / math.sqrt(n))
    return Estimate(
        value, value - reach, value + reach, n, "seeds", method, VERSION, n_groups=n, group_unit="seeds",
        interval_method="t over paired seeds",
    )  # fmt: skip


def shortened(scenario: LabelScenario | MaskScenario) -> LabelScenario | MaskScenario:
    """The scenario with few items, for a quick look: its numbers are no result."""
    kind = "labels" if isinstance(scenario, LabelScenario) else "masks"
    return replace(scenario, items=min(scenario.items, SHORT_ITEMS[kind]))


def play(scenario: LabelScenario | MaskScenario, budget: int, seed: int) -> Mapping[str, Run]:
    """All ways of working under one seed. The same arguments give the same runs."""
    if isinstance(scenario, MaskScenario):
        readers = MaskCrowd(scenario, seed)
        fixed = mask_runs.fixed_overlap(readers, budget, np.random.default_rng([seed, 1]))
        return {**fixed, ROUTING: mask_runs.routed(readers, budget)}
    load = capacity_of(len(scenario.labelers), budget * scenario.items, scenario.capacity)
    crowd = LabelCrowd(scenario, seed, load)
    by_overlap = label_runs.fixed_overlap(crowd, budget, np.random.default_rng([seed, 1]))
    return {**by_overlap, ROUTING: label_runs.routed(crowd.anew(), budget, np.random.default_rng([seed, 2]))}


def compare(
    scenarios: Sequence[LabelScenario | MaskScenario],
    seeds: Sequence[int],
    *,
    workers: int = 1,
    told: Callable[[Compared], None] = lambda _: None,
) -> tuple[Compared, ...]:
    """Play every scenario, budget and seed; ``told`` hears of each scenario and budget as it is done."""
    tasks = [(scenario, budget) for scenario in scenarios for budget in scenario.budgets]
    if workers <= 1:
        return tuple(
            _told(Compared(one, budget, tuple(seeds), tuple(play(one, budget, seed) for seed in seeds)), told)
            for one, budget in tasks
        )
    context = multiprocessing.get_context("spawn")
    # A fresh process knows no apps, and what routing imports holds models.
    with ProcessPoolExecutor(workers, mp_context=context, initializer=django.setup) as pool:
        waiting = [(one, budget, [pool.submit(play, one, budget, seed) for seed in seeds]) for one, budget in tasks]
        return tuple(
            _told(Compared(one, budget, tuple(seeds), tuple(future.result() for future in futures)), told)
            for one, budget, futures in waiting
        )


def _told(compared: Compared, told: Callable[[Compared], None]) -> Compared:
    told(compared)
    return compared
