"""Registers the package with Django."""

from django.apps import AppConfig


class WorkflowApp(AppConfig):
    """The life of an item."""

    name = "labelhub.workflow"
    label = "workflow"

    def ready(self) -> None:
        """Say who lets models look at whole projects, and who scores them anew."""
        from labelhub.jobs.registry import register as register_job
        from labelhub.workflow import backfilling
        from labelhub.workflow.predicting import JOB_KIND, run_predictions

        register_job(JOB_KIND, run_predictions)
        register_job(backfilling.JOB_KIND, backfilling.run_backfill)
