"""Registers the package with Django."""

from django.apps import AppConfig


class ExportsApp(AppConfig):
    """Versioned releases of settled labels."""

    name = "labelhub.exports"
    label = "exports"
