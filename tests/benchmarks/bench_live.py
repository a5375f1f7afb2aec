"""How fast co-editing is over real sockets: python -m tests.benchmarks.bench_live RUN, in a scratch database.

*load*: 200 editors in 50 documents send 100 strokes a second in all (open loop: each from the moment it was due):
acknowledged p50, p95, p99, errors, the server's memory once all have begun and at the end. *seen*: 20 editors in 5
documents, from an edit to the frame in which a colleague's socket brings it. *open*: a document of 20,000 operations,
baked, asked for over HTTP.

The clients run beside the server on the same two cores; their work is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
import uuid
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import django
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=["load", "seen", "open"])
    parser.add_argument("--editors", type=int)
    parser.add_argument("--documents", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--operations", type=int, default=20_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from labelhub.config.soak.scratch import scratch_database
    from labelhub.config.soak.serving import served

    defaults = {"load": (200, 50, 100.0), "seen": (20, 5, 20.0), "open": (1, 1, 1.0)}[options.run]
    editors, documents, rate = (
        given if given is not None else default
        for given, default in zip((options.editors, options.documents, options.rate), defaults, strict=True)
    )
    with scratch_database() as vendor, tempfile.TemporaryDirectory() as folder:
        seats = _world(editors, documents)
        if options.run == "open":
            _long_log(seats[0], options.operations)
        server = served(Path(folder))
        server.start()
        try:
            if options.run == "open":
                _open(server, seats[0])
            else:
                found = asyncio.run(_play(server, seats, rate, options.seconds, is_seen=options.run == "seen"))
                _report(options.run, vendor, editors, documents, rate, options.seconds, found)
        finally:
            server.stop()


def _world(editors: int, documents: int) -> list[dict[str, Any]]:
    """People, shared images, and a seat each; returns cookie, assignment, fence and document of each editor."""
    from django.conf import settings
    from django.test import Client

    from labelhub.annotations.documents import document_of
    from labelhub.assignments.batches import make_batch
    from labelhub.config.soak.world import add_item, make_world
    from labelhub.workflow import lifecycle, together

    rng = np.random.default_rng(1)
    world = make_world(n_annotators=editors, with_brush=True, readers=1, max_readers=1, use_model=False)
    seats = []
    each = editors // documents
    for number in range(documents):
        people = world.annotators[number * each : (number + 1) * each]
        item = add_item(world, rng)
        make_batch(project=world.project, name=f"Together {number}", items=[item], by="bench", is_shared=True)
        work = lifecycle.hand_out(labeler=world.labeler(people[0]))
        assert work is not None
        for user in people[1:]:
            together.join(assignment=work, by=user)
        document = document_of(assignment=work)
        for user in people:
            client = Client()
            client.force_login(user)
            client.get("/account/notifications/count/")
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            seats.append(
                {
                    "cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}", "work": str(work.pk), "fence": work.fence,
                    "document": document, "user": user,
                }
            )  # fmt: skip
    return seats


def _stroke(rng: np.random.Generator, number: int) -> dict[str, Any]:
    payload = {
        "stroke_id": uuid.uuid4().hex, "medium": 0, "plane": "axial", "index": 0, "label": "area", "mode": "add",
        "tip": "round", "radius": 8, "points": rng.integers(0, 129, 40).tolist(),
    }  # fmt: skip
    return {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": "stroke.add", "payload": payload}


async def _play(
    server: Any, seats: list[dict[str, Any]], rate: float, seconds: float, *, is_seen: bool
) -> dict[str, Any]:
    from websockets.asyncio.client import connect

    found: dict[str, Any] = {"acknowledged": [], "seen": [], "errors": [], "due": {}, "memory": []}
    ready = asyncio.Barrier(len(seats) + 1)
    gate = asyncio.Semaphore(20)

    async def editor(place: int, seat: dict[str, Any]) -> None:
        rng = np.random.default_rng([2, place])
        address = f"ws://127.0.0.1:{server.port}/ws/documents/{seat['work']}/"
        headers = {"Cookie": seat["cookie"], "Origin": server.url}
        async with gate:
            socket = await connect(address, additional_headers=headers, max_size=None)
        listening = asyncio.create_task(_listen(socket, found, seat, is_seen=is_seen))
        await ready.wait()
        began = time.monotonic()
        every = len(seats) / rate
        client_id, number = str(uuid.uuid4()), 0
        due = began + rng.random() * every
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            number += 1
            operation = _stroke(rng, number)
            found["due"][operation["op_id"]] = (due, place)
            message = {
                "type": "send", "ref": number, "client_id": client_id, "epoch": 1, "fence": seat["fence"],
                "operations": [operation],
            }  # fmt: skip
            await socket.send(json.dumps(message))
            due += every * (0.5 + rng.random())
        await asyncio.sleep(2)
        listening.cancel()
        await socket.close()

    tasks = [asyncio.create_task(editor(place, seat)) for place, seat in enumerate(seats)]
    await ready.wait()
    await asyncio.sleep(min(10, seconds / 4))
    found["memory"].append(_memory(server.process.pid))
    await asyncio.gather(*tasks)
    found["memory"].append(_memory(server.process.pid))
    return found


async def _listen(socket: Any, found: dict[str, Any], seat: dict[str, Any], *, is_seen: bool) -> None:
    own = str(seat["user"].public_id)
    async for text in socket:
        now = time.monotonic()
        message = json.loads(text)
        if message["type"] == "stored":
            if message["refused"]:
                found["errors"].append(message["refused"]["code"])
            for entry in message["acknowledged"]:
                found["acknowledged"].append(now - found["due"][entry["op_id"]][0])
        elif message["type"] == "refused":
            found["errors"].append(message["code"])
        elif message["type"] == "operations" and is_seen:
            for act in message["operations"]:
                if act["author"] != own:
                    found["seen"].append(now - found["due"][act["op_id"]][0])


def _report(
    run: str, vendor: str, editors: int, documents: int, rate: float, seconds: float, found: dict[str, Any]
) -> None:
    print(
        f"{run} on {vendor}: {editors} editors in {documents} documents, {rate:g} operations a second for {seconds:g} s"
    )
    for name in ("acknowledged", "seen"):
        times = np.array(found[name]) * 1000
        if times.size:
            p50, p95, p99 = np.percentile(times, (50, 95, 99))
            print(f"  {name:<13}{times.size:>8,}   p50 {p50:6.1f}   p95 {p95:6.1f}   p99 {p99:6.1f} ms")
    print(f"  sent {len(found['due']):,}, errors {len(found['errors'])} {sorted(set(found['errors']))}")
    first, last = found["memory"]
    print(f"  memory of the server {first / 2**20:.0f} → {last / 2**20:.0f} MiB ({last / first - 1:+.1%})")


def _long_log(seat: dict[str, Any], count: int) -> None:
    """Fill a document with strokes, through the log's own way in, and bake it as the worker would."""
    from labelhub.annotations import history, log

    rng = np.random.default_rng(3)
    client_id = uuid.uuid4()
    for first in range(1, count + 1, 500):
        operations = [_stroke(rng, number) for number in range(first, min(first + 500, count + 1))]
        answer = log.append_operations(
            document=seat["document"], author=seat["user"], client_id=client_id, operations=operations
        )
        assert answer.refused is None, answer.refused
    start = time.perf_counter()
    history.bake(seat["document"])
    print(f"baking {count:,} operations: {time.perf_counter() - start:.1f} s")


def _open(server: Any, seat: dict[str, Any]) -> None:
    times, size = [], 0
    for _ in range(12):
        start = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", f"/api/v1/assignments/{seat['work']}/document/", headers={"Cookie": seat["cookie"]})
        size = len(connection.getresponse().read())
        times.append(time.perf_counter() - start)
    middle = np.median(times[1:]) * 1000
    print(f"open: {len(times)} times, {size / 1024:.0f} KiB, median {middle:.0f} ms, first {times[0] * 1000:.0f} ms")


def _memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
