"""Accuracy of truth inference on the settings of ``truth_settings``, which were fixed beforehand.

    python -m tests.benchmarks.bench_truth_accuracy [--seeds 10] [--only TEXT]

The default (``class_consensus``) against the better of majority vote (ties broken at random in expectation) and plain
Dawid-Skene (maximum likelihood), paired over seeds. Where every seed takes the same answers, seeds say nothing of chance:
the error is then that of the items, paired as well. Every setting where it loses by more than two standard errors is
marked; so is how often its posteriors from .95 on are right.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.answers import Answers
from labelhub.numerics.consensus import class_consensus, expected_correct
from labelhub.numerics.dawid_skene import MAXIMUM_LIKELIHOOD, dawid_skene
from labelhub.numerics.one_coin import one_coin
from tests.benchmarks.truth_settings import SETTINGS


@dataclass(frozen=True)
class Run:
    """Shares right of vote, plain, fixed prior, one-coin and default, how often a sure default is right, and items' gains.

    ``gains[rival, item]``: right (1 or 0) less the rival's chance of being right; the rivals are vote and plain.
    """

    shares: tuple[float, ...]
    gains: np.ndarray


def one_run(answers: Answers, truth: np.ndarray) -> Run:
    found = class_consensus(answers)
    vote = expected_correct(found.vote, truth)
    plain = dawid_skene(answers, priors=MAXIMUM_LIKELIHOOD).expected_correct(truth)
    fixed = dawid_skene(answers).expected_correct(truth)
    coin = one_coin(answers).expected_correct(truth)
    is_right = found.winner == truth
    sure = found.confidence >= 0.95
    shares = tuple(float(np.nanmean(right)) for right in (vote, plain, fixed, coin, is_right))
    of_sure = float(np.mean(is_right[sure])) if sure.any() else np.nan
    return Run((*shares, of_sure), is_right - np.stack([vote, plain]))


def gain_of(runs: list[Run], rival: int) -> tuple[float, float]:
    """The mean gain over a rival and its standard error: over seeds, or over items where all seeds are alike."""
    gains = np.array([run.shares[4] - run.shares[rival] for run in runs])
    if len(gains) > 1 and np.ptp(gains) > 0:
        return float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    items = runs[0].gains[rival]
    items = items[~np.isnan(items)]
    return float(gains.mean()), float(items.std(ddof=1) / np.sqrt(len(items)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    print(
        "| setting | vote | plain | fixed prior | one-coin | **default** | "
        "gain over the better of the first two | right at ≥ .95 |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        if chosen.only not in setting.name:
            continue
        runs = [one_run(*setting.draw(np.random.default_rng(1000 + seed))) for seed in range(chosen.seeds)]
        means = np.nanmean([run.shares for run in runs], axis=0)
        gain, error = gain_of(runs, int(means[:2].argmax()))
        verdict = " **loses**" if gain < -2 * error - 1e-12 else ""
        cells = " | ".join(f"{value:.3f}" for value in means[:4])
        sure = f"{means[5]:.3f}"
        print(
            f"| {setting.name} | {cells} | **{means[4]:.3f}** | {gain:+.3f} ± {error:.3f}{verdict} | {sure} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
