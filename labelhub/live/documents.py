"""The socket of a working copy: operations in, acknowledgements after the commit, the log's news, and colleagues' presence.

Each message asks whether the session still stands (a sending in its own transaction) and, where it writes, whether the person
may (``annotations.log``). What goes out is the log of a document that the person draws in, and presence of those who draw in
it too; nothing else. In a solo batch nobody else is there and no presence travels. Not here: the same over HTTP
(``api.documents``), rooms, and group commit.

A message in is one JSON object with a ``type``: ``send`` (operations, answered by ``stored`` or ``refused`` with the same
``ref``), ``pull`` (``after``), ``beat``, ``presence``. Who only watches pulls and is seen; nothing else is taken from them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from labelhub.accounts.middleware import EPOCH_KEY
from labelhub.accounts.models import User
from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Document
from labelhub.assignments.batches import lies_in_shared_batch
from labelhub.assignments.onlookers import seen_by
from labelhub.live import rooms
from labelhub.live.letting_go import LetsGo
from labelhub.live.outgoing import Outgoing
from labelhub.live.presence import presence_of
from labelhub.live.sessions import MALFORMED, NOT_YOURS, SIGNED_OUT, TOO_MUCH, owner_of
from labelhub.live.watch import watch
from labelhub.live.writer import NotStored, Post, SessionEnded, writer
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Role
from labelhub.projects.permissions import NotAllowed, NotFound, role_in

MOST_BYTES = 1 << 20
MOST_MALFORMED = 20
# A bucket of messages: as many at once, and as many more a second. Beyond that operations are put off, presence is dropped.
BUCKET, REFILL_PER_S = 300.0, 60.0
# A message takes one more of the bucket for each so many letters, before it is read.
LARGE = 32 * 1024
PRESENCE_EVERY_S = 0.04
# How often it is said anew that somebody watches, whatever their browser says.
SEEN_EVERY_S = 4.0
# Presence goes from each window to each other: more of one person than this would drown the others.
MOST_WINDOWS = 12


class DocumentConsumer(LetsGo, AsyncWebsocketConsumer):  # type: ignore[misc]
    """One window of somebody who draws in a working copy, or watches it."""

    access: ClassVar[str] = "annotator"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room: rooms.Room | None = None
        self.staying: asyncio.Task[None] | None = None
        self.shown: dict[str, Any] = {}
        self.outgoing = Outgoing(self._send_frame, self._give_up)
        self.n_malformed, self.tokens, self.refilled_at, self.presence_at = 0, BUCKET, time.monotonic(), 0.0

    async def connect(self) -> None:
        """Take the window in where its person draws or watches here; everybody else learns nothing of what is here."""
        user = await owner_of(self.scope)
        if user is None:
            await self.close(code=SIGNED_OUT)
            return
        self.user = user
        self.assignment_id: uuid.UUID = self.scope["url_route"]["kwargs"]["assignment"]
        session = self.scope["session"]
        self.session_key, self.session_epoch = session.session_key, session.get(EPOCH_KEY)
        try:
            opened = await database_sync_to_async(_opened)(user, self.assignment_id)
            self.document, self.is_shared, self.is_watching, self.role = opened
        except NotFound:
            await self.close(code=NOT_YOURS)
            return
        if rooms.n_windows(self.document.pk, user) >= MOST_WINDOWS:
            await self.close(code=TOO_MUCH)
            return
        await self.accept()
        self.room = await rooms.enter(self, self.document.pk, self.document.head_seq)
        watch().add(self)
        await self.say(
            type="hello", head_seq=self.document.head_seq, epoch=self.document.epoch, is_shared=self.is_shared
        )
        if self.is_shared:
            await self.tell_presence({"is_new": True})
        if self.is_watching:
            self.staying = asyncio.get_running_loop().create_task(self._stay_seen())

    async def disconnect(self, code: int) -> None:
        """Let the window go, and its colleagues know."""
        await self.let_go()
        raise StopConsumer

    async def let_go(self) -> None:
        """Leave the room, and let colleagues know."""
        watch().drop(self)
        self.outgoing.end()
        if self.staying is not None:
            self.staying.cancel()
        room, self.room = self.room, None
        if room is not None:
            await rooms.leave(self, room)
            if self.is_shared:
                await room.tell_all(self._presence({"is_gone": True}))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Do what a message asks; what cannot be read is answered, and much of it ends the socket."""
        length = len(text_data or "")
        if bytes_data is not None or length > MOST_BYTES or (length > LARGE and not self._has_room_for(length / LARGE)):
            await self.close(code=TOO_MUCH)
            return
        message = _read(text_data or "")
        if message is None:
            self.n_malformed += 1
            if self.n_malformed > MOST_MALFORMED:
                await self.close(code=MALFORMED)
            else:
                await self.refuse(None, "malformed", "This message cannot be read. Nothing was stored.")
            return
        kind = message.get("type")
        if kind == "presence":
            # The watch closes within a second who was signed out; a place of a pointer is no more than a moment's.
            await self.take_presence(message)
        elif kind != "send" and await owner_of(self.scope) is None:
            await self.close(code=SIGNED_OUT)
        elif not self._has_room_for(1):
            await self.refuse(_ref(message), "slow-down", "This comes too fast. Your work is kept and sent again.", 429)
        elif self.is_watching and kind in ("send", "beat"):
            await self.refuse(_ref(message), "only-watching", "You watch here. Nothing was stored.", 403)
        elif kind == "send":
            await self.take_operations(message)
        elif kind == "pull":
            await self.answer_pull(message)
        elif kind == "beat":
            await self.answer_beat()
        else:
            await self.refuse(_ref(message), "kind-unknown", "There is no such message. Nothing was stored.")

    async def take_operations(self, message: Mapping[str, Any]) -> None:
        """Store operations and acknowledge them after the commit."""
        ref, sending = _ref(message), _sending(message, self.user)
        if sending is None:
            await self.refuse(ref, "malformed", "This sending cannot be read. Nothing was stored.")
            return
        try:
            session = (self.session_key, self.user.pk, self.session_epoch)
            answer = await writer().store(Post(self.document.pk, sending, session))
        except SessionEnded:
            await self.close(code=SIGNED_OUT)
            return
        except NotStored as trouble:
            await self.refuse(ref, trouble.code, str(trouble), trouble.status)
            return
        if isinstance(answer, log.Acknowledged):
            await self.say(type="stored", ref=ref, **log.acknowledgement(answer))
        elif isinstance(answer, DomainError):
            await self.refuse(ref, answer.code, str(answer), answer.status)
        else:
            code = "not-allowed" if isinstance(answer, NotAllowed) else "not-found"
            await self.refuse(ref, code, str(answer), 403 if code == "not-allowed" else 404)

    async def answer_pull(self, message: Mapping[str, Any]) -> None:
        """Send the log after a number, in parts."""
        after = message.get("after")
        if type(after) is not int or not 0 <= after < 2**53:
            await self.refuse(_ref(message), "malformed", "“after” is the number of an operation, from 0.")
            return
        acts, head_seq = await database_sync_to_async(_operations)(self.document, after)
        await self.send(text_data=rooms.operations_frame(acts, head_seq))

    async def answer_beat(self) -> None:
        """Count a sign of life, and say how far the log is: whoever missed a hint pulls then."""
        try:
            active_s, head_seq = await database_sync_to_async(_beaten)(self.document, self.user)
        except DomainError as refusal:
            await self.refuse(None, refusal.code, str(refusal), refusal.status)
            return
        except (NotFound, NotAllowed):
            await self.close(code=NOT_YOURS)
            return
        await self.say(type="beat", active_s=round(active_s, 1), head_seq=head_seq)

    async def take_presence(self, message: Mapping[str, Any]) -> None:
        """Pass on where the person is, where anybody else may be there."""
        now = time.monotonic()
        if not self.is_shared or now - self.presence_at < PRESENCE_EVERY_S:
            return
        self.presence_at = now
        self.shown = presence_of(message.get("state"))
        await self.tell_presence(self.shown)

    async def tell_presence(self, state: Mapping[str, Any]) -> None:
        """Tell the other windows of this document, stamped with who it is."""
        if self.room is not None:
            await self.room.tell_all(self._presence(state))

    async def _stay_seen(self) -> None:
        """Say now and then that somebody watches: nobody does so unseen, whatever their browser sends."""
        while True:
            await asyncio.sleep(SEEN_EVERY_S)
            await self.tell_presence(self.shown)

    def _presence(self, state: Mapping[str, Any]) -> dict[str, Any]:
        who: dict[str, Any] = {"id": str(self.user.public_id), "name": str(self.user), "window": self.window}
        who |= {"role": self.role} if self.role else {}
        who |= {"is_watching": True} if self.is_watching else {}
        frame = orjson.dumps({"type": "presence", "who": who, "state": dict(state)}).decode()
        return {"type": "presence", "frame": frame, "from": self.window}

    @property
    def window(self) -> str:
        """An id of this window, new with each connection."""
        return str(self.channel_name).rsplit("!", 1)[-1]

    async def pass_on(self, frame: str) -> None:
        """Send a frame that the room encoded, after those that wait."""
        self.outgoing.put(frame)

    async def pass_on_presence(self, frame: str, sender: str) -> None:
        """Send a colleague's presence."""
        if sender != self.window:
            self.outgoing.put(frame, may_drop=True)

    async def _send_frame(self, frame: str) -> None:
        await self.send(text_data=frame)

    async def _give_up(self) -> None:
        await self.close(code=TOO_MUCH)

    async def look_again(self) -> None:
        """Tell the browser why nothing more can be drawn, where that is so."""
        refusal = await database_sync_to_async(documents.refusal_now)(self.document)
        if refusal is not None:
            told = _refusal(None, refusal.code, str(refusal), refusal.status)
            self.outgoing.put(orjson.dumps(told).decode())

    async def turn_out(self, code: int) -> None:
        """Close: the session ended, or the person draws here no more."""
        await self.close(code=code)

    async def say(self, **message: Any) -> None:
        """Send one message."""
        await self.send(text_data=orjson.dumps(message).decode())

    async def refuse(self, ref: int | None, code: str, sentence: str, status: int = 400) -> None:
        """Say what cannot be done, and why."""
        await self.say(**_refusal(ref, code, sentence, status))

    def _has_room_for(self, cost: float) -> bool:
        now = time.monotonic()
        self.tokens = min(BUCKET, self.tokens + (now - self.refilled_at) * REFILL_PER_S)
        self.refilled_at = now
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


def _refusal(ref: int | None, code: str, sentence: str, status: int) -> dict[str, Any]:
    return {"type": "refused", "ref": ref, "code": code, "detail": sentence, "status": status}


def _opened(user: User, assignment_id: uuid.UUID) -> tuple[Document, bool, bool, str]:
    work, is_watching = seen_by(user, assignment_id)
    role = role_in(user, work.item.project) or ""
    # What an annotator is called goes without saying; who reviews is named as such.
    shown = "" if role == Role.ANNOTATOR else role
    return documents.document_of(assignment=work), lies_in_shared_batch(work.item), is_watching, shown


def _operations(document: Document, after: int) -> tuple[list[Any], int]:
    head_seq = documents.head_of(document)
    return history.operations_after(document, after), head_seq


def _beaten(document: Document, user: User) -> tuple[float, int]:
    active_s = documents.beat(document=document, author=user)
    return active_s, documents.head_of(document)


def _read(text: str) -> dict[str, Any] | None:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def _ref(message: Mapping[str, Any]) -> int | None:
    ref = message.get("ref")
    return ref if type(ref) is int and 0 <= ref < 2**53 else None


def _sending(message: Mapping[str, Any], author: User) -> log.Sending | None:
    operations, client_id = message.get("operations"), log.client_id_of(message.get("client_id"))
    epoch, fence = message.get("epoch"), message.get("fence")
    if client_id is None or not isinstance(operations, list) or type(epoch) is not int or type(fence) is not int:
        return None
    person = message.get("person")
    return log.Sending(author, client_id, operations, epoch, fence, person if isinstance(person, str) else None)
