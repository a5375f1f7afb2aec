"""One walk through hand-out, exam, hidden gold, waiting work, gate and policy in a real Chromium, as annotator and as admin.

No defect was planted in these yet: what each step does is tried, with plants, in ``tests/workflow``.
"""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.jobs.worker import run_pending
from labelhub.routing import gates
from labelhub.routing.models import Route
from labelhub.scoring.gold import make_gold
from labelhub.scoring.models import GoldReference
from labelhub.workflow import placement
from tests.browser.drawing import click_all, saved
from tests.browser.received import Received
from tests.cast import Cast, make_cast
from tests.workflow.test_pausing import OTHER, SHORT, SQUARE, answer
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Where pictures of the pages go that somebody wants to look at; nowhere unless asked for.
SHOTS = os.environ.get("LABELHUB_SHOTS", "")
READY = "#main[data-ready=yes]"
CORNERS = ((0.42, 0.4), (0.55, 0.4), (0.55, 0.6), (0.42, 0.6))


@pytest.fixture
def people(transactional_db) -> Cast:
    return make_cast()


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"walk-{name}.png"), full_page="label/" not in page.url)


def gold_item(cast: Cast, kind: str, seed: int) -> Item:
    """An image on which there is nothing to find, and an expert said so."""
    item = add_item(cast.project, subject=f"{kind} {seed}", seed=seed)
    make_gold(item=item, submission=store(cast, item, cast.ada, is_gold=True), by="test", kind=kind)
    return item


def begin(page: Any) -> None:
    """From the queue to the next image, by the one key that is the button's."""
    page.goto("/label/?project=cells")
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.wait_for_selector("#cover", state="hidden")


def code_of(page: Any) -> str:
    return str(page.locator("#code").inner_text())


def hand_in(page: Any, *, is_drawn: bool) -> None:
    """Answer by keys, but for the corners, and go where the page leads."""
    before = page.url
    if is_drawn:
        page.keyboard.press("1")
        click_all(page, *CORNERS)
        page.keyboard.press("Enter")
        saved(page)
    else:
        page.keyboard.press("0")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda address: address != before)
    page.wait_for_load_state()


def is_gold(page: Any) -> bool:
    return GoldReference.objects.filter(item__code=code_of(page), retired_at=None).exists()


def test_who_is_new_sits_the_exam_and_is_told_how_it_ended(visit_as, people):
    """Both outcomes. Nothing is submitted by mistake: an empty image is refused in words first."""
    set_policy(people, readers=2, exam_items=2, exam_pass_share=1.0)
    for number in range(2):
        gold_item(people, "exam", number)
    add_item(people.project)
    for name, is_right in (("Cleo", False), ("Dora", True)):
        page = visit_as(new_annotator(people, name), "/label/?project=cells")
        assert page.get_by_text("Entry exam: 2 images left").is_visible()
        shot(page, f"exam-{name}")
        begin(page)
        page.keyboard.press("Control+Enter")
        page.get_by_text("Nothing is marked").wait_for()
        hand_in(page, is_drawn=not is_right)
        page.wait_for_selector(READY)
        hand_in(page, is_drawn=not is_right)
        if is_right:
            page.wait_for_selector(READY)
            assert not is_gold(page), "work of the project follows"
        else:
            page.get_by_text("You did not pass the entry exam of this project").wait_for()
            assert page.get_by_role("button", name="Start").count() == 0
            assert "right" not in page.locator("main").inner_text()
            shot(page, "exam-failed")
        page.goto("/label/?project=cells")
        assert "Entry exam" not in page.locator("main").inner_text()
        page.context.close()


def test_hidden_gold_looks_like_every_other_image_in_all_that_the_browser_receives(visit_as, people, monkeypatch):
    """Pages, scripts' answers, headers, lengths, and the page after drawing: the same for gold and others, ids apart."""
    set_policy(people, readers=2, gold_share=0.3)
    for number in range(3):
        gold_item(people, "hidden", number)
        add_item(people.project, seed=10 + number)
        add_item(people.project, seed=20 + number)
    monkeypatch.setattr(placement, "is_gold_due", lambda desk: desk.labeler.n_handed % 3 == 1)
    page = visit_as(people.ann, "/label/?project=cells")
    received = Received(page)
    seen: dict[bool, list[dict[str, set[str]]]] = {True: [], False: []}
    begin(page)
    # The first was reached by a redirect, which is the browser's to follow.
    page.reload()
    for number in range(6):
        page.wait_for_selector(READY)
        page.wait_for_selector("#cover", state="hidden")
        key, gold = page.url.rstrip("/").rpartition("/")[2], is_gold(page)
        received.note_page("opened")
        if number == 5:
            break
        hand_in(page, is_drawn=True)
        again = page.url
        page.goto(f"/label/{key}/")
        page.wait_for_selector(READY)
        page.wait_for_selector("#cover", state="hidden")
        received.note_page("looked at again")
        seen[gold].append(received.of(key))
        page.goto(again)
    assert [len(seen[True]), len(seen[False])] == [2, 3]
    page.goto("/label/?project=cells")
    shot(page, "queue")
    compared = seen[False][0]
    assert len(compared) >= 8, sorted(compared)
    for others in (*seen[False][1:], *seen[True]):
        assert others.keys() == compared.keys()
        for what, looks in others.items():
            assert looks == compared[what], (what, difference(looks, compared[what]))


def difference(looks: set[str], others: set[str]) -> list[str]:
    """The lines in which an answer parts from the one that is most like it."""
    for one in looks ^ others:
        parted = [
            [line for line in unified_diff(one.splitlines(), other.splitlines(), n=0, lineterm="") if line[0] in "+-"]
            for other in (looks | others) - {one}
        ]
        return min(parted, key=len, default=["one was never received"])
    return []


def test_an_image_is_parked_and_gone_on_with_skipped_asked_about_and_called_unreadable(visit_as, people):
    """Each with what is refused on the way: a skip, a question and a claim without words."""
    set_policy(people, readers=1)
    for number in range(4):
        add_item(people.project, seed=number)
    page = visit_as(people.ann, "/label/?project=cells")
    begin(page)
    parked = code_of(page)
    page.keyboard.press("1")
    click_all(page, *CORNERS)
    page.keyboard.press("Enter")
    saved(page)
    left(page, lambda: page.keyboard.press("Shift+P"))

    page.locator("#skip").click()
    page.get_by_role("button", name="Skip it").click()
    assert page.locator("#skip-dialog").is_visible(), "a skip says why"
    page.get_by_label("Why?").fill("Two nuclei lie over each other")
    left(page, page.get_by_role("button", name="Skip it").click)

    page.keyboard.press("q")
    page.locator("#ask-form button[value=on]").click()
    assert "Write your question" in page.locator("#ask-trouble").inner_text()
    page.locator("#ask-text").fill("Is the rim part of it?")
    page.locator("#ask-form button[value=on]").click()
    page.get_by_text("Your question was sent to the reviewers").wait_for()
    shot(page, "asked")

    page.keyboard.press("u")
    page.locator("#unreadable-form button[value=send]").click()
    assert page.locator("#unreadable-dialog").is_visible(), "a claim says why"
    page.locator("#unreadable-reason").fill("All of it is blurred")
    left(page, page.locator("#unreadable-form button[value=send]").click)

    page.goto("/label/?project=cells")
    shot(page, "waiting")
    left(page, page.get_by_role("button", name="Go on").last.click)
    assert code_of(page) == parked
    assert page.locator(".shape-row").count() == 1, "the draft is there"
    hand_over = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda address: address != hand_over)
    states = sorted(Assignment.objects.values_list("state", flat=True))
    assert states == ["open", "skipped", "submitted", "unreadable"]


def left(page: Any, act: Any) -> None:
    """Do something that leads to another image, and wait until that one is there."""
    before = page.url
    act()
    page.wait_for_url(lambda address: address != before)
    page.wait_for_selector(READY)


@pytest.fixture
def decayed(people) -> tuple[Cast, list[Item], User]:
    """Ben was right and is no longer: three images that he read since his last test began are unsettled."""
    set_policy(people, readers=2, max_readers=5, **SHORT)
    answer(people, people.ben, "++++--")
    items = [add_item(people.project, seed=number) for number in range(3)]
    for item in items:
        store(people, item, people.ben, OTHER)
    answer(people, people.ben, "--")
    return people, items, new_annotator(people, "Dora")


def test_an_admin_pauses_who_decayed_and_his_last_images_reach_others_one_by_one(visit_as, decayed):
    """Each image is followed into the queues of both its new readers; then he gets work again."""
    cast, items, dora = decayed
    codes = {item.code for item in items}
    page = visit_as(cast.ada, "/manage/cells/labelers/")
    shot(page, "labelers")
    page.get_by_role("link", name="Pause proposed").click()
    assert page.get_by_text("after 2 gold answers").first.is_visible()
    shot(page, "labeler")
    page.get_by_label("Why").fill("   ")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("Say why").wait_for()
    page.get_by_label("Why").fill("Since Monday he outlines the neighbour.")
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("Ben is paused.").wait_for()
    assert gates.is_paused(labeler(cast, cast.ben))
    run_pending(queues=["cpu"])
    page.reload()
    shot(page, "labeler-paused")

    for item in items:
        page.goto(f"/manage/cells/items/{item.code}/")
        assert page.get_by_text("Rule “paused labeler”").first.is_visible()
    shot(page, "item-sent-on")
    paused = visit_as(cast.ben, "/label/?project=cells")
    assert paused.get_by_role("heading", name="You are paused in this project").is_visible()
    for reader in (cast.ann, dora):
        queue, met = visit_as(reader, "/label/?project=cells"), []
        begin(queue)
        for _ in items:
            queue.wait_for_selector(READY)
            met.append(code_of(queue))
            hand_in(queue, is_drawn=False)
        assert len(met) == len(set(met))
        assert set(met) == codes
        queue.context.close()
    sent = Route.objects.filter(rule="paused-labeler", item__in=items)
    assert sent.count() == len(items), "once each"

    page.goto(f"/manage/cells/labelers/{labeler(cast, cast.ben).pk}/")
    page.get_by_label("Why").fill("We looked at ten images together.")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Ben gets work, and a new test starts").wait_for()
    shot(page, "labeler-resumed")
    paused.reload()
    assert paused.get_by_role("heading", name="You are paused").count() == 0


def test_a_changed_policy_does_what_its_trial_on_the_past_said(visit_as, people):
    """Out of its range it is refused, published over a newer version it is refused too; then each item goes as predicted."""
    set_policy(people, readers=2, max_readers=5, accept_agreement=0.8)
    alone = [add_item(people.project, seed=number) for number in range(2)]
    disputed = add_item(people.project, seed=5)
    for item in alone:
        store(people, item, people.ann, SQUARE)
    for user, square in ((people.ann, SQUARE), (people.ben, OTHER)):
        store(people, disputed, user, square)
    page, late = (visit_as(people.ada, "/manage/cells/policy/") for _ in range(2))
    readers = page.locator("#readers")
    readers.fill("99")
    page.get_by_role("button", name="Try on the past").last.click()
    assert page.evaluate("document.getElementById('readers').validity.rangeOverflow")
    readers.fill("1")
    page.get_by_role("button", name="Try on the past").last.click()
    trial = page.locator("#trial")
    trial.get_by_text("items would have gone otherwise").wait_for()
    shot(page, "trial")
    told = {
        row.locator("th").inner_text(): row.locator("td").nth(2).inner_text()
        for row in trial.locator("tbody tr:has(a)").all()
    }
    assert {item.code for item in alone} <= told.keys()
    page.get_by_role("button", name="Publish as version").click()
    page.get_by_text("were decided").wait_for()
    shot(page, "published")
    for item in alone:
        assert told[item.code].startswith("accepted")
        item.refresh_from_db()
        assert item.state == Item.State.SETTLED
    late.locator("#readers").fill("3")
    late.get_by_role("button", name="Publish as version").click()
    late.get_by_text("was published while you changed version").wait_for()
    shot(late, "stale")
