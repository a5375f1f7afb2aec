"""Agreement of rankings: published values, slow twins, real differential diagnoses, and input without an answer."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.rankings import kendall_w, mean_rank_correlation, partial_ranking_distance, top_overlap
from labelhub.numerics.structured import structured_alpha
from tests.realdata import real

RANKINGS = st.permutations(range(5)).flatmap(
    lambda names: st.lists(st.integers(1, 2), max_size=3).map(
        lambda sizes: [names[sum(sizes[:k]) : sum(sizes[: k + 1])] for k in range(len(sizes)) if sum(sizes[:k]) < 5]
    )
)


def again(seed: int = 0) -> Resampling:
    return Resampling(np.random.default_rng(seed), n_resamples=300)


def test_siegels_executives_rank_six_applicants():
    # Siegel (1956), Nonparametric Statistics, p. 230: s = 25.5, W = .16.
    executives = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]]).T
    found = kendall_w(executives)
    assert found.estimate.value == pytest.approx(12 * 25.5 / (9 * (216 - 6)))
    assert found.mean_spearman == pytest.approx(np.mean([
        stats.spearmanr(executives[:, a], executives[:, b]).statistic for a, b in combinations(range(3), 2)
    ]))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, (5, 4), elements=st.integers(0, 4)))
def test_kendalls_w_with_ties_equals_the_textbook_formula_and_friedmans_test(scores):
    ranks = stats.rankdata(scores, axis=0)
    n, m = ranks.shape
    ties = sum(float((c**3 - c).sum()) for c in (np.unique(column, return_counts=True)[1] for column in ranks.T))
    spread = ((ranks.sum(axis=1) - m * (n + 1) / 2) ** 2).sum()
    below = m**2 * (n**3 - n) - m * ties
    found = kendall_w(scores.astype(float))
    assert found.estimate.value == pytest.approx(12 * spread / below if below > 0 else math.nan, nan_ok=True)
    if below > 0:
        friedman = stats.friedmanchisquare(*scores)
        assert found.chi_squared == pytest.approx(friedman.statistic)
        assert found.p_value == pytest.approx(friedman.pvalue)


def test_intervals_of_w_cover_agreement_of_other_raters():
    rng = np.random.default_rng(1)

    def drawn(m: int) -> np.ndarray:
        return np.linspace(0, 2, 8)[:, None] + rng.normal(0, 1, (8, m))

    rho = kendall_w(drawn(4000)).mean_spearman
    covered = 0
    for _ in range(150):
        found = kendall_w(drawn(10), resampling=again(int(rng.integers(1_000_000)))).estimate
        covered += found.low <= (1 + 9 * rho) / 10 <= found.high
    assert 128 <= covered <= 149


def test_random_rankings_do_not_agree():
    rng = np.random.default_rng(2)
    values = [kendall_w(rng.random((20, 5))) for _ in range(200)]
    assert abs(np.mean([found.mean_spearman for found in values])) < 0.02
    assert 0.01 <= np.mean([found.p_value < 0.05 for found in values]) <= 0.09


def test_w_without_an_answer_says_why():
    assert "1 raters ranked all" in str(kendall_w([[1.0], [2.0]]).estimate.reason)
    tied = kendall_w(np.ones((3, 3))).estimate
    assert tied.reason == "all items are tied for every rater"
    gaps = kendall_w([[1, 1, np.nan], [2, 2, 1], [3, 3, 2]])
    assert (gaps.estimate.value, gaps.n_raters) == (1, 2)
    assert gaps.estimate.warnings == ("1 raters did not rank all items and are left out",)
    few = kendall_w([[1, 1], [2, 2]], resampling=again()).estimate
    assert few.interval_reason == "only 2 raters; drawing raters anew needs at least 5"
    assert kendall_w([[1, 1], [2, 2]]).estimate.interval_reason == "no resampling was asked for"


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 5), elements=st.sampled_from([1.0, 2.0, 3.0, math.nan])))
def test_mean_rank_correlation_equals_its_slow_twin(ranks):
    found = []
    for a, b in combinations(ranks.T, 2):
        both = ~np.isnan(a) & ~np.isnan(b)
        if both.sum() >= 2 and len(set(a[both])) > 1 and len(set(b[both])) > 1:
            found.append(stats.kendalltau(a[both], b[both]).statistic)
    estimate = mean_rank_correlation(ranks, resampling=again())
    assert estimate.value == pytest.approx(np.mean(found) if found else math.nan, nan_ok=True)
    assert estimate.n == len(found)


def test_mean_rank_correlation_of_few_raters_has_no_interval():
    estimate = mean_rank_correlation([[1, 2], [2, 3]], resampling=again())
    assert estimate.value == 1
    assert "only 2 raters" in str(estimate.interval_reason)
    many = mean_rank_correlation(
        np.arange(6)[:, None] + np.random.default_rng(0).normal(0, 1, (6, 6)), resampling=again()
    )
    assert many.low < many.value < many.high


def slow_distance(first: list[list[int]], second: list[list[int]], penalty: float) -> float:
    def place(ranking: list[list[int]], name: int) -> int:
        return next((k for k, group in enumerate(ranking) if name in group), 99)

    names = sorted({name for ranking in (first, second) for group in ranking for name in group})
    cost = 0.0
    for a, b in combinations(names, 2):
        one, other = (np.sign(place(ranking, a) - place(ranking, b)) for ranking in (first, second))
        cost += 1 if one * other < 0 else penalty if (one == 0) != (other == 0) else 0
    apart = [[name + 100 for name in group] for group in second]
    names_apart = sorted({name for ranking in (first, apart) for group in ranking for name in group})
    greatest = 0.0
    for a, b in combinations(names_apart, 2):
        one, other = (np.sign(place(ranking, a) - place(ranking, b)) for ranking in (first, apart))
        greatest += 1 if one * other < 0 else penalty if (one == 0) != (other == 0) else 0
    return min(1.0, cost / greatest)


@settings(max_examples=150, deadline=None)
@given(RANKINGS, RANKINGS, st.sampled_from([0.0, 0.5, 1.0]))
def test_distance_of_partial_rankings_equals_its_slow_twin(first, second, penalty):
    found = partial_ranking_distance(first, second, penalty=penalty)
    if not first or not second:
        assert math.isnan(found) if not first and not second else found == 1
        return
    assert found == pytest.approx(slow_distance(first, second, penalty))
    assert found == pytest.approx(partial_ranking_distance(second, first, penalty=penalty))
    assert partial_ranking_distance(first, first, penalty=penalty) == 0


@settings(max_examples=100, deadline=None)
@given(RANKINGS, RANKINGS, st.sampled_from([0.5, 1.0]))
def test_overlap_of_tops_equals_its_slow_twin(first, second, persistence):
    def top(ranking: list[list[int]], depth: int) -> set[int]:
        named: set[int] = set()
        for group in ranking:
            if len(named) < depth:
                named |= set(group)
        return named

    depth = max(sum(map(len, first)), sum(map(len, second)))
    found = top_overlap(first, second, persistence=persistence)
    if depth == 0:
        assert math.isnan(found)
        return
    above = below = 0.0
    for d in range(1, depth + 1):
        one, other = top(first, d), top(second, d)
        above += persistence ** (d - 1) * 2 * len(one & other) / (len(one) + len(other))
        below += persistence ** (d - 1)
    assert found == pytest.approx(above / below)
    assert top_overlap(first, first) == (pytest.approx(1) if first else pytest.approx(math.nan, nan_ok=True))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: partial_ranking_distance([[1], [1]], [[2]]), "first names 1 twice"),
        (lambda: partial_ranking_distance([[1]], [[2]], penalty=2), "penalty is 2"),
        (lambda: top_overlap([[1]], [[2]], persistence=0), "persistence is 0"),
    ],
)
def test_impossible_rankings_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_dermatologists_differential_diagnoses_agree_far_beyond_chance():
    cases = json.loads(real("crowd", "dermatology_ddx", "dermatology_selectors.json").read_text())[:300]
    rng = np.random.default_rng(3)
    found = structured_alpha(
        cases, partial_ranking_distance, rng, resampling=again(), max_chance_pairs=2000, unit="cases"
    )
    assert found.estimate.n == sum(len(case) >= 2 for case in cases)
    assert 0.2 < found.estimate.low < found.estimate.value < found.estimate.high < 0.8
    assert found.expected > 0.9
    shuffled = [ranking for case in cases for ranking in case]
    rng.shuffle(shuffled)
    parts = iter(shuffled)
    random = structured_alpha(
        [[next(parts) for _ in case] for case in cases], partial_ranking_distance, rng, max_chance_pairs=2000
    )
    assert abs(random.estimate.value) < 0.05
