"""The whole loop by hand in a real Chromium: an uploaded picture becomes a mask in a released file.

Ada brings a picture in; Ann and Ben label it; they differ, so Rita looks, returns Ann's reading with a comment; Ann mends
it; Rita accepts; Ada releases; the mask in the release is what Ann drew last.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelhub.annotations import plain
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.formats.shape_masks import shape_mask
from labelhub.formats.shapes import Grid
from labelhub.jobs.worker import run_pending
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import click_all, saved, start
from tests.cast import Cast, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDTH, HEIGHT = 240, 160


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    publish_policy(project=cast.project, policy=Policy(readers=2, max_readers=2, use_model=False), by=cast.ada)
    return cast


@pytest.fixture
def picture(tmp_path) -> Path:
    pixels = np.random.default_rng(8).integers(60, 190, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    place = tmp_path / "IMG_secret_name.png"
    Image.fromarray(pixels).save(place)
    return place


def draw_square(page: Any, left: float, right: float) -> None:
    page.keyboard.press("1")
    click_all(page, (left, 0.3), (right, 0.3), (right, 0.6), (left, 0.6))
    page.keyboard.press("Enter")
    saved(page)


def submit(page: Any) -> None:
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=*")


def test_a_picture_goes_once_around_and_comes_out_as_a_mask(visit_as, people, picture):
    admin = visit_as(people.ada, "/manage/cells/data/")
    admin.locator("input[data-files]:not([webkitdirectory])").set_input_files(str(picture))
    admin.wait_for_url("**/data/*/")
    run_pending(queues=["cpu"])
    admin.wait_for_selector("text=1 items from 1 files")
    item = Item.objects.get()

    for user, edges in ((people.ann, (0.3, 0.45)), (people.ben, (0.5, 0.65))):
        page = visit_as(user, "/label/")
        start(page)
        draw_square(page, *edges)
        submit(page)
        page.context.close()
    item.refresh_from_db()
    assert item.state == Item.State.REVIEW

    reviewer = visit_as(people.rita, f"/review/cells/{item.code}/")
    reviewer.get_by_role("radio", name="Ann").check()
    reviewer.locator("#comment").fill("Too far left: it is where Ben has it.")
    reviewer.keyboard.press("Escape")
    reviewer.get_by_role("button", name="Return").click()
    reviewer.wait_for_load_state("networkidle")
    item.refresh_from_db()
    assert item.state == Item.State.REWORK

    author = visit_as(people.ann, "/label/")
    assert "returned" in author.inner_text("main").lower()
    start(author)
    author.wait_for_selector("text=Too far left")
    author.locator(".shape-row").first.click()
    author.keyboard.press("Delete")
    draw_square(author, 0.5, 0.66)
    submit(author)
    author.context.close()

    item.refresh_from_db()
    assert item.state == Item.State.REVIEW
    reviewer.goto(f"/review/cells/{item.code}/")
    reviewer.get_by_role("radio", name="Ann").first.check()
    reviewer.get_by_role("button", name="Accept this reading").click()
    reviewer.wait_for_load_state("networkidle")
    item.refresh_from_db()
    assert item.state == Item.State.SETTLED

    admin.goto("/manage/cells/releases/")
    admin.get_by_role("button", name="Make it").click()
    admin.wait_for_load_state("networkidle")
    run_pending(queues=["cpu"])
    admin.goto("/manage/cells/releases/")
    with admin.expect_download() as waiting:
        admin.get_by_role("link", name="png.zip").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    names = [name for name in archive.namelist() if name.endswith(".png")]
    assert not any("secret" in name for name in archive.namelist())
    masks = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names if "nucleus" in name]
    last = Submission.objects.filter(assignment__labeler__user=people.ann).latest("pk")
    drawn = plain.reading_of(last).shapes[0]
    region = shape_mask(drawn, Grid((1, HEIGHT, WIDTH)))
    expected = np.zeros((1, HEIGHT, WIDTH), dtype=bool)
    z, y, x = region.origin
    depth, height, width = region.voxels.shape
    expected[z : z + depth, y : y + height, x : x + width] = region.voxels
    assert expected.sum() > 1000
    assert any(np.array_equal(mask > 0, expected[0]) for mask in masks)
