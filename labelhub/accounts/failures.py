"""Slows down guessing of passwords: few failures a name and an address in a quarter of an hour.

Failures are rows, so that all web processes of a site count together and a restart forgets none. Names and addresses are kept
only as digests under the site's secret, and only as long as they count.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from labelhub.accounts.models import FailedSignIn

WINDOW = timedelta(minutes=15)
MOST_A_NAME = 5
MOST_AN_ADDRESS = 30


def is_blocked(*, name: str, address: str, now: datetime | None = None) -> bool:
    """Whether this name from this address, or this address at all, has failed too often of late."""
    rows = FailedSignIn.objects.filter(at__gt=(now or timezone.now()) - WINDOW)
    of_name = rows.filter(name_digest=_name_digest(name, address)).count()
    return of_name >= MOST_A_NAME or rows.filter(address_digest=_digest(address)).count() >= MOST_AN_ADDRESS


def note_failure(*, name: str, address: str, now: datetime | None = None) -> None:
    """Keep one failure of the name at this address; what no longer counts is deleted."""
    at = now or timezone.now()
    with transaction.atomic():
        FailedSignIn.objects.filter(at__lte=at - WINDOW).delete()
        FailedSignIn.objects.create(name_digest=_name_digest(name, address), address_digest=_digest(address), at=at)


def forget(*, name: str, address: str) -> None:
    """Start again after a success; the address keeps its other failures, so that one known account does not free it."""
    FailedSignIn.objects.filter(name_digest=_name_digest(name, address)).update(name_digest="")


def _name_digest(name: str, address: str) -> str:
    return _digest(f"{name.strip().casefold()}\x00{address}")


def _digest(text: str) -> str:
    return salted_hmac("labelhub.accounts.failures", text, algorithm="sha256").hexdigest()
