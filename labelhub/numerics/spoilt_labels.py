"""A world of known labels, three ways of spoiling them, and a classifier that learns from what is left.

A world is a logistic one: ``x`` standard normal in ``d`` dimensions, P(y = 1) = s(strength * w.x) for a unit vector w. Labels
are spoilt in one of three ways, each with a share of ``rate`` wrong labels:

- ``flips``: every label is flipped with the same chance, whatever it shows. More labels make up for it.
- ``confusion``: ones are given as zeros (with the chance 2 * rate), never the other way. What is learned is wrong for good.
- ``boundary``: the labeler's boundary lies to one side, so that what is just beyond it is always given as one. Wrong for good.

A ridge logistic regression learns from them, and its accuracy on clean labels of the same world is an integral, not a sample.
Not here: how many labels of which quality are worth as much (``quality_quantity``), networks, and images.

References
----------
Natarajan N, Dhillon IS, Ravikumar P, Tewari A (2013) Learning with noisy labels. NeurIPS 26 (random flips).
Hastie T, Tibshirani R, Friedman J (2009) The elements of statistical learning, 2nd ed., section 4.4.1 (Newton's steps).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import FloatArray

METHOD = "logistic regression on spoilt labels"
VERSION = "1"

Noise: TypeAlias = Literal["flips", "confusion", "boundary"]
NOISES: tuple[Noise, ...] = ("flips", "confusion", "boundary")

_RIDGE = 1.0
_MOST_STEPS = 25
_SETTLED = 1e-6
# Rows that are looked at together.
_CHUNK = 1 << 14
# Products of matrices no larger than this are made by one thread: on a busy machine several that wait for each other need
# twenty times as long.
_SMALL = 200_000


@dataclass(frozen=True, slots=True)
class World:
    """A logistic world: its dimensions, and how far labels are told by what is seen (the logit's standard deviation)."""

    dimensions: int = 50
    strength: float = 3.0

    def __post_init__(self) -> None:
        if self.dimensions < 1 or not (self.strength > 0 and math.isfinite(self.strength)):
            message = f"the world is {self}; at least one dimension and a strength above 0 are needed"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Units of a world: ``seen[unit, dimension]``, the logit of each, and ``lot[unit]``, by which its label is decided.

    The label is 1 where the lot lies below the probability, so that a labeler whose boundary is moved errs on one side only.
    """

    seen: FloatArray
    logits: FloatArray
    lot: FloatArray


@checked
def draw_units(world: World, n: int, rng: np.random.Generator) -> tuple[Draw, FloatArray]:
    """So many units of a world, and its direction w (drawn first, so that a smaller ``n`` has the same one).

    Parameters
    ----------
    world : World
    n : int
        1 or more.
    rng : numpy.random.Generator

    Examples
    --------
    >>> units, direction = draw_units(World(3), 5, np.random.default_rng(0))
    >>> units.seen.shape, round(float(direction @ direction), 6)
    ((5, 3), 1.0)
    """
    if n < 1:
        message = f"n is {n}; at least 1 unit is needed"
        raise ValueError(message)
    direction = rng.standard_normal(world.dimensions)
    direction /= np.linalg.norm(direction)
    seen = rng.standard_normal((n, world.dimensions))
    return Draw(seen, world.strength * (seen @ direction), rng.random(n)), direction


@checked
def spoilt_labels(units: Draw, noise: Noise, rate: float, world: World, rng: np.random.Generator) -> FloatArray:
    """The labels given, 0 or 1, of which a share of ``rate`` is wrong in expectation: shape (unit,).

    Parameters
    ----------
    units : Draw
    noise : "flips", "confusion" or "boundary"
    rate : float
        0 up to (not including) 1/2.
    world : World
    rng : numpy.random.Generator

    Examples
    --------
    >>> units, _ = draw_units(World(2), 20_000, np.random.default_rng(0))
    >>> clean, given = (spoilt_labels(units, "boundary", r, World(2), np.random.default_rng(1)) for r in (0.0, 0.2))
    >>> round(float(np.mean(given != clean)), 1), bool((given >= clean).all())
    (0.2, True)
    """
    checked_rate(rate)
    true = np.asarray(units.lot < expit(units.logits), dtype=np.float64)
    if noise == "flips":
        return np.where(rng.random(len(true)) < rate, 1 - true, true)
    if noise == "confusion":
        return np.where(rng.random(len(true)) < 2 * rate, 0.0, true)
    shift = boundary_shift(world.strength, rate)
    return np.asarray(units.lot < expit(units.logits + shift), dtype=np.float64)


@checked
def boundary_shift(strength: float, rate: float) -> float:
    """By how much a labeler's logit is too large if this share of the labels is wrong, all on one side.

    Parameters
    ----------
    strength : float
        Of the world, above 0.
    rate : float
        0 up to (not including) 1/2.

    Examples
    --------
    >>> boundary_shift(3.0, 0.0), round(boundary_shift(3.0, 0.2), 3)
    (0.0, 1.823)
    """
    World(1, strength)
    checked_rate(rate)
    nodes, weights = _normal_nodes()
    right = float(weights @ expit(strength * nodes))

    def excess(shift: float) -> float:
        return float(weights @ expit(strength * nodes + shift)) - right - rate

    return 0.0 if rate == 0 else float(brentq(excess, 0.0, 60.0 * max(strength, 1.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A linear classifier: it says 1 where ``intercept + weights . x`` is above 0."""

    intercept: float
    weights: FloatArray


@checked
def learn(seen: FloatArray, given: FloatArray, *, ridge: float = _RIDGE) -> Learned:
    """The logistic regression of given labels, by Newton's steps; the penalty is half ``ridge`` times the squared weights.

    Parameters
    ----------
    seen : array of float, shape (unit, dimension)
    given : array of float, shape (unit,)
        0 or 1.
    ridge : float
        Above 0, so that separable labels have a finite answer. The intercept is not penalised.

    Examples
    --------
    >>> found = learn(np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0.0, 0.0, 1.0, 1.0]))
    >>> abs(round(found.intercept, 6)), bool(found.weights[0] > 0)
    (0.0, True)
    """
    if seen.ndim != 2 or given.shape != (len(seen),) or not len(given) or not ridge > 0:
        message = (
            f"seen has shape {seen.shape}, given {given.shape}, ridge is {ridge}; one label a unit and a ridge above 0"
        )
        raise ValueError(message)
    if not np.isfinite(seen).all() or not np.isin(given, (0.0, 1.0)).all():
        message = "seen must be finite, and given holds 0 and 1 only"
        raise ValueError(message)
    share = min(max(float(given.mean()), 1e-6), 1 - 1e-6)
    found = np.zeros(seen.shape[1] + 1)
    found[0] = math.log(share / (1 - share))
    penalty = np.full(len(found), ridge)
    # Labels that are all alike have no finite intercept; this little holds it without moving any other.
    penalty[0] = 1e-8
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(seen, given, found)
        step = np.linalg.solve(curvature + np.diag(penalty), slope - penalty * found)
        # A full step may overshoot where labels are nearly certain.
        found += step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < _SETTLED:
            break
    return Learned(float(found[0]), found[1:])


@checked
def true_accuracy(learned: Learned, direction: FloatArray, world: World) -> float:
    """The share of new units of the world whose clean label the classifier tells, as an integral over the logit.

    Parameters
    ----------
    learned : Learned
    direction : array of float, shape (dimension,)
        The world's w.
    world : World

    Examples
    --------
    Nothing beats the world's own direction, and by lot one half is right:

    >>> w = np.array([1.0, 0.0])
    >>> round(true_accuracy(Learned(0.0, w), w, World(2)), 4), true_accuracy(Learned(0.0, w[::-1]), w, World(2)).__round__(4)
    (0.8359, 0.5)
    """
    if learned.weights.shape != direction.shape:
        message = (
            f"learned has {learned.weights.shape} weights and direction shape {direction.shape}; they must be alike"
        )
        raise ValueError(message)
    along = float(learned.weights @ direction)
    across = math.sqrt(max(float(learned.weights @ learned.weights) - along**2, 0.0))
    nodes, weights = _normal_nodes()
    middle = learned.intercept + along * nodes
    # Exactly along w the answer has no spread at a given logit; this is a step all the same.
    says_one = ndtr(middle / max(across, 1e-12))
    is_one = expit(world.strength * nodes)
    return float(weights @ (is_one * says_one + (1 - is_one) * (1 - says_one)))


@checked
def best_accuracy(world: World) -> float:
    """The accuracy of who knows the world: no classifier exceeds it.

    Examples
    --------
    >>> round(best_accuracy(World(50, 3.0)), 4)
    0.8359
    """
    direction = np.eye(1, world.dimensions)[0]
    return true_accuracy(Learned(0.0, direction), direction, world)


def checked_rate(rate: float) -> float:
    """The share of wrong labels, or a ValueError where it is not at least 0 and below one half."""
    if not 0 <= rate < 0.5:
        message = f"rate is {rate!r}; a share of wrong labels lies between 0 and one half, not included"
        raise ValueError(message)
    return rate


def _derivatives(seen: FloatArray, given: FloatArray, found: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope and curvature of the likelihood: sums over blocks, so that a million labels need no second copy of themselves."""
    n, size = seen.shape
    rows = min(max(1, _SMALL // size**2), n)
    slope, curvature = np.zeros(size + 1), np.zeros((size + 1, size + 1))
    step = rows * max(1, _CHUNK // rows)
    cuts = [*range(0, n - n % rows, step), n - n % rows, n]
    for start, stop in pairwise(cuts):
        if stop > start:
            block = seen[start:stop].reshape(-1, min(rows, stop - start), size)
            told = given[start:stop].reshape(block.shape[:2])
            says = expit(found[0] + block @ found[1:])
            rest, weight = told - says, says * (1 - says)
            weighted = block * weight[..., None]
            sums = weighted.sum(axis=(0, 1))
            slope += np.concatenate([[rest.sum()], (rest[:, None] @ block).sum(axis=(0, 1))])
            curvature[0, 0] += weight.sum()
            curvature[0, 1:] += sums
            curvature[1:, 0] += sums
            curvature[1:, 1:] += (block.swapaxes(1, 2) @ weighted).sum(axis=0)
    return slope, curvature


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[FloatArray, FloatArray]:
    """Points and weights of an integral over the standard normal density: an even grid, best where the integrand is a step."""
    nodes = np.linspace(-8.0, 8.0, 3200)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()
