"""How far each point of a grid lies from the nearest of other points: exact, in any spacing, 2-D or 3-D.

Two ways that give the same numbers. Close points are found by looking at the neighbours of each point in order of their
distance, a few passes over short lists; what is left after that (masks far apart) is asked of a k-d tree, whose cost
does not grow with the distance. Distances are taken from whole steps, so that one voxel is exactly the spacing.
Not here: what the points are (``surfaces``, ``surfels``).

References
----------
Bentley JL (1975) Multidimensional binary search trees. Communications of the ACM 18:509-517.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.spatial import KDTree

from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "nearest grid point"
VERSION = "1"

_MOST_NEIGHBOURS = 640
_BLOCK = 16
_SAMPLE = 128
_QUERIES = 8192
# What a point costs in the tree, and the tree itself a point, in looks at one neighbour; measured, and not delicate.
_TREE_QUERY = 1000.0
_TREE_BUILD = 120.0


def nearest_distances(points: BoolArray, others: BoolArray, spacing: tuple[float, ...]) -> FloatArray:
    """The distance from each true voxel of ``points``, in C order, to the nearest true voxel of ``others``.

    Parameters
    ----------
    points, others : array of bool
        On the same grid; ``others`` holds at least one true voxel.
    spacing : tuple of float
        Size of a voxel along each axis.

    Examples
    --------
    >>> row = np.array([[True, False, False, True]])
    >>> nearest_distances(row, np.array([[False, False, False, True]]), (1.0, 2.0)).tolist()
    [6.0, 0.0]
    """
    steps = neighbour_steps(tuple(spacing), _MOST_NEIGHBOURS)
    reach = np.minimum(np.abs(steps).max(axis=0), np.asarray(points.shape))
    steps = steps[(np.abs(steps) <= reach).all(axis=1)]
    padded = np.pad(others, [(int(r), int(r)) for r in reach])
    # Flat index of each point in the padded grid.
    places = np.flatnonzero(points)
    coordinates = np.unravel_index(places, points.shape)
    flat = np.ravel_multi_index(tuple(c + r for c, r in zip(coordinates, reach, strict=True)), padded.shape)
    strides = np.asarray(padded.strides, dtype=np.int64)
    scale = np.asarray(spacing, dtype=np.float64)
    lengths = np.sqrt(((steps * scale) ** 2).sum(axis=1))
    distances = np.zeros(len(places))
    taken, jumps = padded.reshape(-1), steps @ strides
    n_passes = _worthwhile_passes(flat, taken, jumps, int(np.count_nonzero(others)))
    left = _search_neighbours(flat, taken, jumps[:n_passes], lengths, distances)
    # The lists are as long as the surface: what the tree does not need makes room for it.
    del padded, taken, flat, coordinates
    if len(left):
        distances[left] = _tree_distances(places[left], np.flatnonzero(others), points.shape, scale)
    return distances


@lru_cache(maxsize=32)
def neighbour_steps(spacing: tuple[float, ...], most: int) -> IntArray:
    """The steps to the nearest grid points in order of distance, the point itself first; at most ``most``.

    Every grid point closer than the last step is among them.

    Examples
    --------
    >>> neighbour_steps((1.0, 1.0), 5).tolist()
    [[0, 0], [-1, 0], [0, -1], [0, 1], [1, 0]]
    """
    scale = np.asarray(spacing, dtype=np.float64)
    n = len(spacing)
    radius = (most * float(scale.prod()) / (np.pi if n == 2 else 4.19 if n == 3 else 2.0)) ** (1 / n)
    radius = max(radius, float(scale.min()))
    reach = [int(radius // step) for step in spacing]
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, n)
    lengths = np.sqrt(((grid * scale) ** 2).sum(axis=1))
    kept = lengths <= radius
    steps = grid[kept][np.argsort(lengths[kept], kind="stable")][:most].astype(np.int64)
    steps.flags.writeable = False
    return np.asarray(steps, dtype=np.int64)


def _worthwhile_passes(flat: IntArray, taken: BoolArray, jumps: IntArray, n_others: int) -> int:
    """After how many neighbours the tree is the cheaper way, judged by a sample of the points."""
    if len(flat) <= _SAMPLE:
        return len(jumps)
    sample = flat[:: len(flat) // _SAMPLE]
    hits = taken[sample[:, None] + jumps]
    rank = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, len(jumps) + 1)
    passes = np.arange(1, len(jumps) + 1)
    looks = np.minimum(rank[:, None], passes).mean(axis=0) * len(flat)
    n_left = (rank[:, None] > passes).mean(axis=0) * len(flat)
    cost = looks + n_left * _TREE_QUERY + (n_left > 0) * n_others * _TREE_BUILD
    return int(passes[cost.argmin()])


def _search_neighbours(
    flat: IntArray, taken: BoolArray, jumps: IntArray, lengths: FloatArray, distances: FloatArray
) -> IntArray:
    """Fill ``distances`` of the points with a neighbour that is taken; the numbers of the others come back."""
    left = np.flatnonzero(~taken[flat])
    start = 1
    while start < len(jumps) and len(left):
        stop = min(start + _BLOCK, len(jumps))
        here = flat[left]
        is_open = np.ones(len(left), dtype=bool)
        for number in range(start, stop):
            hit = taken[here + jumps[number]]
            new = hit & is_open
            distances[left[new]] = lengths[number]
            is_open &= ~hit
        left = left[is_open]
        start = stop
    return left


def _tree_distances(places: IntArray, others: IntArray, shape: tuple[int, ...], scale: FloatArray) -> FloatArray:
    """Distances between points given by their flat indices."""
    tree = KDTree(np.stack(np.unravel_index(others, shape), axis=1) * scale, balanced_tree=False, compact_nodes=False)
    distances = np.empty(len(places))
    for start in range(0, len(places), _QUERIES):
        mine = np.stack(np.unravel_index(places[start : start + _QUERIES], shape), axis=1)
        _, index = tree.query(mine * scale)
        theirs = np.stack(np.unravel_index(others[index], shape), axis=1)
        distances[start : start + _QUERIES] = np.sqrt((((mine - theirs) * scale) ** 2).sum(axis=1))
    return distances
