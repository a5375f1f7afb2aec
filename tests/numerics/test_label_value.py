"""Quality of given labels, worth of one more answer, and errors left after acceptance."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelhub.numerics.label_quality import (
    confident_joint,
    normalised_margin,
    self_confidence,
    softmin_score,
    suspect_regions,
)
from labelhub.numerics.label_value import (
    StoppingRule,
    next_steps,
    settling_loss,
    value_of_answers,
    values_by_rater,
)
from labelhub.numerics.residual_error import residual_error
from labelhub.numerics.simulated import confusing_pair, confusion_of_accuracy, read_labels

GAP = math.nan


@pytest.mark.parametrize(("temperature", "score"), [(0.05, 0.0500), (0.1, 0.0609), (0.5, 0.8982)])
def test_softmin_of_a_thousand_pixels_as_specified(temperature, score):
    x = [0.95] * 990 + [0.05] * 10
    assert np.mean(x) == pytest.approx(0.941)
    assert softmin_score(x, temperature=temperature) == pytest.approx(score, abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)), st.floats(0.02, 10))
def test_softmin_equals_its_formula_and_lies_between_minimum_and_mean(values, temperature):
    weights = [math.exp((1 - x) / temperature) for x in values]
    by_hand = sum(x * w for x, w in zip(values, weights, strict=True)) / sum(weights)
    found = softmin_score(values, temperature=temperature)
    assert found == pytest.approx(by_hand, abs=1e-9)
    assert values.min() - 1e-9 <= found <= values.mean() + 1e-9


def test_softmin_of_nothing_is_unknown_and_of_nonsense_refused():
    assert math.isnan(softmin_score([GAP]))
    assert softmin_score([[0.5, GAP]]) == 0.5
    with pytest.raises(ValueError, match="temperature is 0"):
        softmin_score([1], temperature=0)
    with pytest.raises(ValueError, match=r"runs from 2\.0 to 2\.0"):
        softmin_score([2])


def test_suspect_regions_come_by_summed_doubt_in_two_and_three_dimensions():
    x = np.ones((12, 20, 20))
    x[1:3, 2:6, 2:6] = 0.09
    x[5:9, 10:15, 10:15] = 0.0
    x[11, 0, 0] = 0.0
    x[0, 0, :] = GAP
    found = suspect_regions(x)
    assert [region.n_voxels for region in found.regions] == [100, 32]
    assert found.regions[1].doubt == pytest.approx(32 * 0.91)
    assert (found.map == 1).sum() == 100
    assert found.regions[0].box == (slice(5, 9), slice(10, 15), slice(10, 15))
    assert suspect_regions(np.ones((4, 4))).regions == ()
    with pytest.raises(ValueError, match="2-D or 3-D"):
        suspect_regions([1.0])


def test_confident_joint_finds_planted_confusions():
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 6000, p=[0.4, 0.3, 0.2, 0.1])
    given_class = read_labels(truth, confusing_pair(4, 0, 1, 0.15), rng)
    logits = rng.normal(size=(6000, 4)) + 4 * np.eye(4)[truth]
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = confident_joint(given_class, table)
    wrong = given_class != truth
    assert found.n_errors == pytest.approx(wrong.sum(), rel=0.15)
    assert np.mean(wrong[found.is_suspect]) > 0.85
    assert np.mean(found.is_suspect[wrong]) > 0.85
    assert found.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.joint.sum(axis=1), np.bincount(given_class, minlength=4) / 6000)
    planted = np.zeros((4, 4))
    np.add.at(planted, (given_class, truth), 1 / 6000)
    np.testing.assert_allclose(found.joint, planted, atol=0.015)
    order = [2, 0, 3, 1]
    renamed = confident_joint(np.argsort(order)[given_class], table[:, order])
    np.testing.assert_array_equal(renamed.counts, found.counts[np.ix_(order, order)])


def test_a_class_that_is_never_given_is_said():
    found = confident_joint([0, 0], [[0.9, 0.1], [0.2, 0.8]])
    assert "[1]" in found.warnings[0]
    assert found.joint.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert confident_joint(np.empty(0), np.empty((0, 2))).n_errors == 0


def test_scores_of_single_labels():
    table = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]
    assert self_confidence([0, 2], table).tolist() == [0.6, 0.3]
    assert normalised_margin([0, 2], table).round(9).tolist() == [0.65, 0.4]
    for arguments, words in (
        (([0], [[1.0]]), "2 or more"),
        (([0], [[0.9, 0.9]]), "must hold distributions"),
        (([2], [[0.5, 0.5]]), r"given holds \[2\]; .* 0 to 1"),
        (([0.5], [[0.5, 0.5]]), r"given holds \[0.5\]; .* 0 to 1"),
    ):
        with pytest.raises(ValueError, match=words):
            confident_joint(*arguments)


def slow_value(posterior, confusions, losses):
    """Every row of answers, one by one."""
    q = len(posterior)
    now = min(sum(posterior[k] * losses[k][d] for k in range(q)) for d in range(losses.shape[1]))
    after = 0.0
    for answers in product(range(q), repeat=len(confusions)):
        joint = [posterior[k] * math.prod(c[k][a] for c, a in zip(confusions, answers, strict=True)) for k in range(q)]
        after += min(sum(joint[k] * losses[k][d] for k in range(q)) for d in range(losses.shape[1]))
    return now - after


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 3), st.booleans())
def test_the_value_of_answers_equals_trying_them_all(seed, q, n_raters, is_costly):
    rng = np.random.default_rng(seed)
    posterior = rng.dirichlet(np.ones(q), 3)
    confusions = [rng.dirichlet(np.ones(q), q) for _ in range(n_raters)]
    losses = rng.random((q, q)) * (1 - np.eye(q)) if is_costly else 1 - np.eye(q)
    found = value_of_answers(posterior, confusions, losses=losses if is_costly else None)
    by_hand = [slow_value(row, confusions, losses) for row in posterior]
    np.testing.assert_allclose(found, np.maximum(by_hand, 0), atol=1e-12)
    fewer = value_of_answers(posterior, confusions[:1], losses=losses if is_costly else None)
    assert (found >= fewer - 1e-12).all()


def test_one_step_is_blind_where_two_see():
    rater = confusion_of_accuracy(0.8, 2)
    # Prior .5 and two answers of .8 for the same class: .941; one more answer cannot turn it, two can.
    sure = [[0.64 / 0.68, 0.04 / 0.68]]
    assert value_of_answers(sure, [rater])[0] == pytest.approx(0, abs=1e-12)
    assert value_of_answers(sure, [rater, rater, rater])[0] > 0.005
    split = [[0.5, 0.5]]
    assert value_of_answers(split, [rater])[0] == pytest.approx(0.3)


def test_a_clicker_is_worth_nothing_and_the_best_rater_most():
    tables = np.stack([confusion_of_accuracy(accuracy, 3) for accuracy in (1 / 3, 0.6, 0.9)])
    found = values_by_rater([[0.4, 0.35, 0.25]], tables)
    assert found[0, 0] == pytest.approx(0, abs=1e-12)
    assert found[0].argmax() == 2
    assert values_by_rater([[0.5, 0.5]], np.empty((0, 2, 2))).shape == (1, 0)


def test_costly_errors_change_what_is_worth_asking():
    rater = [[0.9, 0.1], [0.1, 0.9]]
    rare = [[0.98, 0.02]]
    assert value_of_answers(rare, [rater])[0] == pytest.approx(0, abs=1e-12)
    assert value_of_answers(rare, [rater], losses=[[0, 1], [20, 0]])[0] > 0.05
    assert settling_loss(rare, losses=[[0, 1], [20, 0]])[0] == pytest.approx(0.4)


def test_asking_stops_by_the_rule():
    table = [[GAP, GAP], [0.96, 0.04], [0.96, 0.04], [0.9, 0.1], [0.9, 0.1]]
    assert next_steps(table, [0, 1, 2, 6, 7]).tolist() == ["ask", "ask", "stop", "ask", "review"]
    assert next_steps(table, [0, 1, 2, 6, 7], StoppingRule(0.85, 1, 3)).tolist() == [
        "ask",
        "stop",
        "stop",
        "stop",
        "stop",
    ]


def test_impossible_values_are_refused():
    good = [[0.5, 0.5]]
    for call, words in (
        (lambda: settling_loss([[0.5, 0.6]]), "posterior has shape"),
        (lambda: settling_loss(good, losses=[[0, -1], [1, 0]]), "losses has shape"),
        (lambda: value_of_answers(good, []), "holds 0 raters"),
        (lambda: value_of_answers(good, [np.full((3, 3), 1 / 3)]), "holds shape"),
        (lambda: values_by_rater(good, [[0.5, 0.5]]), "confusion has shape"),
        (lambda: StoppingRule(1.5), "confidence is"),
        (lambda: next_steps(good, [-1]), "n_answers"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_errors_left_are_estimated_without_bias_and_covered():
    rng = np.random.default_rng(1)
    patient = np.repeat(np.arange(400), 5)
    inside, values = [], []
    truth_share = []
    for _ in range(300):
        risk = np.where(rng.random(400) < 0.06, 0.6, 0.01)[patient]
        wrong = rng.random(2000) < risk
        chance = np.where(rng.random(400) < 0.5, 0.05, 0.20)[patient]
        audited = (rng.random(400) < chance[::5])[patient]
        found = residual_error(wrong[audited], chance[audited], n_units=2000, groups=patient[audited])
        values.append(found.value)
        truth_share.append(wrong.mean())
        inside.append(found.low <= wrong.mean() <= found.high)
    assert np.mean(values) == pytest.approx(np.mean(truth_share), abs=0.004)
    # Some 50 patients, of whom three or so hold nearly all errors: the result warns that it then covers less than it says.
    assert np.mean(inside) >= 0.89
    assert any("errors come from" in note for note in found.warnings)


def test_units_as_if_independent_cover_too_seldom_so_that_groups_matter():
    wrong = np.repeat([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10)
    by_patient = residual_error(wrong, np.full(120, 0.1), groups=np.repeat(np.arange(12), 10))
    alone = residual_error(wrong, np.full(120, 0.1))
    assert by_patient.width > 2 * alone.width
    assert by_patient.n_groups == 12
    assert by_patient.value == alone.value


def test_no_error_found_is_not_no_error_left():
    found = residual_error([0] * 60, [0.05] * 60)
    assert found.value == 0
    # The exact bound for 0 of 60 at 95 %, two-sided: 1 - .025 ** (1 / 60).
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 60), abs=1e-6)
    clustered = residual_error([0] * 60, [0.05] * 60, groups=np.repeat(np.arange(12), 5))
    assert clustered.high == pytest.approx(1 - 0.025 ** (1 / 12), abs=1e-6)
    assert residual_error([1] * 60, [0.05] * 60).high == 1.0


def test_audits_of_one_group_or_none_say_so():
    lone = residual_error([1, 0], [0.5, 0.5], groups=[1, 1])
    assert lone.warnings
    assert lone.high > 0.95
    assert residual_error([], []).reason == "nothing was audited"
    even = residual_error([1, 0, 1, 0], [0.5] * 4, groups=[0, 0, 1, 1])
    assert even.high > even.value
    for call, words in (
        (lambda: residual_error([0.5], [0.5]), "one each a unit"),
        (lambda: residual_error([1], [0.0]), "chance must lie"),
        (lambda: residual_error([1], [0.5], n_units=0), "n_units is 0.*at least the 1 audited"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
