"""The ``labelhub`` object that our writers add to JSON formats, so that empty reads, answers and read kinds come back.

Other tools ignore it; a reader trusts it no more than anything else in the file. Not here: shapes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from labelhub.formats.gathering import Gathering, plain_value
from labelhub.formats.shapes import AnnotationSet, Measure, QuestionSpec, Reading, ReadKind, Value
from labelhub.formats.strict_json import Json, as_list, as_mapping


def stated_reading(reading: Reading) -> dict[str, Json]:
    """What the object says of one reading; defaults are left out."""
    stated: dict[str, Json] = {"item": reading.item, "rater": reading.rater}
    if reading.is_empty_read:
        stated["empty"] = True
    if reading.version != 1:
        stated["version"] = reading.version
    if reading.read_kind != "unknown":
        stated["read_kind"] = reading.read_kind
    if reading.planned_blind is not None:
        stated["planned_blind"] = reading.planned_blind
    if reading.answers:
        stated["answers"] = {key: jsonable(value) for key, value in sorted(reading.answers.items())}
    for name, scope in (("asked_labels", reading.asked_labels), ("asked_questions", reading.asked_questions)):
        if scope is not None:
            stated[name] = list(scope)
    return stated


def restored_reading(found: Gathering, place: str, stated: Json, items: Collection[str]) -> Reading | None:
    """A reading without its shapes, or ``None`` with a problem noted where the object is damaged."""
    fields = as_mapping(stated)
    item, rater, version = fields.get("item"), fields.get("rater"), fields.get("version", 1)
    kind = fields.get("read_kind", "unknown")
    planned = fields.get("planned_blind")
    if (
        not (
            isinstance(item, str) and item in items and isinstance(rater, str) and type(version) is int and version > 0
        )
        or kind not in get_args(ReadKind)
        or not (planned is None or isinstance(planned, bool))
    ):
        found.problem(
            place,
            "A reading in the 'labelhub' object is damaged and was ignored.",
            "Write the file again, or remove it.",
        )
        return None
    return Reading(
        item,
        rater,
        answers=_plain(fields.get("answers")),
        is_empty_read=fields.get("empty") is True,
        read_kind=kind,
        planned_blind=planned,
        version=version,
        asked_labels=_names(fields.get("asked_labels")),
        asked_questions=_names(fields.get("asked_questions")),
    )


def stated_questions(annotations: AnnotationSet) -> list[dict[str, Json]]:
    """What the object says of the questions."""
    return [
        {
            "key": question.key,
            "measure": question.measure,
            "choices": [jsonable(choice) for choice in question.choices],
            "on_shapes": question.on_shapes,
        }
        for question in annotations.questions
    ]


def read_questions(extra: Json) -> list[QuestionSpec]:
    """The questions that the object states; damaged ones are left out."""
    questions = []
    for fields in map(as_mapping, as_list(as_mapping(extra).get("questions"))):
        key = fields.get("key")
        measure: Measure = fields.get("measure", "nominal")
        if isinstance(key, str) and key and measure in get_args(Measure):
            choices = tuple(v for v in map(plain_value, as_list(fields.get("choices"))) if v is not None)
            questions.append(QuestionSpec(key, measure, choices, on_shapes=fields.get("on_shapes") is True))
    return questions


def jsonable(value: Value) -> Json:
    """A value as JSON holds it."""
    return list(value) if isinstance(value, tuple) else value


def _plain(answers: Json) -> dict[str, Value]:
    plain = {key: plain_value(value) for key, value in as_mapping(answers).items()}
    return {key: value for key, value in plain.items() if value is not None}


def _names(value: Json) -> tuple[str, ...] | None:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else None
