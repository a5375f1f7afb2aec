"""A photograph of 21 megapixels under its readers, in Chromium: tiles alone are loaded, and layers lie where they were drawn.

Planted and seen to fail: the whole picture asked for; a fine part of a mask drawn where the mask begins; a coarse mask that is
not scaled; tiles of a pane beside the first drawn in the first. Planted and not seen: heat drawn at the corner of the picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import MaskRegion, Reading, Shape
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import set_policy, square_reading

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HEIGHT, WIDTH = 4200, 5000
# Both readers painted an area at (x, y) of this side, all but a window in it; Ann outlined a square (x, y, side) besides.
SQUARE = (3600, 2900, 400)
PAINTED, SIDE, WINDOW = (600, 500), 2400, slice(1000, 1400)
SKY, ORANGE = (0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00)


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=2, max_readers=2, use_model=False)
    return cast


@pytest.fixture
def item(people) -> Item:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.full_like(x, 40)], axis=2).astype(np.uint8)
    row = add_photograph(project=people.project, pixels=pixels, identity=ItemIdentity(subject="p"))
    voxels = np.ones((1, SIDE, SIDE), dtype=bool)
    voxels[0, WINDOW, WINDOW] = False
    painted = Shape("m", "lesion", mask=MaskRegion(voxels, (0, PAINTED[1], PAINTED[0])))
    for user, squares in ((people.ann, [SQUARE]), (people.ben, [])):
        drawn = square_reading(row, user.username, *squares)
        reading: Reading = replace(drawn, shapes=(painted, *drawn.shapes), is_empty_read=False)
        lifecycle.record_reading(item=row, labeler=labeler_of(user, people.project), reading=reading)
    row.refresh_from_db()
    assert row.state == Item.State.REVIEW
    return row


class Picture:
    """The review page's picture, its view known: fitted, then zoomed about a place."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.canvas = page.locator(".viewer-stage > canvas")
        box = self.canvas.bounding_box()
        self.left, self.top, self.width, self.height = box["x"], box["y"], box["width"], box["height"]
        self.fit()

    def fit(self) -> None:
        self.scale = 0.96 * min(self.width / WIDTH, self.height / HEIGHT)
        self.x, self.y = (self.width - WIDTH * self.scale) / 2, (self.height - HEIGHT * self.scale) / 2

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x * self.scale, self.y + y * self.scale

    def zoom_at(self, x: float, y: float, turns: int) -> None:
        """Turn the wheel over a place of the picture."""
        # A pointer is at whole pixels.
        at = tuple(round(side) for side in self.on_screen(x, y))
        x, y = (at[0] - self.x) / self.scale, (at[1] - self.y) / self.scale
        self.page.mouse.move(self.left + at[0], self.top + at[1])
        for _ in range(turns):
            self.page.mouse.wheel(0, -200)
        self.page.wait_for_timeout(900)
        self.scale *= float(np.exp(200 / 400)) ** turns
        self.x, self.y = at[0] - x * self.scale, at[1] - y * self.scale

    def around(self, x: float, y: float, reach: int = 3) -> np.ndarray:
        """The colours around a place of the picture: ``[pixel, rgb]``."""
        at = self.on_screen(x, y)
        values = self.canvas.evaluate(
            "(c, [x, y, n]) => [...c.getContext('2d').getImageData(x, y, n, n).data]",
            [round(at[0]) - reach, round(at[1]) - reach, 2 * reach + 1],
        )
        return np.array(values).reshape(-1, 4)[:, :3]

    def has(self, colour: tuple[int, int, int], x: float, y: float) -> bool:
        return bool((np.abs(self.around(x, y) - colour).max(axis=1) < 40).any())

    def shows_the_picture(self, x: float, y: float, within: int = 6) -> bool:
        """Whether what is seen is the photograph's own colour there."""
        wanted = np.array([x * 255 // WIDTH, y * 255 // HEIGHT, 40])
        return bool(np.abs(self.around(x, y, 0)[0] - wanted).max() <= within)


def opened(visit_as: Any, cast: Cast, item: Item) -> tuple[Any, list[str], Picture]:
    page = visit_as(cast.rita)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/review/cells/{item.code}/")
    page.wait_for_selector(".matter[aria-current]")
    page.wait_for_timeout(1200)
    page.keyboard.press("f")
    page.wait_for_timeout(300)
    return page, asked, Picture(page)


def test_of_a_large_photograph_only_tiles_are_loaded_and_layers_lie_where_they_were_drawn(visit_as, people, item):
    page, asked, picture = opened(visit_as, people, item)
    tiles = [url for url in asked if "/tile/" in url]
    assert 1 <= len(tiles) <= 40
    assert not any("/slice/" in url for url in asked)
    # Without heat the photograph itself is seen, and a reader's lines in their own colour: first Ann's, then Ben's.
    page.keyboard.press("d")
    page.locator("[data-layer='result']").click()
    page.keyboard.press("Shift+Digit2")
    page.wait_for_timeout(200)
    x, y, side = SQUARE
    for place in ((200, 200), (4700, 300), (300, 4000), (4900, 4100)):
        assert picture.shows_the_picture(*place), place
    assert picture.has(SKY, x, y + side / 2)
    assert picture.has(SKY, PAINTED[0], PAINTED[1] + 700)
    page.keyboard.press("Shift+Digit1")
    page.keyboard.press("Shift+Digit2")
    page.wait_for_timeout(200)
    assert not picture.has(SKY, x, y + side / 2), "Ben drew no square"
    assert picture.has(ORANGE, PAINTED[0], PAINTED[1] + 700)
    assert picture.has(ORANGE, PAINTED[0] + WINDOW.start, PAINTED[1] + 1200), "the edge of the window in it"
    assert picture.shows_the_picture(PAINTED[0] + 1200, PAINTED[1] + 1200), "nothing is painted in the window"
    assert not picture.shows_the_picture(PAINTED[0] + 400, PAINTED[1] + 400)
    # Near, at the picture's own pixels: finer tiles come, each once, and a finer part of the painted area.
    asked.clear()
    corner = (PAINTED[0] + WINDOW.stop, PAINTED[1] + WINDOW.stop)
    picture.zoom_at(*corner, 6)
    assert picture.scale > 1
    assert any("/tile/0/" in url for url in asked)
    assert len({url for url in asked if "/tile/" in url}) == len([url for url in asked if "/tile/" in url]) <= 40
    parts = [url for url in asked if "?part=1," in url]
    assert 1 <= len(parts) <= 6
    assert picture.has(ORANGE, corner[0], corner[1] - 40)
    assert picture.has(ORANGE, corner[0] - 40, corner[1])
    assert picture.shows_the_picture(corner[0] - 20, corner[1] - 20)
    assert not picture.shows_the_picture(corner[0] + 20, corner[1] + 20)
    assert not picture.has(ORANGE, corner[0] - 20, corner[1] - 20)


def test_heat_regions_and_panes_side_by_side_lie_where_they_are(visit_as, people, item):
    page, _, picture = opened(visit_as, people, item)
    for key in ("Shift+Digit1", "Shift+Digit2", "Shift+Digit3"):
        page.keyboard.press(key)
    assert page.locator("[data-layer][aria-pressed=true]").count() == 0
    page.wait_for_timeout(200)
    x, y, side = SQUARE
    inside = (x + side / 2, y + side / 2)
    lit = picture.around(*inside, 0)[0]
    assert lit[0] > inside[0] * 255 / WIDTH + 10, "the square that Ann alone drew is hot"
    for beside in ((x - 150, y + side / 2), (x + side + 150, y + side / 2), (PAINTED[0] + 1200, PAINTED[1] + 300)):
        assert picture.shows_the_picture(*beside), "what both drew is not, nor what nobody did"
    # Two readers beside each other: the picture in each pane, moved alike.
    page.keyboard.press("d")
    page.keyboard.press("Shift+Digit1")
    page.keyboard.press("Shift+Digit2")
    page.keyboard.press("s")
    page.wait_for_timeout(900)
    halves = page.locator(".viewer-stage > canvas").evaluate(
        "(c) => [0.25, 0.75].map((x) => [...c.getContext('2d').getImageData(x * c.width, 0.8 * c.height, 1, 1).data])"
    )
    assert np.abs(np.array(halves[0]) - halves[1]).max() <= 3
    assert max(halves[0][:2]) > 60, "the picture is there"


def test_miniatures_and_the_card_show_the_part_of_a_large_photograph(people, item, client):
    client.force_login(people.rita)
    place = f"/review/cells/{item.code}/"
    matters = client.get(f"{place}matters/").json()["matters"]
    assert [matter["kind"] for matter in matters] == ["area"]
    for matter in matters:
        assert client.get(matter["thumbnail"]).status_code == 200
    assert client.get(f"{place}thumbnail/").status_code == 200
    for wrong in ("0,0,0,9,9", "1,0,0,9000,9000", "x", "1,2,3"):
        reading = client.get(f"{place}layers/").json()["layers"][1]["key"]
        assert client.get(f"{place}layers/{reading}/0/0/?part={wrong}").status_code == 400
