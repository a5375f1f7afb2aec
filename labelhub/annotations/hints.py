"""Hints between processes that something happened to a working copy; nothing of what. Whoever hears one reads the database.

A hint may be lost: windows ask by themselves now and then.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)


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
    transaction.on_commit(lambda: _tell(document_id, hint), robust=True)


@contextmanager
def only_a_hint() -> Iterator[None]:
    """Whatever goes wrong with the message server inside is noted, and costs nothing that was stored."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each message server has failures of its own kind
        logger.warning("hints do not travel now (%s); windows ask by themselves", type(error).__name__)


def _tell(document_id: uuid.UUID, hint: dict[str, Any]) -> None:
    layer = get_channel_layer()
    with only_a_hint():
        if layer is not None:
            async_to_sync(layer.group_send)(group_of(document_id), hint)
