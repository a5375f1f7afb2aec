"""Freezing a working copy into a submission, and storing a reading that was made elsewhere. Nothing here is ever changed later.

A submission states its scope: classes and questions asked, the versions of ontology, guideline and policy, the
extent looked at, and an explicit *no finding*. An empty one without *no finding* is refused. Not here: what happens
next (``workflow.lifecycle``), and closing the assignment (``assignments``).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labelhub.annotations import documents, hints, history
from labelhub.annotations.errors import AnnotationRefused, already_submitted, lease_ended, waits
from labelhub.annotations.extent import checked_extent, whole_extent
from labelhub.annotations.fold import DocumentState
from labelhub.annotations.layers import layer_source, paint_layers
from labelhub.annotations.models import Annotation, Answer, Document, Submission
from labelhub.annotations.plain import regions_to_document, values_to_document
from labelhub.assignments.models import PAUSED, Assignment
from labelhub.audit import services as audit
from labelhub.catalog.blobs import store_blob
from labelhub.catalog.models import Medium
from labelhub.formats.mask_blob import encode_mask
from labelhub.formats.shapes import Reading, Shape
from labelhub.projects.models import GuidelineVersion, OntologyVersion, PolicyVersion
from labelhub.projects.ontology import LabelClass, Ontology, Question, read_ontology


def freeze(
    *,
    assignment: Assignment,
    request_id: uuid.UUID,
    no_finding: bool = False,
    extent: Mapping[str, Any] | None = None,
    active_s: float | None = None,
) -> Submission:
    """Freeze the assignment's working copy. A retried request gets the first answer.

    ``active_s`` defaults to the time measured here. Writes ``submission.frozen``. Raises ``AnnotationRefused`` with
    code ``assignment-closed``, ``lease-ended``, ``nothing-drawn``, ``no-finding-with-shapes``, ``no-finding-with-answers``,
    ``answers-missing`` or ``extent-wrong``; nothing is stored then, and the draft is kept. Where there is no finding,
    questions that presuppose one are not asked: they are neither required nor in the submission's scope.
    """
    with transaction.atomic():
        document = Document.objects.select_for_update().get(pk=documents.document_of(assignment=assignment).pk)
        earlier = Submission.objects.filter(assignment=assignment, request_id=request_id).first()
        if earlier is not None:
            return earlier
        current = Assignment.objects.select_related("item").get(pk=assignment.pk)
        _require_open(current)
        ontology = read_ontology(document.ontology.content)
        state = history.state_of(document)
        media = list(Medium.objects.filter(item=current.item).order_by("ordinal"))
        rows = _annotations(state, ontology, media, history.masks_of(document, state))
        _require_complete(state, ontology, rows, no_finding=no_finding)
        submission = _submission(
            current, request_id, document.ontology, document.guideline, document.policy,
            extent=whole_extent(media) if extent is None else checked_extent(extent, media),
            no_finding=no_finding,
            head_seq=state.head_seq,
            active_s=document.active_s if active_s is None else active_s,
            at=timezone.now(),
        )  # fmt: skip
        _store(submission, rows, {key: value for key, value in state.answers.items() if ontology.question(key)})
        hints.tell_on_commit(document.pk, hints.closed(document.pk))
    return submission


def store_reading(
    *,
    assignment: Assignment,
    reading: Reading,
    ontology_version: OntologyVersion,
    guideline: GuidelineVersion | None,
    policy: PolicyVersion | None,
    media: Sequence[Medium],
    at: datetime | None = None,
    active_s: float | None = None,
    request_id: uuid.UUID | None = None,
) -> Submission:
    """Store what somebody said elsewhere (an import, a simulated reader) as a submission of ``assignment``.

    ``media`` are the item's, by ordinal. A scope of ``None`` becomes everything the ontology asks (of an empty read, and
    what it answers beside). Writes
    ``submission.stored``. Raises ``AnnotationRefused`` (``nothing-drawn``) for a reading that neither says anything
    nor states that nothing was found, and (``medium-unknown``) for a shape on a medium that the item has not.
    """
    if not (reading.shapes or reading.answers or reading.is_empty_read):
        raise AnnotationRefused(
            "nothing-drawn",
            "This reading is empty and does not say that nothing was found. It was not stored.",
            status=422,
        )
    with transaction.atomic():
        submission = _submission(
            assignment, request_id or uuid.uuid4(), ontology_version, guideline, policy,
            extent=whole_extent(media), no_finding=reading.is_empty_read, head_seq=0, active_s=active_s,
            at=at or timezone.now(), asked_labels=reading.asked_labels, asked_questions=reading.asked_questions,
            answered=reading.answers, kind="submission.stored",
        )  # fmt: skip
        by_ordinal = {medium.ordinal: medium for medium in media}
        _store(
            submission,
            [_annotation_of(shape, by_ordinal) for shape in reading.shapes],
            values_to_document(reading.answers),
        )
    return submission


def layer_id(medium: int, label: str) -> str:
    """Return the shape id under which the painted layer of a class on a medium is frozen; the same in every version."""
    tail = label if len(label) <= 40 else f"{label[:31]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    return f"mask-{medium}-{tail}"


def _require_open(assignment: Assignment) -> None:
    if assignment.state == Assignment.State.EXPIRED:
        raise lease_ended()
    if assignment.state in PAUSED:
        raise waits()
    if assignment.state != Assignment.State.OPEN:
        raise already_submitted()
    if assignment.lease_until is not None and assignment.lease_until <= timezone.now():
        raise lease_ended()


def _annotations(
    state: DocumentState, ontology: Ontology, media: Sequence[Medium], masks: Mapping[str, Any]
) -> list[Annotation]:
    by_ordinal = {medium.ordinal: medium for medium in media}
    rows = [
        Annotation(
            medium=by_ordinal[shape.medium], shape_id=shape.shape_id, label=shape.label, source=shape.source,
            regions=[dict(region) for region in shape.regions],
            attributes=_known_attributes(ontology, shape.label, shape.attributes),
        )
        for shape in state.standing_shapes()
    ]  # fmt: skip
    sizes = {medium.ordinal: (medium.size_z, medium.size_y, medium.size_x) for medium in media}
    for (ordinal, label), layer in paint_layers(state, sizes, masks).items():
        attributes = state.layer_attributes.get((ordinal, label), {})
        rows.append(
            Annotation(
                medium=by_ordinal[ordinal], shape_id=layer_id(ordinal, label), label=label,
                source=layer_source(state, ordinal, label),
                mask=store_blob(content=encode_mask(layer.voxels), kind="mask"), mask_origin=list(layer.origin),
                attributes=_known_attributes(ontology, label, attributes),
            )
        )  # fmt: skip
    return rows


def _known_attributes(ontology: Ontology, label: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the class a shape has now; those of a class it had before are not part of the answer."""
    entry = ontology.label_class(label)
    keys = {attribute.key for attribute in entry.attributes} if entry else set()
    return {key: value for key, value in attributes.items() if key in keys}


def _require_complete(
    state: DocumentState, ontology: Ontology, rows: Sequence[Annotation], *, no_finding: bool
) -> None:
    if no_finding and rows:
        raise AnnotationRefused(
            "no-finding-with-shapes",
            "You marked something and also said that there is nothing. Nothing was submitted. "
            "Delete the shapes or take “No finding” back.",
            status=422,
        )
    if ontology.classes and not rows and not no_finding:
        raise AnnotationRefused(
            "nothing-drawn",
            "Nothing is marked on this image. Nothing was submitted. "
            "Mark something, or say “No finding” if there is nothing.",
            status=422,
        )
    if no_finding and (given := _presupposing_answers(state, ontology)):
        raise AnnotationRefused(
            "no-finding-with-answers",
            f"You answered “{given[0].text}”, which is asked only where something is found, and also said that there is "
            "nothing. Nothing was submitted. Take that answer back, or take “No finding” back.",
            status=422,
        )
    asked = ontology.questions_asked(no_finding=no_finding)
    missing = [question.text for question in asked if _is_missing(question, state.answers)]
    for row in rows:
        entry = ontology.label_class(row.label)
        missing += [
            f"{question.text} ({_name(entry)})"
            for question in _attributes(entry)
            if _is_missing(question, row.attributes)
        ]
    if missing:
        named = "; ".join(dict.fromkeys(missing))
        raise AnnotationRefused(
            "answers-missing",
            f"Required answers are missing: {named}. Nothing was submitted. Answer them and submit again.",
            status=422,
        )


def _presupposing_answers(state: DocumentState, ontology: Ontology) -> list[Question]:
    return [
        entry
        for entry in ontology.questions
        if entry.presupposes_finding and state.answers.get(entry.key) not in (None, "", [])
    ]


def _is_missing(question: Question, answers: Mapping[str, Any]) -> bool:
    return question.is_required and answers.get(question.key) in (None, "", [])


def _attributes(entry: LabelClass | None) -> tuple[Question, ...]:
    return entry.attributes if entry else ()


def _name(entry: LabelClass | None) -> str:
    return entry.name if entry else ""


def _submission(
    assignment: Assignment, request_id: uuid.UUID, ontology: OntologyVersion, guideline: GuidelineVersion | None,
    policy: PolicyVersion | None, *, extent: Mapping[str, Any], no_finding: bool, head_seq: int,
    active_s: float | None, at: datetime, asked_labels: Sequence[str] | None = None,
    asked_questions: Sequence[str] | None = None, answered: Collection[str] = (), kind: str = "submission.frozen",
) -> Submission:  # fmt: skip
    content = read_ontology(ontology.content)
    asked = content.questions_asked(no_finding=no_finding)
    beside = tuple(entry for entry in content.questions if entry not in asked and entry.key in answered)
    submission = Submission.objects.create(
        assignment=assignment, version=_next_version(assignment), request_id=request_id, ontology=ontology,
        guideline=guideline, policy=policy, read_kind=assignment.read_kind, planned_blind=assignment.planned_blind,
        asked_labels=_asked(asked_labels, content.classes), asked_questions=_asked(asked_questions, (*asked, *beside)),
        extent=dict(extent), no_finding=no_finding, head_seq=head_seq, active_s=active_s, submitted_at=at, day=at.date(),
    )  # fmt: skip
    audit.append(
        project_id=assignment.item.project_id, kind=kind, actor=f"labeler:{assignment.labeler_id}",
        subject=f"submission:{submission.pk}", facts={"version": submission.version, "head_seq": head_seq},
    )  # fmt: skip
    return submission


def _asked(given: Sequence[str] | None, entries: Sequence[LabelClass] | Sequence[Question]) -> list[str]:
    return [entry.key for entry in entries] if given is None else list(given)


def _next_version(assignment: Assignment) -> int:
    """One more than any version of this assignment or of the one it follows: rework goes on counting."""
    related = [assignment.pk] if assignment.follows_id is None else [assignment.pk, assignment.follows_id]
    highest = Submission.objects.filter(assignment__in=related).aggregate(highest=Max("version"))["highest"]
    return int(highest or 0) + 1


def _store(submission: Submission, rows: Sequence[Annotation], answers: Mapping[str, Any]) -> None:
    for row in rows:
        row.submission = submission
    Annotation.objects.bulk_create(rows)
    Answer.objects.bulk_create(
        [Answer(submission=submission, question=question, value=value) for question, value in answers.items()]
    )


def _annotation_of(shape: Shape, media: Mapping[int, Medium]) -> Annotation:
    medium = media.get(shape.medium)
    if medium is None:
        raise AnnotationRefused(
            "medium-unknown",
            f"A shape lies on picture {shape.medium}, which this item does not have. Nothing was stored.",
            status=422,
        )
    mask = None
    if shape.mask is not None:
        voxels = np.ascontiguousarray(shape.mask.voxels, dtype=np.bool_)
        mask = store_blob(content=encode_mask(voxels), kind="mask")
    return Annotation(
        medium=medium, shape_id=shape.shape_id[:64], label=shape.label[:80], regions=regions_to_document(shape.regions),
        mask=mask, mask_origin=None if shape.mask is None else list(shape.mask.origin),
        attributes=values_to_document(shape.attributes), source=shape.source[:16],
    )  # fmt: skip
