"""Intervals of agreement that hold for other raters of the same kind, not for these raters alone.

Resampling units says how far agreement *of these raters* could lie off; whoever wants to know how a new group of raters
would agree must draw raters anew too. A rater drawn twice would agree with themselves, so pairs of a rater with
themselves are left out of observed agreement (as in Snijders & Borgatti's vertex bootstrap). Not here: resampling of
units alone, which every coefficient does by itself when given a ``Resampling``.

References
----------
Owen AB (2007) The pigeonhole bootstrap. Ann Appl Stat 1:386-411 (rows and columns drawn independently; conservative).
Snijders TAB, Borgatti SP (1999) Non-parametric standard errors and tests for network statistics. Connections 22:161-170.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelhub.numerics.agreement import corrected
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, percentile_interval
from labelhub.numerics.ratings import category_codes, category_values, rating_matrix
from labelhub.numerics.results import NAN, Estimate, FloatArray, IntArray, Interval, undefined
from labelhub.numerics.weights import Weights, agreement_weights

METHOD = "bootstrap of raters"
VERSION = "1"

MIN_RATERS = 5
_CHUNK = 4_000_000

Coefficient: TypeAlias = Literal["raw", "alpha", "fleiss", "gwet", "brennan-prediger"]
Drawn: TypeAlias = Literal["raters", "raters and units"]

_NAMES = {
    "raw": "raw agreement", "alpha": "Krippendorff's alpha", "fleiss": "Fleiss' kappa", "gwet": "Gwet's AC",
    "brennan-prediger": "Brennan–Prediger",
}  # fmt: skip


@checked
def agreement_of_other_raters(
    ratings: ArrayLike,
    coefficient: Coefficient,
    resampling: Resampling,
    *,
    drawn: Drawn = "raters and units",
    weights: Weights = "identity",
    categories: Sequence[float] | None = None,
    unit: str = "items",
) -> Estimate:
    """A coefficient with the interval in which that of other raters (and other units) would lie.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        Columns are identified raters; at least five are needed for an interval.
    coefficient : {"raw", "alpha", "fleiss", "gwet", "brennan-prediger"}
        What is measured. "alpha" takes the distance 1 - weight: identity weights are the nominal measure, quadratic
        ones the interval measure on categories one apart.
    resampling : Resampling
        ``groups`` are of units and are drawn where units are; percentiles are always used, because acceleration is not
        defined for two ways at once.
    drawn : {"raters", "raters and units"}
        "raters" generalises to other raters on these units; "raters and units" to both.

    Returns
    -------
    Estimate
        The value is that of the coefficient itself. ``n_groups`` counts raters.

    Raises
    ------
    ValueError
        Where the coefficient or ``drawn`` is unknown, a rating is outside the categories, or groups do not fit.

    Examples
    --------
    >>> table = np.random.default_rng(3).integers(0, 2, (60, 6)).astype(float)
    >>> table[:, 1:] = np.where(np.random.default_rng(4).random((60, 5)) < 0.8, table[:, :1], table[:, 1:])
    >>> found = agreement_of_other_raters(table, "alpha", Resampling(np.random.default_rng(0), n_resamples=500))
    >>> found.low < found.value < found.high, found.group_unit
    (True, 'raters and items')
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    weight = agreement_weights(weights, len(values))
    weight = (weight + weight.T) / 2
    codes = category_codes(matrix, values)
    codes = codes[:, (codes >= 0).any(axis=0)]
    patterns = _patterns(codes, resampling.groups)
    n_raters = codes.shape[1]
    n = int(((codes >= 0).sum(axis=1) >= 2).sum())
    method = _NAMES[coefficient]
    ones = np.ones((1, n_raters))
    value = float(_values(patterns, patterns.counts.sum(axis=0)[None], ones, weight, coefficient)[0]) if n else NAN
    if np.isnan(value):
        reason = "chance agreement is 1: there is no variation" if n else f"no {unit} with two ratings"
        return undefined(reason, n=n, unit=unit, method=method, version=VERSION, level=resampling.level)
    label = "raters" if drawn == "raters" else f"raters and {resampling.group_unit}"
    chosen = replace(resampling, group_unit=label)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION, level=resampling.level)
    if n_raters < MIN_RATERS:
        reason = f"only {n_raters} raters; drawing raters anew needs at least {MIN_RATERS}"
        return bare.with_interval(Interval(level=resampling.level, n_groups=n_raters, group_unit=label, reason=reason))
    found = _resampled(patterns, weight, coefficient, chosen, drawn)
    return bare.with_interval(percentile_interval(found, value, n_raters, chosen))


class _Patterns:
    """Units with the same ratings by the same raters are one row: ``codes[row, rater]``, ``counts[group, row]``."""

    def __init__(self, codes: IntArray, counts: sparse.csr_array) -> None:
        self.codes = codes
        self.counts = counts


def _patterns(codes: IntArray, groups: ArrayLike | None) -> _Patterns:
    labels = np.arange(len(codes)) if groups is None else np.asarray(groups)
    if labels.shape != (len(codes),):
        message = f"groups has shape {labels.shape}; one entry for each of the {len(codes)} units is needed"
        raise ValueError(message)
    rows, row = np.unique(codes, axis=0, return_inverse=True)
    names, group = np.unique(labels, return_inverse=True)
    shape = (len(names), len(rows))
    return _Patterns(rows, sparse.csr_array((np.ones(len(codes)), (group, row.ravel())), shape=shape))


def _resampled(
    patterns: _Patterns, weight: FloatArray, coefficient: Coefficient, resampling: Resampling, drawn: Drawn
) -> FloatArray:
    n_groups, n_rows = patterns.counts.shape
    n_raters = patterns.codes.shape[1]
    rng = resampling.rng
    step = max(1, _CHUNK // (n_rows * max(len(weight), 1) + n_groups))
    everything = np.asarray(patterns.counts.sum(axis=0))[None]
    parts = []
    for start in range(0, resampling.n_resamples, step):
        size = min(step, resampling.n_resamples - start)
        raters = rng.multinomial(n_raters, np.full(n_raters, 1 / n_raters), size=size).astype(np.float64)
        often = np.repeat(everything, size, axis=0)
        if drawn == "raters and units":
            often = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size) @ patterns.counts
        parts.append(_values(patterns, often, raters, weight, coefficient))
    return np.concatenate(parts)


def _values(
    patterns: _Patterns, often: FloatArray, raters: FloatArray, weight: FloatArray, coefficient: Coefficient
) -> FloatArray:
    """The coefficient where row p counts ``often[b, p]`` times and rater g ``raters[b, g]`` times."""
    q = len(weight)
    counts = np.stack([raters @ (patterns.codes == k).T for k in range(q)], axis=2)
    present = (patterns.codes >= 0).T.astype(np.float64)
    total, with_self = raters @ present, raters**2 @ present
    pairs = total**2 - with_self
    agreeing = ((counts @ weight) * counts).sum(axis=2) - with_self
    known = pairs > 0
    share = np.where(known, agreeing / np.where(known, pairs, 1.0), 0.0)
    if coefficient == "alpha":
        return _alpha(often * known, total, share, counts, weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (often * share).sum(axis=1) / (often * known).sum(axis=1)
        if coefficient == "raw":
            return np.asarray(observed, dtype=np.float64)
        rated = often * (total > 0)
        profile = counts / np.where(total > 0, total, 1.0)[:, :, None]
        prevalence = np.einsum("bp,bpk->bk", rated, profile) / rated.sum(axis=1)[:, None]
        if coefficient == "fleiss":
            expected = np.einsum("bk,kl,bl->b", prevalence, weight, prevalence)
        elif coefficient == "gwet":
            expected = weight.sum() / np.float64(q * (q - 1)) * (prevalence * (1 - prevalence)).sum(axis=1)
        else:
            expected = np.full(len(often), weight.sum() / np.float64(q * q))
    return corrected(observed, np.where(np.isfinite(expected), expected, 1.0))


def _alpha(
    often: FloatArray, total: FloatArray, share: FloatArray, counts: FloatArray, weight: FloatArray
) -> FloatArray:
    """A unit weighs as many ratings as it has; D_e is over ratings of units with two different raters."""
    ratings = often * total
    n = ratings.sum(axis=1)
    drawn = np.einsum("bp,bpk->bk", often, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (ratings * (1 - share)).sum(axis=1) / n
        expected = ((drawn @ (1 - weight)) * drawn).sum(axis=1) / (n * (n - 1))
        return np.where(expected > 1e-12, 1 - observed / expected, NAN)
