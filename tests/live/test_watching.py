"""A reviewer's window at people's work: what is drawn flows in, she is seen whatever her browser sends, and it closes in time.

Planted once and seen to fail: operations taken from who watches; an onlooker unseen whose browser says nothing; a policy or a
role that ends and closes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from channels.db import database_sync_to_async

from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from labelhub.live import documents as socket_module
from labelhub.live import watch as watch_module
from labelhub.projects.models import Role
from labelhub.projects.services import add_member, remove_member
from labelhub.workflow import lifecycle, watching
from tests.cast import Cast
from tests.live.windows import client_of, opened, sending, socket
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def watched(cast: Cast, work: Assignment) -> Assignment:
    set_policy(cast, readers=1, reviewers_join="watch")
    watching.come(assignment=work, by=cast.rita)
    return work


def test_who_watches_hears_all_is_seen_by_name_and_role_and_changes_nothing(cast: Cast, watched, monkeypatch):
    async def play() -> None:
        ann = await opened(clients[0], watched.pk)
        rita = await opened(clients[1], watched.pk)
        who = (await ann.heard("presence"))["who"]
        assert (who["name"], who["role"], who["is_watching"]) == ("Rita", "reviewer", True)
        await ann.say(**sending(1, "a", str(uuid.uuid4())))
        assert (await rita.heard("operations"))["head_seq"] == 1
        await rita.say(**sending(2, "b", str(uuid.uuid4())))
        assert (await rita.heard("refused"))["code"] == "only-watching"
        await rita.say(type="beat")
        assert (await rita.heard("refused"))["code"] == "only-watching"
        # Her browser says nothing, or that she is somebody else: the server says again who is there.
        await rita.say(type="presence", state={"tool": "select"}, who={"name": "Ghost"})
        seen = [(await ann.heard("presence"))["who"]["name"] for _ in range(4)]
        assert set(seen) == {"Rita"}
        await ann.disconnect()
        await rita.disconnect()

    monkeypatch.setattr(socket_module, "SEEN_EVERY_S", 0.05)
    clients = client_of(cast.ann), client_of(cast.rita)
    asyncio.run(play())
    assert Operation.objects.count() == 1


def test_nobody_opens_a_window_who_has_not_come(cast: Cast, work: Assignment):
    async def play() -> list[bool]:
        return [await socket(client, work.pk).opened() for client in clients]

    set_policy(cast, readers=1, reviewers_join="watch")
    clients = [client_of(user) for user in (cast.rita, cast.ada, cast.otto)]
    assert asyncio.run(play()) == [False, False, False]


def policy_ends(cast: Cast, work: Assignment) -> None:
    set_policy(cast, readers=1)


def review_becomes_blind(cast: Cast, work: Assignment) -> None:
    set_policy(cast, readers=1, review_blind=True)


def role_ends(cast: Cast, work: Assignment) -> None:
    add_member(project=cast.project, user=cast.rita, role=Role.ANNOTATOR, actor="test")


def membership_ends(cast: Cast, work: Assignment) -> None:
    remove_member(project=cast.project, user=cast.rita, actor="test")


def she_goes(cast: Cast, work: Assignment) -> None:
    watching.go(assignment=work, by=cast.rita)


def work_is_parked(cast: Cast, work: Assignment) -> None:
    lifecycle.park(assignment=work, by=cast.ann)


ENDS = [policy_ends, review_becomes_blind, role_ends, membership_ends, she_goes, work_is_parked]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_window_closes_when_she_may_watch_no_more(cast: Cast, watched, monkeypatch, end: Any):
    """The watch looks once a second; here more often, so that nothing is timed."""

    async def play() -> None:
        rita, ann = await opened(clients[0], watched.pk), await opened(clients[1], watched.pk)
        await database_sync_to_async(end)(cast, watched)
        assert (await rita.heard("closed"))["code"] in (4401, 4404)
        assert not await socket(clients[0], watched.pk).opened()
        await ann.say(type="pull", after=0)
        assert (await ann.heard("operations"))["type"] == "operations", "who labels stays"
        await ann.disconnect()

    monkeypatch.setattr(watch_module, "EVERY_S", 0.05)
    clients = client_of(cast.rita), client_of(cast.ann)
    asyncio.run(play())
