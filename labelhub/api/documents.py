"""A labeler's working copy over HTTP: its state, its operations, the masks that patches name, and signs of life.

Everything is reached through an assignment of one's own or, only to read, one that a reviewer watches. Nothing here says
who else labels, what they drew, which score or gold there is, or why the item was handed out; ids are opaque. A refusal of
the whole request is an HTTP error with a code; an operation that is refused inside a batch is named in a normal answer,
because those before it were stored. Not here: the rules (``annotations``), submitting and skipping (``web.labeling``),
pixels (``api.media``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from django.http import HttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.annotations import documents, history, log
from labelhub.annotations.fold import state_to_document
from labelhub.annotations.models import Document
from labelhub.api.media import facts_in
from labelhub.assignments.batches import lies_in_shared_batch
from labelhub.assignments.models import Assignment
from labelhub.assignments.onlookers import seen_by
from labelhub.assignments.selectors import drawn_by, own_view
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_hanging
from labelhub.workflow.assisting import offered_labels

MAX_MASK_BYTES = 64 * 1024 * 1024


class OctetParser(BaseParser):
    """Reads raw bytes up to the cap."""

    media_type = "application/octet-stream"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body as bytes."""
        body = stream.read(MAX_MASK_BYTES + 1)
        if len(body) > MAX_MASK_BYTES:
            raise ParseError(f"A mask is at most {MAX_MASK_BYTES >> 20} MiB. Nothing was stored. Send it in parts.")
        return body


class DocumentView(APIView):
    """The working copy: what it says now, or what came after a number; and the way into its log."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return everything the workspace needs; with ``?after=`` only the later operations."""
        own, is_watching = seen_by(request.user, assignment)
        document = documents.document_of(assignment=own)
        after = request.query_params.get("after")
        if after is None:
            return Response(_workspace(own, document, request) | ({"is_watching": True} if is_watching else {}))
        acts = history.operations_after(document, _number(after))
        return Response(
            {
                "operations": [history.act_to_document(act) for act in acts],
                "epoch": document.epoch,
                "head_seq": document.head_seq,
            }
        )

    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Take operations into the log and acknowledge what is stored for certain."""
        document = documents.document_of(assignment=drawn_by(request.user, assignment))
        body = request.data if isinstance(request.data, Mapping) else {}
        operations = body.get("operations")
        if not isinstance(operations, list):
            raise ParseError("“operations” must be a list. Nothing was stored.")
        person = body.get("person")
        result = log.append_operations(
            document=document,
            author=_author(request),
            client_id=_client_id(body.get("client_id")),
            operations=operations,
            epoch=_whole(body, "epoch"),
            fence=_whole(body, "fence"),
            person=person if isinstance(person, str) else None,
        )
        return Response(log.acknowledgement(result))


class HistoryView(APIView):
    """How a working copy came to be: its base and its log from the first operation on, with who and when."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return the next part of the log after ``?after=``; the base and the names of who label together with the first."""
        own, _ = seen_by(request.user, assignment)
        document = documents.document_of(assignment=own)
        after = _number(request.query_params.get("after", "0"))
        answer: dict[str, Any] = {"operations": history.told_after(document, after), "head_seq": document.head_seq}
        if not after:
            answer |= {
                "base": document.base,
                "people": history.authors_of(document) if lies_in_shared_batch(own.item) else {},
            }
        return Response(answer)


class HeartbeatView(APIView):
    """A sign of life from somebody at work; the time is measured here."""

    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Count it and return the active seconds."""
        document = documents.document_of(assignment=drawn_by(request.user, assignment))
        return Response({"active_s": round(documents.beat(document=document, author=_author(request)), 1)})


class MaskListView(APIView):
    """Masks that following patches may name, one bit a voxel, rows first, the first voxel in the highest bit."""

    parser_classes = (OctetParser,)

    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Keep a mask of ``?size=z,y,x`` and return its name."""
        document = documents.document_of(assignment=drawn_by(request.user, assignment))
        size = _size(request.query_params.get("size", ""))
        given: Any = request.data
        body = given if isinstance(given, bytes) else b""
        voxels = size[0] * size[1] * size[2]
        if len(body) != -(-voxels // 8):
            raise ParseError(
                f"A mask of {voxels} voxels has {-(-voxels // 8)} bytes; {len(body)} came. Nothing was stored."
            )
        bits = np.unpackbits(np.frombuffer(body, dtype=np.uint8), count=voxels).astype(np.bool_)
        blob = documents.store_mask(document=document, author=_author(request), mask=bits.reshape(size))
        return Response({"mask": blob.pk, "size": list(size)}, status=201)


class MaskView(APIView):
    """One mask of this working copy."""

    def get(self, request: Request, assignment: uuid.UUID, sha256: str) -> HttpResponse:
        """Return its bits; 404 for every mask that is not this document's, whether it exists or not."""
        document = documents.document_of(assignment=seen_by(request.user, assignment)[0])
        mask = documents.mask_for(document, sha256)
        if mask is None:
            raise NotFound("There is no such mask on this image.")
        response = HttpResponse(np.packbits(mask.astype(np.bool_)).tobytes(), content_type="application/octet-stream")
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        return response


def _workspace(own: Assignment, document: Document, request: Request) -> dict[str, Any]:
    view, is_shared = own_view(own), lies_in_shared_batch(own.item)
    _, protocol = current_hanging(own.item.project)
    return {
        "code": view.item_code,
        "is_shared": is_shared,
        # Who drew what is told where all label together, and nowhere else.
        **({"people": history.authors_of(document)} if is_shared else {}),
        "author": str(_author(request).public_id),
        "status": view.state,
        "is_rework": view.is_rework,
        "fence": view.fence,
        "lease_until": view.lease_until,
        "epoch": document.epoch,
        "active_s": round(document.active_s, 1),
        "ontology": document.ontology.content,
        "instructions": document.guideline.text if document.guideline else "",
        "media": facts_in(own.item, protocol),
        # Of the project, the same for all its items and people.
        "hanging": protocol.to_document() if protocol.panes else None,
        "drafts": document.policy.content.get("drafts", "no") if document.policy else "no",
        "state": state_to_document(history.state_of(document)),
        # Classes for which a model answers presses; left out where there are none.
        **({"click_models": offered} if (offered := offered_labels(document)) else {}),
    }


def _author(request: Request) -> User:
    """Who is signed in; anonymous requests were refused before the view ran."""
    assert isinstance(request.user, User)
    return request.user


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise ParseError("“after” is the number of an operation, from 0.")
    return int(text)


def _client_id(value: Any) -> uuid.UUID:
    client_id = log.client_id_of(value)
    if client_id is None:
        raise ParseError("“client_id” must be a UUID. Nothing was stored.")
    return client_id


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise ParseError(f"“{name}” must be a whole number. Nothing was stored.")
    return value


def _size(text: str) -> tuple[int, int, int]:
    parts = text.split(",") if len(text) < 40 else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and 0 < int(part) < 1_000_000 for part in parts):
        raise ParseError("“size” is three whole numbers: slices, rows, columns. Nothing was stored.")
    z, y, x = (int(part) for part in parts)
    if z * y * x > MAX_MASK_BYTES * 8:
        raise ParseError("This mask is larger than any image may be. Nothing was stored.")
    return z, y, x
