"""STAPLE: values of SimpleITK, a slow obvious twin, degenerate raters, the region, the spatial term."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelhub.numerics.decision_patterns import decision_patterns
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.region_of_interest import grown, region_of_interest
from labelhub.numerics.simulated import BoundaryFault, read_mask
from labelhub.numerics.staple import label_staple, staple
from tests.numerics.squares import NOTHING, SHIFTED, disc, five_discs, five_label_maps, square

# SimpleITK 2.5.7, STAPLEImageFilter on five_discs(): sensitivities, specificities, rounds after the first, sum of W.
ITK_SENSITIVITY = [0.8404293855154797, 0.7713816502071078, 0.87541018467286, 0.8495122226276131, 0.7124737201464922]
ITK_SPECIFICITY = [0.9906755869404424, 0.984979802269062, 0.9642129615799788, 0.9060024056060444, 0.9932597267564777]
ITK_ROUNDS = 42
ITK_SUM = 429.6460496765353
ITK_VOXELS = 422

# SimpleITK 2.5.7, MultiLabelSTAPLEImageFilter on five_label_maps(): rows and columns 6 to 33, the rest is 0, and the
# confusion of the first rater (truth, given).
ITK_LABELS = [
    "0000000000000000000000000000",
    "0000000001100100200000000000",
    "0000000001000102002002000000",
    "0000001001101122200000000000",
    "0000000111100022222222220000",
    "0000101111111122222222020000",
    "0000011111111122222222000200",
    "0010110110011122222222202200",
    "0001110111111122222202220020",
    "0001110111111122222222222220",
    "0001111011113322222222202200",
    "0111111111133322222222222000",
    "0010111111133322222222222002",
    "0101111111133322222222222000",
    "1011111111333333333311111002",
    "0011111111133333333111101111",
    "0001001111133333333111111100",
    "0011010111133333333111110011",
    "0110111111113333331111111010",
    "0001011111111111111111111000",
    "0011001111111111111101110010",
    "0001001110011111111110100110",
    "0000010011111111111111000000",
    "0000110111111011010110011000",
    "0000001011110111111101010000",
    "0000001010000001110011000000",
    "0000000000011100100000000000",
    "0000000000111100000100000000",
]
ITK_CONFUSION = [
    [0.9927558, 0.005559796, 0.001684404, 0.0],
    [0.229844351, 0.770155649, 0.0, 0.0],
    [0.161307652, 0.056879376, 0.74669803, 0.035114942],
    [0.0, 0.274137266, 0.0, 0.725862734],
]


def test_masks_over_the_whole_grid_give_the_values_of_simpleitk():
    found = staple(five_discs(), region="full")
    assert found.sensitivity == pytest.approx(ITK_SENSITIVITY, abs=1e-9)
    assert found.specificity == pytest.approx(ITK_SPECIFICITY, abs=1e-9)
    assert found.n_iterations == ITK_ROUNDS + 1
    assert found.probability().sum() == pytest.approx(ITK_SUM, abs=1e-6)
    assert int(found.mask().sum()) == ITK_VOXELS
    assert found.is_converged
    assert not found.is_fallback
    assert found.warnings == ()


def test_label_maps_over_the_whole_grid_give_the_values_of_simpleitk():
    found = label_staple(five_label_maps(), region="full", start="itk")
    expected = np.zeros((40, 40), dtype=int)
    expected[6:34, 6:34] = [[int(digit) for digit in row] for row in ITK_LABELS]
    np.testing.assert_array_equal(found.label_map(), expected)
    np.testing.assert_allclose(found.confusion[0], ITK_CONFUSION, atol=1e-8)


# The same filter on the first four maps, of which many voxels have tied votes: voxels a label, the first rater again.
ITK_TIED_COUNTS = [1189, 260, 94, 57]
ITK_TIED_CONFUSION = [
    [0.975963416, 0.016446959, 0.004243955, 0.003345671],
    [0.197670704, 0.802329296, 0.0, 0.0],
    [0.116662603, 0.0, 0.883337397, 0.0],
    [0.0, 0.350877193, 0.0, 0.649122807],
]


def test_tied_votes_are_started_from_as_simpleitk_does_only_where_asked():
    maps = five_label_maps()[:4]
    found = label_staple(maps, region="full", start="itk")
    assert np.bincount(found.label_map().reshape(-1)).tolist() == ITK_TIED_COUNTS
    np.testing.assert_allclose(found.confusion[0], ITK_TIED_CONFUSION, atol=1e-8)
    own = label_staple(maps, region="full")
    assert np.abs(own.confusion[0] - ITK_TIED_CONFUSION).max() > 0.02


def slow_staple(masks, region, rounds):
    """Voxel by voxel, as the paper has it, with the mean share as prior."""
    decisions = np.array([mask[region] for mask in masks], dtype=float)
    w = decisions.mean(axis=0)
    prior = w.mean()
    for _ in range(rounds):
        p = [float((w * d).sum() / w.sum()) for d in decisions]
        q = [float(((1 - w) * (1 - d)).sum() / (1 - w).sum()) for d in decisions]
        yes, no = np.full(w.shape, prior), np.full(w.shape, 1 - prior)
        for d, sensitivity, specificity in zip(decisions, p, q, strict=True):
            yes *= np.where(d == 1, sensitivity, 1 - sensitivity)
            no *= np.where(d == 1, 1 - specificity, specificity)
        w = yes / (yes + no)
    return w, p, q


@pytest.mark.parametrize("region", ["union", "full"])
@pytest.mark.parametrize("rounds", [1, 2, 15])
def test_staple_equals_its_slow_twin(region, rounds):
    masks = five_discs()
    union = np.any(masks, axis=0)
    where = grown(union, 2) if region == "union" else np.ones_like(union)
    found = staple(masks, region=region, max_iterations=rounds, tolerance=0)
    w, p, q = slow_staple(masks, where, rounds)
    assert found.sensitivity == pytest.approx(p, abs=1e-12)
    assert found.specificity == pytest.approx(q, abs=1e-12)
    np.testing.assert_allclose(found.probability()[where], w, atol=1e-12)
    assert found.n_region == int(where.sum())
    assert found.warnings == (f"not converged after {rounds} rounds",)


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, (5, 4, 6, 7)), st.integers(1, 4))
def test_the_slow_twin_agrees_on_any_masks_and_the_order_of_raters_does_not_matter(masks, rounds):
    if not 0 < masks.mean() < 1:
        return
    with np.errstate(all="ignore"):
        w, p, _ = slow_staple(masks, np.ones(masks.shape[1:], dtype=bool), rounds)
    found = staple(list(masks), region="full", max_iterations=rounds, tolerance=0)
    turned = staple(list(masks[::-1]), region="full", max_iterations=rounds, tolerance=0)
    if found.is_fallback or turned.is_fallback or not np.isfinite(w).all():
        return
    assert found.sensitivity == pytest.approx(p, abs=1e-8)
    np.testing.assert_allclose(found.probability().reshape(-1), w, atol=1e-6)
    np.testing.assert_allclose(turned.probability(), found.probability(), atol=1e-6)


def test_two_labels_are_staple_with_another_start():
    masks = five_discs()
    found = staple(masks, tolerance=1e-12)
    labels = label_staple([mask.astype(np.uint8) for mask in masks], tolerance=1e-12)
    np.testing.assert_allclose(labels.confusion, found.confusion, atol=1e-8)
    np.testing.assert_array_equal(labels.label_map().astype(bool), found.mask())
    np.testing.assert_allclose(labels.probability(0), 1 - found.probability(), atol=1e-8)
    np.testing.assert_allclose(found.confidence(), np.maximum(found.probability(), 1 - found.probability()))


def test_more_air_around_the_object_changes_the_whole_grid_but_not_the_region():
    masks = five_discs()
    wide = [np.pad(mask, 40) for mask in masks]
    near, far = staple(masks), staple(wide)
    np.testing.assert_allclose(near.confusion, far.confusion, atol=1e-12)
    padded = np.pad(near.probability(), 40, constant_values=near.probability()[0, 0])
    np.testing.assert_allclose(padded, far.probability(), atol=1e-12)
    assert staple(wide, region="full").specificity.min() > staple(masks, region="full").specificity.min()


def test_the_region_corrects_a_majority_that_draws_too_large_where_the_whole_grid_does_not():
    # Two good raters and three who draw 4 px too large.
    rng = np.random.default_rng(4)
    truth = disc(20, (48, 48), 96)
    faults = [BoundaryFault(0, 1, 3)] * 2 + [BoundaryFault(4, 1, 3)] * 3
    masks = [read_mask(truth, fault, rng) for fault in faults]
    near, whole = staple(masks), staple(masks, region="full")
    assert compare_masks(near.mask(), truth).dice > compare_masks(whole.mask(), truth).dice + 0.03
    assert near.specificity[:2].min() > near.specificity[2:].max()


def test_a_rater_who_drew_nothing_makes_it_fall_back_to_the_majority():
    found = staple([square(), square(), NOTHING])
    assert found.is_fallback
    assert "rater 2 would have a sensitivity below 0.05: the majority vote is given instead" in found.warnings
    np.testing.assert_array_equal(found.mask(), square())
    assert found.probability()[12, 12] == pytest.approx(2 / 3)


@pytest.mark.parametrize("masks", [[NOTHING, NOTHING], [~NOTHING, ~NOTHING], [NOTHING]])
def test_raters_who_give_one_answer_everywhere_leave_nothing_to_estimate(masks):
    found = staple(masks)
    assert found.is_fallback
    assert "nothing to estimate" in found.warnings[0]
    np.testing.assert_array_equal(found.mask(), masks[0])


def test_voxels_on_which_all_agree_that_would_turn_over_are_noticed():
    drawn = [
        ["#..#.#", "#...#.", "##..##"],
        ["..#.#.", ".####.", "######"],
        [".#....", "......", "#....."],
    ]
    masks = [np.array([[sign == "#" for sign in row] for row in rows]) for rows in drawn]
    found = staple(masks, region="full")
    assert found.is_fallback
    assert found.warnings[0].startswith("labels are flipped")
    np.testing.assert_array_equal(found.mask(), np.sum(masks, axis=0) >= 2)


def test_a_rater_who_misses_a_label_altogether_is_named():
    a = np.zeros((12, 12), dtype=np.uint8)
    a[3:9, 3:9] = 1
    b = 2 * a
    found = label_staple([a, a, a, b])
    assert not found.is_fallback
    assert "rater 3 would have a sensitivity below 0.05 for label 1" in found.warnings
    np.testing.assert_array_equal(found.label_map(), a)


def test_a_rater_of_label_maps_who_drew_nothing_makes_it_fall_back():
    maps = five_label_maps()[:3]
    found = label_staple([*maps, np.zeros_like(maps[0])])
    assert found.is_fallback
    assert any(warning.startswith("rater 3 would") for warning in found.warnings)


def test_labels_with_equal_claims_stay_undecided():
    a = np.zeros((6, 6), dtype=np.uint8)
    a[2:4, 2:4] = 1
    found = label_staple([a, 2 * a])
    assert found.undecided == 3
    assert found.label_map()[2, 2] == 3
    assert found.label_map()[0, 0] == 0


def test_label_numbers_and_kinds_of_arrays_do_not_matter():
    maps = five_label_maps()
    plain = label_staple(maps)
    renamed = label_staple([np.array([0, 300, 301, 900])[one] for one in maps])
    np.testing.assert_array_equal(renamed.label_map(), np.array([0, 300, 301, 900])[plain.label_map()])
    assert renamed.label_map().dtype == np.int64
    other_background = label_staple([np.array([5, 1, 2, 3])[one] for one in maps], background=5)
    np.testing.assert_allclose(other_background.probability(5), plain.probability(0), atol=1e-9)
    filled = label_staple([one[17:23, 17:23] + 1 for one in maps])
    assert filled.n_region == 36


def test_the_spatial_term_fills_holes_that_the_votes_leave():
    rng = np.random.default_rng(8)
    truth = disc(12, (20, 20), 40)
    masks = [truth ^ (rng.random(truth.shape) < 0.25) for _ in range(3)]
    plain, smooth = staple(masks), staple(masks, smoothing=1.0)
    assert smooth.spatial is not None
    assert compare_masks(smooth.mask(), truth).dice > compare_masks(plain.mask(), truth).dice + 0.02
    assert smooth.probability().shape == truth.shape
    np.testing.assert_array_equal(smooth.label_map(), smooth.mask())
    assert ((smooth.confidence() >= 0.5) & (smooth.confidence() <= 1)).all()


def test_a_vanishing_spatial_term_changes_nothing():
    masks = five_discs()
    plain, smooth = staple(masks), staple(masks, smoothing=1e-12)
    np.testing.assert_allclose(smooth.probability(), plain.probability(), atol=1e-5)
    np.testing.assert_allclose(smooth.confusion, plain.confusion, atol=1e-5)
    whole = staple(masks, smoothing=1e-12, region="full")
    np.testing.assert_allclose(whole.probability(), staple(masks, region="full").probability(), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(2, 7), st.integers(2, 7))), st.integers(0, 3))
def test_growing_by_steps_is_the_city_block_distance(mask, steps):
    places = np.argwhere(mask)
    expected = np.zeros_like(mask)
    for voxel in np.ndindex(mask.shape):
        expected[voxel] = bool(len(places)) and np.abs(places - voxel).sum(axis=1).min() <= steps
    np.testing.assert_array_equal(grown(mask, steps), expected)


def test_region_counts_add_up_at_the_edge_of_the_grid():
    corner = np.zeros((3, 9, 9), dtype=bool)
    corner[0, :2, :2] = True
    patterns = decision_patterns([corner, corner])
    region = region_of_interest(patterns, "union", background=0)
    assert region.n_voxels == int(grown(corner, 2).sum()) == region.counts.sum()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: staple([]), "maps is empty"),
        (lambda: staple([square().astype(np.uint8)]), "rater 0 has dtype uint8"),
        (lambda: staple([square(), SHIFTED], region="half"), "region is 'half'"),
        (lambda: staple([square(), SHIFTED], smoothing=-1.0), "smoothing is -1"),
        (lambda: label_staple([square().astype(int)], start="best"), "start is 'best'"),
        (lambda: staple([square(), SHIFTED]).probability(7), "label is 7"),
    ],
)
def test_impossible_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
