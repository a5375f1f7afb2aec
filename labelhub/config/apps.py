"""Makes this package's commands known to Django, and says which packaged static files are never served."""

from __future__ import annotations

from typing import ClassVar

from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class ConfigApp(AppConfig):
    """Commands that cross packages."""

    name = "labelhub.config"
    label = "config"


class ServedFiles(StaticFilesConfig):
    """Leaves out what no page of ours loads: extensions of htmx, whose imports browsers cannot resolve, and API browsers."""

    ignore_patterns: ClassVar[list[str]] = [  # type: ignore[misc]
        *StaticFilesConfig.ignore_patterns, "django_htmx/ext/*", "rest_framework/*",
    ]  # fmt: skip
