"""What is on its way to one window, so that a browser that does not read holds up nobody else.

Frames of a room wait here and one task sends them. Presence is dropped where much waits; where very much waits the window is
closed, and its browser opens another and pulls what it missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

# Waiting bytes above which presence is dropped, and above which the window is given up.
BUSY_BYTES, MOST_BYTES = 256 * 1024, 16 * 1024 * 1024


class Outgoing:
    """The frames that wait for one window. ``give_up`` is awaited once, by a task of its own."""

    def __init__(self, send: Callable[[str], Awaitable[None]], give_up: Callable[[], Awaitable[None]]) -> None:
        self._send, self._give_up = send, give_up
        self._waiting: deque[str] = deque()
        self._n_waiting = 0
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    def put(self, frame: str, *, may_drop: bool = False) -> None:
        """Send a frame after those that wait. Returns at once."""
        if self._is_over or (may_drop and self._n_waiting > BUSY_BYTES):
            return
        self._waiting.append(frame)
        self._n_waiting += len(frame)
        if self._n_waiting > MOST_BYTES:
            self.end()
            self._task = asyncio.get_running_loop().create_task(self._leave())
        elif self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self) -> None:
        """Send nothing more."""
        self._is_over = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._waiting:
            frame = self._waiting.popleft()
            # Whoever went meanwhile is taken out by the socket's own end.
            with suppress(OSError, RuntimeError):
                await self._send(frame)
            self._n_waiting -= len(frame)

    async def _leave(self) -> None:
        with suppress(OSError, RuntimeError):
            await self._give_up()
