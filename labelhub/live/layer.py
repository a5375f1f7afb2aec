"""The channel layer on Redis, whose waits end when they are told to and whose acts never hold up their caller for long.

Redis' client keeps its own time-out with ``asyncio.wait_for``, which on Python 3.11 loses a cancellation that comes as the wait
ends: a socket's task then goes on for ever, and neither the socket nor the server can end. So the client has no time-out of its
own, and each act has one here. Waiting for a message has none; a peer that vanished is found by keep-alive.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from channels_redis.core import RedisChannelLayer

# Hints end sooner (``accounts.hinting``): this is for whatever else speaks to the server.
WITHIN_S = 2.0
CLIENT = {
    "socket_timeout": None,
    "socket_connect_timeout": WITHIN_S,
    "socket_keepalive": True,
    "socket_keepalive_options": {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3},
}


class RedisLayer(RedisChannelLayer):  # type: ignore[misc]
    """The layer of ``channels_redis``; ``url`` is the address of one server. An act that takes too long raises TimeoutError."""

    def __init__(self, *, url: str, **options: Any) -> None:
        super().__init__(hosts=[{"address": url, **CLIENT}], **options)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Send to one channel."""
        async with asyncio.timeout(WITHIN_S):
            await super().send(channel, message)

    async def group_add(self, group: str, channel: str) -> None:
        """Let a channel hear a group."""
        async with asyncio.timeout(WITHIN_S):
            await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Let a channel hear a group no more."""
        async with asyncio.timeout(WITHIN_S):
            await super().group_discard(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send to all channels that hear a group."""
        async with asyncio.timeout(WITHIN_S):
            await super().group_send(group, message)
