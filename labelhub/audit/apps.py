"""Registers the package with Django."""

from django.apps import AppConfig


class AuditApp(AppConfig):
    """Append-only, hash-chained record of who did what."""

    name = "labelhub.audit"
    label = "audit"
