"""Planted errors: each kind is large, stays on the picture, and is told apart from what the model drew.

Planted once and seen to fail: an outline that grows beyond the picture; a shape that is moved by nothing; a class given to
itself; undoing counted over the whole picture in place of what the error changed.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.formats.shapes import Grid, MaskRegion, Region, Shape
from labelhub.predictions.planting import CLASS, GROWN, KINDS, MISSING, MOVED, Planted, plant
from labelhub.projects.ontology import read_ontology
from labelhub.scoring.planted import undone_share

SIZE = (3, 64, 64)
GRIDS = {0: Grid(SIZE, (2.0, 1.0, 1.0))}
ontology = read_ontology(
    {"classes": [
        {"key": key, "name": key, "colour": "#336699", "tool": tool}
        for key, tool in (("a", "brush"), ("b", "brush"), ("c", "polygon"), ("d", "polygon"), ("e", "point"), ("f", "point"))
    ]}
)  # fmt: skip


def disc(y: int, x: int, radius: int, label: str = "a") -> Shape:
    rows, columns = np.mgrid[:64, :64]
    voxels = np.stack([(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] * 3)
    return Shape("s", label, (), MaskRegion(voxels, (0, 0, 0)), source="model")


def square(x: float, y: float, side: float, label: str = "c") -> Shape:
    corners = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], dtype=float)
    return Shape("s", label, (Region("polygon", corners, z=1),), source="model")


def point(x: float, y: float, label: str = "e") -> Shape:
    return Shape("p", label, (Region("points", np.array([(x, y)]), z=1),), source="model")


def planted(shape: Shape, kind: str) -> Planted:
    for seed in range(200):
        found = plant([shape], ontology, GRIDS, np.random.default_rng(seed))
        if found is not None and found.kind == kind:
            return found
    raise AssertionError(f"{kind} is never planted")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [disc(30, 30, 8), disc(6, 58, 5), square(10, 40, 12), square(0, 0, 40)])
def test_who_hands_it_in_unchanged_did_not_catch_it_and_who_draws_the_truth_did(shape, kind):
    found = planted(shape, kind)
    assert undone_share(kind, found.right, found.wrong, found.shapes, SIZE) == pytest.approx(0.0, abs=0.02)
    assert undone_share(kind, found.right, found.wrong, [shape], SIZE) == 1.0
    for one in found.shapes:
        corner = np.max([region.points.max() for region in one.regions]) if one.regions else 0
        assert corner <= 64
        if one.mask is not None:
            end = np.add(one.mask.origin, one.mask.voxels.shape)
            assert (np.array(one.mask.origin) >= 0).all()
            assert (end <= SIZE).all()


def test_each_kind_changes_much():
    grown = planted(disc(30, 30, 8), GROWN)
    assert grown.wrong.mask.voxels.sum() > 1.5 * grown.right.mask.voxels.sum()
    moved = planted(disc(30, 30, 8), MOVED)
    assert np.abs(np.subtract(moved.wrong.mask.origin, moved.right.mask.origin)).max() >= 8
    swapped = planted(square(10, 10, 12), CLASS)
    assert (swapped.right.label, swapped.wrong.label) == ("c", "d")


def test_one_of_several_parts_is_left_out_and_the_others_stay():
    both = disc(15, 15, 6).mask.voxels | disc(45, 45, 8).mask.voxels
    shape = Shape("s", "a", (), MaskRegion(both, (0, 0, 0)), source="model")
    found = planted(shape, MISSING)
    assert found.wrong is None
    assert len(found.shapes) == 1
    kept, lost = found.shapes[0].mask.voxels, found.right.mask.voxels
    assert (kept | lost == both).all()
    assert not (kept & lost).any()
    assert undone_share(MISSING, found.right, None, [shape], SIZE) == 1.0
    assert undone_share(MISSING, found.right, None, found.shapes, SIZE) == 0.0


def test_half_undone_is_half():
    found = planted(disc(30, 30, 8), MISSING)
    half = found.right.mask.voxels.copy()
    half[:, :30] = False
    drawn = Shape("h", "a", (), MaskRegion(half, (0, 0, 0)))
    share = undone_share(MISSING, found.right, None, [drawn], SIZE)
    assert share == pytest.approx(half.sum() / found.right.mask.voxels.sum())
    assert undone_share(MISSING, found.right, None, [Shape("h", "b", (), drawn.mask)], SIZE) == 0.0


@pytest.mark.parametrize("kind", [MOVED, MISSING, CLASS])
def test_points_are_undone_or_not(kind):
    found = planted(point(20, 20), kind)
    assert undone_share(kind, found.right, found.wrong, found.shapes, SIZE) == 0.0
    assert undone_share(kind, found.right, found.wrong, [point(21, 20)], SIZE) == 1.0


def test_nothing_is_planted_where_nothing_is_drawn():
    rng = np.random.default_rng(0)
    assert plant([], ontology, GRIDS, rng) is None
    assert plant([Shape("t", "a")], ontology, GRIDS, rng) is None
    assert plant([Shape("t", "a", (), MaskRegion(np.zeros((1, 2, 2), bool)))], ontology, GRIDS, rng) is None
    assert plant([disc(30, 30, 8)], ontology, {}, rng) is None


def test_the_same_draw_plants_the_same_error():
    first, second = (plant([disc(30, 30, 8), square(5, 5, 9)], ontology, GRIDS, np.random.default_rng(3)) for _ in "ab")
    assert first.kind == second.kind
    assert first.right.shape_id == second.right.shape_id
