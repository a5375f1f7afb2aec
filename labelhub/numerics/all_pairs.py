"""Dice, IoU, volume and confusion of every pair of raters and every label at once.

The answers of all raters are reduced to their different patterns; the product of the patterns' answers with themselves
then gives every count of every pair. Forty-five pairs of ten raters cost about as much as one. Not here: distances
between surfaces, which need each pair on its own (``overlap``).

References
----------
Dice LR (1945) Measures of the amount of ecologic association between species. Ecology 26:297-302.
Taha AA, Hanbury A (2015) Metrics for evaluating 3D medical image segmentation. BMC Medical Imaging 15:29.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelhub.numerics.arguments import checked
from labelhub.numerics.decision_patterns import PatternCounts, pattern_counts
from labelhub.numerics.mask_pair import EdgeCase, LengthUnit, checked_spacing
from labelhub.numerics.results import NAN, FloatArray, IntArray

METHOD = "all pairs of raters"
VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class AllPairs:
    """Every pair of raters, every label. The first two axes of the tables are the two raters.

    ``confusion[first, second, label_first, label_second]`` counts voxels; ``dice[first, second, label]`` and ``iou`` are
    NaN where both raters left the label out, 0 where one did; ``volume[rater, label]`` is in the cube (2-D: square) of
    ``unit``; ``n_voxels[rater, label]`` counts. Labels are in order of ``labels``.
    """

    labels: IntArray
    confusion: IntArray
    dice: FloatArray
    iou: FloatArray
    n_voxels: IntArray
    volume: FloatArray
    unit: LengthUnit
    method: str = METHOD
    version: str = VERSION

    @property
    def n_raters(self) -> int:
        """How many raters there are."""
        return len(self.n_voxels)

    def volume_difference(self, first: int, second: int, *, second_is_truth: bool = False) -> FloatArray:
        """Of each label 2 (V1 - V2) / (V1 + V2), or (V1 - V2) / V2 where the second is the truth; 0 where both are 0.

        NaN where the truth is empty and the first is not: see ``volume``.
        """
        a, b = self.n_voxels[first].astype(float), self.n_voxels[second].astype(float)
        below = b if second_is_truth else (a + b) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(below > 0, (a - b) / below, NAN)
        return np.where(a == b, 0.0, share)

    def edge_case(self, first: int, second: int, label: int) -> EdgeCase:
        """Which row of the table for empty masks a pair falls under for a label (its value, not its place)."""
        place = int(np.searchsorted(self.labels, label))
        if place >= len(self.labels) or self.labels[place] != label:
            message = f"label is {label}; known are {self.labels.tolist()}"
            raise ValueError(message)
        has_first, has_second = self.n_voxels[first, place] > 0, self.n_voxels[second, place] > 0
        if has_first and has_second:
            return "none"
        if has_first:
            return "second-empty"
        return "first-empty" if has_second else "both-empty"


@checked
def compare_all(
    maps: Sequence[NDArray[np.generic]],
    *,
    labels: Sequence[int] | None = None,
    spacing_mm: Sequence[float] | None = None,
) -> AllPairs:
    """Every overlap of every pair of raters, in one pass over their label maps.

    Parameters
    ----------
    maps : sequence of array of bool or int, all of one shape
        One label map (or mask) a rater.
    labels : sequence of int, optional
        Possible labels besides those that occur. Background (0) is a label like others.
    spacing_mm : sequence of float, optional
        Size of a voxel along each axis, for the volumes.

    Raises
    ------
    ValueError
        Where there is no map, grids differ, labels are not whole numbers, or the spacing is impossible.

    Examples
    --------
    >>> found = compare_all([np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 0]]), np.array([[1, 1, 2, 0]])])
    >>> found.labels.tolist(), found.dice[0, 1].round(3).tolist(), found.dice[0, 2].tolist()
    ([0, 1, 2], [1.0, 0.667, 0.667], [1.0, 1.0, 1.0])
    """
    patterns = pattern_counts(maps, labels=labels)
    spacing = checked_spacing(spacing_mm, maps[0].ndim)
    return overlaps_of_patterns(patterns, math.prod(spacing), "px" if spacing_mm is None else "mm")


def overlaps_of_patterns(patterns: PatternCounts, voxel_volume: float = 1.0, unit: LengthUnit = "px") -> AllPairs:
    """As :func:`compare_all`, of patterns that are there already.

    Examples
    --------
    >>> patterns = pattern_counts([np.array([[True, False]]), np.array([[True, True]])])
    >>> overlaps_of_patterns(patterns).confusion[0, 1].tolist()
    [[0, 1], [0, 1]]
    """
    n_raters, n_labels = patterns.n_raters, len(patterns.labels)
    confusion = np.empty((n_raters, n_raters, n_labels, n_labels), dtype=np.int64)
    weights = patterns.counts.astype(np.float64)
    answers = np.ascontiguousarray(patterns.table.T)
    for first in range(n_raters):
        row = answers[first] * n_labels
        for second in range(first, n_raters):
            table = np.bincount(row + answers[second], weights, n_labels**2).reshape(n_labels, n_labels)
            confusion[first, second], confusion[second, first] = table, table.T
    both = np.einsum("abll->abl", confusion)
    n_voxels = np.einsum("aal->al", both)
    total = n_voxels[:, None] + n_voxels[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        dice = np.where(total > 0, 2 * both / total, NAN)
        iou = np.where(total > 0, both / (total - both), NAN)
    return AllPairs(patterns.labels, confusion, dice, iou, n_voxels, n_voxels * voxel_volume, unit)
