"""Whom to ask next about what: the worth of an answer, the choice under capacity, the gate, copiers, and masks.

Planted once and seen to fail: a unit offered again to a rater who answered it; capacity not looked at in ``choose_asks``;
the offset left out of ``outline_difference``.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.numerics.answers import answers_from_rows
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.label_value import StoppingRule
from labelhub.numerics.simulated import BoundaryFault, confusion_of_accuracy, read_mask
from labelhub.projects.policy import Policy
from labelhub.routing import allocation, mask_allocation

RULE = StoppingRule(confidence=0.95, least=1, most=7)


def beliefs(posterior, *accuracies) -> allocation.Beliefs:
    table = np.asarray(posterior, dtype=float)
    raters = np.stack([confusion_of_accuracy(one, table.shape[1]) for one in accuracies])
    return allocation.Beliefs(table, raters, np.full(table.shape[1], 1 / table.shape[1]))


def test_the_less_sure_unit_and_the_surer_rater_come_first():
    found = beliefs([[0.5, 0.5], [0.8, 0.2]], 0.7, 0.9)
    worth = allocation.worth_of_asking(found, np.array([1, 1]), RULE, may_ask=np.ones((2, 2), dtype=bool))
    assert int(worth.argmax()) == 1, "unit 0, rater 1"
    assert worth[0, 1] == pytest.approx(0.4)


def test_a_unit_on_which_no_single_answer_decides_is_still_worth_asking():
    """From .9 one answer of a rater of .8 turns nothing; two do (numerics.label_value: .028), half of it counts."""
    found = beliefs([[0.9, 0.1]], 0.8, 0.8)
    worth = allocation.worth_of_asking(found, np.array([1]), RULE, may_ask=np.ones((1, 2), dtype=bool))
    assert worth[0, 0] == pytest.approx(0.014, abs=1e-6)


def test_settled_units_come_after_all_open_ones():
    found = beliefs([[0.99, 0.01], [0.9, 0.1]], 0.6)
    worth = allocation.worth_of_asking(found, np.array([2, 2]), RULE, may_ask=np.ones((2, 1), dtype=bool))
    assert worth[0, 0] < -0.5 < worth[1, 0]


def test_a_dear_rater_is_worth_less_per_cost():
    found = beliefs([[0.5, 0.5]], 0.9, 0.8)
    ask = np.ones((1, 2), dtype=bool)
    worth = allocation.worth_of_asking(found, np.array([1]), RULE, may_ask=ask, costs=np.array([2.0, 1.0]))
    assert worth[0].tolist() == pytest.approx([0.2, 0.3])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_no_unit_twice_nobody_above_capacity_nothing_forbidden(seed, wanted):
    rng = np.random.default_rng(seed)
    worth = np.where(rng.random((12, 4)) < 0.3, -np.inf, rng.random((12, 4)))
    room = rng.integers(0, 4, 4)
    asks = allocation.choose_asks(worth, room, wanted)
    assert len(set(asks.unit.tolist())) == len(asks.unit) <= wanted
    assert (np.bincount(asks.rater, minlength=4) <= room).all()
    assert np.isfinite(worth[asks.unit, asks.rater]).all()


def test_nobody_is_asked_twice_nor_paused_nor_both_copiers():
    answered = np.array([[True, False, False, False]])
    allowed = allocation.may_be_asked(answered, np.array([True, True, True, False]), ((0, 1),))
    assert allowed.tolist() == [[False, False, True, False]]


def test_pacing_leaves_room_until_the_end():
    capacity = np.full(3, 20)
    assert allocation.paced_room(np.array([0, 5, 20]), capacity, 0.25).tolist() == [5, 0, 0]
    assert allocation.paced_room(np.array([0, 5, 20]), capacity, 1.0).tolist() == [20, 15, 0]


def test_answers_between_fits_move_the_posterior_as_bayes_says():
    found = beliefs([[0.5, 0.5]], 0.9).after(np.array([0]), np.array([0]), np.array([1]))
    assert found.posterior[0].tolist() == pytest.approx([0.1, 0.9])


def test_gold_teaches_the_confusions_of_raters_who_share_no_unit():
    """Two raters, no item in common, one of them always wrong on gold: only the known truth can tell."""
    gold = np.tile([0, 1], 20)
    unit, rater = np.tile(np.arange(40), 2), np.repeat([0, 1], 40)
    given = np.concatenate([gold, 1 - gold])
    answers = answers_from_rows(unit, rater, given, categories=[0, 1])
    found = allocation.class_beliefs(answers, gold.astype(float))
    assert found.confusion[0, 0, 0] > 0.8
    assert found.confusion[1, 0, 0] < 0.2
    assert found.posterior[:, 1].tolist() == gold.tolist()


def test_known_truth_must_be_a_category_and_one_a_unit():
    with pytest.raises(ValueError, match="one value for each of the 2 units"):
        hierarchical_dawid_skene([[0, 1], [1, 0]], known=[0])
    with pytest.raises(ValueError, match="outside"):
        hierarchical_dawid_skene([[0, 1], [1, 0]], known=[7, np.nan])


def test_the_gate_pauses_clears_and_tests_anew_after_drift():
    policy = Policy()
    assert allocation.gate_state([], policy) == "testing"
    assert allocation.gate_state([True] * 40, policy) == "cleared"
    assert allocation.gate_state([True] * 40 + [False] * 5, policy) == "testing"
    assert allocation.gate_state([True] * 40 + [False] * 10, policy) == "paused"
    assert allocation.gold_share("testing", policy) > allocation.gold_share("cleared", policy) > 0


def test_the_next_unit_of_a_rater_is_the_one_of_most_worth():
    worth = np.array([[0.1, 0.0], [0.4, -np.inf], [0.2, 0.3]])
    assert allocation.best_units_for(worth, 0, 2).tolist() == [1, 2]
    assert allocation.best_units_for(worth, 1, 5).tolist() == [2, 0]


def disc(radius: float, grid: int = 60) -> np.ndarray:
    y, x = np.mgrid[:grid, :grid] + 0.5 - grid / 2
    return np.hypot(x, y) < radius


def test_an_offset_that_gold_knows_is_no_difference():
    small, large = disc(12), disc(15)
    assert mask_allocation.outline_difference(small, large).distance == pytest.approx(3, abs=0.3)
    assert mask_allocation.outline_difference(small, large, 3.0).distance < 0.4
    assert mask_allocation.outline_difference(small, np.zeros_like(small)).dice == 0


def test_readers_go_to_unread_then_to_hard_items_and_never_twice():
    may = np.array([[True, True], [True, False], [True, True]])
    worth = mask_allocation.worth_of_reading(
        np.array([0.0, 2.0, 2.0]), np.array([1.0, 3.0, 1.0]), np.array([1.0, 2.0]), may_ask=may
    )
    assert worth[0, 0] > worth[1, 0] > worth[2, 0] > worth[2, 1]
    assert worth[1, 1] == -np.inf


def test_a_slip_goes_back_to_its_author_by_the_policy_rules():
    dice = np.array([[1.0, 0.92, 0.5], [0.92, 1.0, 0.48], [0.5, 0.48, 1.0]])
    policy = Policy(slip_agreement=0.75, accept_agreement=0.85, max_rework_rounds=1)
    first = mask_allocation.verdict_on_reads([4, 7, 9], dice, [0, 0, 0], policy, wanted_reads=2)
    again = mask_allocation.verdict_on_reads([4, 7, 9], dice, [0, 0, 1], policy, wanted_reads=2)
    assert (first.outcome, first.author) == ("back-to-author", 9)
    assert again.outcome == "reviewer"


def test_a_poor_reader_of_masks_is_paused_and_a_fair_one_is_not():
    others = [[0.9, 0.93]] * 5
    assert mask_allocation.mask_gate_state([0.65] * 5, others, Policy()) == "paused"
    assert mask_allocation.mask_gate_state([0.9] * 5, others, Policy()) == "cleared"


def test_gold_chooses_calibrated_fusion_only_where_somebody_is_off():
    from labelhub.numerics.fusion_calibration import GoldCase, decide_calibration

    def cases(offset: float) -> list[GoldCase]:
        rng = np.random.default_rng(3)
        truths = [disc(radius) for radius in (10, 12, 14, 16, 18)]
        faults = [BoundaryFault(noise=0.8), BoundaryFault(noise=0.8), BoundaryFault(offset=offset, noise=0.8)]
        return [GoldCase(t, [read_mask(t, f, rng) for f in faults], f"p{n}") for n, t in enumerate(truths)]

    for offset in (0.0, 4.0):
        gold = cases(offset)
        decision = decide_calibration(gold)[0]
        choice = mask_allocation.choose_fusion(gold, decision, np.random.default_rng(0))
        assert (choice.name == mask_allocation.CALIBRATED) == decision.is_on == (offset > 0)
        mask = mask_allocation.settled_mask([m for m in gold[0].masks if m is not None], [0, 1, 2], choice)
        assert mask_allocation.mask_dice(mask, gold[0].truth) > 0.93
