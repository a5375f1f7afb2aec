"""Disputes about objects, and maps of objects that overlap."""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.class_sets import (
    class_counts,
    class_set_map,
    classes_in,
    set_tolerances,
    voted_class_sets,
)
from labelhub.numerics.decision_patterns import decision_patterns
from labelhub.numerics.disputes import disputes_of
from labelhub.numerics.geometry import PlacedMask, box_iou
from labelhub.numerics.object_disputes import object_disputes


def found_in(readers, **changes):
    """Disputes of ``readers``: each a list of (label, x0, y0, x1, y1)."""
    rows = [(reader, *one) for reader, boxes in enumerate(readers) for one in boxes]
    corners = np.array([row[2:] for row in rows], dtype=float).reshape(-1, 4)
    settings = {"n_readers": len(readers), "threshold": 0.3, **changes}
    return object_disputes(
        box_iou(corners, corners), [row[0] for row in rows], [row[1] for row in rows], corners.reshape(-1, 2, 2),
        **settings,
    )  # fmt: skip


CAR, DOG = (1, 0, 0, 40, 20), (2, 100, 100, 110, 110)
CAT = (3, 100, 100, 110, 111)


def test_presence_and_class_are_disputed_and_the_largest_comes_first():
    found = found_in([[CAR, DOG], [CAR, CAT], [DOG]])
    assert [(one.number, one.kind) for one in found.disputes] == [(1, "presence"), (2, "class")]
    car, dog = found.disputes
    assert car.members.tolist() == [0, 2, -1]
    assert dog.labels.tolist() == [2, 3, 2]
    assert (dog.low, dog.high, dog.size) == ((100.0, 100.0), (110.0, 111.0), 100.0)
    assert dog.centre == pytest.approx((105.0, 105.17), abs=0.01)
    assert len(found.agreed) == 0


def test_what_all_have_alike_is_no_dispute():
    found = found_in([[CAR, DOG], [DOG, CAR], [CAR, DOG]])
    assert found.disputes == ()
    assert sorted(found.agreed.tolist()) == [[0, 3, 4], [1, 2, 5]]
    assert found_in([[], []]).disputes == ()


def test_a_thing_that_one_misses_and_two_name_differently_is_both():
    assert [one.kind for one in found_in([[DOG], [CAT], []]).disputes] == ["presence and class"]


def test_objects_at_one_place_are_matched_by_class_first():
    """Planted: matched whatever the class, a rider and a horse of almost equal boxes swap partners."""
    rider, horse = (1, 0, 0, 10, 12), (2, 0, 0, 10, 11)
    found = found_in([[rider, horse], [(1, 0, 0, 10, 11), (2, 0, 0, 10, 12)]])
    assert found.disputes == ()
    assert sorted(found.agreed.tolist()) == [[0, 2], [1, 3]], "rider with rider and horse with horse"


def test_who_was_not_asked_is_silent():
    found = found_in([[CAR, DOG], [CAR, DOG], [CAR]], asked=[None, {1, 2}, {1}])
    assert found.disputes == ()
    assert sorted(found.agreed.tolist()) == [[0, 2, 4], [1, 3, -1]]
    heard = found_in([[DOG], [], []], asked=[None, {2}, {1}])
    assert [one.is_silent.tolist() for one in heard.disputes] == [[False, False, True]]
    # Two of different scopes who name one thing alike: whole once classes are put aside.
    assert found_in([[DOG], []], asked=[None, {1}]).disputes == ()


def test_sizes_may_be_given():
    found = found_in([[CAR, DOG], [], []], sizes=[1.0, 5.0])
    assert [one.size for one in found.disputes] == [5.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: found_in([[CAR]], asked=[None, None]), "asked has 2"),
        (lambda: object_disputes(np.eye(2), [0, 1], [1], [[0, 1]], n_readers=2, threshold=0.3), "labels has 1"),
        (lambda: class_set_map([], (2, 2), 63), "n_classes is 63"),
        (lambda: class_set_map([(2, PlacedMask(np.ones((1, 1), dtype=bool), (0, 0)))], (2, 2), 2), "has class 2"),
    ],
)
def test_impossible_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def block(low, high):
    return PlacedMask(np.ones(tuple(np.subtract(high, low)), dtype=bool), low)


def test_the_order_of_drawing_and_what_lies_over_another_make_no_dispute():
    car, dog = (0, block((5, 5), (25, 25))), (1, block((15, 15), (35, 35)))
    maps = [class_set_map(objects, (40, 40), 2) for objects in ([car, dog], [dog, car])]
    assert maps[0][20, 20] == 3
    assert disputes_of(maps, tolerance=2).n_differing == 0


def test_objects_are_cut_off_at_the_edge_and_many_classes_need_a_wider_map():
    painted = class_set_map([(40, block((-5, 30), (5, 60)))], (40, 40), 41)
    assert painted.dtype == np.uint64
    assert np.argwhere(painted).tolist() == [[y, x] for y in range(5) for x in range(30, 40)]
    assert classes_in(int(painted.max())) == (40,)
    assert not class_set_map([(0, block((50, 50), (60, 60)))], (40, 40), 1).any()


def test_each_class_is_settled_by_its_own_vote_and_ties_by_the_nearest():
    codes = [np.array([[1, 1, 0, 0, 0]], dtype=np.uint8), np.array([[3, 3, 3, 0, 0]], dtype=np.uint8)]
    assert voted_class_sets(decision_patterns([codes[0], codes[1], codes[1]])).tolist() == [[3, 3, 3, 0, 0]]
    # Class 1 is tied wherever it is drawn; nobody's ground is nearest but the background's.
    assert voted_class_sets(decision_patterns(codes)).tolist() == [[0, 0, 0, 0, 0]]


def test_only_those_who_were_asked_for_a_class_vote_on_it():
    """Planted: with all readers in the count the class that one of the two who were asked drew twice is outvoted."""
    codes = [np.array([[code, 0]], dtype=np.uint8) for code in (3, 3, 1, 1)]
    assert voted_class_sets(decision_patterns(codes), [3, 3, 1, 1]).tolist() == [[3, 0]]
    assert voted_class_sets(decision_patterns(codes[:3]), [3, 3, 3]).tolist() == [[3, 0]]
    assert voted_class_sets(decision_patterns(codes[1:]), [3, 3, 3]).tolist() == [[1, 0]]


def test_sets_are_counted_and_tolerated_by_their_classes():
    assert class_counts(np.array([[4, 1, 2], [0, 0, 5]]), np.array([0, 2, 6]), 3).tolist() == [[0, 3, 2], [0, 5, 5]]
    assert set_tolerances({0: 2.0, 1: 1.0}, [0, 1, 2, 3]) == {1: 2.0, 2: 1.0, 3: 2.0}
