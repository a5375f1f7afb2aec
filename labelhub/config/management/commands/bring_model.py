"""`manage.py bring_model PROJECT BUNDLE`: brings a MONAI bundle in, a folder or a ZIP on this machine, as the Models page does.

It is read as data by a worker that runs networks; nothing of it is run. Not here: reading it (``predictions.bundles``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.predictions.bundles import BundleRefused
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import project_named
from labelhub.workflow.bringing_models import import_bundle, pack_folder

ACTOR = "terminal"


class Command(BaseCommand):
    """Keeps the bundle and leaves its reading to a worker of networks."""

    help = "Bring a MONAI bundle (a folder or a ZIP) into a project; a worker of networks reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare project, bundle, name and what its maps mean."""
        parser.add_argument("project", help="the project's short name, as in its address")
        parser.add_argument("bundle", type=Path, help="the bundle's folder, or its ZIP")
        parser.add_argument("--name", default="", help="what the model is called (default: what the bundle says)")
        parser.add_argument(
            "--class", action="append", default=[], dest="classes", metavar="KEY",
            help="the class that a map means, once for each map in their order; '' for the ground (default: by their names)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Pack a folder, keep the bundle, enqueue its reading."""
        try:
            project = project_named(options["project"])
            with tempfile.TemporaryDirectory(prefix="labelhub-bundle-") as scratch:
                bundle: Path = options["bundle"]
                archive = pack_folder(bundle, Path(scratch) / "bundle.zip") if bundle.is_dir() else bundle
                job = import_bundle(
                    project=project, archive=archive, name=options["name"], by=ACTOR, classes=options["classes"]
                )
        except (OSError, BundleRefused, NotFound) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"The bundle is kept. Job {job.pk} waits for a worker that runs networks (manage.py worker --queues gpu); the "
            "Models page says what came of it."
        )
