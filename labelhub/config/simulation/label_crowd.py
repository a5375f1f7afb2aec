"""Labelers of classes with planted faults, who answer when asked; the same draws whatever is asked of whom.

Every answer rests on one number drawn beforehand for its unit and labeler, so that two ways of asking differ only by what
they ask. Not here: who is asked (``label_runs``), and real crowds (``replay``).
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from labelhub.config.simulation.scenario import LabelGiver, LabelScenario
from labelhub.numerics.results import FloatArray, IntArray

GOLD_POOL = 60
# A labeler's errors on one class fall on the others by a draw of this Dirichlet.
_ERROR_SPREAD = 1.0


class LabelCrowd:
    """The labelers of a scenario under one seed. Units are the items, then ``GOLD_POOL`` gold units.

    ``truth[unit]``; ``n_units``, ``n_items``, ``n_raters``, ``n_classes``. A crowd remembers what was answered, because
    copying and fatigue depend on it; ``anew`` gives the same crowd before any answer.
    """

    def __init__(self, scenario: LabelScenario, seed: int, full_load: float) -> None:
        """Draw items and faults. ``full_load`` is how many answers a labeler may give, over which the tired get tired."""
        rng = np.random.default_rng([seed, 101])
        self.scenario, self.seed, self.full_load = scenario, seed, full_load
        self.n_items, self.n_units = scenario.items, scenario.items + GOLD_POOL
        self.n_raters, self.n_classes = len(scenario.labelers), len(scenario.prevalence)
        self.truth: IntArray = rng.choice(self.n_classes, self.n_units, p=scenario.prevalence).astype(np.int64)
        self.ease = scenario.difficulty * rng.standard_normal(self.n_units)
        self.is_shared = rng.random(self.n_units) < scenario.shared_errors
        self.shared_class = (self.truth + rng.integers(1, self.n_classes, self.n_units)) % self.n_classes
        self.errors = _error_rows(scenario, rng)
        self.draws = rng.random((self.n_units, self.n_raters))
        self.copy_draws = rng.random((self.n_units, self.n_raters))
        self.given: IntArray = np.full((self.n_units, self.n_raters), -1, dtype=np.int64)
        self.n_given: IntArray = np.zeros(self.n_raters, dtype=np.int64)

    def anew(self) -> LabelCrowd:
        """The same crowd, before any answer."""
        return LabelCrowd(self.scenario, self.seed, self.full_load)

    def ask(self, units: IntArray, raters: IntArray) -> IntArray:
        """The answers to these asks, in the order given; nobody may be asked twice about a unit."""
        if (self.given[units, raters] >= 0).any() or len(set(zip(units.tolist(), raters.tolist(), strict=True))) < len(
            units
        ):
            message = "a rater is asked twice about a unit"
            raise ValueError(message)
        answers = np.empty(len(units), dtype=np.int64)
        for rater in np.unique(raters).tolist():
            mine = np.flatnonzero(raters == rater)
            answers[mine] = self._own(units[mine], rater)
        for rater, giver in enumerate(self.scenario.labelers):
            if giver.copies is not None:
                mine = np.flatnonzero(raters == rater)
                source = self.given[units[mine], giver.copies]
                copied = (source >= 0) & (self.copy_draws[units[mine], rater] < giver.copied_share)
                answers[mine] = np.where(copied, source, answers[mine])
        self.given[units, raters] = answers
        self.n_given += np.bincount(raters, minlength=self.n_raters)
        return answers

    def _own(self, units: IntArray, rater: int) -> IntArray:
        giver, truth, q = self.scenario.labelers[rater], self.truth[units], self.n_classes
        if giver.spams == "favourite":
            return np.full(len(units), giver.favourite, dtype=np.int64)
        if giver.spams == "random":
            return np.asarray(self.draws[units, rater] * q, dtype=np.int64)
        right = self._right(giver, units, self.n_given[rater] + np.arange(len(units)))
        rows = self.errors[rater][truth] * (1 - right)[:, None]
        shared = self.is_shared[units]
        rows[shared] = np.eye(q)[self.shared_class[units[shared]]] * (1 - right[shared])[:, None]
        rows[np.arange(len(units)), truth] = right
        steps = np.cumsum(rows, axis=1)
        return np.asarray(np.minimum((steps <= self.draws[units, rater][:, None]).sum(axis=1), q - 1), dtype=np.int64)

    def _right(self, giver: LabelGiver, units: IntArray, position: IntArray) -> FloatArray:
        accuracy = np.full(len(units), giver.accuracy)
        if giver.tires_to is not None:
            accuracy += (giver.tires_to - giver.accuracy) * np.minimum(position / self.full_load, 1.0)
        if giver.overlooks is not None:
            accuracy = np.where(self.truth[units] == giver.overlooks, 1 - giver.overlooked_share, accuracy)
        right = expit(logit(accuracy) + self.ease[units])
        return np.asarray(np.where(self.is_shared[units], right / 2, right), dtype=np.float64)


def _error_rows(scenario: LabelScenario, rng: np.random.Generator) -> FloatArray:
    """Where each rater's errors on each class fall: shape (rater, truth, given), 0 on the diagonal."""
    q = len(scenario.prevalence)
    rows = np.zeros((len(scenario.labelers), q, q))
    for rater in range(len(rows)):
        for truth in range(q):
            others = [k for k in range(q) if k != truth]
            even = np.full(q - 1, 1 / (q - 1))
            rows[rater, truth, others] = (
                rng.dirichlet(np.full(q - 1, _ERROR_SPREAD)) if scenario.uneven_errors else even
            )
    return rows
