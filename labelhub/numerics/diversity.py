"""Which units to label next, from their features: those that cover all others, or the typical ones of clusters without a label.

Neither looks at a model's doubts, so that both work before there is a model; typical units are for few labels, covering for
many. Features come from anywhere (a network's last layer, filters); distances are Euclidean, so bring columns to like scales.
Not here: scores (``uncertainty``) and batches from them (``acquisition``).

References
----------
Sener O, Savarese S (2018) Active learning for convolutional neural networks: a core-set approach. ICLR, arXiv 1708.00489,
algorithm 1 (k-centre greedy). Its radius is at most twice the least one (Gonzalez TF 1985, Theor Comput Sci 38:293-306).
Hacohen G, Dekel A, Weinshall D (2022) Active learning on a budget: opposite strategies suit high and low budgets. ICML,
arXiv 2202.02794, eq. 4 and algorithm 1 (TypiClust).
Arthur D, Vassilvitskii S (2007) k-means++: the advantages of careful seeding. SODA, 1027-1035.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from labelhub.numerics.acquisition import Batch, free_units
from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, FloatArray, IntArray

METHOD = "diversity"
VERSION = "1"

_MOST_STEPS = 50
_NEIGHBOURS = 20
_LEAST_CLUSTER = 5
_MOST_CLUSTERS = 500


@checked
def k_centre_batch(features: ArrayLike, size: int, *, taken: Sequence[int] = ()) -> Batch:
    """One after the other the unit that is farthest from all chosen and taken ones; of equal ones the earlier.

    Without a taken unit the first is the one nearest to the mean.

    Parameters
    ----------
    features : array of float, shape (unit, feature)
    size : int
        1 or more, at most the units that are not taken.
    taken : sequence of int

    Examples
    --------
    >>> k_centre_batch([[0.0], [1.0], [10.0], [11.0]], 2, taken=[0]).units
    (3, 1)
    """
    table = _features(features)
    free = free_units(len(table), size, taken)
    chosen: list[int] = []
    centres = np.nonzero(~free)[0]
    if not len(centres):
        chosen.append(int(np.argmin(((table - table.mean(axis=0)) ** 2).sum(axis=1))))
        centres = np.array(chosen)
    nearest = cdist(table, table[centres]).min(axis=1)
    free[chosen] = False
    while len(chosen) < size:
        unit = int(np.argmax(np.where(free, nearest, -1.0)))
        chosen.append(unit)
        free[unit] = False
        nearest = np.minimum(nearest, cdist(table, table[unit : unit + 1])[:, 0])
    return Batch(tuple(chosen), "k-centre")


@checked
def cover_radius(features: ArrayLike, centres: Sequence[int]) -> float:
    """The largest distance of any unit from its nearest centre: how much of the pool a labelled set leaves uncovered.

    Parameters
    ----------
    features : array of float, shape (unit, feature)
    centres : sequence of int
        At least one.

    Examples
    --------
    >>> cover_radius([[0.0], [1.0], [10.0]], [0, 2])
    1.0
    """
    table = _features(features)
    is_centre = ~free_units(len(table) + 1, 1, centres)[:-1]
    if not is_centre.any():
        message = f"centres is {list(centres)}; at least one unit is needed"
        raise ValueError(message)
    return float(cdist(table, table[is_centre]).min(axis=1).max())


@checked
def k_means(features: ArrayLike, n_clusters: int, rng: np.random.Generator) -> IntArray:
    """The cluster of each unit, shape (unit,), numbered from 0 by the first unit in each; started by k-means++.

    There may be fewer clusters than asked for, where units are alike.

    Parameters
    ----------
    features : array of float, shape (unit, feature)
    n_clusters : int
        1 or more.
    rng : numpy.random.Generator

    Examples
    --------
    >>> k_means([[0.0], [0.1], [9.0], [9.1]], 2, np.random.default_rng(0)).tolist()
    [0, 0, 1, 1]
    """
    table = _features(features)
    if n_clusters < 1:
        message = f"n_clusters is {n_clusters}; at least 1 is needed"
        raise ValueError(message)
    centres = table[[int(rng.integers(len(table)))]]
    for _ in range(min(n_clusters, len(table)) - 1):
        squared = cdist(table, centres, "sqeuclidean").min(axis=1)
        if squared.sum() <= 0:
            break
        centres = np.vstack([centres, table[rng.choice(len(table), p=squared / squared.sum())]])
    member = np.full(len(table), -1)
    for _ in range(_MOST_STEPS):
        nearest = cdist(table, centres, "sqeuclidean").argmin(axis=1)
        if np.array_equal(nearest, member):
            break
        member = nearest
        for number in np.unique(member):
            centres[number] = table[member == number].mean(axis=0)
    _, first, number = np.unique(member, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(order[number], dtype=np.int64)


@checked
def typicality(features: ArrayLike, *, neighbours: int = _NEIGHBOURS) -> FloatArray:
    """One over the mean distance to the nearest neighbours: high in the midst of many like it, shape (unit,).

    Infinite where the neighbours are copies; NaN for a unit that is alone.

    Parameters
    ----------
    features : array of float, shape (unit, feature)
    neighbours : int
        1 or more; all others where there are fewer.

    Examples
    --------
    >>> typicality([[0.0], [1.0], [3.0]], neighbours=2).round(3).tolist()
    [0.5, 0.667, 0.4]
    """
    table = _features(features)
    if neighbours < 1:
        message = f"neighbours is {neighbours}; at least 1 is needed"
        raise ValueError(message)
    if len(table) < 2:
        return np.full(len(table), NAN)
    n_near = min(neighbours, len(table) - 1)
    distances = cdist(table, table)
    np.fill_diagonal(distances, np.inf)
    mean = np.partition(distances, n_near - 1, axis=1)[:, :n_near].mean(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(1 / mean, dtype=np.float64)


@checked
def typical_batch(
    features: ArrayLike,
    size: int,
    rng: np.random.Generator,
    *,
    taken: Sequence[int] = (),
    neighbours: int = _NEIGHBOURS,
    least_cluster: int = _LEAST_CLUSTER,
) -> Batch:
    """From the largest clusters with the fewest labels the most typical unit of each (TypiClust).

    There are as many clusters as labels once the batch is labelled, at most 500. Clusters of fewer than ``least_cluster`` units
    come last: outliers teach little. Where clusters run out they have further turns.

    Parameters
    ----------
    features : array of float, shape (unit, feature)
    size : int
    rng : numpy.random.Generator
        For the clusters.
    taken : sequence of int
    neighbours : int
        For the typicality, among the units of the cluster.
    least_cluster : int

    Examples
    --------
    >>> points = [[0.0], [0.1], [0.2], [9.0], [9.1], [9.2], [9.3]]
    >>> typical_batch(points, 1, np.random.default_rng(0), taken=[1], least_cluster=2).units in ((4,), (5,))
    True
    """
    table = _features(features)
    free = free_units(len(table), size, taken)
    if neighbours < 1 or least_cluster < 1:
        message = f"neighbours is {neighbours} and least_cluster {least_cluster}; both are at least 1"
        raise ValueError(message)
    n_taken = int((~free).sum())
    member = k_means(table, min(n_taken + size, _MOST_CLUSTERS), rng)
    sizes = np.bincount(member)
    n_labelled = np.bincount(member[~free], minlength=len(sizes))
    typical = np.full(len(table), NAN)
    for cluster in range(len(sizes)):
        own = member == cluster
        typical[own] = typicality(table[own], neighbours=neighbours)
    chosen: list[int] = []
    while len(chosen) < size:
        left = np.bincount(member[free], minlength=len(sizes))
        open_to = np.nonzero(left)[0]
        number = min(open_to.tolist(), key=lambda one: (sizes[one] < least_cluster, n_labelled[one], -sizes[one], one))
        inside = np.nonzero((member == number) & free)[0]
        # A unit alone in its cluster has no typicality, and is the only one to choose.
        unit = int(inside[np.argmax(np.nan_to_num(typical[inside], nan=-1.0))])
        chosen.append(unit)
        free[unit] = False
        n_labelled[number] += 1
    return Batch(tuple(chosen), "typical of clusters")


def _features(features: ArrayLike) -> FloatArray:
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or not len(table) or not table.shape[1] or not np.isfinite(table).all():
        message = f"features has shape {table.shape}; finite numbers of shape (unit, feature) are needed"
        raise ValueError(message)
    return table
