"""How far each point of a grid lies from the nearest of other points: exact, in any spacing, up to three axes.

Every voxel first gets its distance along the first axis, by two sweeps over the planes. The nearest point then lies in
one of the columns around: each point asks the columns in order of their distance, until the next is farther away than
what it has. What is left after some hundreds of columns (masks far apart), and what lies farther than that from the box
around the others, is asked of a k-d tree, whose cost does not grow with the distance. Distances are taken from whole
steps, so that one voxel is exactly the spacing.
Not here: what the points are (``surfaces``, ``surfels``).

References
----------
Saito T, Toriwaki JI (1994) New algorithms for Euclidean distance transformation of an n-dimensional digitized picture.
Pattern Recognition 27:1551-1565.
Bentley JL (1975) Multidimensional binary search trees. Communications of the ACM 18:509-517.
"""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "nearest grid point"
VERSION = "2"

# Asking so many columns costs about as much as asking the tree.
_MOST_COLUMNS = 400
# Points that are looked at together: what they need stays in a core's cache.
_CHUNK = 1 << 16
_QUERIES = 8192
# Points a leaf of the tree: fewer mean more steps down, more mean more distances.
_LEAF = 32
# Fewer queries than this are asked by one thread.
_WORTH_A_THREAD = 2048
# So many points are tried first: where all are near, nobody asks how far the box of the others is.
_TRIED = 64
# Points are dropped from the search once this share is settled.
_SETTLED = 0.25
# The distance along a column is a byte; this one says that it is as far or farther, or that there is nothing. One more
# still is a byte.
_FAR = 254


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
    margin = margin_of(spacing, points.shape)
    return nearest_in_margin(with_margin(points, margin), with_margin(others, margin), spacing, margin)


def margin_of(spacing: tuple[float, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many voxels beyond the grid the search may look at, at least one along each axis."""
    farthest = np.abs(neighbour_steps(tuple(spacing[1:]), _MOST_COLUMNS)).max(axis=0)
    return 1, *(max(1, min(step, length)) for step, length in zip(farthest.tolist(), shape[1:], strict=True))


def with_margin(mask: BoolArray, margin: tuple[int, ...]) -> BoolArray:
    """The mask with so many false voxels after each row, and before and after all along the first axis.

    A step beyond the start of a row ends in the margin of the row before: in one piece, it is one distance.
    """
    first, *others = margin
    result = np.zeros(
        [len(mask) + 2 * first, *(n + step for n, step in zip(mask.shape[1:], others, strict=True))], dtype=bool
    )
    result[without_margin(mask.shape, margin)] = mask
    return result


def without_margin(shape: tuple[int, ...], margin: tuple[int, ...]) -> tuple[slice, ...]:
    """Where the mask lies in what :func:`with_margin` made of it."""
    return slice(margin[0], margin[0] + shape[0]), *(slice(length) for length in shape[1:])


def nearest_in_margin(
    points: BoolArray, others: BoolArray, spacing: tuple[float, ...], margin: tuple[int, ...]
) -> FloatArray:
    """As :func:`nearest_distances`, where nothing is true within ``margin`` of the arrays' ends."""
    places, distances, far = _near(points, others, spacing, margin)
    if len(far):
        distances[far] = _tree_distances(places[far], others, np.asarray(spacing))
    return distances


def distance_bounds(
    points: BoolArray, others: BoolArray, spacing: tuple[float, ...], *, cell: int
) -> tuple[FloatArray, FloatArray]:
    """The least and the largest that each distance of :func:`nearest_distances` can be: equal unless it is far.

    Of far points one in a cell of ``cell`` voxels along each axis is asked; the others' distances differ from its by no more
    than they lie apart.

    Examples
    --------
    >>> row = np.array([[True, False, False, True]])
    >>> [side.tolist() for side in distance_bounds(row, np.array([[False, False, False, True]]), (1.0, 2.0), cell=2)]
    [[6.0, 0.0], [6.0, 0.0]]
    """
    margin = margin_of(spacing, points.shape)
    points, others = with_margin(points, margin), with_margin(others, margin)
    places, low, far = _near(points, others, spacing, margin)
    if not len(far):
        return low, low
    scale = np.asarray(spacing)
    at = np.stack(np.unravel_index(places[far], points.shape))
    cells = np.ravel_multi_index(tuple(at // cell), tuple(-(-n // cell) for n in points.shape))
    _, asked, own = np.unique(cells, return_index=True, return_inverse=True)
    distances = _tree_distances(places[far[asked]], others, scale)[own]
    apart = np.sqrt((((at - at[:, asked[own]]) * scale[:, None]) ** 2).sum(axis=0))
    high = low.copy()
    low[far], high[far] = distances - apart, distances + apart
    return low, high


def _near(
    points: BoolArray, others: BoolArray, spacing: tuple[float, ...], margin: tuple[int, ...]
) -> tuple[IntArray, FloatArray, IntArray]:
    """Flat places of the points, their distances, and the numbers of those that may have a nearer one farther away."""
    scale = np.asarray(spacing, dtype=np.float64)
    steps = neighbour_steps(tuple(spacing[1:]), _MOST_COLUMNS)
    away = ((steps * scale[1:]) ** 2).sum(axis=1)
    # A column beyond the list is at least as far away as the last of it.
    farthest = min(float(away[-1]), (_FAR * spacing[0]) ** 2) if len(spacing) > 1 else (_FAR * spacing[0]) ** 2
    inside = (np.abs(steps) <= margin[1:]).all(axis=1)
    jumps = steps[inside] @ np.asarray(points.strides[1:], dtype=np.int64)
    along = np.append((np.arange(_FAR) * scale[0]) ** 2, np.inf)
    heights = _column_distances(others).reshape(-1)
    places = np.flatnonzero(points)

    def asked(some: IntArray) -> tuple[FloatArray, IntArray]:
        return _ask_columns(some, heights, jumps, away[inside], along, farthest)

    far = [np.zeros(0, dtype=np.int64)]
    near = np.arange(len(places))
    if len(asked(places[:: len(places) // _TRIED + 1])[1]):
        is_beyond = _box_distances(places, others, scale) > farthest
        near, far = np.flatnonzero(~is_beyond), [np.flatnonzero(is_beyond)]
    squared = np.zeros(len(places))
    for start in range(0, len(near), _CHUNK):
        part = near[start : start + _CHUNK]
        squared[part], left = asked(places[part])
        far.append(part[left])
    return places, np.sqrt(squared), np.concatenate(far)


def _box_distances(places: IntArray, others: BoolArray, scale: FloatArray) -> FloatArray:
    """The squared distance of each point from the box around the others: none of them can be nearer."""
    total = np.zeros(len(places))
    for axis, position in enumerate(np.unravel_index(places, others.shape)):
        occupied = np.flatnonzero(others.any(axis=tuple(other for other in range(others.ndim) if other != axis)))
        gap = np.maximum(np.maximum(occupied[0] - position, position - occupied[-1]), 0)
        total += (gap * scale[axis]) ** 2
    return total


@lru_cache(maxsize=32)
def neighbour_steps(spacing: tuple[float, ...], most: int) -> IntArray:
    """The steps to the nearest grid points in order of distance, the point itself first; at most ``most``.

    Every grid point closer than the last step is among them. Without an axis there is the point alone.

    Examples
    --------
    >>> neighbour_steps((1.0, 1.0), 5).tolist()
    [[0, 0], [-1, 0], [0, -1], [0, 1], [1, 0]]
    """
    if not spacing:
        return np.zeros((1, 0), dtype=np.int64)
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


def _column_distances(others: BoolArray) -> NDArray[np.uint8]:
    """How many steps along the first axis the nearest true voxel of each voxel's column is away."""
    heights = np.subtract(others.reshape(len(others), -1).view(np.uint8), np.uint8(1))
    np.bitwise_and(heights, np.uint8(_FAR), out=heights)
    room = np.empty_like(heights[0])
    for planes in (heights, heights[::-1]):
        for before, plane in pairwise(planes):
            np.add(before, np.uint8(1), out=room)
            np.minimum(plane, room, out=plane)
    return heights


def _ask_columns(
    places: IntArray,
    heights: NDArray[np.uint8],
    jumps: IntArray,
    away: FloatArray,
    along: FloatArray,
    farthest: float,
) -> tuple[FloatArray, IntArray]:
    """The squared distances, and the numbers of the points that may have a nearer one farther away."""
    start = int(-jumps.min())
    squared = np.empty(len(places))
    number = np.arange(len(places))
    place, best = places - start, np.full(len(places), np.inf)
    ends = np.flatnonzero(np.diff(away, append=np.inf)) + 1
    done = 0
    for end, following in zip(ends.tolist(), np.append(away[ends[:-1]], farthest).tolist(), strict=True):
        near = heights[start + jumps[done] :].take(place, mode="clip")
        for jump in jumps[done + 1 : end].tolist():
            np.minimum(near, heights[start + jump :].take(place, mode="clip"), out=near)
        np.minimum(best, (along + away[done]).take(near), out=best)
        is_open = best > min(following, farthest)
        if np.count_nonzero(is_open) <= (1 - _SETTLED) * len(is_open):
            squared[number] = best
            number, place, best = number[is_open], place[is_open], best[is_open]
            if not len(number):
                break
        done = end
    squared[number] = best
    return squared, number[best > farthest]


def _tree_distances(places: IntArray, others: BoolArray, scale: FloatArray) -> FloatArray:
    """Distances from points given by their flat indices, none of which is one of the others."""
    found = np.stack(np.nonzero(_rim(others)), axis=1)
    tree = KDTree(found * scale, leafsize=_LEAF, balanced_tree=False, compact_nodes=False)
    n_workers = min(os.cpu_count() or 1, 4) if len(places) >= _WORTH_A_THREAD else 1
    distances = np.empty(len(places))
    for start in range(0, len(places), _QUERIES):
        mine = np.stack(np.unravel_index(places[start : start + _QUERIES], others.shape), axis=1)
        _, index = tree.query(mine * scale, workers=n_workers)
        distances[start : start + _QUERIES] = np.sqrt((((mine - found[index]) * scale) ** 2).sum(axis=1))
    return distances


def _rim(mask: BoolArray) -> BoolArray:
    """The voxels that lack a neighbour across a face: whoever is not of the mask is nearest to one of them."""
    core = mask.copy()
    for axis in range(mask.ndim):
        line, kept = np.moveaxis(mask, axis, 0), np.moveaxis(core, axis, 0)
        kept[1:] &= line[:-1]
        kept[:-1] &= line[1:]
    return mask & ~core
