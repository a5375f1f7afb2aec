"""How far the readers of one item disagree, why, and what a further look is expected to gain.

The similarity of two readers of an item is the mean over what both were asked: for each label the share of their marks
that the other has too, each match weighed by its Dice; for each question whether the answers are equal (ordinal and
measured ones: how near on the scale). An item's disagreement is one minus the mean over its pairs of readers.
Expected gain counts labels: each object and answer adds the chance that its most frequent version is wrong, taken as
the share of readers who said otherwise. Not here: agreement of the whole set, which needs correction for chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from itertools import combinations
from operator import attrgetter
from statistics import fmean

import numpy as np

from labelhub.numerics.results import NAN
from labelhub.scoring.gather import FloatArray
from labelhub.scoring.gather_objects import LabelObjects, Objects
from labelhub.scoring.item_disagreement import ItemDisagreement
from labelhub.scoring.object_columns import Pairs, pairs_of_item
from labelhub.scoring.panel_item_parts import UnitsOfItems, more_disputed_than, parts_of_item
from labelhub.scoring.panel_questions import AskedRatings
from labelhub.scoring.panel_rows import Bench, ItemRow

# A reader is "the odd one" where the others agree at least so well and this one agrees with them at most so well.
OTHERS_AGREE = 0.8
ODD_ONE_AGREES = 0.5

PairKey = tuple[int, int]


@dataclass(slots=True)
class _Findings:
    """What is collected about one item: similarities by pair, reasons with their weight, and the expected gain."""

    similarities: dict[PairKey, list[float]] = field(default_factory=lambda: defaultdict(list))
    reasons: list[tuple[float, str]] = field(default_factory=list)
    gain: float = 0.0


def item_rows(bench: Bench, objects: Objects, asked: tuple[AskedRatings, ...]) -> tuple[ItemRow, ...]:
    """One row an item, in the order of the set."""
    gathered = bench.gathered
    labels = tuple((label.label, label.is_whole) for label in objects.by_label.values())
    coded = tuple((question.spec, question.table.names, _span(question)) for question in asked)
    rules = bench.memory.number_of((objects.matching, labels, coded, gathered.are_raters_known))
    units = UnitsOfItems.of(objects, asked, len(gathered.items))
    every = []
    for index, raters in gathered.by_item.items():
        # The matched objects of an item stand for its readings and its record. Columns move where a reader comes in before
        # them, and with them the order in which a row is added up.
        names = tuple(gathered.raters[rater] for rater in raters)
        every.append(
            bench.memory.part(
                "row of an item", [objects.of_item[index]], (rules, raters, names),
                lambda: _row(bench, units, index),  # noqa: B023
            )
        )  # fmt: skip
    shares = more_disputed_than([row.parts for row in every], [row.disagreement if row.pairs else NAN for row in every])
    return tuple(_ranked(row, share) for row, share in zip(every, shares.tolist(), strict=True))


def _row(bench: Bench, units: UnitsOfItems, index: int) -> ItemRow:
    """The row of one item but for its place among the others."""
    gathered = bench.gathered
    item, found = gathered.items[index], _Findings()
    for label, members in zip(units.labels, units.by_label, strict=True):
        own = members.of(index)
        if len(own):
            _add_objects(found, label, own.tolist(), _dice_of(label.pairs, index))
    for question, members in zip(units.questions, units.by_question, strict=True):
        _add_answers(found, question, members.of(index).tolist())
    pairs = {pair: fmean(values) for pair, values in found.similarities.items()}
    odd = _odd_reader(pairs, gathered.by_item[index]) if gathered.are_raters_known else None
    reasons = [text for _, text in sorted(found.reasons, key=lambda reason: -reason[0])[:3]]
    return ItemRow(
        item=item.key,
        source_id=item.source_id or item.key,
        n_readers=len(gathered.by_item[index]),
        disagreement=1 - fmean(pairs.values()) if pairs else 0.0,
        reason="; ".join(reasons),
        expected_gain=found.gain,
        odd_reader=gathered.raters[odd] if odd is not None else "",
        pairs=tuple((gathered.raters[a], gathered.raters[b], value) for (a, b), value in sorted(pairs.items())),
        parts=parts_of_item(bench, units, index, pairs),
    )


# Every row gets its place among the others anew in each panel; ``dataclasses.replace`` would take several times as long.
_ROW = attrgetter(*(field.name for field in fields(ItemRow) if field.name != "parts"))
_PARTS = attrgetter(*(field.name for field in fields(ItemDisagreement) if field.name != "more_disputed_than"))


def _ranked(row: ItemRow, share: float) -> ItemRow:
    """The row with the share of other items that its item is more disputed than."""
    make_row: Callable[..., ItemRow] = ItemRow
    make_parts: Callable[..., ItemDisagreement] = ItemDisagreement
    return make_row(*_ROW(row), parts=make_parts(*_PARTS(row.parts), more_disputed_than=share))


def _dice_of(pairs: Pairs, item: int) -> Mapping[int, Mapping[PairKey, float]]:
    """Dice of every pair of readers of each object of an item."""
    dice: dict[int, dict[PairKey, float]] = defaultdict(dict)
    for place in pairs_of_item(pairs, item):
        dice[int(pairs.unit[place])][int(pairs.first[place]), int(pairs.second[place])] = float(pairs.dice[place])
    return dice


def _add_objects(
    found: _Findings, label: LabelObjects, members: list[int], dice: Mapping[int, Mapping[PairKey, float]]
) -> None:
    alike: dict[PairKey, float] = defaultdict(float)
    marks: dict[PairKey, float] = defaultdict(float)
    for unit in members:
        row = label.found[unit]
        asked = [int(rater) for rater in np.nonzero(~np.isnan(row))[0]]
        for first, second in combinations(asked, 2):
            marks[first, second] += row[first] + row[second]
            if row[first] and row[second]:
                alike[first, second] += 2 * dice.get(unit, {}).get((first, second), 1.0)
    for key, count in marks.items():
        if count:
            found.similarities[key].append(alike[key] / count)
    _explain_objects(found, label, members, [value for unit in members for value in dice.get(unit, {}).values()])


def _explain_objects(found: _Findings, label: LabelObjects, units: list[int], drawn: list[float]) -> None:
    rows = label.found[units]
    readers, marked = (~np.isnan(rows)).sum(axis=1), (rows == 1).sum(axis=1)
    shared = readers >= 2
    doubt = np.where(shared, np.minimum(marked, readers - marked) / np.maximum(readers, 1), 0.0)
    found.gain += float(doubt.sum())
    disputed = int(np.count_nonzero(shared & (marked < readers)))
    if disputed:
        text = f"{disputed} of {int(shared.sum())} {label.label} objects not marked by every reader"
        found.reasons.append((float(doubt.sum()), text))
    if not drawn:
        return
    loss = 1 - fmean(drawn)
    found.gain += loss
    if loss > 1 - OTHERS_AGREE:
        found.reasons.append((loss, f"outlines of {label.label} differ, mean Dice {1 - loss:.2f}"))


def _add_answers(found: _Findings, asked: AskedRatings, units: list[int]) -> None:
    table, spec = asked.table, asked.spec
    span = _span(asked)
    is_category = spec.measure == "nominal"
    scores: dict[PairKey, list[float]] = defaultdict(list)
    for unit in units:
        row = table.ratings[unit]
        given = np.nonzero(~np.isnan(row))[0]
        if len(given) < 2:
            continue
        for first, second in combinations((int(rater) for rater in given), 2):
            gap = abs(row[first] - row[second])
            scores[first, second].append(float(gap == 0) if is_category else 1 - gap / span)
        loss = _loss(row[given], span, is_category=is_category)
        found.gain += loss
        if loss > 0:
            found.reasons.append((loss, f"{spec.key}: {_answers_in_words(asked, row[given])}"))
    for pair, values in scores.items():
        found.similarities[pair].append(fmean(values))


def _span(asked: AskedRatings) -> float:
    if asked.table.categories:
        return max(float(len(asked.table.categories) - 1), 1.0)
    given = asked.table.ratings[~np.isnan(asked.table.ratings)]
    return float(np.ptp(given)) or 1.0


def _loss(values: FloatArray, span: float, *, is_category: bool) -> float:
    if is_category:
        return 1 - max(Counter(values.tolist()).values()) / len(values)
    return float(np.abs(values - np.median(values)).mean()) / span


def _answers_in_words(asked: AskedRatings, values: FloatArray) -> str:
    if not asked.table.names:
        return f"from {values.min():g} to {values.max():g}"
    tally = Counter(asked.table.names[int(value)] for value in values)
    return ", ".join(f"{count} × {name}" for name, count in tally.most_common(4))


def _odd_reader(pairs: Mapping[PairKey, float], raters: tuple[int, ...]) -> int | None:
    """The one reader who differs while all others agree; ``None`` where nobody or more than one does."""
    if len(raters) < 3:
        return None
    for rater in raters:
        own = [value for pair, value in pairs.items() if rater in pair]
        others = [value for pair, value in pairs.items() if rater not in pair]
        if own and others and fmean(own) <= ODD_ONE_AGREES and min(others) >= OTHERS_AGREE:
            return rater
    return None
