"""What the gate's certificate promises, and when it promises nothing.

Planted and seen to fail: gold counted by item in place of by patient, and the chance of any of m labelers taken for one's.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.numerics.gate import sprt_behaviour, work_until_decision
from labelhub.projects.policy import Policy
from labelhub.routing.gate_certificate import Supply, certificate_of, certify
from labelhub.routing.gate_plan import reference_among
from tests.cast import Cast
from tests.routing.test_gate_trace import answers
from tests.workflow.walking import add_item, set_policy, store

NONE = reference_among(set(), {}, Policy())
PLENTY = Supply(n_items=300, n_units=300, n_labelers=7, max_exposures=15)


def test_a_project_with_gold_enough_is_certified_at_the_stated_rates():
    found = certify(Policy(), NONE, PLENTY)
    assert found.is_certified
    good, between, poor = (found.of(role) for role in ("good", "between", "poor"))
    assert good.one.pauses <= 0.01
    assert poor.one.clears <= 0.10
    assert good.one.pauses < between.one.pauses < poor.one.pauses
    # Over 200 gold the watch calls for further tests: the whole gate pauses more often than one test, for good and poor.
    assert good.one.pauses < good.planned.value < 0.06
    assert poor.planned.value > poor.one.pauses
    assert good.planned.n == 5000
    assert good.planned.low < good.planned.value < good.planned.high


def test_the_naive_rule_is_played_beside_it_over_the_same_gold():
    """Methods §5: "last 10 below 80 %" falsely pauses 93.8 % of labelers of .90 within 200 gold."""
    good = certify(Policy(), NONE, PLENTY).of("good")
    assert good.naive.value == pytest.approx(0.938, abs=0.012)
    assert good.naive.low > 10 * good.compared.high


def test_all_labelers_together_are_more_often_wrong_than_one():
    good = certify(Policy(), NONE, PLENTY).of("good")
    assert good.any_paused.value == pytest.approx(1 - (1 - good.planned.value) ** 7)
    assert good.any_paused.low < good.any_paused.value < good.any_paused.high
    alone = certify(Policy(), NONE, Supply(300, 300, 1, 15)).of("good")
    assert alone.any_paused.value == pytest.approx(alone.planned.value)


@pytest.mark.parametrize(
    ("supply", "reachable", "missing"),
    [
        (Supply(62, 62, 7, 15), 62, 78),
        # Many items of few patients: one a patient counts.
        (Supply(300, 40, 7, 15), 40, 100),
        # Ten items for each labeler at most: 140 * 30 / 15 are needed.
        (Supply(150, 150, 30, 15), 75, 130),
        (Supply(0, 0, 1, 15), 0, 140),
    ],
)
def test_gold_that_cannot_end_a_test_is_not_certified_and_what_is_missing_is_said(supply, reachable, missing):
    found = certify(Policy(), NONE, supply)
    assert supply.reachable == reachable
    assert not found.is_certified
    assert f"{missing} gold items are missing" in found.refusals[0]
    assert (found.of("good").planned is None) == (reachable == 0)


def test_after_the_missing_gold_is_made_the_gate_is_certified():
    supply = Supply(150, 150, 30, 15)
    more = supply.missing(140)
    assert certify(Policy(), NONE, Supply(150 + more, 150 + more, 30, 15)).is_certified
    assert not certify(Policy(), NONE, Supply(149 + more, 149 + more, 30, 15)).is_certified


def test_a_decision_takes_fewer_tasks_with_an_exam_and_more_gold():
    """Methods §5: on a labeler of .75, 737 tasks at 5 % without exam against 89 with an exam and 20 %."""
    rng = np.random.default_rng(1)
    slow = work_until_decision(0.75, rng, share=0.05)
    quick = work_until_decision(0.75, rng, exam=25, share=0.20)
    assert slow.tasks_median == pytest.approx(760, abs=40)
    assert quick.tasks_median == pytest.approx(89, abs=6)
    assert quick.gold_median == sprt_behaviour(0.75).median_n == 38
    assert quick.gold_median < quick.gold_ninety < 140
    with pytest.raises(ValueError, match="share 0"):
        work_until_decision(0.75, rng, share=0)


def test_reference_readers_move_the_rates_and_the_policy_s_own_good_is_shown_too():
    policy = Policy()
    reference = reference_among({7}, {7: answers("+" * 85 + "-" * 15)}, policy)
    found = certify(policy, reference, Supply(500, 500, 7, 15))
    assert found.plan.good == 0.85
    assert [entry.role for entry in found.behaviours] == ["good", "between", "poor", "policy"]
    assert found.plan.longest > 140


def test_reference_readers_who_are_no_better_than_poor_refuse_a_certificate():
    policy = Policy()
    reference = reference_among({7}, {7: answers("+" * 76 + "-" * 24)}, policy)
    found = certify(policy, reference, PLENTY)
    assert any("look at the gold" in refusal for refusal in found.refusals)


def test_a_project_s_gold_is_counted_by_patient(cast: Cast):
    set_policy(cast)
    for subject in ("p1", "p1", "p2"):
        item = add_item(cast.project, subject=subject)
        store(cast, item, cast.ada, (10, 10, 20), is_gold=True)
    found = certificate_of(cast.project)
    assert (found.supply.n_items, found.supply.n_units, found.supply.n_labelers) == (3, 2, 2)
    assert "138 gold items are missing" in found.refusals[0]
