"""How soon a project is measured again: after a rest that other work can use, and not after the long first reading.

Planted once and seen to fail: what was asked for during a measure not put off by it; the first reading counted as the time of
a measure; a measure of which nothing is kept taken for a first reading.
"""

from __future__ import annotations

import pytest
from django.utils import timezone

from labelhub.analytics import services
from labelhub.analytics.models import Rollup
from labelhub.jobs.models import Job
from labelhub.jobs.services import claim, enqueue
from labelhub.jobs.worker import run_one
from labelhub.scoring.stored import Kept
from tests.cast import Cast
from tests.workflow.walking import add_item, set_policy, store

SQUARE = (10, 10, 20)


@pytest.fixture(autouse=True)
def _read_once(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=5)
    store(cast, add_item(cast.project), cast.ann, SQUARE)
    services._kept.clear()
    Job.objects.all().delete()


def test_what_is_asked_for_during_a_measure_waits_until_the_project_has_rested_from_it(cast: Cast, monkeypatch):
    services.measure_project(cast.project)
    services.ask_for_measure(cast.project)
    running = claim(worker="one", queues=["cpu"])
    assert running is not None
    services.ask_for_measure(cast.project)
    enqueue(kind="test", arguments={}, project_id=cast.project.pk)
    monkeypatch.setattr(services, "REST", 1e9)
    run_one(running)
    waiting = Job.objects.get(kind=services.JOB_KIND, state=Job.State.QUEUED)
    assert waiting.not_before == Rollup.objects.get(project=cast.project).made_at + services.LONGEST_PAUSE
    other = claim(worker="one", queues=["cpu"])
    assert other is not None
    assert other.kind == "test", "other work has its turn meanwhile"


def test_reading_everything_for_the_first_time_puts_nothing_off(cast: Cast):
    services.measure_project(cast.project)
    assert Rollup.objects.get(project=cast.project).took_s == 0.0
    services.ask_for_measure(cast.project)
    assert Job.objects.get(kind=services.JOB_KIND).not_before <= timezone.now()
    services.measure_project(cast.project)
    assert Rollup.objects.get(project=cast.project).took_s > 0.0


def test_where_nothing_can_be_kept_every_measure_takes_as_long_and_is_rested_from(cast: Cast, monkeypatch):
    monkeypatch.setattr(Kept, "is_too_large", True)
    services.measure_project(cast.project)
    assert Rollup.objects.get(project=cast.project).took_s > 0.0
