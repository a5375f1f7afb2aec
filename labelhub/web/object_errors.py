"""What is wrong with each object of each reading, as JSON, and a reviewer's word on it.

Not here: what is proposed (``workflow.naming_errors``), how a reviewer confirms it (the script ``review/errors.js``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, JsonResponse

from labelhub.consensus.object_errors import NamedError
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import Ontology
from labelhub.projects.selectors import current_ontology
from labelhub.reviews.error_models import ObjectVerdict
from labelhub.reviews.pseudonyms import Veil, veil_of
from labelhub.reviews.verdicts import MOST_AT_ONCE, Kind, size_words, slice_words
from labelhub.web.access import person, project_page
from labelhub.web.adjudicate import FRESH, as_json, body_of, reading_in, request_id_of
from labelhub.web.on_desk import item_on_desk
from labelhub.web.review_item import keep_look
from labelhub.workflow import naming_errors


@project_page(Role.REVIEWER)
@as_json
def errors(request: HttpRequest, project: Project, code: str) -> JsonResponse:
    """Return the errors proposed for each reading and what was said of them."""
    item = item_on_desk(request, project, code)
    keep_look(person(request), item)
    return _answer(request, project, code)


@project_page(Role.REVIEWER, methods=("POST",))
@as_json
def judge(request: HttpRequest, project: Project, code: str) -> JsonResponse:
    """Keep what this reviewer says of objects of one reading; return what :func:`errors` does."""
    item = item_on_desk(request, project, code)
    sent = body_of(request)
    naming_errors.judge_objects(
        item=item, by=person(request), submission=reading_in(sent) or 0, kinds=_kinds(sent.get("objects")),
        request_id=request_id_of(sent),
    )  # fmt: skip
    return _answer(request, project, code)


def _answer(request: HttpRequest, project: Project, code: str) -> JsonResponse:
    item = item_on_desk(request, project, code)
    desk, veil = naming_errors.errors_on_desk(item, person(request)), veil_of(person(request), item)
    _, ontology = current_ontology(project)
    readings = [_reading_document(entry, ontology, veil) for entry in desk.readings]
    if veil.is_drawn:
        readings.sort(key=lambda entry: str(entry["name"]))
    response = JsonResponse({"against": desk.against, "readings": readings})
    response["Cache-Control"] = FRESH
    return response


def _reading_document(entry: naming_errors.ReadingErrors, ontology: Ontology, veil: Veil) -> dict[str, Any]:
    known = {error.key for error in (*entry.errors, *entry.right)}
    kept = [row for key, row in entry.said.items() if key not in known and row.kind != Kind.NONE]
    return {
        "reader": f"s{entry.submission.pk}", "name": veil.labeler(entry.submission.assignment.labeler),
        "errors": [_error_document(error, entry.said.get(error.key), ontology) for error in entry.errors],
        "right": [_error_document(error, entry.said.get(error.key), ontology) for error in entry.right],
        "kept": [_kept_document(row, ontology) for row in kept],
    }  # fmt: skip


def _error_document(error: NamedError, said: ObjectVerdict | None, ontology: Ontology) -> dict[str, Any]:
    return {
        "key": error.key, "proposed": error.kind, "said": None if said is None else said.kind,
        "classes": _classes(error.label_given, error.label_accepted, ontology, is_wrong=error.kind == "wrong class"),
        "where": f"{size_words(error.size, error.unit)}{slice_words(*error.slices)}", "how": _how(error),
        "medium": error.medium, "place": error.place, "box": error.box,
    }  # fmt: skip


def _kept_document(row: ObjectVerdict, ontology: Ontology) -> dict[str, Any]:
    return {
        "key": row.key, "proposed": None, "said": row.kind,
        "classes": _classes(row.label_given, row.label_accepted, ontology, is_wrong=row.kind == Kind.WRONG_CLASS),
        "where": f"{size_words(row.size, row.unit)}{slice_words(row.first_slice, row.last_slice)}",
        "how": "the label no longer shows it", "medium": row.medium, "place": row.place, "box": None,
    }  # fmt: skip


def _how(error: NamedError) -> str:
    """How far off it is, where that was measured."""
    parts = []
    if error.kind == "boundary" and error.offset is not None:
        side = "too large" if error.offset > 0 else "too small"
        parts.append(f"{abs(error.offset):.2g} {error.length_unit} {side} on average")
    if error.kind == "slice range":
        ends = (("begins", error.early, "early", "late"), ("ends", error.late, "late", "early"))
        parts += [
            f"{end} {abs(n)} slice{'' if abs(n) == 1 else 's'} too {beyond if n > 0 else short}"
            for end, n, beyond, short in ends
            if n
        ]
    return ", ".join(parts)


def _classes(given: str, accepted: str, ontology: Ontology, *, is_wrong: bool) -> str:
    names = [_class_name(label, ontology) for label in (given, accepted) if label]
    return f"{names[0]} in place of {names[-1]}" if is_wrong and len(names) > 1 else names[0]


def _class_name(label: str, ontology: Ontology) -> str:
    entry = ontology.label_class(label)
    return entry.name if entry is not None else label


def _kinds(sent: object) -> dict[str, str]:
    rows: Sequence[Any] = sent if isinstance(sent, list) else []
    if not rows or len(rows) > MOST_AT_ONCE or not all(isinstance(row, dict) for row in rows):
        raise DomainError("What was sent names no object. Nothing was stored.", code="unreadable", status=400)
    return {str(row.get("key", ""))[:64]: str(row.get("kind", ""))[:40] for row in rows}
