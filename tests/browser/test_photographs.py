"""Photographs in a real Chromium: tiles of large ones, mirrored and turned views, the magnifier, brightness."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

from labelhub.annotations import documents, history
from labelhub.annotations.log import append_operations
from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import at, click_all, drag, saved, start
from tests.cast import Cast, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    publish_policy(project=cast.project, policy=Policy(readers=1, gold_share=0.0, use_model=False), by=cast.ada)
    return cast


def open_photograph(visit_as: Any, people: Cast, height: int, width: int) -> Any:
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 40)], axis=2).astype(np.uint8)
    add_photograph(project=people.project, pixels=pixels, identity=ItemIdentity())
    page = visit_as(people.ann, "/label/")
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    start(page)
    return page


def shape_points() -> list[list[float]]:
    (shape,) = history.state_of(document()).standing_shapes()
    return shape.regions[0]["points"]


def document() -> Any:
    return documents.document_of(assignment=Assignment.objects.get())


def colour_under(page: Any, x: float, y: float) -> list[int]:
    """What the canvas shows at a share of the stage."""
    return list(
        page.locator("#canvas").evaluate(
            "(c, [x, y]) => [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data]", [x, y]
        )
    )


def test_of_a_large_picture_only_what_is_seen_is_loaded(visit_as, people):
    page = open_photograph(visit_as, people, 4200, 5000)
    tiles = [url for url in page.asked if "/tile/" in url]
    assert 1 <= len(tiles) <= 20
    assert not any("/slice/" in url for url in page.asked)
    assert not any("/tile/0/" in url for url in tiles), "the finest level is not needed for the whole picture"
    left, right = colour_under(page, 0.3, 0.5), colour_under(page, 0.7, 0.5)
    assert left[0] < right[0]
    page.mouse.move(*at(page, 0.5, 0.5))
    page.keyboard.down("Control")
    for _ in range(16):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_timeout(800)
    near = [url for url in page.asked if "/tile/0/" in url]
    assert 1 <= len(near) == len(set(near)) <= 24, "of 90 tiles those that were seen on the way, each once"
    page.mouse.move(*at(page, 0.51, 0.5))
    assert "RGB 12" in page.locator("#readout").inner_text()


def test_a_large_picture_is_drawn_and_painted_on_at_its_own_pixels(visit_as, people):
    page = open_photograph(visit_as, people, 4200, 5000)
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.keyboard.press("3")
    drag(page, (0.4, 0.7), (0.6, 0.7))
    saved(page)
    assert list(Operation.objects.order_by("seq").values_list("kind", flat=True)) == ["shape.add", "stroke.add"]
    box = shape_points()
    assert box[1][0] - box[0][0] > 800
    page.wait_for_timeout(300)
    painted, beside = colour_under(page, 0.5, 0.7), colour_under(page, 0.5, 0.8)
    assert painted[1] > beside[1] - 30
    assert painted != beside
    page.locator("#option-limit").select_option("range")
    drag(page, (0.4, 0.3), (0.6, 0.3))
    page.get_by_text("only a plain stroke").wait_for()


def test_a_view_is_mirrored_and_turned_and_what_is_drawn_keeps_its_place_in_the_image(visit_as, people):
    page = open_photograph(visit_as, people, 200, 300)
    before = colour_under(page, 0.3, 0.5)
    page.keyboard.press("Shift+F")
    page.wait_for_timeout(100)
    after = colour_under(page, 0.7, 0.5)
    assert all(abs(a - b) <= 3 for a, b in zip(before, after, strict=True))
    page.keyboard.press("1")
    click_all(page, (0.2, 0.3), (0.3, 0.3), (0.3, 0.5))
    page.keyboard.press("Enter")
    saved(page)
    assert min(x for x, _ in shape_points()) > 150, "the left of a mirrored view is the right of the image"
    page.keyboard.press("Shift+T")
    page.keyboard.press("Shift+T")
    page.wait_for_timeout(100)
    turned = colour_under(page, 0.7, 0.5)
    assert turned[0] > before[0]


def test_the_magnifier_shows_the_place_under_the_pointer_larger(visit_as, people):
    page = open_photograph(visit_as, people, 200, 300)
    page.mouse.move(*at(page, 0.5, 0.5))
    page.wait_for_timeout(100)
    plain = colour_under(page, 0.55, 0.5)
    page.keyboard.press("Shift+G")
    page.mouse.move(*at(page, 0.5, 0.501))
    page.wait_for_timeout(100)
    assert colour_under(page, 0.55, 0.5)[0] < plain[0], "what is beside the middle is nearer to it under the lens"
    page.keyboard.press("Shift+G")
    page.wait_for_timeout(100)
    assert abs(colour_under(page, 0.55, 0.5)[0] - plain[0]) <= 1


def test_brightness_and_contrast_change_with_the_right_button_and_come_back_with_w(visit_as, people):
    page = open_photograph(visit_as, people, 200, 300)
    before = colour_under(page, 0.5, 0.5)
    assert not page.locator("#window").is_visible()
    page.mouse.move(*at(page, 0.5, 0.3))
    page.mouse.down(button="right")
    page.mouse.move(*at(page, 0.5, 0.6), steps=4)
    page.mouse.up(button="right")
    page.wait_for_timeout(100)
    assert colour_under(page, 0.5, 0.5)[0] < before[0]
    assert page.locator("#window").is_visible()
    page.keyboard.press("w")
    page.wait_for_timeout(100)
    assert colour_under(page, 0.5, 0.5) == before


def test_brightness_and_contrast_change_without_a_mouse(visit_as, people):
    page = open_photograph(visit_as, people, 200, 300)
    page.locator("#canvas").focus()
    for key, words in (("ArrowDown", "C 136 W 255"), ("ArrowRight", "C 136 W 263.5"), ("ArrowUp", "C 127.2 W 263.5")):
        page.keyboard.press(f"Control+{key}")
        assert page.locator("#window-text").inner_text() == words
    page.keyboard.press("w")
    assert page.locator("#window-text").inner_text() == ""


def test_many_shapes_lie_on_a_sheet_that_is_mended_and_moves_with_the_view(visit_as, people):
    page = open_photograph(visit_as, people, 200, 300)
    client = uuid.uuid4()
    operations = [
        {
            "op_id": str(uuid.uuid4()), "client_seq": i + 1, "kind": "shape.add",
            "payload": {
                "shape_id": f"b{i}", "medium": 0, "label": "debris",
                "regions": [{"kind": "box", "points": [[x, y], [x + 10, y + 8]]}],
            },
        }
        for i, (x, y) in enumerate((15 * (i % 20), 13 * (i // 20)) for i in range(200))
    ]  # fmt: skip
    append_operations(document=document(), author=people.ann, client_id=client, operations=operations)
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#cover", state="hidden")
    page.wait_for_timeout(300)
    assert page.locator(".shape-row").count() == 200
    picture = page.locator("#canvas").bounding_box()
    # The box at column 12, row 5 of the grid; the image is fitted with a margin of 12 screen pixels.
    scale = min((picture["width"] - 24) / 300, (picture["height"] - 24) / 200)
    left, top = (picture["width"] - 300 * scale) / 2, (picture["height"] - 200 * scale) / 2
    x, y = (left + 185 * scale) / picture["width"], (top + 69 * scale) / picture["height"]
    with_box = colour_under(page, x, y)
    page.keyboard.press("s")
    page.mouse.click(*at(page, x, y))
    page.keyboard.press("Delete")
    page.mouse.move(*at(page, 0.02, 0.02))
    page.wait_for_timeout(200)
    without = colour_under(page, x, y)
    assert with_box != without
    page.keyboard.press("z")
    page.wait_for_timeout(200)
    assert colour_under(page, x, y) == with_box, "mended to the very colour that it had"
    page.mouse.move(*at(page, 0.5, 0.5))
    page.mouse.down(button="middle")
    page.mouse.move(*at(page, 0.5, 0.5 + 40 / picture["height"]), steps=4)
    page.mouse.up(button="middle")
    page.mouse.move(*at(page, 0.02, 0.02))
    page.wait_for_timeout(300)
    assert colour_under(page, x, y + 40 / picture["height"]) == with_box
