"""The job that bakes a long working copy, so that it opens at once (``history.bake``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelhub.annotations import history
from labelhub.annotations.models import Document
from labelhub.jobs import services as jobs
from labelhub.jobs.registry import Running

JOB_KIND = "annotations.bake"
# How often a growing log is looked at: not at each operation.
EVERY = 250


def bake_when_long(document: Document, *, before: int) -> None:
    """Ask for the job where the locked document grew from ``before`` operations past a place at which it is due."""
    is_due = document.head_seq - document.baked_seq >= history.BAKE_AFTER
    if is_due and before // EVERY != document.head_seq // EVERY:
        jobs.enqueue(
            kind=JOB_KIND, arguments={"document": str(document.pk)}, dedupe_key=f"bake:{document.pk}",
            project_id=document.assignment.item.project_id,
        )  # fmt: skip


def run_bake(running: Running) -> Mapping[str, Any]:
    """Bake the document that the job names."""
    document = Document.objects.get(pk=running.arguments["document"])
    return {"baked_seq": history.bake(document)}
