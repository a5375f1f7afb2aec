"""Reading people and the keys they made."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from labelhub.accounts.models import ApiToken, User


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the person's keys that still work, newest first. Their texts are not known to anyone."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-created_at")


def person_named(username: str) -> User | None:
    """Return the person with this sign-in name, if there is one."""
    return User.objects.filter(username=username).first()


def person_of(pk: int) -> User | None:
    """Return the person with this key, if there is one."""
    return User.objects.filter(pk=pk).first()


def standing_sessions(sessions: Mapping[str, tuple[int, int | None]]) -> set[str]:
    """Return the keys of those of the sessions (key: person, epoch) that still stand. Two queries for all of them."""
    current = Session.objects.filter(session_key__in=list(sessions), expire_date__gt=timezone.now())
    people = {person for person, _ in sessions.values()}
    epochs = dict(User.objects.filter(pk__in=people, is_active=True).values_list("pk", "session_epoch"))
    known = set(current.values_list("pk", flat=True))
    return {
        key
        for key, (person, epoch) in sessions.items()
        if key in known and person in epochs and epoch in (None, epochs[person])
    }


def names_of(keys: set[int]) -> dict[int, str]:
    """Return the shown names of many people in one query."""
    return {user.pk: str(user) for user in User.objects.filter(pk__in=keys)}
