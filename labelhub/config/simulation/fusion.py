"""Outlines corrected by gold against the majority vote, on generated projects: where the majority is off, and where it is not.

A project has gold of a few patients and items without a known truth (known here, to judge). The rule of
``numerics.fusion_calibration`` decides on the gold alone, each patient left out in turn, whether outlines are corrected; then
every item is settled both ways. A row of a scenario says how often the rule switched the correction on, and what the items
gained or lost by following the rule, over projects with paired items. Not here: writing it down (``fusion_report``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.config.simulation.mask_crowd import star
from labelhub.numerics.fusion_calibration import GoldCase, calibrated_fusion, decide_calibration
from labelhub.numerics.means import clustered_mean
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import BoolArray, Estimate
from labelhub.numerics.simulated import BoundaryFault, read_mask
from labelhub.numerics.staple import staple

METHOD = "paired projects"
VERSION = "1"

GRID = 96
RADIUS_PX = (18.0, 26.0)
SMOOTHNESS_PX = 4.0


@dataclass(frozen=True, slots=True)
class FusionScenario:
    """What five readers do to every outline: ``offsets_px`` (positive: too large) and ``noise_px``, one a reader.

    ``is_majority_biased`` says whether most of them err in one direction, which no vote can correct.
    """

    name: str
    offsets_px: tuple[float, ...]
    noise_px: tuple[float, ...]
    is_majority_biased: bool


SCENARIOS: tuple[FusionScenario, ...] = (
    FusionScenario("nobody is off", (0, 0, 0, 0, 0), (0.8,) * 5, is_majority_biased=False),
    FusionScenario(
        "nobody is off, some are ragged", (0, 0, 0, 0, 0), (0.5, 0.5, 1.0, 2.0, 2.5), is_majority_biased=False
    ),
    FusionScenario("three of five draw 4 px too large", (0, 0, 4, 4, 4), (0.8,) * 5, is_majority_biased=True),
    FusionScenario("three of five draw 3 px too small", (0, 0, -3, -3, -3), (0.8,) * 5, is_majority_biased=True),
    FusionScenario("all draw 2 px too large", (2, 2, 2, 2, 2), (0.8,) * 5, is_majority_biased=True),
    FusionScenario("one of five draws 4 px too large", (0, 0, 0, 0, 4), (0.8,) * 5, is_majority_biased=False),
)


@dataclass(frozen=True, slots=True)
class FusionProject:
    """One generated project: whether the rule switched the correction on and why, and mean Dice of its items each way.

    ``settled`` is the way the rule chose, ``always`` the correction whatever the rule says. The last two are what the rule
    saw on gold, NaN where it did not come to that.
    """

    seed: int
    is_on: bool
    reason: str
    majority: float
    staple: float
    settled: float
    always: float
    gold_fused: float
    gold_majority: float


@dataclass(frozen=True, slots=True)
class FusionCompared:
    """All projects of one scenario."""

    scenario: FusionScenario
    projects: tuple[FusionProject, ...]

    def switched_on(self) -> Estimate:
        """In what share of projects the correction was switched on."""
        n_on = sum(one.is_on for one in self.projects)
        return proportion(n_on, len(self.projects), unit="projects", method="share of projects with correction on")

    def gain(self, way: Callable[[FusionProject], float] | None = None) -> Estimate:
        """By how much the Dice of what is settled lies above the majority's, over projects; ``way`` may be another one."""
        values = [(one.settled if way is None else way(one)) - one.majority for one in self.projects]
        return clustered_mean(
            values, [one.seed for one in self.projects], unit="projects", group_unit="projects",
            method="Dice above the majority's, paired",
        )  # fmt: skip

    def mean(self, way: Callable[[FusionProject], float]) -> float:
        """The mean Dice of a way over projects."""
        return float(np.mean([way(one) for one in self.projects]))


def compare_fusion(
    scenarios: Sequence[FusionScenario], seeds: Sequence[int], *, gold: int = 6, items: int = 12
) -> tuple[FusionCompared, ...]:
    """Play every scenario on a project a seed, with so many patients' gold and so many items."""
    return tuple(
        FusionCompared(scenario, tuple(play_project(scenario, seed, gold=gold, items=items) for seed in seeds))
        for scenario in scenarios
    )


def play_project(scenario: FusionScenario, seed: int, *, gold: int, items: int) -> FusionProject:
    """One project: gold first, the rule's decision, then all items each way."""
    rng = np.random.default_rng([seed, 505])
    cases = []
    for patient in range(gold):
        truth, masks = _read(scenario, rng)
        cases.append(GoldCase(truth, masks, f"patient {patient}"))
    decision = decide_calibration(cases)[0]
    dice: list[tuple[float, float, float]] = []
    for _ in range(items):
        truth, masks = _read(scenario, rng)
        ways = (
            np.asarray(2 * np.sum(masks, axis=0) > len(masks)),
            staple(masks).mask(),
            calibrated_fusion(masks, decision.offsets).mask(),
        )
        majority, by_staple, corrected = (compare_masks(mask, truth).dice for mask in ways)
        dice.append((majority, by_staple, corrected))
    majority, by_staple, corrected = np.mean(dice, axis=0).tolist()
    return FusionProject(
        seed, decision.is_on, decision.reason, majority, by_staple, corrected if decision.is_on else majority, corrected,
        decision.dice_fused, decision.dice_majority,
    )  # fmt: skip


def _read(scenario: FusionScenario, rng: np.random.Generator) -> tuple[BoolArray, list[BoolArray]]:
    truth = star(GRID, rng.uniform(*RADIUS_PX), rng)
    faults = [
        BoundaryFault(offset, noise, SMOOTHNESS_PX)
        for offset, noise in zip(scenario.offsets_px, scenario.noise_px, strict=True)
    ]
    return truth, [read_mask(truth, fault, rng) for fault in faults]
