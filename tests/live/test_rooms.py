"""A room's end does not hang on the message server.

Planted once and seen to fail: a room that waits for a task without asking whether it ends; a task that takes the word to end
for a lost hint (both tests).
"""

from __future__ import annotations

import asyncio
import uuid

import pytest

from labelhub.accounts import hinting
from labelhub.live import rooms


class AnswersEndsWithErrors:
    """A layer that answers the first end of a wait with an error of its own, as one on Redis does now and then."""

    def __init__(self) -> None:
        self.n_heard = 0

    async def new_channel(self) -> str:
        return "specific.one"

    async def group_add(self, group: str, channel: str) -> None:
        """Nothing to do."""

    group_discard = group_add

    async def receive(self, channel: str) -> None:
        self.n_heard += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if self.n_heard == 1:
                raise AssertionError("the lock is held") from None
            raise


@pytest.fixture
def layer(monkeypatch) -> AnswersEndsWithErrors:
    made = AnswersEndsWithErrors()
    for module in (rooms, hinting):
        monkeypatch.setattr(module, "get_channel_layer", lambda: made)
    monkeypatch.setattr(rooms, "LAYER_PAUSE_S", 0.01)
    return made


def test_a_room_closes_where_the_message_server_answers_the_end_with_an_error(layer):
    async def play() -> None:
        room = rooms.Room(uuid.uuid4(), 0)
        await room.open()
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(room.close())
        await asyncio.wait([closing], timeout=10)
        assert closing.done()
        assert all(task.done() for task in room._tasks)

    asyncio.run(play())
    assert layer.n_heard == 1


def test_the_server_ends_with_a_room_that_nobody_closed(layer):
    async def play() -> None:
        room = rooms.Room(uuid.uuid4(), 0)
        await room.open()
        await asyncio.sleep(0.01)
        for task in room._tasks:
            task.cancel()
        await asyncio.wait(room._tasks, timeout=5)
        assert all(task.done() for task in room._tasks)

    asyncio.run(play())
    assert layer.n_heard == 1
