"""A real server beside a trial: the ASGI application in a process of its own, on this process' database, that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import override_settings

from labelhub.config.processes import server_command, wait_until_served

PATIENCE_S = 40.0


@dataclass
class Served:
    """The server; ``url`` stays the same over a restart."""

    port: int
    process: Any = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers. Raises ``RuntimeError`` where it does not."""
        self.process = subprocess.Popen(  # noqa: S603 - our own server
            server_command(self.port), cwd=settings.BASE_DIR, env=self.environment
        )
        if not wait_until_served(self.port, patience_s=PATIENCE_S, is_alive=[self.process]):
            message = "the server did not start; the lines above say why"
            raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and end it where it does not."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def serving(*, has_pages: bool = False) -> Iterator[Served]:
    """Run a server on this process' database and blobs, with the pages' scripts where ``has_pages``; end it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="labelhub-served-"))
    storages: Any = settings.STORAGES
    blobs = Path(str(storages["default"]["OPTIONS"]["location"]))
    blobs.mkdir(parents=True, exist_ok=True)
    (folder / "blobs").symlink_to(blobs)
    if has_pages:
        collect_pages(folder / "static")
    server = served(folder)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def collect_pages(folder: Path) -> None:
    """Collect the static files as a site serves them, under names with hashes."""
    hashed = {"staticfiles": {"BACKEND": "labelhub.config.static_files.HashedStaticFiles"}}
    with override_settings(STORAGES={**settings.STORAGES, **hashed}, STATIC_ROOT=folder):
        call_command("collectstatic", verbosity=0, interactive=False)


def served(var: Path) -> Served:
    """Return a server, not started yet, on the tests' own database, keys and static files; ``var`` holds the blobs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "LABELHUB_VAR": str(var),
        "LABELHUB_SECRET_KEY": settings.SECRET_KEY,
        "LABELHUB_AUDIT_KEY": settings.ENVIRONMENT.audit_key.decode(),
        "LABELHUB_HOSTS": "127.0.0.1,localhost",
    }
    return Served(port, environment=environment)


def database_url() -> str:
    """Return the address of the database that the tests use now."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{found['NAME']}"
    return f"postgres://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"
