"""Writing to and verifying the audit chain.

Each event's hash is an HMAC-SHA-256 over its own facts and the hash before it, under a key kept outside the database: who
can write to the database but does not hold the key cannot change, drop, swap or add an event unseen. A cut at the end is
found by the head row, and by a head exported earlier.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from labelhub.audit.models import ChainHead, Event

SITE_CHAIN = "site"


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
) -> Event:
    """Write one event into the current transaction. ``kind`` is dotted and past tense: ``submission.frozen``.

    The write belongs to the transaction of what it records, so that neither exists without the other; outside one it is
    refused. Never put names of patients, files or people's answers into ``facts``: ids, counts and versions only.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An audit event is written in the transaction of what it records.")
    chain = chain_of(project_id)
    head = ChainHead.objects.select_for_update().filter(chain=chain).first()
    if head is None:
        ChainHead.objects.get_or_create(chain=chain)
        head = ChainHead.objects.select_for_update().get(chain=chain)
    event = Event(
        chain=chain,
        seq=head.seq + 1,
        at=timezone.now(),
        kind=kind,
        actor=actor[:80],
        subject=subject[:120],
        facts=dict(facts or {}),
        previous_hash=head.hash,
    )
    event.hash = _hash(event, _key())
    event.save(force_insert=True)
    ChainHead.objects.filter(chain=chain).update(seq=event.seq, hash=event.hash)
    return event


def verify(chain: str) -> Verdict:
    """Walk ``chain`` from its first event and compare every hash and the head. Reads only."""
    key, expected_seq, previous = _key(), 0, ""
    for event in Event.objects.filter(chain=chain).order_by("seq").iterator(chunk_size=2000):
        expected_seq += 1
        fits = event.seq == expected_seq and event.previous_hash == previous
        if not fits or not hmac.compare_digest(event.hash, _hash(event, key)):
            return Verdict(
                chain, expected_seq, expected_seq, f"Event {expected_seq} was changed, moved or removed.", ""
            )
        previous = event.hash
    head = ChainHead.objects.filter(chain=chain).first()
    if head is None and expected_seq == 0:
        return Verdict(chain, 0, None, "No event was written yet.", "")
    if head is None or head.seq != expected_seq or head.hash != previous:
        return Verdict(
            chain, expected_seq, expected_seq + 1, "Events at the end are missing, or the head was changed.", ""
        )
    return Verdict(chain, expected_seq, None, f"All {expected_seq} events are as they were written.", previous)


def chains() -> list[str]:
    """Return the names of all chains that have a head or an event."""
    heads = set(ChainHead.objects.values_list("chain", flat=True))
    return sorted(heads | set(Event.objects.values_list("chain", flat=True).distinct()))


def _key() -> bytes:
    key: bytes = settings.ENVIRONMENT.audit_key
    return key


def _hash(event: Event, key: bytes) -> str:
    at = event.at.astimezone(UTC) if isinstance(event.at, datetime) else event.at
    content = [
        event.chain, event.seq, at.isoformat(), event.kind, event.actor, event.subject, event.facts, event.previous_hash,
    ]  # fmt: skip
    return hmac.new(key, orjson.dumps(content, option=orjson.OPT_SORT_KEYS), hashlib.sha256).hexdigest()
