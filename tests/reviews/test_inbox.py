"""The reviewer's inbox and the side-by-side view: order, who sees what, what it costs."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.catalog.models import Item
from labelhub.projects.permissions import NotFound
from labelhub.reviews.selectors import decisions_of, inbox, judged_by, rejected, side_by_side
from labelhub.reviews.workload import reviewed_items
from labelhub.workflow import adjudicating, lifecycle
from tests.cast import Cast
from tests.workflow.walking import add_item, review, set_policy, state, store

SQUARE, NEAR, OTHER = (10, 10, 20), (17, 10, 20), (40, 40, 15)


@pytest.fixture
def disputed(cast: Cast):
    set_policy(cast, max_readers=2)

    def make(square, *, seed: int = 0, people=None):
        item = add_item(cast.project, seed=seed)
        for user, drawn in zip(people or (cast.ann, cast.ben), (SQUARE, square), strict=True):
            store(cast, item, user, drawn)
        assert state(item) == "review"
        return item

    return make


def test_the_most_valuable_look_comes_first(cast: Cast, disputed):
    mild, strong = disputed(NEAR), disputed(OTHER, seed=1)
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [strong, mild]
    Item.objects.filter(pk=mild.pk).update(state_changed_at=timezone.now() - timedelta(days=60))
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [mild, strong], "nothing waits for ever"
    Item.objects.filter(pk=strong.pk).update(priority=3)
    first = inbox(cast.rita, cast.project).rows[0]
    assert (first.item, first.rule, first.disagreement) == (strong, "readers-exhausted", 1.0)
    assert "a reviewer decides" in first.reason


def test_own_reads_stand_in_nobodys_inbox_and_annotators_have_none(cast: Cast, disputed):
    disputed(OTHER, people=(cast.rita, cast.ben))
    assert inbox(cast.rita, cast.project).rows == ()
    assert inbox(cast.ada, cast.project).n_waiting == 1
    for user in (cast.ann, cast.otto):
        assert inbox(user, cast.project).rows == ()
        assert inbox(user, cast.project).n_waiting == 0


def test_readers_stand_side_by_side_with_route_model_and_judgements(cast: Cast, disputed):
    item = disputed(OTHER)
    seen = side_by_side(cast.rita, item)
    assert [submission.assignment.labeler.name for submission, _ in seen.readings] == ["Ann", "Ben"]
    assert list(seen.similarity.values()) == [0.0]
    assert seen.route is not None
    assert (seen.route.rule, seen.prediction, seen.is_own) == ("readers-exhausted", None, False)
    first = seen.readings[0][0]
    review(first, cast.rita, "reject", "No.")
    assert rejected(item) == {first.pk}
    assert [row.verdict for row in decisions_of(item)] == ["reject"]
    assert [row.submission for row in judged_by(cast.rita)] == [first]
    for user in (cast.ann, cast.otto):
        with pytest.raises(NotFound):
            side_by_side(user, item)


def test_the_inbox_takes_the_same_few_queries_for_any_length(cast: Cast, disputed):
    for seed in range(2):
        disputed(OTHER, seed=seed)
    with CaptureQueriesContext(connection) as two:
        inbox(cast.rita, cast.project)
    for seed in range(2, 6):
        disputed(OTHER, seed=seed)
    with CaptureQueriesContext(connection) as six:
        assert len(inbox(cast.rita, cast.project).rows) == 6
    # Role, rules, which items come first with how many wait, and what is told of those.
    assert len(six) == len(two) <= 4


def test_a_reviewer_is_offered_no_more_than_the_policys_items_a_day(cast: Cast, disputed):
    """Planted and seen to fail: a cap that counts everybody's reviews, judgements alone, or each region."""
    items = [disputed(OTHER, seed=seed) for seed in range(4)]
    set_policy(cast, max_readers=2, reviews_a_day=3)
    assert len(inbox(cast.rita, cast.project).rows) == inbox(cast.rita, cast.project).n_waiting == 3
    first = side_by_side(cast.rita, items[0]).readings[0][0]
    review(first, cast.rita, "accept")
    assert inbox(cast.rita, cast.project).n_waiting == 2
    matters = adjudicating.desk_of(items[1], cast.rita).sitting.found.matters
    for matter in matters:
        adjudicating.answer_matter(
            item=items[1], by=cast.rita, key=matter.key, choice="ambiguous", request_id=uuid.uuid4()
        )
    assert len(matters) > 1
    assert inbox(cast.rita, cast.project).n_waiting == 2, "the one begun, and one more"
    offered = [row.item.pk for row in inbox(cast.rita, cast.project).rows]
    assert len(offered) == len(set(offered)) == 2
    assert items[1].pk in offered
    adjudicating.settle_regions(item=items[1], by=cast.rita)
    assert inbox(cast.rita, cast.project).n_waiting == 1
    lifecycle.settle(
        item=items[2], reason="x", by=cast.rita, submission=side_by_side(cast.rita, items[2]).readings[0][0]
    )
    assert inbox(cast.rita, cast.project).rows == ()
    assert inbox(cast.ada, cast.project).n_waiting == 1
    tomorrow = timezone.now() + timedelta(days=1)
    assert len(inbox(cast.rita, cast.project, now=tomorrow).rows) == 1


def test_a_reading_that_was_returned_is_a_review_of_its_item(cast: Cast, disputed):
    items = [disputed(OTHER, seed=seed) for seed in range(3)]
    set_policy(cast, max_readers=2, reviews_a_day=2)
    for submission, _ in side_by_side(cast.rita, items[0]).readings:
        review(submission, cast.rita, "reject", "Look again.")
    assert state(items[0]) == "rework"
    assert reviewed_items(cast.rita, cast.project, since=timezone.now() - timedelta(hours=1)) == {items[0].pk}
    assert inbox(cast.rita, cast.project).n_waiting == 1
    assert inbox(cast.ada, cast.project).n_waiting == 2


def test_what_was_begun_today_is_still_offered_when_the_day_is_full(cast: Cast, disputed):
    """Planted and seen to fail: a begun item that takes the place of itself."""
    begun, _ = disputed(NEAR), disputed(OTHER, seed=1)
    set_policy(cast, max_readers=2, reviews_a_day=1)
    (matter, *_) = adjudicating.desk_of(begun, cast.rita).sitting.found.matters
    adjudicating.answer_matter(item=begun, by=cast.rita, key=matter.key, choice="ambiguous", request_id=uuid.uuid4())
    assert [row.item for row in inbox(cast.rita, cast.project).rows] == [begun]
    assert inbox(cast.rita, cast.project).n_waiting == 1


def test_a_share_of_what_the_rules_accept_is_drawn_for_a_reviewer(cast: Cast):
    """Planted and seen to fail: a draw that accepts what it drew."""
    from labelhub.routing.selectors import current_route

    set_policy(cast, readers=2, max_readers=2, review_share=0.5)
    states = []
    for seed in range(12):
        item = add_item(cast.project, seed=seed)
        for user in (cast.ann, cast.ben):
            store(cast, item, user, SQUARE)
        states.append(state(item))
        route = current_route(item)
        assert route is not None
        assert route.rule == ("drawn-for-review" if states[-1] == "review" else "agreement")
    assert set(states) == {"review", "settled"}
    set_policy(cast, readers=2, max_readers=2, review_share=1.0)
    item = add_item(cast.project, seed=99)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE)
    assert state(item) == "review"
    row = next(row for row in inbox(cast.rita, cast.project).rows if row.item == item)
    assert "drawn at random" in row.reason
