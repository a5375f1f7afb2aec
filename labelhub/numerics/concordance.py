"""Lin's concordance correlation: how close pairs of measurements lie to the line of equality.

It is the correlation times a factor for shift and scale, so 1 means equal and not merely proportional. Not here: more
than two raters (``intraclass``), and differences in the unit of measure (``bland_altman``).

References
----------
Lin LI (1989) A concordance correlation coefficient to evaluate reproducibility. Biometrics 45:255-268.
Lin LI (2000) A note on the concordance correlation coefficient. Biometrics 56:324-325 (erratum of the variance).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval
from labelhub.numerics.results import NAN, Estimate, FloatArray, Interval, check_level, undefined

METHOD = "Lin's concordance correlation"
VERSION = "1"

_ONE = 1 - 1e-12


@dataclass(frozen=True, slots=True)
class Concordance:
    """The coefficient and its factors: ``correlation`` (Pearson) times ``bias_correction`` (1: no shift, same scale).

    ``scale_shift`` is the ratio of the standard deviations, first over second; ``location_shift`` the difference of the
    means over the root of the standard deviations' product.
    """

    estimate: Estimate
    correlation: float
    bias_correction: float
    scale_shift: float
    location_shift: float


@checked
def concordance_correlation(
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = 0.95,
    resampling: Resampling | None = None,
    unit: str = "items",
) -> Concordance:
    """Lin's concordance: 1 where both measurements are equal everywhere, 0 without relation, negative where opposed.

    Moments divide by n, as Lin's do. The interval is made on Fisher's z (erratum of 2000) unless a resampling is given.

    Parameters
    ----------
    first, second : array of float, shape (unit,)
        The two measurements of each unit; units with NaN in either are left out and not counted.
    level : float
        Of the interval on Fisher's z; a resampling brings its own.
    resampling : Resampling, optional
        Where units cluster in patients.
    unit : str
        What a pair of measurements is of, in words and in the plural.

    Returns
    -------
    Concordance
        NaN with a reason with fewer than three units, or where neither measurement varies.

    Raises
    ------
    ValueError
        Where the measurements differ in number or are infinite.

    Examples
    --------
    A constant shift of 1 leaves the correlation at 1 and the concordance below it.

    >>> found = concordance_correlation([1, 2, 3, 4, 5], [2, 3, 4, 5, 6])
    >>> round(found.correlation, 3), round(found.estimate.value, 3)
    (1.0, 0.8)
    """
    check_level(level)
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or np.isinf(x).any() or np.isinf(y).any():
        message = f"first has shape {x.shape}, second {y.shape}; one finite number (or NaN) a unit is needed in each"
        raise ValueError(message)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    n = int(known.sum())
    if n < 3:
        reason = f"only {n} {unit} measured twice; at least 3 are needed"
        return Concordance(undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION, level=level), *[NAN] * 4)
    # Both are centred by one number: it keeps digits and leaves their difference.
    centre = (x.sum() + y.sum()) / (2 * n)
    x, y = np.where(known, x - centre, 0.0), np.where(known, y - centre, 0.0)
    contributions = np.column_stack([known, x, y, x * x, y * y, x * y]).astype(np.float64)
    sums = contributions.sum(axis=0, keepdims=True)
    value = float(_concordance(sums)[0])
    if math.isnan(value):
        reason = "no variation in either measurement"
        return Concordance(undefined(reason, n=n, unit=unit, method=METHOD, version=VERSION, level=level), *[NAN] * 4)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=METHOD, version=VERSION, level=level)
    parts = _factors(sums, value)
    estimate = _with_z_interval(bare, parts[0], parts[3], level)
    if resampling is not None:
        estimate = bare.with_interval(bootstrap_interval(contributions, _concordance, resampling))
    return Concordance(estimate, *parts)


def _moments(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    n, x, y, xx, yy, xy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (x - y) / n
        variances = np.maximum(xx / n - (x / n) ** 2, 0.0), np.maximum(yy / n - (y / n) ** 2, 0.0)
        return variances[0], variances[1], xy / n - x * y / n**2, shift


def _concordance(sums: FloatArray) -> FloatArray:
    first, second, both, shift = _moments(sums)
    below = first + second + shift**2
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (sums[:, 3] + sums[:, 4]) / sums[:, 0]
        return np.where((first + second > 1e-13 * scale) & (below > 0), 2 * both / below, NAN)


def _factors(sums: FloatArray, value: float) -> tuple[float, float, float, float]:
    first, second, both, shift = (float(moment[0]) for moment in _moments(sums))
    if first <= 0 or second <= 0:
        return NAN, NAN, NAN, NAN
    correlation = min(1.0, max(-1.0, both / math.sqrt(first * second)))
    bias = 2 * math.sqrt(first * second) / (first + second + shift**2)
    return correlation, bias, math.sqrt(first / second), shift / (first * second) ** 0.25


def _with_z_interval(bare: Estimate, correlation: float, shift: float, level: float) -> Estimate:
    method = "normal on Fisher's z (Lin 2000), independent units"
    value, n = bare.value, bare.n
    if not abs(correlation) > 1e-12 or abs(value) > _ONE:
        reason = "Fisher's z is infinite or its error undefined: the measurements are equal, or unrelated"
        return bare.with_interval(Interval(level=level, method=method, n_groups=n, group_unit=bare.unit, reason=reason))
    c, r, u = value, correlation, shift
    variance = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u**2 / (r * (1 - c**2) ** 2)
        - c**4 * u**4 / (2 * r**2 * (1 - c**2) ** 2)
    ) / (n - 2)
    error = math.sqrt(max(variance, 0.0))
    half, z = float(ndtri(0.5 + level / 2)) * error, math.atanh(c)
    interval = Interval(math.tanh(z - half), math.tanh(z + half), level, method, n_groups=n, group_unit=bare.unit)
    return replace(bare.with_interval(interval), standard_error=error * (1 - c**2))
