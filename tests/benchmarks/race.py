"""Ours against a peer on the same input, turn by turn, medians: the peer in an environment of its own.

A peer's environment is made on first use below the temporary folder (or $LABELHUB_PEERS) and may be deleted at any time.
The peer times itself inside its process, after its imports and after it has read the input.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# The pins of pyproject.toml: a looser one pulls gigabytes for a graphics card that these races do not use.
TORCH = ["torch>=2.13.0,<2.14", "monai>=1.6.1,<1.7", "torchmetrics", "scipy"]
PEERS = Path(os.environ.get("LABELHUB_PEERS", Path(tempfile.gettempdir()) / "labelhub-peers"))


@dataclass(frozen=True)
class Outcome:
    """Medians in seconds, what the peer found, what ours took in memory (MiB above its input), if measured.

    ``cpu_ratio`` is that of processor time, all threads together: other people's load disturbs it less than ``ratio``.
    """

    work: str
    peer: str
    ours_s: float
    peer_s: float
    values: dict
    extra_mib: float
    cpu_ratio: float

    def row(self, check: str) -> str:
        return (
            f"| {self.work} | {self.peer} | {self.ours_s * 1e3:.1f} ms | {self.peer_s * 1e3:.0f} ms | "
            f"{_ratio(self.peer_s / self.ours_s)}× | {_ratio(self.cpu_ratio)}× | {self.extra_mib:.0f} MiB | {check} |"
        )


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def environment(name: str, packages: list[str], *, bare: list[str] | None = None, python: str = sys.executable) -> Path:
    """The interpreter of the environment that has these packages; made with ``python`` where it is not there.

    ``bare`` are packages whose own wishes are not followed.
    """
    own = PEERS / name / "bin" / "python"
    if not (PEERS / name / "ready").exists():
        subprocess.run([python, "-m", "venv", "--clear", str(PEERS / name)], check=True)
        # What is imported is compiled then; to compile all of a package first takes as long as to install it.
        install = [str(own), "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*install, *packages], check=True)
        if bare:
            subprocess.run([*install, "--no-deps", *bare], check=True)
        (PEERS / name / "ready").touch()
    return own


def race(
    work: str,
    ours: Callable[[], object],
    peer: str,
    packages: list[str],
    script: str,
    arrays: dict[str, np.ndarray],
    *,
    rounds: int = 3,
    peer_rounds: int | None = None,
    home: str = "",
) -> Outcome:
    """Run ours and the peer's script in turn. The script reads the arrays' files and answers each line with JSON.

    ``home`` names the environment where several peers share one.
    """
    python = environment(home or peer.split()[0].lower(), packages)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, array in arrays.items():
            files.append(str(Path(folder) / f"{name}.npy"))
            np.save(files[-1], array)
        command = [str(python), str(Path(__file__).parent / "peers" / script), *files]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        mine, theirs, my_cpu, their_cpu, answer = [], [], [], [], {}
        ours()
        for turn in range(rounds):
            if turn < (peer_rounds or rounds):
                answer = _ask(process, files)
                theirs.append(answer.pop("seconds"))
                their_cpu.append(answer.pop("cpu"))
            started, cpu = time.perf_counter(), time.process_time()
            ours()
            mine.append(time.perf_counter() - started)
            my_cpu.append(time.process_time() - cpu)
        if "file" in answer:
            answer["array"] = np.load(answer["file"])
        process.communicate()
    cpu_ratio = statistics.median(their_cpu) / statistics.median(my_cpu)
    return Outcome(
        work, peer, statistics.median(mine), statistics.median(theirs), answer, extra_memory(ours), cpu_ratio
    )


def extra_memory(call: Callable[[], object]) -> float:
    """The peak of what a call allocates through numpy, in MiB, its result included."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


HEADER = (
    "| work | peer | ours | peer's | ratio | in processor time | our peak with result | results |\n"
    "|---|---|---|---|---|---|---|---|"
)


def _ask(process: subprocess.Popen, files: list[str]) -> dict:
    process.stdin.write(json.dumps(files) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())
