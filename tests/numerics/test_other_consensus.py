"""Weighted votes, GLAD, MACE, CATD, PM, measured numbers and CROWDLAB."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.special import expit

from labelhub.numerics.consensus import majority_vote
from labelhub.numerics.crowdlab import crowdlab
from labelhub.numerics.gaussian import number_consensus
from labelhub.numerics.glad import glad
from labelhub.numerics.mace import mace
from labelhub.numerics.weighted import catd, optimal_weights, pm, weighted_vote
from tests.benchmarks.truth_settings import crowd

GAP = math.nan
METHODS = (glad, mace, catd, pm)
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.sampled_from([0.0, 1.0, 2.0, GAP]),
)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_every_posterior_is_a_share_and_units_without_answers_have_none(ratings):
    empty = np.isnan(ratings).all(axis=1)
    for method in METHODS:
        found = method(ratings, categories=[0, 1, 2])
        assert np.isnan(found.posterior[empty]).all()
        np.testing.assert_allclose(found.posterior[~empty].sum(axis=1), 1.0)


@pytest.mark.parametrize("method", [glad, catd, pm])
def test_renaming_categories_and_raters_permutes_the_result(method):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 50)
    ratings = np.where(rng.random((50, 5)) < 0.7, truth[:, None], rng.integers(0, 3, (50, 5))).astype(float)
    one, other = method(ratings), method(2 - ratings[:, ::-1])
    np.testing.assert_allclose(one.posterior, other.posterior[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_nobody_nothing_and_one_category(method):
    assert method(np.empty((0, 2)), categories=[0, 1]).posterior.shape == (0, 2)
    assert np.isnan(method(np.full((2, 2), GAP), categories=[0, 1]).winner).all()
    with pytest.raises(ValueError, match="at least 2 are needed"):
        method([[1, 1]])


@pytest.mark.parametrize("method", [glad, catd, pm])
def test_too_few_rounds_are_said(method):
    rng = np.random.default_rng(0)
    assert any("not converged" in note for note in method(rng.integers(0, 3, (60, 7)), max_iterations=1).warnings)


@pytest.mark.parametrize("method", METHODS)
def test_each_beats_the_vote_where_a_third_only_clicks(method):
    gains = []
    for seed in range(4):
        answers, truth = crowd(
            np.random.default_rng(seed), n_units=1000, n_labels=5, a_rater=100, clickers=0.33, spread=1e6, pair=1 / 3
        )
        votes = answers.votes()
        leaders = votes == votes.max(axis=1, keepdims=True)
        vote = (leaders[np.arange(1000), truth.astype(int)] / leaders.sum(axis=1)).mean()
        gains.append(np.nanmean(method(answers).expected_correct(truth)) - vote)
    assert np.mean(gains) > 0.02


def test_weights_of_known_accuracy_are_bayes_rule():
    accuracy = np.array([0.9, 0.7, 0.4])
    for answers in ([0, 1, 2], [2, 2, 0], [1, 0, 0]):
        by_hand = np.ones(3)
        for p, given_answer in zip(accuracy, answers, strict=True):
            by_hand *= np.where(np.arange(3) == given_answer, p, (1 - p) / 2)
        found = weighted_vote([answers], accuracy, categories=[0, 1, 2])
        np.testing.assert_allclose(found.posterior[0], by_hand / by_hand.sum(), atol=1e-12)
    assert optimal_weights([1 / 3], 3)[0] == pytest.approx(0, abs=1e-12)


def test_impossible_accuracies_are_refused():
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        optimal_weights([1.0], 2)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        optimal_weights([0.5], 1)
    with pytest.raises(ValueError, match="one a rater"):
        weighted_vote([[0, 1]], [0.9])


def test_catd_trusts_a_long_record_more_than_a_short_one_of_the_same_rate():
    # Both never err; one answered 60 units, the other 3.
    ratings = np.full((60, 4), 0.0)
    ratings[::2] = 1.0
    ratings[3:, 1] = GAP
    found = catd(ratings)
    assert found.weight[0] > 5 * found.weight[1]


def test_pm_gives_the_worst_rater_nothing_and_equal_raters_the_same():
    found = pm([[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]])
    assert found.weight[2] == 0
    assert pm([[0, 0], [1, 1]]).weight.tolist() == [1.0, 1.0]


def test_glad_finds_skill_and_easiness():
    rng = np.random.default_rng(0)
    truth, skill = rng.integers(0, 3, 1500), rng.normal(1, 1, 30)
    easiness = rng.normal(1, 1, 1500)
    right = rng.random((1500, 30)) < expit(skill[None, :] * np.exp(easiness)[:, None])
    ratings = np.where(right, truth[:, None], (truth[:, None] + rng.integers(1, 3, (1500, 30))) % 3)
    found = glad(ratings)
    assert np.mean(found.winner == truth) > 0.98
    assert np.corrcoef(found.skill, skill)[0, 1] > 0.97
    assert np.corrcoef(found.easiness, easiness)[0, 1] > 0.5
    assert found.is_converged


def test_glads_target_rises_in_every_round():
    answers, _ = crowd(np.random.default_rng(1), n_units=200, n_labels=5, a_rater=50)

    def target(rounds):
        found = glad(answers, max_iterations=rounds, tolerance=-1.0)
        return found.log_likelihood - (((found.skill - 1) ** 2).sum() + ((found.easiness - 1) ** 2).sum()) / 2

    values = [target(rounds) for rounds in range(2, 12)]
    assert all(later >= earlier - 0.05 for earlier, later in pairwise(values))


def readings_of_five() -> np.ndarray:
    """Thirty units of three categories; the ratings of the first unit name all of them in order (see below)."""
    rng = np.random.default_rng(7)
    truth, accuracy = rng.integers(0, 3, 30), np.array([0.95, 0.8, 0.7, 0.6, 0.4])
    given = np.where(rng.random((30, 5)) < accuracy, truth[:, None], rng.integers(0, 3, (30, 5)))
    given[0] = [0, 1, 1, 2, 2]
    return given.astype(float)


def test_glad_with_even_shares_is_the_maximum_that_crowd_kit_finds():
    # crowd-kit 1.4.2, GLAD(n_iter=60, tol=-inf, m_step_tol=1e-7); its shares of categories are even and fixed.
    found = glad(readings_of_five(), shares=np.full(3, 1 / 3), tolerance=-1.0, max_iterations=200)
    assert found.skill == pytest.approx([1.525194, 0.569449, 1.056779, 0.575334, 0.082953], abs=2e-6)
    assert found.easiness[:6] == pytest.approx([-0.147738, 1.54225, -0.036637, 1.342899, 0.751505, 1.342899], abs=2e-6)
    assert found.posterior[0] == pytest.approx([0.242195, 0.528502, 0.229303], abs=2e-6)
    assert found.posterior[2] == pytest.approx([0.128181, 0.174589, 0.697231], abs=2e-6)


def test_mace_reaches_the_fixed_point_that_crowd_kit_finds():
    # crowd-kit 1.4.2, MACE(n_iter=400, n_restarts=1); it confuses raters and categories whose first appearance is not
    # in order, so the first unit names them in order.
    found = mace(readings_of_five(), n_iterations=400)
    assert found.spam == pytest.approx([0.036825, 0.320378, 0.168903, 0.393837, 0.742297], abs=2e-6)
    assert found.posterior[0] == pytest.approx([0.360522, 0.584663, 0.054814], abs=2e-6)
    assert found.posterior[2] == pytest.approx([0.019351, 0.016165, 0.964484], abs=2e-6)


def test_shares_and_a_prior_that_cannot_be_are_refused():
    for shares in ([0.5, 0.5], [0.5, 0.5, 0.0], [0.5, 0.5, 0.5]):
        with pytest.raises(ValueError, match="shares is"):
            glad(readings_of_five(), shares=shares)
    with pytest.raises(ValueError, match="habit_prior is 0"):
        mace(readings_of_five(), habit_prior=0)


def test_glad_warns_of_flipped_labels():
    odd = np.array([[0, 1, 2, 3]] * 40, dtype=float)
    odd = (odd + np.arange(40)[:, None]) % 4
    found = glad(odd)
    assert found.skill.mean() < 0
    assert any("flipped" in note for note in found.warnings)


def test_mace_finds_who_spams_and_how():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 800)
    honest = np.where(rng.random((800, 4)) < 0.85, truth[:, None], rng.integers(0, 4, (800, 4)))
    ratings = np.column_stack([honest, np.full(800, 2), rng.integers(0, 4, 800)])
    found = mace(ratings)
    assert (found.spam[:4] < 0.3).all()
    assert (found.spam[4:] > 0.9).all()
    assert found.habit[4].argmax() == 2
    np.testing.assert_allclose(found.habit.sum(axis=1), 1.0)
    np.testing.assert_array_equal(found.posterior, mace(ratings).posterior)


def test_mace_doubts_pure_noise_and_refuses_no_start():
    rng = np.random.default_rng(0)
    assert any("spam" in note for note in mace(rng.integers(0, 5, (300, 3))).warnings)
    assert any("not converged" in note for note in mace(rng.integers(0, 5, (300, 3)), n_iterations=1).warnings)
    with pytest.raises(ValueError, match="n_restarts is 0"):
        mace([[0, 1]], n_restarts=0)


def test_numbers_are_weighted_by_precision_and_no_rater_takes_over():
    rng = np.random.default_rng(0)
    gains, collapsed = [], 0
    for _ in range(20):
        truth, spread = rng.normal(0, 5, 60), np.array([0.3, 0.5, 1.0, 3.0])
        values = truth[:, None] + rng.normal(size=(60, 4)) * spread
        found = number_consensus(values)
        gains.append(np.sqrt(np.mean((values.mean(axis=1) - truth) ** 2) / np.mean((found.value - truth) ** 2)))
        collapsed += found.variance.min() < 0.005
    assert np.mean(gains) > 1.5
    assert collapsed == 0
    assert found.is_converged


def test_standard_errors_of_numbers_cover():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(20):
        truth = rng.normal(0, 5, 200)
        values = truth[:, None] + rng.normal(size=(200, 5)) * [0.5, 0.7, 1.0, 1.0, 2.0]
        values[rng.random(values.shape) < 0.3] = GAP
        found = number_consensus(values)
        known = ~np.isnan(found.value)
        inside.append(np.mean(np.abs(found.value - truth)[known] < 1.96 * found.standard_error[known]))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def test_numbers_measured_once_or_alike_say_so():
    alone = number_consensus([[1.0, GAP], [GAP, 2.0], [GAP, GAP]])
    assert alone.value.tolist()[:2] == [1.0, 2.0]
    assert np.isnan(alone.standard_error).all()
    assert "measured twice" in alone.warnings[0]
    alike = number_consensus([[1.0, 1.0], [2.0, 2.0]])
    assert alike.variance.tolist() == [0.0, 0.0]
    assert alike.standard_error.tolist() == [0.0, 0.0]
    assert "not converged" in number_consensus([[1, 2, 4], [3, 5, 5], [4, 4, 9]], max_iterations=1).warnings[0]
    assert number_consensus([[1, 2], [3, 5], [GAP, GAP]]).value.shape == (3,)


def slow_crowdlab(ratings, table):
    """The paper's formulas, unit by unit and rater by rater."""
    n_units, n_raters = ratings.shape
    q = table.shape[1]
    leaders, shared = {}, []
    for unit in range(n_units):
        answers = [int(value) for value in ratings[unit] if not math.isnan(value)]
        counts = [answers.count(category) for category in range(q)]
        best = [category for category in range(q) if counts[category] == max(counts)]
        leaders[unit] = max(best, key=lambda category: table[unit, category])
        if len(answers) >= 2:
            shared.append(unit)
    trust = np.mean([np.mean([v == leaders[u] for v in ratings[u] if not math.isnan(v)]) for u in shared])
    commonest = max(sum(leaders[unit] == category for unit in shared) for category in range(q)) / len(shared)
    model = np.mean([table[unit].argmax() == leaders[unit] for unit in shared])
    n_mean = np.mean([np.sum(~np.isnan(row)) for row in ratings if not np.isnan(row).all()])
    model_weight = max(1 - (1 - model) / (1 - commonest), 1e-6) * math.sqrt(n_mean)
    weights = []
    for rater in range(n_raters):
        agreed = met = 0
        for unit in shared:
            if not math.isnan(ratings[unit, rater]):
                for other in range(n_raters):
                    if other != rater and not math.isnan(ratings[unit, other]):
                        met += 1
                        agreed += ratings[unit, rater] == ratings[unit, other]
        weights.append(max(1 - (1 - agreed / met) / (1 - commonest), 1e-6))
    result = np.zeros_like(table)
    for unit in range(n_units):
        top, bottom = model_weight * table[unit], model_weight
        for rater in range(n_raters):
            if not math.isnan(ratings[unit, rater]):
                likelihood = np.full(q, (1 - trust) / (q - 1))
                likelihood[int(ratings[unit, rater])] = trust
                top, bottom = top + weights[rater] * likelihood, bottom + weights[rater]
        result[unit] = top / bottom
    return result


def test_crowdlab_equals_its_formulas():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 40)
        ratings = np.where(rng.random((40, 4)) < 0.7, truth[:, None], rng.integers(0, 3, (40, 4))).astype(float)
        ratings[rng.random((40, 4)) < 0.4] = GAP
        table = rng.dirichlet([1, 1, 1], 40) + np.eye(3)[truth]
        table /= table.sum(axis=1, keepdims=True)
        found = crowdlab(ratings, table, categories=[0, 1, 2])
        np.testing.assert_allclose(found.posterior, slow_crowdlab(ratings, table), atol=1e-9)


def test_a_good_model_helps_most_where_answers_are_few():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 3000)
    ratings = np.where(rng.random((3000, 10)) < 0.6, truth[:, None], rng.integers(0, 5, (3000, 10))).astype(float)
    scores = rng.normal(size=(3000, 5)) + 2.2 * np.eye(5)[truth]
    table = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    gains = []
    for n in (2, 10):
        some = ratings[:, :n]
        vote = majority_vote(some, categories=range(5))
        found = crowdlab(some, table, categories=range(5))
        gains.append(np.mean(found.winner == truth) - np.nanmean(np.nan_to_num(vote.winner, nan=-1) == truth))
    assert gains[0] > gains[1]
    assert gains[0] > 0.05


def test_crowdlab_without_shared_units_says_so_and_refuses_false_probabilities():
    lone = crowdlab([[0, GAP], [GAP, 1], [GAP, GAP]], [[0.5, 0.5]] * 3, categories=[0, 1])
    assert lone.warnings
    assert lone.posterior[2].tolist() == [0.5, 0.5]
    assert crowdlab(np.empty((0, 2)), np.empty((0, 2)), categories=[0, 1]).posterior.shape == (0, 2)
    with pytest.raises(ValueError, match="probabilities has shape"):
        crowdlab([[0, 1]], [[1.0]], categories=[0, 1])
    with pytest.raises(ValueError, match=r"add up to 1\.8 up to 1\.8.*must hold distributions"):
        crowdlab([[0, 1]], [[0.9, 0.9]], categories=[0, 1])
