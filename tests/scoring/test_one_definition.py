"""A pair of readings gives the same numbers where it is stored and where a whole set is measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.scoring.compare import Terms, compare
from labelhub.scoring.extent_overlap import compare_extents
from labelhub.scoring.extents import Reach, extent_of, similarity_table
from labelhub.scoring.gather import gather
from labelhub.scoring.gather_objects import gather_objects
from labelhub.scoring.panel import measure
from labelhub.scoring.selectors import current_scores
from labelhub.scoring.stored import annotation_set_of
from tests.analyze.making import make_set, point, reading
from tests.cast import Cast
from tests.workflow.walking import add_item, set_policy, store

GRID = Grid((4, 80, 80))
SPACED = Grid((4, 80, 80), spacing_mm=(2.5, 0.7, 0.7))


def blob(name: str, z: int, y: int, x: int, size: tuple[int, int, int]) -> Shape:
    return Shape(name, "cell", (), MaskRegion(np.ones(size, dtype=bool), (z, y, x)))


def drawn(name: str, kind: str, x: float, y: float, width: float, height: float) -> Shape:
    if kind == "mask":
        return blob(name, 1, int(y), int(x), (2, int(height) + 1, int(width) + 1))
    corners = [(x, y), (x + width, y + height)]
    if kind == "polygon":
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return Shape(name, "cell", (Region(kind, np.array(corners, dtype=float), z=1),))


drawings = st.tuples(
    st.sampled_from(["box", "polygon", "mask"]),
    *(st.floats(10, 30).map(lambda n: round(n, 2)) for _ in range(4)),
)


@pytest.mark.parametrize("grid", [GRID, SPACED], ids=["px", "mm"])
@settings(max_examples=40, deadline=None)
@given(first=drawings, second=drawings)
def test_one_shape_each_has_equal_numbers_in_a_stored_pair_and_in_the_panel(grid, first, second):
    readings = [reading("a", "ann", drawn("1", *first)), reading("a", "ben", drawn("2", *second))]
    ours = compare(readings[0], readings[1], terms=Terms(labels=("cell",)), grids=[grid]).classes[0]
    objects = gather_objects(gather(make_set(readings, grid=grid))).by_label["cell"]
    # Only masks can be a whole; other shapes that are not one object are compared by no panel.
    pairs = [pair.comparison for pair in objects.pairs]
    if pairs:
        assert ours.dice == pytest.approx(pairs[0].dice, abs=1e-12)
        assert ours.iou == pytest.approx(pairs[0].iou, abs=1e-12)
        assert ours.volume_difference == pytest.approx(pairs[0].volume_difference, abs=1e-12)
        if not np.isnan(pairs[0].hd95):
            assert ours.hausdorff_95 == pytest.approx(pairs[0].hd95)
    assert bool(ours.matched) <= bool(pairs)


def test_several_objects_are_paired_alike_and_equally_alike():
    ann = [drawn("a1", "polygon", 5, 5, 10, 10), drawn("a2", "polygon", 8, 8, 10, 10), drawn("a3", "box", 40, 40, 9, 9)]
    ben = [drawn("b1", "polygon", 7, 7, 10, 10), drawn("b2", "polygon", 4, 6, 10, 10), drawn("b3", "box", 43, 41, 9, 9)]
    readings = [reading("a", "ann", *ann), reading("a", "ben", *ben)]
    pair = compare(readings[0], readings[1], terms=Terms(labels=("cell",)), grids=[GRID]).classes[0]
    objects = gather_objects(gather(make_set(readings, grid=GRID))).by_label["cell"]
    panel = {
        (objects.shapes[p.unit][0].shape_id, objects.shapes[p.unit][1].shape_id): p.comparison.iou
        for p in objects.pairs
    }
    assert {(m.first, m.second): pytest.approx(m.iou) for m in pair.matched} == panel
    assert len(panel) == 3


@pytest.mark.parametrize("apart", [0.0, 9.9, 10.1, 40.0])
def test_marks_without_area_are_one_object_in_both_or_in_neither(apart):
    readings = [reading("a", "ann", point(50, 50)), reading("a", "ben", point(50 + apart, 50))]
    pair = compare(readings[0], readings[1], terms=Terms(labels=("spot",)), grids=[GRID]).classes[0]
    agreement = measure(make_set(readings)).detection[0].agreement.estimate.value
    assert len(pair.matched) == agreement == (apart <= 10)


def test_the_stored_dice_of_a_matched_object_is_the_panels(cast: Cast):
    set_policy(cast, readers=2, max_readers=5)
    item = add_item(cast.project)
    for user, square in ((cast.ann, (10, 10, 20)), (cast.ben, (13, 12, 20))):
        store(cast, item, user, square)
    stored = current_scores(item).get(about="pair", label="nucleus", metric="dice")
    panel = measure(annotation_set_of(cast.project))
    assert stored.value == pytest.approx(panel.overlap[0].dice.estimate.value)
    assert 0 < stored.value < 1


def test_volumes_of_unknown_spacing_have_no_distance_across_slices():
    first, second = blob("1", 0, 10, 10, (2, 20, 20)), blob("2", 1, 10, 13, (3, 20, 20))
    ours = compare(
        Reading("a", "ann", (first,)), Reading("a", "ben", (second,)), terms=Terms(labels=("cell",)), grids=[GRID]
    ).classes[0]
    pair = compare_extents(extent_of(first, GRID.size), extent_of(second, GRID.size), GRID)
    assert pair is not None
    assert ours.hausdorff_95 == pair.hd95 == 3.0
    assert np.isnan(ours.surface_dice)


def test_a_mark_inside_the_others_area_is_that_object_and_keypoints_and_lines_are_compared_along_themselves():
    def alike(first: Shape, second: Shape) -> float:
        own, other = extent_of(first, GRID.size), extent_of(second, GRID.size)
        there, back = (similarity_table([a], [b], [GRID], 0.3, Reach()) for a, b in ((own, other), (other, own)))
        assert there[0, 0] == pytest.approx(back[0, 0])
        return float(there[0, 0])

    def shape(kind: str, points: list[tuple[float, float]], z: int = 0) -> Shape:
        return Shape("s", "cell", (Region(kind, np.array(points, dtype=float), z=z),))

    assert alike(shape("points", [(15, 15)], z=1), drawn("b", "box", 10, 10, 20, 20)) == 1.0
    assert alike(shape("points", [(1, 1), (20, 20)]), shape("points", [(1, 1), (20, 30)])) == pytest.approx(0.65)
    assert alike(shape("points", [(1, 1)]), shape("points", [(1, 1)], z=1)) == pytest.approx(0.3)
    # Two lines that cross have the same centre and are yet not the same line.
    assert alike(shape("polyline", [(0, 40), (80, 40)]), shape("polyline", [(40, 0), (40, 80)])) < 0.3
    assert alike(Shape("s", "cell"), Shape("t", "cell")) == 1.0
    assert alike(Shape("s", "cell"), shape("points", [(1, 1)])) == 0.0
