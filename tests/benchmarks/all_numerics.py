"""Every benchmark of the numbers one after the other, as Markdown, in at most 20 minutes on a quiet two-core machine.

    python -m tests.benchmarks.all_numerics [--short | --trial] [--into FILE]

``--short`` takes smaller inputs and one turn of the slow peers (at most six minutes). ``--trial`` takes tiny ones: it shows
that every benchmark and every peer starts and finds the same, and its times say nothing. The first run also makes the
peers' environments, which takes minutes of its own: a trial first keeps them out of the figures. Lines are printed as they
come. A benchmark that fails or takes longer than its limit is named in the table's place, the others run on, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import numpy as np

# No benchmark may keep the others waiting for longer, however loaded the machine is.
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark: the arguments of the whole form, of the short one (None leaves it out), and of a trial."""

    heading: str
    module: str
    full: str
    short: str | None
    trial: str


RUNS = (
    Run("Alpha", "bench_alpha", "--rounds 3", "--rounds 1", "--rounds 1 --units 4000"),
    Run("Truth inference", "bench_truth", "--large", "--answers 200000 --small 2000 --rounds 1",
        "--large --answers 4000 --small 200 --rounds 1"),
    Run("STAPLE", "bench_staple", "--rounds 2", "--rounds 1", "--rounds 1 --shrink 8"),
    Run("STAPLE, large", "bench_staple", "--large --rounds 1", None, "--large --rounds 1 --shrink 12"),
    Run("All pairs", "bench_pairs", "--rounds 2", "--rounds 1", "--rounds 1 --shrink 8"),
    Run("All pairs, torch", "bench_torch", "--pairs 4 --rounds 1", "--pairs 1 --rounds 1",
        "--pairs 1 --rounds 1 --shrink 8"),
    Run("Surfaces", "bench_surfaces", "--rounds 3", "--rounds 1 --near", "--rounds 1 --shrink 6"),
    Run("Matching", "bench_matching", "--rounds 2", "--images 100 --rounds 1", "--images 3 --rounds 1"),
    Run("Slopes", "slopes", "", "--short", "--short --shrink 6"),
    Run("Accuracy of truth inference", "bench_truth_accuracy", "--seeds 10", None, "--seeds 2 --only birds"),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true")
    size.add_argument("--trial", action="store_true")
    parser.add_argument("--into", type=Path, help="a file that gets the same text")
    options = parser.parse_args()
    parts, n_failed, started = [_machine()], 0, time.monotonic()
    print(parts[0], flush=True)
    for run in RUNS:
        arguments = run.short if options.short else run.trial if options.trial else run.full
        if arguments is not None:
            text, is_done = _ran(run.heading, run.module, arguments.split())
            n_failed += not is_done
            parts.append(text)
    parts.append(f"All in {(time.monotonic() - started) / 60:.0f} minutes; {n_failed} failed.")
    print(parts[-1])
    if options.into:
        options.into.write_text("\n".join(parts) + "\n")
    return min(n_failed, 1)


def _machine() -> str:
    return (
        f"# Benchmarks of the numbers\n\nPython {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, "
        f"load {_load()} at the start.\n"
    )


def _ran(heading: str, module: str, arguments: list[str]) -> tuple[str, bool]:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    lines: list[str] = []

    def say(text: str) -> None:
        lines.append(text)
        print(text, end="", flush=True)

    say(f"## {heading}\n\n")
    before, started = _load(), time.monotonic()
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True)
        clock = Timer(LIMIT_S, process.kill)
        clock.start()
        for line in process.stdout or ():
            say(line)
        status = process.wait()
        clock.cancel()
        took = time.monotonic() - started
        if status:
            complaints.seek(0)
            why = f"took longer than {LIMIT_S:.0f} s" if took >= LIMIT_S else "failed"
            say(f"\nIt {why}:\n\n```\n{complaints.read()[-2000:]}\n```\n")
    say(f"\n`python {' '.join(command[1:])}`: {took:.0f} s, load {before} to {_load()}\n\n")
    return "".join(lines), status == 0


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
