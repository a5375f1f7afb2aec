"""Matching: optimal pairs, clusters of any number of raters, and their invariances."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics.geometry import box_iou
from labelhub.numerics.matching import cluster_objects, match_pair, stack_found


def random_objects(seed, n_raters=4, n_true=5):
    """Boxes of several raters of the same things, all similarities different."""
    rng = np.random.default_rng(seed)
    boxes, raters, things = [], [], []
    for rater in range(n_raters):
        for thing in range(n_true):
            if rng.random() < 0.8:
                corner = np.array([thing * 30, 10]) + rng.normal(0, 1.5, 2)
                boxes.append([*corner, *(corner + 20 + rng.normal(0, 1.5, 2))])
                raters.append(rater)
                things.append(thing)
    return np.array(boxes).reshape(-1, 4), np.array(raters, dtype=int), np.array(things)


def partition(clusters, names):
    groups: dict[int, set[int]] = {}
    for name, cluster in zip(names, clusters.cluster.tolist(), strict=True):
        groups.setdefault(cluster, set()).add(name)
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
def test_match_pair_finds_the_best_total_of_all_assignments(n_first, n_second, seed):
    table = np.random.default_rng(seed).random((n_first, n_second))
    found = match_pair(table, 0.3)
    padded = np.where(table >= 0.3, table, 0.0)
    small, large = sorted((n_first, n_second))
    wide = padded if n_first <= n_second else padded.T
    best = max(sum(wide[i, p[i]] for i in range(small)) for p in permutations(range(large), small))
    assert found.similarity.sum() == pytest.approx(best)
    assert (found.similarity >= 0.3).all()
    assert len(set(found.first.tolist())) == len(found.first)
    assert sorted([*found.first.tolist(), *found.unmatched_first.tolist()]) == list(range(n_first))
    assert sorted([*found.second.tolist(), *found.unmatched_second.tolist()]) == list(range(n_second))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 4]))
def test_clusters_find_the_true_things_and_hold_one_object_a_rater(seed, n_raters):
    boxes, raters, things = random_objects(seed, n_raters)
    found = cluster_objects(box_iou(boxes, boxes), raters, 0.1, n_raters=n_raters)
    truth = {frozenset(np.nonzero(things == thing)[0].tolist()) for thing in set(things.tolist())}
    assert partition(found, range(len(boxes))) == truth
    for row in found.members:
        owners = raters[row[row >= 0]]
        assert len(set(owners.tolist())) == len(owners)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 0.6]), st.randoms(use_true_random=False))
def test_the_order_of_objects_and_the_numbering_of_raters_do_not_matter(seed, threshold, random):
    rng = np.random.default_rng(seed)
    n, n_raters = 12, 4
    table = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    table = np.maximum(table, table.T)
    np.fill_diagonal(table, 1.0)
    raters = rng.integers(0, n_raters, n)
    order, rename = list(range(n)), list(range(n_raters))
    random.shuffle(order)
    random.shuffle(rename)
    one = cluster_objects(table, raters, threshold, n_raters=n_raters)
    other = cluster_objects(table[np.ix_(order, order)], np.array(rename)[raters[order]], threshold, n_raters=n_raters)
    assert partition(one, range(n)) == partition(other, order)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.4]))
def test_no_cluster_ever_holds_two_objects_of_a_rater_and_no_object_is_lost(seed, threshold):
    rng = np.random.default_rng(seed)
    table = rng.random((14, 14))
    table = np.maximum(table, table.T)
    raters = rng.integers(0, 3, 14)
    found = cluster_objects(table, raters, threshold, n_raters=4)
    placed = [
        (int(index), rater, number)
        for number, row in enumerate(found.members)
        for rater, index in enumerate(row)
        if index >= 0
    ]
    assert sorted(index for index, _, _ in placed) == list(range(14))
    assert all(raters[index] == rater and found.cluster[index] == number for index, rater, number in placed)
    assert (found.members[:, 3] == -1).all()


def test_ties_are_decided_the_same_way_each_time():
    table = np.full((6, 6), 0.5)
    raters = [0, 0, 1, 1, 2, 2]
    runs = {cluster_objects(table, raters, 0.5).cluster.tobytes() for _ in range(3)}
    assert len(runs) == 1
    assert cluster_objects(table, raters, 0.5).n_found.tolist() == [3, 3]


def test_a_rater_who_marked_nothing_has_a_cell_not_annotated():
    found = cluster_objects(np.eye(1), [1], 0.5, n_raters=3)
    assert found.members.tolist() == [[-1, 0, -1]]
    assert found.found.tolist() == [[0.0, 1.0, 0.0]]
    assert found.unmatched.tolist() == [0]


def test_an_item_read_by_three_and_empty_for_all_has_no_clusters():
    found = cluster_objects(np.empty((0, 0)), [], 0.5, n_raters=3)
    assert (found.n_clusters, found.members.shape, found.table([]).shape) == (0, (0, 3), (0, 3))
    assert stack_found([]).shape == (0, 0)


def test_values_are_laid_out_by_cluster_and_rater():
    alike = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])
    found = cluster_objects(alike, [0, 1, 1], 0.5, n_raters=3)
    ratings = found.table([4, 5, 2])
    np.testing.assert_array_equal(ratings, [[4, 5, math.nan], [math.nan, 2, math.nan]])
    assert found.table([4, 5, 2], not_annotated=-1.0).tolist() == [[4, 5, -1], [-1, 2, -1]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.eye(2), [0, 1], 0.0), "threshold is 0"),
        ((np.eye(3), [0, 1], 0.5), "it must be"),
        ((np.array([[1, 0.2], [0.3, 1]]), [0, 1], 0.5), "not symmetric"),
        ((np.eye(2), [0, -1], 0.5), "raters run from -1"),
    ],
)
def test_impossible_input_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        cluster_objects(*arguments)
