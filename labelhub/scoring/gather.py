"""The one crossing from plain shapes to rater and unit arrays: which readings count, who was asked what, what they said.

``gather`` picks the readings that enter agreement: the first version of each, of one kind of read only. Planned
independent reads are preferred; where a set has none of two readers, the commonest other kind is used and named, never
mixed with another. Scope is obeyed: outside it is "not asked", which is a gap (NaN) and never a negative. Not here:
which marks of several readers are the same object (``gather_objects``), and any coefficient (``panel``).

In here *labeler, item, label* become *rater, unit, category*: ``ratings[unit, rater]``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import AnnotationSet, ItemRecord, QuestionSpec, Reading, Value

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PLANNED_INDEPENDENT = "planned independent"
# Kinds that may stand in, one alone and named as such, where no planned independent reads exist.
FALLBACK_KINDS = (
    "independent, planning not stated",
    "independent, not planned",
    "assisted",
    "unblinded",
    "unknown",
)

# A question that no list names counts as one only up to so many different answers; beyond, it is free text.
MOST_UNLISTED_CHOICES = 30


@dataclass(frozen=True, slots=True)
class ReadTally:
    """How many readings of one kind there are, and whether they are the ones measured."""

    kind: str
    n_readings: int
    n_items: int
    n_items_read_twice: int
    is_measured: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """The readings that are measured, by item and rater, and everything that was left out, counted.

    ``readings[item, rater]`` are indices into ``items`` and ``raters``. Where raters cannot be told apart across items
    (``are_raters_known`` is false) a column only numbers the readers of one item. ``groups[item]`` is the highest known
    unit above the item, numbered by first appearance, what intervals resample; ``group_unit`` names it in the plural.
    """

    items: tuple[ItemRecord, ...]
    raters: tuple[str, ...]
    readings: Mapping[tuple[int, int], Reading]
    labels: tuple[str, ...]
    questions: tuple[QuestionSpec, ...]
    groups: IntArray
    group_unit: str
    unit: str
    kind: str
    are_raters_known: bool
    tallies: tuple[ReadTally, ...] = ()
    n_items_in_source: int = 0
    n_later_versions: int = 0
    n_not_read: int = 0
    by_item: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def is_independent(self) -> bool:
        """Whether the numbers are agreement between independent readers, as the word is meant."""
        return self.kind == PLANNED_INDEPENDENT

    @property
    def n_readings(self) -> int:
        """How many readings are measured."""
        return len(self.readings)

    @property
    def items_read_twice(self) -> tuple[int, ...]:
        """The items with at least two measured readings."""
        return tuple(item for item, raters in self.by_item.items() if len(raters) >= 2)

    def was_asked(self, item: int, rater: int, label: str) -> bool:
        """Whether this rater read this item with the label in scope."""
        reading = self.readings.get((item, rater))
        return reading is not None and (reading.asked_labels is None or label in reading.asked_labels)


def gather(annotation_set: AnnotationSet, *, kinds: Iterable[str] | None = None) -> Gathered:
    """The measured readings of a set; ``kinds`` overrules the choice and must then be named beside every number."""
    first, n_later, n_not_read = _first_readings(annotation_set)
    by_kind = defaultdict(list)
    for reading in first:
        by_kind[kind_of(reading)].append(reading)
    tallies = {kind: _tally(kind, readings) for kind, readings in by_kind.items()}
    chosen = tuple(kinds) if kinds is not None else (_best_kind(tallies),)
    used = [reading for kind in chosen for reading in by_kind.get(kind, [])]
    identifiable = annotation_set.raters_identifiable
    with_reads = {reading.item for reading in used}
    items = tuple(item for item in annotation_set.items if item.key in with_reads)
    raters, readings = _columns(items, used, identifiable=identifiable)
    by_item: dict[int, list[int]] = defaultdict(list)
    for item, rater in sorted(readings):
        by_item[item].append(rater)
    groups, group_unit = groups_of(items, annotation_set.unit_name)
    return Gathered(
        items=items,
        raters=raters,
        readings=readings,
        labels=_labels(annotation_set, used),
        questions=(*annotation_set.questions, *_unlisted_questions(annotation_set, used)),
        groups=groups,
        group_unit=group_unit,
        unit=plural(annotation_set.unit_name),
        kind=" and ".join(chosen),
        are_raters_known=identifiable,
        tallies=tuple(
            ReadTally(t.kind, t.n_readings, t.n_items, t.n_items_read_twice, t.kind in chosen)
            for t in sorted(tallies.values(), key=lambda tally: (tally.kind not in chosen, -tally.n_readings))
        ),
        n_items_in_source=len(annotation_set.items),
        n_later_versions=n_later,
        n_not_read=n_not_read,
        by_item={item: tuple(columns) for item, columns in by_item.items()},
    )


def kind_of(reading: Reading) -> str:
    """The kind under which a reading is counted: planned independent reads apart from all others."""
    if reading.read_kind != "independent":
        return reading.read_kind
    if reading.planned_blind is None:
        return "independent, planning not stated"
    return PLANNED_INDEPENDENT if reading.planned_blind else "independent, not planned"


def groups_of(items: Iterable[ItemRecord], unit_name: str) -> tuple[IntArray, str]:
    """The highest known group of each item, and what these groups are called, in the plural.

    Groups are numbered as they appear, so that a set gives the same intervals whatever its groups are called.
    """
    records = list(items)
    numbers: dict[tuple[bool, str], int] = {}
    for item in records:
        numbers.setdefault(_group_key(item), len(numbers))
    codes = np.array([numbers[_group_key(item)] for item in records], dtype=np.int64)
    kinds = {item.group_kind if item.group is not None else unit_name for item in records}
    name = kinds.pop() if len(kinds) == 1 else unit_name
    return codes, plural(unit_name if name == "unknown" else name)


def _group_key(item: ItemRecord) -> tuple[bool, str]:
    return (False, item.key) if item.group is None else (True, item.group)


def plural(noun: str) -> str:
    """The plural of a unit's name."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun if noun.endswith("s") else noun + "s"


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """The answers to one question as numbers: ``ratings[unit, rater]``, NaN where not answered.

    ``item[unit]`` is the item of each unit. ``categories`` are the possible codes (empty for measured values), with
    their names in ``names``.
    """

    question: str
    ratings: FloatArray
    item: IntArray
    categories: tuple[float, ...]
    names: tuple[str, ...]
    unit: str


def item_ratings(gathered: Gathered, question: QuestionSpec) -> Ratings:
    """The answers to a question about the item: one unit an item."""
    coding = coding_of(question, (reading.answers.get(question.key) for reading in gathered.readings.values()))
    ratings = np.full((len(gathered.items), len(gathered.raters)), np.nan)
    for (item, rater), reading in gathered.readings.items():
        if reading.asked_questions is None or question.key in reading.asked_questions:
            ratings[item, rater] = coding.code(reading.answers.get(question.key))
    units = np.arange(len(gathered.items), dtype=np.int64)
    return Ratings(question.key, ratings, units, coding.categories, coding.names, gathered.unit)


@dataclass(frozen=True, slots=True)
class Coding:
    """How answers become numbers: the position in the list of choices, or the number itself."""

    codes: Mapping[str, float] | None
    names: tuple[str, ...]

    @property
    def categories(self) -> tuple[float, ...]:
        """The possible codes; empty where the answers are measured values."""
        return () if self.codes is None else tuple(float(code) for code in range(len(self.names)))

    def code(self, value: Value | None) -> float:
        """The number of an answer; NaN where there is none or it is not among the choices."""
        if value is None:
            return float("nan")
        if self.codes is not None:
            return self.codes.get(answer_text(value), float("nan"))
        try:
            number = float(value) if not isinstance(value, tuple) else float("nan")
        except ValueError:
            return float("nan")
        return number if np.isfinite(number) else float("nan")


def coding_of(question: QuestionSpec, answers: Iterable[Value | None]) -> Coding:
    """Categories where the question is nominal or ordinal, numbers where it is measured."""
    if question.measure in ("interval", "ratio"):
        return Coding(None, ())
    given = [answer for answer in answers if answer is not None]
    names = [answer_text(choice) for choice in question.choices]
    if not names:
        names = sorted({answer_text(answer) for answer in given}, key=natural_key)
    elif question.measure == "nominal":
        # Several choices at once are an answer of their own, which no list of single choices holds.
        several = {answer_text(answer) for answer in given if isinstance(answer, tuple)}
        names += sorted(several - set(names), key=natural_key)
    return Coding({name: float(place) for place, name in enumerate(names)}, tuple(names))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sorting key that puts "reader 2" before "reader 10"."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for character in [*text, ""]:
        if character.isdigit() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    return tuple(parts)


def answer_text(value: Value) -> str:
    """An answer as one text, so that 1, 1.0 and "1" are the same answer and the order of several choices does not count."""
    if isinstance(value, tuple):
        return ", ".join(sorted(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _first_readings(annotation_set: AnnotationSet) -> tuple[list[Reading], int, int]:
    """The first version of each rater's reading of each item and kind, how many came later, how many say nothing."""
    known = {item.key for item in annotation_set.items}
    first: dict[tuple[str, str, str], Reading] = {}
    n_later = n_not_read = 0
    for reading in annotation_set.readings:
        if reading.item not in known:
            continue
        if not _is_read(reading, annotation_set):
            n_not_read += 1
            continue
        key = (reading.item, reading.rater, kind_of(reading))
        earlier = first.get(key)
        n_later += earlier is not None
        if earlier is None or reading.version < earlier.version:
            first[key] = reading
    # A later version is no first read even where the first one is not in the source.
    kept = [reading for reading in first.values() if reading.version == 1 or kind_of(reading) != PLANNED_INDEPENDENT]
    return kept, n_later + len(first) - len(kept), n_not_read


def _is_read(reading: Reading, annotation_set: AnnotationSet) -> bool:
    says_something = bool(reading.shapes or reading.answers or reading.is_empty_read)
    return says_something or annotation_set.empty_means == "read-empty"


def _tally(kind: str, readings: list[Reading]) -> ReadTally:
    per_item = Counter(reading.item for reading in readings)
    return ReadTally(kind, len(readings), len(per_item), sum(count >= 2 for count in per_item.values()))


def _best_kind(tallies: Mapping[str, ReadTally]) -> str:
    planned = tallies.get(PLANNED_INDEPENDENT)
    if planned is not None and planned.n_items_read_twice:
        return PLANNED_INDEPENDENT
    fallback = [tallies[kind] for kind in FALLBACK_KINDS if kind in tallies and tallies[kind].n_items_read_twice]
    if fallback:
        return max(fallback, key=lambda tally: (tally.n_items_read_twice, tally.n_readings)).kind
    rest = [tallies[kind] for kind in (PLANNED_INDEPENDENT, *FALLBACK_KINDS) if kind in tallies]
    return max(rest, key=lambda tally: tally.n_readings).kind if rest else PLANNED_INDEPENDENT


def _columns(
    items: tuple[ItemRecord, ...], used: list[Reading], *, identifiable: bool
) -> tuple[tuple[str, ...], dict[tuple[int, int], Reading]]:
    place = {item.key: index for index, item in enumerate(items)}
    if identifiable:
        names = sorted({reading.rater for reading in used}, key=natural_key)
        column = {name: index for index, name in enumerate(names)}
        chosen: dict[tuple[int, int], Reading] = {}
        for reading in used:
            chosen.setdefault((place[reading.item], column[reading.rater]), reading)
        return tuple(names), chosen
    per_item: dict[int, dict[str, Reading]] = defaultdict(dict)
    for reading in used:
        per_item[place[reading.item]].setdefault(reading.rater, reading)
    slots = {
        (item, slot): readings[rater]
        for item, readings in per_item.items()
        for slot, rater in enumerate(sorted(readings, key=natural_key))
    }
    width = max((slot for _, slot in slots), default=-1) + 1
    return tuple(f"reader {slot + 1}" for slot in range(width)), slots


def _unlisted_questions(annotation_set: AnnotationSet, used: list[Reading]) -> tuple[QuestionSpec, ...]:
    """Answers and attributes that occur without being listed: nominal, since nothing says more; free text is left out."""
    listed = {(question.key, question.on_shapes) for question in annotation_set.questions}
    values: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for reading in used:
        answers = [(key, False, value) for key, value in reading.answers.items()]
        answers += [(key, True, value) for shape in reading.shapes for key, value in shape.attributes.items()]
        for key, on_shapes, value in answers:
            if (key, on_shapes) not in listed and len(values[key, on_shapes]) <= MOST_UNLISTED_CHOICES:
                values[key, on_shapes].add(answer_text(value))
    return tuple(
        QuestionSpec(key, "nominal", tuple(sorted(choices, key=lambda choice: natural_key(str(choice)))), on_shapes)
        for (key, on_shapes), choices in sorted(values.items())
        if 2 <= len(choices) <= MOST_UNLISTED_CHOICES
    )


def _labels(annotation_set: AnnotationSet, used: list[Reading]) -> tuple[str, ...]:
    """The set's list of labels, then those that occur without being listed."""
    occurring = (shape.label for reading in used for shape in reading.shapes)
    return tuple(dict.fromkeys([*annotation_set.labels, *occurring]))
