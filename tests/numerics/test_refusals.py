"""Input that cannot be used is refused by name, and input without an answer says why, everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelhub.numerics.agreement import gwet_ac, raw_agreement
from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bootstrap import Resampling, mean_estimate, ratio_estimate, weighted_bootstrap_interval
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.conger import conger_kappa
from labelhub.numerics.consensus import expected_correct, majority_vote
from labelhub.numerics.disagreement import disputed_regions
from labelhub.numerics.fatigue import fatigue_slope
from labelhub.numerics.geometry import (
    PlacedMask,
    box_iou,
    keypoint_similarity,
    mask_iou,
    point_similarity,
)
from labelhub.numerics.matching import cluster_objects, match_pair
from labelhub.numerics.object_merge import geometric_median, merge_keypoints
from labelhub.numerics.polygons import PolygonShape, polygon_iou
from labelhub.numerics.rasterise import ellipse_mask, polygon_mask
from labelhub.numerics.rater_models import shrunken_shares
from labelhub.numerics.ratings import ratings_from_counts, ratings_from_table
from labelhub.numerics.sequential import sprt
from labelhub.numerics.signed_distances import signed_distance
from labelhub.numerics.simulated import (
    ObjectFault,
    confusing_pair,
    confusion_of_accuracy,
    copied_labels,
    read_labels,
    read_objects,
    spam_labels,
)
from labelhub.numerics.specific import specific_agreement
from labelhub.numerics.structured import structured_alpha
from labelhub.numerics.surfaces import SurfaceDistances, surface_dice, surface_distances
from labelhub.numerics.weights import agreement_weights, weights_from_disagreement

DOT = PlacedMask(np.ones((1, 1), dtype=bool), (0, 0))
NOTHING = np.zeros((3, 3), dtype=bool)
FULL = np.ones((3, 3), dtype=bool)
RNG = np.random.default_rng(0)

REFUSED = {
    "an unknown weighting": (lambda: agreement_weights("cubic", 3), "weights is 'cubic'"),
    "weights of the wrong size": (lambda: agreement_weights(np.eye(2), 3), "weights has shape"),
    "weights above one": (lambda: agreement_weights([[1, 2], [2, 1]], 2), "nowhere above 1"),
    "no disagreement": (lambda: weights_from_disagreement([[0, 0], [0, 0]]), "no entry above 0"),
    "repeated categories": (lambda: gwet_ac([[1, 2]], categories=[1, 1, 2]), "different numbers"),
    "half a rating": (lambda: ratings_from_counts([[0.5]]), "whole numbers"),
    "a table that is not square": (lambda: ratings_from_table([[1, 2]]), "square table"),
    "an unknown interval": (lambda: Resampling(RNG, kind="basic"), "kind is 'basic'"),
    "ratios of unequal length": (lambda: ratio_estimate([1], [1, 2]), "numerators have shape"),
    "an unknown pairing": (lambda: specific_agreement([[1, 1]], pairing="all"), "pairing is"),
    "truth of another length": (lambda: expected_correct(majority_vote([[1, 1]]), [1, 1]), "truth has shape"),
    "a negative depth": (lambda: disputed_regions(DOT, DOT, tolerance=-1), "tolerance is -1"),
    "spacing of another dimension": (lambda: disputed_regions(DOT, DOT, spacing=[1]), "spacing is"),
    "keypoints of two kinds": (lambda: keypoint_similarity([[0, 0]], [[0, 0], [1, 1]], 1, 1), "first has shape"),
    "no reach": (lambda: point_similarity([[0, 0]], [[0, 0]], 0), "tolerance is 0"),
    "similarity of one dimension": (lambda: match_pair([1.0], 0.5), "must have two"),
    "values of another length": (lambda: cluster_objects(np.eye(1), [0], 0.5).table([1, 2]), "values has shape"),
    "points of one dimension": (lambda: merge_keypoints([[1, 2]]), "points has shape"),
    "no points": (lambda: geometric_median(np.empty((0, 2))), "at least one row"),
    "no surface": (lambda: surface_distances(NOTHING, NOTHING, (1, 1)), "a mask is empty"),
    "a negative tolerance": (lambda: surface_dice(SurfaceDistances(np.ones(1), np.ones(1)), -1), "tolerance is -1"),
    "confusion of one dimension": (lambda: read_labels([0], [1.0], RNG), "confusion has shape"),
    "copies of another length": (lambda: copied_labels([0], [0, 1], 0.5, RNG), "own has shape"),
    "classes that do not exist": (lambda: confusing_pair(2, 0, 5, 0.1), "two different classes"),
    "units of unknown patients": (lambda: Resampling(RNG, [1.0, math.nan]), "groups holds NaN"),
    "units without a patient": (lambda: Resampling(RNG, np.array(["a", None])), "groups holds NaN or None"),
    "disagreement below zero": (lambda: weights_from_disagreement([[0, -1], [1, 0]]), "disagreement is"),
    "disagreement with itself": (lambda: weights_from_disagreement([[1, 1], [1, 0]]), "disagreement is"),
    "half a unit in a table": (lambda: ratings_from_table([[0.5, 1], [1, 1]]), "whole counts"),
    "a table with a gap": (lambda: ratings_from_table([[math.nan, 1], [1, 1]]), "whole counts"),
    "surfaces on two grids": (lambda: surface_distances(NOTHING, NOTHING[:2], (1, 1)), "on one grid"),
    "surfaces of numbers": (lambda: surface_distances(np.eye(3), np.eye(3), (1, 1)), "boolean masks"),
    "negative spacing of surfaces": (lambda: surface_distances(FULL, FULL, (-1, 1)), r"spacing_mm is \(-1, 1\)"),
    "negative spacing of distances": (lambda: signed_distance(FULL, (-1, 1)), r"spacing is \[-1.0, 1.0\]"),
    "distances of numbers": (lambda: signed_distance(np.eye(3)), "dtype float64"),
    "no falloff": (lambda: keypoint_similarity([[0, 0]], [[0, 0]], 1, 0), "falloff is 0"),
    "a visible point that is none": (
        lambda: keypoint_similarity([[0, math.nan]], [[0, 0]], 1, 1, [True]),
        "only of points that both marked",
    ),
    "visibility of another length": (
        lambda: keypoint_similarity([[0, 0]], [[0, 0]], 1, 1, [True, False]),
        "visible has shape",
    ),
    "an object without area": (lambda: keypoint_similarity([[0, 0]], [[0, 0]], 0, 1), "area is 0"),
    "a box of two numbers": (lambda: box_iou([[0, 0]], [[0, 0, 1, 1]]), "first has shape"),
    "a box that ends before it starts": (lambda: box_iou([[0, 0, 1, 1]], [[1, 1, 0, 0]]), "second holds a box"),
    "nobody as a quorum": (lambda: merge_keypoints([[[0, 0]]], quorum=0), "quorum is 0"),
    "masks of two dimensions and of three": (
        lambda: disputed_regions(DOT, PlacedMask(np.ones((1, 1, 1), dtype=bool), (0, 0, 0))),
        r"masks have \[2, 3\] dimensions",
    ),
    "overlap of two dimensions and of three": (
        lambda: mask_iou([DOT], [PlacedMask(np.ones((1, 1, 1), dtype=bool), (0, 0, 0))]),
        "masks have 2 and 3 dimensions",
    ),
    "a point at infinity": (lambda: polygon_iou([PolygonShape(([(0, 0), (1, math.inf), (1, 1)],))], []), "not finite"),
    "half a right answer": (lambda: shrunken_shares([1.5], [2]), r"right is \[1.5\]"),
    "an answer that is neither right nor wrong": (lambda: sprt([math.nan]), r"holds \[nan\]"),
    "inventions below none": (
        lambda: read_objects([], ObjectFault(extra_mean=-1), RNG, (3, 3)),
        "extra_mean is -1",
    ),
    "readers of one class": (lambda: confusion_of_accuracy(0.5, 1), "n_classes is 1"),
    "a level in percent": (lambda: raw_agreement([[1, 1]], level=95), "level is 95"),
    "a level of alpha in percent": (lambda: krippendorff_alpha([[1, 1]], level=95), "level is 95"),
    "a level of kappa in percent": (lambda: conger_kappa([[1, 1]], level=95), "level is 95"),
    "answers in a session of unknown number": (
        lambda: fatigue_slope([1, 0], [0, 1], np.array([0, math.nan])),
        "holds NaN",
    ),
    "no chance pairs": (
        lambda: structured_alpha([], lambda a, b: 0.0, RNG, max_chance_pairs=0),
        "max_chance_pairs is 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_with_a_sentence(case):
    call, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        call()


def test_a_given_weight_matrix_counts_near_misses():
    matrix = agreement_weights("linear", 3)
    ratings = [[0, 1], [1, 2], [0, 2], [1, 1]]
    named = raw_agreement(ratings, weights="linear", categories=[0, 1, 2]).value
    assert raw_agreement(ratings, weights=matrix, categories=[0, 1, 2]).value == named == 0.5


def test_means_without_values_or_resampling_say_so():
    assert mean_estimate([math.nan], unit="pairs").reason == "no pairs"
    plain = mean_estimate([0.5, 0.7])
    assert math.isnan(plain.low)
    assert plain.interval_reason == "no resampling was asked for"
    assert weighted_bootstrap_interval(1, lambda drawn: drawn[:, 0], Resampling(RNG)).reason


def test_every_resample_without_a_value_gives_no_interval():
    found = weighted_bootstrap_interval(5, lambda drawn: np.full(len(drawn), math.nan), Resampling(RNG, n_resamples=9))
    assert (found.reason, found.n_dropped) == ("no resample has a value", 9)


def test_cohens_kappa_by_bootstrap_is_near_its_formula():
    ratings = ratings_from_table([[40, 9], [6, 45]])
    plain, drawn = (cohen_kappa(ratings, resampling=r).estimate for r in (None, Resampling(RNG)))
    assert [drawn.low, drawn.high] == pytest.approx([plain.low, plain.high], abs=0.03)


def test_one_unit_has_a_value_without_an_interval():
    found = raw_agreement([[1, 1]])
    assert found.value == 1.0
    assert math.isnan(found.low)
    assert found.interval_reason


def test_raw_agreement_by_group_bootstrap_prints_its_groups():
    ratings = np.array([[1, 1], [1, 2], [2, 2], [1, 1]] * 10)
    found = raw_agreement(ratings, resampling=Resampling(RNG, np.repeat(np.arange(20), 2), "patients"))
    assert (found.value, found.n, found.n_groups, found.group_unit) == (0.75, 40, 20, "patients")


def test_coefficients_by_group_bootstrap_hold_their_value():
    ratings = np.random.default_rng(1).integers(0, 2, (60, 3)).astype(float)
    ratings[:, 1] = ratings[:, 0]
    found = gwet_ac(ratings, resampling=Resampling(RNG, np.repeat(np.arange(20), 3), "patients")).estimate
    assert found.low < found.value < found.high
    assert found.n_groups == 20


def test_outlines_without_area_or_beyond_the_image_have_no_pixels():
    assert polygon_mask([(0, 0), (9, 9)]).voxels.size == 0
    assert polygon_mask([(50, 50), (60, 50), (60, 60)], size=(10, 10)).voxels.size == 0
    assert ellipse_mask([(5, 5), (0, 3)]).voxels.size == 0
    assert ellipse_mask([(50, 50), (3, 3)], size=(10, 10)).voxels.size == 0
    assert polygon_iou([], []).shape == (0, 0)


def test_alpha_of_a_given_distance_with_a_bootstrap():
    ratings = np.random.default_rng(2).integers(0, 3, (80, 3)).astype(float)
    ratings[:, 1] = ratings[:, 0]
    distance = [[0, 1, 5], [1, 0, 1], [5, 1, 0]]
    found = krippendorff_alpha(ratings, distance=distance, resampling=Resampling(RNG)).estimate
    assert found.low < found.value < found.high
    assert "given distance" in found.method


def test_a_favourite_is_always_given():
    assert set(spam_labels(50, 3, RNG, favourite=1).tolist()) == {1}


def test_inventions_of_a_reader_lie_on_the_grid_or_are_none():
    tiny = read_objects([], ObjectFault(extra_mean=30.0, extra_radius=0.2), np.random.default_rng(3), (6, 6))
    large = read_objects([], ObjectFault(extra_mean=30.0, extra_radius=2.0), np.random.default_rng(3), (6, 6))
    assert len(tiny) < len(large)
    assert all(mask.shape == (6, 6) and mask.any() for mask in (*tiny, *large))
