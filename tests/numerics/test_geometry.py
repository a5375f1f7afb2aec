"""Similarity of shapes and rasterising, against slow obvious twins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics.geometry import (
    PlacedMask,
    box_giou,
    box_iou,
    keypoint_similarity,
    mask_dice,
    mask_iou,
    point_similarity,
)
from labelhub.numerics.polygons import PolygonShape, polygon_iou
from labelhub.numerics.rasterise import box_mask, ellipse_mask, on_grid, polygon_mask, shape_mask, union_of, without

COORDINATES = st.integers(-4, 24).map(lambda value: value / 2)
RINGS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=9)


def slow_inside(ring, x, y):
    """Even-odd by a ray to the left; edges that the ray's end touches count by the half-open rule."""
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            inside = not inside
    return inside


def slow_on_edge(ring, x, y):
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        if abs(cross) < 1e-9 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(RINGS, st.booleans())
def test_polygon_mask_equals_its_slow_twin(ring, edge_excluded):
    found = on_grid(polygon_mask(ring, edge_excluded=edge_excluded), (14, 14))
    expected = np.array(
        [
            [
                slow_inside(ring, i + 0.5, j + 0.5) and not (edge_excluded and slow_on_edge(ring, i + 0.5, j + 0.5))
                for i in range(14)
            ]
            for j in range(14)
        ]
    )
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=60, deadline=None)
@given(RINGS)
def test_cutting_at_the_image_changes_nothing_within_it(ring):
    cut = polygon_mask(ring, size=(7, 9))
    np.testing.assert_array_equal(on_grid(cut, (7, 9)), on_grid(polygon_mask(ring), (7, 9)))


@settings(max_examples=60, deadline=None)
@given(RINGS, st.randoms(use_true_random=False))
def test_the_start_and_direction_of_a_ring_do_not_matter(ring, random):
    turn = random.randrange(len(ring))
    again = (ring[turn:] + ring[:turn])[::-1]
    np.testing.assert_array_equal(on_grid(polygon_mask(ring), (14, 14)), on_grid(polygon_mask(again), (14, 14)))


def test_two_boxes_that_share_an_edge_share_no_pixel_and_leave_no_gap():
    left, right = on_grid(box_mask([(0, 0), (3.5, 4)]), (4, 8)), on_grid(box_mask([(3.5, 0), (8, 4)]), (4, 8))
    assert not (left & right).any()
    assert (left | right).all()


def test_a_box_turned_by_ninety_degrees_swaps_its_sides():
    found = box_mask([(0, 2), (6, 4)], rotation_deg=90)
    assert (found.voxels.shape, found.origin, int(found.voxels.sum())) == ((6, 2), (0, 2), 12)


def test_rotation_is_clockwise_on_the_screen():
    # A long flat ellipse turned by 30 degrees clockwise: its right end goes down (greater y).
    found = on_grid(ellipse_mask([(20, 20), (15, 3)], rotation_deg=30), (40, 40))
    rows, columns = np.nonzero(found)
    assert np.corrcoef(rows, columns)[0, 1] > 0.5
    turned = on_grid(box_mask([(5, 17), (35, 23)], rotation_deg=30), (40, 40))
    rows, columns = np.nonzero(turned)
    assert np.corrcoef(rows, columns)[0, 1] > 0.5


@pytest.mark.parametrize("angle", [0, 17, 90, 200])
def test_area_of_an_ellipse_is_right_at_any_angle(angle):
    found = ellipse_mask([(50.3, 49.1), (30, 12)], rotation_deg=angle)
    assert found.voxels.sum() == pytest.approx(math.pi * 30 * 12, rel=0.01)


@dataclass
class Piece:
    kind: str
    points: np.ndarray
    z: int = 0
    is_hole: bool = False
    rotation_deg: float = 0.0
    edge_excluded: bool = False


def ring(low, high, **more):
    return Piece("polygon", np.array([(low, low), (high, low), (high, high), (low, high)], dtype=float), **more)


def test_shape_mask_adds_pieces_cuts_holes_and_stacks_planes():
    shape = shape_mask([ring(0, 10, z=2), ring(3, 6, z=2, is_hole=True), ring(5, 8, z=4), ring(100, 104, z=4)])
    assert shape.origin == (2, 0, 0)
    assert shape.voxels.shape == (3, 104, 104)
    assert [int(plane.sum()) for plane in shape.voxels] == [91, 0, 25]


def test_overlapping_pieces_are_added_not_cancelled():
    assert int(shape_mask([ring(0, 4), ring(2, 6)]).voxels.sum()) == 28


def test_holes_cut_only_their_own_plane_and_planes_beyond_the_grid_are_dropped():
    shape = shape_mask([ring(0, 4, z=0), ring(0, 4, z=1, is_hole=True), ring(0, 4, z=9)], grid_size=(3, 2, 8))
    assert (shape.origin, int(shape.voxels.sum())) == ((0, 0, 0), 8)


@pytest.mark.parametrize("pieces", [[], [Piece("points", np.zeros((2, 2)))], [ring(3, 3)], [ring(0, 0.2)]])
def test_shapes_without_area_have_no_voxels(pieces):
    assert shape_mask(pieces).voxels.size == 0


def test_an_lidc_outline_through_pixel_centres_leaves_the_pixels_within():
    outline = np.array([(312, 355), (311, 356), (310, 357), (310, 358), (311, 359), (312, 359), (313, 358), (313, 356)])
    found = polygon_mask(outline + 0.5, edge_excluded=True)
    on_outline = {(x, y) for x, y in outline.tolist()}
    rows, columns = np.nonzero(found.voxels)
    inside = {(int(c) + found.origin[1], int(r) + found.origin[0]) for r, c in zip(rows, columns, strict=True)}
    assert not inside & on_outline
    assert (312, 357) in inside


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        polygon_mask([(0, 0), (math.nan, 1), (2, 2)])
    with pytest.raises(ValueError, match="radii"):
        ellipse_mask([(0, 0), (-1, 1)])


def test_union_and_difference_of_placed_masks():
    block = PlacedMask(np.ones((2, 2), dtype=bool), (0, 0))
    far = PlacedMask(np.ones((1, 1), dtype=bool), (5, 5))
    both = union_of([block, far])
    assert (both.voxels.shape, int(both.voxels.sum())) == ((6, 6), 5)
    assert int(without(both, [block]).voxels.sum()) == 1
    assert int(both.voxels.sum()) == 5
    assert not on_grid(PlacedMask(np.ones((2, 2), dtype=bool), (9, 9)), (4, 4)).any()


def test_box_iou_of_touching_and_empty_boxes_is_zero():
    assert box_iou([[0, 0, 2, 2]], [[2, 0, 4, 2], [1, 1, 1, 1]]).tolist() == [[0.0, 0.0]]
    assert box_iou(np.empty((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
    with pytest.raises(ValueError, match="ending before it starts"):
        box_iou([[3, 0, 1, 1]], [[0, 0, 1, 1]])


@settings(max_examples=60, deadline=None)
@given(*[st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(7, 12)] * 2)] * 2)
def test_boxes_polygons_and_masks_agree_on_whole_pixels(first, second):
    def corners(box):
        x0, y0, x1, y1 = box
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]

    by_box = box_iou([first], [second])[0, 0]
    by_area = polygon_iou([PolygonShape((corners(first),))], [PolygonShape((corners(second),))])[0, 0]
    masks = [box_mask(np.array(box, dtype=float)) for box in (first, second)]
    assert by_area == pytest.approx(by_box)
    assert mask_iou(masks[:1], masks[1:])[0, 0] == pytest.approx(by_box)
    assert mask_dice(masks[:1], masks[1:])[0, 0] == pytest.approx(2 * by_box / (1 + by_box))
    assert box_giou([first], [second])[0, 0] <= by_box + 1e-12


def test_polygon_holes_and_crossed_rings_have_their_exact_area():
    square = PolygonShape(([(0, 0), (4, 0), (4, 4), (0, 4)],))
    holed = PolygonShape(square.parts, ([(1, 1), (3, 1), (3, 3), (1, 3)],))
    bow_tie = PolygonShape(([(0, 0), (4, 4), (4, 0), (0, 4)],))
    line = PolygonShape(([(0, 0), (1, 1)],))
    assert polygon_iou([square], [holed, bow_tie, line]).tolist() == [[0.75, 0.5, 0.0]]


def test_masks_on_different_grids_are_refused():
    with pytest.raises(ValueError, match="same grid"):
        mask_iou(
            [PlacedMask(np.ones((2, 2), dtype=bool), (0, 0))], [PlacedMask(np.ones((1, 2, 2), dtype=bool), (0, 0, 0))]
        )
    with pytest.raises(ValueError, match="boolean voxels"):
        mask_iou([PlacedMask(np.ones((2, 2), dtype=np.uint8), (0, 0))], [])


def test_keypoints_that_coincide_are_alike_and_hidden_ones_do_not_count():
    points = [[0, 0], [5, 5]]
    assert keypoint_similarity(points, points, 10.0, 0.1) == 1.0
    assert math.isnan(keypoint_similarity(points, points, 10.0, 0.1, [False, False]))
    assert keypoint_similarity(points, [[0, 0], [900, 5]], 10.0, 0.1, [True, False]) == 1.0
    with pytest.raises(ValueError, match="area is 0"):
        keypoint_similarity(points, points, 0, 0.1)


def test_point_similarity_falls_with_distance():
    assert point_similarity([[0, 0]], [[0, 0], [0, 2]], 4.0, (1.0, 1.0)).tolist() == [[1.0, 0.5]]
    assert point_similarity(np.empty((0, 2)), [[0, 0]], 4.0).shape == (0, 1)


def test_keypoints_that_one_alone_marked_do_not_count_by_default():
    gap = math.nan
    assert keypoint_similarity([[0, 0], [gap, gap]], [[0, 0], [5, 5]], 1.0, 0.1) == 1.0
    assert math.isnan(keypoint_similarity([[gap, gap]], [[0, 0]], 1.0, 0.1))
    assert keypoint_similarity([[0, 0], [9, 9]], [[0, 0], [5, 5]], 1.0, 0.1, [True, False]) == 1.0


def test_shapes_that_do_not_meet_have_nothing_in_common():
    left, right = ([(0, 0), (1, 0), (1, 1)], [(5, 5), (6, 5), (6, 6)])
    assert polygon_iou([PolygonShape((left,))], [PolygonShape((right,))]).tolist() == [[0.0]]
    dot = np.ones((1, 1), dtype=bool)
    assert mask_iou([PlacedMask(dot, (0, 0))], [PlacedMask(dot, (5, 5))]).tolist() == [[0.0]]
    assert box_iou(np.empty((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
    assert box_iou([0, 0, 2, 2], [1, 0, 3, 2]).round(4).tolist() == [[0.3333]]


def test_every_kind_of_outline_has_its_mask_and_an_unknown_one_has_none():
    points = np.array([(4.0, 4.0), (2.0, 2.0)])
    given_as = {
        "box": points[::-1],
        "ellipse": points,
        "polygon": np.array([(0, 0), (4, 0), (4, 4), (0, 4)]),
        "point": points,
    }
    sizes = {
        kind: shape_mask(
            [SimpleNamespace(kind=kind, points=marks, z=0, is_hole=False, rotation_deg=0.0, edge_excluded=False)]
        ).voxels.sum()
        for kind, marks in given_as.items()
    }
    assert sizes == {"box": 4, "ellipse": 12, "polygon": 16, "point": 0}


def test_a_level_edge_on_pixel_centres_outside_the_image_marks_nothing():
    ring = [(1.5, -2.5), (4.5, -2.5), (4.5, 3.0), (1.5, 3.0)]
    found = on_grid(polygon_mask(ring, edge_excluded=True, size=(8, 8)), (8, 8))
    assert found.sum() == 2 * 3
