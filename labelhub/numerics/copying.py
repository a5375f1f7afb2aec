"""Who copies from whom: pairs of raters who make the same mistakes more often than their unit's errors explain.

Agreement tells nothing, because good raters agree; identical *errors* do. Within each unit the wrong answers that were given
are dealt out again among the raters who answered it, a rater's chance to receive one growing with how often that rater
errs. Under this permutation a pair's shared identical errors are a sum of independent draws whose chances are computed
exactly, so that neither a hard unit nor two poor raters look like copying, and no random numbers are needed.

Not here: copied outlines (``duplicates``), and what follows from a finding: a pair that stands is looked at, not accused.

References
----------
Wesolowsky GO (2000) Detecting excessive similarity in answers on multiple choice exams. J Appl Stat 27:909-921.
Chen SX, Liu JS (1997) Statistical applications of the Poisson-binomial and conditional Bernoulli distributions.
Statistica Sinica 7:875-892.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import expit

from labelhub.numerics.answers import Answers, answers_of
from labelhub.numerics.arguments import checked
from labelhub.numerics.false_discovery import discoveries
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "shared identical errors"
VERSION = "1"

MIN_SHARED_UNITS = 20
_ROUNDS = 30


@dataclass(frozen=True, slots=True, eq=False)
class SharedErrors:
    """Every pair of raters that shares enough units, and whether its shared identical errors are too many.

    For pair ``i`` of raters ``first[i]`` and ``second[i]``: ``n_shared`` units, ``observed`` identical errors,
    ``expected`` under the permutation, ``z``, one-sided ``p_value`` (exact, mid-p); ``q_value`` and ``is_flagged`` over all
    pairs.
    """

    first: IntArray
    second: IntArray
    n_shared: IntArray
    observed: IntArray
    expected: FloatArray
    z: FloatArray
    p_value: FloatArray
    q_value: FloatArray
    is_flagged: BoolArray
    rate: float
    reason: str | None = None
    method: str = METHOD
    version: str = VERSION

    @property
    def flagged_pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs that stand, strongest first."""
        order = np.argsort(self.p_value, kind="stable")
        return tuple((int(self.first[i]), int(self.second[i])) for i in order if self.is_flagged[i])


@checked
def shared_errors(
    ratings: ArrayLike | Answers,
    truth: ArrayLike,
    *,
    categories: Sequence[float] | None = None,
    rate: float = 0.05,
    min_shared: int = MIN_SHARED_UNITS,
) -> SharedErrors:
    """Tests every pair of raters for copying.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater), or Answers
        NaN where a rater did not rate. A unit tells something only with three or more raters.
    truth : array of float, shape (unit,)
        Gold or, less sharp, a settled consensus; NaN where unknown: such units are left out.
    categories : sequence of float, optional
        The possible categories; those that occur by default.
    rate : float
        False discovery rate over all pairs.
    min_shared : int
        Pairs with fewer shared units of known truth are not tested.

    Returns
    -------
    SharedErrors
        Without pairs, and with a reason, where no pair shares enough units.

    Raises
    ------
    ValueError
        Where truth does not have one value a unit, a rating is outside the categories, or the rate not between 0 and 1.

    Examples
    --------
    Five raters of thirty units who err one at a time, and the last copies the fourth:

    >>> ratings = np.zeros((30, 5))
    >>> ratings[np.arange(12), np.arange(12) % 4] = 1 + np.arange(12) % 2
    >>> ratings[:, 4] = ratings[:, 3]
    >>> shared_errors(ratings, np.zeros(30)).flagged_pairs
    ((3, 4),)
    """
    answers = answers_of(ratings, categories=categories)
    known = np.asarray(truth, dtype=np.float64)
    if known.shape != (answers.n_units,):
        message = f"truth has shape {known.shape}; one value for each of the {answers.n_units} units is needed"
        raise ValueError(message)
    used = answers.only(~np.isnan(known)[answers.unit])
    is_wrong = answers.categories[used.given] != known[used.unit]
    n_shared = _shared_counts(used)
    first, second = np.nonzero(np.triu(n_shared >= max(min_shared, 1), k=1))
    if not len(first):
        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        reason = f"no two raters share {min_shared} units of known truth"
        return SharedErrors(
            none, none, none, none, nothing, nothing, nothing, nothing, np.empty(0, dtype=bool), rate, reason
        )
    pair_of = np.full(n_shared.shape, -1)
    pair_of[first, second] = np.arange(len(first))
    pair, chance, is_same = _draws(used, is_wrong, pair_of)
    observed = np.bincount(pair[is_same], minlength=len(first))
    expected = np.bincount(pair, chance, minlength=len(first)).astype(np.float64)
    variance = np.bincount(pair, chance * (1 - chance), minlength=len(first))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (observed - expected) / np.sqrt(variance), 0.0)
    order = np.argsort(pair, kind="stable")
    bounds = np.searchsorted(pair[order], np.arange(len(first) + 1))
    p_value = np.ones(len(first))
    for i in np.nonzero(observed > expected)[0]:
        p_value[i] = _upper_tail(chance[order[bounds[i] : bounds[i + 1]]], int(observed[i]))
    found = discoveries(p_value, rate=rate)
    return SharedErrors(
        first, second, n_shared[first, second], observed.astype(np.int64), expected, z, p_value, found.q_value,
        found.is_found, rate,
    )  # fmt: skip


def _shared_counts(answers: Answers) -> IntArray:
    entries = (np.ones(len(answers.unit), dtype=np.int64), (answers.unit, answers.rater))
    table = sparse.csr_array(entries, shape=(answers.n_units, answers.n_raters))
    table.data[:] = 1
    return np.asarray((table.T @ table).toarray(), dtype=np.int64)


def _draws(answers: Answers, is_wrong: BoolArray, pair_of: IntArray) -> tuple[IntArray, FloatArray, BoolArray]:
    """For every unit with two or more errors, every pair: its number, its chance to share an error, and whether it does."""
    log_odds = _error_log_odds(answers, is_wrong)
    first = np.concatenate([[0], np.cumsum(answers.n_of_unit)])
    n_wrong = np.bincount(answers.unit[is_wrong], minlength=answers.n_units)
    pairs, chances, same = [np.empty(0, dtype=np.int64)], [np.empty(0)], [np.empty(0, dtype=bool)]
    # The same raters with as many errors have the same chances, and where all rate everything that is most units.
    known: dict[tuple[bytes, int], FloatArray] = {}
    corners: dict[int, tuple[IntArray, IntArray]] = {}
    for unit in np.nonzero((n_wrong >= 2) & (answers.n_of_unit >= 3))[0]:
        rows = slice(int(first[unit]), int(first[unit + 1]))
        rater, given, wrong = answers.rater[rows], answers.given[rows], is_wrong[rows]
        m = int(wrong.sum())
        counts = np.bincount(given[wrong])
        share = float((counts * (counts - 1)).sum()) / (m * (m - 1))
        if len(rater) not in corners:
            corners[len(rater)] = np.triu_indices(len(rater), k=1)
        at, other = corners[len(rater)]
        which = (rater.tobytes(), m)
        if which not in known:
            known[which] = _both_chosen(log_odds[rater], m)[at, other]
        chance = known[which] * share
        low, high = np.minimum(rater[at], rater[other]), np.maximum(rater[at], rater[other])
        number = pair_of[low, high]
        kept = number >= 0
        pairs.append(number[kept])
        chances.append(np.clip(chance[kept], 0.0, 1.0))
        same.append((wrong[at] & wrong[other] & (given[at] == given[other]))[kept])
    return np.concatenate(pairs), np.concatenate(chances), np.concatenate(same)


def _error_log_odds(answers: Answers, is_wrong: BoolArray) -> FloatArray:
    """How readily each rater errs, as log odds beside the unit's own: Rasch's model, joint estimates, bias removed."""
    n_rater, n_unit = answers.n_of_rater, answers.n_of_unit
    wrong_rater = np.bincount(answers.rater[is_wrong], minlength=answers.n_raters)
    wrong_unit = np.bincount(answers.unit[is_wrong], minlength=answers.n_units)
    # Half an error and half a success more keep estimates finite.
    rater, unit = np.zeros(answers.n_raters), np.zeros(answers.n_units)
    target_rater = (wrong_rater + 0.5) * n_rater / (n_rater + 1)
    target_unit = (wrong_unit + 0.5) * n_unit / (n_unit + 1)
    for _ in range(_ROUNDS):
        for values, index, size, target in (
            (unit, answers.unit, answers.n_units, target_unit),
            (rater, answers.rater, answers.n_raters, target_rater),
        ):
            chance = expit(rater[answers.rater] + unit[answers.unit])
            gap = target - np.bincount(index, chance, minlength=size)
            spread = np.bincount(index, chance * (1 - chance), minlength=size)
            values += np.clip(gap / np.maximum(spread, 1e-9), -1.0, 1.0)
    mean_raters = len(answers.unit) / max(int((n_unit > 0).sum()), 1)
    return np.asarray(rater * (mean_raters - 1) / mean_raters, dtype=np.float64)


def _both_chosen(log_odds: FloatArray, m: int) -> FloatArray:
    """P(both of a pair are among ``m`` chosen), if sets are chosen with weight prod(odds): conditional Bernoulli.

    By the discrete Fourier transform of the number chosen; odds are tilted so that ``m`` is the mean, which changes
    no conditional chance and keeps the transform well conditioned.
    """
    n = len(log_odds)
    if m == n:
        return np.ones((n, n))
    low, high = -50.0 - float(log_odds.max()), 50.0 - float(log_odds.min())
    for _ in range(60):
        tilt = (low + high) / 2
        low, high = (tilt, high) if expit(log_odds + tilt).sum() < m else (low, tilt)
    chance = expit(log_odds + (low + high) / 2)
    # An odd number of points never meets -1, where a factor of chance one half would vanish.
    points = n + 1 + (n % 2)
    turn = np.exp(2j * math.pi * np.arange(points) / points)
    factor = 1 - chance[:, None] + chance[:, None] * turn[None, :]
    whole = np.prod(factor, axis=0) * turn ** (-m)
    without = chance[:, None] * turn[None, :] / factor
    together = (without * whole[None, :]) @ without.T
    return np.asarray((together / whole.sum()).real, dtype=np.float64)


def _upper_tail(chance: FloatArray, observed: int) -> float:
    """P(sum of independent draws > observed) and half of P(= observed), by adding one draw at a time.

    The half (mid-p) takes back the caution that a discrete test would have beyond the level asked for.
    """
    up_to = np.zeros(observed + 1)
    up_to[0] = 1.0
    for p in chance:
        up_to[1:] = up_to[1:] * (1 - p) + up_to[:-1] * p
        up_to[0] *= 1 - p
    return float(np.clip(1 - up_to.sum() + up_to[-1] / 2, 0.0, 1.0))
