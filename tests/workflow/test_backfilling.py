"""Bringing a project's scores up to date: whole, idempotent, stoppable, by an admin only.

Planted once and seen to fail: a run that starts over after a stop; excluded items scored; a renewal that moves items; a
worker that lacks the framework, or computes on its processor, taken for an accelerator's.
"""

from __future__ import annotations

import pytest

from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.scoring.models import Posterior, Score, TruthFit
from labelhub.workflow import lifecycle
from labelhub.workflow.backfilling import JOB_KIND, start_backfill
from tests.cast import Cast
from tests.workflow.walking import add_item, set_policy, state, store

SQUARE, ALIKE = (10, 10, 20), (11, 10, 20)


@pytest.fixture
def unscored(cast: Cast) -> list[Item]:
    """Three items that two people read elsewhere, never scored."""
    set_policy(cast, readers=2, max_readers=5)
    items = [add_item(cast.project, seed=n) for n in range(3)]
    for item in items:
        for user, square in ((cast.ann, SQUARE), (cast.ben, ALIKE)):
            store(cast, item, user, square, is_routed=False)
    return items


def test_every_score_is_there_afterwards_and_no_item_moved(cast: Cast, unscored: list[Item]):
    before = [state(item) for item in unscored]
    start_backfill(project=cast.project, by=cast.ada)
    assert not Score.objects.exists()
    run_pending(queues=["cpu"])
    job = Job.objects.get(kind=JOB_KIND)
    assert (job.state, job.done_units, job.result["items"]) == ("done", 4, 3)
    assert Posterior.objects.count() == 3
    assert Score.objects.filter(about="pair", metric="similarity", label="").count() == 3
    assert TruthFit.objects.filter(replaced_at=None).exists()
    assert [state(item) for item in unscored] == before
    assert Event.objects.filter(kind="scores.renewal_asked").count() == 1


def test_a_second_run_computes_nothing(cast: Cast, unscored: list[Item]):
    start_backfill(project=cast.project, by=cast.ada)
    run_pending(queues=["cpu"])
    n_scores = Score.objects.count()
    assert start_backfill(project=cast.project, by=cast.ada) == start_backfill(project=cast.project, by=cast.ada)
    run_pending(queues=["cpu"])
    assert Score.objects.count() == n_scores


def test_it_is_stopped_where_an_item_is_whole_and_goes_on_later(cast: Cast, unscored: list[Item], monkeypatch):
    from labelhub.workflow import backfilling

    job = start_backfill(project=cast.project, by=cast.ada)
    real, seen = backfilling.score_item, []

    def stopping(item: Item, **rest):
        seen.append(item.pk)
        if len(seen) == 1:
            jobs.ask_cancel(job.pk)
        return real(item, **rest)

    monkeypatch.setattr(backfilling, "score_item", stopping)
    monkeypatch.setattr("labelhub.jobs.registry.WRITE_EVERY_S", 0.0)
    run_pending(queues=["cpu"])
    job.refresh_from_db()
    assert job.state == "cancelled"
    done = Posterior.objects.get()
    scores = list(Score.objects.filter(item=done.item).order_by("pk").values_list("pk", "replaced_at"))
    start_backfill(project=cast.project, by=cast.ada)
    run_pending(queues=["cpu"])
    assert Posterior.objects.count() == 3
    assert list(Score.objects.filter(item=done.item).order_by("pk").values_list("pk", "replaced_at")) == scores, (
        "what was whole is not computed again"
    )
    assert Score.objects.filter(about="pair", metric="similarity", label="").count() == 3, "none twice"


def test_excluded_items_are_left_alone(cast: Cast, unscored: list[Item]):
    lifecycle.exclude(item=unscored[0], by=cast.ada, reason="blurred")
    start_backfill(project=cast.project, by=cast.ada)
    run_pending(queues=["cpu"])
    assert not Posterior.objects.filter(item=unscored[0]).exists()


@pytest.mark.parametrize(
    ("queues", "note", "queue"),
    [
        (["gpu"], "GPU NVIDIA H200", "gpu"),
        (["gpu"], "CPU, 2 cores", "cpu"),
        (["gpu"], "lacks torch", "cpu"),
        (["cpu"], "", "cpu"),
    ],
)
def test_a_worker_on_an_accelerator_gets_the_job(cast: Cast, queues: list[str], note: str, queue: str):
    jobs.sign_of_life(worker="one", queues=queues, note=note)
    assert start_backfill(project=cast.project, by=cast.ada).queue == queue


def test_only_an_admin_of_the_project_asks_for_it(cast: Cast):
    for person in (cast.ann, cast.rita):
        with pytest.raises(NotAllowed):
            start_backfill(project=cast.project, by=person)
    with pytest.raises(NotFound):
        start_backfill(project=cast.project, by=cast.otto)
    assert not Job.objects.filter(kind=JOB_KIND).exists()


def test_the_button_starts_it_and_the_page_shows_how_far_it_is(cast: Cast, unscored: list[Item], client):
    client.force_login(cast.otto)
    assert client.post("/manage/cells/scores/").status_code == 404
    client.force_login(cast.ann)
    assert client.post("/manage/cells/scores/").status_code in (403, 404)
    client.force_login(cast.ada)
    assert client.get("/manage/cells/scores/").content == b"", "nothing runs"
    assert "Bring scores up to date" in client.get("/manage/cells/items/").content.decode()
    assert client.post("/manage/cells/scores/").status_code == 302
    assert "Bringing scores up to date" in client.get("/manage/cells/scores/").content.decode()
