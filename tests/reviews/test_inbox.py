"""The reviewer's inbox and the side-by-side view: order, who sees what, what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.catalog.models import Item
from labelhub.projects.permissions import NotFound
from labelhub.reviews.selectors import decisions_of, inbox, judged_by, n_waiting, rejected, side_by_side
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
    assert [row.item for row in inbox(cast.rita, cast.project)] == [strong, mild]
    Item.objects.filter(pk=mild.pk).update(state_changed_at=timezone.now() - timedelta(days=60))
    assert [row.item for row in inbox(cast.rita, cast.project)] == [mild, strong], "nothing waits for ever"
    Item.objects.filter(pk=strong.pk).update(priority=3)
    first = inbox(cast.rita, cast.project)[0]
    assert (first.item, first.rule, first.disagreement) == (strong, "readers-exhausted", 1.0)
    assert "a reviewer decides" in first.reason


def test_own_reads_stand_in_nobodys_inbox_and_annotators_have_none(cast: Cast, disputed):
    disputed(OTHER, people=(cast.rita, cast.ben))
    assert inbox(cast.rita, cast.project) == []
    assert n_waiting(cast.ada, cast.project) == 1
    for user in (cast.ann, cast.otto):
        assert inbox(user, cast.project) == []
        assert n_waiting(user, cast.project) == 0


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
        assert len(inbox(cast.rita, cast.project)) == 6
    assert len(six) == len(two) <= 3
