"""Reading people and the keys they made."""

from __future__ import annotations

from django.db.models import QuerySet

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


def names_of(keys: set[int]) -> dict[int, str]:
    """Return the shown names of many people in one query."""
    return {user.pk: str(user) for user in User.objects.filter(pk__in=keys)}
