"""Many tests at once: which findings stand if at most this share of them may be false.

Not here: any single test. Use it over all pairs of raters, or over alarms of raters × classes × weeks.

References
----------
Benjamini Y, Hochberg Y (1995) Controlling the false discovery rate. J R Stat Soc B 57:289-300.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.arguments import checked
from labelhub.numerics.results import NAN, BoolArray, FloatArray, check_level

METHOD = "Benjamini–Hochberg"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class Discoveries:
    """``q_value[test]`` is the smallest rate at which the test would stand; ``is_found[test]`` those that do.

    Undefined tests (NaN) are not counted and never stand.
    """

    q_value: FloatArray
    is_found: BoolArray
    rate: float
    n_tests: int
    method: str = METHOD
    version: str = VERSION


@checked
def discoveries(p_values: ArrayLike, *, rate: float = 0.05) -> Discoveries:
    """The findings among many tests, with at most ``rate`` of them false on average.

    Parameters
    ----------
    p_values : array of float, shape (test,)
        0 to 1; NaN where a test is undefined.
    rate : float
        The false discovery rate to keep.

    Raises
    ------
    ValueError
        Where a p-value lies outside 0 to 1, or the rate is not strictly between 0 and 1.

    Examples
    --------
    Benjamini and Hochberg (1995), section 3.1: four of fifteen stand at 5 %.

    >>> p = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1.0]
    >>> int(discoveries(p).is_found.sum())
    4
    """
    check_level(rate)
    values = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(values)
    if values.ndim != 1 or ((values[known] < 0) | (values[known] > 1)).any():
        message = f"p_values has shape {values.shape}; one number from 0 to 1, or NaN, a test is needed"
        raise ValueError(message)
    n = int(known.sum())
    q_value = np.full(len(values), NAN)
    order = np.nonzero(known)[0][np.argsort(values[known], kind="stable")]
    scaled = values[order] * n / np.arange(1, n + 1)
    q_value[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return Discoveries(q_value, np.nan_to_num(q_value, nan=1.0) <= rate, rate, n)
