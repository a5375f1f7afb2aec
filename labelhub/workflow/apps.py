"""Registers the package with Django."""

from django.apps import AppConfig


class WorkflowApp(AppConfig):
    """The life of an item, one function a step."""

    name = "labelhub.workflow"
    label = "workflow"
