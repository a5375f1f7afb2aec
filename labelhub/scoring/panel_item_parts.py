"""What is said of every item of a set beside its mean disagreement, out of the comparisons that the panel has made already.

Not here: the mean, its reasons and the expected gain (``panel_items``); what the lines say (``item_disagreement``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from labelhub.numerics.disagreement import vote_entropy
from labelhub.numerics.results import NAN, FloatArray, IntArray
from labelhub.numerics.unit_disagreement import rank_then_aggregate, size_variation
from labelhub.scoring.gather_objects import LabelObjects, MixedObjects, Objects
from labelhub.scoring.item_disagreement import LEAST_PART, ItemDisagreement, table_of, who_stands_apart
from labelhub.scoring.object_columns import pairs_of_item
from labelhub.scoring.panel_questions import AskedRatings
from labelhub.scoring.panel_rows import Bench

PairKey = tuple[int, int]
CLASS_OF_OBJECTS = "class of an object"


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """The units of each item: ``order[start[item]:start[item + 1]]``, in their order."""

    order: IntArray
    start: IntArray

    @classmethod
    def by(cls, items: IntArray, n_items: int) -> _Members:
        order = np.argsort(items, kind="stable")
        return cls(order, np.searchsorted(items[order], np.arange(n_items + 1)))

    def of(self, item: int) -> IntArray:
        return self.order[self.start[item] : self.start[item + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class UnitsOfItems:
    """Labels, questions and classes of objects of a set, each with the units that every item has of it."""

    labels: tuple[LabelObjects, ...]
    by_label: tuple[_Members, ...]
    questions: tuple[AskedRatings, ...]
    by_question: tuple[_Members, ...]
    mixed: MixedObjects | None
    by_mixed: _Members | None

    @classmethod
    def of(cls, objects: Objects, asked: tuple[AskedRatings, ...], n_items: int) -> UnitsOfItems:
        """Find the units of every item."""
        labels, mixed = tuple(objects.by_label.values()), objects.mixed
        return cls(
            labels, tuple(_Members.by(label.item, n_items) for label in labels),
            asked, tuple(_Members.by(question.table.item, n_items) for question in asked),
            mixed, None if mixed is None else _Members.by(mixed.item, n_items),
        )  # fmt: skip


@dataclass(slots=True)
class _Greatest:
    """The greatest value and what it is of."""

    value: float = NAN
    of: str = ""

    def add(self, values: Sequence[float] | FloatArray, name: str) -> None:
        """Take these values in, NaN for none."""
        for value in np.asarray(values).tolist():
            # NaN is greater than nothing, and nothing is greater than NaN.
            if value > self.value or (math.isnan(self.value) and not math.isnan(value)):
                self.value, self.of = value, name


def parts_of_item(
    bench: Bench, units: UnitsOfItems, item: int, similarities: Mapping[PairKey, float]
) -> ItemDisagreement:
    """All of an item but its place among the others; ``similarities`` are those of its pairs of readers."""
    entropy, sizes, hd95 = _Greatest(), _Greatest(), _Greatest()
    for question, members in zip(units.questions, units.by_question, strict=True):
        if question.spec.measure in ("nominal", "ordinal"):
            given = question.table.ratings[members.of(item)]
            entropy.add(vote_entropy(given, categories=list(question.table.categories) or None), question.spec.key)
    if units.mixed is not None and units.by_mixed is not None:
        codes = [float(code) for code in range(len(units.mixed.labels) + 1)]
        entropy.add(vote_entropy(units.mixed.category[units.by_mixed.of(item)], categories=codes), CLASS_OF_OBJECTS)
    unit_of_length, n_only_one = "", 0
    for label, members in zip(units.labels, units.by_label, strict=True):
        own = members.of(item)
        sizes.add(size_variation(label.size[own]), label.label)
        readers, marked = (~np.isnan(label.found[own])).sum(axis=1), (label.found[own] == 1).sum(axis=1)
        n_only_one += int((marked * (readers - marked)).sum())
        unit_of_length = _add_distances(label, item, hd95, unit_of_length)
    return ItemDisagreement(
        entropy.value, entropy.of, hd95.value, unit_of_length, hd95.of, n_only_one, sizes.value, sizes.of,
        *_apart(bench, item, similarities),
    )  # fmt: skip


def _add_distances(label: LabelObjects, item: int, hd95: _Greatest, unit_of_length: str) -> str:
    """Take in the distances of an item's pairs; the unit that the item is told in."""
    pairs = label.pairs
    for place in pairs_of_item(pairs, item):
        value, unit = float(pairs.hd95[place]), "mm" if pairs.is_mm[place] else "px"
        # Lengths of an item in two units cannot be put in order: the first unit that occurs is told.
        if not math.isnan(value) and unit_of_length in ("", unit):
            unit_of_length = unit
            hd95.add([value], label.label)
    return unit_of_length


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
    distances = {(place[a], place[b]): max(0.0, 1 - value) for (a, b), value in similarity.items()}
    return who_stands_apart(names, table_of(len(names), distances))


def more_disputed_than(found: Sequence[ItemDisagreement], distances: Sequence[float]) -> FloatArray:
    """The mean share of other items that each is more disputed than, over the measures that it has: ranks, then their mean.

    ``distances`` are the mean distance of the readers of each item, NaN where it has no pair of them.
    A pair of readers of whom only one marked anything has no distance, and its item comes after all that have one.
    """
    rows = [distances, *([getattr(entry, name) for entry in found] for name in ("entropy", "hd95", "size_variation"))]
    values = np.array(rows, dtype=np.float64)
    is_worst = np.zeros(values.shape, dtype=bool)
    is_worst[2] = [entry.n_only_one > 0 for entry in found]
    return rank_then_aggregate(values, lower_is_better=True, is_worst=is_worst).mean_share
