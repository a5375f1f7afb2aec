"""Estimates of truth and of raters against slow obvious twins: loops over units and raters, in the words of the papers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats
from scipy.special import betaln, digamma, polygamma

from labelhub.numerics.gaussian import number_consensus
from labelhub.numerics.glad import glad
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.mace import mace
from labelhub.numerics.one_coin import one_coin
from labelhub.numerics.peer_prediction import correlated_agreement, spectral_skill
from labelhub.numerics.rater_models import probability_greater, shrunken_shares
from labelhub.numerics.reliability import reliability_curve
from labelhub.numerics.weighted import catd, pm, weighted_vote

GAP = math.nan
CATEGORIES = [0.0, 1.0, 2.0]
TABLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5),
    elements=st.sampled_from([0.0, 1.0, 2.0, GAP]),
)
STRENGTHS = [math.exp(math.log(0.5) + k * (math.log(500) - math.log(0.5)) / 14) for k in range(15)]


def answers_of(ratings: np.ndarray) -> list[tuple[int, int, int]]:
    """Every answer as (unit, rater, category)."""
    return [(int(i), int(w), int(ratings[i, w])) for i, w in zip(*np.nonzero(~np.isnan(ratings)), strict=True)]


def vote_shares(ratings: np.ndarray, q: int) -> np.ndarray:
    shares = np.zeros((len(ratings), q))
    for unit, _, answer in answers_of(ratings):
        shares[unit, answer] += 1
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)


def same_posterior(found: np.ndarray, ratings: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> None:
    empty = np.isnan(ratings).all(axis=1)
    assert np.isnan(found[empty]).all()
    np.testing.assert_allclose(found[~empty], expected[~empty], atol=tolerance)


def slow_one_coin(ratings, q, rounds):
    posterior = vote_shares(ratings, q)
    answers = answers_of(ratings)
    for _ in range(rounds):
        accuracy = []
        for rater in range(ratings.shape[1]):
            own = [posterior[unit, answer] for unit, by, answer in answers if by == rater]
            accuracy.append((sum(own) + 4) / (len(own) + 5))
        share = (posterior.sum(axis=0) + 1) / (posterior.sum() + q)
        posterior = np.zeros_like(posterior)
        for unit in {unit for unit, _, _ in answers}:
            weight = share.copy()
            for _, by, answer in (entry for entry in answers if entry[0] == unit):
                for truth in range(q):
                    weight[truth] *= accuracy[by] if truth == answer else (1 - accuracy[by]) / (q - 1)
            posterior[unit] = weight / weight.sum()
    return posterior


@settings(max_examples=40, deadline=None)
@given(TABLES, st.integers(1, 4))
def test_one_coin_equals_its_slow_twin(ratings, rounds):
    found = one_coin(ratings, categories=CATEGORIES, max_iterations=rounds, tolerance=-1.0)
    same_posterior(found.posterior, ratings, slow_one_coin(ratings, 3, rounds))


def log_rising(base, chances):
    """E[log Gamma(base + n) - log Gamma(base)] to second order, n the sum of yes-or-no draws with these chances."""
    none = math.prod(1 - chance for chance in chances)
    if none >= 1:
        return 0.0
    mean = sum(chances) / (1 - none)
    spread = max(sum(c * (1 - c) for c in chances) / (1 - none) - none * mean**2, 0.0)
    step = math.lgamma(base + mean) - math.lgamma(base) + 0.5 * float(polygamma(1, base + mean)) * spread
    return (1 - none) * step


def slow_prior(answers, posterior, n_raters, q):
    """Counts, and the mean row of each rater: the pooled one, its diagonal moved by the rater's own skill."""
    counts = np.zeros((n_raters, q, q))
    for unit, rater, answer in answers:
        counts[rater, :, answer] += posterior[unit]
    pooled = counts.sum(axis=0) + 0.9 * np.eye(q) + 0.1 / q
    pooled = pooled / pooled.sum(axis=1, keepdims=True)
    if q == 2:
        return counts, np.stack([pooled] * n_raters)
    n = counts.sum(axis=(1, 2))
    right = np.array([np.trace(table) for table in counts])
    expected = [
        min(max(sum(counts[w, k].sum() * pooled[k, k] for k in range(q)) / n[w], 1e-3), 1 - 1e-3)
        if n[w] > 0 else float(np.diag(pooled).mean())
        for w in range(n_raters)
    ]  # fmt: skip

    def evidence(s):
        return sum(
            math.lgamma(s * e + a) - math.lgamma(s * e) + math.lgamma(s * (1 - e) + m - a) - math.lgamma(s * (1 - e))
            - math.lgamma(s + m) + math.lgamma(s)
            for e, a, m in zip(expected, right, n, strict=True) if m > 0
        )  # fmt: skip

    strength = max(STRENGTHS, key=evidence)
    mean = np.zeros((n_raters, q, q))
    for rater in range(n_raters):
        skill = (right[rater] + strength * expected[rater]) / (n[rater] + strength)
        move = logit(skill) - logit(expected[rater])
        for truth in range(q):
            good = 1 / (1 + math.exp(-(logit(pooled[truth, truth]) + move)))
            wrong = pooled[truth].sum() - pooled[truth, truth]
            for answer in range(q):
                share = good if answer == truth else (1 - good) * pooled[truth, answer] / wrong
                mean[rater, truth, answer] = max(share, 1e-9)
    return counts, mean


def logit(share):
    share = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(share / (1 - share))


def slow_hierarchical(ratings, q, rounds):
    answers, n_raters = answers_of(ratings), ratings.shape[1]
    posterior, strength = vote_shares(ratings, q), 2.0
    for number in range(rounds):
        counts, mean = slow_prior(answers, posterior, n_raters, q)
        if number >= 10 and (number - 10) % 3 == 0:
            strength = max(STRENGTHS, key=lambda s: slow_evidence(s, answers, posterior, mean))
        share = posterior.sum(axis=0) + 1
        renewed = np.zeros_like(posterior)
        for unit in {unit for unit, _, _ in answers}:
            weight = np.log(np.maximum(share - posterior[unit], 1e-9))
            for _, rater, answer in (entry for entry in answers if entry[0] == unit):
                for truth in range(q):
                    # The rater's table without what that rater said of this very unit.
                    above = counts[rater, truth, answer] + strength * mean[rater, truth, answer]
                    below = counts[rater, truth].sum() + strength
                    own = posterior[unit, truth]
                    weight[truth] += math.log(max(above - own, 1e-12) / (below - own))
            weight = np.exp(weight - weight.max())
            renewed[unit] = weight / weight.sum()
        posterior = renewed
    return posterior, strength


def slow_evidence(strength, answers, posterior, mean):
    total = 0.0
    for rater in {rater for _, rater, _ in answers}:
        for truth in range(mean.shape[1]):
            own = [(posterior[unit, truth], answer) for unit, by, answer in answers if by == rater]
            total -= log_rising(strength, [chance for chance, _ in own])
            for answer in range(mean.shape[2]):
                total += log_rising(strength * mean[rater, truth, answer], [c for c, said in own if said == answer])
    return total


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]), st.sampled_from([1, 2, 12]))
def test_the_pooled_prior_equals_its_slow_twin(seed, q, rounds):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, q, (6, 4)).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = GAP
    found = hierarchical_dawid_skene(ratings, categories=CATEGORIES[:q], max_iterations=rounds, tolerance=-1.0)
    expected, strength = slow_hierarchical(ratings, q, rounds)
    assert found.strength == pytest.approx(strength)
    same_posterior(found.posterior, ratings, expected, 1e-7)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.lists(st.floats(0.05, 0.95), min_size=5, max_size=5))
def test_weighted_votes_equal_bayes_rule_by_hand(ratings, accuracy):
    expected = np.ones((len(ratings), 3))
    for unit, rater, answer in answers_of(ratings):
        for truth in range(3):
            expected[unit, truth] *= accuracy[rater] if truth == answer else (1 - accuracy[rater]) / 2
    expected /= expected.sum(axis=1, keepdims=True)
    found = weighted_vote(ratings, accuracy[: ratings.shape[1]], categories=CATEGORIES)
    same_posterior(found.posterior, ratings, expected)


def slow_turns(ratings, q, rounds, weights_of):
    answers, n_raters = answers_of(ratings), ratings.shape[1]
    weight, posterior, truth = [1.0] * n_raters, None, None
    for number in range(rounds + 1):
        votes = np.zeros((len(ratings), q))
        for unit, rater, answer in answers:
            votes[unit, answer] += weight[rater]
        before, truth = truth, np.zeros_like(votes)
        for unit, row in enumerate(votes):
            leaders = row >= row.max() - 1e-9 * max(row.max(), 1)
            truth[unit] = leaders / leaders.sum()
        total = votes.sum(axis=1, keepdims=True)
        posterior = np.where(total > 0, votes / np.where(total > 0, total, 1), 1 / q)
        if number and np.array_equal(before, truth):
            break
        errors = [sum(1 - truth[unit, answer] for unit, by, answer in answers if by == w) for w in range(n_raters)]
        n = [sum(by == w for _, by, _ in answers) for w in range(n_raters)]
        weight = weights_of(errors, n)
    return posterior


def slow_catd_weights(errors, n):
    return [stats.chi2.ppf(0.025, max(m, 1)) / max(e, 0.5) for e, m in zip(errors, n, strict=True)]


def slow_pm_weights(errors, n):
    rate = [max(e, 0.5) / max(m, 1) for e, m in zip(errors, n, strict=True)]
    most = max((r for r, m in zip(rate, n, strict=True) if m), default=1e-12)
    found = [max(-math.log(r / most), 0.0) for r in rate]
    return found if any(f > 1e-9 for f, m in zip(found, n, strict=True) if m) else [1.0] * len(found)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.sampled_from([(catd, slow_catd_weights), (pm, slow_pm_weights)]))
def test_catd_and_pm_equal_their_slow_twins(ratings, method):
    found = method[0](ratings, categories=CATEGORIES)
    same_posterior(found.posterior, ratings, slow_turns(ratings, 3, 50, method[1]))


def slow_numbers(values, rounds):
    known = ~np.isnan(values)
    first = [np.nanmean(row) if here.any() else 0.0 for row, here in zip(values, known, strict=True)]
    freedom = int(known.sum() - known.any(axis=1).sum())
    pooled = sum((values[i, w] - first[i]) ** 2 for i, w in zip(*np.nonzero(known), strict=True)) / max(freedom, 1)
    if freedom <= 0 or not pooled > 0:
        return None
    variance = [pooled] * values.shape[1]
    value = list(first)
    for _ in range(rounds):
        precision = [sum(1 / variance[w] for w in np.nonzero(here)[0]) for here in known]
        value = [
            sum(values[i, w] / variance[w] for w in np.nonzero(here)[0]) / precision[i] if here.any() else GAP
            for i, here in enumerate(known)
        ]
        variance = [
            (sum((values[i, w] - value[i]) ** 2 + 1 / precision[i] for i in np.nonzero(known[:, w])[0]) + 6 * pooled)
            / (known[:, w].sum() + 6)
            for w in range(values.shape[1])
        ]
    return value, variance


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (4, 3), elements=st.one_of(st.just(GAP), st.integers(-9, 9).map(float))), st.integers(1, 4))
def test_weighted_means_of_numbers_equal_their_slow_twin(values, rounds):
    expected = slow_numbers(values, rounds)
    found = number_consensus(values, max_iterations=rounds, tolerance=-1.0)
    if expected is None:
        assert found.n_iterations == 0
        return
    np.testing.assert_allclose(found.value, expected[0], atol=1e-9)
    np.testing.assert_allclose(found.variance, expected[1], rtol=1e-9)


def glad_log_posterior(ratings, found, skill, easiness, q):
    """The paper's log likelihood of the answers, and with the priors of its program."""
    total, answers = 0.0, answers_of(ratings)
    for unit in {unit for unit, _, _ in answers}:
        joint = found.prevalence.copy()
        for _, rater, answer in (entry for entry in answers if entry[0] == unit):
            right = 1 / (1 + math.exp(-skill[rater] * math.exp(easiness[unit])))
            joint = joint * [right if truth == answer else (1 - right) / (q - 1) for truth in range(q)]
        total += math.log(joint.sum())
    return total, total - (((skill - 1) ** 2).sum() + ((easiness - 1) ** 2).sum()) / 2


@settings(max_examples=10, deadline=None)
@given(TABLES)
def test_glad_stands_on_a_maximum_of_the_likelihood_written_out(ratings):
    shares = np.full(3, 1 / 3)
    found = glad(ratings, categories=CATEGORIES, shares=shares, tolerance=-1.0, max_iterations=400)
    likelihood, best = glad_log_posterior(ratings, found, found.skill, found.easiness, 3)
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-9)
    for values in (found.skill, found.easiness):
        for place in range(len(values)):
            for step in (-1e-3, 1e-3):
                values[place] += step
                assert glad_log_posterior(ratings, found, found.skill, found.easiness, 3)[1] <= best + 1e-7
                values[place] -= step


def slow_mace(ratings, q, rounds, rng, prior):
    answers, n_raters = answers_of(ratings), ratings.shape[1]
    knowing = 0.5 + 0.5 * rng.random(n_raters)
    spamming, habit = 1 - knowing, rng.dirichlet(np.ones(q), n_raters)
    posterior = np.zeros((len(ratings), q))
    for _ in range(rounds):
        n_known, n_habit = np.zeros(n_raters), np.zeros((n_raters, q))
        for unit in range(len(ratings)):
            own = [entry for entry in answers if entry[0] == unit]
            chance = np.array([
                math.prod(spamming[w] * habit[w, a] + (knowing[w] if a == truth else 0.0) for _, w, a in own)
                for truth in range(q)
            ])  # fmt: skip
            posterior[unit] = chance / chance.sum()
            for _, w, a in own:
                known = posterior[unit, a] * knowing[w] / (knowing[w] + spamming[w] * habit[w, a])
                n_known[w] += known
                n_habit[w, a] += 1 - known
        n = np.array([sum(by == w for _, by, _ in answers) for w in range(n_raters)])
        knowing = np.exp(digamma(n_known + 0.5) - digamma(n + 1))
        spamming = np.exp(digamma(n - n_known + 0.5) - digamma(n + 1))
        habit = np.exp(digamma(n_habit + prior) - digamma((n_habit + prior).sum(axis=1, keepdims=True)))
    return posterior, spamming / (knowing + spamming)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.integers(1, 3), st.sampled_from([0.5, 10.0]))
def test_mace_equals_its_slow_twin(ratings, rounds, prior):
    found = mace(
        ratings,
        categories=CATEGORIES,
        rng=np.random.default_rng(3),
        n_restarts=1,
        n_iterations=rounds,
        habit_prior=prior,
    )
    posterior, spam = slow_mace(ratings, 3, rounds, np.random.default_rng(3), prior)
    same_posterior(found.posterior, ratings, posterior)
    np.testing.assert_allclose(found.spam, spam, atol=1e-9)


def slow_correlated(ratings, q, rater, *, identical_only):
    """Agreement with a peer drawn at random on the same unit, less that of answers to different units."""

    def meetings(who):
        return [
            (answer, [b for j, v, b in answers_of(ratings) if j == unit and v != by])
            for unit, by, answer in answers_of(ratings)
            if who in (None, by)
        ]  # fmt: skip

    every = [(answer, peers) for answer, peers in meetings(None) if peers]
    joint = np.zeros((q, q))
    for answer, peers in every:
        for peer in peers:
            joint[answer, peer] += 1 / len(peers) / len(every)
    pays = [
        [k == m if identical_only else joint[k, m] - joint[k].sum() * joint[:, m].sum() > 1e-12 for m in range(q)]
        for k in range(q)
    ]
    own = [(answer, peers) for answer, peers in meetings(rater) if peers]
    if not own:
        return GAP
    same = np.mean([np.mean([pays[answer][peer] for peer in peers]) for answer, peers in own])
    apart = np.mean([np.mean([pays[a][peer] for peer in peers]) for a, _ in own for _, peers in own])
    return same - apart


@settings(max_examples=30, deadline=None)
@given(TABLES)
def test_correlated_agreement_equals_its_slow_twin(ratings):
    found = correlated_agreement(ratings, categories=CATEGORIES, identical_only=True)
    expected = [slow_correlated(ratings, 3, rater, identical_only=True) for rater in range(ratings.shape[1])]
    np.testing.assert_allclose(found.score, expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_answers_that_go_together_pay_as_the_slow_twin_says(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 3, (7, 4)).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = GAP
    found = correlated_agreement(ratings, categories=CATEGORIES)
    expected = [slow_correlated(ratings, 3, rater, identical_only=False) for rater in range(4)]
    np.testing.assert_allclose(found.score, expected, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_spectral_skill_is_the_nearest_rank_one_table(seed, q):
    rng = np.random.default_rng(seed)
    truth, chance = rng.integers(0, q, 40), rng.uniform(0.5, 0.95, 4)
    ratings = np.where(rng.random((40, 4)) < chance, truth[:, None], rng.integers(0, q, (40, 4)))
    found = spectral_skill(ratings, categories=range(q))

    def misfit(skill):
        apart = []
        for a in range(4):
            for b in range(a):
                alike = np.mean(ratings[:, a] == ratings[:, b])
                apart.append(((alike - 1 / q) * q / (q - 1) - skill[a] * skill[b]) ** 2)
        return math.sqrt(np.mean(apart))

    assert found.misfit == pytest.approx(misfit(found.skill))
    if found.is_converged:
        for rater in range(4):
            for step in (-1e-3, 1e-3):
                moved = found.skill.copy()
                moved[rater] = np.clip(moved[rater] + step, -1 / (q - 1), 1)
                assert misfit(moved) >= found.misfit - 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), min_size=3, max_size=8))
def test_shrunken_shares_have_the_likeliest_prior_and_its_posterior(counts):
    right = np.array([r for r, _ in counts])
    n = right + [wrong for _, wrong in counts]
    found = shrunken_shares(right, n)
    np.testing.assert_allclose(found.mean, (found.prior_a + right) / (found.prior_a + found.prior_b + n))
    posterior = stats.beta(found.prior_a + right, found.prior_b + n - right)
    np.testing.assert_allclose(found.low, posterior.ppf(0.025), atol=1e-9)
    np.testing.assert_allclose(found.high, posterior.ppf(0.975), atol=1e-9)
    if (n > 0).sum() < 3:
        assert found.prior_a == found.prior_b == 0.5
        return

    def evidence(a, b):
        return float((betaln(right + a, n - right + b) - betaln(a, b)).sum())

    grid = [
        evidence(mean * strength, (1 - mean) * strength)
        for mean in np.linspace(0.02, 0.98, 25)
        for strength in np.geomspace(0.1, 1e4, 25)
    ]
    assert evidence(found.prior_a, found.prior_b) >= max(grid) - 1e-3


@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 12)] * 4)
def test_the_chance_to_be_better_equals_the_sum_for_whole_counts(a, b, c, d):
    # P(X > Y) for whole parameters, as a finite sum (Evan Miller's form of it): X ~ Beta(c, d), Y ~ Beta(a, b).
    total = sum(
        math.exp(
            math.lgamma(a + i) + math.lgamma(b + d) - math.lgamma(a + i + b + d) - math.log(d + i)
            - (math.lgamma(1 + i) + math.lgamma(d) - math.lgamma(1 + i + d))
            - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
        )
        for i in range(c)
    )  # fmt: skip
    assert probability_greater(c, d, a, b) == pytest.approx(total, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_the_reliability_curve_equals_counting_in_bins(pairs):
    confidence, is_right = (np.array(column) for column in zip(*pairs, strict=True))
    found = reliability_curve(confidence, is_right)
    for place, (low, high) in enumerate(pairwise(found.edges)):
        inside = [(c, r) for c, r in pairs if low < c <= high or (place == 0 and c == 0)]
        assert found.n[place] == len(inside)
        if inside:
            assert found.claimed[place] == pytest.approx(np.mean([c for c, _ in inside]))
            assert found.right[place] == pytest.approx(np.mean([r for _, r in inside]))
    gaps = found.n * np.abs(np.nan_to_num(found.claimed) - np.nan_to_num(found.right))
    assert found.error == pytest.approx(gaps.sum() / len(pairs))
