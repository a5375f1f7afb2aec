"""Accuracy of truth inference on the settings of ``truth_settings``, which were fixed beforehand.

    python -m tests.benchmarks.bench_truth_accuracy [--seeds 10] [--only TEXT]

The default (``class_consensus``) against the better of majority vote (ties broken at random in expectation) and plain
Dawid-Skene (maximum likelihood), paired over seeds. Every setting where it loses by more than two standard errors is
marked; so is how often its posteriors from .95 on are right.
"""

from __future__ import annotations

import argparse

import numpy as np

from labelhub.numerics.answers import Answers
from labelhub.numerics.consensus import class_consensus, expected_correct
from labelhub.numerics.dawid_skene import MAXIMUM_LIKELIHOOD, dawid_skene
from labelhub.numerics.one_coin import one_coin
from tests.benchmarks.truth_settings import SETTINGS


def one_run(answers: Answers, truth: np.ndarray) -> tuple[float, ...]:
    found = class_consensus(answers)
    vote = np.nanmean(expected_correct(found.vote, truth))
    plain = np.nanmean(dawid_skene(answers, priors=MAXIMUM_LIKELIHOOD).expected_correct(truth))
    fixed = np.nanmean(dawid_skene(answers).expected_correct(truth))
    coin = np.nanmean(one_coin(answers).expected_correct(truth))
    ours = np.mean(found.winner == truth)
    sure = found.confidence >= 0.95
    return (
        float(vote),
        float(plain),
        float(fixed),
        float(coin),
        float(ours),
        float(np.mean(found.winner[sure] == truth[sure])) if sure.any() else np.nan,
    )


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
        runs = np.array([one_run(*setting.draw(np.random.default_rng(1000 + seed))) for seed in range(chosen.seeds)])
        means = np.nanmean(runs, axis=0)
        gain = runs[:, 4] - runs[:, int(means[:2].argmax())]
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        verdict = " **loses**" if gain.mean() < -2 * error - 1e-12 else ""
        cells = " | ".join(f"{value:.3f}" for value in means[:4])
        sure = f"{means[5]:.3f}"
        print(
            f"| {setting.name} | {cells} | **{means[4]:.3f}** | {gain.mean():+.3f} ± {error:.3f}{verdict} | {sure} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
