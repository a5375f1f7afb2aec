"""Working copies that are drawn in now, kept in memory between writes: an operation then costs no fold of all before it.

What is kept is only a shortcut. It is taken out while it is in use and put back once the write that changed it is committed, so
that nothing which was rolled back is ever believed; whoever uses one holds the document's lock, and it first catches up with
what other processes wrote. Not here: who may write (``log``), and what operations mean (``fold``, ``operations``).
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.db.models import Max

from labelhub.annotations import history
from labelhub.annotations.fold import Act, Folding
from labelhub.annotations.models import Document, DocumentMask, Operation
from labelhub.annotations.operations import Context
from labelhub.catalog.blobs import read_blob
from labelhub.catalog.models import Blob, Medium
from labelhub.formats.mask_blob import mask_size
from labelhub.projects.ontology import Ontology, read_ontology

# Together, what is kept stays below some hundred megabytes.
MOST_KEPT, MOST_OPERATIONS = 64, 400_000


@dataclass(slots=True)
class Standing:
    """A document at ``head_seq``: its fold, where each operation stands, and which number each client sends next.

    ``owners`` holds who uses a client's id; nobody else may count on under it. ``log_start`` is where the fold began
    (``Document.baked_seq``).
    """

    document_id: uuid.UUID
    epoch: int
    log_start: int
    folding: Folding
    ontology: Ontology
    sizes: dict[int, tuple[int, int, int]]
    masks: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    numbers: dict[uuid.UUID, int] = field(default_factory=dict)
    owners: dict[uuid.UUID, int] = field(default_factory=dict)

    @property
    def head_seq(self) -> int:
        """The last operation that was folded."""
        return self.folding.head_seq

    def context(self, author: str) -> Context:
        """Return what the author's next operation is checked against."""
        return Context(author, self.ontology, self.sizes, self.folding, self.masks)

    def take_up(self, act: Act, client_id: uuid.UUID, client_seq: int, author_id: int) -> None:
        """Fold one operation, and note its place and its client's count."""
        self.folding.apply(act)
        self.places[act.op_id] = act.seq
        self.numbers[client_id] = max(self.numbers.get(client_id, 1), client_seq + 1)
        self.owners[client_id] = author_id

    def learn_mask(self, name: Any) -> None:
        """Look for a mask that may have been brought since, unless it is known."""
        if isinstance(name, str) and name not in self.masks:
            self.learn_masks()

    def learn_masks(self) -> None:
        """Read the sizes of masks that were brought since."""
        brought = DocumentMask.objects.filter(document=self.document_id).exclude(blob__in=list(self.masks))
        for blob in Blob.objects.filter(pk__in=brought.values("blob")):
            self.masks[blob.pk] = mask_size(read_blob(blob))


class Standings:
    """What is kept, the last used last. One a process; any thread may ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[uuid.UUID, Standing] = OrderedDict()

    def take(self, document: Document) -> Standing:
        """Return the document at its head, out of the store; the caller holds its lock and gives it back by :meth:`keep`."""
        with self._lock:
            standing = self._kept.pop(document.pk, None)
        if standing is None or (standing.epoch, standing.log_start) != (document.epoch, document.baked_seq):
            return _loaded(document)
        if standing.head_seq > document.head_seq:
            return _loaded(document)
        if standing.head_seq < document.head_seq:
            _catch_up(standing)
        return standing

    def keep(self, *taken: Standing) -> None:
        """Keep what was committed; the longest unused go where it becomes too much."""
        with self._lock:
            self._kept.update({standing.document_id: standing for standing in taken})
            while len(self._kept) > MOST_KEPT or (
                len(self._kept) > 1 and sum(len(entry.places) for entry in self._kept.values()) > MOST_OPERATIONS
            ):
                self._kept.popitem(last=False)


standings = Standings()


def _loaded(document: Document) -> Standing:
    media = Medium.objects.filter(item=document.assignment.item_id).values_list("ordinal", "size_z", "size_y", "size_x")
    standing = Standing(
        document_id=document.pk,
        epoch=document.epoch,
        log_start=document.baked_seq,
        folding=Folding(history.base_at(document)),
        ontology=read_ontology(document.ontology.content),
        sizes={ordinal: (z, y, x) for ordinal, z, y, x in media},
    )
    log = Operation.objects.filter(document=document)
    early = log.filter(seq__lte=standing.head_seq).values_list("op_id", "seq")
    standing.places = {str(op_id): seq for op_id, seq in early}
    for client_id, author_id, highest in log.values_list("client_id", "author").annotate(highest=Max("client_seq")):
        standing.numbers[client_id] = highest + 1
        standing.owners[client_id] = author_id
    _catch_up(standing)
    standing.learn_masks()
    return standing


def _catch_up(standing: Standing) -> None:
    rows = Operation.objects.filter(document=standing.document_id, seq__gt=standing.head_seq).order_by("seq")
    fields = ("seq", "op_id", "author__public_id", "kind", "payload", "client_id", "client_seq", "author")
    for seq, op_id, public_id, kind, payload, client_id, client_seq, author_id in rows.values_list(*fields):
        act = Act(seq, str(op_id), str(public_id), kind, payload)
        standing.take_up(act, client_id, client_seq, author_id)
