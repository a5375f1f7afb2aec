"""Reading models and predictions. Hidden from annotators."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from labelhub.catalog.models import Item
from labelhub.jobs.selectors import workers_of
from labelhub.predictions.interactive import CLICK_NETWORK
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem, TrainingPoint, TrainingRun
from labelhub.predictions.predictor import runs_everywhere
from labelhub.predictions.runtime import ModelsState, read_state
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound

# Who runs networks needs a framework; everybody can run the rest.
NETWORK_QUEUE, PLAIN_QUEUE = "gpu", "cpu"


def are_networks_run() -> bool:
    """Whether a worker that runs networks is alive."""
    return bool(workers_of(NETWORK_QUEUE))


def networks_state() -> ModelsState:
    """Return whether networks can run: a worker that runs them is believed, whatever an installation noted before."""
    return ModelsState.READY if are_networks_run() else read_state()


def models_of(project: Project) -> QuerySet[ModelVersion]:
    """Return the project's model versions, newest first; those of cross-validation stand behind theirs (``folds_of``)."""
    own = ModelVersion.objects.filter(project=project, fold_of=None).exclude(predictor=CLICK_NETWORK)
    return own.select_related("weights").order_by("-pk")


def click_models_of(project: Project) -> QuerySet[ModelVersion]:
    """Return the project's networks that take clicks, newest first."""
    return ModelVersion.objects.filter(project=project, predictor=CLICK_NETWORK).order_by("-pk")


def click_networks(project: Project) -> dict[str, ModelVersion]:
    """Return, for each class that has one, the newest network that takes clicks."""
    return {label: row for row in click_models_of(project).order_by("pk") for label in row.classes}


def recipes_of(project: Project) -> dict[int, TrainingRun]:
    """Return, by version, the training that it came of: its release and settings are how it is made again."""
    runs = TrainingRun.objects.filter(project=project)
    return {run.model_id: run for run in runs if run.model_id is not None}


def model_of(project: Project, model_id: int) -> ModelVersion:
    """Return one model version of the project. Raises ``NotFound``."""
    model = ModelVersion.objects.filter(project=project, pk=model_id).select_related("weights", "project").first()
    if model is None:
        raise NotFound("There is no such model in this project.")
    return model


def folds_of(model: ModelVersion) -> QuerySet[ModelVersion]:
    """Return the versions that learned from a part of what ``model`` learned from, in order."""
    return ModelVersion.objects.filter(fold_of=model).order_by("fold")


def queue_of(model: ModelVersion) -> str:
    """Return the queue whose workers can run the model."""
    return PLAIN_QUEUE if runs_everywhere(model.predictor) else NETWORK_QUEUE


def heard_predictions(item: Item) -> QuerySet[Prediction]:
    """Return what models said of the item that may be held against its label, newest first.

    Left out is the word of a version that learned from this very item: it repeats what it was told. What a version of
    cross-validation said that was kept from the item stays.
    """
    told = TrainedItem.objects.filter(model=OuterRef("model"), item=OuterRef("item"))
    rows = Prediction.objects.filter(item=item).exclude(Exists(told))
    return rows.select_related("model", "item").order_by("-created_at", "-pk")


def newest_prediction(item: Item) -> Prediction | None:
    """Return what the newest model version said of the item that did not learn from it."""
    return heard_predictions(item).first()


def trained_on(model: ModelVersion, item: Item) -> bool:
    """Whether the version learned from the item."""
    return TrainedItem.objects.filter(model=model, item=item).exists()


def unseen_items(model: ModelVersion) -> QuerySet[Item]:
    """Return items with pixels that this model version neither looked at nor learned from, in order."""
    seen = Prediction.objects.filter(model=model, item=OuterRef("pk"))
    told = TrainedItem.objects.filter(model=model, item=OuterRef("pk"))
    items = Item.objects.filter(project=model.project_id).exclude(state=Item.State.EXCLUDED)
    return items.exclude(media__pixels=None).exclude(Exists(seen)).exclude(Exists(told)).order_by("pk")


def trainings_of(project: Project) -> QuerySet[TrainingRun]:
    """Return the project's trainings, newest first."""
    return TrainingRun.objects.filter(project=project).select_related("model").order_by("-pk")


def training_numbered(run_id: int) -> TrainingRun:
    """Return a training by its number. Raises ``NotFound``."""
    run = TrainingRun.objects.filter(pk=run_id).select_related("project", "model").first()
    if run is None:
        raise NotFound("There is no such training.")
    return run


def training_of_job(job_id: int) -> TrainingRun | None:
    """Return the training that a job runs, or None."""
    return TrainingRun.objects.filter(job_id=job_id).select_related("project", "model").first()


def training_curve(run: TrainingRun) -> list[TrainingPoint]:
    """Return what was measured so far, fold by fold and epoch by epoch; ``fold`` None is the one that learns from all."""
    points = list(TrainingPoint.objects.filter(run=run))
    return sorted(points, key=lambda point: (point.fold is None, point.fold or 0, point.epoch))
