"""`manage.py import_readings PROJECT PATH`: annotations made elsewhere become a project's items and submissions."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from labelhub.accounts.models import User
from labelhub.formats.shapes import AnnotationSet, FormatError
from labelhub.formats.sources import FORMATS, read_annotations
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.projects.ontology import OntologyProblem
from labelhub.projects.policy import Policy
from labelhub.projects.services import create_project
from labelhub.workflow.importing import import_readings, ontology_of

MOST_PROBLEMS = 10


class Command(BaseCommand):
    """Import readings into a project, or into a new one."""

    help = "Import annotations made elsewhere into a project (by slug), with their readers kept apart."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("project", help="slug of the project; with --create the name of a new one")
        parser.add_argument("path", type=Path, help="a file, folder or zip of annotations")
        parser.add_argument("--format", choices=FORMATS, default=None, help="its format; found out where not given")
        parser.add_argument("--gold", type=Path, default=None, help="the true annotations of some of the items")
        parser.add_argument("--raters", type=Path, default=None, metavar="MAP.csv", help="who made which file")
        parser.add_argument(
            "--create", action="store_true", help="make the project, with the classes found in the readings"
        )
        parser.add_argument(
            "--by", default=None, metavar="USERNAME", help="who imports; the first admin of a new project"
        )
        parser.add_argument("--add-labels", action="store_true", help="add missing classes as a new ontology version")
        parser.add_argument("--no-routing", action="store_true", help="store the readings and leave the items unrouted")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, import item by item, and list what could not be stored."""
        console = Console(soft_wrap=True)
        readings = _read(options["path"], options["format"], options["raters"])
        gold = _read(options["gold"], None, {"*": "gold"}) if options["gold"] else None
        person = _person(options["by"])
        project = _project(options["project"], readings, person, creates=options["create"])
        columns = (
            TextColumn("Importing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("items", total=len(readings.items))
            try:
                summary = import_readings(
                    project=project,
                    readings=readings,
                    by=person,
                    gold=gold,
                    adds_labels=options["add_labels"],
                    is_routed=not options["no_routing"],
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )
            except DomainError as error:
                raise CommandError(str(error)) from error
        console.print(
            f"{summary.n_items} new items and {summary.n_readings} new readings in “{escape(project.slug)}”; "
            f"{summary.n_known} readings were there already, {summary.n_not_read} entries say nothing."
        )
        for problem in summary.problems[:MOST_PROBLEMS]:
            console.print(escape(f"{problem.place}: {problem.message} {problem.remedy}"), highlight=False)
        if len(summary.problems) > MOST_PROBLEMS:
            console.print(f"and {len(summary.problems) - MOST_PROBLEMS} more problems.")


def _read(path: Path, kind: str | None, raters: Path | Mapping[str, str] | None) -> AnnotationSet:
    try:
        return read_annotations(path, kind, raters)
    except FormatError as error:
        raise CommandError(str(error)) from error


def _person(username: str | None) -> User | None:
    if username is None:
        return None
    person = User.objects.filter(username=username).first()
    if person is None:
        raise CommandError(
            f"There is nobody called {username!r}. Nothing was imported. Give --by an existing username."
        )
    return person


def _project(name: str, readings: AnnotationSet, person: User | None, *, creates: bool) -> Project:
    if not creates:
        project = Project.objects.filter(slug=name).first()
        if project is None:
            raise CommandError(
                f"There is no project {name!r}. Nothing was imported. Name its slug, or make it with --create."
            )
        return project
    if person is None:
        raise CommandError("A new project needs an admin: give --by USERNAME. Nothing was imported.")
    try:
        return create_project(name=name, ontology=ontology_of(readings), policy=Policy(), created_by=person)
    except OntologyProblem as problem:
        raise CommandError(
            f"The classes of these readings cannot be stored: {problem} Nothing was imported."
        ) from problem
