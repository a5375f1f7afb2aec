"""“No finding” and what it is not asked, in the builder and on the labeling page; and one's own training, in Chromium."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labelhub.annotations.models import Submission
from labelhub.projects.ontology import read_ontology
from labelhub.projects.selectors import current_ontology
from labelhub.projects.services import publish_ontology
from labelhub.scoring.gold import make_gold
from tests.cast import ONTOLOGY, Cast, make_cast
from tests.workflow.walking import add_item, draw, set_policy, store, submit, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SQUARE = (10, 10, 20)
PICTURES = os.environ.get("LABELHUB_PICTURES", "")
QUESTIONS = [
    {"key": "side", "text": "Which side", "choices": ["left", "right"], "is_required": True},
    {
        "key": "margin",
        "text": "Margin",
        "choices": ["sharp", "blurred"],
        "is_required": True,
        "presupposes_finding": True,
    },
]


@pytest.fixture
def crowd(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=1)
    return cast


def picture(page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


def test_the_box_under_a_question_makes_it_one_that_presupposes_a_finding(visit_as, crowd):
    page = visit_as(crowd.ada, "/manage/cells/ontology/")
    page.locator("#questions").fill("Which side *: left | right\nMargin *: sharp | blurred\nRemark (text)")
    boxes = page.locator("[data-if-found] input")
    boxes.nth(1).check()
    boxes.nth(2).check()
    boxes.nth(2).uncheck()
    assert page.locator("#questions").input_value().splitlines() == [
        "Which side *: left | right", "Margin * [if found]: sharp | blurred", "Remark (text)",
    ]  # fmt: skip
    picture(page, "builder")
    page.get_by_role("button", name="Publish as version 2").first.click()
    page.wait_for_load_state()
    _, ontology = current_ontology(crowd.project)
    asked = [(entry.text, entry.is_required, entry.presupposes_finding) for entry in ontology.questions]
    assert asked == [("Which side", True, False), ("Margin", True, True), ("Remark", False, False)]
    assert page.locator("[data-if-found] input").nth(1).is_checked()


def test_no_finding_is_submitted_without_what_presupposes_one_and_not_without_the_rest(visit_as, crowd):
    ontology = read_ontology({"classes": ONTOLOGY["classes"], "questions": QUESTIONS})
    publish_ontology(project=crowd.project, ontology=ontology, by=crowd.ada)
    add_item(crowd.project)
    work = take(crowd, crowd.ann)
    page = visit_as(crowd.ann, f"/label/{work.pk}/")
    page.locator("[data-ready=yes]").wait_for()
    page.keyboard.press("0")
    margin = page.locator("[data-question=margin]")
    assert margin.get_by_text("Not asked: you said").is_visible()
    assert margin.locator("input").first.is_disabled()
    picture(page, "no-finding")
    page.keyboard.press("Control+Enter")
    page.get_by_text("“Which side” needs an answer").wait_for()
    page.locator("[data-question=side]").get_by_text("left").click()
    page.keyboard.press("0")
    margin.get_by_text("sharp").click()
    page.locator("#canvas").focus()
    page.keyboard.press("0")
    page.get_by_text("asked only where something is found").wait_for()
    margin.get_by_text("sharp").click()
    page.locator("#canvas").focus()
    page.keyboard.press("0")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/label/?project=cells")
    found = Submission.objects.get(assignment=work)
    assert (found.no_finding, found.asked_questions) == (True, ["side"])


@pytest.mark.parametrize("width", [1280, 390])
def test_ones_own_training_is_legible(visit_as, crowd, width):
    for number in range(12):
        item = add_item(crowd.project, subject=f"p{number}")
        truth = store(crowd, item, crowd.rita, SQUARE, is_gold=True)
        make_gold(item=item, submission=truth, by="test", kind="training")
        work = take(crowd, crowd.ann)
        draw(work, crowd.ann, SQUARE if number % 3 else (14, 10 + number, 20))
        submit(work, crowd.ann, active_s=20.0 + number)
    page = visit_as(crowd.ann, "/label/me/?project=cells", width=width, height=800)
    training = page.locator("section[aria-labelledby=training]")
    assert training.get_by_text("12 training images").is_visible()
    assert training.locator("svg.training-chart circle, svg.training-chart .cross").count() == 12
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    training.get_by_text("Each training image, with its feedback").click()
    picture(page, f"my-work-{width}")
    training.get_by_role("link").first.click()
    page.get_by_text("How your answer compares with the reference").wait_for()
