"""What each kind of job does: handlers are registered from the packages above, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labelhub.jobs import services
from labelhub.jobs.models import Job


@dataclass(frozen=True, slots=True)
class Running:
    """What a handler gets: its arguments, and a way to show progress that also renews the lease and hears a cancel."""

    job: Job

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the job was enqueued with."""
        arguments: Mapping[str, Any] = self.job.arguments
        return arguments

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show progress. Raises ``LeaseLost`` or ``JobCancelled``: let it pass, after leaving the work whole."""
        services.heartbeat(self.job, done=done, total=total, message=message)


HandlerFunction = Callable[[Running], Mapping[str, Any]]
_handlers: dict[str, HandlerFunction] = {}


def register(kind: str, handler: HandlerFunction) -> None:
    """Make ``handler`` the one that runs jobs of ``kind``. Called in ``apps.ready`` of the package that owns the work."""
    _handlers[kind] = handler


def handler_of(kind: str) -> HandlerFunction:
    """Return the handler of ``kind``; a KeyError says that no package registered it."""
    return _handlers[kind]
