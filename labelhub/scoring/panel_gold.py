"""Readings against gold: what each reader got right, found, missed and added, and how their sizes lie.

Accuracy is against gold; agreement between people is not computed here. Where every group (patient, scan) has one unit
the interval of a share is Wilson's, else the groups are resampled, because units of one patient are not independent.

Wilson EB (1927) J Am Stat Assoc 22:209-212; Newcombe RG (1998) Statistics in Medicine 17:857-872.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from labelhub.formats.shapes import AnnotationSet, Grid, QuestionSpec, Reading
from labelhub.numerics.bootstrap import Resampling, mean_estimate, ratio_estimate
from labelhub.numerics.consensus import expected_correct, majority_vote
from labelhub.numerics.mask_pair import placed_pair
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.numerics.surface_offset import surface_offsets
from labelhub.scoring.extent_overlap import compare_extents
from labelhub.scoring.gather import Gathered, answer_text, coding_of
from labelhub.scoring.item_objects import Mark, Matching, clusters_of, marks_of
from labelhub.scoring.panel_pace import tiring_row
from labelhub.scoring.panel_rows import GREY_WIDTH, Bench, GoldRow, Measured, PairRow
from labelhub.scoring.panel_shrunken import shrunken_rows

VERSION = "1"

_RIGHT, _FOUND, _REAL, _CLASS = "answers right", "gold objects found", "marks that are real", "class right"
_DICE, _SIZE = "Dice with gold", "size against gold, 2(own−gold)/(own+gold)"
_MAJORITY = "majority answer right"
SHARES = (_RIGHT, _MAJORITY, _FOUND, _REAL, _CLASS)
_OFFSET = {unit: f"outline against gold in {unit}, positive too large" for unit in ("px", "mm")}
_UNITS = dict.fromkeys((_FOUND, _REAL, _CLASS, _DICE, _SIZE, *_OFFSET.values()), "objects")
_SHRUNKEN = (_RIGHT, _CLASS, _FOUND)


@dataclass(slots=True)
class _Tally:
    """What one reader's readings give against gold: per aspect the values and their items."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    items: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, aspect: str, value: float) -> None:
        """Note one value of one aspect."""
        self.values[aspect].append(value)

    def include(self, other: _Tally, item: int) -> None:
        """Take over everything that the tally of one reading of an item holds."""
        for aspect, values in other.values.items():
            self.values[aspect] += values
            self.items[aspect] += [item] * len(values)
        self.confusions.update(other.confusions)


@dataclass(frozen=True, slots=True)
class GoldNumbers:
    """All readers together, and each reader's numbers and class confusions by column."""

    everyone: GoldRow
    by_rater: Mapping[int, tuple[Measured, ...]]
    confusions: Mapping[int, tuple[str, ...]]
    better: tuple[PairRow, ...] = ()


def against_gold(bench: Bench, gold: AnnotationSet, matching: Matching) -> GoldNumbers:
    """Compare every measured reading of an item that has gold with it."""
    truth, notes = gold_readings(bench.gathered, gold)
    tallies: dict[int, _Tally] = defaultdict(_Tally)
    everyone = _Tally()
    questions = tuple(spec for spec in bench.gathered.questions if not spec.on_shapes)
    rules = bench.memory.number_of((questions, matching))
    for (item, rater), reading in bench.gathered.readings.items():
        answer = truth.get(item)
        if answer is None:
            continue
        found = bench.memory.part(
            "against gold", [bench.gathered.items[item], reading, answer], rules,
            lambda: _tally_of(questions, reading, answer, bench.gathered.items[item].grids, matching),  # noqa: B023
        )  # fmt: skip
        tallies[rater].include(found, item)
        everyone.include(found, item)
    for spec in questions:
        if spec.measure in ("nominal", "ordinal"):
            _add_majority(everyone, bench.gathered, spec, truth)
    shrunken, better = shrunken_rows(
        bench, {rater: {name: (tally.values[name], tally.items[name]) for name in _SHRUNKEN if name in tally.values}
                for rater, tally in tallies.items()},
    )  # fmt: skip
    numbers = {
        rater: (
            *_numbers(bench, tally, f"gold.{bench.gathered.raters[rater]}"), *shrunken.get(rater, ()),
            *_tiring(bench, rater, tally),
        )
        for rater, tally in tallies.items()
    }  # fmt: skip
    return GoldNumbers(
        everyone=GoldRow(len(truth), _numbers(bench, everyone, "gold"), notes),
        by_rater=numbers,
        confusions={rater: tuple(_in_words(tally.confusions)) for rater, tally in tallies.items()},
        better=better,
    )


def share_of(
    bench: Bench, hits: Iterable[float], items: Iterable[int], unit: str, method: str, drawn: Resampling
) -> Estimate:
    """A share of units: Wilson's interval where every group has one unit, else by resampling groups."""
    values, places = np.array(list(hits), dtype=np.float64), np.array(list(items), dtype=np.int64)
    groups = bench.gathered.groups[places]
    is_counted = bool(np.isin(values, (0.0, 1.0)).all())
    if is_counted and len(np.unique(groups)) == len(groups):
        return proportion(int(values.sum()), len(values), unit=unit, method=method)
    return ratio_estimate(values, np.ones_like(values), drawn, unit=unit, method=method, version=VERSION)


def gold_readings(gathered: Gathered, gold: AnnotationSet) -> tuple[dict[int, Reading], tuple[str, ...]]:
    """The gold reading of each item, found by key, else by the id that the source's users know."""
    by_key = {item.key: index for index, item in enumerate(gathered.items)}
    by_source = {item.source_id: index for index, item in enumerate(gathered.items) if item.source_id}
    source_of = {item.key: item.source_id for item in gold.items}
    truth: dict[int, Reading] = {}
    n_more = n_unknown = 0
    for reading in sorted(gold.readings, key=lambda reading: (reading.rater, reading.version)):
        place = by_key.get(reading.item, by_source.get(source_of.get(reading.item, "")))
        if place is None:
            n_unknown += 1
        elif place in truth:
            n_more += 1
        else:
            truth[place] = reading
    notes = []
    if n_more:
        notes.append(f"{n_more} further gold readings of items that have one already are not used.")
    if n_unknown:
        notes.append(f"{n_unknown} gold readings are of items that nobody read, or are named otherwise.")
    return truth, tuple(notes)


def _tally_of(
    questions: Iterable[QuestionSpec], reading: Reading, gold: Reading, grids: Sequence[Grid], matching: Matching
) -> _Tally:
    """One reading against gold; its items are filled in by who includes it."""
    found = _Tally()
    for spec in questions:
        if _is_asked(spec, reading):
            _add_answer(found, spec, reading, gold)
    _add_objects(found, reading, gold, grids, matching)
    return found


def _is_asked(spec: QuestionSpec, reading: Reading) -> bool:
    return reading.asked_questions is None or spec.key in reading.asked_questions


def _add_answer(tally: _Tally, spec: QuestionSpec, reading: Reading, gold: Reading) -> None:
    given, true = reading.answers.get(spec.key), gold.answers.get(spec.key)
    if given is None or true is None:
        return
    if spec.measure in ("interval", "ratio"):
        coding = coding_of(spec, ())
        tally.add(f"{spec.key}, own − gold", coding.code(given) - coding.code(true))
        return
    said, meant = answer_text(given), answer_text(true)
    tally.add(_RIGHT, float(said == meant))
    if said != meant:
        tally.confusions[meant, said] += 1


def _add_majority(tally: _Tally, gathered: Gathered, spec: QuestionSpec, truth: Mapping[int, Reading]) -> None:
    """Whether most readers gave the gold answer; a tie counts as its share, as if broken at random."""
    items = [item for item, gold in truth.items() if gold.answers.get(spec.key) is not None]
    given = [
        [gathered.readings[item, rater].answers.get(spec.key) for rater in gathered.by_item[item]] for item in items
    ]
    true = [answer_text(truth[item].answers[spec.key]) for item in items]
    said = [[answer_text(answer) for answer in row if answer is not None] for row in given]
    code = {text: float(place) for place, text in enumerate(dict.fromkeys([*true, *(t for row in said for t in row)]))}
    width = max((len(row) for row in said), default=0)
    if width < 2:
        return
    table = np.full((len(items), width), np.nan)
    for place, row in enumerate(said):
        table[place, : len(row)] = [code[text] for text in row]
    vote = majority_vote(table, categories=list(code.values()))
    for item, row, right in zip(items, said, expected_correct(vote, [code[text] for text in true]), strict=True):
        if len(row) >= 2:
            tally.add(_MAJORITY, float(right))
            tally.items[_MAJORITY].append(item)


def _add_objects(tally: _Tally, reading: Reading, gold: Reading, grids: Sequence[Grid], matching: Matching) -> None:
    asked = None if reading.asked_labels is None else set(reading.asked_labels)
    known = None if gold.asked_labels is None else set(gold.asked_labels)
    own = [mark for mark in marks_of(reading.shapes, grids, 0) if known is None or mark.shape.label in known]
    true = [mark for mark in marks_of(gold.shapes, grids, 1) if asked is None or mark.shape.label in asked]
    if not own and not true:
        return
    for members in clusters_of([*own, *true], grids, matching, 2).members:
        first, second = (int(place) for place in members)
        if first < 0:
            tally.add(_FOUND, 0.0)
        elif second < 0:
            tally.add(_REAL, 0.0)
        else:
            _add_match(tally, own[first], true[second - len(own)])


def _add_match(tally: _Tally, own: Mark, true: Mark) -> None:
    tally.add(_FOUND, 1.0)
    tally.add(_REAL, 1.0)
    same = own.shape.label == true.shape.label
    tally.add(_CLASS, float(same))
    if not same:
        tally.confusions[true.shape.label, own.shape.label] += 1
    pair = compare_extents(own.extent, true.extent, true.grid, with_distance=False)
    if pair is not None:
        tally.add(_DICE, pair.dice)
        tally.add(_SIZE, pair.volume_difference)
    offset = _offset(own, true)
    if offset is not None:
        tally.add(_OFFSET[offset[1]], offset[0])


def _offset(own: Mark, true: Mark) -> tuple[float, str] | None:
    """How far the outline lies outside gold's on average, and the unit; None where distances have none, or no area."""
    grid, first, second = true.grid, own.extent.mask, true.extent.mask
    if grid is None or first is None or second is None or (grid.spacing_mm is None and grid.size[0] > 1):
        return None
    pair = placed_pair(first, second, grid.size, grid.spacing_mm)
    return float(surface_offsets(pair).mean()), pair.unit


def _numbers(bench: Bench, tally: _Tally, prefix: str) -> tuple[Measured, ...]:
    rows = []
    for aspect, values in tally.values.items():
        items = np.array(tally.items[aspect], dtype=np.int64)
        key = f"{prefix}.{aspect}"
        unit = _UNITS.get(aspect, "answers")
        estimate = bench.remembered(
            key, [values], items,
            lambda drawn: share_of(bench, values, items, unit, aspect, drawn)  # noqa: B023
            if aspect in SHARES  # noqa: B023
            else mean_estimate(values, drawn, unit=unit, method=aspect, version=VERSION),  # noqa: B023
        )  # fmt: skip
        wrong = items[np.array(values) < 1] if aspect in SHARES else items
        least = bench.settings.min_gold
        rows.append(bench.measured(key, aspect, estimate, wrong, minimum=least, widest=GREY_WIDTH))
    return tuple(rows)


def _tiring(bench: Bench, rater: int, tally: _Tally) -> tuple[Measured, ...]:
    """How the class, else the answer, holds through a session."""
    aspect = next((aspect for aspect in (_CLASS, _RIGHT) if len(set(tally.values.get(aspect, ()))) > 1), None)
    row = tiring_row(bench, rater, aspect, tally.values[aspect], tally.items[aspect]) if aspect is not None else None
    return () if row is None else (row,)


def _in_words(confusions: Counter[tuple[str, str]]) -> list[str]:
    return [f"{true} taken for {given} {count}×" for (true, given), count in confusions.most_common(5)]
