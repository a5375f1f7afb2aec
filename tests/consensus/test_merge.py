"""One label out of several readings: majorities stand, ties are named, geometry lies between the readers'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.consensus.merge import merge_readings
from labelhub.consensus.merge_geometry import outlines_of
from labelhub.formats.shapes import Grid, MaskRegion, QuestionSpec, Reading, Region, Shape
from labelhub.numerics.rasterise import on_grid, shape_mask
from labelhub.scoring.compare import Terms

GRID = Grid((1, 32, 32))
TERMS = Terms(
    labels=("nucleus", "lesion"), pooled=frozenset({"lesion"}),
    questions=(QuestionSpec("quality", "ordinal", ("poor", "fair", "good")), QuestionSpec("size", "ratio")),
)  # fmt: skip


def box(x: float, y: float, side: float = 8, **attributes) -> Shape:
    corners = np.array([[x, y], [x + side, y + side]], dtype=float)
    return Shape(f"b{x}-{y}", "nucleus", (Region("box", corners),), attributes=attributes)


def mask(voxels: np.ndarray) -> Shape:
    return Shape("m", "lesion", (), MaskRegion(voxels[np.newaxis], (0, 0, 0)))


def merged(*readings: Reading):
    return merge_readings(readings, terms=TERMS, grids=[GRID])


def reading(*shapes: Shape, **given) -> Reading:
    return Reading("item", "r", shapes, **({"is_empty_read": not shapes} | given))


def test_an_object_of_two_in_three_stands_with_its_votes_and_one_in_three_does_not():
    found = merged(reading(box(0, 0), box(20, 20)), reading(box(1, 0)), reading(box(0, 1)))
    assert [(entry.votes, entry.readers) for entry in found.shapes] == [(3, 3)]
    assert found.ties == ()
    assert found.confidence == pytest.approx(2 / 3)
    assert found.shapes[0].shape.regions[0].points.tolist() == [[0, 0], [8, 8]]
    assert {source for source, _ in found.shapes[0].merged_from} == {0, 1, 2}


def test_an_object_that_half_of_the_readers_have_is_a_tie():
    found = merged(reading(box(0, 0), box(20, 20)), reading(box(0, 0)))
    assert [(tie.what, tie.votes, tie.readers) for tie in found.ties] == [("object", 1, 2)]


def test_two_classes_for_one_object_are_a_tie_of_two():
    other = Shape("x", "lesion", box(0, 0).regions)
    assert len(merged(reading(box(0, 0)), reading(other)).ties) == 2


def test_answers_go_to_the_majority_and_even_votes_are_a_tie():
    answers = [{"quality": "good"}, {"quality": "good"}, {"quality": "poor"}]
    assert merged(*(reading(answers=entry) for entry in answers)).answers == {"quality": "good"}
    tied = merged(*(reading(answers=entry) for entry in answers[1:]))
    assert (tied.answers, [tie.label for tie in tied.ties]) == ({}, ["quality"])


def test_numbers_take_the_median_and_free_texts_only_what_all_wrote():
    found = merged(
        reading(answers={"size": 3, "note": "same"}),
        reading(answers={"size": 5, "note": "same"}),
        reading(answers={"size": 40}),
    )
    assert found.answers == {"size": 5.0, "note": "same"}
    assert "note" not in merged(reading(answers={"note": "a"}), reading(answers={"note": "b"})).answers


def test_no_finding_needs_a_majority():
    assert merged(reading(), reading(), reading(box(0, 0))).no_finding
    assert merged(reading(), reading(box(0, 0))).ties
    assert not merged(reading(), reading(is_empty_read=False)).no_finding, "half of them say so"
    scattered = merged(reading(box(0, 0)), reading(box(12, 0)), reading(box(0, 12)))
    assert not scattered.no_finding
    assert [tie.what for tie in scattered.ties] == ["no object has a majority"]


def test_who_was_not_asked_does_not_vote_against():
    found = merged(
        reading(box(0, 0)), reading(box(0, 0)), reading(asked_labels=("lesion",)), reading(asked_labels=("lesion",))
    )
    assert [(entry.votes, entry.readers) for entry in found.shapes] == [(2, 2)]


def test_two_masks_settle_between_them_and_three_by_majority():
    small, large = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    small[8:20, 8:20], large[4:24, 4:24] = True, True
    between = merged(reading(mask(small)), reading(mask(large))).shapes[0].shape.mask
    assert between is not None
    assert small.sum() < between.voxels.sum() < large.sum()
    most = merged(reading(mask(small)), reading(mask(large)), reading(mask(large))).shapes[0].shape.mask
    assert most is not None
    assert most.voxels.sum() == large.sum()


def test_masks_that_share_no_voxel_but_lie_half_and_half_leave_nothing_in_silence():
    left, right = np.zeros((32, 32), dtype=bool), np.zeros((32, 32), dtype=bool)
    left[4:8, 4:8], right[24:28, 24:28] = True, True
    found = merged(reading(mask(left)), reading(mask(right)))
    assert found.shapes == ()
    assert [tie.what for tie in found.ties] == ["place of an object"], (
        "a lesion that both saw does not vanish in silence"
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_outlines_of_a_mask_fill_to_the_same_mask_holes_and_corners_included(seed):
    voxels = np.random.default_rng(seed).random((2, 9, 9)) < 0.6
    outlines = outlines_of(MaskRegion(voxels, (1, 2, 3)))
    if outlines is None:
        return
    filled = shape_mask(outlines, (4, 16, 16))
    whole = np.zeros((4, 16, 16), dtype=bool)
    whole[1:3, 2:11, 3:12] = voxels
    assert np.array_equal(on_grid(filled, (4, 16, 16)), whole)


def test_an_island_in_a_hole_has_no_outlines_and_a_ring_has():
    ring = np.ones((1, 7, 7), dtype=bool)
    ring[0, 1:6, 1:6] = False
    outlines = outlines_of(MaskRegion(ring))
    assert outlines is not None
    assert [region.is_hole for region in outlines] == [False, True]
    island = ring.copy()
    island[0, 3, 3] = True
    assert outlines_of(MaskRegion(island)) is None


def test_what_was_drawn_as_polygons_is_settled_as_polygons():
    def square(x):
        ring = np.array([[x, 4], [x + 8, 4], [x + 8, 12], [x, 12]], dtype=float)
        return Shape(f"s{x}", "nucleus", (Region("polygon", ring),))

    shape = merged(reading(square(4)), reading(square(6)), reading(square(6))).shapes[0].shape
    assert shape.mask is None
    assert [region.kind for region in shape.regions] == ["polygon"]
    assert int(shape_mask(shape.regions, GRID.size).voxels.sum()) == 64


def test_points_take_the_geometric_median_and_lines_the_nearest_to_all():
    def point(x):
        return Shape(f"p{x}", "nucleus", (Region("points", np.array([[x, 5.0]])),))

    def line(y):
        return Shape(f"l{y}", "nucleus", (Region("polyline", np.array([[0.0, y], [20.0, y]])),))

    points = merged(*(reading(point(x)) for x in (5.0, 6.0, 7.0)))
    assert points.shapes[0].shape.regions[0].points[0, 0] == pytest.approx(6.0)
    lines = merged(*(reading(line(y)) for y in (4.5, 6.0, 7.5)))
    assert lines.shapes[0].shape.regions[0].points[0, 1] == 6.0


def test_attributes_of_an_object_are_voted_on_too():
    one, two, three = (reading(box(0, 0, grade=grade)) for grade in ("a", "a", "b"))
    assert merged(one, two, three).shapes[0].shape.attributes == {"grade": "a"}
    assert [tie.label for tie in merged(one, three).ties] == ["nucleus.grade"]


def test_one_reading_stands_as_it_was_drawn_and_none_is_refused():
    alone = merged(reading(box(3, 4)))
    assert (alone.confidence, alone.shapes[0].shape.regions[0].points.tolist()) == (None, [[3, 4], [11, 12]])
    with pytest.raises(ValueError, match="readings is empty"):
        merge_readings([], terms=TERMS)


boxes = st.lists(
    st.builds(box, st.integers(0, 20), st.integers(0, 20)), max_size=3, unique_by=lambda shape: shape.shape_id
)


@settings(max_examples=40, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=4))
def test_whatever_stands_has_a_majority_and_equal_readings_settle_as_they_were_read(drawn):
    readings = [reading(*shapes) for shapes in drawn]
    found = merged(*readings)
    assert all(2 * entry.votes > entry.readers for entry in found.shapes)
    assert found.shapes or found.ties or found.no_finding
    same = merged(*[readings[0]] * 3)
    assert (len(same.shapes), same.ties, same.confidence) == (len(readings[0].shapes), (), 1.0)
