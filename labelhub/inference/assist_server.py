"""The warm process that answers clicks: it listens on a socket of its own account and keeps the last pixels in memory.

Clicks do not queue: a newer question of the same place ends the older one; a few are worked on at once, each within a time
limit. A network is loaded when one is asked for, so the process starts quickly and works without torch. Started by
``manage.py assist``, and by ``demo`` and ``worker``, with which it ends. Not here: what hints mean (``predictions.marks``), who
may ask (``workflow.assisting``).
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.conf import settings
from django.db import close_old_connections
from numpy.typing import NDArray

from labelhub.catalog.decoded import DecodedVolumes
from labelhub.catalog.errors import NoPixels
from labelhub.catalog.models import Medium
from labelhub.catalog.selectors import grid_of, read_pixels
from labelhub.predictions.assist import LIMIT_S, NoAssistant, NotProposed
from labelhub.predictions.frames import FrameProblem, frame, read_frame
from labelhub.predictions.interactive import Interactive, interactive_of
from labelhub.predictions.marks import Hints, Place
from labelhub.predictions.predictor import NoSuchPredictor
from labelhub.projects.errors import DomainError

logger = logging.getLogger(__name__)
AT_ONCE = 2
KEEP_BYTES = 512 << 20
KEPT_NETWORKS = 3
# How many may wait for one of those at work to end; whoever comes then is told so at once.
MOST_WAITING = 8
LOOK_EVERY_S = 1.0
# Without any spacing known, pixels are squares.
UNKNOWN_MM = (1.0, 1.0, 1.0)


class AssistServer:
    """One listening process. ``pixels`` says how a medium's array and spacing are read; the rest are limits."""

    def __init__(
        self, path: Path, *, at_once: int = AT_ONCE, limit_s: float = LIMIT_S, keep_bytes: int = KEEP_BYTES
    ) -> None:
        self.path = path
        self.limit_s = limit_s
        self._volumes = DecodedVolumes(keep_bytes)
        self._newest: dict[str, int] = {}
        self._asked = 0
        self._waiting = 0
        self._at_once = at_once
        self._made: dict[str, Interactive] = {}

    async def serve(self, stop: asyncio.Event) -> None:
        """Listen until ``stop`` is set. The caller holds the folder's lock (:func:`hold`)."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.unlink(missing_ok=True)
        self._free = asyncio.Semaphore(self._at_once)
        # Nobody else may connect, from the first moment on.
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._connected, str(self.path))
        finally:
            os.umask(mask)
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="assist") as self._pool:
            async with server:
                await stop.wait()
                self._newest.clear()
        self.path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            header, _ = await read_frame(reader)
            writer.write(await self._answer(header))
            await writer.drain()
        except (FrameProblem, ConnectionError):
            # A caller that hung up, or is none of ours, gets no answer and needs none.
            pass
        finally:
            writer.close()

    async def _answer(self, header: Mapping[str, Any]) -> bytes:
        if header.get("kind") == "ping":
            return frame({"ok": True})
        try:
            return await self._in_turn(header)
        except DomainError as refusal:
            return frame({"ok": False, "code": refusal.code, "sentence": str(refusal)})
        except MemoryError:
            sentence = "This region needs more memory than the assistant may use. Nothing was proposed. Zoom in."
            return frame({"ok": False, "code": "assistant-memory", "sentence": sentence})
        except Exception:
            logger.exception("a question could not be answered")
            sentence = "The assistant made a mistake. Nothing was proposed. Draw by hand, and tell an admin."
            return frame({"ok": False, "code": "assistant-failed", "sentence": sentence})

    async def _in_turn(self, header: Mapping[str, Any]) -> bytes:
        self._asked += 1
        mine, until = self._asked, time.monotonic() + self.limit_s
        who = str(header.get("who") or f"nobody {mine}")
        self._newest[who] = mine

        def check() -> None:
            if self._newest.get(who) != mine:
                raise NotProposed("You pointed at more meanwhile: that is answered instead.", code="asked-again")
            if time.monotonic() > until:
                raise _slow()

        if self._waiting >= MOST_WAITING:
            raise NotProposed(
                "The assistant is busy with others. Nothing was proposed. Try again.", code="assistant-busy"
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self.limit_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise _slow() from error
        finally:
            self._waiting -= 1
        try:
            check()
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, header, check)
        finally:
            self._free.release()
            if self._newest.get(who) == mine:
                del self._newest[who]

    def _work(self, header: Mapping[str, Any], check: Callable[[], None]) -> bytes:
        began = time.monotonic()
        try:
            pixels, spacing_mm = self._region(int(header["medium"]), _place(header["origin"]), _place(header["size"]))
        finally:
            close_old_connections()
        check()
        who = self._interactive(str(header["method"]), header.get("parameters", {}))
        hints, level = hints_from(header["hints"]), int(header["level"])
        found = who.propose(pixels, hints, spacing_mm=spacing_mm, level=level, check=check)
        origin, mask = _cropped(found.mask, _place(header["origin"]))
        size = (0, 0, 0) if mask is None else mask.shape
        body = b"" if mask is None else np.packbits(mask).tobytes()
        return frame(
            {
                "ok": True, "origin": origin, "size": size, "method": found.method, "is_trained": who.is_trained,
                "took_s": time.monotonic() - began,
            },
            body,
        )  # fmt: skip

    def _region(self, key: int, origin: Place, size: Place) -> tuple[NDArray[Any], tuple[float, float, float]]:
        medium = Medium.objects.select_related("pixels").filter(pk=key).first()
        if medium is None or medium.pixels is None:
            raise NoPixels("The picture of this image was never brought in. Nothing was proposed. Draw by hand.")
        whole = self._volumes.get(medium.pixels.sha256, lambda: read_pixels(medium))
        cut = tuple(slice(start, start + side) for start, side in zip(origin, size, strict=True))
        return whole[cut], grid_of(medium).spacing_mm or UNKNOWN_MM

    def _interactive(self, method: str, parameters: Mapping[str, Any]) -> Interactive:
        """Who answers; a network is made once and kept, after its framework was loaded."""
        key = repr((method, sorted(parameters.items())))
        known = self._made.get(key)
        if known is not None:
            return known
        try:
            made = interactive_of(method, parameters)
        except NoSuchPredictor:
            load_networks()
            made = interactive_of(method, parameters)
        while len(self._made) >= KEPT_NETWORKS:
            self._made.pop(next(iter(self._made)), None)
        self._made[key] = made
        return made


def load_networks() -> None:
    """Load what networks need, and with it those that take clicks. Raises ``NoAssistant`` where this installation lacks it."""
    try:
        importlib.import_module(settings.QUEUE_MODULES["gpu"]).prepare()
    except ImportError as error:
        raise NoAssistant(
            f"The model that answers clicks needs {error.name}, which is not installed here. Nothing was proposed. Draw by "
            "hand, or ask an admin to run manage.py install_models."
        ) from error


def hold(path: Path) -> IO[str] | None:
    """Return the open lock of the place where an assistant listens, held until this process ends; None where another has it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path.with_suffix(".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def hints_from(document: Mapping[str, Any]) -> Hints:
    """Return the hints that a header holds."""
    box = document.get("box")
    return Hints(
        positive=_places(document.get("positive", ())),
        negative=_places(document.get("negative", ())),
        positive_strokes=tuple(_places(path) for path in document.get("positive_strokes", ())),
        negative_strokes=tuple(_places(path) for path in document.get("negative_strokes", ())),
        box=None if box is None else (_place(box[0]), _place(box[1])),
        extreme=_places(document.get("extreme", ())),
    )


def _cropped(mask: NDArray[np.bool_], origin: Place) -> tuple[Place, NDArray[np.bool_] | None]:
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not spans[0].size:
        return origin, None
    starts = [int(span[0]) for span in spans]
    z, y, x = (start + at for start, at in zip(starts, origin, strict=True))
    return (z, y, x), mask[tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)]


def _slow() -> NotProposed:
    return NotProposed(
        "The assistant took too long. Nothing was proposed. Zoom in, so that it looks at less, or draw by hand.",
        code="assistant-slow",
    )


def _places(values: Any) -> tuple[Place, ...]:
    return tuple(_place(value) for value in values)


def _place(values: Any) -> Place:
    z, y, x = (int(value) for value in values)
    return z, y, x
