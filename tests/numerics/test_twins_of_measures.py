"""Measures of shapes, of single labels and of courses of answers against slow obvious twins."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from labelhub.numerics.added_path import added_path_length
from labelhub.numerics.bland_altman import limits_of_agreement
from labelhub.numerics.disagreement import disagreement_map, vote_entropy
from labelhub.numerics.fusion_calibration import RaterOffset, calibrated_fusion
from labelhub.numerics.geometry import PlacedMask, box_giou, keypoint_similarity, mask_dice, point_similarity
from labelhub.numerics.gold_leak import gold_leak
from labelhub.numerics.graded_sprt import ErrorRates, mask_credit, sprt_by_difficulty, sprt_of_scores
from labelhub.numerics.label_quality import confident_joint, normalised_margin, suspect_regions
from labelhub.numerics.means import clustered_mean
from labelhub.numerics.object_merge import merge_boxes, merge_keypoints
from labelhub.numerics.residual_error import residual_error
from labelhub.numerics.sequential import SprtPlan, sprt
from labelhub.numerics.spam import clicker_ratio, spam_indices, spammer_scores
from labelhub.numerics.specific import found_by
from labelhub.numerics.staple import label_staple
from labelhub.numerics.structured import structured_alpha
from labelhub.numerics.surfels import (
    neighbour_codes,
    surfel_areas,
    surfel_average_distances,
    surfel_distances,
    surfel_hausdorff,
    surfel_overlaps,
    surfel_surface_dice,
)
from tests.numerics.squares import mask_pairs
from tests.numerics.test_fusion import slow_signed_distance

SEEDS = st.integers(0, 2**32 - 1)
POINTS = arrays(np.float64, (4, 2), elements=st.integers(0, 12).map(float))
STEPS = st.sampled_from([0.5, 1.0, 2.5])


def contour(plane: np.ndarray) -> list[tuple[int, int]]:
    padded = np.pad(plane, 1)
    return [
        (y, x) for y, x in np.argwhere(plane).tolist()
        if not (padded[y, x + 1] and padded[y + 2, x + 1] and padded[y + 1, x] and padded[y + 1, x + 2])
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(mask_pairs(), STEPS, st.sampled_from([0.0, 1.0, 2.0]))
def test_added_path_equals_asking_every_contour_pixel(pair, step, tolerance):
    planes = [pair[k] if pair[k].ndim == 3 else pair[k][None] for k in (0, 1)]
    spacing = (7.0, step, 1.0) if pair[0].ndim == 3 else (step, 1.0)
    n_added = n_contour = 0
    for given_plane, truth in zip(*planes, strict=True):
        there = contour(given_plane)
        for y, x in contour(truth):
            n_contour += 1
            nearest = min((math.hypot((y - v) * step, x - u) for v, u in there), default=math.inf)
            n_added += nearest > tolerance + 1e-9
    found = added_path_length(*pair, tolerance=tolerance, spacing_mm=spacing)
    assert (found.n_added, found.n_contour) == (n_added, n_contour)


@settings(max_examples=60, deadline=None)
@given(mask_pairs(max_side=5), STEPS, st.sampled_from([0.0, 1.0, 2.0]))
def test_surfel_measures_equal_asking_every_surfel(pair, step, tolerance):
    assume(pair[0].any() and pair[1].any() and min(pair[0].shape) > 1)
    spacing = np.array([step] + [1.0] * (pair[0].ndim - 1))
    areas = surfel_areas(tuple(spacing.tolist()))
    codes = [neighbour_codes(mask) for mask in pair]
    cells = [np.argwhere((code > 0) & (code < 2**2**code.ndim - 1)) for code in codes]
    weight = [areas[code[tuple(cell.T)]] for code, cell in zip(codes, cells, strict=True)]
    table = np.sqrt((((cells[0][:, None] - cells[1][None]) * spacing) ** 2).sum(axis=2))
    nearest = [table.min(axis=1), table.min(axis=0)]
    found = surfel_distances(*pair, spacing_mm=spacing)
    means = [float((d * w).sum() / w.sum()) for d, w in zip(nearest, weight, strict=True)]
    shares = [float(w[d <= tolerance + 1e-9].sum() / w.sum()) for d, w in zip(nearest, weight, strict=True)]
    assert surfel_average_distances(found) == pytest.approx(means)
    assert surfel_overlaps(found, tolerance) == pytest.approx(shares)
    both = sum(s * w.sum() for s, w in zip(shares, weight, strict=True)) / sum(w.sum() for w in weight)
    assert surfel_surface_dice(found, tolerance) == pytest.approx(both)
    assert surfel_hausdorff(found) == pytest.approx(max(d.max() for d in nearest))
    # The least distance that covers 95 % of an area; a rounding of the sum may decide exactly there.
    reached = [
        min(x for x in d if w[d <= x].sum() >= 0.95 * w.sum() - 1e-12) for d, w in zip(nearest, weight, strict=True)
    ]
    later = [
        min(x for x in d if w[d <= x].sum() >= 0.95 * w.sum() + 1e-12) for d, w in zip(nearest, weight, strict=True)
    ]
    assert max(reached) - 1e-9 <= surfel_hausdorff(found, 95) <= max(later) + 1e-9


@settings(max_examples=60, deadline=None)
@given(*[st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(7, 12)] * 2)] * 2, POINTS, POINTS)
def test_boxes_and_points_equal_their_formulas(first, second, a, b):
    inside = [
        [x0 <= x < x1 and y0 <= y < y1 for x in range(12) for y in range(12)] for x0, y0, x1, y1 in (first, second)
    ]
    both, either = np.sum(np.all(inside, axis=0)), np.sum(np.any(inside, axis=0))
    hull = (max(first[2], second[2]) - min(first[0], second[0])) * (max(first[3], second[3]) - min(first[1], second[1]))
    assert box_giou([first], [second])[0, 0] == pytest.approx(both / either - (hull - either) / hull)
    apart = [math.dist(p, q) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
    expected = np.mean([math.exp(-(d**2) / (2 * 50 * 0.1**2)) for d in apart])
    assert keypoint_similarity(a, b, 50.0, 0.1) == pytest.approx(expected)
    table = [[max(0.0, 1 - math.dist(p, q) / 6) for q in b.tolist()] for p in a.tolist()]
    np.testing.assert_allclose(point_similarity(a, b, 6.0), table, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=4), min_size=2, max_size=6))
def test_sigma_and_ks_equal_their_definitions(items):
    within = [abs(a - b) for item in items for a, b in combinations(item, 2)]
    chance = [abs(a - b) for one, other in combinations(items, 2) for a in one for b in other]
    assume(sum(chance) > 0)
    found = structured_alpha(items, lambda a, b: abs(a - b), np.random.default_rng(0))
    limit = np.quantile(chance, 0.05)
    assert found.sigma == pytest.approx(np.mean([distance < limit for distance in within]))
    gaps = [abs(np.mean(np.array(within) <= t) - np.mean(np.array(chance) <= t)) for t in range(10)]
    assert found.ks == pytest.approx(max(gaps))
    assert found.n_pairs == len(within)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 3, 2), elements=st.one_of(st.just(math.nan), st.integers(0, 9).map(float))))
def test_merged_keypoints_and_boxes_equal_their_slow_twins(points):
    found = merge_keypoints(points)
    for keypoint in range(3):
        here = [p for p in points[:, keypoint].tolist() if not any(math.isnan(value) for value in p)]
        assert found.n_marked[keypoint] == len(here)
        if len(here) < 3:
            assert np.isnan(found.points[keypoint]).all()
            continue
        centre = found.points[keypoint]
        apart = [math.dist(p, centre) for p in here]
        limit = 3 * 1.4826 * float(np.median(apart))
        far = {tuple(p) for p, d in zip(here, apart, strict=True) if d > limit + 1e-9 and limit > 0}
        marked = {tuple(p) for p in points[found.is_outlier[:, keypoint], keypoint].tolist()}
        assert far == marked or any(abs(d - limit) < 1e-6 for d in apart)
    corners = np.nan_to_num(points[:, :2].reshape(5, 4))
    assert merge_boxes(corners).tolist() == [sorted(column)[2] for column in corners.T.tolist()]


@settings(max_examples=40, deadline=None)
@given(mask_pairs(), st.integers(2, 5))
def test_maps_of_disagreement_equal_counting_and_dice_of_pieces_counts_voxels(pair, n_raters):
    found = disagreement_map([PlacedMask(mask, (0,) * mask.ndim) for mask in pair], n_raters=n_raters)
    for voxel in np.ndindex(pair[0].shape):
        share = (int(pair[0][voxel]) + int(pair[1][voxel])) / n_raters
        assert found.disagreement[voxel] == pytest.approx(4 * share * (1 - share))
        bits = -sum(p * math.log2(p) for p in (share, 1 - share) if p > 0)
        assert found.entropy[voxel] == pytest.approx(bits, abs=1e-12)
    both, sizes = int((pair[0] & pair[1]).sum()), int(pair[0].sum() + pair[1].sum())
    placed = [[PlacedMask(mask, (0,) * mask.ndim)] for mask in pair]
    assert mask_dice(*placed)[0, 0] == pytest.approx(2 * both / sizes if sizes else 0.0)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6),
              elements=st.sampled_from([0.0, 1.0, 2.0, math.nan])))  # fmt: skip
def test_entropy_and_who_found_what_equal_counting(ratings):
    for row, value in zip(ratings.tolist(), vote_entropy(ratings, categories=[0, 1, 2]), strict=True):
        answers = [v for v in row if not math.isnan(v)]
        shares = [answers.count(k) / len(answers) for k in (0, 1, 2)] if answers else []
        expected = -sum(p * math.log(p) for p in shares if p) / math.log(3) if len(answers) > 1 else math.nan
        assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)
    for entry in found_by(ratings):
        rows = [row for row in ratings.tolist() if sum(not math.isnan(v) for v in row) == entry.n_raters and 1.0 in row]
        assert entry.counts.tolist() == [sum(row.count(1.0) == k for row in rows) for k in range(entry.n_raters + 1)]


def flooded(doubtful: np.ndarray) -> list[list[tuple[int, ...]]]:
    left, pieces = {tuple(place) for place in np.argwhere(doubtful).tolist()}, []
    while left:
        piece, edge = [], [left.pop()]
        while edge:
            place = edge.pop()
            piece.append(place)
            for axis in range(len(place)):
                for step in (-1, 1):
                    other = (*place[:axis], place[axis] + step, *place[axis + 1 :])
                    if other in left:
                        left.remove(other)
                        edge.append(other)
        pieces.append(sorted(piece))
    return pieces


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=3, max_side=5),
              elements=st.sampled_from([0.01, 0.05, 0.8, 1.0, math.nan])), st.integers(1, 3))  # fmt: skip
def test_suspect_regions_equal_flooding(values, least):
    found = suspect_regions(values, below=0.9, min_voxels=least)
    pieces = [piece for piece in flooded(np.nan_to_num(values, nan=1.0) < 0.9) if len(piece) >= least]
    assert sorted(sorted(map(tuple, np.argwhere(found.map == one.number).tolist())) for one in found.regions) == sorted(
        pieces
    )
    doubts = [sum(1 - values[tuple(place)] for place in np.argwhere(found.map == one.number)) for one in found.regions]
    assert [one.doubt for one in found.regions] == pytest.approx(doubts)
    assert all(a >= b - 1e-12 for a, b in pairwise(doubts))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 4), st.integers(1, 12))
def test_confident_joint_and_margin_equal_their_slow_twins(seed, q, n):
    rng = np.random.default_rng(seed)
    table, labels = rng.dirichlet(np.ones(q), n), rng.integers(0, q, n)
    found = confident_joint(labels, table)
    limits = [np.mean([table[i, k] for i in range(n) if labels[i] == k]) if k in labels else math.inf for k in range(q)]
    counts = np.zeros((q, q))
    for i in range(n):
        reached = [k for k in range(q) if table[i, k] >= limits[k] - 1e-12]
        if reached:
            counts[labels[i], max(reached, key=lambda k: table[i, k])] += 1
    np.testing.assert_array_equal(found.counts, counts)
    rows = [counts[k] / counts[k].sum() if counts[k].sum() else np.eye(q)[k] for k in range(q)]
    joint = np.array([rows[k] * np.sum(labels == k) for k in range(q)]) / n
    np.testing.assert_allclose(found.joint, joint, atol=1e-12)
    assert found.n_errors == pytest.approx(n * (1 - np.trace(joint)), abs=1e-9)
    margins = [(table[i, g] - max(table[i, k] for k in range(q) if k != g) + 1) / 2 for i, g in enumerate(labels)]
    np.testing.assert_allclose(normalised_margin(labels, table), margins, atol=1e-12)


def slow_walk(steps, pause_at, clear_at, limit):
    total = 0.0
    for number, step in enumerate(steps, start=1):
        total += step
        if total >= pause_at:
            return "pause", number
        if total <= clear_at:
            return "clear", number
        if number == limit:
            return ("pause" if total > (pause_at + clear_at) / 2 else "clear"), number
    return "continue", len(steps)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=160), SEEDS)
def test_sequential_tests_equal_walking_step_by_step(right, seed):
    rng = np.random.default_rng(seed)
    plan = SprtPlan()
    steps = [math.log(0.75 / 0.9) if one else math.log(0.25 / 0.1) for one in right]
    found = sprt(right, plan)
    assert (found.verdict, found.n_used) == slow_walk(
        steps, math.log(0.9 / 0.01), math.log(0.1 / 0.99), 2 * plan.fixed_n
    )
    good, rates = rng.uniform(0.6, 0.95, len(right)), ErrorRates(0.05, 0.2)
    bad = good - 0.2
    steps = [
        math.log(b / g) if one else math.log((1 - b) / (1 - g)) for one, g, b in zip(right, good, bad, strict=True)
    ]
    graded = sprt_by_difficulty(right, good, bad, rates)
    limit = 0 if math.isnan(graded.fixed_n) else 2 * int(graded.fixed_n)
    assert (graded.verdict, graded.n_used) == slow_walk(steps, math.log(0.8 / 0.05), math.log(0.2 / 0.95), limit)
    scores = rng.normal(0.8, 0.2, len(right))
    normal = [stats.norm(0.7, 0.2).logpdf(s) - stats.norm(0.9, 0.2).logpdf(s) for s in scores]
    of_scores = sprt_of_scores(scores, good=0.9, bad=0.7, spread=0.2, rates=rates)
    limit = 2 * int(of_scores.fixed_n)
    assert (of_scores.verdict, of_scores.n_used) == slow_walk(normal, math.log(0.8 / 0.05), math.log(0.2 / 0.95), limit)
    credit = mask_credit(scores, [scores] * len(scores))
    for value, score in zip(credit, scores, strict=True):
        top = float(np.median(scores))
        assert value == pytest.approx(min(1.0, max(0.0, (score - (top - 0.2)) / 0.2)))


@pytest.mark.parametrize("level", [0.2, 0.6, 1.5, 2.5])
def test_a_test_that_hovers_is_cut_where_the_slow_twin_says(level):
    right, total = [], 0.0
    for _ in range(2 * SprtPlan().fixed_n):
        right.append(total >= level)
        total += math.log(0.75 / 0.9) if right[-1] else math.log(0.25 / 0.1)
    found = sprt(right)
    assert found.is_truncated
    assert found.verdict == ("pause" if total > (math.log(90) + math.log(0.1 / 0.99)) / 2 else "clear")


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (9, 3), elements=st.sampled_from([0.0, 1.0, 2.0, math.nan])), SEEDS)
def test_signs_of_spam_equal_their_slow_twins(ratings, seed):
    found = spam_indices(ratings, categories=[0, 1, 2])
    for rater in range(3):
        answers = [v for v in ratings[:, rater].tolist() if not math.isnan(v)]
        assert found.n[rater] == len(answers)
        if not answers:
            assert math.isnan(found.entropy[rater])
            continue
        shares = [answers.count(k) / len(answers) for k in (0.0, 1.0, 2.0)]
        assert found.entropy[rater] == pytest.approx(-sum(p * math.log(p, 3) for p in shares if p), abs=1e-12)
        assert found.commonest[rater] == max(shares)
        run = max(
            n for k in range(len(answers)) for n in range(1, len(answers) - k + 1) if len(set(answers[k : k + n])) == 1
        )
        assert found.longest_run[rater] == run
    confusion = np.random.default_rng(seed).dirichlet(np.ones(3), (4, 3))
    for table, score in zip(confusion, spammer_scores(confusion), strict=True):
        # Raykar and Yu (2012), eq 7: over pairs of rows.
        pairs = sum(((a - b) ** 2).sum() for a, b in combinations(table, 2))
        assert score == pytest.approx(pairs / (3 * 2))
    ratio = stats.binom(20, 0.75).logpmf(15) - stats.binom(20, 0.5).logpmf(15)
    assert clicker_ratio([15], [20], 2)[0] == pytest.approx(ratio)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.05, 0.2, 1.0]), st.integers(0, 4)), min_size=1, max_size=25)
)
def test_errors_left_equal_the_weighted_sum(audit):
    wrong, chance, group = (list(column) for column in zip(*audit, strict=True))
    weight = [1 / c for c in chance]
    found = residual_error(wrong, chance, groups=group)
    share = sum(w for w, is_wrong in zip(weight, wrong, strict=True) if is_wrong) / sum(weight)
    assert found.value == pytest.approx(share)
    names = sorted(set(group))
    if len(names) > 1 and 0 < share < 1:
        moved = [
            sum(w * (is_wrong - share) for w, is_wrong, g in zip(weight, wrong, group, strict=True) if g == name)
            for name in names
        ]
        variance = len(names) / (len(names) - 1) * sum(m**2 for m in moved) / sum(weight) ** 2
        if variance > 0:
            assert found.standard_error == pytest.approx(math.sqrt(variance))
    known = residual_error(wrong, chance, n_units=1000, groups=group)
    assert known.value == pytest.approx(min(1.0, share * sum(weight) / 1000))
    assert known.low <= known.value <= known.high


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3)), min_size=2, max_size=12))
def test_means_over_groups_equal_their_formula(pairs):
    values, groups = [float(v) for v, _ in pairs], [g for _, g in pairs]
    found = clustered_mean(values, groups)
    assert found.value == pytest.approx(np.mean(values), abs=1e-12)
    names = sorted(set(groups))
    if len(names) > 1:
        sums = [sum(v - np.mean(values) for v, g in pairs if g == name) for name in names]
        error = math.sqrt(sum(s**2 for s in sums) * len(names) / (len(names) - 1)) / len(values)
        reach = stats.t.ppf(0.975, len(names) - 1) * error
        assert [found.low, found.high] == pytest.approx([found.value - reach, found.value + reach], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (7, 2), elements=st.integers(-20, 20).map(float)))
def test_limits_of_agreement_equal_their_formulas(pairs):
    d = (pairs[:, 0] - pairs[:, 1]).tolist()
    bias, spread = sum(d) / 7, math.sqrt(sum((x - sum(d) / 7) ** 2 for x in d) / 6)
    found = limits_of_agreement(pairs[:, 0], pairs[:, 1])
    assert [found.bias.value, found.lower.value, found.upper.value] == pytest.approx(
        [bias, bias - 1.96 * spread, bias + 1.96 * spread], abs=1e-9
    )
    if spread > 1e-9:
        t = stats.t.ppf(0.975, 6)
        assert found.bias.high - bias == pytest.approx(t * spread / math.sqrt(7))
        assert found.upper.high - found.upper.value == pytest.approx(t * math.sqrt(3 * spread**2 / 7))
        mean = pairs.mean(axis=1)
        if np.ptp(mean) > 0:
            assert found.proportional.slope.value == pytest.approx(stats.linregress(mean, d).slope, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=30))
def test_a_leak_of_gold_equals_fishers_test(answers):
    early = [right for rank, right in answers if rank <= 3]
    late = [right for rank, right in answers if rank >= 8]
    found = gold_leak([rank for rank, _ in answers], [right for _, right in answers])
    assert (found.n_early, found.n_late) == (len(early), len(late))
    if early and late:
        # At least as many right answers among the late ones, given how many there are in all.
        tail = stats.hypergeom(len(early) + len(late), sum(early) + sum(late), len(late)).sf(sum(late) - 1)
        assert found.p_value == found.p_accuracy == pytest.approx(min(tail, 1.0))


def slow_label_staple(maps, q, rounds, smoothing, start):
    """Voxel by voxel: votes, confusion matrices, and the neighbours' posteriors where there is a spatial term."""
    votes = np.array([[np.mean([m[v] == k for m in maps]) for k in range(q)] for v in np.ndindex(maps[0].shape)])
    prior, field = votes.mean(axis=0), start
    for _ in range(rounds):
        confusion = np.zeros((len(maps), q, q))
        for rater, one in enumerate(maps):
            for place, voxel in enumerate(np.ndindex(one.shape)):
                confusion[rater, :, one[voxel]] += field[place]
            confusion[rater] /= confusion[rater].sum(axis=1, keepdims=True)
        grid, renewed = field.reshape(*maps[0].shape, q), []
        for voxel in np.ndindex(maps[0].shape):
            weight = np.log(prior)
            for rater, one in enumerate(maps):
                weight = weight + np.log(np.maximum(confusion[rater, :, one[voxel]], 1e-300))
            for axis in range(len(voxel)):
                for step in (-1, 1):
                    beside = list(voxel)
                    beside[axis] += step
                    if 0 <= beside[axis] < maps[0].shape[axis]:
                        weight = weight + smoothing * grid[tuple(beside)]
            renewed.append(np.exp(weight - weight.max()))
        field = np.array([row / row.sum() for row in renewed])
    return field, confusion


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.7]))
def test_staple_of_labels_and_its_spatial_term_equal_a_further_round_of_the_slow_twin(seed, smoothing):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (6, 6))
    maps = [np.where(rng.random((6, 6)) < 0.75, truth, rng.integers(0, 3, (6, 6))) for _ in range(4)]
    assume(all(set(np.unique(one)) == {0, 1, 2} for one in maps))
    found = label_staple(maps, region="full", smoothing=smoothing, tolerance=1e-13, max_iterations=3000)
    assume(found.is_converged and not found.is_fallback)
    posterior = np.stack([found.probability(label).reshape(-1) for label in range(3)], axis=1)
    field, confusion = slow_label_staple(maps, 3, 1, smoothing, posterior)
    np.testing.assert_allclose(posterior, field, atol=1e-6)
    np.testing.assert_allclose(found.confusion, confusion, atol=1e-6)


def offset_of(rater: int, offset: float, noise: float) -> RaterOffset:
    return RaterOffset(rater, 1, offset, offset - 1, offset + 1, noise, 0.01, 0.01, 5, 5, 0, 0.95)


@settings(max_examples=40, deadline=None)
@given(mask_pairs(max_side=5), STEPS, st.sampled_from([-0.7, 0.0, 1.2]), st.sampled_from([0.3, 2.0]))
def test_calibrated_fusion_equals_its_slow_twin(pair, step, offset, noise):
    assume(pair[0].any() and pair[1].any() and min(pair[0].shape) > 1)
    spacing = np.array([step] + [1.0] * (pair[0].ndim - 1))
    offsets = [offset_of(0, offset, noise), offset_of(1, 0.4, 0.5)]
    weight = [1 / (one.noise**2 + (spacing.min() / 2) ** 2) for one in offsets]
    moved = [slow_signed_distance(mask, spacing) + one.offset for mask, one in zip(pair, offsets, strict=True)]
    fused = (weight[0] * moved[0] + weight[1] * moved[1]) / sum(weight)
    found = calibrated_fusion(pair, offsets, spacing_mm=spacing).mask()
    certain = np.abs(fused) > 1e-9
    np.testing.assert_array_equal(found[certain], (fused < 0)[certain])
