"""Readers of masks with planted faults on generated shapes; a reading is the same whenever it is asked for.

Not here: who is asked (``mask_runs``).
"""

from __future__ import annotations

import numpy as np

from labelhub.config.simulation.scenario import MaskScenario
from labelhub.numerics.results import BoolArray, FloatArray
from labelhub.numerics.simulated import BoundaryFault, read_mask

_HARMONICS = 5
_ROUGHNESS = 0.22


class MaskCrowd:
    """The readers of a scenario under one seed. Units are the items, then the gold units."""

    def __init__(self, scenario: MaskScenario, seed: int) -> None:
        """Draw the shapes and how hard each is."""
        rng = np.random.default_rng([seed, 202])
        self.scenario, self.seed = scenario, seed
        self.n_items, self.n_units = scenario.items, scenario.items + scenario.gold_each
        self.n_raters = len(scenario.labelers)
        self.truth = [star(scenario.grid, rng.uniform(*scenario.radius_px), rng) for _ in range(self.n_units)]
        self.factor: FloatArray = np.exp(scenario.difficulty * rng.standard_normal(self.n_units))
        self._drawn: dict[tuple[int, int, int], BoolArray] = {}

    def read(self, unit: int, rater: int, look: int = 0) -> BoolArray:
        """The reading of a unit by a rater; ``look`` counts how often it came back."""
        key = (unit, rater, look)
        if key not in self._drawn:
            self._drawn[key] = self._read(unit, rater, look)
        return self._drawn[key]

    def _read(self, unit: int, rater: int, look: int) -> BoolArray:
        giver = self.scenario.labelers[rater]
        rng = np.random.default_rng([self.seed, 303, unit, rater, look])
        fault = BoundaryFault(giver.offset_px, giver.noise_px * float(self.factor[unit]), self.scenario.smoothness_px)
        mask = read_mask(self.truth[unit], fault, rng)
        share = giver.missing_again_share if look else giver.missing_share
        return without_half(mask, rng) if rng.random() < share else mask


def star(grid: int, radius: float, rng: np.random.Generator) -> BoolArray:
    """A star-shaped region around the middle of the grid: a circle with five harmonics on its radius."""
    y, x = np.mgrid[:grid, :grid] + 0.5 - grid / 2
    angle, wave = np.arctan2(y, x), np.zeros((grid, grid))
    for k in range(1, _HARMONICS + 1):
        wave += _ROUGHNESS / k * rng.standard_normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(x, y) < np.clip(radius * (1 + wave), 4.0, grid / 2 - 8))


def without_half(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """The mask without what lies on one side of a line through its middle."""
    places = np.argwhere(mask)
    if not len(places):
        return mask
    middle, angle = places.mean(axis=0), rng.uniform(0, 2 * np.pi)
    y, x = np.indices(mask.shape)
    return np.asarray(mask & ((y - middle[0]) * np.sin(angle) + (x - middle[1]) * np.cos(angle) < 0))
