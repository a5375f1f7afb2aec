"""What is said of one item on which readers differ, beside the mean: entropy, the worst pair, sizes, and who stands apart.

Made from numbers that exist already: the comparisons of pairs, the answers, the sizes. The report makes it for every item of a
set at once (``panel_item_parts``), an item's page from the scores that are stored (:func:`of_stored`); both print
:meth:`ItemDisagreement.facts`. Not here: the measures themselves (``numerics.unit_disagreement``, ``numerics.disagreement``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.numerics.disagreement import vote_entropy
from labelhub.numerics.results import FloatArray
from labelhub.numerics.unit_disagreement import rater_parts, size_variation, worst_pair

NAN = math.nan
# A smaller part is noise of the other pairs.
LEAST_PART = 0.02


@dataclass(frozen=True, slots=True)
class Fact:
    """A line for people: what it is, its value, and what that means."""

    name: str
    value: str
    definition: str


@dataclass(frozen=True, slots=True)
class ItemDisagreement:
    """How the readers of one item differ. Numbers are NaN where the item has none; ``*_of`` name the class or question.

    ``entropy`` is the greatest normalised entropy of its answers, ``hd95`` the greatest over pairs of readers,
    ``n_only_one`` pairs of which one marked what the other did not (no distance; ranked as the worst), ``size_variation`` the
    greatest coefficient of variation. ``apart`` is the reader without whom the mean distance of two readers falls most, from
    ``whole`` to ``without``. ``more_disputed_than`` is the share of other items, its mean over these measures.
    """

    entropy: float = NAN
    entropy_of: str = ""
    hd95: float = NAN
    hd95_unit: str = ""
    hd95_of: str = ""
    n_only_one: int = 0
    size_variation: float = NAN
    size_of: str = ""
    apart: str = ""
    whole: float = NAN
    without: float = NAN
    more_disputed_than: float = NAN

    def facts(self) -> tuple[Fact, ...]:
        """The lines that a page and a report print; empty where nothing is known."""
        found = []
        if not math.isnan(self.entropy):
            found.append(
                Fact("Entropy of answers", f"{self.entropy:.2f} ({self.entropy_of})",
                     "0 where all answer alike, 1 where answers are spread evenly over all that are possible; the greatest.")
            )  # fmt: skip
        if not math.isnan(self.hd95) or self.n_only_one:
            length = "" if math.isnan(self.hd95) else f"HD95 {self.hd95:.1f} {self.hd95_unit} ({self.hd95_of})"
            pairs = "pair of readers" if self.n_only_one == 1 else "pairs of readers"
            alone = f"{self.n_only_one} {pairs} of whom only one marked it" if self.n_only_one else ""
            found.append(
                Fact("Outlines farthest apart", "; ".join(filter(None, (length, alone))),
                     "The greatest 95th percentile distance over pairs of readers. Where only one of two marked anything there "
                     "is no distance: it enters no mean, and counts as the worst where items are put in order.")
            )  # fmt: skip
        if not math.isnan(self.size_variation):
            found.append(
                Fact("Spread of sizes", f"{self.size_variation:.0%} ({self.size_of})",
                     "Standard deviation of the readers' sizes by their mean (coefficient of variation); the greatest.")
            )  # fmt: skip
        if self.apart and self.whole - self.without >= LEAST_PART:
            found.append(
                Fact(f"Without {self.apart}", f"disagreement {self.without:.2f} in place of {self.whole:.2f}",
                     "Mean of one minus the similarity over pairs of readers, with and without the reader who stands apart.")
            )  # fmt: skip
        if not math.isnan(self.more_disputed_than):
            found.append(
                Fact("More disputed than", f"{self.more_disputed_than:.0%} of the other items",
                     "Items are ranked by each measure that they have, then ranks are averaged.")
            )  # fmt: skip
        return tuple(found)


@dataclass(frozen=True, slots=True)
class StoredClass:
    """One class of an item as stored: HD95, edge case and signed size difference of each two readers, by position."""

    label: str
    unit: str
    hd95: Mapping[tuple[int, int], float]
    only_one: frozenset[tuple[int, int]]
    size_difference: Mapping[tuple[int, int], float]


def of_stored(
    names: Sequence[str],
    *,
    similarity: Mapping[tuple[int, int], float],
    classes: Sequence[StoredClass],
    answers: Mapping[str, tuple[Sequence[float], int]],
) -> ItemDisagreement:
    """The disagreement of one item from what is stored of its readers ``names``; pairs are positions, the lesser first.

    ``answers`` are codes by question (NaN where none) with the number of possible ones. Nothing is measured anew: sizes come
    from their stored differences, relative to one of the readers.
    """
    n = len(names)
    entropies = [
        (float(vote_entropy([codes], categories=list(range(possible)))[0]), key)
        for key, (codes, possible) in answers.items()
        if possible
    ]
    entropy, entropy_of = _greatest(entropies)
    worst = [(entry, worst_pair(table_of(n, entry.hd95), _flags(n, entry.only_one))) for entry in classes]
    hd95, hd95_of = _greatest([(found.value, entry.label) for entry, found in worst])
    sizes = [(float(size_variation([_relative_sizes(n, entry)])[0]), entry.label) for entry in classes]
    variation, size_of = _greatest(sizes)
    apart, whole, without = who_stands_apart(
        names, table_of(n, {pair: max(0.0, 1 - s) for pair, s in similarity.items()})
    )
    return ItemDisagreement(
        entropy, entropy_of, hd95, next((entry.unit for entry in classes if entry.label == hd95_of), ""), hd95_of,
        sum(found.n_undefined for _, found in worst), variation, size_of, apart, whole, without,
    )  # fmt: skip


def who_stands_apart(names: Sequence[str], distances: FloatArray) -> tuple[str, float, float]:
    """The reader without whom the mean distance of two readers falls most, and it with and without; "" where nobody is."""
    parts = [part for part in rater_parts(distances) if part.reason is None]
    if not parts:
        return "", NAN, NAN
    most = max(parts, key=lambda part: part.part)
    return names[most.rater], most.whole, most.without


def table_of(n: int, values: Mapping[tuple[int, int], float]) -> FloatArray:
    """Values of pairs as a symmetric table, NaN where there is none."""
    table = np.full((n, n), NAN)
    for (first, second), value in values.items():
        table[first, second] = table[second, first] = value
    return table


def _flags(n: int, pairs: frozenset[tuple[int, int]]) -> FloatArray:
    return np.nan_to_num(table_of(n, dict.fromkeys(pairs, 1.0)))


def _relative_sizes(n: int, entry: StoredClass) -> FloatArray:
    """Sizes relative to the first reader who drew anything, from 2(a - b)/(a + b) of the pairs with that reader."""
    for reader in range(n):
        own = {pair: value for pair, value in entry.size_difference.items() if reader in pair}
        if own and all(abs(value) < 2 or (value > 0) == (pair[0] == reader) for pair, value in own.items()):
            sizes = np.full(n, NAN)
            sizes[reader] = 1.0
            for (first, second), value in own.items():
                signed = value if first == reader else -value
                sizes[second if first == reader else first] = (2 - signed) / (2 + signed)
            return sizes
    return np.full(n, NAN)


def _greatest(values: Sequence[tuple[float, str]]) -> tuple[float, str]:
    known = [entry for entry in values if not math.isnan(entry[0])]
    return max(known, key=lambda entry: entry[0]) if known else (NAN, "")
