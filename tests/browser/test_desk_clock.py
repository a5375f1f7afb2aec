"""The reviewer's page sends signs of life while somebody is at work there, and shows the time that the server measured."""

from __future__ import annotations

import pytest

from labelhub.reviews.error_models import DeskTime
from tests.cast import make_cast
from tests.web.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_desk_counts_while_somebody_is_there(visit_as, transactional_db):
    world = make_world(make_cast())
    page = visit_as(world.cast.rita, f"/review/{world.cast.project.slug}/{world.item.code}/")
    page.locator("#desk-active", has_text="0 s").wait_for()
    page.mouse.move(200, 200)
    page.wait_for_timeout(1200)
    # Going elsewhere ends what was begun.
    page.goto("/review/")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    row = DeskTime.objects.get()
    assert (row.reviewer, row.item) == (world.cast.rita, world.item)
    assert 1 <= row.active_s <= 15
