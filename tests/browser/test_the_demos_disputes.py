"""A reviewer settles what is in dispute in the demo with the keyboard alone, from the inbox back to the inbox, item after item.

The demo is built of fewer pictures than a visitor's, but with as many items in dispute: 20. All of them take about half a
minute, so a run walks ``WALKED`` of them; ``LABELHUB_DISPUTES=20`` walks all. Nothing is pressed with a pointer: the page
would say so.

Planted and seen to fail: a key that no longer chooses a reader; settling that is offered while a matter is open.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import pytest

from labelhub.accounts.models import User
from labelhub.catalog.models import Item
from labelhub.config.demo import building, plan
from labelhub.config.demo.pictures import parents
from labelhub.consensus.models import Settlement
from labelhub.projects.models import Project
from labelhub.reviews.selectors import inbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WALKED = int(os.environ.get("LABELHUB_DISPUTES", "8"))
# More presses than this at one item: the keys lead nowhere.
MOST_PRESSES = 60
NOTED = "addEventListener('pointerdown', () => sessionStorage.setItem('pressed', 'yes'), true);"


@pytest.fixture
def demo(transactional_db, monkeypatch) -> Project:
    for name, value in (("ITEMS", 70), ("GOLD_ITEMS", 8), ("UNREAD_ITEMS", 12)):
        monkeypatch.setattr(plan, name, value)
    monkeypatch.setattr(building, "parents", lambda: islice(parents(), 12))
    return building.build_demo(lambda done, total, what: None)


class Keys:
    """The keyboard of a page, with how often a key was pressed."""

    def __init__(self, page: Any) -> None:
        self.page, self.n = page, 0

    def press(self, key: str) -> None:
        self.n += 1
        self.page.keyboard.press(key)

    def answer(self, key: str) -> None:
        """Press what decides the matter in question, and wait until the server has it."""
        with self.page.expect_response("**/matters/answer/") as answered:
            self.press(key)
        assert answered.value.status == 200, answered.value.text()


def test_the_demos_disputes_are_settled_by_keys_alone(visit_as, demo):
    rita = User.objects.get(username="rita")
    waiting = {row.item.code: row.item for row in inbox(rita, demo).rows}
    assert len(waiting) == plan.DISPUTED_ITEMS == 20
    page = visit_as(rita)
    page.add_init_script(NOTED)
    page.goto(f"/review/?project={demo.slug}")
    keys, settled = Keys(page), []
    for _ in range(WALKED):
        settled.append(settle_the_first(keys))
        state = Item.objects.get(pk=waiting[settled[-1]].pk).state
        assert state == Item.State.SETTLED, f"{settled[-1]} is {state}"
    assert len(set(settled)) == WALKED
    assert page.evaluate("sessionStorage.getItem('pressed')") is None, "something was pressed with a pointer"
    made = Settlement.objects.filter(item__code__in=settled, decided_by=rita)
    assert set(made.values_list("item__code", flat=True)) == set(settled)
    left = [row.item.code for row in inbox(rita, demo).rows]
    assert set(left) == set(waiting) - set(settled)
    print(f"{WALKED} items, {keys.n} keys")


def settle_the_first(keys: Keys) -> str:
    """Open the first card of the inbox, decide each of its matters, settle, and come back; return the item's code."""
    page = keys.page
    keys.press("j")
    keys.press("Enter")
    page.wait_for_selector("[data-progress-words]")
    code = str(page.url).rstrip("/").rsplit("/", 1)[-1]
    page.locator("[data-progress-words]").filter(has_text="decided").or_(
        page.locator("[data-progress-words]").filter(has_text="agree everywhere")
    ).wait_for()
    before = keys.n
    while page.locator("[data-settle]").is_disabled():
        assert keys.n - before < MOST_PRESSES
        asked = page.locator(".matter[aria-current]")
        asked.wait_for()
        number = page.locator(".matter").evaluate_all("all => all.findIndex((one) => one.ariaCurrent === 'true')")
        keys.answer(next(key for key in "012" if can_be_chosen(page, key)))
        # Where the next one is open it is asked of at once; after the last one nothing is.
        page.locator(".matter").nth(number).locator(".state.is-good").wait_for()
        is_open = page.locator(".matter[aria-current] .state:not(.is-good)")
        is_open.or_(page.locator("[data-settle]:enabled")).first.wait_for()
    keys.press("t")
    page.wait_for_url("**/review/?project=*")
    page.wait_for_load_state()
    return code


def can_be_chosen(page: Any, key: str) -> bool:
    """Whether the choice that has this key is offered for the matter in question."""
    return bool(page.locator(".choice:enabled", has=page.locator("kbd", has_text=key)).count())
