"""All pairs of readers, label by label, with every measure of a pair of masks: HD, HD95, ASSD, MASD, surface Dice, overlap.

Equal to ``numerics.overlap.compare_masks`` within 1e-6, with its table for empty masks. Each reader's surface is
transformed once and every other reader's surface looks its distances up in it. Not here: the transform (``distances``).

References
----------
Maier-Hein L et al. (2024) Metrics reloaded. Nature Methods 21:195-212.
Nikolov S et al. (2021) Clinically applicable segmentation of head and neck anatomy. JMIR 23:e26151 (surface Dice).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch

from labelhub.inference.accelerated.devices import computing_device, room_of
from labelhub.inference.accelerated.distances import distances_between, surface
from labelhub.inference.accelerated.laid import LaidMaps, Maps, lay
from labelhub.numerics.geometry import Placed
from labelhub.numerics.mask_pair import EdgeCase, MaskPair, checked_spacing, checked_tolerance, placed_pair
from labelhub.numerics.overlap import DEFAULT_TOLERANCE, Lengths, MaskComparison, compared_pair
from labelhub.numerics.overlap import compare_placed as compare_placed_on_cpu

logger = logging.getLogger(__name__)

# As in ``numerics.surfaces``: a voxel exactly the tolerance away is within, whatever the last bit says.
_ROUNDING = 1e-9
# Below so many voxels of both masks' box the copy to an accelerator costs more than the comparison.
WORTH_A_COPY = 1 << 18


def compare_readers(
    maps: Maps,
    *,
    labels: Sequence[int] = (1,),
    spacing_mm: Sequence[float] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    both_empty_is_perfect: bool = False,
    device: torch.device | None = None,
    room: int | None = None,
) -> Mapping[tuple[int, int, int], MaskComparison]:
    """Every measure of every pair of readers for each of the labels, by (first, second, label); a mask has the label 1.

    Raises ``ValueError`` where there is no map, grids differ, labels are not whole numbers, the grid has neither two nor
    three axes, or spacing or tolerance are impossible.
    """
    checked_tolerance(tolerance)
    laid = lay([maps], device or computing_device())
    if len(laid.shape) not in (2, 3):
        message = f"maps have shape {laid.shape}; grids of 2 or 3 dimensions are compared"
        raise ValueError(message)
    ground = _Ground(laid, spacing_mm, tolerance, room or room_of(laid.device))
    found: dict[tuple[int, int, int], MaskComparison] = {}
    for label in labels:
        masks = ground.masks(label)
        sizes = masks.flatten(1).sum(dim=1).tolist()
        both = _shared(masks)
        lengths = ground.lengths(masks, [reader for reader, size in enumerate(sizes) if size])
        for first, second in combinations(range(laid.n_raters), 2):
            found[first, second, label] = compared_pair(
                ground.pair(sizes[first], sizes[second]), both[first][second], lengths.get((first, second)),
                tolerance=tolerance, both_empty_is_perfect=both_empty_is_perfect,
            )  # fmt: skip
    return found


def compare_placed(
    first: Placed,
    second: Placed,
    grid_size: Sequence[int],
    *,
    spacing_mm: Sequence[float] | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    second_is_truth: bool = False,
    both_empty_is_perfect: bool = False,
    device: torch.device | None = None,
    worth_a_copy: int = WORTH_A_COPY,
) -> MaskComparison:
    """As ``numerics.overlap.compare_placed``, which keeps what is small, has an empty mask, or finds no room on the device."""
    checked_tolerance(tolerance)
    pair = placed_pair(first, second, grid_size, spacing_mm)
    if pair.edge_case == "none" and pair.first.size >= worth_a_copy:
        try:
            both, lengths = _measured(pair, tolerance, device or computing_device())
        except torch.OutOfMemoryError:
            # A network may hold the device's memory; the numbers are the same wherever they are made.
            logger.warning(
                "no room on the accelerator for two masks of %s; compared on the processor", pair.first.shape
            )
        else:
            return compared_pair(
                pair, both, lengths, tolerance=tolerance, second_is_truth=second_is_truth,
                both_empty_is_perfect=both_empty_is_perfect,
            )  # fmt: skip
    return compare_placed_on_cpu(
        first, second, grid_size, spacing_mm=spacing_mm, tolerance=tolerance, second_is_truth=second_is_truth,
        both_empty_is_perfect=both_empty_is_perfect,
    )  # fmt: skip


def _measured(pair: MaskPair, tolerance: float, device: torch.device) -> tuple[int, Lengths]:
    """How many voxels two masks share, and the distances between their surfaces."""
    masks = torch.from_numpy(np.stack([pair.first, pair.second])).to(device)
    both = int(torch.count_nonzero(masks[0] & masks[1]))
    return both, _lengths(masks, pair.spacing, tolerance, room_of(device))[0, 1]


class _Ground:
    """What the comparisons of one item stand on: its maps, the axes that are dimensions, spacing and tolerance."""

    def __init__(self, laid: LaidMaps, spacing_mm: Sequence[float] | None, tolerance: float, room: int) -> None:
        spacing = checked_spacing(spacing_mm, len(laid.shape))
        kept = tuple(axis for axis, length in enumerate(laid.shape) if length > 1) or (len(laid.shape) - 1,)
        self.shape = tuple(laid.shape[axis] for axis in kept)
        self.grids = laid.grids(0).reshape(laid.n_raters, *self.shape)
        self.spacing = tuple(spacing[axis] for axis in kept)
        self.is_known = spacing_mm is not None
        self.voxel_volume = math.prod(spacing) if self.is_known else 1.0
        self.tolerance, self.room = tolerance, room

    def masks(self, label: int) -> torch.Tensor:
        """The readers' masks of a label in the box around all of them, or one voxel of nothing."""
        whole = self.grids == label
        box: list[slice] = [slice(None)]
        any_reader = whole.any(dim=0)
        for axis in range(any_reader.ndim):
            occupied = any_reader.movedim(axis, 0).flatten(1).any(dim=1) if any_reader.ndim > 1 else any_reader
            places = occupied.nonzero().squeeze(1)
            if not len(places):
                return whole[(slice(None), *(slice(0, 1) for _ in self.shape))]
            box.append(slice(int(places[0]), int(places[-1]) + 1))
        return whole[tuple(box)]

    def lengths(self, masks: torch.Tensor, readers: Sequence[int]) -> dict[tuple[int, int], Lengths]:
        """The lengths of every pair of readers who marked something."""
        if len(readers) < 2:
            return {}
        found = _lengths(masks[list(readers)], self.spacing, self.tolerance, self.room)
        return {(readers[a], readers[b]): lengths for (a, b), lengths in found.items()}

    def pair(self, n_first: int, n_second: int) -> MaskPair:
        """What the table for empty masks needs to know of a pair; its voxels stay on the device."""
        nothing = np.zeros((0,) * len(self.shape), dtype=bool)
        diagonal = math.sqrt(sum((step * n) ** 2 for step, n in zip(self.spacing, self.shape, strict=True)))
        return MaskPair(
            nothing, nothing, (0,) * len(self.shape), self.spacing, "mm" if self.is_known else "px", self.voxel_volume,
            diagonal, n_first, n_second, _edge_case(n_first, n_second),
        )  # fmt: skip


def _edge_case(n_first: int, n_second: int) -> EdgeCase:
    if n_first and n_second:
        return "none"
    if n_first:
        return "second-empty"
    return "first-empty" if n_second else "both-empty"


def _shared(masks: torch.Tensor) -> list[list[int]]:
    """How many voxels every two readers share."""
    n = len(masks)
    counts = torch.zeros((n, n), dtype=torch.int64, device=masks.device)
    for first, second in combinations(range(n), 2):
        counts[first, second] = torch.count_nonzero(masks[first] & masks[second])
    table: list[list[int]] = counts.tolist()
    return table


def _lengths(
    masks: torch.Tensor, spacing: Sequence[float], tolerance: float, room: int
) -> dict[tuple[int, int], Lengths]:
    """The lengths of every two masks, none of which is empty; the smaller number first."""
    directed = torch.stack([_summary(own, tolerance) for own in distances_between(surface(masks), spacing, room=room)])
    table = directed.cpu().numpy()
    result = {}
    for first, second in combinations(range(len(masks)), 2):
        there, back = table[first, :, second], table[second, :, first]
        largest, high, total, near, n = range(5)
        n_both = there[n] + back[n]
        result[first, second] = Lengths(
            hausdorff=float(max(there[largest], back[largest])),
            hausdorff_95=float(max(there[high], back[high])),
            average=float((there[total] + back[total]) / n_both),
            mean_directed=float((there[total] / there[n] + back[total] / back[n]) / 2),
            surface_dice=float((there[near] + back[near]) / n_both),
        )
    return result


def _summary(distances: torch.Tensor, tolerance: float) -> torch.Tensor:
    """Largest, 95th percentile, sum, number within the tolerance and number: shape (5, other reader)."""
    n = distances.shape[1]
    ordered = distances.sort(dim=1).values
    at = 0.95 * (n - 1)
    low, part = int(at), at - int(at)
    high = ordered[:, low] + (ordered[:, min(low + 1, n - 1)] - ordered[:, low]) * part
    near = (distances <= tolerance * (1 + _ROUNDING)).sum(dim=1).to(torch.float64)
    return torch.stack([ordered[:, -1], high, distances.sum(dim=1), near, torch.full_like(near, n)])
