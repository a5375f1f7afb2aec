"""Speed of truth inference against crowd-kit: the same rows, in turn, medians; and the slope of the cost in answers.

    python -m tests.benchmarks.bench_truth [--answers 1000000] [--small 10000] [--rounds 3] [--large]

Every method makes the same number of rounds as the peer's. GLAD and MACE run on fewer answers, for the peer takes minutes;
with ``--large`` it makes one round on many answers and its time is scaled, and the table says so.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from labelhub.numerics.answers import Answers, answers_from_rows
from labelhub.numerics.class_posterior import ClassPosterior
from labelhub.numerics.dawid_skene import MAXIMUM_LIKELIHOOD, dawid_skene
from labelhub.numerics.glad import glad
from labelhub.numerics.hierarchical import hierarchical_dawid_skene
from labelhub.numerics.mace import mace
from tests.benchmarks.race import HEADER, race
from tests.benchmarks.slopes import slope_line

CLASSES, LABELS, A_RATER, ROUNDS, GLAD_ROUNDS = 10, 5, 2000, 20, 10


def rows(n_answers: int, seed: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    n_units, n_raters = n_answers // LABELS, max(10, n_answers // A_RATER)
    truth, accuracy = rng.integers(0, CLASSES, n_units), rng.beta(8, 3, n_raters)
    unit, rater = np.repeat(np.arange(n_units), LABELS), rng.integers(0, n_raters, n_answers)
    is_right = rng.random(n_answers) < accuracy[rater]
    given = np.where(is_right, truth[unit], rng.integers(0, CLASSES, n_answers))
    return answers_from_rows(unit, rater, given, categories=range(CLASSES))


def compare(
    name: str,
    number: int,
    ours: Callable[[Answers, int], ClassPosterior],
    answers: Answers,
    rounds: int,
    turns: int,
    *,
    peer_turns: int = 2,
    peer_rounds: int | None = None,
) -> None:
    """Ours against the peer. With ``peer_rounds`` it makes so many only: its time is scaled, results are those of so many."""
    made = peer_rounds or rounds
    arrays = {
        "unit": answers.unit, "rater": answers.rater, "given": answers.given, "setting": np.array([number, made])
    }  # fmt: skip
    found = race(
        f"{name}, {len(answers.unit):,} answers, {CLASSES} classes, {rounds} rounds",
        lambda: ours(answers, rounds), "crowd-kit", ["crowd-kit"], "crowdkit_truth.py", arrays, rounds=turns,
        peer_rounds=peer_turns,
    )  # fmt: skip
    mine, theirs = ours(answers, made).posterior, found.values["array"]
    if peer_rounds:
        found = replace(
            found,
            peer=f"crowd-kit ({made} of {rounds} rounds, scaled)",
            peer_s=found.peer_s * rounds / made,
            cpu_ratio=found.cpu_ratio * rounds / made,
        )
    same = np.mean(mine.argmax(axis=1) == theirs.argmax(axis=1))
    # After so few rounds the random start of MACE and the two ways of taking a step of GLAD still show.
    apart = "only timed" if peer_rounds else f"posteriors to {np.abs(mine - theirs).max():.1e}"
    print(found.row(f"winners alike {same:.4%}, {apart}"), flush=True)


def plain(answers: Answers, rounds: int) -> ClassPosterior:
    return dawid_skene(answers, priors=MAXIMUM_LIKELIHOOD, tolerance=-1.0, max_iterations=rounds)


def with_even_shares(answers: Answers, rounds: int) -> ClassPosterior:
    return glad(answers, shares=np.full(CLASSES, 1 / CLASSES), tolerance=-1.0, max_iterations=rounds)


def of_one_start(answers: Answers, rounds: int) -> ClassPosterior:
    # The peer makes its first step before it counts.
    return mace(answers, n_restarts=1, n_iterations=rounds + 1)


def slope(sizes: tuple[int, ...]) -> None:
    for name, ours in (
        ("Dawid–Skene, 20 rounds", lambda a: plain(a, ROUNDS)),
        ("hierarchical, 20 rounds", lambda a: hierarchical_dawid_skene(a, tolerance=-1.0, max_iterations=ROUNDS)),
        ("GLAD, 10 rounds", lambda a: with_even_shares(a, GLAD_ROUNDS)),
        ("MACE, 20 rounds", lambda a: of_one_start(a, ROUNDS)),
    ):
        times = []
        for size in sizes:
            answers, taken = rows(size), []
            for _ in range(3):
                started = time.perf_counter()
                ours(answers)
                taken.append(time.perf_counter() - started)
            times.append(statistics.median(taken))
        print(slope_line(name, sizes, times), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument(
        "--large", action="store_true", help="one round of the peer's MACE on all answers, GLAD's on a tenth"
    )
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(HEADER, flush=True)
    large, small = rows(chosen.answers), rows(chosen.small)
    compare("Dawid–Skene", 0, plain, large, ROUNDS, chosen.rounds)
    compare("GLAD", 1, with_even_shares, small, GLAD_ROUNDS, chosen.rounds, peer_turns=1)
    compare("MACE", 2, of_one_start, small, ROUNDS, chosen.rounds, peer_turns=1)
    if chosen.large:
        compare("MACE", 2, of_one_start, large, ROUNDS, chosen.rounds, peer_turns=1, peer_rounds=1)
        tenth = rows(chosen.answers // 10)
        compare("GLAD", 1, with_even_shares, tenth, GLAD_ROUNDS, chosen.rounds, peer_turns=1, peer_rounds=1)
    print()
    slope((chosen.answers // 16, chosen.answers // 4, chosen.answers))


if __name__ == "__main__":
    main()
