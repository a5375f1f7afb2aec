"""Reads and writes a table of ratings: one line an answer, with the columns ``item, rater, category``.

Further columns are known by name: ``question`` (else all answers are to one question), ``value`` (a number in place
of a category), ``patient``, ``study`` or ``group``, and ``read_kind``. A second line for the same item, rater and
question is that rater's second version, in the order of the file. An empty category is 'asked, not answered'.
Measures are taken as nominal, or as interval for a ``value`` column, unless told otherwise. Not here: shapes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, get_args

from labelhub.formats.gathering import Gathering, Written
from labelhub.formats.limits import MAX_FILE_BYTES, MAX_SHAPES, MAX_TEXT, number_or_none
from labelhub.formats.scores_csv import write_rows
from labelhub.formats.shapes import (
    AnnotationSet,
    FormatError,
    ItemRecord,
    Loss,
    Measure,
    Problem,
    QuestionSpec,
    Reading,
    ReadKind,
    Value,
)

EMPTY_RULE: Final = (
    "A line with an empty category says that the rater was asked and did not answer; an item and rater without a line "
    "is 'not read'. Nothing is taken as an empty read."
)
DEFAULT_QUESTION: Final = "category"
_DELIMITERS: Final = (",", ";", "\t", "|")
_GROUPS: Final = ("patient", "study", "group")
_ALIASES: Final[Mapping[str, str]] = {
    "item": "item",
    "item_id": "item",
    "image": "item",
    "unit": "item",
    "task": "item",
    "rater": "rater",
    "annotator": "rater",
    "labeler": "rater",
    "worker": "rater",
    "reader": "rater",
    "category": "category",
    "label": "category",
    "rating": "category",
    "class": "category",
    "answer": "category",
    "value": "value",
    "score": "value",
    "question": "question",
    "patient": "patient",
    "patient_id": "patient",
    "subject": "patient",
    "study": "study",
    "group": "group",
    "read_kind": "read_kind",
}


@dataclass(slots=True)
class _Table:
    """One table while it is read. Answers by item, rater and version; numbers by question while all are numbers."""

    answers: dict[tuple[str, str, int], dict[str, Value]] = field(default_factory=dict)
    asked: dict[tuple[str, str, int], list[str]] = field(default_factory=dict)
    kinds: dict[tuple[str, str, int], ReadKind] = field(default_factory=dict)
    lines: dict[tuple[str, str, int], str] = field(default_factory=dict)
    choices: dict[str, dict[str, None]] = field(default_factory=dict)
    numeric: dict[str, bool] = field(default_factory=dict)


def read_ratings_csv(
    files: Mapping[str, bytes],
    *,
    raters: Mapping[str, str] | None = None,
    measures: Mapping[str, Measure] | None = None,
    measure: Measure | None = None,
) -> AnnotationSet:
    """Read tables of ratings, given by name; ``raters`` names the rater of a table without a column for it.

    ``measures`` gives the measure by question, ``measure`` that of all others.
    """
    found = Gathering()
    table = _Table()
    for name in sorted(files):
        try:
            _read_table(found, table, name, files[name], (raters or {}).get(name))
        except FormatError as error:
            found.add_problem(error.problem)
    for key, answers in table.answers.items():
        item, rater, version = key
        found.readings.append(
            Reading(
                item,
                rater,
                answers=answers,
                read_kind="repeat" if version > 1 and key not in table.kinds else table.kinds.get(key, "unknown"),
                version=version,
                asked_labels=(),
                asked_questions=tuple(table.asked[key]),
                locator=table.lines[key],
            )
        )
    _finish_questions(found, table, measures or {}, measure)
    if any(version > 1 for _, _, version in table.answers):
        found.note(
            "Some raters answered the same question about an item more than once; later lines are later versions."
        )
    return found.finish("ratings-csv", empty_means="not-read", empty_rule=EMPTY_RULE, unit_name="item")


def _read_table(found: Gathering, table: _Table, name: str, data: bytes, rater: str | None) -> None:
    text = _text(data, name)
    header = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(rows, []), name, has_rater=rater is not None)
        for count, row in enumerate(rows):
            place = f"{name}, line {rows.line_num}"
            if count >= MAX_SHAPES:
                found.problem(place, f"The table has more than {MAX_SHAPES} lines.", "Split it and read the parts.")
                return
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(columns):
                found.problem(
                    place,
                    f"The line has {len(row)} cells, the header has {len(columns)}.",
                    "Put texts that hold the delimiter in double quotes.",
                )
                continue
            cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True) if column}
            _read_row(found, table, place, cells, rater)
    except csv.Error as error:
        found.problem(f"{name}, line {rows.line_num}", f"The table is broken here: {error}.", "Correct the quotes.")


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(Problem(name, "The table is too large.", "Split it and read the parts.", fatal=True))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"{name}, line {data.count(10, 0, error.start) + 1}"
        raise FormatError(Problem(place, "The text is not UTF-8.", "Save the table as UTF-8.", fatal=True)) from None
    if "\0" in text:
        raise FormatError(Problem(name, "This is not a text file.", "Give a CSV table.", fatal=True))
    return text


def _columns(header: Sequence[str], name: str, *, has_rater: bool) -> list[str]:
    columns = [_ALIASES.get(cell.strip().lower().replace(" ", "_"), "") for cell in header]
    known = [column for column in columns if column]
    missing = [column for column in ("item", "rater") if column not in known and not (column == "rater" and has_rater)]
    if "category" not in known and "value" not in known:
        missing.append("category")
    twice = {column for column in known if known.count(column) > 1}
    if missing or twice:
        what = (
            f"has no column {', '.join(missing)}" if missing else f"names the column {', '.join(sorted(twice))} twice"
        )
        raise FormatError(
            Problem(
                f"{name}, line 1",
                f"The header {what}.",
                "The first line must name the columns item, rater and category (or value), each once.",
                fatal=True,
            )
        )
    return columns


def _read_row(found: Gathering, table: _Table, place: str, cells: dict[str, str], rater: str | None) -> None:
    item, who = cells.get("item", ""), cells.get("rater", "") or rater or ""
    question = cells.get("question", "") or DEFAULT_QUESTION
    if not item or not who or max(map(len, cells.values())) > MAX_TEXT:
        found.problem(place, "The item or the rater is missing, or a cell is far too long.", "Fill in both.")
        return
    stated_kind = cells.get("read_kind", "")
    if stated_kind and stated_kind not in get_args(ReadKind):
        found.problem(
            place, f"The read kind {stated_kind[:40]!r} is unknown.", f"Use one of {', '.join(get_args(ReadKind))}."
        )
        return
    answer = _answer(found, table, place, cells, question)
    if answer == ():
        return
    version = 1
    while question in table.asked.get((item, who, version), []):
        version += 1
    key = (item, who, version)
    table.asked.setdefault(key, []).append(question)
    table.lines.setdefault(key, place)
    answers = table.answers.setdefault(key, {})
    if answer is not None:
        answers[question] = answer
    if stated_kind:
        table.kinds[key] = next(kind for kind in get_args(ReadKind) if kind == stated_kind)
    _add_item(found, place, item, cells)


def _answer(found: Gathering, table: _Table, place: str, cells: dict[str, str], question: str) -> Value | None:
    """The answer of a line, ``None`` where it is empty, the empty tuple where it must be refused."""
    category, number = cells.get("category", ""), cells.get("value", "")
    if category:
        table.choices.setdefault(question, {})[category] = None
        table.numeric[question] = table.numeric.get(question, True) and number_or_none(category) is not None
        return category
    table.choices.setdefault(question, {})
    if not number:
        return None
    value = number_or_none(number)
    if value is None:
        found.problem(place, f"The value {number[:40]!r} is not a finite number.", "Correct it; the line was left out.")
        return ()
    table.numeric.setdefault(question, True)
    return value


def _add_item(found: Gathering, place: str, item: str, cells: dict[str, str]) -> None:
    group_kind, group = next(((kind, cells[kind]) for kind in _GROUPS if cells.get(kind)), ("unknown", None))
    known = found.items.get(item)
    if known is not None and group is not None and known.group is not None and known.group != group:
        found.problem(
            place, f"The item {item[:60]!r} belongs to another {group_kind} in an earlier line.", "Correct one of them."
        )
    found.add_item(ItemRecord(item, item, group, group_kind))


def _finish_questions(
    found: Gathering, table: _Table, measures: Mapping[str, Measure], default: Measure | None
) -> None:
    """Fix each question's measure; numbers in text become numbers where the measure needs them."""
    for question, seen in table.choices.items():
        told = measures.get(question, default)
        measure: Measure = told or ("nominal" if seen else "interval")
        is_number = measure != "nominal" and table.numeric.get(question, False)
        if told is None and seen and table.numeric.get(question, False):
            found.note(
                f"The answers to '{question}' are all numbers; "
                "they are compared as names (nominal) unless a measure is given."
            )
        if measure in ("interval", "ratio") and not is_number and seen:
            found.problem(
                question,
                f"Its measure is {measure}, but not every answer is a number.",
                "Correct the answers or the measure.",
            )
        if is_number:
            _as_numbers(found, question)
        choices: tuple[Value, ...] = tuple(sorted(seen))
        if is_number:
            choices = tuple(sorted({float(text) for text in seen})) if measure == "ordinal" else ()
        found.questions[question] = QuestionSpec(question, measure, choices)


def _as_numbers(found: Gathering, question: str) -> None:
    for place, reading in enumerate(found.readings):
        answer = reading.answers.get(question)
        if isinstance(answer, str):
            found.readings[place] = replace(reading, answers={**reading.answers, question: float(answer)})


def write_ratings_csv(annotations: AnnotationSet) -> Written:
    """All answers of a set as such a table; shapes, and questions on shapes, are counted as lost."""
    groups = {item.key: item for item in annotations.items}
    rows: list[dict[str, Value | None]] = []
    lost = {"shapes": 0, "empty reads": 0, "answers of several choices": 0}
    for reading in annotations.readings:
        lost["shapes"] += len(reading.shapes)
        lost["empty reads"] += reading.is_empty_read
        asked = reading.asked_questions if reading.asked_questions is not None else tuple(reading.answers)
        item = groups.get(reading.item)
        for question in dict.fromkeys((*asked, *reading.answers)):
            answer = reading.answers.get(question)
            if isinstance(answer, tuple):
                lost["answers of several choices"] += 1
                answer = "; ".join(answer)
            is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
            rows.append(
                {
                    "item": reading.item,
                    "rater": reading.rater,
                    "question": question,
                    "category": None if is_number else answer,
                    "value": answer if is_number else None,
                    (item.group_kind if item and item.group_kind in _GROUPS else "group"): item.group if item else None,
                    "read_kind": None if reading.read_kind == "unknown" else reading.read_kind,
                }
            )
    columns = ("item", "rater", "question", "category", "value", *_GROUPS, "read_kind")
    why = {
        "shapes": "a table of ratings holds answers only",
        "empty reads": "a table of ratings has no line for an item without an answer",
        "answers of several choices": "they are joined by '; ' and come back as one category",
    }
    return Written(
        write_rows(rows, columns=columns, protect=False),
        tuple(Loss(what, count, why[what]) for what, count in lost.items() if count),
    )
