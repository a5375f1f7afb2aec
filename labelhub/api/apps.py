"""Registers the package with Django."""

from django.apps import AppConfig


class ApiApp(AppConfig):
    """REST for machines and the canvas."""

    name = "labelhub.api"
    label = "api"
