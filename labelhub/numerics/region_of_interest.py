"""The voxels that a mask consensus is about: those any rater marked and a margin around them, or the whole grid.

Over the whole grid easy background makes every rater look perfect. Not here: what is made of the region (``staple``).

References
----------
Warfield SK, Zou KH, Wells WM (2004) STAPLE. IEEE Trans Med Imaging 23:903-921, section IV (restriction of the region).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns
from labelhub.numerics.mask_pair import bounds
from labelhub.numerics.results import BoolArray, FloatArray

METHOD = "union of all raters and two steps around it"
VERSION = "1"

MARGIN = 2

Region: TypeAlias = Literal["union", "full"]


@dataclass(frozen=True, slots=True, eq=False)
class RegionOfInterest:
    """The region ``inside`` a ``box`` of the grid, and how many of its ``n_voxels`` have each pattern of answers."""

    kind: Region
    box: tuple[slice, ...]
    inside: BoolArray
    counts: FloatArray
    n_voxels: int


@checked
def region_of_interest(patterns: DecisionPatterns, kind: Region, *, background: int) -> RegionOfInterest:
    """The voxels within two steps (across faces) of what any rater marked ("union"), or all ("full").

    ``background`` is the place in the labels of what is no mark; without one (-1) every voxel is marked.

    Examples
    --------
    >>> from labelhub.numerics.decision_patterns import decision_patterns
    >>> patterns = decision_patterns([np.eye(9, dtype=bool)[4:5]])
    >>> region_of_interest(patterns, "union", background=0).n_voxels
    5
    """
    shape = patterns.first.shape
    counts = patterns.counts.astype(np.float64)
    if kind == "full" or background < 0:
        whole = tuple(slice(0, length) for length in shape)
        # One value stands for all voxels, so that the whole grid costs no memory.
        return RegionOfInterest(kind, whole, np.broadcast_to(np.True_, shape), counts, patterns.n_voxels)
    marked = marked_by_any(patterns, background)
    box = bounds(marked)
    if box is None:
        nowhere = tuple(slice(0, 0) for _ in shape)
        return RegionOfInterest(kind, nowhere, np.zeros((0,) * len(shape), dtype=bool), np.zeros_like(counts), 0)
    box = widened(box, shape, MARGIN)
    inside = grown(marked[box], MARGIN)
    n_voxels = int(np.count_nonzero(inside))
    counts[background] = n_voxels - (counts.sum() - counts[background])
    return RegionOfInterest(kind, box, inside, counts, n_voxels)


def marked_by_any(patterns: DecisionPatterns, background: int) -> BoolArray:
    """The voxels that at least one rater gave another label than the background."""
    return np.asarray(patterns.spread((patterns.table != background).any(axis=1)), dtype=np.bool_)


def widened(box: tuple[slice, ...], shape: tuple[int, ...], margin: int) -> tuple[slice, ...]:
    """A box with a margin on every side, cut off at the grid's edge."""
    return tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, length))
        for part, length in zip(box, shape, strict=True)
    )


def grown(mask: BoolArray, steps: int) -> BoolArray:
    """A mask and every voxel that so many steps across faces lead to.

    Examples
    --------
    >>> grown(np.array([[False, False, False, True]]), 2).tolist()
    [[False, True, True, True]]
    """
    result = mask.copy()
    for _ in range(steps):
        before = result.copy()
        for axis in range(mask.ndim):
            line, kept = np.moveaxis(before, axis, 0), np.moveaxis(result, axis, 0)
            kept[1:] |= line[:-1]
            kept[:-1] |= line[1:]
    return result
