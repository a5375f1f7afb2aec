"""How often a stated confidence is right: reliability curves, and a posterior corrected by gold.

A posterior of .95 is a claim under a model in which raters err independently of each other given the truth. Where raters
share errors it may be right only three times in four; gold shows it. Not here: the estimates themselves.

References
----------
DeGroot MH, Fienberg SE (1983) The comparison and evaluation of forecasters. The Statistician 32:12-22 (reliability).
Guo C, Pleiss G, Sun Y, Weinberger KQ (2017) On calibration of modern neural networks. ICML, section 4 (temperature).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from labelhub.numerics.arguments import checked, one_a_unit
from labelhub.numerics.proportions import proportion_interval
from labelhub.numerics.results import NAN, FloatArray, IntArray, check_level

METHOD = "reliability curve"
VERSION = "1"

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
MIN_GOLD = 20
_COOLEST, _HOTTEST = 0.2, 20.0


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """What was claimed and what was true, bin by bin of confidence.

    Bin ``b`` holds confidences above ``edges[b]`` up to ``edges[b + 1]``: ``n[b]`` units, their mean ``claimed``, the
    share ``right`` with its interval ``low`` to ``high`` (NaN in an empty bin). ``error`` is the mean distance of claimed
    and right over units (expected calibration error), NaN without units.
    """

    edges: FloatArray
    n: IntArray
    claimed: FloatArray
    right: FloatArray
    low: FloatArray
    high: FloatArray
    error: float
    judged_by: str
    level: float
    method: str = METHOD
    version: str = VERSION

    def right_at(self, confidence: float) -> tuple[float, float, int]:
        """Share right, its lower limit and the count of the bin that holds this confidence."""
        bin_ = int(np.clip(np.searchsorted(self.edges, confidence, side="left") - 1, 0, len(self.n) - 1))
        return float(self.right[bin_]), float(self.low[bin_]), int(self.n[bin_])


@checked
def reliability_curve(
    confidence: ArrayLike,
    is_right: ArrayLike,
    *,
    edges: Sequence[float] = EDGES,
    level: float = 0.95,
    judged_by: str = "gold",
) -> ReliabilityCurve:
    """The share that is right among units of like confidence.

    Parameters
    ----------
    confidence : array of float, shape (unit,)
        0 to 1; NaN is left out.
    is_right : array of float, shape (unit,)
        1 or 0 (a chance where a tie was broken at random); NaN where unknown, which is left out.
    edges : sequence of float
        Ascending, from 0 to 1.
    level : float
        Of the intervals (Wilson's, Jeffreys' below 10 units; units are taken as independent).
    judged_by : str
        What ``is_right`` comes from, for the reader.

    Raises
    ------
    ValueError
        Where lengths differ, a value lies outside 0 to 1, or edges do not rise from 0 to 1.

    Examples
    --------
    Four claims of .97, three of them right:

    >>> curve = reliability_curve([0.97] * 4, [1, 1, 1, 0])
    >>> round(curve.right_at(0.97)[0], 2), round(curve.error, 2)
    (0.75, 0.22)
    """
    check_level(level)
    stated, outcome = np.asarray(confidence, dtype=np.float64), np.asarray(is_right, dtype=np.float64)
    limits = np.asarray(edges, dtype=np.float64)
    if stated.shape != outcome.shape or stated.ndim != 1:
        message = f"confidence has shape {stated.shape} and is_right {outcome.shape}; one of each a unit is needed"
        raise ValueError(message)
    known = ~np.isnan(stated) & ~np.isnan(outcome)
    stated, outcome = stated[known], outcome[known]
    if ((stated < 0) | (stated > 1 + 1e-9) | (outcome < 0) | (outcome > 1)).any():
        message = (
            f"confidence runs from {stated.min()} to {stated.max()} and is_right from {outcome.min()} to {outcome.max()}; "
            "both must lie from 0 to 1"
        )
        raise ValueError(message)
    if limits.ndim != 1 or len(limits) < 2 or (np.diff(limits) <= 0).any() or limits[0] != 0 or limits[-1] != 1:
        message = f"edges is {edges!r}; ascending numbers from 0 to 1 are needed"
        raise ValueError(message)
    place = np.clip(np.searchsorted(limits, stated, side="left") - 1, 0, len(limits) - 2)
    n = np.bincount(place, minlength=len(limits) - 1)
    with np.errstate(invalid="ignore"):
        claimed = np.bincount(place, stated, minlength=len(n)) / n
        right = np.bincount(place, outcome, minlength=len(n)) / n
    intervals = [
        proportion_interval(float(share * count) if count else 0.0, float(count), level=level)
        for share, count in zip(right, n, strict=True)
    ]
    error = float(np.nansum(n * np.abs(claimed - right)) / n.sum()) if n.sum() else NAN
    return ReliabilityCurve(
        limits, n.astype(np.int64), claimed, right,
        np.array([interval.low for interval in intervals]), np.array([interval.high for interval in intervals]),
        error, judged_by, level,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A posterior whose logarithms were divided by ``temperature`` (above 1: it claimed too much), fitted on ``n`` units.

    ``reason`` says why nothing was changed, where nothing was.
    """

    posterior: FloatArray
    temperature: float
    n: int
    reason: str | None = None
    method: str = "temperature, maximum likelihood on gold"
    version: str = VERSION


@checked
def calibrated(
    posterior: ArrayLike, truth: ArrayLike, categories: ArrayLike, *, weights: ArrayLike | None = None
) -> Calibration:
    """The posterior corrected by known answers: one temperature for all units, so that no winner changes.

    Parameters
    ----------
    posterior : array of float, shape (unit, category)
        NaN rows stay NaN.
    truth : array of float, shape (unit,)
        The true category where it is known, else NaN. Gold must be a random draw of the units, or the correction is that
        of the gold's kind of unit.
    categories : array of float, shape (category,)
    weights : array of float, shape (unit,), optional
        How many units each known one stands for, above 0: the inverse of its chance to be drawn (Horvitz and Thompson
        1952), where known answers come from a draw with unequal chances. Only their ratios count.

    Returns
    -------
    Calibration
        Unchanged, with a reason, below 20 gold units.

    Raises
    ------
    ValueError
        Where shapes do not fit.

    Examples
    --------
    >>> claims = [[0.99, 0.01]] * 40
    >>> found = calibrated(claims, [0.0] * 30 + [1.0] * 10, [0, 1])
    >>> found.posterior[0].round(2).tolist(), found.n
    ([0.75, 0.25], 40)
    """
    table, known = np.asarray(posterior, dtype=np.float64), one_a_unit("truth", truth, np.float64)
    values = one_a_unit("categories", categories, np.float64)
    if table.ndim != 2 or table.shape != (len(known), len(values)):
        message = f"posterior has shape {table.shape}; ({len(known)} units, {len(values)} categories) is needed"
        raise ValueError(message)
    worth = np.ones(len(known)) if weights is None else np.asarray(weights, dtype=np.float64)
    if worth.shape != known.shape or not (np.isfinite(worth) & (worth > 0)).all():
        message = f"weights has shape {worth.shape}; one finite number above 0 a unit is needed"
        raise ValueError(message)
    is_gold = (table.shape[1] > 0) & ~np.isnan(table).any(axis=1) & np.isin(known, values)
    n = int(is_gold.sum())
    if n < MIN_GOLD:
        return Calibration(table, 1.0, n, f"{n} gold units; at least {MIN_GOLD} are needed to correct a posterior")
    logs = np.log(np.maximum(table, 1e-12))
    place = (known[is_gold][:, None] == values[None, :]).argmax(axis=1)
    share = worth[is_gold] / worth[is_gold].sum()

    def loss(log_temperature: float) -> float:
        cooled = logs[is_gold] / np.exp(log_temperature)
        most = cooled.max(axis=1, keepdims=True)
        total = most[:, 0] + np.log(np.exp(cooled - most).sum(axis=1))
        return float(share @ (total - cooled[np.arange(n), place]))

    bounds = (np.log(_COOLEST), np.log(_HOTTEST))
    temperature = float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
    scaled = np.exp((logs - np.nanmax(logs, axis=1, initial=-np.inf, keepdims=True)) / temperature)
    return Calibration(scaled / scaled.sum(axis=1, keepdims=True), temperature, n)
