"""Registers the package with Django."""

from django.apps import AppConfig


class AnalyticsApp(AppConfig):
    """Read-only rollups of labelers and projects."""

    name = "labelhub.analytics"
    label = "analytics"
