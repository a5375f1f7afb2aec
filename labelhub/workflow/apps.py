"""Registers the package with Django."""

from django.apps import AppConfig


class WorkflowApp(AppConfig):
    """The life of an item."""

    name = "labelhub.workflow"
    label = "workflow"

    def ready(self) -> None:
        """Say who lets models look at whole projects, scores them anew, sends items on, and tries policies on the past."""
        from labelhub.jobs.registry import register as register_job
        from labelhub.workflow import backfilling, gating, pausing
        from labelhub.workflow.predicting import JOB_KIND, run_predictions
        from labelhub.workflow.trying import JOB_KIND as TRY_POLICY
        from labelhub.workflow.trying import run_trial

        register_job(JOB_KIND, run_predictions)
        register_job(backfilling.JOB_KIND, backfilling.run_backfill)
        register_job(gating.JOB_KIND, pausing.run_send_on)
        register_job(TRY_POLICY, run_trial)
