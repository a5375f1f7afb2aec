"""Which rater costs agreement on labels, who labels like whom, and how well a person does against the others.

Not here: the same for shapes (``shape_raters``), accuracy against gold (``rater_models``).

References
----------
Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197 (annotator vitality, collaboration clustering).
Rousseeuw PJ (1987) Silhouettes. J Comput Appl Math 20:53-65.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from labelhub.numerics.alpha import Measure, alpha_terms, krippendorff_alpha
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval
from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.results import NAN, BoolArray, Estimate, FloatArray, IntArray, Interval, undefined
from labelhub.numerics.shape_raters import HumanCeiling, Vitality, ceiling_of_scores
from labelhub.numerics.specific import PairMatrix

METHOD = "vitality of a rater (Krippendorff's alpha)"
VERSION = "1"

CLEAR_SILHOUETTE = 0.5


@checked
def rater_vitality(
    ratings: ArrayLike,
    measure: Measure = "nominal",
    *,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> tuple[Vitality, ...]:
    """Alpha of all raters less alpha without one, for every rater: below 0, alpha would rise without them.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        Columns are identified raters.
    measure : {"nominal", "ordinal", "interval", "ratio"}
        As in ``alpha.krippendorff_alpha``.
    resampling : Resampling, optional
        How to make the intervals; both alphas of a difference are taken from the same resamples.

    Returns
    -------
    tuple of Vitality
        NaN with a reason where alpha with or without the rater is undefined.

    Examples
    --------
    >>> ratings = np.array([[1, 1, 2], [2, 2, 1], [1, 1, 1], [2, 2, 2], [1, 1, 2.0]])
    >>> [row.estimate.value > 0 for row in rater_vitality(ratings)]
    [True, True, False]
    """
    matrix = rating_matrix(ratings)
    all_raters = krippendorff_alpha(matrix, measure, unit=unit)
    whole = all_raters.estimate
    found = []
    for rater in range(matrix.shape[1]):
        others = matrix.copy()
        others[:, rater] = NAN
        rest = krippendorff_alpha(others, measure, unit=unit)
        without, parts = rest.estimate, (all_raters.observed, rest.observed)
        n_units = int((~np.isnan(matrix[:, rater]) & ((~np.isnan(others)).any(axis=1))).sum())
        if not (whole.is_defined and without.is_defined):
            reason = f"alpha {'without this rater' if whole.is_defined else 'of all'}: {whole.reason or without.reason}"
            none = undefined(reason, n=whole.n, unit=unit, method=METHOD, version=VERSION)
            found.append(Vitality(rater, none, without.value, n_units, *parts))
            continue
        bare = Estimate(whole.value - without.value, NAN, NAN, n=whole.n, unit=unit, method=METHOD, version=VERSION)
        interval = Interval(reason="no resampling was asked for")
        if resampling is not None:
            interval = _interval_of_difference(matrix, others, measure, resampling)
        found.append(Vitality(rater, bare.with_interval(interval), without.value, n_units, *parts))
    return tuple(found)


@checked
def pairwise_alpha(ratings: ArrayLike, measure: Measure = "nominal", *, unit: str = "items") -> PairMatrix:
    """Alpha of every two raters on the units both rated; NaN where they share none, or nothing varies there.

    Parameters
    ----------
    ratings, measure, unit
        As in :func:`rater_vitality`.

    Examples
    --------
    >>> pairwise_alpha([[1, 1, 1], [2, 2, 1], [1, 1, 2], [2, 2, 2]]).values.round(2).tolist()
    [[1.0, 1.0, 0.12], [1.0, 1.0, 0.12], [0.12, 0.12, 1.0]]
    """
    matrix = rating_matrix(ratings)
    n_raters = matrix.shape[1]
    values = np.eye(n_raters)
    counts = np.diag((~np.isnan(matrix)).sum(axis=0))
    for a in range(n_raters):
        for b in range(a):
            found = krippendorff_alpha(matrix[:, [a, b]], measure, unit=unit).estimate
            values[a, b] = values[b, a] = found.value
            counts[a, b] = counts[b, a] = found.n
    return PairMatrix(values, counts.astype(np.int64), unit, f"alpha of a pair ({measure})")


@dataclass(frozen=True, slots=True, eq=False)
class CollaborationClusters:
    """Groups of raters who agree among themselves more than with others: ``cluster[rater]`` from 0, one if no groups.

    ``silhouette`` from -1 to 1 says how clear the best cut is (NaN with fewer than three raters); ``within`` and
    ``between`` are the mean pairwise agreements inside and across the groups.
    """

    cluster: IntArray
    silhouette: float
    within: float
    between: float
    method: str = "average linkage, cut at the greatest silhouette"
    version: str = VERSION
    warnings: tuple[str, ...] = ()


@checked
def collaboration_clusters(agreement: ArrayLike, *, clear: float = CLEAR_SILHOUETTE) -> CollaborationClusters:
    """Groups of raters from their pairwise agreement; one group unless the best cut is clear.

    Parameters
    ----------
    agreement : array of float, shape (rater, rater)
        Symmetric and at most 1, such as :func:`pairwise_alpha`. Pairs without a value count as the mean of the others.
    clear : float
        Least mean silhouette of a cut that is believed; .5 is the usual limit of "reasonable structure".

    Raises
    ------
    ValueError
        Where agreement is not a symmetric square matrix of at most 1.

    Examples
    --------
    >>> alike = np.array([[1, 0.9, 0.1, 0.2], [0.9, 1, 0.2, 0.1], [0.1, 0.2, 1, 0.8], [0.2, 0.1, 0.8, 1]])
    >>> collaboration_clusters(alike).cluster.tolist()
    [0, 0, 1, 1]
    """
    table = np.asarray(agreement, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.allclose(table, table.T, equal_nan=True):
        message = f"agreement has shape {table.shape}; a symmetric square matrix is needed"
        raise ValueError(message)
    n = len(table)
    apart: BoolArray = ~np.eye(n, dtype=bool)
    missing = np.isnan(table) & apart
    if np.nanmax(table[apart], initial=-np.inf) > 1 + 1e-9:
        message = f"agreement reaches {np.nanmax(table[apart]):g}; allowed is at most 1"
        raise ValueError(message)
    notes = (f"{int(missing.sum()) // 2} pairs of raters have no value; their mean is taken",) if missing.any() else ()
    alone = np.zeros(n, dtype=np.int64)
    if n < 3 or missing.sum() == apart.sum():
        return CollaborationClusters(alone, NAN, _mean_where(table, apart), NAN, warnings=notes)
    distance = np.where(missing, 1 - np.nanmean(table[apart]), 1 - table)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.maximum(distance, 0.0), checks=False), "average")
    cuts = [fcluster(tree, size, "maxclust") for size in range(2, n)]
    scores = [_silhouette(np.maximum(distance, 0.0), cut) for cut in cuts]
    best = int(np.argmax(scores))
    if scores[best] < clear:
        return CollaborationClusters(alone, scores[best], _mean_where(table, apart), NAN, warnings=notes)
    _, first, number = np.unique(cuts[best], return_index=True, return_inverse=True)
    cluster = np.argsort(np.argsort(first))[number].astype(np.int64)
    same = cluster[:, None] == cluster[None, :]
    means = _mean_where(table, same & apart), _mean_where(table, ~same)
    return CollaborationClusters(cluster, scores[best], *means, warnings=notes)


@checked
def label_ceiling(ratings: ArrayLike, *, resampling: Resampling | None = None, unit: str = "items") -> HumanCeiling:
    """How often a person's label is the majority of the other people's: what a model can fairly be asked to reach.

    Where the others' majority is a tie of k categories, a label among them counts 1 / k. A model must be compared with
    the majority of as many people.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate.

    Examples
    --------
    >>> round(label_ceiling([[1, 1, 1], [1, 1, 2], [2, 2, 2]]).estimate.value, 3)
    0.778
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, None)
    codes = category_codes(matrix, values)
    counts = category_counts(codes, len(values))
    scores = np.full(codes.shape, NAN)
    several = counts.sum(axis=1) >= 2
    for rater in range(codes.shape[1]):
        rated = np.nonzero(several & (codes[:, rater] >= 0))[0]
        own = codes[rated, rater]
        others = counts[rated]
        others[np.arange(len(rated)), own] -= 1
        most = others.max(axis=1, initial=0)
        tied = (others == most[:, None]).sum(axis=1)
        scores[rated, rater] = np.where(others[np.arange(len(rated)), own] == most, 1 / np.maximum(tied, 1), 0.0)
    people: Sequence[Sequence[int]] = [list(range(codes.shape[1]))] * len(codes)
    return ceiling_of_scores(scores.tolist(), people, resampling, unit)


def _interval_of_difference(whole: FloatArray, part: FloatArray, measure: Measure, resampling: Resampling) -> Interval:
    all_terms, part_terms = alpha_terms(whole, measure), alpha_terms(part, measure)
    width = all_terms.contributions.shape[1]

    def difference(sums: FloatArray) -> FloatArray:
        return all_terms.statistic(sums[:, :width]) - part_terms.statistic(sums[:, width:])

    contributions = np.column_stack([all_terms.contributions, part_terms.contributions])
    return bootstrap_interval(contributions, difference, resampling)


def _mean_where(table: FloatArray, where: BoolArray) -> float:
    chosen = table[where & ~np.isnan(table)]
    return float(chosen.mean()) if len(chosen) else NAN


def _silhouette(distance: FloatArray, cluster: IntArray) -> float:
    """The mean over raters of (b - a) / max(a, b); a rater alone in a cluster counts 0."""
    names = np.unique(cluster)
    inside = cluster[:, None] == names[None, :]
    sums = distance @ inside
    sizes = inside.sum(axis=0)
    own = np.searchsorted(names, cluster)
    rows = np.arange(len(cluster))
    with np.errstate(divide="ignore", invalid="ignore"):
        a = sums[rows, own] / (sizes[own] - 1)
        means = sums / sizes
        means[rows, own] = np.inf
        b = means.min(axis=1)
        score = np.where((sizes[own] > 1) & (np.maximum(a, b) > 0), (b - a) / np.maximum(a, b), 0.0)
    return float(score.mean())
