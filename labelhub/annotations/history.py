"""What a working copy said and says: its log read back, from the start or from where it was baked, and the baking itself.

Baking paints all strokes and patches up to a place of the log into one mask a class, so that a document of many thousand
operations opens at once. The log stays whole. What is baked can no longer be undone stroke by stroke: a line that all processes
read under the document's lock (``Document.baked_seq``), so the fold from there equals the fold from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db import transaction
from numpy.typing import NDArray

from labelhub.annotations.fold import Act, DocumentState, fold, state_to_document
from labelhub.annotations.layers import layer_source, paint_layers
from labelhub.annotations.models import Document, DocumentMask, Operation, Snapshot
from labelhub.catalog.blobs import read_blob, store_blob
from labelhub.catalog.models import Blob, Medium
from labelhub.formats.mask_blob import decode_mask, encode_mask

# The last operations stay as they are: as many steps as anybody takes back.
KEPT_FOR_UNDO = 500
BAKE_AFTER = 2000


def state_of(document: Document) -> DocumentState:
    """Return what the document says now."""
    return fold(base_at(document), acts_after(document, document.baked_seq))


def state_at(document: Document, seq: int) -> DocumentState:
    """Return what the document said after ``seq`` operations: its past, for whoever looks back."""
    baked = Snapshot.objects.filter(document=document, epoch=document.epoch, seq__lte=seq).order_by("-seq").first()
    start, base = (0, document.base) if baked is None else (baked.seq, baked.state)
    return fold(base, acts_after(document, start, most=seq - start))


def base_at(document: Document) -> dict[str, Any]:
    """Return what the fold starts from: the baked state, else the base the copy was opened with."""
    if not document.baked_seq:
        return dict(document.base)
    baked = Snapshot.objects.get(document=document, epoch=document.epoch, seq=document.baked_seq)
    return dict(baked.state)


def acts_after(document: Document, seq: int, *, most: int | None = None) -> Iterator[Act]:
    """Yield the operations after ``seq`` in their order, at most ``most``: the log has no gap, so up to ``seq + most``."""
    rows = Operation.objects.filter(document=document, seq__gt=seq).order_by("seq")
    fields = ("seq", "op_id", "author__public_id", "kind", "payload")
    for place, op_id, author, kind, payload in rows.values_list(*fields)[:most]:
        yield Act(place, str(op_id), str(author), kind, payload)


def operations_after(document: Document, seq: int, *, most: int = 1000) -> list[Act]:
    """Return the next operations after ``seq``, at most ``most``: what a client pulls to catch up."""
    return list(acts_after(document, seq, most=most))


def told_after(document: Document, seq: int, *, most: int = 2000) -> list[dict[str, Any]]:
    """Return the next operations after ``seq`` with the moment of each, for whoever looks back: nothing was baked away."""
    rows = Operation.objects.filter(document=document, seq__gt=seq).order_by("seq")
    fields = ("seq", "op_id", "author__public_id", "kind", "payload", "at")
    return [
        act_to_document(Act(place, str(op_id), str(author), kind, payload)) | {"at": at}
        for place, op_id, author, kind, payload, at in rows.values_list(*fields)[:most]
    ]


def authors_of(document: Document) -> dict[str, str]:
    """Return the names of all who drew in the document, by the id that their operations carry."""
    rows = (
        Operation.objects.filter(document=document).values_list("author__public_id", "author__display_name").distinct()
    )
    return {str(public_id): name for public_id, name in rows}


def act_to_document(act: Act) -> dict[str, Any]:
    """Return an operation of the log as a client reads it."""
    return {"seq": act.seq, "op_id": act.op_id, "author": act.author, "kind": act.kind, "payload": act.payload}


def masks_of(document: Document, state: DocumentState) -> dict[str, NDArray[Any]]:
    """Return the decoded masks that the document's base and patches name."""
    named = {layer["mask"] for layer in state.base_layers}
    named |= {mark.payload["mask"] for mark in state.marks.values() if "mask" in mark.payload and not mark.is_undone}
    return {blob.pk: decode_mask(read_blob(blob)) for blob in Blob.objects.filter(pk__in=named)}


def bake(document: Document, *, keep: int = KEPT_FOR_UNDO) -> int:
    """Paint what lies more than ``keep`` operations back into masks; return the place up to which the log is baked now."""
    with transaction.atomic():
        locked = Document.objects.select_for_update(of=("self",)).select_related("assignment").get(pk=document.pk)
        place = _place_to_bake(locked, locked.head_seq - keep)
        if place <= locked.baked_seq:
            return locked.baked_seq
        state = state_at(locked, place)
        Snapshot.objects.create(document=locked, epoch=locked.epoch, seq=place, state=_baked(locked, state))
        Document.objects.filter(pk=locked.pk).update(baked_seq=place)
    return place


def source_to_document(source: str) -> dict[str, str]:
    """Return the source of a layer as a base says it: not at all where it is drawn."""
    return {} if source == "drawn" else {"source": source}


def _place_to_bake(document: Document, place: int) -> int:
    """Return the last place up to ``place`` before every stroke that is taken back or done again later than it."""
    later = Operation.objects.filter(document=document, seq__gt=document.baked_seq)
    marks = later.filter(kind__in=["stroke.add", "patch.add"]).values_list("payload__stroke_id", "seq")
    added = dict(marks)
    turned = later.filter(kind__in=["stroke.undo", "stroke.redo"]).order_by("-seq")
    for stroke_id, seq in turned.values_list("payload__stroke_id", "seq"):
        if seq <= place:
            break
        place = min(place, added.get(stroke_id, place + 1) - 1)
    return place


def _baked(document: Document, state: DocumentState) -> dict[str, Any]:
    media = Medium.objects.filter(item=document.assignment.item_id).values_list("ordinal", "size_z", "size_y", "size_x")
    sizes = {ordinal: (z, y, x) for ordinal, z, y, x in media}
    layers = []
    for (medium, label), layer in paint_layers(state, sizes, masks_of(document, state)).items():
        blob = store_blob(content=encode_mask(layer.voxels), kind="mask")
        DocumentMask.objects.get_or_create(document=document, blob=blob)
        layers.append(
            {
                "medium": medium, "label": label, "mask": blob.pk, "origin": list(layer.origin),
                "size": list(layer.voxels.shape), **source_to_document(layer_source(state, medium, label)),
            }
        )  # fmt: skip
    return state_to_document(replace(state, marks={}, base_layers=tuple(layers)))
