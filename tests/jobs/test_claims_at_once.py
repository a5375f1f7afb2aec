"""Several workers at one table at the same moment: each job runs once, and none is left."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection

from labelhub.jobs import registry, services, worker
from labelhub.jobs.models import Job

N_JOBS, N_WORKERS = 60, 4


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_run_each_job_once_and_strand_none(monkeypatch):
    runs: Counter[int] = Counter()
    lock = threading.Lock()

    def run(running):
        with lock:
            runs[running.job.pk] += 1
        return {}

    monkeypatch.setattr(registry, "_handlers", {"test": run})
    for _ in range(N_JOBS):
        services.enqueue(kind="test", arguments={})
    start = threading.Barrier(N_WORKERS)

    def work(number: int) -> None:
        start.wait()
        try:
            worker.run_pending(queues=["cpu"], name=f"worker {number}")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(N_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert set(runs.values()) == {1}
    assert len(runs) == N_JOBS
    assert set(Job.objects.values_list("state", "attempt")) == {("done", 1)}
