"""What can be said about an item: classes, their attributes, and questions. A document that is checked once and never changes.

A class or question is known for ever by its ``key``; name and colour may differ between versions. Not here: storage
(``models.OntologyVersion``), and what somebody did say (``annotations``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from labelhub.formats.shapes import Measure, QuestionSpec

Tool = Literal["polygon", "box", "point", "polyline", "ellipse", "brush"]
AnswerKind = Literal["choice", "choices", "text", "number", "boolean"]

MAX_CLASSES = 1000
MAX_QUESTIONS = 200


class OntologyProblem(ValueError):
    """The document cannot be an ontology; the message names the entry and what is allowed."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked of the item, or (as a class's attribute) of each shape of that class.

    One that ``presupposes_finding`` is asked only of an item on which something was found: whoever says that there is
    nothing is not asked. What older versions say nothing about is asked always.
    """

    key: str
    text: str
    kind: AnswerKind = "choice"
    choices: tuple[str, ...] = ()
    is_required: bool = False
    measure: Measure = "nominal"
    presupposes_finding: bool = False

    def refusal_of(self, value: object) -> str | None:
        """Why ``value`` is no answer to this question, or None if it is one."""
        if self.kind == "text":
            return None if isinstance(value, str) and len(value) <= 10_000 else f"“{self.text}” takes a text."
        if self.kind == "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
            return None if is_number else f"“{self.text}” takes a number."
        if self.kind == "boolean":
            return None if isinstance(value, bool) else f"“{self.text}” takes yes or no."
        given = [value] if self.kind == "choice" else value if isinstance(value, list | tuple) else [None]
        allowed = ", ".join(self.choices)
        is_choice = len(given) <= max(len(self.choices), 1) and all(answer in self.choices for answer in given)
        return None if is_choice else f"“{self.text}” takes one of: {allowed}."


@dataclass(frozen=True, slots=True)
class LabelClass:
    """A kind of object that can be marked, with the tool that draws it."""

    key: str
    name: str
    colour: str
    tool: Tool = "polygon"
    shortcut: str = ""
    attributes: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Ontology:
    """All classes and questions of one version."""

    classes: tuple[LabelClass, ...] = ()
    questions: tuple[Question, ...] = ()

    def label_class(self, key: str) -> LabelClass | None:
        """Return the class with this key, if there is one."""
        return next((entry for entry in self.classes if entry.key == key), None)

    def question(self, key: str) -> Question | None:
        """Return the item's question with this key, if there is one."""
        return next((entry for entry in self.questions if entry.key == key), None)

    def questions_asked(self, *, no_finding: bool) -> tuple[Question, ...]:
        """Return what is asked of an item: not what presupposes a finding where the reader says that there is none."""
        return tuple(entry for entry in self.questions if not (no_finding and entry.presupposes_finding))

    def question_specs(self) -> tuple[QuestionSpec, ...]:
        """Return the questions with closed or numeric answers, as the numbers see them; a shape's attribute is one too."""
        specs = [
            QuestionSpec(question.key, question.measure, question.choices, on_shapes=False)
            for question in self.questions
            if question.kind != "text"
        ]
        seen: set[str] = set()
        for attribute in (attribute for entry in self.classes for attribute in entry.attributes):
            if attribute.kind != "text" and attribute.key not in seen:
                seen.add(attribute.key)
                specs.append(QuestionSpec(attribute.key, attribute.measure, attribute.choices, on_shapes=True))
        return tuple(specs)

    def to_document(self) -> dict[str, Any]:
        """Return the ontology as JSON-ready dictionaries."""
        return asdict(self)


def read_ontology(document: Mapping[str, Any]) -> Ontology:
    """Return the ontology in ``document``. Raises :class:`OntologyProblem` naming the entry that is wrong."""
    classes = tuple(_read_class(entry) for entry in _entries(document, "classes", MAX_CLASSES))
    questions = tuple(_read_question(entry) for entry in _entries(document, "questions", MAX_QUESTIONS))
    _refuse_doubles("class", [entry.key for entry in classes])
    _refuse_doubles("question", [entry.key for entry in questions])
    _refuse_doubles("shortcut", [entry.shortcut for entry in classes if entry.shortcut])
    return Ontology(classes, questions)


def _read_class(entry: Mapping[str, Any]) -> LabelClass:
    key = _key(entry)
    colour = str(entry.get("colour", ""))
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise OntologyProblem(f"Class {key!r}: colour {colour!r} is not of the form #rrggbb.")
    tool = entry.get("tool", "polygon")
    _refuse_unknown(f"Class {key!r}: tool", tool, get_args(Tool))
    attributes = tuple(_read_question(attribute) for attribute in _entries(entry, "attributes", MAX_QUESTIONS))
    if odd := [attribute.key for attribute in attributes if attribute.presupposes_finding]:
        raise OntologyProblem(
            f"Class {key!r}: {odd[0]!r} is asked of each shape, so something was found already; leave “if found” out."
        )
    _refuse_doubles(f"attribute of {key!r}", [attribute.key for attribute in attributes])
    shortcut = str(entry.get("shortcut", ""))
    if len(shortcut) > 1:
        raise OntologyProblem(f"Class {key!r}: shortcut {shortcut!r} is longer than one key.")
    return LabelClass(key, str(entry.get("name") or key)[:120], colour.lower(), tool, shortcut, attributes)


def _read_question(entry: Mapping[str, Any]) -> Question:
    key = _key(entry)
    kind = entry.get("kind", "choice")
    _refuse_unknown(f"Question {key!r}: kind", kind, get_args(AnswerKind))
    measure = entry.get("measure", "interval" if kind == "number" else "nominal")
    _refuse_unknown(f"Question {key!r}: measure", measure, get_args(Measure))
    choices = tuple(str(choice) for choice in entry.get("choices", ()))
    if kind in {"choice", "choices"} and len(choices) < 2:
        raise OntologyProblem(f"Question {key!r}: it needs at least two choices, or another kind.")
    _refuse_doubles(f"choice of {key!r}", choices)
    text = str(entry.get("text") or key)[:500]
    is_required, presupposes = bool(entry.get("is_required", False)), bool(entry.get("presupposes_finding", False))
    return Question(key, text, kind, choices, is_required, measure, presupposes)


def _entries(document: Mapping[str, Any], name: str, most: int) -> Sequence[Mapping[str, Any]]:
    entries = document.get(name) or ()
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        raise OntologyProblem(f"{name!r} must be a list of objects.")
    if len(entries) > most:
        raise OntologyProblem(f"{name!r} has {len(entries)} entries; at most {most} are allowed.")
    return entries


def _key(entry: Mapping[str, Any]) -> str:
    key = entry.get("key")
    if not isinstance(key, str) or not key.strip() or len(key) > 80 or "\x00" in key:
        raise OntologyProblem(f"Key {key!r}: a key is a text of 1 to 80 characters.")
    return key


def _refuse_unknown(what: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise OntologyProblem(f"{what} {value!r} is unknown; allowed: {', '.join(allowed)}.")


def _refuse_doubles(what: str, keys: Sequence[str]) -> None:
    doubles = sorted({key for key in keys if keys.count(key) > 1})
    if doubles:
        raise OntologyProblem(f"Each {what} must be named once; twice here: {', '.join(doubles)}.")
