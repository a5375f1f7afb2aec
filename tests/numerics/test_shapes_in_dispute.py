"""Alpha of shapes, disagreement by region, and simulated readers whose planted faults the measures must find."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.disagreement import disagreement_map, disputed_regions, disputed_regions_among, vote_entropy
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.simulated import (
    BoundaryFault,
    ObjectFault,
    confusing_pair,
    confusion_of_accuracy,
    copied_labels,
    fatigue,
    read_labels,
    read_mask,
    read_objects,
    signed_distance,
    spam_labels,
)
from labelhub.numerics.structured import structured_alpha


def dice_distance(a, b):
    total = a.sum() + b.sum()
    return 1 - 2 * (a & b).sum() / total if total else math.nan


def jittered_ellipses(rng, n=40, size=96):
    y, x = np.mgrid[:size, :size] + 0.5
    shapes = []
    for _ in range(n):
        centre = size / 2 + rng.uniform(-8, 8, 2)
        radii = rng.uniform(12, 24, 2)
        shapes.append(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1)
    return shapes


def read_by(faults, seed):
    rng = np.random.default_rng(seed)
    items = [[read_mask(truth, fault, rng) for fault in faults] for truth in jittered_ellipses(rng)]
    return structured_alpha(items, dice_distance, rng, resampling=Resampling(rng, n_resamples=500), unit="shapes")


def test_one_biased_reader_of_three_shows_in_sigma_where_mean_dice_looks_fine():
    # Setting of the demonstration: 40 shapes, centres jittered by 8 px, three readers.
    fair = read_by([BoundaryFault(noise=1.0)] * 3, 1)
    biased = read_by([BoundaryFault(noise=1.0)] * 2 + [BoundaryFault(offset=6.0, noise=1.0)], 2)
    assert fair.mean_similarity.value > 0.9
    assert fair.sigma == pytest.approx(1.0, abs=0.02)
    assert biased.mean_similarity.value > 0.75
    assert biased.sigma == pytest.approx(1 / 3, abs=0.05)
    assert biased.estimate.value < fair.estimate.value - 0.3
    assert 0.25 < biased.expected < 0.45
    assert biased.estimate.low < biased.estimate.value < biased.estimate.high
    assert (biased.estimate.n, biased.estimate.n_groups, biased.n_pairs) == (40, 40, 120)
    assert biased.n_chance_pairs <= 5000


def test_alpha_of_shapes_falls_with_noise():
    values = [read_by([BoundaryFault(noise=noise)] * 3, 3).estimate.value for noise in (1.0, 2.5, 6.0)]
    assert values[0] > values[1] > values[2]


def slow_structured(items):
    within = [(abs(a - b)) for item in items for i, a in enumerate(item) for b in item[i + 1 :]]
    across = [abs(a - b) for i, one in enumerate(items) for other in items[i + 1 :] for a in one for b in other]
    # Equal numbers of annotations an item: D_o is the plain mean over pairs.
    return 1 - np.mean(within) / np.mean(across)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=6))
def test_structured_alpha_equals_its_slow_twin(items):
    found = structured_alpha(items, lambda a, b: abs(a - b), np.random.default_rng(0))
    chance = [abs(a - b) for i, one in enumerate(items) for other in items[i + 1 :] for a in one for b in other]
    if sum(chance) == 0:
        assert found.estimate.reason
    else:
        assert found.estimate.value == pytest.approx(slow_structured(items))


def test_the_interval_of_structured_alpha_is_that_of_alpha_on_numbers():
    # Skewed numbers, so that the spread of chance disagreement matters; squared distances are interval alpha.
    rng = np.random.default_rng(5)
    ratings = rng.lognormal(0, 0.8, (120, 1)) + rng.normal(0, 0.5, (120, 2))
    patients = np.repeat(np.arange(60), 2)
    plain = krippendorff_alpha(ratings, "interval", resampling=Resampling(rng, patients, kind="percentile")).estimate
    shapes = structured_alpha(
        ratings.tolist(),
        lambda a, b: (a - b) ** 2,
        rng,
        resampling=Resampling(rng, patients, kind="percentile"),
        max_chance_pairs=50_000,
    )
    assert shapes.n_chance_pairs == 120 * 119 * 2
    assert shapes.estimate.value == pytest.approx(plain.value, abs=0.01)
    assert [shapes.estimate.low, shapes.estimate.high] == pytest.approx([plain.low, plain.high], abs=0.03)
    assert shapes.estimate.n_groups == 60


def test_structured_alpha_without_chance_says_why():
    rng = np.random.default_rng(0)
    one = structured_alpha([[1, 2], [3]], lambda a, b: abs(a - b), rng)
    assert "only 1 items" in (one.estimate.reason or "")
    same = structured_alpha([[1, 1], [1, 1]], lambda a, b: abs(a - b), rng)
    assert "no variation" in (same.estimate.reason or "")
    assert same.expected == 0
    nothing: list[list[int]] = []
    assert structured_alpha(nothing, lambda a, b: abs(a - b), rng).estimate.n == 0


def test_pairs_of_two_empty_masks_are_left_out_of_structured_alpha():
    empty, full = np.zeros((8, 8), dtype=bool), np.ones((8, 8), dtype=bool)
    half = full.copy()
    half[4:] = False
    found = structured_alpha([[empty, empty], [full, half], [half, half]], dice_distance, np.random.default_rng(0))
    assert math.isnan(found.item_disagreement[0])
    assert found.estimate.n == 2


def test_impossible_structured_input_is_refused():
    with pytest.raises(ValueError, match="distance gave -1"):
        structured_alpha([[0, 1], [2, 3]], lambda a, b: -1.0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="groups has shape"):
        structured_alpha(
            [[0, 1], [2, 3]], lambda a, b: 1.0, np.random.default_rng(0),
            resampling=Resampling(np.random.default_rng(0), [1]),
        )  # fmt: skip


@pytest.mark.parametrize("offset", [-3.0, -1.0, 2.0, 4.0])
def test_a_planted_offset_is_found_as_a_surface_distance(offset):
    truth = np.zeros((96, 96), dtype=bool)
    y, x = np.mgrid[:96, :96]
    truth[(y - 48) ** 2 + (x - 48) ** 2 < 30**2] = True
    drawn = read_mask(truth, BoundaryFault(offset=offset), np.random.default_rng(0))
    found = compare_masks(drawn, truth, second_is_truth=True)
    assert found.average_surface_distance == pytest.approx(abs(offset), abs=0.5)
    assert math.copysign(1, found.volume_difference) == math.copysign(1, offset)


def test_a_simulated_reader_works_in_volumes_with_unequal_spacing():
    truth = np.zeros((12, 40, 40), dtype=bool)
    truth[4:8, 10:30, 10:30] = True
    drawn = read_mask(truth, BoundaryFault(offset=3.0), np.random.default_rng(0), spacing=(5.0, 1.0, 1.0))
    assert drawn[6, 20].sum() == 26
    assert not drawn[3].any()
    assert not read_mask(np.zeros((4, 4), dtype=bool), BoundaryFault(2.0), np.random.default_rng(0)).any()


def test_severity_scales_the_fault():
    truth = np.zeros((64, 64), dtype=bool)
    truth[16:48, 16:48] = True
    rng = np.random.default_rng(0)
    rested = read_mask(truth, BoundaryFault(offset=6.0), rng, severity=0.0)
    np.testing.assert_array_equal(rested, truth)


def test_signed_distance_is_mirrored_by_swapping_inside_and_outside_away_from_the_edge():
    mask = np.zeros((21, 21), dtype=bool)
    mask[7:14, 7:14] = True
    signed = signed_distance(mask)
    assert signed[10, 10] == -3.5
    assert signed[10, 14] == 0.5
    assert (signed < 0).sum() == mask.sum()


def test_label_faults_are_as_planted():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 20_000)
    given_answers = read_labels(truth, confusing_pair(4, 1, 3, 0.3), rng)
    assert np.mean(given_answers[truth == 1] == 3) == pytest.approx(0.3, abs=0.02)
    assert (given_answers[truth == 0] == 0).all()
    tired = read_labels(truth, confusion_of_accuracy(fatigue(len(truth), 0.95, 0.55), 4), rng)
    right = tired == truth
    assert right[:4000].mean() == pytest.approx(0.91, abs=0.02)
    assert right[-4000:].mean() == pytest.approx(0.59, abs=0.03)
    copied = copied_labels(read_labels(truth, confusion_of_accuracy(0.85, 4), rng), tired, 0.5, rng)
    assert np.mean(copied == tired) > 0.75
    spam = spam_labels(20_000, 4, rng)
    assert np.mean(spam == truth) == pytest.approx(0.25, abs=0.02)


def test_objects_are_missed_and_invented_at_the_planted_rates():
    rng = np.random.default_rng(1)
    things = [np.ones((20, 20), dtype=bool)] * 10
    counts = [len(read_objects(things, ObjectFault(miss_rate=0.3), rng, (20, 20))) for _ in range(300)]
    assert np.mean(counts) == pytest.approx(7.0, abs=0.3)
    invented = [len(read_objects([], ObjectFault(extra_mean=1.5), rng, (20, 20))) for _ in range(300)]
    assert np.mean(invented) == pytest.approx(1.5, abs=0.25)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rng: read_labels([0], np.array([[0.5, 0.4], [0, 1]]), rng), "not a distribution"),
        (lambda rng: read_labels([2], np.eye(2), rng), "truth runs from 2"),
        (lambda rng: read_mask(np.ones((2, 2), dtype=bool), BoundaryFault(noise=-1), rng), "noise"),
        (lambda rng: copied_labels([0], [0], 1.5, rng), "rate is 1.5"),
        (lambda rng: confusing_pair(3, 1, 1, 0.1), "two different classes"),
        (lambda rng: confusion_of_accuracy(1.2, 3), "accuracy is 1.2"),
        (lambda rng: read_objects([], ObjectFault(miss_rate=2), rng, (2, 2)), "miss_rate is 2"),
    ],
)
def test_impossible_faults_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0))


def block(columns, rows=(5, 15)):
    mask = np.zeros((20, 30), dtype=bool)
    mask[slice(*rows), slice(*columns)] = True
    return PlacedMask(mask, (0, 0))


def test_disputed_regions_are_named_by_side_sized_and_placed():
    regions = disputed_regions(block((5, 20)), block((8, 15)), spacing=(2.0, 1.0))
    assert [(region.side, region.size, region.depth, region.origin) for region in regions] == [
        ("extra", 50, 5.0, (5, 15)),
        ("extra", 30, 3.0, (5, 5)),
    ]
    assert regions[0].volume == 100.0
    shallow = disputed_regions(block((5, 20)), block((8, 15)), tolerance=3.0)
    assert [region.size for region in shallow] == [50]
    assert [region.side for region in disputed_regions(block((8, 15)), block((5, 20)))] == ["missing", "missing"]


def test_a_region_against_nothing_is_infinitely_deep():
    nothing = PlacedMask(np.zeros((0, 0), dtype=bool), (0, 0))
    regions = disputed_regions(block((5, 8)), nothing, tolerance=10.0)
    assert [(region.side, region.size, region.depth) for region in regions] == [("extra", 30, math.inf)]
    assert disputed_regions(block((5, 8)), block((5, 8))) == ()
    assert disputed_regions_among([]) == ()


def test_disputed_regions_among_readers_lie_on_both_sides_of_the_vote():
    regions = disputed_regions_among([block((5, 15)), block((5, 15)), block((5, 18)), block((9, 15))])
    assert {(region.side, region.size) for region in regions} == {("extra", 30), ("missing", 40)}


def test_disagreement_map_is_four_p_times_one_minus_p():
    found = disagreement_map([block((5, 10)), block((5, 12))], n_raters=4)
    assert found.disagreement.max() == 1.0
    assert found.disagreement[10, 11] == pytest.approx(4 * 0.25 * 0.75)
    with pytest.raises(ValueError, match="n_raters is 1"):
        disagreement_map([block((5, 10))] * 2, n_raters=1)


def test_vote_entropy_is_zero_for_one_voice_and_one_for_an_even_spread():
    found = vote_entropy(np.array([[0, 1, 2], [0, 0, 0], [0, math.nan, math.nan]]), [0, 1, 2])
    assert found[:2].tolist() == [pytest.approx(1.0), 0.0]
    assert math.isnan(found[2])
