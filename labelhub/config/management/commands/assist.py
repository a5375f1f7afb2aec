"""``manage.py assist``: the warm process that answers clicks in the editor, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labelhub.inference.assist_server import LOOK_EVERY_S, AssistServer, hold
from labelhub.predictions.assist import socket_path

# A driver maps all of its memory: a limit of addresses would refuse it.
GPU_DRIVER = Path("/dev/nvidiactl")


class Command(BaseCommand):
    """Listens on a socket in the data folder; one process a folder."""

    help = "Answer clicks in the editor with proposals, until stopped (SIGTERM or Ctrl-C)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--at-once", type=int, default=2, help="how many clicks are worked on at once (default: 2)")
        parser.add_argument("--limit-s", type=float, default=10.0, help="seconds that a click may take (default: 10)")
        parser.add_argument("--keep-mib", type=int, default=512, help="memory for the last volumes (default: 512)")
        parser.add_argument(
            "--memory-mib", type=int, default=8192,
            help="address space that the process may take where there is no GPU, whose driver needs it all; 0: no limit",
        )  # fmt: skip
        parser.add_argument(
            "--child", action="store_true", help="end with the process that started this; wait where another one runs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        parent = os.getppid() if options["child"] else None
        if options["memory_mib"] and not GPU_DRIVER.exists():
            most = options["memory_mib"] << 20
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        path = socket_path(settings.ENVIRONMENT.var)
        lock = _locked(path, parent)
        if lock is None and parent is None:
            raise CommandError("An assistant runs on this data folder already. Nothing was started.")
        if lock is None:
            return
        server = AssistServer(
            path, at_once=max(options["at_once"], 1), limit_s=options["limit_s"], keep_bytes=options["keep_mib"] << 20
        )
        with lock:
            if parent is None:
                self.stdout.write("Answering clicks. Ctrl-C ends it.")
            asyncio.run(_serve(server, parent))


def _locked(path: Path, parent: int | None) -> IO[str] | None:
    """The lock of the place; a child waits for it as long as its parent lives, and takes over when another one ends."""
    lock = hold(path)
    while lock is None and parent is not None and os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
        lock = hold(path)
    return lock


async def _serve(server: AssistServer, parent: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = None if parent is None else asyncio.create_task(_end_with(parent, stop))
    await server.serve(stop)
    if watching is not None:
        watching.cancel()


async def _end_with(parent: int, stop: asyncio.Event) -> None:
    """Stop when the process that started this one is gone, also where it was killed."""
    while os.getppid() == parent:
        await asyncio.sleep(LOOK_EVERY_S)
    stop.set()
