"""Which rater costs agreement of shapes, and how alike people are at best: vitality and the human ceiling.

Vitality is alpha of all raters less alpha without one: above 0 the rater agrees with the others, below 0 alpha would
rise without them. The human ceiling is what a rater scores against the others, the fair mark for a model. Not here:
alpha of shapes itself (``structured``), the same for labels (``rater_influence``).

References
----------
Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197 (annotator vitality).
Tschirschwitz D, Rodehorst V (2025) Label convergence, WACV, arXiv 2409.09412 (the ceiling that labels set).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, ratio_estimate, weighted_bootstrap_interval
from labelhub.numerics.results import NAN, BoolArray, Estimate, FloatArray, IntArray, Interval, undefined
from labelhub.numerics.structured import (
    MAX_CHANCE_PAIRS,
    alpha_of_draws,
    chance_pairs,
    checked_distances,
    group_numbers,
)

METHOD = "vitality of a rater (alpha of shapes)"
VERSION = "1"

Annotation = TypeVar("Annotation")
_CEILING = "human ceiling: each rater against the others"


@dataclass(frozen=True, slots=True)
class Vitality:
    """How much alpha loses without the rater: ``estimate`` is alpha of all less ``without``; ``n_units`` they rated.

    ``observed`` is D_o, the mean distance of two raters within units, of all raters; ``observed_without`` of the others:
    what of the disagreement is this rater's.
    """

    rater: int
    estimate: Estimate
    without: float
    n_units: int
    observed: float = NAN
    observed_without: float = NAN


@checked
def structured_vitality(
    items: Sequence[Sequence[Annotation]],
    raters: Sequence[Sequence[int]],
    distance: Callable[[Annotation, Annotation], float],
    rng: np.random.Generator,
    *,
    resampling: Resampling | None = None,
    max_chance_pairs: int = MAX_CHANCE_PAIRS,
    unit: str = "items",
) -> tuple[Vitality, ...]:
    """Vitality of every rater, in order of their numbers, over one set of distances and of chance pairs.

    Parameters
    ----------
    items : sequence of sequences
        As in ``structured.structured_alpha``.
    raters : sequence of sequences of int
        Who made each annotation, in the same order; nobody twice in one item.
    distance, rng, resampling, max_chance_pairs, unit
        As there. Both alphas of a difference are taken from the same resamples.

    Examples
    --------
    The third rater of three is far from the others everywhere.

    >>> numbers = [[0.1, 0.1, 0.8], [0.9, 0.8, 0.1], [0.4, 0.5, 0.9], [0.2, 0.2, 0.6]]
    >>> found = structured_vitality(numbers, [[0, 1, 2]] * 4, lambda a, b: abs(a - b), np.random.default_rng(0))
    >>> [row.estimate.value > 0 for row in found]
    [True, True, False]
    """
    _check_raters(items, raters)
    everyone = sorted({rater for people in raters for rater in people})
    pairs = _pairs_within(items, raters, distance)
    spread, sizes = _spread(pairs, raters, None)
    usable = np.isfinite(spread)
    n = int(usable.sum())
    if n < 2:
        reason = f"only {n} {unit} with two annotations; chance needs at least 2"
        none = undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION)
        return tuple(Vitality(rater, none, NAN, 0) for rater in everyone)
    chance = chance_pairs(np.nonzero(usable)[0].tolist(), items, distance, max_chance_pairs, rng)
    first = np.array([raters[i][k] for i, k in zip(chance.first, chance.first_place, strict=True)], dtype=np.int64)
    second = np.array([raters[i][k] for i, k in zip(chance.second, chance.second_place, strict=True)], dtype=np.int64)
    group, n_groups = group_numbers(usable, resampling or Resampling(rng))
    whole = alpha_of_draws(spread, sizes, chance, group, n_groups)
    found = []
    for rater in everyone:
        rest = _spread(pairs, raters, rater)
        part = alpha_of_draws(*rest, chance.only((first != rater) & (second != rater)), group, n_groups)
        n_units = sum(rater in people for people, is_used in zip(raters, usable, strict=True) if is_used)
        one = _vitality(rater, whole, part, n_groups, (n, n_units, unit), resampling)
        found.append(replace(one, observed=_observed(spread, sizes), observed_without=_observed(*rest)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class HumanCeiling:
    """What a person scores against the others: over all (``estimate``) and for each rater, in order of numbers."""

    estimate: Estimate
    by_rater: tuple[tuple[int, Estimate], ...]


@checked
def human_ceiling(
    items: Sequence[Sequence[Annotation]],
    raters: Sequence[Sequence[int]],
    score: Callable[[Annotation, Sequence[Annotation]], float],
    *,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> HumanCeiling:
    """Every rater scored against the other raters of the same item as a model would be: the mean, with its interval.

    A model must be scored against as many people to be compared with it.

    Parameters
    ----------
    items, raters
        As in :func:`structured_vitality`.
    score : callable
        What one annotation scores against a list of others: their mean similarity, or the score against a consensus
        made of them. High is alike; NaN is left out.
    resampling : Resampling, optional
        How to make the intervals; its ``groups`` have one entry an item.

    Returns
    -------
    HumanCeiling
        An item counts once, by the mean of its raters. NaN with a reason where no item has two annotations.

    Examples
    --------
    >>> def closeness(one, others):
    ...     return 1 - abs(one - sum(others) / len(others))
    >>> found = human_ceiling([[0.1, 0.2], [0.5, 0.9]], [[0, 1], [0, 1]], closeness)
    >>> round(found.estimate.value, 3)
    0.75
    """
    _check_raters(items, raters)
    return ceiling_of_scores(_scores(items, score), raters, resampling, unit)


@checked
def overall_human_ceiling(
    items: Sequence[Sequence[Annotation]],
    score: Callable[[Annotation, Sequence[Annotation]], float],
    *,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> Estimate:
    """The ceiling over all raters alone, as :func:`human_ceiling` gives it, without an interval for each of them.

    Examples
    --------
    >>> round(overall_human_ceiling([[0.1, 0.2], [0.5, 0.9]], lambda one, others: 1 - abs(one - others[0])).value, 3)
    0.75
    """
    return _overall(*_long_form(_scores(items, score)), len(items), resampling, unit)


def ceiling_of_scores(
    scores: Sequence[Sequence[float]], raters: Sequence[Sequence[int]], resampling: Resampling | None, unit: str
) -> HumanCeiling:
    """The ceiling from the scores of each item's raters against the others, NaN where there is none."""
    item, value = _long_form(scores)
    rater = np.array([number for row in raters for number in row], dtype=np.int64)
    known = np.isfinite(value)
    whole = _overall(item, value, len(scores), resampling, unit)
    rows = []
    for one in np.unique(rater).tolist():
        mine = known & (rater == one)
        above = np.bincount(item[mine], weights=value[mine], minlength=len(scores))
        below = np.bincount(item[mine], minlength=len(scores)).astype(np.float64)
        rows.append((one, ratio_estimate(above, below, resampling, unit=unit, method=_CEILING, version=VERSION)))
    return HumanCeiling(whole, tuple(rows))


def _scores(
    items: Sequence[Sequence[Annotation]], score: Callable[[Annotation, Sequence[Annotation]], float]
) -> list[list[float]]:
    """What each annotation scores against the others of its item; NaN where there is none."""
    return [
        [score(one, [*item[:k], *item[k + 1 :]]) if len(item) >= 2 else NAN for k, one in enumerate(item)]
        for item in items
    ]


def _long_form(scores: Sequence[Sequence[float]]) -> tuple[IntArray, FloatArray]:
    """The item and the score of each annotation."""
    item = np.repeat(np.arange(len(scores)), [len(row) for row in scores])
    return item, np.array([number for row in scores for number in row], dtype=np.float64)


def _overall(item: IntArray, value: FloatArray, n_items: int, resampling: Resampling | None, unit: str) -> Estimate:
    """The mean over items of the mean of their raters."""
    known = np.isfinite(value)
    totals = np.bincount(item[known], weights=value[known], minlength=n_items)
    counts = np.bincount(item[known], minlength=n_items)
    means = np.where(counts > 0, totals / np.maximum(counts, 1), 0.0)
    return ratio_estimate(means, (counts > 0).astype(float), resampling, unit=unit, method=_CEILING, version=VERSION)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    item: IntArray
    first: IntArray
    second: IntArray
    distance: FloatArray


def _check_raters(items: Sequence[Sequence[Annotation]], raters: Sequence[Sequence[int]]) -> None:
    if [len(item) for item in items] != [len(people) for people in raters]:
        message = "raters must name one rater for each annotation of each item, in the same order"
        raise ValueError(message)
    for number, people in enumerate(raters):
        if len(set(people)) != len(people):
            message = f"raters of item {number} are {list(people)}; each rater may annotate an item once"
            raise ValueError(message)


def _pairs_within(
    items: Sequence[Sequence[Annotation]],
    raters: Sequence[Sequence[int]],
    distance: Callable[[Annotation, Annotation], float],
) -> _Pairs:
    rows = [
        (number, people[a], people[b], distance(item[a], item[b]))
        for number, (item, people) in enumerate(zip(items, raters, strict=True))
        for a, b in combinations(range(len(item)), 2)
    ]
    values = checked_distances([row[3] for row in rows])
    number, first, second = (np.array([row[c] for row in rows], dtype=np.int64) for c in range(3))
    known = ~np.isnan(values)
    return _Pairs(number[known], first[known], second[known], values[known])


def _spread(pairs: _Pairs, raters: Sequence[Sequence[int]], without: int | None) -> tuple[FloatArray, FloatArray]:
    """Mean distance within each item (NaN without a pair), and how many annotations it has."""
    kept: BoolArray = np.ones(len(pairs.item), dtype=bool)
    if without is not None:
        kept = (pairs.first != without) & (pairs.second != without)
    item = pairs.item[kept]
    n_pairs = np.bincount(item, minlength=len(raters))
    total = np.bincount(item, weights=pairs.distance[kept], minlength=len(raters))
    sizes = np.array([sum(rater != without for rater in people) for people in raters], dtype=np.float64)
    return np.where(n_pairs > 0, total / np.maximum(n_pairs, 1), NAN), sizes


def _observed(spread: FloatArray, sizes: FloatArray) -> float:
    """D_o: an item weighs its number of annotations."""
    known = np.isfinite(spread)
    return float((sizes * spread)[known].sum() / sizes[known].sum()) if known.any() else NAN


def _vitality(
    rater: int,
    whole: Callable[[FloatArray], FloatArray],
    part: Callable[[FloatArray], FloatArray],
    n_groups: int,
    counted: tuple[int, int, str],
    resampling: Resampling | None,
) -> Vitality:
    def difference(drawn: FloatArray) -> FloatArray:
        return whole(drawn) - part(drawn)

    n, n_units, unit = counted
    ones = np.ones((1, n_groups))
    without, value = float(part(ones)[0]), float(difference(ones)[0])
    if np.isnan(value):
        reason = "alpha is undefined without this rater, or with all of them"
        return Vitality(rater, undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION), without, n_units)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=METHOD, version=VERSION)
    if resampling is None:
        return Vitality(rater, bare.with_interval(Interval(reason="no resampling was asked for")), without, n_units)
    interval = weighted_bootstrap_interval(n_groups, difference, resampling)
    return Vitality(rater, bare.with_interval(interval), without, n_units)
