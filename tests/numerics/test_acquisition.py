"""Which units to label next: scores against loops, batches against what they promise, and what must not change them.

Published: BALD is 0 where members agree and ln 2 where two are sure of opposites (Houlsby 2011, eq. 2); power acquisition draws
in proportion to the power of the score (Kirsch 2023); greedy k-centres are within twice the least radius (Gonzalez 1985).

Planted once and seen to fail: the mean of entropies in place of the entropy of the mean; Gumbel noise times the power in place
of over it; the lead in place of one minus it; farthest from the last centre only; the largest cluster whether labelled or not;
the foreground's share of the rest; a class that is nowhere predicted given a turn.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics import diversity
from labelhub.numerics.acquisition import (
    foreground_batch,
    power_batch,
    power_of_round,
    random_batch,
    recommended_strategy,
    stratified_power_batch,
    top_batch,
)
from labelhub.numerics.diversity import cover_radius, k_centre_batch, k_means, typical_batch, typicality
from labelhub.numerics.uncertainty import (
    image_score,
    margin_uncertainty,
    mutual_information,
    predictive_entropy,
    scores_by_class,
    split_entropy,
)

SEEDS = st.integers(0, 2**32 - 1)


def distributions(rng, *shape):
    return rng.dirichlet(np.full(shape[-1], 0.5), size=shape[:-1])


def slow_entropy(row):
    return -sum(p * math.log(p) for p in row if p > 0)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_uncertainties_are_those_of_loops(seed):
    rng = np.random.default_rng(seed)
    members = distributions(rng, 3, 5, 4)
    mean = members.mean(axis=0)
    assert predictive_entropy(mean) == pytest.approx([slow_entropy(row) for row in mean])
    assert margin_uncertainty(mean) == pytest.approx([1 - (sorted(row)[-1] - sorted(row)[-2]) for row in mean])
    epistemic = [
        slow_entropy(mean[i]) - sum(slow_entropy(one[i]) for one in members) / len(members) for i in range(len(mean))
    ]
    assert mutual_information(members) == pytest.approx(epistemic, abs=1e-12)
    found = split_entropy(members)
    assert found.aleatoric + found.epistemic == pytest.approx(found.total)
    assert (found.epistemic >= 0).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_names_of_categories_and_members_and_the_axis_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    members = distributions(rng, 3, 6, 6, 4)
    order, mixed = rng.permutation(4), rng.permutation(3)
    for score in (predictive_entropy, margin_uncertainty, mutual_information):
        assert score(members[..., order]) == pytest.approx(score(members))
        first = np.moveaxis(members, -1, 1)
        assert score(first, category_axis=1) == pytest.approx(score(members))
    assert mutual_information(members[mixed]) == pytest.approx(mutual_information(members))


def test_members_sure_of_opposites_disagree_by_ln_2():
    found = split_entropy([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert found.epistemic[0] == pytest.approx(math.log(2))
    assert found.n_members == 2


def test_outside_the_image_there_is_no_score_and_none_counts():
    table = np.full((2, 2, 2), 0.5)
    table[0, 0] = math.nan
    scores = predictive_entropy(table)
    assert np.isnan(scores[0, 0])
    assert image_score(scores) == pytest.approx(math.log(2))
    assert math.isnan(image_score([math.nan]))
    assert scores_by_class(scores, [[0, 0], [1, 1]], 3)[:2] == pytest.approx([math.log(2)] * 2)


def test_a_small_structure_is_drowned_by_the_mean_and_not_by_the_highest_share():
    scores = np.zeros((20, 20))
    scores[:2, :5] = 0.6
    assert image_score(scores) == pytest.approx(0.015)
    assert image_score(scores, "top", share=0.025) == pytest.approx(0.6)
    assert image_score(scores, "top", share=0.05) == pytest.approx(0.3)
    assert image_score(scores, "largest") == pytest.approx(0.6)
    by_class = scores_by_class(scores, (scores > 0).astype(int), 3)
    assert by_class[:2] == pytest.approx([0.0, 0.6])
    assert math.isnan(by_class[2])


def test_the_highest_come_first_and_equal_ones_in_order():
    assert top_batch([0.2, math.nan, 0.7, 0.7], 4).units == (2, 3, 0, 1)
    assert top_batch([0.2, 0.1, 0.7, 0.7], 2, taken=[2]).units == (3, 0)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_power_batches_draw_in_proportion_to_the_power_of_the_score(power):
    scores = np.array([1.0, 2.0, 3.0, 0.0])
    rng = np.random.default_rng(0)
    firsts = np.bincount([power_batch(scores, 1, rng, power=power).units[0] for _ in range(2000)], minlength=4)
    wanted = scores**power / (scores**power).sum()
    # Three standard errors of a share of 2,000.
    assert firsts / 2000 == pytest.approx(wanted, abs=3 * math.sqrt(0.25 / 2000))


def test_a_great_power_takes_the_highest_and_scores_of_nothing_come_last_by_lot():
    scores = [0.3, 0.0, 0.9, math.nan, 0.5]
    rng = np.random.default_rng(1)
    drawn = [power_batch(scores, 5, rng, power=1000.0).units for _ in range(60)]
    assert {one[:3] for one in drawn} == {(2, 4, 0)}
    assert {one[3:] for one in drawn} == {(1, 3), (3, 1)}
    assert power_batch(np.array(scores) * 7, 3, np.random.default_rng(2)) == power_batch(
        scores, 3, np.random.default_rng(2)
    )


def test_each_class_has_its_turn_and_one_that_is_nowhere_has_none():
    rng = np.random.default_rng(3)
    scores = np.full((40, 4), np.nan)
    scores[:, 0] = rng.uniform(0.5, 1.0, 40)
    scores[[7, 9], 1] = 0.01, 0.02
    scores[[7, 30], 2] = 0.03, 0.01
    found = stratified_power_batch(scores, 6, rng, power=1e4).units
    assert found[:3] == (int(np.argmax(scores[:, 0])), 9, 7)
    assert 30 in found
    assert len(set(found)) == 6
    plain = top_batch(scores[:, 0], 6).units
    assert not {7, 9, 30} <= set(plain), "what the plain batch leaves out"
    half = stratified_power_batch(scores, 6, rng, power=1e4, stratified_share=0.5).units
    assert half[:3] == found[:3]
    assert set(half[3:]) <= set(top_batch(scores[:, 0], 8).units)


def test_where_no_class_is_predicted_the_batch_is_by_lot():
    scores = np.full((5, 2), np.nan)
    found = {stratified_power_batch(scores, 2, np.random.default_rng(seed)).units for seed in range(40)}
    assert len(found) > 10


def test_lots_are_even_and_foreground_is_assured():
    rng = np.random.default_rng(4)
    counts = np.bincount(np.concatenate([random_batch(5, 2, rng, taken=[0]).units for _ in range(2000)]), minlength=5)
    assert counts[0] == 0
    assert counts[1:] / 2000 == pytest.approx([0.5] * 4, abs=0.04)
    holds = np.arange(100) < 10
    for _ in range(20):
        found = foreground_batch(holds, 6, rng, taken=[0, 1]).units
        assert len(set(found)) == 6
        assert sum(holds[unit] for unit in found) >= 4
        assert not set(found) & {0, 1}
    none_left = foreground_batch(holds, 6, rng, taken=range(10)).units
    assert len(none_left) == 6
    assert np.mean([holds[list(foreground_batch(holds, 6, rng, share=0.0).units)].sum() for _ in range(200)]) < 1.5


def test_noise_falls_over_the_rounds_and_the_advice_changes_at_thirty():
    powers = [power_of_round(number, 5) for number in range(5)]
    assert powers == pytest.approx([1, 10**0.5, 10, 10**1.5, 100])
    assert power_of_round(0, 1) == 1.0
    assert (recommended_strategy(29), recommended_strategy(30)) == ("foreground-random", "class-stratified")


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_k_centres_cover_within_twice_the_least_radius(seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((9, 2))
    taken = [int(rng.integers(9))]
    found = [*taken, *k_centre_batch(points, 2, taken=taken).units]
    least = min(
        cover_radius(points, [*taken, *others])
        for others in itertools.combinations(range(9), 2)
        if taken[0] not in others
    )
    assert cover_radius(points, found) <= 2 * least + 1e-12
    # One after the other the farthest, as a loop says.
    centres = list(taken)
    for _ in range(2):
        far = [min(math.dist(p, points[c]) for c in centres) for p in points]
        centres.append(int(np.argmax(far)))
    assert found == centres
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert k_centre_batch(points @ turn * 3 + 5, 2, taken=taken) == k_centre_batch(points, 2, taken=taken)


def test_k_centres_without_a_start_begin_in_the_middle():
    points = [[0.0], [4.0], [5.0], [10.0]]
    assert k_centre_batch(points, 3).units == (2, 0, 3)


def clouds(rng, sizes, gap=50.0):
    return np.vstack([rng.standard_normal((n, 2)) + gap * number for number, n in enumerate(sizes)])


def test_clusters_far_apart_are_found_and_copies_make_fewer():
    points = clouds(np.random.default_rng(5), (8, 12, 6))
    found = k_means(points, 3, np.random.default_rng(0))
    assert found.tolist() == [0] * 8 + [1] * 12 + [2] * 6
    assert set(k_means(np.zeros((6, 2)), 3, np.random.default_rng(0)).tolist()) == {0}
    assert set(k_means([[0.0], [5.0]], 9, np.random.default_rng(0)).tolist()) == {0, 1}


def test_clusters_that_do_not_settle_are_left_where_they_are(monkeypatch):
    monkeypatch.setattr(diversity, "_MOST_STEPS", 1)
    assert len(k_means(np.random.default_rng(0).random((30, 2)), 4, np.random.default_rng(0))) == 30


def test_typicality_is_one_over_the_mean_of_the_nearest():
    points = np.random.default_rng(6).standard_normal((12, 3))
    slow = [
        1 / np.mean(sorted(math.dist(a, b) for j, b in enumerate(points) if j != i)[:4]) for i, a in enumerate(points)
    ]
    assert typicality(points, neighbours=4) == pytest.approx(slow)
    assert typicality(points, neighbours=99) == pytest.approx(typicality(points, neighbours=11))
    assert np.isnan(typicality([[1.0]]))[0]
    assert np.isinf(typicality([[1.0], [1.0]])).all()


def test_typical_units_come_from_clusters_without_a_label_the_largest_first_and_outliers_last():
    rng = np.random.default_rng(7)
    points = np.vstack([clouds(rng, (12, 30, 20)), [[500.0, 500.0]]])
    cluster = np.repeat([0, 1, 2, 3], [12, 30, 20, 1])
    found = typical_batch(points, 2, rng, taken=[0, 1])
    assert cluster[list(found.units)].tolist() == [1, 2], "the first cloud is labelled, the outlier waits"
    for unit in found.units:
        own = np.nonzero(cluster == cluster[unit])[0]
        assert unit == own[np.argmax(typicality(points[own]))]
    everything = typical_batch(points, 63, rng)
    assert sorted(everything.units) == list(range(63))
    assert 62 in everything.units[-45:]


def test_the_same_rng_gives_the_same_batch_and_the_arrays_stay_as_they_were():
    rng = np.random.default_rng(8)
    scores, points = rng.random((20, 3)), rng.random((20, 3))
    before = scores.copy(), points.copy()
    for draw in (
        lambda r: power_batch(scores[:, 0], 5, r),
        lambda r: stratified_power_batch(scores, 5, r),
        lambda r: typical_batch(points, 5, r),
        lambda r: foreground_batch(scores[:, 0] > 0.5, 5, r),
    ):
        assert draw(np.random.default_rng(0)) == draw(np.random.default_rng(0))
    assert np.array_equal(before[0], scores)
    assert np.array_equal(before[1], points)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: predictive_entropy([[0.5, 0.4]]), "which is no distribution"),
        (lambda: predictive_entropy([0.5, 0.5], category_axis=1), "category_axis is 1"),
        (lambda: split_entropy([0.5, 0.5]), "is needed"),
        (lambda: split_entropy([[0.5, 0.5]], category_axis=0), "category_axis is 0"),
        (lambda: image_score([0.5], share=0.0), "share is 0.0"),
        (lambda: scores_by_class([0.1], [3], 2), "predicted holds"),
        (lambda: scores_by_class([0.1], [0, 1], 2), "equal shapes"),
        (lambda: top_batch([0.1, -0.1], 1), "at least 0"),
        (lambda: top_batch([0.1], 2), "size is 2"),
        (lambda: top_batch([0.1, 0.2], 1, taken=[5]), r"taken is \[5\]"),
        (lambda: power_batch([0.1], 1, RNG, power=0.0), "power is 0.0"),
        (lambda: stratified_power_batch([0.1], 1, RNG), r"\(unit, class\)"),
        (lambda: foreground_batch([0.5], 1, RNG), "True or False a unit"),
        (lambda: power_of_round(3, 3), "number is 3 of 3"),
        (lambda: recommended_strategy(-1), "n_labelled is -1"),
        (lambda: k_centre_batch([1.0, 2.0], 1), r"\(unit, feature\)"),
        (lambda: cover_radius([[1.0]], []), "at least one unit"),
        (lambda: k_means([[1.0]], 0, RNG), "n_clusters is 0"),
        (lambda: typicality([[1.0]], neighbours=0), "neighbours is 0"),
        (lambda: typical_batch([[1.0]], 1, RNG, least_cluster=0), "least_cluster 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_from_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
