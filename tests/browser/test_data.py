"""The Data page in a real Chromium: a folder goes up in pieces, is read, and tells what became of each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from labelhub.catalog import uploads
from labelhub.catalog.models import IngestEntry, Item
from labelhub.jobs.worker import run_pending
from tests.cast import Cast, make_cast
from tests.catalog.arriving import picture, series

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
if not CHROMIUM.exists():
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

sync_api = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module", autouse=True)
def _static_files() -> None:
    """The live server serves what is collected."""
    plain_files = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES={**settings.STORAGES, **plain_files}):
        call_command("collectstatic", verbosity=0, interactive=False)


@pytest.fixture
def people(transactional_db) -> Cast:
    return make_cast()


@pytest.fixture
def page(live_server, people) -> Iterator[Any]:
    client = Client()
    client.force_login(people.ada)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        cookie = client.cookies["labelhub_session"].value
        context.add_cookies([{"name": "labelhub_session", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{live_server.url}/manage/cells/data/")
        yield page
        browser.close()
    assert troubles == []


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "study"
    series(place / "ct", n=3)
    (place / "a.png").write_bytes(picture("PNG"))
    (place / "notes.png").write_bytes(b"not a picture")
    return place


def test_a_folder_is_chosen_sent_read_and_each_file_told(page, folder):
    page.locator("input[webkitdirectory]").set_input_files(str(folder))
    page.wait_for_url("**/data/*/")
    assert page.locator("#file-list tbody tr").count() == 5
    run_pending(queues=["cpu"])
    page.wait_for_selector("text=2 items from 4 files")
    page.wait_for_selector("#file-list >> text=Refused 1")
    assert "whatever the name says" in page.locator("#file-list").inner_text()
    assert Item.objects.count() == 2
    assert "study/ct/slice000.dcm" in IngestEntry.objects.values_list("path", flat=True)


def test_an_upload_whose_page_was_closed_goes_on_with_the_same_files(page, folder, people, live_server):
    run = uploads.open_upload(project=people.project, options={}, asked_by="user:1")
    content = (folder / "a.png").read_bytes()
    uploads.receive_piece(run=run, name="a.png", offset=0, total=len(content), piece=content[:50])
    page.reload()
    page.wait_for_selector("text=An upload was begun")
    page.locator("input[data-files]:not([webkitdirectory])").set_input_files(str(folder / "a.png"))
    page.wait_for_url(f"**/data/{run.pk}/")
    run_pending(queues=["cpu"])
    page.wait_for_selector("text=1 items from 1 files")


def test_a_refused_option_is_said_beside_the_upload_and_nothing_is_sent(page, folder):
    page.locator("#upload details summary").click()
    page.locator("#upload-subject-from").select_option("pattern")
    page.locator("#upload-pattern").fill("(")
    page.locator("input[data-files]:not([webkitdirectory])").set_input_files(str(folder / "a.png"))
    page.wait_for_selector("[data-upload-wrong]:visible")
    assert "no regular expression" in page.locator("[data-upload-wrong]").inner_text()
    assert not IngestEntry.objects.exists()
