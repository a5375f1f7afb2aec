"""Copying, duplicate shapes, spam, peer prediction, recognised gold: planted cases are found, honest ones are not."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labelhub.numerics.copying import _both_chosen, _upper_tail, shared_errors
from labelhub.numerics.duplicates import contour_fingerprint, duplicate_contours, duplicate_masks
from labelhub.numerics.false_discovery import discoveries
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.gold_leak import gold_leak
from labelhub.numerics.peer_prediction import correlated_agreement, spectral_skill
from labelhub.numerics.simulated import copied_labels
from labelhub.numerics.spam import clicker_ratio, spam_indices, spammer_scores

GAP = math.nan


def class_of_raters(rng, copy_rate, *, accuracy=None, hard=False, n_classes=4, n_units=300):
    """Eight raters of 300 units; the second copies this share of the first one's answers."""
    right = np.full(8, 0.85) if accuracy is None else np.array(accuracy)
    truth = rng.integers(0, n_classes, n_units)
    ease = rng.normal(0, 1, n_units) if hard else np.zeros(n_units)
    chance = 1 / (1 + np.exp(-(np.log(right / (1 - right))[None, :] + ease[:, None])))
    common = rng.integers(1, n_classes, n_units)[:, None]
    step = np.where(rng.random((n_units, 8)) < (0.6 if hard else 0), common, rng.integers(1, n_classes, (n_units, 8)))
    ratings = np.where(rng.random((n_units, 8)) < chance, truth[:, None], (truth[:, None] + step) % n_classes)
    ratings[:, 1] = copied_labels(ratings[:, 1], ratings[:, 0], copy_rate, rng)
    return ratings.astype(float), truth.astype(float)


@pytest.mark.parametrize(("copy_rate", "least", "most"), [(0.1, 0.15, 0.55), (0.2, 0.75, 0.97), (0.3, 0.95, 1.0)])
def test_copiers_are_found_as_often_as_planned(copy_rate, least, most):
    rng = np.random.default_rng(1)
    found = [shared_errors(*class_of_raters(rng, copy_rate)).flagged_pairs for _ in range(60)]
    assert least <= np.mean([(0, 1) in pairs for pairs in found]) <= most
    assert np.mean([len([pair for pair in pairs if pair != (0, 1)]) / max(len(pairs), 1) for pairs in found]) < 0.05


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"hard": True},
        {"accuracy": [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.5]},
        {"hard": True, "accuracy": [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.5]},
        {"hard": True, "accuracy": [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.6, 0.6], "n_classes": 2},
    ],
)
def test_honest_raters_are_seldom_accused_whatever_their_skill_and_the_units_difficulty(kind):
    rng = np.random.default_rng(2)
    accused = np.mean([len(shared_errors(*class_of_raters(rng, 0.0, **kind)).flagged_pairs) > 0 for _ in range(60)])
    # 5 % and two standard errors of 60 classes.
    assert accused <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 60)


def test_raters_and_categories_may_be_renamed():
    ratings, truth = class_of_raters(np.random.default_rng(3), 0.5)
    one = shared_errors(ratings, truth)
    other = shared_errors(3 - ratings[:, ::-1], 3 - truth)
    assert one.flagged_pairs == ((0, 1),)
    assert other.flagged_pairs == ((6, 7),)
    np.testing.assert_allclose(np.sort(one.p_value), np.sort(other.p_value), atol=1e-9)
    assert one.z.max() > 5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=6), st.integers(2, 6))
def test_chances_of_being_chosen_together_equal_counting_all_sets(log_odds, m):
    n, odds = len(log_odds), np.exp(log_odds)
    m = min(m, n)
    total, both = 0.0, np.zeros((n, n))
    for chosen in combinations(range(n), m):
        weight = np.prod(odds[list(chosen)])
        total += weight
        both[np.ix_(chosen, chosen)] += weight
    found = _both_chosen(np.array(log_odds), m)
    apart = ~np.eye(n, dtype=bool)
    np.testing.assert_allclose(found[apart], (both / total)[apart], atol=1e-9)


def test_the_tail_of_equal_draws_is_the_binomials():
    assert _upper_tail(np.full(20, 0.3), 8) == pytest.approx(
        stats.binom.sf(8, 20, 0.3) + stats.binom.pmf(8, 20, 0.3) / 2
    )
    assert _upper_tail(np.empty(0), 0) == 0.5


def test_too_little_in_common_is_a_reason_and_unknown_truth_is_left_out():
    few = shared_errors([[0, 1, 0]] * 5, [0.0] * 5)
    assert few.flagged_pairs == ()
    assert "share 20 units" in few.reason
    assert shared_errors([[0, 1, 0]] * 30, [GAP] * 30).reason is not None
    all_wrong = shared_errors(np.ones((30, 3)), np.zeros(30), categories=[0, 1])
    assert all_wrong.flagged_pairs == ()
    two = shared_errors(np.ones((30, 2)), np.zeros(30), categories=[0, 1])
    assert two.p_value.tolist() == [1.0]
    with pytest.raises(ValueError, match="truth has shape"):
        shared_errors([[0, 1]], [0, 0])


def test_false_discoveries_are_kept_to_the_rate():
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(300):
        p = np.concatenate([rng.random(80), rng.random(20) * 1e-3])
        found = discoveries(p).is_found
        shares.append(found[:80].sum() / max(found.sum(), 1))
    assert np.mean(shares) <= 0.05
    nothing = discoveries([GAP])
    assert nothing.n_tests == 0
    assert not nothing.is_found[0]
    with pytest.raises(ValueError, match="from 0 to 1"):
        discoveries([2.0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_values_equal_their_definition(p_values):
    n, ordered = len(p_values), sorted(p_values)
    for value, q in zip(p_values, discoveries(p_values).q_value, strict=True):
        by_hand = min(*(other * n / (rank + 1) for rank, other in enumerate(ordered) if other >= value), 1.0)
        assert q == pytest.approx(by_hand)


def star(n=12, shift=0.0):
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([np.cos(angle) * (5 + np.arange(n)) + shift, np.sin(angle) * 7])


def test_the_same_outline_is_recognised_from_any_start_in_both_directions():
    outline = star()
    mark = contour_fingerprint(outline)
    assert contour_fingerprint(np.roll(outline, 5, axis=0)) == mark
    assert contour_fingerprint(outline[::-1]) == mark
    assert contour_fingerprint(np.vstack([outline, outline[:1]])) == mark
    assert contour_fingerprint(outline + 1e-7) == mark
    assert contour_fingerprint(star(shift=0.01)) != mark
    doubled = np.vstack([outline, outline])
    assert contour_fingerprint(np.roll(doubled, 3, axis=0)) == contour_fingerprint(doubled)
    assert contour_fingerprint([(1, 2)]) == contour_fingerprint([(1, 2)])


def test_only_outlines_of_different_raters_are_duplicates():
    found = duplicate_contours([star(), star(), star(shift=1), star()[::-1]], [1, 1, 2, 2])
    assert [(pair.first, pair.second) for pair in found] == [(0, 3), (1, 3)]
    assert found[0].sign == "identical vertices"
    assert duplicate_contours([star(4), star(4)], [1, 2]) == ()


def test_masks_alike_to_the_voxel_are_duplicates_and_careful_ones_are_not():
    y, x = np.mgrid[:80, :80]
    disc = (y - 40) ** 2 + (x - 40) ** 2 < 30**2
    careful = (y - 40.5) ** 2 + (x - 40) ** 2 < 30**2
    masks = [PlacedMask(mask, (0, 0)) for mask in (disc, disc, careful, disc[:2, :2])]
    found = duplicate_masks(masks, [1, 2, 3, 4])
    assert [(pair.first_rater, pair.second_rater) for pair in found] == [(1, 2)]
    assert duplicate_masks([], []) == ()


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match="points has shape"):
        contour_fingerprint([])
    with pytest.raises(ValueError, match="precision is 0"):
        contour_fingerprint([(0, 0)], precision=0)
    with pytest.raises(ValueError, match="raters has 0 entries"):
        duplicate_contours([star()], [])
    with pytest.raises(ValueError, match="least_iou is 0"):
        duplicate_masks([], [], least_iou=0)


def test_signs_of_spam_are_counted_as_by_hand():
    ratings = np.array([[0, 0, GAP], [0, 0, GAP], [1, 0, GAP], [2, 0, GAP], [2, 1, GAP]])
    found = spam_indices(ratings, categories=[0, 1, 2])
    assert found.n.tolist() == [5, 5, 0]
    assert found.longest_run.tolist() == [2, 4, 0]
    assert found.commonest[:2].tolist() == [0.4, 0.8]
    p = np.array([0.4, 0.2, 0.4])
    assert found.entropy[0] == pytest.approx(-(p * np.log(p)).sum() / np.log(3))
    assert np.isnan([found.entropy[2], found.commonest[2], found.run_p_value[2]]).all()
    backwards = spam_indices([[0.0], [1.0], [0.0]], order=[[1], [3], [2]])
    assert backwards.longest_run.tolist() == [2]
    assert np.isnan(spam_indices([[1.0]]).entropy[0])
    with pytest.raises(ValueError, match="order has shape"):
        spam_indices([[0.0, 1.0]], order=[[1]])


def test_the_bound_on_long_runs_holds():
    rng = np.random.default_rng(5)
    draws = (rng.random((60, 4000)) < 0.3).astype(float)
    found = spam_indices(draws)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(found.run_p_value <= level) <= level + 0.02
    assert spam_indices(np.concatenate([draws[:, :1], np.ones((25, 1)), draws[:, 1:2]])).run_p_value[0] < 0.01


def test_a_clicker_has_a_ratio_of_nothing():
    found = clicker_ratio([25, 80, 0], [100, 100, 0], 4)
    assert found[0] == pytest.approx(0)
    assert found[1] > 50
    assert math.isnan(found[2])
    with pytest.raises(ValueError, match="n_right is"):
        clicker_ratio([2], [1], 2)


def test_spammers_of_every_habit_score_nothing():
    rng = np.random.default_rng(6)
    habit = rng.dirichlet(np.ones(4), 5)
    np.testing.assert_allclose(spammer_scores(np.repeat(habit[:, None, :], 4, axis=1)), 0, atol=1e-12)
    assert spammer_scores(np.eye(4)[None])[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="confusion has shape"):
        spammer_scores([[1.0]])
    with pytest.raises(ValueError, match="each must be 1"):
        spammer_scores(np.ones((1, 2, 2)))


def honest_and_not(rng, n=2000):
    truth = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    honest = np.where(rng.random((n, 4)) < 0.8, truth[:, None], rng.integers(0, 3, (n, 4)))
    return np.column_stack([honest, np.zeros(n), rng.integers(0, 3, n)]).astype(float)


@pytest.mark.parametrize("identical_only", [False, True])
def test_answering_without_looking_earns_nothing(identical_only):
    found = correlated_agreement(honest_and_not(np.random.default_rng(7)), identical_only=identical_only)
    assert (found.score[:4] > 0.15).all()
    assert (np.abs(found.score[4:]) < 3 * found.standard_error[4:] + 1e-12).all()


def test_the_standard_error_of_a_score_is_its_spread_over_repetitions():
    rng = np.random.default_rng(8)
    runs = [correlated_agreement(honest_and_not(rng, 300)) for _ in range(150)]
    spread = np.std([run.score for run in runs], axis=0)[:4]
    stated = np.mean([run.standard_error for run in runs], axis=0)[:4]
    np.testing.assert_allclose(stated, spread, rtol=0.25)


def test_scores_without_peers_are_unknown():
    found = correlated_agreement([[0, GAP, GAP], [1, GAP, 0], [0, GAP, GAP]])
    assert np.isnan(found.score).tolist() == [False, True, False]
    assert np.isnan(found.standard_error).all()
    assert correlated_agreement(np.empty((0, 2)), categories=[0, 1]).n.tolist() == [0, 0]


def test_spectral_skill_finds_planted_accuracies_with_gaps():
    rng = np.random.default_rng(9)
    planted = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.34])
    truth = rng.integers(0, 3, 6000)
    ratings = np.where(
        rng.random((6000, 6)) < planted, truth[:, None], (truth[:, None] + rng.integers(1, 3, (6000, 6))) % 3
    )
    ratings = np.where(rng.random(ratings.shape) < 0.3, GAP, ratings)
    found = spectral_skill(ratings)
    np.testing.assert_allclose(found.accuracy, planted, atol=0.04)
    assert found.is_converged
    assert found.misfit < 0.03


def test_spectral_skill_that_does_not_settle_says_so(monkeypatch):
    monkeypatch.setattr("labelhub.numerics.peer_prediction._ROUNDS", 2)
    found = spectral_skill(honest_and_not(np.random.default_rng(11), 100))
    assert not found.is_converged
    assert "not converged after 2 rounds" in found.warnings


def test_spectral_skill_of_too_few_raters_is_unknown():
    assert np.isnan(spectral_skill([[0, 1], [1, 1]]).skill).all()
    with pytest.raises(ValueError, match="at least 2 are needed"):
        spectral_skill([[1, 1, 1]])


def test_recognised_gold_is_suspected_and_hard_gold_is_not():
    rng = np.random.default_rng(10)
    rank = np.repeat(np.arange(1, 16), 4)
    suspected = []
    for gain in (0.0, 0.45):
        hits = 0
        for _ in range(200):
            right = rng.random(60) < 0.5 + gain * (rank >= 8)
            seconds = np.exp(rng.normal(3 - 2 * gain * (rank >= 8), 0.5))
            hits += gold_leak(rank, right, seconds).is_suspect
        suspected.append(hits / 200)
    assert suspected[0] <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
    assert suspected[1] > 0.9


def test_gold_without_early_or_late_answers_or_times_cannot_be_judged_so():
    assert gold_leak([9], [1]).reason == "no early exposures"
    assert gold_leak([1], [1]).reason == "no late exposures"
    assert math.isnan(gold_leak([1, 9], [1, 1]).p_time)
    same = gold_leak([1, 1, 9, 9], [1, 0, 1, 1], [5, 5, 5, 5])
    assert math.isnan(same.p_time)
    assert same.time_ratio == 1.0
    assert gold_leak([1, 1, 9, 9], [1, 0, 1, 1], [9, 8, GAP, 2]).n_late == 2
    with pytest.raises(ValueError, match="one each an answer"):
        gold_leak([1], [0.5])
    with pytest.raises(ValueError, match="ranks start at 1"):
        gold_leak([0], [1])
