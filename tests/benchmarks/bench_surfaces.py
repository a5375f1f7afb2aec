"""Surface distances against four peers, each in its own definitions: python -m tests.benchmarks.bench_surfaces [--rounds N]
[--near] [--shrink N].
"""

from __future__ import annotations

import argparse

import numpy as np

from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.surfaces import surface_distances
from labelhub.numerics.surfels import (
    surfel_average_distances,
    surfel_distances,
    surfel_hausdorff,
    surfel_surface_dice,
)
from tests.benchmarks.masks import SHAPE, shrunken, two_masks
from tests.benchmarks.race import HEADER, TORCH, race

SPACING = (2.0, 1.0, 1.0)
TOLERANCE = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--near", action="store_true", help="only masks that are alike")
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    options = parser.parse_args()
    print(HEADER, flush=True)
    for name, shift in (("alike", 0), ("far apart", 110))[: 1 if options.near else 2]:
        first, second = two_masks(shift=shift // options.shrink, shape=shrunken(SHAPE, options.shrink))
        arrays = {"first": first, "second": second, "spacing": np.array(SPACING), "tolerance": np.array(TOLERANCE)}
        _voxels(name, arrays, options.rounds)
        _surfels(name, arrays, options.rounds)


def _voxels(name: str, arrays: dict[str, np.ndarray], rounds: int) -> None:
    def ours():
        return compare_masks(arrays["first"], arrays["second"], spacing_mm=SPACING, tolerance=TOLERANCE)

    found = ours()
    work = f"HD, HD95, ASSD, NSD, {arrays['first'].shape}, masks {name}"
    ran = race(work, ours, "MONAI (4 calls)", TORCH, "monai_surfaces.py", arrays, rounds=5, peer_rounds=rounds)
    mine = {
        "hd": found.hausdorff, "hd95": found.hausdorff_95, "assd": found.average_surface_distance,
        "nsd": found.surface_dice,
    }  # fmt: skip
    print(ran.row(_apart(mine, ran.values)), flush=True)
    alone = {**arrays, "is_alone": np.array(True)}
    ran = race(work, ours, "MONAI (HD95 alone)", TORCH, "monai_surfaces.py", alone, rounds=5, peer_rounds=rounds)
    print(ran.row(_apart(mine, ran.values)), flush=True)
    ran = race(
        work,
        ours,
        "MedPy (3 calls)",
        ["medpy", "setuptools"],
        "medpy_surfaces.py",
        arrays,
        rounds=5,
        peer_rounds=1,
    )
    # MedPy's and panoptica's HD95 is the percentile of both directions pooled.
    distances = surface_distances(arrays["first"], arrays["second"], SPACING)
    pooled = float(np.percentile(np.concatenate([distances.from_first, distances.from_second]), 95))
    mine = {**mine, "hd95": pooled, "masd": found.mean_directed_distance}
    print(ran.row(_apart(mine, ran.values)), flush=True)
    for peer, is_cut in (("panoptica (4 metrics, whole grid)", False), ("panoptica (evaluator, cut to the box)", True)):
        given = {**arrays, "is_cut": np.array(is_cut)}
        ran = race(
            work,
            ours,
            peer,
            ["panoptica"],
            "panoptica_surfaces.py",
            given,
            rounds=5,
            peer_rounds=rounds if is_cut else 1,
        )
        print(ran.row(_apart(mine, ran.values)), flush=True)


def _surfels(name: str, arrays: dict[str, np.ndarray], rounds: int) -> None:
    def ours():
        found = surfel_distances(arrays["first"], arrays["second"], spacing_mm=SPACING)
        means = surfel_average_distances(found)
        return {
            "hd": surfel_hausdorff(found), "hd95": surfel_hausdorff(found, 95), "mean_first": means[0],
            "mean_second": means[1],
            "nsd": surfel_surface_dice(found, TOLERANCE),
        }  # fmt: skip

    ran = race(
        f"by surfels, masks {name}", ours, "surface-distance", ["surface-distance", "numpy", "scipy"],
        "deepmind_surfaces.py", arrays, rounds=5, peer_rounds=rounds,
    )  # fmt: skip
    print(ran.row(_apart(ours(), ran.values)))


def _apart(mine: dict[str, float], theirs: dict[str, float]) -> str:
    most = max(abs(mine[name] - theirs[name]) / max(abs(theirs[name]), 1e-12) for name in theirs)
    return f"relative difference at most {most:.0e}"


if __name__ == "__main__":
    main()
