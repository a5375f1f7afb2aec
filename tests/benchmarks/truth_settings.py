"""The settings on which truth inference is judged: fixed before any method was tuned, real answers first.

Every setting is a function of a generator that gives ``(ratings as rows, truth)``. Raters of the simulated settings
differ in skill, share a confusable pair of classes, and some of them only click.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import yaml

from labelhub.numerics.answers import Answers, answers_from_rows
from tests.realdata import SHARED


@dataclass(frozen=True)
class Setting:
    name: str
    draw: Callable[[np.random.Generator], tuple[Answers, np.ndarray]]


def bluebirds(n_labels: int, rng: np.random.Generator) -> tuple[Answers, np.ndarray]:
    """Welinder's birds: so many of the 39 answers of each unit, drawn at random."""
    folder = SHARED / "crowd" / "bluebirds_welinder"
    truth = yaml.safe_load((folder / "gt.yaml").read_text())
    labels = yaml.safe_load((folder / "labels.yaml").read_text())
    items = sorted(truth)
    table = np.array([[float(labels[person][item]) for person in sorted(labels)] for item in items])
    chosen = np.argsort(rng.random(table.shape), axis=1)[:, :n_labels]
    unit = np.repeat(np.arange(len(table)), n_labels)
    rater = chosen.ravel()
    found = answers_from_rows(unit, rater, table[unit, rater], n_raters=table.shape[1], categories=[0, 1])
    return found, np.array([float(truth[item]) for item in items])


def sites(n_labels: int, rng: np.random.Generator) -> tuple[Answers, np.ndarray]:
    """Answers on web sites (two classes), so many of the five of each unit, drawn at random."""
    folder = SHARED / "crowd" / "gal_barzanmozafari"
    rows = [line.split() for line in (folder / "labels.txt").read_text().splitlines() if line.strip()]
    truths = dict(line.split() for line in (folder / "evaluation.txt").read_text().splitlines() if line.strip())
    names = sorted(truths)
    number = {name: position for position, name in enumerate(names)}
    people = {name: position for position, name in enumerate(sorted({row[0] for row in rows}))}
    kept = [row for row in rows if row[1] in number]
    unit = np.array([number[row[1]] for row in kept])
    order = np.lexsort((rng.random(len(unit)), unit))
    first = np.searchsorted(unit[order], unit[order])
    order = order[np.arange(len(unit)) - first < n_labels]
    rater = np.array([people[row[0]] for row in kept])
    given = np.array([float(row[2]) for row in kept])
    found = answers_from_rows(
        unit[order], rater[order], given[order], n_units=len(names), n_raters=len(people), categories=[0, 1]
    )
    return found, np.array([float(truths[name]) for name in names])


def crowd(
    rng: np.random.Generator,
    *,
    n_units: int,
    n_labels: int,
    a_rater: int,
    n_classes: int = 4,
    skill: tuple[float, float] = (6.0, 3.0),
    clickers: float = 0.1,
    pair: float = 0.5,
    prevalence: tuple[float, ...] | None = None,
    spread: float = 12.0,
    hard: float = 0.0,
) -> tuple[Answers, np.ndarray]:
    """A simulated crowd.

    A rater's accuracy is drawn from Beta(``skill``); the share ``pair`` of errors goes to the neighbouring class; each
    row of the confusion matrix is drawn from a Dirichlet of strength ``spread`` around that; the share ``clickers`` answers
    evenly or always the same; on the share ``hard`` of units everybody's answers are drawn as if from a coarse guess
    between the truth and its neighbour.
    """
    n_raters = max(n_labels + 1, round(n_units * n_labels / a_rater))
    weights = np.full(n_classes, 1 / n_classes) if prevalence is None else np.array(prevalence)
    truth = rng.choice(n_classes, n_units, p=weights)
    unit = np.repeat(np.arange(n_units), n_labels)
    rater = np.concatenate(
        [
            np.argsort(rng.random((min(2000, n_units - start), n_raters)), axis=1)[:, :n_labels].ravel()
            if n_raters <= 500
            else rng.integers(0, n_raters, (min(2000, n_units - start), n_labels)).ravel()
            for start in range(0, n_units, 2000)
        ]
    )
    same, neighbour = np.eye(n_classes), np.roll(np.eye(n_classes), 1, axis=1)
    errors = 1 - same if n_classes == 2 else pair * neighbour + (1 - pair) * (1 - same - neighbour) / (n_classes - 2)
    accuracy = rng.beta(*skill, n_raters)[:, None, None]
    centre = accuracy * same + (1 - accuracy) * errors
    table = rng.standard_gamma(np.maximum(spread * centre, 1e-3)) + 1e-12
    table /= table.sum(axis=2, keepdims=True)
    kind = rng.random(n_raters)
    table[kind < clickers] = 1 / n_classes
    constant = np.nonzero(kind < clickers / 2)[0]
    table[constant] = np.eye(n_classes)[rng.integers(0, n_classes, len(constant))][:, None, :]
    rows = table[rater, truth[unit]]
    if hard > 0:
        is_hard = (rng.random(n_units) < hard)[unit]
        rows[is_hard] = (0.45 * same + 0.4 * neighbour + 0.15 / n_classes)[truth[unit]][is_hard]
        rows /= rows.sum(axis=1, keepdims=True)
    given = np.minimum((np.cumsum(rows, axis=1) <= rng.random(len(unit))[:, None]).sum(axis=1), n_classes - 1)
    found = answers_from_rows(unit, rater, given, n_units=n_units, n_raters=n_raters, categories=range(n_classes))
    return found, truth.astype(float)


SETTINGS = (
    *(Setting(f"bluebirds, {n} labels", partial(bluebirds, n)) for n in (5, 10, 20, 39)),
    *(Setting(f"sites, {n} labels", partial(sites, n)) for n in (3, 5)),
    Setting("2,000 × 5, 10 a rater", partial(crowd, n_units=2000, n_labels=5, a_rater=10)),
    Setting("10,000 × 5, 50 a rater", partial(crowd, n_units=10_000, n_labels=5, a_rater=50)),
    Setting("100,000 × 3, 300 a rater", partial(crowd, n_units=100_000, n_labels=3, a_rater=300)),
    Setting("300 × 3, 12 raters", partial(crowd, n_units=300, n_labels=3, a_rater=75, clickers=0.0)),
    Setting("500 × 4, a third click", partial(crowd, n_units=500, n_labels=4, a_rater=50, clickers=0.33)),
    Setting(
        "1,000 × 5, one class of 5 %",
        partial(crowd, n_units=1000, n_labels=5, a_rater=50, n_classes=2, prevalence=(0.95, 0.05)),
    ),
    Setting("2,000 × 5, 10 classes", partial(crowd, n_units=2000, n_labels=5, a_rater=50, n_classes=10)),
    Setting("1,000 × 5, equal raters", partial(crowd, n_units=1000, n_labels=5, a_rater=50, skill=(400, 200), clickers=0.0,
                                               spread=1e6, pair=1 / 3)),
    Setting("1,000 × 5, a third hard", partial(crowd, n_units=1000, n_labels=5, a_rater=50, hard=0.33)),
    Setting("1,000 × 5, own confusions", partial(crowd, n_units=1000, n_labels=5, a_rater=100, spread=3.0)),
)  # fmt: skip
