"""Every benchmark of the numbers one after the other, as Markdown, in at most 25 minutes on a quiet machine.

    python -m tests.benchmarks.all_numerics [--short] [--into FILE]

``--short`` takes smaller inputs and one turn of the slow peers (about five minutes). The first run also makes the peers'
environments. A benchmark that fails is named in the table's place, the others run on, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

# (heading, module, arguments, arguments of the short form; None leaves it out)
RUNS: tuple[tuple[str, str, list[str], list[str] | None], ...] = (
    ("Alpha", "bench_alpha", ["--rounds", "3"], ["--rounds", "1"]),
    ("Truth inference", "bench_truth", ["--mace-large"], ["--answers", "200000", "--small", "5000", "--rounds", "1"]),
    ("STAPLE", "bench_staple", ["--rounds", "2"], ["--rounds", "1"]),
    ("STAPLE, large", "bench_staple", ["--large", "--rounds", "1"], None),
    ("All pairs", "bench_pairs", ["--rounds", "2"], ["--rounds", "1"]),
    ("All pairs, torch", "bench_torch", ["--pairs", "4", "--rounds", "1"], ["--pairs", "1", "--rounds", "1"]),
    ("Surfaces", "bench_surfaces", ["--rounds", "3"], ["--rounds", "1"]),
    ("Matching", "bench_matching", ["--rounds", "3"], ["--images", "100", "--rounds", "1"]),
    ("Slopes", "slopes", [], ["--short"]),
    ("Accuracy of truth inference", "bench_truth_accuracy", ["--seeds", "10"], None),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--into", type=Path, help="a file that gets the same text")
    options = parser.parse_args()
    parts, n_failed, started = [_machine()], 0, time.monotonic()
    print(parts[0], flush=True)
    for heading, module, full, short in RUNS:
        arguments = short if options.short else full
        if arguments is None:
            continue
        text, is_done = _ran(heading, module, arguments)
        n_failed += not is_done
        parts.append(text)
        print(text, flush=True)
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
    before, started = _load(), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = f"`python {' '.join(command[1:])}`: {time.monotonic() - started:.0f} s, load {before} to {_load()}"
    body = done.stdout if done.returncode == 0 else f"{done.stdout}\nFailed:\n\n```\n{done.stderr[-2000:]}\n```\n"
    return f"## {heading}\n\n{words}\n\n{body}", done.returncode == 0


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
