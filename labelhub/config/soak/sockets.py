"""R1 over real sockets: five windows draw in one working copy, connections break, and the server is killed with SIGKILL.

The windows and the judgement are those of ``coedits``; here what is sent travels over WebSockets to a server in a process of
its own, and a commit that was under way when the server died is there or not, as the database says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from django.conf import settings
from django.test import Client

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.annotations.fold import Act
from labelhub.annotations.log import Acknowledged, Refused
from labelhub.assignments.models import Assignment
from labelhub.config.soak.coedits import EDITORS, FEWEST, Window, act, judge, shared_work
from labelhub.config.soak.judging import Ledger
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.serving import Served, serving
from labelhub.config.soak.world import make_world

MOST = 100
PATIENCE_S = 60.0
# Between two things that a person does, in seconds.
PACE_S = 0.03
BREAKS = 0.02


def try_sockets(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Play ``n`` schedules against one server that is killed once or twice in each."""
    trial = Trial("nothing acknowledged is lost or doubled over sockets and kills", seed)
    world = make_world(n_annotators=EDITORS, readers=1, max_readers=1, use_model=False, with_brush=True)
    cookies = [_cookie(user) for user in world.annotators]
    kills = 0
    with serving() as server, trial.while_there_is_time():
        for number in range(n):
            rng = np.random.default_rng([seed, number])
            work = shared_work(world, rng)
            document = documents.document_of(assignment=work)
            windows = [
                Window(user, document, document.epoch, work.fence, dict(document.base)) for user in world.annotators
            ]
            ledger = Ledger()
            kills += asyncio.run(_play(server, work, windows, cookies, ledger, rng))
            judge(trial, f"schedule {number}: ", work, document, windows, ledger)
            trial.n += 1
            progress(trial.n, n)
    trial.facts["kills"] = kills
    return trial


def _cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    client.get("/account/notifications/count/")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def _play(
    server: Served,
    work: Assignment,
    windows: list[Window],
    cookies: list[str],
    ledger: Ledger,
    rng: np.random.Generator,
) -> int:
    wanted = int(rng.integers(FEWEST, MOST + 1))
    kills = int(rng.integers(1, 3))
    address = f"ws://127.0.0.1:{server.port}/ws/documents/{work.pk}/"
    players = [
        _Player(
            window,
            address,
            {"Cookie": cookie, "Origin": server.url},
            ledger,
            np.random.default_rng(rng.integers(2**63)),
        )
        for window, cookie in zip(windows, cookies, strict=True)
    ]
    drawing = [asyncio.create_task(player.draw(-(-wanted // EDITORS))) for player in players]
    for _ in range(kills):
        await asyncio.sleep(float(rng.random()) * PACE_S * wanted / EDITORS)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
    await asyncio.wait_for(asyncio.gather(*drawing), PATIENCE_S)
    await asyncio.wait_for(asyncio.gather(*(player.finish() for player in players)), PATIENCE_S)
    # Only now, when nobody sends any more, does the end of the log stand still.
    await asyncio.wait_for(asyncio.gather(*(player.catch_up() for player in players)), PATIENCE_S)
    return kills


class _Player:
    """One window with its socket: draws, sends what is pending, takes in what comes, and opens again what broke."""

    def __init__(
        self, window: Window, address: str, headers: Mapping[str, str], ledger: Ledger, rng: np.random.Generator
    ) -> None:
        self.window, self.address, self.headers, self.ledger, self.rng = window, address, headers, ledger, rng
        self.socket: Any = None
        self.ref = 0

    async def draw(self, wanted: int) -> None:
        """Do so many things, sending as one goes."""
        made = 0
        while made < wanted:
            made += act(self.window, self.ledger, self.rng)
            if self.rng.random() < BREAKS:
                await self._drop()
            if self.rng.random() < 0.7:
                with suppress(OSError, asyncio.TimeoutError, EOFError):
                    await self._send()
            await asyncio.sleep(float(self.rng.random()) * 2 * PACE_S)

    async def finish(self) -> None:
        """Send until nothing is pending."""
        while self.window.pending:
            try:
                await self._send()
            except (TimeoutError, OSError, EOFError):
                await asyncio.sleep(0.2)
        await self._drop()

    async def catch_up(self) -> None:
        """Read the log to its end, over a new connection."""
        head = -1
        while self.window.replica.head_seq != head:
            try:
                socket = await self._open()
                await self._say(socket, {"type": "pull", "after": self.window.replica.head_seq})
                head = (await self._hear("operations"))["head_seq"]
            except (TimeoutError, OSError, EOFError):
                await self._drop()
                await asyncio.sleep(0.2)
        await self._drop()

    async def _send(self) -> None:
        if not self.window.pending:
            return
        socket = await self._open()
        sending = self.window.sending()
        self.ref += 1
        message = {
            "type": "send", "ref": self.ref, "client_id": str(sending.client_id), "epoch": sending.epoch,
            "fence": sending.fence, "operations": list(sending.operations),
        }  # fmt: skip
        try:
            await self._say(socket, message)
            answer = await self._hear("stored")
        except BaseException:
            await self._drop()
            raise
        refused = answer["refused"]
        acknowledged = Acknowledged(
            answer["head_seq"], answer["next_client_seq"], {entry["op_id"]: entry["seq"] for entry in answer["acknowledged"]},
            refused and Refused(refused["op_id"], refused["code"], refused["detail"]),
        )  # fmt: skip
        self.ledger.note(acknowledged)
        self.window.hear(acknowledged)

    async def _open(self) -> Any:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        if self.socket is None:
            headers = dict(self.headers)
            try:
                self.socket = await connect(self.address, additional_headers=headers, max_size=None, open_timeout=5)
            except WebSocketException as error:
                raise EOFError from error
            await self._hear("hello")
        return self.socket

    async def _say(self, socket: Any, message: Mapping[str, Any]) -> None:
        from websockets.exceptions import WebSocketException

        try:
            await socket.send(json.dumps(message))
        except WebSocketException as error:
            raise EOFError from error

    async def _hear(self, kind: str) -> dict[str, Any]:
        from websockets.exceptions import WebSocketException

        while True:
            try:
                message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 5))
            except WebSocketException as error:
                await self._drop()
                raise EOFError from error
            if message["type"] == "operations":
                self._take(message["operations"])
            if message["type"] == "refused":
                raise OSError(message["code"])
            if message["type"] == kind:
                return message

    def _take(self, operations: list[dict[str, Any]]) -> None:
        replica = self.window.replica
        for entry in operations:
            if entry["seq"] == replica.head_seq + 1:
                replica.apply(Act(**entry))
                self.window.pending = [one for one in self.window.pending if one["op_id"] != entry["op_id"]]

    async def _drop(self) -> None:
        socket, self.socket = self.socket, None
        if socket is not None:
            with suppress(Exception):
                await socket.close()
