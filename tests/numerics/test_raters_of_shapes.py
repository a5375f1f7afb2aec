"""Raters of shapes and labels: vitality, human ceiling, clusters, alpha over thresholds, baselines and distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.localisation import ItemObjects, alpha_curve, localisation_threshold, object_table
from labelhub.numerics.rater_influence import (
    collaboration_clusters,
    label_ceiling,
    pairwise_alpha,
    rater_vitality,
)
from labelhub.numerics.shape_distances import (
    Keypoints,
    boundary_distance,
    box_centre,
    box_distance,
    box_size,
    dice_distance,
    generalised_box_distance,
    iou_distance,
    keypoint_distance,
    mask_centre,
    mask_size,
    moved_box,
    moved_mask,
    registered,
)
from labelhub.numerics.shape_raters import human_ceiling, structured_vitality
from labelhub.numerics.structured import SIZE_MATCHED, TRANSLATION_REGISTERED, structured_alpha

NUMBERS = st.lists(st.lists(st.integers(0, 9).map(float), min_size=0, max_size=3), min_size=2, max_size=6)


def gap(a: float, b: float) -> float:
    return abs(a - b) / 10


def disc(radius: float, centre: tuple[float, float], size: int = 64) -> PlacedMask:
    y, x = np.mgrid[:size, :size]
    return PlacedMask((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2, (0, 0))


def again(seed: int = 0, groups: object = None) -> Resampling:
    return Resampling(np.random.default_rng(seed), groups, n_resamples=300)


@settings(max_examples=60, deadline=None)
@given(NUMBERS)
def test_vitality_of_shapes_is_the_difference_of_two_alphas(items):
    raters = [list(range(len(item))) for item in items]
    rng = np.random.default_rng(0)
    whole = structured_alpha(items, gap, rng).estimate.value
    for row in structured_vitality(items, raters, gap, rng):
        # Chance pairs are of items with two annotations among all raters, so those alone are left in the twin too.
        kept = [item for item in items if len(item) >= 2]
        people = [list(range(len(item))) for item in kept]
        others = [
            [v for v, r in zip(item, who, strict=True) if r != row.rater]
            for item, who in zip(kept, people, strict=True)
        ]
        values = [[abs(a - b) / 10 for i, a in enumerate(item) for b in item[i + 1 :]] for item in others]
        sizes = [len(item) for item in others]
        usable = [i for i in range(len(kept)) if values[i]]
        chance = [gap(a, b) for i in range(len(kept)) for j in range(i) for a in others[i] for b in others[j]]
        if not usable or not sum(chance):
            assert math.isnan(row.estimate.value)
            continue
        observed = sum(sizes[i] * np.mean(values[i]) for i in usable) / sum(sizes[i] for i in usable)
        assert row.without == pytest.approx(1 - observed / np.mean(chance))
        assert row.observed_without == pytest.approx(observed)
        assert row.estimate.value == pytest.approx(whole - row.without, nan_ok=True)


def test_the_rater_who_draws_too_large_has_negative_vitality_beyond_doubt():
    rng = np.random.default_rng(1)
    items = []
    for _ in range(25):
        radius, centre = rng.uniform(6, 12), tuple(rng.uniform(26, 38, 2))
        items.append([disc(radius + rng.normal(0, 0.3) + extra, centre) for extra in (0, 0, 5)])
    raters = [[4, 7, 9]] * 25
    found = structured_vitality(items, raters, dice_distance, rng, resampling=again())
    assert [row.rater for row in found] == [4, 7, 9]
    assert found[0].estimate.low > 0
    assert found[2].estimate.high < 0
    assert found[2].without > 0.8
    assert found[2].observed_without < found[2].observed / 3
    assert found[2].n_units == 25


def test_vitality_without_an_answer_says_why():
    rng = np.random.default_rng(2)
    alone = structured_vitality([[1.0, 2.0], [3.0]], [[0, 1], [0]], gap, rng)
    assert "chance needs at least 2" in str(alone[0].estimate.reason)
    pair = structured_vitality([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [0, 1]], gap, rng)
    assert "undefined without" in str(pair[0].estimate.reason)
    three = structured_vitality([[1.0, 2.0, 2.0], [3.0, 4.0, 4.0]], [[0, 1, 2]] * 2, gap, rng)
    assert three[0].estimate.interval_reason == "no resampling was asked for"
    with pytest.raises(ValueError, match="one rater for each annotation"):
        structured_vitality([[1.0, 2.0]], [[0]], gap, rng)
    with pytest.raises(ValueError, match="once"):
        structured_vitality([[1.0, 2.0]], [[0, 0]], gap, rng)


def test_ceiling_is_the_mean_score_of_each_rater_against_the_others():
    items = [[0.1, 0.2, 0.4], [0.5, 0.9], [0.3]]

    def score(one: float, others: list[float]) -> float:
        return 1 - abs(one - sum(others) / len(others))

    found = human_ceiling(items, [[0, 1, 2], [0, 2], [1]], score, resampling=again())
    first = [1 - abs(0.1 - 0.3), 1 - abs(0.2 - 0.25), 1 - abs(0.4 - 0.15)]
    assert found.estimate.value == pytest.approx((np.mean(first) + 0.6) / 2)
    assert found.estimate.n == 2
    by_rater = dict(found.by_rater)
    assert by_rater[1].value == pytest.approx(first[1])
    assert by_rater[2].value == pytest.approx((first[2] + 0.6) / 2)
    assert found.estimate.n_groups == 2


def test_ceiling_of_nothing_is_undefined():
    found = human_ceiling([[0.1], []], [[0], []], lambda one, others: 1.0)
    assert math.isnan(found.estimate.value)
    assert found.estimate.reason == "no items"


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (4, 4), elements=st.sampled_from([1.0, 2.0, 3.0, math.nan])))
def test_label_ceiling_equals_its_slow_twin(ratings):
    means = []
    for row in ratings:
        given_by = [v for v in row if not math.isnan(v)]
        scores = []
        for k, own in enumerate(given_by):
            others = given_by[:k] + given_by[k + 1 :]
            if others:
                most = max(others.count(v) for v in others)
                top = {v for v in others if others.count(v) == most}
                scores.append(1 / len(top) if own in top else 0.0)
        if scores:
            means.append(np.mean(scores))
    found = label_ceiling(ratings).estimate
    assert found.value == pytest.approx(np.mean(means) if means else math.nan, nan_ok=True)
    assert found.n == len(means)


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (6, 3), elements=st.sampled_from([1.0, 2.0, 4.0, math.nan])),
    st.sampled_from(["nominal", "ordinal", "interval", "ratio"]),
)
def test_vitality_of_labels_is_the_difference_of_two_alphas(ratings, measure):
    for row in rater_vitality(ratings, measure):
        without = krippendorff_alpha(np.delete(ratings, row.rater, axis=1), measure).estimate.value
        whole = krippendorff_alpha(ratings, measure).estimate.value
        assert row.estimate.value == pytest.approx(whole - without, abs=1e-9, nan_ok=True)
        assert (row.estimate.reason is None) == row.estimate.is_defined


def test_the_careless_rater_of_labels_has_negative_vitality_with_an_interval_over_patients():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 120)
    ratings = np.where(rng.random((120, 4)) < [0.95, 0.95, 0.95, 0.3], truth[:, None], rng.integers(0, 3, (120, 4)))
    patients = Resampling(rng, np.arange(120) // 4, "patients", 300)
    found = rater_vitality(ratings.astype(float), resampling=patients)
    assert found[3].estimate.high < 0 < found[0].estimate.low
    assert (found[3].estimate.n_groups, found[3].estimate.group_unit) == (30, "patients")
    assert found[3].n_units == 120
    whole = krippendorff_alpha(ratings.astype(float))
    assert found[3].observed == whole.observed > 2 * found[3].observed_without


def test_two_schools_of_raters_are_found_and_one_school_is_left_whole():
    rng = np.random.default_rng(4)
    one, other = rng.integers(0, 3, (2, 200))
    truth = np.column_stack([one, one, other, one, other])
    ratings = np.where(rng.random((200, 5)) < 0.9, truth, rng.integers(0, 3, (200, 5))).astype(float)
    pairs = pairwise_alpha(ratings)
    found = collaboration_clusters(pairs.values)
    assert found.cluster.tolist() == [0, 0, 1, 0, 1]
    assert found.within > 0.6 > 0.3 > found.between
    alike = np.where(rng.random((200, 5)) < 0.9, one[:, None], rng.integers(0, 3, (200, 5))).astype(float)
    assert collaboration_clusters(pairwise_alpha(alike).values).cluster.tolist() == [0] * 5


def test_clusters_without_enough_raters_or_values_are_one():
    assert collaboration_clusters([[1, 0.5], [0.5, 1]]).cluster.tolist() == [0, 0]
    unknown = np.full((3, 3), np.nan)
    assert collaboration_clusters(unknown).cluster.tolist() == [0, 0, 0]
    partly = np.array([[1, 0.9, np.nan, 0.1], [0.9, 1, 0.1, 0.1], [np.nan, 0.1, 1, 0.9], [0.1, 0.1, 0.9, 1]])
    found = collaboration_clusters(partly)
    assert found.cluster.tolist() == [0, 0, 1, 1]
    assert found.warnings == ("1 pairs of raters have no value; their mean is taken",)
    with pytest.raises(ValueError, match="symmetric"):
        collaboration_clusters([[1, 0.2], [0.3, 1]])
    with pytest.raises(ValueError, match="at most 1"):
        collaboration_clusters([[1, 2], [2, 1]])


def test_pairwise_alpha_is_undefined_where_two_raters_share_nothing():
    found = pairwise_alpha([[1, np.nan], [np.nan, 2]])
    assert math.isnan(found.values[0, 1])
    assert found.n.tolist() == [[1, 0], [0, 1]]


def marked(rng: np.random.Generator, classes: int, spread: float) -> ItemObjects:
    """Three readers of four objects; overlaps of one object are about .8, those of neighbours about .2."""
    owner = np.repeat([0, 1, 2], 4)
    which = np.tile(np.arange(4), 3)
    base = np.where(which[:, None] == which[None, :], 0.8, np.where(abs(which[:, None] - which) == 1, 0.2, 0.0))
    noise = rng.normal(0, spread, base.shape)
    table = np.clip(base + (noise + noise.T) / 2 * (base > 0), 0, 1)
    seen = rng.random(12) < 0.95
    return ItemObjects(table[np.ix_(seen, seen)], owner[seen], (which % classes)[seen].astype(float), 3)


def test_alpha_falls_as_matching_grows_strict_and_stays_where_outlines_are_exact():
    rng = np.random.default_rng(5)
    items = [marked(rng, 2, 0.1) for _ in range(12)]
    curve = alpha_curve(items, (0.3, 0.5, 0.9), resampling=again())
    assert [point.threshold for point in curve] == [0.3, 0.5, 0.9]
    assert curve[0].alpha.value > 0.6 > curve[2].alpha.value
    assert curve[0].detection.value > curve[2].detection.value
    assert curve[0].alpha.n_groups == 12
    assert curve[0].alpha.low < curve[0].alpha.value < curve[0].alpha.high
    assert curve[0].n_clusters == len(object_table(items, 0.3))


def test_one_class_leaves_detection_alone():
    rng = np.random.default_rng(6)
    point = alpha_curve([marked(rng, 1, 0.05) for _ in range(5)], (0.5,))[0]
    assert math.isnan(point.alpha.value)
    assert "at least 2" in str(point.alpha.reason)
    assert point.detection.value > 0.8


def test_independent_readers_have_alpha_near_zero_and_detect_alike():
    # Hripcsak & Rothschild (2005): sensitivity .9 each; what nobody saw is not counted.
    rng = np.random.default_rng(7)
    table = (rng.random((4000, 2)) < 0.9).astype(float)
    table = table[table.any(axis=1)]
    assert abs(krippendorff_alpha(table).estimate.value) < 0.15


def test_the_threshold_lies_between_same_and_other_objects():
    rng = np.random.default_rng(8)
    found = localisation_threshold([marked(rng, 2, 0.08) for _ in range(15)])
    assert 0.35 < found.value < 0.65
    assert found.misplaced < 0.02
    assert found.n_within > found.n_between / 2 > 20


def test_no_threshold_is_given_where_objects_never_touch_or_cannot_be_told_apart():
    far = ItemObjects(np.kron(np.ones((2, 2)), np.eye(3)) * 0.8, np.repeat([0, 1], 3), np.zeros(3 * 2), 2)
    assert "never touch" in str(localisation_threshold([far] * 5).reason)
    rng = np.random.default_rng(9)
    same = []
    for _ in range(20):
        table = rng.uniform(0.899, 0.9, (4, 4))
        table = (table + table.T) / 2
        same.append(ItemObjects(table, np.repeat([0, 1], 2), np.zeros(4), 2))
    assert "do not cross" in str(localisation_threshold(same).reason)
    assert localisation_threshold([]).n_within == 0


def test_impossible_objects_are_refused():
    item = ItemObjects(np.zeros((1, 1)), np.array([0]), np.array([-1.0]), 2)
    with pytest.raises(ValueError, match="classes of item 0"):
        alpha_curve([item])
    good = ItemObjects(np.zeros((1, 1)), np.array([0]), np.array([1.0]), 2)
    with pytest.raises(ValueError, match="one entry for each of the 1 items"):
        alpha_curve([good], resampling=again(groups=[1, 2]))


def test_registered_and_size_matched_baselines_make_chance_fairer():
    rng = np.random.default_rng(10)
    items = []
    for _ in range(30):
        radius, centre = rng.uniform(4, 14), tuple(rng.uniform(20, 44, 2))
        items.append([disc(radius + rng.normal(0, 0.4), centre) for _ in range(3)])
    plain = structured_alpha(items, dice_distance, rng)
    moved = structured_alpha(
        items, dice_distance, rng, baseline=TRANSLATION_REGISTERED,
        chance_distance=registered(dice_distance, mask_centre, moved_mask),
    )  # fmt: skip
    both = structured_alpha(
        items, dice_distance, rng, chance_distance=registered(dice_distance, mask_centre, moved_mask), size=mask_size,
        resampling=again(),
    )  # fmt: skip
    assert plain.expected > moved.expected > both.expected > 0
    assert plain.observed == moved.observed == both.observed
    assert (plain.baseline[:10], moved.baseline, both.baseline) == ("cross-item", TRANSLATION_REGISTERED, SIZE_MATCHED)
    assert both.estimate.low < both.estimate.value < both.estimate.high


def test_size_matched_pairs_are_of_other_items_and_nearest_in_size():
    items = [[1.0, 1.1], [1.2, 1.3], [100.0, 101.0], [102.0, 103.0]]
    seen: list[tuple[float, float]] = []

    def distance(a: float, b: float) -> float:
        seen.append((a, b))
        return abs(a - b)

    found = structured_alpha(items, distance, np.random.default_rng(0), size=lambda v: v)
    assert found.n_chance_pairs == len(seen) - 4
    few = structured_alpha(items, distance, np.random.default_rng(0), size=lambda v: v, max_chance_pairs=3)
    assert few.n_chance_pairs == 3
    many = [[float(2**k), 2.0**k * 1.01] for k in range(12)]
    wide = structured_alpha(many, lambda a, b: abs(math.log(a / b)), np.random.default_rng(0), size=lambda v: v)
    whole = structured_alpha(many, lambda a, b: abs(math.log(a / b)), np.random.default_rng(0))
    assert wide.expected < whole.expected / 2


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (2, 4, 5)), st.tuples(st.integers(-2, 2), st.integers(-2, 2)))
def test_distances_of_masks_equal_their_slow_twins(pair, step):
    first, second = PlacedMask(pair[0], (3, 3)), PlacedMask(pair[1], (3 + step[0], 3 + step[1]))
    grid = np.zeros((2, 12, 12), dtype=bool)
    grid[0, 3:7, 3:8] = pair[0]
    grid[1, 3 + step[0] : 7 + step[0], 3 + step[1] : 8 + step[1]] = pair[1]
    both, either, total = (grid[0] & grid[1]).sum(), (grid[0] | grid[1]).sum(), grid.sum()
    assert dice_distance(first, second) == pytest.approx(1 - 2 * both / total if total else math.nan, nan_ok=True)
    assert iou_distance(first, second) == pytest.approx(1 - both / either if either else math.nan, nan_ok=True)


def test_boundary_distance_ends_at_one():
    near, far = disc(8, (30, 30)), disc(8, (30, 34))
    assert boundary_distance(8)(near, far) == pytest.approx(0.5, abs=0.05)
    assert boundary_distance(2)(near, far) == 1
    assert boundary_distance(8, (2.0, 2.0))(near, far) == pytest.approx(1.0, abs=0.1)
    empty = PlacedMask(np.zeros((2, 2), dtype=bool), (0, 0))
    assert boundary_distance(8)(near, empty) == 1
    assert math.isnan(boundary_distance(8)(empty, empty))
    with pytest.raises(ValueError, match="largest is 0"):
        boundary_distance(0)


def test_one_slice_of_a_volume_is_compared_in_three_dimensions_where_the_grid_says_so():
    full, hole = np.ones((1, 9, 9), dtype=bool), np.ones((1, 9, 9), dtype=bool)
    hole[0, 3:6, 3:6] = False
    first, second = PlacedMask(full, (5, 0, 0)), PlacedMask(hole, (5, 0, 0))
    plane, volume = boundary_distance(10), boundary_distance(10, grid_size=(20, 9, 9))
    # In a volume every voxel of a single slice is surface, so the hole is two voxels from the nearest surface at most.
    assert plane(first, second) > volume(first, second)


def test_keypoints_that_one_alone_marked_count_as_unlike():
    distance = keypoint_distance(0.2)
    one = Keypoints(np.array([[0.0, 0.0], [10.0, 0.0]]), 100.0)
    two = Keypoints(np.array([[0.0, 0.0], [10.0, 2.0]]), 100.0)
    none = Keypoints(np.full((2, 2), np.nan), 100.0)
    half = Keypoints(np.array([[np.nan, np.nan], [10.0, 0.0]]), 100.0)
    assert distance(one, two) == pytest.approx(1 - 0.8033, abs=1e-4)
    assert distance(one, half) == 0.5
    assert distance(one, none) == 1
    assert math.isnan(distance(none, none))


def test_boxes_have_distances_centres_and_sizes():
    first, second = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])
    assert box_distance(first, second) == pytest.approx(2 / 3)
    assert generalised_box_distance(first, second + np.array([10, 0, 10, 0])) > 1
    moved = registered(box_distance, box_centre, moved_box)
    assert moved(first, second + 7) == 0
    assert box_size(second) == 4


def test_an_empty_mask_has_no_centre_and_is_not_moved():
    empty = PlacedMask(np.zeros((2, 2), dtype=bool), (3, 4))
    assert np.isnan(mask_centre(empty)).all()
    assert moved_mask(empty, mask_centre(empty)).origin == (3, 4)
    assert math.isnan(registered(dice_distance, mask_centre, moved_mask)(empty, empty))
