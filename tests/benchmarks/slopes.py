"""How the cost grows with voxels, units, labels or objects: python -m tests.benchmarks.slopes [--short] [--shrink N].

The power is that of a line through the logarithms: 1 is linear, below 1 a fixed cost still weighs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from labelhub.numerics.all_pairs import compare_all
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.packed_alpha import alpha_value
from labelhub.numerics.staple import label_staple, staple
from tests.benchmarks.bench_alpha import generated
from tests.benchmarks.bench_matching import clusters, readings
from tests.benchmarks.masks import SHAPE, rater_maps, two_masks
from tests.benchmarks.shapes import outlines

ROUNDS = 3


def slope_line(name: str, sizes: Sequence[int], times: Sequence[float]) -> str:
    power = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    pairs = ", ".join(f"{n:,} {s * 1e3:.1f} ms" for n, s in zip(sizes, times, strict=True))
    return f"- {name}: {pairs}; power {power:.2f}."


def slope(name: str, sizes: Sequence[int], calls: Sequence[Callable[[], object]]) -> None:
    times = []
    for call in calls:
        call()
        taken = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
        times.append(statistics.median(taken))
    print(slope_line(name, sizes, times), flush=True)


def shapes_of_volume(parts: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(round(length / part ** (1 / 3)) for length in SHAPE) for part in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="an eighth of every size")
    parser.add_argument("--shrink", type=int, default=1, help="divide every size once more, for a trial")
    options = parser.parse_args()
    least = (8 if options.short else 1) * options.shrink
    parts = [16 * least, 4 * least, least]
    _ratings([1_000_000 // part for part in parts])
    _volumes(shapes_of_volume(parts))
    images = [max(2, 400 // part) for part in (4 * least, 2 * least, least)]
    read = [readings(*outlines(n)) for n in images]
    slope("polygon matching, images × 50 × 3 raters", images, [lambda one=one: clusters(one, 3) for one in read])


def _ratings(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    for kind in (np.int8, np.float64):
        tables = [generated(rng, n, 20, 0.0).astype(kind) for n in sizes]
        slope(f"alpha, units × 20 raters, {kind.__name__}", sizes, [lambda t=t: alpha_value(t) for t in tables])


def _volumes(shapes: list[tuple[int, ...]]) -> None:
    sizes = [int(np.prod(shape)) for shape in shapes]
    maps = [list(rater_maps(5, 8, shape=shape)) for shape in shapes]
    masks = [[one == 1 for one in raters] for raters in maps]
    slope("STAPLE, 5 masks, voxels", sizes, [lambda m=m: staple(m, region="full").mask() for m in masks])
    slope("STAPLE, 8 labels, voxels", sizes, [lambda m=m: label_staple(m, region="full").label_map() for m in maps])
    slope("all pairs of 5 raters, 8 labels, voxels", sizes, [lambda m=m: compare_all(m) for m in maps])
    # A surface grows as the volume to the power 2/3, so its share of the cost falls.
    pairs = [two_masks(shape=shape) for shape in shapes]
    slope("surface distances of a pair, voxels", sizes, [lambda p=p: compare_masks(*p) for p in pairs])
    labels = [1, 2, 4, 8]
    few = [[np.where(one <= n, one, 0).astype(np.uint8) for one in maps[-1]] for n in labels]
    slope("STAPLE, labels", labels, [lambda m=m: label_staple(m, region="full").label_map() for m in few])
    slope("all pairs of 5 raters, labels", labels, [lambda m=m: compare_all(m) for m in few])


if __name__ == "__main__":
    main()
