"""Whether what was seen of things tells which of two kinds each is: classifiers tried on what they did not learn from.

Two classifiers of different kinds, both in numpy: a ridge regression on 0 and 1 (a linear discriminant), and boosted stumps
for what is no straight line. Their AUC is taken within each fold of a cross-validation and pooled over the folds; the null
is the same procedure on labels that were exchanged within their groups, so that neither the choice of the better classifier
nor the many things looked at counts as a finding. Arrays in, numbers out; not here: what is looked at (``sights``).

DeLong ER et al. (1988) Comparing the areas under two or more correlated ROC curves. Biometrics 44:837-845 (the interval).
Ojala M, Garriga GC (2010) Permutation tests for studying classifier performance. JMLR 11:1833-1863 (the null).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
FOLDS = 5
ROUNDS, RATE = 12, 0.4
# How many numbers are worked on at once.
MOST_NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Area:
    """The area under the ROC curve, .5 where nothing tells, with its 95 % interval (DeLong)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}–{self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Told:
    """What the classifiers found. ``p`` is the share of exchanged labelings, the true one among them, that do as well.

    ``most_telling`` names the things that part the kinds best one by one, with their AUC, for whoever looks for the cause.
    """

    n: int
    n_of_kind: int
    linear: Area
    stumps: Area
    p: float
    most_telling: tuple[tuple[str, float], ...]


def told_by(
    seen: Floats, is_kind: Bools, groups: Ints, names: Sequence[str], *, rng: np.random.Generator, exchanges: int
) -> Told:
    """Try to tell ``is_kind[n]`` from ``seen[n, thing]``; labels are exchanged within ``groups[n]`` only."""
    kept, kept_names = _distinct(seen, names)
    n = len(is_kind)
    folds = rng.permutation(np.arange(n) % FOLDS)
    labelings = np.stack([is_kind, *(_exchanged(is_kind, groups, rng) for _ in range(exchanges))])
    linear = _linear_scores(kept, labelings, folds)
    stumps = _stump_scores(kept, labelings, folds)
    areas = [
        (_pooled(linear[k], labeling, folds), _pooled(stumps[k], labeling, folds))
        for k, labeling in enumerate(labelings)
    ]
    best = np.array([max(a.value, b.value) for a, b in areas])
    p = float(np.mean(best >= best[0] - 1e-12))
    return Told(n, int(is_kind.sum()), *areas[0], p, _most_telling(kept, is_kind, kept_names))


def area_under(scores: Floats, is_kind: Bools) -> tuple[float, float, int]:
    """Return the AUC, its variance and the number of pairs it rests on; NaN where one kind is missing."""
    of_kind, others = scores[is_kind], scores[~is_kind]
    m, n = len(of_kind), len(others)
    if not m or not n:
        return float("nan"), float("nan"), 0
    ranks = rankdata(np.concatenate([of_kind, others]))
    v10 = (ranks[:m] - rankdata(of_kind)) / n
    v01 = 1 - (ranks[m:] - rankdata(others)) / m
    spread = sum(float(np.var(v, ddof=1)) / len(v) if len(v) > 1 else 0.25 for v in (v10, v01))
    return float(v10.mean()), spread, m * n


def _distinct(seen: Floats, names: Sequence[str]) -> tuple[Floats, list[str]]:
    """Scale to mean 0 and spread 1, and leave out what never differs or is there twice."""
    spread = seen.std(axis=0)
    alive = np.flatnonzero(spread > 1e-12)
    scaled = (seen[:, alive] - seen[:, alive].mean(axis=0)) / spread[alive]
    if not len(alive):
        return np.zeros((len(seen), 1)), ["nothing differs"]
    _, first = np.unique(np.round(scaled, 9), axis=1, return_index=True)
    order = np.sort(first)
    return scaled[:, order], [names[alive[place]] for place in order]


def _exchanged(is_kind: Bools, groups: Ints, rng: np.random.Generator) -> Bools:
    found = is_kind.copy()
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        found[places] = is_kind[rng.permutation(places)]
    return found


def _linear_scores(seen: Floats, labelings: Bools, folds: Ints) -> Floats:
    """Return ``scores[labeling, n]`` of a ridge regression that did not see ``n``; one decomposition serves all labelings."""
    scores = np.zeros(labelings.shape)
    for fold in range(FOLDS):
        held = folds == fold
        learned = np.column_stack([np.ones((~held).sum()), seen[~held]])
        penalty = np.diag([0.0, *np.full(seen.shape[1], float(seen.shape[1]))])
        weights = np.linalg.solve(learned.T @ learned + penalty, learned.T @ labelings[:, ~held].T.astype(float))
        scores[:, held] = (np.column_stack([np.ones(held.sum()), seen[held]]) @ weights).T
    return scores


def _stump_scores(seen: Floats, labelings: Bools, folds: Ints) -> Floats:
    """Return ``scores[labeling, n]`` of boosted stumps that did not see ``n``, some labelings at a time."""
    scores = np.zeros(labelings.shape)
    at_a_time = max(1, MOST_NUMBERS // seen.size)
    for fold in range(FOLDS):
        held = folds == fold
        for start in range(0, len(labelings), at_a_time):
            some = slice(start, start + at_a_time)
            scores[some, held] = _boosted(seen[~held], labelings[some, ~held].astype(float), seen[held])
    return scores


def _boosted(seen: Floats, targets: Floats, held: Floats) -> Floats:
    """Add up stumps, each the best split of what is left over of ``targets[labeling, n]``; return what they say of ``held``."""
    n, width = seen.shape
    order = np.argsort(seen, axis=0, kind="stable")
    ordered = np.take_along_axis(seen, order, axis=0)
    # A split lies between two values that differ.
    may_split = ordered[:-1] < ordered[1:]
    left_n = np.arange(1, n)[:, None]
    rest, said = targets - targets.mean(axis=1, keepdims=True), np.zeros((len(targets), len(held)))
    rows = np.arange(len(targets))
    for _ in range(ROUNDS if may_split.any() else 0):
        below = np.cumsum(rest[:, order], axis=1)[:, :-1]
        total = rest.sum(axis=1)[:, None, None]
        gain = np.where(may_split, below**2 / left_n + (total - below) ** 2 / (n - left_n), -np.inf)
        at, thing = np.divmod(gain.reshape(len(targets), -1).argmax(axis=1), width)
        cut = ((ordered[at, thing] + ordered[at + 1, thing]) / 2)[:, None]
        low = (below[rows, at, thing] / (at + 1))[:, None]
        high = ((total[:, 0, 0] - below[rows, at, thing]) / (n - at - 1))[:, None]
        rest = rest - RATE * np.where(cut > seen[:, thing].T, low, high)
        said += RATE * np.where(cut > held[:, thing].T, low, high)
    return said


def _pooled(scores: Floats, is_kind: Bools, folds: Ints) -> Area:
    """Return the AUC over all pairs of which both lie in one fold: scores of different folds are not comparable."""
    parts = [area_under(scores[folds == fold], is_kind[folds == fold]) for fold in range(FOLDS)]
    parts = [part for part in parts if part[2]]
    pairs = np.array([part[2] for part in parts], dtype=float)
    share = pairs / pairs.sum() if len(parts) else pairs
    value = float(sum(w * part[0] for w, part in zip(share, parts, strict=True)))
    reach = float(norm.ppf(0.975)) * float(np.sqrt(sum(w**2 * part[1] for w, part in zip(share, parts, strict=True))))
    return Area(value, max(0.0, value - reach), min(1.0, value + reach))


def _most_telling(seen: Floats, is_kind: Bools, names: Sequence[str], most: int = 3) -> tuple[tuple[str, float], ...]:
    one_by_one = [area_under(seen[:, place], is_kind)[0] for place in range(seen.shape[1])]
    order = np.argsort([-abs(area - 0.5) for area in one_by_one])[:most]
    return tuple((names[place], round(one_by_one[place], 3)) for place in order)
