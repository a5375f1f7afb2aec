"""Whether a demo may start here: a free port, no other demo on the same folder; and how one ends.

Not here: its processes (`config.processes`), what it shows (`building`), what the command prints (`management/commands/demo`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from types import FrameType

from labelhub.config.processes import HOST


class PortTaken(RuntimeError):
    """Something else listens on the port."""


def require_free_port(port: int) -> None:
    """Raise :class:`PortTaken` where ``port`` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(f"Port {port} is taken by another program. Nothing was started.") from error


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
