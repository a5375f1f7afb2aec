"""NVIDIA's Triton asked by our client, as JSON and with the binary extension, and whether it finds what a network here would.

    python -m tests.benchmarks.try_triton [--python /usr/bin/python3.11]

Triton comes from the package `nvidia-pytriton` (55 MB, Linux with glibc 2.35 or later), into an environment of its own on first
use (`race`). It carries an interpreter of its own that takes the standard library of the environment's, so `--python` names one
that fits: 3.11.2 did, 3.11.7 did not ("RLock has no attribute _recursion_count"). That is why the suite asks MLServer in its
place (`tests/inference/test_real_server.py`), which does not know the binary extension; Triton does.

Seen on 2026-11-30 with 0.7.0, without a card: JSON and binary both found the square to the voxel. A picture of 512 x 512 in
one window took 0.7 s as JSON (1.9 s where it was noise) and 0.04 s as bytes (0.17 s), so `binary` is worth setting. An unknown
model is told as 404 and an unknown output as 400, each with Triton's own sentence; three channels came back as six maps, which
is refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
PACKAGES = ["nvidia-pytriton>=0.7,<0.8"]


def main() -> None:
    """Serve, ask, print, end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of Triton's environment")
    options = parser.parse_args()
    import django

    django.setup()
    from tests.benchmarks.race import environment
    from tests.inference.test_real_server import free_ports, until_ready

    python = environment("triton", PACKAGES, python=options.python)
    ports = free_ports(3)
    script = Path(__file__).parent / "peers" / "triton_bright.py"
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen([str(python), str(script), *map(str, ports)], stdout=log, stderr=log)
        try:
            until_ready(ports[0], process, Path(log.name), "/v2/models/bright/ready")
            ask(f"http://127.0.0.1:{ports[0]}")
        finally:
            process.terminate()
            process.wait(30)


def ask(url: str) -> None:
    """Print what the server finds in a picture with one bright square of 10 x 12 pixels, and how it refuses."""
    from django.conf import settings

    from labelhub.formats.shapes import Grid
    from labelhub.inference.remote import remote_predictor
    from labelhub.predictions.outbound import OutboundRefused
    from labelhub.projects.ontology import read_ontology
    from tests.cast import ONTOLOGY

    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(url,))
    ontology = read_ontology(ONTOLOGY)
    pixels = np.zeros((1, 512, 512), dtype=np.uint8)
    pixels[0, 105:115, 208:220] = 200
    how = {"normalisation": "range", "low": 0, "high": 200, "patch": [512, 512]}
    asked = {"url": url, "model": "bright", "classes": ["", "nucleus"], "step": 4, "preparation": how}
    for binary in (False, True):
        begun = time.perf_counter()
        seen = remote_predictor(asked | {"binary": binary}).predict(pixels, Grid(pixels.shape), ontology)
        found = [(shape.mask.origin, int(shape.mask.voxels.sum())) for shape in seen.shapes if shape.mask]
        way = "binary" if binary else "JSON"
        print(f"{way:<7} {found} (wanted [((0, 105, 208), 120)]) in {time.perf_counter() - begun:.2f} s")
    for more in ({"model": "none"}, {"output": "OTHER"}, {"channels": 3}):
        try:
            remote_predictor(asked | more).predict(pixels, Grid(pixels.shape), ontology)
        except OutboundRefused as refusal:
            print(f"{more}: {refusal}")


if __name__ == "__main__":
    main()
