"""What a module's tests share: made once, in a transaction around theirs, and thrown away at the module's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction
from django.test import override_settings

Made = TypeVar("Made")
Storages = dict[str, dict[str, Any]]


def storages(folder: Path) -> Storages:
    """Return the setting under which blobs lie in ``folder`` and pages need no collected static files."""
    return {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(folder)}},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def made_once(make: Callable[[], Made], *, blocker: Any, folder: Path) -> Iterator[tuple[Made, Storages]]:
    """The life of a fixture of a module: yield what ``make`` makes and where its blobs lie.

    A test sees the rows as they were made, whatever the tests before it did. Objects in memory it should copy.
    """
    place = storages(folder)
    with blocker.unblock(), transaction.atomic():
        with override_settings(STORAGES=place):
            made = make()
        yield made, place
        transaction.set_rollback(True)
