"""Many poor labels or few good ones: what a label with errors is worth, in theory and to a classifier that learns from it.

In theory a label that is flipped at random keeps a share of its information, and more labels make up for the rest; labels that
err systematically are made up for by no number. ``break_even`` finds, in a world of known labels, the share of wrong ones at
which many spoilt labels teach no better than few clean ones.
Not here: the world and the noises (``spoilt_labels``), networks, images, and which noise a project has (gold tells).

References
----------
Natarajan N, Dhillon IS, Ravikumar P, Tewari A (2013) Learning with noisy labels. NeurIPS 26 (random flips).
Rolnick D, Veit A, Belongie S, Shavit N (2017) Deep learning is robust to massive label noise. arXiv 1705.10694.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.means import clustered_mean
from labelhub.numerics.results import NAN, Estimate, FloatArray, undefined
from labelhub.numerics.spoilt_labels import (
    Noise,
    World,
    checked_rate,
    draw_units,
    learn,
    spoilt_labels,
    true_accuracy,
)

METHOD = "break-even of label quality and count"
VERSION = "1"


@checked
def information_factor(flip_rate: float, *, n_classes: int = 2) -> float:
    """How much of a clean label's information at most is left in one that is flipped to any other class at this rate.

    (1 - K * rate / (K - 1))^2, from 1 at no flips to 0 where labels are drawn by lot.

    Parameters
    ----------
    flip_rate : float
        0 to (K - 1) / K.
    n_classes : int
        K, 2 or more.

    Examples
    --------
    >>> round(information_factor(0.1), 2), round(information_factor(0.3, n_classes=4), 2)
    (0.64, 0.36)
    """
    return _kept(flip_rate, n_classes) ** 2


@checked
def logistic_information_ratio(probability: float, flip_rate: float) -> float:
    """The exact share of information about a logit that a flipped label keeps, at a point where P(y = 1) is ``probability``.

    (1 - 2r)^2 p (1 - p) / (q (1 - q)) with q = r + (1 - 2r) p. At p = 1/2 it is the information factor, elsewhere less: what is
    certain suffers most.

    Parameters
    ----------
    probability : float
        Strictly between 0 and 1.
    flip_rate : float
        0 to 1/2.

    Examples
    --------
    >>> round(logistic_information_ratio(0.5, 0.1), 3), round(logistic_information_ratio(0.95, 0.1), 3)
    (0.64, 0.252)
    """
    if not 0 < probability < 1:
        message = f"probability is {probability!r}; it lies strictly between 0 and 1"
        raise ValueError(message)
    kept = _kept(flip_rate, 2)
    given = flip_rate + kept * probability
    return kept**2 * probability * (1 - probability) / (given * (1 - given))


@checked
def break_even_flip_rate(ratio: float, *, n_classes: int = 2) -> float:
    """The flip rate at which this many times as many labels carry at most the information of clean ones; an upper bound.

    (K - 1) / K * (1 - ratio^(-1/2)); for two classes and ten times as many .342, a label accuracy of 65.8 %.

    Parameters
    ----------
    ratio : float
        How many spoilt labels there are for a clean one, 1 or more.
    n_classes : int

    Examples
    --------
    >>> round(break_even_flip_rate(10.0), 3)
    0.342
    """
    if not (ratio >= 1 and math.isfinite(ratio)):
        message = f"ratio is {ratio!r}; it is at least 1"
        raise ValueError(message)
    _kept(0.0, n_classes)
    return (n_classes - 1) / n_classes * (1 - 1 / math.sqrt(ratio))


@dataclass(frozen=True, slots=True, eq=False)
class BreakEven:
    """At which share of wrong labels ``ratio`` times as many of them learn no better than clean ones.

    ``accuracy[seed, rate]`` of the many, ``clean[seed]`` of the few; ``crossings[seed]`` where the many fall below the few
    for the first time (0 where they are below from the start, NaN where they never are); ``estimate`` the mean over seeds.
    """

    estimate: Estimate
    rates: FloatArray
    accuracy: FloatArray
    clean: FloatArray
    crossings: FloatArray
    noise: Noise
    n_clean: int
    ratio: float
    method: str = METHOD
    version: str = VERSION


@checked
def break_even(
    noise: Noise,
    rng: np.random.Generator,
    *,
    n_clean: int = 1000,
    ratio: float = 10.0,
    rates: Sequence[float] = (0.0, 0.1, 0.2, 0.25, 0.3, 0.342, 0.4, 0.45),
    n_seeds: int = 8,
    world: World | None = None,
) -> BreakEven:
    """The share of wrong labels at which many spoilt labels and few clean ones teach equally well, with its interval.

    In each seed the few are the first of the many, clean; between two rates accuracy is taken as a line.

    Parameters
    ----------
    noise : "flips", "confusion" or "boundary"
    rng : numpy.random.Generator
    n_clean : int
        1 or more.
    ratio : float
        Spoilt labels for a clean one, 1 or more.
    rates : sequence of float
        Shares of wrong labels that are tried, rising, from 0 up to below 1/2.
    n_seeds : int
        1 or more.
    world : World, optional

    Examples
    --------
    >>> found = break_even("flips", np.random.default_rng(0), n_clean=200, rates=(0.0, 0.2, 0.4), n_seeds=2, world=World(5))
    >>> found.accuracy.shape, bool(0.2 < found.estimate.value < 0.4)
    ((2, 3), True)
    """
    place = World() if world is None else world
    steps = np.asarray(rates, dtype=np.float64)
    for rate in steps:
        checked_rate(float(rate))
    if len(steps) < 2 or (np.diff(steps) <= 0).any() or n_clean < 1 or n_seeds < 1 or not 1 <= ratio < math.inf:
        message = (
            f"rates is {list(rates)}, n_clean {n_clean}, ratio {ratio}, n_seeds {n_seeds}; "
            "two rising rates, and 1 or more of the others, are needed"
        )
        raise ValueError(message)
    accuracy, clean = np.empty((n_seeds, len(steps))), np.empty(n_seeds)
    for seed, own in enumerate(rng.spawn(n_seeds)):
        units, direction = draw_units(place, round(n_clean * ratio), own)
        true = spoilt_labels(units, "flips", 0.0, place, own)
        clean[seed] = true_accuracy(learn(units.seen[:n_clean], true[:n_clean]), direction, place)
        for place_of, rate in enumerate(steps):
            given = spoilt_labels(units, noise, float(rate), place, own)
            accuracy[seed, place_of] = true_accuracy(learn(units.seen, given), direction, place)
    crossings = np.array([_crossing(steps, row - few) for row, few in zip(accuracy, clean, strict=True)])
    return BreakEven(_over_seeds(crossings), steps, accuracy, clean, crossings, noise, n_clean, ratio)


def _over_seeds(crossings: FloatArray) -> Estimate:
    known = crossings[np.isfinite(crossings)]
    if not len(known):
        reason = "the many are never worse at any rate tried"
        return undefined(reason, n=0, unit="seeds", method="break-even share of wrong labels", version=VERSION)
    found = clustered_mean(
        known, range(len(known)), unit="seeds", group_unit="seeds", method="break-even share of wrong labels"
    )
    left_out = len(crossings) - len(known)
    return found.with_warnings(f"{left_out} seeds without a crossing are left out") if left_out else found


def _crossing(rates: FloatArray, lead: FloatArray) -> float:
    """Where the lead falls below 0 for the first time."""
    if lead[0] < 0:
        return float(rates[0])
    below = np.nonzero(lead < 0)[0]
    if not len(below):
        return NAN
    after = int(below[0])
    share = lead[after - 1] / (lead[after - 1] - lead[after])
    return float(rates[after - 1] + share * (rates[after] - rates[after - 1]))


def _kept(flip_rate: float, n_classes: int) -> float:
    if n_classes < 2:
        message = f"n_classes is {n_classes}; at least 2 are needed"
        raise ValueError(message)
    if not 0 <= flip_rate <= (n_classes - 1) / n_classes:
        message = f"flip_rate is {flip_rate!r}; it lies between 0 and (K - 1) / K = {(n_classes - 1) / n_classes:.3f}"
        raise ValueError(message)
    return 1 - n_classes * flip_rate / (n_classes - 1)
