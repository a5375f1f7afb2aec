"""Comments pinned to places: one sets a pin, the other sees it live on its slice, answers, goes to it and resolves it."""

from __future__ import annotations

from typing import Any

import pytest

from labelhub.assignments.models import Assignment
from labelhub.reviews.models import Comment, Thread
from tests.browser.drawing import at
from tests.browser.test_a_volume_together import people, work  # noqa: F401 - a volume that Ann and Ben label together
from tests.browser.test_together import opened
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pin_at(page: Any, x: float, y: float, text: str) -> None:
    page.mouse.move(*at(page, x, y))
    page.keyboard.press("c")
    page.locator("#pin-text").fill(text)
    page.keyboard.press("Enter")


def slice_of(page: Any) -> str:
    return page.locator("#slice-text").inner_text()


def test_a_pin_is_seen_live_on_its_slice_answered_and_resolved(visit_live, people: Cast, work: Assignment):  # noqa: F811
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    pin_at(ann, 0.4, 0.4, "Is this one lesion?")
    ann.locator(".pin.is-chosen", has_text="Is this one lesion?").wait_for()
    row = ben.locator(".pin-row", has_text="Is this one lesion?")
    row.wait_for()
    assert row.locator(".hint").inner_text() == "Ann · slice 8"
    # Ben is elsewhere; the list brings him there.
    for _ in range(3):
        ben.keyboard.press("PageDown")
    assert slice_of(ben) == "11 / 15"
    row.click()
    ben.locator("#slice-text", has_text="8 / 15").wait_for()
    ben.locator(".pin-body textarea").fill("Two.")
    ben.keyboard.press("Enter")
    ann.locator(".pin-remark", has_text="Ben").get_by_text("Two.").wait_for()
    ben.get_by_role("button", name="Resolve").click()
    ann.get_by_role("button", name="Open again").wait_for()
    ann.get_by_role("button", name="Show 1 resolved").wait_for()
    thread = Thread.objects.get()
    assert (thread.z, thread.assignment, thread.comments.count()) == (7, work, 2)


def test_escape_leaves_and_words_that_cannot_be_sent_stay(visit_live, people: Cast, work: Assignment, server):  # noqa: F811
    page = opened(visit_live, people.ann, work)
    page.mouse.move(*at(page, 0.5, 0.5))
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    page.locator("#pin-form").wait_for(state="hidden")
    server.kill()
    pin_at(page, 0.6, 0.5, "Still here")
    page.get_by_text("Your words stay here").wait_for()
    assert page.locator("#pin-text").input_value() == "Still here"
    server.start()
    page.locator("#pin-text").press("Enter")
    page.locator(".pin.is-chosen", has_text="Still here").wait_for()
    assert Comment.objects.count() == 1
    # By keys alone: the canvas's own pointer is where the pin goes; with a closed list Tab reaches the pins.
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.locator("#pin-text").fill("By keys")
    page.keyboard.press("Enter")
    page.locator(".pin.is-chosen", has_text="By keys").wait_for()
    page.reload()
    page.locator(".pin-row").nth(1).wait_for()
