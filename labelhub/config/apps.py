"""Makes this package's commands known to Django."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    """Commands that cross packages."""

    name = "labelhub.config"
    label = "config"
