"""One painted area out of several readers': voxel vote, STAPLE, or outlines moved back by each reader's offset on gold.

Three readers or more who painted a mask are fused by STAPLE in their union and two voxels around it, or by calibrated
fusion where the offset of each of them is known and used (``methods``). Else a voxel stands with more than half; exactly
half lies inside where the mean signed distance to the outlines is negative (shape-based averaging), so that two readers
give the shape between theirs, neither the union nor the overlap. The vote is always counted beside, and the Dice
between the two is kept. Pure.

References
----------
Warfield SK, Zou KH, Wells WM (2004) STAPLE. IEEE Trans Medical Imaging 23:903-921.
Rohlfing T, Maurer CR (2007) Shape-based averaging. IEEE Trans Image Processing 16:153-161.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.consensus.methods import LEAST_READERS
from labelhub.numerics.fusion_calibration import METHOD as CALIBRATED
from labelhub.numerics.fusion_calibration import RaterOffset, calibrated_mask
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.mean_outline import ROUNDING
from labelhub.numerics.object_merge import vote_map
from labelhub.numerics.rasterise import on_grid
from labelhub.numerics.results import BoolArray, FloatArray
from labelhub.numerics.signed_distances import signed_distances_at
from labelhub.numerics.staple import METHOD as STAPLE
from labelhub.numerics.staple import staple

Spacing = tuple[float, float, float] | None
BY_VOTE = "voxel vote"
_MARGIN = 2


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """The merged voxels (maybe none), the method, why it was taken, and Dice with the vote (None where it is the vote)."""

    mask: PlacedMask
    method: str
    why: str
    vote_dice: float | None = None


def merged_area(
    masks: Mapping[int, PlacedMask],
    *,
    size: tuple[int, int, int],
    spacing_mm: Spacing,
    is_painted: bool,
    offsets: Mapping[int, RaterOffset] | None = None,
) -> Area:
    """Merge the areas ``masks[reader]`` of one object on a grid of ``size``.

    ``is_painted`` says that readers painted voxels rather than drew outlines; ``offsets`` are given where calibrated fusion
    is on for the class.
    """
    vote = _vote(list(masks.values()), spacing_mm, is_flat=size[0] == 1)
    if not is_painted:
        return Area(vote, BY_VOTE, "outlines are merged by vote")
    if offsets and len(masks) > 1 and all(reader in offsets for reader in masks):
        reach = max(abs(offsets[reader].offset) for reader in masks)
        margin = _MARGIN + math.ceil(reach / min(spacing_mm or (1.0,)))
        window = _Window.around(list(masks.values()), size, margin)
        fused = calibrated_mask(
            [window.cut(mask) for mask in masks.values()], [offsets[reader] for reader in masks],
            spacing_mm=window.spacing(spacing_mm),
        )  # fmt: skip
        return _beside(window.placed(fused), vote, CALIBRATED, "every reader's offset is known from gold")
    if len(masks) < LEAST_READERS:
        return Area(vote, BY_VOTE, f"{len(masks)} readers painted it; from {LEAST_READERS} on it is fused")
    window = _Window.around(list(masks.values()), size, _MARGIN)
    found = staple([window.cut(mask) for mask in masks.values()])
    if found.is_fallback:
        return Area(vote, BY_VOTE, f"STAPLE looks degenerate: {'; '.join(found.warnings)}")
    return _beside(window.placed(found.mask()), vote, STAPLE, f"{len(masks)} readers painted it")


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of the grid, on which masks are compared whole; a single plane is compared in 2-D."""

    low: tuple[int, int, int]
    shape: tuple[int, int, int]
    is_flat: bool

    @classmethod
    def around(cls, masks: Sequence[PlacedMask], size: tuple[int, int, int], margin: int) -> _Window:
        low = np.maximum(np.min([mask.origin for mask in masks], axis=0) - margin, 0)
        high = np.minimum(np.max([np.add(m.origin, m.voxels.shape) for m in masks], axis=0) + margin, size)
        z, y, x = (int(at) for at in low)
        depth, height, width = (int(n) for n in high - low)
        return cls((z, y, x), (depth, height, width), size[0] == 1)

    def cut(self, mask: PlacedMask) -> BoolArray:
        origin = tuple(int(at) for at in np.subtract(mask.origin, self.low))
        whole = on_grid(PlacedMask(mask.voxels, origin), self.shape)
        return whole[0] if self.is_flat else whole

    def placed(self, mask: BoolArray) -> PlacedMask:
        return PlacedMask(mask[None] if self.is_flat else mask, self.low)

    def spacing(self, spacing_mm: Spacing) -> tuple[float, ...] | None:
        return spacing_mm[1:] if self.is_flat and spacing_mm is not None else spacing_mm


def _beside(mask: PlacedMask, vote: PlacedMask, method: str, why: str) -> Area:
    """The area, with how alike the vote is."""
    window = _Window.around([mask, vote], _end([mask, vote]), 0) if vote.voxels.size else None
    if window is None:
        return Area(mask, method, why, 0.0)
    first, second = window.cut(mask), window.cut(vote)
    total = int(first.sum()) + int(second.sum())
    both = int(np.count_nonzero(first & second))
    return Area(mask, method, why, 2 * both / total if total else 1.0)


def _end(masks: Sequence[PlacedMask]) -> tuple[int, int, int]:
    z, y, x = (int(at) for at in np.max([np.add(m.origin, m.voxels.shape) for m in masks], axis=0))
    return z, y, x


def _vote(masks: Sequence[PlacedMask], spacing_mm: Spacing, *, is_flat: bool) -> PlacedMask:
    votes, origin = vote_map(masks)
    inside = 2 * votes > len(masks)
    split = 2 * votes == len(masks)
    if split.any():
        inside[split] = _mean_signed_distance(masks, split, origin, spacing_mm, is_flat=is_flat) < -ROUNDING
    return PlacedMask(inside, tuple(origin))


def _mean_signed_distance(
    masks: Sequence[PlacedMask], points: BoolArray, origin: Sequence[int], spacing: Spacing, *, is_flat: bool
) -> FloatArray:
    """Negative inside, positive outside, averaged over the masks that hold anything; a single plane is compared in 2-D."""
    filled = [mask for mask in masks if mask.voxels.any()]
    total = np.zeros(int(np.count_nonzero(points)))
    for mask in filled:
        own = np.zeros(points.shape, dtype=bool)
        window = tuple(slice(a - b, a - b + n) for a, b, n in zip(mask.origin, origin, mask.voxels.shape, strict=True))
        own[window] = mask.voxels
        steps = spacing or (1.0, 1.0, 1.0)
        if is_flat:
            total += signed_distances_at(own[0], points[0], steps[1:])
        else:
            total += signed_distances_at(own, points, steps)
    return total / len(filled)
