"""Registers the package with Django."""

from django.apps import AppConfig


class AssignmentsApp(AppConfig):
    """Who may label what, until when, and why they were given it."""

    name = "labelhub.assignments"
    label = "assignments"
