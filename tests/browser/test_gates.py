"""The gate in Chromium: the labelers' table, a labeler's course, the certificate, a pause by hand, and what the paused see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import transaction

from labelhub.routing import gates
from tests.browser.test_pages import FAINT_TEXTS, NAMELESS_CONTROLS
from tests.cast import Cast, make_cast
from tests.web.test_gate_page import with_outlines_of_three_reviewers
from tests.workflow.test_pausing import SHORT, answer
from tests.workflow.walking import add_item, labeler, review, set_policy, store

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SQUARE = (10, 10, 20)
SIZES = ((1280, 720), (390, 844))
# Where pictures of the pages are put for a person to look at; none are taken unless it is said.
PICTURES = os.environ.get("LABELHUB_PICTURES", "")


@pytest.fixture
def crowd(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=2, max_readers=5, **SHORT)
    answer(cast, cast.ann, "++++-+--+-")
    answer(cast, cast.ben, "-+--")
    for n in range(3):
        item = add_item(cast.project, subject=f"p{n}")
        review(store(cast, item, cast.ann, SQUARE), cast.rita, "accept", score=7 + n)
    return cast


def picture(page, name: str, width: int) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}-{width}.png"), full_page=True)


def test_the_pages_of_the_gate_are_readable_at_both_sizes(visit_as, crowd):
    places = {
        "labelers": "/manage/cells/labelers/",
        "labeler": f"/manage/cells/labelers/{labeler(crowd, crowd.ben).pk}/",
        "course": f"/manage/cells/labelers/{labeler(crowd, crowd.ann).pk}/",
        "gate": "/manage/cells/gate/",
    }
    for width, height in SIZES:
        for name, place in places.items():
            page = visit_as(crowd.ada, width=width, height=height, is_strict=True)
            page.goto(place, wait_until="networkidle")
            picture(page, name, width)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (name, width)
            assert page.evaluate(FAINT_TEXTS) == [], name
            assert page.evaluate(NAMELESS_CONTROLS) == [], name
            page.context.close()


def test_the_pages_of_a_test_by_partial_credit_are_readable_at_both_sizes(visit_as, transactional_db):
    cast = make_cast()
    with_outlines_of_three_reviewers(cast)
    ann = labeler(cast, cast.ann)
    with transaction.atomic():
        if gates.state_of(ann) not in ("proposed", "paused"):
            gates.propose(labeler=ann, by="test", reason="to begin anew")
        gates.resume(labeler=ann, by="test", reason="a new test")
    item = add_item(cast.project, subject="gold-new")
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    store(cast, item, cast.ann, (8, 8, 26))
    places = {"credit-gate": "/manage/cells/gate/", "credit-course": f"/manage/cells/labelers/{ann.pk}/"}
    for (width, height), scheme in zip(SIZES, ("light", "dark"), strict=True):
        for name, place in places.items():
            page = visit_as(cast.ada, width=width, height=height, scheme=scheme, is_strict=True)
            page.goto(place, wait_until="networkidle")
            picture(page, name, width)
            assert page.get_by_text("partial credit").count(), name
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (name, width)
            assert page.evaluate(FAINT_TEXTS) == [], name
            assert page.evaluate(NAMELESS_CONTROLS) == [], name
            page.context.close()


def test_an_admin_pauses_a_labeler_who_then_finds_nothing_to_do(visit_as, crowd):
    page = visit_as(crowd.ada, "/manage/cells/labelers/", is_strict=True)
    page.get_by_label("Filter labelers").fill("proposed")
    assert page.locator("#standings tbody tr:visible").count() == 1
    page.get_by_role("link", name="Pause proposed").click()
    page.get_by_label("Why").fill("Misses the square.")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("Ben is paused.").wait_for()
    assert gates.is_paused(labeler(crowd, crowd.ben))
    for width, height in SIZES:
        queue = visit_as(crowd.ben, "/label/?project=cells", width=width, height=height, is_strict=True)
        queue.get_by_role("heading", name="You are paused in this project").wait_for()
        assert queue.get_by_role("button", name="Start").count() == 0
        picture(queue, "paused", width)
        queue.goto("/label/me/?project=cells")
        queue.get_by_text("Paused", exact=True).wait_for()
        picture(queue, "me", width)
        queue.context.close()


def test_the_labelers_table_sorts_by_the_shrunk_number_and_keeps_it_in_the_address(visit_as, crowd):
    page = visit_as(crowd.ada, "/manage/cells/labelers/", is_strict=True)
    page.get_by_role("button", name="Gold, shrunk").click()
    names = page.locator("#standings tbody th a").all_inner_texts()
    assert names.index("Ben") < names.index("Ann")
    assert "sort=shrunk" in page.url
