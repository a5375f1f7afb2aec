"""The settled class of each unit from several raters' answers: majority vote with ties kept, and the default consensus.

Every result carries a confidence for each unit. The estimates that the default chooses from stand in modules of their own
(``dawid_skene``, ``hierarchical``, ``one_coin``), as do further ones (``weighted``, ``glad``, ``mace``, ``crowdlab``).
Not here: merging shapes (``object_merge``), and whether a consensus is good enough (routing).

References
----------
Paun S et al. (2018) Comparing Bayesian models of annotation. TACL 6:571-585 (a pooled model wins at most sizes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.class_posterior import ClassPosterior, checked_answers
from labelhub.numerics.dawid_skene import MAXIMUM_LIKELIHOOD, DawidSkene, DawidSkenePriors, dawid_skene
from labelhub.numerics.hierarchical import HierarchicalDawidSkene, hierarchical_dawid_skene
from labelhub.numerics.one_coin import OneCoin, one_coin
from labelhub.numerics.ratings import category_codes, category_counts, category_values, rating_matrix
from labelhub.numerics.reliability import Calibration, ReliabilityCurve, calibrated, reliability_curve
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

__all__ = [
    "MAXIMUM_LIKELIHOOD",
    "Candidate",
    "ClassConsensus",
    "DawidSkene",
    "DawidSkenePriors",
    "HierarchicalDawidSkene",
    "MajorityVote",
    "OneCoin",
    "class_consensus",
    "dawid_skene",
    "expected_correct",
    "hierarchical_dawid_skene",
    "majority_vote",
    "one_coin",
]

METHOD = "class consensus"
VERSION = "2"

_TIE = 1e-9
_MIN_ANSWERS_TO_HOLD = 3
_SIGN_TEST_LEVEL = 0.05


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


@checked
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

    Raises
    ------
    ValueError
        Where a rating is none of the categories, or there is not one weight of at least 0 a rater.

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
    return _vote_of(votes, values)


@checked
def expected_correct(vote: MajorityVote, truth: ArrayLike) -> FloatArray:
    """The chance that each unit is right if ties are broken at random; NaN without votes or truth.

    Parameters
    ----------
    vote : MajorityVote
    truth : array of float, shape (unit,)
        The true category, NaN where unknown.

    Raises
    ------
    ValueError
        Where truth does not have one value a unit.

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
class Candidate:
    """One method's estimate, and what speaks for it.

    ``held_out`` is the mean log probability that it gave to answers it had not seen (NaN where none could be held
    out), ``n_held_out`` their number.
    """

    name: str
    estimate: ClassPosterior
    held_out: float
    n_held_out: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassConsensus:
    """The settled category of each unit, the method that was chosen and why, with the vote beside it.

    ``winner[unit]`` (NaN at a tie or without answers), ``confidence[unit]`` and ``posterior[unit, category]`` are
    corrected by gold where there is enough. ``differs[unit]`` marks where the vote says otherwise, or is tied.
    ``reliability`` is judged by gold where there is any, else by held-out answers: how often an answer was the one
    foretold, against the chance it was given.
    """

    winner: FloatArray
    confidence: FloatArray
    posterior: FloatArray
    categories: FloatArray
    chosen: str
    why: str
    candidates: tuple[Candidate, ...]
    vote: MajorityVote
    differs: BoolArray
    reliability: ReliabilityCurve
    calibration: Calibration
    warnings: tuple[str, ...]
    method: str = METHOD
    version: str = VERSION


@checked
def class_consensus(
    ratings: ArrayLike | Answers,
    *,
    categories: Sequence[float] | None = None,
    raters: ArrayLike | None = None,
    gold: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> ClassConsensus:
    """The default consensus: hierarchical Dawid-Skene, unless held-out answers or gold speak for something simpler.

    One-coin is used only where it foretells held-out answers better, by more than two standard errors. Majority vote is
    used only where gold says that it is more accurate (exact sign test on the gold units where the two differ, at 5 %);
    the result says so.

    Parameters
    ----------
    ratings, categories, raters
        As for :func:`labelhub.numerics.dawid_skene.dawid_skene`.
    gold : array of float, shape (unit,), optional
        The true category where it is known, else NaN. It judges and corrects; it is no answer.
    rng : numpy.random.Generator, optional
        Draws the answers to hold out; seeded with 0 by default, so that a second call gives the same.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, a rating is none of them, or gold does not have one value a unit.

    Examples
    --------
    >>> found = class_consensus([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    >>> found.winner.tolist(), found.differs.tolist()
    ([0.0, 1.0, 0.0, 1.0], [False, False, False, False])
    """
    answers = checked_answers(answers_of(ratings, categories=categories, raters=raters))
    truth = np.full(answers.n_units, NAN) if gold is None else np.asarray(gold, dtype=np.float64)
    if truth.shape != (answers.n_units,):
        message = f"gold has shape {truth.shape}; one value for each of the {answers.n_units} units is needed"
        raise ValueError(message)
    vote = _vote_of(answers.votes(), answers.categories)
    full, coin = hierarchical_dawid_skene(answers), one_coin(answers)
    held = _held_out(answers, np.random.default_rng(0) if rng is None else rng)
    candidates = (
        Candidate("hierarchical Dawid–Skene", full, _mean(held.log_full), len(held.log_full)),
        Candidate("one-coin model", coin, _mean(held.log_coin), len(held.log_coin)),
    )
    is_simpler = _is_surely_positive(held.log_coin - held.log_full)
    best = candidates[1] if is_simpler else candidates[0]
    why = f"{best.name} foretells {best.n_held_out} held-out answers " + ("better" if is_simpler else "no worse")
    if not best.n_held_out:
        why = "no answer could be held out; the hierarchical model is the default"
    posterior, winner, chosen = best.estimate.posterior, best.estimate.winner, best.name
    if _vote_is_better(vote, best.estimate, truth):
        with np.errstate(invalid="ignore"):
            posterior = vote.votes / vote.votes.sum(axis=1, keepdims=True)
        winner, chosen = vote.winner, vote.method
        why = f"majority vote is right on more gold than {best.name} (sign test, 5 %)"
    calibration = calibrated(posterior, truth, answers.categories)
    confidence = _most(posterior)
    has_answers = answers.n_of_unit > 0
    return ClassConsensus(
        winner=winner,
        confidence=_most(calibration.posterior),
        posterior=calibration.posterior,
        categories=answers.categories,
        chosen=chosen,
        why=why,
        candidates=candidates,
        vote=vote,
        differs=has_answers & ~(winner == vote.winner),
        reliability=_reliability(confidence, winner, truth, held),
        calibration=calibration,
        warnings=best.estimate.warnings,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    log_full: FloatArray
    log_coin: FloatArray
    claimed: FloatArray
    was_foretold: FloatArray


def _held_out(answers: Answers, rng: np.random.Generator) -> _HeldOut:
    """One answer of every unit with three or more, held out and foretold by both models fitted to the rest."""
    order = np.lexsort((rng.random(len(answers.unit)), answers.unit))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = answers.unit[order][1:] != answers.unit[order][:-1]
    is_held = np.zeros(len(order), dtype=bool)
    is_held[order[is_first]] = True
    is_held &= (answers.n_of_unit >= _MIN_ANSWERS_TO_HOLD)[answers.unit]
    rest, held = answers.only(~is_held), answers.only(is_held)
    if not len(held.unit):
        nothing = np.empty(0)
        return _HeldOut(nothing, nothing, nothing, nothing)
    full, coin = hierarchical_dawid_skene(rest), one_coin(rest)
    foretold = np.einsum("ak,akl->al", full.posterior[held.unit], full.confusion[held.rater])
    right = coin.accuracy[held.rater][:, None]
    belief = coin.posterior[held.unit]
    by_coin = belief * right + (1 - belief) * (1 - right) / (answers.n_categories - 1)
    at = np.arange(len(held.unit))
    logs = [np.log(np.maximum(table[at, held.given], 1e-300)) for table in (foretold, by_coin)]
    was_foretold = (foretold.argmax(axis=1) == held.given).astype(np.float64)
    return _HeldOut(logs[0], logs[1], np.minimum(foretold.max(axis=1), 1.0), was_foretold)


def _most(posterior: FloatArray) -> FloatArray:
    return np.asarray(posterior.max(axis=1), dtype=np.float64)


def _reliability(confidence: FloatArray, winner: FloatArray, truth: FloatArray, held: _HeldOut) -> ReliabilityCurve:
    right = np.where(np.isnan(truth) | np.isnan(winner), NAN, winner == truth)
    if np.isnan(right).all():
        return reliability_curve(held.claimed, held.was_foretold, judged_by="held-out answers")
    return reliability_curve(confidence, right)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else NAN


def _is_surely_positive(gains: FloatArray) -> bool:
    """Whether the mean lies above 0 by more than two standard errors: a coin's luck on few answers chooses nothing."""
    return len(gains) > 1 and float(gains.mean()) > 2 * float(gains.std(ddof=1)) / np.sqrt(len(gains))


def _vote_is_better(vote: MajorityVote, estimate: ClassPosterior, truth: FloatArray) -> bool:
    by_vote, by_model = expected_correct(vote, truth), estimate.expected_correct(truth)
    for_vote, for_model = int((by_vote > by_model).sum()), int((by_model > by_vote).sum())
    n = for_vote + for_model
    return n > 0 and float(binom.sf(for_vote - 1, n, 0.5)) < _SIGN_TEST_LEVEL


def _weighted_votes(codes: IntArray, weights: FloatArray, n_categories: int) -> FloatArray:
    if weights.shape != (codes.shape[1],) or not np.isfinite(weights).all() or (weights < 0).any():
        message = f"weights has shape {weights.shape}; each of {codes.shape[1]} raters needs a finite one, from 0 on"
        raise ValueError(message)
    unit, rater = np.nonzero(codes >= 0)
    flat = unit * n_categories + codes[unit, rater]
    votes = np.bincount(flat, weights=weights[rater], minlength=len(codes) * n_categories)
    return votes.reshape(len(codes), n_categories).astype(np.float64)


def _vote_of(votes: FloatArray, values: FloatArray) -> MajorityVote:
    total = votes.sum(axis=1)
    if not len(values):
        return MajorityVote(np.full(len(votes), NAN), total > 0, np.full(len(votes), NAN), votes, values)
    most = votes.max(axis=1)
    leaders = votes >= (most - _TIE * np.maximum(most, 1))[:, None]
    is_tie = (total > 0) & (leaders.sum(axis=1) > 1)
    winner = np.where((total > 0) & ~is_tie, values[votes.argmax(axis=1)], NAN)
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = np.where(total > 0, most / total, NAN)
    return MajorityVote(winner, is_tie, confidence, votes, values)
