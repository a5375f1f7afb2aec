"""The effort model: its published table, its counts against loops, and what must not change it.

The table (methods, section 7) gives draft Dice, added path over contour length, and the speed-up for three pairs of open and
review times, at .12 s a pixel and contours of about 14 s. How its contours and drafts were drawn is not printed: ellipses of
115 pixels and a boundary noise that changes over 3.5 px are ours, the same for all rows, with the noise of each row set so
that the mean Dice is the printed one; half a second a place is ours too. **What is not reproduced**: at Dice .981 our drafts
lack .04 of the contour where the table has .07, and so save more (2.8 and 3.9 against 2.6 and 3.6); put the printed path in
and the model gives 2.7. At Dice .73 they lack .68 in place of .77. All other speed-ups are within .15 of the printed ones. The
first row cannot be met in all columns by any contour length: 3.9 needs at most 13.8 s, 2.7 at least 13.9 s.

Planted once and seen to fail: review left out of the draft's time; the added path counted at a tolerance of 0; places counted
before they are joined; the false negative path inside the draft.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics.added_path import added_path_length
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.effort import (
    EffortCosts,
    false_negative_path_length,
    item_effort,
    least_contour_for,
    speed_up,
    speed_up_ceiling,
)
from labelhub.numerics.simulated import BoundaryFault, read_mask

COLUMNS = ((2.0, 2.0), (2.0, 4.0), (0.0, 2.0))
# Dice of the draft: share of the contour to add, speed-up for each pair of open and review seconds.
TABLE = {
    0.998: (0.0, (3.9, 2.7, 6.9)),
    0.981: (0.07, (2.6, 2.0, 3.6)),
    0.945: (0.33, (1.7, 1.4, 1.8)),
    0.905: (0.50, (1.3, 1.1, 1.4)),
    0.83: (0.67, (1.1, 1.0, 1.2)),
    0.73: (0.77, (1.0, 0.89, 1.1)),
}
NOT_REPRODUCED = {(0.981, 0), (0.981, 2)}
SMOOTHNESS_PX = 3.5


def ellipse(rng):
    y, x = np.mgrid[:96, :96] + 0.5
    centre = 48 + rng.uniform(-8, 8, 2)
    half = rng.uniform(19, 21.5) * np.exp(rng.uniform(-0.25, 0.25)), rng.uniform(19, 21.5)
    return ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 < 1


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@lru_cache(maxsize=1)
def contours():
    rng = np.random.default_rng(0)
    return [ellipse(rng) for _ in range(40)]


@lru_cache(maxsize=8)
def drafts_of(wanted):
    """Drafts whose mean Dice is the wanted one, by halving the range of the noise."""
    low, high = 0.0, 10.0
    for _ in range(11):
        noise = (low + high) / 2
        rng = np.random.default_rng(1)
        drafts = [read_mask(truth, BoundaryFault(0.0, noise, SMOOTHNESS_PX), rng) for truth in contours()]
        mean = np.mean([dice(draft, truth) for draft, truth in zip(drafts, contours(), strict=True)])
        low, high = (noise, high) if mean > wanted else (low, noise)
    return drafts


@pytest.mark.once
@pytest.mark.parametrize("wanted", TABLE)
def test_the_published_table_is_reproduced_within_what_it_prints(wanted):
    share, printed = TABLE[wanted]
    pairs = list(zip(drafts_of(wanted), contours(), strict=True))
    for column, (opening, review) in enumerate(COLUMNS):
        efforts = [item_effort(*pair, EffortCosts(open_s=opening, review_s=review)) for pair in pairs]
        ours = speed_up(efforts).value
        is_near = abs(ours - printed[column]) <= 0.15
        assert is_near != ((wanted, column) in NOT_REPRODUCED), (column, ours)
    added = sum(one.n_added for one in efforts) / sum(one.n_contour for one in efforts)
    assert added == pytest.approx(share, abs=0.1)
    assert sum(one.manual_s for one in efforts) / len(efforts) == pytest.approx(13.8, abs=0.4)


def test_with_the_printed_path_the_row_that_is_not_reproduced_is_2_7():
    manual, places = 2 + 13.74, 1.85
    assert manual / (4 + 0.07 * 13.74 + 0.5 * places) == pytest.approx(2.67, abs=0.01)


def test_a_draft_below_dice_85_does_not_pay_and_ten_times_needs_317_pixels():
    efforts = [
        item_effort(draft, truth, EffortCosts(review_s=4.0))
        for draft, truth in zip(drafts_of(0.73), contours(), strict=True)
    ]
    assert speed_up(efforts).value < 1
    assert least_contour_for(10.0) == pytest.approx(38 / 0.12)
    assert all(one.ceiling < 10 for one in efforts)


def slow_counts(draft, truth, tolerance, reach):
    """Contour, added path, false negative path and places of one plane, pixel by pixel."""

    def contour(mask):
        grid = np.pad(mask, 1)
        steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
        inside = [(y, x) for y, x in np.argwhere(grid)]
        return {(y - 1, x - 1) for y, x in inside if not all(grid[y + a, x + b] for a, b in steps)}

    def groups(points, limit):
        points, n = set(points), 0
        while points:
            n += 1
            waiting = [points.pop()]
            while waiting:
                here = waiting.pop()
                near = {other for other in points if math.dist(here, other) <= limit + 1e-9}
                points -= near
                waiting += near
        return n

    wanted, there = contour(truth), contour(draft)
    added = {p for p in wanted if all(math.dist(p, q) > tolerance + 1e-9 for q in there)}
    touching = math.sqrt(2)
    rest = {tuple(p) for p in np.argwhere(draft)}
    spurious = 0
    while rest:
        piece, waiting = set(), [rest.pop()]
        while waiting:
            here = waiting.pop()
            piece.add(here)
            near = {other for other in rest if math.dist(here, other) <= touching + 1e-9}
            rest -= near
            waiting += near
        spurious += not any(truth[p] for p in piece)
    missed = sum(not draft[p] for p in added)
    return len(wanted), len(added), missed, groups(added, max(reach, touching)) + spurious


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([0.0, 3.0, 12.0]))
def test_counts_are_those_of_loops_over_pixels(seed, tolerance, reach):
    rng = np.random.default_rng(seed)
    draft, truth = rng.random((2, 9, 11)) < rng.uniform(0.05, 0.6, (2, 1, 1))
    found = item_effort(draft, truth, EffortCosts(tolerance_px=tolerance, reach_px=reach))
    assert (found.n_contour, found.n_added, found.n_missed, found.n_places) == slow_counts(
        draft, truth, tolerance, reach
    )
    path = added_path_length(draft, truth, tolerance=tolerance)
    assert (found.n_contour, found.n_added) == (path.n_contour, path.n_added)
    assert false_negative_path_length(draft, truth, tolerance=tolerance) == found.n_missed


def test_turning_and_mirroring_an_item_costs_nothing():
    draft, truth = drafts_of(0.905)[0], contours()[0]
    found = item_effort(draft, truth)
    assert item_effort(draft.T, truth.T) == found
    assert item_effort(draft[::-1], truth[::-1]) == found
    assert item_effort(draft[None], truth[None]) == found


def test_a_volume_costs_its_planes_and_opens_once():
    draft, truth = np.stack(drafts_of(0.905)[:3]), np.stack(contours()[:3])
    costs = EffortCosts(review_plane_s=0.5)
    planes = [item_effort(a, b, costs) for a, b in zip(draft, truth, strict=True)]
    volume = item_effort(draft, truth, costs)
    assert volume.n_contour == sum(one.n_contour for one in planes)
    assert volume.n_places == sum(one.n_places for one in planes)
    assert volume.floor_s == pytest.approx(2 + 2 + 3 * 0.5)
    assert volume.assisted_s == pytest.approx(sum(one.assisted_s for one in planes) - 2 * (2 + 2))
    turned = item_effort(np.moveaxis(draft, 0, 2), np.moveaxis(truth, 0, 2), costs, plane_axis=2)
    assert turned == volume
    apart = np.zeros((5, 96, 96), dtype=bool)
    apart[[0, 4]] = contours()[:2]
    assert item_effort(apart, apart, costs).n_planes == 2, "a plane on which nothing is costs no look"


def test_what_is_not_there_costs_looking_and_deleting():
    nothing, dots = np.zeros((30, 30), dtype=bool), np.zeros((30, 30), dtype=bool)
    dots[2:5, 2:5] = dots[20:23, 20:23] = True
    empty = item_effort(nothing, nothing)
    assert (empty.manual_s, empty.assisted_s, empty.n_places) == (2.0, 4.0, 0)
    spurious = item_effort(dots, nothing)
    assert (spurious.assisted_s, spurious.n_added, spurious.n_places) == (5.0, 0, 2)
    missed = item_effort(nothing, dots)
    assert missed.n_added == missed.n_missed == missed.n_contour == 16
    free = EffortCosts(open_s=0, review_s=0, draw_s_per_px=0, edit_s_per_px=0, turn_s=0)
    assert math.isnan(item_effort(dots, dots, free).speed_up)
    assert math.isnan(item_effort(dots, dots, free).ceiling)
    assert least_contour_for(10.0, EffortCosts(draw_s_per_px=0)) == math.inf
    assert least_contour_for(0.4) == 0.0


def test_the_speed_up_of_a_project_is_a_ratio_of_totals_below_its_ceiling():
    efforts = [item_effort(a, b) for a, b in zip(drafts_of(0.981), contours(), strict=True)]
    found = speed_up(efforts, Resampling(np.random.default_rng(0), n_resamples=200))
    manual, assisted = sum(one.manual_s for one in efforts), sum(one.assisted_s for one in efforts)
    assert found.value == pytest.approx(manual / assisted)
    assert found.low < found.value < found.high < speed_up_ceiling(efforts).value
    assert (found.n, found.unit) == (40, "items")
    assert speed_up([]).reason == "no items"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: EffortCosts(open_s=-1), "open_s is -1"),
        (lambda: EffortCosts(turn_s=math.inf), "turn_s is inf"),
        (lambda: item_effort(np.ones((3, 3), dtype=bool), np.ones((3, 3), dtype=bool), plane_axis=3), "plane_axis is 3"),
        (lambda: least_contour_for(0.0), "wanted is 0.0"),
    ],
)  # fmt: skip
def test_what_costs_less_than_nothing_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
