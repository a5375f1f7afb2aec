"""Two masks compared in one call: overlap, volume, and surface distances, with the table for empty masks.

Undefined values are NaN and ``edge_case`` says which rule applied; means leave them out and print how many they were.
Not here: comparing many pairs, matching objects, or deciding what is good enough.

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212.
Dice LR (1945) Measures of the amount of ecologic association between species. Ecology 26:297-302.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from labelhub.numerics import surfaces
from labelhub.numerics.arguments import checked
from labelhub.numerics.geometry import Placed, PlacedMask
from labelhub.numerics.mask_pair import EdgeCase, MaskPair, checked_tolerance, placed_pair
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import NAN, BoolArray, Estimate

METHOD = "mask comparison"
VERSION = "1"

DEFAULT_TOLERANCE = 2.0


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


@dataclass(frozen=True, slots=True)
class Lengths:
    """What the distances between two surfaces come to: HD, HD95, ASSD, MASD, and the surface Dice at a tolerance."""

    hausdorff: float
    hausdorff_95: float
    average: float
    mean_directed: float
    surface_dice: float


@checked
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
        PlacedMask(np.asarray(first), start),
        PlacedMask(np.asarray(second), start),
        np.shape(first),
        spacing_mm=spacing_mm,
        tolerance=tolerance,
        second_is_truth=second_is_truth,
        both_empty_is_perfect=both_empty_is_perfect,
    )


@checked
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
    checked_tolerance(tolerance)
    pair = placed_pair(first, second, grid_size, spacing_mm)
    both = int(np.count_nonzero(pair.first & pair.second))
    lengths = None
    if pair.edge_case == "none":
        lengths = _lengths(surfaces.surface_distances(pair.first, pair.second, pair.spacing), tolerance)
    return compared_pair(
        pair, both, lengths, tolerance=tolerance, second_is_truth=second_is_truth,
        both_empty_is_perfect=both_empty_is_perfect,
    )  # fmt: skip


def compared_pair(
    pair: MaskPair,
    both: int,
    lengths: Lengths | None,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    second_is_truth: bool = False,
    both_empty_is_perfect: bool = False,
) -> MaskComparison:
    """As :func:`compare_placed`, of what was counted and measured already, with the rows of the table for empty masks.

    ``both`` counts the voxels in both masks; ``lengths`` are needed only where neither mask is empty.

    Examples
    --------
    >>> from labelhub.numerics.mask_pair import mask_pair
    >>> dot, nothing = np.eye(4, dtype=bool), np.zeros((4, 4), dtype=bool)
    >>> found = compared_pair(mask_pair(dot, nothing), 0, None)
    >>> found.dice, found.surface_dice, found.edge_case
    (0.0, 0.0, 'second-empty')
    """
    n_first, n_second = pair.n_first, pair.n_second
    overlap = _overlap(both, n_first, n_second, both_empty_is_perfect)
    if lengths is None:
        lengths = _lengths_of_empty(pair, both_empty_is_perfect)
    return MaskComparison(
        dice=overlap[0],
        iou=overlap[1],
        volume_difference=_volume_difference(n_first, n_second, second_is_truth),
        volume_difference_absolute=(n_first - n_second) * pair.voxel_volume,
        volume_first=n_first * pair.voxel_volume,
        volume_second=n_second * pair.voxel_volume,
        hausdorff=lengths.hausdorff,
        hausdorff_95=lengths.hausdorff_95,
        average_surface_distance=lengths.average,
        mean_directed_distance=lengths.mean_directed,
        surface_dice=lengths.surface_dice,
        tolerance=tolerance,
        unit=pair.unit,
        n_dimensions=pair.n_dimensions,
        edge_case=pair.edge_case,
        penalised_distance=pair.penalised_distance,
        second_is_truth=second_is_truth,
    )


@checked
def both_empty_share(edge_cases: Iterable[EdgeCase], *, unit: str = "pairs") -> Estimate:
    """How often both masks of a pair were empty: the readers agree that nothing is there.

    To be shown beside every mean over pairs, which leaves these pairs out. Pairs are taken as independent.

    Parameters
    ----------
    edge_cases : iterable of {"none", "both-empty", "first-empty", "second-empty"}
        The ``edge_case`` of every comparison.
    unit : str
        What is counted, in words and in the plural.

    Examples
    --------
    >>> share = both_empty_share(["none", "both-empty", "first-empty", "both-empty"])
    >>> share.value, share.n
    (0.5, 4)
    """
    cases = list(edge_cases)
    return proportion(cases.count("both-empty"), len(cases), unit=unit, method="negative agreement on empty masks")


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


def _lengths(distances: surfaces.SurfaceDistances, tolerance: float) -> Lengths:
    return Lengths(
        surfaces.hausdorff_distance(distances),
        surfaces.hausdorff_distance_95(distances),
        surfaces.average_surface_distance(distances),
        surfaces.mean_directed_distance(distances),
        surfaces.surface_dice(distances, tolerance),
    )


def _lengths_of_empty(pair: MaskPair, both_empty_is_perfect: bool) -> Lengths:
    if pair.edge_case == "both-empty":
        return Lengths(0.0, 0.0, 0.0, 0.0, 1.0) if both_empty_is_perfect else Lengths(NAN, NAN, NAN, NAN, NAN)
    return Lengths(NAN, NAN, NAN, NAN, 0.0)
