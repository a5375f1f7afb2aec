"""What is said of every item of a set beside its mean disagreement, out of the comparisons that the panel has made already.

Not here: the mean, its reasons and the expected gain (``panel_items``); what the lines say (``item_disagreement``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from labelhub.numerics.disagreement import vote_entropy
from labelhub.numerics.results import NAN, FloatArray, IntArray
from labelhub.numerics.unit_disagreement import rank_then_aggregate, size_variation
from labelhub.scoring.gather_objects import LabelObjects, Objects
from labelhub.scoring.item_disagreement import LEAST_PART, ItemDisagreement, table_of, who_stands_apart
from labelhub.scoring.panel_questions import AskedRatings
from labelhub.scoring.panel_rows import Bench

PairKey = tuple[int, int]
CLASS_OF_OBJECTS = "class of an object"


@dataclass(slots=True)
class _Greatest:
    """The greatest value of each item and what it is of."""

    value: list[float]
    of: list[str]

    @classmethod
    def none(cls, n_items: int) -> _Greatest:
        return cls([NAN] * n_items, [""] * n_items)

    def add(self, items: Sequence[int] | IntArray, values: Sequence[float] | FloatArray, name: str) -> None:
        """Take these values in, one a unit, NaN for none."""
        for item, value in zip(np.asarray(items).tolist(), np.asarray(values).tolist(), strict=True):
            # NaN is greater than nothing, and nothing is greater than NaN.
            if value > self.value[item] or (math.isnan(self.value[item]) and not math.isnan(value)):
                self.value[item], self.of[item] = value, name


def item_parts(
    bench: Bench,
    objects: Objects,
    asked: tuple[AskedRatings, ...],
    similarities: Sequence[Mapping[PairKey, float]],
) -> tuple[ItemDisagreement, ...]:
    """One a item, in the order of the set; ``similarities[item]`` are those of its pairs of readers."""
    n_items = len(bench.gathered.items)
    entropy, sizes = _Greatest.none(n_items), _Greatest.none(n_items)
    for question in asked:
        if question.spec.measure in ("nominal", "ordinal"):
            table = question.table
            values = vote_entropy(table.ratings, categories=list(table.categories) or None)
            entropy.add(table.item, values, question.spec.key)
    if objects.mixed is not None:
        mixed = objects.mixed
        values = vote_entropy(mixed.category, categories=[float(k) for k in range(len(mixed.labels) + 1)])
        entropy.add(mixed.item, values, CLASS_OF_OBJECTS)
    hd95, units, n_only_one = _Greatest.none(n_items), [""] * n_items, np.zeros(n_items, dtype=np.int64)
    for label in objects.by_label.values():
        sizes.add(label.item, size_variation(label.size), label.label)
        _add_distances(label, hd95, units, n_only_one)
    found = [
        ItemDisagreement(
            entropy.value[item], entropy.of[item], hd95.value[item], units[item], hd95.of[item],
            int(n_only_one[item]), sizes.value[item], sizes.of[item],
            *_apart(bench, item, similarities[item]),
        )
        for item in range(n_items)
    ]  # fmt: skip
    return tuple(
        replace(entry, more_disputed_than=float(share))
        for entry, share in zip(found, more_disputed_than(found, similarities), strict=True)
    )


def _add_distances(label: LabelObjects, hd95: _Greatest, units: list[str], n_only_one: IntArray) -> None:
    readers, marked = (~np.isnan(label.found)).sum(axis=1), (label.found == 1).sum(axis=1)
    np.add.at(n_only_one, label.item, marked * (readers - marked))
    items: list[int] = []
    values: list[float] = []
    for pair in label.pairs:
        value, unit = pair.comparison.hd95, pair.comparison.unit
        # Lengths of an item in two units cannot be put in order: the first unit that occurs is told.
        if not math.isnan(value) and units[pair.item] in ("", unit):
            units[pair.item] = unit
            items.append(pair.item)
            values.append(value)
    hd95.add(items, values, label.label)


def _apart(bench: Bench, item: int, similarity: Mapping[PairKey, float]) -> tuple[str, float, float]:
    gathered = bench.gathered
    readers = gathered.by_item[item]
    if len(readers) < 3:
        return "", NAN, NAN
    if fmean(similarity.values() or [1.0]) > 1 - LEAST_PART:
        # Nobody stands apart from readers who agree.
        return "", NAN, NAN
    place = {rater: index for index, rater in enumerate(readers)}
    names = tuple(gathered.raters[rater] for rater in readers)
    distances = tuple(((place[a], place[b]), max(0.0, 1 - value)) for (a, b), value in similarity.items())
    return bench.memory.part(
        "who stands apart",
        (),
        (names, distances),
        lambda: who_stands_apart(names, table_of(len(names), dict(distances))),
    )


def more_disputed_than(
    found: Sequence[ItemDisagreement], similarities: Sequence[Mapping[PairKey, float]]
) -> FloatArray:
    """The mean share of other items that each is more disputed than, over the measures that it has: ranks, then their mean.

    A pair of readers of whom only one marked anything has no distance, and its item comes after all that have one.
    """
    distance = [1 - fmean(pairs.values()) if pairs else NAN for pairs in similarities]
    rows = [distance, *([getattr(entry, name) for entry in found] for name in ("entropy", "hd95", "size_variation"))]
    values = np.array(rows, dtype=np.float64)
    is_worst = np.zeros(values.shape, dtype=bool)
    is_worst[2] = [entry.n_only_one > 0 for entry in found]
    return rank_then_aggregate(values, lower_is_better=True, is_worst=is_worst).mean_share
