"""A worker of networks that is killed with SIGKILL in the middle of a job: the next one goes on, and no item is done twice.

Real processes on a copy of the test's database. That the dead worker's lease has run out is written into the row, in place of
waiting for it.
Planted and seen to fail: a claim that passes over running jobs whose lease has run out.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from labelhub.inference import wiring
from labelhub.inference.networks import build, weights_of
from labelhub.predictions.architectures import read_design
from labelhub.predictions.preparation import Preparation
from labelhub.predictions.services import register_network
from labelhub.workflow import predicting
from tests.cast import make_cast
from tests.workflow.walking import add_item

ITEMS = 12
PATIENCE_S = 180.0
OURS = "kind = 'predictions.predict_project'"
DESIGN = read_design(
    "UNet", {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
)


@pytest.fixture
def home(transactional_db, tmp_path: Path) -> Path:
    """A data folder with a database in which a job of a network waits."""
    if connection.vendor != "sqlite":
        pytest.skip("the copy of the database is SQLite's own; the queue's claims are tried on both")
    cast = make_cast()
    wiring.prepare()
    for seed in range(ITEMS):
        add_item(cast.project, seed=seed)
    # Small windows, so that a picture takes long enough to be killed in.
    model = register_network(
        project=cast.project, name="tiny", design=DESIGN, weights=weights_of(build(DESIGN, seed=0)),
        classes=["", "nucleus"], preparation=Preparation(patch=(8, 8), overlap=0.75, flips=True), by="test",
    )  # fmt: skip
    predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    var = tmp_path / "var"
    var.mkdir()
    with sqlite3.connect(var / "labelhub.sqlite3") as copy:
        connection.connection.backup(copy)
    if (tmp_path / "blobs").exists():
        shutil.copytree(tmp_path / "blobs", var / "blobs")
    return var


@pytest.fixture
def workers(home: Path) -> Iterator[Callable[[], subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        environment = {**os.environ, "LABELHUB_VAR": str(home)}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, "manage.py", "worker", "--queues", "gpu"]
        process = subprocess.Popen(
            command, cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.once
def test_the_next_worker_finishes_what_a_killed_one_began(home: Path, workers):
    with sqlite3.connect(home / "labelhub.sqlite3", timeout=30, isolation_level=None) as rows:

        def asked(query: str):
            return rows.execute(query).fetchone()[0]

        def wait_for(query: str, wanted: Callable[[object], bool]) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not wanted(asked(query)):
                assert time.monotonic() < deadline, query
                time.sleep(0.02)

        predictions, state = "SELECT count(*) FROM predictions_prediction", f"SELECT state FROM jobs_job WHERE {OURS}"
        first = workers()
        wait_for(predictions, lambda count: count >= 1)
        first.send_signal(signal.SIGKILL)
        first.wait()
        done = asked(predictions)
        assert 1 <= done < ITEMS
        assert asked(state) == "running", "the dead cannot say that they ended"
        rows.execute(f"UPDATE jobs_job SET lease_until = '2001-01-01 00:00:00' WHERE {OURS}")
        workers()
        wait_for(state, lambda found: found == "done")
        assert asked(predictions) == ITEMS
        assert asked("SELECT count(DISTINCT item_id) FROM predictions_prediction") == ITEMS
        assert asked(f"SELECT attempt FROM jobs_job WHERE {OURS}") == 2
        assert asked("SELECT count(*) FROM audit_event WHERE kind = 'item.predicted'") == ITEMS
        assert asked("SELECT count(*) FROM jobs_workersign WHERE queues LIKE '%gpu%'") >= 1
