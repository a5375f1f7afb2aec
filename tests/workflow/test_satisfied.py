"""A policy that asks for fewer reads decides the items that have them: at once where there are few, else as a job.

Planted once and seen to fail: items that somebody holds decided over their head; the publication without the decision.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelhub.catalog.models import Item
from labelhub.jobs.worker import run_pending
from labelhub.projects.selectors import current_policy
from labelhub.workflow import deciding, lifecycle, satisfied
from tests.cast import Cast
from tests.workflow.walking import add_item, draw, read, set_policy, state, submit, take

SQUARE = (10, 10, 20)


@pytest.fixture
def read_once(cast: Cast) -> list[Item]:
    """Three items that Ann read, where two readers are wanted."""
    set_policy(cast, readers=2, max_readers=3)
    items = [add_item(cast.project, seed=number) for number in range(3)]
    for _ in items:
        read(cast, cast.ann, SQUARE)
    return items


def publish(cast: Cast, **values) -> satisfied.Published:
    asked = replace(current_policy(cast.project)[1], **values)
    return satisfied.publish_policy(project=cast.project, policy=asked, by=cast.ada)


def test_items_with_all_their_reads_are_decided_when_fewer_are_asked_for(cast: Cast, read_once: list[Item]):
    made = publish(cast, readers=1)
    assert (made.n_decided, made.job) == (3, None)
    assert {state(item) for item in read_once} == {"settled"}


def test_less_overlap_decides_only_the_items_that_leave_it(cast: Cast, read_once: list[Item]):
    for number, item in enumerate(read_once):
        Item.objects.filter(pk=item.pk).update(overlap_draw=0.2 + 0.3 * number)
    assert publish(cast, overlap_share=0.4).n_decided == 2
    assert [state(item) for item in read_once] == ["reading", "settled", "settled"]


def test_more_than_a_few_items_are_decided_by_a_job(cast: Cast, read_once: list[Item], monkeypatch):
    monkeypatch.setattr(satisfied, "AT_ONCE", 2)
    made = publish(cast, readers=1)
    assert made.job is not None
    assert (made.n_decided, made.job.total_units) == (0, 3)
    assert {state(item) for item in read_once} == {"reading"}
    run_pending(queues=["cpu"])
    made.job.refresh_from_db()
    assert (made.job.state, made.job.result) == ("done", {"items": 3})
    assert {state(item) for item in read_once} == {"settled"}


def test_what_somebody_holds_or_was_asked_for_waits_for_its_read(cast: Cast, read_once: list[Item]):
    theirs = take(cast, cast.ben)
    asked = next(item for item in read_once if item != theirs.item)
    asked.refresh_from_db()
    deciding.want_reads(asked, 3)
    assert publish(cast, readers=1).n_decided == 1
    assert (state(theirs.item), state(asked)) == ("reading", "reading")
    lifecycle.park(assignment=theirs, by=cast.ben)
    assert satisfied.decide_satisfied(project=cast.project) == 0
    lifecycle.resume(assignment=theirs, by=cast.ben)
    draw(theirs, cast.ben, SQUARE)
    submit(theirs, cast.ben)
    assert state(theirs.item) == "settled"


def test_a_policy_that_asks_for_more_decides_nothing(cast: Cast, read_once: list[Item]):
    assert publish(cast, readers=3).n_decided == 0
    assert {state(item) for item in read_once} == {"reading"}


def test_the_page_says_what_the_new_version_decided(cast: Cast, read_once: list[Item], client):
    client.force_login(cast.ada)
    version = current_policy(cast.project)[0].number
    place = f"/manage/{cast.project.slug}/policy/"
    answer = client.post(place, {"version": version, "readers": "1", "do": "publish"}, follow=True)
    assert "3 items had all the reads wanted now and were decided." in answer.content.decode()
    assert {state(item) for item in read_once} == {"settled"}
