"""Krippendorff's alpha of very many ratings in a few categories, at about the speed at which they can be read.

Few raters and categories are counted by comparison (``compared_counts``). Otherwise, and for resamples, the counts of a
unit are digits of one number: a rating of category k adds B**k, where B is a power of two above the
number of raters. The power is made by writing the exponent of a float64 directly, the sum is a matrix product, and the
digits are read back by shifts; ratings pass through in blocks that stay in the cache. Every block is checked: what is
not a whole number in the expected range is found, and the general way is taken. Not here: alpha of a unit, its error
and its interval (``alpha.krippendorff_alpha``).

References
----------
Krippendorff K (2011) Computing Krippendorff's alpha-reliability. University of Pennsylvania.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from labelhub.numerics.alpha import METHOD as ALPHA
from labelhub.numerics.alpha import NO_VARIATION, Measure, alpha_terms, krippendorff_alpha, value_distances
from labelhub.numerics.arguments import checked
from labelhub.numerics.bootstrap import Resampling, counted_bootstrap_interval
from labelhub.numerics.compared_counts import MAX_CATEGORIES, MAX_RATERS, ComparedCounts
from labelhub.numerics.ratings import rating_matrix, ratings_from_counts
from labelhub.numerics.results import NAN, BoolArray, Estimate, FloatArray, IntArray, Interval, undefined

METHOD = "packed coincidences"
VERSION = "1"

# Ratings handled at once: small enough for a core's cache, large enough that a call costs little.
_BLOCK = 80_000
# Below this many ratings a second thread costs more than it saves. Bytes are compared in calls so short that two threads
# spend longer waiting for the interpreter than one spends on all of them.
_WORTH_A_THREAD = 2_000_000
_BYTE = 1
_EXACT_BITS = 52
# Numbers of no more bits are counted in an array with a place for each; larger ones are sorted.
_COUNTED_BITS = 20
_MAX_VALUE = 1e9
# Adding this to a number below 2**51 leaves its nearest whole number in the low bits of the float.
_MAGIC = float(2**52)
_BIAS = 1023


@checked
def alpha_value(
    ratings: ArrayLike, measure: Measure = "nominal", *, resampling: Resampling | None = None, unit: str = "items"
) -> Estimate:
    """Krippendorff's alpha without a number for each unit: the value, equal to 1e-12, and a bootstrap interval if asked.

    Parameters
    ----------
    ratings : array of float, shape (unit, rater)
        NaN where a rater did not rate. Quick where ratings are whole numbers in a narrow range (see
        :func:`coincidences`) in C order, quicker still in a small integer type, of which less is to be read; other
        tables are handed to ``alpha.krippendorff_alpha``.
    measure : {"nominal", "ordinal", "interval", "ratio"}
        As there.
    resampling : Resampling, optional
        Quick where units are their own groups; without it there is no interval.
    unit : str
        What a row is, in words and in the plural.

    Examples
    --------
    >>> round(alpha_value([[1, 1, 1], [2, 2, 1], [3, 3, 3]]).value, 3)
    0.692
    """
    # An infinite rating is caught below: it is outside of every range, and the general way refuses it.
    matrix = np.asarray(ratings)
    if matrix.dtype.kind not in "iu":
        matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim == 2 and resampling is None:
        found = coincidences(matrix)
        if found is not None and (measure != "ratio" or found.values[0] >= 0):
            return alpha_of_coincidences(found, measure, unit)
    if matrix.ndim == 2 and resampling is not None and resampling.groups is None:
        rows = distinct_units(matrix)
        if rows is not None and (measure != "ratio" or rows[0] >= 0):
            return _from_rows(*rows, measure, resampling, unit)
    return krippendorff_alpha(rating_matrix(ratings), measure, resampling=resampling, unit=unit).estimate


def alpha_of_coincidences(found: Coincidences, measure: Measure, unit: str = "items") -> Estimate:
    """As :func:`alpha_value` without an interval, of coincidences that are there already.

    Examples
    --------
    >>> table = np.array([[3.0, 1.0], [1.0, 3.0]])
    >>> alpha_of_coincidences(Coincidences(np.arange(2.0), table, table.sum(axis=1), 4), "nominal").value
    0.5625
    """
    method = f"{ALPHA} ({measure})"
    n = found.totals.sum()
    if n == 0:
        return undefined(f"no {unit} with two ratings", n=0, unit=unit, method=method, version=VERSION)
    distances = value_distances(found.values, found.totals, measure)
    expected = float(found.totals @ distances @ found.totals)
    if not expected > 0:
        return undefined(NO_VARIATION, n=found.n_units, unit=unit, method=method, version=VERSION)
    value = 1 - (n - 1) * float((found.table * distances).sum()) / expected
    bare = Estimate(float(value), NAN, NAN, n=found.n_units, unit=unit, method=method, version=VERSION)
    return bare.with_interval(Interval(reason="no resampling was asked for"))


def _from_rows(
    low: float, counts: IntArray, often: IntArray, measure: Measure, resampling: Resampling, unit: str
) -> Estimate:
    method = f"{ALPHA} ({measure})"
    pairable = counts.sum(axis=1) >= 2
    counts, often = counts[pairable], often[pairable]
    n = int(often.sum())
    if n == 0:
        return undefined(f"no {unit} with two ratings", n=0, unit=unit, method=method, version=VERSION)
    terms = alpha_terms(ratings_from_counts(counts) + low, measure)
    value = float(terms.statistic((often @ terms.contributions)[None])[0])
    if np.isnan(value):
        return undefined(NO_VARIATION, n=n, unit=unit, method=method, version=VERSION)
    bare = Estimate(value, NAN, NAN, n=n, unit=unit, method=method, version=VERSION)
    return bare.with_interval(counted_bootstrap_interval(terms.contributions, often, terms.statistic, resampling))


@dataclass(frozen=True, slots=True, eq=False)
class Coincidences:
    """Sums over units with two ratings: ``table[k, l]`` of n_k n_l / (m - 1), and ``totals[k]`` of n_k.

    ``values[k]`` are the categories, those between the least and the greatest that do not occur too. ``n_units`` counts
    the units with at least two ratings.
    """

    values: FloatArray
    table: FloatArray
    totals: FloatArray
    n_units: int


def coincidences(ratings: FloatArray | IntArray) -> Coincidences | None:
    """The coincidences of ``ratings[unit, rater]`` that are whole numbers in a narrow range; ``None`` where they are not.

    The range is narrow enough up to 12 categories of 60 raters, and where (greatest - least + 1) times the bits of the
    number of raters is at most 52: seventeen categories of 4 to 7 raters, seven of 100.

    Examples
    --------
    >>> found = coincidences(np.array([[1.0, 2.0, 2.0], [1.0, 1.0, np.nan]]))
    >>> found.values.tolist(), found.totals.tolist(), found.table.round(12).tolist()
    ([1.0, 2.0], [3.0, 2.0], [[4.5, 1.0], [1.0, 2.0]])
    """
    n_units, n_raters = ratings.shape
    if n_units == 0 or n_raters < 2 or not ratings.flags.c_contiguous:
        return None
    step = max(1, _BLOCK // n_raters)
    limits = _limits(ratings[:step])
    found = _summed(ratings, limits, step) if limits else None
    if found is None:
        # The first block did not show the whole range: look at all ratings before giving up.
        limits = _limits(ratings)
        found = _summed(ratings, limits, step) if limits else None
    return found


def distinct_units(ratings: FloatArray | IntArray) -> tuple[float, IntArray, IntArray] | None:
    """The different units: the least category, ``counts[row, category]`` and how often each row occurs.

    ``None`` under the same conditions as :func:`coincidences`.

    Examples
    --------
    >>> low, counts, often = distinct_units(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]]))
    >>> low, counts.tolist(), often.tolist()
    (1.0, [[2, 0], [1, 1]], [1, 2])
    """
    n_units, n_raters = ratings.shape
    width = int(n_raters).bit_length()
    limits = _limits(ratings) if n_units and n_raters >= 2 and ratings.flags.c_contiguous else None
    if limits is None or not _fits(limits, width):
        return None
    step = max(1, _BLOCK // n_raters)
    q = int(limits[1] - limits[0]) + 1
    sums = _Sums(limits, step, n_raters)
    packed = np.empty(n_units, dtype=np.int64)
    n_whole = 0
    for start in range(0, n_units, step):
        block = ratings[start : start + step]
        n_whole += sums.pack(block) or 0
        np.copyto(packed[start : start + step], sums.sums[: len(block)], casting="unsafe")
    if q * width <= _COUNTED_BITS:
        often = np.bincount(packed)
        rows = np.nonzero(often)[0]
        often = often[rows]
    else:
        rows, often = np.unique(packed, return_counts=True)
    counts = (rows[:, None] >> (width * np.arange(q))) & ((1 << width) - 1)
    return (limits[0], counts, often) if int((counts.sum(axis=1) * often).sum()) == n_whole else None


def _fits(limits: tuple[float, float], width: int) -> bool:
    low, high = limits
    return (high - low + 1) * width <= _EXACT_BITS and max(abs(low), abs(high)) < _MAX_VALUE


def _limits(ratings: FloatArray | IntArray) -> tuple[float, float] | None:
    low, high = float(np.fmin.reduce(ratings, axis=None)), float(np.fmax.reduce(ratings, axis=None))
    return (low, high) if np.isfinite(low) and np.isfinite(high) and low == math.floor(low) else None


def _summed(ratings: FloatArray | IntArray, limits: tuple[float, float], step: int) -> Coincidences | None:
    n_units, n_raters = ratings.shape
    is_small = max(abs(limits[0]), abs(limits[1])) < _MAX_VALUE
    is_compared = is_small and limits[1] - limits[0] < MAX_CATEGORIES and n_raters <= MAX_RATERS
    if not is_compared and not _fits(limits, n_raters.bit_length()):
        return None
    q = int(limits[1] - limits[0]) + 1
    values = limits[0] + np.arange(q, dtype=np.float64)
    is_long = ratings.size >= _WORTH_A_THREAD and not (is_compared and ratings.itemsize == _BYTE)
    n_workers = min(os.cpu_count() or 1, 4) if is_long else 1
    bounds = np.linspace(0, n_units, n_workers + 1).astype(np.int64).tolist()
    parts: list[ComparedCounts | _Sums] = [
        ComparedCounts(values, n_raters) if is_compared else _Sums(limits, step, n_raters) for _ in range(n_workers)
    ]
    pieces = [ratings[start:stop] for start, stop in pairwise(bounds)]
    with ThreadPoolExecutor(n_workers) as pool:
        done = list(pool.map(lambda part, piece: part.add_all(piece), parts, pieces))
    if not all(done):
        return None
    table = sum((part.table for part in parts), np.zeros((q, q)))
    table = table + np.tril(table, -1).T
    totals = sum((part.totals for part in parts), np.zeros(q))
    return Coincidences(values, table, totals, sum(part.n_units for part in parts))


class _Sums:
    """Running sums of one thread, and the room it works in."""

    def __init__(self, limits: tuple[float, float], step: int, n_raters: int) -> None:
        q = int(limits[1] - limits[0]) + 1
        self.limits = limits
        self.width = n_raters.bit_length()
        self.table = np.zeros((q, q))
        self.totals = np.zeros(q)
        self.n_units = 0
        self.step = step
        self.room: FloatArray = np.empty((step, n_raters))
        self.same: BoolArray = np.empty((step, n_raters), dtype=bool)
        self.sums = np.empty(step)
        self.counts = np.empty((q, step))
        self.digits = np.empty(step, dtype=np.int32 if q * self.width < 32 else np.int64)
        self.digit = np.empty_like(self.digits)

    def add_all(self, ratings: FloatArray | IntArray) -> bool:
        """Adds every block; False as soon as one holds what is not a whole number within the limits."""
        starts = range(0, len(ratings), self.step)
        return all(self._add(ratings[start : start + self.step]) for start in starts)

    def _add(self, block: FloatArray | IntArray) -> bool:
        n = len(block)
        n_whole = self.pack(block)
        if n_whole is None:
            return False
        counts, digits = self.counts[:, :n], self.digits[:n]
        np.copyto(digits, self.sums[:n], casting="unsafe")
        mask = digits.dtype.type((1 << self.width) - 1)
        for k in range(len(counts)):
            np.bitwise_and(digits, mask, out=self.digit[:n])
            counts[k] = self.digit[:n]
            np.right_shift(digits, self.width, out=digits)
        raters = counts.sum(axis=0)
        if int(raters.sum()) != n_whole:
            return False
        if raters.min() == raters.max() and raters[0] >= 2:
            self._add_products(counts, counts, 1 / (float(raters[0]) - 1))
            self.totals += counts.sum(axis=1)
            self.n_units += n
            return True
        pairable = raters >= 2
        weight = np.where(pairable, 1 / np.maximum(raters - 1, 1), 0.0)
        self._add_products(counts * weight, counts, 1.0)
        self.totals += (counts * pairable).sum(axis=1)
        self.n_units += int(np.count_nonzero(pairable))
        return True

    def _add_products(self, weighted: FloatArray, counts: FloatArray, scale: float) -> None:
        # One product of two rows at a time: a matrix product this flat is slower, and wakes the threads of its library.
        for k in range(len(counts)):
            for j in range(k + 1):
                self.table[k, j] += scale * float(weighted[k] @ counts[j])

    def pack(self, block: FloatArray | IntArray) -> int | None:
        """Writes into ``sums`` one number a unit whose digits are its counts; how many ratings are whole numbers."""
        room, same = self.room[: len(block)], self.same[: len(block)]
        low, high = self.limits
        # A block of gaps alone has NaN limits, which are outside of nothing.
        if np.fmin.reduce(block, axis=None) < low or np.fmax.reduce(block, axis=None) > high:
            return None
        is_checked = block.dtype.kind != "f"
        if not is_checked:
            np.rint(block, out=room)
            np.equal(room, block, out=same)
        np.multiply(block, float(self.width), out=room)
        np.add(room, _MAGIC + _BIAS - self.width * low, out=room)
        # What was in the low bits becomes sign and exponent; a NaN has zeros there and becomes 0.
        bits = room.view(np.int64)
        np.left_shift(bits, _EXACT_BITS, out=bits)
        np.einsum("ij->i", room, out=self.sums[: len(block)])
        return block.size if is_checked else int(np.count_nonzero(same))
