"""Mask comparison: the printed test values, the table for empty masks, and slow obvious twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.overlap import both_empty_share, compare_masks, compare_placed
from labelhub.numerics.surfaces import surface, surface_distances

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=6))


def square(rows=(10, 20), columns=(10, 20)):
    mask = np.zeros((32, 32), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def cross_dilated():
    mask = square((9, 21)) | square((10, 20), (9, 21))
    mask[9, :10] = mask[20, :10] = False
    return mask


@pytest.mark.parametrize(
    ("given_mask", "spacing", "dice", "iou", "hd", "assd", "nsd"),
    [
        (square(columns=(12, 22)), (1, 1), 0.8, 0.6667, 2.0, 1.0, 0.5556),
        (square(columns=(12, 22)), (1, 3), 0.8, 0.6667, 6.0, 2.3889, 0.5),
        (cross_dilated(), (1, 1), 0.8333, 0.7143, 1.0, 1.0, 1.0),
    ],
)
def test_printed_values_of_a_square(given_mask, spacing, dice, iou, hd, assd, nsd):
    found = compare_masks(given_mask, square(), spacing_mm=spacing, tolerance=1.0)
    assert [found.dice, found.iou, found.surface_dice] == pytest.approx([dice, iou, nsd], abs=5e-4)
    assert [found.hausdorff, found.hausdorff_95] == [hd, hd]
    assert found.average_surface_distance == pytest.approx(assd, abs=5e-4)


def test_hd95_of_a_spur_is_the_larger_directed_percentile():
    spur = square()
    spur[15, 20:30] = True
    found = compare_masks(spur, square())
    assert found.hausdorff == 10.0
    assert found.hausdorff_95 == pytest.approx(7.80, abs=5e-3)
    assert "directed" in found.hd95_convention


def test_two_pixels_of_the_published_surface_distance_tests():
    # DeepMind surface-distance, test_on_2_pixels: (50, 70) and (50, 72), spacing (2, 1).
    first, second = np.zeros((100, 100), dtype=bool), np.zeros((100, 100), dtype=bool)
    first[50, 70] = second[50, 72] = True
    found = compare_masks(first, second, spacing_mm=(2, 1), tolerance=1.0)
    assert (found.dice, found.hausdorff, found.hausdorff_95) == (0.0, 2.0, 2.0)


def test_dice_of_two_cubes_of_the_published_surface_distance_tests():
    first, second = np.zeros((100, 100, 100), dtype=bool), np.zeros((100, 100, 100), dtype=bool)
    first[:50], second[:51] = True, True
    found = compare_masks(first, second, spacing_mm=(2, 1, 1))
    assert found.dice == pytest.approx(0.990, abs=5e-4)
    assert found.hausdorff_95 == 2.0


def test_surface_of_a_ten_by_ten_square_has_36_voxels():
    assert int(surface(square()).sum()) == 36


@pytest.mark.parametrize(("radius", "dice"), [(3, 0.647), (5, 0.715), (10, 0.856), (20, 0.924), (40, 0.963)])
def test_dice_of_a_ball_against_one_a_voxel_larger_depends_on_size(radius, dice):
    def ball(r):
        axis = np.arange(-radius - 2, radius + 3)
        z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
        return z**2 + y**2 + x**2 <= r**2

    assert compare_masks(ball(radius), ball(radius + 1)).dice == pytest.approx(dice, abs=5e-4)


EMPTY, FULL = np.zeros((32, 32), dtype=bool), square()


def test_two_empty_masks_are_a_true_negative_without_a_score():
    found = compare_masks(EMPTY, EMPTY, second_is_truth=True)
    assert found.edge_case == "both-empty"
    for value in (found.dice, found.iou, found.surface_dice, found.hausdorff, found.hausdorff_95):
        assert math.isnan(value)
    assert found.volume_difference == 0
    assert compare_masks(EMPTY, EMPTY).volume_difference == 0
    assert math.isnan(found.penalised_distance)


def test_two_empty_masks_are_perfect_under_the_challenge_rule():
    found = compare_masks(EMPTY, EMPTY, both_empty_is_perfect=True)
    assert [found.dice, found.iou, found.surface_dice, found.hausdorff, found.hausdorff_95] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("first", "second", "case", "against_truth", "between_readers"),
    [(FULL, EMPTY, "second-empty", math.nan, 2.0), (EMPTY, FULL, "first-empty", -1.0, -2.0)],
)
def test_one_empty_mask_scores_zero_overlap_and_no_distance(first, second, case, against_truth, between_readers):
    found = compare_masks(first, second, second_is_truth=True, spacing_mm=(2, 2))
    assert found.edge_case == case
    assert [found.dice, found.iou, found.surface_dice] == [0, 0, 0]
    assert math.isnan(found.hausdorff)
    assert math.isnan(found.average_surface_distance)
    assert found.penalised_distance == pytest.approx(64 * math.sqrt(2))
    assert found.volume_difference == pytest.approx(against_truth, nan_ok=True)
    assert abs(found.volume_difference_absolute) == 400
    assert compare_masks(first, second).volume_difference == between_readers


def slow_surface(mask):
    border = []
    for index in np.argwhere(mask):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                other = index.copy()
                other[axis] += step
                beyond = other[axis] < 0 or other[axis] >= mask.shape[axis]
                if beyond or not mask[tuple(other)]:
                    border.append(tuple(index))
    return sorted(set(border))


def slow_distances(first, second, spacing):
    a, b = (np.array(slow_surface(mask)) for mask in (first, second))
    table = np.sqrt((((a[:, None, :] - b[None, :, :]) * np.array(spacing)) ** 2).sum(axis=2))
    return table.min(axis=1), table.min(axis=0)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.randoms(use_true_random=False), st.sampled_from([0.5, 0.7, 1.0, 3.0]))
def test_surface_distances_equal_their_slow_twin(first, random, step):
    second = np.array([random.random() < 0.4 for _ in range(first.size)]).reshape(first.shape)
    assume(first.any() and second.any())
    spacing = (step, *([1.0] * (first.ndim - 1)))
    found = surface_distances(first, second, spacing)
    forward, backward = slow_distances(first, second, spacing)
    np.testing.assert_allclose(np.sort(found.from_first), np.sort(forward), atol=1e-12)
    np.testing.assert_allclose(np.sort(found.from_second), np.sort(backward), atol=1e-12)
    whole = compare_masks(first, second, spacing_mm=spacing, tolerance=1.0)
    pooled = np.concatenate([forward, backward])
    assert whole.hausdorff == pytest.approx(pooled.max())
    assert whole.hausdorff_95 == pytest.approx(max(np.percentile(forward, 95), np.percentile(backward, 95)))
    assert whole.average_surface_distance == pytest.approx(pooled.mean())
    assert whole.mean_directed_distance == pytest.approx((forward.mean() + backward.mean()) / 2)
    assert whole.surface_dice == pytest.approx(np.mean(pooled <= 1.0 + 1e-9))


@settings(max_examples=60, deadline=None)
@given(MASKS, st.randoms(use_true_random=False))
def test_comparison_is_symmetric_and_ignores_position(first, random):
    second = np.array([random.random() < 0.4 for _ in range(first.size)]).reshape(first.shape)
    one, other = compare_masks(first, second), compare_masks(second, first)
    moved = compare_masks(np.pad(first, 3), np.pad(second, 3))
    for name in ("dice", "iou", "hausdorff", "hausdorff_95", "average_surface_distance", "surface_dice"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
        assert getattr(one, name) == pytest.approx(getattr(moved, name), nan_ok=True)
    assert one.volume_difference == pytest.approx(-other.volume_difference)
    both, either = np.count_nonzero(first & second), np.count_nonzero(first | second)
    assert one.iou == pytest.approx(both / either if either else math.nan, nan_ok=True)


def test_placed_masks_far_apart_on_a_large_grid_are_compared_without_filling_it():
    dot = np.ones((1, 1, 1), dtype=bool)
    found = compare_placed(
        PlacedMask(dot, (0, 0, 0)), PlacedMask(dot, (3, 0, 4)), (10_000, 10_000, 10_000), spacing_mm=(2, 1, 2)
    )
    assert found.hausdorff == 10.0


def test_a_single_slice_is_compared_as_a_plane_but_a_slice_of_a_volume_is_not():
    plane = compare_masks(square()[None], square(columns=(12, 22))[None], spacing_mm=(5, 1, 1), tolerance=1.0)
    assert (plane.n_dimensions, plane.average_surface_distance) == (2, 1.0)
    assert plane.volume_first == 500
    volume = np.zeros((3, 32, 32), dtype=bool)
    shifted = volume.copy()
    volume[1], shifted[1] = square(), square(columns=(12, 22))
    solid = compare_masks(volume, shifted, tolerance=1.0)
    assert solid.n_dimensions == 3
    assert solid.average_surface_distance == pytest.approx((2 + 1) * 10 / 100)


def test_units_say_whether_spacing_was_known():
    assert compare_masks(FULL, FULL).unit == "px"
    assert compare_masks(FULL, FULL, spacing_mm=(1, 1)).unit == "mm"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first": np.ones((3, 3), dtype=bool)}, "same grid"),
        ({"first": FULL.astype(np.uint8)}, "dtype uint8"),
        ({"spacing_mm": (1, -1)}, "spacing_mm is"),
        ({"spacing_mm": (1, 1, 1)}, "2 finite numbers"),
        ({"tolerance": -1.0}, "tolerance is -1"),
        ({"tolerance": math.nan}, "tolerance is nan"),
    ],
)
def test_impossible_input_is_refused_by_name(change, words):
    arguments = {"first": FULL, "second": FULL, **change}
    with pytest.raises(ValueError, match=words):
        compare_masks(arguments.pop("first"), arguments.pop("second"), **arguments)


def test_a_mask_beyond_its_grid_is_refused():
    dot = PlacedMask(np.ones((2, 2), dtype=bool), (31, 0))
    with pytest.raises(ValueError, match="must lie inside the grid"):
        compare_placed(dot, dot, (32, 32))


def test_masks_are_not_changed():
    first, second = square(), square(columns=(12, 22))
    compare_masks(first, second)
    np.testing.assert_array_equal(first, square())
    np.testing.assert_array_equal(second, square(columns=(12, 22)))


def test_pairs_in_which_no_one_drew_anything_are_counted_with_an_interval():
    empty = np.zeros_like(FULL)
    cases = [
        compare_masks(a, b).edge_case for a, b in ((empty, empty), (FULL, empty), (FULL, FULL), (empty, empty))
    ] * 5
    found = both_empty_share(cases, unit="items")
    assert (found.value, found.n, found.unit) == (0.5, 20, "items")
    assert 0.29 < found.low < 0.31
    assert both_empty_share([]).reason is not None
