"""The socket of a working copy: acknowledged after the commit, pulled by all who are there, closed to everybody else.

Planted once and seen to fail: acknowledged before the commit; presence in a solo batch; a name that the client gives; the epoch
not compared; a window left open to who lost their seat; a message not counted. Sessions that end: ``test_who_may_speak``.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from labelhub.accounts.services import end_sessions
from labelhub.annotations import documents
from labelhub.annotations.models import Document, Operation
from labelhub.config.asgi import application
from labelhub.live import documents as socket_module
from labelhub.live import rooms
from labelhub.live import writer as writer_module
from labelhub.live.watch import watch
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle, together
from tests.cast import Cast
from tests.live.windows import PATIENCE_S, Socket, client_of, opened, scope_of, sending, socket
from tests.workflow.walking import add_item, set_policy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:No directory at")]


def test_what_one_draws_is_acknowledged_after_the_commit_and_reaches_the_other(cast: Cast, work):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        await ann.say(**sending(1, "a", str(uuid.uuid4())))
        answer = await ann.heard("stored")
        assert (answer["ref"], answer["head_seq"], answer["next_client_seq"]) == (1, 1, 2)
        assert await database_sync_to_async(Operation.objects.count)() == 1
        for window in (ann, ben):
            news = await window.heard("operations")
            assert [act["seq"] for act in news["operations"]] == [1]
            assert news["operations"][0]["author"] == str(cast.ann.public_id)
        await ben.say(type="pull", after=0)
        assert (await ben.heard("operations"))["head_seq"] == 1
        await ben.say(type="beat")
        assert (await ben.heard("beat"))["head_seq"] == 1
        await ann.disconnect()
        await ben.disconnect()

    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())


@pytest.mark.parametrize("place", ["documents", "notifications"])
def test_a_window_that_is_gone_before_the_first_word_holds_nothing(cast: Cast, work, place):
    """The browser may be killed between the handshake and the greeting: what sends to it fails."""

    async def play() -> None:
        async def without_a_reader(scope: Any, receive: Any, send: Any) -> None:
            async def sent(message: Any) -> None:
                if message["type"] == "websocket.send":
                    raise RuntimeError("nobody is there")
                await send(message)

            await application(scope, receive, sent)

        path = f"/ws/documents/{work.pk}/" if place == "documents" else "/ws/notifications/"
        gone = Socket(without_a_reader, scope_of(client, path, b"http://127.0.0.1:8000"))
        assert await gone.opened()
        with pytest.raises(RuntimeError, match="nobody is there"):
            await gone.wait(timeout=PATIENCE_S)
        document = await database_sync_to_async(documents.document_of)(assignment=work)
        assert rooms.n_windows(document.pk, cast.ann) == 0
        assert not watch().sockets

    client = client_of(cast.ann)
    asyncio.run(play())


def test_a_commit_that_fails_acknowledges_nothing(cast: Cast, work, monkeypatch):
    def broken(batch: Any) -> Any:
        message = "the disk is full"
        raise OSError(message)

    async def play() -> None:
        ann = await opened(client, work.pk)
        await ann.say(**sending(4, "a", str(uuid.uuid4())))
        answer = await ann.heard()
        assert (answer["type"], answer["ref"], answer["code"]) == ("refused", 4, "not-stored")
        await ann.disconnect()

    monkeypatch.setattr(writer_module, "store_together", broken)
    client = client_of(cast.ann)
    asyncio.run(play())


def test_many_at_one_moment_are_one_transaction_and_lose_nothing(cast: Cast, work, monkeypatch):
    groups: list[int] = []
    store = writer_module.store_together

    def counting(batch: Any) -> Any:
        groups.append(len(batch))
        return store(batch)

    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        for number in range(1, 21):
            await ann.say(**sending(number, f"a{number}", ids[0], number))
            await ben.say(**sending(number, f"b{number}", ids[1], number))
        for window in (ann, ben):
            refs = [(await window.heard("stored"))["ref"] for _ in range(20)]
            assert refs == list(range(1, 21))
        await ann.disconnect()
        await ben.disconnect()

    monkeypatch.setattr(writer_module, "store_together", counting)
    ids = [str(uuid.uuid4()), str(uuid.uuid4())]
    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())
    assert list(Operation.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, 41))
    assert sum(groups) == 40
    assert len(groups) < 40


def test_old_epochs_gaps_replays_and_forgeries_are_refused_and_the_rest_stays(cast: Cast, work):
    async def play() -> None:
        ann = await opened(client, work.pk)
        mine = str(uuid.uuid4())
        first = sending(1, "a", mine)
        await ann.say(**first)
        assert (await ann.heard("stored"))["head_seq"] == 1
        await ann.say(**first | {"ref": 2})
        again = await ann.heard("stored")
        assert (again["ref"], again["acknowledged"][0]["seq"], again["head_seq"]) == (2, 1, 1)
        await ann.say(**sending(3, "b", mine, 7))
        assert (await ann.heard("stored"))["refused"]["code"] == "sequence-gap"
        for ref, changed, code in (
            (4, {"epoch": 9}, "stale-epoch"), (5, {"fence": 9}, "lease-ended"), (6, {"client_id": "x"}, "malformed"),
            (7, {"operations": "x"}, "malformed"), (8, {"epoch": "1"}, "malformed"),
        ):  # fmt: skip
            await ann.say(**sending(ref, "c", mine, 2) | changed)
            answer = await ann.heard("refused")
            assert (answer["ref"], answer["code"]) == (ref, code)
            assert answer["detail"]
        forged = sending(9, "d", mine, 2)
        forged["operations"][0]["author"] = str(cast.ben.public_id)
        await ann.say(**forged)
        assert (await ann.heard("stored"))["refused"] is None
        await ann.say(type="dance", ref=10)
        assert (await ann.heard("refused"))["code"] == "kind-unknown"
        await ann.disconnect()

    client = client_of(cast.ann)
    asyncio.run(play())
    assert list(Operation.objects.order_by("seq").values_list("author", flat=True)) == [cast.ann.pk, cast.ann.pk]


def test_strangers_foreign_pages_and_noise_are_turned_away(cast: Cast, work, monkeypatch):
    async def play() -> None:
        assert not await socket(Client(), work.pk).opened()
        assert not await socket(clients[0], work.pk).opened()
        assert not await socket(clients[1], uuid.uuid4()).opened()
        assert not await socket(clients[1], work.pk, origin=b"https://evil.example").opened()
        noisy = await opened(clients[1], work.pk)
        for text in ("{", "[]", "NaN", '"x"', '{"a":' * 3000):
            await noisy.send_input({"type": "websocket.receive", "text": text})
            assert (await noisy.heard("refused"))["code"] == "malformed"
        for _ in range(socket_module.MOST_MALFORMED):
            await noisy.send_input({"type": "websocket.receive", "text": "{"})
        while (heard := await noisy.heard())["type"] == "refused":
            pass
        assert heard == {"type": "closed", "code": 4400}
        large = await opened(clients[1], work.pk)
        await large.send_input({"type": "websocket.receive", "text": "x" * (socket_module.MOST_BYTES + 1)})
        assert await large.heard() == {"type": "closed", "code": 4429}

    clients = client_of(cast.otto), client_of(cast.ann)
    asyncio.run(play())


def test_what_comes_too_fast_is_put_off_not_lost(cast: Cast, work, monkeypatch):
    async def play() -> None:
        ann = await opened(client, work.pk)
        mine = str(uuid.uuid4())
        for number in range(1, 5):
            await ann.say(**sending(number, f"a{number}", mine, number))
        for ref in (3, 4):
            put_off = await ann.heard("refused")
            assert (put_off["ref"], put_off["code"], put_off["status"]) == (ref, "slow-down", 429)
        await ann.disconnect()

    monkeypatch.setattr(socket_module, "BUCKET", 2.0)
    monkeypatch.setattr(socket_module, "REFILL_PER_S", 0.0)
    client = client_of(cast.ann)
    asyncio.run(play())


def test_presence_is_stamped_by_the_server_and_written_anew(cast: Cast, work):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        assert (await ann.heard("presence"))["state"] == {"is_new": True}
        cursor = {"medium": 0, "plane": "axial", "index": 0, "x": 3.5, "y": 4}
        state = {"cursor": cursor, "tool": "brush", "name": "Rita", "who": {"id": "x"}, "ghost": {"kind": "polygon"}}
        await ben.say(type="presence", state=state, who={"id": "forged"})
        heard = await ann.heard("presence")
        assert heard["who"]["id"] == str(cast.ben.public_id)
        assert heard["who"]["name"] == "Ben"
        assert heard["state"] == {"cursor": cursor, "tool": "brush"}
        await ben.disconnect()
        assert (await ann.heard("presence"))["state"] == {"is_gone": True}
        await ann.disconnect()

    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())


def test_nothing_of_presence_travels_where_images_are_read_alone(cast: Cast):
    set_policy(cast, readers=2)
    add_item(cast.project)
    work = lifecycle.hand_out(labeler=labeler_of(cast.ann, cast.project))
    assert work is not None

    async def play() -> None:
        one, two = await opened(client, work.pk), await opened(client, work.pk)
        await one.say(type="presence", state={"tool": "brush"})
        assert await two.receive_nothing(timeout=0.3)
        await one.disconnect()
        await two.disconnect()

    client = client_of(cast.ann)
    asyncio.run(play())


@pytest.mark.parametrize("how", ["signed out", "seat given back"])
def test_who_may_no_longer_is_closed_out_at_the_next_look_without_a_word(cast: Cast, work, how: str):
    async def play() -> None:
        ben = await opened(client, work.pk)
        if how == "signed out":
            await database_sync_to_async(end_sessions)(user=cast.ben, actor="test", reason="test")
        else:
            await database_sync_to_async(together.leave)(assignment=work, by=cast.ben)
        assert (await ben.heard("closed"))["code"] == (4401 if how == "signed out" else 4404)

    client = client_of(cast.ben)
    asyncio.run(play())


def test_a_submit_tells_all_who_are_there_that_nothing_more_is_taken(cast: Cast, work):
    async def play() -> None:
        ann, ben = await opened(clients[0], work.pk), await opened(clients[1], work.pk)
        await ben.say(**sending(1, "a", str(uuid.uuid4())))
        await ben.heard("stored")
        await database_sync_to_async(lifecycle.submit)(assignment=work, by=cast.ann, request_id=uuid.uuid4())
        assert (await ben.heard("refused"))["code"] == "assignment-closed"
        await ben.say(**sending(2, "b", str(uuid.uuid4())))
        assert (await ben.heard("refused"))["ref"] == 2
        await ann.disconnect()
        await ben.disconnect()

    clients = client_of(cast.ann), client_of(cast.ben)
    asyncio.run(play())
    assert Document.objects.get(pk=documents.document_of(assignment=work).pk).head_seq == 1
