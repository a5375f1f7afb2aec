"""The 3-D panel of the adjudication page in Chromium: it comes when asked for, with the label as decided or a reader's.

Planted and seen to fail: an answer whose label stays as it was in 3-D; a reader's label under the name of another; a press
that forgets the volume's affine.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph, add_volume
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.projects.selectors import current_ontology, labeler_of
from labelhub.projects.services import publish_ontology
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import new_annotator, set_policy, store

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZE = (12, 60, 80)
AFFINE = np.array([[-1.0, 0, 0, 33], [0, -1, 0, 20], [0, 0, 4, -10], [0, 0, 0, 1]])
RED, TEAL = (0xE4, 0x57, 0x2E), (0x17, 0xBE, 0xBB)
# What all three paint, what Cleo alone paints besides, and what she paints of another class.
ALIKE, EXTRA, DEBRIS = np.s_[3:9, 20:40, 20:40], np.s_[3:9, 20:40, 46:62], np.s_[4:8, 2:12, 16:32]
N_ALIKE, N_EXTRA, N_DEBRIS = 6 * 20 * 20, 6 * 20 * 16, 4 * 10 * 16


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=3, max_readers=3, use_model=False)
    _, ontology = current_ontology(cast.project)
    painted = replace(ontology, classes=tuple(replace(entry, tool="brush") for entry in ontology.classes))
    publish_ontology(project=cast.project, ontology=painted, by=cast.ada)
    return cast


@pytest.fixture
def item(people) -> Item:
    z, y, x = np.indices(SIZE)
    inside = ((x - 40) / 36) ** 2 + ((y - 30) / 26) ** 2 + ((z - 5.5) / 5.5) ** 2 < 1
    row = add_volume(
        project=people.project, pixels=np.where(inside, 40, -1000).astype(np.int16),
        grid=Grid(SIZE, (4.0, 1.0, 1.0), AFFINE), value_meaning="HU", window=(40, 400), identity=ItemIdentity(subject="p"),
    )  # fmt: skip
    for user, parts in (
        (people.ann, [("nucleus", [ALIKE])]),
        (people.ben, [("nucleus", [ALIKE])]),
        (new_annotator(people, "Cleo"), [("nucleus", [ALIKE, EXTRA]), ("debris", [DEBRIS])]),
    ):
        shapes = []
        for label, places in parts:
            voxels = np.zeros(SIZE, dtype=bool)
            for place in places:
                voxels[place] = True
            shapes.append(Shape(label, label, mask=MaskRegion(voxels)))
        reading = Reading(row.code, user.username, tuple(shapes), read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=row, labeler=labeler_of(user, people.project), reading=reading)
    Item.objects.filter(pk=row.pk).update(state=Item.State.REVIEW)
    return row


def opened(visit_as: Any, cast: Cast, item: Item, requests: list[str]) -> Any:
    page = visit_as(cast.rita)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    return page


def shows(page: Any, voxels: int) -> None:
    page.locator(f"[data-solid][data-voxels='{voxels}']").wait_for(timeout=40_000)
    page.locator("[data-solid-state]").wait_for(state="hidden")


def coloured(page: Any, colour: tuple[int, int, int]) -> int:
    """How many pixels of the panel have a class's hue, in light or shade."""
    picture = Image.open(io.BytesIO(page.locator("[data-solid-canvas]").screenshot())).convert("RGB")
    rgb = np.asarray(picture, dtype=float)
    strength = rgb.max(axis=2) - rgb.min(axis=2)
    wanted = np.array(colour, dtype=float)
    hue = (rgb - rgb.min(axis=2, keepdims=True)) / np.maximum(strength, 1)[..., None]
    same = np.abs(hue - (wanted - wanted.min()) / (wanted.max() - wanted.min())).max(axis=2) < 0.25
    return int((same & (strength > 40)).sum())


def test_the_panel_shows_the_label_as_decided_and_readers_and_leads_the_slices(visit_as, people, item):
    requests: list[str] = []
    page = opened(visit_as, people, item, requests)
    assert not [url for url in requests if "niivue" in url or "overview" in url or "solid/" in url], "when it is opened"
    assert not [url for url in requests if "review/solid" in url]
    page.keyboard.press("Shift+D")
    shows(page, N_ALIKE)
    assert page.locator("[data-heat]").get_attribute("aria-pressed") == "true", (
        "the key with Shift is not the plain one"
    )
    assert coloured(page, RED) > 60
    assert coloured(page, TEAL) == 0
    # Cleo is right about the largest: the label as decided has it a moment later.
    with page.expect_response("**/matters/answer/"):
        page.keyboard.press("3")
    shows(page, N_ALIKE + N_EXTRA)
    page.locator("[data-solid-layer]").select_option(label="Cleo")
    shows(page, N_ALIKE + N_EXTRA + N_DEBRIS)
    assert coloured(page, TEAL) > 60
    page.locator("[data-solid-layer]").select_option(label="Ann")
    shows(page, N_ALIKE)
    # A press on one of its slices takes the slices beside it to that place in mm.
    page.locator("[data-solid-slices]").click()
    page.wait_for_timeout(600)
    before = page.locator("[data-place]").inner_text()
    box = page.locator("[data-solid-canvas]").bounding_box()
    for down in (0.1, 0.2, 0.3, 0.7, 0.8):
        page.mouse.click(box["x"] + 0.15 * box["width"], box["y"] + down * box["height"])
        page.wait_for_timeout(300)
        if page.locator("[data-place]").inner_text() != before and page.locator("[data-solid][data-pressed]").count():
            break
    place = [float(one) for one in (page.locator("[data-solid]").get_attribute("data-pressed") or "").split(",")]
    voxel = np.linalg.inv(AFFINE) @ [*place, 1]
    z = int(np.clip(round(voxel[2]), 0, SIZE[0] - 1))
    assert page.locator("[data-place]").inner_text() == f"slice {z + 1} of {SIZE[0]}"
    page.keyboard.press("Shift+D")
    page.locator("[data-solid]").wait_for(state="hidden")
    origin = page.url.split("/review/")[0]
    assert {url for url in requests if not url.startswith((origin, "data:", "blob:"))} == set()


def test_the_key_stands_on_the_sheet_and_a_photograph_has_no_3d(visit_as, people):
    item = add_photograph(project=people.project, pixels=np.zeros((64, 64), dtype=np.uint8), identity=ItemIdentity())
    for user, square in (
        (people.ann, (8, 8, 16)),
        (people.ben, (40, 40, 14)),
        (new_annotator(people, "Cleo"), (8, 40, 9)),
    ):
        store(people, item, user, square)
    page = opened(visit_as, people, item, [])
    page.keyboard.press("?")
    page.locator("#shortcuts[open]").get_by_text("A volume in 3-D").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+D")
    page.locator("#notices").get_by_text("no third dimension").wait_for()
    assert page.locator("[data-solid]").is_hidden()
    assert page.locator("[data-solid-button]").is_hidden()


def test_without_webgl2_or_with_a_lost_label_it_is_said_and_the_rest_works(visit_as, people, item):
    page = opened(visit_as, people, item, [])
    page.route("**/solid/0/", lambda route: route.abort())
    page.keyboard.press("Shift+D")
    page.locator("[data-solid-text]").filter(has_text="could not be shown").wait_for(timeout=40_000)
    page.unroute("**/solid/0/")
    page.locator("[data-solid-retry]").click()
    shows(page, N_ALIKE)
    other = visit_as(people.rita)
    other.add_init_script(
        "const own = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext = "
        "function (kind, ...more) { return kind === 'webgl2' ? null : own.call(this, kind, ...more); };"
    )
    other.goto(f"/review/cells/{item.code}/")
    other.wait_for_selector(".matter[aria-current]")
    other.keyboard.press("Shift+D")
    other.locator("[data-solid-text]").filter(has_text="offers no WebGL2").wait_for()
    with other.expect_response("**/matters/answer/") as answered:
        other.keyboard.press("3")
    assert answered.value.status == 200
