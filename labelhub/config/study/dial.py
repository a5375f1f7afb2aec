"""The speed-up dial: how much faster drafts make an annotator, against how good the drafts are, and where ten times lies.

Real outlines, drafts spoilt in known ways, and the effort model of added path (``numerics.effort``) with annotators who differ
in pace and overlook some of what a draft has wrong. Not here: drafts of a real model, and times of real people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
from django.utils.safestring import SafeString
from scipy import ndimage

from labelhub.analytics.report_parts import Cell, paragraph, section, table
from labelhub.config.study.material import MaskSet, mask_sets
from labelhub.config.study.plots import Axis, Series, line_plot
from labelhub.config.study.report import Sheet, Study, figure, number_cell, numbers, with_interval
from labelhub.config.study.running import Plan, in_parts
from labelhub.numerics.bootstrap import Resampling
from labelhub.numerics.effort import Effort, EffortCosts, item_effort, least_contour_for, speed_up, speed_up_ceiling
from labelhub.numerics.overlap import compare_masks
from labelhub.numerics.results import BoolArray, Estimate
from labelhub.numerics.simulated import BoundaryFault, read_mask

# Seconds to open an item and to look a draft over; a plane of a volume costs a look of its own.
OPEN_AND_REVIEW = ((2.0, 2.0), (2.0, 4.0), (0.0, 2.0))
REVIEW_PLANE_S = 0.5
NOISES_PX = (0.25, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0)
SMOOTHNESS_PX = 4.0
WANTED = 10.0
# Annotators: how their pace varies (standard deviation of its logarithm), and how many wrong places they notice.
PACE_SPREAD, NOTICED = 0.25, 0.9
HEAD = ("set", "draft", "level", "open_s", "review_s", "dice", "added_share", "speed_up", "low", "high", "n", "ceiling",
        "share_left_wrong", "speed_up_of_right_items")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of spoiling drafts and its levels."""

    name: str
    levels: tuple[float, ...]
    unit: str


KINDS = (
    Kind("wobbling outline", NOISES_PX, "px of noise"),
    Kind("too large or too small", (-3.0, -1.5, 0.0, 1.5, 3.0), "px of offset"),
    Kind("pieces left out", (0.1, 0.3, 0.6), "share of pieces"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """What drafts of one kind and level cost on one set of masks, at one price of opening and review."""

    set_name: str
    kind: str
    level: float
    costs: EffortCosts
    dice: float
    added_share: float
    gain: Estimate
    ceiling: Estimate
    share_left_wrong: float
    gain_of_right: float


def spoilt(mask: BoolArray, kind: str, level: float, rng: np.random.Generator) -> BoolArray:
    """A draft of this mask; in a volume its wobble changes over as many planes as pixels."""
    if kind == "pieces left out":
        pieces, n = ndimage.label(mask, np.ones((3,) * mask.ndim))
        is_kept = np.concatenate([[False], rng.random(n) >= level])
        return np.asarray(is_kept[pieces])
    fault = BoundaryFault(0.0, level, SMOOTHNESS_PX) if kind == "wobbling outline" else BoundaryFault(level)
    return read_mask(mask, fault, rng)


def levels_of(masks: MaskSet, kind: Kind, level: float, seeds: Sequence[int]) -> list[Level]:
    """All prices of one level; the seeds are annotators, each of whom corrects every draft once."""
    drafts = [
        spoilt(one.mask, kind.name, level, np.random.default_rng([7, place])) for place, one in enumerate(masks.masks)
    ]
    dice = [compare_masks(draft, one.mask).dice for draft, one in zip(drafts, masks.masks, strict=True)]
    base = EffortCosts(review_plane_s=REVIEW_PLANE_S if masks.masks[0].mask.ndim == 3 else 0.0)
    plain = [item_effort(draft, one.mask, base) for draft, one in zip(drafts, masks.masks, strict=True)]
    groups = [one.group for one in masks.masks for _ in seeds]
    found = []
    for opening, review in OPEN_AND_REVIEW:
        costs = replace(base, open_s=opening, review_s=review)
        worked = [_worked(_priced(one, costs), seed, place) for place, one in enumerate(plain) for seed in seeds]
        efforts = [one for one, _ in worked]
        resampling = Resampling(np.random.default_rng(0), groups, masks.group_unit, n_resamples=500, kind="percentile")
        right = np.array([is_right for _, is_right in worked])
        manual, assisted = sum(one.manual_s for one in efforts), sum(one.assisted_s for one in efforts)
        found.append(
            Level(
                masks.name, kind.name, level, costs, float(np.nanmean(dice)),
                sum(one.n_added for one in plain) / max(sum(one.n_contour for one in plain), 1),
                speed_up(efforts, resampling), speed_up_ceiling(efforts, resampling), float(1 - right.mean()),
                manual / assisted * float(right.mean()) if masks.masks[0].mask.ndim == 2 else math.nan,
            )
        )  # fmt: skip
    return found


def _priced(work: Effort, costs: EffortCosts) -> Effort:
    """The same work at other prices of opening and review."""
    floor = costs.open_s + costs.review_s + costs.review_plane_s * work.n_planes
    return replace(
        work,
        manual_s=costs.open_s + costs.draw_s_per_px * work.n_contour,
        assisted_s=floor + costs.edit_s_per_px * work.n_added + costs.turn_s * work.n_places,
        floor_s=floor,
    )


def _worked(effort: Effort, seed: int, place: int) -> tuple[Effort, bool]:
    """One annotator's times on one item, and whether nothing wrong was overlooked; pace belongs to the annotator."""
    pace = math.exp(PACE_SPREAD * np.random.default_rng([11, seed]).standard_normal())
    noticed = np.random.default_rng([13, seed, place]).binomial(effort.n_places, NOTICED) if effort.n_places else 0
    timed = replace(
        effort,
        manual_s=pace * effort.manual_s,
        assisted_s=pace * effort.assisted_s,
        floor_s=pace * effort.floor_s,
    )
    return timed, noticed == effort.n_places


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    masks: MaskSet
    kind: Kind
    level: float
    seeds: tuple[int, ...]


def _play(part: _Part) -> list[Level]:
    return levels_of(part.masks, part.kind, part.level, part.seeds)


def run(plan: Plan) -> Study:
    """Spoil drafts of every set at every level, and find what they save."""
    sets, left_out = mask_sets(plan.volumes, is_short=plan.is_short)
    kinds = tuple(replace(kind, levels=kind.levels[::3]) for kind in KINDS) if plan.is_short else KINDS
    parts = [_Part(masks, kind, level, plan.seeds) for masks in sets for kind in kinds for level in kind.levels]
    levels = [
        level
        for found in in_parts(_play, parts, plan, lambda part: f"{part.masks.name}, {part.kind.name} {part.level:g}")
        for level in found
    ]
    sheet = Sheet(HEAD, tuple(_row(one) for one in levels))
    return Study(
        "dial", "The speed-up dial", "Simulated annotators with and without drafts on real outlines.",
        tuple(sentence for masks in sets for sentence in _findings(masks, levels)),
        (*(_section(masks, levels, len(plan.seeds)) for masks in sets), _how(len(plan.seeds))),
        NOT_SHOWN, {"dial": sheet}, tuple(left_out),
    )  # fmt: skip


NOT_SHOWN = (
    "Times of real people: seconds are a model's, and its prices (0.12 s a pixel, 0.5 s a place) are assumptions to be "
    "replaced by a project's own.",
    "Errors of a real network: drafts are spoilt by known noise, and a network errs elsewhere.",
    "That added path is the right measure of effort: others found that it is the best of those they tried; here it is "
    "assumed.",
    "That people do not grow careless with good drafts: the share of places that they notice is the same everywhere.",
    "The wait for a draft, and the work of training the model that makes it.",
    "Where all masks are of one person, the interval says how its parts differ, not how people do.",
)


def ten_times(levels: Sequence[Level]) -> str:
    """Where ten times lies, in words: from which Dice on, or that no draft reaches it."""
    ceiling = max(levels, key=lambda one: one.ceiling.value).ceiling
    reached = [one for one in levels if one.gain.value >= WANTED]
    if reached:
        least = min(reached, key=lambda one: one.dice)
        return f"{WANTED:.0f} times is reached from a Dice of {least.dice:.3f} on (added path {least.added_share:.0%})"
    if ceiling.value >= WANTED:
        return f"{WANTED:.0f} times is possible (ceiling {with_interval(ceiling, '{:.1f}')}), but no draft tried reaches it"
    return f"{WANTED:.0f} times is out of reach: a perfect draft gives {with_interval(ceiling, '{:.1f}')}"


def break_even_dice(levels: Sequence[Level]) -> float:
    """The Dice below which drafts cost more than they save, between the levels tried; NaN where none does."""
    ordered = sorted(levels, key=lambda one: one.dice)
    for below, above in pairwise(ordered):
        if below.gain.value < 1 <= above.gain.value:
            share = (1 - below.gain.value) / (above.gain.value - below.gain.value)
            return below.dice + share * (above.dice - below.dice)
    return math.nan


def _of(levels: Sequence[Level], set_name: str, kind: str, price: tuple[float, float]) -> list[Level]:
    return [
        one
        for one in levels
        if one.set_name == set_name and one.kind == kind and (one.costs.open_s, one.costs.review_s) == price
    ]


def _findings(masks: MaskSet, levels: Sequence[Level]) -> list[str]:
    found = []
    for price in OPEN_AND_REVIEW:
        own = _of(levels, masks.name, KINDS[0].name, price)
        best = max(own, key=lambda one: one.gain.value)
        crossing = break_even_dice(own)
        pays = (
            f"drafts below a Dice of {crossing:.2f} do not pay" if math.isfinite(crossing) else "all drafts tried pay"
        )
        found.append(
            f"{masks.name}, {price[0]:g} s to open and {price[1]:g} s to review: up to "
            f"{with_interval(best.gain, '{:.1f}')} times at a Dice of {best.dice:.3f}; {ten_times(own)}; {pays}."
        )
    return found


def _section(masks: MaskSet, levels: Sequence[Level], n_annotators: int) -> SafeString:
    own = [one for one in levels if one.set_name == masks.name]
    first = [_of(own, masks.name, KINDS[0].name, price) for price in OPEN_AND_REVIEW]
    series = [
        Series(f"open {price[0]:g} s, review {price[1]:g} s", [one.dice for one in line], [one.gain.value for one in line],
               [one.gain.low for one in line], [one.gain.high for one in line])
        for price, line in zip(OPEN_AND_REVIEW, first, strict=True)
    ]  # fmt: skip
    dices = [one.dice for line in first for one in line]
    tops = [one.gain.high if math.isfinite(one.gain.high) else one.gain.value for line in first for one in line]
    x = Axis("mean Dice of the drafts (wobbling outline)", min(dices) - 0.02, 1.005)
    y = Axis("speed-up by total time", 0.5, max(12.0, *tops), is_log=True)
    plot = line_plot(series, x, y, marks=((WANTED, "ten times"), (1.0, "no gain")), title=f"Speed-up, {masks.name}")
    rows = [_cells(list(group)) for _, group in groupby(own, lambda one: (one.kind, one.level))]
    prices = [f"{opening:g} + {review:g} s" for opening, review in OPEN_AND_REVIEW]
    head = ["draft", "Dice", "added path", *prices, "ceilings", "left wrong", "per right item"]
    return section(
        masks.name.replace(" ", "-"), masks.name[0].upper() + masks.name[1:],
        paragraph(f"{masks.says}. {n_annotators} annotators; n counts corrections, intervals are over "
                  f"{masks.group_unit}, at 95 %."),
        figure(plot, "Time by hand over time with a draft, all items together. Whiskers are intervals."),
        table("Speed-up by kind and level of draft, for each price of opening and review", head, rows, range(1, 9)),
    )  # fmt: skip


def _cells(prices: Sequence[Level]) -> list[Cell]:
    """One row: a draft of one kind and level at all prices of opening and review."""
    one = prices[0]
    ceilings = ", ".join(f"{level.ceiling.value:.1f}" for level in prices)
    right = f"{one.gain_of_right:.2f}" if math.isfinite(one.gain_of_right) else ""
    return [
        f"{one.kind} {one.level:g}", f"{one.dice:.3f}", f"{one.added_share:.0%}",
        *(number_cell(level.gain) for level in prices), ceilings, f"{one.share_left_wrong:.0%}", right,
    ]  # fmt: skip


def _how(n_annotators: int) -> SafeString:
    needed = least_contour_for(WANTED)
    texts = (
        "By hand: opening and drawing the contour. With a draft: opening, looking it over, drawing what contour it "
        "lacks, and "
        "turning to each place. Volumes cost half a second more for each plane that holds anything; turning pages by hand is "
        "not counted, which favours work by hand.",
        f"At 2 s to open, 2 s to review and 0.12 s a pixel, ten times needs a contour of {needed:.0f} px in one item.",
        f"{n_annotators} annotators differ in pace; each notices {NOTICED:.0%} of wrong places. An item of which a place was "
        "overlooked is left wrong; the last column counts time for each item that is right in the end (first price). A "
        "volume has "
        "hundreds of "
        "places, so that nearly every one is left with something wrong, and the column is empty.",
        "Intervals resample pictures, people or organs (percentiles, 500 times), never pixels or items of one group.",
    )
    return section("how", "How it is computed", *map(paragraph, texts))


def _row(one: Level) -> tuple[str | int | float, ...]:
    return (
        one.set_name, one.kind, one.level, one.costs.open_s, one.costs.review_s, one.dice, one.added_share,
        *numbers(one.gain), one.ceiling.value, one.share_left_wrong, one.gain_of_right,
    )  # fmt: skip
