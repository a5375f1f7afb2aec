"""Connected pieces of few voxels on a large grid: the cost grows with the voxels given, not with the grid.

Voxels are joined across faces, and only where they have the same key (a label, say). They come as flat indices of a grid
with at least one voxel of margin, so that no row runs into the next. Not here: pieces of a whole mask with corners
(``instances``).

References
----------
Rosenfeld A, Pfaltz JL (1966) Sequential operations in digital picture processing. J ACM 13:471-494 (runs and their unions).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labelhub.numerics.results import IntArray

METHOD = "pieces joined across faces"
VERSION = "1"


def connected_pieces(flat: IntArray, strides: Sequence[int], key: NDArray[np.integer] | None = None) -> IntArray:
    """The number of the piece of each voxel, from 0 on, in order of the first voxel.

    Parameters
    ----------
    flat : array of int, shape (voxel,)
        Flat indices in rising order, of a grid with a margin.
    strides : sequence of int
        Steps between neighbours along all axes but the last, whose step is 1.
    key : array of int, shape (voxel,), optional
        Voxels with different keys are not joined.

    Examples
    --------
    A grid of rows of 5: two voxels of the first row, one below the first of them.

    >>> connected_pieces(np.array([1, 3, 6]), [5]).tolist(), connected_pieces(np.array([6, 7]), [5], np.array([1, 2])).tolist()
    ([0, 1, 0], [0, 1])
    """
    if not len(flat):
        return np.zeros(0, dtype=np.int64)
    is_start = np.ones(len(flat), dtype=bool)
    is_start[1:] = np.diff(flat) != 1
    if key is not None:
        is_start[1:] |= key[1:] != key[:-1]
    first = np.flatnonzero(is_start)
    lengths = np.diff(np.append(first, len(flat)))
    start = flat[first]
    end = start + lengths
    own = None if key is None else key[first]
    rows, columns = [], []
    for stride in strides:
        low = np.searchsorted(end, start + stride, side="right")
        count = np.maximum(np.searchsorted(start, end + stride, side="left") - low, 0)
        row = np.repeat(np.arange(len(start)), count)
        column = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
        if own is not None:
            is_same = own[row] == own[column]
            row, column = row[is_same], column[is_same]
        rows.append(row)
        columns.append(column)
    return np.repeat(_joined(len(start), np.concatenate(rows), np.concatenate(columns)), lengths)


def _joined(n: int, rows: IntArray, columns: IntArray) -> IntArray:
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n, n))
    _, number = connected_components(graph.tocsr(), directed=False)
    return np.asarray(number, dtype=np.int64)
