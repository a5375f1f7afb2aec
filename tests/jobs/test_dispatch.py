"""Workers of other machines: messages are hints, the row decides."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from labelhub.jobs import dispatch, registry, services, worker
from labelhub.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(settings, monkeypatch):
    """A broker that remembers what was published."""
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, broker_url="memory://")
    sent: list[tuple[int, str, datetime | None]] = []
    monkeypatch.setattr(
        dispatch, "publish", lambda job_id, queue, not_before=None: sent.append((job_id, queue, not_before))
    )
    return sent


def test_a_number_is_published_when_the_transaction_commits_and_not_before(broker, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = services.enqueue(kind="test", arguments={}, queue="gpu")
        assert broker == []
    assert broker == [(job.pk, "gpu", None)]


def test_a_job_that_is_put_off_is_announced_for_its_new_time(broker, django_capture_on_commit_callbacks):
    soon, later = (timezone.now() + timedelta(seconds=seconds) for seconds in (60, 120))
    with django_capture_on_commit_callbacks(execute=True):
        job = services.enqueue(kind="test", arguments={}, project_id=7, not_before=soon)
        other = services.enqueue(kind="test", arguments={}, project_id=8)
        services.put_off(kind="test", project_id=7, until=later)
    assert broker == [(job.pk, "cpu", soon), (other.pk, "cpu", None), (job.pk, "cpu", later)]
    assert services.claim(worker="one", queues=["cpu"]) == other
    assert services.claim(worker="one", queues=["cpu"]) is None


def test_a_message_for_a_job_whose_time_has_not_come_waits_with_the_worker(monkeypatch):
    from labelhub.jobs import celery_app

    sent = []
    monkeypatch.setattr(celery_app.run_job, "apply_async", lambda **options: sent.append(options))
    soon = timezone.now() + timedelta(seconds=60)
    assert dispatch.publish(7, "cpu", soon)
    assert sent == [{"args": [7], "queue": "cpu", "eta": soon, "retry": False}]


def test_without_a_broker_nothing_is_published(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        services.enqueue(kind="test", arguments={})
    assert callbacks == []


def test_a_message_delivered_twice_runs_the_job_once(monkeypatch):
    from labelhub.jobs.celery_app import run_job

    runs: list[int] = []

    def run(running):
        runs.append(running.job.pk)
        return {}

    monkeypatch.setattr(registry, "_handlers", {"test": run})
    job = services.enqueue(kind="test", arguments={})
    run_job(job.pk)
    run_job(job.pk)
    run_job(job.pk + 1)
    assert runs == [job.pk]


def test_a_message_for_a_job_that_another_worker_holds_does_nothing():
    job = services.enqueue(kind="test", arguments={})
    services.claim(worker="one", queues=["cpu"])
    assert services.claim_one(worker="two", job_id=job.pk) is None


def test_the_reaper_repeats_what_no_worker_took_and_what_a_dead_one_held(broker, monkeypatch):
    lost, held, fresh = (services.enqueue(kind="test", arguments={}) for _ in range(3))
    dead = services.claim_one(worker="dead", job_id=held.pk)
    assert dead is not None
    past = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=lost.pk).update(created_at=past)
    Job.objects.filter(pk=held.pk).update(lease_until=past)
    assert fresh.pk not in [job.pk for job in services.stranded()]
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda timeout: stop.set())
    worker.reap_until(stop)
    assert {number for number, *_ in broker} == {lost.pk, held.pk}


def test_a_broker_that_is_away_costs_nothing_but_time(monkeypatch, caplog):
    from kombu.exceptions import OperationalError

    from labelhub.jobs import celery_app

    def away(**options):
        raise OperationalError("connection refused")

    monkeypatch.setattr(celery_app.run_job, "apply_async", away)
    assert dispatch.publish(1, "cpu") is False
    assert "the reaper will" in caplog.text


def test_a_worker_outlives_a_database_that_goes_away(monkeypatch):
    stop = threading.Event()
    answers = iter([DatabaseError("gone"), None])

    def claim(**options):
        answer = next(answers)
        if answer is not None:
            raise answer
        stop.set()

    monkeypatch.setattr(services, "claim", claim)
    monkeypatch.setattr(worker, "DATABASE_PAUSE_S", 0)
    monkeypatch.setattr(worker, "POLL_S", 0)
    monkeypatch.setattr(worker.connections, "close_all", lambda: None)
    worker.run_until(stop, queues=["cpu"])
    assert next(answers, "nothing left") == "nothing left"


def test_the_command_runs_what_waits_and_ends(monkeypatch, capsys):
    monkeypatch.setattr(registry, "_handlers", {"test": lambda running: {}})
    services.enqueue(kind="test", arguments={})
    call_command("worker", "--once")
    assert "1 jobs were run" in capsys.readouterr().out
    with pytest.raises(CommandError, match="BROKER_URL"):
        call_command("worker", "--reaper")


def test_the_dispatcher_never_imports_torch():
    code = "import sys, labelhub.jobs.celery_app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


@pytest.mark.once
def test_a_worker_process_stops_cleanly_on_sigterm(tmp_path):
    environment = {**os.environ, "LABELHUB_VAR": str(tmp_path), "DATABASE_URL": ""}
    manage = [sys.executable, "-m", "django"]
    subprocess.run([*manage, "migrate", "jobs", "-v0"], env=environment, check=True, timeout=120)
    process = subprocess.Popen(
        [*manage, "worker"], env={**environment, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "Waiting for jobs" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Stopped" in rest
