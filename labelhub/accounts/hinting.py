"""Hints between processes that there is something new: best effort, and never what holds up the act they tell of.

They travel over the channel layer and may be lost; whoever hears one reads the database, and asks now and then without one. A
message server that does not answer costs the first hint half a second; for some seconds after that no hint is tried at all, so
that however many hang on one act, they cost it half a second together. Not here: what is hinted at (``annotations.hints``,
``accounts.notifications``), and who listens (``live``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)
# An act on a message server that answers takes milliseconds; one that failed is left alone for so long.
WITHIN_S, SILENT_S = 0.5, 2.0
_silent = {"until": 0.0}


async def send(group: str, message: dict[str, Any]) -> bool:
    """Send a hint to whoever hears ``group``; whether it went out."""
    return await _attempt(lambda layer: layer.group_send(group, message))


async def hear(group: str, channel: str) -> bool:
    """Let a channel hear a group; whether it does."""
    return await _attempt(lambda layer: layer.group_add(group, channel))


async def leave(group: str, channel: str) -> bool:
    """Let a channel hear a group no more; whether that is so."""
    return await _attempt(lambda layer: layer.group_discard(group, channel))


def send_on_commit(group: str, message: dict[str, Any]) -> None:
    """Send a hint once what it tells of is committed."""
    transaction.on_commit(lambda: _send_now(group, message), robust=True)


@contextmanager
def only_a_hint() -> Iterator[None]:
    """Whatever goes wrong with the message server inside is noted, and costs nothing that was stored."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each message server has failures of its own kind
        _note(error)


def _send_now(group: str, message: dict[str, Any]) -> None:
    with only_a_hint():
        async_to_sync(send)(group, message)


async def _attempt(act: Callable[[Any], Awaitable[None]]) -> bool:
    layer = get_channel_layer()
    if layer is None:
        # A server of one process without a layer: there is nobody to tell.
        return True
    if time.monotonic() < _silent["until"]:
        return False
    try:
        async with asyncio.timeout(WITHIN_S):
            await act(layer)
    except Exception as error:  # noqa: BLE001 - each message server has failures of its own kind
        _silent["until"] = time.monotonic() + SILENT_S
        _note(error)
        return False
    return True


def _note(error: Exception) -> None:
    logger.warning("hints do not travel now (%s); windows ask by themselves", type(error).__name__)
