"""Errors of single objects are named: planted ones on generated items, and worked examples of each rule.

All 1,000 planted errors are played by ``python -m tests.benchmarks.bench_adjudication --errors 1000``.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.error_kinds import KINDS, MarkedObject, error_kinds
from labelhub.numerics.geometry import PlacedMask
from tests.numerics import planted_errors


@pytest.mark.parametrize(
    ("kind", "n_dimensions"), [(kind, n) for n, kinds in planted_errors.KINDS.items() for kind in kinds]
)
def test_planted_errors_are_named_and_the_other_objects_left_in_peace(kind, n_dimensions):
    """Planted: without the look at single planes every slice range is a boundary; without ``_parts`` splits are boundaries."""
    found = planted_errors.tally(kind, n_dimensions, 12, seed=1)
    assert found.n_named >= 11
    assert found.n_in_peace >= found.n_others - 1


def solid(label, size, at):
    return MarkedObject(label, PlacedMask(np.ones(size, dtype=bool), at))


def kinds(given, accepted, **changes):
    settings = {"grid_size": (80, 80), "tolerance": 2.0, **changes}
    found = error_kinds(given, accepted, **settings)
    return [(one.kind, one.given, one.accepted) for one in found.errors], found


def test_every_kind_has_a_name_and_nothing_wrong_has_none():
    assert len(set(KINDS)) == 7
    named, found = kinds([solid("a", (10, 10), (5, 5))], [solid("a", (10, 11), (5, 5))])
    assert named == []
    assert found.right == ((0, 0),)
    assert kinds([], [])[0] == []


def test_a_boundary_error_says_by_how_much_and_on_which_side():
    _, large = kinds([solid("a", (18, 18), (1, 1))], [solid("a", (10, 10), (5, 5))])
    _, small = kinds([solid("a", (10, 10), (5, 5))], [solid("a", (18, 18), (1, 1))])
    assert large.errors[0].offset == pytest.approx(4.1, abs=0.2)
    assert small.errors[0].offset == pytest.approx(-large.errors[0].offset)
    assert large.errors[0].within < 0.1
    _, in_mm = kinds(
        [solid("a", (18, 18), (1, 1))], [solid("a", (10, 10), (5, 5))], spacing_mm=(2.0, 2.0), tolerance=1.0
    )
    assert in_mm.errors[0].unit == "mm"
    assert in_mm.errors[0].offset == pytest.approx(2 * large.errors[0].offset)


def test_an_outline_within_the_tolerance_is_right_and_beyond_it_is_not():
    accepted = [solid("a", (20, 20), (20, 20))]
    assert kinds([solid("a", (24, 24), (18, 18))], accepted)[0] == []
    assert kinds([solid("a", (26, 26), (17, 17))], accepted)[0] == [("boundary", (0,), (0,))]


def test_what_hardly_overlaps_but_lies_inside_is_a_boundary_error_not_a_missing_and_an_extra_object():
    named, _ = kinds([solid("a", (5, 5), (30, 30))], [solid("a", (40, 40), (20, 20))])
    assert named == [("boundary", (0,), (0,))]


def test_the_class_decides_between_two_partners_before_the_overlap_does():
    given = [solid("a", (10, 10), (10, 10))]
    accepted = [solid("b", (10, 10), (10, 10)), solid("a", (10, 10), (10, 14))]
    named, found = kinds(given, accepted)
    assert named == [("missing", (), (0,)), ("boundary", (0,), (1,))]
    assert found.errors[0].label_accepted == "b"


def test_parts_of_another_class_are_no_split():
    accepted = [solid("a", (20, 20), (20, 20))]
    given = [solid("a", (9, 20), (20, 20)), solid("b", (9, 20), (31, 20))]
    named, _ = kinds(given, accepted)
    assert ("split", (0, 1), (0,)) not in named
    assert {kind for kind, _, _ in named} == {"boundary", "extra"}


def test_crumbs_are_no_parts_of_a_split():
    accepted = [solid("a", (20, 20), (20, 20))]
    named, _ = kinds([solid("a", (20, 20), (20, 20)), solid("a", (2, 2), (22, 22))], accepted)
    assert named == [("extra", (1,), ())]


def test_two_small_parts_that_leave_most_of_it_out_are_no_split():
    accepted = [solid("a", (20, 20), (20, 20))]
    named, _ = kinds([solid("a", (7, 7), (20, 20)), solid("a", (7, 7), (33, 33))], accepted)
    assert "split" not in {kind for kind, _, _ in named}


def test_an_object_that_splits_and_merges_at_once_is_named_once():
    accepted = [solid("a", (20, 20), (10, 10)), solid("a", (20, 20), (10, 32))]
    given = [solid("a", (20, 42), (10, 10)), solid("a", (9, 18), (11, 11))]
    _, found = kinds(given, accepted)
    places = [place for one in found.errors for place in one.given]
    assert len(places) == len(set(places))


def test_the_ends_of_an_object_are_counted_in_planes():
    grid = (30, 60, 60)
    accepted = [solid("a", (10, 20, 20), (10, 20, 20))]
    facts = {"grid_size": grid, "spacing_mm": (3.0, 1.0, 1.0)}
    named, found = kinds([solid("a", (10, 20, 20), (8, 20, 20))], accepted, **facts)
    assert named == [("slice range", (0,), (0,))]
    assert (found.errors[0].first_planes, found.errors[0].last_planes) == (2, -2)
    # One plane of 3 mm is more than the tolerance; one of 1 mm is not.
    assert kinds([solid("a", (11, 20, 20), (9, 20, 20))], accepted, **facts)[0][0][0] == "slice range"
    thin = {"grid_size": grid, "spacing_mm": (1.0, 1.0, 1.0)}
    assert kinds([solid("a", (11, 20, 20), (9, 20, 20))], accepted, **thin)[0] == []


def test_an_object_on_other_planes_altogether_is_missing_and_extra():
    named, _ = kinds(
        [solid("a", (2, 20, 20), (0, 20, 20))], [solid("a", (2, 20, 20), (20, 20, 20))], grid_size=(30, 60, 60)
    )
    assert named == [("missing", (), (0,)), ("extra", (0,), ())]


def test_objects_without_a_voxel_are_left_out():
    nothing = MarkedObject("a", PlacedMask(np.zeros((3, 3), dtype=bool), (0, 0)))
    named, found = kinds([nothing, solid("a", (9, 9), (9, 9))], [solid("a", (9, 9), (9, 9))])
    assert named == []
    assert found.right == ((1, 0),)


@pytest.mark.parametrize("changes", [{"tolerance": -1.0}, {"least_within": 1.5}, {"spacing_mm": (0.0, 1.0)}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(ValueError, match=r"tolerance|level|spacing"):
        kinds([solid("a", (9, 9), (9, 9))], [solid("a", (9, 9), (9, 9))], **changes)
