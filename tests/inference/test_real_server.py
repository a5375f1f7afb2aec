"""Models on a server that others wrote: MLServer, which speaks KServe's Open Inference Protocol, asked by the client as it is.

The server lives in an environment of its own, made on first use below the temporary folder (`tests.benchmarks.race`), from the
package registry alone; its model is `tests/benchmarks/peers/mlserver_bright.py`.
Planted and seen to fail: float64 refused; the sentence of the server's own failure left out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

from labelhub.formats.shapes import Grid
from labelhub.inference.remote import remote_predictor
from labelhub.predictions.outbound import OutboundRefused
from labelhub.projects.ontology import read_ontology
from tests.benchmarks.race import environment
from tests.cast import ONTOLOGY
from tests.inference.test_remote import parameters
from tests.realdata import absent

# Asks no database.
pytestmark = pytest.mark.once
PACKAGES = ["mlserver>=1.7.1,<1.8"]
PATIENCE_S = 120.0
ontology = read_ontology(ONTOLOGY)


def free_ports(n: int) -> list[int]:
    held = [socket.socket() for _ in range(n)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    """A running MLServer with two models."""
    try:
        python = environment("mlserver", PACKAGES)
    except subprocess.CalledProcessError:
        absent("no package registry is reached from here, so MLServer cannot be installed")
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(Path(__file__).parent.parent / "benchmarks" / "peers" / "mlserver_bright.py", folder)
    port, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0,
        "debug": False,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    for name, kind in (("bright", "float32"), ("bright-64", "float64")):
        (folder / name).mkdir()
        model = {"name": name, "implementation": "mlserver_bright.Bright", "parameters": {"extra": {"kind": kind}}}
        (folder / name / "model-settings.json").write_text(json.dumps(model))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [str(python.parent / "mlserver"), "start", str(folder)], cwd=folder, stdout=log, stderr=log,
        env={**os.environ, "PYTHONPATH": str(folder)}, start_new_session=True,
    )  # fmt: skip
    try:
        until_ready(port, process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def until_ready(port: int, process: subprocess.Popen, log: Path, path: str = "/v2/health/ready") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    pytest.fail(f"the server did not come: {log.read_text()[-3000:]}")


@pytest.fixture
def url(served, settings) -> str:
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(served,))
    return served


@pytest.mark.parametrize("model", ["bright", "bright-64"])
def test_a_real_server_finds_what_a_network_at_home_would(url, model):
    pixels = np.zeros((1, 40, 30), dtype=np.uint8)
    pixels[0, 5:15, 8:20] = 200
    seen = remote_predictor(parameters(url, model=model)).predict(pixels, Grid((1, 40, 30)), ontology)
    assert [shape.mask.origin for shape in seen.shapes] == [(0, 5, 8)]
    assert int(seen.shapes[0].mask.voxels.sum()) == 120


def test_a_volume_goes_window_by_window(url):
    pixels = np.zeros((12, 24, 20), dtype=np.int16)
    pixels[3:9, 4:12, 5:15] = 200
    how = {"normalisation": "range", "low": 0, "high": 200, "patch": [8, 16, 16]}
    asked = parameters(url, model="bright", dimensions=3, preparation=how)
    seen = remote_predictor(asked).predict(pixels, Grid((12, 24, 20)), ontology)
    assert [(shape.mask.origin, int(shape.mask.voxels.sum())) for shape in seen.shapes] == [((3, 4, 5), 6 * 8 * 10)]


def test_what_a_real_server_says_of_its_failures_is_passed_on(url):
    picture = np.zeros((1, 16, 16), dtype=np.uint8)
    with pytest.raises(OutboundRefused, match=r"status 404 and says: .*not found"):
        remote_predictor(parameters(url, model="none")).predict(picture, Grid((1, 16, 16)), ontology)
    colours = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(OutboundRefused, match="status 500"):
        remote_predictor(parameters(url, model="bright", channels=3)).predict(colours, Grid((1, 16, 16)), ontology)
    # It does not know the binary extension, and says so in its own way.
    with pytest.raises(OutboundRefused, match="status 4"):
        remote_predictor(parameters(url, model="bright", binary=True)).predict(picture, Grid((1, 16, 16)), ontology)
