"""Chromium for trials: a profile that outlives its browser, hands on the labeling page, and what a window holds.

A browser is killed as a whole or loses its renderers alone, by SIGKILL, from a thread beside the one that drives it. What a
window holds is read from its own document through a script that stands before the page's own: the page needs no door for it.
Not here: what drives it (``drivers``), what is tried (``browser_kills``, ``browser_schedules``).
"""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.test import Client
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations.models import Document
from labelhub.config.soak.drivers import CHROMIUM, FLAGS, Driver, Gone, driver_errors, processes

WIDTH, HEIGHT = 1000, 640
PATIENCE_MS = 15_000
# What the editor leaves free around a picture that it fits into the stage (`static/js/canvas/view.js`).
MARGIN = 24
# Notes the document of the page, each operation as it is made, and what the server acknowledges to a plain request.
WATCH = """(() => {
  const dispatch = EventTarget.prototype.dispatchEvent;
  EventTarget.prototype.dispatchEvent = function (event) {
    if (this.constructor.name === "Draft") {
      globalThis.watched = this;
      if (event.type === "new") globalThis.made?.(JSON.stringify(event.detail));
    }
    return dispatch.call(this, event);
  };
  const request = globalThis.fetch;
  globalThis.fetch = async (...given) => {
    const answer = await request(...given);
    const tell = (text) => text.includes('"acknowledged"') && globalThis.told?.(text);
    if (given[1]?.method === "POST") answer.clone().text().then(tell, () => undefined);
    return answer;
  };
})();"""
# What stands in the window: the shapes, and each painted class as one byte a pixel, in base 64.
HELD = """() => {
  const { state, layers, pending, acknowledged } = globalThis.watched;
  const painted = {};
  for (const label of layers.labels(state, 0)) {
    const slice = layers.slice(state, 0, label, 0);
    if (slice) painted[label] = btoa(Array.from(slice.data, (value) => String.fromCharCode(value)).join(""));
  }
  const shapes = {};
  for (const shape of state.shapes.values()) if (!shape.is_deleted) shapes[shape.shape_id] = shape.regions;
  return { head: acknowledged.head_seq, pending: pending.length, shapes, painted };
}"""
# Where each shape and each stroke of the window stands (the middle of an outline's corners, where a stroke began), in pixels
# (x, y), and how many acts the server refused.
PLACES = """() => {
  const { state, refused } = globalThis.watched;
  const middle = (points) => [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const shapes = [...state.shapes.values()].filter((shape) => !shape.is_deleted);
  const marks = [...state.marks.values()].filter((mark) => !mark.is_undone);
  const places = [
    ...shapes.map((shape) => middle(shape.regions[0].points)),
    ...marks.map((mark) => mark.payload.points.slice(0, 2).map((quarters) => quarters / 4)),
  ];
  return [places, refused.length];
}"""
# Everything that scripts of the page could have kept in the browser.
KEPT = """async () => {
  const kept = [{ ...localStorage }, { ...sessionStorage }, await caches.keys()].map((one) => JSON.stringify(one));
  const ended = (request) => new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  for (const { name } of await indexedDB.databases()) {
    const database = await ended(indexedDB.open(name));
    for (const name of database.objectStoreNames) {
      kept.push(JSON.stringify(await ended(database.transaction(name).objectStore(name).getAll())));
    }
    database.close();
  }
  return kept.join("\\n");
}"""


@dataclass
class Profile:
    """A browser on a profile of its own, which is there again when the browser was killed and started anew."""

    driver: Driver
    folder: Path
    url: str
    context: Any = None
    pid: int = 0
    n_renderers_killed: int = 0

    def start(self) -> None:
        """Start the browser on this profile."""
        self.context = self.driver.chromium.launch_persistent_context(
            str(self.folder), executable_path=str(CHROMIUM), args=FLAGS, base_url=self.url,
            viewport={"width": WIDTH, "height": HEIGHT},
        )  # fmt: skip
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(WATCH)
        self.pid = next(pid for pid, words in processes() if _is_browser_of(words, self.folder))

    def page(self) -> Any:
        """Return a new window. One that crashed is left as it is: to close it may wait for ever."""
        for _ in range(9):
            try:
                return self.context.new_page()
            except driver_errors():
                # The process that stood ready for the next window may have been killed with the others.
                time.sleep(0.2)
        return self.context.new_page()

    def kill(self) -> None:
        """End the browser with all its processes at once. May be called from any thread."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill_renderers(self) -> None:
        """End the processes that run pages, and no other. May be called from any thread."""
        for pid, words in processes():
            # A process that was forked off says its words as one.
            if "--type=renderer" in " ".join(words) and _group_of(pid) == self.pid:
                self.n_renderers_killed += 1
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def is_dead(self) -> bool:
        """Whether none of its processes is left."""
        return not any(_group_of(pid) == self.pid for pid, _ in processes())

    def ended(self) -> None:
        """Wait until nothing is left of a browser that was killed or closed."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while not self.is_dead() and time.monotonic() < end:
            time.sleep(0.02)

    def files_with(self, canaries: dict[str, bytes], *, but: tuple[str, ...] = ()) -> list[str]:
        """Return where in the profile's files one of these runs of bytes stands; folders named in ``but`` are left out."""
        found = []
        for path in self.folder.rglob("*"):
            parts = path.relative_to(self.folder).parts
            if not path.is_file() or path.is_symlink() or any(part in but for part in parts):
                continue
            content = path.read_bytes()
            found += [f"{name} in {'/'.join(parts)}" for name, canary in canaries.items() if canary in content]
        return found


@dataclass
class Killer:
    """Ends something at a moment, from a thread beside; ``at`` is that moment by the monotonic clock."""

    after_s: float
    kill: Callable[[], None]
    # What ends the driver's wait where a browser without renderers answers no more.
    end: Callable[[], None] | None = None
    at: float | None = None
    is_all_ended: bool = False
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to wait."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> float:
        """Wait until it happened; return when."""
        assert self._thread is not None
        while self.at is None:
            time.sleep(0.005)
        self._done.set()
        self._thread.join()
        return self.at

    def _run(self) -> None:
        time.sleep(self.after_s)
        self.at = time.monotonic()
        self.kill()
        if self.end is not None and not self._done.wait(6.0):
            self.is_all_ended = True
            self.end()


@dataclass
class Hands:
    """Hands on the labeling page, at places ``(x, y)`` of the picture, which is shown as a whole."""

    page: Any
    columns: int
    rows: int
    session: Any = None

    def turn_network(self, *, off: bool) -> None:
        """Take the network from this window alone, or give it back: one that crashed beside it can be told nothing."""
        self.session = self.session or self.page.context.new_cdp_session(self.page)
        speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.session.send("Network.emulateNetworkConditions", {"offline": off, **speed})

    def open(self, place: str) -> None:
        """Open a picture and wait until it can be drawn on."""
        self.page.goto(place)
        self.page.wait_for_selector("#main[data-ready=yes]")
        self.page.wait_for_selector("#cover", state="hidden")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place on the screen."""
        box = self.page.locator("#canvas").bounding_box()
        if box is None:
            raise Gone
        scale = min((box["width"] - MARGIN) / self.columns, (box["height"] - MARGIN) / self.rows, 64)
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return middle[0] + (x - self.columns / 2) * scale, middle[1] + (y - self.rows / 2) * scale

    def stroke(self, *places: tuple[float, float], steps: int = 3) -> None:
        """Press at the first place, move through the others, let go."""
        mouse = self.page.mouse
        mouse.move(*self.at(*places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self.at(*place), steps=steps)
        mouse.up()

    def outline(self, *corners: tuple[float, float]) -> None:
        """Click the corners and close the outline."""
        for corner in corners:
            self.page.mouse.click(*self.at(*corner))
        self.page.keyboard.press("Enter")

    def status(self) -> str:
        """Return what the page says of its work (``saved``, ``saving``, ``offline`` …)."""
        return str(self.page.locator("#saved").get_attribute("data-status"))

    def saved(self, *, within_s: float = PATIENCE_MS / 1000) -> bool:
        """Wait until the page says that all is saved; whether it did."""
        try:
            self.page.wait_for_selector("#saved[data-status=saved]", timeout=1000 * within_s)
        except Exception:  # noqa: BLE001 - a wait that timed out, or a window that is gone: the caller's finding
            return False
        return True

    def places(self) -> tuple[list[tuple[float, float]], int]:
        """Return where each shape and stroke of the window stands, (x, y) in pixels, and how many acts were refused."""
        places, n_refused = self.page.evaluate(PLACES)
        return [(x, y) for x, y in places], int(n_refused)

    def held(self) -> Held:
        """Return what stands in the window."""
        found = self.page.evaluate(HELD)
        painted = {
            label: np.frombuffer(base64.b64decode(text), np.uint8).reshape(self.rows, self.columns)
            for label, text in found["painted"].items()
        }
        return Held(found["head"], found["pending"], found["shapes"], painted)


@dataclass(frozen=True, slots=True)
class Held:
    """What stands in a window: how far the log was heard, what is not acknowledged, standing shapes, painted classes."""

    head: int
    n_pending: int
    shapes: dict[str, Any]
    painted: dict[str, NDArray[np.uint8]]

    def is_caught_up(self, document: Document) -> bool:
        """Whether nothing is on its way in either direction."""
        return not self.n_pending and self.head == Document.objects.values_list("head_seq", flat=True).get(
            pk=document.pk
        )


def session_cookie(user: User, url: str) -> dict[str, str]:
    """Return the cookie of somebody who is signed in."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def _is_browser_of(words: list[str], profile: Path) -> bool:
    return f"--user-data-dir={profile}" in words and not any(word.startswith("--type=") for word in words)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
