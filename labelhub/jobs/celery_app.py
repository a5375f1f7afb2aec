"""Celery as a dispatcher of job numbers, for more than one machine: ``celery -A labelhub.jobs.celery_app worker -Q cpu``.

A task makes the same lease claim as the embedded worker, so the Job row stays the only truth: no results, no retries and no
state are kept in the broker. Not here: torch and monai (handlers name what they need by dotted path), the reaper (``worker``).
"""

from __future__ import annotations

import os

from celery import Celery
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
if not apps.ready:
    import django

    django.setup()

from django.conf import settings

from labelhub.jobs import worker

app = Celery("labelhub", broker=settings.ENVIRONMENT.broker_url or None, set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    # A message counts as delivered only when its job is over: a killed worker's messages come again, which is harmless.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_default_queue="cpu",
    task_create_missing_queues=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_connect_timeout": 5, "socket_timeout": 30},
    worker_hijack_root_logger=False,
)


@app.task(name="labelhub.jobs.run", bind=False)  # type: ignore[untyped-decorator]
def run_job(job_id: int) -> None:
    """Run the job if it is free. A second delivery finds it taken or over and does nothing."""
    worker.run_claimed(job_id)
