"""What each kind of job does: handlers are registered from the packages above, by name."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from labelhub.jobs import services
from labelhub.jobs.models import Job

# At most two writes a second, so that a job of many small steps does not keep the database busy with telling so.
WRITE_EVERY_S = 0.5
logger = logging.getLogger(__name__)


class Running:
    """What a handler gets: its arguments, and a way to show progress that also renews the lease and hears a cancel."""

    def __init__(self, job: Job, stop: threading.Event | None = None) -> None:
        self.job = job
        self._stop = stop
        self._written_at = float("-inf")

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the job was enqueued with."""
        arguments: Mapping[str, Any] = self.job.arguments
        return arguments

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show progress; call it as often as you like, where the work is whole.

        Raises ``LeaseLost``, ``JobCancelled`` or ``WorkerStopping``: let it pass, write nothing more.
        """
        if self._stop is not None and self._stop.is_set():
            raise services.WorkerStopping(f"The worker of job {self.job.pk} is ending.")
        now = time.monotonic()
        if now - self._written_at < WRITE_EVERY_S and done < total:
            return
        services.heartbeat(self.job, done=done, total=total, message=message)
        self._written_at = now


HandlerFunction = Callable[[Running], Mapping[str, Any]]
_handlers: dict[str, HandlerFunction] = {}


_when_failed: list[Callable[[Job], None]] = []


def when_failed(listener: Callable[[Job], None]) -> None:
    """Have ``listener`` hear of each job that failed for good. Called in ``apps.ready`` of a package above."""
    if listener not in _when_failed:
        _when_failed.append(listener)


def failed(job: Job) -> None:
    """Tell all who listen; what goes wrong there is logged and never the job's."""
    for listener in _when_failed:
        try:
            with transaction.atomic():
                listener(job)
        except Exception as error:  # noqa: BLE001 - the job's end is recorded already
            logger.warning("nobody was told that job %s failed (%s)", job.pk, type(error).__name__)


def register(kind: str, handler: HandlerFunction) -> None:
    """Make ``handler`` the one that runs jobs of ``kind``. Called in ``apps.ready`` of the package that owns the work."""
    _handlers[kind] = handler


def handler_of(kind: str) -> HandlerFunction | None:
    """Return the handler of ``kind``; None where no package registered one."""
    return _handlers.get(kind)
