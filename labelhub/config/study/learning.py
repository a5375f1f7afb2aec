"""Active learning: Dice on held-out images against annotation effort in seconds, for each strategy, over paired seeds.

Every strategy of a seed begins with the same labelled images. What counts is the area under the curve of Dice over seconds,
paired against drawing by lot with foreground assured, the baseline that is hard to beat. Not here: the strategies
(``numerics.acquisition``, ``diversity``, ``uncertainty``) and the learner (``pixel_model``, or a network).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from django.utils.safestring import SafeString

from labelhub.analytics.report_parts import Cell, interval_plot, paragraph, section, table
from labelhub.config.study.material import demo_cuts
from labelhub.config.study.pixel_model import Learner, PixelLearner, descriptions
from labelhub.config.study.plots import Series, axis_over, line_plot
from labelhub.config.study.report import Sheet, Study, figure, in_words, number_cell, numbers, with_interval
from labelhub.config.study.running import Plan, in_parts, mean_over_seeds
from labelhub.numerics.acquisition import (
    foreground_batch,
    power_of_round,
    random_batch,
    stratified_power_batch,
    top_batch,
)
from labelhub.numerics.diversity import k_centre_batch, typical_batch
from labelhub.numerics.effort import EffortCosts, item_effort
from labelhub.numerics.results import BoolArray, Estimate, FloatArray, IntArray
from labelhub.numerics.uncertainty import (
    image_score,
    margin_uncertainty,
    mutual_information,
    predictive_entropy,
    scores_by_class,
)

BASELINE = "by lot with foreground"
STRATEGIES = (BASELINE, "by lot", "entropy", "margin", "BALD", "coreset", "TypiClust", "class-stratified power entropy")
COSTS = EffortCosts()
# Parents of pictures that are held out, and dark structures that are kept where they are to be rare: every third.
HELD_OUT_EVERY = RARE_EVERY = 3
NO_VOLUME = (
    "volumes of patients: those at hand have no image with full outlines on its grid (one brain's lesions are strokes "
    "in a few "
    "planes, another's mark only what is new, six more have masks without images)",
)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Images with true masks: which may be labelled, which are held out, and what labelling each by hand costs."""

    name: str
    says: str
    images: FloatArray
    masks: BoolArray
    seconds: FloatArray
    pool: IntArray
    held_out: IntArray


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many images are labelled at the start, in each round, and in how many rounds."""

    start: int = 4
    batch: int = 4
    n_rounds: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One strategy in one seed: after each round the seconds spent, the images labelled, and Dice on the held-out ones."""

    strategy: str
    seed: int
    seconds: FloatArray
    n_images: IntArray
    dice: FloatArray


def labelling_seconds(mask: BoolArray, costs: EffortCosts = COSTS) -> float:
    """What one image costs by hand: opening and drawing; where nothing is there, opening and looking."""
    effort = item_effort(mask, mask, costs)
    return effort.manual_s if effort.n_contour else costs.open_s + costs.review_s


def pooled_dice(predicted: BoolArray, true: BoolArray) -> float:
    """Dice over all pixels of all images together: an image without foreground counts by what is marked in it."""
    total = int(predicted.sum()) + int(true.sum())
    return 2 * int((predicted & true).sum()) / total if total else 1.0


def learned_curve(pool: Pool, learner: Learner, strategy: str, seed: int, rounds: Rounds) -> Curve:
    """Label, learn, choose, label: one strategy in one seed."""
    rng = np.random.default_rng([seed, STRATEGIES.index(strategy)])
    labelled = [int(pool.pool[place]) for place in _start(pool, seed, rounds.start)]
    seconds, counts, dice = [], [], []
    looks = descriptions(pool.images)[pool.pool]
    for number in range(rounds.n_rounds + 1):
        asked = [*pool.pool.tolist(), *pool.held_out.tolist()]
        members = learner.predictions(labelled, pool.masks[labelled], asked, seed * 1000 + number)
        held_out = members[:, len(pool.pool) :].mean(axis=0) > 0.5
        seconds.append(float(pool.seconds[labelled].sum()))
        counts.append(len(labelled))
        dice.append(pooled_dice(held_out, pool.masks[pool.held_out]))
        if number < rounds.n_rounds:
            taken = [int(np.nonzero(pool.pool == one)[0][0]) for one in labelled]
            share = power_of_round(number, rounds.n_rounds)
            chosen = chosen_batch(strategy, members[:, : len(pool.pool)], looks, taken, rounds.batch, share, rng)
            labelled += [int(pool.pool[place]) for place in chosen]
    return Curve(strategy, seed, np.array(seconds), np.array(counts), np.array(dice))


def _start(pool: Pool, seed: int, size: int) -> list[int]:
    """The images that are labelled first: by lot, one of them with something in it, because else there is nothing to learn."""
    rng = np.random.default_rng([seed, 99])
    holds = pool.masks[pool.pool].any(axis=(1, 2))
    return list(foreground_batch(holds, size, rng, share=1 / size).units)


def chosen_batch(
    strategy: str, members: FloatArray, looks: FloatArray, taken: Sequence[int], size: int, power: float,
    rng: np.random.Generator,
) -> tuple[int, ...]:  # fmt: skip
    """The places in the pool that a strategy labels next, from the members' probabilities ``[member, image, y, x]``."""
    if strategy == "by lot":
        return random_batch(members.shape[1], size, rng, taken=taken).units
    if strategy == "coreset":
        return k_centre_batch(looks, size, taken=taken).units
    if strategy == "TypiClust":
        return typical_batch(looks, size, rng, taken=taken).units
    inside = members.mean(axis=0)
    if strategy == BASELINE:
        # What is predicted, not what is true: nobody knows the truth of what is not labelled.
        return foreground_batch((inside > 0.5).any(axis=(1, 2)), size, rng, taken=taken).units
    both = np.stack([1 - inside, inside], axis=-1)
    if strategy == "class-stratified power entropy":
        entropy, predicted = predictive_entropy(both), (inside > 0.5).astype(np.int64)
        table_ = [scores_by_class(one, classes, 2) for one, classes in zip(entropy, predicted, strict=True)]
        return stratified_power_batch(np.array(table_), size, rng, power=power, taken=taken).units
    maps = {
        "entropy": lambda: predictive_entropy(both),
        "margin": lambda: margin_uncertainty(both),
        "BALD": lambda: mutual_information(np.stack([1 - members, members], axis=-1)),
    }[strategy]()
    return top_batch([image_score(one) for one in maps], size, taken=taken).units


def area(curve: Curve, until: float, *, over: str = "seconds") -> float:
    """The mean Dice over the effort from the first round up to ``until``, taken as lines between rounds."""
    x = curve.seconds if over == "seconds" else curve.n_images.astype(np.float64)
    if until <= x[0]:
        return float(curve.dice[0])
    inner = x[(x > x[0]) & (x < until)]
    grid = np.array([x[0], *inner, until])
    return float(np.trapezoid(np.interp(grid, x, curve.dice), grid) / (until - x[0]))


def areas(curves: Sequence[Curve], *, over: str = "seconds") -> dict[str, FloatArray]:
    """The area of each strategy, seed by seed, over the effort that all strategies of the seed reached."""
    seeds = sorted({one.seed for one in curves})
    found: dict[str, list[float]] = {}
    for seed in seeds:
        own = [one for one in curves if one.seed == seed]
        until = min(float(one.seconds[-1] if over == "seconds" else one.n_images[-1]) for one in own)
        for one in own:
            found.setdefault(one.strategy, []).append(area(one, until, over=over))
    return {strategy: np.array(values) for strategy, values in found.items()}


def gains(curves: Sequence[Curve], *, over: str = "seconds") -> dict[str, Estimate]:
    """By how much the area of each strategy exceeds the baseline's, paired by seed."""
    by_strategy = areas(curves, over=over)
    return {
        strategy: mean_over_seeds(values - by_strategy[BASELINE], f"area over {over} minus the baseline's")
        for strategy, values in by_strategy.items()
        if strategy != BASELINE
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    pool: Pool
    seed: int
    rounds: Rounds
    learner: str
    strategy: str


def _play(part: _Part) -> Curve:
    learner = learner_of(part.learner)(part.pool.images)
    return learned_curve(part.pool, learner, part.strategy, part.seed, part.rounds)


def learner_of(path: str) -> Callable[[FloatArray], Learner]:
    """The pixel model, or a learner by dotted path; loaded here because what it imports must not come with the commands."""
    if not path:
        return PixelLearner
    module, _, name = path.rpartition(".")
    return cast("Callable[[FloatArray], Learner]", getattr(importlib.import_module(module), name))


def compare(pool: Pool, plan: Plan, rounds: Rounds, strategies: Sequence[str] = STRATEGIES) -> list[Curve]:
    """All strategies in all seeds."""
    parts = [_Part(pool, seed, rounds, plan.network, strategy) for seed in plan.seeds for strategy in strategies]
    return in_parts(_play, parts, plan, lambda part: f"{part.pool.name}, seed {part.seed}, {part.strategy}")


def run(plan: Plan) -> Study:
    """Compare all strategies on every pool at hand."""
    pools, left_out = pools_of(plan)
    rounds = Rounds(3, 3, 2) if plan.is_short else Rounds()
    curves = {pool.name: compare(pool, plan, rounds) for pool in pools}
    learner = "a small U-Net" if plan.network else "a pixel model (filters and random waves), no network"
    return Study(
        "learning", "Active learning against effort", f"The learner is {learner}.",
        tuple(sentence for pool in pools for sentence in _findings(pool, curves[pool.name])),
        (*(_section(pool, curves[pool.name], rounds) for pool in pools), _how(learner)),
        NOT_SHOWN,
        {"learning-curves": _curve_sheet(curves), "learning": _gain_sheet(curves)}, tuple(left_out),
    )  # fmt: skip


def pools_of(plan: Plan) -> tuple[list[Pool], list[str]]:
    """The pools at hand, and why others are left out."""
    cuts = demo_cuts(24, 5) if plan.is_short else demo_cuts(260)
    parents = sorted({cut.parent for cut in cuts})
    is_held_out = np.array([parents.index(cut.parent) % HELD_OUT_EVERY == 0 for cut in cuts])
    greys = np.stack([(cut.pixels if cut.pixels.ndim == 2 else cut.pixels[..., 1]).astype(float) for cut in cuts])
    masks = np.stack([cut.mask for cut in cuts])
    held = f"every third of {len(parents)} pictures is held out with all its cuts"
    pools = [
        _pool(
            "structures in pictures", f"{len(cuts)} cuts around one structure each; {held}", greys, masks, is_held_out
        )
    ]
    # Only dark structures are asked for, and they are rare: a cut around a bright one holds nothing.
    is_dark = np.array([cut.label == "dark" for cut in cuts])
    is_kept = ~is_dark | (np.cumsum(is_dark) % RARE_EVERY == 0)
    masks = (masks & is_dark[:, None, None])[is_kept]
    says = (
        f"{len(masks)} cuts of which {int((is_dark & is_kept).sum())} hold a dark structure, the others nothing; {held}"
    )
    pools.append(_pool("rare dark structures", says, greys[is_kept], masks, is_held_out[is_kept]))
    return pools, list(NO_VOLUME)


def _pool(name: str, says: str, images: FloatArray, masks: BoolArray, is_held_out: BoolArray) -> Pool:
    """The pool at half its resolution, for speed; the effort is that of the full one."""
    seconds = np.array([labelling_seconds(mask) for mask in masks])
    return Pool(name, says, halved(images), halved(masks.astype(float)) >= 0.5, seconds,
                np.nonzero(~is_held_out)[0], np.nonzero(is_held_out)[0])  # fmt: skip


def halved(images: FloatArray) -> FloatArray:
    """Means of two by two pixels; an odd row or column at the end is left out."""
    rows, columns = (size // 2 * 2 for size in images.shape[1:])
    cut = images[:, :rows, :columns]
    return np.asarray(cut.reshape(len(cut), rows // 2, 2, columns // 2, 2).mean(axis=(2, 4)), dtype=np.float64)


NOT_SHOWN = (
    "Networks, unless the page says that one learned: a pixel model has no features of its own that labels improve, and "
    "doubts "
    "of its own kind.",
    "Other data: strategies change places from one data set to the next, and the sets here are few and small.",
    "Real seconds: an image costs opening and 0.12 s a contour pixel by hand. With drafts the harder images cost more.",
    "Labelers who err: every label here is the truth. Uncertain images are also those on which people err most.",
    "That a strategy without a difference is as good: with five seeds only large differences show.",
    "Other people: planes of the brain are all of one person, and a structure held out is in another place, not in "
    "another head.",
)


def _findings(pool: Pool, curves: Sequence[Curve]) -> list[str]:
    found, by_images = gains(curves), gains(curves, over="images")
    better = [f"{name} ({with_interval(one, '{:+.3f}')})" for name, one in found.items() if one.low > 0]
    worse = [f"{name} ({with_interval(one, '{:+.3f}')})" for name, one in found.items() if one.high < 0]
    same = [name for name, one in found.items() if not (one.low > 0 or one.high < 0)]
    flipped = [name for name, one in found.items() if one.value * by_images[name].value < 0]
    sentence = (
        f"{pool.name}: against drawing by lot with foreground, at equal seconds, better is {in_words(better)}; worse is "
        f"{in_words(worse)}; no difference shows for {in_words(same)}."
    )
    if flipped:
        sentence += f" Counted in images in place of seconds, the sign changes for {in_words(flipped)}."
    return [sentence]


def _section(pool: Pool, curves: Sequence[Curve], rounds: Rounds) -> SafeString:
    series = [_series(strategy, [one for one in curves if one.strategy == strategy]) for strategy in STRATEGIES]
    x = axis_over("seconds of annotation (mean over seeds)", [value for one in series for value in one.x])
    # An interval over two seeds may leave what a Dice can be; the picture does not.
    heights = np.clip([value for one in series for value in (*one.y, *one.low, *one.high)], 0, 1)
    y = axis_over("Dice on held-out images", heights.tolist())
    by_area, found = areas(curves), gains(curves)
    by_images = gains(curves, over="images")
    ends = (abs(value) for one in found.values() for value in (one.low, one.high) if np.isfinite(value))
    reach = max([0.01, *ends])
    rows: list[list[Cell]] = []
    for strategy in STRATEGIES:
        own = [one for one in curves if one.strategy == strategy]
        last = mean_over_seeds(np.array([one.dice[-1] for one in own]), "Dice after the last round")
        spent = float(np.mean([one.seconds[-1] for one in own]))
        row: list[Cell] = [strategy, number_cell(mean_over_seeds(by_area[strategy], "area"), "{:.3f}")]
        if strategy == BASELINE:
            row += ["baseline", "", "baseline"]
        else:
            plot = interval_plot(found[strategy], -reach, reach)
            row += [number_cell(found[strategy], "{:+.3f}"), plot, number_cell(by_images[strategy], "{:+.3f}")]
        rows.append([*row, number_cell(last, "{:.3f}"), f"{spent:.0f}"])
    head = [
        "strategy",
        "area over seconds",
        "minus the baseline",
        "",
        "the same over images",
        "Dice at the end",
        "seconds",
    ]
    n_seeds = len({one.seed for one in curves})
    return section(
        pool.name.replace(" ", "-"), pool.name[0].upper() + pool.name[1:],
        paragraph(f"{pool.says}. {rounds.start} images at the start, {rounds.batch} more in each of {rounds.n_rounds} "
                  "rounds, "
                  f"{n_seeds} seeds."),
        figure(line_plot(series, x, y, title=f"Dice against seconds, {pool.name}"), "Whiskers are 95 % intervals over seeds."),
        table("Area under the curve, and its paired difference", head, rows, (1, 2, 4, 5, 6)),
    )  # fmt: skip


def _series(strategy: str, curves: Sequence[Curve]) -> Series:
    found = [mean_over_seeds(np.array(column), "Dice") for column in np.array([one.dice for one in curves]).T]
    seconds = np.mean([one.seconds for one in curves], axis=0)
    return Series(
        strategy,
        seconds.tolist(),
        [one.value for one in found],
        [one.low for one in found],
        [one.high for one in found],
    )


def _how(learner: str) -> SafeString:
    texts = (
        f"The learner, {learner}, is trained anew in each round; several members disagree for BALD. Images are at half their "
        "resolution, effort is that of the full one: 2 s to open, 0.12 s a contour pixel, 2 s to look where nothing is.",
        "Foreground is what the model of the round predicts, not the truth. The power of the class-stratified entropy "
        "goes from 1 "
        "to 100 over the rounds. Entropy, margin and BALD are means over an image's pixels.",
        "The area is the mean Dice over the seconds that all strategies of a seed reached. Differences are paired by seed; "
        "intervals are Student's, 95 %, without a correction for seven comparisons.",
    )
    return section("how", "How it is compared", *map(paragraph, texts))


def _curve_sheet(curves: dict[str, list[Curve]]) -> Sheet:
    rows = tuple(
        (name, one.strategy, one.seed, int(n), float(seconds), float(dice))
        for name, own in curves.items()
        for one in own
        for n, seconds, dice in zip(one.n_images, one.seconds, one.dice, strict=True)
    )
    return Sheet(("pool", "strategy", "seed", "images", "seconds", "dice"), rows)


def _gain_sheet(curves: dict[str, list[Curve]]) -> Sheet:
    rows: list[tuple[Any, ...]] = []
    for name, own in curves.items():
        by_images = gains(own, over="images")
        for strategy, one in gains(own).items():
            rows.append((name, strategy, *numbers(one), *numbers(by_images[strategy])[:3]))
    head = ("pool", "strategy", "gain_seconds", "low", "high", "seeds", "gain_images", "low_images", "high_images")
    return Sheet(head, tuple(rows))
