"""The plane editor in a real Chromium: three planes, tools that paint by the picture, the sculptor, measures, keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelhub.annotations import documents, history
from labelhub.annotations.layers import paint_layers
from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import click_all, drag, saved, start
from tests.cast import Cast, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZE = (12, 60, 80)
ONTOLOGY: dict[str, Any] = {
    "classes": [
        {"key": "lesion", "name": "Lesion", "colour": "#ffc914", "tool": "brush", "shortcut": "1"},
        {"key": "organ", "name": "Organ", "colour": "#17bebb", "tool": "brush", "shortcut": "2"},
        {"key": "nodule", "name": "Nodule", "colour": "#e4572e", "tool": "polygon", "shortcut": "3"},
        {"key": "box", "name": "Box", "colour": "#9bc53d", "tool": "box"},
        {"key": "ellipse", "name": "Ellipse", "colour": "#c3423f", "tool": "ellipse"},
        {"key": "point", "name": "Point", "colour": "#fde74c", "tool": "point"},
        {"key": "line", "name": "Line", "colour": "#5bc0eb", "tool": "polyline"},
        {"key": "cyst", "name": "Cyst", "colour": "#b388eb", "tool": "polygon"},
    ],
    "questions": [],
}


def ball_of_a_phantom() -> NDArray[np.bool_]:
    """A ball of radius 16 mm in the middle of the volume: 16 voxels across, 4 slices up."""
    z, y, x = np.mgrid[0:12, 0:60, 0:80]
    return (x - 40) ** 2 + (y - 30) ** 2 + (4 * (z - 5)) ** 2 <= 16**2


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast(ontology=ONTOLOGY)
    publish_policy(project=cast.project, policy=Policy(readers=1, gold_share=0.0, use_model=False), by=cast.ada)
    pixels = np.where(ball_of_a_phantom(), 200, -50).astype(np.int16)
    add_volume(
        project=cast.project, pixels=pixels, grid=Grid(SIZE, (4.0, 1.0, 1.0), np.diag([-1.0, -1.0, 4.0, 1.0])),
        value_meaning="HU", window=(40, 400), identity=ItemIdentity(),
    )  # fmt: skip
    return cast


@pytest.fixture
def page(visit_as, people) -> Any:
    page = visit_as(people.ann, "/label/")
    start(page)
    return page


def voxels(label: str = "lesion") -> NDArray[np.bool_]:
    """What the server says is painted of a class, on the whole grid."""
    document = documents.document_of(assignment=Assignment.objects.get())
    state = history.state_of(document)
    layer = paint_layers(state, {0: SIZE}, history.masks_of(document, state)).get((0, label))
    whole = np.zeros(SIZE, dtype=np.bool_)
    if layer is not None:
        place = tuple(slice(at, at + n) for at, n in zip(layer.origin, layer.voxels.shape, strict=True))
        whole[place] = layer.voxels
    return whole


def kinds() -> list[str]:
    return list(Operation.objects.order_by("seq").values_list("kind", flat=True))


def preview(page: Any) -> str:
    page.wait_for_selector("#proposal-keep:not([hidden])")
    return str(page.locator("#proposal-text").inner_text())


def stored(page: Any, before: int) -> None:
    """Wait until the log is longer: between a key and its operation lies the way of its mask to the server."""
    for _ in range(100):
        if Operation.objects.count() > before:
            break
        page.wait_for_timeout(50)
    assert Operation.objects.count() > before
    saved(page)


def keep(page: Any) -> str:
    words, before = preview(page), Operation.objects.count()
    page.keyboard.press("Enter")
    stored(page, before)
    return words


def pane(page: Any, n: int) -> Any:
    return page.locator("#panes .pane canvas").nth(n)


def named(page: Any, name: str) -> None:
    page.locator(".pane-name:visible", has_text=name).wait_for()


def smaller_brush(page: Any, times: int = 8) -> None:
    for _ in range(times):
        page.keyboard.press("[")


def in_pane(page: Any, n: int, x: float, y: float) -> tuple[float, float]:
    box = pane(page, n).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_all_planes_are_shown_scroll_by_themselves_and_are_painted_on(page):
    page.keyboard.press("v")
    page.keyboard.press("v")
    names = page.locator(".pane-name")
    assert names.all_inner_texts() == ["Axial 6 / 12", "Coronal 30 / 60", "Sagittal 40 / 80"]
    page.mouse.move(*in_pane(page, 1, 0.5, 0.5))
    page.mouse.wheel(0, 100)
    named(page, "Coronal 31 / 60")
    assert page.locator("#slice-text").inner_text() == "31 / 60"
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    page.mouse.move(*in_pane(page, 1, 0.5, 0.5))
    page.mouse.down()
    page.mouse.up()
    saved(page)
    stroke = Operation.objects.get().payload
    assert (stroke["plane"], stroke["index"]) == ("coronal", 30)
    painted = voxels()
    assert painted[:, 30].any()
    assert not painted[:, 29].any()
    assert painted.sum() == painted[:, 30].sum()
    page.keyboard.press("v")
    upper, lower = (pane(page, n).bounding_box() for n in (0, 1))
    assert page.locator("#layout-name").inner_text() == "2×1"
    assert lower["y"] >= upper["y"] + upper["height"]
    assert (lower["x"], lower["width"]) == (upper["x"], upper["width"])
    assert names.locator("visible=true").all_inner_texts() == ["Axial 6 / 12", "Coronal 31 / 60"]


def test_the_linked_cross_hair_takes_the_other_planes_along(page):
    page.keyboard.press("v")
    page.keyboard.press("v")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.mouse.click(*in_pane(page, 0, 0.4, 0.4))
    before = page.locator(".pane-name").all_inner_texts()
    page.keyboard.down("Shift")
    page.mouse.move(*in_pane(page, 0, 0.55, 0.6), steps=3)
    page.keyboard.up("Shift")
    page.wait_for_timeout(100)
    after = page.locator(".pane-name").all_inner_texts()
    assert before[0] == after[0] == "Axial 6 / 12"
    assert before[1] != after[1]
    assert before[2] != after[2]
    assert "HU" in page.locator("#facts").inner_text()


def test_the_head_is_up_on_a_coronal_slice(page):
    page.keyboard.press("Shift+V")
    named(page, "Coronal 30 / 60")
    page.mouse.move(*in_pane(page, 0, 0.5, 0.45))
    above = page.locator("#readout").inner_text()
    page.mouse.move(*in_pane(page, 0, 0.5, 0.55))
    below = page.locator("#readout").inner_text()
    height = [float(text.split("S ")[1].split(" ")[0]) for text in (above, below)]
    assert height[0] > height[1]


def test_outlines_stay_on_axial_slices_and_this_is_said(page):
    page.keyboard.press("Shift+V")
    named(page, "Coronal 30 / 60")
    page.wait_for_timeout(300)
    page.keyboard.press("3")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    assert "axial slices" in page.locator("#said").inner_text()
    assert kinds() == []


def test_growing_through_the_volume_finds_the_ball_and_is_one_step_of_undo(page):
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    assert "Adds" in preview(page)
    assert kinds() == [], "a preview is nothing yet"
    page.locator("#option-radius").fill("20")
    page.locator("#option-spread").select_option("volume")
    page.get_by_text(f"Adds {ball_of_a_phantom().sum():,} voxels").wait_for()
    keep(page)
    assert kinds() == ["patch.add"]
    np.testing.assert_array_equal(voxels(), ball_of_a_phantom())
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    assert page.locator(".shape-row").inner_text().endswith("9 slices")
    page.keyboard.press("2")
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    keep(page)
    page.keyboard.press("z")
    saved(page)
    assert not voxels("organ").any()
    assert voxels("lesion").any()


def test_a_preview_is_dropped_with_escape_and_adjusted_with_keys_and_wheel(page):
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    first = preview(page)
    page.keyboard.press("]")
    page.locator("#proposal-text", has_not_text=first.split(":")[0]).wait_for()
    second = preview(page)
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Shift")
    page.locator("#proposal-text", has_not_text=second.split(":")[0]).wait_for()
    page.keyboard.press("Control+Enter")
    assert "preview waits" in page.locator("#said").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#proposal", state="hidden")
    assert kinds() == []


def test_growing_needs_no_mouse(page):
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    keep(page)
    assert kinds() == ["patch.add"]


def test_what_cannot_be_stored_stays_a_preview(page):
    page.route("**/masks/?size=*", lambda route: route.fulfill(status=503, body="{}"))
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    preview(page)
    page.keyboard.press("Enter")
    page.get_by_text("This was not stored").wait_for()
    preview(page)
    page.unroute("**/masks/?size=*")
    keep(page)
    assert kinds() == ["patch.add"]


@pytest.mark.parametrize(("way", "status"), [("Control+Enter", 503), ("Shift+P", 503), ("Shift+P", 0)])
def test_what_was_accepted_is_stored_before_the_image_is_left_or_the_image_is_not_left(page, way, status):
    held: list[Any] = []
    page.keyboard.press("1")
    drag(page, (0.3, 0.3), (0.35, 0.3))
    saved(page)
    page.route("**/masks/?size=*", lambda route: held.insert(0, route))
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    preview(page)
    with page.expect_request("**/masks/?size=*"):
        page.keyboard.press("Enter")
    page.keyboard.press(way)
    page.wait_for_timeout(500)
    assert Assignment.objects.get().state == "open"
    if status:
        held[0].fulfill(status=status, body="{}")
        page.get_by_text("not stored").wait_for()
        preview(page)
        assert Assignment.objects.get().state == "open"
    else:
        with page.expect_navigation():
            held[0].continue_()
        assert kinds()[-1] == "patch.add"


def test_a_patch_that_waits_over_a_reload_is_seen_and_sent(page):
    page.route("**/document/", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    preview(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("#saved[data-status=offline]")
    assert kinds() == []
    page.unroute("**/document/")
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    stored(page, 0)
    assert page.locator(".shape-row").count() == 1
    assert voxels().any()


def test_nothing_is_drawn_on_a_slice_that_is_not_seen_yet(page):
    page.wait_for_timeout(500)
    page.route("**/slice/coronal/*/", lambda route: None)
    page.keyboard.press("Shift+V")
    page.keyboard.press("1")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    page.get_by_text("still on its way").wait_for()
    assert kinds() == []


def test_a_brush_held_to_a_class_paints_on_that_alone(page):
    page.keyboard.press("2")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    stored(page, 0)
    page.keyboard.press("1")
    page.locator("#option-limit").select_option("on:organ")
    drag(page, (0.3, 0.5), (0.7, 0.5))
    stored(page, 1)
    assert voxels("lesion").any()
    assert not (voxels("lesion") & ~voxels("organ")).any()
    page.locator("#option-limit").select_option("free")
    drag(page, (0.3, 0.45), (0.7, 0.45))
    stored(page, 2)
    assert (voxels("lesion") & ~voxels("organ")).any()
    page.locator("#option-limit").select_option("on:organ")
    pane(page, 0).focus()
    page.keyboard.press("2")
    assert page.locator("#option-limit").input_value() == "any", "a class held to itself could not be painted"


def test_superpixels_are_painted_and_taken_away_without_a_mouse(page):
    page.keyboard.press("1")
    page.keyboard.press("y")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(800)
    page.keyboard.press("Enter")
    keep(page)
    assert voxels().any()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator("#proposal").is_hidden()
    page.keyboard.press("Alt+Enter")
    assert "Takes" in keep(page)
    assert not voxels().any()


def test_a_ring_is_filled_and_an_open_line_is_not(page):
    page.keyboard.press("1")
    smaller_brush(page)
    drag(page, (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    page.keyboard.press("o")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    page.get_by_text("not enclosed").wait_for()
    page.keyboard.press("b")
    drag(page, (0.4, 0.6), (0.4, 0.4))
    page.keyboard.press("o")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    keep(page)
    plane = voxels()[5]
    ys, xs = np.nonzero(plane)
    assert plane[ys.min() + 5 : ys.max() - 4, xs.min() + 5 : xs.max() - 4].all()


def test_slices_between_two_painted_ones_are_filled_smoothed_and_undone_in_single_steps(page):
    page.keyboard.press("1")
    page.locator("#option-tip").select_option("square")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    for _ in range(4):
        page.keyboard.press(".")
    page.wait_for_timeout(300)
    smaller_brush(page, 4)
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    stored(page, 1)
    page.keyboard.press("Shift+I")
    assert keep(page).startswith("3 slices between")
    painted = voxels()
    assert painted.any(axis=(1, 2)).nonzero()[0].tolist() == [5, 6, 7, 8, 9]
    assert painted[5].sum() > painted[7].sum() > painted[9].sum(), "the size between as well"
    page.locator("#canvas").focus()
    page.keyboard.press(">")
    assert keep(page).startswith("Copy of axial slice 10")
    assert voxels()[10].any()
    smaller_brush(page, 16)
    drag(page, (0.5, 0.5), (0.8, 0.2))
    saved(page)
    before = voxels()
    page.keyboard.press("Shift+S")
    assert "Takes" in keep(page)
    assert (voxels() != before).any()
    page.keyboard.press("z")
    saved(page)
    np.testing.assert_array_equal(voxels(), before)


def test_parts_are_kept_taken_away_and_given_to_another_class(page):
    page.keyboard.press("1")
    page.mouse.click(*in_pane(page, 0, 0.35, 0.5))
    drag(page, (0.6, 0.4), (0.6, 0.6))
    saved(page)
    both = voxels().sum()
    page.keyboard.press("2")
    page.keyboard.press("Shift+O")
    page.mouse.click(*in_pane(page, 0, 0.35, 0.5))
    words = keep(page)
    assert "to Organ" in words
    assert "from Lesion" in words
    assert voxels("organ").sum() + voxels("lesion").sum() == both
    page.keyboard.press("z")
    saved(page)
    assert voxels("lesion").sum() == both
    assert not voxels("organ").any(), "given and taken is one step"
    page.keyboard.press("1")
    page.keyboard.press("Shift+K")
    keep(page)
    left = voxels().sum()
    assert 0 < left < both
    page.keyboard.press("Shift+J")
    page.get_by_text("No part has fewer than 20 pixels").wait_for()


def test_a_brush_held_to_intensities_paints_on_those_alone(page):
    page.keyboard.press("1")
    page.keyboard.down("Alt")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    page.keyboard.up("Alt")
    assert page.locator("#option-limit").input_value() == "range"
    drag(page, (0.3, 0.5), (0.7, 0.5))
    stored(page, 0)
    painted = voxels()
    assert painted.any()
    assert not (painted & ~ball_of_a_phantom()).any()


def test_a_ball_paints_through_slices_as_far_as_it_is_round_in_millimetres(page):
    page.keyboard.press("1")
    page.locator("#option-tip").select_option("ball")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    stored(page, 0)
    painted = voxels()
    n_slices = painted.any(axis=(1, 2)).sum()
    n_columns = painted.any(axis=(0, 1)).sum()
    # 4 mm slices, 1 mm columns.
    assert abs(4 * n_slices - n_columns) <= 4
    assert kinds() == ["patch.add"]


def test_a_ball_is_as_round_where_rows_are_taller_than_columns(page):
    page.keyboard.press("1")
    page.keyboard.press("Shift+V")
    named(page, "Coronal")
    page.locator("#option-tip").select_option("ball")
    page.mouse.click(*in_pane(page, 0, 0.5, 0.5))
    stored(page, 0)
    n_slices, n_rows, n_columns = (voxels().any(axis=axes).sum() for axes in ((1, 2), (0, 2), (0, 1)))
    assert abs(n_columns - n_rows) <= 1
    assert abs(4 * n_slices - n_columns) <= 4


def test_what_was_painted_once_and_erased_is_brought_back_as_a_copy_in_one_step(page):
    page.keyboard.press("1")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    stored(page, 0)
    painted = voxels()
    page.keyboard.press("x")
    drag(page, (0.4, 0.4), (0.6, 0.4))
    stored(page, 1)
    rest = voxels()
    assert rest.sum() < painted.sum()
    page.keyboard.press("t")
    page.locator("#replay-text", has_text="2 of 2").wait_for()
    page.locator("#replay-slider").press("ArrowLeft")
    page.locator("#replay-copy").click()
    stored(page, 2)
    np.testing.assert_array_equal(voxels(), painted)
    page.keyboard.press("z")
    stored(page, 3)
    np.testing.assert_array_equal(voxels(), rest)


def test_no_class_is_changed_while_the_past_is_shown(page):
    page.keyboard.press("3")
    click_all(page, (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    page.keyboard.press("Enter")
    stored(page, 0)
    page.keyboard.press("t")
    page.locator("#replay-text", has_text="1 of 1").wait_for()
    page.locator(".shape-name").click()
    page.get_by_label("Class of this shape").select_option("cyst")
    page.get_by_text("Nothing can be changed here").wait_for()
    assert page.get_by_label("Class of this shape").input_value() == "nodule"
    page.locator("#replay-close").click()
    page.get_by_label("Class of this shape").select_option("cyst")
    stored(page, 1)
    assert kinds() == ["shape.add", "shape.label"]


def test_a_threshold_in_a_box_and_superpixels_follow_the_edge(page):
    page.keyboard.press("1")
    page.keyboard.press("j")
    drag(page, (0.25, 0.1), (0.75, 0.9))
    keep(page)
    np.testing.assert_array_equal(voxels()[5], ball_of_a_phantom()[5])
    page.keyboard.press("z")
    page.keyboard.press("y")
    page.locator("#option-side").fill("8")
    page.mouse.move(*in_pane(page, 0, 0.5, 0.5))
    page.wait_for_timeout(800)
    drag(page, (0.45, 0.5), (0.55, 0.5))
    keep(page)
    painted = voxels()[5]
    assert painted.any()
    assert not (painted & ~ball_of_a_phantom()[5]).any()


def test_the_sculptor_pushes_an_outline_and_fewer_corners_are_taken_at_will(page):
    page.keyboard.press("3")
    click_all(page, (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    drag(page, (0.5, 0.5), (0.66, 0.5))
    saved(page)
    assert kinds() == ["shape.add", "shape.geometry"]
    document = documents.document_of(assignment=Assignment.objects.get())
    (shape,) = history.state_of(document).standing_shapes()
    assert len(shape.regions[0]["points"]) > 6
    assert max(x for x, _ in shape.regions[0]["points"]) > 55
    page.keyboard.press("z")
    saved(page)
    (shape,) = history.state_of(document).standing_shapes()
    assert len(shape.regions[0]["points"]) == 4


def test_nothing_overflows_at_the_smallest_size(page):
    for key in ("m", "b", "j", "3"):
        page.keyboard.press(key)
        for selector in (".tools", ".stage-bar", ".workspace-bar"):
            fits = page.locator(selector).evaluate(
                "e => [e.scrollHeight <= e.clientHeight, e.scrollWidth <= e.clientWidth]"
            )
            assert fits == [True, True], f"{selector} overflows with {key}"
    page.keyboard.press("b")
    page.locator("#option-limit").select_option("range")
    assert page.locator("#option-high").is_visible()
    bar = page.locator(".stage-bar").bounding_box()
    high = page.locator("#option-high").bounding_box()
    assert high["x"] + high["width"] < bar["x"] + bar["width"]


def test_every_key_on_a_button_stands_on_the_sheet(page):
    page.keyboard.press("?")
    listed = set("".join(page.locator("#shortcuts dt").all_inner_texts()))
    keys = page.locator(".tools kbd, .stage-bar kbd").all_text_contents()
    for key in keys:
        last = key.removeprefix("Shift+").removeprefix("⇧")
        assert last in listed, f"{key} is not on the sheet"
