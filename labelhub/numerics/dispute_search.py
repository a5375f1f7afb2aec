"""The voxels on which readers differ, one by one on the consensus's map: how far each label is, and who lacks a piece.

Not here: which voxels readers differ on, and the regions they form (``disputes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.numerics.pieces import connected_pieces
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

METHOD = "search around disputed voxels"
VERSION = "1"

# Above so many neighbours within the tolerance a distance map of the surroundings is the cheaper way.
_MOST_NEIGHBOURS = 600
_BLOCK = 8
_LARGEST_TABLE = 1 << 16
# A distance that equals the tolerance but for rounding lies within it.
_SLACK = 1 + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The consensus as places in the list of labels, with a margin of background, and the voxels on which readers differ.

    ``codes`` is the map without axes of length 1 and with the margin; ``places`` are the voxels' flat indices on the grid,
    ``flat`` those in ``codes``, ``own`` the consensus's label there (a place in the list; ``background`` is that of the
    background). ``steps[step, axis]`` are all steps of the grid of at most ``reach``, nearest first, and ``lengths`` theirs;
    None where they are too many to look at one by one.
    """

    codes: NDArray[np.unsignedinteger]
    places: IntArray
    flat: IntArray
    own: IntArray
    margin: tuple[int, ...]
    spacing: tuple[float, ...]
    background: int
    reach: float
    steps: IntArray | None
    lengths: FloatArray

    @property
    def strides(self) -> tuple[int, ...]:
        """Flat steps to the next voxel along each axis of ``codes``."""
        return tuple(step // self.codes.itemsize for step in self.codes.strides)

    def jumps(self) -> list[int]:
        """Flat steps to the neighbours across faces."""
        return [sign * stride for stride in self.strides for sign in (1, -1)]


def ground_of(
    settled: NDArray[np.integer],
    labels: IntArray,
    places: IntArray,
    spacing: tuple[float, ...],
    *,
    background: int = 0,
    reach: float = 0.0,
) -> Ground:
    """The consensus made ready for the search; ``labels`` are sorted and hold all of its labels.

    Examples
    --------
    >>> ground = ground_of(np.array([[[5, 0, 5]]]), np.array([0, 5]), np.array([2]), (1.0, 1.0, 1.0), reach=1.0)
    >>> ground.codes.shape, ground.own.tolist(), ground.steps.tolist()
    ((3, 5), [1], [[0, -1], [0, 1]])
    """
    kept = [axis for axis, length in enumerate(settled.shape) if length > 1]
    for axis in reversed(range(settled.ndim)):
        if len(kept) < 2 and axis not in kept:
            kept.append(axis)
    kept.sort()
    inner = settled.squeeze(axis=tuple(axis for axis in range(settled.ndim) if axis not in kept))
    steps_mm = tuple(spacing[axis] for axis in kept)
    spans = [0 if n == 1 else min(int(reach * _SLACK / step), n) for n, step in zip(inner.shape, steps_mm, strict=True)]
    found = _steps_within(reach * _SLACK, spans, steps_mm)
    margin = (1,) * inner.ndim if found is None else tuple(max(1, span) for span in spans)
    place = int(np.searchsorted(labels, background))
    if place >= len(labels) or labels[place] != background:
        place = len(labels)
    is_counted = labels[0] == 0 and labels[-1] == len(labels) - 1
    codes = np.full(
        tuple(n + 2 * m for n, m in zip(inner.shape, margin, strict=True)), place, np.min_scalar_type(len(labels))
    )
    window = tuple(slice(m, m + n) for m, n in zip(margin, inner.shape, strict=True))
    codes[window] = inner if is_counted else _places(inner, labels, codes.dtype)
    at = np.unravel_index(places, inner.shape)
    flat = np.ravel_multi_index(tuple(one + m for one, m in zip(at, margin, strict=True)), codes.shape)
    own = codes.reshape(-1)[flat].astype(np.int64)
    steps, lengths = (None, np.zeros(0)) if found is None else found
    return Ground(codes, places, flat.astype(np.int64), own, margin, steps_mm, place, reach, steps, lengths)


def _places(
    labels_given: NDArray[np.integer], labels: IntArray, kind: np.dtype[np.unsignedinteger]
) -> NDArray[np.integer]:
    """The place of each label in the sorted list, by a table where the labels are small."""
    if labels[0] < 0 or labels[-1] >= _LARGEST_TABLE:
        return np.asarray(np.searchsorted(labels, labels_given))
    table = np.zeros(int(labels[-1]) + 1, dtype=kind)
    table[labels] = np.arange(len(labels))
    return np.asarray(table[labels_given])


def beyond_tolerance(ground: Ground, said: BoolArray, pattern: IntArray, tolerance: FloatArray) -> BoolArray:
    """Whether some reader gives a voxel a label of which the consensus has no voxel within the tolerance.

    Parameters
    ----------
    ground : Ground
    said : array of bool, shape (pattern, label)
        Whether any reader gives the label, by pattern of answers.
    pattern : array of int, shape (voxel,)
    tolerance : array of float, shape (label, label)
        Between the consensus's label and the reader's.

    Examples
    --------
    >>> ground = ground_of(np.array([[1, 0, 0, 0]]), np.array([0, 1]), np.array([1, 3]), (1.0, 1.0), reach=2.0)
    >>> beyond_tolerance(ground, np.ones((1, 2), dtype=bool), np.array([0, 0]), np.full((2, 2), 2.0)).tolist()
    [False, True]
    """
    n_said = said.sum(axis=1)
    ranked = np.argsort(~said, axis=1, kind="stable")
    voxels, labels = [], []
    for rank in range(int(n_said.max(initial=0))):
        here = np.flatnonzero((n_said > rank)[pattern])
        label = ranked[pattern[here], rank]
        is_other = label != ground.own[here]
        voxels.append(here[is_other])
        labels.append(label[is_other])
    result = np.zeros(len(pattern), dtype=bool)
    if not voxels:
        return result
    voxel, wanted = np.concatenate(voxels), np.concatenate(labels)
    limit = tolerance[ground.own[voxel], wanted] * _SLACK
    far = _far_by_map if ground.steps is None else _far_by_steps
    result[voxel[far(ground, ground.flat[voxel], wanted, limit)]] = True
    return result


def _far_by_steps(ground: Ground, flat: IntArray, wanted: IntArray, limit: FloatArray) -> IntArray:
    """Which voxels have nothing of the wanted label within their limit, step by step; most are done with after a few."""
    assert ground.steps is not None
    taken = ground.codes.reshape(-1)
    sought = wanted.astype(taken.dtype)
    is_alike = len(limit) == 0 or limit.min() == limit.max()
    left = np.arange(len(flat))
    jumps = (ground.steps @ np.asarray(ground.strides)).tolist()
    for start in range(0, len(jumps), _BLOCK):
        here, label = flat[left], sought[left]
        is_open = np.ones(len(left), dtype=bool)
        for number in range(start, min(start + _BLOCK, len(jumps))):
            hit = taken[here + jumps[number]] == label
            is_open &= ~(hit if is_alike else hit & (ground.lengths[number] <= limit[left]))
        left = left[is_open]
    return left


def _far_by_map(ground: Ground, flat: IntArray, wanted: IntArray, limit: FloatArray) -> IntArray:
    """The same, by a distance map around the voxels of each label."""
    is_far = np.ones(len(flat), dtype=bool)
    at = np.stack(np.unravel_index(flat, ground.codes.shape))
    for label in np.unique(wanted):
        mine = np.flatnonzero(wanted == label)
        window, local = _window(ground, at[:, mine])
        is_elsewhere = ground.codes[window] != label
        if not is_elsewhere.all():
            distance = ndimage.distance_transform_edt(is_elsewhere, sampling=ground.spacing)
            is_far[mine] = distance[local] > limit[mine]
    return np.flatnonzero(is_far)


def _window(ground: Ground, at: IntArray) -> tuple[tuple[slice, ...], tuple[IntArray, ...]]:
    """The part of ``codes`` within reach of these voxels, and where they lie in it."""
    window = []
    for axis, (step, margin) in enumerate(zip(ground.spacing, ground.margin, strict=True)):
        length = ground.codes.shape[axis]
        if length == 2 * margin + 1:
            window.append(slice(margin, margin + 1))
            continue
        span = int(ground.reach * _SLACK / step) + 1
        window.append(slice(max(int(at[axis].min()) - span, 0), min(int(at[axis].max()) + span + 1, length)))
    return tuple(window), tuple(line - part.start for line, part in zip(at, window, strict=True))


def missed_pieces(ground: Ground, codes: IntArray, pattern: IntArray, speaks: BoolArray) -> BoolArray:
    """Whether a voxel belongs to a piece of a structure in the consensus that some reader has nothing of.

    Parameters
    ----------
    ground : Ground
    codes : array of int, shape (pattern, reader)
        The readers' labels.
    pattern : array of int, shape (voxel,)
    speaks : array of bool, shape (pattern, reader)
        Whether the reader's label is an answer.

    Examples
    --------
    >>> ground = ground_of(np.array([[1, 0, 1, 1]]), np.array([0, 1]), np.array([0, 3]), (1.0, 1.0))
    >>> missed_pieces(ground, np.array([[1, 0]]), np.array([0, 0]), np.ones((1, 2), dtype=bool)).tolist()
    [True, False]
    """
    result = np.zeros(len(ground.flat), dtype=bool)
    inside = np.flatnonzero(ground.own != ground.background)
    if not len(inside):
        return result
    flat, own = ground.flat[inside], ground.own[inside]
    piece = connected_pieces(flat, ground.strides[:-1], own)
    # A piece that goes on where all readers agree is nobody's to miss.
    agreed = ground.codes.reshape(-1).copy()
    agreed[flat] = ground.background
    label = own.astype(agreed.dtype)
    goes_on = np.zeros(len(inside), dtype=bool)
    for jump in ground.jumps():
        goes_on |= agreed[flat + jump] == label
    n_pieces = int(piece.max()) + 1
    is_whole = np.bincount(piece[goes_on], minlength=n_pieces) == 0
    left = is_whole[piece]
    for reader in range(codes.shape[1]):
        has_label = codes[pattern[inside], reader] == own
        is_lacking = np.bincount(piece[has_label], minlength=n_pieces) == 0
        is_heard = np.bincount(piece[~speaks[pattern[inside], reader]], minlength=n_pieces) == 0
        result[inside[left & (is_lacking & is_heard)[piece]]] = True
    return result


def with_surroundings(ground: Ground, chosen: BoolArray) -> BoolArray:
    """The chosen voxels and all others on which readers differ within ``ground.reach`` of them.

    Examples
    --------
    >>> ground = ground_of(np.zeros((1, 6), dtype=np.uint8), np.array([0]), np.arange(6), (1.0, 1.0), reach=2.0)
    >>> with_surroundings(ground, np.array([True, False, False, False, False, False])).tolist()
    [True, True, True, False, False, False]
    """
    if not chosen.any() or chosen.all():
        return chosen.copy()
    flat = ground.flat[chosen]
    if ground.steps is None:
        window, local = _window(ground, np.stack(np.unravel_index(flat, ground.codes.shape)))
        is_away = np.ones(ground.codes.shape, dtype=bool)
        away = is_away[window]
        away[local] = False
        distance = ndimage.distance_transform_edt(away, sampling=ground.spacing)
        np.less_equal(distance, ground.reach * _SLACK, out=away)
        np.logical_not(away, out=away)
        return ~is_away.reshape(-1)[ground.flat]
    near = np.zeros(ground.codes.size, dtype=bool)
    near[flat] = True
    is_edge = ~np.logical_and.reduce([near[flat + jump] for jump in ground.jumps()])
    edge = flat[is_edge]
    for jump in (ground.steps @ np.asarray(ground.strides)).tolist():
        near[edge + jump] = True
    return np.asarray(near[ground.flat])


def _steps_within(reach: float, spans: Sequence[int], spacing: tuple[float, ...]) -> tuple[IntArray, FloatArray] | None:
    """All steps of at most this length, nearest first, and their lengths; None where they are too many."""
    if np.prod([2.0 * span + 1 for span in spans]) > 4 * _MOST_NEIGHBOURS:
        return None
    grid = np.stack(np.meshgrid(*(np.arange(-s, s + 1) for s in spans), indexing="ij"), axis=-1).reshape(-1, len(spans))
    lengths = np.sqrt(((grid * np.asarray(spacing)) ** 2).sum(axis=1))
    kept = np.flatnonzero(lengths <= reach)
    order = kept[np.argsort(lengths[kept], kind="stable")][1:]
    return None if len(order) > _MOST_NEIGHBOURS else (grid[order].astype(np.int64), lengths[order])
