"""The fold in Python and the one in JavaScript say the same of 5,000 generated logs: state, and SHA-256 of each mask.

Planted once and seen to fail: a pixel on the very edge of a stroke left out in JavaScript; an undo of somebody else's stroke
that counts.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import orjson

from tests.annotations.fold_vectors import SIZES, random_log, vector
from tests.realdata import absent

PROGRAM = Path(__file__).resolve().parents[1] / "js" / "fold_many.js"
LOGS = 5000


def test_both_folds_say_the_same_of_many_logs(tmp_path):
    if shutil.which("node") is None:
        absent("Node.js is not installed")
    rng = np.random.default_rng(41)
    path = tmp_path / "logs.ndjson"
    with path.open("wb") as file:
        for _ in range(LOGS):
            base, acts = random_log(rng, int(rng.integers(1, 26)))
            file.write(orjson.dumps(vector(base, acts, SIZES)) + b"\n")
    told = subprocess.run(["node", str(PROGRAM), str(path)], capture_output=True, text=True, check=False)
    assert told.stdout.strip() == f"{LOGS} logs, 0 different", told.stderr
