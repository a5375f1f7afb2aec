"""Regions, fusion and kinds of errors: python -m tests.benchmarks.bench_adjudication [--rounds N] [--errors N].

Times are of one process on one core where numpy does not thread; medians. ``--errors 1000`` plays that many planted errors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import django
import numpy as np

from labelhub.numerics.class_sets import class_set_map, voted_class_sets
from labelhub.numerics.decision_patterns import decision_patterns
from labelhub.numerics.disputes import disputes_of
from labelhub.numerics.fusion_calibration import RaterOffset, calibrated_mask
from labelhub.numerics.mask_pair import bounds
from labelhub.numerics.rasterise import polygon_mask
from labelhub.numerics.settled_maps import without_undecided
from labelhub.numerics.staple import label_staple
from tests.benchmarks.masks import rater_maps
from tests.numerics import planted_errors

PHOTOGRAPH = (1500, 2000)


def timed(work: str, call: Callable[[], object], rounds: int, limit_ms: float) -> None:
    call()
    wall, cpu = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    print(
        f"| {work} | {statistics.median(wall) * 1e3:.0f} ms | {statistics.median(cpu) * 1e3:.0f} ms | "
        f"{min(wall) * 1e3:.0f} ms | {limit_ms:.0f} ms |",
        flush=True,
    )


def volume(rng: np.random.Generator) -> list[np.ndarray]:
    """Five readers' maps of eight structures; one misses half of one, one draws two lesions that nobody else sees."""
    maps = list(rater_maps(5, 8))
    centre = np.argwhere(maps[0] == 3).mean(axis=0).astype(int)
    maps[0][centre[0] :][maps[0][centre[0] :] == 3] = 0
    for _ in range(2):
        at = [int(rng.integers(20, n - 40)) for n in maps[1].shape]
        maps[1][tuple(slice(a, a + 12) for a in at)] = 5
    return maps


def photograph(rng: np.random.Generator, n_objects: int = 50) -> list[list[tuple[int, np.ndarray]]]:
    """Five readers' polygons ``(class, ring)`` of the same objects, 30 to 120 px in radius, with vertices of their own."""
    objects = [
        (int(rng.integers(8)), rng.uniform(130, np.array(PHOTOGRAPH[::-1]) - 130), rng.uniform(30, 120))
        for _ in range(n_objects)
    ]
    readers = []
    for _ in range(5):
        rings = []
        for label, centre, radius in objects:
            angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
            far = radius + rng.normal(0, 1.5, 40)
            rings.append((label, centre + far[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])))
        readers.append(rings)
    readers[2] = readers[2][:-3]
    return readers


def painted(readers: list[list[tuple[int, np.ndarray]]]) -> list[np.ndarray]:
    return [
        class_set_map([(label, polygon_mask(ring, size=PHOTOGRAPH)) for label, ring in rings], PHOTOGRAPH, 8)
        for rings in readers
    ]


def of_photograph(readers: list[list[tuple[int, np.ndarray]]]) -> object:
    patterns = decision_patterns(painted(readers))
    return disputes_of(patterns, consensus=voted_class_sets(patterns), tolerance=3, least_size=20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--errors", type=int, default=0, help="planted errors to play, over all kinds, in 2-D and 3-D")
    options = parser.parse_args()
    if options.errors:
        errors(options.errors)
        return
    rng = np.random.default_rng(0)
    maps, readers = volume(rng), photograph(rng)
    print("| work | wall | processor | best | limit |\n|---|---|---|---|---|")
    found = disputes_of(maps, tolerance=2, least_size=30, spacing_mm=(1, 1, 1))
    what = f"256×256×160, 8 labels, 5 readers: map and {len(found.regions)} regions"
    timed(what, lambda: disputes_of(maps, tolerance=2, least_size=30, spacing_mm=(1, 1, 1)), options.rounds, 600)
    timed("the same by STAPLE: its map", lambda: fused(maps), options.rounds, 1000)
    timed("fusion of outlines of all 8 labels", lambda: all_calibrated(maps), options.rounds, 1000)
    timed("photograph 2,000×1,500, 5 × 50 polygons", lambda: of_photograph(readers), options.rounds, 200)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    # What stands above numerics needs the settings.
    from tests.benchmarks.whole_items import timed_items

    timed_items(maps, readers, PHOTOGRAPH, lambda work, call, limit: timed(work, call, options.rounds, limit))


def all_calibrated(maps: list[np.ndarray]) -> list[np.ndarray]:
    offsets = [RaterOffset(k, 1, 0.5 * (k % 3 - 1), 0, 0, 1.0, 0, 0, 6, 6, 0, 0.95) for k in range(len(maps))]
    found = []
    for label in range(1, 9):
        masks = [one == label for one in maps]
        boxes = [box for mask in masks if (box := bounds(mask)) is not None]
        window = tuple(
            slice(max(min(box[axis].start for box in boxes) - 4, 0), max(box[axis].stop for box in boxes) + 4)
            for axis in range(3)
        )
        found.append(calibrated_mask([mask[window] for mask in masks], offsets))
    return found


def fused(maps: list[np.ndarray]) -> np.ndarray:
    found = label_staple(maps)
    return without_undecided(found.label_map(), found.undecided)


def errors(n: int) -> None:
    kinds = [(kind, dimensions) for dimensions, names in planted_errors.KINDS.items() for kind in names]
    print("| planted | dimensions | named rightly | other objects left in peace |\n|---|---|---|---|")
    named = played = 0
    for place, (kind, dimensions) in enumerate(kinds):
        share = n // len(kinds) + (place < n % len(kinds))
        found = planted_errors.tally(kind, dimensions, share, seed=0)
        named, played = named + found.n_named, played + found.n
        print(
            f"| {kind} | {dimensions} | {found.n_named} of {found.n} | {found.n_in_peace} of {found.n_others} |",
            flush=True,
        )
    print(f"| all | 2 and 3 | {named} of {played} ({named / played:.1%}) | |")


if __name__ == "__main__":
    main()
