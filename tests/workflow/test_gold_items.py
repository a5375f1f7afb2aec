"""What becomes of an item that is gold: its reference is its label, its readings measure readers, and reviewers are not asked.

Planted once and seen to fail: gold whose readers disagree sent to a reviewer; gold that was excluded still counts in a gate.
"""

from __future__ import annotations

import pytest

from labelhub.consensus.selectors import current_settlement
from labelhub.consensus.services import REFERENCE_METHOD
from labelhub.projects.routing_rules import Condition, Rule
from labelhub.projects.selectors import current_policy
from labelhub.reviews.selectors import inbox
from labelhub.routing import gates
from labelhub.routing.dry_run import history_of, replay
from labelhub.routing.selectors import routes_of
from labelhub.scoring.gold import current_gold, make_gold
from labelhub.scoring.models import Score
from labelhub.workflow import golding, pausing
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, review, rule, set_policy, state, store

pytestmark = pytest.mark.django_db
SQUARE, OTHER, THIRD = (10, 10, 20), (36, 36, 20), (2, 40, 12)
# Two wrong answers in a row fail.
SHORT = {"gate_good": 0.95, "gate_poor": 0.50, "gate_false_pause": 0.05, "gate_miss": 0.10}


def gold_item(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    return item


def test_gold_on_which_readers_disagree_burdens_no_reviewer_and_its_reference_stands(cast: Cast):
    """Catches disputes about gold in the reviewers' inbox, and gold whose label is not its reference."""
    set_policy(cast, readers=2, max_readers=5)
    item = gold_item(cast)
    store(cast, item, cast.ann, OTHER)
    assert (state(item), rule(item)) == ("reading", "too-few-readers")
    store(cast, item, cast.ben, THIRD)
    assert (state(item), rule(item)) == ("settled", "gold-stands")
    settlement = current_settlement(item)
    assert (settlement.method, settlement.decided_by) == (REFERENCE_METHOD, None)
    assert [entry.pk for entry in settlement.inputs.all()] == [current_gold(item).submission_id]
    route = routes_of(item).first()
    assert route.numbers["has_reference"] is True
    assert [entry["outcome"] for entry in route.alternatives] == ["more-readers"]
    assert inbox(cast.rita, cast.project).rows == ()


def test_readers_who_agree_on_something_else_do_not_replace_the_reference(cast: Cast):
    set_policy(cast, readers=2)
    item = gold_item(cast)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, OTHER)
    assert current_settlement(item).method == REFERENCE_METHOD


def test_an_own_slip_on_gold_goes_back_like_any_other(cast: Cast):
    set_policy(cast, readers=3, max_readers=3)
    item = gold_item(cast)
    for user, seen in ((cast.ann, SQUARE), (cast.ben, SQUARE), (cast.rita, OTHER)):
        store(cast, item, user, seen)
    assert rule(item) == "own-slip"


def test_the_gold_audit_still_sends_gold_to_experts(cast: Cast):
    rules = (
        Rule("gold-audit", "gold", (Condition("gold_failed", "at-least", 2),), "reviewer"),
        *current_policy(cast.project)[1].rules,
    )
    set_policy(cast, readers=2, rules=rules)
    item = gold_item(cast)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, OTHER)
    assert (state(item), rule(item)) == ("review", "gold-audit")


def test_excluded_gold_drops_out_of_scores_gates_and_label(cast: Cast):
    """Catches bad gold whose label stands on, whose verdict still counts in a gate, and whose scores stay."""
    set_policy(cast, readers=2, max_readers=2, **SHORT)
    first, second = gold_item(cast), gold_item(cast)
    for item in (first, second):
        store(cast, item, cast.ann, OTHER)
        store(cast, item, cast.ben, SQUARE)
    ann = labeler(cast, cast.ann)
    assert gates.state_of(ann) == "proposed"
    assert state(second) == "settled"
    golding.exclude_gold(gold=current_gold(second), reason="The reference is shifted.", by=cast.ada)
    assert gates.state_of(ann) == "testing"
    assert not Score.objects.filter(item=second, about=Score.About.GOLD, replaced_at=None).exists()
    assert (state(second), rule(second)) == ("review", "readers-exhausted")
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [second]
    assert state(first) == "settled"


def test_excluded_gold_on_which_readers_agree_is_settled_by_them(cast: Cast):
    set_policy(cast, readers=2)
    item = gold_item(cast)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, OTHER)
    golding.exclude_gold(gold=current_gold(item), reason="Wrong place.", by=cast.ada)
    assert (state(item), rule(item)) == ("settled", "agreement")
    assert current_settlement(item).number == 2


def test_what_is_made_gold_leaves_the_inbox_and_what_a_person_decided_stays(cast: Cast):
    set_policy(cast, readers=2, max_readers=2)
    waiting, decided = add_item(cast.project), add_item(cast.project)
    for item in (waiting, decided):
        by_ann = store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, OTHER)
    review(by_ann, cast.rita, "accept")
    for item in (waiting, decided):
        truth = store(cast, item, cast.ada, THIRD, is_routed=False, read_kind="adjudication")
        make_gold(item=item, submission=truth, by="test")
        golding.gold_changed(item)
    assert (state(waiting), current_settlement(waiting).method) == ("settled", REFERENCE_METHOD)
    assert current_settlement(decided).decided_by == cast.rita
    assert inbox(cast.rita, cast.project).rows == ()


def test_a_pause_sends_no_gold_to_further_readers(cast: Cast):
    set_policy(cast, readers=2)
    gold, other = gold_item(cast), add_item(cast.project)
    for item in (gold, other):
        store(cast, item, cast.ann, SQUARE)
    assert pausing.items_to_send_on(labeler(cast, cast.ann)) == [other.pk]


def test_a_trial_says_of_gold_what_happens_to_it(cast: Cast):
    set_policy(cast, readers=2, max_readers=2)
    item = gold_item(cast)
    for user, seen in ((cast.ann, SQUARE), (cast.ben, OTHER)):
        store(cast, item, user, seen)
    found = replay(history_of(item), current_policy(cast.project)[1], lambda _: (False, ""))
    assert (found.ending, found.rule, found.n_reads) == ("accept", "gold-stands", 2)
