"""Registers the package with Django."""

from django.apps import AppConfig


class ScoringApp(AppConfig):
    """Stored scores and gold references; the crossing from shapes to arrays."""

    name = "labelhub.scoring"
    label = "scoring"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.scoring.models import ExamRuling, GoldReference, Score

        register(GoldReference, Secrecy.HIDDEN, "item__project")
        register(Score, Secrecy.HIDDEN, "item__project")
        register(ExamRuling, Secrecy.ADMIN, "labeler__project")
