"""Hints between processes that something happened to a working copy; nothing of what. Whoever hears one reads the database.

A hint may be lost: windows ask by themselves now and then. Not here: how hints travel (``accounts.hinting``).
"""

from __future__ import annotations

import uuid
from typing import Any

from labelhub.accounts.hinting import send_on_commit


def group_of(document_id: uuid.UUID) -> str:
    """Return the name under which a document's hints travel."""
    return f"document.{document_id.hex}"


def head_moved(document_id: uuid.UUID, head_seq: int) -> dict[str, Any]:
    """Return the hint that the log reaches ``head_seq`` now."""
    return {"type": "head", "document": document_id.hex, "head_seq": head_seq}


def closed(document_id: uuid.UUID) -> dict[str, Any]:
    """Return the hint that nobody draws here now."""
    return {"type": "closed", "document": document_id.hex}


def pinned(document_id: uuid.UUID) -> dict[str, Any]:
    """Return the hint that something was said at a pin of the document."""
    return {"type": "pins", "document": document_id.hex}


def tell_on_commit(document_id: uuid.UUID, hint: dict[str, Any]) -> None:
    """Send ``hint`` once what it tells of is committed."""
    send_on_commit(group_of(document_id), hint)
