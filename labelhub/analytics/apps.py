"""Registers the package with Django."""

from django.apps import AppConfig


class AnalyticsApp(AppConfig):
    """Read-only rollups of labelers and projects."""

    name = "labelhub.analytics"
    label = "analytics"

    def ready(self) -> None:
        """Declare who may see the rows, and who measures."""
        from labelhub.analytics.models import Rollup
        from labelhub.analytics.services import JOB_KIND, run_measure
        from labelhub.jobs.registry import register as register_job
        from labelhub.projects.permissions import Secrecy, register

        register(Rollup, Secrecy.HIDDEN, "project")
        register_job(JOB_KIND, run_measure)
