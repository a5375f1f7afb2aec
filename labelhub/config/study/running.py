"""What all studies share: how large they are, how their parts are spread over processes, and means over paired seeds.

Not here: any experiment.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import django

from labelhub.config.simulation.comparison import mean_over_seeds

Part = TypeVar("Part")
Found = TypeVar("Found")

# Threads of linear algebra that share a core with another process wait for each other; a process a core is many times quicker.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
REAL_DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "volumes"

__all__ = ["ONE_THREAD", "REAL_DATA", "Plan", "in_parts", "mean_over_seeds", "silent"]


def silent(done: int, total: int, words: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a study is run: which seeds, short or not, in how many processes, where real volumes are, and whom to tell."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    is_short: bool = False
    workers: int = 1
    volumes: Path = REAL_DATA
    told: Callable[[int, int, str], None] = silent
    # A learner by dotted path in place of the pixel model, where the study knows how to use one.
    network: str = ""


def in_parts(
    work: Callable[[Part], Found], parts: Sequence[Part], plan: Plan, words: Callable[[Part], str]
) -> list[Found]:
    """The work done on each part, in the order of the parts; the plan's listener hears of each as it is done."""
    found: list[Found] = []
    with _mapped(work, parts, plan.workers) as results:
        for part, result in zip(parts, results, strict=True):
            found.append(result)
            plan.told(len(found), len(parts), words(part))
    return found


@contextmanager
def _mapped(work: Callable[[Part], Found], parts: Sequence[Part], workers: int) -> Iterator[Iterator[Found]]:
    if workers <= 1:
        yield map(work, parts)
        return
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        context = multiprocessing.get_context("spawn")
        # A fresh process knows no apps, and what is imported on the way to a study holds models.
        with ProcessPoolExecutor(workers, mp_context=context, initializer=django.setup) as pool:
            yield pool.map(work, parts)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
