"""How workers on other machines hear of a job: its number is published when the transaction that made it has committed.

Only where a broker is configured; the embedded worker reads the table itself. A message is a hint: if it is lost the reaper
publishes the number again, if it comes twice the second claim fails. Not here: the queue (``services``).
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction

from labelhub.jobs.models import Job

logger = logging.getLogger(__name__)


def announce(job: Job) -> None:
    """Publish the job's number once it is committed; nothing happens without a broker."""
    if settings.ENVIRONMENT.broker_url:
        transaction.on_commit(partial(publish, job.pk, job.queue, job.not_before))


def publish(job_id: int, queue: str, not_before: datetime | None = None) -> bool:
    """Send a job's number to the workers of its queue, who look at it when its time has come.

    False where the broker could not be reached: the reaper repeats it.
    """
    # Celery is imported where there is a broker only: it costs the embedded server 0.3 s at its start.
    from kombu.exceptions import OperationalError

    from labelhub.jobs.celery_app import run_job

    try:
        run_job.apply_async(args=[job_id], queue=queue, eta=not_before, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("job %s was not announced (%s); the reaper will", job_id, type(error).__name__)
        return False
    return True
