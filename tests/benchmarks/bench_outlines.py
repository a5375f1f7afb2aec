"""What it costs to look at one outline of 20,000 corners, of several forms: python -m tests.benchmarks.bench_outlines.

Medians of five, of processor time, of the whole look at a shape as the writer of live operations takes it
(`annotations.geometry`).
"""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, N = 4000, 20_000


def main() -> None:
    from labelhub.annotations.errors import OperationRefused
    from labelhub.annotations.geometry import checked_regions

    print("| outline | answer | median |\n|---|---|---|")
    for name, ring in outlines(N).items():
        region: Any = [{"kind": "polygon", "points": ring.tolist()}]
        times, answer = [], ""
        for _ in range(5):
            start = time.process_time()
            try:
                checked_regions(region, (1, SIDE, SIDE), {"polygon"})
                answer = "taken"
            except OperationRefused as refusal:
                answer = refusal.code
            times.append(time.process_time() - start)
        print(f"| {name} | {answer} | {1000 * statistics.median(times):.0f} ms |", flush=True)


def outlines(n: int) -> dict[str, NDArray[np.float64]]:
    """Outlines of ``n`` corners inside a picture of ``SIDE`` pixels a side."""
    rng = np.random.default_rng(1)
    angle = np.linspace(0, 2 * math.pi, n, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lobed = SIDE / 2 + (SIDE / 3) * (1 + 0.2 * np.sin(40 * angle))[:, None] * around
    spiky = SIDE / 2 + (SIDE / 3) * rng.uniform(0.5, 1, n)[:, None] * around
    once = lobed.copy()
    once[[n // 2, n // 2 + 1]] = once[[n // 2 + 1, n // 2]]
    turns = np.linspace(0, 1, n // 2)
    spiral_out = SIDE / 2 + (50 + 1500 * turns)[:, None] * _turned(40 * math.pi * turns)
    spiral_back = (SIDE / 2 + (60 + 1500 * turns)[:, None] * _turned(40 * math.pi * turns))[::-1]
    step, is_up = np.arange(n - 2) / n, np.arange(n - 2) % 2 == 1
    teeth = np.stack([100 + 3000 * step, np.where(is_up, 200.0, 3000.0)], axis=1)
    teeth = np.concatenate([teeth, [(3500, 3500), (50, 3500)]])
    # The same, leant over: each tooth's box overlaps half of all others'.
    slanted = np.stack([teeth[:, 0] / 2 + teeth[:, 1] / 2, teeth[:, 1]], axis=1)
    return {
        "round a thing, 40 lobes": lobed,
        "the same, two corners exchanged": once,
        "spikes from a middle": spiky,
        "a spiral of two sides": np.concatenate([spiral_out, spiral_back]),
        "a comb": teeth,
        "a slanted comb": slanted,
        "corners anywhere": rng.uniform(10, SIDE - 10, (n, 2)),
    }  # fmt: skip


def _turned(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


if __name__ == "__main__":
    main()
