"""All pairs of raters against MONAI and torchmetrics.

    python -m tests.benchmarks.bench_torch [--pairs 45] [--rounds N] [--shrink N]

The peers need seconds for a pair, so they get the first of the 45 pairs and their time is scaled.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace

import numpy as np

from labelhub.numerics.all_pairs import compare_all
from tests.benchmarks.masks import SHAPE, rater_maps, shrunken
from tests.benchmarks.race import HEADER, TORCH, race


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    options = parser.parse_args()
    maps = rater_maps(10, 8, shape=shrunken(SHAPE, options.shrink))
    raters, every = list(maps), list(itertools.combinations(range(10), 2))
    chosen = every[: options.pairs]
    found = compare_all(raters)
    mine = np.array([found.dice[a, b, 1:] for a, b in chosen])
    print(HEADER, flush=True)
    for which, peer in enumerate(("MONAI", "torchmetrics")):
        arrays = {"maps": maps, "which": np.array([which]), "pairs": np.array(chosen)}
        ran = race(
            f"45 pairs of 10 raters, 8 labels, {maps[0].shape}", lambda: compare_all(raters), peer, TORCH, "torch_pairs.py",
            arrays, rounds=5, peer_rounds=options.rounds, home="monai",
        )  # fmt: skip
        scaled = replace(
            ran,
            peer=f"{peer} ({len(chosen)} pairs, scaled)",
            peer_s=ran.peer_s * 45 / len(chosen),
            cpu_ratio=ran.cpu_ratio * 45 / len(chosen),
        )
        print(scaled.row(f"Dice at most {np.abs(mine - ran.values['dice']).max():.0e} apart"), flush=True)


if __name__ == "__main__":
    main()
