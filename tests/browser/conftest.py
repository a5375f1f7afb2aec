"""One Chromium for all browser tests, collected static files, and a way to open pages as somebody."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from labelhub.accounts.models import User
from labelhub.config.soak.drivers import CHROMIUM, FLAGS
from labelhub.config.soak.serving import Served, collect_pages, served
from tests.realdata import absent

PATIENCE_MS = 12_000


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> None:
    """The live server serves what is collected."""
    plain_files = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES={**settings.STORAGES, **plain_files}):
        call_command("collectstatic", verbosity=0, interactive=False)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; one process for the whole run."""
    if not CHROMIUM.exists():
        absent("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit_as(chromium, live_server) -> Iterator[Callable[..., Any]]:
    """Return a way to open a browser window as a person (``windows``), on a server without sockets in this process."""
    with windows(chromium, live_server.url) as open_as:
        yield open_as


@pytest.fixture(scope="session")
def hashed_files(tmp_path_factory) -> Path:
    """The static files as a site serves them, under names with hashes."""
    folder: Path = tmp_path_factory.mktemp("hashed") / "static"
    collect_pages(folder)
    return folder


@pytest.fixture
def server(transactional_db, tmp_path, hashed_files) -> Iterator[Served]:
    """A server of its own, with sockets, that a test may kill and start again."""
    shutil.copytree(hashed_files, tmp_path / "static")
    made = served(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def visit_live(chromium, server) -> Iterator[Callable[..., Any]]:
    """Return a way to open a browser window as a person (``windows``), on the server with sockets."""
    with windows(chromium, server.url) as open_as:
        yield open_as


@contextmanager
def windows(chromium: Any, url: str) -> Iterator[Callable[..., Any]]:
    """Open browser windows as people; complaints of the browser fail the test at its end.

    Refused requests that a test means to provoke (offline, conflicts) are the page's own business: only errors of scripts
    and breaches of the content security policy count as complaints, unless ``is_strict`` counts every console error.
    """
    complaints: list[str] = []
    contexts = []

    def open_as(
        user: User,
        place: str = "",
        *,
        width: int = 1280,
        height: int = 720,
        scheme: str = "light",
        is_strict: bool = False,
    ) -> Any:
        client = Client()
        client.force_login(user)
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, color_scheme=scheme, base_url=url)
        contexts.append(context)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()

        def heard(message: Any) -> None:
            if "Content Security" in message.text or (is_strict and message.type == "error"):
                complaints.append(f"{page.url}: {message.text}")

        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", heard)
        if place:
            page.goto(place)
        return page

    try:
        yield open_as
    finally:
        for context in contexts:
            context.close()
    assert complaints == []
