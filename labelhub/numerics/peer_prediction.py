"""Whether a rater's answers carry information, without gold: by how other raters of the same unit answer.

Correlated agreement pays for agreement on the same unit beyond agreement on different ones, so that always giving the
commonest answer, or clicking, earns nothing. The spectral skill reads each rater's accuracy off the table of pairwise
agreement. Both take raters to err independently; copiers defeat them (``copying``). Not here: truth.

References
----------
Dasgupta A, Ghosh A (2013) Crowdsourced judgement elicitation with endogenous proficiency. WWW, 319-330.
Shnayder V, Agarwal A, Frongillo R, Parkes DC (2016) Informed truthfulness in multi-task peer prediction. EC, 179-196.
Ghosh A, Kale S, McAfee P (2011) Who moderates the moderators? EC, 167-176 (spectral skill).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, BoolArray, FloatArray, IntArray

METHOD = "peer prediction"
VERSION = "1"

_ROUNDS = 500
_SETTLED = 1e-9
# Answers that go together exactly as often as by chance differ from it by rounding alone: they do not pay.
_BEYOND_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class PeerScores:
    """``score[rater]`` with its ``standard_error`` over units; 0 is uninformative. NaN for raters without peers.

    ``n[rater]`` counts units shared with a peer. ``pays[given, peer's]`` marks the pairs of answers that count as agreeing:
    those given together more often than chance.
    """

    score: FloatArray
    standard_error: FloatArray
    n: IntArray
    pays: BoolArray
    method: str
    version: str = VERSION


@checked
def correlated_agreement(
    ratings: ArrayLike | Answers, *, categories: Sequence[float] | None = None, identical_only: bool = False
) -> PeerScores:
    """Agreement with peers on the same unit, less agreement with peers on different units.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater), or Answers
        NaN where a rater did not rate.
    categories : sequence of float, optional
        The possible categories; those that occur by default.
    identical_only : bool
        Only identical answers agree (Dasgupta and Ghosh); else any pair of answers that goes together (Shnayder et al.).

    Examples
    --------
    Two who look and one who always says 0:

    >>> found = correlated_agreement([[0, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0]])
    >>> found.score.round(2).tolist()
    [0.25, 0.25, 0.0]
    """
    answers = answers_of(ratings, categories=categories)
    q, votes = answers.n_categories, answers.votes()
    others = votes[answers.unit]
    others[np.arange(len(others)), answers.given] -= 1
    n_others = others.sum(axis=1)
    kept = n_others > 0
    unit_rater, given = answers.rater[kept], answers.given[kept]
    peer = others[kept] / n_others[kept][:, None]
    n = np.bincount(unit_rater, minlength=answers.n_raters)
    joint = np.zeros((q, q))
    np.add.at(joint, given, peer)
    joint /= max(joint.sum(), 1.0)
    by_shares = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    pays = np.eye(q, dtype=bool) if identical_only else joint - by_shares > _BEYOND_ROUNDING
    same = (pays[given] * peer).sum(axis=1)
    own = np.bincount(unit_rater * q + given, minlength=answers.n_raters * q).reshape(-1, q)
    of_peers = np.stack([np.bincount(unit_rater, peer[:, k], minlength=answers.n_raters) for k in range(q)], axis=1)
    size = np.maximum(n, 1)[:, None]
    by_chance = np.einsum("rk,kl,rl->r", own / size, pays.astype(np.float64), of_peers / size)
    score = np.bincount(unit_rater, same, minlength=answers.n_raters) / size[:, 0] - by_chance
    # Linearised: a unit moves the agreement, the rater's own shares and the peers' shares.
    moved = (
        same
        - ((of_peers / size)[unit_rater] * pays[given]).sum(axis=1)
        - ((own / size)[unit_rater] @ pays.astype(np.float64) * peer).sum(axis=1)
    )
    centre = np.bincount(unit_rater, moved, minlength=answers.n_raters) / size[:, 0]
    spread = np.bincount(unit_rater, (moved - centre[unit_rater]) ** 2, minlength=answers.n_raters)
    error = np.where(n > 1, np.sqrt(spread) / size[:, 0], NAN)
    name = "agreement beyond chance, identical answers" if identical_only else "correlated agreement"
    return PeerScores(np.where(n > 0, score, NAN), error, n.astype(np.int64), pays, name)


@dataclass(frozen=True, slots=True, eq=False)
class SpectralSkill:
    """``skill[rater]`` from -1/(K-1) (always wrong) over 0 (clicks) to 1, and the ``accuracy`` that it stands for.

    NaN for raters who share no unit with others. ``misfit`` is the root mean squared distance between observed and modelled
    agreement of pairs: far above what counts explain, raters err together or have habits.
    """

    skill: FloatArray
    accuracy: FloatArray
    misfit: float
    is_converged: bool
    warnings: tuple[str, ...] = ()
    method: str = "rank-one fit of pairwise agreement"
    version: str = VERSION


@checked
def spectral_skill(ratings: ArrayLike | Answers, *, categories: Sequence[float] | None = None) -> SpectralSkill:
    """Each rater's accuracy from pairwise agreement alone, if every rater is right with one chance and errs evenly.

    Then P(two agree) = 1/K + (K - 1)/K * skill * skill: off its diagonal the table has rank one. Use it to check an
    estimate of truth by a method that shares nothing with it.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater), or Answers
        NaN where a rater did not rate; the categories should be about equally frequent.
    categories : sequence of float, optional
        The possible categories; those that occur by default.

    Raises
    ------
    ValueError
        Where fewer than two categories are possible, or a rating is none of them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, 4000)
    >>> ratings = np.where(rng.random((4000, 3)) < [0.9, 0.8, 0.7], truth[:, None], 1 - truth[:, None])
    >>> spectral_skill(ratings).accuracy.round(1).tolist()
    [0.9, 0.8, 0.7]
    """
    answers = answers_of(ratings, categories=categories)
    q = answers.n_categories
    if q < 2:
        message = f"{q} categories are possible; at least 2 are needed (pass categories)"
        raise ValueError(message)
    shared, agreed = _pair_counts(answers)
    has_peer = shared.sum(axis=1) > 0
    if int(has_peer.sum()) < 3:
        nothing = np.full(answers.n_raters, NAN)
        return SpectralSkill(
            nothing, nothing, NAN, is_converged=False, warnings=("fewer than three raters share units",)
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        table = np.where(shared > 0, (agreed / shared - 1 / q) * q / (q - 1), 0.0)
    skill = np.full(answers.n_raters, 0.5)
    is_converged = False
    for _ in range(_ROUNDS):
        top, bottom = (shared * table) @ skill, shared @ skill**2
        renewed = np.clip(np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), 0.0), -1 / (q - 1), 1.0)
        # Halfway, since a plain step swings to and fro between the two scales that fit equally.
        renewed = (renewed + skill) / 2
        is_converged = bool(np.abs(renewed - skill).max() < _SETTLED)
        skill = renewed
        if is_converged:
            break
    misfit = float(np.sqrt((shared * (table - np.outer(skill, skill)) ** 2).sum() / shared.sum()))
    shown = np.where(has_peer, skill, NAN)
    notes = () if is_converged else (f"not converged after {_ROUNDS} rounds",)
    return SpectralSkill(shown, (1 + (q - 1) * shown) / q, misfit, is_converged, notes)


def _pair_counts(answers: Answers) -> tuple[FloatArray, FloatArray]:
    """On how many units each two raters met, and on how many they agreed; a diagonal of 0."""
    shape = (answers.n_units, answers.n_raters)
    met = sparse.csr_array((np.ones(len(answers.unit)), (answers.unit, answers.rater)), shape=shape)
    shared = (met.T @ met).toarray()
    agreed = np.zeros_like(shared)
    for category in range(answers.n_categories):
        here = answers.given == category
        said = sparse.csr_array((np.ones(int(here.sum())), (answers.unit[here], answers.rater[here])), shape=shape)
        agreed += (said.T @ said).toarray()
    np.fill_diagonal(shared, 0.0)
    np.fill_diagonal(agreed, 0.0)
    return shared, agreed
