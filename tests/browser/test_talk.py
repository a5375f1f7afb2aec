"""Work that came back, disputes, threads and the bell in a real Chromium, by the keyboard.

Seen to fail before it was mended: pinning to a place while the picture was scrolled out of sight.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from labelhub.reviews.models import Comment, Dispute, Mention
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import draw, new_annotator, read, submit, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("LABELHUB_SHOTS", "")


@pytest.fixture
def returned(transactional_db) -> tuple[Cast, Any]:
    """Ann and Ben outlined different things, Rita returned Ann's, and a further labeler is there."""
    cast = make_cast()
    policy = Policy(
        readers=2, max_readers=2, gold_share=0.0, gold_share_undecided=0.0, repeat_share=0.0, random_extra_share=0.0,
        use_model=False,
    )  # fmt: skip
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    rng = np.random.default_rng(3)
    pixels = rng.integers(90, 130, (200, 300, 3), dtype=np.uint8)
    pixels[60:120, 80:160] += 60
    item = add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())
    by_ann = read(cast, cast.ann, (90, 60, 50))
    read(cast, cast.ben, (150, 90, 70))
    lifecycle.review(
        submission=by_ann, reviewer=cast.rita, verdict="reject", score=4, request_id=uuid.uuid4(),
        comment="The lower right part belongs to it too. Follow the bright edge.",
    )  # fmt: skip
    new_annotator(cast, "Cleo")
    return cast, item


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def test_an_author_jumps_to_the_marks_and_disputes_by_the_keyboard(visit_as, returned):
    cast, _ = returned
    page = visit_as(cast.ann, "/label/")
    page.wait_for_selector("[data-bell-count]:not([hidden])")
    assert page.locator("[data-bell-count]").inner_text() == "1"
    shot(page, "talk-1-queue")
    page.goto(f"/label/{take(cast, cast.ann).pk}/")
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#regions button")
    page.locator("#canvas").focus()
    page.keyboard.press("n")
    page.wait_for_selector("#regions button[aria-pressed=true]")
    page.wait_for_timeout(200)
    shot(page, "talk-2-ticket")
    assert "Follow the bright edge" in page.locator("#remarks").inner_text()
    page.keyboard.press("d")
    page.wait_for_selector("#dispute-dialog[open]")
    page.keyboard.press("Tab")
    page.locator("#dispute-form button[value=send]").click()
    assert "Say why" in page.locator("#dispute-trouble").inner_text()
    page.keyboard.type("The bright edge ends there.")
    shot(page, "talk-3-dispute")
    page.locator("#dispute-form button[value=send]").click()
    page.wait_for_url(lambda url: "/label/?" in url)
    assert "Somebody else looks" in page.locator("#disputes").inner_text()
    shot(page, "talk-4-queue-after")
    assert Dispute.objects.get().reason == "The bright edge ends there."


def test_reviewers_talk_name_each_other_and_resolve(visit_as, returned):
    cast, item = returned
    lifecycle.dispute(assignment=take(cast, cast.ann), by=cast.ann, reason="The bright edge ends there.")
    page = visit_as(cast.rita, f"/review/cells/{item.code}/")
    page.wait_for_selector("[data-message]:empty", state="attached")
    page.locator("#pin-place").click()
    box = page.locator(".viewer-stage > canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#pin-place", has_text="Pinned at").wait_for()
    page.keyboard.type("What do you say, @a")
    page.wait_for_selector(".names:not([hidden]) li")
    shot(page, "talk-5-names")
    page.keyboard.press("Enter")
    assert page.locator("#new-comment").input_value() == "What do you say, @ada "
    page.locator("#new-thread button.is-main").click()
    page.wait_for_selector("li.thread")
    assert Mention.objects.get().user == cast.ada
    page.locator("[data-pin]").click()
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, 0)")
    shot(page, "talk-6-item")
    ada = visit_as(cast.ada, "/review/threads/?show=waiting")
    ada.keyboard.press("j")
    shot(ada, "talk-7-threads")
    assert "Waits for you" in ada.locator("[data-list-row][aria-current=true]").inner_text()
    ada.locator("li.thread textarea[name=text]").first.fill("It belongs to it.")
    with ada.expect_navigation():
        ada.locator("li.thread form button:has-text('Answer')").first.click()
    assert Comment.objects.count() == 2
    ada.goto("/review/threads/")
    ada.keyboard.press("j")
    with ada.expect_navigation():
        ada.keyboard.press("r")
    ada.goto("/review/threads/?show=resolved")
    assert "It belongs to it." in ada.locator("main").inner_text()
    rita = visit_as(cast.rita, "/account/notifications/")
    shot(rita, "talk-8-notifications")
    assert "Ada answered" in rita.locator("main").inner_text()
    narrow = visit_as(cast.rita, "/review/threads/?show=all", width=390, height=800)
    shot(narrow, "talk-9-narrow")
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_fixed_work_still_goes_on(visit_as, returned):
    cast, _ = returned
    work = take(cast, cast.ann)
    page = visit_as(cast.ann, f"/label/{work.pk}/")
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#regions button")
    page.locator("#fix").click()
    page.wait_for_selector("#regions button[aria-pressed=true]")
    draw(work, cast.ann, (150, 90, 40))
    submit(work, cast.ann)
    page.reload()
    page.wait_for_selector("#main[data-ready=yes]")
    assert page.locator("#dispute").count() == 0
