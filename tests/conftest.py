"""Fixtures for all tests: plain static files, blobs in a temporary folder, and the cast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labelhub.config.settings import ENVIRONMENT
from labelhub.workflow import beat
from tests.cast import Cast, forget_cast, make_cast
from tests.kept import storages

# Whoever asks for one of these touches the database.
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--database-only``: a second database has nothing to say to a test that touches none."""
    parser.addoption("--database-only", action="store_true", help="run only what touches the database or Redis")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what touches no database where that is asked for, and what speaks to Redis where there is none."""
    if not ENVIRONMENT.redis_url:
        without = [item for item in items if item.get_closest_marker("redis")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    if config.getoption("--database-only"):
        left_out = [item for item in items if not _touches_database(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _touches_database(item)]


def _touches_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    is_marked = item.get_closest_marker("django_db") is not None or item.get_closest_marker("redis") is not None
    return is_marked or bool(DATABASE_FIXTURES & fixtures)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch) -> None:
    """Answers do not wait for their beat: nobody holds a stopwatch."""
    monkeypatch.setattr(beat, "wait", lambda seconds: None)


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, settings) -> None:
    """No test writes blobs into a shared folder, and pages need no collected static files."""
    settings.STORAGES = storages(tmp_path / "blobs")


@pytest.fixture(autouse=True)
def _cast_anew(request) -> Iterator[None]:
    """After a test that empties all tables the cast is made by the services again."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if (marker and marker.kwargs.get("transaction")) or {"transactional_db", "live_server"} & set(request.fixturenames):
        forget_cast()


@pytest.fixture
def cast(db) -> Cast:
    """Two annotators, a reviewer, an admin, an outsider, and their project."""
    return make_cast()
