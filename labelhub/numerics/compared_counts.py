"""How often each unit got each category, by comparing a block of ratings with one category after the other.

A comparison gives a byte of 0 or 1 for a rating. Two categories share a byte (a half each), four bytes a 32-bit word, and
the words of a unit are added: no byte overflows up to 60 raters. One multiplication then adds the four bytes of a word.
All of it runs on blocks that stay in a core's cache, in few calls of many ratings each (threads wait for each other between
calls), without converting a rating. Of whole numbers within the categories, what is no other is the last one; of floats all
are compared, and one that equals none is noticed because the counts do not add up. Not here: what the sums are for, and more
raters or categories (``packed_alpha``).

References
----------
Warren HS (2013) Hacker's Delight, 2nd ed., 5-1 (adding the bytes of a word by a multiplication).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.results import FloatArray, IntArray

Words: TypeAlias = NDArray[np.uint32]

# The half of a byte holds at most 15, and four bytes of a word add up to 60.
MAX_RATERS = 60
# Every category is a pass over the ratings; with more, packing them into one number is quicker.
MAX_CATEGORIES = 12

# Units whose products are summed at once: longer rows wake the threads of the library behind them.
_ROW = 7_680
# Rows at once: fewer calls, and two threads with 20 raters and 5 categories stay below 5 MiB together.
_ROWS = 3
# Sums of whole numbers below this are exact in float32.
_EXACT = 2**24
_WORD = np.dtype("<u4")
_HALF = np.uint32(0x0F0F0F0F)
_ONES = np.uint32(0x01010101)


class ComparedCounts:
    """Running sums of one thread: ``table[k, l]`` of n_k n_l / (m - 1) for l ≤ k, ``totals[k]`` of n_k.

    n_k is how often a unit got category k and m how often it was rated; both sums are over the ``n_units`` units with at
    least two ratings. ``values`` are the categories.
    """

    def __init__(self, values: FloatArray, n_raters: int) -> None:
        q = len(values)
        self.values = values
        self.table = np.zeros((q, q))
        self.totals = np.zeros(q)
        self.n_units = 0
        self._row = min(_ROW, _EXACT // n_raters**2)
        self._step = _ROWS * self._row
        n_pairs = -(-q // 2)
        # A word of the last unit may reach beyond it, and categories are moved eight bytes at a time.
        n_bytes = -(-(self._step * n_raters + 8) // 8) * 8
        self._flags = np.zeros((2, n_bytes), dtype=np.uint8)
        self._sums, self._part = np.empty((2, n_pairs, self._step), dtype=_WORD)
        self._counts: NDArray[np.float32] = np.empty((2 * n_pairs, self._step), dtype=np.float32)
        # Weighted counts in full precision and the roots of 1 / (m - 1), touched only where there are gaps.
        self._room = np.empty((q, self._row))
        self._roots = np.sqrt(1 / np.maximum(np.arange(n_raters + 1) - 1.0, 1.0))

    def add_all(self, ratings: FloatArray | IntArray) -> bool:
        """Adds every block of ``ratings[unit, rater]``; False as soon as one holds what is neither a value nor NaN."""
        starts = range(0, len(ratings), self._step)
        return all(self._add(ratings[start : start + self._step]) for start in starts)

    def _add(self, block: FloatArray | IntArray) -> bool:
        n, n_raters = block.shape
        if block.dtype.kind == "f":
            self._count(block, len(self.values))
        elif block.min() < self.values[0] or block.max() > self.values[-1]:
            return False
        else:
            self._count_all(block)
        # Below 2**24, so that float32 is exact.
        all_counts = self._counts[: len(self.values)]
        totals = all_counts.sum(axis=1)
        n_found = int(totals.sum(dtype=np.float64))
        if n_found == block.size:
            # The rest of the room is 0, and a product of counts is a whole number: nothing is rounded in float32.
            rows = all_counts.reshape(len(totals), _ROWS, self._row)
            self._add_products(rows, 1 / (n_raters - 1))
            self.totals += totals
            self.n_units += n
            return True
        if block.dtype.kind != "f" or n_found + self._count_gaps(block) != block.size:
            return False
        counts = all_counts[:, :n]
        raters = counts.sum(axis=0)
        if raters.min() < 2:
            counts = counts[:, raters >= 2]
            raters = counts.sum(axis=0)
            totals = counts.sum(axis=1)
        self.totals += totals
        self.n_units += len(raters)
        for start in range(0, len(raters), self._row):
            self._add_weighted(counts[:, start : start + self._row], raters[start : start + self._row])
        return True

    def _add_weighted(self, counts: NDArray[np.float32], raters: NDArray[np.float32]) -> None:
        # The root of the weight on both factors of a product: one array to fill and to read, not a plain and a weighted one.
        weighted = self._room[:, : len(raters)]
        np.multiply(counts, np.take(self._roots, raters.astype(np.intp)), out=weighted)
        # Rows below the first with rows above the last hold all pairs; a product with itself would be made more slowly.
        self.table[1:, :-1] += np.tril(weighted[1:] @ weighted[:-1].T)
        np.fill_diagonal(self.table, self.table.diagonal() + np.vecdot(weighted, weighted))

    def _add_products(self, rows: NDArray[np.float32], scale: float) -> None:
        # Products of two rows: a matrix product this flat is slower.
        for k in range(len(rows)):
            products = np.vecdot(rows[k], rows[: k + 1])
            self.table[k, : k + 1] += scale * products.sum(axis=1, dtype=np.float64)

    def _count_all(self, block: FloatArray | IntArray) -> None:
        """As ``_count`` of whole numbers within the categories, where what is no other category is the last."""
        n, n_raters = block.shape
        *others, last = self._counts[: len(self.values)]
        self._count(block, max(len(others), 1))
        if others:
            np.subtract(n_raters, self._counts[: len(others), :n].sum(axis=0), out=last[:n])

    def _count(self, block: FloatArray | IntArray, n_categories: int) -> None:
        """Writes how often each unit of a block got each of the first categories; 0 beyond the block."""
        n, n_pairs = len(block), -(-n_categories // 2)
        values = (self.values if block.dtype.kind == "f" else self.values.astype(block.dtype))[
            :n_categories, None, None
        ]
        both, moved = self._flags.view("<u8")
        for pair in range(n_pairs):
            here = values[2 * pair : 2 * pair + 2]
            flags = self._flags[: len(here), : block.size].view(bool).reshape(len(here), *block.shape)
            np.equal(block, here, out=flags)
            if len(here) == 2:
                np.left_shift(moved, 4, out=moved)
                np.bitwise_or(both, moved, out=both)
            self._add_words(pair, *block.shape)
        sums = self._sums[:n_pairs, :n]
        self._write(sums, 0)
        np.right_shift(sums, 4, out=sums)
        self._write(sums, 1)
        self._counts[:, n:] = 0

    def _count_gaps(self, block: FloatArray | IntArray) -> int:
        flags = self._flags[0, : block.size].view(bool).reshape(block.shape)
        return int(np.count_nonzero(np.isnan(block, out=flags)))

    def _add_words(self, pair: int, n: int, n_raters: int) -> None:
        """The sum of the words of a unit. The last word of a number of raters not divisible by 4 covers some raters again."""
        sums, part = self._sums[pair, :n], self._part[pair, :n]
        words = [self._word(n, n_raters, 4 * j) for j in range(n_raters // 4)]
        left = n_raters % 4
        if left:
            last = self._word(n, n_raters, max(n_raters - 4, 0))
            kept = 8 * left
            mask = (1 << kept) - 1 if n_raters < 4 else (1 << 32) - (1 << (32 - kept))
            np.bitwise_and(last, np.uint32(mask), out=part)
            words.append(part)
        if len(words) == 1:
            np.copyto(sums, words[0])
            return
        np.add(words[0], words[1], out=sums)
        for word in words[2:]:
            np.add(sums, word, out=sums)

    def _word(self, n: int, n_raters: int, offset: int) -> Words:
        return np.ndarray((n,), _WORD, self._flags, offset, (n_raters,))

    def _write(self, sums: Words, odd: int) -> None:
        n_pairs, n = sums.shape
        part = self._part[:n_pairs, :n]
        np.bitwise_and(sums, _HALF, out=part)
        np.multiply(part, _ONES, out=part)
        np.right_shift(part, 24, out=part)
        self._counts[odd : 2 * n_pairs : 2, :n] = part
