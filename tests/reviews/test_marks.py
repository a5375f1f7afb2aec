"""Marks on work that came back: with everybody's outlines where the policy shows them, also those of brushed masks.

Planted and seen to fail: masks without outlines; outlines without the mask's origin; all planes in place of the marked ones;
holes left out; a class that nobody disputes; no end of corners; planes in their order; boxes as they are.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.annotations.plain import regions_from_document
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.numerics.rasterise import shape_mask
from labelhub.reviews import marks
from labelhub.reviews.marks import Seal, marks_of

SIZE = (6, 40, 40)


def brushed(label: str, *boxes: tuple[slice, slice, slice], hole: tuple[slice, slice, slice] | None = None) -> Shape:
    voxels = np.zeros(SIZE, dtype=bool)
    for box in boxes:
        voxels[box] = True
    if hole is not None:
        voxels[hole] = False
    low = np.argwhere(voxels).min(axis=0)
    high = np.argwhere(voxels).max(axis=0) + 1
    tight = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return Shape(label, label, mask=MaskRegion(voxels[tight], tuple(int(a) for a in low)))


def reading(rater: str, *shapes: Shape) -> Reading:
    return Reading("item", rater, shapes, read_kind="independent", planned_blind=True)


def found(own: Reading, *others: Reading, is_exact: bool = True, size=SIZE) -> dict:
    return marks_of(
        own, others, grids=[Grid(size)], tolerance_mm=1, tolerance_px=1, is_exact=is_exact, seal=Seal("item", b"x" * 16)
    )


@pytest.fixture
def brains() -> tuple[Reading, Reading]:
    """Both painted the same sheet, and on planes 2 to 4, mostly on 3, the other one more, with a hole; a dot is alike."""
    sheet, piece = (slice(0, 6), slice(3, 10), slice(3, 20)), (slice(2, 5), slice(20, 34), slice(8, 30))
    hole = (slice(2, 5), slice(25, 29), slice(15, 20))
    most = (slice(3, 4), slice(20, 34), slice(8, 34))
    dot = (slice(0, 6), slice(36, 39), slice(36, 39))
    return (
        reading("own", brushed("brain", sheet), brushed("dot", dot)),
        reading("other", brushed("brain", sheet, piece, most, hole=hole), brushed("dot", dot)),
    )


@pytest.mark.parametrize("is_exact", [True, False])
def test_the_largest_difference_stands_first_and_only_exact_marks_name_a_class(is_exact):
    small, large = (slice(2, 3), slice(2, 8), slice(2, 8)), (slice(2, 3), slice(20, 36), slice(20, 36))
    told = found(reading("own", brushed("a", small), brushed("b", large)), reading("other"), is_exact=is_exact)
    sizes = [region["radius"] for region in told["regions"]]
    assert len(sizes) == 2
    assert sizes == sorted(sizes, reverse=True)
    assert [region.get("label") for region in told["regions"]] == (["b", "a"] if is_exact else [None, None])


def test_exact_marks_give_the_outlines_of_masks_on_the_planes_in_dispute(brains):
    own, other = brains
    told = found(own, other)
    assert [region["label"] for region in told["regions"]] == ["brain"]
    assert "is_cut" not in told
    for line, painted in zip(told["outlines"], (own, other), strict=True):
        assert (line["whose"], line["label"], line["medium"]) == (painted.rater, "brain", 0)
        regions = regions_from_document(line["regions"])
        assert {region.z for region in regions} == {2, 3, 4}
        mask = painted.shapes[0].mask
        assert mask is not None
        whole = np.zeros(SIZE, dtype=bool)
        low = mask.origin
        whole[tuple(slice(a, a + n) for a, n in zip(low, mask.voxels.shape, strict=True))] = mask.voxels
        whole[[0, 1, 5]] = False
        filled = shape_mask(regions, SIZE)
        again = np.zeros(SIZE, dtype=bool)
        again[tuple(slice(a, a + n) for a, n in zip(filled.origin, filled.voxels.shape, strict=True))] = filled.voxels
        assert np.array_equal(again, whole), "filling them gives what was painted there"


def test_where_corners_run_out_the_worst_planes_come_first_and_it_is_said(brains, monkeypatch):
    own, other = brains
    monkeypatch.setattr(marks, "MOST_CORNERS", 20)
    # Plane 2, where the piece begins, would come first in the order of planes.
    told = found(own, other)
    assert told["is_cut"]
    planes = {region.get("z", 0) for line in told["outlines"] for region in line["regions"]}
    assert planes == {3} == {told["regions"][0]["z"]}


def test_coarse_marks_give_nobodys_outline(brains):
    assert "outlines" not in found(*brains, is_exact=False)


def test_boxes_and_ellipses_are_given_as_polygons():
    box = Shape("b", "cell", (Region("box", np.array([[4.0, 4.0], [20.0, 20.0]])),))
    disc = Shape("e", "cell", (Region("ellipse", np.array([[30.0, 30.0], [6.0, 6.0]])),))
    told = found(reading("own", box), reading("other", disc), size=(1, 40, 40))
    assert [region["kind"] for line in told["outlines"] for region in line["regions"]] == ["polygon", "polygon"]
    assert told["outlines"][0]["regions"][0]["points"] == [[4.0, 4.0], [20.0, 4.0], [20.0, 20.0], [4.0, 20.0]]
