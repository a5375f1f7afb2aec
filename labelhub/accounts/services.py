"""Making people and the ways they sign in. Tokens are shown once; the database holds their hashes only."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from labelhub.accounts.models import ApiToken, OneTimeLink, User
from labelhub.audit import services as audit

LINK_LIFETIME = timedelta(days=1)


class LinkRefused(ValueError):
    """The link was used, is too old, or was never made."""


def create_person(*, username: str, display_name: str, email: str = "", site_role: str = "", actor: str) -> User:
    """Make an account without a password: its owner signs in by a one-time link and may then set one."""
    with transaction.atomic():
        user = User(username=username, display_name=display_name, email=email, site_role=site_role)
        user.set_unusable_password()
        user.save(force_insert=True)
        audit.append(
            project_id=None,
            kind="person.created",
            actor=actor,
            subject=f"user:{user.pk}",
            facts={"site_role": site_role},
        )
    return user


def make_sign_in_link(*, user: User, actor: str, lifetime: timedelta = LINK_LIFETIME) -> str:
    """Return the token of a link that signs ``user`` in once."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        link = OneTimeLink.objects.create(user=user, token_hash=_hash(token), expires_at=timezone.now() + lifetime)
        audit.append(
            project_id=None, kind="sign_in_link.made", actor=actor, subject=f"user:{user.pk}", facts={"link": link.pk}
        )
    return token


def use_sign_in_link(token: str) -> User:
    """Return whom the link signs in and spend it. Raises :class:`LinkRefused`. Two uses at once: one wins."""
    now = timezone.now()
    with transaction.atomic():
        fresh = OneTimeLink.objects.filter(
            token_hash=_hash(token), used_at=None, expires_at__gt=now, user__is_active=True
        )
        if fresh.update(used_at=now) != 1:
            raise LinkRefused("This sign-in link was used already, or it is too old. Ask an admin for a new one.")
        link = OneTimeLink.objects.select_related("user").get(token_hash=_hash(token))
        audit.append(
            project_id=None, kind="person.signed_in", actor=f"user:{link.user_id}", subject=f"user:{link.user_id}",
            facts={"by": "link"},
        )  # fmt: skip
    return link.user


def end_sessions(*, user: User, actor: str, reason: str) -> None:
    """End all sessions of ``user`` at once: each request and socket message compares the epoch."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        audit.append(
            project_id=None, kind="sessions.ended", actor=actor, subject=f"user:{user.pk}", facts={"reason": reason}
        )


def make_api_token(*, user: User, name: str) -> str:
    """Return a new key for machines that act as ``user``."""
    token = f"lh_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        row = ApiToken.objects.create(user=user, name=name[:120], token_hash=_hash(token))
        audit.append(
            project_id=None,
            kind="api_token.made",
            actor=f"user:{user.pk}",
            subject=f"user:{user.pk}",
            facts={"token": row.pk},
        )
    return token


def revoke_api_token(*, token: ApiToken, actor: str) -> None:
    """Make a key useless from now on."""
    with transaction.atomic():
        ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        audit.append(
            project_id=None,
            kind="api_token.revoked",
            actor=actor,
            subject=f"user:{token.user_id}",
            facts={"token": token.pk},
        )


def user_of_token(token: str) -> User | None:
    """Return the active owner of a key that was not revoked, or None."""
    row = ApiToken.objects.select_related("user").filter(token_hash=_hash(token), revoked_at=None).first()
    return row.user if row is not None and row.user.is_active else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
