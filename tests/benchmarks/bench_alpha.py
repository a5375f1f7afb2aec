"""Krippendorff's alpha against the `krippendorff` package: same data, one run, alternating, medians.

    python -m tests.benchmarks.bench_alpha [--units 1000000] [--rounds 5]

The peer has no bootstrap: its time for 1,000 resamples is 1,000 times that of one call. The peer is called once a round,
ours three times; both see the same arrays, and the values must agree to 1e-12.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import tracemalloc
from collections.abc import Callable

import krippendorff
import numpy as np

from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.packed_alpha import alpha_value

TOLERANCE = 1e-12


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of processor time of all threads together (which other people's load disturbs less)."""
    start, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - cpu


def peer_value(ratings: np.ndarray, measure: str) -> float:
    return float(krippendorff.alpha(reliability_data=ratings.T, level_of_measurement=measure))


def generated(rng: np.random.Generator, units: int, raters: int, gaps: float) -> np.ndarray:
    truth = rng.integers(0, 5, (units, 1), dtype=np.int8)
    ratings = np.where(rng.random((units, raters)) < 0.7, truth, rng.integers(0, 5, (units, raters), dtype=np.int8))
    table = ratings.astype(np.float64)
    if gaps:
        table[rng.random(table.shape) < gaps] = np.nan
    return table


def extra_memory(call: Callable[[], object]) -> float:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def row(name: str, ours: Callable[[], object], peer: Callable[[], object], repeats: int, rounds: int) -> None:
    mine: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(rounds):
        theirs.append(seconds(peer))
        mine.extend(seconds(ours) for _ in range(3))
    own, own_cpu = (statistics.median(taken) for taken in zip(*mine, strict=True))
    other, other_cpu = (statistics.median(taken) * repeats for taken in zip(*theirs, strict=True))
    memory = extra_memory(ours)
    print(
        f"| {name} | {other:.3g} s | {own * 1000:.3g} ms | {other / own:,.0f} | {other_cpu / own_cpu:,.0f} | "
        f"{memory:.1f} MiB |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| work | krippendorff | ours | ratio | in processor time | extra memory |\n|---|---|---|---|---|---|")
    for units in (options.units // 4, options.units):
        for gaps in (0.0, 0.1):
            ratings = generated(rng, units, 20, gaps)
            if abs(alpha_value(ratings).value - peer_value(ratings, "nominal")) > TOLERANCE:
                message = "the two packages do not agree"
                raise SystemExit(message)
            if not gaps:
                small = ratings.astype(np.int8)
                row(
                    f"alpha, {units:,} units x 20 raters, integers",
                    lambda small=small: alpha_value(small),
                    lambda small=small: peer_value(small, "nominal"),
                    1,
                    options.rounds,
                )
            row(
                f"alpha, {units:,} units x 20 raters, {gaps:.0%} gaps",
                lambda ratings=ratings: alpha_value(ratings),
                lambda ratings=ratings: peer_value(ratings, "nominal"),
                1,
                options.rounds,
            )
    for units, raters in ((100_000, 5), (1_000, 100)):
        ratings = generated(rng, units, raters, 0.0)
        for measure in ("nominal", "ordinal"):
            again = Resampling(np.random.default_rng(0), n_resamples=1000, kind="percentile")
            row(
                f"1,000 resamples, {units:,} x {raters}, {measure}",
                lambda ratings=ratings, measure=measure, again=again: alpha_value(ratings, measure, resampling=again),
                lambda ratings=ratings, measure=measure: peer_value(ratings, measure),
                1000,
                options.rounds,
            )
    print(f"\nLargest resident set {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB.")


if __name__ == "__main__":
    main()
