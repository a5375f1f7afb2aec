"""Truth where units differ in difficulty: the chance to be right grows with skill and falls with difficulty (GLAD).

P(rater w is right on unit i) = sigmoid(skill_w * exp(easiness_i)); errors fall evenly on the other categories. Not here:
raters' habits (``dawid_skene``), which real data show more often.

References
----------
Whitehill J, Ruvolo P, Wu T, Bergsma J, Movellan J (2009) Whose vote should count more. NIPS 22:2035-2043.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit

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

METHOD = "GLAD"
VERSION = "1"

_STEPS = 2
_LARGEST_STEP = 1.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Glad(ClassPosterior):
    """Truth, ``skill[rater]`` (0 is a clicker, below 0 worse than chance) and ``easiness[unit]`` (0 is hard, 1 usual)."""

    skill: FloatArray
    easiness: FloatArray
    prevalence: FloatArray
    n_answers: IntArray


@checked
def glad(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    shares: ArrayLike | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 100,
) -> Glad:
    """The true category of each unit, each rater's skill and each unit's easiness, by generalised EM.

    Skill and easiness have the priors Normal(1, 1) of the paper's program. The maximisation takes Fisher steps, skill and
    easiness in turns, each of which splits into one-dimensional problems.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    shares : array of float, shape (category,), optional
        Shares of the categories, held fixed; by default they are estimated, each from one unit more than it has.
    tolerance, max_iterations : float, int
        Stop when the log likelihood with priors changes by less than this share, or after so many rounds.

    Examples
    --------
    >>> found = glad([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    >>> found.winner.tolist(), bool(found.skill[0] > found.skill[2])
    ([0.0, 1.0, 0.0, 1.0], True)
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    q, flat = answers.n_categories, answers.unit * answers.n_categories + answers.given
    has_votes = answers.n_of_unit > 0
    posterior = vote_shares(answers.votes()) * has_votes[:, None]
    skill, easiness = np.ones(answers.n_raters), np.ones(answers.n_units)
    given = None if shares is None else _checked_shares(shares, q)
    prevalence = np.full(q, 1 / q)
    previous, likelihood, n_iterations, is_converged = -math.inf, -math.inf, 0, False
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        skill, easiness = _maximised(answers, posterior.ravel()[flat], skill, easiness)
        prevalence = (posterior.sum(axis=0) + 1) / (posterior.sum() + q) if given is None else given
        logit = skill[answers.rater] * np.exp(easiness)[answers.unit]
        log_wrong = log_expit(-logit) - math.log(q - 1)
        joint = answers.votes(log_expit(logit) - log_wrong)
        joint += np.log(prevalence)
        evidence = softmax_rows(joint)
        posterior = joint * has_votes[:, None]
        likelihood = float(evidence[has_votes].sum() + log_wrong.sum())
        target = likelihood - float(((skill - 1) ** 2).sum() + ((easiness - 1) ** 2).sum()) / 2
        is_converged = n_iterations > 1 and abs(target - previous) <= tolerance * abs(previous)
        previous = target
    return Glad(
        posterior=without_unanswered(posterior, has_votes),
        categories=answers.categories,
        log_likelihood=likelihood,
        n_iterations=n_iterations,
        is_converged=is_converged,
        method=METHOD,
        warnings=_doubts(answers, skill, None if is_converged else max_iterations),
        version=VERSION,
        skill=skill,
        easiness=easiness,
        prevalence=prevalence,
        n_answers=answers.n_of_rater,
    )


def _maximised(
    answers: Answers, right: FloatArray, skill: FloatArray, easiness: FloatArray
) -> tuple[FloatArray, FloatArray]:
    for _ in range(_STEPS):
        slope = np.exp(easiness)[answers.unit]
        chance = expit(skill[answers.rater] * slope)
        gradient = np.bincount(answers.rater, (right - chance) * slope, minlength=len(skill)) - (skill - 1)
        spread = np.bincount(answers.rater, chance * (1 - chance) * slope**2, minlength=len(skill)) + 1
        skill = skill + np.clip(gradient / spread, -_LARGEST_STEP, _LARGEST_STEP)
        slope = skill[answers.rater] * np.exp(easiness)[answers.unit]
        chance = expit(slope)
        gradient = np.bincount(answers.unit, (right - chance) * slope, minlength=len(easiness)) - (easiness - 1)
        spread = np.bincount(answers.unit, chance * (1 - chance) * slope**2, minlength=len(easiness)) + 1
        easiness = easiness + np.clip(gradient / spread, -_LARGEST_STEP, _LARGEST_STEP)
    return skill, easiness


def _checked_shares(shares: ArrayLike, q: int) -> FloatArray:
    given = np.asarray(shares, dtype=np.float64)
    if given.shape != (q,) or not (given > 0).all() or not np.isclose(given.sum(), 1):
        message = f"shares is {shares!r}; allowed are {q} numbers above 0, one a category, that add up to 1"
        raise ValueError(message)
    return given


def _doubts(answers: Answers, skill: FloatArray, rounds_without_end: int | None) -> tuple[str, ...]:
    found = [] if rounds_without_end is None else [f"not converged after {rounds_without_end} rounds"]
    if len(answers.unit) and float(answers.n_of_rater @ skill) < 0:
        found.append("raters look worse than chance on average: the labels may be flipped; compare with majority vote")
    return tuple(found)
