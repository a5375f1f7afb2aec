"""Who may speak over a socket: pages of this server, people whose session stands, each only under their own name (S3 to S5).

Planted once and seen to fail: an origin of another port or scheme let in; the session not asked at a sending, or at any other
message; who was disabled or signed out left open; a notification socket that nobody watches; the author taken from the frame.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from labelhub.accounts.models import User
from labelhub.accounts.passwords import set_password
from labelhub.annotations.models import Operation
from labelhub.live import watch as watch_module
from labelhub.projects.models import Role
from labelhub.projects.services import add_member, remove_member
from tests.cast import Cast
from tests.live.windows import Socket, client_of, notifications, opened, sending, socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]
OWN = b"http://127.0.0.1:8000"
PLACES = [
    "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8001", "127.0.0.1:80000", "127.0.0.1:8000:8000", "127.0.0.1:", "127.0.0.1:8000/",
    "127.0.0.1:8000/label/", "127.0.0.1:8000?x", "127.0.0.1:8000#x", "127.0.0.1:8000@evil.example",
    "127.0.0.1:8000.evil.example",
    "evil.example@127.0.0.1:8000", "user:word@127.0.0.1:8000", "127.0.0.1.evil.example:8000", "evil-127.0.0.1:8000",
    "localhost:8000", "localhost", "[::1]:8000", "127.1:8000", "2130706433:8000", "0x7f000001:8000", "0177.0.0.1:8000",
    "127.0.0.2:8000", "0.0.0.0:8000", "evil.example", "evil.example:8000", "sub.127.0.0.1:8000", ".127.0.0.1:8000", "*",
    "*:8000", "127.0.0.1:8000 ", " 127.0.0.1:8000", "127.0.0.1:8000\t", "127.0.0.1:8000, http://evil.example",
    "127.0.0.1:8000 http://evil.example", "127.0.0.1:8000\x00", "127.0.0.1\\@evil.example", "127.0.0.1%3a8000", "",
]  # fmt: skip
SCHEMES = [
    "file:///127.0.0.1:8000", "ws://127.0.0.1:8000", "ftp://127.0.0.1:8000", "data:127.0.0.1:8000", "blob:http://127.0.0.1:8000",
    "chrome-extension://127.0.0.1:8000", "javascript://127.0.0.1:8000", "//127.0.0.1:8000", "127.0.0.1:8000", "null", "",
    "http:",
    "http:/127.0.0.1:8000", "http:127.0.0.1:8000", "http:///127.0.0.1:8000", "xhttp://127.0.0.1:8000", " http://127.0.0.1:8000",
]  # fmt: skip
VARIANTS: list[list[bytes]] = [
    [],
    [OWN, b"http://evil.example"],
    [OWN, OWN],
    ["http://１２７.0.0.1:8000".encode()],
    [b"http://127.0.0.1:8000" + b"a" * 5000],
    *[[f"http://{place}".encode()] for place in PLACES],
    *[[origin.encode()] for origin in SCHEMES],
]


def test_no_page_but_our_own_opens_a_socket(cast: Cast, work):
    async def play() -> list[tuple[bytes, ...]]:
        let_in = []
        for make in (lambda: socket(client, work.pk), lambda: notifications(client)):
            for origins in VARIANTS:
                window = make()
                kept = [(name, value) for name, value in window.scope["headers"] if name != b"origin"]
                window.scope["headers"] = [*kept, *((b"origin", origin) for origin in origins)]
                if await window.opened():
                    let_in.append(tuple(origins))
            own = make()
            assert await own.opened()
            await own.disconnect()
        return let_in

    client = client_of(cast.ann)
    assert len(VARIANTS) >= 50
    assert asyncio.run(play()) == []


def test_a_page_that_the_settings_trust_may(cast: Cast, work, settings):
    async def play() -> bool:
        return await socket(client, work.pk, b"https://labels.example").opened()

    client = client_of(cast.ann)
    assert not asyncio.run(play())
    settings.CSRF_TRUSTED_ORIGINS = ["https://labels.example"]
    assert asyncio.run(play())


def sign_out(cast: Cast, client: Client) -> None:
    client.post("/account/sign-out/")


def disable(cast: Cast, client: Client) -> None:
    User.objects.filter(pk=cast.ben.pk).update(is_active=False)


def remove(cast: Cast, client: Client) -> None:
    remove_member(project=cast.project, user=cast.ben, actor="test")


def change_role(cast: Cast, client: Client) -> None:
    add_member(project=cast.project, user=cast.ben, role=Role.REVIEWER, actor="test")


def change_password(cast: Cast, client: Client) -> None:
    set_password(user=cast.ben, password="a long word nobody guesses")


ENDS = [sign_out, disable, remove, change_role, change_password]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_no_message_is_taken_after_the_session_ended(cast: Cast, work, monkeypatch, end: Any):
    async def play() -> None:
        windows = [await opened(client, work.pk) for _ in range(3)]
        bell = notifications(client)
        assert await bell.opened()
        await bell.heard("hello")
        await database_sync_to_async(end)(cast, client)
        await windows[0].say(**sending(1, "late", str(uuid.uuid4())))
        await windows[1].say(type="pull", after=0)
        await windows[2].say(type="beat")
        await bell.say(type="beat")
        for window in (*windows, bell):
            assert await ended(window) == 4401

    # The watch looks in an hour: the messages themselves must ask.
    monkeypatch.setattr(watch_module, "EVERY_S", 3600.0)
    client = client_of(cast.ben)
    asyncio.run(play())
    assert not Operation.objects.exists()


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_every_socket_is_closed_at_the_next_look_without_a_word(cast: Cast, work, end: Any):
    async def play() -> None:
        window, bell = await opened(client, work.pk), notifications(client)
        assert await bell.opened()
        await database_sync_to_async(end)(cast, client)
        assert [await ended(one) for one in (window, bell)] == [4401, 4401]

    # Looking once a second closes within two.
    assert watch_module.EVERY_S <= 1
    client = client_of(cast.ben)
    asyncio.run(play())


async def ended(window: Socket) -> int:
    """The code with which it was closed; what else comes before is no answer to a message."""
    while (heard := await window.heard())["type"] != "closed":
        assert heard["type"] in ("hello", "presence"), heard
    return int(heard["code"])


def test_a_colleague_speaks_only_in_their_own_name(cast: Cast, work):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        await ann.say(**first)
        await ann.heard("stored")
        forgeries: list[tuple[dict[str, Any], str]] = [
            (first, "client-taken"),
            (first | {"client_id": bens}, "replayed"),
            (first | {"client_id": bens, "operations": [mine | {"payload": {"shape_id": "a"}}]}, "replayed"),
            (sending(0, "b", anns, 2), "client-taken"),
            (signed, "own"),
            (sending(0, "c", bens, 3), "sequence-gap"),
            (sending(0, "a", bens, 2), "shape-exists"),
            (sending(0, "f", bens, 2, person=str(cast.ann.public_id)), "signed-out"),
            (sending(0, "f", str(uuid.uuid4()), person=str(cast.ann.public_id)), "signed-out"),
            (sending(0, "d", str(uuid.uuid4()), 1, document_id=str(uuid.uuid4()), session="x"), "own"),
        ]
        for frame, wanted in forgeries:
            await ben.say(**frame)
            answer = await ben.heard("refused" if wanted in ("client-taken", "signed-out") else "stored")
            code = answer.get("code") or (answer["refused"] or {}).get("code")
            assert code == (None if wanted in ("own", "replayed") else wanted)
        await ann.say(**sending(9, "e", anns, 2))
        assert (await ann.heard("stored"))["refused"] is None
        for window in (ann, ben):
            await window.disconnect()

    anns, bens = str(uuid.uuid4()), str(uuid.uuid4())
    first = sending(1, "a", anns)
    mine = first["operations"][0]
    names = {"author": str(cast.ann.public_id), "author_id": cast.ann.pk, "user": cast.ann.pk}
    signed = sending(0, "b", bens, 1) | names
    signed["operations"][0] |= names
    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())
    rows = Operation.objects.order_by("seq").values_list("author", "payload__shape_id")
    assert list(rows) == [(cast.ann.pk, "a"), (cast.ben.pk, "b"), (cast.ben.pk, "d"), (cast.ann.pk, "e")]
    kept = Operation.objects.get(seq=1)
    assert (str(kept.op_id), str(kept.client_id)) == (mine["op_id"], anns)
    assert kept.payload["regions"] == mine["payload"]["regions"]
