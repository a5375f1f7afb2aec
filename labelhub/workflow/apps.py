"""Registers the package with Django."""

from django.apps import AppConfig


class WorkflowApp(AppConfig):
    """The life of an item."""

    name = "labelhub.workflow"
    label = "workflow"

    def ready(self) -> None:
        """Say who runs jobs on whole projects: models, scores anew, policies tried and published, work of the paused."""
        from labelhub.analytics.services import when_measured
        from labelhub.jobs.registry import register as register_job
        from labelhub.workflow import (
            backfilling,
            edge_cases,
            gating,
            golding,
            overdue,
            pausing,
            rereading,
            satisfied,
            testing_reviewers,
            trying,
        )
        from labelhub.workflow.predicting import JOB_KIND, run_predictions

        when_measured(golding.doubt_failed_gold)
        register_job(JOB_KIND, run_predictions)
        register_job(edge_cases.JOB_KIND, edge_cases.run_choosing)
        register_job(backfilling.JOB_KIND, backfilling.run_backfill)
        register_job(overdue.JOB_KIND, overdue.run_end_waits)
        register_job(testing_reviewers.JOB_KIND, testing_reviewers.run_place_gold)
        register_job(trying.JOB_KIND, trying.run_trial)
        register_job(satisfied.JOB_KIND, satisfied.run_decide_satisfied)
        register_job(rereading.JOB_KIND, rereading.run_sending)
        register_job(gating.JOB_KIND, pausing.run_send_on)
