"""The windows of this process that show one document: hints come in, the log's news go out, read once and encoded once.

A room hears its document's hints on one channel for all its windows. A hint only says that there is more: what went on is read
from the database, from where the room stands; what this process committed itself it has at hand. Presence is kept nowhere.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import orjson
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from labelhub.accounts import hinting
from labelhub.accounts.models import User
from labelhub.annotations import hints, history
from labelhub.annotations.fold import Act
from labelhub.annotations.models import Document

STAY_EVERY_S = 10.0
# How long a layer that failed is left alone, and how long a closing room waits for its tasks.
LAYER_PAUSE_S, CLOSE_WITHIN_S = 1.0, 5.0
# There is news at a pin; nothing of what.
PINS_FRAME = '{"type":"pins"}'


class Window(Protocol):
    """What a room asks of a window."""

    user: User

    async def pass_on(self, frame: str) -> None:
        """Send a frame to the browser."""

    async def pass_on_presence(self, frame: str, sender: str) -> None:
        """Send a colleague's presence, unless it is the window's own."""

    async def look_again(self) -> None:
        """Ask whether the document still takes operations, and tell the browser where it does not."""


class Room:
    """One document's windows on one event loop."""

    def __init__(self, document_id: uuid.UUID, head_seq: int) -> None:
        self.document_id = document_id
        self.head_seq = head_seq
        self.windows: set[Window] = set()
        self.channel = ""
        self._known = head_seq
        self._reading: asyncio.Task[None] | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def open(self) -> None:
        """Begin to hear hints."""
        layer = get_channel_layer()
        assert layer is not None
        # By its own kind of name: a layer on Redis hears one kind a process, that of the consumers.
        self.channel = await layer.new_channel()
        await self._join()
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._listen()), loop.create_task(self._stay()))

    async def close(self) -> None:
        """Hear no more.

        No task is waited for without an end: a message server's client may answer the word to end with an error of its own.
        """
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_WITHIN_S)
        if self.channel:
            await hinting.leave(hints.group_of(self.document_id), self.channel)

    async def tell_all(self, message: dict[str, Any]) -> None:
        """Send a message to the document's rooms in all processes."""
        await hinting.send(hints.group_of(self.document_id), message)

    def catch_up(self, head_seq: int) -> None:
        """Read on to ``head_seq`` unless that is under way."""
        self._known = max(self._known, head_seq)
        if self._known > self.head_seq and (self._reading is None or self._reading.done()):
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def deliver(self, acts: list[Act]) -> None:
        """Pass on what this process committed itself, unless something before it is still to be read."""
        if acts[0].seq == self.head_seq + 1 and (self._reading is None or self._reading.done()):
            await self._pass_on(acts)

    async def _listen(self) -> None:
        layer = get_channel_layer()
        while layer is not None and not _is_told_to_end():
            message = None
            with hinting.only_a_hint():
                message = await layer.receive(self.channel)
            if message is not None:
                await self._hear(message)
            elif not _is_told_to_end():
                await asyncio.sleep(LAYER_PAUSE_S)

    async def _join(self) -> None:
        await hinting.hear(hints.group_of(self.document_id), self.channel)

    async def _stay(self) -> None:
        """Join again now and then: a message server that was started anew has forgotten who listens."""
        while not _is_told_to_end():
            await asyncio.sleep(STAY_EVERY_S)
            await self._join()

    async def _hear(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "head":
            self.catch_up(int(message["head_seq"]))
        elif kind == "closed":
            await asyncio.gather(*(window.look_again() for window in list(self.windows)), return_exceptions=True)
        elif kind == "pins":
            # What was said there is asked for over HTTP, by each window for itself.
            passing = (window.pass_on(PINS_FRAME) for window in list(self.windows))
            await asyncio.gather(*passing, return_exceptions=True)
        elif kind == "presence":
            frame, sender = message["frame"], message["from"]
            passing = (window.pass_on_presence(frame, sender) for window in list(self.windows))
            await asyncio.gather(*passing, return_exceptions=True)

    async def _read(self) -> None:
        while self._known > self.head_seq:
            acts = await database_sync_to_async(history.operations_after)(Document(pk=self.document_id), self.head_seq)
            if not acts:
                return
            # What came meanwhile from this process itself is passed on once.
            if fresh := [act for act in acts if act.seq > self.head_seq]:
                await self._pass_on(fresh)

    async def _pass_on(self, acts: list[Act]) -> None:
        self.head_seq = acts[-1].seq
        frame = operations_frame(acts, self.head_seq)
        passing = (window.pass_on(frame) for window in list(self.windows))
        await asyncio.gather(*passing, return_exceptions=True)


def _is_told_to_end() -> bool:
    """Whether the running task was cancelled, also where the message server's client made another error of it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def operations_frame(acts: list[Act], head_seq: int) -> str:
    """Return operations of the log as one frame."""
    operations = [history.act_to_document(act) for act in acts]
    return orjson.dumps({"type": "operations", "operations": operations, "head_seq": head_seq}).decode()


async def deliver(news: Mapping[uuid.UUID, list[Act]]) -> None:
    """Pass on what this process committed to the rooms of it."""
    rooms = _rooms.get(asyncio.get_running_loop(), {})
    for document_id, acts in news.items():
        if (room := rooms.get(document_id)) is not None:
            await room.deliver(acts)


_rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[uuid.UUID, Room]] = WeakKeyDictionary()


async def enter(window: Window, document_id: uuid.UUID, head_seq: int) -> Room:
    """Put a window into its document's room, opened by the first."""
    rooms = _rooms.setdefault(asyncio.get_running_loop(), {})
    room = rooms.get(document_id)
    if room is None:
        room = rooms[document_id] = Room(document_id, head_seq)
        # Before it opens: another window that comes and goes meanwhile must not find the room empty and close it.
        room.windows.add(window)
        try:
            await room.open()
        except BaseException:
            await leave(window, room)
            raise
    room.windows.add(window)
    return room


def n_windows(document_id: uuid.UUID, user: User) -> int:
    """How many windows of this process show the document to one person."""
    room = _rooms.get(asyncio.get_running_loop(), {}).get(document_id)
    return 0 if room is None else sum(window.user.pk == user.pk for window in room.windows)


async def leave(window: Window, room: Room) -> None:
    """Take a window out; the last one closes the room."""
    room.windows.discard(window)
    rooms = _rooms.get(asyncio.get_running_loop(), {})
    if not room.windows and rooms.get(room.document_id) is room:
        del rooms[room.document_id]
        await room.close()
