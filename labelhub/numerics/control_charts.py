"""Watching a rater over weeks: an exponentially weighted mean (EWMA) with its run lengths, and those of the CUSUM.

A run length is how many points pass until the first alarm; its mean without any change should be long, and short after
one. An alarm calls for a test and is no verdict. Not here: the CUSUM itself (``sequential.drift``), false discovery over
many raters (``false_discovery``).

References
----------
Lucas JM, Saccucci MS (1990) Exponentially weighted moving average control schemes. Technometrics 32:1-12.
Crowder SV (1987) A simple method for studying run-length distributions of EWMA charts. Technometrics 29:401-407.
Brook D, Evans DA (1972) An approach to the probability distribution of CUSUM run length. Biometrika 59:539-549.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.signal import lfilter
from scipy.sparse.linalg import spsolve
from scipy.special import roots_legendre
from scipy.stats import norm

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import FloatArray
from labelhub.numerics.sequential import DRIFT_LIMIT, SprtPlan

METHOD = "EWMA chart"
VERSION = "1"

MIN_BASELINE = 100
_NODES = 160
_GRID = 4000


@dataclass(frozen=True, slots=True, eq=False)
class EwmaChart:
    """The weighted mean after each point in standard deviations, its limit, and the point of the first alarm (from 0)."""

    course: FloatArray
    alarm_at: int | None
    limit: float
    weight: float
    mean: float
    spread: float
    warnings: tuple[str, ...] = ()
    method: str = METHOD
    version: str = VERSION


@checked
def ewma(
    values: ArrayLike,
    *,
    mean: float,
    spread: float,
    weight: float = 0.1,
    width: float = 2.814,
    n_baseline: int | None = None,
) -> EwmaChart:
    """Z = weight * x + (1 - weight) * z before, with an alarm beyond width * sqrt(weight / (2 - weight)).

    Parameters
    ----------
    values : array of float, shape (point,)
        Finite, in order of time.
    mean, spread : float
        Of a point while nothing has changed; spread above 0.
    weight, width : float
        The default pair alarms falsely once in about 503 points where mean and spread are known.
    n_baseline : int, optional
        How many points mean and spread were estimated from, if they were; below 100 the result warns.

    Raises
    ------
    ValueError
        Where a value is not finite, spread is not above 0, or weight or width is out of range.

    Examples
    --------
    >>> ewma([0.0] * 20 + [2.0] * 10, mean=0.0, spread=1.0).alarm_at
    23
    """
    points = np.asarray(values, dtype=np.float64)
    _check_chart(weight, width)
    if points.ndim != 1 or not np.isfinite(points).all() or not (spread > 0 and math.isfinite(mean + spread)):
        message = f"values has shape {points.shape}, mean is {mean} and spread {spread}; finite points, spread above 0"
        raise ValueError(message)
    course = np.asarray(lfilter([weight], [1, weight - 1], (points - mean) / spread), dtype=np.float64)
    limit = width * math.sqrt(weight / (2 - weight))
    beyond = np.nonzero(np.abs(course) > limit)[0]
    notes: tuple[str, ...] = ()
    if n_baseline is not None and n_baseline < MIN_BASELINE:
        notes = (f"mean and spread rest on {n_baseline} points; below {MIN_BASELINE} false alarms come far more often",)
    return EwmaChart(course, int(beyond[0]) if len(beyond) else None, limit, weight, mean, spread, notes)


@checked
def ewma_run_length(shift: float, *, weight: float = 0.1, width: float = 2.814) -> float:
    """The mean number of points until an alarm, when the mean has moved by ``shift`` standard deviations from the start.

    The integral equation of Crowder, by Gauss-Legendre quadrature; mean and spread are taken as known.

    Examples
    --------
    Lucas and Saccucci (1990), table 3, give 500 and 10.3 for weight .10 and width 2.814.

    >>> [round(ewma_run_length(shift), 1) for shift in (0.0, 1.0)]
    [499.6, 10.3]
    """
    _check_chart(weight, width)
    limit = width * math.sqrt(weight / (2 - weight))
    nodes, parts = roots_legendre(_NODES)
    at = limit * nodes
    density = norm.pdf((at[None, :] - (1 - weight) * at[:, None]) / weight - shift) * (limit * parts / weight)[None, :]
    lengths = np.linalg.solve(np.eye(_NODES) - density, np.ones(_NODES))
    return float(1 + (norm.pdf(at / weight - shift) * limit * parts / weight) @ lengths)


@checked
def drift_run_length(accuracy: float, *, limit: float = DRIFT_LIMIT, good: float = 0.90, bad: float = 0.75) -> float:
    """The mean number of gold units until the CUSUM of ``sequential.drift`` alarms for a rater of this accuracy.

    A Markov chain on a fine grid of the CUSUM's height; infinite for a rater who never errs.

    Parameters
    ----------
    accuracy : float
        Of the rater watched, 0 to 1.
    limit, good, bad : float
        As of ``sequential.drift``.

    Raises
    ------
    ValueError
        Where accuracy lies outside 0 to 1, limit is not above 0, or not 0 < bad < good < 1.

    Examples
    --------
    >>> round(drift_run_length(0.90), -2), round(drift_run_length(0.75))
    (1000.0, 37)
    """
    plan = SprtPlan(good, bad)
    if not (0 <= accuracy <= 1 and limit > 0):
        message = f"accuracy is {accuracy!r} and limit {limit!r}; 0 to 1, and above 0"
        raise ValueError(message)
    if accuracy == 1:
        return math.inf
    heights = (np.arange(_GRID) + 0.5) * limit / _GRID
    heights[0] = 0.0
    place = np.arange(_GRID)
    down = np.clip(np.rint((heights + plan.step_right) * _GRID / limit - 0.5), 0, None).astype(np.int64)
    up = np.rint((heights + plan.step_wrong) * _GRID / limit - 0.5).astype(np.int64)
    stays = heights + plan.step_wrong < limit
    up = np.minimum(up, _GRID - 1)
    rows = np.concatenate([place, place[stays]])
    columns = np.concatenate([down, up[stays]])
    chances = np.concatenate([np.full(_GRID, accuracy), np.full(int(stays.sum()), 1 - accuracy)])
    chain = sparse.csc_array((chances, (rows, columns)), shape=(_GRID, _GRID))
    return float(spsolve(sparse.eye_array(_GRID, format="csc") - chain, np.ones(_GRID))[0])


def _check_chart(weight: float, width: float) -> None:
    if not (0 < weight <= 1 and width > 0):
        message = f"weight is {weight!r} and width {width!r}; 0 < weight <= 1 and width above 0 are needed"
        raise ValueError(message)
