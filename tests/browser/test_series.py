"""Two series of one item side by side, of unlike spacing and extent: one place in mm, drawing goes to the series of its pane.

Planted once and seen to fail: a stroke that goes to the first pane's series; a zoom of equal pixels instead of millimetres; a
voxel taken over as it is; drawing where a series does not reach; an own arrangement that is not asked for.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from labelhub.annotations.models import Operation
from labelhub.catalog.services import ItemIdentity, NewMedium, create_item, store_pixels
from labelhub.formats.shapes import Grid
from labelhub.projects.hanging import PaneRule, Protocol
from labelhub.projects.services import publish_hanging
from tests.browser.drawing import saved, start
from tests.browser.test_editor import ONTOLOGY
from tests.cast import Cast, make_cast
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FLAIR = Grid((12, 60, 80), (4.0, 1.0, 1.0), np.array([[-1.0, 0, 0, 40], [0, -1, 0, 30], [0, 0, 4, -24], [0, 0, 0, 1]]))
# Finer, of another origin, and it ends 14 mm before the first in the head's direction.
T1 = Grid(
    (20, 52, 64), (1.5, 1.25, 1.25), np.array([[-1.25, 0, 0, 41], [0, -1.25, 0, 33], [0, 0, 1.5, -22], [0, 0, 0, 1]])
)


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast(ontology=ONTOLOGY)
    set_policy(cast, readers=1)
    media = []
    for name, grid in (("AX FLAIR", FLAIR), ("T1 MPRAGE", T1)):
        z, y, x = np.indices(grid.size)
        pixels = (200 + 40 * ((x // 8 + y // 8 + z) % 2)).astype(np.int16)
        media.append(NewMedium(
            kind="volume", grid=grid, dtype="int16", window=(220, 120), metadata={"series_description": name, "modality": "MR"},
            pixels=store_pixels(pixels=pixels),
        ))  # fmt: skip
    create_item(project=cast.project, media=media, identity=ItemIdentity())
    return cast


@pytest.fixture
def page(visit_as, people) -> Any:
    page = visit_as(people.ann, "/label/")
    start(page)
    return page


def pane(page: Any, i: int) -> Any:
    return page.locator("#panes > .pane").nth(i)


def slice_of(page: Any, i: int) -> str:
    return str(pane(page, i).locator(".pane-name").inner_text())


def place_under(page: Any, i: int, x: float, y: float) -> NDArray[np.float64]:
    """The place in mm, right, anterior, superior, that is read out at a point of a pane."""
    box = pane(page, i).bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    found = re.search(r"([RL]) (\S+) ([AP]) (\S+) ([SI]) (\S+) mm", page.locator("#readout").inner_text())
    assert found, page.locator("#readout").inner_text()
    parts = found.groups()
    return np.array([float(parts[n + 1]) * (1 if parts[n] in "RAS" else -1) for n in (0, 2, 4)])


def cross_of(page: Any, i: int) -> tuple[float, float]:
    """Where the lines of the linked cross-hair are on a pane."""
    picture = np.asarray(Image.open(io.BytesIO(pane(page, i).locator("canvas").screenshot())).convert("RGB"), dtype=int)
    # Its light blue, also where a line lies between two pixels; the frame of the active pane is of the same colour.
    is_line = picture[..., 2] - picture[..., 0] > 40
    is_line[:3], is_line[-3:], is_line[:, :3], is_line[:, -3:] = False, False, False, False
    return float(is_line.sum(axis=0).argmax()) + 0.5, float(is_line.sum(axis=1).argmax()) + 0.5


def side_by_side(page: Any) -> None:
    page.keyboard.press("v")
    pane(page, 1).locator(".pane-series").wait_for()
    page.wait_for_timeout(300)


def press_at(page: Any, i: int, x: float, y: float) -> None:
    box = pane(page, i).bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_timeout(400)


def brush(page: Any, i: int) -> None:
    box = pane(page, i).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=4)
    page.mouse.up()
    saved(page)


def test_the_cross_hair_and_the_zoom_agree_in_mm(page):
    side_by_side(page)
    assert [pane(page, i).locator(".pane-series").input_value() for i in (0, 1)] == ["0", "1"]
    page.keyboard.press("s")
    page.keyboard.press("g")
    for at in ((0.6, 0.4), (0.35, 0.55)):
        press_at(page, 0, *at)
        places = [place_under(page, i, *cross_of(page, i)) for i in (0, 1)]
        # Half a voxel of the one that was pressed on, and of the other along its slices; the lines are a pixel wide.
        assert np.abs(places[0] - places[1]).max() <= 0.75 + 0.35, places
    press_at(page, 1, 0.45, 0.6)
    places = [place_under(page, i, *cross_of(page, i)) for i in (0, 1)]
    assert np.abs((places[0] - places[1])[:2]).max() <= 0.625 + 0.35, places
    assert abs(places[0][2] - places[1][2]) <= 2, "half a slice of the thick one"
    box = pane(page, 0).bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 150)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    middle = [place_under(page, i, box["width"] / 2, box["height"] / 2) for i in (0, 1)]
    aside = [place_under(page, i, box["width"] / 2 + 60, box["height"] / 2) for i in (0, 1)]
    assert np.abs(middle[0] - middle[1])[:2].max() < 0.5
    assert np.abs((middle[0] - aside[0]) - (middle[1] - aside[1])).max() < 0.3


def test_a_stroke_goes_to_the_series_of_its_pane(page):
    side_by_side(page)
    page.keyboard.press("1")
    page.keyboard.press("b")
    for i in (1, 0):
        brush(page, i)
    strokes = [operation.payload for operation in Operation.objects.order_by("seq")]
    assert [(stroke["medium"], stroke["plane"]) for stroke in strokes] == [(1, "axial"), (0, "axial")]
    # Slice for slice at the same place in mm.
    heights = [
        grid.affine[2, 2] * stroke["index"] + grid.affine[2, 3]
        for grid, stroke in zip((T1, FLAIR), strokes, strict=True)
    ]
    assert abs(heights[0] - heights[1]) <= 0.75
    page.keyboard.press("z")
    saved(page)
    assert Operation.objects.order_by("-seq").first().payload["stroke_id"] == strokes[1]["stroke_id"]


def test_where_a_series_does_not_reach_the_pane_says_so_and_nothing_is_drawn(page):
    side_by_side(page)
    page.keyboard.press("1")
    page.keyboard.press("b")
    pane(page, 0).hover()
    for _ in range(7):
        page.mouse.wheel(0, 100)
    page.wait_for_timeout(300)
    assert slice_of(page, 0) == "Axial 12 / 12"
    assert slice_of(page, 1) == "Axial – / 20"
    press_at(page, 1, 0.5, 0.5)
    page.locator("#said", has_text="outside this series").wait_for()
    assert not Operation.objects.exists()
    page.mouse.wheel(0, 100)
    page.wait_for_timeout(300)
    assert slice_of(page, 1) == "Axial 20 / 20"
    assert slice_of(page, 0) == "Axial 9 / 12"


def test_an_item_opens_as_the_project_hangs_it(visit_as, people):
    rules = (PaneRule("t1", "axial", (230.0, 90.0)), PaneRule("flair", "coronal"))
    publish_hanging(project=people.project, protocol=Protocol("two", rules), by=people.ada)
    page = visit_as(people.ann, "/label/")
    start(page)
    pane(page, 1).locator(".pane-series").wait_for()
    assert [pane(page, i).locator(".pane-series").input_value() for i in (0, 1)] == ["1", "0"]
    assert slice_of(page, 1).startswith("Coronal")
    assert page.locator("#window-text").inner_text() == "C 230 W 90"


def test_ones_own_arrangement_is_kept_in_the_browser(page):
    side_by_side(page)
    pane(page, 0).locator(".pane-series").select_option("1")
    assert [pane(page, i).locator(".pane-series").input_value() for i in (0, 1)] == ["1", "0"], "no picture twice"
    page.locator("#hanging > summary").click()
    page.locator("#hanging-keep").click()
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    pane(page, 1).locator(".pane-series").wait_for()
    assert [pane(page, i).locator(".pane-series").input_value() for i in (0, 1)] == ["1", "0"]
    page.locator("#hanging > summary").click()
    page.locator("#hanging-drop").click()
    pane(page, 1).wait_for(state="hidden")
