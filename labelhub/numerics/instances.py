"""Objects of two label images: connected pieces, how far each covers each, and the best one-to-one matching by IoU.

Costs grow with the voxels and with the pairs that touch, not with the product of the numbers of objects. Not here: what
follows from a matching (``lesions``, ``panoptic``), and objects given as shapes (``geometry``, ``matching``).

References
----------
Kuhn HW (1955) The Hungarian method for the assignment problem. Naval Research Logistics 2:83-97.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from labelhub.numerics.arguments import checked
from labelhub.numerics.matching import match_pair
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "instances of label images"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class InstanceOverlaps:
    """Sizes in voxels of the objects of both images, and every pair that shares a voxel.

    ``ids_first[i]`` and ``ids_second[j]`` are the objects' numbers in the images; the pair k is of object ``first[k]`` and
    object ``second[k]`` (places in those lists) and shares ``shared[k]`` voxels.
    """

    ids_first: IntArray
    ids_second: IntArray
    size_first: IntArray
    size_second: IntArray
    first: IntArray
    second: IntArray
    shared: IntArray

    @property
    def iou(self) -> FloatArray:
        """IoU of every pair that shares a voxel."""
        union = self.size_first[self.first] + self.size_second[self.second] - self.shared
        return np.asarray(self.shared / union, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class InstanceMatch:
    """Matched objects ``first[k]`` with ``second[k]`` (places in the lists of the overlaps) at ``iou[k]``."""

    first: IntArray
    second: IntArray
    iou: FloatArray


@checked
def components(mask: BoolArray) -> IntArray:
    """The connected pieces of a mask as numbers from 1 on, 0 outside; voxels that touch at a corner are connected.

    That is 26 neighbours in 3-D and 8 in 2-D.

    Examples
    --------
    >>> components(np.array([[True, False], [False, True]])).tolist()
    [[1, 0], [0, 1]]
    """
    if mask.dtype.kind not in "biuf":
        message = f"mask has dtype {mask.dtype}; an array of True and False is needed"
        raise ValueError(message)
    labels, _ = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    return np.asarray(labels, dtype=np.int64)


@checked
def instance_overlaps(first: IntArray, second: IntArray) -> InstanceOverlaps:
    """Sizes and shared voxels of the objects of two images on one grid; 0 is background.

    Parameters
    ----------
    first, second : array of int, one grid
        The number of the object at each voxel.

    Raises
    ------
    ValueError
        Where the grids differ, or an object number is not whole or below 0.

    Examples
    --------
    >>> found = instance_overlaps(np.array([[1, 1, 0, 7]]), np.array([[0, 3, 3, 3]]))
    >>> found.ids_first.tolist(), found.size_second.tolist(), found.shared.tolist(), found.iou.tolist()
    ([1, 7], [3], [1, 1], [0.25, 0.3333333333333333])
    """
    for name, image in (("first", first), ("second", second)):
        if not np.issubdtype(image.dtype, np.integer) or (image.size and image.min() < 0):
            message = f"{name} has dtype {image.dtype}; object numbers are whole numbers from 0 (background) on"
            raise ValueError(message)
    if first.shape != second.shape:
        message = f"first has shape {first.shape} and second {second.shape}; both must be on the same grid"
        raise ValueError(message)
    ids_first, size_first = np.unique(first[first > 0], return_counts=True)
    ids_second, size_second = np.unique(second[second > 0], return_counts=True)
    both = (first > 0) & (second > 0)
    row = np.searchsorted(ids_first, first[both])
    column = np.searchsorted(ids_second, second[both])
    pairs, shared = np.unique(row * max(len(ids_second), 1) + column, return_counts=True)
    rows, columns = np.divmod(pairs, max(len(ids_second), 1))
    parts = (ids_first, ids_second, size_first, size_second, rows, columns, shared)
    return InstanceOverlaps(*(part.astype(np.int64) for part in parts))


@checked
def match_instances(overlaps: InstanceOverlaps, threshold: float) -> InstanceMatch:
    """The one-to-one matching with the greatest total IoU among pairs with an IoU of at least ``threshold``.

    Parameters
    ----------
    overlaps : InstanceOverlaps
    threshold : float
        Above 0 and at most 1.

    Raises
    ------
    ValueError
        Where the threshold is not above 0 and at most 1.

    Examples
    --------
    >>> found = instance_overlaps(np.array([[1, 1, 0, 7]]), np.array([[0, 3, 3, 3]]))
    >>> match_instances(found, 0.1).first.tolist()
    [1]
    """
    if not 0 < threshold <= 1:
        message = f"threshold is {threshold!r}; an IoU above 0 and up to 1 is needed"
        raise ValueError(message)
    iou = overlaps.iou
    kept = np.flatnonzero(iou >= threshold)
    first, second, values = overlaps.first[kept], overlaps.second[kept], iou[kept]
    chosen = [place for group in _groups(first, second, len(overlaps.ids_first), len(overlaps.ids_second))
              for place in _best_of_group(first[group], second[group], values[group], group)]  # fmt: skip
    order = np.sort(np.asarray(chosen, dtype=np.int64))
    return InstanceMatch(first[order], second[order], values[order])


def _groups(first: IntArray, second: IntArray, n_first: int, n_second: int) -> Iterator[IntArray]:
    """Pairs that share no object with pairs of another group can be matched on their own."""
    if not len(first):
        return
    size = n_first + n_second
    graph = csr_array((np.ones(len(first)), (first, second + n_first)), shape=(size, size))
    _, number = connected_components(graph, directed=False)
    of_pair = number[first]
    order = np.argsort(of_pair, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(of_pair[order])) + 1)


def _best_of_group(first: IntArray, second: IntArray, values: FloatArray, places: IntArray) -> IntArray:
    if len(places) == 1:
        return places
    rows, row = np.unique(first, return_inverse=True)
    columns, column = np.unique(second, return_inverse=True)
    table = np.zeros((len(rows), len(columns)))
    table[row, column] = values
    place = np.full(table.shape, -1)
    place[row, column] = places
    matched = match_pair(table, float(values.min()))
    return np.asarray(place[matched.first, matched.second], dtype=np.int64)
