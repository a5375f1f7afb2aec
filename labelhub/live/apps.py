"""Registers the package with Django."""

from django.apps import AppConfig


class LiveApp(AppConfig):
    """Sockets: co-editing, presence, notifications."""

    name = "labelhub.live"
    label = "live"
