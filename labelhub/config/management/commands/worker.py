"""``manage.py worker``: runs jobs from the table until it is told to stop. Needs no service beside the database."""

from __future__ import annotations

import importlib.util
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labelhub.accounts import digests
from labelhub.config import process_memory, processes
from labelhub.jobs import worker
from labelhub.predictions.runtime import ModelsState, read_state
from labelhub.workflow import overdue

# How often a worker looks whether torch and monai have come.
LOOK_EVERY_S = 5.0


class Command(BaseCommand):
    """Claims jobs, runs them one at a time, and hands back what it holds on SIGTERM or Ctrl-C."""

    help = "Run jobs until stopped (SIGTERM or Ctrl-C). Start as many as there is work for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--queues", default="cpu", help="comma-separated queues to take jobs from (default: cpu; networks need gpu)"
        )
        parser.add_argument("--without-assist", action="store_true", help="start no process that answers clicks")
        parser.add_argument("--once", action="store_true", help="run what is waiting, then end")
        parser.add_argument("--reaper", action="store_true", help="only repeat lost messages to Celery workers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        process_memory.keep_freed_memory()
        process_memory.set_aside_what_is_loaded()
        queues = [name for name in options["queues"].split(",") if name]
        if options["once"]:
            self.stdout.write(f"{worker.run_pending(queues=queues, name=worker.worker_name())} jobs were run.")
            return
        if options["reaper"] and not settings.ENVIRONMENT.broker_url:
            raise CommandError(
                "A reaper repeats messages to Celery workers, and BROKER_URL is not set. Run a plain worker."
            )
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stopper(stop, number))
        if options["reaper"]:
            self.stdout.write("Repeating lost messages. Ctrl-C ends it.")
            worker.reap_until(stop)
        else:
            self.stdout.write(f"Waiting for jobs in {', '.join(queues)}. Ctrl-C ends it.")
            digests.schedule()
            overdue.schedule()
            children = processes.Processes(settings.BASE_DIR)
            try:
                if not options["without_assist"]:
                    children.start("assist", processes.assist_command(), log=settings.ENVIRONMENT.var / "assist.log")
                worker.run_until(stop, queues=queues, is_ready=_Readiness())
            finally:
                children.stop()
        self.stdout.write("Stopped. Work that was under way waits for the next worker.")


class _Readiness:
    """Whether what a queue needs is installed. Until then its jobs wait, and nothing half-installed is loaded."""

    def __init__(self) -> None:
        self._is_ready = False
        self._looked_at = float("-inf")

    def __call__(self, queue: str) -> bool:
        if queue not in settings.QUEUE_MODULES or self._is_ready:
            return True
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return False
        self._looked_at = time.monotonic()
        importlib.invalidate_caches()
        are_there = all(importlib.util.find_spec(name) is not None for name in ("torch", "monai", "safetensors"))
        self._is_ready = are_there and read_state() != ModelsState.INSTALLING
        return self._is_ready


def _stopper(stop: threading.Event, number: int) -> Any:
    """The first signal lets the job reach a point where its work is whole; a second one ends at once."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    return on_signal
