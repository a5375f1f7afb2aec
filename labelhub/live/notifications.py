"""The socket of notifications: says "there is something new" and nothing of what. The page then asks over HTTP.

A message may be lost; pages ask by themselves now and then. Who signed out, was disabled or lost a role is closed out by the
watch within two seconds, and at any message before.
"""

from __future__ import annotations

from typing import Any, ClassVar

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from labelhub.accounts import hinting
from labelhub.accounts.middleware import EPOCH_KEY
from labelhub.accounts.models import User
from labelhub.accounts.notifications import group_of
from labelhub.live.letting_go import LetsGo
from labelhub.live.sessions import SIGNED_OUT, TOO_MUCH, owner_of
from labelhub.live.watch import watch

# A client beats every 30 seconds; one that sends much more is cut off.
MOST_BYTES, MOST_MESSAGES = 256, 2000


class NotificationConsumer(LetsGo, AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """One window of somebody who is signed in."""

    access: ClassVar[str] = "signed-in"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group, self.n_heard = "", 0

    async def connect(self) -> None:
        """Take the window in where its owner is signed in."""
        user = await self.owner()
        if user is None:
            await self.close(code=SIGNED_OUT)
            return
        self.user, self.assignment_id = user, None
        session = self.scope["session"]
        self.session_key, self.session_epoch = session.session_key, session.get(EPOCH_KEY)
        self.group = group_of(user.pk)
        # Where hints do not travel, the page asks by itself.
        await hinting.hear(self.group, self.channel_name)
        await self.accept()
        watch().add(self)
        await self.send_json({"type": "hello"})

    async def disconnect(self, code: int) -> None:
        """Let the window go."""
        await self.let_go()

    async def let_go(self) -> None:
        """Hear no more hints."""
        watch().drop(self)
        group, self.group = self.group, ""
        if group:
            await hinting.leave(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """Answer a heartbeat; anything else is answered by nothing, and much of it by closing."""
        self.n_heard += 1
        if bytes_data is not None or len(text_data or "") > MOST_BYTES or self.n_heard > MOST_MESSAGES:
            await self.close(code=TOO_MUCH)
        elif await self.owner() is None:
            await self.close(code=SIGNED_OUT)
        else:
            await self.send_json({"type": "beat"})

    async def turn_out(self, code: int) -> None:
        """Close: the session ended."""
        await self.close(code=code)

    async def notifications_changed(self, event: dict[str, Any]) -> None:
        """Pass a hint on, to nobody who has been signed out since."""
        if await self.owner() is None:
            await self.close(code=SIGNED_OUT)
        else:
            await self.send_json({"type": "changed"})

    async def owner(self) -> User | None:
        """Return who the session belongs to now; None where it ended."""
        return await owner_of(self.scope)
