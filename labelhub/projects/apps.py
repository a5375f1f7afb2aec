"""Registers the package with Django."""

from django.apps import AppConfig


class ProjectsApp(AppConfig):
    """Projects, ontology, guideline, policy, members, labelers, and the one permission module."""

    name = "labelhub.projects"
    label = "projects"
