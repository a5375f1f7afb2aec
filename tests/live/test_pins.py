"""The socket tells who is at a working copy that something was said at a pin, after the commit, and nothing of what.

Planted once and seen to fail: no hint; a hint of a word that may not be read.
"""

from __future__ import annotations

import asyncio
import uuid

import pytest
from channels.db import database_sync_to_async

from labelhub.assignments.models import Assignment
from labelhub.reviews import pins, threads
from labelhub.reviews.models import Comment, Thread
from tests.cast import Cast
from tests.live.windows import client_of, opened, sending
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


def test_a_pin_is_hinted_at_to_all_who_are_there(cast: Cast, work: Assignment):
    def set_one() -> int:
        body = {"request_id": str(uuid.uuid4()), "text": "Look.", "medium": 0, "x": 3, "y": 4, "z": 0}
        answer = clients[0].post(f"/api/v1/assignments/{work.pk}/pins/", body, content_type="application/json")
        return answer.status_code

    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        assert await database_sync_to_async(set_one)() == 200
        for window in (ann, ben):
            assert await window.heard("pins") == {"type": "pins"}
        assert await database_sync_to_async(Comment.objects.count)() == 1
        await ann.disconnect()
        await ben.disconnect()

    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())


def test_a_reviewers_word_is_hinted_at_only_where_it_may_be_read(cast: Cast, work: Assignment):
    """Unseen words leave no trace: the next that is heard is what was drawn afterwards."""

    def said(text: str) -> None:
        threads.reply(thread=Thread.objects.get(), by=cast.rita, text=text, request_id=uuid.uuid4())

    async def play() -> None:
        ann = await opened(client, work.pk)
        await database_sync_to_async(said)("Not for them.")
        await ann.say(**sending(1, "a", str(uuid.uuid4())))
        assert (await ann.heard())["type"] in ("stored", "operations")
        assert (await ann.heard())["type"] in ("stored", "operations")
        await database_sync_to_async(set_policy)(cast, readers=1, authors_read_comments=True)
        await database_sync_to_async(said)("For them.")
        assert (await ann.heard())["type"] == "pins"
        await ann.disconnect()

    pins.open_pin(assignment=work, by=cast.ann, place=pins.Place(0, 1, 1, 0), text="Look.", request_id=uuid.uuid4())
    client = client_of(cast.ann)
    asyncio.run(play())
