"""Consensus of classes and of shapes, with the published results on real answers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.consensus import MAXIMUM_LIKELIHOOD, dawid_skene, expected_correct, majority_vote
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_merge import (
    default_quorum,
    geometric_median,
    merge_boxes,
    merge_keypoints,
    merge_masks,
)
from labelhub.numerics.simulated import confusion_of_accuracy, read_labels
from tests.realdata import real

GAP = math.nan
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.sampled_from([0.0, 1.0, 2.0, GAP]),
)


def bluebirds():
    folder = real("crowd", "bluebirds_welinder")
    truth = yaml.safe_load((folder / "gt.yaml").read_text())
    answers = yaml.safe_load((folder / "labels.yaml").read_text())
    items = sorted(truth)
    ratings = np.array([[float(answers[worker][item]) for worker in sorted(answers)] for item in items])
    return ratings, np.array([float(truth[item]) for item in items])


def anaesthetists():
    rows = np.genfromtxt(real("published", "dawid_skene_1979.csv"), delimiter=",", skip_header=1).astype(int)
    columns = {(1, 1): 0, (1, 2): 1, (1, 3): 2, (2, 1): 3, (3, 1): 4, (4, 1): 5, (5, 1): 6}
    ratings = np.full((45, 7), GAP)
    for patient, observer, repeat, category in rows:
        ratings[patient - 1, columns[(observer, repeat)]] = category
    return ratings, [0, 0, 0, 1, 2, 3, 4]


def test_majority_vote_on_bluebirds_is_right_on_75_93_percent():
    ratings, truth = bluebirds()
    assert ratings.shape == (108, 39)
    vote = majority_vote(ratings)
    assert 100 * np.mean(expected_correct(vote, truth)) == pytest.approx(75.93, abs=0.005)
    found, birds = vote.winner == 1, truth == 1
    assert 100 * 2 * (found & birds).sum() / (found.sum() + birds.sum()) == pytest.approx(67.5, abs=0.05)


def test_dawid_skene_on_bluebirds_is_right_on_89_81_percent_and_88_89_with_priors():
    ratings, truth = bluebirds()
    plain = dawid_skene(ratings, priors=MAXIMUM_LIKELIHOOD)
    assert 100 * np.mean(plain.winner == truth) == pytest.approx(89.81, abs=0.005)
    assert 100 * np.mean(dawid_skene(ratings).winner == truth) == pytest.approx(88.89, abs=0.005)
    assert plain.is_converged


def test_dawid_skene_1979_anaesthetists():
    ratings, raters = anaesthetists()
    found = dawid_skene(ratings, categories=[1, 2, 3, 4], raters=raters, priors=MAXIMUM_LIKELIHOOD)
    np.testing.assert_allclose(found.prevalence, [0.400, 0.422, 0.112, 0.067], atol=0.002)
    first = [[0.889, 0.111, 0, 0], [0.071, 0.876, 0.053, 0], [0, 0.339, 0.661, 0], [0, 0, 0.556, 0.444]]
    np.testing.assert_allclose(found.confusion[0], first, atol=0.002)
    assert found.log_likelihood == pytest.approx(-192.891, abs=0.001)
    assert (np.nonzero(found.confidence < 0.95)[0] + 1).tolist() == [35]
    np.testing.assert_allclose(found.posterior[34], [0, 0.948, 0.052, 0], atol=0.001)


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_majority_vote_equals_counting_by_hand(ratings):
    found = majority_vote(ratings, categories=[0, 1, 2])
    for row, winner, is_tie, confidence in zip(ratings, found.winner, found.is_tie, found.confidence, strict=True):
        given_answers = [value for value in row.tolist() if not math.isnan(value)]
        counts = sorted((given_answers.count(value) for value in (0.0, 1.0, 2.0)), reverse=True)
        tied = bool(given_answers) and counts[0] == counts[1]
        assert is_tie == tied
        if given_answers and not tied:
            assert given_answers.count(winner) == counts[0]
        else:
            assert math.isnan(winner)
        assert confidence == pytest.approx(counts[0] / len(given_answers) if given_answers else GAP, nan_ok=True)


def test_a_tie_is_not_given_to_the_first_category():
    vote = majority_vote([[0, 1], [2, 1]])
    assert vote.n_ties == 2
    assert np.isnan(vote.winner).all()
    assert expected_correct(vote, [0, 0]).tolist() == [0.5, 0.0]


def test_weights_break_ties_and_bad_weights_are_refused():
    assert majority_vote([[0, 1]], weights=[1, 2]).winner.tolist() == [1.0]
    with pytest.raises(ValueError, match="weights has shape"):
        majority_vote([[0, 1]], weights=[1])


def test_items_without_answers_have_no_consensus():
    ratings = np.array([[0, 0, 1], [GAP, GAP, GAP], [1, 1, 1]])
    assert math.isnan(majority_vote(ratings).winner[1])
    found = dawid_skene(ratings)
    assert np.isnan(found.posterior[1]).all()
    assert math.isnan(found.winner[1])


def test_empty_input_gives_empty_results():
    vote = majority_vote(np.empty((0, 3)), categories=[0, 1])
    assert vote.winner.shape == (0,)
    assert majority_vote(np.full((2, 2), GAP)).n_ties == 0


def test_dawid_skene_recovers_planted_readers_better_than_the_vote():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    tables = [confusion_of_accuracy(accuracy, 3) for accuracy in (0.95, 0.9, 0.45, 0.4, 0.4)]
    ratings = np.stack([read_labels(truth, table, rng) for table in tables], axis=1).astype(float)
    found = dawid_skene(ratings)
    vote = float(np.mean(expected_correct(majority_vote(ratings), truth)))
    assert np.mean(found.winner == truth) > vote + 0.05
    for table, estimate in zip(tables, found.confusion, strict=True):
        np.testing.assert_allclose(estimate, table, atol=0.06)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)


def test_the_log_likelihood_never_falls():
    ratings, raters = anaesthetists()
    values = [
        dawid_skene(ratings, raters=raters, priors=MAXIMUM_LIKELIHOOD, max_iterations=rounds).log_likelihood
        for rounds in range(1, 12)
    ]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(values))
    short = dawid_skene(ratings, raters=raters, max_iterations=1)
    assert any("not converged" in warning for warning in short.warnings)


def test_renaming_categories_and_raters_permutes_the_result():
    rng = np.random.default_rng(2)
    ratings = rng.integers(0, 3, (40, 4)).astype(float)
    one, other = dawid_skene(ratings), dawid_skene(2 - ratings[:, ::-1])
    np.testing.assert_allclose(one.posterior, other.posterior[:, ::-1], atol=1e-9)
    np.testing.assert_allclose(one.confusion, other.confusion[::-1, ::-1, ::-1], atol=1e-9)


def test_one_category_is_refused():
    with pytest.raises(ValueError, match="at least 2 are needed"):
        dawid_skene([[1, 1]])
    with pytest.raises(ValueError, match="raters has shape"):
        dawid_skene([[0, 1]], raters=[0])


def test_half_of_four_readers_is_a_quorum_and_split_voxels_are_counted():
    rows = [PlacedMask(np.ones((1, 4), dtype=bool), (0, start)) for start in (0, 0, 1, 2)]
    merged = merge_masks(rows)
    assert (merged.quorum, merged.n_raters) == (2, 4)
    assert merged.votes.tolist() == [[2, 3, 4, 4, 2, 1]]
    assert merged.mask.voxels.tolist() == [[True, True, True, True, True, False]]
    assert merged.n_split == 2


def test_absent_readers_vote_against_where_told_so():
    one = PlacedMask(np.ones((1, 2), dtype=bool), (0, 0))
    assert not merge_masks([one], n_raters=4).mask.voxels.any()
    assert merge_masks([one]).mask.voxels.all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_merged_masks_equal_counting_on_the_full_grid(seed, n):
    rng = np.random.default_rng(seed)
    full = rng.random((n, 4, 6, 6)) < 0.5
    merged = merge_masks([PlacedMask(mask, (0, 0, 0)) for mask in full])
    np.testing.assert_array_equal(merged.mask.voxels, full.sum(axis=0) >= default_quorum(n))


def test_impossible_merges_are_refused():
    one = PlacedMask(np.ones((1, 1), dtype=bool), (0, 0))
    for arguments, words in (
        (([],), "masks is empty"),
        (([one], 0), "n_raters is 0"),
    ):
        with pytest.raises(ValueError, match=words):
            merge_masks(arguments[0], n_raters=arguments[1] if len(arguments) > 1 else None)
    with pytest.raises(ValueError, match="quorum is 3"):
        merge_masks([one, one], quorum=3)
    with pytest.raises(ValueError, match="2 and 3 dimensions"):
        merge_masks([one, PlacedMask(np.ones((1, 1, 1), dtype=bool), (0, 0, 0))])
    with pytest.raises(ValueError, match="boxes has shape"):
        merge_boxes([])
    with pytest.raises(ValueError, match="n_raters is 0"):
        default_quorum(0)


def test_the_median_box_withstands_one_wild_reader():
    assert merge_boxes([[0, 0, 10, 10], [1, 1, 11, 11], [500, 0, 900, 10]]).tolist() == [1, 0, 11, 10]


@settings(max_examples=150, deadline=None)
@example([(0, 0), (0, 0), (0, 1), (1, 6)])
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=7))
def test_no_nearby_point_is_closer_to_all_than_the_geometric_median(points):
    array = np.array(points, dtype=float)
    median = geometric_median(array)

    def total(point):
        return np.linalg.norm(array - point, axis=1).sum()

    for step in (1e-2, 1.0):
        for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
            moved = median + step * np.array([np.cos(angle), np.sin(angle)])
            assert total(median) <= total(moved) + 1e-6


def test_keypoints_too_few_marked_stay_open():
    points = np.array([[[1, 1], [GAP, GAP]], [[1, 1], [GAP, GAP]], [[1, 1], [5, 5]]])
    merged = merge_keypoints(points)
    assert merged.points[0].tolist() == [1, 1]
    assert np.isnan(merged.points[1]).all()
    assert merged.n_marked.tolist() == [3, 1]


def test_a_median_that_has_not_settled_is_still_better_than_the_mean():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [90.0, 90.0]])

    def total(place):
        return np.linalg.norm(points - place, axis=1).sum()

    rough, exact = geometric_median(points, max_iterations=1), geometric_median(points)
    assert total(exact) <= total(rough) < total(points.mean(axis=0))
