"""Registers the package with Django."""

from django.apps import AppConfig


class JobsApp(AppConfig):
    """The durable job queue that any package above may use."""

    name = "labelhub.jobs"
    label = "jobs"
