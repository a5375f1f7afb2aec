"""The embedded worker: claims jobs from the table and runs them, one at a time, until told to stop.

Also here: the same run for one job named by a message, and the reaper that repeats lost messages. Not here: what a job does.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, connections

from labelhub.jobs import dispatch, registry, services
from labelhub.jobs.models import Job
from labelhub.jobs.selectors import LACKS

logger = logging.getLogger(__name__)
RETRY_AFTER = timedelta(seconds=5)
POLL_S = 0.5
HEARTBEAT_S = 5.0
DATABASE_PAUSE_S = 2.0
REAP_EVERY_S = 10.0
SIGN_EVERY_S = 10.0


_INSTALL = "On its machine run `manage.py install_models`, start the worker again, then start the job again."


def worker_name() -> str:
    """Return a name that no other worker has, whatever machine or container it runs in."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def prepare(queue: str) -> str:
    """Load what jobs of a queue need, named by dotted path in the settings; the note of what it computes on, if it has one.

    Raises ``ImportError`` where this installation lacks it. Only workers call this, so that no web process loads a framework.
    """
    path = settings.QUEUE_MODULES.get(queue)
    return "" if path is None else str(importlib.import_module(path).prepare())


def run_until(
    stop: threading.Event, *, queues: list[str], name: str | None = None, is_ready: Callable[[str], bool] = lambda _: True
) -> None:  # fmt: skip
    """Claim and run jobs until ``stop`` is set; sleeps only when there is nothing to do, or the database is away.

    Jobs of a queue that is not ready yet, as ``is_ready`` says, wait.
    """
    worker = name or worker_name()
    try:
        _run_as(worker, stop, queues, is_ready)
    finally:
        _say_farewell(worker)


def _run_as(worker: str, stop: threading.Event, queues: list[str], is_ready: Callable[[str], bool]) -> None:
    signed_at = float("-inf")
    while not stop.is_set():
        try:
            open_queues = [queue for queue in queues if is_ready(queue)]
            if time.monotonic() - signed_at > SIGN_EVERY_S and open_queues:
                services.sign_of_life(worker=worker, queues=open_queues, note=_notes(open_queues))
                signed_at = time.monotonic()
            job = services.claim(worker=worker, queues=open_queues) if open_queues else None
            if job is not None:
                run_one(job, stop)
                continue
            # A job that may be taken in a tenth of a second does not wait for the next look.
            due_in = services.due_in(queues=open_queues)
            # Closes only what broke or grew too old; SQLite's connection stays open, which is what makes it fast.
            close_old_connections()
            stop.wait(min(POLL_S, due_in))
        except DatabaseError as error:
            logger.warning("the database is away (%s); trying again", type(error).__name__)
            connections.close_all()
            stop.wait(DATABASE_PAUSE_S)


def run_pending(*, queues: list[str], name: str = "inline") -> int:
    """Run what is waiting and return how many jobs ran. For commands and tests."""
    count = 0
    while (job := services.claim(worker=name, queues=queues)) is not None:
        run_one(job)
        count += 1
    return count


def run_claimed(job_id: int) -> bool:
    """Claim and run the job of a message; False where it was taken or over already."""
    job = services.claim_one(worker=worker_name(), job_id=job_id)
    if job is None:
        return False
    run_one(job)
    return True


def reap_until(stop: threading.Event) -> None:
    """Publish again what no worker took, until ``stop`` is set. One or many of them may run: doubles are harmless."""
    while not stop.is_set():
        try:
            for job in services.stranded():
                dispatch.publish(job.pk, job.queue)
        except DatabaseError as error:
            logger.warning("the database is away (%s); trying again", type(error).__name__)
            connections.close_all()
        stop.wait(REAP_EVERY_S)


def run_one(job: Job, stop: threading.Event | None = None, *, running: registry.Running | None = None) -> None:
    """Run a claimed job and record how it ended. An error inside is the job's, never the worker's.

    ``running`` stands in for the usual one where somebody watches, as on a terminal.
    """
    try:
        prepare(job.queue)
    except ImportError as error:
        _fail(job, f"This worker lacks a package that the job needs ({error.name}). Nothing was done. {_INSTALL}")
        return
    handler = registry.handler_of(job.kind)
    if handler is None:
        _fail(job, f"This worker does not know jobs of kind {job.kind!r}. Nothing was done. Update it.")
        return
    over = threading.Event()
    beat = _start_heart(job, over)
    try:
        result = handler(running or registry.Running(job, stop))
    except services.LeaseLost:
        logger.warning("job %s (%s) lost its lease; another worker has it", job.pk, job.kind)
    except services.JobCancelled:
        services.close_cancelled(job)
    except services.WorkerStopping:
        services.put_back(job)
    except services.JobRefused as error:
        _fail(job, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a handler does wrong ends its job, not the worker
        _log_failure(job, error)
        _fail(job, f"{type(error).__name__}: {error}", retry_in=RETRY_AFTER)
    else:
        services.finish(job, result=result)
    finally:
        over.set()
        if beat is not None:
            beat.join(timeout=HEARTBEAT_S)


def _fail(job: Job, error: str, retry_in: timedelta | None = None) -> None:
    is_last = retry_in is None or job.attempt >= job.max_attempts
    if services.fail(job, error=error, retry_in=retry_in) and is_last:
        registry.failed(job)


def _notes(queues: list[str]) -> str:
    """What the worker computes on. What its queues need is loaded here, before the first job asks for it."""
    try:
        return ", ".join(filter(None, map(prepare, queues)))
    except ImportError as error:
        return f"{LACKS}{error.name}"


def _say_farewell(worker: str) -> None:
    try:
        services.farewell(worker=worker)
    except DatabaseError as error:
        logger.warning("a worker ended without saying so (%s)", type(error).__name__)


def _log_failure(job: Job, error: Exception) -> None:
    """Log where it failed but not the message: that may name a file or a patient, and is for the project's admins."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("job %s (%s) failed: %s\n%s", job.pk, job.kind, type(error).__name__, frames)


def _start_heart(job: Job, over: threading.Event) -> threading.Thread | None:
    """Renew the lease beside the handler; not inside a transaction, whose lock the other connection would wait for."""
    if connection.in_atomic_block:
        return None
    beat = threading.Thread(target=_keep_alive, args=(job, over), daemon=True, name=f"heart of job {job.pk}")
    beat.start()
    return beat


def _keep_alive(job: Job, over: threading.Event) -> None:
    """Renew the lease while a handler computes without reporting; a lost lease is noticed by the handler itself."""
    try:
        while not over.wait(HEARTBEAT_S):
            try:
                services.heartbeat(job)
                services.sign_of_life(worker=job.worker)
            except (services.LeaseLost, services.JobCancelled):
                break
            except DatabaseError as error:
                logger.warning("job %s could not renew its lease (%s)", job.pk, type(error).__name__)
    finally:
        connection.close()
