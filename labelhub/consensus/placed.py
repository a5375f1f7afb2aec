"""Small acts on placed masks, out of which a label is put together. A frame is its caller's own and changed in place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.formats.shapes import MaskRegion
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.results import BoolArray


def frame_around(masks: Sequence[PlacedMask]) -> PlacedMask:
    """An empty frame that holds all of the masks."""
    filled = [mask for mask in masks if mask.voxels.size]
    if not filled:
        return PlacedMask(np.zeros((0, 0, 0), dtype=np.bool_), (0, 0, 0))
    low = np.min([mask.origin for mask in filled], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in filled], axis=0)
    return PlacedMask(np.zeros(tuple(high - low), dtype=np.bool_), tuple(int(at) for at in low))


def window_of(frame: PlacedMask, other: PlacedMask) -> tuple[tuple[slice, ...] | None, BoolArray | None]:
    """The part of the frame that the other one's box covers, and the other's voxels there."""
    # Asked many thousand times of an item with many regions: plain numbers cost a tenth of small arrays.
    inside, source = [], []
    for a, n, b, m in zip(frame.origin, frame.voxels.shape, other.origin, other.voxels.shape, strict=True):
        low, high = max(a, b), min(a + n, b + m)
        if high <= low:
            return None, None
        inside.append(slice(low - a, high - a))
        source.append(slice(low - b, high - b))
    return tuple(inside), other.voxels[tuple(source)]


def meets(frame: PlacedMask, region: PlacedMask) -> bool:
    """Whether the box of the region reaches into the frame."""
    return window_of(frame, region)[0] is not None


def paste(frame: PlacedMask, mask: PlacedMask) -> None:
    """Add the mask to the frame; what lies beyond the frame is left out."""
    window, part = window_of(frame, mask)
    if window is not None and part is not None:
        frame.voxels[window] |= part


def clear(frame: PlacedMask, mask: PlacedMask) -> int:
    """Take the mask out of the frame; return how many voxels that were."""
    window, part = window_of(frame, mask)
    if window is None or part is None:
        return 0
    cleared = int(np.count_nonzero(frame.voxels[window] & part))
    frame.voxels[window] &= ~part
    return cleared


def n_shared(frame: PlacedMask, mask: PlacedMask) -> int:
    """How many voxels both have."""
    window, part = window_of(frame, mask)
    return 0 if window is None or part is None else int(np.count_nonzero(frame.voxels[window] & part))


def overlap_of(first: PlacedMask, second: PlacedMask) -> PlacedMask | None:
    """The voxels that both have; None without any."""
    window, part = window_of(first, second)
    if window is None or part is None:
        return None
    both = first.voxels[window] & part
    origin = tuple(int(o + w.start) for o, w in zip(first.origin, window, strict=True))
    return PlacedMask(both, origin) if both.any() else None


def grown(frame: PlacedMask, mask: PlacedMask) -> PlacedMask:
    """The frame, widened so that the mask lies within it."""
    if not frame.voxels.size:
        return PlacedMask(np.zeros(mask.voxels.shape, dtype=np.bool_), mask.origin)
    low = np.minimum(frame.origin, mask.origin)
    high = np.maximum(np.add(frame.origin, frame.voxels.shape), np.add(mask.origin, mask.voxels.shape))
    wider = PlacedMask(np.zeros(tuple(high - low), dtype=np.bool_), tuple(int(at) for at in low))
    paste(wider, frame)
    return wider


def cropped(mask: PlacedMask) -> MaskRegion | None:
    """The mask in the smallest box that holds it; None where it is empty."""
    if not mask.voxels.any():
        return None
    window = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        used = np.flatnonzero(mask.voxels.any(axis=others))
        window.append(slice(int(used[0]), int(used[-1]) + 1))
    z, y, x = (int(o + w.start) for o, w in zip(mask.origin, window, strict=True))
    return MaskRegion(np.ascontiguousarray(mask.voxels[tuple(window)]), (z, y, x))


def are_equal(first: PlacedMask, second: PlacedMask) -> bool:
    """Whether both have the same voxels."""
    count = int(np.count_nonzero(first.voxels))
    return count == int(np.count_nonzero(second.voxels)) == n_shared(first, second)
