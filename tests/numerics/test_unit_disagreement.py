"""Disagreement of single units: whose part it is, the worst pair, the spread of sizes, ranks with undefined distances, maps.

Planted once and seen to fail: the rater's own pairs counted among those without them; undefined distances ranked best;
ties ranked in the order of listing; the standard deviation over n; the rater's own vote counted among the others'.
"""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelhub.numerics.disagreement import signed_map
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.unit_disagreement import rank_then_aggregate, rater_parts, size_variation, worst_pair

NAN = math.nan


@st.composite
def distance_tables(draw):
    """Symmetric tables of up to five raters with gaps."""
    n = draw(st.integers(0, 5))
    table = np.full((n, n), NAN)
    for i in range(n):
        for j in range(i):
            table[i, j] = table[j, i] = draw(st.one_of(st.just(NAN), st.integers(0, 9).map(float)))
    return table


@given(distance_tables())
@settings(max_examples=200, deadline=None)
def test_parts_of_raters_equal_their_slow_twin(table):
    n = len(table)
    pairs = {(i, j): table[i, j] for j in range(n) for i in range(j) if not math.isnan(table[i, j])}
    for part in rater_parts(table):
        own = [value for pair, value in pairs.items() if part.rater in pair]
        rest = [value for pair, value in pairs.items() if part.rater not in pair]
        assert part.n_pairs == len(own)
        if own and rest:
            assert part.part == pytest.approx(statistics.mean(pairs.values()) - statistics.mean(rest))
            assert part.reason is None
        else:
            assert math.isnan(part.part)
            assert part.reason


@given(distance_tables(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_worst_pair_equals_looking_at_all(table, random):
    n = len(table)
    lone = np.zeros((n, n), dtype=bool)
    for i in range(n):
        for j in range(i):
            lone[i, j] = lone[j, i] = random.random() < 0.2
    found = worst_pair(table, lone)
    known = [table[i, j] for j in range(n) for i in range(j) if not lone[i, j] and not math.isnan(table[i, j])]
    assert found.n_undefined == lone.sum() // 2
    assert (found.for_ranking == math.inf) == lone.any()
    if known:
        assert found.value == max(known) == table[found.first, found.second]
        assert found.n_pairs == len(known)
    else:
        assert math.isnan(found.value)
        assert found.reason


def slow_ranks(row, worst):
    """Of each thing of one unit: one more than are better, and half of those that are as good."""
    ranked = [k for k, value in enumerate(row) if worst[k] or not math.isnan(value)]
    key = [(1, 0.0) if worst[k] else (0, row[k]) for k in range(len(row))]
    ranks = [NAN] * len(row)
    if len(ranked) >= 2:
        for k in ranked:
            better = sum(key[other] < key[k] for other in ranked)
            alike = sum(key[other] == key[k] for other in ranked) - 1
            ranks[k] = 1 + better + alike / 2
    return ranks


GAPPY = st.one_of(st.just(NAN), st.integers(0, 4).map(float), st.just(math.inf))


@given(st.data(), hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5))
@settings(max_examples=200, deadline=None)
def test_mean_ranks_equal_their_slow_twin(data, shape):
    values = data.draw(hnp.arrays(np.float64, shape, elements=GAPPY))
    worst = data.draw(hnp.arrays(np.bool_, shape))
    found = rank_then_aggregate(values, lower_is_better=True, is_worst=worst)
    slow = np.array([slow_ranks(row, lone) for row, lone in zip(values, worst, strict=True)]).reshape(shape)
    assert np.array_equal(found.ranks, slow, equal_nan=True)
    for thing in range(shape[1]):
        own = [rank for rank in slow[:, thing] if not math.isnan(rank)]
        assert found.n_units[thing] == len(own)
        assert (
            found.mean_rank[thing] == pytest.approx(statistics.mean(own)) if own else math.isnan(found.mean_rank[thing])
        )


def test_who_drew_nothing_is_ranked_last_and_not_rewarded_by_the_mean():
    """The contract of empty masks: NaN in a mean, the worst in a ranking."""
    hd95 = np.array([[4.0, 5.0, 6.0], [4.0, 5.0, 6.0], [4.0, NAN, NAN]])
    found = rank_then_aggregate(hd95, lower_is_better=True, is_worst=np.isnan(hd95))
    assert found.ranks[2].tolist() == [1.0, 2.5, 2.5], "the two worst are tied"
    assert found.mean_share.tolist() == pytest.approx([0.0, (0.5 + 0.5 + 0.75) / 3, (1 + 1 + 0.75) / 3])
    assert found.n_worst.tolist() == [0, 1, 1]
    left_out = rank_then_aggregate(hd95, lower_is_better=True)
    assert left_out.n_units.tolist() == [2, 2, 2], "one thing alone is not ranked"


def test_overlaps_are_ranked_the_other_way_round():
    assert rank_then_aggregate([[0.9, 0.5]], lower_is_better=False).ranks.tolist() == [[1.0, 2.0]]


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
                  elements=st.one_of(st.just(NAN), st.integers(0, 50).map(float))))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_variation_of_sizes_equals_its_slow_twin(sizes):
    for row, value in zip(sizes, size_variation(sizes), strict=True):
        own = [size for size in row if not math.isnan(size)]
        if len(own) >= 2 and sum(own):
            assert value == pytest.approx(statistics.stdev(own) / statistics.mean(own))
        else:
            assert math.isnan(value)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(2, 4), st.integers(1, 4), st.integers(1, 4))))
@settings(max_examples=100, deadline=None)
def test_the_signed_map_equals_its_slow_twin(masks):
    found = signed_map([PlacedMask(mask, (0, 0)) for mask in masks])
    n = len(masks)
    for rater in range(n):
        for place in np.ndindex(*found.deviation.shape[1:]):
            voxel = tuple(a + b for a, b in zip(place, found.origin, strict=True))
            others = [masks[other][voxel] for other in range(n) if other != rater]
            assert found.deviation[(rater, *place)] == pytest.approx(masks[rater][voxel] - sum(others) / (n - 1))


def test_the_one_who_draws_too_large_adds_and_the_others_do_not():
    small, large = np.zeros((9, 9), dtype=bool), np.zeros((9, 9), dtype=bool)
    small[3:6, 3:6], large[2:7, 2:7] = True, True
    found = signed_map([PlacedMask(mask, (0, 0)) for mask in (small, small, large)])
    assert (found.deviation[2] >= 0).all()
    assert found.deviation[2].sum() == 16
    assert (found.deviation[0] <= 0).all()


def test_masks_of_which_all_are_empty_have_no_map_to_show():
    nothing = PlacedMask(np.zeros((0, 0), dtype=bool), (0, 0))
    assert signed_map([nothing, nothing]).deviation.shape == (2, 0, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rater_parts([[0, 1]]), r"distances have shape \(1, 2\)"),
        (lambda: rater_parts([[0, 1], [2, 0]]), "not symmetric"),
        (lambda: rater_parts([[0, -1], [-1, 0]]), "below 0"),
        (lambda: worst_pair([[0, math.inf], [math.inf, 0]]), "an infinite number"),
        (lambda: worst_pair([[0, 1], [1, 0]], [True]), r"only_one has shape \(1,\)"),
        (lambda: size_variation([1, 2]), r"sizes have shape \(2,\)"),
        (lambda: size_variation([[1, -2]]), "at least 0"),
        (lambda: rank_then_aggregate([1, 2], lower_is_better=True), "1 dimensions"),
        (lambda: rank_then_aggregate([[1, 2]], lower_is_better=True, is_worst=[[True]]), "is_worst has shape"),
        (lambda: signed_map([PlacedMask(np.ones((1, 1), dtype=bool), (0, 0))]), "masks holds 1 masks"),
    ],
)
def test_impossible_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
