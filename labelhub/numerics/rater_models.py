"""How good a rater is, from few gold units: shares pulled towards what raters of this project usually reach.

A rater with five gold units who got all right is not perfect; the beta-binomial model says what is likely. Raters are
ranked only through the probability that one is better than another. Not here: the plain share with Wilson's interval
(``proportions``), and error matrices without gold (``consensus``).

References
----------
Efron B, Morris C (1975) Data analysis using Stein's estimator. JASA 70:311-319 (the baseball averages).
Skellam JG (1948) A probability distribution derived from the binomial. J R Stat Soc B 10:257-261.
Takahasi H, Mori M (1974) Double exponential formulas for numerical integration. Publ RIMS Kyoto Univ 9:721-741.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy.special import betainc, betaincinv, betaln, expit

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import Estimate, FloatArray, IntArray, check_level

METHOD = "beta-binomial shrinkage"
VERSION = "1"

_MIN_RATERS = 3
_MAX_STRENGTH = 1e4
_NODES = np.linspace(-3.4, 3.4, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Shrinkage:
    """Shares of all raters under one prior Beta(a, b) fitted to them.

    ``mean[rater]``, ``low`` and ``high`` (credible interval) are of Beta(a + right, b + wrong); ``n[rater]`` counts
    gold units. ``prior_a + prior_b`` is how many gold units the prior weighs. Raters without gold get the prior itself.
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    n: IntArray
    right: IntArray
    prior_a: float
    prior_b: float
    level: float
    method: str = METHOD
    version: str = VERSION
    warnings: tuple[str, ...] = ()

    def estimate(self, rater: int, *, unit: str = "gold items") -> Estimate:
        """One rater's share as an estimate to show."""
        return Estimate(
            value=float(self.mean[rater]),
            low=float(self.low[rater]),
            high=float(self.high[rater]),
            n=int(self.n[rater]),
            unit=unit,
            method=self.method,
            version=self.version,
            level=self.level,
            n_groups=int(self.n[rater]),
            group_unit=unit,
            interval_method="credible interval, prior fitted to all raters",
            warnings=self.warnings,
        )

    def probability_above(self, target: float) -> FloatArray:
        """For each rater the probability that their true share is above ``target``, shape (rater,)."""
        if not 0 <= target <= 1:
            message = f"target is {target!r}; it lies between 0 and 1"
            raise ValueError(message)
        wrong = self.n - self.right
        return np.asarray(1 - betainc(self.prior_a + self.right, self.prior_b + wrong, target), dtype=np.float64)

    def probability_better(self, first: int, second: int) -> float:
        """The probability that the first rater's true share is above the second's; 0.5 for a rater and itself."""
        if first == second:
            return 0.5
        wrong = self.n - self.right
        return probability_greater(
            self.prior_a + float(self.right[first]),
            self.prior_b + float(wrong[first]),
            self.prior_a + float(self.right[second]),
            self.prior_b + float(wrong[second]),
        )


@checked
def shrunken_shares(right: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Shrinkage:
    """Each rater's share of right gold units, pulled towards the others the more the fewer units it rests on.

    Parameters
    ----------
    right, n : array of int, shape (rater,)
        How many gold units each rater got right, of how many.
    level : float
        Of the credible intervals.

    Returns
    -------
    Shrinkage
        With Jeffreys' prior Beta(1/2, 1/2) and a warning where fewer than three raters have gold units.

    Raises
    ------
    ValueError
        Where counts are not whole, or not 0 <= right <= n.

    Examples
    --------
    Two raters of ten with 10 of 10 and 95 of 100: the long record is trusted more.

    >>> found = shrunken_shares([10, 95, 8, 80, 17, 45, 88, 9], [10, 100, 10, 100, 20, 50, 100, 12])
    >>> bool(found.mean[1] > found.mean[0] > found.mean[3]), bool(found.mean[0] < 1)
    (True, True)
    """
    check_level(level)
    successes, counts = _whole(right, "right"), _whole(n, "n")
    if successes.shape != counts.shape or successes.ndim != 1 or (successes < 0).any() or (successes > counts).any():
        message = f"right is {successes.tolist()} of n {counts.tolist()}; one 0 <= right <= n a rater is needed"
        raise ValueError(message)
    has_gold = counts > 0
    notes: tuple[str, ...] = ()
    if int(has_gold.sum()) < _MIN_RATERS:
        a = b = 0.5
        notes = (f"fewer than {_MIN_RATERS} raters have gold: no prior can be fitted, Jeffreys' is used",)
    else:
        a, b = _fitted_prior(successes[has_gold], counts[has_gold])
    above, below = a + successes, b + counts - successes
    tail = (1 - level) / 2
    return Shrinkage(
        mean=np.asarray(above / (above + below), dtype=np.float64),
        low=np.asarray(betaincinv(above, below, tail), dtype=np.float64),
        high=np.asarray(betaincinv(above, below, 1 - tail), dtype=np.float64),
        n=counts,
        right=successes,
        prior_a=a,
        prior_b=b,
        level=level,
        warnings=notes,
    )


@checked
def probability_greater(a1: float, b1: float, a2: float, b2: float) -> float:
    """P(X > Y) for independent X ~ Beta(a1, b1) and Y ~ Beta(a2, b2), to 1e-10.

    Raises
    ------
    ValueError
        Where a parameter is not above 0.

    Examples
    --------
    >>> round(probability_greater(3, 1, 1, 3), 4), round(probability_greater(2, 5, 2, 5), 4)
    (0.95, 0.5)
    """
    if min(a1, b1, a2, b2) <= 0:
        message = f"parameters are {(a1, b1, a2, b2)}; all must be above 0"
        raise ValueError(message)
    if _spread(a2, b2) < _spread(a1, b1):
        # The wider one must not be asked at quantiles between which the narrower one jumps from 0 to 1.
        return 1.0 - probability_greater(a2, b2, a1, b1)
    # Over X's own quantiles, crowded towards both ends, where a quantile's slope has no bound.
    steps = np.pi * np.sinh(_NODES)
    below, above = expit(steps), expit(-steps)
    weights = (_NODES[1] - _NODES[0]) * np.pi * np.cosh(_NODES) * below * above
    quantiles = np.where(_NODES <= 0, betaincinv(a1, b1, below), 1 - betaincinv(b1, a1, above))
    return float(weights @ betainc(a2, b2, quantiles))


def _spread(a: float, b: float) -> float:
    return a * b / ((a + b) ** 2 * (a + b + 1))


def _whole(counts: ArrayLike, name: str) -> IntArray:
    values = np.asarray(counts, dtype=np.float64)
    if not (np.isfinite(values) & (values == np.rint(values))).all():
        message = f"{name} is {values.tolist()}; whole numbers are needed"
        raise ValueError(message)
    return np.asarray(values, dtype=np.int64)


def _fitted_prior(right: IntArray, n: IntArray) -> tuple[float, float]:
    """Beta-binomial maximum likelihood in mean and strength; strength is bounded where raters do not differ."""

    def loss(parameters: FloatArray) -> float:
        mean, strength = 1 / (1 + math.exp(-parameters[0])), math.exp(parameters[1])
        a, b = mean * strength, (1 - mean) * strength
        return -float((betaln(right + a, n - right + b) - betaln(a, b)).sum())

    pooled = float(np.clip((right.sum() + 0.5) / (n.sum() + 1), 1e-4, 1 - 1e-4))
    start = np.array([math.log(pooled / (1 - pooled)), math.log(10.0)])
    bounds = [(-10.0, 10.0), (math.log(0.1), math.log(_MAX_STRENGTH))]
    best = optimize.minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
    mean, strength = 1 / (1 + math.exp(-best[0])), math.exp(best[1])
    return mean * strength, (1 - mean) * strength
