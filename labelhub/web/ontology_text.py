"""Questions as lines of text, as the builder shows them, and back: ``Image quality *: poor < fair < good``.

``|`` separates choices of which one is given, ``<`` ordered ones, ``+`` choices of which several may be given; without choices
a kind stands in brackets: ``(text)``, ``(number)``, ``(yes/no)``. ``*`` marks a required question, ``[if found]`` one that is
asked only where something was found. A question keeps its key for as long as its text stays the same. Not here: what an
ontology may hold (``projects.ontology``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.text import slugify

from labelhub.projects.ontology import Question

KINDS = {"text": "text", "number": "number", "yes/no": "boolean"}
NAMES = {kind: name for name, kind in KINDS.items()}
IF_FOUND = "[if found]"
SEPARATORS = {"<": ("choice", "ordinal"), "+": ("choices", "nominal"), "|": ("choice", "nominal")}


def lines_of_questions(questions: Iterable[Question]) -> str:
    """Return one line a question."""
    return "\n".join(_line(question) for question in questions)


def questions_of_lines(text: str, known: Sequence[Question] = ()) -> list[dict[str, Any]]:
    """Return the questions in ``text`` as a document for ``read_ontology``; blank lines count for nothing."""
    keys = {question.text: question for question in known}
    documents: list[dict[str, Any]] = []
    for line in filter(str.strip, text.splitlines()):
        document = _document(line.strip())
        earlier = keys.get(document["text"])
        taken = {entry["key"] for entry in documents}
        document["key"] = earlier.key if earlier is not None else key_for(document["text"], taken)
        if earlier is not None and "measure" not in document:
            document["measure"] = earlier.measure
        documents.append(document)
    return documents


def key_for(name: str, taken: Iterable[str]) -> str:
    """Return a key for a new class or question: its name in small letters, numbered where that is taken."""
    stem = slugify(name)[:60] or "entry"
    used = set(taken)
    return next(key for key in [stem, *(f"{stem}-{n}" for n in range(2, len(used) + 3))] if key not in used)


def _line(question: Question) -> str:
    head = (
        question.text
        + (" *" if question.is_required else "")
        + (f" {IF_FOUND}" if question.presupposes_finding else "")
    )
    if question.kind in NAMES:
        return f"{head} ({NAMES[question.kind]})"
    separator = "+" if question.kind == "choices" else "<" if question.measure == "ordinal" else "|"
    return f"{head}: " + f" {separator} ".join(question.choices)


def _document(line: str) -> dict[str, Any]:
    """Read one line; what it lacks is refused by ``read_ontology``, which names the entry."""
    bracket = re.fullmatch(r"(.+?)\s*\((text|number|yes/no)\)\s*", line)
    if bracket:
        return _headed(bracket.group(1), KINDS[bracket.group(2)], [], None)
    head, _, tail = line.partition(":")
    separator = next((mark for mark in SEPARATORS if mark in tail), "|")
    kind, measure = SEPARATORS[separator]
    choices = [choice.strip() for choice in tail.split(separator) if choice.strip()]
    return _headed(head, kind, choices, measure)


def _headed(head: str, kind: str, choices: list[str], measure: str | None) -> dict[str, Any]:
    text = head.strip()
    presupposes = text.lower().endswith(IF_FOUND)
    if presupposes:
        text = text[: -len(IF_FOUND)].rstrip()
    document: dict[str, Any] = {"text": text.rstrip("* "), "kind": kind, "is_required": text.endswith("*")}
    if presupposes:
        document["presupposes_finding"] = True
    if choices:
        document["choices"] = choices
    if measure is not None:
        document["measure"] = measure
    return document
