"""One row a piece of work: the only truth about it, whoever runs it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class WorkerSign(models.Model):
    """A worker that gave a sign of life: which queues it takes jobs from, and on what it computes."""

    name = models.CharField(max_length=80, unique=True)
    queues = models.JSONField(default=list)
    note = models.CharField(max_length=200, blank=True)
    seen_at = models.DateTimeField()


class Job(models.Model):
    """Work that outlives a request. Claimed by a conditional update; every later write is fenced by worker and attempt."""

    class State(models.TextChoices):
        """Where the work stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=80)
    arguments = models.JSONField(default=dict)
    queue = models.CharField(max_length=16, default="cpu")
    priority = models.SmallIntegerField(default=0)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    # At most one unfinished job a key, so that a second click does not start a second ingest.
    dedupe_key = models.CharField(max_length=200, blank=True)
    project_id = models.BigIntegerField(null=True)
    asked_by = models.CharField(max_length=80, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    worker = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    cancel_asked = models.BooleanField(default=False)
    done_units = models.PositiveBigIntegerField(default=0)
    total_units = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """Claims go by queue, state and priority."""

        indexes: ClassVar = [models.Index(fields=["queue", "state", "-priority", "id"], name="jobs_to_claim")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=models.Q(state__in=["queued", "running"]) & ~models.Q(dedupe_key=""),
                name="one_unfinished_job_a_key",
            ),
        ]
