"""Registers the package with Django."""

from django.apps import AppConfig


class RoutingApp(AppConfig):
    """Pure policy, plus the recorded Route and Gate."""

    name = "labelhub.routing"
    label = "routing"
