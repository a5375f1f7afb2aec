"""Truth where some raters only click: each answer is either known, or drawn from the rater's own habit (MACE).

P(answer) = spam_w * habit_w(answer) + (1 - spam_w) * [answer is the truth]. Not here: confusions between categories.

References
----------
Hovy D, Berg-Kirkpatrick T, Vaswani A, Hovy E (2013) Learning whom to trust with MACE. NAACL-HLT, 1120-1130.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import ClassPosterior, checked_answers, softmax_rows, without_unanswered
from labelhub.numerics.results import FloatArray

METHOD = "MACE"
VERSION = "2"

_KNOWING_PRIOR = 0.5
_MOSTLY = 0.6
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mace(ClassPosterior):
    """Truth, ``spam[rater]`` (share of answers given without looking) and ``habit[rater, given]``."""

    spam: FloatArray
    habit: FloatArray
    n_restarts: int


@checked
def mace(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    n_restarts: int = 10,
    n_iterations: int = 50,
    habit_prior: float = 10.0,
) -> Mace:
    """The true category of each unit and each rater's share of spam, by variational Bayes from several starts.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    rng : numpy.random.Generator, optional
        Of the starts; seeded with 0 by default, so that a second call gives the same.
    n_restarts, n_iterations : int
        Starts (the likeliest result is kept) and rounds of each; the paper's are 10 and 50.
    habit_prior : float
        Pseudo-answers a category by which a rater's habit is taken to be even, above 0; the paper's are 10.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, a rating is none of them, or there is no start or no round.

    Examples
    --------
    >>> found = mace([[0, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]])
    >>> found.winner.tolist(), bool(found.spam[2] > found.spam[0])
    ([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], True)
    """
    if not habit_prior > 0:
        message = f"habit_prior is {habit_prior!r}; it must be above 0"
        raise ValueError(message)
    if n_restarts < 1 or n_iterations < 1:
        message = f"n_restarts is {n_restarts} and n_iterations {n_iterations}; both must be at least 1"
        raise ValueError(message)
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    generator = np.random.default_rng(0) if rng is None else rng
    best = max(
        (_one_run(answers, generator, n_iterations, habit_prior) for _ in range(n_restarts)),
        key=lambda run: run.likelihood,
    )
    spam_share = np.asarray(best.spam, dtype=np.float64)
    notes = []
    if answers.n_raters and float(answers.n_of_rater @ spam_share) > _MOSTLY * len(answers.unit) > 0:
        notes.append(
            "most answers look like spam: raters do not agree enough for this model, and it may follow a single one"
        )
    return Mace(
        posterior=without_unanswered(best.posterior, answers.n_of_unit > 0),
        categories=answers.categories,
        log_likelihood=best.likelihood,
        n_iterations=n_iterations,
        is_converged=best.is_converged,
        method=METHOD,
        warnings=tuple(notes) if best.is_converged else (f"not converged after {n_iterations} rounds", *notes),
        version=VERSION,
        spam=spam_share,
        habit=best.habit,
        n_restarts=n_restarts,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    posterior: FloatArray
    spam: FloatArray
    habit: FloatArray
    likelihood: float
    is_converged: bool


def _one_run(answers: Answers, rng: np.random.Generator, n_iterations: int, habit_prior: float) -> _Run:
    q, n_raters = answers.n_categories, answers.n_raters
    cell, flat = answers.rater * q + answers.given, answers.unit * q + answers.given
    n = answers.n_of_rater.astype(np.float64)
    has_votes = answers.n_of_unit > 0
    knowing = 0.5 + 0.5 * rng.random(n_raters)
    spamming, habit = 1 - knowing, rng.dirichlet(np.ones(q), n_raters)
    likelihood, is_converged = -np.inf, False
    joint = np.zeros((answers.n_units, q))
    for _ in range(n_iterations):
        by_habit = np.maximum(spamming[answers.rater] * habit.ravel()[cell], _TINY)
        known = knowing[answers.rater]
        # A category that was not given can only have been missed by habit: one sum over answers serves all categories.
        joint = answers.votes(np.log1p(known / by_habit))
        evidence = softmax_rows(joint)
        before, likelihood = likelihood, float((evidence[has_votes] - np.log(q)).sum() + np.log(by_habit).sum())
        is_converged = abs(likelihood - before) <= 1e-4 * abs(likelihood)
        is_known = joint.ravel()[flat] * known / (known + by_habit)
        n_known = np.bincount(answers.rater, is_known, minlength=n_raters)
        n_habit = np.bincount(cell, 1 - is_known, minlength=n_raters * q).reshape(n_raters, q)
        total = digamma(n + 2 * _KNOWING_PRIOR)
        knowing = np.exp(digamma(n_known + _KNOWING_PRIOR) - total)
        spamming = np.exp(digamma(n - n_known + _KNOWING_PRIOR) - total)
        of_habit = n_habit + habit_prior
        habit = np.exp(digamma(of_habit) - digamma(of_habit.sum(axis=1, keepdims=True)))
    mean_habit = habit / habit.sum(axis=1, keepdims=True)
    return _Run(joint, spamming / (knowing + spamming), mean_habit, likelihood, is_converged)
