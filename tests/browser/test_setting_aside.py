"""Setting an image aside in a real Chromium: parked with its draft, asked about and answered, unreadable, taken back.

Planted once and seen to fail: "P" bound without its Shift, which chose the polygon instead of parking.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from tests.browser.drawing import click_all, saved, start
from tests.cast import Cast, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Where pictures of the pages go that somebody wants to look at; nowhere unless asked for.
SHOTS = os.environ.get("LABELHUB_SHOTS", "")


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    publish_policy(project=cast.project, policy=Policy(readers=1, gold_share=0.0, use_model=False), by=cast.ada)
    rng = np.random.default_rng(3)
    for _ in range(4):
        pixels = rng.integers(90, 160, (200, 300, 3), dtype=np.uint8)
        add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())
    return cast


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def opened(page: Any, address: str) -> None:
    page.wait_for_url(lambda url: url != address and "/label/" in url)
    page.wait_for_load_state()


def test_a_labeler_parks_asks_gives_up_on_one_and_takes_one_back(visit_as, people):
    page = visit_as(people.ann, "/label/")
    start(page)
    page.keyboard.press("1")
    click_all(page, (0.3, 0.3), (0.45, 0.3), (0.45, 0.5), (0.3, 0.5))
    page.keyboard.press("Enter")
    saved(page)
    page.locator("#aside summary").click()
    shot(page, "1-set-aside")
    page.keyboard.press("Escape")
    before = page.url
    page.locator("#canvas").focus()
    page.keyboard.press("Shift+P")
    opened(page, before)
    page.wait_for_selector("#main[data-ready=yes]")
    assert Assignment.objects.filter(state="parked").count() == 1

    page.keyboard.press("q")
    page.locator("#ask-form button[value=wait]").click()
    assert "Write your question" in page.locator("#ask-trouble").inner_text()
    page.locator("#ask-text").fill("Is the halo part of the nucleus?")
    shot(page, "2-ask")
    before = page.url
    page.locator("#ask-form button[value=wait]").click()
    opened(page, before)
    page.wait_for_selector("#main[data-ready=yes]")
    assert Assignment.objects.filter(state="asked").count() == 1

    page.keyboard.press("u")
    page.locator("#unreadable-reason").fill("Too dark to judge")
    shot(page, "3-unreadable")
    before = page.url
    page.locator("#unreadable-form button[value=send]").click()
    opened(page, before)
    page.wait_for_selector("#main[data-ready=yes]")
    assert Assignment.objects.filter(state="unreadable").count() == 1

    before = page.url
    page.keyboard.press("0")
    page.keyboard.press("Control+Enter")
    opened(page, before)
    page.goto("/label/")
    shot(page, "4-queue")
    assert page.get_by_role("heading", name="Parked, and waiting for an answer").is_visible()
    page.get_by_role("button", name="Take back").first.click()
    page.wait_for_selector("#main[data-ready=yes]")
    assert page.get_by_text("You took this image back").is_visible()
    shot(page, "5-recalled")


def test_a_reviewer_answers_and_confirms_and_the_asker_reads_it(visit_as, people):
    from labelhub.workflow import lifecycle
    from tests.workflow.walking import labeler

    mine = lifecycle.hand_out(labeler=labeler(people, people.ann))
    lifecycle.ask(assignment=mine, by=people.ann, text="Is the halo part of the nucleus?", is_waiting=True)
    dark = lifecycle.hand_out(labeler=labeler(people, people.ann))
    lifecycle.cannot_read(assignment=dark, by=people.ann, reason="Too dark to judge")
    page = visit_as(people.rita, "/review/")
    shot(page, "6-inbox")
    page.get_by_placeholder("Your answer").fill("Yes, up to its edge.")
    page.get_by_label("Concerns everybody").check()
    page.get_by_role("button", name="Answer").click()
    page.wait_for_load_state()
    assert page.get_by_text("Answered.").is_visible()
    page.get_by_role("button", name="Confirm and take out").click()
    page.wait_for_load_state()
    shot(page, "7-inbox-done")
    assert Item.objects.get(pk=dark.item_id).state == "excluded"
    labeling = visit_as(people.ann, f"/label/{mine.pk}/")
    labeling.wait_for_selector("#main[data-ready=yes]")
    assert labeling.get_by_text("Yes, up to its edge.").is_visible()
    shot(labeling, "8-answered")
    rules = visit_as(people.ada, f"/manage/{people.project.slug}/ontology/")
    assert rules.get_by_text("1 general answer to labelers' questions will be added").is_visible()
    shot(rules, "9-rules")
