"""How far the raters of single units are apart: the worst pair, the spread of sizes, and who it is that stands apart.

Built from distances and sizes that were measured already, so that nothing is measured twice. Also how to compare things over
many units by a distance that is undefined where only one side drew anything: it is left out of every mean, and in a ranking
it comes last. Not here: distances (``surfaces``, ``shape_distances``), entropy and maps of voxels (``disagreement``), a
unit's part in D_o (``alpha``, ``structured``), influence on a coefficient (``rater_influence``, ``shape_raters``).

References
----------
Wiesenfarth M et al. (2021) Methods and open-source toolkit for analyzing and visualizing challenge results. Scientific
Reports 11:2369 (rank then aggregate).
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212 (missing values by worst rank).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

METHOD = "rank, then mean over units"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class RaterPart:
    """One rater's part in the disagreement of a unit: the mean distance of two raters with them, and without them.

    ``part`` is the difference: above 0 the others are nearer to each other than to this rater. NaN with a ``reason`` where
    nothing is left to compare.
    """

    rater: int
    whole: float
    without: float
    n_pairs: int
    reason: str | None = None

    @property
    def part(self) -> float:
        """By how much the mean distance falls without this rater."""
        return self.whole - self.without


@checked
def rater_parts(distances: ArrayLike) -> tuple[RaterPart, ...]:
    """Each rater's part in how far the raters of one unit are apart.

    Parameters
    ----------
    distances : array of float, shape (rater, rater)
        Distance of each two raters, symmetric; NaN where they were not compared. The diagonal is not looked at.

    Raises
    ------
    ValueError
        Where the table is not square or not symmetric, or a distance is infinite or below 0.

    Examples
    --------
    Two raters draw alike, the third does not.

    >>> [round(one.part, 2) for one in rater_parts([[0, 0.1, 0.8], [0.1, 0, 0.9], [0.8, 0.9, 0]])]
    [-0.3, -0.2, 0.5]
    """
    table = _distance_table(distances)
    known = ~np.isnan(table) & ~np.eye(len(table), dtype=bool)
    sums, counts = np.where(known, table, 0.0).sum(axis=1), known.sum(axis=1)
    total, n_pairs = float(sums.sum()) / 2, int(counts.sum()) // 2
    whole = total / n_pairs if n_pairs else NAN
    found = []
    for rater, (own, n_own) in enumerate(zip(sums.tolist(), counts.tolist(), strict=True)):
        if not n_own:
            found.append(RaterPart(rater, NAN, NAN, 0, "this rater was compared with nobody"))
        elif n_own == n_pairs:
            found.append(RaterPart(rater, whole, NAN, n_own, "without this rater no two are left to compare"))
        else:
            found.append(RaterPart(rater, whole, (total - own) / (n_pairs - n_own), n_own))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class WorstPair:
    """The two raters of a unit who are farthest apart. ``value`` is the greatest defined distance, NaN with a ``reason``.

    ``n_undefined`` pairs have no distance because only one of the two drew anything: they are left out of the value, and
    ``for_ranking`` is infinite where there is one.
    """

    value: float
    first: int
    second: int
    n_pairs: int
    n_undefined: int
    reason: str | None = None

    @property
    def for_ranking(self) -> float:
        """The value to order units by: a pair of which only one drew anything is worse than any distance."""
        return np.inf if self.n_undefined else self.value


@checked
def worst_pair(distances: ArrayLike, only_one: ArrayLike | None = None) -> WorstPair:
    """The greatest distance between two raters of one unit, such as the largest HD95 over pairs.

    Parameters
    ----------
    distances : array of float, shape (rater, rater)
        Symmetric; NaN where a pair has no distance. The diagonal is not looked at.
    only_one : array of bool, shape (rater, rater), optional
        Pairs of which only one drew anything; by default there are none.

    Raises
    ------
    ValueError
        As :func:`rater_parts`, or where ``only_one`` has another shape.

    Examples
    --------
    >>> found = worst_pair([[0, 3.5], [3.5, 0]])
    >>> found.value, found.first, found.second
    (3.5, 0, 1)
    """
    table = _distance_table(distances)
    lone = np.zeros(table.shape, dtype=bool) if only_one is None else np.asarray(only_one, dtype=bool)
    if lone.shape != table.shape:
        message = f"only_one has shape {lone.shape}; distances have shape {table.shape}, and both must be alike"
        raise ValueError(message)
    first, second = np.triu_indices(len(table), 1)
    values, lone = table[first, second], (lone | lone.T)[first, second]
    values = np.where(lone, NAN, values)
    n_undefined = int(lone.sum())
    if np.isnan(values).all():
        reason = "of every pair only one drew anything" if n_undefined else "no two raters were compared"
        return WorstPair(NAN, -1, -1, 0, n_undefined, reason)
    place = int(np.nanargmax(values))
    n = int((~np.isnan(values)).sum())
    return WorstPair(float(values[place]), int(first[place]), int(second[place]), n, n_undefined)


@checked
def size_variation(sizes: ArrayLike) -> FloatArray:
    """The coefficient of variation of the sizes that raters gave each unit: 0 is equal size, about .1 usual for outlines.

    Parameters
    ----------
    sizes : array of float, shape (unit, rater)
        Areas or volumes, at least 0; NaN where a rater gave none. An empty mask has size 0.

    Returns
    -------
    array of float, shape (unit,)
        Standard deviation (over n - 1) by the mean; NaN with fewer than two sizes, or where all are 0.

    Raises
    ------
    ValueError
        Where sizes are no matrix, below 0 or infinite.

    Examples
    --------
    >>> size_variation([[90, 110], [100, float("nan")]]).round(3).tolist()
    [0.141, nan]
    """
    table = np.asarray(sizes, dtype=np.float64)
    if table.ndim != 2 or (table < 0).any() or np.isinf(table).any():
        message = (
            f"sizes have shape {table.shape}; allowed are finite sizes of at least 0, sizes[unit, rater], NaN for none"
        )
        raise ValueError(message)
    given = ~np.isnan(table)
    n = given.sum(axis=1)
    mean = np.where(given, table, 0.0).sum(axis=1) / np.maximum(n, 1)
    squares = np.where(given, (table - mean[:, None]) ** 2, 0.0).sum(axis=1)
    known = (n >= 2) & (mean > 0)
    spread = np.sqrt(squares / np.maximum(n - 1, 1))
    return np.where(known, spread / np.where(known, mean, 1.0), NAN)


@dataclass(frozen=True, slots=True, eq=False)
class MeanRanks:
    """Things compared over units by their ranks: 1 is best, ties share the mean of their ranks.

    ``mean_rank[thing]`` over the ``n_units[thing]`` units in which it was ranked, NaN without any; ``mean_share[thing]`` is
    the mean share of the other things that it comes after (0 best, 1 worst), which units of unequal size do not distort.
    ``n_worst[thing]`` of its ranks are the worst because it has no value there. ``ranks[unit, thing]`` is NaN where a thing
    is left out.
    """

    mean_rank: FloatArray
    mean_share: FloatArray
    n_units: IntArray
    n_worst: IntArray
    ranks: FloatArray
    method: str = METHOD
    version: str = VERSION


@checked
def rank_then_aggregate(values: ArrayLike, *, lower_is_better: bool, is_worst: ArrayLike | None = None) -> MeanRanks:
    """Rank things within each unit, then take the mean rank of each: what a Hausdorff distance with empty masks needs.

    A distance to an empty mask is undefined. In a mean it is left out, so that a thing that drew nothing would look
    better for it; in a ranking it counts as the worst.

    Parameters
    ----------
    values : array of float, shape (unit, thing)
        Such as the HD95 of each model on each image. NaN where there is none: left out, unless ``is_worst``.
    lower_is_better : bool
        True for distances, False for overlaps.
    is_worst : array of bool, shape (unit, thing), optional
        Where a thing counts as the worst of its unit whatever its value (one mask of the two is empty). By default nowhere.

    Returns
    -------
    MeanRanks
        Units in which fewer than two things are ranked say nothing and are left out.

    Raises
    ------
    ValueError
        Where values are no matrix, or ``is_worst`` has another shape.

    Examples
    --------
    The second thing has the smaller mean distance, 2.5 against 3, because it drew nothing on the third image.

    >>> hd95 = [[2, 3], [3, 2], [4, float("nan")]]
    >>> found = rank_then_aggregate(hd95, lower_is_better=True, is_worst=np.isnan(hd95))
    >>> found.mean_rank.round(2).tolist(), found.n_worst.tolist()
    ([1.33, 1.67], [0, 1])
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        message = f"values have {table.ndim} dimensions; they must have two, values[unit, thing]"
        raise ValueError(message)
    worst = np.zeros(table.shape, dtype=bool) if is_worst is None else np.asarray(is_worst, dtype=bool)
    if worst.shape != table.shape:
        message = f"is_worst has shape {worst.shape}; values have shape {table.shape}, and both must be alike"
        raise ValueError(message)
    ranks = _ranks(table if lower_is_better else -table, worst)
    ranked = ~np.isnan(ranks)
    size = ranked.sum(axis=1, keepdims=True)
    ranks = np.where(size >= 2, ranks, NAN)
    ranked &= size >= 2
    n_units = ranked.sum(axis=0)
    share = (ranks - 1) / np.maximum(size - 1, 1)
    return MeanRanks(
        _mean_of_columns(ranks, n_units), _mean_of_columns(share, n_units), n_units, (worst & ranked).sum(axis=0), ranks
    )


def _ranks(scores: FloatArray, worst: BoolArray) -> FloatArray:
    """Ranks within each row, the least first; the worst are tied behind all others, NaN is left out."""
    if not scores.size:
        return np.full(scores.shape, NAN)
    # Infinite scores keep their place before what counts as the worst.
    order = np.where(worst, NAN, scores)
    ranks = rankdata(order, axis=1, nan_policy="omit")
    n_known, n_worst = (~np.isnan(order)).sum(axis=1), worst.sum(axis=1)
    last = n_known + (n_worst + 1) / 2
    return np.asarray(np.where(worst, last[:, None], ranks), dtype=np.float64)


def _mean_of_columns(table: FloatArray, n: IntArray) -> FloatArray:
    total = np.where(np.isnan(table), 0.0, table).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), NAN)


def _distance_table(distances: ArrayLike) -> FloatArray:
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        message = f"distances have shape {table.shape}; a square table is needed, distances[rater, rater]"
        raise ValueError(message)
    off = table[~np.eye(len(table), dtype=bool)]
    if np.isinf(off).any() or (off < 0).any():
        message = (
            "distances hold an infinite number or one below 0; allowed are finite ones of at least 0, NaN for none"
        )
        raise ValueError(message)
    if not np.array_equal(table, table.T, equal_nan=True):
        message = "distances are not symmetric; the distance of two raters is the same in both orders"
        raise ValueError(message)
    return table
