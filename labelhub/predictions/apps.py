"""Registers the package with Django."""

from django.apps import AppConfig


class PredictionsApp(AppConfig):
    """What models drew: model versions, predictions, the Predictor protocol."""

    name = "labelhub.predictions"
    label = "predictions"

    def ready(self) -> None:
        """Declare who may see the rows, and make the classical predictor known."""
        from labelhub.predictions import classical, monai_label
        from labelhub.predictions.models import (
            Draft,
            ModelVersion,
            Prediction,
            TrainedItem,
            TrainingPoint,
            TrainingRun,
        )
        from labelhub.predictions.predictor import register_predictor
        from labelhub.projects.permissions import Secrecy, register

        register(ModelVersion, Secrecy.HIDDEN, "project")
        register(Prediction, Secrecy.HIDDEN, "item__project")
        register(Draft, Secrecy.HIDDEN, "assignment__item__project")
        register(TrainedItem, Secrecy.HIDDEN, "model__project")
        register(TrainingRun, Secrecy.HIDDEN, "project")
        register(TrainingPoint, Secrecy.HIDDEN, "run__project")
        register_predictor(classical.NAME, classical.ClassicalPredictor, runs_everywhere=True)
        register_predictor(monai_label.NAME, monai_label.monai_label_predictor, runs_everywhere=True)
