"""A whole label map out of votes: what most readers say, and where they are tied the label of the nearest settled voxel.

A tie is thus given to whoever's ground it lies in: of two readers' outlines the line half way between them, and nothing
where one of two marked an object that the other did not. Not here: estimating readers' skill (``staple``); its map, too, has
undecided voxels, which ``without_undecided`` settles alike.

References
----------
Rohlfing T, Maurer CR (2007) Shape-based averaging. IEEE Trans Image Process 16:153-161 (ties by distance).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns, one_hot
from labelhub.numerics.mask_pair import bounds
from labelhub.numerics.nearest import neighbour_steps
from labelhub.numerics.region_of_interest import widened
from labelhub.numerics.results import IntArray

METHOD = "vote, ties to the nearest settled voxel"
VERSION = "1"

_NEAR = 128


@checked
def voted_map(patterns: DecisionPatterns) -> NDArray[np.integer]:
    """The label that most readers give each voxel; tied voxels take the label of the nearest that is not tied.

    Parameters
    ----------
    patterns : DecisionPatterns
        Of the readers' label maps.

    Examples
    --------
    Two readers' outlines of one structure: the middle between them.

    >>> from labelhub.numerics.decision_patterns import decision_patterns
    >>> maps = [np.array([[1, 1, 1, 1, 1, 1, 0, 0]]), np.array([[1, 1, 0, 0, 0, 0, 0, 0]])]
    >>> voted_map(decision_patterns(maps)).tolist()
    [[1, 1, 1, 1, 0, 0, 0, 0]]
    """
    votes = one_hot(patterns).reshape(len(patterns.table), patterns.n_raters, len(patterns.labels)).sum(axis=1)
    leads = votes == votes.max(axis=1, keepdims=True)
    winner = np.where(leads.sum(axis=1) == 1, votes.argmax(axis=1), len(patterns.labels))
    return settled_of_patterns(patterns, winner, patterns.labels)


def settled_of_patterns(patterns: DecisionPatterns, place: IntArray, labels: IntArray) -> NDArray[np.integer]:
    """The map of one label a pattern: ``place[pattern]`` in ``labels``, or their number where the pattern is undecided."""
    undecided = int(labels.max(initial=0)) + 1
    kind = np.result_type(np.min_scalar_type(undecided), np.min_scalar_type(int(labels.min(initial=0))))
    given = np.append(labels, undecided).astype(kind)[place]
    found = np.asarray(patterns.spread(given))
    if not (place == len(labels)).any():
        return found
    return without_undecided(found, undecided)


@checked
def without_undecided(labels: NDArray[np.integer], undecided: int, *, background: int = 0) -> NDArray[np.integer]:
    """The map with every ``undecided`` voxel given the label of the nearest voxel (in steps of the grid) that has one.

    Parameters
    ----------
    labels : array of int, any dimensions
    undecided : int
        The number that stands for no label.
    background : int
        Given everywhere where no voxel has a label.

    Examples
    --------
    >>> without_undecided(np.array([[4, 9, 9, 9, 9, 5]]), 9).tolist()
    [[4, 4, 4, 5, 5, 5]]
    """
    box = bounds(np.asarray(labels == undecided))
    if box is None:
        return labels
    result = labels.copy()
    steps = neighbour_steps((1.0,) * labels.ndim, _NEAR)[1:]
    reach = [min(int(r), n - 1) for r, n in zip(np.abs(steps).max(axis=0), labels.shape, strict=True)]
    steps = steps[(np.abs(steps) <= reach).all(axis=1)]
    window = widened(box, labels.shape, max(reach))
    part = np.pad(labels[window], [(r, r) for r in reach], constant_values=labels.dtype.type(undecided))
    taken, strides = part.reshape(-1), np.asarray(part.strides) // part.itemsize
    left = np.flatnonzero(taken == undecided)
    inside = np.zeros(part.shape, dtype=bool)
    inside[tuple(slice(r, n - r) for r, n in zip(reach, part.shape, strict=True))] = True
    left = left[inside.reshape(-1)[left]]
    filled = taken.copy()
    for jump in (steps @ strides).tolist():
        near = taken[left + jump]
        found = near != undecided
        filled[left[found]] = near[found]
        left = left[~found]
        if not len(left):
            break
    result[window] = filled.reshape(part.shape)[tuple(slice(r, n - r) for r, n in zip(reach, part.shape, strict=True))]
    return _from_afar(result, undecided, background) if len(left) else result


def _from_afar(labels: NDArray[np.integer], undecided: int, background: int) -> NDArray[np.integer]:
    """Far from every settled voxel the distance is taken over the whole grid."""
    is_open = labels == undecided
    if is_open.all():
        return np.full_like(labels, background)
    nearest = ndimage.distance_transform_edt(is_open, return_distances=False, return_indices=True)
    return np.asarray(labels[tuple(nearest)])
