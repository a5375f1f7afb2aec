"""Registers the package with Django."""

from django.apps import AppConfig


class AnnotationsApp(AppConfig):
    """What people drew: operations, their fold, frozen submissions."""

    name = "labelhub.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Declare who may see the rows, and who bakes long logs."""
        from labelhub.annotations.baking import JOB_KIND, run_bake
        from labelhub.annotations.models import (
            Annotation,
            Answer,
            Document,
            DocumentMask,
            Operation,
            Snapshot,
            Submission,
            SubmitReply,
        )
        from labelhub.jobs.registry import register as register_job
        from labelhub.projects.permissions import Secrecy, register

        register_job(JOB_KIND, run_bake)

        register(
            Document, Secrecy.OWN, "assignment__item__project", "assignment__labeler__user", "assignment__companions"
        )
        for model in (DocumentMask, Operation, Snapshot):
            register(model, Secrecy.OWN, "document__assignment__item__project", "document__assignment__labeler__user")
        register(Submission, Secrecy.OWN, "assignment__item__project", "assignment__labeler__user")
        register(
            SubmitReply, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user"
        )
        register(
            Annotation, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user"
        )
        register(Answer, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user")
