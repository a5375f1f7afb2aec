"""Writing down how a training goes: started, measured epoch by epoch, finished. What is read of it stands in ``selectors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from labelhub.audit import services as audit
from labelhub.predictions.models import ModelVersion, TrainingPoint, TrainingRun
from labelhub.predictions.training_settings import TrainingSettings
from labelhub.projects.models import Project


def open_run(*, project: Project, name: str, release_number: int, settings: TrainingSettings, by: str) -> TrainingRun:
    """Note that somebody started a training. Writes ``training.started``."""
    with transaction.atomic():
        run = TrainingRun.objects.create(
            project=project,
            name=name[:120],
            release_number=release_number,
            settings=settings.to_document(),
            started_by=by,
        )
        audit.append(
            project_id=project.pk, kind="training.started", actor=by, subject=f"training:{run.pk}",
            facts={"release": release_number},
        )  # fmt: skip
    return run


def run_by(*, run: TrainingRun, job_id: int) -> None:
    """Note which job runs the training; in the transaction that opened it."""
    run.job_id = job_id
    TrainingRun.objects.filter(pk=run.pk).update(job_id=job_id)


def note_plan(*, run: TrainingRun, plan: Mapping[str, Any]) -> None:
    """Keep what was decided and done so far, so that a training whose worker died goes on from there."""
    run.plan = dict(plan)
    TrainingRun.objects.filter(pk=run.pk).update(plan=run.plan)


def begin_fold(*, run: TrainingRun, fold: int | None) -> None:
    """Forget the points of a fold that an interrupted attempt left: it is trained anew."""
    TrainingPoint.objects.filter(run=run, fold=fold).delete()


def note_point(
    *, run: TrainingRun, fold: int | None, epoch: int, loss: float, held_out_loss: float | None = None,
    held_out_dice: float | None = None,
) -> None:  # fmt: skip
    """Note what an epoch gave, for the curves."""
    TrainingPoint.objects.create(
        run=run, fold=fold, epoch=epoch, loss=loss, held_out_loss=held_out_loss, held_out_dice=held_out_dice
    )


def note_model(*, run: TrainingRun, model: ModelVersion) -> None:
    """Note the version that came of the training."""
    run.model = model
    TrainingRun.objects.filter(pk=run.pk).update(model=model)


def close_run(*, run: TrainingRun) -> None:
    """Note that the training is over. Writes ``training.finished``."""
    with transaction.atomic():
        run.finished_at = timezone.now()
        TrainingRun.objects.filter(pk=run.pk).update(finished_at=run.finished_at)
        audit.append(
            project_id=run.project_id, kind="training.finished", actor="system", subject=f"training:{run.pk}",
            facts={"release": run.release_number},
        )  # fmt: skip
