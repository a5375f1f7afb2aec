"""Tiring within a session: the slope, its interval, and what it must not be fooled by."""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.fatigue import fatigue_slope, sessions_of


def test_the_slope_equals_least_squares_with_a_constant_for_each_session():
    rng = np.random.default_rng(3)
    session = np.repeat(np.arange(5), 20)
    position = np.tile(np.arange(20), 5)
    right = rng.random(100) < 0.8
    design = np.column_stack([position, *(session == number for number in range(5))]).astype(float)
    expected = np.linalg.lstsq(design, right.astype(float), rcond=None)[0][0]
    assert fatigue_slope(right, position, session).value == pytest.approx(10 * expected, abs=1e-12)


def test_a_hard_day_is_not_taken_for_tiring():
    # Every answer of the long session is wrong, every one of the short session right: nothing falls within either.
    position = [*range(30), *range(5)]
    estimate = fatigue_slope([0] * 30 + [1] * 5, position, [0] * 30 + [1] * 5)
    assert estimate.value == 0.0


@pytest.mark.parametrize("n_sessions", [4, 12])
def test_the_interval_covers_a_known_slope_and_a_flat_line(n_sessions):
    rng = np.random.default_rng(11)
    position, session = np.tile(np.arange(30), n_sessions), np.repeat(np.arange(n_sessions), 30)
    for loss_an_item in (0.0, 0.012):
        covered = 0
        for _ in range(400):
            right = rng.random(position.size) < 0.9 - loss_an_item * position
            estimate = fatigue_slope(right, position, session)
            covered += estimate.low <= -10 * loss_an_item <= estimate.high
        assert covered / 400 >= 0.92


def test_the_order_of_sessions_does_not_matter():
    rng = np.random.default_rng(5)
    position, session = np.tile(np.arange(10), 6), np.repeat(np.arange(6), 10)
    right = rng.random(60) < 0.7
    shuffled = rng.permutation(60)
    first, second = (
        fatigue_slope(right[order], position[order], session[order]) for order in (np.arange(60), shuffled)
    )
    assert first.value == pytest.approx(second.value)
    assert first.low == pytest.approx(second.low)


@pytest.mark.parametrize(("right", "position", "session"), [([], [], []), ([1], [0], [0]), ([1, 0], [3, 4], [0, 1])])
def test_without_two_answers_in_a_session_there_is_no_slope_but_a_reason(right, position, session):
    estimate = fatigue_slope(right, position, session)
    assert np.isnan(estimate.value)
    assert "no session" in str(estimate.reason)


def test_two_answers_in_one_session_give_a_slope_without_an_interval():
    estimate = fatigue_slope([1, 0], [0, 10], [0, 0])
    assert estimate.value == pytest.approx(-1.0)
    assert np.isnan(estimate.low)
    assert estimate.interval_reason


def test_answers_that_cannot_be_judged_are_refused_by_name():
    with pytest.raises(ValueError, match="is_right, position or session holds NaN"):
        fatigue_slope([1.0, float("nan")], [0, 1], [0, 0])
    with pytest.raises(ValueError, match="one length"):
        fatigue_slope([1.0], [0, 1], [0, 0])


def test_a_pause_begins_a_session_and_times_must_ascend():
    assert sessions_of([0, 1800, 3601]).tolist() == [0, 0, 1]
    assert sessions_of([]).tolist() == []
    with pytest.raises(ValueError, match="ascending"):
        sessions_of([5, 4])
