"""The 3-D panel in Chromium: it comes when it is asked for, shows the volume and what is painted, and leads the planes.

Planted once and seen to fail: hidden labels that stay in 3-D; a press whose place forgets the volume's affine.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelhub.catalog.services import ItemIdentity, add_photograph, add_volume
from labelhub.formats.shapes import Grid
from tests.browser.drawing import drag, saved, start
from tests.browser.test_editor import ONTOLOGY
from tests.cast import Cast, make_cast
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZE = (12, 60, 80)
AFFINE = np.array([[-1.0, 0, 0, 33], [0, -1, 0, 20], [0, 0, 4, -10], [0, 0, 0, 1]])
YELLOW, TEAL = (0xFF, 0xC9, 0x14), (0x17, 0xBE, 0xBB)


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast(ontology=ONTOLOGY)
    set_policy(cast, readers=1)
    return cast


@pytest.fixture
def volume(people: Cast) -> Cast:
    z, y, x = np.indices(SIZE)
    inside = ((x - 40) / 36) ** 2 + ((y - 30) / 26) ** 2 + ((z - 5.5) / 5.5) ** 2 < 1
    add_volume(
        project=people.project, pixels=np.where(inside, 40, -1000).astype(np.int16),
        grid=Grid(SIZE, (4.0, 1.0, 1.0), AFFINE), value_meaning="HU", window=(40, 400), identity=ItemIdentity(),
    )  # fmt: skip
    return people


def opened(visit_as: Any, cast: Cast, requests: list[str]) -> Any:
    page = visit_as(cast.ann, "/label/")
    page.on("request", lambda request: requests.append(request.url))
    start(page)
    return page


def coloured(page: Any, colour: tuple[int, int, int]) -> int:
    """How many pixels of the panel have a class's hue, in light or shade."""
    picture = Image.open(io.BytesIO(page.locator("#solid-canvas").screenshot())).convert("RGB")
    rgb = np.asarray(picture, dtype=float)
    strength = rgb.max(axis=2) - rgb.min(axis=2)
    wanted = np.array(colour, dtype=float)
    hue = (rgb - rgb.min(axis=2, keepdims=True)) / np.maximum(strength, 1)[..., None]
    same = np.abs(hue - (wanted - wanted.min()) / (wanted.max() - wanted.min())).max(axis=2) < 0.25
    return int((same & (strength > 40)).sum())


def shows(page: Any, voxels: str) -> None:
    page.locator(f"#solid[data-voxels='{voxels}']").wait_for(timeout=40_000)


def test_the_panel_shows_the_volume_and_what_is_painted_and_leads_the_planes(visit_as, volume):
    requests: list[str] = []
    page = opened(visit_as, volume, requests)
    assert not [url for url in requests if "niivue" in url or "overview" in url], "it comes when it is opened"
    page.keyboard.press("1")
    page.keyboard.press("b")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    saved(page)
    page.keyboard.press("Shift+D")
    page.locator("#solid[data-voxels]").wait_for(timeout=40_000)
    page.locator("#solid-state").wait_for(state="hidden")
    first = int(page.locator("#solid").get_attribute("data-voxels") or 0)
    assert first > 100
    assert coloured(page, YELLOW) > 60
    assert coloured(page, TEAL) == 0
    # What is painted with the panel open comes a moment later; hidden labels leave it.
    page.keyboard.press("2")
    drag(page, (0.3, 0.65), (0.7, 0.65))
    page.locator(f"#solid:not([data-voxels='{first}'])").wait_for(timeout=40_000)
    assert coloured(page, TEAL) > 60
    page.keyboard.press("h")
    shows(page, "0")
    assert coloured(page, YELLOW) == 0
    page.keyboard.press("h")
    # A press on one of its slices takes the planes to that place in mm.
    page.locator("#solid-slices").click()
    box = page.locator("#solid-canvas").bounding_box()
    page.mouse.click(box["x"] + 0.15 * box["width"], box["y"] + 0.44 * box["height"])
    place = [
        float(value) for value in (page.locator("#solid[data-place]").get_attribute("data-place") or "").split(",")
    ]
    page.keyboard.press("Shift+D")
    page.keyboard.press("v")
    page.keyboard.press("v")
    voxel = np.linalg.inv(AFFINE) @ [*place, 1]
    assert np.abs(voxel[:2] - [39, 29]).max() > 3, "it was not pressed at the middle"
    x, y, z = (round(value) for value in voxel[:3])
    assert f"x {x} · y {y} · z {z}" in page.locator("#facts").inner_text()
    origin = page.url.split("/label/")[0]
    assert {url for url in requests if not url.startswith((origin, "data:", "blob:"))} == set()


def test_without_webgl2_a_sentence_says_so_and_the_rest_works(visit_as, volume):
    page = visit_as(volume.ann, "/label/")
    page.add_init_script(
        "const own = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext = "
        "function (kind, ...more) { return kind === 'webgl2' ? null : own.call(this, kind, ...more); };"
    )
    start(page)
    page.locator("#solid-button").click()
    page.locator("#solid-text", has_text="offers no WebGL2").wait_for()
    page.keyboard.press("1")
    page.keyboard.press("b")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    saved(page)
    page.locator("#solid-close").click()
    page.locator("#solid").wait_for(state="hidden")


def test_a_lost_copy_is_said_and_brought_again(visit_as, volume):
    page = opened(visit_as, volume, [])
    page.route("**/overview/", lambda route: route.abort())
    page.keyboard.press("Shift+D")
    page.locator("#solid-text", has_text="could not be opened").wait_for()
    page.unroute("**/overview/")
    page.locator("#solid-retry").click()
    shows(page, "0")


def test_a_photograph_has_no_3d(visit_as, people):
    add_photograph(project=people.project, pixels=np.zeros((40, 50, 3), dtype=np.uint8), identity=ItemIdentity())
    page = opened(visit_as, people, [])
    page.keyboard.press("Shift+D")
    page.locator("#said", has_text="no third dimension").wait_for()
    assert page.locator("#solid").is_hidden()
