"""What the demo starts ends with it: the server, whatever it is, and a second start finds the first."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from labelhub.config import processes
from labelhub.config.demo import running

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)",
]  # fmt: skip


def test_all_children_end_even_those_that_ignore_being_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_PATIENCE_S", 0.5)
    started = processes.Processes(tmp_path)
    children = [started.start("one", SLEEPER), started.start("two", STUBBORN, log=tmp_path / "log")]
    assert started.first_ended(["one", "two"]) is None
    started.stop()
    assert all(child.returncode is not None for child in children)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_the_demo_in_order(number):
    before = {which: signal.getsignal(which) for which in (signal.SIGTERM, signal.SIGINT)}
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        running.end_on_signals()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def test_a_port_that_is_taken_is_told_before_anything_starts():
    with socket.socket() as taken:
        taken.bind((processes.HOST, 0))
        taken.listen()
        with pytest.raises(running.PortTaken, match="Nothing was started"):
            running.require_free_port(taken.getsockname()[1])


def test_a_second_start_finds_the_first_and_a_dead_one_is_forgotten(tmp_path):
    assert running.running_demo(tmp_path) is None
    note = running.note_running(tmp_path, 8123)
    assert running.running_demo(tmp_path) == 8123
    note.write_text('{"pid": 999999999, "port": 8123}')
    assert running.running_demo(tmp_path) is None
    note.write_text("not json")
    assert running.running_demo(tmp_path) is None
