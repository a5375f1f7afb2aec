"""Which units to label next, from scores: the highest, the highest after a draw, class by class, or by lot with foreground.

A batch of the highest scores holds near copies of one another; a power batch draws instead, in proportion to a power of the
score, and so spreads. Class-stratified drawing gives each class its turn, so that the rare ones are labelled too. Drawing by
lot with foreground assured is the baseline that strategies are to be measured against: in a large benchmark of 3-D images
hardly any exceeded it reliably. Not here: the scores (``uncertainty``), and batches from features (``diversity``).

References
----------
Kirsch A, Farquhar S, Atighehchian P, Jesson A, Branchaud-Charron F, Gal Y (2023) Stochastic batch acquisition: a simple
baseline for deep active learning. TMLR, arXiv 2106.12059 (power acquisition: Gumbel noise on the logarithm of the score).
Luth CT, Traub J et al. (2026) Finally outshining the random baseline: ClaSP PE. TMLR, arXiv 2601.13677 (class-stratified power
entropy whose noise falls with the rounds; the constants here are ours).
Luth CT et al. (2025) nnActive: a framework for evaluation of active learning in 3D biomedical segmentation. arXiv 2511.19183
(random drawing with foreground).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "acquisition"
VERSION = "1"

Strategy: TypeAlias = Literal["foreground-random", "class-stratified"]

# Below so many labelled units models are too poor for their doubts to mean anything.
FEW_LABELLED = 30
FOREGROUND_SHARE = 2 / 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Units to label next, in the order of choice, and how they were chosen."""

    units: tuple[int, ...]
    method: str
    version: str = VERSION


@checked
def top_batch(scores: ArrayLike, size: int, *, taken: Sequence[int] = ()) -> Batch:
    """The units with the highest scores; of equal ones the earlier, and those without a score (NaN) last.

    Parameters
    ----------
    scores : array of float, shape (unit,)
    size : int
        1 or more, at most the units that are not taken.
    taken : sequence of int
        Units already labelled.

    Examples
    --------
    >>> top_batch([0.1, 0.9, 0.5, 0.9], 2, taken=[1]).units
    (3, 2)
    """
    values = _scores(scores)
    free = free_units(len(values), size, taken)
    return Batch(_highest(values, free, size), "highest scores")


@checked
def power_batch(
    scores: ArrayLike, size: int, rng: np.random.Generator, *, power: float = 1.0, taken: Sequence[int] = ()
) -> Batch:
    """Units drawn without replacement in proportion to score ** power: the highest of ln(score) + Gumbel noise / power.

    Towards a power of 0 it is a draw by lot, towards infinity the highest scores. PowerBALD where the scores are BALD's.

    Parameters
    ----------
    scores : array of float, shape (unit,)
        At least 0. Units of score 0 or NaN come last, in an order by lot.
    size : int
    rng : numpy.random.Generator
    power : float
        Above 0.
    taken : sequence of int

    Examples
    --------
    >>> power_batch([0.0, 1.0, 2.0], 2, np.random.default_rng(0), power=50.0).units
    (2, 1)
    """
    values = _scores(scores)
    free = free_units(len(values), size, taken)
    return Batch(_highest(_noisy(values, rng, power), free, size), f"power {power:g}")


@checked
def stratified_power_batch(
    scores: ArrayLike,
    size: int,
    rng: np.random.Generator,
    *,
    power: float = 1.0,
    taken: Sequence[int] = (),
    stratified_share: float = 1.0,
) -> Batch:
    """Class by class in turn, the unit with the highest score of that class after power noise.

    In the manner of ClaSP PE where the scores are the mean entropy of the pixels predicted as each class. A class that no unit
    is predicted to hold is passed over. The rest of the batch, beyond ``stratified_share``, is a power batch of the units'
    highest class scores.

    Parameters
    ----------
    scores : array of float, shape (unit, class)
        At least 0; NaN where a unit holds nothing of the class.
    size : int
    rng : numpy.random.Generator
    power : float
    taken : sequence of int
    stratified_share : float
        0 to 1.

    Examples
    --------
    The third class is in one unit only, and it is chosen:

    >>> scores = [[0.9, 0.1, np.nan], [0.8, 0.2, np.nan], [0.1, 0.1, 0.05], [0.7, 0.9, np.nan]]
    >>> stratified_power_batch(scores, 3, np.random.default_rng(0), power=100.0).units
    (0, 3, 2)
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1] or not 0 <= stratified_share <= 1:
        message = f"scores has shape {table.shape} and stratified_share is {stratified_share}; (unit, class) and 0 to 1"
        raise ValueError(message)
    _scores(table.ravel())
    free = free_units(len(table), size, taken)
    noisy = np.column_stack([_noisy(column, rng, power) for column in table.T])
    is_present = ~np.isnan(table)
    chosen: list[int] = []
    n_stratified = round(stratified_share * size)
    while len(chosen) < n_stratified and (is_present & free[:, None]).any():
        for column in range(table.shape[1]):
            open_to = free & is_present[:, column]
            if len(chosen) < n_stratified and open_to.any():
                unit = _highest(noisy[:, column], open_to, 1)[0]
                chosen.append(unit)
                free[unit] = False
    if len(chosen) < size:
        overall = np.where(is_present, table, -np.inf).max(axis=1)
        rest = _noisy(np.where(np.isfinite(overall), overall, np.nan), rng, power)
        chosen += _highest(rest, free, size - len(chosen))
    return Batch(tuple(chosen), f"class-stratified power {power:g}")


@checked
def random_batch(n_units: int, size: int, rng: np.random.Generator, *, taken: Sequence[int] = ()) -> Batch:
    """Units by lot.

    Parameters
    ----------
    n_units, size : int
    rng : numpy.random.Generator
    taken : sequence of int

    Examples
    --------
    >>> sorted(random_batch(4, 3, np.random.default_rng(0), taken=[2]).units)
    [0, 1, 3]
    """
    free = free_units(n_units, size, taken)
    return Batch(tuple(rng.permutation(np.nonzero(free)[0])[:size].tolist()), "by lot")


@checked
def foreground_batch(
    has_foreground: ArrayLike,
    size: int,
    rng: np.random.Generator,
    *,
    share: float = FOREGROUND_SHARE,
    taken: Sequence[int] = (),
) -> Batch:
    """Units by lot, of which at least a share (rounded up) holds foreground, as far as there are any.

    Parameters
    ----------
    has_foreground : array of bool, shape (unit,)
        Whether a unit is known or predicted to hold anything.
    size : int
    rng : numpy.random.Generator
    share : float
        0 to 1.
    taken : sequence of int

    Examples
    --------
    >>> 1 in foreground_batch([False, True, False, False, False, False], 2, np.random.default_rng(0)).units
    True
    """
    is_foreground = one_a_unit("has_foreground", has_foreground)
    if is_foreground.ndim != 1 or not np.isin(is_foreground, (0, 1)).all() or not 0 <= share <= 1:
        message = (
            f"has_foreground has shape {is_foreground.shape} and share is {share}; True or False a unit, and 0 to 1"
        )
        raise ValueError(message)
    free = free_units(len(is_foreground), size, taken)
    order = rng.permutation(np.nonzero(free)[0])
    assured = order[is_foreground[order].astype(bool)][: math.ceil(share * size)]
    rest = order[~np.isin(order, assured)][: size - len(assured)]
    return Batch((*assured.tolist(), *rest.tolist()), f"by lot, {share:.0%} with foreground")


@checked
def power_of_round(number: int, n_rounds: int, *, first: float = 1.0, last: float = 100.0) -> float:
    """The power of a round: much noise at first, when doubts mean little, next to none in the last; even in its logarithm.

    Parameters
    ----------
    number, n_rounds : int
        The round, from 0 on, of so many.
    first, last : float
        Powers of the first and the last round, above 0.

    Examples
    --------
    >>> [round(power_of_round(number, 3), 6) for number in range(3)]
    [1.0, 10.0, 100.0]
    """
    if not 0 <= number < n_rounds or not (0 < first < math.inf and 0 < last < math.inf):
        message = f"number is {number} of {n_rounds}, first {first}, last {last}; a round of these, and powers above 0"
        raise ValueError(message)
    share = number / (n_rounds - 1) if n_rounds > 1 else 0.0
    return float(first * (last / first) ** share)


@checked
def recommended_strategy(n_labelled: int) -> Strategy:
    """By lot with foreground assured while few units are labelled, class-stratified power entropy from then on.

    Parameters
    ----------
    n_labelled : int
        0 or more.

    Examples
    --------
    >>> recommended_strategy(5), recommended_strategy(30)
    ('foreground-random', 'class-stratified')
    """
    if n_labelled < 0:
        message = f"n_labelled is {n_labelled}; a count is at least 0"
        raise ValueError(message)
    return "foreground-random" if n_labelled < FEW_LABELLED else "class-stratified"


def free_units(n_units: int, size: int, taken: Sequence[int]) -> BoolArray:
    """Which units are not taken; a ValueError where there are fewer than ``size`` of them, or one is not known.

    Examples
    --------
    >>> free_units(3, 1, [1]).tolist()
    [True, False, True]
    """
    known = np.asarray(taken, dtype=np.float64).ravel()
    if len(known) and not ((known == np.floor(known)) & (known >= 0) & (known < n_units)).all():
        message = f"taken is {list(taken)[:5]}; allowed are units 0 to {n_units - 1}"
        raise ValueError(message)
    free = np.ones(max(n_units, 0), dtype=bool)
    free[known.astype(np.int64)] = False
    if not 1 <= size <= int(free.sum()):
        message = f"size is {size}; between 1 and the {int(free.sum())} units that are not taken are allowed"
        raise ValueError(message)
    return free


def _scores(scores: ArrayLike) -> FloatArray:
    values = np.asarray(one_a_unit("scores", scores, np.float64), dtype=np.float64)
    if values.ndim != 1 or (values < 0).any() or np.isposinf(values).any():
        message = f"scores has shape {values.shape}; one finite number of at least 0 a unit is needed, or NaN"
        raise ValueError(message)
    return values


def _noisy(scores: FloatArray, rng: np.random.Generator, power: float) -> FloatArray:
    if not (power > 0 and math.isfinite(power)):
        message = f"power is {power!r}; it is above 0"
        raise ValueError(message)
    gumbel = rng.gumbel(size=scores.shape) / power
    is_positive = np.nan_to_num(scores) > 0
    # What has no score stays behind all that has one, in an order by lot.
    last = gumbel - 1e9
    return np.asarray(
        np.where(is_positive, np.log(np.where(is_positive, scores, 1.0)) + gumbel, last), dtype=np.float64
    )


def _highest(values: FloatArray, free: BoolArray, size: int) -> tuple[int, ...]:
    units = np.nonzero(free)[0]
    own = np.nan_to_num(values[units], nan=-np.inf)
    return tuple(units[np.argsort(-own, kind="stable")][:size].tolist())
