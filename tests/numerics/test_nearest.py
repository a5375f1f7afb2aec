"""The nearest grid points: against looking at every voxel, wherever the columns end and the tree begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics import nearest
from labelhub.numerics.nearest import margin_of, nearest_distances, neighbour_steps, with_margin, without_margin
from labelhub.numerics.surfaces import surface
from labelhub.numerics.surfels import neighbour_codes, surfel_areas, surfel_distances

SPACINGS = st.sampled_from([0.05, 0.5, 1.0, 3.0, 40.0])


@st.composite
def mask_pairs(draw, *, least_axes=1, least_side=1):
    """Two masks of up to three axes that both hold a voxel, thin along some axes and longer than the search along others."""
    shape = tuple(draw(st.lists(st.sampled_from([least_side, 2, 3, 4]), min_size=least_axes, max_size=3)))
    axis = draw(st.integers(0, len(shape) - 1))
    shape = (*shape[:axis], shape[axis] * draw(st.sampled_from([1, 20])), *shape[axis + 1 :])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pair = [rng.random(shape) < draw(st.sampled_from([0.003, 0.05, 0.5, 0.95])) for _ in range(2)]
    for mask in pair:
        mask.reshape(-1)[rng.integers(mask.size)] = True
    return (*pair, tuple(draw(SPACINGS) for _ in shape))


def slow_nearest(points, others, spacing):
    a, b = (np.argwhere(mask) * np.array(spacing) for mask in (points, others))
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min(axis=1)


@settings(max_examples=300, deadline=None)
@given(mask_pairs(), st.sampled_from([1, 8, 400]), st.sampled_from([1, 5, 1 << 16]), st.sampled_from([2, 254]))
def test_distances_equal_those_to_every_voxel_in_the_order_of_the_points(pair, most, chunk, far):
    """Also where columns are few, points come in many pieces, the byte of a distance runs full, or threads ask the tree."""
    points, others, spacing = pair
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_MOST_COLUMNS", most), ("_CHUNK", chunk), ("_FAR", far), ("_WORTH_A_THREAD", 3 * chunk)):
            patch.setattr(nearest, name, value)
        found = nearest_distances(points, others, spacing)
    np.testing.assert_allclose(found, slow_nearest(points, others, spacing), rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(mask_pairs())
def test_surfaces_are_the_voxels_with_a_face_neighbour_outside(pair):
    mask = pair[0]
    around = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inner &= np.roll(around, step, axis)[(slice(1, -1),) * mask.ndim]
    np.testing.assert_array_equal(surface(mask), mask & ~inner)


@settings(max_examples=100, deadline=None)
@given(mask_pairs(least_axes=2, least_side=2))
def test_surfels_are_the_cells_that_are_neither_empty_nor_full(pair):
    first, second, spacing = pair
    found = surfel_distances(first, second, spacing_mm=spacing)
    borders = []
    for mask, area in ((first, found.area_first), (second, found.area_second)):
        codes = neighbour_codes(mask)
        borders.append((codes != 0) & (codes != 2**2**mask.ndim - 1))
        np.testing.assert_array_equal(np.sort(area), np.sort(surfel_areas(spacing)[codes[borders[-1]]]))
    np.testing.assert_allclose(found.from_first, slow_nearest(borders[0], borders[1], spacing), rtol=1e-12)
    np.testing.assert_allclose(found.from_second, slow_nearest(borders[1], borders[0], spacing), rtol=1e-12)


def test_a_step_beyond_a_row_ends_in_a_margin():
    mask = np.ones((2, 3, 4), dtype=bool)
    roomy = with_margin(mask, (1, 2, 3))
    assert roomy.shape == (4, 5, 7)
    np.testing.assert_array_equal(roomy[without_margin(mask.shape, (1, 2, 3))], mask)
    assert roomy.sum() == mask.sum()
    places = np.flatnonzero(roomy)
    for step in (-3, 3):
        beside = np.isin(places + step, places)
        assert beside.sum() == 6


def test_columns_are_asked_in_order_and_none_that_is_nearer_than_the_last_is_left_out():
    steps = neighbour_steps((2.0, 0.5), 40)
    lengths = np.hypot(*(steps * (2.0, 0.5)).T)
    assert (np.diff(lengths) >= 0).all()
    grid = np.stack(np.meshgrid(np.arange(-9, 10), np.arange(-30, 31)), axis=-1).reshape(-1, 2)
    nearer = grid[np.hypot(*(grid * (2.0, 0.5)).T) < lengths[-1]]
    assert {tuple(step) for step in nearer.tolist()} <= {tuple(step) for step in steps.tolist()}
    assert margin_of((1.0, 1.0, 1.0), (2, 50, 3)) == (1, 11, 3)
