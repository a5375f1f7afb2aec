"""Truth and each rater's confusion matrix, estimated together: the method of Dawid and Skene (1979).

Here with fixed priors or none. For raters with few answers see ``hierarchical``, whose prior is estimated from all
raters; ``consensus.class_consensus`` chooses. Not here: merging shapes (``object_merge``).

Both steps are one product with the sparse matrix of who gave which answer to which unit, so that the cost of a round
is answers × categories and needs no copy of the answers. Many answers are cut into ranges of units that take their
steps in threads of their own; how many ranges depends on the answers alone, so that every machine adds up in one order.

References
----------
Dawid AP, Skene AM (1979) Maximum likelihood estimation of observer error-rates using the EM algorithm. Appl Stat
28:20-28.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import (
    ClassPosterior,
    checked_answers,
    softmax_rows,
    vote_shares,
    without_unanswered,
)
from labelhub.numerics.results import FloatArray

METHOD = "Dawid–Skene"
VERSION = "2"

_LOWEST_LOG = -1e4
_BLOCK = 4096
# Answers times categories of a round from which a second range of units is worth its thread.
_WORTH_A_THREAD = 1_000_000
_RANGES = 4
_TAKEN_OVER = 0.95
_MIN_DISPUTES = 5


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkenePriors:
    """Pseudo-counts added to each rater's confusion row and to the prevalence; all 0 is maximum likelihood."""

    diagonal: float = 4.0
    off_diagonal: float = 1.0
    prevalence: float = 1.0

    def __post_init__(self) -> None:
        """Refuse pseudo-counts below 0."""
        if not min(self.diagonal, self.off_diagonal, self.prevalence) >= 0:
            message = f"priors are {self.diagonal}, {self.off_diagonal}, {self.prevalence}; each must be at least 0"
            raise ValueError(message)

    @property
    def is_flat(self) -> bool:
        """Whether these priors add nothing, so that the estimate is maximum likelihood."""
        return self.diagonal == self.off_diagonal == self.prevalence == 0


MAXIMUM_LIKELIHOOD = DawidSkenePriors(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DawidSkene(ClassPosterior):
    """Truth and rater errors, estimated together.

    ``posterior[unit, category]`` (NaN without votes), ``prevalence[category]``,
    ``confusion[rater, truth, given]``, ``log_likelihood`` of the answers, ``n_iterations`` and ``is_converged``.
    """

    prevalence: FloatArray
    confusion: FloatArray

    @property
    def accuracy(self) -> FloatArray:
        """How often each rater is right, over the estimated prevalence."""
        return np.asarray(np.einsum("rkk,k->r", self.confusion, self.prevalence), dtype=np.float64)


@checked
def dawid_skene(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    priors: DawidSkenePriors | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 200,
) -> DawidSkene:
    """The true category of each unit and each rater's confusion matrix, by expectation and maximisation.

    Parameters
    ----------
    ratings : array of float, shape (unit, column), or Answers
        NaN where there is no answer.
    categories : sequence of float, optional
        The possible categories; those that occur by default.
    raters : array of int, shape (column,), optional
        Which rater answered each column (a rater who answered thrice has three); one a column by default.
    priors : DawidSkenePriors, optional
        Default 4 and 1 pseudo-counts; ``MAXIMUM_LIKELIHOOD`` for the method of the paper.
    tolerance, max_iterations : float, int
        Stop when the log likelihood (with priors) changes by less than this share, or after so many rounds.

    Returns
    -------
    DawidSkene
        With a warning where it did not converge, where raters look worse than chance (labels may be flipped), or where
        it follows one rater against the vote of the others.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, or a rating is none of them.

    Examples
    --------
    >>> found = dawid_skene([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    >>> found.winner.tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    used = DawidSkenePriors() if priors is None else priors
    has_votes = answers.n_of_unit > 0
    by_unit = answers.by_unit()
    if not has_votes.all():
        by_unit = by_unit[has_votes]
    votes = answers.votes()
    posterior = vote_shares(votes)[has_votes]
    ranges = _ranges(by_unit, posterior)
    previous, n_iterations, is_converged, likelihood = -math.inf, 0, False, -math.inf
    cells, shares = np.sum([one.cells() for one in ranges], axis=0), posterior.sum(axis=0)
    prevalence, confusion = _maximise(cells, shares, answers.n_raters, used)
    with ThreadPoolExecutor(min(len(ranges), os.cpu_count() or 1)) as pool:
        while n_iterations < max_iterations and not is_converged:
            n_iterations += 1
            likelihood, cells, shares = _steps(ranges, _log_cells(confusion), _safe_log(prevalence), pool)
            target = likelihood + _log_prior(prevalence, confusion, used)
            is_converged = n_iterations > 1 and abs(target - previous) <= tolerance * abs(previous)
            previous = target
            prevalence, confusion = _maximise(cells, shares, answers.n_raters, used)
    full = np.zeros((answers.n_units, answers.n_categories))
    full[has_votes] = posterior
    return DawidSkene(
        posterior=without_unanswered(full, has_votes),
        prevalence=prevalence,
        confusion=confusion,
        categories=answers.categories,
        log_likelihood=likelihood,
        n_iterations=n_iterations,
        is_converged=is_converged,
        method="Dawid–Skene, maximum likelihood" if used.is_flat else "Dawid–Skene with priors",
        warnings=doubts(answers, votes, full, confusion, None if is_converged else max_iterations),
        version=VERSION,
    )


def doubts(
    answers: Answers,
    votes: FloatArray,
    posterior: FloatArray,
    confusion: FloatArray,
    rounds_without_end: int | None,
) -> tuple[str, ...]:
    """Why an estimate of raters' confusions may be degenerate, in words; empty where nothing is suspicious."""
    found = []
    if rounds_without_end is not None:
        found.append(f"not converged after {rounds_without_end} rounds")
    n = answers.n_of_rater
    share = n / max(n.sum(), 1)
    diagonal = np.diagonal(confusion, axis1=1, axis2=2).mean(axis=1)
    if len(diagonal) and (diagonal.mean() < 1 / answers.n_categories or share @ diagonal < 1 / answers.n_categories):
        found.append("raters look worse than chance on average: the labels may be flipped; compare with majority vote")
    rater = _followed_rater(answers, votes, posterior)
    if rater is not None:
        found.append(
            f"the estimate follows rater {rater} wherever that rater stands against the vote of the others: "
            "check that rater against gold, or compare with majority vote"
        )
    return tuple(found)


def answers_log_likelihood(answers: Answers, prevalence: FloatArray, confusion: FloatArray) -> float:
    """The log likelihood of all answers under this prevalence and these confusions."""
    joint = answers.by_unit() @ _log_cells(confusion) + _safe_log(prevalence)
    return float(softmax_rows(joint).sum())


def _followed_rater(answers: Answers, votes: FloatArray, posterior: FloatArray) -> int | None:
    """The rater whom the estimate follows in nearly all disputes with two or more others who agree, if there is one."""
    q = answers.n_categories
    is_lonely = votes.ravel()[answers.unit * q + answers.given] == 1
    is_against = is_lonely & (votes.max(axis=1, initial=0.0) >= 2)[answers.unit]
    wins = is_against & (posterior.argmax(axis=1)[answers.unit] == answers.given)
    n_against = np.bincount(answers.rater[is_against], minlength=answers.n_raters)
    n_wins = np.bincount(answers.rater[wins], minlength=answers.n_raters)
    is_followed = (n_against >= _MIN_DISPUTES) & (n_wins >= _TAKEN_OVER * n_against)
    if not is_followed.any():
        return None
    return int(np.where(is_followed, n_wins, -1).argmax())


class _Range:
    """A range of units: who answered what there, and their rows of the posterior, which a step replaces."""

    def __init__(self, by_unit: sparse.csr_array, posterior: FloatArray) -> None:
        self.by_cell = by_unit.T
        self.blocks = [by_unit[row : row + _BLOCK] for row in range(0, by_unit.shape[0], _BLOCK)]
        self.posterior = posterior

    def step(self, log_cells: FloatArray, log_prevalence: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Fills the posterior, block by block in a core's cache: its log likelihood, ``cells``, and units a truth."""
        likelihood, row, shares = 0.0, 0, np.zeros(len(log_prevalence))
        for block in self.blocks:
            joint = block @ log_cells
            joint += log_prevalence
            likelihood += float(softmax_rows(joint).sum())
            self.posterior[row : row + len(joint)] = joint
            row += len(joint)
            shares += joint.sum(axis=0)
        return likelihood, self.cells(), shares

    def cells(self) -> FloatArray:
        """How much of each truth lies behind each answer of each rater: shape (rater x given, truth)."""
        return np.asarray(self.by_cell @ self.posterior, dtype=np.float64)


def _steps(
    ranges: Sequence[_Range], log_cells: FloatArray, log_prevalence: FloatArray, pool: ThreadPoolExecutor
) -> tuple[float, FloatArray, FloatArray]:
    """A step of every range, added up in their order."""
    if len(ranges) == 1:
        # To wake a thread would cost a small crowd more than its step.
        return ranges[0].step(log_cells, log_prevalence)
    done = list(pool.map(lambda one: one.step(log_cells, log_prevalence), ranges))
    return (
        sum(step[0] for step in done),
        np.sum([step[1] for step in done], axis=0),
        np.sum([step[2] for step in done], axis=0),
    )


def _ranges(by_unit: sparse.csr_array, posterior: FloatArray) -> list[_Range]:
    n_ranges = min(_RANGES, max(1, by_unit.nnz * posterior.shape[1] // _WORTH_A_THREAD))
    bounds = np.linspace(0, len(posterior), n_ranges + 1).astype(np.int64).tolist()
    return [_Range(by_unit[start:stop], posterior[start:stop]) for start, stop in pairwise(bounds)]


def _maximise(
    cells: FloatArray, shares: FloatArray, n_raters: int, priors: DawidSkenePriors
) -> tuple[FloatArray, FloatArray]:
    q = len(shares)
    counts = cells.reshape(n_raters, q, q).transpose(0, 2, 1)
    smoothed = counts + priors.off_diagonal + (priors.diagonal - priors.off_diagonal) * np.eye(q)
    total = smoothed.sum(axis=2, keepdims=True)
    # A category that no unit has says nothing of the rater: every answer is then equally likely.
    confusion = np.where(total > 0, smoothed / np.where(total > 0, total, 1.0), 1 / q)
    prevalence = shares + priors.prevalence
    mass = prevalence.sum()
    return prevalence / mass if mass > 0 else np.full(q, 1 / q), confusion


def _log_cells(confusion: FloatArray) -> FloatArray:
    """Logarithms as one row a (rater, given) cell and one column a truth."""
    n_raters, q, _ = confusion.shape
    return _safe_log(np.ascontiguousarray(confusion.transpose(0, 2, 1)).reshape(n_raters * q, q))


def _safe_log(values: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log(values), _LOWEST_LOG), dtype=np.float64)


def _log_prior(prevalence: FloatArray, confusion: FloatArray, priors: DawidSkenePriors) -> float:
    if priors.is_flat:
        return 0.0
    q = len(prevalence)
    pseudo = priors.off_diagonal + (priors.diagonal - priors.off_diagonal) * np.eye(q)
    safe = np.log(np.maximum(confusion, 1e-300))
    return float((pseudo * safe).sum() + priors.prevalence * np.log(np.maximum(prevalence, 1e-300)).sum())
