"""A model's draft in the editor: asked for with a key, looked at, taken whole or one by one, undone, mended, handed in.

Planted once and seen to fail: a draft that counts before it is taken; a mask that the server does not let the document name; a
page that shows a draft where the project has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.predictions import services
from labelhub.predictions.classical import NAME
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import saved, start
from tests.cast import Cast, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A bright disc for the brush, a dark one for the box.
CLASSES = {
    "lesion": {"polarity": "bright", "threshold": "value", "value": 180, "sigma": 0.0, "min_size": 20},
    "debris": {"polarity": "dark", "threshold": "value", "value": 40, "sigma": 0.0, "min_size": 20},
}


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    show(cast, drafts="asked")
    return cast


def show(cast: Cast, **given: Any) -> None:
    rules = {"readers": 1, "gold_share": 0.0, "draft_withheld_share": 0.0, "draft_seed_share": 0.0} | given
    publish_policy(project=cast.project, policy=Policy(**rules), by=cast.ada)


def picture(cast: Cast, *, is_seen: bool = True) -> Item:
    rows, columns = np.mgrid[:120, :160]
    pixels = np.full((120, 160), 110, dtype=np.uint8)
    pixels[(rows - 40) ** 2 + (columns - 50) ** 2 <= 20**2] = 220
    pixels[(rows - 80) ** 2 + (columns - 115) ** 2 <= 15**2] = 10
    item = add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())
    if is_seen:
        model = services.register_model(
            project=cast.project, name="m", predictor=NAME, parameters={"classes": CLASSES}, by="test"
        )
        services.predict_item(model=model, item=item)
    return item


def test_a_draft_is_asked_for_looked_at_taken_undone_and_handed_in(people, visit_as, tmp_path):
    picture(people)
    page = visit_as(people.ann, "/label/")
    start(page)
    expect(page.locator("#draft-section")).to_be_visible()
    expect(page.locator("#draft-shapes li")).to_have_count(0)
    page.keyboard.press("d")
    rows = page.locator("#draft-shapes li")
    expect(rows).to_have_count(2)
    expect(page.locator("#shape-count")).to_have_text("")
    page.screenshot(path=str(tmp_path / "draft.png"))
    rows.filter(has_text="box").get_by_role("button", name="Take").click()
    expect(page.locator("#shape-count")).to_have_text("1")
    expect(rows.filter(has_text="taken")).to_have_count(1)
    page.locator("#draft-take").click()
    expect(page.locator("#shape-count")).to_have_text("2")
    expect(page.locator("#draft-text")).to_contain_text("All of it was taken")
    page.keyboard.press("z")
    expect(page.locator("#shape-count")).to_have_text("1")
    page.locator("#draft-take").click()
    expect(page.locator("#shape-count")).to_have_text("2")
    saved(page)
    page.keyboard.press("d")
    expect(rows).to_have_count(0)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=*")
    submission = Submission.objects.get()
    assert submission.read_kind == "assisted"
    shapes = {shape.label: shape for shape in reading_of(submission).shapes}
    assert set(shapes) == {"lesion", "debris"}
    rows, columns = np.mgrid[:120, :160]
    truth = (rows - 40) ** 2 + (columns - 50) ** 2 <= 20**2
    voxels = np.zeros((120, 160), dtype=bool)
    mask = shapes["lesion"].mask
    _, y, x = mask.origin
    voxels[y : y + mask.voxels.shape[1], x : x + mask.voxels.shape[2]] = mask.voxels[0]
    assert (voxels == truth).all()
    assert shapes["debris"].regions[0].points.tolist() == [[100.0, 65.0], [131.0, 96.0]]


def test_where_there_is_none_it_says_so_and_drawing_goes_on(people, visit_as):
    picture(people, is_seen=False)
    page = visit_as(people.ann, "/label/")
    start(page)
    page.keyboard.press("d")
    expect(page.locator("#draft-text")).to_contain_text("There is no draft for this image")
    expect(page.locator("#draft-take")).to_be_hidden()


def test_a_project_without_drafts_shows_nothing_of_them(people, visit_as):
    show(people, drafts="no")
    picture(people)
    page = visit_as(people.ann, "/label/")
    start(page)
    expect(page.locator("#draft-section")).to_be_hidden()
    page.keyboard.press("d")
    expect(page.locator("#draft-shapes li")).to_have_count(0)


def test_an_offered_draft_is_there_as_the_image_opens(people, visit_as):
    show(people, drafts="offered")
    picture(people)
    page = visit_as(people.ann, "/label/")
    start(page)
    expect(page.locator("#draft-shapes li")).to_have_count(2)
    expect(page.locator("#shape-count")).to_have_text("")
