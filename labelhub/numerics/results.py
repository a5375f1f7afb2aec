"""What every number of this package comes back as: a value with its count, its interval, its method and its doubts.

Not here: any computation. An undefined value is NaN with a ``reason``; it is never 0 or 1 in silence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval, how it was made, and what was resampled to make it.

    ``n_groups`` of ``group_unit`` were resampled ``n_resamples`` times (0 for formula intervals), ``n_dropped`` of the
    resamples had no value and were left out. ``low`` and ``high`` are NaN where ``reason`` says why. ``standard_error``
    is the spread of the resampled values, NaN for formula intervals.
    """

    low: float = NAN
    high: float = NAN
    level: float = 0.95
    method: str = ""
    n_groups: int = 0
    group_unit: str = ""
    n_resamples: int = 0
    n_dropped: int = 0
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    standard_error: float = NAN


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that may be shown: its value, interval, count, method, and why it is undefined where it is.

    ``n`` counts ``unit`` ("items", "pairs of readers"). ``n_groups`` and ``group_unit`` say what the interval treats as
    independent ("patients"); ``standard_error`` treats the same as independent and is NaN where it is not known.
    ``method`` is a name for people, ``version`` that of the code that made the value.
    ``reason`` is ``None`` exactly where ``value`` is a number; ``interval_reason`` does the same for the interval.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    version: str
    level: float = 0.95
    n_groups: int = 0
    group_unit: str = ""
    interval_method: str = ""
    interval_reason: str | None = None
    standard_error: float = NAN
    reason: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_defined(self) -> bool:
        """Whether there is a value at all."""
        return not math.isnan(self.value)

    @property
    def width(self) -> float:
        """The width of the interval; NaN where there is none."""
        return self.high - self.low

    def with_interval(self, interval: Interval) -> Estimate:
        """The same value with this interval in place of its own; a resampled one brings its standard error along."""
        return replace(
            self,
            low=interval.low,
            high=interval.high,
            level=interval.level,
            n_groups=interval.n_groups,
            group_unit=interval.group_unit,
            interval_method=interval.method,
            interval_reason=interval.reason,
            # An error that takes units as independent must not stand beside an interval over patients.
            standard_error=interval.standard_error if interval.n_resamples else self.standard_error,
            warnings=tuple(dict.fromkeys(self.warnings + interval.warnings)),
        )

    def with_warnings(self, *warnings: str) -> Estimate:
        """The same value with further warnings."""
        return replace(self, warnings=tuple(dict.fromkeys(self.warnings + warnings)))


@checked
def undefined(reason: str, *, n: int, unit: str, method: str, version: str, level: float = 0.95) -> Estimate:
    """An estimate without a value, and why."""
    return Estimate(
        value=NAN,
        low=NAN,
        high=NAN,
        n=n,
        unit=unit,
        method=method,
        version=version,
        level=level,
        reason=reason,
        interval_reason=reason,
    )


def check_level(level: float) -> float:
    """The confidence level, or a ValueError where it is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        message = f"level is {level!r}; it must lie strictly between 0 and 1, such as 0.95"
        raise ValueError(message)
    return level
