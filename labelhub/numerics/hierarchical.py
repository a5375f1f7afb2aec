"""Dawid and Skene's model for raters with few answers: each rater's confusions are pulled towards those of all raters.

Row k of rater w's confusion matrix is drawn from a Dirichlet of mean mu_wk and strength kappa. mu_k is the pooled row of
all raters; with three or more categories its diagonal is moved by the rater's own skill (itself pulled towards the
pool), so that ten answers spread over five categories still tell a careless rater. With two categories skill and bias
fill both rows, and the pooled row alone is used. Both strengths are estimated from the answers.

Not here: fixed priors (``dawid_skene``), and the choice between methods (``consensus.class_consensus``).

Two things keep the estimate from believing itself. A rater's table is used on a unit without what that rater said of that
unit (collapsed variational inference of order zero). And the strength is judged by the expected likelihood over the
possible truths, to second order: judged on expected counts it comes out far too large, because expected counts agree
with the table that they were computed from.

References
----------
Paun S, Carpenter B, Chamberlain J, Hovy D, Kruschwitz U, Poesio M (2018) Comparing Bayesian models of annotation.
TACL 6:571-585 (hierarchical Dawid-Skene).
Teh YW, Newman D, Welling M (2006) A collapsed variational Bayesian inference algorithm for LDA. NIPS 19, eqs 15-18.
Asuncion A, Welling M, Smyth P, Teh YW (2009) On smoothing and inference for topic models. UAI (order zero).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import expit, gammaln, logit, zeta

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import checked_answers, softmax_rows, vote_shares, without_unanswered
from labelhub.numerics.dawid_skene import DawidSkene, answers_log_likelihood, doubts
from labelhub.numerics.ratings import category_codes
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "hierarchical Dawid–Skene"
VERSION = "1"

_STRENGTHS = np.exp(np.linspace(np.log(0.5), np.log(500.0), 15))
_FIRST_STRENGTH = 2.0
_ROUNDS_BEFORE_FIT = 10
_FIT_EVERY = 3
_MAX_RATERS_FITTED = 1000
_ANSWERS_A_BLOCK = 16_384


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HierarchicalDawidSkene(DawidSkene):
    """Truth and rater errors with a pooled prior.

    ``strength`` is how many answers the prior weighs in each row, ``skill_strength`` how many it weighs in a rater's
    skill (NaN with two categories); ``n_answers[rater]``; ``log_predictive`` is the mean log probability of an answer
    given all other answers.
    """

    strength: float
    skill_strength: float
    n_answers: IntArray
    log_predictive: float


@checked
def hierarchical_dawid_skene(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    known: ArrayLike | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 200,
) -> HierarchicalDawidSkene:
    """The true category of each unit where raters gave few answers, or many: the default estimate at every size.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    known : array of float, shape (unit,), optional
        The true category of gold units, else NaN: their posterior is fixed, so that they teach the raters' confusions.
    tolerance, max_iterations : float, int
        Stop when no posterior moves by more than this, or after so many rounds (with a warning).

    Returns
    -------
    HierarchicalDawidSkene
        ``confusion`` is each rater's posterior mean; a rater without answers has the pooled one.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, or a rating is none of them.

    Examples
    --------
    >>> found = hierarchical_dawid_skene([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    >>> found.winner.tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    tables = _Tables(answers)
    votes = answers.votes()
    has_votes = answers.n_of_unit > 0
    posterior = vote_shares(votes) * has_votes[:, None]
    gold, certain = _known_rows(known, answers, has_votes)
    posterior[gold] = certain
    strength, n_iterations, is_converged = _FIRST_STRENGTH, 0, False
    prior, before = tables.prior(posterior), posterior
    rounds_before_fit = min(_ROUNDS_BEFORE_FIT, max_iterations)
    while n_iterations < max_iterations and not is_converged:
        prior = tables.prior(posterior)
        if n_iterations >= rounds_before_fit and (n_iterations - rounds_before_fit) % _FIT_EVERY == 0:
            strength = tables.fitted_strength(posterior, prior.mean)
        n_iterations += 1
        before = posterior.copy()
        change = tables.refresh(posterior, prior, strength)
        posterior[gold] = certain
        is_converged = change <= tolerance and n_iterations > rounds_before_fit
    confusion, prevalence = tables.confusion(posterior, prior, strength)
    return HierarchicalDawidSkene(
        posterior=without_unanswered(posterior, has_votes),
        prevalence=prevalence,
        confusion=confusion,
        categories=answers.categories,
        log_likelihood=answers_log_likelihood(answers, prevalence, confusion),
        n_iterations=n_iterations,
        is_converged=is_converged,
        method=METHOD,
        warnings=doubts(answers, votes, posterior, confusion, None if is_converged else max_iterations),
        version=VERSION,
        strength=strength,
        skill_strength=prior.skill_strength,
        n_answers=answers.n_of_rater,
        log_predictive=tables.log_predictive(before, prior, strength) if len(answers.unit) else np.nan,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Prior:
    """``mean[rater, truth, given]`` of each row, ``counts`` expected in the same shape, and the strength of skill."""

    mean: FloatArray
    counts: FloatArray
    skill_strength: float


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """A run of whole units and their answers, which stay in a core's cache; what of it no round changes.

    ``unit[answer]``, ``rater[answer]``, ``cell[answer]`` (rater and answer as one number) and ``local[answer]`` (the unit,
    counted from the first of the block); ``is_answered[unit]``, and ``starts``: the first answer of each unit that has any.
    """

    units: slice
    unit: IntArray
    rater: IntArray
    cell: IntArray
    local: IntArray
    is_answered: BoolArray
    starts: IntArray

    @classmethod
    def of(cls, answers: Answers, first: IntArray, units: slice, rows: slice) -> _Block:
        of_units = first[units.start : units.stop + 1]
        is_answered: BoolArray = np.asarray(np.diff(of_units) > 0)
        starts = (of_units[:-1] - rows.start)[is_answered]
        unit, rater = answers.unit[rows], answers.rater[rows]
        cell = rater * answers.n_categories + answers.given[rows]
        return cls(units, unit, rater, cell, unit - units.start, is_answered, starts)


def _joint(block: _Block, old: FloatArray, prevalence: FloatArray, evidence: FloatArray) -> FloatArray:
    """Log weights of the truths of each unit of a block: prevalence without the unit itself, and what its answers say."""
    joint = np.log(np.maximum(prevalence - old, 1e-9))
    if len(block.starts):
        joint[block.is_answered] += np.add.reduceat(evidence, block.starts, axis=0)
    return joint


class _Tables:
    """The answers in the forms that every round needs, made once."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.q = answers.n_categories
        self.by_cell = answers.by_unit().T
        self.has_votes = answers.n_of_unit > 0
        first = np.concatenate([[0], np.cumsum(answers.n_of_unit)])
        self.blocks = [_Block.of(answers, first, *runs) for runs in _blocks(first, _ANSWERS_A_BLOCK)]
        by_size = np.argsort(answers.n_of_rater, kind="stable")
        by_size = by_size[answers.n_of_rater[by_size] > 0]
        step = max(1, len(by_size) // _MAX_RATERS_FITTED)
        self.fitted = np.sort(by_size[::step])
        self._fitted_rows(first)

    def _fitted_rows(self, first: IntArray) -> None:
        answers = self.answers
        place = np.full(answers.n_raters, -1)
        place[self.fitted] = np.arange(len(self.fitted))
        column = place[answers.rater]
        keep = column >= 0
        ones, n = np.ones(int(keep.sum())), len(self.fitted)
        at = answers.unit[keep]
        cell = column[keep] * self.q + answers.given[keep]
        self.fitted_by_cell = sparse.csr_array((ones, (at, cell)), shape=(answers.n_units, n * self.q)).T
        self.fitted_by_rater = sparse.csr_array((ones, (at, column[keep])), shape=(answers.n_units, n)).T

    def prior(self, posterior: FloatArray) -> _Prior:
        q = self.q
        counts = (self.by_cell @ posterior).reshape(-1, q, q).transpose(0, 2, 1)
        # One answer a row, nearly always right, keeps a category that no unit has from being undefined.
        pooled = counts.sum(axis=0) + 0.9 * np.eye(q) + 0.1 / q
        pooled /= pooled.sum(axis=1, keepdims=True)
        if q == 2:
            return _Prior(np.broadcast_to(pooled, counts.shape), counts, np.nan)
        rows = counts.sum(axis=2)
        n, right = rows.sum(axis=1), np.einsum("rkk->r", counts)
        diagonal = np.diag(pooled)
        expected = np.clip((rows @ diagonal) / np.maximum(n, 1e-12), 1e-3, 1 - 1e-3)
        expected[n == 0] = float(diagonal.mean())
        skill_strength = _fitted_skill_strength(right, n, expected)
        skill = (right + skill_strength * expected) / (n + skill_strength)
        moved = expit(_safe_logit(diagonal)[None, :] + (_safe_logit(skill) - _safe_logit(expected))[:, None])
        errors = pooled * (1 - np.eye(q))
        errors /= errors.sum(axis=1, keepdims=True)
        mean = errors[None] * (1 - moved)[:, :, None] + np.eye(q)[None] * moved[:, :, None]
        return _Prior(np.maximum(mean, 1e-9), counts, skill_strength)

    def fitted_strength(self, posterior: FloatArray, mean: FloatArray) -> float:
        """The strength with the largest expected Dirichlet-multinomial likelihood of the raters' rows."""
        if not len(self.fitted):
            return _FIRST_STRENGTH
        q = self.q
        cells = [part.reshape(-1, q, q).transpose(0, 2, 1) for part in _count_moments(self.fitted_by_cell, posterior)]
        totals = _count_moments(self.fitted_by_rater, posterior)
        rows = mean[self.fitted]
        values = _log_rising(_STRENGTHS[:, None, None, None] * rows, *cells).reshape(len(_STRENGTHS), -1).sum(axis=1)
        values -= _log_rising(_STRENGTHS[:, None, None], *totals).reshape(len(_STRENGTHS), -1).sum(axis=1)
        return float(_STRENGTHS[int(np.argmax(values))])

    def refresh(self, posterior: FloatArray, prior: _Prior, strength: float) -> float:
        """Renews ``posterior`` in place; the largest change."""
        prevalence, change = np.ones(len(posterior)) @ posterior + 1.0, 0.0
        for block, likely in self._likely(posterior, prior, strength):
            old = posterior[block.units]
            joint = _joint(block, old, prevalence, np.log(likely))
            softmax_rows(joint)
            joint[~block.is_answered] = 0.0
            change = max(change, float(np.abs(joint - old).max(initial=0.0)))
            posterior[block.units] = joint
        return change

    def log_predictive(self, posterior: FloatArray, prior: _Prior, strength: float) -> float:
        """The mean log probability of an answer given all other answers."""
        prevalence, total = np.ones(len(posterior)) @ posterior + 1.0, 0.0
        for block, likely in self._likely(posterior, prior, strength):
            evidence = np.log(likely)
            others = _joint(block, posterior[block.units], prevalence, evidence)[block.local] - evidence
            softmax_rows(others)
            total += float(np.log(np.einsum("ak,ak->a", others, likely)).sum())
        return total / max(len(self.answers.unit), 1)

    def _likely(self, posterior: FloatArray, prior: _Prior, strength: float) -> Iterator[tuple[_Block, FloatArray]]:
        """For each block ``likely[answer, truth]``: the chance of each answer under each truth, without what it said itself."""
        weight = prior.counts + strength * prior.mean
        table = np.ascontiguousarray(weight.transpose(0, 2, 1)).reshape(-1, self.q)
        total = prior.counts.sum(axis=2) + strength
        for block in self.blocks:
            # Rows are gathered by ``take``, which is several times as fast as an index where rows are short.
            own = posterior.take(block.unit, axis=0)
            likely = table.take(block.cell, axis=0)
            likely -= own
            np.maximum(likely, 1e-12, out=likely)
            likely /= total.take(block.rater, axis=0) - own
            yield block, likely

    def confusion(self, posterior: FloatArray, prior: _Prior, strength: float) -> tuple[FloatArray, FloatArray]:
        counts = (self.by_cell @ posterior).reshape(-1, self.q, self.q).transpose(0, 2, 1)
        weight = counts + strength * prior.mean
        prevalence = posterior.sum(axis=0) + 1.0
        return weight / weight.sum(axis=2, keepdims=True), prevalence / prevalence.sum()


def _known_rows(known: ArrayLike | None, answers: Answers, has_votes: BoolArray) -> tuple[IntArray, FloatArray]:
    """Which answered units have a known truth, and their certain posteriors."""
    if known is None:
        return np.empty(0, dtype=np.int64), np.empty((0, answers.n_categories))
    truth = np.asarray(known, dtype=np.float64)
    if truth.shape != (answers.n_units,):
        message = f"known has shape {truth.shape}; one value for each of the {answers.n_units} units is needed"
        raise ValueError(message)
    rows = np.flatnonzero(~np.isnan(truth) & has_votes)
    if not np.isin(truth[rows], answers.categories).all():
        message = f"known holds a category outside {answers.categories.tolist()}"
        raise ValueError(message)
    codes = category_codes(truth[rows], answers.categories)
    return rows, np.eye(answers.n_categories)[codes]


def _blocks(first: IntArray, size: int) -> list[tuple[slice, slice]]:
    """Runs of whole units with about ``size`` answers: the slice of units, and that of their answers."""
    n_units, found, start = len(first) - 1, [], 0
    while start < n_units:
        end = min(max(int(np.searchsorted(first, first[start] + size, side="right")) - 1, start + 1), n_units)
        end = min(end, start + size)
        found.append((slice(start, end), slice(int(first[start]), int(first[end]))))
        start = end
    return found


def _count_moments(matrix: sparse.csc_array, posterior: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of counts that sum independent yes-or-no draws: P(count > 0), and mean and variance given that it is."""
    mean = matrix @ posterior
    spread = matrix @ (posterior * (1 - posterior))
    positive = np.maximum(-np.expm1(matrix @ np.log1p(-np.minimum(posterior, 1 - 1e-12))), 1e-300)
    given = mean / positive
    return positive, given, np.maximum(spread / positive - (1 - positive) * given**2, 0.0)


def _log_rising(base: FloatArray, positive: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """E[log Gamma(base + count) - log Gamma(base)] to second order (Teh et al., eq 17)."""
    step = gammaln(base + mean) - gammaln(base) + 0.5 * zeta(2, base + mean) * variance
    return np.asarray(positive * step, dtype=np.float64)


def _fitted_skill_strength(right: FloatArray, n: FloatArray, expected: FloatArray) -> float:
    known = n > 0
    right, wrong, expected = right[known], (n - right)[known], expected[known]
    s = _STRENGTHS[:, None]
    values = (
        (gammaln(s * expected + right) - gammaln(s * expected)).sum(axis=1)
        + (gammaln(s * (1 - expected) + wrong) - gammaln(s * (1 - expected))).sum(axis=1)
        - (gammaln(s + right + wrong) - gammaln(s)).sum(axis=1)
    )
    return float(_STRENGTHS[int(np.argmax(values))])


def _safe_logit(share: FloatArray) -> FloatArray:
    return np.asarray(logit(np.clip(share, 1e-4, 1 - 1e-4)), dtype=np.float64)
