"""Votes weighted by how good raters are: known accuracies, CATD and PM. Simple, fast, and blind to raters' habits.

Not here: confusions (``dawid_skene``), difficulty (``glad``).

References
----------
Nitzan S, Paroush J (1982) Optimal decision rules in uncertain dichotomous choice situations. Int Econ Rev 23:289-297.
Li Q et al. (2014) A confidence-aware approach for truth discovery on long-tail data. PVLDB 8:425-436 (CATD, eq 4).
Li Q et al. (2014) Resolving conflicts in heterogeneous data by truth discovery. SIGMOD, 1187-1198 (CRH, called PM).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import ClassPosterior, checked_answers, softmax_rows, without_unanswered
from labelhub.numerics.results import NAN, FloatArray, IntArray

METHOD = "weighted vote"
VERSION = "1"

_LEAST_ERRORS = 0.5
_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WeightedVote(ClassPosterior):
    """A vote in which rater ``w`` counts ``weight[w]``.

    ``posterior`` is a probability for known accuracies, and only a share of weight for CATD and PM.
    """

    weight: FloatArray


def optimal_weights(accuracy: ArrayLike, n_categories: int) -> FloatArray:
    """The weight log(p (K - 1) / (1 - p)) of a rater who is right with chance p and otherwise errs evenly.

    0 for a clicker, below 0 for somebody worse than chance.

    Parameters
    ----------
    accuracy : array of float, shape (rater,)
        Strictly between 0 and 1.
    n_categories : int
        At least 2.

    Raises
    ------
    ValueError
        Where an accuracy is not strictly between 0 and 1, or there are fewer than two categories.

    Examples
    --------
    >>> optimal_weights([0.5, 0.9, 0.25], 2).round(3).tolist()
    [0.0, 2.197, -1.099]
    """
    share = np.asarray(accuracy, dtype=np.float64)
    if n_categories < 2 or not ((share > 0) & (share < 1)).all():
        message = f"accuracy is {share.tolist()} of {n_categories} categories; strictly between 0 and 1, and 2 or more"
        raise ValueError(message)
    return np.asarray(np.log(share * (n_categories - 1) / (1 - share)), dtype=np.float64)


@checked
def weighted_vote(
    ratings: ArrayLike | Answers,
    accuracy: ArrayLike,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
) -> WeightedVote:
    """The most probable category where each rater's chance to be right is known, such as from gold.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    accuracy : array of float, shape (rater,)
        Strictly between 0 and 1; shrunken shares are.

    Raises
    ------
    ValueError
        Where there is not one accuracy strictly between 0 and 1 a rater, or a rating is outside the categories.

    Examples
    --------
    One good rater outvotes two poor ones.

    >>> weighted_vote([[0, 1, 1]], [0.95, 0.6, 0.6]).winner.tolist()
    [0.0]
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    weight = optimal_weights(accuracy, answers.n_categories)
    if weight.shape != (answers.n_raters,):
        message = f"accuracy has shape {weight.shape}; one a rater, {answers.n_raters}, is needed"
        raise ValueError(message)
    joint = answers.votes(weight[answers.rater])
    softmax_rows(joint)
    return WeightedVote(
        posterior=without_unanswered(joint, answers.n_of_unit > 0),
        categories=answers.categories,
        log_likelihood=NAN,
        n_iterations=0,
        is_converged=True,
        method="vote weighted by known accuracy",
        version=VERSION,
        weight=weight,
    )


@checked
def catd(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    max_iterations: int = 50,
) -> WeightedVote:
    """Weights that know how few answers they rest on: chi-squared(.025, n) over the rater's errors, and the vote, in turns.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    max_iterations : int
        Stop when the vote stands still, or after so many rounds.

    Examples
    --------
    >>> catd([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]]).winner.tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    def weights(errors: FloatArray, n: IntArray) -> FloatArray:
        # Half an error stands for none: otherwise whoever never erred would decide alone.
        return np.asarray(chi2.ppf(0.025, np.maximum(n, 1)) / np.maximum(errors, _LEAST_ERRORS), dtype=np.float64)

    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    return _in_turns(answers, weights, max_iterations, "CATD")


@checked
def pm(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    max_iterations: int = 50,
) -> WeightedVote:
    """Weights -log(error rate / largest error rate), and the vote, in turns; the worst rater counts nothing.

    Parameters
    ----------
    ratings, categories, raters, max_iterations
        As for :func:`catd`.

    Examples
    --------
    >>> pm([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]]).weight.round(2).tolist()
    [1.39, 1.39, 0.0]
    """

    def weights(errors: FloatArray, n: IntArray) -> FloatArray:
        rate = np.maximum(errors, _LEAST_ERRORS) / np.maximum(n, 1)
        found = -np.log(rate / rate[n > 0].max(initial=1e-12))
        # Where all raters are alike every logarithm is 0; equal weights say the same and decide.
        return np.ones(len(found)) if not (found[n > 0] > _TIE).any() else np.maximum(found, 0.0)

    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    return _in_turns(answers, weights, max_iterations, "PM")


def _in_turns(
    answers: Answers, weights: Callable[[FloatArray, IntArray], FloatArray], max_iterations: int, name: str
) -> WeightedVote:
    q = answers.n_categories
    flat = answers.unit * q + answers.given
    weight = np.ones(answers.n_raters)
    votes = answers.votes()
    truth, n_iterations, is_converged = _shares_of_leaders(votes), 0, False
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        errors = np.bincount(answers.rater, 1 - truth.ravel()[flat], minlength=answers.n_raters)
        weight = weights(np.asarray(errors, dtype=np.float64), answers.n_of_rater)
        votes = answers.votes(weight[answers.rater])
        before, truth = truth, _shares_of_leaders(votes)
        is_converged = bool(np.array_equal(before, truth))
    total = votes.sum(axis=1, keepdims=True)
    posterior = np.where(total > 0, votes / np.where(total > 0, total, 1.0), 1 / q)
    return WeightedVote(
        posterior=without_unanswered(posterior, answers.n_of_unit > 0),
        categories=answers.categories,
        log_likelihood=NAN,
        n_iterations=n_iterations,
        is_converged=is_converged,
        method=name,
        warnings=() if is_converged else (f"not converged after {max_iterations} rounds",),
        version=VERSION,
        weight=weight,
    )


def _shares_of_leaders(votes: FloatArray) -> FloatArray:
    most = votes.max(axis=1, keepdims=True, initial=0.0)
    leaders = votes >= most - _TIE * np.maximum(most, 1)
    return np.asarray(leaders / leaders.sum(axis=1, keepdims=True), dtype=np.float64)
