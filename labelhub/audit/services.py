"""Writing to and verifying the audit chain.

Each event's hash is an HMAC-SHA-256 over its own facts and the hash before it, under a key kept outside the database: who
can write to the database but does not hold the key cannot change, drop, swap or add an event unseen. A cut at the end is
found by the head row, and by a head exported earlier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labelhub.audit import prepared
from labelhub.audit.content import content_of, keyed_hash, time_text
from labelhub.audit.heads import exported_head
from labelhub.audit.models import ChainHead, Event
from labelhub.audit.prepared import SLOTS

SITE_CHAIN = "site"
FIELDS = ("seq", "at", "kind", "actor", "subject", "facts", "previous_hash", "hash")
# Events of the step under way that are written at its end.
_waiting: ContextVar[list[Event] | None] = ContextVar("waiting events", default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a chain is whole. ``broken_at`` is the first sequence number that does not fit; None where all do."""

    chain: str
    events: int
    broken_at: int | None
    explanation: str
    head_hash: str


def chain_of(project_id: int | None) -> str:
    """Return the name of a project's chain, or the site's."""
    return SITE_CHAIN if project_id is None else f"project:{project_id}"


def append(
    *, project_id: int | None, kind: str, actor: str, subject: str, facts: Mapping[str, Any] | None = None
) -> None:
    """Write one event into the current transaction. ``kind`` is dotted and past tense: ``submission.frozen``.

    The write belongs to the transaction of what it records, so that neither exists without the other; outside one it is
    refused. Never put names of patients, files or people's answers into ``facts``: ids, counts and versions only.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit event is written in the transaction of what it records.")
    event = Event(
        chain=chain_of(project_id), at=timezone.now(), kind=kind, actor=actor[:80], subject=subject[:120],
        facts=dict(facts or {}),
    )  # fmt: skip
    waiting = _waiting.get()
    if waiting is None:
        _write([event])
    else:
        waiting.append(event)


@contextmanager
def written_at_the_end() -> Iterator[None]:
    """Write what is appended meanwhile together, at the end: a chain is held for as long as the writing takes.

    Inside a transaction, and where nothing that writes events is undone without undoing it all: what is raised writes none.
    Inside another one, the outer one writes.
    """
    if _waiting.get() is not None:
        yield
        return
    events: list[Event] = []
    token = _waiting.set(events)
    try:
        yield
    finally:
        _waiting.reset(token)
    for chain in dict.fromkeys(event.chain for event in events):
        _write([event for event in events if event.chain == chain])


def _write(events: Sequence[Event]) -> None:
    """Write the events, all of one chain, behind its last one."""
    chain = events[0].chain
    seq, previous = _locked_head(chain)
    for event in events:
        seq += 1
        event.seq, event.previous_hash = seq, previous
        event.hash = previous = hash_of(event)
    prepared.insert_many(events)
    heads = ChainHead.objects.filter(chain=SLOTS[0])
    prepared.change(("audit.head-moves",), lambda: (heads, {"seq": SLOTS[1], "hash": SLOTS[2]}), [chain, seq, previous])


def hold(project_id: int | None) -> None:
    """Hold the chain until the transaction ends, before reading what the events to be written follow from.

    Two who decide on the same facts then decide one after the other. As every event is the last lock of its transaction,
    so is this: take no other lock after it.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A chain is held in the transaction of what will be recorded.")
    chain = chain_of(project_id)
    ChainHead.objects.get_or_create(chain=chain)
    ChainHead.objects.select_for_update().get(chain=chain)


def verify(chain: str) -> Verdict:
    """Walk ``chain`` from its first event and compare every hash, the head, and the furthest exported head. Reads only."""
    key, expected_seq, previous = _key(), 0, ""
    exported = exported_head(chain)
    is_met = exported is None
    for row in Event.objects.filter(chain=chain).order_by("seq").values_list(*FIELDS).iterator(chunk_size=5000):
        expected_seq += 1
        seq, at, kind, actor, subject, facts, before, digest = row
        fits = seq == expected_seq and before == previous
        if not fits or digest != _hash_of(key, chain, seq, at, kind, actor, subject, facts, before):
            return Verdict(
                chain, expected_seq, expected_seq, f"Event {expected_seq} was changed, moved or removed.", ""
            )
        previous = digest
        is_met = is_met or (exported is not None and (exported.seq, exported.hash) == (seq, digest))
    head = ChainHead.objects.filter(chain=chain).first()
    if head is None and expected_seq == 0 and is_met:
        return Verdict(chain, 0, None, "No event was written yet.", "")
    if head is None or head.seq != expected_seq or head.hash != previous:
        return Verdict(
            chain, expected_seq, expected_seq + 1, "Events at the end are missing, or the head was changed.", ""
        )
    if exported is not None and not is_met:
        return Verdict(
            chain, expected_seq, expected_seq + 1,
            f"The chain had {exported.seq} events when its head was exported at {exported.at}; they are not all there.", "",
        )  # fmt: skip
    return Verdict(chain, expected_seq, None, f"All {expected_seq} events are as they were written.", previous)


def chains() -> list[str]:
    """Return the names of all chains that have a head or an event."""
    heads = set(ChainHead.objects.values_list("chain", flat=True))
    return sorted(heads | set(Event.objects.values_list("chain", flat=True).distinct()))


def _locked_head(chain: str) -> tuple[int, str]:
    """Number and hash of the chain's last event; its head is locked until the transaction ends."""

    def head() -> QuerySet[Any, Any]:
        return ChainHead.objects.select_for_update().filter(chain=SLOTS[0]).values_list("seq", "hash")

    found = prepared.rows(("audit.head",), head, [chain])
    if not found:
        ChainHead.objects.get_or_create(chain=chain)
        found = prepared.rows(("audit.head",), head, [chain])
    seq, digest = found[0]
    return int(seq), str(digest)


def _key() -> bytes:
    key: bytes = settings.ENVIRONMENT.audit_key
    return key


def hash_of(event: Event) -> str:
    """Return the hash that an event has under the site's key."""
    return _hash_of(
        _key(),
        event.chain,
        event.seq,
        event.at,
        event.kind,
        event.actor,
        event.subject,
        event.facts,
        event.previous_hash,
    )


def _hash_of(
    key: bytes,
    chain: str,
    seq: int,
    at: datetime,
    kind: str,
    actor: str,
    subject: str,
    facts: Mapping[str, Any],
    before: str,
) -> str:
    return keyed_hash(key, content_of(chain, seq, time_text(at), kind, actor, subject, facts, before))
