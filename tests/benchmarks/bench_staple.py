"""STAPLE against SimpleITK: python -m tests.benchmarks.bench_staple [--large] [--rounds N] [--shrink N]."""

from __future__ import annotations

import argparse

import numpy as np

from labelhub.numerics.staple import label_staple, staple
from tests.benchmarks.masks import SHAPE, rater_maps, shrunken
from tests.benchmarks.race import HEADER, race

PEER, PACKAGES = "SimpleITK", ["SimpleITK", "numpy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="512 x 512 x 300 in place of 256 x 256 x 160")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    options = parser.parse_args()
    maps = rater_maps(5, 8, shape=shrunken((300, 512, 512) if options.large else SHAPE, options.shrink))
    print(HEADER, flush=True)
    _masks(maps == 1, options.rounds)
    _label_maps(maps, options.rounds)


def _masks(masks: np.ndarray, rounds: int) -> None:
    raters = list(masks)
    found = staple(raters, region="full")
    ran = race(
        f"STAPLE binary, {len(masks)} × {masks[0].shape}, label map", lambda: staple(raters, region="full").mask(),
        PEER, PACKAGES, "simpleitk_staple.py", {"masks": masks}, rounds=3, peer_rounds=rounds,
    )  # fmt: skip
    differing = int((found.mask() != (ran.values["array"] >= 0.5)).sum())
    parameters = max(
        np.abs(found.sensitivity - ran.values["sensitivity"]).max(),
        np.abs(found.specificity - ran.values["specificity"]).max(),
    )
    print(ran.row(f"{differing} voxels differ, parameters {parameters:.0e}"), flush=True)
    ran = race(
        "the same, float64 probability map", lambda: staple(raters, region="full").probability(),
        PEER, PACKAGES, "simpleitk_staple.py", {"masks": masks}, rounds=3, peer_rounds=1,
    )  # fmt: skip
    print(ran.row(f"at most {np.abs(found.probability() - ran.values['array']).max():.0e} apart"), flush=True)


def _label_maps(maps: np.ndarray, rounds: int) -> None:
    raters = list(maps)
    ran = race(
        f"STAPLE 8 labels, {len(maps)} × {maps[0].shape}",
        lambda: label_staple(raters, region="full", start="itk").label_map(),
        PEER, PACKAGES, "simpleitk_label_staple.py", {"maps": maps}, rounds=3, peer_rounds=rounds,
    )  # fmt: skip
    differing = int((label_staple(raters, region="full", start="itk").label_map() != ran.values["array"]).sum())
    print(ran.row(f"{differing} voxels differ"))


if __name__ == "__main__":
    main()
