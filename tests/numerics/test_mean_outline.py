"""The mask of a mean outline equals the mean of all signed distances, however few of them are taken.

Planted and seen to fail: bounds of far points taken as their distances; a reach that leaves the shift out.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.fusion_calibration import GoldCase, calibrated_mask, rater_offsets
from labelhub.numerics.mean_outline import ROUNDING, mean_outline_mask
from labelhub.numerics.nearest import distance_bounds, nearest_distances
from labelhub.numerics.signed_distances import signed_bounds_at, signed_distance, signed_distances_at


def boxed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A box of a random size anywhere in the grid."""
    mask = np.zeros(shape, dtype=bool)
    ends = [np.sort(rng.choice(length + 1, 2, replace=False)) for length in shape]
    mask[tuple(slice(low, high) for low, high in ends)] = True
    return mask


@pytest.mark.parametrize("shape", [(90, 70), (10, 44, 36), (1, 60, 50)])
def test_it_is_the_sign_of_the_mean_of_all_distances(shape):
    rng = np.random.default_rng(sum(shape))
    spacing = tuple(rng.choice([0.5, 1.0, 2.0], len(shape)).tolist())
    steps = [step for step, length in zip(spacing, shape, strict=True) if length > 1]
    n_inside = 0
    for _ in range(12):
        masks = [boxed(rng, shape) for _ in range(int(rng.integers(1, 5)))]
        weights, shifts = rng.dirichlet(np.ones(len(masks))), rng.normal(0, 3, len(masks))
        found = mean_outline_mask(masks, weights, shifts, spacing_mm=spacing)
        distances = [signed_distance(mask.reshape([n for n in shape if n > 1]), steps).reshape(shape) for mask in masks]
        mean = sum(
            weight * (distance + shift) for weight, distance, shift in zip(weights, distances, shifts, strict=True)
        )
        # Voxels on the outline but for rounding may fall on either side.
        is_clear = np.abs(mean + ROUNDING) > 1e-7
        np.testing.assert_array_equal(found[is_clear], (mean < -ROUNDING)[is_clear])
        n_inside += int(found.sum())
    assert n_inside > 0


def test_bounds_hold_the_distance_and_are_it_where_it_is_small():
    rng = np.random.default_rng(8)
    mask = np.zeros((160, 120), dtype=bool)
    mask[3:9, 4:9] = True
    points, spacing = rng.random(mask.shape) < 0.2, (1.0, 0.5)
    exact = nearest_distances(points, mask, spacing)
    low, high = distance_bounds(points, mask, spacing, cell=4)
    assert (low - 1e-9 <= exact).all()
    assert (exact <= high + 1e-9).all()
    assert 0 < (low == high).mean() < 0.9, "some are near, and of far ones one in a cell is asked"
    assert (high - low).max() <= 2 * np.hypot(3 * 1.0, 3 * 0.5) + 1e-9
    signed = signed_distance(mask, spacing)[points]
    least, largest = signed_bounds_at(mask, points, spacing)
    assert ((least - 1e-9 <= signed) & (signed <= largest + 1e-9)).all()


def test_points_off_the_grid_and_masks_without_a_voxel_are_refused():
    mask = np.ones((4, 4), dtype=bool)
    for points, against in ((np.ones((4, 5), dtype=bool), mask), (mask, ~mask)):
        with pytest.raises(ValueError, match="booleans on the grid of a mask that holds some"):
            signed_distances_at(against, points)


def test_without_a_voxel_there_is_no_outline():
    with pytest.raises(ValueError, match="masks are all empty"):
        mean_outline_mask([np.zeros((4, 4), dtype=bool)], np.ones(1), np.zeros(1))
    with pytest.raises(ValueError, match="weights and shifts have shape"):
        mean_outline_mask([np.ones((4, 4), dtype=bool)], np.ones(2), np.zeros(2))


def test_where_fewer_than_half_drew_it_the_corrected_mask_is_empty():
    truth = np.zeros((12, 12), dtype=bool)
    truth[4:8, 4:8] = True
    none = np.zeros_like(truth)
    offsets = rater_offsets([GoldCase(truth, [truth] * 3, patient) for patient in "abcde"])
    assert not calibrated_mask([truth, none, none], offsets).any()
    assert calibrated_mask([truth, truth, none], offsets).any()
