"""Whether the session behind a socket still stands: signed in, active, of the person's current epoch.

Asked at each message and, for all open sockets together, once a second (``watch``): who signs out, is disabled or loses a role
is closed out within two seconds. Not here: what somebody may do (``projects.permissions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.db import database_sync_to_async

from labelhub.accounts.middleware import EPOCH_KEY
from labelhub.accounts.models import User
from labelhub.accounts.selectors import person_of

SIGNED_OUT, TOO_MUCH, NOT_YOURS, MALFORMED = 4401, 4429, 4404, 4400


async def owner_of(scope: Mapping[str, Any]) -> User | None:
    """Return who the socket's session belongs to now; None where it ended."""
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return None
    found: User | None = await database_sync_to_async(still_signed_in)(scope["session"], user.pk)
    return found


def still_signed_in(session: Any, pk: int) -> User | None:
    """Return the person as they are now if the session still stands; None else. Reads the database."""
    if not session.exists(session.session_key):
        return None
    current = person_of(pk)
    held = session.get(EPOCH_KEY)
    is_current = current is not None and current.is_active and held in (None, current.session_epoch)
    return current if is_current else None
