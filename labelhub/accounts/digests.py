"""The mail digest: what people were told and chose to get by mail, gathered hourly or daily; and old notifications deleted.

Off unless somebody turns it on, and by default mail goes to the console: nothing leaves the machine before an admin of the
server says so in its settings. A mail holds the sentences of the notifications, and neither a picture nor a label.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from labelhub.accounts.models import MailDigest, Notification
from labelhub.accounts.notifications import tidy
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running

logger = logging.getLogger(__name__)
JOB_KIND = "accounts.send_digests"
EVERY = {MailDigest.Every.HOURLY: timedelta(hours=1), MailDigest.Every.DAILY: timedelta(days=1)}
# The job runs this often by itself; each person gets mail no more often than they chose.
RUN_EVERY, KEEP_RUNS = timedelta(hours=1), timedelta(days=2)
MOST_LINES = 100


def run_digests(running: Running) -> Mapping[str, Any]:
    """The job: send what is due, delete what was kept long enough, and set the next run."""
    # First of all, so that a run that fails does not end the chain of runs.
    schedule(after=RUN_EVERY)
    sent, gone = send_due(), tidy()
    earlier = Job.objects.filter(kind=JOB_KIND, finished_at__lt=timezone.now() - KEEP_RUNS)
    earlier.delete()
    return {"mails": sent, "deleted": gone}


def schedule(*, after: timedelta = timedelta(0), now: datetime | None = None) -> Job:
    """Have the job run after this time, unless it waits already."""
    at = (now or timezone.now()) + after
    # A run in progress holds the usual key, so the next one is known by its hour.
    key = f"{JOB_KIND}:{int(at.timestamp() // RUN_EVERY.total_seconds())}"
    return jobs.enqueue(kind=JOB_KIND, arguments={}, asked_by="system", dedupe_key=key, not_before=at)


def send_due(now: datetime | None = None) -> int:
    """Send each person's digest that is due; return how many mails went out. One that fails is tried again next time."""
    at = now or timezone.now()
    sent = 0
    for digest in MailDigest.objects.exclude(every=MailDigest.Every.OFF).select_related("user").order_by("pk"):
        user = digest.user
        is_due = digest.sent_at is None or digest.sent_at <= at - EVERY[MailDigest.Every(digest.every)]
        if not (is_due and user.is_active and user.email):
            continue
        with transaction.atomic():
            waiting = Notification.objects.select_for_update().filter(user=user, by_mail=True, mailed_at=None)
            rows = list(waiting.order_by("pk")[:MOST_LINES])
            if not rows:
                continue
            try:
                send_mail(_subject(len(rows)), _body(rows), None, [user.email])
            except OSError as error:
                logger.warning("a digest could not be sent (%s); it is tried again", type(error).__name__)
                continue
            Notification.objects.filter(pk__in=[row.pk for row in rows]).update(mailed_at=at)
            MailDigest.objects.filter(pk=digest.pk).update(sent_at=at)
            sent += 1
    return sent


def _subject(n: int) -> str:
    return f"LabelHub: {n} notification{'' if n == 1 else 's'}"


def _body(rows: list[Notification]) -> str:
    lines = [f"- {row.text} ({row.created_at:%Y-%m-%d %H:%M} UTC)" for row in rows]
    more = f"\nOnly the first {MOST_LINES} are listed; the rest follow.\n" if len(rows) == MOST_LINES else ""
    tail = "Sign in to LabelHub to open them. Choose what is mailed under Notifications, or turn mail off there."
    return "\n".join(["What you were told since the last mail:", "", *lines, more, tail, ""])
