"""A reviewer watches two people: she sees what they draw, they see that she is there, and it ends with the policy."""

from __future__ import annotations

import pytest

from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from tests.browser.drawing import saved
from tests.browser.test_pins import pin_at
from tests.browser.test_together import box, opened, people, rows, work  # noqa: F401 - Ann and Ben at one image
from tests.cast import Cast
from tests.workflow.walking import set_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_reviewer_watches_is_seen_pins_and_is_shut_out(visit_live, people: Cast, work: Assignment):  # noqa: F811
    set_policy(people, readers=1, reviewers_join="watch")
    ann = opened(visit_live, people.ann, work)
    box(ann, 0.3, 0.3)
    saved(ann)
    rita = visit_live(people.rita, "/review/")
    rita.get_by_role("link", name="Watch").click()
    rita.get_by_role("button", name="Watch").click()
    rita.wait_for_selector("#main[data-ready=yes]")
    rita.wait_for_selector("#cover", state="hidden")
    rows(rita, 1)
    ann.locator(".avatar.is-watching[aria-label*='Rita (reviewer), watches']").wait_for()
    box(ann, 0.6, 0.3)
    rows(rita, 2)
    # Her keys and presses draw nothing.
    box(rita, 0.5, 0.6)
    rita.keyboard.press("0")
    rita.keyboard.press("z")
    rita.wait_for_timeout(500)
    assert Operation.objects.count() == 2
    assert rita.locator("#submit").is_hidden()
    pin_at(rita, 0.4, 0.5, "Is this the edge?")
    ann.locator(".pin-row", has_text="Is this the edge?").get_by_text("Rita (reviewer)").wait_for()
    set_policy(people, readers=1)
    rita.locator("#trouble-text", has_text="no longer").wait_for()
    ann.locator(".avatar.is-watching").wait_for(state="detached")
