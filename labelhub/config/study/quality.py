"""Quality or quantity: what a classifier learns from many poor labels and from few good ones, for three kinds of errors.

The saying under test is "a million labels of low quality are worth a hundred thousand of high quality". It stands on the map as
a point: where ten poor labels teach as much as a good one. Not here: the world and its noises (``numerics.spoilt_labels``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Cell, paragraph, section, table
from labelhub.config.study.plots import contour_map
from labelhub.config.study.report import Sheet, Study, figure, number_cell, numbers, with_interval
from labelhub.config.study.running import Plan, in_parts, mean_over_seeds
from labelhub.numerics.quality_quantity import BreakEven, break_even, break_even_flip_rate, information_factor
from labelhub.numerics.results import Estimate, FloatArray
from labelhub.numerics.spoilt_labels import (
    NOISES,
    Noise,
    World,
    best_accuracy,
    draw_units,
    learn,
    spoilt_labels,
    true_accuracy,
)

WORLD = World(50, 3.0)
COUNTS = (100, 300, 1000, 3000, 10_000, 30_000)
RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
RATIOS = (3.0, 10.0, 30.0)
# Shares of wrong labels between which a break-even is looked for: systematic ones cost with their square, and early.
FINE_RATES: Mapping[Noise, tuple[float, ...]] = {
    "flips": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.342, 0.4, 0.45),
    "confusion": (0.0, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15),
    "boundary": (0.0, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15),
}
N_CLEAN = 1000
# The saying's own counts.
FEW, MANY = 100_000, 1_000_000
SAYING_SEEDS = 3
REPEATS = (1, 3, 5)
WORDS = {
    "flips": "random flips",
    "confusion": "one class taken for the other",
    "boundary": "boundary drawn to one side",
}


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """How large the experiment is."""

    counts: tuple[int, ...] = COUNTS
    rates: tuple[float, ...] = RATES
    ratios: tuple[float, ...] = RATIOS
    n_clean: int = N_CLEAN
    few: int = FEW
    budget: int = 9000
    world: World = WORLD


SHORT = Sizes((60, 200, 600), (0.0, 0.2, 0.4), (3.0, 10.0), 100, 0, 600, World(10, 3.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One piece of work: ``kind`` is "map", "ratio" or "repeats"."""

    kind: str
    noise: Noise
    seeds: tuple[int, ...]
    sizes: Sizes
    ratio: float = 1.0
    n_clean: int = 0


def accuracies(noise: Noise, seed: int, sizes: Sizes) -> FloatArray:
    """The accuracy ``[rate, count]`` of one seed; the fewer labels are the first of the more, in the same world."""
    rng = np.random.default_rng([seed, NOISES.index(noise)])
    units, direction = draw_units(sizes.world, max(sizes.counts), rng)
    found = np.empty((len(sizes.rates), len(sizes.counts)))
    for row, rate in enumerate(sizes.rates):
        given = spoilt_labels(units, noise, rate, sizes.world, rng)
        for column, count in enumerate(sizes.counts):
            learned = learn(units.seen[:count], given[:count])
            found[row, column] = true_accuracy(learned, direction, sizes.world)
    return found


def majority_rate(rate: float, repeats: int) -> float:
    """How often the majority of so many independent answers is wrong, each being wrong this often; an odd number of answers.

    >>> round(majority_rate(0.2, 3), 3)
    0.104
    """
    return sum(
        math.comb(repeats, wrong) * rate**wrong * (1 - rate) ** (repeats - wrong)
        for wrong in range(repeats // 2 + 1, repeats + 1)
    )


def repeated(seed: int, sizes: Sizes) -> FloatArray:
    """The accuracy ``[rate, repeats]`` of one seed if a budget of answers goes to fewer units with several answers each."""
    rng = np.random.default_rng([seed, 77])
    units, direction = draw_units(sizes.world, sizes.budget, rng)
    found = np.empty((len(sizes.rates) - 1, len(REPEATS)))
    for row, rate in enumerate(sizes.rates[1:]):
        for column, repeats in enumerate(REPEATS):
            given = spoilt_labels(units, "flips", majority_rate(rate, repeats), sizes.world, rng)
            n = sizes.budget // repeats
            found[row, column] = true_accuracy(learn(units.seen[:n], given[:n]), direction, sizes.world)
    return found


def _play(part: _Part) -> FloatArray | BreakEven:
    if part.kind == "map":
        return np.stack([accuracies(part.noise, seed, part.sizes) for seed in part.seeds])
    if part.kind == "repeats":
        return np.stack([repeated(seed, part.sizes) for seed in part.seeds])
    rng = np.random.default_rng([part.seeds[0], NOISES.index(part.noise), int(part.ratio)])
    rates = FINE_RATES[part.noise]
    return break_even(
        part.noise,
        rng,
        n_clean=part.n_clean,
        ratio=part.ratio,
        rates=rates,
        n_seeds=len(part.seeds),
        world=part.sizes.world,
    )


def _words(part: _Part) -> str:
    at = f", {part.ratio:g} for one of {part.n_clean:,}" if part.kind == "ratio" else ""
    return f"{WORDS[part.noise]}, {part.kind}{at}"


def run(plan: Plan) -> Study:
    """Learn from labels of every count and quality; find where many poor ones are worth few good ones."""
    sizes = SHORT if plan.is_short else Sizes()
    parts = [_Part("map", noise, plan.seeds, sizes) for noise in NOISES]
    parts += [_Part("ratio", noise, plan.seeds, sizes, r, sizes.n_clean) for noise in NOISES for r in sizes.ratios]
    parts += [_Part("repeats", "flips", plan.seeds, sizes)]
    if sizes.few:
        parts += [_Part("ratio", noise, plan.seeds[:SAYING_SEEDS], sizes, MANY / FEW, sizes.few) for noise in NOISES]
    found = dict(
        zip(((p.kind, p.noise, p.ratio, p.n_clean) for p in parts), in_parts(_play, parts, plan, _words), strict=True)
    )
    maps = {noise: np.asarray(found["map", noise, 1.0, 0]) for noise in NOISES}
    crossings = [one for one in found.values() if isinstance(one, BreakEven)]
    answers = np.asarray(found["repeats", "flips", 1.0, 0])
    return Study(
        "quality", "Quality or quantity", "A classifier that learns from labels of known quality.",
        tuple(_findings(crossings, sizes)),
        (
            *(_map(noise, maps[noise], crossings, sizes) for noise in NOISES),
            _ratios(crossings), _repeats(answers, sizes), _how(sizes),
        ),
        NOT_SHOWN,
        {
            "quality": _map_sheet(maps, sizes), "quality-break-even": _ratio_sheet(crossings),
            "quality-repeats": _repeat_sheet(answers, sizes),
        },
    )  # fmt: skip


NOT_SHOWN = (
    "Networks and images: the learner is a logistic regression in a logistic world, where theory says what to expect. A "
    "network "
    "may memorise wrong labels (which makes quality count more) or be helped by early stopping (less).",
    "What noise a project has: random, one-sided and boundary errors are told apart on gold, and real projects have all "
    "three.",
    "Dice: a contour drawn to one side is the boundary noise here, in one dimension of a logit.",
    "That 1 million equals 100 thousand in general: the point holds for random flips at one share of wrong labels and "
    "no other.",
    "What labels cost: ten poor labels may be dearer or cheaper than one good one.",
)


def _crossing(crossings: Sequence[BreakEven], noise: Noise, ratio: float, n_clean: int) -> BreakEven | None:
    return next((one for one in crossings if (one.noise, one.ratio, one.n_clean) == (noise, ratio, n_clean)), None)


def _findings(crossings: Sequence[BreakEven], sizes: Sizes) -> list[str]:
    flips = _crossing(crossings, "flips", 10.0, sizes.n_clean)
    found = []
    if flips is not None and flips.estimate.is_defined:
        found.append(
            f"Ten randomly flipped labels are worth one good label where {with_interval(flips.estimate, '{:.1%}')} of "
            "them are wrong "
            f"(label accuracy {1 - flips.estimate.value:.1%}); the bound of theory is {break_even_flip_rate(10.0):.1%}. "
            "With fewer "
            "wrong ones the many win, with more the few."
        )
    for noise in NOISES[1:]:
        own = _crossing(crossings, noise, 10.0, sizes.n_clean)
        if own is not None and own.estimate.is_defined:
            found.append(
                f"With errors of the kind “{WORDS[noise]}” it is {with_interval(own.estimate, '{:.1%}')}: what is "
                "learned is wrong for "
                "good, and more such labels do not cure it."
            )
    saying = _crossing(crossings, "flips", MANY / FEW, sizes.few) if sizes.few else None
    if saying is not None:
        others = ", ".join(
            f"{WORDS[noise]} {with_interval(own.estimate, '{:.1%}')}"
            for noise in NOISES[1:]
            if (own := _crossing(crossings, noise, MANY / FEW, sizes.few)) is not None
        )
        found.append(
            f"At the saying's own counts ({MANY:,} against {FEW:,}) random flips break even at "
            f"{with_interval(saying.estimate, '{:.1%}')}; {others}."
        )
    return found


def _map(noise: Noise, values: FloatArray, crossings: Sequence[BreakEven], sizes: Sizes) -> SafeString:
    mean = values.mean(axis=0)
    # Rows from poor labels below to clean ones above.
    upward = mean[::-1]
    quality = [1 - rate for rate in sizes.rates[::-1]]
    own = _crossing(crossings, noise, 10.0, sizes.n_clean)
    points = [(float(sizes.n_clean), 1.0, f"{sizes.n_clean:,} good")]
    if own is not None and own.estimate.is_defined and sizes.n_clean * 10 <= max(sizes.counts):
        points.append((sizes.n_clean * 10.0, 1 - own.estimate.value, f"as good: {sizes.n_clean * 10:,} poor"))
    levels = sorted({round(float(one), 4) for one in mean[0][:-1]})
    plot = contour_map(
        upward, [float(n) for n in sizes.counts], quality, x_label="labels", y_label="share of right labels", levels=levels,
        points=points, title=f"Accuracy over count and quality of labels, {WORDS[noise]}",
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [
            f"{rate:.0%}",
            *(number_cell(_over_seeds(values[:, row, column]), "{:.4f}") for column in range(len(sizes.counts))),
        ]
        for row, rate in enumerate(sizes.rates)
    ]
    head = ["wrong labels", *(f"{count:,} labels" for count in sizes.counts)]
    return section(
        noise, WORDS[noise][0].upper() + WORDS[noise][1:],
        figure(plot, "Accuracy on clean labels. Dashed lines join equal accuracy: those of clean labels of each count."),
        table(f"Accuracy, {len(values)} seeds", head, rows, tuple(range(1, len(head)))),
    )  # fmt: skip


def _ratios(crossings: Sequence[BreakEven]) -> SafeString:
    rows: list[list[Cell]] = [
        [
            WORDS[one.noise], f"{one.ratio:g} for one", f"{one.n_clean:,}", number_cell(one.estimate, "{:.1%}"),
            f"{break_even_flip_rate(one.ratio):.1%}" if one.noise == "flips" else "none",
        ]
        for one in crossings
    ]  # fmt: skip
    return section(
        "break-even", "Where many poor labels are worth few good ones",
        paragraph("The share of wrong labels at which the many and the few teach equally well; below it the many win."),
        table("Break-even", ["errors", "labels", "good labels", "share of wrong ones", "bound of theory"], rows, (2, 3, 4)),
        paragraph("The bound takes the information of a flipped label at a probability of one half; where labels are nearly "
                  f"certain, flips cost more. At 30 % flipped it keeps {information_factor(0.3):.0%} at most."),
    )  # fmt: skip


def _repeats(answers: FloatArray, sizes: Sizes) -> SafeString:
    rows: list[list[Cell]] = [
        [
            f"{rate:.0%}", *(number_cell(_over_seeds(answers[:, row, column]), "{:.4f}") for column in range(len(REPEATS))),
            f"{REPEATS[int(answers[:, row].mean(axis=0).argmax())]}",
        ]
        for row, rate in enumerate(sizes.rates[1:])
    ]  # fmt: skip
    head = ["wrong answers", *(f"{repeats} a unit" for repeats in REPEATS), "best"]
    return section(
        "repeats", "One answer for many units, or several for few",
        paragraph(f"A budget of {sizes.budget:,} answers, each wrong at random; several answers to a unit are put to "
                  "the vote."),
        table("Accuracy by answers a unit", head, rows, (1, 2, 3, 4)),
    )  # fmt: skip


def _how(sizes: Sizes) -> SafeString:
    texts = (
        f"{sizes.world.dimensions} dimensions, standard normal; the logit has a standard deviation of "
        f"{sizes.world.strength:g}, so "
        f"that who knows the world is right in {best_accuracy(sizes.world):.2%}. A ridge logistic regression learns.",
        "Accuracy is an integral over the world, not a sample: small differences are real. Intervals are Student's over "
        "seeds, "
        "95 %; within a seed the world, its units and the lots of their labels are the same for every share of wrong labels.",
        "Random flips: any label, with one chance. One class taken for the other: ones are given as zeros. Boundary to "
        "one side: "
        "the labeler's logit is too large, so that only units near the boundary are wrong, and always the same way.",
    )
    return section("how", "How it is computed", *map(paragraph, texts))


def _over_seeds(values: FloatArray) -> Estimate:
    return mean_over_seeds(np.asarray(values, dtype=np.float64), "accuracy on clean labels")


def _map_sheet(maps: dict[Noise, FloatArray], sizes: Sizes) -> Sheet:
    rows = tuple(
        (noise, rate, count, *numbers(_over_seeds(values[:, row, column])))
        for noise, values in maps.items()
        for row, rate in enumerate(sizes.rates)
        for column, count in enumerate(sizes.counts)
    )
    return Sheet(("noise", "wrong_share", "labels", "accuracy", "low", "high", "seeds"), rows)


def _ratio_sheet(crossings: Sequence[BreakEven]) -> Sheet:
    rows = tuple((one.noise, one.ratio, one.n_clean, *numbers(one.estimate)) for one in crossings)
    return Sheet(("noise", "ratio", "good_labels", "break_even", "low", "high", "seeds"), rows)


def _repeat_sheet(answers: FloatArray, sizes: Sizes) -> Sheet:
    rows = tuple(
        (rate, repeats, *numbers(_over_seeds(answers[:, row, column])))
        for row, rate in enumerate(sizes.rates[1:])
        for column, repeats in enumerate(REPEATS)
    )
    return Sheet(("wrong_share", "answers_a_unit", "accuracy", "low", "high", "seeds"), rows)
