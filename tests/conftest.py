"""Fixtures for all tests: plain static files, blobs in a temporary folder, and the cast."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cast import Cast, make_cast


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, settings) -> None:
    """No test writes blobs into a shared folder, and pages need no collected static files."""
    settings.STORAGES = {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "blobs")},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def cast(db) -> Cast:
    """Two annotators, a reviewer, an admin, an outsider, and their project."""
    return make_cast()
