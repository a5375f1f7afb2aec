"""A wait for a message on Redis ends at whatever moment it is told to, and a server that does not answer holds up nobody.

Planted once and seen to fail: the client's own time-out (first test); no time-out at all (second).
"""

from __future__ import annotations

import asyncio
import socket

import pytest
from django.conf import settings

from labelhub.live import layer as layer_module
from labelhub.live.layer import RedisLayer

# A wait is under way with the server after a dozen turns of the event loop.
TURNS = 60


@pytest.mark.redis
def test_a_wait_ends_at_whatever_turn_it_is_told_to():
    async def play() -> list[int]:
        going_on = []
        for turns in range(TURNS):
            layer = RedisLayer(**settings.CHANNEL_LAYERS["default"]["CONFIG"])
            waiting = asyncio.ensure_future(layer.receive(await layer.new_channel()))
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting], timeout=2)
            if not waiting.done():
                going_on.append(turns)
                waiting.cancel()
        return going_on

    assert asyncio.run(play()) == []


def test_a_server_that_does_not_answer_holds_up_nobody(monkeypatch):
    async def play() -> None:
        layer = RedisLayer(url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        for act in (
            layer.send("a.channel", {"type": "a"}), layer.group_send("a", {"type": "a"}),
            layer.group_add("a", "a.channel"), layer.group_discard("a", "a.channel"),
        ):  # fmt: skip
            acting = asyncio.ensure_future(act)
            done, _ = await asyncio.wait([acting], timeout=5)
            acting.cancel()
            assert done
            with pytest.raises(TimeoutError):
                acting.result()

    monkeypatch.setattr(layer_module, "WITHIN_S", 0.05)
    # It takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(play())
