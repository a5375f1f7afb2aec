"""`manage.py predict PROJECT MODEL.json`: registers a model version and lets it look at every item of a project.

The file names the model, its predictor and the predictor's parameters, for example
``{"name": "threshold", "predictor": "classical-threshold", "parameters": {"classes": {"nucleus": {"polarity": "dark"}}}}``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labelhub.formats.shapes import FormatError
from labelhub.formats.strict_json import load_json
from labelhub.jobs.worker import prepare, run_pending
from labelhub.predictions.plugins import register_plugins
from labelhub.predictions.predictor import is_known
from labelhub.predictions.services import register_model
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import project_named
from labelhub.workflow.predicting import start_predictions

ACTOR = "terminal"


class Command(BaseCommand):
    """Registers the model, then predicts here and now, or leaves the work to a running worker."""

    help = "Let a model look at every item of a project; its disagreement with people is scored and routed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare project, file and whether to wait."""
        parser.add_argument("project", help="the project's short name, as in its address")
        parser.add_argument("model", type=Path, help="JSON file with name, predictor and parameters")
        parser.add_argument("--queue-only", action="store_true", help="leave the work to a running worker")

    def handle(self, *args: Any, **options: Any) -> None:
        """Register, enqueue, and unless told not to, run."""
        try:
            project = project_named(options["project"])
            document = load_json(options["model"].read_bytes(), options["model"].name)
            if not is_known(str(document["predictor"])):
                _load_others()
            model = register_model(
                project=project,
                name=str(document["name"]),
                predictor=str(document["predictor"]),
                parameters=document.get("parameters", {}),
                by=ACTOR,
            )
        except (OSError, FormatError, DomainError, NotFound) as error:
            raise CommandError(str(error)) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise CommandError(f"The file must be an object with name, predictor and parameters: {error!r}") from error
        job = start_predictions(model=model, project=project, asked_by=ACTOR)
        if not options["queue_only"]:
            run_pending(queues=[job.queue])
            job.refresh_from_db()
        self.stdout.write(f"{model.name} version {model.number}: {job.state}. {job.result or job.error or ''}")


def _load_others() -> None:
    """Make known what only workers of networks know, and plug-ins."""
    with suppress(ImportError):
        prepare("gpu")
    register_plugins()
