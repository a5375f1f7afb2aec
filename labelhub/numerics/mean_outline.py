"""The mask inside the mean of several outlines, without a distance wherever the raters agree deeply enough.

The mean of signed distances says where the fused outline runs; far from where raters differ its sign is known beforehand.
Inside every mask each distance is at most the one to the rim of what all masks share, outside all of them at least the one
to their union. So only voxels on which raters differ, and those nearer to them than the mean shift, are measured. Not here:
the distances themselves and how sure they are (``fusion``, whose masks these equal), and whose outline is shifted
(``fusion_calibration``).

References
----------
Rohlfing T, Maurer CR (2007) Shape-based averaging. IEEE Trans Image Process 16:153-161.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.numerics.arguments import checked
from labelhub.numerics.mask_pair import bounds, check_masks, checked_spacing
from labelhub.numerics.region_of_interest import widened
from labelhub.numerics.results import BoolArray, FloatArray
from labelhub.numerics.signed_distances import signed_bounds_at, signed_distances_at

METHOD = "mask of a mean outline"
VERSION = "1"

# A voxel that lies on the fused outline but for rounding is not inside.
ROUNDING = 1e-9


@checked
def mean_outline_mask(
    masks: Sequence[BoolArray],
    weights: FloatArray,
    shifts: FloatArray,
    *,
    spacing_mm: Sequence[float] | None = None,
) -> BoolArray:
    """The voxels at which the weighted mean of ``signed distance + shift`` is below 0.

    Parameters
    ----------
    masks : sequence of array of bool, one grid, shape (y, x) or (z, y, x)
        None of them empty.
    weights, shifts : array of float, shape (rater,)
        Weights add up to 1; shifts are in the unit of the spacing.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.

    Raises
    ------
    ValueError
        Where a mask is empty, or the spacing is impossible.

    Examples
    --------
    >>> masks = [np.zeros((1, 12), dtype=bool) for _ in range(2)]
    >>> masks[0][0, 2:5] = masks[1][0, 2:9] = True
    >>> mean_outline_mask(masks, np.array([0.5, 0.5]), np.zeros(2)).astype(int).tolist()
    [[0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]]
    """
    check_masks(masks)
    if not weights.shape == shifts.shape == (len(masks),):
        raise ValueError(
            f"weights and shifts have shape {weights.shape} and {shifts.shape}; one of each for {len(masks)} masks"
        )
    shape = masks[0].shape
    spacing = checked_spacing(spacing_mm, len(shape))
    steps = tuple(step for step, length in zip(spacing, shape, strict=True) if length > 1) or spacing
    flat = tuple(axis for axis, length in enumerate(shape) if length == 1) if max(shape) > 1 else ()
    shift = float(weights @ shifts)
    union = np.logical_or.reduce(masks)
    found = bounds(union)
    if found is None:
        raise ValueError("masks are all empty; an outline needs a voxel")
    # Nearer than this to where raters differ the shift can turn the sign.
    reach = abs(shift) + min(steps) / 2
    box = tuple(
        widened((part,), (length,), int(reach // step) + 1)[0]
        for part, length, step in zip(found, shape, spacing, strict=True)
    )
    inner = [mask[box].squeeze(axis=flat) for mask in masks]
    union, shared = union[box].squeeze(axis=flat), np.logical_and.reduce(inner)
    is_open = union & ~shared
    spans = [int(reach // step) for step in steps]
    is_open |= shared & _within(~shared, spans, at_edge=True) if shift > 0 else ~union & _within(union, spans)
    inside = shared.copy()
    inside[is_open] = _is_inside(inner, is_open, weights, shift, steps)
    result = np.zeros(shape, dtype=np.bool_)
    result[box] = np.expand_dims(inside, flat)
    return result


def _is_inside(
    masks: Sequence[BoolArray], points: BoolArray, weights: FloatArray, shift: float, steps: tuple[float, ...]
) -> BoolArray:
    """Whether each point lies inside the mean outline; exact distances are only taken where their bounds leave it open."""
    low = np.full(int(np.count_nonzero(points)), shift)
    high = low.copy()
    for mask, weight in zip(masks, weights.tolist(), strict=True):
        least, largest = signed_bounds_at(mask, points, steps)
        low += weight * least
        high += weight * largest
    is_inside = high < -ROUNDING
    is_open = ~is_inside & (low < -ROUNDING)
    if is_open.any():
        left = points.copy()
        left[points] = is_open
        mean = np.full(int(np.count_nonzero(is_open)), shift)
        for mask, weight in zip(masks, weights.tolist(), strict=True):
            mean += weight * signed_distances_at(mask, left, steps)
        is_inside[is_open] = mean < -ROUNDING
    return is_inside


def _within(mask: BoolArray, spans: Sequence[int], *, at_edge: bool = False) -> BoolArray:
    """The voxels no farther along each axis from the mask than these spans; ``at_edge``: the mask goes on beyond the array."""
    result = mask
    for axis, span in enumerate(spans):
        before = np.moveaxis(result, axis, 0)
        grown = before.copy()
        for step in range(1, span + 1):
            grown[step:] |= before[:-step]
            grown[:-step] |= before[step:]
            if at_edge:
                grown[:span] = grown[-span:] = True
        result = np.moveaxis(grown, 0, axis)
    return result
