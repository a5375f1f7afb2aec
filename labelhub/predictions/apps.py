"""Registers the package with Django."""

from django.apps import AppConfig


class PredictionsApp(AppConfig):
    """What models drew: model versions, predictions, the Predictor protocol."""

    name = "labelhub.predictions"
    label = "predictions"
