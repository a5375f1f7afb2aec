"""Registers the package with Django."""

from django.apps import AppConfig


class ScoringApp(AppConfig):
    """Stored scores and gold references; the crossing from shapes to arrays."""

    name = "labelhub.scoring"
    label = "scoring"

    def ready(self) -> None:
        """Declare who may see the rows, and say who estimates raters."""
        from labelhub.jobs.registry import register as register_job
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.scoring.models import (
            AuditedItem,
            DraftsAgain,
            ExamRuling,
            GoldReference,
            HelpedReading,
            Posterior,
            Score,
            TruthFit,
        )
        from labelhub.scoring.posteriors import FIT_KIND, run_fit

        register(GoldReference, Secrecy.HIDDEN, "item__project")
        register(Score, Secrecy.HIDDEN, "item__project")
        register(Posterior, Secrecy.HIDDEN, "item__project")
        register(TruthFit, Secrecy.HIDDEN, "project")
        register(AuditedItem, Secrecy.HIDDEN, "item__project")
        register(HelpedReading, Secrecy.HIDDEN, "submission__assignment__item__project")
        register(DraftsAgain, Secrecy.ADMIN, "labeler__project")
        register_job(FIT_KIND, run_fit)
        register(ExamRuling, Secrecy.ADMIN, "labeler__project")
