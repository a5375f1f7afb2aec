"""Truth inference: the pooled prior, the one-coin model, the choice between them, and how far a posterior is believed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics.answers import answers_from_rows, answers_of
from labelhub.numerics.consensus import class_consensus, expected_correct, majority_vote
from labelhub.numerics.dawid_skene import MAXIMUM_LIKELIHOOD, DawidSkenePriors, dawid_skene
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.one_coin import one_coin
from labelhub.numerics.reliability import calibrated, reliability_curve
from tests.benchmarks.truth_settings import crowd
from tests.numerics.test_consensus import anaesthetists, bluebirds

GAP = math.nan
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
    elements=st.sampled_from([0.0, 1.0, 2.0, GAP]),
)
METHODS = (dawid_skene, hierarchical_dawid_skene, one_coin)


def slow_dawid_skene(ratings, rounds, diagonal, off_diagonal, beta):
    """The method written as loops over units and raters."""
    n_units, n_raters = ratings.shape
    q = 3
    posterior = np.zeros((n_units, q))
    for unit in range(n_units):
        for rater in range(n_raters):
            if not math.isnan(ratings[unit, rater]):
                posterior[unit, int(ratings[unit, rater])] += 1
    answered = posterior.sum(axis=1) > 0
    posterior[answered] /= posterior[answered].sum(axis=1, keepdims=True)
    for _ in range(rounds):
        confusion = np.full((n_raters, q, q), off_diagonal) + (diagonal - off_diagonal) * np.eye(q)
        for unit in range(n_units):
            for rater in range(n_raters):
                if not math.isnan(ratings[unit, rater]):
                    confusion[rater, :, int(ratings[unit, rater])] += posterior[unit]
        confusion /= confusion.sum(axis=2, keepdims=True)
        prevalence = posterior.sum(axis=0) + beta
        prevalence = prevalence / prevalence.sum()
        for unit in np.nonzero(answered)[0].tolist():
            weight = prevalence.copy()
            for rater in range(n_raters):
                if not math.isnan(ratings[unit, rater]):
                    weight = weight * confusion[rater, :, int(ratings[unit, rater])]
            posterior[unit] = weight / weight.sum()
    return np.where(answered[:, None], posterior, np.nan)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(1, 4))
def test_dawid_skene_equals_its_slow_twin(ratings, rounds):
    fast = dawid_skene(ratings, categories=[0, 1, 2], max_iterations=rounds, tolerance=-1.0)
    np.testing.assert_allclose(fast.posterior, slow_dawid_skene(ratings, rounds, 4.0, 1.0, 1.0), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_rows_in_any_order_give_what_the_matrix_gives(method):
    rng = np.random.default_rng(0)
    ratings = rng.integers(0, 3, (60, 5)).astype(float)
    ratings[rng.random((60, 5)) < 0.3] = GAP
    unit, rater = np.nonzero(~np.isnan(ratings))
    order = rng.permutation(len(unit))
    rows = answers_from_rows(
        unit[order], rater[order], ratings[unit, rater][order], n_units=60, n_raters=5, categories=[0, 1, 2]
    )
    one, other = method(ratings, categories=[0, 1, 2]), method(rows)
    np.testing.assert_allclose(one.posterior, other.posterior, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_renaming_categories_and_raters_permutes_every_result(method):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 60)
    ratings = np.where(rng.random((60, 5)) < 0.7, truth[:, None], rng.integers(0, 3, (60, 5))).astype(float)
    one, other = method(ratings), method(2 - ratings[:, ::-1])
    np.testing.assert_allclose(one.posterior, other.posterior[:, ::-1], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_posteriors_are_shares_and_units_without_answers_have_none(ratings):
    for method in METHODS:
        found = method(ratings, categories=[0, 1, 2])
        empty = np.isnan(ratings).all(axis=1)
        assert np.isnan(found.posterior[empty]).all()
        np.testing.assert_allclose(found.posterior[~empty].sum(axis=1), 1.0)
        assert np.isnan(found.winner[empty]).all()
        assert (found.confidence[~empty] >= 1 / 3 - 1e-9).all()


@pytest.mark.parametrize("method", METHODS)
def test_nobody_and_nothing(method):
    for ratings in (np.empty((0, 3)), np.empty((3, 0)), np.full((2, 2), GAP)):
        found = method(ratings, categories=[0, 1])
        assert found.posterior.shape == (len(ratings), 2)
        assert np.isnan(found.winner).all()
    with pytest.raises(ValueError, match="at least 2 are needed"):
        method([[1, 1]])


@pytest.mark.parametrize("method", METHODS)
def test_a_round_is_not_enough_and_says_so(method):
    rng = np.random.default_rng(1)
    assert any("not converged" in note for note in method(rng.integers(0, 3, (50, 4)), max_iterations=1).warnings)


def test_a_pooled_prior_beats_the_vote_and_plain_dawid_skene_where_answers_are_few():
    gains = []
    for seed in range(5):
        answers, truth = crowd(np.random.default_rng(seed), n_units=2000, n_labels=5, a_rater=10)
        matrix_vote = answers.votes()
        leaders = matrix_vote == matrix_vote.max(axis=1, keepdims=True)
        vote = (leaders[np.arange(2000), truth.astype(int)] / leaders.sum(axis=1)).mean()
        plain = np.nanmean(dawid_skene(answers, priors=MAXIMUM_LIKELIHOOD).expected_correct(truth))
        pooled = np.nanmean(hierarchical_dawid_skene(answers).expected_correct(truth))
        gains.append(pooled - max(vote, plain))
    assert np.mean(gains) > 0.03


def test_the_pooled_prior_loses_nothing_on_bluebirds():
    ratings, truth = bluebirds()
    found = hierarchical_dawid_skene(ratings)
    assert 100 * np.mean(found.winner == truth) >= 88.8
    assert found.is_converged
    assert math.isnan(found.skill_strength)


def test_strength_follows_how_much_raters_differ():
    alike, _ = crowd(
        np.random.default_rng(0), n_units=1000, n_labels=5, a_rater=100, skill=(400, 200), clickers=0, spread=1e6
    )
    apart, _ = crowd(np.random.default_rng(0), n_units=1000, n_labels=5, a_rater=100, spread=3.0)
    assert hierarchical_dawid_skene(alike).strength > 50
    assert hierarchical_dawid_skene(apart).strength < 6
    assert hierarchical_dawid_skene(alike).skill_strength > hierarchical_dawid_skene(apart).skill_strength


def test_a_rater_without_answers_gets_the_pooled_table():
    answers, _ = crowd(np.random.default_rng(0), n_units=200, n_labels=3, a_rater=40)
    more = answers_from_rows(
        answers.unit, answers.rater, answers.given, n_raters=answers.n_raters + 1, categories=[0, 1, 2, 3]
    )
    found = hierarchical_dawid_skene(more)
    assert found.n_answers[-1] == 0
    np.testing.assert_allclose(found.confusion[-1].sum(axis=1), 1.0)
    assert np.diag(found.confusion[-1]).mean() > 0.4


def test_repeats_of_one_rater_count_as_that_raters():
    ratings, raters = anaesthetists()
    found = hierarchical_dawid_skene(ratings, raters=raters)
    assert found.n_answers.tolist() == [135, 45, 45, 45, 45]
    assert found.accuracy.shape == (5,)
    assert -3 < found.log_predictive < 0


def test_one_coin_errs_on_bluebirds_as_published():
    ratings, truth = bluebirds()
    assert 100 * np.mean(one_coin(ratings).winner == truth) == pytest.approx(72.22, abs=1.0)


def test_one_coin_finds_planted_accuracies():
    rng = np.random.default_rng(0)
    truth, planted = rng.integers(0, 4, 4000), np.array([0.9, 0.8, 0.7, 0.5, 0.3])
    ratings = np.where(
        rng.random((4000, 5)) < planted, truth[:, None], (truth[:, None] + rng.integers(1, 4, (4000, 5))) % 4
    )
    found = one_coin(ratings, pseudo_right=0, pseudo_wrong=0)
    np.testing.assert_allclose(found.accuracy, planted, atol=0.03)
    assert np.mean(found.winner == truth) > np.nanmean(expected_correct(majority_vote(ratings), truth))


def test_perfect_raters_raise_no_doubt_but_a_perfect_coin_does():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    noise = rng.integers(0, 4, (60, 3))
    lone = np.column_stack([noise[:, 0], noise[:, 0], (noise[:, 0] + 1) % 4, (noise[:, 0] + 1) % 4])
    assert not any("follows rater" in note for note in dawid_skene(lone).warnings)
    expert = np.column_stack([truth, truth, truth]).astype(float)
    assert dawid_skene(expert).warnings == ()
    assert any("all but perfect" in note for note in one_coin(expert, pseudo_right=0, pseudo_wrong=0).warnings)


def test_a_rater_who_is_followed_against_all_is_named():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 400)
    poor = np.where(rng.random((400, 4)) < 0.55, truth[:, None], 1 - truth[:, None])
    found = dawid_skene(np.column_stack([poor, truth]), priors=MAXIMUM_LIKELIHOOD)
    assert any("follows rater 4" in note for note in found.warnings)


def test_raters_worse_than_chance_are_warned_of():
    ratings = np.array([[0, 1, 1]] * 3 + [[1, 0, 0]] * 3, dtype=float)
    odd = dawid_skene(ratings, priors=DawidSkenePriors(0.0, 50.0, 1.0))
    assert any("flipped" in note for note in odd.warnings)
    assert any("flipped" in note for note in one_coin(ratings, pseudo_right=0, pseudo_wrong=100).warnings)


def test_impossible_priors_and_rows_are_refused():
    with pytest.raises(ValueError, match="priors are -1"):
        DawidSkenePriors(-1.0)
    with pytest.raises(ValueError, match="pseudo_right is -1"):
        one_coin([[0, 1]], pseudo_right=-1)
    with pytest.raises(ValueError, match="one length is needed"):
        answers_from_rows([0], [0, 1], [0.0])
    with pytest.raises(ValueError, match="not finite"):
        answers_from_rows([0], [0], [GAP])
    with pytest.raises(ValueError, match="outside 0 to 0"):
        answers_from_rows([1], [0], [0.0], n_units=1)
    with pytest.raises(ValueError, match="part of Answers"):
        answers_of(answers_from_rows([0], [0], [0.0]), categories=[0])


def test_the_default_consensus_keeps_the_vote_beside_it_and_marks_where_they_differ():
    ratings, truth = bluebirds()
    found = class_consensus(ratings)
    assert found.chosen == "hierarchical Dawid–Skene"
    assert np.mean(found.winner == truth) > 0.88
    np.testing.assert_array_equal(found.differs, found.winner != majority_vote(ratings).winner)
    assert found.reliability.judged_by == "held-out answers"
    assert found.calibration.reason is not None
    again = class_consensus(ratings)
    np.testing.assert_array_equal(found.posterior, again.posterior)


def test_one_coin_is_chosen_only_where_it_foretells_surely_better():
    chosen = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = rng.choice(5, 40, p=[0.6, 0.1, 0.1, 0.1, 0.1])
        given_by = (truth[:, None] + rng.integers(1, 5, (40, 6))) % 5
        ratings = np.where(rng.random((40, 6)) < 0.7, truth[:, None], given_by)
        found = class_consensus(ratings)
        full, coin = found.candidates
        assert full.n_held_out == coin.n_held_out == 40
        if found.chosen == coin.name:
            assert coin.held_out > full.held_out
            np.testing.assert_array_equal(found.posterior, coin.estimate.posterior)
        chosen.append(found.chosen)
    ratings, _ = bluebirds()
    assert {class_consensus(ratings, rng=np.random.default_rng(seed)).chosen for seed in range(10)} == {
        "hierarchical Dawid–Skene"
    }
    assert 0 < chosen.count("one-coin model") < 12


def test_gold_can_speak_for_the_vote():
    # Three alike raters share errors that two honest ones do not: the model trusts the three less than gold says.
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 400).astype(float)
    pair = np.where(rng.random(400) < 0.6, truth, 1 - truth)
    others = np.where(rng.random((400, 3)) < 0.7, truth[:, None], 1 - truth[:, None])
    ratings = np.column_stack([pair, pair, others])
    without = class_consensus(ratings)
    with_gold = class_consensus(ratings, gold=truth)
    vote_right = np.nanmean(expected_correct(majority_vote(ratings), truth))
    model_right = np.mean(without.winner == truth)
    assert vote_right > model_right + 0.03
    assert with_gold.chosen.startswith("majority vote")
    assert "gold" in with_gold.why
    assert with_gold.reliability.judged_by == "gold"


def test_a_consensus_of_too_few_answers_is_still_given():
    found = class_consensus([[0, 1], [1, GAP], [GAP, GAP]])
    assert "no answer could be held out" in found.why
    assert math.isnan(found.confidence[2])
    assert not found.differs[2]
    assert math.isnan(found.candidates[0].held_out)
    assert math.isnan(found.reliability.error)
    with pytest.raises(ValueError, match="gold has shape"):
        class_consensus([[0, 1]], gold=[0, 1])


def test_a_reliability_curve_counts_as_by_hand():
    curve = reliability_curve([0.3, 0.55, 0.97, 0.97, 0.97, 0.97, GAP, 0.9], [0, 1, 1, 1, 1, 0, 1, GAP])
    assert curve.n.tolist() == [1, 1, 0, 0, 0, 0, 4, 0]
    share, low, n = curve.right_at(0.97)
    assert (share, n) == (0.75, 4)
    assert 0.2 < low < 0.75
    assert curve.error == pytest.approx((0.3 + 0.45 + 4 * 0.22) / 6)
    assert math.isnan(reliability_curve([], []).error)
    assert curve.right_at(0.0)[2] == 1


def test_impossible_confidences_are_refused():
    for arguments, words in (
        (([0.5], [1, 0]), "one of each a unit"),
        (([1.5], [1]), r"confidence runs from 1\.5 to 1\.5"),
    ):
        with pytest.raises(ValueError, match=words):
            reliability_curve(*arguments)
    with pytest.raises(ValueError, match="ascending numbers"):
        reliability_curve([0.5], [1], edges=(0.0, 0.5))
    with pytest.raises(ValueError, match="posterior has shape"):
        calibrated([[0.5, 0.5]], [0.0, 1.0], [0, 1])
    for weights in ([1.0], [1.0, 0.0], [1.0, math.inf]):
        with pytest.raises(ValueError, match="weights has shape"):
            calibrated([[0.5, 0.5]] * 2, [0.0, 1.0], [0, 1], weights=weights)


def test_gold_corrects_an_overconfident_posterior_and_changes_no_winner():
    rng = np.random.default_rng(6)
    honest = rng.dirichlet([1, 1, 1], 4000)
    truth = (np.cumsum(honest, axis=1) < rng.random((4000, 1))).sum(axis=1).astype(float)
    boasting = honest**3 / (honest**3).sum(axis=1, keepdims=True)
    gold = np.where(rng.random(4000) < 0.5, truth, GAP)
    found = calibrated(boasting, gold, [0, 1, 2])
    assert found.temperature == pytest.approx(3.0, rel=0.15)
    np.testing.assert_array_equal(found.posterior.argmax(axis=1), boasting.argmax(axis=1))
    before = reliability_curve(boasting.max(axis=1), boasting.argmax(axis=1) == truth).error
    assert reliability_curve(found.posterior.max(axis=1), found.posterior.argmax(axis=1) == truth).error < before / 2
    few = calibrated(boasting[:3], truth[:3], [0, 1, 2])
    assert few.temperature == 1.0
    assert "at least 20" in few.reason


def test_truth_of_another_length_is_refused():
    with pytest.raises(ValueError, match="truth has shape"):
        expected_correct(majority_vote([[0, 1]]), [0, 1])


def test_known_truth_is_kept_and_teaches_what_raters_confuse():
    """Two of three raters call every 1 a 0: no vote sees it, gold on some units does."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 2, 300).astype(float)
    ratings = np.column_stack(
        [np.where(rng.random(300) < 0.7, 0.0, truth), np.where(rng.random(300) < 0.7, 0.0, truth), truth]
    )
    known = np.where(np.arange(300) < 80, truth, np.nan)
    blind, taught = hierarchical_dawid_skene(ratings), hierarchical_dawid_skene(ratings, known=known)
    assert (taught.winner[:80] == truth[:80]).all()
    assert taught.posterior[np.arange(80), truth[:80].astype(int)] == pytest.approx(1.0)
    assert (taught.winner[80:] == truth[80:]).mean() >= max((blind.winner[80:] == truth[80:]).mean(), 0.97)


def test_known_truth_of_another_length_or_category_is_refused():
    with pytest.raises(ValueError, match="one value for each of the 2 units"):
        hierarchical_dawid_skene([[0, 1], [1, 1]], known=[0.0])
    with pytest.raises(ValueError, match="known holds a category outside"):
        hierarchical_dawid_skene([[0, 1], [1, 1]], known=[0.0, 5.0])


def test_ranges_of_units_in_threads_find_what_one_range_finds(monkeypatch):
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 400)
    table = np.where(rng.random((400, 6)) < 0.7, truth[:, None], rng.integers(0, 3, (400, 6))).astype(float)
    table[rng.random(table.shape) < 0.2] = np.nan
    table[17] = np.nan
    whole = dawid_skene(table)
    monkeypatch.setattr("labelhub.numerics.dawid_skene._WORTH_A_THREAD", 1)
    ranges = dawid_skene(table)
    np.testing.assert_allclose(ranges.posterior, whole.posterior, atol=1e-10)
    np.testing.assert_allclose(ranges.confusion, whole.confusion, atol=1e-10)
    assert ranges.log_likelihood == pytest.approx(whole.log_likelihood)
    assert np.isnan(ranges.posterior[17]).all()
