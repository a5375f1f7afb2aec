"""Agreement of shapes: alpha with any distance between annotations, sigma and KS, beside the plain mean similarity.

Chance disagreement is the distance between annotations of *different* items, so it depends on where items lie: with
objects anywhere it is near 1 and alpha is about the mean similarity; with objects always in the centre it is small and
alpha is harsh. D_e and its baseline are therefore part of every result. Not here: the distances themselves
(``geometry``, ``overlap``), and alpha of values (``alpha``).

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability.
Braylan A, Alonso O, Lease M (2022) Measuring annotator agreement generally across complex structured, multi-object, and
free-text annotation tasks. WWW 2022, doi 10.1145/3485447.3512242 (sigma and KS).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from scipy import sparse, stats

from labelhub.numerics.bootstrap import Resampling, mean_estimate, weighted_bootstrap_interval
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, undefined

METHOD = "alpha of shapes"
VERSION = "1"

MAX_CHANCE_PAIRS = 5_000
CROSS_ITEM = "cross-item: annotations of different items as they lie"
_SIGMA_QUANTILE = 0.05

Annotation = TypeVar("Annotation")


@dataclass(frozen=True, slots=True, eq=False)
class StructuredAgreement:
    """Alpha of shapes with everything needed to judge it.

    ``observed`` is D_o, ``expected`` D_e over ``n_chance_pairs`` pairs under ``baseline``. ``mean_similarity`` is 1 -
    mean distance within items, item by item. ``sigma`` is the share of pairs within items closer than all but 5 % of
    chance pairs; ``ks`` the largest gap between the two distributions. ``item_disagreement[item]`` is the mean distance
    within the item, NaN with fewer than two annotations.
    """

    estimate: Estimate
    observed: float
    expected: float
    baseline: str
    mean_similarity: Estimate
    sigma: float
    ks: float
    n_pairs: int
    n_chance_pairs: int
    item_disagreement: FloatArray


def structured_alpha(
    items: Sequence[Sequence[Annotation]],
    distance: Callable[[Annotation, Annotation], float],
    rng: np.random.Generator,
    *,
    resampling: Resampling | None = None,
    max_chance_pairs: int = MAX_CHANCE_PAIRS,
    unit: str = "items",
    baseline: str = CROSS_ITEM,
) -> StructuredAgreement:
    """Krippendorff's alpha with a distance between annotations: 1 is identical shapes, 0 is shapes of other items.

    Parameters
    ----------
    items : sequence of sequences
        The annotations of each item (of each matched object), one a rater. Items with fewer than two do not count.
    distance : callable
        Symmetric distance of two annotations, 0 to 1, such as 1 - Dice. NaN (both empty) is left out.
    rng : numpy.random.Generator
        Draws the chance pairs where there are more than ``max_chance_pairs``.
    resampling : Resampling, optional
        How to make the interval; its ``groups`` have one entry an item.
    max_chance_pairs : int
        How many pairs of annotations of different items estimate D_e.
    unit : str
        What an item is, in words and in the plural.
    baseline : str
        What chance pairs mean here, printed beside D_e; shapes must already be moved accordingly.

    Returns
    -------
    StructuredAgreement
        Alpha is NaN with a reason where fewer than two items have two annotations, or where D_e is 0.

    Examples
    --------
    >>> numbers = [[0.1, 0.1], [0.9, 0.8], [0.4, 0.5]]
    >>> found = structured_alpha(numbers, lambda a, b: abs(a - b), np.random.default_rng(0))
    >>> round(found.observed, 3), round(found.expected, 3), round(found.estimate.value, 3)
    (0.067, 0.5, 0.867)
    """
    if max_chance_pairs < 1:
        message = f"max_chance_pairs is {max_chance_pairs!r}; at least 1 is needed, 5000 is usual"
        raise ValueError(message)
    _check_groups(resampling, len(items))
    within = [np.array([distance(a, b) for a, b in combinations(item, 2)], dtype=np.float64) for item in items]
    within = [_checked_distances(values) for values in within]
    spread = np.array([np.nanmean(values) if np.isfinite(values).any() else NAN for values in within])
    sizes = np.array([len(item) for item in items], dtype=np.float64)
    similarity = mean_estimate(1 - spread, resampling, unit=unit, method="mean pairwise similarity", version=VERSION)
    pairable = np.isfinite(spread)
    n = int(pairable.sum())
    observed_pairs = np.concatenate([values[np.isfinite(values)] for values in within]) if within else np.empty(0)
    if n < 2:
        reason = f"only {n} {unit} with two annotations; chance needs at least 2"
        empty = undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION)
        parts = (NAN, NAN, len(observed_pairs), 0)
        return _result(empty, similarity, spread, baseline, parts, (NAN, NAN))
    chance = _chance_pairs([i for i in range(len(items)) if pairable[i]], items, distance, max_chance_pairs, rng)
    # D_o weighs an item by its number of annotations: sum_u m_u mean_u / N.
    observed = float((sizes * np.nan_to_num(spread))[pairable].sum() / sizes[pairable].sum())
    expected = float(chance.distance.mean()) if len(chance.distance) else NAN
    parts = (observed, expected, len(observed_pairs), len(chance.distance))
    if not expected > 0:
        reason = "no variation: annotations of different items do not differ"
        empty = undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION)
        return _result(empty, similarity, spread, baseline, parts, (NAN, NAN))
    bare = Estimate(1 - observed / expected, NAN, NAN, n=n, unit=unit, method=METHOD, version=VERSION)
    if resampling is None:
        estimate = bare.with_warnings("no resampling was asked for: no interval")
    else:
        estimate = _with_interval(bare, spread, sizes, chance, resampling)
    sigma = float(np.mean(observed_pairs < np.quantile(chance.distance, _SIGMA_QUANTILE)))
    ks = float(stats.ks_2samp(observed_pairs, chance.distance).statistic)
    return _result(estimate, similarity, spread, baseline, parts, (sigma, ks))


@dataclass(frozen=True, slots=True, eq=False)
class _ChancePairs:
    first: IntArray
    second: IntArray
    distance: FloatArray


def _result(
    estimate: Estimate,
    similarity: Estimate,
    spread: FloatArray,
    baseline: str,
    parts: tuple[float, float, int, int],
    shape: tuple[float, float],
) -> StructuredAgreement:
    return StructuredAgreement(
        estimate=estimate,
        observed=parts[0],
        expected=parts[1],
        baseline=baseline,
        mean_similarity=similarity,
        sigma=shape[0],
        ks=shape[1],
        n_pairs=parts[2],
        n_chance_pairs=parts[3],
        item_disagreement=spread,
    )


def _checked_distances(values: FloatArray) -> FloatArray:
    if (values < 0).any() or np.isinf(values).any():
        message = f"distance gave {values.min()}; allowed are finite numbers of at least 0, and NaN where undefined"
        raise ValueError(message)
    return values


def _check_groups(resampling: Resampling | None, n_items: int) -> None:
    if resampling is None or resampling.groups is None:
        return
    shape = np.shape(resampling.groups)
    if shape != (n_items,):
        message = f"groups has shape {shape}; one entry for each of the {n_items} items is needed"
        raise ValueError(message)


def _chance_pairs(
    usable: list[int],
    items: Sequence[Sequence[Annotation]],
    distance: Callable[[Annotation, Annotation], float],
    max_pairs: int,
    rng: np.random.Generator,
) -> _ChancePairs:
    owner = np.concatenate([np.full(len(items[i]), i) for i in usable])
    place = np.concatenate([np.arange(len(items[i])) for i in usable])
    n = len(owner)
    if n * (n - 1) // 2 <= max_pairs:
        first, second = np.triu_indices(n, 1)
    else:
        # Pairs of one item are thrown away; three draws for each pair wanted leave enough even with two items.
        drawn = rng.integers(0, n, size=(3 * max_pairs, 2))
        first, second = drawn[:, 0], drawn[:, 1]
    apart = owner[first] != owner[second]
    first, second = first[apart][:max_pairs], second[apart][:max_pairs]
    values = np.array(
        [
            distance(items[owner[a]][place[a]], items[owner[b]][place[b]])
            for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ],
        dtype=np.float64,
    )
    known = ~np.isnan(_checked_distances(values))
    return _ChancePairs(owner[first][known], owner[second][known], values[known])


def _with_interval(
    bare: Estimate, spread: FloatArray, sizes: FloatArray, chance: _ChancePairs, resampling: Resampling
) -> Estimate:
    """Groups are drawn again for D_o and for D_e: a chance pair counts as often as both of its groups were drawn."""
    pairable = np.isfinite(spread)
    labels = np.arange(len(spread)) if resampling.groups is None else np.asarray(resampling.groups)
    names, number = np.unique(labels[pairable], return_inverse=True)
    group = np.full(len(spread), -1)
    group[pairable] = number
    above = np.bincount(number, weights=(sizes * spread)[pairable], minlength=len(names))
    below = np.bincount(number, weights=sizes[pairable], minlength=len(names))
    # Sums over the pairs of two groups: a resample's D_e is then a quadratic form in its counts.
    cells = (group[chance.first], group[chance.second])
    shape = (len(names), len(names))
    far = sparse.csr_array((chance.distance, cells), shape=shape)
    many = sparse.csr_array((np.ones(len(chance.distance)), cells), shape=shape)

    def alpha(drawn: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = ((drawn @ far) * drawn).sum(axis=1) / ((drawn @ many) * drawn).sum(axis=1)
            return np.where(expected > 0, 1 - (drawn @ above) / (drawn @ below) / expected, NAN)

    return bare.with_interval(weighted_bootstrap_interval(len(names), alpha, resampling))
