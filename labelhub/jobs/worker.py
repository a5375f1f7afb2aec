"""The embedded worker: claims jobs from the table and runs them, one at a time, until told to stop."""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import timedelta

from django.db import close_old_connections

from labelhub.jobs import registry, services
from labelhub.jobs.models import Job

logger = logging.getLogger(__name__)
RETRY_AFTER = timedelta(seconds=5)
POLL_S = 0.5
HEARTBEAT_S = 5.0


def run_until(stop: threading.Event, *, queues: list[str], name: str | None = None) -> None:
    """Claim and run jobs until ``stop`` is set; sleeps only when there is nothing to do."""
    worker = name or f"{socket.gethostname()}:{os.getpid()}"
    while not stop.is_set():
        job = services.claim(worker=worker, queues=queues)
        if job is None:
            close_old_connections()
            stop.wait(POLL_S)
        else:
            run_one(job)


def run_pending(*, queues: list[str], name: str = "inline") -> int:
    """Run what is waiting and return how many jobs ran. For commands and tests."""
    count = 0
    while (job := services.claim(worker=name, queues=queues)) is not None:
        run_one(job)
        count += 1
    return count


def run_one(job: Job) -> None:
    """Run a claimed job and record how it ended. An error inside is the job's, never the worker's."""
    running = registry.Running(job)
    stop, beat = threading.Event(), None
    beat = threading.Thread(target=_keep_alive, args=(job, stop), daemon=True)
    beat.start()
    try:
        result = registry.handler_of(job.kind)(running)
    except services.LeaseLost:
        logger.warning("job %s (%s) lost its lease; another worker has it", job.pk, job.kind)
    except services.JobCancelled:
        services.close_cancelled(job)
    except KeyError as error:
        services.fail(job, error=f"No handler knows {error}. Nothing was done. Update the worker.")
    except Exception as error:  # noqa: BLE001 - whatever a handler does wrong ends its job, not the worker
        logger.exception("job %s (%s) failed", job.pk, job.kind)
        services.fail(job, error=f"{type(error).__name__}: {error}", retry_in=RETRY_AFTER)
    else:
        services.finish(job, result=result)
    finally:
        stop.set()
        beat.join(timeout=HEARTBEAT_S)


def _keep_alive(job: Job, stop: threading.Event) -> None:
    """Renew the lease while a handler computes without reporting; a lost lease is noticed by the handler itself."""
    from django.db import connection

    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        return
    while not stop.wait(HEARTBEAT_S):
        try:
            services.heartbeat(job)
        except (services.LeaseLost, services.JobCancelled):
            break
    connection.close()
