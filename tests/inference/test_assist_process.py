"""The assistant as a process: one a folder, and gone with whoever started it, however that ended.

Planted and seen to fail: a child that does not look whether its parent lives; the socket left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from django.conf import settings

from labelhub.config import processes
from labelhub.inference.assist_server import hold
from labelhub.predictions.assist import is_running, socket_path

pytestmark = pytest.mark.once
# Starts a child as the demo and a worker do, says its number, and lives on.
PARENT = (
    "import subprocess, sys, time; child = subprocess.Popen(sys.argv[1:], start_new_session=True);"
    "print(child.pid, flush=True); time.sleep(600)"
)


def until(holds: Callable[[], bool], patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_ends_with_a_parent_that_was_killed_and_only_one_runs_a_folder(tmp_path):
    environment = os.environ | {"LABELHUB_VAR": str(tmp_path)}
    path = socket_path(tmp_path)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *processes.assist_command()], cwd=settings.BASE_DIR, env=environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    child = 0
    try:
        child = int((parent.stdout and parent.stdout.readline()) or 0)
        until(lambda: asyncio.run(is_running(path)))
        assert hold(path) is None, "a second one would find the place taken"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: not lives(child))
        assert not path.exists()
    finally:
        parent.kill()
        parent.wait()
        if child and lives(child):
            os.kill(child, signal.SIGKILL)


def test_the_demo_starts_one_assistant_and_its_workers_none():
    assert "--without-assist" in processes.worker_command()
    assert "--without-assist" in processes.worker_command("gpu")
    assert processes.assist_command()[-2:] == ["assist", "--child"]
