"""Two readings compared: the definition of similarity, its edge cases, and the invariances it must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.shapes import Grid, MaskRegion, QuestionSpec, Reading, Region, Shape
from labelhub.scoring.compare import Terms, compare

GRID = Grid((1, 32, 32))
TERMS = Terms(labels=("nucleus", "lesion"), questions=(QuestionSpec("quality", "ordinal", ("poor", "fair", "good")),))


def square(
    name: str, x: float, y: float, side: float = 10, *, label: str = "nucleus", kind: str = "polygon", z: int = 0
) -> Shape:
    corners = (
        [(x, y), (x + side, y + side)]
        if kind == "box"
        else [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    )
    return Shape(name, label, (Region(kind, np.array(corners, dtype=float), z=z),))


def reading(*shapes: Shape, **given) -> Reading:
    return Reading("item", "rater", shapes, **given)


def test_a_shifted_square_has_the_published_overlap():
    # methods: a 10 x 10 square shifted by 2 columns has Dice .8000, IoU .6667, HD95 2.
    found = compare(reading(square("a", 10, 10)), reading(square("b", 12, 10)), terms=TERMS, grids=[GRID])
    nucleus = found.classes[0]
    assert nucleus.dice == pytest.approx(0.8)
    assert nucleus.iou == pytest.approx(2 / 3)
    assert nucleus.hausdorff_95 == pytest.approx(2)
    assert found.similarity == pytest.approx(0.8)
    assert found.n_parts == 1


def test_boxes_and_masks_of_the_same_pixels_agree_with_polygons():
    polygon = reading(square("a", 10, 10))
    mask = reading(Shape("m", "nucleus", (), MaskRegion(np.ones((1, 10, 10), dtype=bool), (0, 10, 12))))
    box = reading(square("b", 12, 10, kind="box"))
    for other in (mask, box):
        assert compare(polygon, other, terms=TERMS, grids=[GRID]).similarity == pytest.approx(0.8)
    assert compare(box, box, terms=TERMS, grids=[GRID]).classes[0].matched[0].iou == 1.0


def test_both_empty_is_agreement_and_enters_no_mean():
    found = compare(reading(is_empty_read=True), reading(is_empty_read=True), terms=TERMS, grids=[GRID])
    assert (found.similarity, found.edge_case, found.n_parts) == (1.0, "both-empty", 0)
    with_lesion = compare(
        reading(square("a", 1, 1, label="lesion")),
        reading(square("b", 1, 1, label="lesion")),
        terms=TERMS,
        grids=[GRID],
    )
    assert (with_lesion.similarity, with_lesion.n_parts) == (1.0, 1)
    assert math.isnan(with_lesion.classes[0].dice)


def test_one_empty_is_no_agreement_and_says_who_is_missing_what():
    found = compare(reading(square("a", 1, 1)), reading(is_empty_read=True), terms=TERMS, grids=[GRID])
    nucleus = found.classes[0]
    assert found.similarity == 0.0
    assert (nucleus.edge_case, nucleus.only_first, nucleus.only_second) == ("second-empty", ("a",), ())


def test_what_was_not_asked_of_both_is_not_compared():
    first = reading(square("a", 1, 1), square("l", 20, 20, 5, label="lesion"))
    second = reading(square("b", 1, 1), asked_labels=("nucleus",), asked_questions=())
    found = compare(first, second, terms=TERMS, grids=[GRID])
    assert [entry.label for entry in found.classes] == ["nucleus"]
    assert found.answers == ()
    assert found.similarity == 1.0


def test_nothing_in_common_is_undefined_with_a_reason():
    found = compare(reading(asked_labels=(), asked_questions=()), reading(), terms=TERMS)
    assert math.isnan(found.similarity)
    assert found.reason


def test_objects_are_matched_and_detection_weighs_the_overlap():
    first = reading(square("a1", 0, 0, 8), square("a2", 20, 20, 8))
    second = reading(square("b2", 20, 20, 8), square("b1", 0, 0, 8), square("b3", 0, 20, 8))
    nucleus = compare(first, second, terms=TERMS, grids=[GRID]).classes[0]
    assert {(pair.first, pair.second) for pair in nucleus.matched} == {("a1", "b1"), ("a2", "b2")}
    assert nucleus.only_second == ("b3",)
    assert nucleus.similarity == pytest.approx(0.8)
    assert nucleus.detection_f1 == pytest.approx(0.8)


def test_parts_of_one_region_are_pooled_where_the_class_is_brushed():
    whole = reading(square("w", 0, 0, 16, label="lesion"))
    halves = reading(
        Shape("h1", "lesion", (), MaskRegion(np.ones((1, 16, 8), dtype=bool), (0, 0, 0))),
        Shape("h2", "lesion", (), MaskRegion(np.ones((1, 16, 8), dtype=bool), (0, 0, 8))),
    )
    pooled = Terms(labels=("lesion",), pooled=frozenset({"lesion"}))
    assert compare(whole, halves, terms=pooled, grids=[GRID]).similarity == 1.0
    assert compare(whole, halves, terms=Terms(labels=("lesion",)), grids=[GRID]).similarity < 0.6


def test_the_same_object_under_another_class_is_named():
    found = compare(
        reading(square("a", 1, 1, label="nucleus")),
        reading(square("b", 1, 1, label="lesion")),
        terms=TERMS,
        grids=[GRID],
    )
    assert [(entry.first_label, entry.second_label) for entry in found.wrong_class] == [("nucleus", "lesion")]
    assert found.similarity == 0.0


def test_answers_count_as_equal_or_not():
    first = reading(square("a", 1, 1), answers={"quality": "good"})
    second = reading(square("b", 1, 1), answers={"quality": "fair"})
    found = compare(first, second, terms=TERMS, grids=[GRID])
    assert (found.similarity, found.answers[0].is_equal) == (0.5, False)
    assert compare(first, reading(square("b", 1, 1)), terms=TERMS, grids=[GRID]).answers[0].is_equal is None


def test_shapes_on_another_plane_or_medium_are_other_objects():
    volume = Grid((4, 32, 32), spacing_mm=(5.0, 1.0, 1.0))
    here = reading(square("a", 1, 1, kind="box"))
    for other in (
        square("b", 1, 1, kind="box", z=2),
        Shape("b", "nucleus", square("b", 1, 1, kind="box").regions, medium=1),
    ):
        assert compare(here, reading(other), terms=TERMS, grids=[volume, volume]).similarity == 0.0


def test_lengths_are_in_millimetres_where_the_spacing_is_known():
    volume = Grid((1, 32, 32), spacing_mm=(1.0, 1.0, 3.0))
    found = compare(reading(square("a", 10, 10)), reading(square("b", 12, 10)), terms=TERMS, grids=[volume])
    assert (found.classes[0].hausdorff_95, found.classes[0].unit) == (6.0, "mm")


def test_points_and_lines_are_compared_by_nearness():
    def point(x):
        return reading(Shape("p", "nucleus", (Region("points", np.array([[x, 5.0]])),)))

    def line(y):
        return reading(Shape("l", "nucleus", (Region("polyline", np.array([[0.0, y], [20.0, y]])),)))

    # Closeness is the matching threshold (.3) at the reach (10 pixels), and falls to it in a line from 1.
    assert compare(point(5.0), point(10.0), terms=TERMS, grids=[GRID]).similarity == pytest.approx(0.65)
    assert compare(point(5.0), point(15.0), terms=TERMS, grids=[GRID]).similarity == pytest.approx(0.3)
    assert compare(point(5.0), point(30.0), terms=TERMS, grids=[GRID]).similarity == 0.0
    assert compare(line(5.0), line(5.0), terms=TERMS, grids=[GRID]).similarity == 1.0
    assert compare(line(5.0), line(6.0), terms=TERMS, grids=[GRID]).similarity == pytest.approx(0.93)
    assert compare(line(5.0), line(20.0), terms=TERMS, grids=[GRID]).similarity == 0.0


def test_without_a_grid_the_shapes_themselves_span_it():
    assert compare(reading(square("a", 10, 10)), reading(square("b", 12, 10)), terms=TERMS).similarity == pytest.approx(
        0.8
    )


squares = st.builds(
    lambda n, x, y, side, label, kind: square(f"s{n}", x, y, side, label=label, kind=kind),
    st.uuids(), st.integers(0, 20), st.integers(0, 20), st.integers(1, 10),
    st.sampled_from(["nucleus", "lesion"]), st.sampled_from(["box", "polygon"]),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(squares, max_size=4), st.lists(squares, max_size=4))
def test_similarity_is_symmetric_bounded_and_one_with_itself(first, second):
    a, b = reading(*first), reading(*second)
    forth, back = (compare(x, y, terms=TERMS, grids=[GRID]).similarity for x, y in ((a, b), (b, a)))
    assert forth == pytest.approx(back, nan_ok=True)
    assert math.isnan(forth) or 0.0 <= forth <= 1.0
    assert compare(a, a, terms=TERMS, grids=[GRID]).similarity == pytest.approx(1.0)
