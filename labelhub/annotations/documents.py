"""Working copies: opening one, taking operations into its log, reading what it says.
 The order is the server's: each operation gets the document's next number and is committed before it is acknowledged.
A client numbers its own operations without a gap; a gap is refused with the number that is expected, a repeated
``op_id`` gets its first acknowledgement. A batch stops at the first operation that is refused, and what stood before
it is kept. Not here: what an operation may say (``operations``), and how they travel (``api.documents``).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations.errors import AnnotationRefused, OperationRefused, already_submitted, lease_ended, waits
from labelhub.annotations.fold import Act, DocumentState, Folding, fold
from labelhub.annotations.models import Annotation, Answer, Document, DocumentMask, Operation, Submission
from labelhub.annotations.operations import MAX_OPERATIONS, Context, Envelope, checked_payload, read_envelope
from labelhub.assignments import services as assignments
from labelhub.assignments.models import PAUSED, Assignment
from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.models import Blob, Medium
from labelhub.formats.mask_blob import decode_mask, encode_mask, mask_size
from labelhub.projects.models import PolicyVersion
from labelhub.projects.ontology import read_ontology
from labelhub.projects.permissions import Action, require
from labelhub.projects.policy import read_policy
from labelhub.projects.selectors import current_guideline, current_ontology, current_policy

MAX_DOCUMENT_OPERATIONS = 200_000
# Between two signs of life longer than this, nobody was at work.
IDLE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The operation at which a batch stopped, and why. Nothing from it on was stored."""

    op_id: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is in the log for certain. ``seq`` holds each operation's place; ``next_client_seq`` what this client
    sends next.
    """

    head_seq: int
    next_client_seq: int
    seq: Mapping[str, int] = field(default_factory=dict)
    refused: Refused | None = None


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


def state_of(document: Document) -> DocumentState:
    """Return what the document says now."""
    return fold(document.base, _acts(document))


def operations_after(document: Document, seq: int, *, most: int = 1000) -> list[Act]:
    """Return the next operations after ``seq``, at most ``most``: what a client pulls to catch up."""
    return list(_acts(document, after=seq))[:most]


def append_operations(
    *,
    document: Document,
    author: User,
    client_id: uuid.UUID,
    operations: Sequence[Any],
    epoch: int | None = None,
    fence: int | None = None,
) -> Acknowledged:
    """Take operations into the log, in order, and acknowledge them after the commit.

    Raises ``AnnotationRefused`` where the document as a whole takes none: ``too-many-operations``,
    ``assignment-closed``, ``lease-ended``, ``stale-epoch``; ``NotFound`` or ``NotAllowed`` for anybody but its
    labeler.
    """
    if len(operations) > MAX_OPERATIONS:
        raise AnnotationRefused(
            "too-many-operations",
            f"At most {MAX_OPERATIONS} operations a request. Nothing was stored. Send them in parts.",
            status=413,
        )
    with transaction.atomic():
        locked = _lock(document, author=author, epoch=epoch, fence=fence)
        context = _context(locked, author)
        result = _append(locked, context, author, client_id, operations)
        renew_lease(assignment=locked.assignment, policy=locked.policy)
        Document.objects.filter(pk=locked.pk).update(head_seq=result.head_seq)
        _beat(locked, timezone.now())
    return result


def beat(*, document: Document, author: User) -> float:
    """Count a sign of life: the time since the last one, unless that was a pause. Returns the active seconds so far."""
    with transaction.atomic():
        locked = _lock(document, author=author)
        renew_lease(assignment=locked.assignment, policy=locked.policy)
        return _beat(locked, timezone.now())


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
    lease_s = read_policy(policy.content if policy else {}).lease_s
    if assignment.lease_until is None or assignment.lease_until - timezone.now() < timedelta(seconds=lease_s / 2):
        assignments.renew(assignment=assignment, lease_s=lease_s, fence=assignment.fence)


def store_mask(*, document: Document, author: User, mask: NDArray[Any]) -> Blob:
    """Keep a mask ``[z, y, x]`` that a following ``patch.add`` of this document may name."""
    with transaction.atomic():
        locked = _lock(document, author=author)
        blob = store_blob(content=encode_mask(mask), kind="mask")
        DocumentMask.objects.get_or_create(document=locked, blob=blob)
    return blob


def masks_of(document: Document, state: DocumentState) -> dict[str, NDArray[Any]]:
    """Return the decoded masks that the document's base and patches name."""
    named = {layer["mask"] for layer in state.base_layers}
    named |= {mark.payload["mask"] for mark in state.marks.values() if "mask" in mark.payload and not mark.is_undone}
    return {blob.pk: decode_mask(read_blob(blob)) for blob in Blob.objects.filter(pk__in=named)}


def mask_for(document: Document, sha256: str) -> NDArray[Any] | None:
    """Return a mask of this document (of its base, or brought by its author); None for any other, known or not."""
    in_base = any(layer["mask"] == sha256 for layer in document.base.get("layers", ()))
    if not in_base and not DocumentMask.objects.filter(document=document, blob_id=sha256).exists():
        return None
    return decode_mask(read_blob(Blob.objects.get(pk=sha256)))


def next_client_seq(document: Document, client_id: uuid.UUID) -> int:
    """Return the number that the next new operation of a client carries."""
    rows = Operation.objects.filter(document=document, client_id=client_id)
    return int(rows.aggregate(highest=Max("client_seq"))["highest"] or 0) + 1


def _documents() -> Any:
    return Document.objects.select_related(
        "assignment__item__project", "assignment__labeler", "ontology", "guideline", "policy"
    )


def _lock(document: Document, *, author: User, epoch: int | None = None, fence: int | None = None) -> Document:
    """Return the document's row, locked, if ``author`` may write to it now."""
    locked: Document = _documents().select_for_update(of=("self",)).get(pk=document.pk)
    require(author, Action.LABEL, locked)
    assignment = locked.assignment
    if assignment.state == Assignment.State.EXPIRED:
        raise lease_ended()
    if assignment.state in PAUSED:
        raise waits()
    if assignment.state != Assignment.State.OPEN:
        raise already_submitted()
    if fence is not None and fence != assignment.fence:
        raise lease_ended()
    if assignment.lease_until is not None and assignment.lease_until <= timezone.now():
        raise lease_ended()
    if epoch is not None and epoch != locked.epoch:
        raise AnnotationRefused(
            "stale-epoch",
            "This image was set back to an earlier state elsewhere. Your unsent work is kept. Reload the page.",
        )
    return locked


def _append(
    document: Document, context: Context, author: User, client_id: uuid.UUID, operations: Sequence[Any]
) -> Acknowledged:
    known = _known_seq(document, operations)
    expected = next_client_seq(document, client_id)
    seq: dict[str, int] = {}
    rows: list[Operation] = []
    refused = None
    for entry in operations:
        try:
            envelope = read_envelope(entry)
            if envelope.op_id in known:
                seq[envelope.op_id] = known[envelope.op_id]
                continue
            payload = _checked(envelope, expected, context, document.head_seq + len(rows))
        except OperationRefused as error:
            refused = Refused(_op_id(entry), error.code, str(error))
            break
        place = document.head_seq + len(rows) + 1
        rows.append(
            Operation(
                document=document, seq=place, op_id=uuid.UUID(envelope.op_id), client_id=client_id, client_seq=expected,
                author=author, kind=envelope.kind, payload=payload,
            )
        )  # fmt: skip
        context.folding.apply(Act(place, envelope.op_id, context.author, envelope.kind, payload))
        seq[envelope.op_id] = known[envelope.op_id] = place
        expected += 1
    Operation.objects.bulk_create(rows)
    return Acknowledged(document.head_seq + len(rows), expected, seq, refused)


def _checked(envelope: Envelope, expected: int, context: Context, stored: int) -> dict[str, Any]:
    if envelope.client_seq != expected:
        raise OperationRefused(
            "sequence-gap",
            f"Operation {envelope.client_seq} came where {expected} was expected. Send again from {expected}.",
        )
    if stored >= MAX_DOCUMENT_OPERATIONS:
        raise OperationRefused(
            "document-full",
            "This image holds as many operations as one may. What was drawn is safe. Submit it, or ask an admin.",
        )
    return checked_payload(envelope, context)


def _op_id(entry: Any) -> str:
    op_id = entry.get("op_id") if isinstance(entry, Mapping) else None
    return op_id[:36] if isinstance(op_id, str) else ""


def _known_seq(document: Document, operations: Sequence[Any]) -> dict[str, int]:
    """Return the places of those operations that are in the log already. The author's own only: nobody replays for
    another.
    """
    given = []
    for entry in operations:
        try:
            given.append(uuid.UUID(_op_id(entry)))
        except ValueError:
            continue
    rows = Operation.objects.filter(document=document, op_id__in=given).values_list("op_id", "seq")
    return {str(op_id): seq for op_id, seq in rows}


def _context(document: Document, author: User) -> Context:
    folding = Folding(document.base)
    for act in _acts(document):
        folding.apply(act)
    media = Medium.objects.filter(item=document.assignment.item).values_list("ordinal", "size_z", "size_y", "size_x")
    blobs = Blob.objects.filter(pk__in=DocumentMask.objects.filter(document=document).values("blob"))
    return Context(
        author=str(author.public_id),
        ontology=read_ontology(document.ontology.content),
        sizes={ordinal: (z, y, x) for ordinal, z, y, x in media},
        folding=folding,
        masks={blob.pk: mask_size(read_blob(blob)) for blob in blobs},
    )


def _acts(document: Document, *, after: int = 0) -> Iterator[Act]:
    rows = Operation.objects.filter(document=document, seq__gt=after).order_by("seq")
    for seq, op_id, author, kind, payload in rows.values_list("seq", "op_id", "author__public_id", "kind", "payload"):
        yield Act(seq, str(op_id), str(author), kind, payload)


def _beat(document: Document, now: datetime) -> float:
    since = 0.0 if document.beat_at is None else (now - document.beat_at).total_seconds()
    active_s = document.active_s + (since if 0 < since <= IDLE_AFTER_S else 0.0)
    Document.objects.filter(pk=document.pk).update(active_s=active_s, beat_at=now)
    return active_s


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
        "size": list(mask_size(read_blob(blob))), "attributes": row.attributes,
    }  # fmt: skip
