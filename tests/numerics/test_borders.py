"""Borders of masks: filled again they give the mask.

Planted once and seen to fail: rings that are not parted where they meet themselves. (Turning away from the pixel at a touch
was planted too and gives the same rings, because they are parted afterwards.)
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.borders import borders_of
from labelhub.numerics.rasterise import on_grid, polygon_mask


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.booleans()))
def test_each_pixel_lies_in_as_many_outlines_less_holes_as_it_should(mask: np.ndarray):
    total = np.zeros(mask.shape, dtype=int)
    for points, is_hole in borders_of(mask):
        filled = polygon_mask(points)
        total += (-1 if is_hole else 1) * on_grid(filled, mask.shape).astype(int)
    assert (total == mask).all()


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.booleans()))
def test_every_point_is_a_corner_and_no_ring_meets_itself(mask: np.ndarray):
    for points, _ in borders_of(mask):
        steps = np.diff(np.vstack([points, points[:1]]), axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all(), "along the sides of pixels"
        assert ((steps != 0)[:, 0] != (np.roll(steps, 1, axis=0) != 0)[:, 0]).all(), "each point turns"
        assert len({tuple(point) for point in points.tolist()}) == len(points)


def test_pixels_that_touch_at_a_corner_are_two():
    assert len(borders_of(np.eye(2, dtype=bool))) == 2


def test_an_empty_mask_has_no_border_and_a_volume_is_refused():
    assert borders_of(np.zeros((3, 3), dtype=bool)) == []
    with pytest.raises(ValueError, match="shape"):
        borders_of(np.zeros((2, 3, 3), dtype=bool))
