"""Whom an extra read is asked first, for how long, and that planned reads and those without such items see no difference.

Planted once and seen to fail: planned reads kept like extra ones; the time limit left out; the nearly best left out.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.selectors import current_policy
from labelhub.routing.models import Route
from labelhub.routing.selectors import preferences_of
from labelhub.workflow import handing_out, lifecycle, queue
from labelhub.workflow.desk import desk_of
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, near, new_annotator, next_for, read, set_policy

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture
def readers(cast: Cast) -> list[User]:
    set_policy(cast, readers=2, max_readers=5)
    return [new_annotator(cast, name) for name in ("Cleo", "Dan", "Eve")]


@pytest.fixture
def disputed(cast: Cast, readers: list[User]) -> Item:
    """An item that two read apart, so that it wants a third read."""
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    item.refresh_from_db()
    assert item.wanted_reads == 3
    return item


def worth(cast: Cast, item: Item, values: dict[User, float], *, age: timedelta = timedelta(0)) -> None:
    """Decide anew that the item wants a read, worth so much from each."""
    listed = [{"labeler": labeler(cast, user).pk, "value": value} for user, value in values.items()]
    route = Route.objects.create(
        item=item, outcome="more-readers", rule="disagreement", reason="x", policy=current_policy(cast.project)[0],
        method_version="1", next_labelers=listed,
    )  # fmt: skip
    Route.objects.filter(pk=route.pk).update(at=timezone.now() - age)


def test_an_extra_read_is_kept_for_those_from_whom_it_is_worth_most(cast: Cast, readers: list[User], disputed: Item):
    cleo, dan, eve = readers
    worth(cast, disputed, {cleo: 0.05, dan: 0.047, eve: 0.02})
    assert preferences_of([disputed.pk])[disputed.pk].labelers == {labeler(cast, user).pk for user in (cleo, dan)}
    assert next_for(cast, eve) is None
    assert not handing_out.has_work(labeler(cast, eve))
    assert handing_out.has_work(labeler(cast, dan))
    mine = next_for(cast, dan)
    assert mine is not None
    assert mine.item == disputed


def test_after_half_an_hour_anybody_may_take_it(cast: Cast, readers: list[User], disputed: Item):
    cleo, _, eve = readers
    worth(cast, disputed, {cleo: 0.05, eve: 0.02}, age=timedelta(minutes=29))
    assert next_for(cast, eve) is None
    mine = lifecycle.hand_out(labeler=labeler(cast, eve), now=timezone.now() + timedelta(minutes=2))
    assert mine is not None
    assert mine.item == disputed


def test_who_is_worth_most_gets_it_before_other_items_of_its_priority(cast: Cast, readers: list[User], disputed: Item):
    cleo, _, eve = readers
    others = [add_item(cast.project, seed=number) for number in range(8)]
    Item.objects.filter(pk__in=[item.pk for item in others]).update(state="reading")
    worth(cast, disputed, {cleo: 0.05, eve: 0.02}, age=timedelta(hours=2))
    at = timezone.now()
    assert near(desk_of(labeler(cast, cleo)), at)[0] == disputed.pk
    assert disputed.pk in set(near(desk_of(labeler(cast, eve)), at)), "it is theirs too, in their own order"
    urgent = add_item(cast.project)
    Item.objects.filter(pk=urgent.pk).update(priority=5)
    assert near(desk_of(labeler(cast, cleo)), at)[0] == urgent.pk


def test_a_planned_read_is_kept_for_nobody(cast: Cast, readers: list[User]):
    cleo, _, eve = readers
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    worth(cast, item, {cleo: 0.05, eve: 0.02})
    mine = next_for(cast, eve)
    assert mine is not None
    assert mine.item == item


def test_what_is_kept_for_others_hides_nothing_that_lies_behind_it(cast: Cast, readers: list[User], monkeypatch):
    cleo, _, eve = readers
    monkeypatch.setattr(queue, "MOST_CANDIDATES", 2)
    items = [add_item(cast.project, seed=number) for number in range(3)]
    Item.objects.filter(pk__in=[item.pk for item in items]).update(state="reading", reads_taken=2, wanted_reads=3)
    for item in items:
        worth(cast, item, {cleo: 0.05})
    free = add_item(cast.project)
    assert queue.everywhere(desk_of(labeler(cast, eve)), timezone.now()) == [free.pk]


def test_where_no_extra_read_is_wanted_nothing_more_is_asked_of_the_database(cast: Cast, readers: list[User]):
    for number in range(3):
        add_item(cast.project, seed=number)
    desk = desk_of(labeler(cast, readers[0]))
    list(near(desk, timezone.now()))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        list(near(desk, timezone.now()))
    assert not [entry for entry in asked if "routing_route" in entry["sql"]]


def test_nothing_of_it_reaches_who_labels(cast: Cast, readers: list[User], disputed: Item, client):
    cleo, _, eve = readers
    worth(cast, disputed, {cleo: 0.0543211, eve: 0.02})
    client.force_login(cleo)
    client.post("/label/next/", {"project": cast.project.slug})
    mine = Assignment.objects.get(item=disputed, labeler=labeler(cast, cleo))
    for address in (
        f"/label/?project={cast.project.slug}",
        f"/label/{mine.pk}/",
        f"/api/v1/assignments/{mine.pk}/document/",
    ):
        answer = client.get(address).content.decode()
        assert "0.0543211" not in answer, address
        assert "worth" not in answer, address
