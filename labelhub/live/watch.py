"""Asks once a second, for all open sockets of this process together, whether each may still stay.

Who signed out everywhere, was disabled, lost a role, was taken out of the project, gave a seat back or may watch no more is
closed out within two seconds, also while they send nothing. Seven queries, however many windows there are, and a few more where
somebody watches.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from typing import Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from labelhub.accounts.models import User
from labelhub.accounts.selectors import standing_sessions
from labelhub.assignments.onlookers import onlookers_of
from labelhub.assignments.selectors import drawers_of
from labelhub.live.sessions import NOT_YOURS, SIGNED_OUT

logger = logging.getLogger(__name__)
EVERY_S = 1.0


class Watched(Protocol):
    """A socket that may have to go. Without an assignment only its session is asked for."""

    session_key: str
    session_epoch: int | None
    user: User
    assignment_id: uuid.UUID | None

    async def turn_out(self, code: int) -> None:
        """Close it."""


class Watch:
    """The sockets of one event loop."""

    def __init__(self) -> None:
        self.sockets: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def add(self, socket: Watched) -> None:
        """Watch over a socket."""
        self.sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def drop(self, socket: Watched) -> None:
        """Watch over it no more."""
        self.sockets.discard(socket)

    async def _run(self) -> None:
        while self.sockets:
            await asyncio.sleep(EVERY_S)
            try:
                await self._look()
            except Exception:
                logger.exception("open sockets could not be looked at; tried again")

    async def _look(self) -> None:
        sockets = list(self.sockets)
        sessions = {socket.session_key: (socket.user.pk, socket.session_epoch) for socket in sockets}
        wanted = {socket.assignment_id for socket in sockets if socket.assignment_id is not None}
        kept, drawers = await database_sync_to_async(_still)(sessions, wanted)
        for socket in sockets:
            code = 0
            if socket.session_key not in kept:
                code = SIGNED_OUT
            elif socket.assignment_id is not None and socket.user.pk not in drawers.get(socket.assignment_id, ()):
                code = NOT_YOURS
            if code:
                self.sockets.discard(socket)
                # One that does not read is not waited for.
                self._leaving.add(task := asyncio.get_running_loop().create_task(_turn_out(socket, code)))
                task.add_done_callback(self._leaving.discard)


async def _turn_out(socket: Watched, code: int) -> None:
    with suppress(Exception):
        await socket.turn_out(code)


def _still(
    sessions: dict[str, tuple[int, int | None]], assignments: set[uuid.UUID]
) -> tuple[set[str], dict[uuid.UUID, set[int]]]:
    found = drawers_of(assignments)
    for work, people in onlookers_of(assignments).items():
        found.setdefault(work, set()).update(people)
    return standing_sessions(sessions), found


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch() -> Watch:
    """Return the running event loop's watch."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())
