"""Words for a coefficient, only as strong as its error allows.

A verbal band read off the point value claims too much for few units. Gwet's rule takes the best band of which it can
be said with probability .95 that the coefficient lies in it or above. Not here: the coefficients (``agreement``,
``conger``, ``cohen``, ``alpha``), and their errors.

References
----------
Gwet KL (2014) Handbook of Inter-Rater Reliability, 4th ed., chapter 6 (benchmarking by interval membership).
Landis JR, Koch GG (1977) Biometrics 33:159-174; Fleiss JL (1981) Statistical Methods for Rates and Proportions;
Altman DG (1991) Practical Statistics for Medical Research (the three scales).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtr

from labelhub.numerics.results import Estimate

METHOD = "probabilistic benchmarking (Gwet)"
VERSION = "1"

CERTAINTY = 0.95

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


def benchmark(estimate: Estimate, scale: Scale = "landis-koch", *, certainty: float = CERTAINTY) -> Benchmark:
    """The best verbal band that the coefficient reaches with the wanted certainty.

    The coefficient is taken as normal about its value with its standard error, cut off at -1 and 1.

    Parameters
    ----------
    estimate : Estimate
        A coefficient between -1 and 1 with a ``standard_error``.
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
    AC1 of .775 looks "substantial"; with a standard error of .143 over 12 units only "moderate" can be claimed.

    >>> ac1 = Estimate(0.77544, 0.461, 1.0, 12, "items", "Gwet's AC1", "1", standard_error=0.14295)
    >>> found = benchmark(ac1)
    >>> found.claimed.name, round(found.claimed.cumulative, 3), round(found.bands[1].cumulative, 3)
    ('moderate', 0.995, 0.883)
    """
    if scale not in _SCALES:
        message = f"scale is {scale!r}; allowed are {', '.join(map(repr, _SCALES))}"
        raise ValueError(message)
    if not 0.5 <= certainty < 1:
        message = f"certainty is {certainty!r}; it must lie from 0.5 to below 1, 0.95 is usual"
        raise ValueError(message)
    error = estimate.standard_error
    if not estimate.is_defined or math.isnan(error):
        reason = estimate.reason or f"no standard error of {estimate.method}: {estimate.interval_reason}"
        return Benchmark(None, (), scale, certainty, estimate.n, estimate.unit, reason=reason)
    bands = _bands(estimate.value, error, _SCALES[scale])
    claimed = next((band for band in bands if band.cumulative >= certainty), None)
    return Benchmark(claimed, bands, scale, certainty, estimate.n, estimate.unit)


def _bands(value: float, error: float, scale: tuple[tuple[float, str], ...]) -> tuple[Band, ...]:
    edges = np.array([1.0] + [low for low, _ in scale])
    if error > 0:
        upper = ndtr((value - edges) / error)
        reached = (upper - upper[0]) / (upper[-1] - upper[0])
    else:
        reached = (edges <= value).astype(np.float64)
    bands = []
    for number, (low, name) in enumerate(scale):
        share = float(reached[number + 1] - reached[number])
        bands.append(Band(low, float(edges[number]), name, share, float(reached[number + 1])))
    return tuple(bands)
