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

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
from scipy import sparse, stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, Statistic, mean_estimate, weighted_bootstrap_interval
from labelhub.numerics.results import NAN, BoolArray, Estimate, FloatArray, IntArray, undefined

METHOD = "alpha of shapes"
VERSION = "1"

MAX_CHANCE_PAIRS = 5_000
CROSS_ITEM = "cross-item: annotations of different items as they lie"
TRANSLATION_REGISTERED = "translation-registered: annotations of different items moved onto each other first"
SIZE_MATCHED = "size-matched: annotations of different items that are nearest in size"
_SIGMA_QUANTILE = 0.05
# How many annotations of other items, nearest in size, each annotation is compared with under the size-matched baseline.
_NEAREST = 5

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


@checked
def structured_alpha(
    items: Sequence[Sequence[Annotation]],
    distance: Callable[[Annotation, Annotation], float],
    rng: np.random.Generator,
    *,
    resampling: Resampling | None = None,
    max_chance_pairs: int = MAX_CHANCE_PAIRS,
    unit: str = "items",
    baseline: str = CROSS_ITEM,
    chance_distance: Callable[[Annotation, Annotation], float] | None = None,
    size: Callable[[Annotation], float] | None = None,
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
        What chance pairs mean here, printed beside D_e: ``CROSS_ITEM``, ``TRANSLATION_REGISTERED``, ``SIZE_MATCHED``,
        or words of your own.
    chance_distance : callable, optional
        The distance between annotations of different items, where it is not ``distance``: one that moves both onto each
        other first (``shape_distances.registered``) keeps position from counting as disagreement of chance.
    size : callable, optional
        The size of an annotation; chance pairs are then those nearest in size, so that size does not count either.

    Returns
    -------
    StructuredAgreement
        Alpha is NaN with a reason where fewer than two items have two annotations, or where D_e is 0.

    Raises
    ------
    ValueError
        Where a distance is negative or infinite, groups do not have one entry an item, or ``max_chance_pairs`` is below
        1.

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
    if size is not None and baseline == CROSS_ITEM:
        baseline = SIZE_MATCHED
    within = [checked_distances([distance(a, b) for a, b in combinations(item, 2)]) for item in items]
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
    usable = [i for i in range(len(items)) if pairable[i]]
    chance = chance_pairs(usable, items, chance_distance or distance, max_chance_pairs, rng, size)
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
    ks = _largest_gap(observed_pairs, chance.distance)
    return _result(estimate, similarity, spread, baseline, parts, (sigma, ks))


@dataclass(frozen=True, slots=True, eq=False)
class ChancePairs:
    """Pairs of annotations of different items: ``first`` and ``second`` item, each one's place there, the distance."""

    first: IntArray
    second: IntArray
    first_place: IntArray
    second_place: IntArray
    distance: FloatArray

    def only(self, kept: BoolArray) -> ChancePairs:
        """The pairs that are ``kept``."""
        return ChancePairs(
            self.first[kept], self.second[kept], self.first_place[kept], self.second_place[kept], self.distance[kept]
        )


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


def _largest_gap(first: FloatArray, second: FloatArray) -> float:
    """The statistic of Kolmogorov and Smirnov for two samples: a multiple of one over their sizes' common multiple."""
    # The exact p value, of which nothing is said, would cost many times what the statistic does.
    steps = math.lcm(len(first), len(second))
    return round(float(stats.ks_2samp(first, second, method="asymp").statistic) * steps) / steps


def checked_distances(distances: Sequence[float]) -> FloatArray:
    """Distances as an array, or a ValueError where one is negative or infinite; NaN stays."""
    values = np.asarray(distances, dtype=np.float64)
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


def chance_pairs(
    usable: Sequence[int],
    items: Sequence[Sequence[Annotation]],
    distance: Callable[[Annotation, Annotation], float],
    max_pairs: int,
    rng: np.random.Generator,
    size: Callable[[Annotation], float] | None = None,
) -> ChancePairs:
    """Pairs of annotations of different ``usable`` items and their distances; those nearest in size where it is given."""
    owner = np.concatenate([np.full(len(items[i]), i) for i in usable])
    place = np.concatenate([np.arange(len(items[i])) for i in usable])
    n = len(owner)
    if size is not None:
        sizes = [size(items[i][k]) for i, k in zip(owner.tolist(), place.tolist(), strict=True)]
        first, second = _nearest_in_size(np.array(sizes, dtype=np.float64), owner, max_pairs, rng)
    elif n * (n - 1) // 2 <= max_pairs:
        first, second = np.triu_indices(n, 1)
    else:
        # Pairs of one item are thrown away; three draws for each pair wanted leave enough even with two items.
        drawn = rng.integers(0, n, size=(3 * max_pairs, 2))
        first, second = drawn[:, 0], drawn[:, 1]
    apart = owner[first] != owner[second]
    first, second = first[apart][:max_pairs], second[apart][:max_pairs]
    values = checked_distances(
        [
            distance(items[owner[a]][place[a]], items[owner[b]][place[b]])
            for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ]
    )
    return ChancePairs(owner[first], owner[second], place[first], place[second], values).only(~np.isnan(values))


def _nearest_in_size(
    sizes: FloatArray, owner: IntArray, max_pairs: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Each annotation with those of other items nearest to it on the logarithm of the size; a pair counts once."""
    order = np.argsort(sizes, kind="stable")
    level = np.log(np.maximum(sizes, np.finfo(np.float64).tiny))
    reach = _NEAREST + 2 * int(np.bincount(owner).max())
    pairs: set[tuple[int, int]] = set()
    for at, one in enumerate(order.tolist()):
        window = order[max(0, at - reach) : at + reach + 1]
        others = window[owner[window] != owner[one]]
        closest = others[np.argsort(np.abs(level[others] - level[one]), kind="stable")[:_NEAREST]]
        pairs.update((min(one, other), max(one, other)) for other in closest.tolist())
    table = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    if len(table) > max_pairs:
        table = table[np.sort(rng.choice(len(table), max_pairs, replace=False))]
    return table[:, 0], table[:, 1]


def _with_interval(
    bare: Estimate, spread: FloatArray, sizes: FloatArray, chance: ChancePairs, resampling: Resampling
) -> Estimate:
    group, n_groups = group_numbers(np.isfinite(spread), resampling)
    alpha = alpha_of_draws(spread, sizes, chance, group, n_groups)
    return bare.with_interval(weighted_bootstrap_interval(n_groups, alpha, resampling))


def group_numbers(usable: BoolArray, resampling: Resampling) -> tuple[IntArray, int]:
    """The number of each usable item's group, -1 of the others, and how many groups there are."""
    labels = np.arange(len(usable)) if resampling.groups is None else np.asarray(resampling.groups)
    names, number = np.unique(labels[usable], return_inverse=True)
    group = np.full(len(usable), -1, dtype=np.int64)
    group[usable] = number
    return group, len(names)


def alpha_of_draws(
    spread: FloatArray, sizes: FloatArray, chance: ChancePairs, group: IntArray, n_groups: int
) -> Statistic:
    """Alpha as a function of how often each group is drawn.

    Groups are drawn again for D_o and for D_e: a chance pair counts as often as both of its groups were drawn.
    """
    pairable = np.isfinite(spread)
    number = group[pairable]
    above = np.bincount(number, weights=(sizes * spread)[pairable], minlength=n_groups)
    below = np.bincount(number, weights=sizes[pairable], minlength=n_groups)
    # Sums over the pairs of two groups: a resample's D_e is then a quadratic form in its counts.
    cells = (group[chance.first], group[chance.second])
    shape = (n_groups, n_groups)
    far = sparse.csr_array((chance.distance, cells), shape=shape)
    many = sparse.csr_array((np.ones(len(chance.distance)), cells), shape=shape)

    def alpha(drawn: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = ((drawn @ far) * drawn).sum(axis=1) / ((drawn @ many) * drawn).sum(axis=1)
            return np.where(expected > 0, 1 - (drawn @ above) / (drawn @ below) / expected, NAN)

    return alpha
