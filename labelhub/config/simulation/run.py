"""What one way of working did with one budget. Not here: how it worked (``label_runs``, ``mask_runs``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.results import NAN, IntArray

ROUTING = "LabelHub's routing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A labeler who was paused, after how many gold answers, and whether a fault was planted."""

    rater: int
    after_gold: int
    is_planted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one way of working did with one budget: its error, what it spent on items and on gold, who was paused.

    ``error`` is the scenario's measure. ``n_again`` counts second looks of authors, which cost a label each. ``most_by_one`` is
    the largest number of answers that one labeler gave, gold included; ``capacity`` what one may give. ``share_by_planted``
    is the share of all answers that came from labelers with a planted fault.
    """

    method: str
    error: float
    n_labels: int
    n_gold: int
    budget: int
    capacity: int
    most_by_one: int
    n_again: int = 0
    share_by_planted: float = NAN
    pauses: tuple[Pause, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def spent(self) -> int:
        """All that was paid: labels of items, gold, second looks."""
        return self.n_labels + self.n_gold + self.n_again

    def __post_init__(self) -> None:
        """Refuse a run that spent more than it had: its error would prove nothing."""
        if self.spent > self.budget or self.most_by_one > self.capacity:
            message = (
                f"{self.method} spent {self.spent} of {self.budget}, "
                f"one labeler gave {self.most_by_one} of {self.capacity}"
            )
            raise ValueError(message)


def capacity_of(n_raters: int, budget: int, factor: float) -> int:
    """How many answers one labeler may give: so many times the fair share, rounded down."""
    return int(factor * budget / n_raters + 1e-9)


def planted_share(n_given: IntArray, is_planted: Sequence[bool]) -> float:
    """The share of all answers that labelers with a planted fault gave; NaN without any answer."""
    total = int(n_given.sum())
    return float(n_given[np.asarray(is_planted, dtype=bool)].sum()) / total if total else NAN


def balanced_asks(n_items: int, n_raters: int, overlap: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Each item with ``overlap`` different raters, whose loads differ by one at most; in the order of asking."""
    load = np.zeros(n_raters)
    units, raters = [], []
    for item in rng.permutation(n_items).tolist():
        chosen = np.lexsort((rng.random(n_raters), load))[:overlap]
        load[chosen] += 1
        units += [item] * overlap
        raters += chosen.tolist()
    order = rng.permutation(len(units))
    return np.asarray(units, dtype=np.int64)[order], np.asarray(raters, dtype=np.int64)[order]
