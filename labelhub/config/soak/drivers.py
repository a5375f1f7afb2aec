"""What drives Chromium: Playwright and the process that it talks through, ended where it hangs and started again.

A driver that waits for an answer of a browser that was killed may wait for ever, whatever time-out it was given. Only the end
of its own process ends such a wait. Playwright is a package of the tests: it is imported late.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


class Gone(RuntimeError):
    """The window answers no more."""


class NoBrowser(RuntimeError):
    """Chromium or Playwright is not installed."""


class Driver:
    """Playwright, which runs in the thread that made it; started anew where its process had to be ended."""

    def __init__(self) -> None:
        """Start it. Raises :class:`NoBrowser` where it or Chromium is missing."""
        if not CHROMIUM.exists():
            message = "Chromium is not installed. On Debian and Ubuntu: apt-get install chromium"
            raise NoBrowser(message)
        self._start()

    @property
    def chromium(self) -> Any:
        """What launches a browser."""
        return self._running.chromium

    def end(self) -> None:
        """End its process: whoever waits for it gets an error. May be called from any thread."""
        for pid, words in processes():
            if "run-driver" in words and _parent_of(pid) == os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def start_again(self) -> None:
        """Leave what was ended behind, with all its browsers, and start anew."""
        self.end()
        self.stop()
        self._start()

    def stop(self) -> None:
        """Stop it, also where its process is gone."""
        with suppress(*driver_errors()):
            self._manager.__exit__()

    def _start(self) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            message = (
                "This trial drives Chromium with Playwright, a package of the tests. Run `python3 manage.py test` once."
            )
            raise NoBrowser(message) from error
        self._manager = sync_playwright()
        self._running = self._manager.start()


@contextmanager
def driving() -> Iterator[Driver]:
    """Drive browsers. Raises :class:`NoBrowser` where something is missing."""
    # Its event loop runs in this thread; the queries beside it are meant.
    with mock.patch.dict(os.environ, {"DJANGO_ALLOW_ASYNC_UNSAFE": "true"}):
        driver = Driver()
        try:
            yield driver
        finally:
            driver.stop()


@contextmanager
def within(patience_s: float, *ends: Callable[[], None]) -> Iterator[threading.Event]:
    """Where what is inside takes longer, call ``ends`` in turn, each a few seconds after the one before.

    So that a driver that hangs fails: first its browser is ended, then itself. The event says that this was so.
    """
    done, is_over = threading.Event(), threading.Event()

    def watch() -> None:
        wait = patience_s
        for end in ends:
            if done.wait(wait):
                return
            is_over.set()
            end()
            wait = 5.0

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield is_over
    finally:
        done.set()
        thread.join()


@contextmanager
def until_gone() -> Iterator[None]:
    """Do what is inside until the browser is gone, which ends it without an error."""
    with suppress(*driver_errors()):
        yield


def driver_errors() -> tuple[type[Exception], ...]:
    """Return what is raised where a window does not do what it is asked to."""
    from playwright.sync_api import Error

    return Error, Gone


def processes() -> Iterator[tuple[int, list[str]]]:
    """Return the number and the words of each process of this machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, ValueError):
        return 0
