"""Starting a training from a release, as a job that a worker of networks runs. Nothing here needs a framework.

Not here: training (``inference.training``), what came of it (``predictions.selectors``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.exports.models import Release
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.selectors import jobs_of_kind
from labelhub.predictions.models import TrainingRun
from labelhub.predictions.selectors import NETWORK_QUEUE, training_of_job
from labelhub.predictions.training_log import open_run, run_by
from labelhub.predictions.training_settings import CLICKS, TrainingRefused, read_training_settings
from labelhub.projects.models import Project
from labelhub.projects.ontology import LabelClass
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_ontology

TRAINING_KIND: Final = "inference.train"
AREA_TOOLS: Final = frozenset({"polygon", "brush", "ellipse"})
# Only what is painted can be proposed by pointing at it.
PAINTED_TOOLS: Final = frozenset({"brush"})
NAME: Final = "Trained here"


def start_training(
    *, project: Project, release: Release, by: User, settings: Mapping[str, Any] | None = None, name: str = NAME
) -> TrainingRun:
    """Enqueue a training from a release's settled labels; its job is ``run.job_id``. Writes ``training.started``. Admins only.

    Raises ``TrainingRefused`` where the release is not the project's or holds too few labels, or a class is not drawn as an
    area. While one training of a project waits or runs, a second is not begun: the first is returned.
    """
    require(by, Action.MANAGE, project)
    given = read_training_settings(settings or {})
    if release.project_id != project.pk or len(release.manifest.get("settlements", ())) < 1:
        raise TrainingRefused("The release holds no settled label of this project. No training was started.")
    tools, how = (PAINTED_TOOLS, "painted") if given.kind == CLICKS else (AREA_TOOLS, "drawn as an area")
    _, ontology = current_ontology(project)
    areas = {entry.key for entry in ontology.classes if entry.tool in tools}
    odd = [key for key in given.classes if key not in areas]
    if odd or not areas:
        raise TrainingRefused(
            f"{odd[0] if odd else 'No class'} is not {how}, and such a network learns nothing else. No training was started."
        )
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        running = unfinished_training(project)
        if running is not None:
            return running
        run = open_run(project=project, name=name, release_number=release.number, settings=given, by=f"user:{by.pk}")
        job = jobs.enqueue(
            kind=TRAINING_KIND, queue=NETWORK_QUEUE, project_id=project.pk, asked_by=f"user:{by.pk}",
            arguments={"run": run.pk},
        )  # fmt: skip
        run_by(run=run, job_id=job.pk)
    return run


def clickable_classes(project: Project) -> list[LabelClass]:
    """Return the classes for which a network that takes clicks can be trained."""
    return [entry for entry in current_ontology(project)[1].classes if entry.tool in PAINTED_TOOLS]


def unfinished_training(project: Project) -> TrainingRun | None:
    """Return the training of the project that waits or runs, or None."""
    for job in jobs_of_kind(project.pk, TRAINING_KIND, most=5):
        if job.state in {Job.State.QUEUED, Job.State.RUNNING}:
            return training_of_job(job.pk)
    return None
