"""What an event's hash is made over, byte for byte: the one definition, for the chain and for files that carry events.

Pure. Not here: the key, writing and verifying (``services``), files (``sealed``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson


def time_text(at: datetime) -> str:
    """Return a time as it stands in what is hashed."""
    return at.astimezone(UTC).isoformat()


def content_of(
    chain: str, seq: int, at: str, kind: str, actor: str, subject: str, facts: Mapping[str, Any], before: str
) -> bytes:
    """Return what an event's hash covers; ``at`` is a :func:`time_text`, ``before`` the hash of the event before it."""
    content = [chain, seq, at, kind, actor, subject, facts, before]
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def keyed_hash(key: bytes, content: bytes) -> str:
    """Return the hash of an event under a key: who does not hold it can neither make nor check one."""
    return hmac.digest(key, content, "sha256").hex()


def plain_hash(content: bytes) -> str:
    """Return a hash of an event's content that anybody can check, and anybody could make."""
    return hashlib.sha256(content).hexdigest()


def key_mark(key: bytes) -> str:
    """Return what a key is recognised by, without telling anything of it."""
    return hmac.digest(key, b"mark of the key", "sha256").hex()[:16]
