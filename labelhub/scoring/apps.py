"""Registers the package with Django."""

from django.apps import AppConfig


class ScoringApp(AppConfig):
    """Stored scores and gold references; the crossing from shapes to arrays."""

    name = "labelhub.scoring"
    label = "scoring"
