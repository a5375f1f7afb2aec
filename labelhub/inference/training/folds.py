"""Which groups are held out in which fold: whole groups, so that no picture of a patient is both learned from and judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np


def grouped_folds(groups: Sequence[str], n_folds: int, *, rng: np.random.Generator) -> list[int]:
    """Return, for each unit, the fold that holds it out; ``groups`` has one entry a unit. Folds are as even as groups allow.

    With fewer groups than folds there are as many folds as groups; with a single group all are in fold 0 and nothing can be
    held out honestly.
    """
    sizes = Counter(groups)
    order = sorted(sizes)
    rng.shuffle(order)
    load = [0] * max(1, min(n_folds, len(sizes)))
    fold_of: dict[str, int] = {}
    for group in sorted(order, key=lambda name: -sizes[name]):
        fold_of[group] = load.index(min(load))
        load[fold_of[group]] += sizes[group]
    return [fold_of[group] for group in groups]
