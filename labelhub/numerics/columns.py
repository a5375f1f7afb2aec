"""The different columns of a table of codes with few rows and very many columns, and how often each occurs.

Codes are digits of one number, a column is that number, and numbers are counted in a table with a place for each, or sorted.
Not here: where such tables come from (``decision_patterns``: a row a rater, a column a voxel on which raters differ).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.results import IntArray

# A table of so many possible numbers is counted in, not sorted for.
_DENSE = 1 << 20
# Places of a table of all possible numbers for each column there is: above, sorting is quicker.
_ROOM = 8


def grouped_columns(codes: NDArray[np.integer], n_codes: int) -> tuple[IntArray, IntArray, NDArray[np.integer]]:
    """The different columns of ``codes[row, column]``, in order, how often each occurs, and which of them each column is.

    As many rows at once as a table has room for; then the columns that occur are numbered, which are few, and the next rows
    follow.

    Examples
    --------
    >>> found, counts, which = grouped_columns(np.array([[1, 0, 1], [2, 0, 2]]), 3)
    >>> found.tolist(), counts.tolist(), which.tolist()
    ([[0, 0], [1, 2]], [1, 2], [1, 0, 1])
    """
    n_rows, n_columns = codes.shape
    table, counts = np.zeros((min(n_columns, 1), 0), dtype=np.int64), np.array([n_columns] * min(n_columns, 1))
    number: NDArray[np.integer] = np.zeros(n_columns, dtype=np.uint8)
    room, done = min(_DENSE, _ROOM * n_columns), 0
    while done < n_rows:
        span, first = len(table) * n_codes, done
        keys = np.multiply(number, n_codes, dtype=np.uint32 if span < 2**32 else np.int64, casting="unsafe")
        np.add(keys, codes[done], out=keys, casting="unsafe")
        done += 1
        while done < n_rows and span * n_codes <= room:
            np.multiply(keys, n_codes, out=keys)
            np.add(keys, codes[done], out=keys, casting="unsafe")
            span, done = span * n_codes, done + 1
        different, number, counts = _numbers(keys, span, room)
        before, own = np.divmod(different, n_codes ** (done - first))
        table = np.concatenate([table[before], _digits(own, n_codes, done - first)], axis=1)
    return table, counts, number


def counted_columns(codes: NDArray[np.integer], n_codes: int) -> tuple[IntArray, IntArray]:
    """The different columns of ``codes[row, column]`` and how often each occurs: sorted, which is quicker than numbered.

    Examples
    --------
    >>> found, counts = counted_columns(np.array([[1, 0, 1], [2, 0, 2]]), 3)
    >>> found.tolist(), counts.tolist()
    ([[0, 0], [1, 2]], [1, 2])
    """
    if not _DENSE < n_codes ** len(codes) < 2**63:
        return grouped_columns(codes, n_codes)[:2]
    different, counts = np.unique(_keys(codes, n_codes), return_counts=True)
    return _digits(different, n_codes, len(codes)), counts.astype(np.int64)


def _keys(codes: NDArray[np.integer], n_codes: int) -> NDArray[np.unsignedinteger]:
    """One number a column of ``codes[row, column]``, whose digits are the codes: there are below 2**63 possible ones."""
    keys: NDArray[np.unsignedinteger] = np.zeros(
        codes.shape[1], np.uint32 if n_codes ** len(codes) <= 2**32 else np.uint64
    )
    for own in codes:
        np.multiply(keys, n_codes, out=keys)
        np.add(keys, own, out=keys, casting="unsafe")
    return keys


def _digits(keys: NDArray[np.integer], n_codes: int, n_rows: int) -> IntArray:
    """The codes behind keys: shape (key, row)."""
    result, rest = np.empty((len(keys), n_rows), dtype=np.int64), keys.astype(np.int64)
    for row in reversed(range(n_rows)):
        rest, result[:, row] = np.divmod(rest, n_codes)
    return result


def _numbers(keys: NDArray[np.integer], span: int, room: int) -> tuple[IntArray, NDArray[np.integer], IntArray]:
    """The different keys, which are below ``span``, the place of each among them, and their counts."""
    if span > room:
        different, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return different.astype(np.int64), place, counts.astype(np.int64)
    table = np.bincount(keys, minlength=span)
    different = np.flatnonzero(table)
    places = np.zeros(span, dtype=np.min_scalar_type(len(different)))
    places[different] = np.arange(len(different))
    return different, places[keys], table[different]
