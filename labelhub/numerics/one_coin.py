"""One number a rater: the chance to be right, whatever the truth; errors fall evenly on the other categories.

The right model for very few answers and raters without habits; where errors favour a category it is worse than a vote
(108 birds of Welinder: 72.2 % against the vote's 75.9 %) and may converge to the flipped answer. ZenCrowd is the same model
without a prior. Not here: confusions (``dawid_skene``), difficulty (``glad``).

References
----------
Demartini G, Difallah DE, Cudré-Mauroux P (2012) ZenCrowd. WWW 2012 (maximum likelihood).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
from labelhub.numerics.results import FloatArray, IntArray

METHOD = "one-coin model"
VERSION = "1"

_FLOOR = 1e-12


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OneCoin(ClassPosterior):
    """Truth and one accuracy a rater: ``accuracy[rater]``, ``prevalence[category]``, ``n_answers[rater]``."""

    accuracy: FloatArray
    prevalence: FloatArray
    n_answers: IntArray


@checked
def one_coin(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    pseudo_right: float = 4.0,
    pseudo_wrong: float = 1.0,
    tolerance: float = 1e-7,
    max_iterations: int = 200,
) -> OneCoin:
    """The true category of each unit if every rater is right with one chance; by expectation and maximisation.

    Parameters
    ----------
    ratings, categories, raters, tolerance, max_iterations
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    pseudo_right, pseudo_wrong : float
        Answers added to each rater's: accuracy is (right + 4) / (n + 5) by default; 0 and 0 is maximum likelihood.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, a rating is none of them, or a pseudo-count is below 0.

    Examples
    --------
    >>> found = one_coin([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]])
    >>> found.winner.tolist(), found.accuracy.round(2).tolist()
    ([0.0, 1.0, 0.0, 1.0, 0.0], [0.89, 0.89, 0.71])
    """
    if not (pseudo_right >= 0 and pseudo_wrong >= 0):
        message = f"pseudo_right is {pseudo_right} and pseudo_wrong {pseudo_wrong}; both must be at least 0"
        raise ValueError(message)
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    q, votes, n_answers = answers.n_categories, answers.votes(), answers.n_of_rater
    has_votes = answers.n_of_unit > 0
    entries = (np.ones(len(answers.unit)), (answers.unit * q + answers.given, answers.rater))
    weights = sparse.csr_array(entries, shape=(answers.n_units * q, answers.n_raters))
    by_rater = weights.T
    posterior = vote_shares(votes) * has_votes[:, None]
    previous, likelihood, n_iterations, is_converged = -math.inf, -math.inf, 0, False
    accuracy, prevalence = _maximise(by_rater, posterior, n_answers, pseudo_right, pseudo_wrong)
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        right = np.clip(accuracy, _FLOOR, 1 - _FLOOR)
        wrong = np.log((1 - right) / (q - 1))
        joint = (weights @ (np.log(right) - wrong)).reshape(-1, q) + np.log(np.maximum(prevalence, _FLOOR))
        evidence = softmax_rows(joint)
        likelihood = float(evidence[has_votes].sum() + n_answers @ wrong)
        posterior = joint * has_votes[:, None]
        target = likelihood + float((pseudo_right * np.log(right) + pseudo_wrong * np.log(1 - right)).sum())
        is_converged = n_iterations > 1 and abs(target - previous) <= tolerance * abs(previous)
        previous = target
        accuracy, prevalence = _maximise(by_rater, posterior, n_answers, pseudo_right, pseudo_wrong)
    return OneCoin(
        posterior=without_unanswered(posterior, has_votes),
        categories=answers.categories,
        log_likelihood=likelihood,
        n_iterations=n_iterations,
        is_converged=is_converged,
        method=METHOD,
        warnings=_doubts(accuracy, n_answers, q, None if is_converged else max_iterations),
        version=VERSION,
        accuracy=accuracy,
        prevalence=prevalence,
        n_answers=n_answers,
    )


def _maximise(
    by_rater: sparse.csc_array, posterior: FloatArray, n_answers: IntArray, pseudo_right: float, pseudo_wrong: float
) -> tuple[FloatArray, FloatArray]:
    n = n_answers + pseudo_right + pseudo_wrong
    right = by_rater @ posterior.ravel() + pseudo_right
    # A rater without answers and without a prior is as good as a coin.
    accuracy = np.where(n > 0, right / np.where(n > 0, n, 1.0), 1 / posterior.shape[1])
    prevalence = posterior.sum(axis=0) + 1.0
    return accuracy, prevalence / prevalence.sum()


def _doubts(accuracy: FloatArray, n_answers: IntArray, q: int, rounds_without_end: int | None) -> tuple[str, ...]:
    found = [] if rounds_without_end is None else [f"not converged after {rounds_without_end} rounds"]
    n = int(n_answers.sum())
    if n and float(n_answers @ accuracy) / n < 1 / q:
        found.append("raters look worse than chance on average: the labels may be flipped; compare with majority vote")
    if n and ((accuracy > 1 - 1e-3) & (n_answers >= 10)).any():
        best = int(np.where(n_answers >= 10, accuracy, 0.0).argmax())
        found.append(f"rater {best} looks all but perfect: the estimate may have collapsed onto that rater")
    return tuple(found)
