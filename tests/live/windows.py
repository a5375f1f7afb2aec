"""One window's socket as a browser opens it, and what it sends."""

from __future__ import annotations

import json
import uuid
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.test import Client

from labelhub.config.asgi import application

# A busy machine is slow, and slow is no failure; what never comes is one.
PATIENCE_S = 60
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]


class Socket(ApplicationCommunicator):
    """One window's socket, as a browser opens it."""

    async def opened(self) -> bool:
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output(timeout=PATIENCE_S))["type"] == "websocket.accept"

    async def heard(self, kind: str = "") -> dict[str, Any]:
        """The next message, or the next of a kind."""
        while True:
            output = await self.receive_output(timeout=PATIENCE_S)
            if output["type"] == "websocket.close":
                return {"type": "closed", "code": output["code"]}
            message = json.loads(output["text"])
            if kind in ("", message["type"]):
                return message

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=PATIENCE_S)

    async def say(self, **message: Any) -> None:
        await self.send_input({"type": "websocket.receive", "text": json.dumps(message)})


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    client.get("/account/notifications/count/")
    return client


def socket(client: Client, work: Any, origin: bytes = b"http://127.0.0.1:8000") -> Socket:
    """A window of a working copy."""
    return Socket(application, scope_of(client, f"/ws/documents/{work}/", origin))


def notifications(client: Client, origin: bytes = b"http://127.0.0.1:8000") -> Socket:
    """A window that hears of notifications."""
    return Socket(application, scope_of(client, "/ws/notifications/", origin))


def scope_of(client: Client, path: str, origin: bytes = b"http://127.0.0.1:8000") -> dict[str, Any]:
    """What the server says of a socket that a browser opens."""
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {
        "type": "websocket", "path": path, "query_string": b"", "subprotocols": [],
        "headers": [(b"cookie", cookie.encode()), (b"origin", origin), (b"host", b"127.0.0.1:8000")],
    }  # fmt: skip


def sending(ref: int, shape_id: str, client_id: str, number: int = 1, **rest: Any) -> dict[str, Any]:
    payload = {
        "shape_id": shape_id, "medium": 0, "label": "nucleus", "regions": [{"kind": "polygon", "points": SQUARE}],
    }  # fmt: skip
    operation = {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": "shape.add", "payload": payload}
    return {
        "type": "send",
        "ref": ref,
        "client_id": client_id,
        "epoch": 1,
        "fence": 1,
        "operations": [operation],
    } | rest


async def opened(client: Client, work: Any) -> Socket:
    window = socket(client, work)
    assert await window.opened()
    assert (await window.heard())["type"] == "hello"
    return window
