"""Each identifiable reader against the others, and every two readers: never made where readers cannot be told apart.

"Against the others" leaves the reader out of what they are compared with. Signed sizes show who draws large: positive
means larger than the others. Not here: a ranking (none is made), and accuracy against gold (``panel_gold``).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labelhub.numerics.bootstrap import mean_estimate, ratio_estimate
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.results import Estimate
from labelhub.scoring.gather import FloatArray, IntArray
from labelhub.scoring.gather_objects import LabelObjects, Objects
from labelhub.scoring.panel_gold import GoldNumbers, share_of
from labelhub.scoring.panel_questions import AskedRatings
from labelhub.scoring.panel_rows import GREY_WIDTH, Bench, ItemRow, LabelerRow, Measured, PairRow

VERSION = "1"
# Above this many readers the matrix of pairs would say nothing to a person, and its rows would be in the thousands.
MAX_RATERS_IN_PAIRS = 60


def labeler_rows(
    bench: Bench, objects: Objects, asked: tuple[AskedRatings, ...], gold: GoldNumbers | None
) -> tuple[LabelerRow, ...]:
    """One row a reader, by name; empty where readers cannot be told apart across items."""
    gathered = bench.gathered
    if not gathered.are_raters_known:
        return ()
    n_read: dict[int, int] = defaultdict(int)
    n_shared: dict[int, int] = defaultdict(int)
    for raters in gathered.by_item.values():
        for rater in raters:
            n_read[rater] += 1
            n_shared[rater] += len(raters) >= 2
    pairs = _all_pairs(objects)
    return tuple(
        LabelerRow(
            rater=name,
            n_readings=n_read[rater],
            n_shared=n_shared[rater],
            agreement=_agreement(bench, objects, asked, rater, pairs),
            gold=gold.by_rater.get(rater, ()) if gold is not None else (),
            confusions=gold.confusions.get(rater, ()) if gold is not None else (),
            notes=_notes(bench, n_shared[rater]),
        )
        for rater, name in enumerate(gathered.raters)
    )


def pair_rows(
    bench: Bench, objects: Objects, asked: tuple[AskedRatings, ...], items: tuple[ItemRow, ...]
) -> tuple[PairRow, ...]:
    """Every two readers: over all items where readers are known, else within each item only."""
    gathered = bench.gathered
    if not gathered.are_raters_known:
        return _pairs_of_items(bench, items)
    if len(gathered.raters) > MAX_RATERS_IN_PAIRS:
        return ()
    about = tuple((question.spec, question.table.names, question.table.unit) for question in asked)
    labels = tuple(objects.by_label)
    rules = bench.memory.number_of((about, labels, objects.matching, gathered.group_unit, bench.settings))
    shared: dict[tuple[int, int], list[int]] = defaultdict(list)
    for item, raters in gathered.by_item.items():
        for pair in combinations(raters, 2):
            shared[pair].append(item)
    found = []
    for (first, second), places in sorted(shared.items()):
        # The matched objects of the items that both read stand for all readings of them, and so for the answers too.
        groups = np.unique(gathered.groups[places], return_inverse=True)[1]
        found.append(
            bench.memory.part(
                "rows of a pair", [objects.of_item[item] for item in places],
                (rules, gathered.raters[first], gathered.raters[second], groups.tobytes()),
                lambda: _rows_of_pair(bench, objects, asked, first, second),  # noqa: B023
            )
        )  # fmt: skip
    # By what they are about, then by pair.
    return tuple(row for rows in zip(*found, strict=True) for own in rows for row in own)


def _rows_of_pair(
    bench: Bench, objects: Objects, asked: tuple[AskedRatings, ...], first: int, second: int
) -> tuple[list[PairRow], ...]:
    """What there is to say of two readers: of each question, then of each label whether both marked it, and how alike."""
    found = [_question_pair(bench, question, first, second) for question in asked]
    for label in objects.by_label.values():
        found += [_detection_pair(bench, label, first, second), _overlap_pair(bench, label, first, second)]
    return tuple(found)


def _notes(bench: Bench, n_shared: int) -> tuple[str, ...]:
    if n_shared == 0:
        return ("nobody else read the same items, so nothing can be said",)
    least = bench.settings.min_items
    return (f"fewer than {least} shared items: read the intervals, not the values",) if n_shared < least else ()


def _agreement(
    bench: Bench, objects: Objects, asked: tuple[AskedRatings, ...], rater: int, pairs: _Pairs
) -> tuple[Measured, ...]:
    found = [_answers_with_others(bench, asked, rater), _marks_with_others(bench, objects, rater)]
    if objects.mixed is not None:
        found.append(_class_with_others(bench, objects, rater))
    found += [_overlap_with_others(bench, pairs, rater), _size_bias(bench, pairs, rater)]
    return tuple(row for row in found if row is not None)


def _answers_with_others(bench: Bench, asked: tuple[AskedRatings, ...], rater: int) -> Measured | None:
    """The share of other readers' answers to the same question that equal this reader's."""
    same, pairs, items = [], [], []
    for question in asked:
        if question.spec.measure in ("interval", "ratio"):
            continue
        hits, others, units = _equal_to(question.table.ratings, rater)
        same.append(hits)
        pairs.append(others)
        items.append(question.table.item[units])
    if not same:
        return None
    return _ratio(bench, rater, "equal answers with others", "answers", same, pairs, items)


def _marks_with_others(bench: Bench, objects: Objects, rater: int) -> Measured | None:
    """Positive specific agreement of this reader with each other reader, pooled over labels."""
    both, either, items = [], [], []
    for label in objects.by_label.values():
        # Units that the reader was not asked about say nothing; a column is looked at before the table is.
        units = np.flatnonzero(~np.isnan(label.found[:, rater]))
        others, mine = np.delete(label.found[units], rater, axis=1), label.found[units, rater]
        known = ~np.isnan(others)
        positive = np.where(known, others, 0.0).sum(axis=1)
        both.append(2 * mine * positive)
        either.append(mine * known.sum(axis=1) + positive)
        items.append(label.item[units])
    if not both:
        return None
    return _ratio(bench, rater, "marks shared with others", "objects", both, either, items)


def _class_with_others(bench: Bench, objects: Objects, rater: int) -> Measured | None:
    assert objects.mixed is not None
    table = np.where(objects.mixed.category == objects.mixed.not_annotated, np.nan, objects.mixed.category)
    same, pairs, units = _equal_to(table, rater)
    return _ratio(bench, rater, "same class as others", "objects", [same], [pairs], [objects.mixed.item[units]])


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of readers of one object, of all labels: ``dice``, and ``size``, positive where the first is larger."""

    first: IntArray
    second: IntArray
    item: IntArray
    dice: FloatArray
    size: FloatArray


def _all_pairs(objects: Objects) -> _Pairs:
    every = [label.pairs for label in objects.by_label.values()]
    none = [np.empty(0, dtype=np.int64)]
    whole = [[getattr(pairs, name) for pairs in every] or none for name in ("first", "second", "item")]
    real = [[getattr(pairs, name) for pairs in every] or [np.empty(0)] for name in ("dice", "volume_difference")]
    return _Pairs(*map(np.concatenate, whole), *map(np.concatenate, real))


def _overlap_with_others(bench: Bench, pairs: _Pairs, rater: int) -> Measured | None:
    own = (pairs.first == rater) | (pairs.second == rater)
    return _mean(bench, rater, "Dice with others", pairs.dice[own], pairs.item[own])


def _size_bias(bench: Bench, pairs: _Pairs, rater: int) -> Measured | None:
    own = (pairs.first == rater) | (pairs.second == rater)
    values = np.where(pairs.second == rater, -pairs.size, pairs.size)[own]
    return _mean(bench, rater, "size against others, 2(own−other)/(own+other)", values, pairs.item[own])


def _equal_to(table: FloatArray, rater: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Other ratings of a unit that equal this rater's, and all other ratings of it, of the units that the rater rated."""
    units = np.flatnonzero(~np.isnan(table[:, rater]))
    others = np.delete(table[units], rater, axis=1)
    hits = (others == table[units, rater][:, None]).sum(axis=1)
    return hits.astype(np.float64), (~np.isnan(others)).sum(axis=1).astype(np.float64), units


def _ratio(
    bench: Bench, rater: int, name: str, unit: str,
    above: list[FloatArray], below: list[FloatArray], items: list[IntArray],
) -> Measured:  # fmt: skip
    key = f"labeler.{bench.gathered.raters[rater]}.{name}"
    places, weights, hits = np.concatenate(items), np.concatenate(below), np.concatenate(above)
    # Units that say nothing of the reader change neither the number nor its interval.
    said = (weights > 0) | (hits != 0)
    places, weights, hits = places[said], weights[said], hits[said]
    estimate = bench.remembered(
        key, [hits, weights], places,
        lambda drawn: ratio_estimate(hits, weights, drawn, unit=unit, method=name, version=VERSION),
    )  # fmt: skip
    return bench.measured(key, name, estimate, places[weights > 0], widest=GREY_WIDTH)


def _mean(bench: Bench, rater: int, name: str, values: FloatArray, places: IntArray) -> Measured | None:
    if not len(values):
        return None
    key = f"labeler.{bench.gathered.raters[rater]}.{name}"
    estimate = bench.remembered(
        key, [values], places,
        lambda drawn: mean_estimate(values, drawn, unit="pairs of readers", method=name, version=VERSION),
    )  # fmt: skip
    return bench.measured(key, name, estimate, places, widest=GREY_WIDTH)


def _question_pair(bench: Bench, asked: AskedRatings, first: int, second: int) -> list[PairRow]:
    if asked.spec.measure in ("interval", "ratio"):
        return []
    table = asked.table.ratings[:, [first, second]]
    both = ~np.isnan(table).any(axis=1)
    if not both.any():
        return []
    given, items, unit = table[both], asked.table.item[both], asked.table.unit
    # The analytic error takes units as independent; where a group holds several, groups are resampled.
    clustered = len(np.unique(bench.gathered.groups[items])) < len(items)
    about = f"{asked.spec.key}: Cohen's kappa"
    kappa = cohen_kappa(
        given, weights="quadratic" if asked.spec.measure == "ordinal" else "identity",
        categories=asked.table.categories or None, unit=unit,
        resampling=bench.resampling(_pair_key(bench, first, second, about), items) if clustered else None,
    ).estimate  # fmt: skip
    rows = [_pair(bench, first, second, about, kappa, items)]
    about, same = f"{asked.spec.key}: raw agreement", (given[:, 0] == given[:, 1]).astype(np.float64)
    drawn = bench.resampling(_pair_key(bench, first, second, about), items)
    raw = share_of(bench, same, items, unit, "raw agreement of a pair", drawn)
    return [*rows, _pair(bench, first, second, about, raw, items)]


def _detection_pair(bench: Bench, label: LabelObjects, first: int, second: int) -> list[PairRow]:
    table = label.found[:, [first, second]]
    known = ~np.isnan(table).any(axis=1)
    table, items = table[known], label.item[known]
    if not table.sum():
        return []
    about = f"{label.label}: marked by both"
    estimate = ratio_estimate(
        2 * table[:, 0] * table[:, 1], table.sum(axis=1),
        bench.resampling(_pair_key(bench, first, second, about), items), unit="objects",
        method="positive specific agreement of a pair", version=VERSION,
    )  # fmt: skip
    return [_pair(bench, first, second, about, estimate, items)]


def _overlap_pair(bench: Bench, label: LabelObjects, first: int, second: int) -> list[PairRow]:
    own = (label.pairs.first == first) & (label.pairs.second == second)
    if not own.any():
        return []
    items, about = label.pairs.item[own], f"{label.label}: Dice"
    drawn = bench.resampling(_pair_key(bench, first, second, about), items)
    estimate = mean_estimate(
        label.pairs.dice[own], drawn, unit="objects", method="mean Dice of a pair", version=VERSION
    )
    return [_pair(bench, first, second, about, estimate, items)]


def _pair(bench: Bench, first: int, second: int, about: str, estimate: Estimate, items: IntArray) -> PairRow:
    raters = bench.gathered.raters
    measured = bench.measured(_pair_key(bench, first, second, about), about, estimate, items)
    return PairRow(raters[first], raters[second], about, measured)


def _pair_key(bench: Bench, first: int, second: int, about: str) -> str:
    return f"pair.{bench.gathered.raters[first]}.{bench.gathered.raters[second]}.{about}"


def _pairs_of_items(bench: Bench, items: tuple[ItemRow, ...]) -> tuple[PairRow, ...]:
    rows = []
    places = {item.key: index for index, item in enumerate(bench.gathered.items)}
    for row in items:
        for first, second, value in row.pairs:
            name = "similarity on this item"
            estimate = Estimate(
                value, float("nan"), float("nan"), n=1, unit="items", method=name, version=VERSION,
                interval_reason="one item has no interval",
            )  # fmt: skip
            measured = bench.measured(f"pair.{row.item}.{first}.{second}", name, estimate, [places[row.item]])
            rows.append(PairRow(first, second, name, measured, item=row.item))
    return tuple(rows)
