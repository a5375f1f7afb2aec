"""The simulated person who clicks: the middle of the largest error, in millimetres, with the misses they are given.

Planted and seen to fail: the smallest part in place of the largest; the distance in voxels; jitter in voxels of each axis.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.clicks import Click, clicks_to, next_click

SURE = {"jitter_px": 0.0, "wrong_share": 0.0}


def square(y: int, x: int, side: int, shape=(1, 40, 40)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[:, y : y + side, x : x + side] = True
    return mask


def click(truth, given, seed=0, **rest) -> Click | None:
    return next_click(truth, given, rng=np.random.default_rng(seed), **(SURE | rest))


def test_the_middle_of_the_largest_error_is_clicked_inside_or_outside():
    truth = square(5, 5, 9) | square(30, 30, 3)
    assert click(truth, np.zeros_like(truth)) == Click((0, 9, 9), True)
    assert click(square(30, 30, 3), truth) == Click((0, 9, 9), False)
    assert click(truth, square(5, 5, 9)) == Click((0, 31, 31), True)
    assert click(truth, truth) is None


def test_the_middle_is_one_in_millimetres_and_the_images_border_is_a_border():
    truth = np.zeros((9, 40, 40), bool)
    truth[0:3, 0:11, 0:40] = True
    thick = click(truth, np.zeros_like(truth), spacing_mm=(10.0, 1.0, 1.0))
    assert thick is not None
    assert thick.place[1] == 5
    thin = click(truth, np.zeros_like(truth), spacing_mm=(1.0, 10.0, 1.0))
    assert thin is not None
    assert thin.place[0] == 1


def test_misses_have_the_spread_and_the_share_that_they_are_given():
    truth = square(20, 20, 61, shape=(1, 100, 100))
    rng = np.random.default_rng(4)
    found = [next_click(truth, np.zeros_like(truth), rng=rng) for _ in range(4000)]
    places = np.array([one.place for one in found])
    assert set(places[:, 0]) == {0}, "a slice has no jitter along itself"
    assert places[:, 1:].std(axis=0) == pytest.approx([3.0, 3.0], rel=0.06)
    assert np.mean([not one.is_inside for one in found]) == pytest.approx(0.05, abs=0.012)


def test_jitter_is_in_pixels_of_the_finest_axis():
    truth = np.ones((41, 41, 41), bool)
    rng = np.random.default_rng(4)
    given = np.zeros_like(truth)
    spacing = (3.0, 1.0, 1.0)
    places = np.array(
        [next_click(truth, given, rng=rng, spacing_mm=spacing, wrong_share=0.0).place for _ in range(300)]
    )
    assert places.std(axis=0)[0] < 1.5 < places.std(axis=0)[1]


def test_the_number_of_clicks_is_that_of_the_first_that_reached_it():
    assert clicks_to(np.array([0.5, 0.9, 0.7]), 0.85) == 2
    assert clicks_to(np.array([0.5]), 0.85) is None
    assert clicks_to(np.array([]), 0.85) is None


def test_masks_of_unlike_shapes_are_refused():
    with pytest.raises(ValueError, match="of one shape"):
        click(np.ones((1, 4, 4), bool), np.ones((1, 4, 5), bool))
    with pytest.raises(ValueError, match=r"masks \[z, y, x\]"):
        click(np.ones((4, 4), bool), np.ones((4, 4), bool))


@pytest.mark.parametrize(
    "given", [{"jitter_px": -1.0}, {"wrong_share": 1.5}, {"jitter_px": np.inf}, {"spacing_mm": (0.0, 1.0, 1.0)}]
)
def test_numbers_out_of_range_are_refused(given):
    mask = np.zeros((1, 5, 5), dtype=bool)
    with pytest.raises(ValueError, match=next(iter(given))):
        next_click(mask, mask, rng=np.random.default_rng(0), **given)
