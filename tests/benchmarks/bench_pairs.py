"""All pairs of raters against SimpleITK: python -m tests.benchmarks.bench_pairs [--rounds N] [--shrink N]."""

from __future__ import annotations

import argparse
import itertools

import numpy as np

from labelhub.numerics.all_pairs import compare_all
from tests.benchmarks.masks import SHAPE, rater_maps, shrunken
from tests.benchmarks.race import HEADER, race


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    options = parser.parse_args()
    maps = rater_maps(10, 8, shape=shrunken(SHAPE, options.shrink))
    raters = list(maps)
    ran = race(
        f"45 pairs of 10 raters, 8 labels, {maps[0].shape}", lambda: compare_all(raters),
        "SimpleITK", ["SimpleITK", "numpy"], "simpleitk_overlap.py", {"maps": maps}, rounds=5, peer_rounds=options.rounds,
    )  # fmt: skip
    found = compare_all(raters)
    mine = np.array([found.dice[a, b, 1:] for a, b in itertools.combinations(range(10), 2)])
    print(HEADER, flush=True)
    print(ran.row(f"Dice at most {np.abs(mine - ran.values['dice']).max():.0e} apart"))


if __name__ == "__main__":
    main()
