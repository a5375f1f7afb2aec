"""The Data page in a real Chromium: a folder goes up in pieces, is read, and tells what became of each file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelhub.catalog import uploads
from labelhub.catalog.models import IngestEntry, Item
from labelhub.jobs.worker import run_pending
from tests.cast import Cast, make_cast
from tests.catalog.arriving import picture, series

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(transactional_db) -> Cast:
    return make_cast()


@pytest.fixture
def page(visit_as, people) -> Any:
    return visit_as(people.ada, "/manage/cells/data/")


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
