"""Registers the package with Django."""

from django.apps import AppConfig


class AnnotationsApp(AppConfig):
    """What people drew: operations, their fold, frozen submissions."""

    name = "labelhub.annotations"
    label = "annotations"
