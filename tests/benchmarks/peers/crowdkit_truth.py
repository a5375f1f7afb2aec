"""The peer's side of truth inference: crowd-kit's Dawid-Skene, GLAD or MACE on saved rows."""

from __future__ import annotations

import json
import math
import sys
import time

import numpy as np
import pandas as pd
from crowdkit.aggregation import GLAD, MACE, DawidSkene

METHODS = {
    0: lambda rounds: DawidSkene(n_iter=rounds, tol=-math.inf),
    1: lambda rounds: GLAD(n_iter=rounds, tol=-math.inf, silent=True),
    2: lambda rounds: MACE(n_iter=rounds, n_restarts=1, random_state=0, verbose=0),
}

unit, rater, given, setting = (np.load(path) for path in sys.argv[1:5])
# MACE there takes raters and labels in the order of their names for those in the order of their first appearance.
rater, _ = pd.factorize(rater)
given, names = pd.factorize(given)
rows = pd.DataFrame({"task": unit, "worker": rater, "label": given})
for _line in sys.stdin:
    model = METHODS[int(setting[0])](int(setting[1]))
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(rows)
    spent = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    probas = model.probas_.sort_index().sort_index(axis=1)
    path = sys.argv[1] + ".posterior.npy"
    np.save(path, probas.to_numpy()[:, np.argsort(names)])
    print(json.dumps({**spent, "file": path}), flush=True)
