"""Heads of chains, kept outside the database: who can write to the database alone cannot cut a chain's end off unseen.

A file of lines, one an export, each signed under the audit key; it only grows. Keep a copy elsewhere as well: ``manage.py audit
export`` prints the heads. Not here: writing and verifying events (``services``).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
from django.conf import settings
from django.utils import timezone

from labelhub.audit.models import ChainHead


@dataclass(frozen=True, slots=True)
class ExportedHead:
    """How far a chain had come at a time, and the hash it had there."""

    chain: str
    seq: int
    hash: str
    at: str


def export_heads(chains: Iterable[str] | None = None) -> list[ExportedHead]:
    """Write the heads of these chains (of all) to the file, and return them. Verify a chain before its head is exported."""
    rows = ChainHead.objects.order_by("chain")
    if chains is not None:
        rows = rows.filter(chain__in=list(chains))
    at = timezone.now().isoformat()
    found = [ExportedHead(row.chain, row.seq, row.hash, at) for row in rows if row.seq]
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for head in found:
            file.write(orjson.dumps([head.chain, head.seq, head.hash, head.at, _signature(head)]) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return found


def exported_head(chain: str) -> ExportedHead | None:
    """Return the furthest head of the chain that was exported; lines that are not ours are passed over."""
    if not _path().exists():
        return None
    furthest: ExportedHead | None = None
    with _path().open("rb") as file:
        for line in file:
            head = _read(line)
            if head is not None and head.chain == chain and (furthest is None or head.seq > furthest.seq):
                furthest = head
    return furthest


def _read(line: bytes) -> ExportedHead | None:
    try:
        name, seq, digest, at, signature = orjson.loads(line)
        head = ExportedHead(str(name), int(seq), str(digest), str(at))
    except (orjson.JSONDecodeError, ValueError, TypeError):
        return None
    return head if hmac.compare_digest(_signature(head), str(signature)) else None


def _signature(head: ExportedHead) -> str:
    key: bytes = settings.ENVIRONMENT.audit_key
    content = orjson.dumps([head.chain, head.seq, head.hash, head.at])
    return hmac.new(key, b"head:" + content, hashlib.sha256).hexdigest()


def _path() -> Path:
    own = getattr(settings, "AUDIT_HEADS", None)
    return Path(own) if own is not None else settings.ENVIRONMENT.var / "audit.heads"
