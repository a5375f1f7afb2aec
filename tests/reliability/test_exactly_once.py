"""R6 and R7, short: submits of which half are sent again, pairs of people who change one version. In full: `manage.py soak`.

Planted once and seen to fail: the reply made anew at each retry (first test: a late retry names another item);
`seen` not passed on by ``publish_policy`` (second test: nobody refused); a stale judgement raised before it is kept (second
test: nothing kept).
"""

from __future__ import annotations

import pytest
from django.db import connection

from labelhub.config.soak.at_once import at_once
from labelhub.config.soak.pairs import one_after_the_other, try_pairs
from labelhub.config.soak.submits import try_submits

pytestmark = pytest.mark.django_db(transaction=True)


def is_shared() -> bool:
    """Whether several connections reach this database at once."""
    return connection.vendor != "sqlite"


def test_a_submit_happens_once_however_often_it_is_sent():
    trial = try_submits(n=40 if is_shared() else 20, seed=6, is_concurrent=is_shared())
    print(trial.sentence)
    assert trial.failures == []


def test_of_two_who_change_one_version_one_is_refused_and_both_are_kept():
    trial = try_pairs(n=16, seed=7, run=at_once if is_shared() else one_after_the_other)
    print(trial.sentence)
    assert trial.failures == []
