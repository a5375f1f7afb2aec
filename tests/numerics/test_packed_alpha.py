"""The quick way to alpha gives what the general way gives, and notices when it may not be taken."""

from __future__ import annotations

import math

import krippendorff as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from labelhub.numerics import compared_counts, packed_alpha
from labelhub.numerics.alpha import Measure, krippendorff_alpha
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval, group_sums
from labelhub.numerics.packed_alpha import alpha_value, coincidences, distinct_units
from labelhub.numerics.ratings import category_codes, category_values, ratings_from_counts

MEASURES: tuple[Measure, ...] = ("nominal", "ordinal", "interval", "ratio")
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7)
# 4096 and its neighbours would alias with small codes if the exponent were not guarded; 2.2 * 5 is a whole number.
VALUES = st.sampled_from([1.0, 2.0, 3.0, 5.0, math.nan, -1.0, 2.5, 2.2, 12.0, 4097.0, -4095.0, 1e300])
TABLES = arrays(np.float64, SHAPES, elements=st.one_of(st.sampled_from([1.0, 2.0, 4.0, math.nan]), VALUES))


def slow_coincidences(ratings: np.ndarray, values: np.ndarray) -> np.ndarray:
    table = np.zeros((len(values), len(values)))
    for row in ratings:
        counts = np.array([(row == value).sum() for value in values], dtype=float)
        if counts.sum() >= 2:
            table += np.outer(counts, counts) / (counts.sum() - 1)
    return table


@settings(max_examples=200, deadline=None)
@given(TABLES)
def test_coincidences_equal_their_slow_twin_or_are_refused(ratings):
    found = coincidences(ratings)
    given_values = ratings[~np.isnan(ratings)]
    if found is None:
        narrow = (
            len(given_values)
            and np.abs(given_values).max() < 1e6
            and np.ptp(given_values) <= 4
            and (given_values == np.floor(given_values)).all()
        )
        assert not narrow or ratings.shape[1] < 2
        return
    np.testing.assert_allclose(found.table, slow_coincidences(ratings, found.values), rtol=1e-13)
    enough = (~np.isnan(ratings)).sum(axis=1) >= 2
    assert found.n_units == enough.sum()
    assert found.totals.tolist() == [(ratings[enough] == value).sum() for value in found.values]


@settings(max_examples=150, deadline=None)
@given(TABLES, st.sampled_from(MEASURES))
def test_the_quick_value_is_the_general_one(ratings, measure):
    if measure == "ratio":
        ratings = np.abs(ratings)
    if np.nanmax(np.abs(ratings), initial=0) > 1e100 and measure != "nominal":
        return
    found = alpha_value(ratings, measure)
    expected = krippendorff_alpha(ratings, measure).estimate
    assert found.value == pytest.approx(expected.value, abs=1e-12, nan_ok=True)
    assert (found.n, found.reason) == (expected.n, expected.reason)


@st.composite
def many_raters(draw) -> np.ndarray:
    """Every remainder of raters by four, up to the most that are compared and beyond; types that hold no gap too."""
    n_raters = draw(st.sampled_from([2, 3, 4, 5, 6, 7, 20, 57, 59, 60, 61]))
    n_categories = draw(st.sampled_from([1, 2, 5, 12, 13]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ratings = rng.integers(3, 3 + n_categories, (draw(st.integers(1, 40)), n_raters))
    if draw(st.booleans()):
        return ratings.astype(draw(st.sampled_from([np.int8, np.uint16, np.int64])))
    return np.where(rng.random(ratings.shape) < draw(st.sampled_from([0.0, 0.2, 0.95])), np.nan, ratings)


@settings(max_examples=200, deadline=None)
@given(many_raters(), st.sampled_from([1, 7, 8192]))
def test_coincidences_of_many_raters_equal_their_slow_twin(ratings, row):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compared_counts, "_ROW", row)
        found = coincidences(ratings)
    if found is None:
        # Thirteen categories of 60 raters are counted in no quick way.
        assert np.isnan(np.asarray(ratings, dtype=float)).all() or ratings.shape[1] > 15
        return
    np.testing.assert_allclose(found.table, slow_coincidences(ratings, found.values), rtol=1e-13)
    enough = (~np.isnan(np.asarray(ratings, dtype=float))).sum(axis=1) >= 2
    assert found.n_units == enough.sum()
    assert found.totals.tolist() == [(ratings[enough] == value).sum() for value in found.values]


def test_a_number_that_is_no_category_is_noticed_among_compared_ratings():
    counts = compared_counts.ComparedCounts(np.array([1.0, 2.0]), 3)
    assert not counts.add_all(np.array([[1.0, 2.0, 1.5]]))
    assert not counts.add_all(np.array([[1, 2, 3]]))
    assert counts.n_units == 0
    assert counts.add_all(np.array([[1.0, 2.0, np.nan], [1.0, np.nan, np.nan]]))
    assert (counts.n_units, counts.totals.tolist()) == (1, [1.0, 1.0])


@settings(max_examples=80, deadline=None)
@given(TABLES)
def test_different_units_are_counted_or_refused(ratings):
    found = distinct_units(ratings)
    if found is None:
        return
    low, counts, often = found
    rows = [tuple((row == low + k).sum() for k in range(counts.shape[1])) for row in ratings]
    assert sorted(np.repeat(counts, often, axis=0).tolist()) == sorted(list(row) for row in rows)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_large_tables_in_several_blocks_and_threads_equal_the_reference_package(measure, gaps, monkeypatch):
    monkeypatch.setattr(packed_alpha, "_BLOCK", 700)
    monkeypatch.setattr(packed_alpha, "_WORTH_A_THREAD", 1000)
    rng = np.random.default_rng(1)
    ratings = rng.integers(1, 6, (3000, 7)).astype(float)
    ratings[rng.random(ratings.shape) < gaps] = np.nan
    # The first block shows less than the whole range.
    ratings[:200] = np.where(np.isnan(ratings[:200]), np.nan, 3)
    expected = oracle.alpha(reliability_data=ratings.T, level_of_measurement=measure)
    assert alpha_value(ratings, measure).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n_raters", [5, 61], ids=["compared", "packed"])
@pytest.mark.parametrize("value", [2.5, 4096.0 + 2, -4096.0 + 2, 1e300, 60.0])
def test_one_wrong_rating_deep_inside_is_noticed(value, n_raters, monkeypatch):
    monkeypatch.setattr(packed_alpha, "_BLOCK", 140 * n_raters)
    rng = np.random.default_rng(2)
    ratings = rng.integers(1, 6, (2000, n_raters)).astype(float)
    ratings[1500, 3] = value
    assert coincidences(ratings) is None
    assert distinct_units(ratings) is None
    assert alpha_value(ratings).value == pytest.approx(krippendorff_alpha(ratings).estimate.value, abs=1e-12)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
@pytest.mark.parametrize("measure", MEASURES)
def test_ratings_of_an_integer_type_need_no_conversion(kind, measure):
    ratings = np.random.default_rng(5).integers(3, 9, (500, 6)).astype(kind)
    expected = krippendorff_alpha(ratings.astype(float), measure).estimate.value
    assert alpha_value(ratings, measure).value == pytest.approx(expected, abs=1e-12)
    again = Resampling(np.random.default_rng(0), n_resamples=50)
    assert alpha_value(ratings, measure, resampling=again).value == pytest.approx(expected, abs=1e-12)
    wide = ratings.astype(np.int64) * 1_000_000_000_000
    assert alpha_value(wide).value == pytest.approx(krippendorff_alpha(ratings).estimate.value, abs=1e-12)


def test_an_infinite_rating_and_other_shapes_are_refused_as_always():
    with pytest.raises(ValueError, match="infinite"):
        alpha_value([[1.0, math.inf], [1.0, 2.0]])
    with pytest.raises(ValueError, match="1 dimensions"):
        alpha_value([1.0, 2.0])
    with pytest.raises(ValueError, match="negative"):
        alpha_value([[-1.0, 2.0]], "ratio")


@pytest.mark.parametrize("measure", MEASURES)
def test_the_quick_interval_is_the_general_one(measure):
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 5, (400, 1))
    ratings = np.where(rng.random((400, 4)) < 0.7, truth, rng.integers(1, 5, (400, 4))).astype(float)
    ratings[rng.random(ratings.shape) < 0.1] = np.nan

    def again() -> Resampling:
        return Resampling(np.random.default_rng(0), n_resamples=4000)

    quick = alpha_value(ratings, measure, resampling=again())
    general = krippendorff_alpha(ratings, measure, resampling=again()).estimate
    assert quick.value == pytest.approx(general.value, abs=1e-12)
    assert [quick.low, quick.high] == pytest.approx([general.low, general.high], abs=0.01)
    assert (quick.n, quick.n_groups, quick.interval_method) == (general.n, general.n_groups, general.interval_method)


def test_the_quick_interval_of_many_categories_and_of_patients():
    rng = np.random.default_rng(4)
    ratings = rng.integers(0, 9, (60, 20)).astype(float)
    assert alpha_value(ratings, resampling=Resampling(rng, n_resamples=100)).n == 60
    patients = Resampling(rng, np.arange(60) // 3, "patients", 100)
    assert alpha_value(ratings, resampling=patients).n_groups == 20


def test_quick_values_without_an_answer_say_why():
    again = Resampling(np.random.default_rng(0), n_resamples=50)
    for resampling in (None, again):
        assert alpha_value([[1.0, np.nan]], resampling=resampling).reason == "no items with two ratings"
        assert "no variation" in str(alpha_value([[1.0, 1.0], [1.0, 1.0]], resampling=resampling).reason)
        assert alpha_value(np.empty((0, 3)), resampling=resampling).n == 0
    one = alpha_value([[1.0, 2.0], [np.nan, 1.0]], resampling=again)
    assert "needs at least 2" in str(one.interval_reason)


def test_rows_that_share_a_mixed_number_are_still_told_apart():
    # sqrt(2) a + sqrt(3) b is the same to the last bit for these rows, whose difference is below its precision.
    rows = np.array([[1e17, 1.0], [1e17, 2.0], [1e17, 1.0]])
    again = Resampling(np.random.default_rng(0), n_resamples=200)
    found = bootstrap_interval(rows, lambda sums: sums[:, 1], again)
    assert 3 <= found.low < found.high <= 6
    assert len(group_sums(rows, [0, 1, 0])) == 2


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, SHAPES, elements=st.sampled_from([0.0, 1.0, 2.0, 7.0, -3.0, 2.5, 5000.0, math.nan])))
def test_categories_and_codes_equal_their_slow_twins(ratings):
    values = category_values(ratings, None)
    assert values.tolist() == sorted({v for v in ratings.ravel().tolist() if not math.isnan(v)})
    codes = category_codes(ratings, values)
    expected = [[-1 if math.isnan(v) else values.tolist().index(v) for v in row] for row in ratings.tolist()]
    assert codes.tolist() == expected


@settings(max_examples=40, deadline=None)
@given(arrays(np.int64, SHAPES, elements=st.integers(0, 3)))
def test_ratings_of_counts_have_these_counts(counts):
    ratings = ratings_from_counts(counts)
    found = [[(row == k).sum() for k in range(counts.shape[1])] for row in ratings]
    assert found == counts.tolist()


def test_a_distance_that_is_none_is_refused():
    with pytest.raises(ValueError, match="on its diagonal"):
        krippendorff_alpha([[0.0, 1.0]], distance=[[1.0, 1.0], [1.0, 0.0]])
