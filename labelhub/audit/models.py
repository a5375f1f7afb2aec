"""The rows of the audit chain. Written by ``audit.services.append`` only; no row is ever changed or deleted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class ChainHead(models.Model):
    """The last link of one chain (a project's, or the site's): locked while the next event is written."""

    chain = models.CharField(max_length=64, primary_key=True)
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")


class Event(models.Model):
    """Somebody did something at a time. ``hash`` covers this row and the hash before it, under a key outside the database."""

    chain = models.CharField(max_length=64)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=80)
    actor = models.CharField(max_length=80)
    subject = models.CharField(max_length=120)
    facts = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        """Order of a chain and its uniqueness."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "seq"], name="an_event_has_one_place_in_its_chain"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["chain", "subject", "seq"], name="audit_by_subject"),
            models.Index(fields=["chain", "actor", "at"], name="audit_by_actor"),
        ]
