"""Patterns of decisions and all pairs at once: against counting voxel by voxel, for every kind of array."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.all_pairs import compare_all
from labelhub.numerics.decision_patterns import decision_patterns, one_hot, pattern_counts
from labelhub.numerics.overlap import compare_masks
from tests.numerics.squares import SHIFTED, square

KINDS = [np.bool_, np.uint8, np.int8, np.int16, np.uint16, np.int32, np.int64]


@st.composite
def readings(draw):
    """Label maps of a few raters who mostly agree, in any kind of array."""
    kind = draw(st.sampled_from(KINDS))
    shape = draw(array_shapes(min_dims=2, max_dims=3, max_side=7))
    highest = 1 if kind == np.bool_ else 3
    scale = 1 if kind == np.bool_ or draw(st.booleans()) else 40
    truth = draw(arrays(np.int64, shape, elements=st.integers(0, highest)))
    maps = []
    for _ in range(draw(st.integers(1, 5))):
        other = draw(arrays(np.int64, shape, elements=st.integers(0, highest)))
        where = draw(arrays(np.bool_, shape))
        maps.append((np.where(where, truth, other) * scale).astype(kind))
    return maps


@settings(max_examples=120, deadline=None)
@given(readings())
def test_patterns_are_what_counting_voxel_by_voxel_finds(maps):
    found = decision_patterns(maps)
    columns = Counter(zip(*(one.reshape(-1).astype(int).tolist() for one in maps), strict=True))
    mine = {tuple(found.labels[row].tolist()): int(n) for row, n in zip(found.table, found.counts, strict=True) if n}
    assert mine == dict(columns)
    numbers = found.spread(np.arange(len(found.table)))
    for rater, one in enumerate(maps):
        np.testing.assert_array_equal(found.labels[found.table[numbers, rater]], one.astype(int))
    np.testing.assert_array_equal(one_hot(found).sum(axis=1), len(maps))


@settings(max_examples=80, deadline=None)
@given(readings())
def test_every_pair_equals_the_comparison_of_two_masks(maps):
    found = compare_all(maps, spacing_mm=(2.0,) * maps[0].ndim)
    for a, first in enumerate(maps):
        for b, second in enumerate(maps):
            for place, label in enumerate(found.labels):
                one = compare_masks(first == label, second == label, spacing_mm=(2.0,) * first.ndim)
                assert [found.dice[a, b, place], found.iou[a, b, place]] == pytest.approx(
                    [one.dice, one.iou], nan_ok=True
                )
                assert found.volume[a, place] == one.volume_first
                assert found.volume_difference(a, b)[place] == pytest.approx(one.volume_difference)
                assert found.edge_case(a, b, int(label)) == one.edge_case
                for other, given_label in enumerate(found.labels):
                    both = np.count_nonzero((first == label) & (second == given_label))
                    assert found.confusion[a, b, place, other] == both


def test_more_answers_than_a_word_can_number_are_still_told_apart():
    rng = np.random.default_rng(5)
    maps = [rng.integers(0, 200, size=(30, 31)).astype(np.uint8) for _ in range(12)]
    found = decision_patterns(maps)
    assert len(found.counts) == len(found.labels) + 30 * 31
    numbers = found.spread(np.arange(len(found.table)))
    np.testing.assert_array_equal(found.labels[found.table[numbers, 7]], maps[7])
    assert found.counts.sum() == 30 * 31


def test_patterns_beyond_a_table_are_counted_as_one_by_one():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 3, size=(40, 50)).astype(np.uint8)
    maps = [np.where(rng.random(truth.shape) < 0.1, 2, truth).astype(np.uint8) for _ in range(13)]
    # 3^13 patterns are possible: too many for a table, few enough for a word.
    found = pattern_counts(maps)
    slow = Counter(zip(*(one.ravel().tolist() for one in maps), strict=True))
    rows = [tuple(row) for row in found.labels[found.table].tolist()]
    assert len(rows) == len(set(rows))
    assert {row: n for row, n in zip(rows, found.counts.tolist(), strict=True) if n} == slow


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_of_many_labels_with_gaps_between_one_that_only_a_dispute_holds_is_found(kind):
    agreed = np.repeat(np.arange(0, 60, 3), 5).astype(kind).reshape(10, 10)
    other = agreed.copy()
    other[4, 4] = 100
    found = decision_patterns([agreed, other])
    assert found.labels.tolist() == [*range(0, 60, 3), 100]
    numbers = found.spread(np.arange(len(found.table)))
    np.testing.assert_array_equal(found.labels[found.table[numbers, 1]], other)


def test_arrays_that_are_not_in_one_piece_give_the_same():
    maps = [square(), SHIFTED, square(columns=(5, 9))]
    plain = compare_all(maps)
    turned = compare_all([one.T for one in maps])
    np.testing.assert_array_equal(plain.confusion, turned.confusion)
    cut = compare_all([one[1:, 3:] for one in maps])
    np.testing.assert_array_equal(plain.n_voxels[:, 1], cut.n_voxels[:, 1])
    mixed = compare_all([maps[0], maps[1].astype(np.int32), maps[2].astype(np.uint8)])
    np.testing.assert_array_equal(plain.confusion, mixed.confusion)


def test_large_maps_are_read_in_steps_with_a_rest_that_fills_no_word():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, size=(811, 811)).astype(np.uint8)
    other = np.where(rng.random(truth.shape) < 0.01, 2, truth).astype(np.uint8)
    found = compare_all([truth, other])
    for label in range(3):
        both = np.count_nonzero((truth == label) & (other == label))
        total = np.count_nonzero(truth == label) + np.count_nonzero(other == label)
        assert found.dice[0, 1, label] == 2 * both / total


def test_order_of_raters_and_numbers_of_labels_do_not_matter():
    rng = np.random.default_rng(1)
    maps = [rng.integers(0, 3, size=(9, 10)) for _ in range(4)]
    plain = compare_all(maps)
    turned = compare_all(maps[::-1])
    np.testing.assert_allclose(plain.dice, turned.dice[::-1, ::-1])
    renamed = compare_all([np.array([7, -4, 1000])[one] for one in maps])
    assert renamed.labels.tolist() == [-4, 7, 1000]
    np.testing.assert_allclose(renamed.dice[..., [1, 0, 2]], plain.dice)


def test_possible_labels_that_no_one_used_are_undefined_and_not_0():
    found = compare_all([np.array([[0, 1]]), np.array([[0, 1]])], labels=[0, 1, 2])
    assert found.labels.tolist() == [0, 1, 2]
    assert math.isnan(found.dice[0, 1, 2])
    assert found.volume_difference(0, 1)[2] == 0.0
    truth_empty = compare_all([np.array([[5, 0]]), np.array([[0, 0]])])
    assert math.isnan(truth_empty.volume_difference(0, 1, second_is_truth=True)[1])
    assert truth_empty.volume_difference(1, 0, second_is_truth=True)[1] == -1.0
    assert found.n_raters == 2
    with pytest.raises(ValueError, match="label is 9"):
        found.edge_case(0, 1, 9)


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ([], "maps is empty"),
        ([np.array([[1.0]])], "rater 0 has dtype float64"),
        ([np.array([[1]]), np.array([[1, 2]])], "rater 1 has a mask of shape"),
        ([np.zeros((0, 2), dtype=np.int16)], "maps have no voxel, and no labels are named"),
    ],
)
def test_impossible_input_is_refused_by_name(maps, words):
    with pytest.raises(ValueError, match=words):
        compare_all(maps)
