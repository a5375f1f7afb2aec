"""Child processes of a command (server, worker, the process that answers clicks): their command lines, and their common end.

Loopback only. Not here: what the demo notes of itself (`demo.running`), what a command prints.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HOST = "127.0.0.1"
STOP_PATIENCE_S = 8.0


class Processes:
    """Child processes that are ended, group by group, when the command that started them ends, however it ends."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], *, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a child in a process group of its own, so that Ctrl-C reaches us first and children are ended in order."""
        output = log.open("ab") if log is not None else None
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules, no shell
            list(command), cwd=self.root, start_new_session=True, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        if output is not None:
            output.close()
        self._running[name] = process
        return process

    def first_ended(self, names: Sequence[str]) -> str | None:
        """Return the name of one of these children that has ended, or None."""
        return next((name for name in names if self._running[name].poll() is not None), None)

    def stop(self) -> None:
        """Ask all children to end, and end by force those that do not within STOP_PATIENCE_S."""
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_S
        for process in self._running.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()


def server_command(port: int) -> list[str]:
    """Return the command of the ASGI server on loopback."""
    words = ["-m", "uvicorn", "labelhub.config.asgi:application", "--host", HOST, "--port", str(port)]
    return [sys.executable, *words, "--log-level", "warning", "--no-server-header", "--timeout-graceful-shutdown", "3"]


def worker_command(queue: str = "cpu") -> list[str]:
    """Return the command of an embedded worker; the one of the queue ``gpu`` runs networks, also where there is only a CPU."""
    return [sys.executable, "manage.py", "worker", "--queues", queue, "--without-assist"]


def assist_command() -> list[str]:
    """Return the command of the process that answers clicks, which ends with the one that starts it."""
    return [sys.executable, "manage.py", "assist", "--child"]


def models_command() -> list[str]:
    """Return the command that installs torch and monai as the second step."""
    return [sys.executable, "manage.py", "install_models"]


def wait_until_served(port: int, *, patience_s: float, is_alive: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Wait until the server accepts connections; False where it ended or did not within ``patience_s``."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and all(process.poll() is None for process in is_alive):
        try:
            with socket.create_connection((HOST, port), timeout=0.5):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def _signal(process: subprocess.Popen[bytes], which: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, which)
        except ProcessLookupError:
            return
