"""The labeling page in a real Chromium: draw, answer, reload, undo, lose the server, submit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from labelhub.annotations import documents, history, plain
from labelhub.annotations.models import Operation, Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.services import ItemIdentity, add_photograph, add_volume
from labelhub.formats.shapes import Grid
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import at, click_all, drag, saved, start
from tests.cast import Cast, make_cast

# Before what is kept stands an operation that names a mask.
WITH_A_MASK = """() => new Promise((resolve) => {
  const request = indexedDB.open("labelhub");
  request.onsuccess = () => {
    const store = request.result.transaction("outbox", "readwrite").objectStore("outbox");
    store.getAll().onsuccess = ({ target: { result: [entry] } }) => {
      const place = { medium: 0, origin: [0, 0, 0], size: [1, 1, 1] };
      const payload = { stroke_id: "k", label: "area", mode: "add", mask: "f".repeat(64), ...place };
      store.put({ ...entry, op_id: crypto.randomUUID(), kind: "patch.add", payload, order: 1 }).onsuccess = resolve;
    };
  };
})"""
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    publish_policy(project=cast.project, policy=Policy(readers=1, gold_share=0.0, use_model=False), by=cast.ada)
    return cast


@pytest.fixture
def photograph(people: Cast) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(90, 160, (200, 300, 3), dtype=np.uint8)
    add_photograph(project=people.project, pixels=pixels, identity=ItemIdentity())


@pytest.fixture
def volume(people: Cast) -> None:
    pixels = np.random.default_rng(4).normal(0, 60, (9, 60, 80)).astype(np.int16)
    affine = np.diag([-0.5, -0.5, 2.0, 1.0])
    add_volume(
        project=people.project, pixels=pixels, grid=Grid((9, 60, 80), (2.0, 0.5, 0.5), affine), value_meaning="HU",
        window=(40, 400), identity=ItemIdentity(),
    )  # fmt: skip


@pytest.fixture
def page(visit_as, people) -> Any:
    return visit_as(people.ann, "/label/")


def draw_everything(page: Any) -> None:
    page.keyboard.press("1")
    click_all(page, (0.3, 0.3), (0.45, 0.3), (0.45, 0.5), (0.3, 0.5))
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    drag(page, (0.55, 0.3), (0.7, 0.45))
    page.keyboard.press("3")
    drag(page, (0.35, 0.7), (0.5, 0.72), (0.62, 0.66))
    page.get_by_text("good", exact=True).click()


def test_a_reader_draws_answers_reloads_and_submits(page, photograph, people):
    start(page)
    draw_everything(page)
    saved(page)
    assert page.locator(".shape-row").count() == 3
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    assert page.locator(".shape-row").count() == 3
    assert page.locator("input[value=good]").is_checked()
    assert sorted(Operation.objects.values_list("kind", flat=True)) == [
        "answer.set",
        "shape.add",
        "shape.add",
        "stroke.add",
    ]

    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=*")
    reading = plain.reading_of(Submission.objects.get())
    assert sorted(shape.label for shape in reading.shapes) == ["debris", "lesion", "nucleus"]
    assert reading.answers == {"quality": "good"}
    polygon = next(shape for shape in reading.shapes if shape.label == "nucleus").regions[0]
    assert len(polygon.points) == 4
    mask = next(shape.mask for shape in reading.shapes if shape.label == "lesion")
    assert mask is not None
    assert mask.voxels.sum() > 500
    assert Submission.objects.get().extent == {"media": [{"medium": 0, "whole": True}]}


def test_undo_takes_back_ones_own_acts_in_turn_and_redo_brings_them_again(page, photograph, people):
    start(page)
    draw_everything(page)
    for _ in range(4):
        page.keyboard.press("z")
    assert page.locator(".shape-row").count() == 0
    assert not page.locator("input[value=good]").is_checked()
    for _ in range(3):
        page.keyboard.press("Control+Shift+z")
    saved(page)
    assert page.locator(".shape-row").count() == 3
    state = history.state_of(documents.document_of(assignment=Assignment.objects.get()))
    assert len(state.standing_shapes()) == 2
    assert not next(iter(state.marks.values())).is_undone


def test_no_question_is_answered_while_the_past_is_shown(page, photograph, people):
    start(page)
    page.keyboard.press("1")
    click_all(page, (0.3, 0.3), (0.45, 0.3), (0.45, 0.5), (0.3, 0.5))
    page.keyboard.press("Enter")
    saved(page)
    page.keyboard.press("t")
    page.locator("#replay-text", has_text="1 of 1").wait_for()
    page.locator("input[value=good]").evaluate("(input) => input.focus()")
    page.keyboard.press("Space")
    page.locator("#replay-close").click()
    page.get_by_text("good", exact=True).click()
    saved(page)
    assert list(Operation.objects.order_by("seq").values_list("kind", "payload__value")) == [
        ("shape.add", None), ("answer.set", "good"),
    ]  # fmt: skip


def test_a_corner_that_is_dragged_and_a_shape_that_is_deleted_are_stored(page, photograph, people):
    start(page)
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.keyboard.press("s")
    click_all(page, (0.5, 0.5))
    drag(page, (0.6, 0.6), (0.7, 0.7))
    saved(page)
    document = documents.document_of(assignment=Assignment.objects.get())
    (shape,) = history.state_of(document).standing_shapes()
    assert shape.version == 2
    page.keyboard.press("Delete")
    saved(page)
    assert history.state_of(document).standing_shapes() == []


def test_saved_is_not_shown_while_the_server_is_away_and_nothing_is_lost_by_a_reload(page, photograph, people):
    start(page)
    saved(page)
    page.route("**/document/", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.wait_for_selector("#saved[data-status=offline]")
    assert "kept here" in page.locator("#saved").inner_text()
    assert Operation.objects.count() == 0
    page.unroute("**/document/")
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    saved(page)
    assert page.locator(".shape-row").count() == 1
    assert Operation.objects.get().kind == "shape.add"


def test_saved_is_not_shown_while_what_was_kept_is_still_being_taken_up(page, photograph, people):
    start(page)
    page.route("**/document/", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.get_by_text("good", exact=True).click()
    page.wait_for_selector("#saved[data-status=offline]")
    page.evaluate(WITH_A_MASK)
    held: list[Any] = []
    page.route("**/masks/**", lambda route: held.insert(0, route))
    with page.expect_request("**/masks/**"):
        page.reload()
    page.wait_for_timeout(300)
    assert page.locator("#saved").get_attribute("data-status") != "saved"
    page.unroute("**/document/")
    held[0].abort()
    saved(page)
    assert Operation.objects.get().payload["value"] == "good"


def test_an_answer_lost_on_the_way_back_does_not_double_anything(page, photograph, people):
    start(page)
    saved(page)
    lost: list[str] = []

    def lose_first_answer(route: Any) -> None:
        if route.request.method == "POST" and not lost:
            route.fetch()
            lost.append(route.request.post_data)
            route.abort()
        else:
            route.continue_()

    page.route("**/document/", lose_first_answer)
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.wait_for_selector("#saved[data-status=saved]", timeout=10_000)
    assert json.loads(lost[0])["operations"][0]["kind"] == "shape.add"
    assert Operation.objects.count() == 1


def test_whoever_is_signed_out_is_told_so_and_goes_on_after_signing_in_again(page, photograph, people):
    start(page)
    session = page.context.cookies()
    page.context.clear_cookies(name="labelhub_session")
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.wait_for_selector("#saved[data-status=signed-out]")
    assert page.locator("#trouble-sign-in").is_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    drag(page, (0.2, 0.2), (0.3, 0.3))
    page.wait_for_selector("#saved:has-text('2 kept here')")
    assert not [url for url in asked if "/document/" in url]
    page.context.add_cookies(session)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    saved(page)
    assert Operation.objects.count() == 2


def test_the_picture_stays_where_it_is_under_the_hand_when_the_server_is_lost(page, photograph, people):
    start(page)
    stage = page.locator("#canvas").bounding_box()
    page.route("**/document/", lambda route: route.abort())
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.wait_for_selector("#saved[data-status=offline]")
    assert page.locator("#trouble-retry").is_visible()
    assert page.locator("#canvas").bounding_box() == stage
    # What it covers at the foot of the panel can still be brought into sight.
    panel = page.locator(".side-panel")
    assert (
        panel.evaluate("(one) => parseFloat(getComputedStyle(one).paddingBottom)")
        >= page.locator("#trouble").bounding_box()["height"]
    )


def test_an_ended_lease_keeps_the_draft_and_says_so(page, photograph, people):
    start(page)
    Assignment.objects.update(state=Assignment.State.EXPIRED)
    page.keyboard.press("2")
    drag(page, (0.4, 0.4), (0.6, 0.6))
    page.wait_for_selector("#saved[data-status=lease-ended]")
    assert "Your draft is kept" in page.locator("#trouble").inner_text()
    assert "is-closed" in page.locator("#main").get_attribute("class")


def test_an_empty_image_is_submitted_with_no_finding_only(page, photograph, people):
    start(page)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#said:not([hidden])")
    assert Submission.objects.count() == 0
    page.keyboard.press("0")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=*")
    assert Submission.objects.get().no_finding


def test_a_skip_asks_for_the_reason_and_gives_the_image_back(page, photograph, people):
    start(page)
    page.locator("#skip").click()
    page.get_by_label("Why?").fill("The picture cannot be judged")
    page.get_by_role("button", name="Skip it").click()
    page.wait_for_url("**/label/?project=*")
    assert Assignment.objects.get().skip_reason == "The picture cannot be judged"


def test_a_volume_is_read_slice_by_slice_and_states_what_was_seen(page, volume, people):
    start(page)
    assert page.locator("#slice-text").inner_text() == "5 / 9"
    page.mouse.move(*at(page, 0.5, 0.5))
    page.wait_for_timeout(200)
    page.mouse.wheel(0, 100)
    page.locator("#slice-text", has_text="6 / 9").wait_for()
    page.wait_for_timeout(200)
    page.mouse.move(*at(page, 0.51, 0.5))
    readout = page.locator("#readout").inner_text()
    assert "HU" in readout
    assert "mm" in readout
    page.keyboard.press("3")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    saved(page)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=*")
    submission = Submission.objects.get()
    assert submission.extent == {"media": [{"medium": 0, "slices": [[4, 5]]}]}
    (shape,) = plain.reading_of(submission).shapes
    assert shape.mask is not None
    assert shape.mask.origin[0] == 5


def test_a_polygon_can_be_drawn_without_a_mouse(page, photograph, people):
    start(page)
    page.keyboard.press("1")
    for key, times in [("Enter", 0), ("ArrowRight", 3), ("ArrowDown", 3), ("ArrowLeft", 3)]:
        for _ in range(times):
            page.keyboard.press(f"Shift+{key}")
        if times:
            page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    saved(page)
    assert Operation.objects.get().kind == "shape.add"


def test_what_the_page_needs_first_is_asked_for_once_and_before_its_scripts(visit_as, people, volume):
    page = visit_as(people.ann, "/label/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    start(page)
    ends = ("/document/", "/slice/axial/4/")
    first = [next(place for place, url in enumerate(asked) if url.endswith(end)) for end in ends]
    assert [sum(url.endswith(end) for url in asked) for end in ends] == [1, 1]
    assert max(first) < next(place for place, url in enumerate(asked) if "/canvas/pane" in url)
