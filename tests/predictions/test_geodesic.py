"""Proposals from what was pointed at: shortest ways against a slow obvious twin, and what must hold whatever the picture.

Planted and seen to fail: sweeps that only go forth; a step along z that costs as much as one along x; parts kept that
nothing points at; half of the way in place of the strongest edge; a press outside that adds; values that are not on one scale.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from labelhub.predictions import geodesic, marks
from labelhub.predictions.geodesic import CHANGE, STEP, UNLIKE, distance, propose
from labelhub.predictions.interactive import CLASSICAL, interactive_of, register_interactive
from labelhub.predictions.marks import Hints, HintsRefused, seeds_of
from labelhub.predictions.predictor import NoSuchPredictor

pictures = arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(2, 7), st.integers(2, 7)),
                         elements=st.floats(0, 1, width=32))  # fmt: skip


def disc(side=64, radius=15, at=(30, 34), noise=0.0, depth=1, thickness=1.0) -> tuple[np.ndarray, np.ndarray]:
    z, y, x = np.ogrid[:depth, :side, :side]
    truth = ((z - depth // 2) * thickness) ** 2 + (y - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2
    grey = np.where(truth, 150.0, 100.0) + np.random.default_rng(3).normal(0, noise, truth.shape)
    return grey, truth


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def dijkstra(values: np.ndarray, seeds: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The obvious way: one voxel after another, the nearest first."""
    kinds = sorted(float(value) for value in values[seeds])
    kinds = [kinds[at] for at in sorted({round(place) for place in np.linspace(0, len(kinds) - 1, geodesic.KINDS)})]
    unlike = np.min([np.abs(values - kind) for kind in kinds], axis=0)
    cost = np.where(seeds, 0.0, np.inf)
    queue = [(0.0, tuple(int(v) for v in place)) for place in np.argwhere(seeds)]
    while queue:
        far, place = heapq.heappop(queue)
        for axis in range(3):
            for way in (-1, 1):
                to = tuple(v + way * (at == axis) for at, v in enumerate(place))
                if not all(0 <= v < side for v, side in zip(to, values.shape, strict=True)):
                    continue
                step = CHANGE * abs(values[to] - values[place])
                step += steps[axis] * (STEP + UNLIKE * (unlike[to] + unlike[place]) / 2)
                if far + step < cost[to]:
                    cost[to] = far + step
                    heapq.heappush(queue, (far + step, to))
    return cost


@given(pictures, st.data())
@settings(max_examples=60, deadline=None)
def test_sweeps_find_the_cheapest_ways(values, data):
    n = data.draw(st.integers(1, 3))
    seeds = np.zeros(values.shape, bool)
    for _ in range(n):
        seeds[tuple(data.draw(st.integers(0, side - 1)) for side in values.shape)] = True
    spacing = tuple(data.draw(st.sampled_from((1.0, 2.0, 3.5))) for _ in range(3))
    expected = dijkstra(values.astype(float), seeds, np.asarray(spacing) / min(spacing))
    # What winds more often than there are rounds costs more here, never less.
    found = distance(values[..., None], seeds, spacing)
    assert (found >= expected - 1e-4).all()
    assert np.median(np.abs(found - expected)) < 2e-3
    assert np.abs(found - expected).max() < 0.1


@given(pictures, st.data())
@settings(max_examples=40, deadline=None)
def test_what_was_pointed_at_holds_in_any_picture(values, data):
    places = [tuple(int(v) for v in place) for place in np.argwhere(np.ones(values.shape))]
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=2, max_size=6, unique=True))
    inside, outside = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    level = data.draw(st.integers(-10, 10))
    found = propose(values, Hints(tuple(inside), tuple(outside)), level=level)
    assert all(found.mask[place] for place in inside)
    assert not any(found.mask[place] for place in outside)
    parts, n = ndimage.label(found.mask)
    assert {int(parts[place]) for place in inside} == set(range(1, n + 1)), "a part that nothing points at"
    assert ((found.certainty >= 0) & (found.certainty <= 1)).all()


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_one_press_finds_a_disc_and_a_ball(noise):
    for depth in (1, 33):
        grey, truth = disc(noise=noise, depth=depth)
        assert dice(propose(grey, Hints(((depth // 2, 28, 30),))).mask, truth) > 0.95


def test_a_second_disc_that_touches_is_taken_away_by_a_negative_press():
    one, truth = disc(at=(30, 20), radius=11)
    other = disc(at=(30, 43), radius=11)[1]
    grey = np.where(other, 150.0, one)
    grey[:, 28:33, 20:44] = 150.0
    both = propose(grey, Hints(((0, 30, 16),))).mask
    assert both[0, 30, 47]
    apart = propose(grey, Hints(((0, 30, 16),), ((0, 30, 47),))).mask
    assert dice(apart, truth) > 0.9


@pytest.mark.parametrize("outside", [(0, 36, 44), (0, 30, 25), (0, 3, 3), (0, 60, 60)])
def test_a_press_outside_takes_away_and_never_adds(outside):
    grey, _ = disc(noise=6.0)
    before = propose(grey, Hints(((0, 30, 34),))).mask
    after = propose(grey, Hints(((0, 30, 34),), (outside,))).mask
    assert not (after & ~before).any()
    assert after.sum() < before.sum() or not before[outside]


def test_a_box_alone_strokes_and_extreme_points_find_it_too():
    grey, truth = disc(noise=5.0)
    assert dice(propose(grey, Hints(box=((0, 12, 16), (1, 48, 52)))).mask, truth) > 0.93
    line = ((0, 24, 30), (0, 36, 38))
    assert dice(propose(grey, Hints(positive_strokes=(line,))).mask, truth) > 0.95
    extreme = ((0, 15, 34), (0, 45, 34), (0, 30, 19), (0, 30, 49))
    assert dice(propose(grey, Hints(extreme=extreme)).mask, truth) > 0.93


def test_nothing_outside_a_box_is_proposed():
    grey, _ = disc()
    mask = propose(grey, Hints(((0, 30, 34),), box=((0, 20, 20), (1, 40, 40)))).mask
    assert mask.any()
    outside = np.ones_like(mask)
    outside[:, 20:40, 20:40] = False
    assert not (mask & outside).any()


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-6, 4)])
def test_moving_the_picture_moves_the_answer(shift):
    grey, _ = disc(noise=6.0)
    moved = np.roll(grey, shift, axis=(1, 2))
    here = propose(grey, Hints(((0, 30, 34),))).mask
    there = propose(moved, Hints(((0, 30 + shift[0], 34 + shift[1]),))).mask
    assert dice(np.roll(here, shift, axis=(1, 2)), there) > 0.99


def test_brightness_and_contrast_do_not_matter():
    grey, _ = disc(noise=6.0)
    hints = Hints(((0, 30, 34),), ((0, 5, 5),))
    assert np.array_equal(propose(grey, hints).mask, propose(3.0 * grey - 700.0, hints).mask)


def test_spacing_matters():
    """In a grey desert only the way counts: four thin slices are a shorter way than ten pixels, four thick ones a longer."""
    hints = Hints(((4, 1, 0),), ((0, 1, 10),))
    fine, thick = (propose(np.full((9, 3, 21), 7.0), hints, spacing_mm=(step, 1.0, 1.0)).mask for step in (1.0, 8.0))
    assert fine[0, 1, 0]
    assert not thick[0, 1, 0]
    way_fine, way_thick = (
        distance(np.zeros((21, 3, 21, 1), np.float32), _only((21, 3, 21), (10, 1, 0)), spacing)
        for spacing in ((1.0, 1.0, 1.0), (8.0, 1.0, 1.0))
    )
    assert way_thick[0, 1, 0] == pytest.approx(8 * way_fine[0, 1, 0], rel=1e-4)
    assert way_thick[10, 1, 20] == pytest.approx(way_fine[10, 1, 20], rel=1e-4)


def test_more_and_less_are_in_order_and_colour_counts():
    grey, _ = disc(noise=6.0)
    sizes = [
        int(propose(grey, Hints(((0, 30, 34),), ((0, 5, 5),)), level=level).mask.sum()) for level in (-9, -3, 0, 3, 9)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    # Two colours of one brightness.
    truth = disc()[1]
    colour = np.where(truth[..., None], (200.0, 60.0, 100.0), (60.0, 200.0, 100.0))
    assert dice(propose(colour, Hints(((0, 30, 34),))).mask, truth) > 0.95


def test_a_flat_picture_and_one_without_numbers_give_an_answer():
    for picture in (np.full((1, 9, 9), 5.0), np.full((1, 9, 9), np.nan), np.where(np.eye(9) > 0, np.inf, 1.0)[None]):
        mask = propose(picture, Hints(((0, 4, 4),))).mask
        assert mask[0, 4, 4]
        assert mask.dtype == np.bool_


def test_equal_input_gives_an_equal_answer_and_the_pixels_stay_as_they_are():
    grey, _ = disc(noise=6.0, depth=9)
    before = grey.copy()
    hints = Hints(((4, 30, 34),), ((4, 5, 5),))
    assert np.array_equal(propose(grey, hints).certainty, propose(grey, hints).certainty)
    assert np.array_equal(grey, before)


def test_work_can_be_ended_from_outside():
    grey, _ = disc()

    def stop() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        propose(grey, Hints(((0, 30, 34),)), check=stop)


@pytest.mark.parametrize(
    "hints",
    [
        Hints(),
        Hints(negative=((0, 1, 1),)),
        Hints(((0, 1, 64),)),
        Hints(((0, -1, 1),)),
        Hints(((0, 1, 1),), ((0, 1, 1),)),
        Hints(box=((0, 5, 5), (1, 5, 9))),
        Hints(box=((0, 5, 5), (2, 9, 9))),
        Hints(extreme=((0, 5, 5), (0, 9, 9))),
    ],
)
def test_hints_that_mean_nothing_are_refused_in_a_sentence(hints):
    with pytest.raises(HintsRefused, match=r"\.$") as refusal:
        propose(disc()[0], hints)
    assert refusal.value.status == 400


def test_a_press_covers_a_neighbour_unless_another_was_pressed_exactly():
    seeds = seeds_of(Hints(((0, 5, 5),), ((0, 5, 6),)), (1, 9, 9), (1.0, 1.0, 1.0))
    assert seeds.inside[0, 5, 5]
    assert seeds.outside[0, 5, 6]
    assert not (seeds.inside & seeds.outside).any()
    # Three millimetres away is no neighbour.
    thick = seeds_of(Hints(((1, 5, 5),)), (3, 9, 9), (3.0, 1.0, 1.0))
    assert not thick.inside[[0, 2]].any()
    assert thick.inside[1].sum() == 5
    assert marks.border((1, 3, 4)).sum() == 10


def test_ways_to_answer_are_found_by_name():
    assert interactive_of(CLASSICAL, {}).is_trained is False
    with pytest.raises(NoSuchPredictor, match="Nothing called 'net'"):
        interactive_of("net", {})
    register_interactive("net", lambda parameters: parameters["made"])
    try:
        made: Any = "it"
        assert interactive_of("net", {"made": made}) is made
    finally:
        from labelhub.predictions import interactive

        del interactive._factories["net"]


def _only(shape: tuple[int, int, int], place: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[place] = True
    return mask
