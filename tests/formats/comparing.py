"""Compares what was written with what came back, shape by shape."""

from __future__ import annotations

import numpy as np

from labelhub.formats.rle import cropped
from labelhub.formats.shapes import AnnotationSet, MaskRegion, Region, Shape


def assert_same_readings(
    original: AnnotationSet, back: AnnotationSet, *, tolerance: float = 1e-9, ids: bool = True
) -> None:
    """Same raters, items, flags, answers and shapes in the same order; points within a tolerance, masks voxel by
    voxel.
    """
    by_key = {(r.item, r.rater, r.version): r for r in back.readings}
    assert set(by_key) == {(r.item, r.rater, r.version) for r in original.readings}
    for reading in original.readings:
        twin = by_key[reading.item, reading.rater, reading.version]
        assert twin.is_empty_read == reading.is_empty_read
        assert twin.read_kind == reading.read_kind
        assert twin.planned_blind == reading.planned_blind
        assert dict(twin.answers) == dict(reading.answers)
        assert len(twin.shapes) == len(reading.shapes)
        for mine, other in zip(reading.shapes, twin.shapes, strict=True):
            assert_same_shape(mine, other, tolerance=tolerance, ids=ids)


def assert_same_shape(mine: Shape, other: Shape, *, tolerance: float, ids: bool) -> None:
    assert other.label == mine.label
    if ids:
        assert other.shape_id == mine.shape_id
    assert dict(other.attributes) == dict(mine.attributes)
    assert len(other.regions) == len(mine.regions)
    for a, b in zip(mine.regions, other.regions, strict=True):
        assert_same_region(a, b, tolerance)
    assert (mine.mask is None) == (other.mask is None)
    if mine.mask is not None and other.mask is not None:
        assert_same_mask(mine.mask, other.mask)


def assert_same_region(mine: Region, other: Region, tolerance: float) -> None:
    assert (other.kind, other.z, other.is_hole, other.visibility) == (mine.kind, mine.z, mine.is_hole, mine.visibility)
    assert other.edge_excluded == mine.edge_excluded
    assert abs(other.rotation_deg - mine.rotation_deg) <= tolerance
    assert np.allclose(other.points, mine.points, rtol=0, atol=tolerance)


def assert_same_mask(mine: MaskRegion, other: MaskRegion) -> None:
    mine, other = cropped(mine.voxels, mine.origin), cropped(other.voxels, other.origin)
    assert mine.voxels.any() == other.voxels.any()
    if mine.voxels.any():
        assert mine.origin == other.origin
        assert np.array_equal(mine.voxels, other.voxels)
