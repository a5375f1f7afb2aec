"""Which shapes of several readers are the same object, and how alike they drew it: one pass over the items.

What the marks of one item come to is ``item_objects``'s; here they are put under each other as arrays over all items. A label
of which no reader drew more than one mask an item is a *whole* (an organ, a tissue): its masks are compared as they are,
however little they overlap. Not here: any coefficient (``panel``).

Tschirschwitz D, Rodehorst V (2026) KaLOS, arXiv 2603.27197: match places first, then agree on classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelhub.formats.shapes import Reading, Shape
from labelhub.scoring.gather import FloatArray, Gathered, IntArray
from labelhub.scoring.item_objects import ItemObjects, Matching, objects_of_item
from labelhub.scoring.object_columns import Layout, Pairs, WholePairs, label_columns, mixed_columns
from labelhub.scoring.remembered import Memory


@dataclass(frozen=True, slots=True, eq=False)
class LabelObjects:
    """The objects of one label over all items.

    ``found[unit, rater]`` is 1 where marked, 0 where read, asked and not marked, NaN where not asked or not read.
    ``size[unit, rater]`` are voxels (NaN without area), ``item[unit]`` the item. ``shapes[unit]`` are the readers' marks,
    ``names[unit]`` their ids, in the order of the readers.
    ``presence[item, rater]`` says whether the reader marked any, NaN where not asked. ``whole_pairs`` compare all marks
    of the label together. ``n_without_area`` counts outlines that enclose no pixel. ``sweep`` is (least overlap, pooled
    positive specific agreement).
    """

    label: str
    found: FloatArray
    item: IntArray
    size: FloatArray
    shapes: Sequence[Mapping[int, Shape]]
    names: tuple[str, ...]
    pairs: Pairs
    presence: FloatArray
    whole_pairs: WholePairs
    has_area: bool
    is_whole: bool
    n_without_area: int
    sweep: tuple[tuple[float, float], ...] = ()

    @property
    def n_shapes(self) -> int:
        """How many marks were made."""
        return int(np.count_nonzero(self.found == 1))


@dataclass(frozen=True, slots=True, eq=False)
class MixedObjects:
    """Objects matched whatever their label: ``category[unit, rater]`` is the label's position in ``labels``, NaN where
    the reader was not asked; ``len(labels)`` where the reader marked nothing there.
    """

    labels: tuple[str, ...]
    category: FloatArray
    item: IntArray

    @property
    def not_annotated(self) -> float:
        """The category of a reader who marked nothing there."""
        return float(len(self.labels))


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """Every label's objects, and the objects matched across labels (``None`` where only one label occurs).

    ``of_item[item]`` is what they were put together of. With a memory it is the same object as before for an item whose
    readings, record and rules are the same.
    """

    by_label: Mapping[str, LabelObjects]
    mixed: MixedObjects | None
    matching: Matching
    of_item: tuple[ItemObjects, ...]


def gather_objects(gathered: Gathered, matching: Matching | None = None, memory: Memory | None = None) -> Objects:
    """Match the marks of all readers of each item; items read once contribute their marks and no pair."""
    rule, memory = matching or Matching(), memory or Memory()
    occurring, manifold, masked = _kinds_of_marks(gathered, memory)
    labels = tuple(label for label in gathered.labels if label in occurring)
    wholes = frozenset(label for label in labels if label in masked and label not in manifold)
    with_area: set[str] = set()
    every: list[ItemObjects] = []
    for item, columns in gathered.by_item.items():
        readings = [gathered.readings[item, column] for column in columns]
        # Marks are looked at under other thresholds from the first area on.
        swept = frozenset(with_area)
        found = memory.part(
            "objects of an item",
            [gathered.items[item], *readings],
            memory.number_of((labels, wholes, swept, rule)),
            lambda: objects_of_item(readings, gathered.items[item].grids, labels, wholes, swept, rule),  # noqa: B023
        )
        every.append(found)
        if len(with_area) < len(labels):
            with_area.update(label for label, own in found.by_label.items() if own.has_area)
    layout = Layout(gathered.by_item, len(gathered.raters))
    by_label = {label: _label_objects(label, label in wholes, layout, every) for label in labels}
    if len(labels) < 2:
        return Objects(by_label, None, rule, tuple(every))
    tables = {item: own.mixed for item, own in enumerate(every) if own.mixed is not None}
    return Objects(by_label, MixedObjects(labels, *mixed_columns(layout, tables)), rule, tuple(every))


def _kinds_of_marks(gathered: Gathered, memory: Memory) -> tuple[set[str], set[str], set[str]]:
    """The labels that occur, those of which somebody drew several on one medium, and those drawn as masks."""
    found: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    for item, columns in gathered.by_item.items():
        readings = [gathered.readings[item, column] for column in columns]
        kinds = memory.part("kinds of marks", readings, None, lambda: _kinds_of(readings))  # noqa: B023
        for every, own in zip(found, kinds, strict=True):
            every |= own
    return found


def _kinds_of(readings: Sequence[Reading]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    times = Counter(
        (place, shape.label, shape.medium) for place, reading in enumerate(readings) for shape in reading.shapes
    )
    manifold = frozenset(label for (_, label, _), count in times.items() if count > 1)
    masked = frozenset(shape.label for reading in readings for shape in reading.shapes if shape.mask is not None)
    return frozenset(label for _, label, _ in times), manifold, masked


def _label_objects(label: str, is_whole: bool, layout: Layout, every: Sequence[ItemObjects]) -> LabelObjects:
    """One label's objects of all items under each other."""
    of_item = [found.by_label[label] for found in every]
    columns = label_columns(layout, of_item)
    # For each other threshold: marks shared by two readers, and marks that two readers could have shared.
    swept: dict[float, tuple[float, float]] = {}
    for own in of_item:
        for threshold, shared, possible in own.swept:
            before = swept.get(threshold, (0.0, 0.0))
            swept[threshold] = (before[0] + shared, before[1] + possible)
    return LabelObjects(
        label=label,
        found=columns.found,
        item=columns.item,
        size=columns.size,
        shapes=columns.shapes,
        names=columns.names,
        pairs=columns.pairs,
        presence=columns.presence,
        whole_pairs=columns.whole_pairs,
        has_area=any(own.has_area for own in of_item),
        is_whole=is_whole,
        n_without_area=sum(own.n_without_area for own in of_item),
        sweep=tuple((threshold, shared / possible) for threshold, (shared, possible) in swept.items() if possible),
    )
