"""Boundary IoU, clDice, signed offset, added path, surfels: printed values, empty masks, slow twins, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labelhub.numerics.added_path import added_path_length
from labelhub.numerics.boundary_iou import boundary_iou, rim
from labelhub.numerics.centreline import centre_line, cl_dice
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.mask_pair import bounds, mask_pair, placed_pair
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.surface_offset import signed_surface_offset
from labelhub.numerics.surfaces import surface, surface_dice, surface_distances
from labelhub.numerics.surfels import (
    neighbour_codes,
    surfel_areas,
    surfel_average_distances,
    surfel_distances,
    surfel_hausdorff,
    surfel_overlaps,
    surfel_surface_dice,
)
from tests.numerics.squares import NOTHING, SHIFTED, arithmetic_noise, cross_dilated, disc, mask_pairs, square


@pytest.mark.parametrize(
    ("drawn", "spacing", "at_0", "at_1"),
    [(SHIFTED, (1, 1), 20, 16), (SHIFTED, (1, 3), 20, 18), (cross_dilated(), (1, 1), 36, 0)],
)
def test_added_path_of_the_printed_squares(drawn, spacing, at_0, at_1):
    found = [added_path_length(drawn, square(), tolerance=tolerance, spacing_mm=spacing) for tolerance in (0, 1)]
    assert [one.n_added for one in found] == [at_0, at_1]
    assert found[0].n_contour == 36
    assert found[0].share == at_0 / 36


def test_added_path_has_a_length_only_where_pixels_are_square():
    assert added_path_length(SHIFTED, square(), spacing_mm=(0.5, 0.5)).length == 10.0
    assert math.isnan(added_path_length(SHIFTED, square(), spacing_mm=(1, 3)).length)
    assert added_path_length(SHIFTED, square()).unit == "px"


def test_added_path_of_a_volume_is_that_of_its_planes():
    volume = np.stack([square(), square(), NOTHING, square()])
    drawn = np.stack([SHIFTED, NOTHING, SHIFTED, square()])
    found = added_path_length(drawn, volume, spacing_mm=(5, 1, 1))
    assert (found.n_added, found.n_contour, found.length) == (20 + 36, 3 * 36, 56.0)
    turned = added_path_length(np.moveaxis(drawn, 0, 2), np.moveaxis(volume, 0, 2), spacing_mm=(1, 1, 5), plane_axis=2)
    assert turned.n_added == found.n_added


def test_added_path_counts_drawing_and_not_deleting():
    nothing_wanted = added_path_length(square(), NOTHING)
    assert (nothing_wanted.n_added, nothing_wanted.edge_case) == (0, "second-empty")
    assert math.isnan(nothing_wanted.share)
    assert added_path_length(NOTHING, square()).n_added == 36
    assert added_path_length(NOTHING, NOTHING).n_added == 0


@pytest.mark.parametrize(("width", "value"), [(1, 0.2857), (2, 0.3333)])
def test_boundary_iou_of_the_printed_squares(width, value):
    assert boundary_iou(SHIFTED, square(), width=width).value == pytest.approx(value, abs=5e-5)
    # A square's rim has the same corners whichever neighbourhood erodes it, so a width in mm gives the same.
    assert boundary_iou(SHIFTED, square(), width=width, spacing_mm=(1, 1)).value == pytest.approx(value, abs=5e-5)


def test_boundary_width_is_two_percent_of_the_diagonal_by_default():
    large = np.zeros((480, 640), dtype=bool)
    large[100:300, 100:300] = True
    found = boundary_iou(large, large)
    assert (found.width, found.value, found.unit) == (16.0, 1.0, "px")
    assert boundary_iou(large, large, spacing_mm=(0.1, 0.1)).width == pytest.approx(1.6)
    assert boundary_iou(square(), square()).width == 1.0
    assert boundary_iou(square(), square(), spacing_mm=(9, 1)).width == pytest.approx(0.02 * math.hypot(9 * 32, 32))
    assert boundary_iou(square(), square(), spacing_mm=(50, 50)).width == 50.0


@settings(max_examples=60, deadline=None)
@given(mask_pairs(), st.integers(1, 3))
def test_rim_equals_erosion_step_by_step(pair, width):
    mask, _ = pair
    inner = mask.copy()
    for _ in range(width):
        padded = np.pad(inner, 1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3,) * mask.ndim)
        inner = windows.all(axis=tuple(range(mask.ndim, 2 * mask.ndim)))
    np.testing.assert_array_equal(rim(mask, width), mask & ~inner)


@settings(max_examples=60, deadline=None)
@given(mask_pairs(max_side=5), st.sampled_from([0.5, 1.0, 2.5]))
def test_rim_in_mm_equals_looking_at_every_voxel_outside(pair, step):
    mask, _ = pair
    spacing = np.array([step] + [1.0] * (mask.ndim - 1))
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    expected = np.zeros(mask.shape, dtype=bool)
    for voxel in np.argwhere(mask):
        nearest = np.sqrt((((outside - voxel) * spacing) ** 2).sum(axis=1)).min()
        expected[tuple(voxel)] = nearest <= 1.0
    np.testing.assert_array_equal(rim(mask, 1.0, tuple(spacing)), expected)


def test_cl_dice_does_not_care_how_thick_a_vessel_is_drawn():
    thin, thick, blob = np.zeros((3, 40, 60), dtype=bool)
    thin[19:22, 5:55], thick[15:26, 5:55], blob[10:30, 5:25] = True, True, True
    assert cl_dice(thick, thin).value > 0.98
    assert compare_masks(thick, thin).dice < 0.5
    assert cl_dice(blob, thin).sensitivity < 0.45


def test_cl_dice_of_a_tube_in_a_volume_that_is_cut_in_half():
    tube = np.zeros((9, 9, 60), dtype=bool)
    tube[3:6, 3:6, 4:56] = True
    half = tube.copy()
    half[:, :, 30:] = False
    found = cl_dice(half, tube)
    assert found.precision == 1.0
    assert found.sensitivity == pytest.approx(0.5, abs=0.03)
    assert found.value == pytest.approx(2 * found.sensitivity / (1 + found.sensitivity))


def test_centre_line_of_a_single_pixel_is_the_pixel_and_apart_lines_give_0():
    dot, other = np.zeros((2, 5, 5), dtype=bool)
    dot[2, 2] = other[4, 4] = True
    assert cl_dice(dot, dot).value == 1.0
    assert cl_dice(dot, other).value == 0.0
    tiny = np.ones((2, 2), dtype=bool)
    assert centre_line(tiny).any()


@settings(max_examples=40, deadline=None)
@given(mask_pairs(max_side=7))
def test_cl_dice_equals_its_definition_and_is_symmetric(pair):
    first, second = pair
    assume(first.any() and second.any())
    lines = [{tuple(i) for i in np.argwhere(centre_line(mask))} for mask in pair]
    inside = [{tuple(i) for i in np.argwhere(mask)} for mask in pair]
    precision, sensitivity = len(lines[0] & inside[1]) / len(lines[0]), len(lines[1] & inside[0]) / len(lines[1])
    expected = 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0
    assert cl_dice(first, second).value == pytest.approx(expected)
    assert cl_dice(second, first).value == pytest.approx(expected)


def test_offset_of_a_boundary_moved_outwards_is_how_far_it_was_moved():
    small, large = disc(15), disc(19)
    over = signed_surface_offset(large, small)
    assert over.value == pytest.approx(4.0, abs=0.2)
    assert over.sd < 0.4
    assert signed_surface_offset(small, large).value == pytest.approx(-over.value)
    assert signed_surface_offset(large, small, spacing_mm=(0.5, 0.5)).value == pytest.approx(over.value / 2)
    shifted = signed_surface_offset(SHIFTED, square())
    assert shifted.value == pytest.approx(0.0)
    assert shifted.sd > 1.0


def test_offset_of_the_cross_dilation_is_exactly_one():
    found = signed_surface_offset(cross_dilated(), square())
    assert (found.value, found.sd, found.n) == (1.0, 0.0, 36 + int(surface(cross_dilated()).sum()))


@settings(max_examples=60, deadline=None)
@given(mask_pairs(max_side=5), st.sampled_from([0.5, 1.0, 3.0]))
def test_offset_equals_its_definition_and_changes_sign_with_the_order(pair, step):
    first, second = pair
    assume(first.any() and second.any())
    spacing = np.array([step] + [1.0] * (first.ndim - 1))
    rims = [np.argwhere(surface(mask)) for mask in pair]
    offsets = []
    for own, other, mask, sign in ((rims[0], rims[1], second, 1.0), (rims[1], rims[0], first, -1.0)):
        for voxel in own:
            nearest = np.sqrt((((other - voxel) * spacing) ** 2).sum(axis=1)).min()
            offsets.append(-sign * nearest if mask[tuple(voxel)] else sign * nearest)
    found = signed_surface_offset(first, second, spacing_mm=spacing)
    assert found.value == pytest.approx(np.mean(offsets))
    assert found.sd == pytest.approx(np.std(offsets))
    assert signed_surface_offset(second, first, spacing_mm=spacing).value == pytest.approx(-np.mean(offsets))


def test_two_pixels_of_the_surface_distance_package():
    # github.com/google-deepmind/surface-distance, surface_distance_test.py, test_on_2_pixels.
    first, second = np.zeros((128, 128), dtype=bool), np.zeros((128, 128), dtype=bool)
    first[50, 70] = second[50, 72] = True
    found = surfel_distances(first, second, spacing_mm=(2, 1))
    assert sorted(found.from_first) == sorted(found.from_second) == [1, 1, 2, 2]
    np.testing.assert_allclose(found.area_first, 0.5 * math.sqrt(5))
    assert surfel_average_distances(found) == (1.5, 1.5)
    assert (surfel_hausdorff(found), surfel_hausdorff(found, 95)) == (2.0, 2.0)
    assert surfel_surface_dice(found, 1.0) == pytest.approx(0.5)


def test_two_cubes_of_the_surface_distance_package():
    # The same file, test_on_two_cubes.
    first, second = np.zeros((100, 100, 100), dtype=bool), np.zeros((100, 100, 100), dtype=bool)
    first[:50], second[:51] = True, True
    found = surfel_distances(first, second, spacing_mm=(2, 1, 1))
    assert surfel_average_distances(found) == pytest.approx((0.322, 0.339), abs=5e-4)
    assert surfel_hausdorff(found, 95) == 2.0
    assert surfel_overlaps(found, 1.0) == pytest.approx((0.842, 0.830), abs=5e-4)
    assert surfel_surface_dice(found, 1.0) == pytest.approx(0.836, abs=5e-4)


# Values of the surface-distance package 0.1 on arithmetic_noise(shape, 3, 11) and (shape, 5, 7): mean distances, HD, HD95,
# overlaps and surface Dice at 1, areas; every kind of neighbourhood occurs, ambiguous ones too.
NOISE = [
    ((7, 8, 9), (2.5, 1.0, 0.7), [0.005667, 0.048642, 1.0, 0.7, 1.0, 1.0, 1.0, 855.445126, 1328.476473]),
    ((6, 6, 6), (1, 1, 1), [0.0, 0.103074, 1.414214, 1.0, 1.0, 0.998511, 0.999115, 198.428052, 290.83999]),
    ((11, 12), (2.0, 0.5), [0.096272, 0.039789, 1.0, 0.5, 1.0, 1.0, 1.0, 195.200746, 222.615528]),
]


@pytest.mark.parametrize(("shape", "spacing", "values"), NOISE)
def test_noise_gives_the_values_of_the_surface_distance_package(shape, spacing, values):
    first, second = arithmetic_noise(shape, 3, 11), arithmetic_noise(shape, 5, 7)
    found = surfel_distances(first, second, spacing_mm=spacing)
    assert [
        *surfel_average_distances(found),
        surfel_hausdorff(found, 100),
        surfel_hausdorff(found, 95),
        *surfel_overlaps(found, 1.0),
        surfel_surface_dice(found, 1.0),
        found.area_first.sum(),
        found.area_second.sum(),
    ] == pytest.approx(values, abs=2e-6)


@pytest.mark.parametrize(
    ("shape", "spacing", "values"),
    [
        ((7, 8, 9), (2.5, 1.0, 0.7), [42.827168, 43.274655, 50.40377, 0.0]),
        ((6, 6, 6), (1, 1, 1), [27.603692, 28.364944, 31.208973, 0.0]),
        ((11, 12), (2.0, 0.5), [27.955293, 28.036468, 38.26552, 0.0]),
    ],
)
def test_noise_far_apart_gives_the_values_of_the_surface_distance_package(shape, spacing, values):
    first, second = np.zeros((2, *(40,) * len(shape)), dtype=bool)
    first[tuple(slice(1, 1 + length) for length in shape)] = arithmetic_noise(shape, 3, 11)
    second[tuple(slice(20, 20 + length) for length in shape)] = arithmetic_noise(shape, 5, 7)
    found = surfel_distances(first, second, spacing_mm=spacing)
    measured = [*surfel_average_distances(found), surfel_hausdorff(found, 95), surfel_surface_dice(found, 15.0)]
    assert measured == pytest.approx(values, abs=2e-5)


def test_a_mask_and_its_complement_have_the_same_surface():
    for spacing in ((1.0, 2.0), (1.0, 1.3, 0.7)):
        areas = surfel_areas(spacing)
        np.testing.assert_allclose(areas, areas[::-1])
        assert areas[0] == areas[-1] == 0.0


def test_area_of_a_block_is_that_of_its_faces_less_the_rounded_edges():
    codes = neighbour_codes(np.ones((10, 10, 10), dtype=bool))
    area = surfel_areas((1.0, 1.0, 1.0))[codes].sum()
    assert area == pytest.approx(6 * 81 + 12 * 9 * math.sqrt(0.5) + 8 * 0.125 * math.sqrt(3))


def test_surfels_of_a_row_of_pixels_count_its_ends():
    row, longer = np.array([[True, True, False, False]]), np.array([[True, True, True, False]])
    found = surfel_distances(row, longer, spacing_mm=(1, 2))
    assert sorted(found.from_second) == [0.0, 2.0]
    assert surfel_surface_dice(found, 1.0) == 0.5


EMPTY_ROWS = [
    (NOTHING, NOTHING, "both-empty", math.nan, math.nan),
    (square(), NOTHING, "second-empty", 0.0, math.hypot(32, 32)),
    (NOTHING, square(), "first-empty", 0.0, math.hypot(32, 32)),
]


@pytest.mark.parametrize(("first", "second", "edge_case", "share", "penalty"), EMPTY_ROWS)
def test_empty_masks_follow_the_table_in_every_measure(first, second, edge_case, share, penalty):
    surfels = surfel_distances(first, second)
    shares = [boundary_iou(first, second), cl_dice(first, second)]
    assert [one.edge_case for one in shares] == [edge_case, edge_case]
    values = [*(one.value for one in shares), surfel_surface_dice(surfels, 1.0)]
    assert values == pytest.approx([share] * 3, nan_ok=True)
    offset = signed_surface_offset(first, second)
    assert math.isnan(offset.value)
    assert math.isnan(offset.sd)
    assert [offset.penalised_distance] == pytest.approx([penalty], nan_ok=True)
    assert math.isnan(surfel_hausdorff(surfels))
    assert all(math.isnan(value) for value in surfel_average_distances(surfels))
    own = [0.0 if mask.any() else math.nan for mask in (first, second)]
    assert list(surfel_overlaps(surfels, 1.0)) == pytest.approx(own, nan_ok=True)


def test_two_empty_masks_are_perfect_in_challenge_mode():
    assert boundary_iou(NOTHING, NOTHING, both_empty_is_perfect=True).value == 1.0
    assert cl_dice(NOTHING, NOTHING, both_empty_is_perfect=True).value == 1.0
    assert cl_dice(NOTHING, square(), both_empty_is_perfect=True).value == 0.0


@pytest.mark.parametrize("first_axis", [0, 1])
def test_measures_do_not_depend_on_the_place_or_the_order_of_axes(first_axis):
    rng = np.random.default_rng(3)
    first, second = disc(9, (14, 14), 30), disc(9, (15, 16), 30) & (rng.random((30, 30)) < 0.98)
    moved = [np.moveaxis(np.pad(mask, 4), first_axis, 0) for mask in (first, second)]
    spacing = [(1.0, 0.5), (0.5, 1.0)][first_axis]
    for measure in (
        lambda a, b, s: boundary_iou(a, b, width=1.5, spacing_mm=s).value,
        lambda a, b, s: signed_surface_offset(a, b, spacing_mm=s).value,
        lambda a, b, s: surfel_surface_dice(surfel_distances(a, b, spacing_mm=s), 0.5),
        lambda a, b, s: added_path_length(a, b, spacing_mm=s).n_added,
    ):
        assert measure(moved[0], moved[1], spacing) == pytest.approx(measure(first, second, (1.0, 0.5)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: boundary_iou(square(), square(), width=1.5), "width is 1.5"),
        (lambda: boundary_iou(square(), square(), width=math.nan, spacing_mm=(1, 1)), "width is nan"),
        (lambda: surfel_surface_dice(surfel_distances(square(), square()), -1), "tolerance is -1"),
        (lambda: surfel_hausdorff(surfel_distances(square(), square()), 101), "percentile is 101"),
        (lambda: added_path_length(square(), square(), tolerance=math.inf), "tolerance is inf"),
        (lambda: added_path_length(square(), square(), plane_axis=3), "plane_axis is 3"),
        (lambda: mask_pair(square(), square()[:5]), "same grid"),
        (lambda: cl_dice(square(), square().astype(int)), "dtype int64"),
    ],
)
def test_impossible_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_pieces_that_hold_nothing_or_lie_apart_are_pairs_too():
    nothing = PlacedMask(np.zeros((0, 4), dtype=bool), (0, 0))
    dot = PlacedMask(np.ones((1, 1), dtype=bool), (3, 3))
    assert placed_pair(nothing, dot, (9, 9)).edge_case == "first-empty"
    assert placed_pair(nothing, nothing, (9, 9)).edge_case == "both-empty"
    apart = placed_pair(PlacedMask(np.zeros((2, 2), dtype=bool), (0, 0)), dot, (9, 9))
    assert (apart.n_first, apart.n_second, apart.origin) == (0, 1, (3, 3))


def test_reductions_refuse_what_has_no_surface():
    with pytest.raises(ValueError, match="a mask is empty"):
        surface_distances(square(), NOTHING, (1, 1))
    distances = surface_distances(square(), SHIFTED, (1, 1))
    with pytest.raises(ValueError, match="tolerance is -1"):
        surface_dice(distances, -1.0)


def test_masks_far_apart_in_a_large_volume_are_as_exact_as_near_ones():
    rng = np.random.default_rng(0)
    first, second = np.zeros((2, 12, 90, 160), dtype=bool)
    first[2:10, 5:60, 5:40] = rng.random((8, 55, 35)) < 0.7
    second[2:10, 20:80, 120:155] = rng.random((8, 60, 35)) < 0.7
    found = surface_distances(first, second, (3.0, 0.5, 1.0))
    scale = np.array([3.0, 0.5, 1.0])
    a, b = np.argwhere(surface(first)) * scale, np.argwhere(surface(second)) * scale
    sample = rng.choice(len(a), 50, replace=False)
    expected = [np.sqrt(((b - a[k]) ** 2).sum(axis=1)).min() for k in sample]
    np.testing.assert_allclose(found.from_first[sample], expected, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(mask_pairs())
def test_bounds_hold_the_mask_and_nothing_more(pair):
    mask, _ = pair
    box = bounds(mask)
    assert (box is None) == (not mask.any())
    if box is not None:
        places = np.argwhere(mask)
        assert [(part.start, part.stop) for part in box] == list(
            zip(places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist(), strict=True)
        )


def test_rows_of_voxels_and_single_ones_have_centre_lines_too():
    row, other = np.zeros((1, 20), dtype=bool), np.zeros((1, 20), dtype=bool)
    row[0, 3:9] = other[0, 5:12] = True
    found = cl_dice(row, other)
    assert (found.precision, found.sensitivity) == (4 / 6, 4 / 7)
    assert cl_dice(np.ones((1, 1), dtype=bool), np.ones((1, 1), dtype=bool)).value == 1.0
    np.testing.assert_array_equal(centre_line(row[0]), row[0])
