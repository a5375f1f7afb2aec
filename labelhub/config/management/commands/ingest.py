"""``manage.py ingest PROJECT PATH``: reads a folder, archive or file of this machine into a project, with progress.

The same job as on the Data page, run here to its end. Ctrl-C stops between two files; the same command goes on from there.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.identity import ITEM_PER, RULES, IngestOptions
from labelhub.catalog.ingest import resume_ingest, start_ingest
from labelhub.catalog.models import IngestRun
from labelhub.catalog.selectors import ingest_counts, ingest_entries, unfinished_ingest
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.worker import run_one, worker_name
from labelhub.projects.selectors import project_named

FAILURES_SHOWN = 20


class Watched(Running):
    """A running job that also moves the bar on the terminal."""

    def __init__(self, job: Job, bar: Progress) -> None:
        super().__init__(job)
        self._bar = bar
        self._task = bar.add_task("Looking at the files", total=None)

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Show progress here and in the job."""
        self._bar.update(self._task, completed=done, total=total, description=message or "Reading")
        super().progress(done, total, message)


class Command(BaseCommand):
    """Ingests in this process, so that no worker is needed; an interrupted run is taken up again."""

    help = "Read a folder, archive or file of this machine into a project. The same command again goes on where it stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", help="the project's short name, as in its address")
        parser.add_argument("path", help="a folder, a ZIP or TAR archive, or a single file")
        parser.add_argument(
            "--copy", action="store_true", help="keep the original files in the storage (default: in place)"
        )
        parser.add_argument("--subject-from", choices=RULES, default="auto", help="how subjects are told apart")
        parser.add_argument("--subject-kind", default="patient", help="what a subject is: patient, slide, image …")
        parser.add_argument("--item-per", choices=ITEM_PER, default="file", help="what makes one item")
        parser.add_argument(
            "--folder-level", type=int, default=1, help="which folder names the subject (1 is the first)"
        )
        parser.add_argument("--pattern", default="", help="regular expression with the groups subject, study, item")
        parser.add_argument("--table", default="", help="path of a CSV table inside the folder")
        for name in ("file", "subject", "study", "source-id"):
            default = getattr(IngestOptions(), f"{name.replace('-', '_')}_column")
            parser.add_argument(
                f"--{name}-column", default=default, help=f"column of the table (default: {default or 'none'})"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ingest to the end, or say why not."""
        console = Console()
        try:
            run = _run_of(options)
        except (CatalogProblem, LookupError) as problem:
            raise CommandError(str(problem)) from None
        job = jobs.claim_one(worker=worker_name(), job_id=run.job_id or 0)
        if job is None:
            raise CommandError("A worker is reading this already. See its progress on the Data page.")
        _work(job, console)
        _show(run, console)


def _run_of(options: dict[str, Any]) -> IngestRun:
    """The interrupted run of the same place, else a new one."""
    project = project_named(options["project"])
    source = "upload" if options["copy"] else "folder"
    location = str(Path(options["path"]).expanduser().resolve())
    chosen = {name: options[name] for name in IngestOptions().to_document()}
    interrupted = unfinished_ingest(project, source=source, location=location)
    if interrupted is not None:
        return resume_ingest(run=interrupted, asked_by="command:ingest")
    return start_ingest(
        project=project, source=source, location=location, options=chosen, asked_by="command:ingest", is_trusted=True
    )


def _work(job: Job, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console) as bar:
            run_one(job, running=Watched(job, bar))
    except KeyboardInterrupt:
        jobs.ask_cancel(job.pk)
        jobs.close_cancelled(job)
        raise CommandError("Stopped. What was stored stays; the same command goes on from there.") from None
    job.refresh_from_db()
    if job.state == Job.State.CANCELLED:
        raise CommandError("Cancelled from the Data page. What was stored stays.")
    if job.state != Job.State.DONE:
        raise CommandError(job.error or "Another worker took this over. See its progress on the Data page.")


def _show(run: IngestRun, console: Console) -> None:
    counts = ingest_counts(run)
    console.print(
        f"{counts['items']} items from {counts['stored']} files; {counts['duplicate']} were here already, "
        f"{counts['ignored']} left out, {counts['refused']} refused."
    )
    if not counts["refused"]:
        return
    table = Table("File", "What happened", "What to do", show_edge=False)
    for entry in ingest_entries(run, status="refused")[:FAILURES_SHOWN]:
        table.add_row(entry.path, entry.message, entry.remedy)
    console.print(table)
    if counts["refused"] > FAILURES_SHOWN:
        console.print(f"… and {counts['refused'] - FAILURES_SHOWN} more: see the Data page.")
