"""Agreement of rankings: Kendall's W of full rankings, distances between partial ones such as differential diagnoses.

A partial ranking is a list of groups of things, best first; things in one group are tied, things not named are tied
below all named. Alpha of partial rankings is ``structured.structured_alpha`` with a distance from here. Not here:
consensus rankings.

References
----------
Kendall MG, Babington Smith B (1939) The problem of m rankings. Ann Math Stat 10:275-287.
Fagin R, Kumar R, Sivakumar D (2003) Comparing top k lists. SIAM J Discrete Math 17:134-160 (K with penalty p).
Webber W, Moffat A, Zobel J (2010) A similarity measure for indefinite rankings. ACM Trans Inf Syst 28:20.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, percentile_interval
from labelhub.numerics.rater_bootstrap import MIN_RATERS
from labelhub.numerics.ratings import rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, undefined

METHOD = "Kendall's W"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """W with what belongs to it: the mean of Spearman's correlations it stands for, and the test of no agreement.

    ``p_value`` is that of Friedman's chi-squared ``m (n - 1) W`` with n - 1 degrees of freedom (rough below eight
    units). ``mean_spearman`` is (m W - 1) / (m - 1); without ties it is exactly the mean over pairs of raters.
    """

    estimate: Estimate
    mean_spearman: float
    chi_squared: float
    p_value: float
    n_raters: int


@checked
def kendall_w(ranks: ArrayLike, *, resampling: Resampling | None = None, unit: str = "items") -> RankAgreement:
    """Kendall's coefficient of concordance of full rankings: 1 where all rank alike, 0 where there is no agreement.

    Parameters
    ----------
    ranks : array of float, shape (unit, rater)
        Ranks or scores, the same way up for all; each rater's are ranked anew, ties get their mean rank and the
        correction for ties. A rater with a gap has not ranked the units in full and is left out, with a warning.
    resampling : Resampling, optional
        Raters are drawn (at least five), because units ranked together are not independent; a rater drawn twice is not
        compared with themselves. Percentiles are used; ``groups`` and ``group_unit`` are not looked at.
    unit : str
        What is ranked, in words and in the plural.

    Returns
    -------
    RankAgreement
        NaN with a reason with fewer than two raters or units, or where nobody ranks anything above another.

    Examples
    --------
    Siegel (1956): three executives rank six applicants, W = .16.

    >>> executives = [[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]]
    >>> round(kendall_w(np.array(executives).T).estimate.value, 3)
    0.162
    """
    matrix = rating_matrix(ranks)
    full = ~np.isnan(matrix).any(axis=0)
    left_out = int((~full & ~np.isnan(matrix).all(axis=0)).sum())
    notes = (f"{left_out} raters did not rank all {unit} and are left out",) if left_out else ()
    chosen = matrix[:, full]
    n, m = chosen.shape
    if n < 2 or m < 2:
        reason = f"{m} raters ranked all of {n} {unit}; at least 2 of each are needed"
        none = undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION).with_warnings(*notes)
        return RankAgreement(none, NAN, NAN, NAN, m)
    centred = np.asarray(stats.rankdata(chosen, axis=0), dtype=np.float64) - (n + 1) / 2
    products = centred.T @ centred
    value = float(_concordance(products, np.ones((1, m)))[0])
    if math.isnan(value):
        none = undefined(f"all {unit} are tied for every rater", n=n, unit=unit, method=METHOD, version=VERSION)
        return RankAgreement(none.with_warnings(*notes), NAN, NAN, NAN, m)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=METHOD, version=VERSION, warnings=notes)
    chi_squared = m * (n - 1) * value
    estimate = bare.with_interval(_interval(products, value, resampling))
    p_value = float(stats.chi2.sf(chi_squared, n - 1))
    return RankAgreement(estimate, (m * value - 1) / (m - 1), chi_squared, p_value, m)


@checked
def mean_rank_correlation(ranks: ArrayLike, *, resampling: Resampling | None = None, unit: str = "items") -> Estimate:
    """The mean over pairs of raters of Kendall's tau-b on the units both ranked: rankings may be of different units.

    Parameters as in :func:`kendall_w`, but gaps are units that a rater did not rank. A pair with fewer than two common
    units, or with one rater who tied them all, does not count.

    Examples
    --------
    >>> gap = float("nan")
    >>> round(mean_rank_correlation([[1, 1, gap], [2, 2, 1], [3, 4, 2], [4, 3, gap]]).value, 3)
    0.889
    """
    matrix = rating_matrix(ranks)
    m = matrix.shape[1]
    table = np.full((m, m), NAN)
    for a, b in combinations(range(m), 2):
        common = ~np.isnan(matrix[:, a]) & ~np.isnan(matrix[:, b])
        x, y = matrix[common, a], matrix[common, b]
        if len(x) >= 2 and np.ptp(x) > 0 and np.ptp(y) > 0:
            table[a, b] = table[b, a] = float(stats.kendalltau(x, y).statistic)
    method = "mean pairwise Kendall's tau-b"
    known = np.isfinite(table)
    n = int(known.sum()) // 2
    if n == 0:
        reason = f"no two raters ranked two {unit} in common"
        return undefined(reason, n=0, unit="pairs of raters", method=method, version=VERSION)
    filled, counted = np.where(known, table, 0.0), known.astype(np.float64)

    def mean(drawn: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(
                ((drawn @ filled) * drawn).sum(axis=1) / ((drawn @ counted) * drawn).sum(axis=1), dtype=np.float64
            )

    value = float(mean(np.ones((1, m)))[0])
    bare = Estimate(value, NAN, NAN, n=n, unit="pairs of raters", method=method, version=VERSION)
    if resampling is None or m < MIN_RATERS:
        return bare.with_interval(_no_interval(m, resampling))
    return bare.with_interval(percentile_interval(mean(_drawn(m, resampling)), value, m, _of_raters(resampling)))


Ranking = Sequence[Sequence[Hashable]]


@checked
def partial_ranking_distance(first: Ranking, second: Ranking, *, penalty: float = 0.5) -> float:
    """Kendall's distance of two partial rankings, 0 equal to 1 disjoint: pairs of things put the other way round.

    A pair tied in one ranking alone (or named in one alone, together) costs ``penalty``. The sum is divided by what two
    disjoint rankings of these shapes would have, so agreeing on which things to name counts, not on their order alone.

    Parameters
    ----------
    first, second : sequence of sequences
        Groups of different things, best first. An empty ranking is as far as can be from any other (1), and has no
        distance from another empty one (NaN).
    penalty : float
        0 to 1; .5 makes a tie cost half.

    Raises
    ------
    ValueError
        Where a ranking names a thing twice, or the penalty lies outside 0 to 1.

    Examples
    --------
    Same diagnoses in another order; a tie that the other broke; nothing in common.

    >>> [round(partial_ranking_distance([["eczema"], ["psoriasis"]], other), 3)
    ...  for other in ([["psoriasis"], ["eczema"]], [["eczema", "psoriasis"]], [["acne"]])]
    [0.2, 0.111, 1.0]
    """
    if not 0 <= penalty <= 1:
        message = f"penalty is {penalty!r}; it must lie from 0 to 1, .5 is usual"
        raise ValueError(message)
    one, other = _positions(first, "first"), _positions(second, "second")
    if not one or not other:
        return NAN if not one and not other else 1.0
    names = [*one, *(name for name in other if name not in one)]
    places = np.array([[ranks.get(name, len(ranks)) for name in names] for ranks in (one, other)])
    order = np.sign(places[:, :, None] - places[:, None, :])
    upper = np.triu_indices(len(names), 1)
    a, b = order[0][upper], order[1][upper]
    cost = float((a * b < 0).sum() + penalty * ((a == 0) != (b == 0)).sum())
    apart = len(one) * len(other) + penalty * (_ordered_pairs(first) + _ordered_pairs(second))
    return min(1.0, cost / apart)


@checked
def top_overlap(first: Ranking, second: Ranking, *, persistence: float = 0.9) -> float:
    """How much the tops of two partial rankings share, 1 equal to 0 disjoint; the first places weigh most.

    At each depth d to that of the longer ranking: twice the things in both tops over the things in each, a tie counting
    whole from its first place on; the depths weigh ``persistence`` to the power d - 1 (rank-biased overlap, cut off at
    the longer list and divided by its greatest value). NaN where both are empty.

    Parameters
    ----------
    first, second : sequence of sequences
        As in :func:`partial_ranking_distance`.
    persistence : float
        Above 0 and at most 1; the nearer to 1, the deeper places count too.

    Raises
    ------
    ValueError
        Where a ranking names a thing twice, or persistence is not above 0 and at most 1.

    Examples
    --------
    >>> round(top_overlap([["eczema"], ["psoriasis"]], [["eczema"], ["acne"]]), 3)
    0.763
    """
    if not 0 < persistence <= 1:
        message = f"persistence is {persistence!r}; it must lie above 0 and up to 1, .9 is usual"
        raise ValueError(message)
    one, other = _positions(first, "first"), _positions(second, "second")
    depth = max(len(one), len(other))
    if depth == 0:
        return NAN
    shared = [max(place, other[name]) for name, place in one.items() if name in other]
    depths = np.arange(depth)
    both = (np.array(shared, dtype=np.int64)[None, :] <= depths[:, None]).sum(axis=1)
    places = np.array([*one.values(), *other.values()], dtype=np.int64)
    named = (places[None, :] <= depths[:, None]).sum(axis=1)
    weight = persistence**depths
    return float((weight * 2 * both / named).sum() / weight.sum())


def _positions(ranking: Ranking, name: str) -> dict[Hashable, int]:
    """How many things each thing has before it."""
    places: dict[Hashable, int] = {}
    for group in ranking:
        start = len(places)
        for thing in group:
            if thing in places:
                message = f"{name} names {thing!r} twice; a ranking names each thing once"
                raise ValueError(message)
            places[thing] = start
    return places


def _ordered_pairs(ranking: Ranking) -> int:
    """Pairs of named things that are not tied."""
    sizes = [len(group) for group in ranking]
    return (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2


def _concordance(products: FloatArray, drawn: FloatArray) -> FloatArray:
    """W where rater j is drawn ``drawn[b, j]`` times: S / (m sum of squares), a rater never paired with themselves.

    ``products[j, k]`` are those of centred ranks. Pairs of different raters give the mean off-diagonal product; W is
    what m raters with that mean would have.
    """
    m = len(products)
    own = np.diag(products)
    total = drawn.sum(axis=1)
    pairs = total**2 - (drawn**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        across = (((drawn @ products) * drawn).sum(axis=1) - (drawn**2) @ own) / pairs
        inside = (drawn @ own) / total
        return np.where((pairs > 0) & (inside > 0), (inside + (m - 1) * across) / (m * inside), NAN)


def _interval(products: FloatArray, value: float, resampling: Resampling | None) -> Interval:
    m = len(products)
    if resampling is None or m < MIN_RATERS:
        return _no_interval(m, resampling)
    return percentile_interval(_concordance(products, _drawn(m, resampling)), value, m, _of_raters(resampling))


def _no_interval(m: int, resampling: Resampling | None) -> Interval:
    few = f"only {m} raters; drawing raters anew needs at least {MIN_RATERS}"
    reason = "no resampling was asked for" if resampling is None else few
    return Interval(n_groups=m, group_unit="raters", reason=reason)


def _of_raters(resampling: Resampling) -> Resampling:
    return Resampling(resampling.rng, None, "raters", resampling.n_resamples, "percentile", resampling.level)


def _drawn(m: int, resampling: Resampling) -> FloatArray:
    return resampling.rng.multinomial(m, np.full(m, 1 / m), size=resampling.n_resamples).astype(np.float64)
