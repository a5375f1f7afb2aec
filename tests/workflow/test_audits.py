"""Accepted labels are drawn at random and read again blind; what an auditor finds is the residual error, by who accepted.

Planted once and seen to fail: a drawn item offered to who read it, and to who judged it; a reading begun before the draw
taken for an audit; items counted in place of patients; a drawn item offered to the partner of a pair that copies, and to who
lacks the qualification of its batch.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.assignments.batches import make_batch
from labelhub.catalog.models import Item
from labelhub.consensus.audits import chance_of_audit, open_lot, open_lots, residuals
from labelhub.consensus.models import AuditLot, AuditReading
from labelhub.numerics.residual_error import residual_error
from labelhub.projects import teams
from labelhub.projects.policy import Policy
from labelhub.scoring.models import AuditedItem
from labelhub.scoring.reads import reads_of
from labelhub.scoring.services import score_item
from labelhub.workflow import lifecycle
from labelhub.workflow.auditing import REASON, items_to_audit
from tests.cast import Cast
from tests.workflow.walking import (
    add_item,
    draw,
    labeler,
    new_annotator,
    next_for,
    read,
    review,
    rule,
    set_policy,
    state,
    store,
    submit,
    take,
)

pytestmark = pytest.mark.django_db
SQUARE, OTHER = (10, 10, 20), (36, 36, 20)
ALL = {"audit_share": 1.0, "audit_least": 0}


def settled_item(cast: Cast, **given) -> Item:
    item = add_item(cast.project, **given)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE)
    assert state(item) == "settled"
    return item


def test_a_drawn_item_looks_like_any_work_and_an_auditor_who_agrees_changes_nothing(cast: Cast):
    set_policy(cast, **ALL)
    item = settled_item(cast)
    cleo = new_annotator(cast, "Cleo")
    assert next_for(cast, cast.ann) is None, "who read it does not audit it"
    submission = read(cast, cleo, SQUARE)
    assert (submission.assignment.item, submission.read_kind, submission.planned_blind) == (item, "independent", False)
    assert submission.assignment.reason == REASON
    found = AuditReading.objects.get(lot__item=item)
    assert (found.similarity, found.is_wrong, state(item)) == (1.0, False, "settled")
    assert len(score_item(item).reads.counted) == 2, "an audit is no planned read and no agreement"
    assert next_for(cast, new_annotator(cast, "Dan")) is None, "one auditor is enough"


def test_an_auditor_who_reads_it_otherwise_sends_it_to_a_reviewer_who_is_somebody_else(cast: Cast):
    set_policy(cast, **ALL)
    item = settled_item(cast)
    read(cast, cast.rita, OTHER)
    assert (state(item), rule(item)) == ("review", "audit-disagrees")
    assert AuditReading.objects.get().is_wrong is True
    with pytest.raises(Exception, match="You read this item yourself"):
        review(reads_of(item).current[0], cast.rita, "accept")


def test_nobody_audits_what_they_judged_settled_or_see_as_admin(cast: Cast):
    set_policy(cast, max_readers=2, **ALL)
    item = add_item(cast.project)
    first = store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, OTHER)
    review(first, cast.rita, "accept")
    lot = AuditLot.objects.get()
    assert (lot.stratum, lot.is_drawn, state(item)) == ("reviewed", True, "settled")
    for user in (cast.ann, cast.ben, cast.rita, cast.ada):
        assert next_for(cast, user) is None
    assert take(cast, new_annotator(cast, "Cleo")).item == item


def test_nobody_audits_what_the_partner_of_a_pair_that_copies_read_or_a_batch_closes_to_them(cast: Cast):
    set_policy(cast, **ALL)
    item = settled_item(cast)
    cleo = new_annotator(cast, "Cleo")
    pair = teams.keep_apart(first=labeler(cast, cast.ann), second=labeler(cast, cleo), reason="Same slips.", by="test")
    assert next_for(cast, cleo) is None
    teams.let_together(pair=pair, by="test")
    make_batch(project=cast.project, name="Hard ones", items=[item], qualification="surgeon", by="test")
    assert next_for(cast, cleo) is None
    teams.set_qualifications(labeler=labeler(cast, cleo), names=["surgeon"], by="test")
    assert take(cast, cleo).item == item


def test_where_the_policy_says_so_only_reviewers_audit(cast: Cast):
    set_policy(cast, audit_by="reviewers", **ALL)
    item = settled_item(cast)
    assert next_for(cast, new_annotator(cast, "Cleo")) is None
    assert take(cast, cast.rita).item == item


def test_a_reading_begun_before_the_draw_and_gold_are_no_audits(cast: Cast):
    set_policy(cast, **ALL)
    cleo = new_annotator(cast, "Cleo")
    item = add_item(cast.project)
    late = take(cast, cleo)
    first = store(cast, item, cast.ann, SQUARE)
    review(first, cast.rita, "accept")
    assert state(item) == "settled"
    draw(late, cleo, OTHER)
    submit(late, cleo)
    assert state(item) == "settled"
    assert not AuditReading.objects.exists()
    gold = add_item(cast.project)
    store(cast, gold, cast.rita, SQUARE, is_gold=True)
    for user in (cast.ann, cast.ben):
        store(cast, gold, user, SQUARE)
    assert not AuditLot.objects.filter(item=gold).exists()


def test_a_label_as_alike_as_the_policy_asks_is_not_wrong(cast: Cast):
    set_policy(cast, **ALL)
    settled_item(cast)
    cleo, near = new_annotator(cast, "Cleo"), (10, 10, 18)
    read(cast, cleo, near)
    similarity = AuditReading.objects.get().similarity
    assert similarity < 1
    set_policy(cast, accept_agreement=similarity, **ALL)
    item = settled_item(cast)
    read(cast, cleo, near)
    found = AuditReading.objects.get(lot__item=item)
    assert (found.similarity, found.is_wrong) == (similarity, False)


def test_a_label_that_was_settled_anew_is_audited_by_its_own_draw_alone(cast: Cast):
    set_policy(cast, **ALL)
    item = settled_item(cast)
    assert [lot.settlement.number for lot in open_lots(cast.project)] == [1]
    set_policy(cast, audit_share=0.0, audit_least=0)
    lifecycle.settle(item=item, reason="x", by=cast.ada, submission=reads_of(item).current[0])
    item.refresh_from_db()
    assert (list(open_lots(cast.project)), open_lot(item)) == ([], None)
    assert next_for(cast, new_annotator(cast, "Cleo")) is None


def test_what_was_returned_or_came_late_says_nothing_of_the_label_that_is_audited(cast: Cast):
    """Catches a reading that did not decide the label among the known answers by which posteriors are calibrated."""
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, **ALL)
    item, cleo = add_item(cast.project), new_annotator(cast, "Cleo")
    late = take(cast, cleo)
    by_ann, by_ben = store(cast, item, cast.ann, OTHER), store(cast, item, cast.ben, SQUARE)
    review(by_ann, cast.rita, "reject", "No.")
    review(by_ben, cast.rita, "accept")
    assert state(item) == "settled"
    draw(late, cleo, SQUARE)
    submit(late, cleo)
    auditor = read(cast, new_annotator(cast, "Dan"), SQUARE)
    units = AuditedItem.objects.get(submission=auditor).units
    assert {rater for unit in units for rater in unit["given"]} == {str(labeler(cast, cast.ben).pk)}


def test_what_was_taken_out_is_in_no_residual_error(cast: Cast):
    set_policy(cast, **ALL)
    kept, out = settled_item(cast), settled_item(cast)
    assert residuals(cast.project)[0].n_accepted == 2
    lifecycle.exclude(item=out, by=cast.ada, reason="Blurred.")
    (found,) = residuals(cast.project)
    assert (found.n_accepted, found.n_drawn, state(kept)) == (1, 1, "settled")


def test_no_audit_is_drawn_where_the_policy_wants_none(cast: Cast):
    set_policy(cast, audit_share=0.0, audit_least=0)
    settled_item(cast)
    assert not AuditLot.objects.exists()


def test_the_draw_has_the_chance_that_is_written_down(cast: Cast):
    """Of 60 accepted items at a chance of .3 binomial(60, .3) are drawn: outside 7 to 30 with a probability below 1e-4."""
    set_policy(cast, audit_share=0.3, audit_least=0, readers=1, max_readers=1)
    for _ in range(60):
        store(cast, add_item(cast.project), cast.ann, SQUARE)
    lots = AuditLot.objects.all()
    assert {lot.chance for lot in lots} == {0.3}
    assert 7 <= sum(lot.is_drawn for lot in lots) <= 30
    drawn = set(lots.filter(is_drawn=True).values_list("item_id", flat=True))
    assert set(items_to_audit(labeler(cast, cast.ben), Policy())) == set(sorted(drawn)[:50])


def test_at_least_the_least_number_is_drawn_nearly_always():
    policy = Policy(audit_share=0.05, audit_least=60)
    assert chance_of_audit(50, policy) == 1.0
    assert chance_of_audit(10_000, policy) == 0.05
    chance = chance_of_audit(1000, policy)
    drawn = np.random.default_rng(5).binomial(1000, chance, size=20_000)
    assert (drawn >= 60).mean() > 0.95


def test_the_residual_error_counts_patients_and_keeps_who_accepted_apart(cast: Cast):
    set_policy(cast, **ALL)
    for n, mark in enumerate([SQUARE, SQUARE, OTHER, OTHER, SQUARE]):
        settled_item(cast, subject=f"patient {min(n, 3)}")
        read(cast, cast.rita, mark)
    found = {entry.stratum: entry for entry in residuals(cast.project)}
    assert set(found) == {"automatic"}
    one = found["automatic"]
    assert (one.n_accepted, one.n_drawn, one.n_read, one.n_wrong, len(one.wrong_items)) == (5, 5, 5, 2, 2)
    twin = residual_error([0, 0, 1, 1, 0], [1.0] * 5, groups=[0, 1, 2, 3, 3])
    assert (one.error.value, one.error.low, one.error.high) == pytest.approx((twin.value, twin.low, twin.high))
    assert one.error.n_groups == 4


def test_the_overview_shows_the_residual_error_with_its_interval_and_leads_to_its_items(cast: Cast, client):
    client.force_login(cast.ada)
    place = f"/manage/{cast.project.slug}/"
    assert "the error left among them is not known" in client.get(place).content.decode()
    set_policy(cast, **ALL)
    for n, mark in enumerate([SQUARE, SQUARE, OTHER]):
        settled_item(cast, subject=f"patient {n}")
        read(cast, cast.rita, mark)
    [found] = residuals(cast.project)
    page = client.get(place).content.decode()
    panel = page[page.index("Error left among accepted labels") :]
    panel = panel[: panel.index("</section>")]
    for shown in ("against an auditor", "3 read again of 3 accepted", *found.wrong_items, "#audit"):
        assert shown in panel
