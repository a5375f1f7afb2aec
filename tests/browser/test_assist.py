"""Pointing at the brain in Chromium: a proposal follows, is kept, mended by a press outside, and submitted as it was seen.

Planted and seen to fail: a press with Alt that counted as inside; a mended part that was not taken away; hints that stayed
after Escape; Enter that did nothing while the answer was on its way.
"""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest
from django.conf import settings

from labelhub.annotations import history
from labelhub.annotations.layers import paint_layers
from labelhub.annotations.models import Annotation, Document, Operation, Submission
from labelhub.catalog.blobs import read_blob
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.config.demo.pictures import brain_volumes
from labelhub.formats.mask_blob import decode_mask
from labelhub.predictions import geodesic
from labelhub.predictions.assist import socket_path
from tests.browser.drawing import at, drag, saved, start
from tests.cast import Cast, make_cast
from tests.inference.assistants import running
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=1)
    pixels, grid = next(iter(brain_volumes()))
    low, high = (float(value) for value in np.percentile(pixels, (1, 99.5)))
    add_volume(
        project=cast.project, pixels=pixels, grid=grid, window=((low + high) / 2, high - low), identity=ItemIdentity()
    )
    return cast


@pytest.fixture
def assistant(people):
    with running(socket_path(settings.ENVIRONMENT.var)):
        yield


def opened(visit_as: Any, cast: Cast) -> Any:
    page = visit_as(cast.ann, "/label/")
    start(page)
    page.keyboard.press("3")
    page.keyboard.press("Shift+M")
    page.locator("#option-mode").wait_for()
    return page


def press(page: Any, x: float, y: float, *, outside: bool = False) -> None:
    if outside:
        page.keyboard.down("Alt")
    page.mouse.click(*at(page, x, y))
    if outside:
        page.keyboard.up("Alt")


def proposed(page: Any, words: str = "Adds") -> int:
    """How many voxels the preview adds or takes, once it is there."""
    page.locator("#proposal-keep").wait_for()
    text = page.locator("#proposal-text", has_text=words).text_content() or ""
    return int((re.search(rf"{words} ([\d,]+)", text) or [""] * 2)[1].replace(",", ""))


def keep(page: Any, n: int) -> None:
    """Keep the preview and wait until the log holds ``n`` operations: its mask goes ahead of it."""
    page.keyboard.press("Enter")
    page.locator("#proposal").wait_for(state="hidden")
    for _ in range(100):
        if Operation.objects.count() == n:
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{Operation.objects.count()} operations in place of {n}")


def painted(document: Document) -> np.ndarray:
    state = history.state_of(document)
    (layer,) = paint_layers(state, {0: SIZE()}, history.masks_of(document, state)).values()
    whole = np.zeros(SIZE(), bool)
    whole[tuple(slice(o, o + s) for o, s in zip(layer.origin, layer.voxels.shape, strict=True))] = layer.voxels
    return whole


def SIZE() -> tuple[int, int, int]:
    return next(iter(brain_volumes()))[1].size


def test_a_press_is_kept_mended_and_submitted_as_it_was_seen(visit_as, people, assistant):
    page = opened(visit_as, people)
    page.select_option("#option-spread", "volume")
    press(page, 0.5, 0.45)
    first = proposed(page)
    assert first > 10_000, "most of the brain"
    keep(page, 1)
    (operation,) = Operation.objects.all()
    assert (operation.kind, operation.payload["source"]) == ("patch.add", "tool")
    document = Document.objects.get()
    before = painted(document)
    assert before.sum() == first
    # A press with Alt on what was kept goes on where it ended: what is no longer meant is taken away.
    press(page, 0.5, 0.66, outside=True)
    gone = proposed(page, "Takes")
    assert 0 < gone < first
    keep(page, 2 if "Adds" not in (page.locator("#proposal-text").text_content() or "") else 3)
    saved(page)
    after = painted(Document.objects.get())
    assert after.sum() < before.sum()
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    submission = Submission.objects.get()
    frozen = Annotation.objects.get(submission=submission)
    mask = decode_mask(read_blob(frozen.mask)).astype(bool)
    place = tuple(slice(o, o + s) for o, s in zip(frozen.mask_origin, mask.shape, strict=True))
    assert np.array_equal(after[place], mask)
    assert after.sum() == mask.sum()
    assert (frozen.source, submission.read_kind) == ("tool", "independent")


def test_more_presses_mend_the_preview_and_backspace_and_escape_take_back(visit_as, people, assistant):
    page = opened(visit_as, people)
    press(page, 0.5, 0.45)
    one = proposed(page)
    press(page, 0.5, 0.7, outside=True)
    page.locator("#proposal-text", has_text=f"Adds {one:,}").wait_for(state="hidden")
    assert proposed(page) != one
    page.keyboard.press("Backspace")
    page.locator("#proposal-text", has_text=f"Adds {one:,}").wait_for()
    page.keyboard.press("]")
    page.locator("#proposal-text", has_text=f"Adds {one:,}").wait_for(state="hidden")
    page.keyboard.press("Escape")
    page.locator("#proposal").wait_for(state="hidden")
    # Nothing is left of it: a press outside has nothing to go on with.
    press(page, 0.5, 0.45, outside=True)
    page.locator("#said", has_text="Point at the inside").wait_for()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("mode", ["box", "stroke"])
def test_a_box_or_a_stroke_on_a_coronal_slice_stays_on_it(visit_as, people, assistant, mode):
    page = opened(visit_as, people)
    # Nothing can be pointed at on a slice that is still on its way.
    with page.expect_response(lambda response: "/slice/coronal/" in response.url):
        page.keyboard.press("Shift+V")
    page.locator("#option-mode").wait_for()
    page.select_option("#option-mode", mode)
    drag(page, *(((0.3, 0.3), (0.7, 0.7)) if mode == "box" else ((0.45, 0.5), (0.55, 0.5))))
    assert proposed(page) > 100
    keep(page, 1)
    mask = painted(Document.objects.get())
    assert np.flatnonzero(mask.any(axis=(0, 2))).size == 1, "one coronal slice"
    assert np.flatnonzero(mask.any(axis=(1, 2))).size > 3
    page.keyboard.press("z")
    page.locator("#shapes li").wait_for(state="detached")


def test_the_keyboard_alone_presses_keeps_and_presses_again(visit_as, people, assistant):
    page = opened(visit_as, people)
    page.locator("#canvas").focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    one = proposed(page)
    for _ in range(2):
        page.keyboard.press("Shift+ArrowDown")
    page.select_option("#option-side", "outside")
    page.locator("#canvas").focus()
    for _ in range(2):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+Enter")
    page.locator("#proposal-text", has_text=f"Adds {one:,}").wait_for(state="hidden")
    keep(page, 1)
    assert Operation.objects.get().payload["source"] == "tool"


def test_waiting_is_said_after_a_moment_and_an_early_enter_means_what_comes(visit_as, people, assistant, monkeypatch):
    swift = geodesic.propose

    def slow(*args: Any, **rest: Any) -> Any:
        time.sleep(1.0)
        return swift(*args, **rest)

    monkeypatch.setattr(geodesic, "propose", slow)
    page = opened(visit_as, people)
    press(page, 0.5, 0.45)
    page.locator("#proposal-text", has_text="Looking at what you pointed at").wait_for()
    assert page.locator("#proposal-keep").is_hidden()
    keep(page, 1)


def test_without_an_assistant_it_says_so_and_everything_else_works(visit_as, people):
    page = opened(visit_as, people)
    press(page, 0.5, 0.45)
    page.locator("#option-note", has_text="No assistant is running").wait_for()
    assert page.locator("#proposal").is_hidden()
    for selector in (".tools", ".stage-bar"):
        size = page.locator(selector).evaluate("e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]")
        assert max(size) <= 0, f"{selector} overflows"
    # Once there is one, the next press is answered together with the one that was not.
    with running(socket_path(settings.ENVIRONMENT.var)):
        press(page, 0.52, 0.5)
        assert proposed(page) > 100
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    drag(page, (0.4, 0.5), (0.6, 0.5))
    saved(page)
    assert Operation.objects.get().kind == "stroke.add"
