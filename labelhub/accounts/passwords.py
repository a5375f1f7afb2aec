"""Signing in with a password, setting one, and signing out. A one-time link needs none of this (``services``).

Whether there is such a person is never told apart from a wrong password, neither in words nor in the time it takes.
"""

from __future__ import annotations

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError
from django.db import transaction

from labelhub.accounts.models import User
from labelhub.accounts.services import end_sessions
from labelhub.audit import services as audit

THEMES = ("system", "light", "dark")


class PasswordRefused(ValueError):
    """The password is wrong, or too weak to set; the message says which and what to do."""


def sign_in_with_password(*, username: str, password: str) -> User:
    """Return the active person with this name and password. Writes ``person.signed_in``; raises ``PasswordRefused``."""
    user = User.objects.filter(username=username, is_active=True).first()
    encoded = user.password if user is not None and user.has_usable_password() else make_password("nobody's")
    is_right = check_password(password, encoded)
    if user is None or not is_right or not user.has_usable_password():
        raise PasswordRefused("Name and password do not fit together. Try again, or ask an admin for a one-time link.")
    with transaction.atomic():
        audit.append(
            project_id=None, kind="person.signed_in", actor=f"user:{user.pk}", subject=f"user:{user.pk}",
            facts={"by": "password"},
        )  # fmt: skip
    return user


def set_password(*, user: User, password: str, current: str = "") -> None:
    """Give ``user`` a password; the present one must be named where there is one. All their sessions end.

    Writes ``password.set`` and ``sessions.ended``. Raises :class:`PasswordRefused`.
    """
    if user.has_usable_password() and not user.check_password(current):
        raise PasswordRefused("The present password is not right. Nothing was changed.")
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages) + " Nothing was changed.") from error
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.append(project_id=None, kind="password.set", actor=f"user:{user.pk}", subject=f"user:{user.pk}")
        end_sessions(user=user, actor=f"user:{user.pk}", reason="password set")
    user.refresh_from_db()


def record_sign_out(*, user: User) -> None:
    """Write ``person.signed_out``; the session itself is ended by the page."""
    with transaction.atomic():
        audit.append(project_id=None, kind="person.signed_out", actor=f"user:{user.pk}", subject=f"user:{user.pk}")


def change_profile(*, user: User, display_name: str | None = None, theme: str | None = None) -> None:
    """Change how the person is shown and how pages look. Unknown themes are refused with ``ValueError``."""
    if theme is not None and theme not in THEMES:
        raise ValueError(f"{theme!r} is no theme. Allowed: {', '.join(THEMES)}.")
    values = {"display_name": display_name and display_name.strip()[:120], "theme": theme}
    changes = {name: value for name, value in values.items() if value}
    if not changes:
        return
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(**changes)
        if "display_name" in changes:
            audit.append(project_id=None, kind="person.renamed", actor=f"user:{user.pk}", subject=f"user:{user.pk}")
