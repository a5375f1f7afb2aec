"""Two masks compared in one call: overlap, volume, and surface distances, with the table for empty masks.

Undefined values are NaN and ``edge_case`` says which rule applied; means leave them out and print how many they were.
Not here: comparing many pairs, matching objects, or deciding what is good enough.

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212.
Dice LR (1945) Measures of the amount of ecologic association between species. Ecology 26:297-302.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from labelhub.numerics import surfaces
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.results import NAN, BoolArray

METHOD = "mask comparison"
VERSION = "1"

DEFAULT_TOLERANCE = 2.0

EdgeCase: TypeAlias = Literal["none", "both-empty", "first-empty", "second-empty"]


@dataclass(frozen=True, slots=True)
class MaskComparison:
    """Every measure of one pair of masks. Lengths are in ``unit`` ("mm" or "px"), volumes in its square or cube.

    ``volume_difference`` is 2 (V1 - V2) / (V1 + V2) between readers, (V1 - V2) / V2 where the second mask is the truth
    (NaN where the truth is empty and the first is not: see ``volume_difference_absolute``). ``penalised_distance`` is
    the diagonal of the image where one mask is empty, else NaN: rank such a pair as worst, do not average it.
    ``edge_case`` "both-empty" is a true negative.
    """

    dice: float
    iou: float
    volume_difference: float
    volume_difference_absolute: float
    volume_first: float
    volume_second: float
    hausdorff: float
    hausdorff_95: float
    average_surface_distance: float
    mean_directed_distance: float
    surface_dice: float
    tolerance: float
    unit: Literal["mm", "px"]
    n_dimensions: int
    edge_case: EdgeCase
    penalised_distance: float
    second_is_truth: bool
    hd95_convention: str = surfaces.HD95_CONVENTION
    method: str = METHOD
    version: str = VERSION


def compare_masks(
    first: BoolArray,
    second: BoolArray,
    *,
    spacing_mm: Sequence[float] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    second_is_truth: bool = False,
    both_empty_is_perfect: bool = False,
) -> MaskComparison:
    """Every measure of two masks on one grid.

    Parameters
    ----------
    first, second : array of bool, shape (y, x) or (z, y, x)
        The whole grid: an axis of length 1 is then no dimension (one slice is compared as a plane).
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis of the arrays, all above 0; without it lengths are in pixels.
    tolerance : float
        Tolerance of the surface Dice, in mm, or in pixels without spacing. Fix it before reading.
    second_is_truth : bool
        Whether the second mask is the truth (decides the volume difference).
    both_empty_is_perfect : bool
        The "challenge" rule: two empty masks get overlap 1 and distance 0 in place of NaN.

    Returns
    -------
    MaskComparison

    Raises
    ------
    ValueError
        Where the grids differ, a mask is not boolean, or the spacing is impossible.

    Examples
    --------
    A 10 x 10 square and the same shifted by two columns, on pixels of 1 x 3 mm.

    >>> square, shifted = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    >>> square[10:20, 10:20] = True
    >>> shifted[10:20, 12:22] = True
    >>> pair = compare_masks(shifted, square, spacing_mm=(1, 3), tolerance=1)
    >>> pair.dice, pair.hausdorff, round(pair.average_surface_distance, 4), pair.surface_dice
    (0.8, 6.0, 2.3889, 0.5)
    """
    if np.shape(first) != np.shape(second):
        message = f"masks have shapes {np.shape(first)} and {np.shape(second)}; both must be on the same grid"
        raise ValueError(message)
    start = (0,) * np.ndim(first)
    return compare_placed(
        PlacedMask(first, start),
        PlacedMask(second, start),
        np.shape(first),
        spacing_mm=spacing_mm,
        tolerance=tolerance,
        second_is_truth=second_is_truth,
        both_empty_is_perfect=both_empty_is_perfect,
    )


def compare_placed(
    first: Placed,
    second: Placed,
    grid_size: Sequence[int],
    *,
    spacing_mm: Sequence[float] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    second_is_truth: bool = False,
    both_empty_is_perfect: bool = False,
) -> MaskComparison:
    """As :func:`compare_masks`, of masks given as pieces placed on a grid of ``grid_size``; the grid is never filled.

    ``grid_size`` decides which axes are dimensions (those longer than 1) and how long the image's diagonal is. It may
    be larger than what is known to exist; it may not be smaller than where the pieces lie.

    Examples
    --------
    >>> piece = np.ones((1, 4, 4), dtype=bool)
    >>> pair = compare_placed(PlacedMask(piece, (3, 0, 0)), PlacedMask(piece, (4, 0, 0)), (50, 512, 512))
    >>> pair.dice, pair.hausdorff, pair.n_dimensions
    (0.0, 1.0, 3)
    """
    size, spacing = _checked_grid(first, second, grid_size, spacing_mm)
    _check_tolerance(tolerance)
    a, b = _on_common_window(first, second)
    kept = tuple(axis for axis, length in enumerate(size) if length > 1) or (len(size) - 1,)
    dropped = tuple(axis for axis in range(len(size)) if axis not in kept)
    a, b = a.squeeze(axis=dropped), b.squeeze(axis=dropped)
    used = [spacing[axis] for axis in kept]
    # A slice of known thickness still has a volume: every axis counts towards it in mm.
    voxel = math.prod(spacing) if spacing_mm is not None else 1.0
    n_first, n_second = int(np.count_nonzero(a)), int(np.count_nonzero(b))
    edge_case = _edge_case(n_first, n_second)
    overlap = _overlap(int(np.count_nonzero(a & b)), n_first, n_second, both_empty_is_perfect)
    lengths = _lengths(a, b, used, tolerance, edge_case, both_empty_is_perfect)
    diagonal = math.sqrt(sum((spacing[axis] * size[axis]) ** 2 for axis in kept))
    return MaskComparison(
        dice=overlap[0],
        iou=overlap[1],
        volume_difference=_volume_difference(n_first, n_second, second_is_truth),
        volume_difference_absolute=(n_first - n_second) * voxel,
        volume_first=n_first * voxel,
        volume_second=n_second * voxel,
        hausdorff=lengths[0],
        hausdorff_95=lengths[1],
        average_surface_distance=lengths[2],
        mean_directed_distance=lengths[3],
        surface_dice=lengths[4],
        tolerance=tolerance,
        unit="px" if spacing_mm is None else "mm",
        n_dimensions=len(kept),
        edge_case=edge_case,
        penalised_distance=diagonal if edge_case in ("first-empty", "second-empty") else NAN,
        second_is_truth=second_is_truth,
    )


def dice_from_counts(both: int, first: int, second: int) -> float:
    """Dice from voxel counts; NaN where both masks are empty.

    Examples
    --------
    >>> dice_from_counts(80, 100, 100)
    0.8
    """
    return 2 * both / (first + second) if first + second else NAN


def iou_from_dice(dice: float) -> float:
    """IoU = Dice / (2 - Dice).

    Examples
    --------
    >>> round(iou_from_dice(0.8), 4)
    0.6667
    """
    return dice / (2 - dice)


def _checked_grid(
    first: Placed, second: Placed, grid_size: Sequence[int], spacing_mm: Sequence[float] | None
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    size = tuple(int(length) for length in grid_size)
    for name, mask in (("first", first), ("second", second)):
        if mask.voxels.dtype != np.bool_:
            message = f"{name} has dtype {mask.voxels.dtype}; masks are boolean (compare one label at a time)"
            raise ValueError(message)
        ends = [start + length for start, length in zip(mask.origin, mask.voxels.shape, strict=False)]
        inside = len(ends) == mask.voxels.ndim == len(size) and len(size) in (2, 3)
        if not inside or min(mask.origin) < 0 or any(end > length for end, length in zip(ends, size, strict=True)):
            message = (
                f"{name} has shape {mask.voxels.shape} at {tuple(mask.origin)}; it must lie inside the grid {size}, "
                "with 2 or 3 dimensions"
            )
            raise ValueError(message)
    if spacing_mm is None:
        return size, (1.0,) * len(size)
    spacing = tuple(float(step) for step in spacing_mm)
    if len(spacing) != len(size) or not all(math.isfinite(step) and step > 0 for step in spacing):
        message = f"spacing_mm is {tuple(spacing_mm)}; {len(size)} finite numbers above 0 are needed, one an axis"
        raise ValueError(message)
    return size, spacing


def _check_tolerance(tolerance: float) -> None:
    if not (math.isfinite(tolerance) and tolerance >= 0):
        message = f"tolerance is {tolerance!r}; a finite number of at least 0 is needed"
        raise ValueError(message)


def _on_common_window(first: Placed, second: Placed) -> tuple[BoolArray, BoolArray]:
    """Both masks on the bounding box of their union: nothing beyond it can change any measure."""
    boxes = [box for box in (_bounds(first), _bounds(second)) if box is not None]
    if not boxes:
        shape = (1,) * first.voxels.ndim
        return np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    return _window(first, low, high), _window(second, low, high)


def _bounds(mask: Placed) -> tuple[list[int], list[int]] | None:
    low, high = [], []
    for axis in range(mask.voxels.ndim):
        others = tuple(other for other in range(mask.voxels.ndim) if other != axis)
        occupied = np.flatnonzero(mask.voxels.any(axis=others))
        if len(occupied) == 0:
            return None
        low.append(int(mask.origin[axis] + occupied[0]))
        high.append(int(mask.origin[axis] + occupied[-1] + 1))
    return low, high


def _window(mask: Placed, low: np.ndarray, high: np.ndarray) -> BoolArray:
    result = np.zeros(tuple(high - low), dtype=bool)
    source, target = [], []
    for axis, start in enumerate(mask.origin):
        begin, end = max(start, int(low[axis])), min(start + mask.voxels.shape[axis], int(high[axis]))
        if begin >= end:
            return result
        source.append(slice(begin - start, end - start))
        target.append(slice(begin - int(low[axis]), end - int(low[axis])))
    result[tuple(target)] = mask.voxels[tuple(source)]
    return result


def _edge_case(n_first: int, n_second: int) -> EdgeCase:
    if n_first and n_second:
        return "none"
    if n_first:
        return "second-empty"
    return "first-empty" if n_second else "both-empty"


def _overlap(both: int, n_first: int, n_second: int, both_empty_is_perfect: bool) -> tuple[float, float]:
    if n_first + n_second == 0:
        value = 1.0 if both_empty_is_perfect else NAN
        return value, value
    return dice_from_counts(both, n_first, n_second), both / (n_first + n_second - both)


def _volume_difference(n_first: int, n_second: int, second_is_truth: bool) -> float:
    if n_first == n_second:
        return 0.0
    if not second_is_truth:
        return 2 * (n_first - n_second) / (n_first + n_second)
    return (n_first - n_second) / n_second if n_second else NAN


def _lengths(
    a: BoolArray, b: BoolArray, spacing: list[float], tolerance: float, edge_case: EdgeCase, both_empty_is_perfect: bool
) -> tuple[float, float, float, float, float]:
    """HD, HD95, ASSD, MASD and surface Dice, with the rows of the table for empty masks."""
    if edge_case == "both-empty":
        return (0.0, 0.0, 0.0, 0.0, 1.0) if both_empty_is_perfect else (NAN, NAN, NAN, NAN, NAN)
    if edge_case != "none":
        return NAN, NAN, NAN, NAN, 0.0
    distances = surfaces.surface_distances(a, b, spacing)
    return (
        surfaces.hausdorff_distance(distances),
        surfaces.hausdorff_distance_95(distances),
        surfaces.average_surface_distance(distances),
        surfaces.mean_directed_distance(distances),
        surfaces.surface_dice(distances, tolerance),
    )
