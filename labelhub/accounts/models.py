"""People and the ways they sign in. What they may do in a project is in ``projects.permissions``."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class User(AbstractUser):
    """A person with an account. ``session_epoch`` goes up when all their sessions must end (role, password, disabled)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    display_name = models.CharField(max_length=120)
    session_epoch = models.PositiveIntegerField(default=0)
    # A role in every project of the site; empty for people who have roles in single projects only.
    site_role = models.CharField(max_length=12, blank=True)
    theme = models.CharField(max_length=8, default="system")

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        """Return the name shown to colleagues."""
        return str(self)


class OneTimeLink(models.Model):
    """A sign-in link that works once until it expires. Only the hash of its token is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=24, default="sign-in")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key for machines. Shown once; only its hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class FailedSignIn(models.Model):
    """A password was wrong at this time. Name and address are kept as a digest, for a quarter of an hour."""

    name_digest = models.CharField(max_length=64)
    address_digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        """Counted by name and address, or by address alone."""

        indexes: ClassVar = [
            models.Index(fields=["address_digest", "at"], name="failed_sign_ins_by_address"),
            models.Index(fields=["name_digest", "at"], name="failed_sign_ins_by_name"),
        ]


class Notification(models.Model):
    """Somebody was told something. ``about`` names what it leads to; ``key`` the fact, so that it is told once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)
    text = models.CharField(max_length=300)
    about = models.CharField(max_length=200, blank=True)
    project_id = models.BigIntegerField(null=True)
    key = models.CharField(max_length=120)
    in_app = models.BooleanField(default=True)
    by_mail = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    @property
    def moment(self) -> int:
        """When it was told, in microseconds: its address. A number of rows would say how much others were told meanwhile."""
        return (self.created_at - EPOCH) // timedelta(microseconds=1)

    class Meta:
        """A fact is told to somebody once."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="a_fact_is_told_to_somebody_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="notifications_of_somebody"),
            models.Index(
                fields=["user"], condition=models.Q(read_at=None, in_app=True), name="notifications_not_read_yet"
            ),
        ]


class NotificationChoice(models.Model):
    """Where somebody wants to be told of a kind of thing; without a row: in the app, and not by mail."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)
    in_app = models.BooleanField(default=True)
    by_mail = models.BooleanField(default=False)

    class Meta:
        """One choice a kind."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "kind"], name="one_choice_a_kind_of_notification"),
        ]


class MailDigest(models.Model):
    """How often somebody gets what they were told by mail, and when they last did."""

    class Every(models.TextChoices):
        """The rhythm."""

        OFF = "off"
        HOURLY = "hourly"
        DAILY = "daily"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+")
    every = models.CharField(max_length=8, choices=Every.choices, default=Every.OFF)
    sent_at = models.DateTimeField(null=True)
