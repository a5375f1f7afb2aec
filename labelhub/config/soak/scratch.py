"""A database, a blob folder and an audit file of a trial's own, thrown away at its end: no trial touches a site's data.

Answers do not wait for their beat meanwhile: nobody holds a stopwatch, but for the trial that does (``gold_classifier``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from django.db import connection, connections
from django.test.utils import override_settings

from labelhub.workflow import beat


@contextmanager
def scratch_database() -> Iterator[str]:
    """Make an empty migrated database beside the site's, use it, and drop it. Yields its vendor."""
    folder = Path(tempfile.mkdtemp(prefix="labelhub-soak-"))
    own = connection.settings_dict["NAME"]
    is_file = connection.vendor == "sqlite"
    connection.settings_dict["TEST"]["NAME"] = str(folder / "soak.sqlite3") if is_file else f"soak_{os.getpid()}"
    storages = {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder / "blobs")},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with (
            override_settings(
                STORAGES=storages,
                ALLOWED_HOSTS=["*"],
                AUDIT_HEADS=folder / "audit.heads",
                SECURE_SSL_REDIRECT=False,
                STATIC_ROOT=folder,
            ),
            mock.patch.object(beat, "wait", return_value=None),
        ):
            yield connection.vendor
    finally:
        connections.close_all()
        if not is_file:
            _end_sessions(str(connection.settings_dict["NAME"]))
        connection.creation.destroy_test_db(own, verbosity=0)
        shutil.rmtree(folder, ignore_errors=True)


def _end_sessions(database: str) -> None:
    """A server that a trial killed may have a session left, and a database with one cannot be dropped."""
    with connection.creation._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
