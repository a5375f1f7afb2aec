"""That an item's story left the installation as a file, on the record. Not here: the file (``web.story``, ``audit.sealed``)."""

from __future__ import annotations

import hashlib

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.permissions import Action, require


def record_export(*, item: Item, by: User, content: bytes) -> None:
    """Write ``story.exported`` with the file's hash. Raises ``NotFound`` or ``NotAllowed`` for all but admins."""
    require(by, Action.MANAGE, item)
    with transaction.atomic():
        audit.append(
            project_id=item.project_id, kind="story.exported", actor=f"user:{by.pk}", subject=f"item:{item.pk}",
            facts={"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
        )  # fmt: skip
