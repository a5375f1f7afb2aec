"""A panel: each reviewer votes once and blind, more than half settle the item, and without a majority an admin decides.

Planted once and seen to fail: the last vote counted twice; a second vote of one reviewer; a reviewer who decides a tie; the
step *settle* taken by one person past the panel; the others' votes on the admin's item page, in its history, in the labelers'
numbers and in the audit's CSV before one's own vote; a vote of an earlier sitting taken for one of this, or counted in
it; votes that stay hidden once there is no majority.
"""

from __future__ import annotations

import pytest
from django.utils import timezone

from labelhub.accounts.services import create_person
from labelhub.analytics.event_words import VOTING_EVENTS
from labelhub.analytics.item_story import story_of
from labelhub.analytics.labeler_standings import standings_of
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import current_settlement
from labelhub.projects.models import Role
from labelhub.projects.services import add_member
from labelhub.reviews.models import PanelVote
from labelhub.reviews.panels import cast_vote
from labelhub.reviews.selectors import inbox, side_by_side
from labelhub.reviews.services import ReviewRefused
from labelhub.workflow import lifecycle
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, review, rule, set_policy, state, store

pytestmark = pytest.mark.django_db
SQUARE, OTHER = (10, 10, 20), (36, 36, 20)


@pytest.fixture
def reviewers(cast: Cast):
    people = [create_person(username=f"r{n}", display_name=f"R{n}", actor="test") for n in range(3)]
    for person in people:
        add_member(project=cast.project, user=person, role=Role.REVIEWER, actor="test")
    return [cast.rita, *people]


def disputed(cast: Cast, size: int):
    set_policy(cast, readers=2, max_readers=2, panel_reviewers=size, audit_share=0.0, audit_least=0)
    item = add_item(cast.project)
    readings = [store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, OTHER)]
    assert state(item) == "review"
    return item, readings


def test_more_than_half_settle_and_votes_are_blind_until_ones_own(cast: Cast, reviewers):
    item, (by_ann, by_ben) = disputed(cast, 3)
    first, second, third, _ = reviewers
    review(by_ann, first, "accept")
    assert state(item) == "review"
    item.refresh_from_db()
    assert [row.item for row in inbox(first, cast.project).rows] == []
    assert [row.item for row in inbox(second, cast.project).rows] == [item]
    assert side_by_side(second, item).decisions == ()
    assert len(side_by_side(first, item).decisions) == 1
    with pytest.raises(ReviewRefused, match="a vote is never changed"):
        review(by_ben, first, "accept")
    review(by_ben, second, "accept")
    assert state(item) == "review"
    review(by_ben, third, "accept")
    assert state(item) == "settled"
    settlement = current_settlement(item)
    assert settlement is not None
    assert [entry.pk for entry in settlement.inputs.all()] == [by_ben.pk]
    assert settlement.reason == "2 of a panel of 3 reviewers chose this reading."
    assert PanelVote.objects.count() == 3


def test_who_voted_in_an_earlier_sitting_is_asked_again_in_the_next_one(cast: Cast, reviewers):
    item, (by_ann, _) = disputed(cast, 3)
    review(by_ann, reviewers[0], "accept")
    assert inbox(reviewers[0], cast.project).rows == ()
    Item.objects.filter(pk=item.pk).update(state_changed_at=timezone.now())
    assert [row.item for row in inbox(reviewers[0], cast.project).rows] == [item]


def test_a_vote_of_an_earlier_sitting_is_not_counted_in_the_next_one(cast: Cast, reviewers):
    item, (by_ann, _) = disputed(cast, 3)
    review(by_ann, reviewers[0], "accept")
    Item.objects.filter(pk=item.pk).update(state_changed_at=timezone.now())
    review(by_ann, reviewers[1], "accept")
    assert (state(item), current_settlement(item)) == ("review", None), "one of three"
    review(by_ann, reviewers[0], "accept")
    assert state(item) == "settled"


def test_without_a_majority_an_admin_decides_and_nobody_else(cast: Cast, reviewers):
    item, (by_ann, by_ben) = disputed(cast, 4)
    for reviewer, reading in zip(reviewers, [by_ann, by_ann, by_ben, by_ben], strict=True):
        review(reading, reviewer, "accept")
    assert (state(item), rule(item)) == ("review", "panel-tie")
    late = create_person(username="late", display_name="Late", actor="test")
    add_member(project=cast.project, user=late, role=Role.REVIEWER, actor="test")
    assert inbox(late, cast.project).rows == ()
    for user in (late, cast.ada):
        assert len(side_by_side(user, item).decisions) == 4, "once it found no majority all votes are open"
    with pytest.raises(StepRefused, match="an admin decides"):
        review(by_ann, late, "accept")
    assert [row.rule for row in inbox(cast.ada, cast.project).rows] == ["panel-tie"]
    review(by_ann, cast.ada, "accept")
    assert state(item) == "settled"


def test_who_read_the_item_has_no_vote(cast: Cast, reviewers):
    set_policy(cast, readers=2, max_readers=2, panel_reviewers=3)
    item = add_item(cast.project)
    store(cast, item, cast.rita, SQUARE)
    by_ann = store(cast, item, cast.ann, OTHER)
    with pytest.raises(ReviewRefused, match="You read this item yourself"):
        review(by_ann, cast.rita, "accept")
    with pytest.raises(StepRefused, match="You read this item yourself"):
        lifecycle.accept_readers(item=item, reason="as read", by=cast.rita)
    with pytest.raises(ReviewRefused, match="others vote on it"):
        cast_vote(item=item, reviewer=cast.rita, submission=by_ann, comment="")
    assert not PanelVote.objects.exists()


def test_readers_together_can_be_voted_for_unless_they_are_tied(cast: Cast, reviewers):
    item, _ = disputed(cast, 3)
    with pytest.raises(Exception, match="The readers are tied"):
        lifecycle.accept_readers(item=item, reason="as read", by=cast.rita)
    assert not PanelVote.objects.exists()
    store(cast, item, reviewers[3], SQUARE)
    item.refresh_from_db()
    assert lifecycle.accept_readers(item=item, reason="as read", by=reviewers[0]) is None
    assert lifecycle.accept_readers(item=item, reason="as read", by=reviewers[1]) is not None
    assert state(item) == "settled"


def test_nobody_settles_alone_past_a_panel(cast: Cast, reviewers):
    """Catches the step itself, called without the page, that settles an item on which a panel votes."""
    item, (by_ann, by_ben) = disputed(cast, 3)
    for user in (reviewers[0], cast.ada):
        for chosen in (by_ann, None):
            with pytest.raises(StepRefused) as refused:
                lifecycle.settle(item=item, reason="by hand", by=user, submission=chosen)
            assert refused.value.code == "panel-votes"
    with pytest.raises(StepRefused, match="A panel of reviewers votes"):
        lifecycle.settle(item=item, reason="by rule")
    with pytest.raises(StepRefused, match="one reviewer alone"):
        lifecycle.declare_ambiguous(item=item, by=reviewers[0], reason="Hard.")
    assert (state(item), current_settlement(item), PanelVote.objects.count()) == ("review", None, 0)
    review(by_ben, reviewers[0], "accept")
    review(by_ben, reviewers[1], "accept")
    assert state(item) == "settled"


def test_an_admin_settles_where_the_panel_found_no_majority(cast: Cast, reviewers):
    item, (by_ann, by_ben) = disputed(cast, 2)
    review(by_ann, reviewers[0], "accept")
    review(by_ben, reviewers[1], "accept")
    assert rule(item) == "panel-tie"
    with pytest.raises(StepRefused, match="A panel of reviewers votes"):
        lifecycle.settle(item=item, reason="mine", by=reviewers[2], submission=by_ann)
    lifecycle.settle(item=item, reason="the admin decides", by=cast.ada, submission=by_ann)
    assert state(item) == "settled"


def test_what_is_kept_of_an_item_has_no_vote_of_others_before_ones_own(cast: Cast, reviewers):
    """Catches votes that reach an admin who may still vote: beside the readings, in the history, in labelers' numbers."""
    item, (by_ann, _) = disputed(cast, 3)
    review(by_ann, reviewers[0], "accept", comment="Rita's words", score=7)
    item.refresh_from_db()
    before = story_of(item, cast.ada)
    assert [reader.decision for reader in before.readers] == [None, None]
    assert not [line for line in before.events if line.kind in VOTING_EVENTS]
    assert {row.review.estimate.n for row in standings_of(cast.project).rows} == {0}
    own = story_of(item, reviewers[0])
    assert [reader.decision is not None for reader in own.readers] == [True, False]
    review(by_ann, cast.ada, "accept")
    after = story_of(item, cast.ada)
    assert after.readers[0].decision is not None
    assert [line.kind for line in after.events if line.kind == "panel.voted"] == ["panel.voted"] * 2
    assert sum(row.review.estimate.n for row in standings_of(cast.project).rows) == 1
