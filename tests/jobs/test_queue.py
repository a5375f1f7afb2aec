"""The queue: one holder a job, fenced writes, nothing lost and nothing run twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from labelhub.jobs import registry, selectors, services, worker
from labelhub.jobs.models import Job

pytestmark = pytest.mark.django_db

State = Job.State


@pytest.fixture
def kinds(monkeypatch):
    """Handlers of this test alone."""
    handlers: dict[str, registry.HandlerFunction] = {}
    monkeypatch.setattr(registry, "_handlers", handlers)
    return handlers


def _expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def _claimed(**values) -> Job:
    services.enqueue(kind="test", arguments={}, **values)
    job = services.claim(worker="one", queues=["cpu"])
    assert job is not None
    return job


def test_two_claimers_never_hold_the_same_job():
    services.enqueue(kind="test", arguments={})
    assert services.claim(worker="one", queues=["cpu"]) is not None
    assert services.claim(worker="two", queues=["cpu"]) is None


def test_of_two_claimers_that_saw_the_job_free_one_wins():
    job = services.enqueue(kind="test", arguments={})
    seen_by_one, seen_by_two = Job.objects.get(pk=job.pk), Job.objects.get(pk=job.pk)
    assert services._take(seen_by_one, "one")
    assert not services._take(seen_by_two, "two")
    assert Job.objects.get().worker == "one"


def test_a_slow_worker_that_renews_in_time_keeps_its_job_from_one_who_saw_it_abandoned():
    job = _claimed()
    _expire(job)
    seen_by_two = Job.objects.get(pk=job.pk)
    services.heartbeat(job)
    assert not services._take(seen_by_two, "two")
    assert services.finish(job, result={})


def test_a_job_whose_worker_died_goes_to_another_and_the_first_cannot_write_any_more():
    first = _claimed()
    assert services.claim(worker="two", queues=["cpu"]) is None
    _expire(first)
    second = services.claim(worker="two", queues=["cpu"])
    assert second is not None
    assert second.attempt == 2
    with pytest.raises(services.LeaseLost):
        services.heartbeat(first, done=1)
    assert not services.finish(first, result={"by": "one"})
    assert not services.fail(first, error="late")
    assert not services.put_back(first)
    assert services.finish(second, result={"by": "two"})
    assert Job.objects.get().result == {"by": "two"}


def test_a_worker_of_the_same_name_is_fenced_by_the_attempt():
    first = _claimed()
    _expire(first)
    assert services.claim(worker="one", queues=["cpu"]) is not None
    assert not services.finish(first, result={})


def test_a_job_that_kills_its_workers_is_given_up_with_a_sentence():
    services.enqueue(kind="test", arguments={})
    for name in ("one", "two", "three"):
        job = services.claim(worker=name, queues=["cpu"])
        assert job is not None
        _expire(job)
    assert services.claim(worker="four", queues=["cpu"]) is None
    assert Job.objects.get().state == State.FAILED
    assert "died 3 times" in Job.objects.get().error


def test_the_most_urgent_job_goes_first_then_the_oldest():
    numbers = [services.enqueue(kind="test", arguments={}, priority=priority).pk for priority in (0, 5, 0)]
    taken = [services.claim(worker="one", queues=["cpu"]) for _ in range(3)]
    assert [job.pk for job in taken if job] == [numbers[1], numbers[0], numbers[2]]


def test_a_worker_takes_from_its_queues_only():
    services.enqueue(kind="test", arguments={}, queue="gpu")
    assert services.claim(worker="one", queues=["cpu"]) is None
    assert services.claim(worker="one", queues=["cpu", "gpu"]) is not None


def test_a_second_click_finds_the_unfinished_job_and_a_later_one_makes_a_new_one():
    first = services.enqueue(kind="test", arguments={}, dedupe_key="ingest:1")
    assert services.enqueue(kind="test", arguments={}, dedupe_key="ingest:1") == first
    job = services.claim(worker="one", queues=["cpu"])
    assert job is not None
    assert services.enqueue(kind="test", arguments={}, dedupe_key="ingest:1") == first
    services.finish(job, result={})
    assert services.enqueue(kind="test", arguments={}, dedupe_key="ingest:1") != first
    assert services.enqueue(kind="test", arguments={}) != services.enqueue(kind="test", arguments={})


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_word(kinds):
    waiting = services.enqueue(kind="test", arguments={})
    services.ask_cancel(waiting.pk)
    assert Job.objects.get(pk=waiting.pk).state == State.CANCELLED

    def run(running):
        services.ask_cancel(running.job.pk)
        running.progress(1, 2)
        raise AssertionError("went on after a cancel")

    kinds["test"] = run
    running = services.enqueue(kind="test", arguments={})
    assert worker.run_pending(queues=["cpu"]) == 1
    assert Job.objects.get(pk=running.pk).state == State.CANCELLED


def test_a_cancel_is_not_forgotten_when_the_worker_dies():
    job = _claimed()
    services.ask_cancel(job.pk)
    _expire(job)
    assert services.claim(worker="two", queues=["cpu"]) is None
    assert Job.objects.get().state == State.CANCELLED


def test_a_finished_job_cannot_be_cancelled():
    job = _claimed()
    services.finish(job, result={})
    services.ask_cancel(job.pk)
    assert Job.objects.get().state == State.DONE


def test_an_error_is_tried_again_later_and_in_the_end_shown(kinds):
    calls = []

    def run(running):
        calls.append(running.job.attempt)
        raise OSError("disk on fire")

    kinds["test"] = run
    services.enqueue(kind="test", arguments={})
    for _ in range(3):
        assert worker.run_pending(queues=["cpu"]) == 1
        assert services.claim(worker="early", queues=["cpu"]) is None
        Job.objects.update(not_before=timezone.now())
    assert calls == [1, 2, 3]
    job = Job.objects.get()
    assert (job.state, job.error) == (State.FAILED, "OSError: disk on fire")


def test_a_job_that_is_done_at_the_second_attempt_shows_no_error(kinds):
    def run(running):
        if running.job.attempt == 1:
            raise OSError("disk on fire")
        return {}

    kinds["test"] = run
    services.enqueue(kind="test", arguments={})
    worker.run_pending(queues=["cpu"])
    assert Job.objects.get().error == "OSError: disk on fire"
    Job.objects.update(not_before=timezone.now())
    worker.run_pending(queues=["cpu"])
    assert (Job.objects.get().state, Job.objects.get().error) == (State.DONE, "")


def test_a_refusal_is_not_tried_again(kinds):
    def run(running):
        raise services.JobRefused("The folder is gone. Put it back.")

    kinds["test"] = run
    services.enqueue(kind="test", arguments={})
    worker.run_pending(queues=["cpu"])
    assert Job.objects.get().error == "The folder is gone. Put it back."
    assert Job.objects.get().state == State.FAILED


def test_a_key_error_inside_a_handler_is_the_handlers(kinds):
    kinds["test"] = lambda running: running.arguments["missing"]
    services.enqueue(kind="test", arguments={})
    services.enqueue(kind="unknown", arguments={})
    worker.run_pending(queues=["cpu"])
    first, second = Job.objects.order_by("pk")
    assert first.error == "KeyError: 'missing'"
    assert "does not know jobs of kind 'unknown'" in second.error


def test_the_log_holds_no_message_because_it_may_name_a_patient(kinds, caplog):
    def run(running):
        raise FileNotFoundError("/".join(["data", "Doe" + "^Jane", "1.dcm"]))

    kinds["test"] = run
    services.enqueue(kind="test", arguments={})
    with caplog.at_level("INFO"):
        worker.run_pending(queues=["cpu"])
    assert "FileNotFoundError" in caplog.text
    assert "Doe^Jane" not in caplog.text


def test_a_worker_that_is_told_to_stop_puts_its_job_back_and_another_finishes_it(kinds):
    stop = threading.Event()

    def run(running):
        for done in range(3):
            running.progress(done, 3)
            if running.job.attempt == 1:
                stop.set()
        return {"whole": True}

    kinds["test"] = run
    services.enqueue(kind="test", arguments={})
    worker.run_until(stop, queues=["cpu"])
    job = Job.objects.get()
    assert (job.state, job.worker, job.max_attempts) == (State.QUEUED, "", 4)
    assert worker.run_pending(queues=["cpu"]) == 1
    assert Job.objects.get().result == {"whole": True}


def test_a_worker_with_nothing_to_do_looks_again_when_the_next_job_may_be_taken(kinds, monkeypatch):
    waits: list[float] = []
    stop = threading.Event()

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 1:
            services.enqueue(kind="test", arguments={}, not_before=timezone.now() + timedelta(seconds=0.2))
            services.enqueue(kind="test", arguments={}, queue="gpu", not_before=timezone.now() + timedelta(seconds=0.1))
        else:
            stop.set()

    monkeypatch.setattr(stop, "wait", wait)
    # The connection of a test is in a transaction.
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    worker.run_until(stop, queues=["cpu"])
    assert waits[0] == worker.POLL_S
    assert 0.0 < waits[1] <= 0.2
    assert services.due_in(queues=["other"]) == float("inf")


def test_progress_writes_at_most_twice_a_second_but_always_the_last(kinds, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(registry.time, "monotonic", lambda: now[0])
    job = _claimed()
    running = registry.Running(job)
    for done in range(1, 11):
        now[0] += 0.125
        running.progress(done, 100)
    assert Job.objects.get().done_units == 9
    running.progress(100, 100, "all")
    assert (Job.objects.get().done_units, Job.objects.get().message) == (100, "all")


def test_progress_tells_rate_and_time_left_from_the_row_alone():
    job = _claimed()
    start = timezone.now()
    job.started_at, job.done_units, job.total_units = start, 20, 100
    progress = selectors.progress_of(job, now=start + timedelta(seconds=10))
    assert (progress.share, progress.rate_per_s, progress.left_s) == (0.2, 2.0, 40.0)
    job.done_units = job.total_units = 0
    assert selectors.progress_of(job, now=start).rate_per_s is None


def test_a_finished_job_stops_its_clock():
    job = _claimed()
    services.heartbeat(job, done=22, total=23)
    services.finish(job, result={})
    job.refresh_from_db()
    progress = selectors.progress_of(job, now=timezone.now() + timedelta(days=1))
    assert progress.is_over
    assert progress.done == 23, "what is done is not shown as 22 of 23"
    assert progress.took_s is not None
    assert progress.took_s < 60
    assert progress.left_s is None
