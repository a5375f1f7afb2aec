"""What no page sends, over the socket: answered by a code and a sentence, and others there are not slowed or closed (S6, S7).

Planted once and seen to fail: lists where words are expected; a room that waits for a window that does not read; large messages
that cost nothing; presence that is passed on as it came, or without end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from typing import Any

import orjson
import pytest

from labelhub.annotations.models import Operation
from labelhub.config.asgi import application
from labelhub.config.soak.hostile import invalid
from labelhub.live import documents as socket_module
from labelhub.live import outgoing
from tests.cast import Cast
from tests.live.windows import Socket, client_of, opened, scope_of, sending

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
STROKE = {
    "stroke_id": "s", "medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "add", "tip": "round", "radius": 8,
    "points": [40, 40],
}  # fmt: skip
SHAPE = {
    "shape_id": "h",
    "medium": 0,
    "label": "nucleus",
    "regions": [{"kind": "polygon", "points": [[1, 1], [9, 1], [9, 9]]}],
}
# As they would stand in the text of a message.
DEEP = "[" * 1010 + "]" * 1010
VALUES = [
    "null", "true", "-1", "1e999", "1e308", "NaN", "Infinity", "9" * 400, "9" * 5000, "18446744073709551616", "[]", "{}", '""',
    '"\\u0000"', '"\\ud800"', '"' + "x" * 70_000 + '"', DEEP, "[[[]]]", '[["add"]]', '{"a":[null]}', "[" * 100_000, "1.5",
]  # fmt: skip


def frames() -> list[tuple[str, str]]:
    """Every field of a stroke, a shape and a sending with every value."""
    found = []
    for kind, payload in (("stroke.add", STROKE), ("shape.add", SHAPE)):
        for name in payload:
            for value in VALUES:
                spoiled = json.dumps({"kind": kind, "payload": payload | {name: "@"}})[1:-1].replace('"@"', value)
                operation = f'{{"op_id": "{uuid.uuid4()}", "client_seq": 1, {spoiled}}}'
                found.append((f"{kind} {name} {value[:20]}", operation))
    for name in ("op_id", "client_seq", "kind", "payload"):
        for value in VALUES:
            sound = {"op_id": str(uuid.uuid4()), "client_seq": 1, "kind": "stroke.add", "payload": STROKE}
            found.append((f"{name} {value[:20]}", json.dumps(sound | {name: "@"}).replace('"@"', value)))
    return found


def test_every_hostile_operation_is_answered_and_the_rest_is_untouched(cast: Cast, work, monkeypatch, caplog):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        await ann.say(**sending(1, "a", anns))
        await ann.heard("stored")
        for told, operation in frames():
            head = f'{{"type": "send", "ref": 5, "client_id": "{uuid.uuid4()}", "epoch": 1, "fence": 1'
            await ben.send_input({"type": "websocket.receive", "text": f'{head}, "operations": [{operation}]}}'})
            answer = await ben.heard("refused" if not readable(operation) else "stored")
            refused = answer if answer["type"] == "refused" else answer["refused"]
            # What a field leaves out or says otherwise may be right: then it is stored.
            assert refused is None or (refused["code"] not in ("", "not-stored") and refused["detail"].endswith(".")), (
                told
            )
        await ann.say(**sending(2, "b", anns, 2))
        assert (await ann.heard("stored"))["refused"] is None
        for window in (ann, ben):
            await window.disconnect()

    anns = str(uuid.uuid4())
    monkeypatch.setattr(socket_module, "MOST_MALFORMED", 10_000)
    monkeypatch.setattr(socket_module, "BUCKET", 1e9)
    monkeypatch.setattr(socket_module, "REFILL_PER_S", 1e9)
    clients = client_of(cast.ann), client_of(cast.ben)
    with caplog.at_level(logging.ERROR):
        asyncio.run(play())
    assert not caplog.records
    kept = Operation.objects.filter(author=cast.ann).order_by("seq")
    assert [row.payload["shape_id"] for row in kept] == ["a", "b"]
    assert not [row for row in Operation.objects.all() if invalid(row.payload)]


def readable(operation: str) -> bool:
    """Whether a strict reader of JSON takes it."""
    try:
        orjson.loads(operation)
    except orjson.JSONDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '"x"', "NaN", '{"type": NaN}', '{"type": "send", "ref": 1e999}', "\ud800", "[" * 100_000,
     '{"type": "send", "ref": {}, "operations": 7}', '{"type": ["send"]}', '{"type": "pull", "after": -1}',
     '{"type": "pull", "after": 1e400}', '{"type": "pull", "after": 99999999999999999999}', '{"type": "pull", "after": "0"}',
     '{"type": "send", "client_id": "\\u0000", "epoch": 1, "fence": 1, "operations": []}',
     '{"type": "send", "client_id": "x", "epoch": 99999999999999999999, "fence": -1, "operations": [[]]}'],
)  # fmt: skip
def test_what_cannot_be_read_is_said_so_and_the_socket_goes_on(cast: Cast, work, text: str):
    async def play() -> None:
        ann = await opened(client, work.pk)
        await ann.send_input({"type": "websocket.receive", "text": text})
        refused = await ann.heard()
        assert refused["type"] == "refused"
        assert refused["code"] in ("malformed", "kind-unknown")
        assert refused["detail"].endswith(".")
        await ann.say(type="beat")
        assert (await ann.heard("beat"))["head_seq"] == 0
        await ann.disconnect()

    client = client_of(cast.ann)
    asyncio.run(play())


ODD_STATES: list[Any] = [
    None, [], "x", 7, {"cursor": [1, 2]}, {"cursor": {"medium": 0, "x": 1e308, "y": 0}},
    {"cursor": {"medium": True, "x": 1, "y": 1}},
    {"tool": "x" * 65}, {"tool": "<b>"}, {"label": ["a"]}, {"holds": {"a": 1}},
    {"ghost": {"kind": "box", "points": [[1, 2]] * 401}},
    {"ghost": {"kind": ["box"], "points": [[1, 2]]}}, {"ghost": {"kind": "box", "points": [[1, "2"]]}}, {"away": "yes"},
    {"is_gone": True, "is_new": True}, {"view": {"medium": 0, "x0": 1}},
    {"name": "Ann", "who": {"id": "x"}, "window": "y"},
]  # fmt: skip


def test_odd_presence_is_left_out_and_neither_slows_nor_closes_a_colleague(cast: Cast, work, monkeypatch):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        await ann.heard("presence")
        for state in ODD_STATES:
            await ben.say(type="presence", state=state)
            assert (await ann.heard("presence"))["state"] == {}, state
        monkeypatch.setattr(socket_module, "PRESENCE_EVERY_S", 0.04)
        for _ in range(2000):
            await ben.say(type="presence", state={"tool": "brush"})
        began = asyncio.get_running_loop().time()
        await ann.say(**sending(1, "a", str(uuid.uuid4())))
        n_heard = 0
        while (heard := await ann.heard())["type"] != "stored":
            n_heard += heard["type"] == "presence"
        took = asyncio.get_running_loop().time() - began
        # At most what passes in that time at one each 40 ms, however many were sent.
        assert n_heard <= 2 + took / 0.04
        await ben.say(type="presence", state={"tool": "x" * (socket_module.MOST_BYTES + 1)})
        while (heard := await ben.heard())["type"] != "closed":
            pass
        assert heard["code"] == 4429
        await ann.say(type="beat")
        await ann.heard("beat")
        await ann.disconnect()

    monkeypatch.setattr(socket_module, "PRESENCE_EVERY_S", 0.0)
    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())


def test_many_large_messages_end_the_socket_that_sends_them(cast: Cast, work, monkeypatch):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        for _ in range(30):
            await ben.say(type="presence", state={"tool": "x" * 900_000})
        while (heard := await ben.heard())["type"] != "closed":
            pass
        assert heard["code"] == 4429
        await ann.say(type="beat")
        await ann.heard("beat")
        await ann.disconnect()

    monkeypatch.setattr(socket_module, "REFILL_PER_S", 0.0)
    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())


def stuck(client: Any, work: Any) -> tuple[Socket, asyncio.Event]:
    """A window whose browser stops reading after its greeting: what is sent to it never gets through."""
    stops = asyncio.Event()

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        async def through(message: Any) -> None:
            if stops.is_set() and message["type"] == "websocket.send":
                await asyncio.sleep(3600)
            await send(message)

        await application(scope, receive, through)

    return Socket(slowly, scope_of(client, f"/ws/documents/{work}/")), stops


def test_a_window_that_does_not_read_holds_up_nobody_and_is_given_up(cast: Cast, work, monkeypatch):
    async def play() -> None:
        ann = await opened(clients[0], work.pk)
        ben, stops = stuck(clients[1], work.pk)
        assert await ben.opened()
        await ben.heard("hello")
        stops.set()
        for number in range(1, 31):
            await ann.say(**sending(number, f"a{number}", anns, number))
            assert (await ann.heard("stored"))["head_seq"] == number
        assert (await ben.heard()) == {"type": "closed", "code": 4429}
        await ann.disconnect()

    anns = str(uuid.uuid4())
    monkeypatch.setattr(outgoing, "MOST_BYTES", 4000)
    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())
    assert Operation.objects.count() == 30


def test_one_person_opens_only_so_many_windows_of_one_image(cast: Cast, work):
    async def play() -> None:
        anns = [await opened(clients[0], work.pk) for _ in range(socket_module.MOST_WINDOWS)]
        one_more = Socket(application, scope_of(clients[0], f"/ws/documents/{work.pk}/"))
        assert not await one_more.opened()
        ben = await opened(clients[1], work.pk)
        await anns.pop().disconnect()
        again = await opened(clients[0], work.pk)
        for window in (*anns, ben, again):
            await window.disconnect()

    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())
