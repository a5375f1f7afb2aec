"""Taking operations into a working copy's log.

The order is the server's: each operation gets the document's next number and is committed before it is acknowledged. A client
numbers its own operations without a gap; a gap is refused with the number that is expected, a repeated ``op_id`` gets its first
acknowledgement. A sending stops at the first operation that is refused, and what stood before it is kept. What several people
send to one document at the same moment is stored in one go. Not here: what an operation may say (``operations``), reading the
log back (``history``), and how sendings travel (``api.documents``, ``live``).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labelhub.accounts.middleware import SOMEBODY_ELSE
from labelhub.accounts.models import User
from labelhub.annotations import hints
from labelhub.annotations.baking import bake_when_long
from labelhub.annotations.documents import count_beat, locked_documents, refusal_of_writes, renew_lease
from labelhub.annotations.errors import AnnotationRefused, OperationRefused, lease_ended
from labelhub.annotations.fold import Act
from labelhub.annotations.models import Document, Operation
from labelhub.annotations.operations import MAX_OPERATIONS, Envelope, checked_payload, read_envelope
from labelhub.annotations.standing import Standing, standings
from labelhub.assignments.selectors import drawers_of
from labelhub.projects.permissions import Action, NotAllowed, NotFound, require

MAX_DOCUMENT_OPERATIONS = 200_000


@dataclass(frozen=True, slots=True)
class Sending:
    """What one client sends at a time. ``epoch``, ``fence`` and ``person`` (the public id of who drew it) are what it
    believes; None is not compared.
    """

    author: User
    client_id: uuid.UUID
    operations: Sequence[Any]
    epoch: int | None = None
    fence: int | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The operation at which a sending stopped, and why. Nothing from it on was stored."""

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


Answer: TypeAlias = Acknowledged | AnnotationRefused | NotFound | NotAllowed


@dataclass(frozen=True, slots=True)
class Taken:
    """What a write took: an answer for each sending to each document, and the operations that are new in the logs."""

    answers: Mapping[uuid.UUID, list[Answer]]
    operations: tuple[Operation, ...]


def append_operations(
    *,
    document: Document,
    author: User,
    client_id: uuid.UUID,
    operations: Sequence[Any],
    epoch: int | None = None,
    fence: int | None = None,
    person: str | None = None,
) -> Acknowledged:
    """Take operations into the log, in order, and acknowledge them after the commit.

    Raises ``AnnotationRefused`` where the document as a whole takes none: ``too-many-operations``, ``client-taken``,
    ``assignment-closed``, ``assignment-waits``, ``lease-ended``, ``stale-epoch``, ``signed-out``; ``NotFound`` or
    ``NotAllowed`` for anybody but its labeler and who joined them.
    """
    with transaction.atomic():
        sending = Sending(author, client_id, operations, epoch, fence, person)
        answer = append_together(document=document, sendings=[sending])[0]
        if not isinstance(answer, Acknowledged):
            raise answer
        hints.tell_on_commit(document.pk, hints.head_moved(document.pk, answer.head_seq))
    return answer


def append_together(*, document: Document, sendings: Sequence[Sending]) -> list[Answer]:
    """Take what several clients sent into the log, one after the other; return an answer each, refusals as values.

    The caller answers the clients after the commit, not before.
    """
    return append_to_many({document.pk: sendings}).answers[document.pk]


def append_to_many(groups: Mapping[uuid.UUID, Sequence[Sending]]) -> Taken:
    """Take sendings into the logs of many documents: one lock, one look at who may, and one write for all of them."""
    answers: dict[uuid.UUID, list[Answer]] = {}
    rows: list[Operation] = []
    grown: list[tuple[Document, int]] = []
    taken: list[Standing] = []
    with transaction.atomic():
        locked = locked_documents(groups)
        # Only now: whoever waited for the lock would otherwise set the clock back, and that time would count twice.
        now = timezone.now()
        drawers = drawers_of({document.assignment_id for document in locked.values()})
        for key, document in locked.items():
            standing = standings.take(document)
            taken.append(standing)
            may_draw = drawers.get(document.assignment_id, set())
            answers[key] = [_answer(document, standing, sending, rows, may_draw) for sending in groups[key]]
            if any(isinstance(answer, Acknowledged) for answer in answers[key]):
                grown.append((document, document.head_seq))
                document.head_seq = standing.head_seq
                count_beat(document, now)
        Operation.objects.bulk_create(rows)
        _write_heads([document for document, _ in grown])
        for document, before in grown:
            renew_lease(assignment=document.assignment, policy=document.policy)
            bake_when_long(document, before=before)
        transaction.on_commit(lambda: standings.keep(*taken))
    return Taken(answers, tuple(rows))


def _write_heads(documents: Sequence[Document]) -> None:
    fields = ["head_seq", "active_s", "beat_at"]
    if len(documents) == 1:
        documents[0].save(update_fields=fields)
    elif documents:
        Document.objects.bulk_update(documents, fields)


def acknowledgement(answer: Acknowledged) -> dict[str, Any]:
    """Return an answer as a client reads it."""
    refused = answer.refused
    return {
        "acknowledged": [{"op_id": op_id, "seq": seq} for op_id, seq in answer.seq.items()],
        "head_seq": answer.head_seq,
        "next_client_seq": answer.next_client_seq,
        "refused": refused and {"op_id": refused.op_id, "code": refused.code, "detail": refused.sentence},
    }


def client_id_of(value: Any) -> uuid.UUID | None:
    """Return the client's id that a request gives; None for anything but a UUID as text."""
    try:
        return uuid.UUID(value if isinstance(value, str) and len(value) <= 36 else "")
    except ValueError:
        return None


def next_client_seq(document: Document, client_id: uuid.UUID) -> int:
    """Return the number that the next new operation of a client carries."""
    rows = Operation.objects.filter(document=document, client_id=client_id)
    return int(rows.aggregate(highest=Max("client_seq"))["highest"] or 0) + 1


def _answer(
    document: Document, standing: Standing, sending: Sending, rows: list[Operation], may_draw: Collection[int]
) -> Answer:
    try:
        if sending.author.pk not in may_draw:
            # Says in the policy's words why not.
            require(sending.author, Action.LABEL, document)
            raise NotFound("There is no such work, or it is not yours.")
        _require_current(document, standing, sending)
    except (AnnotationRefused, NotFound, NotAllowed) as refusal:
        return refusal
    return _append(document, standing, sending, rows)


def _require_current(document: Document, standing: Standing, sending: Sending) -> None:
    if sending.person is not None and sending.person != str(sending.author.public_id):
        raise AnnotationRefused(
            "signed-out",
            SOMEBODY_ELSE,
            status=403,
        )
    if len(sending.operations) > MAX_OPERATIONS:
        raise AnnotationRefused(
            "too-many-operations",
            f"At most {MAX_OPERATIONS} operations a request. Nothing was stored. Send them in parts.",
            status=413,
        )
    if (refusal := refusal_of_writes(document)) is not None:
        raise refusal
    if sending.fence is not None and sending.fence != document.assignment.fence:
        raise lease_ended()
    if sending.epoch is not None and sending.epoch != document.epoch:
        raise AnnotationRefused(
            "stale-epoch",
            "This image was set back to an earlier state elsewhere. Your unsent work is kept. Reload the page.",
        )
    if standing.owners.get(sending.client_id, sending.author.pk) != sending.author.pk:
        raise AnnotationRefused(
            "client-taken",
            "Somebody else draws under this client's id. Nothing was stored. Reload the page.",
        )


def _append(document: Document, standing: Standing, sending: Sending, rows: list[Operation]) -> Acknowledged:
    author, client_id = sending.author, sending.client_id
    context = standing.context(str(author.public_id))
    seq: dict[str, int] = {}
    refused = None
    for entry in sending.operations:
        expected = standing.numbers.get(client_id, 1)
        try:
            envelope = read_envelope(entry)
            if envelope.op_id in standing.places:
                seq[envelope.op_id] = standing.places[envelope.op_id]
                continue
            if envelope.kind == "patch.add":
                standing.learn_mask(envelope.payload.get("mask"))
            _require_next(envelope, expected, standing.head_seq)
            payload = checked_payload(envelope, context)
        except OperationRefused as error:
            refused = Refused(_op_id(entry), error.code, str(error))
            break
        place = standing.head_seq + 1
        rows.append(
            Operation(
                document=document, seq=place, op_id=uuid.UUID(envelope.op_id), client_id=client_id, client_seq=expected,
                author=author, kind=envelope.kind, payload=payload,
            )
        )  # fmt: skip
        standing.take_up(
            Act(place, envelope.op_id, context.author, envelope.kind, payload), client_id, expected, author.pk
        )
        seq[envelope.op_id] = place
    return Acknowledged(standing.head_seq, standing.numbers.get(client_id, 1), seq, refused)


def _require_next(envelope: Envelope, expected: int, stored: int) -> None:
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


def _op_id(entry: Any) -> str:
    op_id = entry.get("op_id") if isinstance(entry, Mapping) else None
    return op_id[:36] if isinstance(op_id, str) else ""
