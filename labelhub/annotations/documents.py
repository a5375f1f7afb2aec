"""Working copies: opening one, keeping its lease and its clock, the masks that belong to it.

Not here: taking operations in (``log``), reading the log back (``history``), freezing (``submissions``).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations.errors import AnnotationRefused, already_submitted, lease_ended, waits
from labelhub.annotations.models import Annotation, Answer, Document, DocumentMask, Operation, Submission
from labelhub.assignments import services as assignments
from labelhub.assignments.models import PAUSED, Assignment
from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.models import Blob
from labelhub.formats.mask_blob import decode_mask, encode_mask, mask_size
from labelhub.projects.models import PolicyVersion
from labelhub.projects.permissions import Action, require
from labelhub.projects.policy import lease_of
from labelhub.projects.selectors import current_guideline, current_ontology, current_policy

# Between two signs of life longer than this, nobody was at work.
IDLE_AFTER_S = 30.0


def document_of(*, assignment: Assignment) -> Document:
    """Return the assignment's working copy, opened on first use under the project's current rules.

    The copy of a rework starts from what its author submitted before.
    """
    document: Document | None = _documents().filter(assignment=assignment).first()
    if document is not None:
        return document
    project = assignment.item.project
    with transaction.atomic():
        Document.objects.get_or_create(
            assignment=assignment,
            defaults={
                "ontology": current_ontology(project)[0],
                "guideline": current_guideline(project),
                "policy": current_policy(project)[0],
                "base": _base(assignment),
            },
        )
    opened: Document = _documents().get(assignment=assignment)
    return opened


def beat(*, document: Document, author: User) -> float:
    """Count a sign of life: the time since the last one, unless that was a pause. Returns the active seconds so far."""
    with transaction.atomic():
        locked = _writable(document, author)
        renew_lease(assignment=locked.assignment, policy=locked.policy)
        count_beat(locked, timezone.now())
        locked.save(update_fields=["active_s", "beat_at"])
        return locked.active_s


def has_operations(assignment: Assignment) -> bool:
    """Whether something was done in the assignment's working copy."""
    return Document.objects.filter(assignment=assignment, head_seq__gt=0).exists()


def continue_document(*, former: Assignment, assignment: Assignment) -> Document:
    """Start the assignment's working copy from the draft of another: every operation comes along, under its own author."""
    with transaction.atomic():
        draft = Document.objects.select_for_update().get(assignment=former)
        copy = Document.objects.create(
            assignment=assignment, ontology_id=draft.ontology_id, guideline_id=draft.guideline_id,
            policy_id=draft.policy_id, base=draft.base, head_seq=draft.head_seq,
        )  # fmt: skip
        acts = list(Operation.objects.filter(document=draft).order_by("seq"))
        for act in acts:
            act.pk, act.document = None, copy
        Operation.objects.bulk_create(acts)
        masks = DocumentMask.objects.filter(document=draft).values_list("blob", flat=True)
        DocumentMask.objects.bulk_create(DocumentMask(document=copy, blob_id=blob) for blob in masks)
    return copy


def renew_lease(*, assignment: Assignment, policy: PolicyVersion | None) -> None:
    """Extend the lease of somebody at work once half of it is over; a longer one (of work that came back) stays as it is."""
    lease_s = lease_of(policy.content if policy else {})
    if assignment.lease_until is None or assignment.lease_until - timezone.now() < timedelta(seconds=lease_s / 2):
        assignments.renew(assignment=assignment, lease_s=lease_s, fence=assignment.fence)


def store_mask(*, document: Document, author: User, mask: NDArray[Any]) -> Blob:
    """Keep a mask ``[z, y, x]`` that a following ``patch.add`` of this document may name."""
    with transaction.atomic():
        locked = _writable(document, author)
        blob = store_blob(content=encode_mask(mask), kind="mask")
        DocumentMask.objects.get_or_create(document=locked, blob=blob)
    return blob


def bring_masks(*, document: Document, names: Collection[str]) -> None:
    """Let following operations of the document name these masks, which are there already: those of a draft that is shown."""
    DocumentMask.objects.bulk_create(
        [DocumentMask(document=document, blob_id=name) for name in dict.fromkeys(names)], ignore_conflicts=True
    )


def mask_for(document: Document, sha256: str) -> NDArray[Any] | None:
    """Return a mask of this document (of its base, or brought by its author); None for any other, known or not."""
    in_base = any(layer["mask"] == sha256 for layer in document.base.get("layers", ()))
    if not in_base and not DocumentMask.objects.filter(document=document, blob_id=sha256).exists():
        return None
    return decode_mask(read_blob(Blob.objects.get(pk=sha256)))


def _documents() -> Any:
    return Document.objects.select_related(
        "assignment__item__project", "assignment__labeler", "ontology", "guideline", "policy"
    )


def head_of(document: Document) -> int:
    """Return how far the document's log goes now."""
    return int(Document.objects.values_list("head_seq", flat=True).get(pk=document.pk))


def refusal_now(document: Document) -> AnnotationRefused | None:
    """Return why nobody draws in the document at this moment; None where its labeler may."""
    current: Document = _documents().get(pk=document.pk)
    return refusal_of_writes(current)


def locked_documents(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, Document]:
    """Return the documents' rows, locked until the transaction ends, with what every write looks at. One query.

    In one order everywhere, so that two processes never wait for each other. What only opening needs is not read.
    """
    rows = Document.objects.select_related("assignment__item__project", "assignment__labeler", "policy").defer("base")
    locked = rows.select_for_update(of=("self",)).filter(pk__in=keys).order_by("pk")
    return {row.pk: row for row in locked}


def refusal_of_writes(document: Document) -> AnnotationRefused | None:
    """Return why nobody writes to the document now; None where its labeler may."""
    assignment = document.assignment
    if assignment.state in PAUSED:
        return waits()
    if assignment.state not in (Assignment.State.OPEN, Assignment.State.EXPIRED):
        return already_submitted()
    if assignment.state == Assignment.State.EXPIRED:
        return lease_ended()
    is_over = assignment.lease_until is not None and assignment.lease_until <= timezone.now()
    return lease_ended() if is_over else None


def count_beat(document: Document, now: datetime) -> None:
    """Add the time since the locked document's last sign of life to its active time, unless that was a pause. Not written."""
    document.active_s += counted_s(document.beat_at, now)
    document.beat_at = now


def counted_s(last: datetime | None, now: datetime) -> float:
    """Return the seconds since the last sign of life that count as work: none where that was a pause, or a clock went back."""
    since = 0.0 if last is None else (now - last).total_seconds()
    return since if 0 < since <= IDLE_AFTER_S else 0.0


def _writable(document: Document, author: User) -> Document:
    """Return the document's row, locked, if ``author`` may write to it now."""
    locked = locked_documents([document.pk])[document.pk]
    require(author, Action.LABEL, locked)
    if (refusal := refusal_of_writes(locked)) is not None:
        raise refusal
    return locked


def _base(assignment: Assignment) -> dict[str, Any]:
    """Return what the copy starts from: the last submission of the assignment it follows, else nothing."""
    if assignment.follows_id is None:
        return {}
    submission = Submission.objects.filter(assignment_id=assignment.follows_id).order_by("-version").first()
    return {} if submission is None else base_of(submission)


def base_of(submission: Submission) -> dict[str, Any]:
    """Return a submission as the base of a document."""
    rows = Annotation.objects.filter(submission=submission).select_related("medium", "mask").order_by("pk")
    answers = Answer.objects.filter(submission=submission).values_list("question", "value")
    return {
        "shapes": [_base_shape(row) for row in rows if row.mask is None],
        "layers": [_base_layer(row, row.mask) for row in rows if row.mask is not None],
        "answers": dict(answers),
    }


def _base_shape(row: Annotation) -> dict[str, Any]:
    return {
        "shape_id": row.shape_id, "medium": row.medium.ordinal, "label": row.label, "regions": row.regions,
        "attributes": row.attributes, "source": row.source,
    }  # fmt: skip


def _base_layer(row: Annotation, blob: Blob) -> dict[str, Any]:
    return {
        "medium": row.medium.ordinal, "label": row.label, "mask": blob.pk, "origin": row.mask_origin or [0, 0, 0],
        "size": list(mask_size(read_blob(blob))), "attributes": row.attributes, "source": row.source,
    }  # fmt: skip
