"""Whole projects on an accelerator against our own CPU path: python -m tests.benchmarks.bench_accelerated.

    [--volumes N] [--rounds N] [--shrink N]

Goal on a GPU of the class of an H200, 100 volumes x 5 readers x 8 labels: agreement and overlap at least 50 times as quick as
our CPU path in the same run, or reading the maps at half of what a copy on the device is measured to move. Without an
accelerator it runs small on the CPU of torch, which shows that the numbers agree and nothing about speed.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
import torch

from labelhub.inference.accelerated.agreement import coincidences_of_patterns
from labelhub.inference.accelerated.devices import computing_device
from labelhub.inference.accelerated.fusion import staple_project
from labelhub.inference.accelerated.laid import LaidMaps, in_batches
from labelhub.inference.accelerated.patterns import pattern_counts
from labelhub.inference.accelerated.surfaces import compare_readers
from labelhub.numerics import decision_patterns
from labelhub.numerics.all_pairs import overlaps_of_patterns
from labelhub.numerics.decision_patterns import PatternCounts
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.packed_alpha import alpha_of_coincidences
from labelhub.numerics.staple import label_staple
from tests.benchmarks.masks import SHAPE, rater_maps, shrunken

READERS, LABELS = 5, 8
SPACING = (2.0, 1.0, 1.0)
# So many volumes are drawn; the others are these, moved along their planes.
DRAWN = 4
# The slower measures look at so many of the volumes, on either side.
FEW = 4

Volumes = list[list[np.ndarray]]
Numbers = list[np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, help="divide every length, for a trial")
    options = parser.parse_args()
    device = computing_device()
    is_there = device.type != "cpu"
    volumes = project(
        options.volumes or (100 if is_there else 4), shrunken(SHAPE, options.shrink or (1 if is_there else 4))
    )
    if is_there:
        print(f"Accelerator: {torch.cuda.get_device_name(device)}; our CPU path on {os.cpu_count()} cores.")
    else:
        print(
            "NO ACCELERATOR WAS HERE. What follows ran small, on the CPU of torch, on few volumes of a small grid: it shows "
            "that the numbers agree. None of its times or ratios is a result."
        )
    copied = copy_rate(device)
    print(f"{len(volumes)} volumes of {volumes[0][0].shape}, {READERS} readers, {LABELS} labels.")
    print(f"A copy on the device moves {copied / 1e9:.0f} GB/s (read and written, median of 9).\n")
    print(
        "| what | our CPU path (s) | torch (s) | times as quick | numbers at most apart |\n|---|---|---|---|---|",
        flush=True,
    )
    laid = list(in_batches(volumes, device))
    quick_s = row(
        "agreement and overlap, maps on the device", lambda: on_cpu(volumes), lambda: on_device(laid), options.rounds
    )
    n_bytes = sum(batch.n_bytes for batch in laid)
    laid.clear()
    row(
        "the same, copied there first", lambda: on_cpu(volumes),
        lambda: [numbers for batch in in_batches(volumes, device) for numbers in on_device([batch])], options.rounds,
    )  # fmt: skip
    few = volumes[:FEW]
    row(
        f"STAPLE of {LABELS} labels, {len(few)} volumes", lambda: [np.ravel(label_staple(maps).confusion) for maps in few],
        lambda: [np.ravel(found.confusion) for found in staple_project(few, device=device)], options.rounds,
    )  # fmt: skip
    row(
        f"every measure of every pair, {len(few)} volumes", lambda: surfaces_on_cpu(few),
        lambda: surfaces_on_device(few, device), options.rounds,
    )  # fmt: skip
    print(
        f"\nAgreement and overlap read {n_bytes / 1e9:.2f} GB of maps in {quick_s:.4f} s: {n_bytes / quick_s / 1e9:.0f} GB/s, "
        f"{n_bytes / quick_s / copied:.1%} of what the copy moves."
    )


def project(n_volumes: int, shape: tuple[int, ...]) -> Volumes:
    drawn = [rater_maps(READERS, LABELS, shape=shape, seed=seed) for seed in range(min(DRAWN, n_volumes))]
    return [list(np.roll(drawn[number % len(drawn)], number, axis=2)) for number in range(n_volumes)]


def numbers_of(patterns: PatternCounts) -> np.ndarray:
    """Dice, IoU and volumes of every pair and label, and alpha, of one volume."""
    found = overlaps_of_patterns(patterns, math.prod(SPACING), "mm")
    alpha = alpha_of_coincidences(coincidences_of_patterns(patterns), "nominal", "voxels").value
    return np.concatenate([found.dice.ravel(), found.iou.ravel(), found.volume.ravel(), [alpha]])


def on_cpu(volumes: Volumes) -> Numbers:
    return [numbers_of(decision_patterns.pattern_counts(maps)) for maps in volumes]


def on_device(laid: list[LaidMaps]) -> Numbers:
    return [numbers_of(patterns) for batch in laid for patterns in pattern_counts(batch)]


def surfaces_on_cpu(volumes: Volumes) -> Numbers:
    result = []
    for maps in volumes:
        for label in range(1, LABELS + 1):
            masks = [one == label for one in maps]
            result += [
                measures(compare_masks(masks[a], masks[b], spacing_mm=SPACING))
                for a, b in combinations(range(READERS), 2)
            ]
    return result


def surfaces_on_device(volumes: Volumes, device: torch.device) -> Numbers:
    result = []
    for maps in volumes:
        found = compare_readers(maps, labels=range(1, LABELS + 1), spacing_mm=SPACING, device=device)
        result += [measures(pair) for pair in found.values()]
    return result


def measures(pair: object) -> np.ndarray:
    names = ("dice", "hausdorff", "hausdorff_95", "average_surface_distance", "mean_directed_distance", "surface_dice")
    return np.array([getattr(pair, name) for name in names])


def row(what: str, cpu: Callable[[], Numbers], device: Callable[[], Numbers], rounds: int) -> float:
    """One line of the table: both sides in turn, after a first round that is not counted; the median of torch."""
    apart = max(np.nanmax(np.abs(a - b), initial=0.0) for a, b in zip(cpu(), device(), strict=True))
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for seconds, side in zip(taken, (cpu, device), strict=True):
            seconds.append(timed(side))
    slow, quick = (statistics.median(seconds) for seconds in taken)
    print(f"| {what} | {slow:.3f} | {quick:.4f} | {slow / quick:.1f} | {apart:.0e} |", flush=True)
    return quick


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def copy_rate(device: torch.device) -> float:
    """Bytes that a copy reads and writes in a second."""
    source = torch.ones((2 << 30) if device.type != "cpu" else (128 << 20), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.numel() / statistics.median(timed(lambda: target.copy_(source)) for _ in range(9))


if __name__ == "__main__":
    main()
