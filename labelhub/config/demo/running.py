"""The processes of the demo: one server, one worker, and the second step of the installation; all end together.

Loopback only. Not here: what the demo shows (`building`), what the command prints (`management/commands/demo`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

HOST = "127.0.0.1"
STOP_PATIENCE_S = 8.0


class PortTaken(RuntimeError):
    """Something else listens on the port."""


class Processes:
    """Child processes that are ended, group by group, when the demo ends, however it ends."""

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


def require_free_port(port: int) -> None:
    """Raise :class:`PortTaken` where ``port`` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(f"Port {port} is taken by another program. Nothing was started.") from error


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


def running_demo(var: Path) -> int | None:
    """Return the port of a demo that is running on this folder, or None."""
    try:
        note = json.loads((var / "demo.json").read_text())
        os.kill(int(note["pid"]), 0)
        return int(note["port"])
    except (OSError, ValueError, KeyError):
        return None


def note_running(var: Path, port: int) -> Path:
    """Note that a demo runs here, for a second start to find."""
    note = var / "demo.json"
    note.write_text(json.dumps({"pid": os.getpid(), "port": port}))
    return note


def end_on_signals() -> None:
    """Make SIGTERM end the demo the way Ctrl-C does, and Ctrl-C also where a shell had it ignored in the background."""

    def interrupt(_signal_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def _signal(process: subprocess.Popen[bytes], which: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, which)
        except ProcessLookupError:
            return
