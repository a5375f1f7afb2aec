"""Errors of single objects named against the label: kind, size, slices and a name that stays.

Planted and seen to fail: an object of a class that was not asked called missing; a mask of two parts taken as one object; a
key that changes with the label; an object inside an ignored region called extra; slices counted over all objects; specks as
objects of their own; an outline in two pieces as two objects; what is missing under the name of what is extra; an area of a
photograph times the depth of its slice.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.consensus.object_errors import name_errors
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents

TERMS = Terms(("nucleus", "debris", "lesion"))
PLANE, VOLUME = [Grid((1, 64, 64), (1.0, 1.0, 1.0))], [Grid((12, 40, 40))]


def square(name: str, at: tuple[float, float], side: float = 12, label: str = "nucleus") -> Shape:
    x, y = at
    points = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], dtype=float)
    return Shape(name, label, (Region("polygon", points),))


def block(name: str, *blocks: tuple[int, int, int, int], label: str = "lesion") -> Shape:
    """A mask of blocks ``(first, last, corner, side)``."""
    voxels = np.zeros((12, 40, 40), dtype=bool)
    for first, last, corner, side in blocks:
        voxels[first : last + 1, corner : corner + side, corner : corner + side] = True
    return Shape(name, label, (), MaskRegion(voxels, (0, 0, 0)))


def named(given: list[Shape], label: list[Shape] | None, grids=PLANE, **scope):
    return name_errors(Reading("i", "r", tuple(given), **scope), label, terms=TERMS, grids=grids, extents=Extents())


def kinds(found) -> list[tuple]:
    return sorted((error.kind, error.given, error.label_accepted) for error in found.errors)


def test_each_kind_on_a_photograph():
    label = [
        square("a", (6, 6)),
        square("b", (2, 40)),
        square("c", (24, 24)),
        square("d", (40, 2)),
        square("e", (46, 46)),
    ]
    parts = [Shape(f"half{n}", "nucleus", square("x", (46, 46)).regions) for n in range(2)]
    for part, x in zip(parts, (46, 52), strict=True):
        part.regions[0].points[:] = [(x, 46), (x + 6, 46), (x + 6, 58), (x, 58)]
    given = [
        square("big", (2, 2), 20),
        square("other", (24, 24), label="debris"),
        square("none", (24, 2), 10),
        square("d2", (40, 2)),
    ]
    found = named([*given, *parts], label)
    assert kinds(found) == [
        ("boundary", ("big",), "nucleus"), ("extra", ("none",), ""), ("missing", (), "nucleus"),
        ("split", ("half0", "half1"), "nucleus"), ("wrong class", ("other",), "nucleus"),
    ]  # fmt: skip
    assert [error.given for error in found.right] == [("d2",)]
    by_kind = {error.kind: error for error in found.errors}
    assert (by_kind["extra"].size, by_kind["extra"].unit) == (100.0, "mm²")
    assert by_kind["boundary"].offset == pytest.approx(4.0, abs=0.5)
    assert by_kind["missing"].place == (0.0, 46.0, 8.0)


def test_parts_of_a_mask_are_objects_with_slices_of_their_own():
    label = [block("all", (2, 6, 4, 8), (2, 6, 24, 8))]
    found = named([block("mine", (2, 10, 4, 8), (2, 6, 24, 8))], label, VOLUME)
    (error,) = found.errors
    assert (error.kind, error.late, error.slices, error.unit) == ("slice range", 4, (2, 10), "voxels")
    assert len(found.right) == 1
    assert len({error.key, found.right[0].key}) == 2
    (both,) = named([block("mine", (0, 7, 4, 20))], [block("all", (4, 11, 4, 20))], VOLUME).errors
    assert (both.kind, both.early, both.late) == ("slice range", 4, -4)


def test_specks_beside_a_mask_are_no_objects_of_their_own():
    dusty = block("mine", (2, 6, 4, 8), (0, 0, 30, 1), (9, 9, 33, 1))
    found = named([dusty], [block("all", (2, 6, 4, 8))], VOLUME)
    assert (found.errors, len(found.right)) == ((), 1)
    (alone,) = named([block("mine", (0, 0, 30, 1))], [], VOLUME).errors
    assert (alone.kind, alone.size) == ("extra", 1.0), "where there is nothing else a speck is the object"


def test_an_outline_in_pieces_is_one_object_however_far_they_lie_apart():
    both = Shape("mine", "nucleus", (*square("a", (2, 2)).regions, *square("b", (40, 40)).regions))
    (error,) = named([both], []).errors
    assert (error.kind, error.size) == ("extra", 288.0)


def test_what_is_missing_is_known_by_another_name_than_what_is_extra_of_the_same_shape():
    extra, missing = sorted(named([square("a", (2, 2))], [square("a", (40, 40))]).errors, key=lambda error: error.kind)
    assert (extra.kind, missing.kind) == ("extra", "missing")
    assert extra.key != missing.key


def test_sizes_are_areas_on_a_photograph_and_volumes_in_a_volume():
    (flat,) = named([square("a", (2, 2))], [], [Grid((1, 64, 64), (5.0, 0.5, 2.0))]).errors
    assert (flat.size, flat.unit) == (144.0, "mm²")
    (deep,) = named([block("a", (0, 1, 4, 8))], [], [Grid((12, 40, 40), (5.0, 0.5, 2.0))]).errors
    assert (deep.size, deep.unit) == (640.0, "mm³")


def test_what_was_not_asked_or_is_to_be_ignored_is_no_error():
    label = [square("a", (2, 2)), square("b", (40, 40), label="debris"), square("i", (20, 20), 20, label="ignore")]
    found = named([square("mine", (2, 2)), square("inside", (24, 24))], label, asked_labels=("nucleus",))
    assert found.errors == ()
    assert [error.given for error in found.right] == [("mine",)]
    assert kinds(named([square("mine", (2, 2))], label)) == [("missing", (), "debris")]


def test_an_object_keeps_its_name_while_the_label_changes():
    mine = square("mine", (2, 2), 16)
    before, after = named([mine], [square("a", (2, 2), 8)]), named([mine], [square("z", (5, 5), 9)])
    assert before.errors[0].key == after.errors[0].key
    gone = [named([], [square("a", (30, y), 11 + y % 2)]).errors[0].key for y in (30, 31)]
    assert gone[0] == gone[1], "a voxel more or less is the same missing object"
    assert named([], [square("b", (30, 30))]).errors[0].key != gone[0]


def test_without_a_label_nothing_is_compared_and_every_object_can_be_named():
    found = named([square("mine", (2, 2)), block("m", (0, 0, 20, 6))], None)
    assert found.errors == ()
    assert {error.kind for error in found.right} == {None}
    assert {error.given for error in found.right} == {("mine",), ("m",)}


def test_points_and_lines_are_objects_as_wide_as_they_may_lie_apart():
    def marks(name: str, x: float) -> list[Shape]:
        line = Region("polyline", np.array([(x, 40.0), (x + 20, 40.0)]))
        return [
            Shape(f"p{name}", "nucleus", (Region("points", np.array([(x, 10.0)])),)),
            Shape(f"l{name}", "debris", (line,)),
        ]

    near, far = named(marks("1", 20), marks("2", 22)), named(marks("1", 5), marks("2", 50))
    assert len(near.right) + len([e for e in near.errors if e.kind == "boundary"]) == 2
    assert {error.kind for error in near.errors} <= {"boundary"}
    assert [kind for kind, *_ in kinds(far)] == ["extra", "extra", "missing", "missing"]
