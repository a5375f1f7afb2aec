"""R4 and R1 in browsers, shorter than ``manage.py soak browser-kills`` and ``soak browsers`` run them; defects are found."""

from __future__ import annotations

import pytest

from labelhub.config.soak.browser_kills import try_browser_kills
from labelhub.config.soak.browser_schedules import try_browser_schedules

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_killed_browser_loses_nothing_that_was_finished_a_second_before(driver):
    trial = try_browser_kills(n=4, seed=1, driver=driver)
    assert trial.failures == []
    assert trial.n == 4


def test_windows_come_to_show_what_the_server_holds_through_every_trouble(driver):
    trial = try_browser_schedules(n=1, seed=2, most=30, driver=driver)
    assert trial.failures == []
    assert trial.n == 1
