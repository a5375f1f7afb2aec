"""Random audits are known answers beside gold: they correct posteriors by the chances of their draw, and are counted with gold.

Planted once and seen to fail: weights left out of the temperature; audits left out of the count of known answers; the
auditor's own answer among those that are judged by it; gold counted twice where its item was audited too.
"""

from __future__ import annotations

import pytest

from labelhub.consensus.audits import keep_known_answers
from labelhub.projects.policy import Policy
from labelhub.scoring.audited import audited_units
from labelhub.scoring.evidence import OBJECTS
from labelhub.scoring.gold import make_gold
from labelhub.scoring.models import AuditedItem
from labelhub.scoring.posteriors import fit_project, posterior_of, standing_fits
from labelhub.scoring.truth_fit import Audited, belief, fit_shapes, fit_topic
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, read, set_policy, state, store

SQUARE = (10, 10, 20)
ALL = {"audit_share": 1.0, "audit_least": 0}


def unit(truth: str | None = None, said: str = "a") -> dict:
    return {
        "topic": "question:q",
        "name": "q",
        "given": {"1": said, "2": said},
        "truth": truth,
        "seen": None,
        "spread": None,
    }


def audits(right: int, wrong: int, weight: float, start: int) -> list[Audited]:
    told = ["a"] * right + ["b"] * wrong
    return [Audited(unit(truth), start + number, weight) for number, truth in enumerate(told)]


def test_a_belief_is_corrected_by_audits_weighted_by_their_chances():
    """Of items that were drawn with a chance of .1 all 20 are right, of those that were surely drawn 10 of 20: 210 of 220."""
    units = [unit(said="a") for _ in range(4)] + [unit(said="b") for _ in range(4)]
    checked = [*audits(20, 0, 10.0, 100), *audits(10, 10, 1.0, 200)]
    fit = fit_topic("question:q", units, items=list(range(8)), categories=("a", "b"), audited=checked)
    assert (fit.n_known, fit.n_audited) == (40, 40)
    assert belief(fit, {"1": "a", "2": "a"}).confidence == pytest.approx(210 / 220, abs=0.003)
    unweighted = [Audited(entry.unit, entry.item, 1.0) for entry in checked]
    same = fit_topic("question:q", units, items=list(range(8)), categories=("a", "b"), audited=unweighted)
    assert belief(same, {"1": "a", "2": "a"}).confidence == pytest.approx(30 / 40, abs=0.003)


def test_gold_and_audits_are_counted_together_and_an_item_once():
    units = [unit("a") for _ in range(3)] + [unit() for _ in range(5)]
    fit = fit_topic("question:q", units, items=list(range(8)), categories=("a", "b"), audited=audits(3, 0, 1.0, 2))
    assert (fit.n_known, fit.n_audited) == (5, 2)
    assert fit_topic("question:q", units, items=list(range(8)), categories=("a", "b")).n_known == 3


def test_an_outline_is_compared_with_an_auditors_as_with_one_more_reader():
    """Outlines that differ from an auditor's just as readers' do claim neither too much nor too little: the scale is 1."""
    from labelhub.scoring.truth_fit import expected_surface_dice

    seen = expected_surface_dice(1.0, 2 / 3, 1.0)
    drawn = {"topic": OBJECTS, "given": {}, "truth": "a", "spread": 1.0, "n": 2, "tolerance": 1.0, "seen": seen}
    found = fit_shapes([], items=[], audited=[Audited(drawn, number, 1.0) for number in range(6)])
    assert found.n_known == 6
    assert found.scale == pytest.approx(1.0, abs=0.01)


@pytest.mark.django_db
def test_an_audit_makes_a_known_answer_and_two_plus_one_reads_end_with_enough_of_them(cast: Cast):
    set_policy(cast, calibration_items=1, **ALL)
    item, other = add_item(cast.project), add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE)
    fit_project(cast.project)
    assert not posterior_of(item).is_calibrated
    auditor = new_annotator(cast, "Cleo")
    submission = read(cast, auditor, SQUARE) if state(item) == "settled" else None
    if submission.assignment.item != item:
        submission = read(cast, auditor, SQUARE)
    kept = AuditedItem.objects.get(item=item)
    assert (kept.submission, kept.chance) == (submission, 1.0)
    assert all(str(labeler(cast, auditor).pk) not in entry["given"] for entry in kept.units)
    assert {entry["truth"] for entry in kept.units if entry["topic"] == OBJECTS} == {"nucleus"}
    store(cast, other, cast.ann, SQUARE)
    fit_project(cast.project)
    fit = standing_fits(cast.project.pk).topics[OBJECTS]
    assert (fit.n_known, fit.n_audited) == (1, 1)
    assert (posterior_of(other).is_calibrated, posterior_of(other).n_calibration) == (True, 1)
    make_gold(item=item, submission=submission, by="test")
    assert audited_units(cast.project) == {}, "gold tells more than an auditor"
    AuditedItem.objects.all().delete()
    assert keep_known_answers(cast.project) == 1
    assert keep_known_answers(cast.project) == 0
    assert Policy().calibration_items == 100
