"""Agreement of measurements: published values, slow twins, coverage, and input without an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bland_altman import limits_of_agreement
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.concordance import concordance_correlation
from labelhub.numerics.intraclass import Form, intraclass_correlation
from labelhub.numerics.repeatability import repeatability
from tests.numerics.test_published_agreement import near, table_of

FORMS: tuple[Form, ...] = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
VALUES = st.integers(-20, 20).map(float)


@pytest.mark.parametrize(
    ("form", "value", "low", "high"),
    [("ICC(1,1)", 0.1657, -0.13, 0.72), ("ICC(2,1)", 0.2898, 0.02, 0.76), ("ICC(3,1)", 0.7148, 0.34, 0.95)],
)
def test_shrout_and_fleiss_one_judge_with_intervals(form, value, low, high):
    found = intraclass_correlation(JUDGES, form).estimate
    assert found.value == near(value)
    assert (round(found.low, 2), round(found.high, 2)) == (low, high)


@pytest.mark.parametrize(("form", "value"), [("ICC(1,k)", 0.4428), ("ICC(2,k)", 0.6201), ("ICC(3,k)", 0.9093)])
def test_shrout_and_fleiss_mean_of_judges(form, value):
    assert intraclass_correlation(JUDGES, form).estimate.value == near(value)


def test_mean_squares_of_shrout_and_fleiss():
    found = intraclass_correlation(table_of("shrout_fleiss_6x4.csv"))
    squares = [found.between_units, found.within_units, found.between_raters, found.error]
    assert [round(square, 2) for square in squares] == [11.24, 6.26, 32.49, 1.02]
    assert found.n_raters == 4
    assert krippendorff_alpha(JUDGES, "interval").estimate.value == near(0.1473)


def slow_icc(x: np.ndarray, form: str) -> float:
    n, k = x.shape
    grand = x.mean()
    bms = k * sum((row.mean() - grand) ** 2 for row in x) / (n - 1)
    jms = n * sum((column.mean() - grand) ** 2 for column in x.T) / (k - 1)
    wms = sum((v - row.mean()) ** 2 for row in x for v in row) / (n * (k - 1))
    ems = (wms * n * (k - 1) - jms * (k - 1)) / ((n - 1) * (k - 1))
    above, below = {
        "ICC(1,1)": (bms - wms, bms + (k - 1) * wms),
        "ICC(2,1)": (bms - ems, bms + (k - 1) * ems + k * (jms - ems) / n),
        "ICC(3,1)": (bms - ems, bms + (k - 1) * ems),
        "ICC(1,k)": (bms - wms, bms),
        "ICC(2,k)": (bms - ems, bms + (jms - ems) / n),
        "ICC(3,k)": (bms - ems, bms),
    }[form]
    return above / below if below > 1e-9 else math.nan


@settings(max_examples=80, deadline=None)
@given(arrays(np.float64, (4, 3), elements=VALUES), st.sampled_from(FORMS), st.sampled_from([0.0, 1e6]))
def test_intraclass_correlation_equals_its_slow_twin(ratings, form, shift):
    found = intraclass_correlation(ratings + shift, form).estimate.value
    expected = slow_icc(ratings, form)
    if abs(expected) < 50:
        assert found == pytest.approx(expected, abs=1e-6)


def test_gaps_are_used_in_model_one_and_warned_of_in_the_others():
    ratings = JUDGES.copy()
    ratings[0, 0] = np.nan
    one = intraclass_correlation(ratings, "ICC(1,1)")
    assert one.estimate.n == 6
    assert one.n_raters == pytest.approx((23 - (5 * 16 + 9) / 23) / 5)
    two = intraclass_correlation(ratings, "ICC(2,1)")
    assert two.estimate.n == 5
    assert two.estimate.value == pytest.approx(intraclass_correlation(JUDGES[1:]).estimate.value)
    assert two.estimate.warnings == ("1 items that not all raters measured are left out",)


@pytest.mark.parametrize("form", FORMS)
def test_f_intervals_cover_as_often_as_they_say(form):
    rng = np.random.default_rng(3)
    n, k = 15, 4
    raters, error, units = 0.5, 1.0, 2.0
    one = {"1": units / (units + raters + error), "2": units / (units + raters + error), "3": units / (units + error)}
    rho = one[form[4]]
    true = rho if form.endswith("1)") else k * rho / (1 + (k - 1) * rho)
    covered = 0
    for _ in range(200):
        bias = rng.normal(0, math.sqrt(raters), (n if form[4] == "1" else 1, k))
        ratings = rng.normal(0, math.sqrt(units), (n, 1)) + bias + rng.normal(0, math.sqrt(error), (n, k))
        found = intraclass_correlation(ratings, form).estimate
        covered += found.low <= true <= found.high
    assert 178 <= covered <= 200


def test_intraclass_correlation_over_patients_is_wider():
    rng = np.random.default_rng(4)
    patients = np.repeat(np.arange(12), 8)
    ratings = (
        rng.normal(size=12)[patients][:, None] + rng.normal(0, 0.5, (12, 3))[patients] + rng.normal(0, 0.2, (96, 3))
    )
    grouped = intraclass_correlation(ratings, resampling=Resampling(rng, patients, "patients", 300)).estimate
    alone = intraclass_correlation(ratings, resampling=Resampling(rng, n_resamples=300)).estimate
    assert grouped.width > alone.width
    assert (grouped.n_groups, grouped.group_unit) == (12, "patients")


@pytest.mark.parametrize("form", FORMS)
def test_intraclass_correlation_without_an_answer_says_why(form):
    assert "at least 2 are needed" in str(intraclass_correlation([[1.0, 2.0]], form).estimate.reason)
    assert "at least 2 are needed" in str(intraclass_correlation([[1.0], [2.0]], form).estimate.reason)
    assert "no variation" in str(intraclass_correlation(np.ones((4, 3)), form).estimate.reason)
    equal = intraclass_correlation([[1, 1], [2, 2], [5, 5]], form).estimate
    assert equal.value == 1
    assert "F is infinite" in str(equal.interval_reason)


def test_intraclass_correlation_refuses_other_forms_and_wrong_groups():
    with pytest.raises(ValueError, match=r"form is 'ICC\(4,1\)'"):
        intraclass_correlation(JUDGES, "ICC(4,1)")
    with pytest.raises(ValueError, match="groups has shape"):
        intraclass_correlation(JUDGES, resampling=Resampling(np.random.default_rng(0), [1, 2]))


def test_peak_flow_of_bland_and_altman_1986():
    flow = table_of("bland_altman_1986_pefr.csv")
    found = limits_of_agreement(flow[:, 0], flow[:, 2], multiplier=2)
    assert (found.bias.value, found.spread) == (near(-2.118), near(38.765))
    # Published -79.7 and 75.5 come from rounded inputs.
    assert (round(found.lower.value, 2), round(found.upper.value, 2)) == (-79.65, 75.41)
    # Published intervals: bias -22.0 to 17.8, lower limit -114.3 to -45.1, upper limit 40.9 to 110.1.
    assert [found.bias.low, found.bias.high] == pytest.approx([-22.0, 17.8], abs=0.1)
    assert [found.lower.low, found.lower.high] == pytest.approx([-114.3, -45.1], abs=0.2)
    assert [found.upper.low, found.upper.high] == pytest.approx([40.9, 110.1], abs=0.2)
    assert (found.proportional.p_value > 0.5, found.log_suggested) == (True, False)


def test_peak_flow_has_lins_concordance_and_repeatability():
    flow = table_of("bland_altman_1986_pefr.csv")
    found = concordance_correlation(flow[:, 0], flow[:, 2])
    assert (found.correlation, found.estimate.value) == (near(0.9433), near(0.9427))
    large, mini = (repeatability(flow[:, c : c + 2], multiplier=2).coefficient.value for c in (0, 2))
    assert (round(large, 2), round(mini, 2)) == (43.29, 56.32)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (6, 2), elements=VALUES), st.sampled_from([0.0, 1e5]))
def test_concordance_equals_its_slow_twin(pairs, shift):
    x, y = pairs.T
    below = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    varies = x.var() + y.var() > 1e-9
    expected = 2 * ((x - x.mean()) * (y - y.mean())).mean() / below if varies else math.nan
    found = concordance_correlation(x + shift, y + shift)
    assert found.estimate.value == pytest.approx(expected, abs=1e-8, nan_ok=True)
    assert (found.estimate.reason is None) == varies
    if x.var() > 0.1 and y.var() > 0.1:
        assert found.correlation * found.bias_correction == pytest.approx(found.estimate.value, abs=1e-6)


def test_fishers_z_interval_of_concordance_covers():
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(300):
        truth = rng.normal(0, 2, 40)
        x, y = truth + rng.normal(0, 1, 40), truth + 0.5 + rng.normal(0, 1, 40)
        found = concordance_correlation(x, y).estimate
        covered += found.low <= 2 * 4 / (5 + 5 + 0.25) <= found.high
    assert 270 <= covered <= 297


def test_concordance_without_an_answer_says_why():
    assert "at least 3" in str(concordance_correlation([1, 2], [1, math.nan]).estimate.reason)
    assert "no variation" in str(concordance_correlation([2, 2, 2], [3, 3, 3]).estimate.reason)
    flat = concordance_correlation([1, 2, 3], [2, 2, 2])
    assert (flat.estimate.value, math.isnan(flat.correlation)) == (0, True)
    assert "infinite" in str(flat.estimate.interval_reason)
    equal = concordance_correlation([1, 2, 3, 4], [1, 2, 3, 4]).estimate
    assert (equal.value, math.isnan(equal.low)) == (1, True)
    with pytest.raises(ValueError, match="first has shape"):
        concordance_correlation([1, 2], [1, 2, 3])


def test_concordance_over_patients_counts_them():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=30)
    again = Resampling(rng, np.arange(30) // 3, "patients", 300)
    found = concordance_correlation(truth, truth + rng.normal(0, 0.3, 30), resampling=again).estimate
    assert (found.n_groups, found.group_unit) == (10, "patients")
    assert found.low < found.value < found.high


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 3), elements=VALUES))
def test_repeated_pairs_are_split_as_analysis_of_variance_splits_them(difference):
    units = np.repeat(np.arange(5), 3)
    found = limits_of_agreement(difference.ravel(), np.zeros(15), units=units)
    within = difference.var(axis=1, ddof=1).mean()
    between = max(0.0, difference.mean(axis=1).var(ddof=1) - within / 3)
    assert found.within_units**2 == pytest.approx(within, abs=1e-9)
    assert found.between_units**2 == pytest.approx(between, abs=1e-9)
    assert found.spread**2 == pytest.approx(difference.mean(axis=1).var(ddof=1) + 2 / 3 * within, abs=1e-9)


def test_limits_with_repeats_cover_where_taking_pairs_as_independent_does_not():
    rng = np.random.default_rng(8)
    true = 1 + 1.96 * math.sqrt(4 + 1)
    covered = {"repeats": 0, "pairs": 0}
    for _ in range(300):
        sizes = rng.integers(2, 8, 20)
        units = np.repeat(np.arange(20), sizes)
        difference = 1 + rng.normal(0, 2, 20)[units] + rng.normal(0, 1, len(units))
        for name, given_units in (("repeats", units), ("pairs", None)):
            found = limits_of_agreement(difference, np.zeros(len(units)), units=given_units).upper
            covered[name] += found.low <= true <= found.high
    assert 276 <= covered["repeats"] <= 297
    assert covered["pairs"] < 255


def test_limits_without_repeats_cover():
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(300):
        found = limits_of_agreement(rng.normal(0, 1, 30), np.zeros(30)).lower
        covered += found.low <= -1.96 <= found.high
    assert 270 <= covered <= 297


def test_logarithms_are_suggested_where_the_spread_grows_with_the_size():
    rng = np.random.default_rng(10)
    truth = np.exp(rng.normal(3, 1, 80))
    x, y = truth * np.exp(rng.normal(0, 0.2, 80)), truth * np.exp(rng.normal(0, 0.2, 80))
    found = limits_of_agreement(x, y)
    assert found.log_suggested
    ratio = limits_of_agreement(x, y, scale="ratio")
    assert ratio.bias.value == pytest.approx(math.exp(np.log(x / y).mean()))
    assert 0 < ratio.lower.low < ratio.lower.value < 1 < ratio.upper.value < ratio.upper.high
    assert (ratio.log_suggested, ratio.log_reason) == (False, "already on logarithms")


def test_logarithms_are_not_suggested_where_they_do_not_help_or_cannot_be_taken():
    rng = np.random.default_rng(11)
    truth = rng.uniform(100, 110, 200)
    noise = rng.normal(0, 1, 200) * (truth - 99) ** 2 / 20
    assert "do not cure" in limits_of_agreement(truth + noise, truth - noise).log_reason
    assert "above 0" in limits_of_agreement(truth - 105, truth).log_reason
    assert "does not grow" in limits_of_agreement(np.full(5, 3.0), np.full(5, 3.0)).log_reason
    assert "does not grow" in limits_of_agreement([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]).log_reason


def test_a_difference_that_grows_with_the_size_is_found():
    truth = np.linspace(10, 50, 40)
    rng = np.random.default_rng(12)
    found = limits_of_agreement(truth * 1.2 + rng.normal(0, 1, 40), truth + rng.normal(0, 1, 40)).proportional
    assert found.slope.low < 2 * 0.2 / 2.2 < found.slope.high
    assert found.p_value < 1e-6
    line = stats.linregress([1.5, 2.5, 3.0], [1.0, 1.0, 2.0])
    small = limits_of_agreement([2, 3, 4], [1, 2, 2]).proportional
    assert small.slope.value == pytest.approx(line.slope)


def test_limits_without_an_answer_say_why():
    few = limits_of_agreement([1, 2, 5], [1, math.nan, 3])
    assert "only 2 items" in str(few.bias.reason)
    assert few.n_pairs == 2
    flat = limits_of_agreement([1, 2, 3], [3, 2, 1]).proportional.slope
    assert "same mean" in str(flat.reason)
    empty = limits_of_agreement([], [])
    assert math.isnan(empty.upper.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: limits_of_agreement([1, 2], [1]), "first has shape"),
        (lambda: limits_of_agreement([1, 2], [1, 2], units=[1]), "units has shape"),
        (lambda: limits_of_agreement([1, 2], [1, 2], scale="log"), "scale is 'log'"),
        (lambda: limits_of_agreement([1, 2], [1, 2], multiplier=0), "multiplier is 0"),
        (lambda: limits_of_agreement([1, 0], [1, 2], scale="ratio"), "0 or below"),
        (lambda: repeatability([[1, 2]], multiplier=0), "multiplier is 0"),
    ],
)
def test_measurements_that_are_none_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 3), elements=st.one_of(VALUES, st.just(math.nan))))
def test_repeatability_equals_its_slow_twin(repeats):
    rows = [row[~np.isnan(row)] for row in repeats]
    rows = [row for row in rows if len(row) >= 2]
    found = repeatability(repeats)
    if not rows:
        assert "no items measured twice" in str(found.within.reason)
        return
    squares = sum(((row - row.mean()) ** 2).sum() for row in rows)
    expected = math.sqrt(squares / sum(len(row) - 1 for row in rows))
    assert found.within.value == pytest.approx(expected, abs=1e-9)
    assert found.coefficient.value == pytest.approx(1.96 * math.sqrt(2) * expected, abs=1e-9)


def test_repeatability_covers_and_counts_patients():
    rng = np.random.default_rng(13)
    covered = 0
    for _ in range(200):
        found = repeatability(rng.normal(0, 3, (20, 1)) + rng.normal(0, 1, (20, 2))).within
        covered += found.low <= 1 <= found.high
    assert 180 <= covered <= 199
    again = Resampling(rng, np.arange(20) // 2, "patients", 300)
    grouped = repeatability(rng.normal(size=(20, 2)), resampling=again)
    assert grouped.coefficient.n_groups == 10
    assert grouped.coefficient.low == pytest.approx(1.96 * math.sqrt(2) * grouped.within.low)


def test_repeatability_of_units_measured_once_has_a_reason():
    found = repeatability([[1.0, math.nan], [2.0, math.nan]])
    assert math.isnan(found.coefficient.value)
    assert found.coefficient.reason == "no items measured twice"
