"""Slows down guessing of passwords: few failures a name and an address in a quarter of an hour.

Counts live in Django's cache: one process, or all of them where the site's cache is shared.
"""

from __future__ import annotations

import hashlib

from django.core.cache import cache
from django.http import HttpRequest

WINDOW_S = 15 * 60
MOST_A_NAME = 5
MOST_AN_ADDRESS = 30


def is_blocked(request: HttpRequest, name: str) -> bool:
    """Whether this name from this address, or this address at all, has failed too often of late."""
    counts = [int(cache.get(key, 0)) for key in _keys(request, name)]
    return counts[0] >= MOST_A_NAME or counts[1] >= MOST_AN_ADDRESS


def note_failure(request: HttpRequest, name: str) -> None:
    """Count one failure for the name at this address and for the address."""
    for key in _keys(request, name):
        if not cache.add(key, 1, WINDOW_S):
            cache.incr(key)


def forget(request: HttpRequest, name: str) -> None:
    """Start again after a success; the address keeps its count, so that one known account does not free it."""
    cache.delete(_keys(request, name)[0])


def _keys(request: HttpRequest, name: str) -> tuple[str, str]:
    address = request.META.get("REMOTE_ADDR", "")
    digest = hashlib.sha256(f"{name.strip().casefold()}\x00{address}".encode()).hexdigest()
    return f"sign-in:{digest}", f"sign-in-from:{address}"
