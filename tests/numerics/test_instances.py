"""Lesions, objects and panoptic quality: worked examples, empty masks, slow twins, relabelling."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelhub.numerics.instances import components, instance_overlaps, match_instances
from labelhub.numerics.lesions import lesion_f1
from labelhub.numerics.panoptic import panoptic_quality
from tests.numerics.squares import NOTHING, square

LABELS = arrays(np.int64, (4, 6), elements=st.integers(0, 3))


def best_total(table, threshold):
    """The greatest total similarity over all one-to-one matchings, by trying them all."""
    n, m = table.shape
    allowed = np.where(table >= threshold, table, 0.0)
    if n > m:
        allowed, n, m = allowed.T, m, n
    return max(sum(allowed[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(m), n))


@settings(max_examples=80, deadline=None)
@given(LABELS, LABELS, st.sampled_from([0.05, 0.1, 0.3]))
def test_matching_is_the_best_of_all_matchings(first, second, threshold):
    found = instance_overlaps(first, second)
    matched = match_instances(found, threshold)
    assert len(set(matched.first)) == len(matched.first)
    assert len(set(matched.second)) == len(matched.second)
    table = np.zeros((len(found.ids_first), len(found.ids_second)))
    for i, a in enumerate(found.ids_first):
        for j, b in enumerate(found.ids_second):
            both = np.count_nonzero((first == a) & (second == b))
            table[i, j] = both / np.count_nonzero((first == a) | (second == b))
    if table.size:
        assert matched.iou.sum() == pytest.approx(best_total(table, threshold))
    np.testing.assert_allclose(table[matched.first, matched.second], matched.iou)
    assert (matched.iou >= threshold).all()


def test_pieces_that_touch_at_a_corner_are_one_lesion_in_2d_and_3d():
    assert components(np.eye(3, dtype=bool)).max() == 1
    cube = np.zeros((2, 2, 2), dtype=bool)
    cube[0, 0, 0] = cube[1, 1, 1] = True
    assert components(cube).max() == 1


def lesions(*boxes):
    mask = np.zeros((8, 32, 32), dtype=bool)
    for z, y, x in boxes:
        mask[slice(*z), slice(*y), slice(*x)] = True
    return mask


FOUND = ((1, 4), (2, 8), (2, 8))
MISSED = ((2, 3), (20, 24), (2, 6))
INVENTED = ((5, 7), (20, 22), (20, 22))


def test_lesion_f1_counts_lesions_and_gives_the_volumes_of_what_is_left():
    found = lesion_f1(lesions(FOUND, INVENTED), lesions(FOUND, MISSED), spacing_mm=(2, 1, 1))
    assert (found.value, found.precision, found.recall, found.n_matched) == (0.5, 0.5, 0.5, 1)
    assert found.volumes_only_first == (16.0,)
    assert found.volumes_only_second == (32.0,)
    assert (found.volume_only_first, found.volume_only_second) == (16.0, 32.0)
    assert (found.unit, found.ious) == ("mm", (1.0,))


def test_a_lesion_drawn_as_two_halves_matches_one_of_them():
    truth, drawn = np.zeros((2, 20, 20), dtype=bool)
    truth[2:10, 2:10] = True
    drawn[2:10, 2:5] = drawn[2:10, 6:10] = True
    found = lesion_f1(drawn, truth)
    assert (found.n_matched, found.n_only_first, found.n_only_second) == (1, 1, 0)
    assert found.ious == (0.5,)
    assert found.value == pytest.approx(2 / 3)


def test_the_matching_keeps_both_pairs_where_the_best_first_would_lose_one():
    # Overlaps chosen so that the most alike pair blocks two others.
    truth, drawn = np.zeros((1, 30), dtype=np.int64), np.zeros((1, 30), dtype=np.int64)
    truth[0, 0:10], truth[0, 10:16] = 1, 2
    drawn[0, 0:3], drawn[0, 3:16] = 1, 2
    matched = match_instances(instance_overlaps(drawn, truth), 0.1)
    assert sorted(zip(matched.first.tolist(), matched.second.tolist(), strict=True)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("first", "second", "value", "edge_case"),
    [
        (NOTHING, NOTHING, math.nan, "both-empty"),
        (square(), NOTHING, 0.0, "second-empty"),
        (NOTHING, square(), 0.0, "first-empty"),
    ],
)
def test_empty_masks_follow_the_table(first, second, value, edge_case):
    found = lesion_f1(first, second)
    assert [found.value] == pytest.approx([value], nan_ok=True)
    assert found.edge_case == edge_case
    assert math.isnan(found.precision) == (not first.any())
    assert math.isnan(found.recall) == (not second.any())
    assert lesion_f1(NOTHING, NOTHING, both_empty_is_perfect=True).value == 1.0
    quality = panoptic_quality(first.astype(int), second.astype(int))
    assert [quality.value] == pytest.approx([value], nan_ok=True)


def test_many_lesions_are_matched_without_a_table_of_all_pairs():
    truth = np.zeros((600, 600), dtype=bool)
    truth[::3, ::3] = True
    drawn = truth.copy()
    drawn[0, 0] = False
    found = lesion_f1(drawn, truth)
    assert (found.n_matched, found.n_only_second) == (200 * 200 - 1, 1)


def slow_panoptic(first, second):
    ids = [[n for n in np.unique(image) if n] for image in (first, second)]
    ious = []
    for a in ids[0]:
        for b in ids[1]:
            iou = np.count_nonzero((first == a) & (second == b)) / np.count_nonzero((first == a) | (second == b))
            if iou > 0.5:
                ious.append(iou)
    weight = (len(ids[0]) + len(ids[1])) / 2
    return sum(ious) / weight if weight else math.nan


@settings(max_examples=80, deadline=None)
@given(LABELS, LABELS)
def test_panoptic_quality_equals_its_definition_and_ignores_the_numbers(first, second):
    found = panoptic_quality(first, second)
    assert [found.value] == pytest.approx([slow_panoptic(first, second)], nan_ok=True)
    renumbered = np.array([0, 30, 7, 12])[first]
    assert [panoptic_quality(second, renumbered).value] == pytest.approx([found.value], nan_ok=True)
    if found.classes and found.classes[0].n_matched:
        one = found.classes[0]
        assert one.value == pytest.approx(one.segmentation * one.recognition)


def test_an_iou_of_exactly_one_half_is_no_match():
    found = panoptic_quality([[1, 1, 1, 0]], [[0, 1, 1, 1]])
    assert found.value == 0.0
    assert math.isnan(found.segmentation)


def test_classes_are_judged_apart_and_averaged_over_those_that_occur():
    first, second = np.array([[1, 1, 2, 2, 0, 3]]), np.array([[1, 1, 2, 2, 4, 0]])
    found = panoptic_quality(first, second, classes_first={1: 10, 2: 20, 3: 30}, classes_second={1: 10, 2: 10, 4: 30})
    assert [one.label for one in found.classes] == [10, 20, 30]
    assert [one.value for one in found.classes] == pytest.approx([1 / 1.5, 0.0, 0.0])
    assert found.value == pytest.approx(2 / 9)
    assert found.n_classes == 3
    with pytest.raises(ValueError, match="classes_first has no class for object 2"):
        panoptic_quality(first, second, classes_first={1: 10})


def test_void_pixels_count_in_no_union_and_forgive_objects_that_lie_in_them():
    first, second = np.array([[1, 1, 1, 1, 0, 2, 2, 2]]), np.array([[9, 9, 0, 0, 0, 0, 0, 0]])
    void = np.array([[0, 0, 1, 1, 0, 1, 1, 0]], dtype=bool)
    found = panoptic_quality(first, second, void=void)
    assert found.value == 1.0
    assert found.classes[0].n_only_first == 0
    without = panoptic_quality(first, second)
    assert without.value == 0.0
    only_void = panoptic_quality([[1]], [[0]], void=np.array([[True]]))
    assert math.isnan(only_void.value)
    assert only_void.n_classes == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: instance_overlaps(np.array([[0.5]]), np.array([[1]])), "first has dtype float64"),
        (lambda: instance_overlaps(np.array([[1]]), np.array([[-1]])), "second has dtype"),
        (lambda: instance_overlaps(np.array([[1]]), np.array([[1, 2]])), "same grid"),
        (lambda: lesion_f1(square(), square(), threshold=0), "threshold is 0"),
        (lambda: panoptic_quality([[1]], [[1]], void=np.array([True])), "void has shape"),
    ],
)
def test_impossible_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
