"""Words for a coefficient, only as strong as its error allows.

A verbal band read off the point value claims too much for few units. Gwet's rule takes the best band of which it can
be said with probability .95 that the coefficient lies in it or above. Gwet takes the coefficient as normal, cut off at -1
and 1; played, that claims a word that is not true up to 14 times in 100 (22 over 6 patients), since the error shrinks where
a sample happens to agree. Here it is Student's on Fisher's z, which keeps it near 5 (see the README).
Not here: the coefficients (``agreement``, ``conger``, ``cohen``, ``alpha``), and their errors.

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., chapter 6 (benchmarking by interval membership).
Fisher RA (1921) On the "probable error" of a coefficient of correlation. Metron 1:3-32 (the scale z).
Landis JR, Koch GG (1977) Biometrics 33:159-174; Fleiss JL (1981) Statistical Methods for Rates and Proportions;
Altman DG (1991) Practical Statistics for Medical Research (the three scales).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import stdtr

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import Estimate

METHOD = "probabilistic benchmarking (Gwet), Student on Fisher's z"
VERSION = "2"

CERTAINTY = 0.95

# Whose estimates are corrected for chance, by the beginning of their method, weighted or not.
CHANCE_CORRECTED = (
    "Krippendorff's alpha", "alpha of shapes", "Cohen's kappa", "Conger's kappa", "Fleiss' kappa", "Gwet's AC",
    "Brennan–Prediger",
)  # fmt: skip

Scale: TypeAlias = Literal["landis-koch", "altman", "fleiss"]

# Lower limit and name of each band, the best first; the last reaches down to -1.
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "landis-koch": (
        (0.8, "almost perfect"), (0.6, "substantial"), (0.4, "moderate"), (0.2, "fair"), (0.0, "slight"), (-1.0, "poor")
    ),
    "altman": ((0.8, "very good"), (0.6, "good"), (0.4, "moderate"), (0.2, "fair"), (-1.0, "poor")),
    "fleiss": ((0.75, "excellent"), (0.4, "intermediate to good"), (-1.0, "poor")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scale with the probability that the coefficient lies in it, and in it or above."""

    low: float
    high: float
    name: str
    probability: float
    cumulative: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The band that may be claimed (``None`` where nothing may, with the ``reason``) and how all bands fare."""

    claimed: Band | None
    bands: tuple[Band, ...]
    scale: str
    certainty: float
    n: int
    unit: str
    method: str = METHOD
    version: str = VERSION
    reason: str | None = None


@checked
def is_chance_corrected(estimate: Estimate) -> bool:
    """Whether the estimate is a coefficient that verbal bands speak of: 1 is perfect, 0 is what chance gives.

    Examples
    --------
    >>> is_chance_corrected(Estimate(0.5, 0.4, 0.6, 12, "items", "weighted Cohen's kappa", "1"))
    True
    >>> is_chance_corrected(Estimate(0.5, 0.4, 0.6, 12, "items", "raw agreement", "1"))
    False
    """
    return estimate.method.removeprefix("weighted ").startswith(CHANCE_CORRECTED)


@checked
def scale_of(name: Scale) -> tuple[tuple[float, str], ...]:
    """The lower limit and word of each band of a scale, the best first.

    Raises
    ------
    ValueError
        Where the scale is unknown.

    Examples
    --------
    >>> scale_of("fleiss")[0]
    (0.75, 'excellent')
    """
    return _SCALES[name]


@checked
def benchmark(estimate: Estimate, scale: Scale = "landis-koch", *, certainty: float = CERTAINTY) -> Benchmark:
    """The best verbal band that the coefficient reaches with the wanted certainty.

    With z = artanh(coefficient), whose standard error is that of the coefficient divided by 1 - coefficient**2, the
    probability to lie above a limit is Student's, with one degree of freedom fewer than there are groups (``n_groups``, such
    as patients; units where none are given).

    Parameters
    ----------
    estimate : Estimate
        A coefficient between -1 and 1 with a ``standard_error``. Without one, or at -1 or 1 with one above 0, nothing is
        claimed, with a reason; an error of exactly 0 claims the band of the value.
    scale : {"landis-koch", "altman", "fleiss"}
        Whose words.
    certainty : float
        Least probability that the coefficient lies in the claimed band or a better one.

    Raises
    ------
    ValueError
        Where the scale is unknown or the certainty does not lie from .5 to below 1.

    Examples
    --------
    AC1 of .775 looks "substantial"; with a standard error of .143 over 12 units only "fair" can be claimed.

    >>> ac1 = Estimate(0.77544, 0.461, 1.0, 12, "items", "Gwet's AC1", "1", standard_error=0.14295)
    >>> found = benchmark(ac1)
    >>> found.claimed.name, round(found.claimed.cumulative, 3), round(found.bands[2].cumulative, 3)
    ('fair', 0.98, 0.942)
    """
    limits = scale_of(scale)
    if not 0.5 <= certainty < 1:
        message = f"certainty is {certainty!r}; it must lie from 0.5 to below 1, 0.95 is usual"
        raise ValueError(message)
    error = estimate.standard_error
    if not estimate.is_defined or math.isnan(error):
        reason = estimate.reason or f"no standard error of {estimate.method}: {estimate.interval_reason}"
        return Benchmark(None, (), scale, certainty, estimate.n, estimate.unit, reason=reason)
    freedom = (estimate.n_groups or estimate.n) - 1
    if error > 0 and not (abs(estimate.value) < 1 and freedom > 0):
        reason = (
            f"{estimate.value:g} from {freedom + 1} {estimate.group_unit or estimate.unit} has no error on Fisher's z"
        )
        return Benchmark(None, (), scale, certainty, estimate.n, estimate.unit, reason=reason)
    bands = _bands(estimate.value, error, freedom, limits)
    claimed = next((band for band in bands if band.cumulative >= certainty), None)
    return Benchmark(claimed, bands, scale, certainty, estimate.n, estimate.unit)


def _bands(value: float, error: float, freedom: int, scale: tuple[tuple[float, str], ...]) -> tuple[Band, ...]:
    edges = np.array([1.0] + [low for low, _ in scale])
    if error > 0:
        with np.errstate(divide="ignore"):
            # The ends of the scale lie at infinity, and are never passed.
            away = (math.atanh(value) - np.arctanh(edges)) * (1 - value**2) / error
        reached = stdtr(freedom, away)
    else:
        reached = (edges <= value).astype(np.float64)
    bands = []
    for number, (low, name) in enumerate(scale):
        share = float(reached[number + 1] - reached[number])
        bands.append(Band(low, float(edges[number]), name, share, float(reached[number + 1])))
    return tuple(bands)
