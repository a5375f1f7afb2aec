"""Means of scores that come in groups: Student's interval where every value is its own group, a wider one elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from labelhub.numerics.means import clustered_mean


def test_ungrouped_values_get_students_interval():
    values = np.random.default_rng(1).normal(6, 2, 15)
    found = clustered_mean(values, range(15))
    low, high = stats.t.interval(0.95, 14, values.mean(), values.std(ddof=1) / math.sqrt(15))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_values_that_only_repeat_their_group_say_no_more_than_the_groups():
    apart = clustered_mean([4.0, 6.0, 8.0], ["a", "b", "c"])
    doubled = clustered_mean([4.0, 4.0, 6.0, 6.0, 8.0, 8.0], ["a", "a", "b", "b", "c", "c"])
    assert (doubled.value, doubled.low, doubled.high) == pytest.approx((apart.value, apart.low, apart.high))
    assert (doubled.n, doubled.n_groups) == (6, 3)


@pytest.mark.parametrize("n_in_group", [1, 6])
def test_the_interval_covers_the_mean_of_the_groups(n_in_group):
    rng = np.random.default_rng(2)
    n_groups, hits = 20, 0
    for _ in range(400):
        centres = rng.normal(5, 2, n_groups)
        values = (centres[:, None] + rng.normal(0, 0.5, (n_groups, n_in_group))).ravel()
        found = clustered_mean(values, np.repeat(np.arange(n_groups), n_in_group).tolist())
        hits += found.low <= 5 <= found.high
    # Binomial(400, .95): three standard errors are .033.
    assert abs(hits / 400 - 0.95) < 0.033


def test_nothing_and_a_single_group_have_a_reason_and_no_interval():
    nothing = clustered_mean([], [])
    assert (math.isnan(nothing.value), nothing.reason) == (True, "no scores")
    single = clustered_mean([3.0, 5.0], ["a", "a"])
    assert (single.value, math.isnan(single.low), single.n_groups) == (4.0, True, 1)
    assert "patients" in (single.interval_reason or "")


@pytest.mark.parametrize(("values", "groups"), [([1.0], []), ([math.nan], ["a"]), ([[1.0]], ["a"])])
def test_what_is_no_score_with_a_group_is_refused(values, groups):
    with pytest.raises(ValueError, match="one finite value and group each"):
        clustered_mean(values, groups)
