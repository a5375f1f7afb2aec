"""Gold that good labelers fail goes to the reviewers by itself: once, with its numbers, and without a word that it is gold.

Planted once and seen to fail: gold that waits for an admin's click; gold that comes back after each reviewer's decision.
"""

from __future__ import annotations

import pytest

from labelhub.accounts.models import User
from labelhub.analytics.services import ask_for_measure
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.reviews.selectors import inbox
from labelhub.routing.selectors import current_route
from labelhub.scoring.gold import current_gold
from labelhub.scoring.gold_answers import gold_answers
from labelhub.scoring.models import GoldReference
from labelhub.workflow import ambiguity, golding, lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, labeler, new_annotator, rule, set_policy, state, store

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)
REASON = "3 of 3 labelers who do well on gold fail it; at least 3 whose accuracy, shrunk, is above 0.85 are enough."


@pytest.fixture
def cast(db) -> Cast:
    return make_cast()


def failed_by(cast: Cast, n: int) -> Item:
    """Gold that ``n`` labelers fail who are right on all other gold."""
    set_policy(cast, readers=1)
    people = [new_annotator(cast, f"Good {number}") for number in range(3)]
    items = [add_item(cast.project, seed=number) for number in range(8)]
    for item in items:
        store(cast, item, cast.ada, SQUARE, is_gold=True)
        for number, user in enumerate(people):
            store(cast, item, user, OTHER if item == items[0] and number < n else SQUARE)
    return items[0]


def measured(cast: Cast) -> None:
    ask_for_measure(cast.project)
    Job.objects.update(not_before=None)
    run_pending(queues=["cpu"])


def doubts() -> list[Event]:
    return list(Event.objects.filter(kind="gold.doubted").order_by("seq"))


def test_what_three_good_labelers_fail_goes_to_the_reviewers_once_the_project_is_measured(cast: Cast):
    item = failed_by(cast, 3)
    assert state(item) == "settled"
    measured(cast)
    assert (state(item), rule(item)) == ("review", "doubted")
    [event] = doubts()
    assert (event.actor, event.subject) == ("system", f"item:{item.pk}")
    assert event.facts == {"gold": current_gold(item).pk, "reason": REASON, "failed": 3, "good": 3}
    route = current_route(item)
    assert route.numbers == {"trigger": "doubt", "failed": 3, "good": 3}
    [row] = inbox(cast.rita, cast.project).rows
    assert row.item == item
    assert "gold" not in row.reason.lower(), "reviewers are measured on gold too"


def test_what_two_good_labelers_fail_stays(cast: Cast):
    item = failed_by(cast, 2)
    measured(cast)
    assert state(item) == "settled"
    assert doubts() == []


def test_it_is_sent_once_and_a_reviewer_who_decided_is_not_asked_again(cast: Cast):
    item = failed_by(cast, 3)
    measured(cast)
    measured(cast)
    assert len(doubts()) == 1
    lifecycle.settle(item=item, reason="It is as the readers say.", by=cast.rita)
    measured(cast)
    assert (state(item), len(doubts())) == ("settled", 1)
    golding.send_to_experts(gold=current_gold(item), by=cast.ada, reason="Once more.")
    assert (state(item), [event.actor for event in doubts()]) == ("review", ["system", f"user:{cast.ada.pk}"])


def test_gold_that_an_admin_sent_is_not_sent_again(cast: Cast):
    item = failed_by(cast, 3)
    golding.send_to_experts(gold=current_gold(item), by=cast.ada, reason="Good labelers fail it.")
    assert rule(item) == "doubted"
    lifecycle.settle(item=item, reason="It is as the readers say.", by=cast.rita)
    measured(cast)
    assert (state(item), len(doubts())) == ("settled", 1)


def test_what_a_reviewer_looks_at_already_is_noted_and_keeps_its_route(cast: Cast):
    item = failed_by(cast, 3)
    Item.objects.filter(pk=item.pk).update(state=Item.State.REVIEW)
    before = current_route(item)
    measured(cast)
    assert (state(item), current_route(item), len(doubts())) == ("review", before, 1)


def test_what_is_ambiguous_excluded_or_with_its_author_is_left(cast: Cast):
    item = failed_by(cast, 3)
    Item.objects.filter(pk=item.pk).update(state=Item.State.REWORK)
    measured(cast)
    assert (state(item), doubts()) == ("rework", [])
    Item.objects.filter(pk=item.pk).update(state=Item.State.SETTLED)
    ambiguity.declare_ambiguous(item=item, by=cast.rita, reason="No label is right.")
    measured(cast)
    assert (state(item), doubts()) == ("ambiguous", [])


def test_doubted_gold_stays_in_use_and_counts_until_it_is_taken_out(cast: Cast):
    item = failed_by(cast, 3)
    one = labeler(cast, User.objects.get(username="good 0"))
    measured(cast)
    gold = GoldReference.objects.get(item=item)
    assert (gold.retired_at, gold.rested_at) == (None, None)
    assert item.pk in {answer.item_id for answer in gold_answers(cast.project)[one.pk]}
    golding.exclude_gold(gold=gold, reason="The reference is wrong.", by=cast.ada)
    assert item.pk not in {answer.item_id for answer in gold_answers(cast.project)[one.pk]}
