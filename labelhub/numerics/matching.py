"""Which marks of several raters are the same object: optimal pairs for two raters, clusters for any number.

A cluster holds at most one object of each rater; a rater who read the item and marked nothing there is "not annotated",
which is an answer, not a gap. Not here: how alike two shapes are (``geometry``), what follows for agreement
(``specific``, ``alpha``).

References
----------
Kuhn HW (1955) The Hungarian method for the assignment problem. Naval Research Logistics 2:83-97.
Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197 (localisation first, then agreement on classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "one-to-one matching"
VERSION = "1"

NOT_ANNOTATED = -1
_TIE_DIGITS = 12


@dataclass(frozen=True, slots=True, eq=False)
class PairMatch:
    """Matched objects ``first[i]`` with ``second[i]`` at ``similarity[i]``, and those left over on each side."""

    first: IntArray
    second: IntArray
    similarity: FloatArray
    unmatched_first: IntArray
    unmatched_second: IntArray
    threshold: float


@checked
def match_pair(similarity: ArrayLike, threshold: float) -> PairMatch:
    """The one-to-one matching of two raters' objects with the greatest total similarity above a threshold.

    Parameters
    ----------
    similarity : array of float, shape (first, second)
        High is alike. NaN counts as not alike.
    threshold : float
        Least similarity of a pair, above 0.

    Returns
    -------
    PairMatch
        In order of ``first``. Equal totals are decided for the pairs listed first.

    Raises
    ------
    ValueError
        Where the threshold is not above 0, or similarity has not two dimensions.

    Examples
    --------
    Taking the best pair first (.9) would leave the others unmatched; the optimum keeps both.

    >>> matched = match_pair([[0.9, 0.8], [0.8, 0.1]], 0.5)
    >>> list(zip(matched.first.tolist(), matched.second.tolist()))
    [(0, 1), (1, 0)]
    """
    _check_threshold(threshold)
    table = np.asarray(similarity, dtype=np.float64)
    if table.ndim != 2:
        message = f"similarity has {table.ndim} dimensions; it must have two, similarity[first, second]"
        raise ValueError(message)
    # NaN reaches no threshold.
    allowed = table >= threshold
    rows, columns = linear_sum_assignment(np.where(allowed, table, 0.0), maximize=True)
    kept = allowed[rows, columns]
    rows, columns = rows[kept].astype(np.int64), columns[kept].astype(np.int64)
    return PairMatch(
        first=rows,
        second=columns,
        similarity=table[rows, columns],
        unmatched_first=_others(table.shape[0], rows),
        unmatched_second=_others(table.shape[1], columns),
        threshold=threshold,
    )


def _others(n: int, chosen: IntArray) -> IntArray:
    is_left = np.ones(n, dtype=bool)
    is_left[chosen] = False
    return np.nonzero(is_left)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The objects of one item, as several raters marked them.

    ``cluster[object]`` is the cluster of each object; ``members[cluster, rater]`` the object that the rater has there,
    -1 where the rater read the item and marked nothing. Clusters are numbered by their first object.
    """

    cluster: IntArray
    members: IntArray
    threshold: float
    method: str = METHOD
    version: str = VERSION

    @property
    def n_clusters(self) -> int:
        """How many different objects there are."""
        return len(self.members)

    @property
    def found(self) -> FloatArray:
        """``found[cluster, rater]``: 1 where marked, 0 where read and not marked; input of ``specific_agreement``."""
        return (self.members >= 0).astype(np.float64)

    @property
    def n_found(self) -> IntArray:
        """How many raters marked each cluster."""
        return np.asarray((self.members >= 0).sum(axis=1), dtype=np.int64)

    @property
    def unmatched(self) -> IntArray:
        """Objects that one rater alone marked."""
        alone = np.nonzero(self.n_found == 1)[0]
        return np.sort(self.members[alone].max(axis=1)) if len(alone) else np.empty(0, dtype=np.int64)

    def table(self, values: ArrayLike, not_annotated: float = np.nan) -> FloatArray:
        """``ratings[cluster, rater]`` of one value an object (a class code, a rating), gaps filled as told.

        Leave ``not_annotated`` NaN for ratings of objects (a reader who did not see it rated nothing); give it a
        category of its own where missing the object is itself the answer.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape != self.cluster.shape:
            message = f"values has shape {given.shape}; each of the {len(self.cluster)} objects needs one"
            raise ValueError(message)
        padded = np.append(given, not_annotated)
        return np.asarray(padded[self.members], dtype=np.float64)


@checked
def cluster_objects(
    similarity: ArrayLike, raters: ArrayLike, threshold: float, *, n_raters: int | None = None
) -> Clusters:
    """Groups the objects of one item so that each group is one thing, with at most one object of each rater.

    Two raters are matched optimally (:func:`match_pair`). For more, the two groups with the greatest mean similarity
    are merged while that mean reaches the threshold and they share no rater (average linkage).

    Parameters
    ----------
    similarity : array of float, shape (object, object)
        Symmetric, high is alike; entries between objects of one rater are not looked at.
    raters : array of int, shape (object,)
        Who marked each object, from 0.
    threshold : float
        Least mean similarity of a merge, above 0; 0.1 to 0.5 is usual for IoU.
    n_raters : int, optional
        How many people read the item, with those who marked nothing; the highest of ``raters`` plus one by default.

    Returns
    -------
    Clusters
        The groups do not depend on the order of objects or raters. Equal similarities are decided for the pair that is
        more alike the other objects in total, then for the one listed first (only then does order matter).

    Raises
    ------
    ValueError
        Where similarity is not symmetric, the threshold is not above 0, or a rater is none of ``n_raters``.

    Examples
    --------
    Three readers; the third marked only the second lesion.

    >>> alike = np.eye(5)
    >>> for i, j, value in ((0, 2, 0.8), (1, 3, 0.7), (1, 4, 0.6), (3, 4, 0.9)):
    ...     alike[i, j] = alike[j, i] = value
    >>> cluster_objects(alike, [0, 0, 1, 1, 2], 0.5).members.tolist()
    [[0, 2, -1], [1, 3, 4]]
    """
    _check_threshold(threshold)
    table, owner, count = _checked_objects(similarity, raters, n_raters)
    different = owner[:, None] != owner[None, :]
    table = np.where(different, np.nan_to_num(table, nan=0.0), 0.0)
    present = np.unique(owner)
    is_pair = len(present) == 2
    groups = _optimal_groups(table, owner, present, threshold) if is_pair else _linked_groups(table, owner, threshold)
    groups.sort(key=min)
    cluster = np.empty(len(owner), dtype=np.int64)
    members = np.full((len(groups), count), NOT_ANNOTATED, dtype=np.int64)
    for number, group in enumerate(groups):
        for index in group:
            cluster[index] = number
            members[number, owner[index]] = index
    method = f"{METHOD}, " + ("optimal pairs" if is_pair else "average linkage")
    return Clusters(cluster, members, threshold, method)


@checked
def stack_found(tables: Sequence[FloatArray]) -> FloatArray:
    """Rows of several items under each other, narrower tables filled with NaN: ``ratings[unit, rater]`` for all items.

    Examples
    --------
    >>> stack_found([np.array([[1.0, 0.0]]), np.array([[1.0, 1.0, 1.0]])]).tolist()
    [[1.0, 0.0, nan], [1.0, 1.0, 1.0]]
    """
    if any(table.ndim != 2 for table in tables):
        message = f"tables have {[table.ndim for table in tables]} dimensions; each must have two, table[unit, rater]"
        raise ValueError(message)
    width = max((table.shape[1] for table in tables), default=0)
    padded = [np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=np.nan) for table in tables]
    return np.concatenate(padded) if padded else np.empty((0, width))


def _check_threshold(threshold: float) -> None:
    if not threshold > 0:
        message = f"threshold is {threshold!r}; it must be above 0, else objects that do not touch would match"
        raise ValueError(message)


def _checked_objects(
    similarity: ArrayLike, raters: ArrayLike, n_raters: int | None
) -> tuple[FloatArray, IntArray, int]:
    owner = np.asarray(raters, dtype=np.int64).ravel()
    table = np.asarray(similarity, dtype=np.float64) if len(owner) else np.zeros((0, 0))
    if table.shape != (len(owner), len(owner)):
        message = f"similarity has shape {np.shape(similarity)}; it must be {(len(owner),) * 2}"
        raise ValueError(message)
    if not np.array_equal(table, table.T) and not np.allclose(table, table.T, equal_nan=True):
        message = "similarity is not symmetric; similarity[i, j] and similarity[j, i] must be equal"
        raise ValueError(message)
    seen = int(owner.max(initial=-1)) + 1
    count = seen if n_raters is None else n_raters
    if (owner < 0).any() or count < seen:
        message = f"raters run from {owner.min(initial=0)} to {seen - 1}; allowed are 0 to n_raters - 1 = {count - 1}"
        raise ValueError(message)
    return table, owner, count


def _optimal_groups(table: FloatArray, owner: IntArray, present: IntArray, threshold: float) -> list[list[int]]:
    first, second = (np.nonzero(owner == rater)[0] for rater in present)
    matched = match_pair(table[np.ix_(first, second)], threshold)
    pairs = [[int(first[a]), int(second[b])] for a, b in zip(matched.first, matched.second, strict=True)]
    alone = [[int(first[a])] for a in matched.unmatched_first] + [[int(second[b])] for b in matched.unmatched_second]
    return pairs + alone


def _linked_groups(table: FloatArray, owner: IntArray, threshold: float) -> list[list[int]]:
    # A mean can reach the threshold only if some pair does, so objects in different components never meet.
    near = csr_array(table >= threshold)
    n_parts, part = connected_components(near, directed=False)
    sizes = np.bincount(part, minlength=n_parts)
    # Where everybody is near everybody else (so that no two are of one rater) every mean reaches the threshold.
    is_whole = np.bincount(part, weights=np.diff(near.indptr), minlength=n_parts) == sizes * (sizes - 1)
    groups: list[list[int]] = []
    inside_each = np.split(np.argsort(part, kind="stable"), np.cumsum(sizes)[:-1])
    for inside, is_one in zip(inside_each, is_whole, strict=len(sizes) > 0):
        if is_one:
            groups.append(inside.tolist())
            continue
        linked = _average_linkage(table[np.ix_(inside, inside)], owner[inside], threshold)
        groups.extend([[int(inside[i]) for i in group] for group in linked])
    return groups


def _average_linkage(table: FloatArray, owner: IntArray, threshold: float) -> list[list[int]]:
    """Sums of similarity between groups are kept, so that each merge costs one row."""
    groups: list[list[int]] = [[i] for i in range(len(owner))]
    sums = table.copy()
    sizes = np.ones(len(owner))
    affinity = table.sum(axis=1)
    has = np.zeros((len(owner), int(owner.max()) + 1))
    has[np.arange(len(owner)), owner] = 1
    active: BoolArray = np.ones(len(owner), dtype=bool)
    while True:
        means = np.round(sums / (sizes[:, None] * sizes[None, :]), _TIE_DIGITS)
        allowed = (has @ has.T == 0) & active[:, None] & active[None, :]
        means = np.where(np.triu(allowed, 1), means, -np.inf)
        best = means.max(initial=-np.inf)
        if best < threshold:
            return [group for group, is_active in zip(groups, active, strict=True) if is_active]
        rows, columns = np.nonzero(means == best)
        total = np.round(affinity[rows] + affinity[columns], _TIE_DIGITS)
        chosen = int(np.argmax(total))
        a, b = int(rows[chosen]), int(columns[chosen])
        groups[a] = groups[a] + groups[b]
        sums[a] += sums[b]
        sums[:, a] = sums[a]
        sizes[a] += sizes[b]
        affinity[a] += affinity[b]
        has[a] += has[b]
        active[b] = False
