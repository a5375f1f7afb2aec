"""The settled class of each unit from several raters' answers: majority vote with ties kept, and Dawid-Skene.

Every result carries a confidence for each unit. Not here: merging shapes (``object_merge``), and whether a consensus is
good enough (routing).

References
----------
Dawid AP, Skene AM (1979) Maximum likelihood estimation of observer error-rates using the EM algorithm. Appl Stat
28:20-28.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

METHOD = "class consensus"
VERSION = "1"

_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class MajorityVote:
    """What most raters said of each unit.

    ``winner[unit]`` is the category, NaN at a tie or without votes; ``is_tie[unit]``; ``confidence[unit]`` the share of
    votes of the leading category (NaN without votes); ``votes[unit, category]`` counts (or weights) of ``categories``.
    """

    winner: FloatArray
    is_tie: BoolArray
    confidence: FloatArray
    votes: FloatArray
    categories: FloatArray
    method: str = "majority vote, ties kept as ties"
    version: str = VERSION

    @property
    def n_ties(self) -> int:
        """How many units are tied."""
        return int(self.is_tie.sum())


def majority_vote(
    ratings: ArrayLike, *, categories: Sequence[float] | None = None, weights: ArrayLike | None = None
) -> MajorityVote:
    """The category with most votes, unit by unit; a tie stays a tie and is never given to the first category.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate.
    categories : sequence of float, optional
        The possible categories; those that occur by default.
    weights : array of float, shape (rater,), optional
        Weight of each rater's vote, at least 0; 1 by default.

    Examples
    --------
    >>> vote = majority_vote([[1, 1, 2], [1, 2, float("nan")]])
    >>> vote.winner.tolist(), vote.is_tie.tolist(), vote.confidence.round(2).tolist()
    ([1.0, nan], [False, True], [0.67, 0.5])
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    codes = category_codes(matrix, values)
    if weights is None:
        votes = category_counts(codes, len(values))
    else:
        votes = _weighted_votes(codes, np.asarray(weights, dtype=np.float64), len(values))
    total = votes.sum(axis=1)
    if not len(values):
        return MajorityVote(np.full(len(matrix), NAN), total > 0, np.full(len(matrix), NAN), votes, values)
    most = votes.max(axis=1)
    leaders = votes >= (most - _TIE * np.maximum(most, 1))[:, None]
    is_tie = (total > 0) & (leaders.sum(axis=1) > 1)
    winner = np.where((total > 0) & ~is_tie, values[votes.argmax(axis=1)], NAN)
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = np.where(total > 0, most / total, NAN)
    return MajorityVote(winner, is_tie, confidence, votes, values)


def expected_correct(vote: MajorityVote, truth: ArrayLike) -> FloatArray:
    """The chance that each unit is right if ties are broken at random; NaN without votes or truth.

    Examples
    --------
    >>> expected_correct(majority_vote([[1, 1], [1, 2]]), [1, 1]).tolist()
    [1.0, 0.5]
    """
    known = np.asarray(truth, dtype=np.float64)
    if known.shape != vote.winner.shape:
        message = f"truth has shape {known.shape}; one value for each of the {len(vote.winner)} units is needed"
        raise ValueError(message)
    most = vote.votes.max(axis=1, initial=0.0)
    leaders = (vote.votes >= (most - _TIE * np.maximum(most, 1))[:, None]) & (most > 0)[:, None]
    right = (leaders & (vote.categories[None, :] == known[:, None])).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((most > 0) & ~np.isnan(known), right / leaders.sum(axis=1), NAN)


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkenePriors:
    """Pseudo-counts added to each rater's confusion row and to the prevalence; all 0 is maximum likelihood."""

    diagonal: float = 4.0
    off_diagonal: float = 1.0
    prevalence: float = 1.0


MAXIMUM_LIKELIHOOD = DawidSkenePriors(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """Truth and rater errors, estimated together.

    ``posterior[unit, category]`` (NaN without votes), ``prevalence[category]``,
    ``confusion[rater, truth, given]``, ``log_likelihood`` of the answers, ``n_iterations`` and ``is_converged``.
    """

    posterior: FloatArray
    prevalence: FloatArray
    confusion: FloatArray
    categories: FloatArray
    log_likelihood: float
    n_iterations: int
    is_converged: bool
    method: str
    warnings: tuple[str, ...] = ()
    version: str = VERSION

    @property
    def winner(self) -> FloatArray:
        """The most probable category of each unit, NaN at a tie or without votes."""
        filled = np.nan_to_num(self.posterior, nan=0.0)
        most = filled.max(axis=1)
        is_single = (filled >= most[:, None] - _TIE).sum(axis=1) == 1
        return np.where(is_single & (most > 0), self.categories[filled.argmax(axis=1)], NAN)

    @property
    def confidence(self) -> FloatArray:
        """The posterior of the winner."""
        return np.asarray(self.posterior.max(axis=1), dtype=np.float64)


def dawid_skene(
    ratings: ArrayLike,
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
    ratings : array of float, shape (unit, column)
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
        With a warning where it did not converge, or where raters look worse than chance (labels may be flipped).

    Examples
    --------
    >>> found = dawid_skene([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    >>> found.winner.tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    matrix = rating_matrix(ratings)
    values = category_values(matrix, categories)
    if len(values) < 2:
        message = f"{len(values)} categories are possible; at least 2 are needed (pass categories)"
        raise ValueError(message)
    codes = category_codes(matrix, values)
    answers = _answers(codes, raters)
    used = DawidSkenePriors() if priors is None else priors
    counts = category_counts(codes, len(values))
    has_votes = counts.sum(axis=1) > 0
    posterior = counts[has_votes] / counts[has_votes].sum(axis=1, keepdims=True)
    unit_number = np.cumsum(has_votes) - 1
    units = unit_number[answers.unit]
    previous, n_iterations, is_converged = -math.inf, 0, False
    prevalence, confusion = _maximise(posterior, units, answers, used)
    likelihood = previous
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        posterior, likelihood = _expect(prevalence, confusion, units, answers, len(posterior))
        target = likelihood + _log_prior(prevalence, confusion, used)
        is_converged = n_iterations > 1 and abs(target - previous) <= tolerance * abs(previous)
        previous = target
        prevalence, confusion = _maximise(posterior, units, answers, used)
    full = np.full((len(matrix), len(values)), NAN)
    full[has_votes] = posterior
    name = "Dawid–Skene, maximum likelihood" if used == MAXIMUM_LIKELIHOOD else "Dawid–Skene with priors"
    return DawidSkene(
        full, prevalence, confusion, values, likelihood, n_iterations, is_converged, name,
        _degeneracy(confusion, is_converged, max_iterations),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    unit: IntArray
    rater: IntArray
    given: IntArray
    n_raters: int


def _answers(codes: IntArray, raters: ArrayLike | None) -> _Answers:
    owner = np.arange(codes.shape[1]) if raters is None else np.asarray(raters, dtype=np.int64)
    if owner.shape != (codes.shape[1],) or (owner < 0).any():
        message = f"raters has shape {owner.shape}; each of {codes.shape[1]} columns needs a number from 0 on"
        raise ValueError(message)
    unit, column = np.nonzero(codes >= 0)
    return _Answers(unit, owner[column], codes[unit, column], int(owner.max(initial=-1)) + 1)


def _expect(
    prevalence: FloatArray, confusion: FloatArray, units: IntArray, answers: _Answers, n_units: int
) -> tuple[FloatArray, float]:
    with np.errstate(divide="ignore"):
        log_confusion, log_prevalence = np.log(confusion), np.log(prevalence)
    evidence = log_confusion[answers.rater, :, answers.given]
    joint = np.column_stack(
        [np.bincount(units, weights=column, minlength=n_units) for column in np.maximum(evidence, -1e4).T]
    )
    joint += np.maximum(log_prevalence, -1e4)
    most = joint.max(axis=1, keepdims=True)
    scaled = np.exp(joint - most)
    total = scaled.sum(axis=1, keepdims=True)
    return scaled / total, float((most + np.log(total)).sum())


def _maximise(
    posterior: FloatArray, units: IntArray, answers: _Answers, priors: DawidSkenePriors
) -> tuple[FloatArray, FloatArray]:
    q = posterior.shape[1]
    cell = answers.rater * q + answers.given
    size = answers.n_raters * q
    counts = np.stack(
        [np.bincount(cell, weights=posterior[units, truth], minlength=size).reshape(-1, q) for truth in range(q)],
        axis=1,
    )
    smoothed = counts + priors.off_diagonal + (priors.diagonal - priors.off_diagonal) * np.eye(q)
    total = smoothed.sum(axis=2, keepdims=True)
    # A category that no unit has says nothing of the rater: every answer is then equally likely.
    confusion = np.where(total > 0, smoothed / np.where(total > 0, total, 1.0), 1 / q)
    prevalence = posterior.sum(axis=0) + priors.prevalence
    return prevalence / prevalence.sum(), confusion


def _log_prior(prevalence: FloatArray, confusion: FloatArray, priors: DawidSkenePriors) -> float:
    if priors == MAXIMUM_LIKELIHOOD:
        return 0.0
    q = len(prevalence)
    pseudo = priors.off_diagonal + (priors.diagonal - priors.off_diagonal) * np.eye(q)
    safe = np.log(np.maximum(confusion, 1e-300))
    return float((pseudo * safe).sum() + priors.prevalence * np.log(np.maximum(prevalence, 1e-300)).sum())


def _degeneracy(confusion: FloatArray, is_converged: bool, max_iterations: int) -> tuple[str, ...]:
    q = confusion.shape[1]
    found = []
    if not is_converged:
        found.append(f"not converged after {max_iterations} rounds")
    if float(np.diagonal(confusion, axis1=1, axis2=2).mean()) < 1 / q:
        found.append("raters look worse than chance on average: the labels may be flipped; compare with majority vote")
    return tuple(found)


def _weighted_votes(codes: IntArray, weights: FloatArray, n_categories: int) -> FloatArray:
    if weights.shape != (codes.shape[1],) or not np.isfinite(weights).all() or (weights < 0).any():
        message = f"weights has shape {weights.shape}; each of {codes.shape[1]} raters needs a finite one, from 0 on"
        raise ValueError(message)
    unit, rater = np.nonzero(codes >= 0)
    flat = unit * n_categories + codes[unit, rater]
    votes = np.bincount(flat, weights=weights[rater], minlength=len(codes) * n_categories)
    return votes.reshape(len(codes), n_categories).astype(np.float64)
