"""Two ways to one mask besides a vote and STAPLE: SIMPLE drops poor raters, shape averaging moves the outline.

SIMPLE compares every rater with the consensus of all, drops those whose Dice lies more than ``alpha`` standard deviations
below the mean, and repeats until no one is dropped; the rest vote with their Dice as weight. Shape averaging takes the
mean or median over raters of the signed distance to each outline; the consensus is where it is below 0. Whether there is
anything at all is a vote (half of the raters is enough); an empty mask has no outline and takes no part in averaging.
Not here: correction of what all raters do wrong (``fusion_calibration``).

References
----------
Langerak TR et al. (2010) Label fusion in atlas-based segmentation using a selective and iterative method for performance
level estimation (SIMPLE). IEEE Trans Med Imaging 29:2000-2008.
Rohlfing T, Maurer CR (2007) Shape-based averaging. IEEE Trans Image Process 16:153-161.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import ndtr

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import DecisionPatterns, decision_patterns
from labelhub.numerics.mask_pair import LengthUnit, bounds, check_masks, checked_spacing
from labelhub.numerics.mean_outline import ROUNDING
from labelhub.numerics.region_of_interest import marked_by_any, widened
from labelhub.numerics.results import BoolArray, FloatArray
from labelhub.numerics.signed_distances import signed_distance

METHOD = "fusion of masks"
VERSION = "1"

Average: TypeAlias = Literal["mean", "median"]
_LEAST_KEPT = 2
_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class SimpleFusion:
    """The consensus of the raters that SIMPLE kept.

    ``is_kept[rater]``; ``dice[rater]`` with the last consensus, of dropped raters too; ``weights[rater]`` of the vote, 0 for
    the dropped; ``share[pattern]`` the weighted share of votes of each pattern of answers.
    """

    patterns: DecisionPatterns
    share: FloatArray
    dice: FloatArray
    weights: FloatArray
    is_kept: BoolArray
    n_iterations: int
    is_converged: bool
    warnings: tuple[str, ...] = ()
    method: str = "SIMPLE"
    version: str = VERSION

    def mask(self) -> BoolArray:
        """The voxels with at least half of the weighted votes."""
        return np.asarray(self.patterns.spread(self.share >= 0.5 - _TIE), dtype=np.bool_)

    def probability(self) -> FloatArray:
        """The weighted share of votes of every voxel."""
        return np.asarray(self.patterns.spread(self.share), dtype=np.float64)


@checked
def simple_fusion(masks: Sequence[BoolArray], *, alpha: float = 1.0, max_iterations: int = 50) -> SimpleFusion:
    """The mask of several raters after those far worse than the others were dropped, one round after the other.

    Parameters
    ----------
    masks : sequence of array of bool, one grid
    alpha : float
        How many standard deviations below the mean Dice a rater is dropped; at least two raters are kept.
    max_iterations : int
        Stop, with a warning, after so many rounds.

    Raises
    ------
    ValueError
        Where there is no mask, grids differ, a mask is not boolean, or alpha is below 0.

    Examples
    --------
    >>> square, spot = np.zeros((9, 9), dtype=bool), np.zeros((9, 9), dtype=bool)
    >>> square[2:7, 2:7] = spot[0, 0] = True
    >>> found = simple_fusion([square, square, square, spot])
    >>> found.is_kept.tolist(), int(found.mask().sum())
    ([True, True, True, False], 25)
    """
    if not (math.isfinite(alpha) and alpha >= 0):
        message = f"alpha is {alpha!r}; a finite number of at least 0 is needed"
        raise ValueError(message)
    check_masks(masks)
    patterns = decision_patterns(masks)
    marked = patterns.chosen(1).astype(np.float64)
    sizes = patterns.counts @ marked
    is_kept = np.ones(len(masks), dtype=bool)
    weights = np.ones(len(masks))
    dice = np.ones(len(masks))
    n_iterations, is_converged = 0, False
    while n_iterations < max_iterations and not is_converged:
        n_iterations += 1
        share = _weighted_share(marked, weights * is_kept)
        consensus = share >= 0.5 - _TIE
        both = (patterns.counts * consensus) @ marked
        total = sizes + float(patterns.counts @ consensus)
        dice = np.where(total > 0, 2 * both / np.where(total > 0, total, 1), 1.0)
        kept_dice = dice[is_kept]
        is_poor = is_kept & (dice < kept_dice.mean() - alpha * kept_dice.std() - _TIE)
        is_converged = not is_poor.any() or int((is_kept & ~is_poor).sum()) < min(_LEAST_KEPT, len(masks))
        if not is_converged:
            is_kept = is_kept & ~is_poor
        weights = dice
    warnings = () if is_converged else (f"not converged after {max_iterations} rounds",)
    share = _weighted_share(marked, weights * is_kept)
    return SimpleFusion(patterns, share, dice, weights * is_kept, is_kept, n_iterations, is_converged, warnings)


@dataclass(frozen=True, slots=True, eq=False)
class FusedShape:
    """A consensus outline as a signed distance in a ``box`` of the grid; beyond the box everything is outside.

    ``distance`` is negative inside, in ``unit``; ``spread`` how uncertain the boundary's place is there, so that the chance
    of a voxel to be inside is that of a normal variable to be below 0. ``weights[rater]`` add up to 1 (0 for raters with an
    empty mask); ``offsets[rater]`` were added to the raters' distances.
    """

    distance: FloatArray
    spread: FloatArray
    box: tuple[slice, ...]
    shape: tuple[int, ...]
    weights: FloatArray
    offsets: FloatArray
    unit: LengthUnit
    warnings: tuple[str, ...] = ()
    is_converged: bool = True
    method: str = METHOD
    version: str = VERSION

    def mask(self) -> BoolArray:
        """The voxels inside the consensus outline."""
        result = np.zeros(self.shape, dtype=bool)
        result[self.box] = self.distance < -ROUNDING
        return result

    def probability(self) -> FloatArray:
        """The chance of every voxel to be inside, from its distance and the spread; 0 beyond the box."""
        result = np.zeros(self.shape)
        result[self.box] = ndtr(-self.distance / self.spread)
        return result


@checked
def shape_average(
    masks: Sequence[BoolArray], *, average: Average = "median", spacing_mm: Sequence[float] | None = None
) -> FusedShape:
    """The mask whose outline lies at the mean or median of the raters' outlines.

    Parameters
    ----------
    masks : sequence of array of bool, one grid, shape (y, x) or (z, y, x)
    average : {"mean", "median"}
        The median gives a majority's outline where one rater is far off.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis.

    Returns
    -------
    FusedShape
        ``spread`` is the standard deviation between raters at each voxel, at least half a step.

    Raises
    ------
    ValueError
        Where there is no mask, grids differ, a mask is not boolean, or average or spacing is none.

    Examples
    --------
    >>> masks = [np.zeros((1, 12), dtype=bool) for _ in range(3)]
    >>> masks[0][0, 2:6] = masks[1][0, 2:8] = masks[2][0, 2:10] = True
    >>> shape_average(masks).mask().sum(), shape_average(masks, average="mean").mask().sum()
    (np.int64(6), np.int64(6))
    """
    stack = distance_stack(masks, spacing_mm, np.zeros(len(masks)))
    reduced = np.mean if average == "mean" else np.median
    weights = stack.is_drawn / max(int(stack.is_drawn.sum()), 1)
    if not stack.is_present:
        return empty_shape(stack, weights)
    return FusedShape(
        distance=np.asarray(reduced(stack.distances, axis=0), dtype=np.float64),
        spread=np.maximum(stack.distances.std(axis=0), stack.half_step),
        box=stack.box,
        shape=masks[0].shape,
        weights=weights,
        offsets=np.zeros(len(masks)),
        unit=stack.unit,
        warnings=stack.warnings,
        method=f"shape-based averaging, {average}",
    )


@dataclass(frozen=True, slots=True, eq=False)
class DistanceStack:
    """Signed distances of the raters who drew something, ``distances[drawn rater, ...]`` in a ``box`` of the grid."""

    distances: FloatArray
    box: tuple[slice, ...]
    shape: tuple[int, ...]
    is_drawn: BoolArray
    is_present: bool
    half_step: float
    unit: LengthUnit
    warnings: tuple[str, ...]


def distance_stack(
    masks: Sequence[BoolArray], spacing_mm: Sequence[float] | None, offsets: FloatArray
) -> DistanceStack:
    """Signed distances to each rater's outline plus the rater's offset, where a fused outline can lie.

    ``is_present`` says whether at least half of the raters drew anything.
    """
    check_masks(masks)
    spacing = checked_spacing(spacing_mm, masks[0].ndim)
    steps = tuple(step for step, length in zip(spacing, masks[0].shape, strict=True) if length > 1) or spacing
    patterns = decision_patterns(masks)
    is_drawn = np.array([bool(mask.any()) for mask in masks])
    left_out = np.flatnonzero(~is_drawn)
    warnings = (f"rater {', '.join(map(str, left_out))} drew nothing and has no outline",) if len(left_out) else ()
    is_present = 2 * int(is_drawn.sum()) >= len(masks) and bool(is_drawn.any())
    half = half_step(masks[0].shape, spacing_mm)
    unit: LengthUnit = "px" if spacing_mm is None else "mm"
    shape = masks[0].shape
    found = bounds(marked_by_any(patterns, 0)) if is_present else None
    if found is None:
        nowhere = tuple(slice(0, 0) for _ in shape)
        none = np.zeros((0,) * (len(shape) + 1))
        return DistanceStack(
            none, nowhere, shape, is_drawn, is_present=False, half_step=half, unit=unit, warnings=warnings
        )
    reach = float(np.abs(offsets[is_drawn]).max(initial=0.0))
    box = tuple(
        widened((part,), (length,), int(reach // step) + 2)[0]
        for part, length, step in zip(found, shape, spacing, strict=True)
    )
    flat = tuple(axis for axis, length in enumerate(shape) if length == 1) if max(shape) > 1 else ()
    drawn = [
        np.expand_dims(signed_distance(mask[box].squeeze(axis=flat), steps), flat) + offset
        for mask, offset, is_one in zip(masks, offsets, is_drawn, strict=True)
        if is_one
    ]
    return DistanceStack(
        np.stack(drawn), box, shape, is_drawn, is_present=True, half_step=half, unit=unit, warnings=warnings
    )


def half_step(shape: tuple[int, ...], spacing_mm: Sequence[float] | None) -> float:
    """Half the smallest step of a grid along its axes longer than 1."""
    spacing = checked_spacing(spacing_mm, len(shape))
    return min([step for step, length in zip(spacing, shape, strict=True) if length > 1] or spacing) / 2


def empty_shape(stack: DistanceStack, weights: FloatArray) -> FusedShape:
    """The consensus of raters most of whom drew nothing: nothing."""
    none = np.zeros((0,) * len(stack.shape))
    warnings = (*stack.warnings, "fewer than half of the raters drew anything")
    return FusedShape(none, none, stack.box, stack.shape, weights, np.zeros(len(weights)), stack.unit, warnings)


def _weighted_share(marked: FloatArray, weights: FloatArray) -> FloatArray:
    total = float(weights.sum())
    return np.asarray(marked @ weights / total if total else marked.mean(axis=1))
