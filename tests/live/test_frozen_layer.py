"""A message server that takes connections and answers nothing holds up no acknowledgement, and what it missed is told later.

Planted once and seen to fail: hints awaited before the next group is stored; a hint without an end; each hint waited for anew.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from django.db import transaction

from labelhub.accounts import hinting, notifications
from labelhub.annotations import hints
from labelhub.assignments.models import Assignment
from labelhub.live import rooms
from labelhub.live.writer import GroupWriter
from tests.cast import Cast
from tests.live.windows import client_of, opened, sending
from tests.live.windows import notifications as notification_socket

pytestmark = [pytest.mark.filterwarnings("ignore:No directory at")]


class Frozen:
    """A layer each of whose acts waits for ever, until it thaws."""

    def __init__(self) -> None:
        self.is_frozen = True
        self.asked: list[tuple[str, Any]] = []

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}.one"

    async def group_send(self, group: str, message: Any) -> None:
        self.asked.append((group, message))
        if self.is_frozen:
            await asyncio.Event().wait()

    group_add = group_discard = group_send

    async def receive(self, channel: str) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def layer(monkeypatch) -> Frozen:
    made = Frozen()
    for module in (rooms, hinting):
        monkeypatch.setattr(module, "get_channel_layer", lambda: made)
    monkeypatch.setattr(hinting, "WITHIN_S", 0.05)
    monkeypatch.setattr(hinting, "SILENT_S", 0.05)
    monkeypatch.setitem(hinting._silent, "until", 0.0)
    return made


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_is_stored_and_acknowledged(cast: Cast, work: Assignment, layer: Frozen):
    async def play() -> None:
        ann = await opened(client, work.pk)
        for number in range(1, 6):
            await ann.say(**sending(number, f"s{number}", client_id, number))
            assert (await ann.heard("stored"))["head_seq"] == number
        await ann.disconnect()

    client, client_id = client_of(cast.ann), str(uuid.uuid4())
    asyncio.run(play())
    assert layer.asked, "the layer was never tried"


@pytest.mark.django_db(transaction=True)
def test_the_socket_of_notifications_opens_all_the_same(cast: Cast, layer: Frozen):
    async def play() -> None:
        window = notification_socket(client)
        assert await window.opened()
        assert await window.heard() == {"type": "hello"}
        await window.disconnect()

    client = client_of(cast.ann)
    asyncio.run(play())


@pytest.mark.django_db(transaction=True)
def test_many_hints_of_one_act_wait_once(cast: Cast, layer: Frozen, monkeypatch):
    monkeypatch.setattr(hinting, "SILENT_S", 60.0)
    with transaction.atomic():
        for number in range(20):
            key = uuid.uuid4()
            hints.tell_on_commit(key, hints.head_moved(key, number))
        notifications.notify(users=[cast.ann, cast.ben], kind="mention", text="Look.", key="a")
    assert len(layer.asked) == 1


def test_what_was_not_told_is_told_once_the_server_answers_with_the_newest_number(layer: Frozen):
    async def play() -> list[int]:
        writer, key = GroupWriter(), uuid.uuid4()
        writer._hint({key: 3})
        await asyncio.sleep(0.2)
        writer._hint({key: 7})
        layer.is_frozen, layer.asked = False, []
        for _ in range(400):
            if layer.asked:
                break
            await asyncio.sleep(0.01)
        return [message["head_seq"] for _, message in layer.asked]

    assert asyncio.run(play()) == [7]
