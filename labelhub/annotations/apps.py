"""Registers the package with Django."""

from django.apps import AppConfig


class AnnotationsApp(AppConfig):
    """What people drew: operations, their fold, frozen submissions."""

    name = "labelhub.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.annotations.models import (
            Annotation,
            Answer,
            Document,
            DocumentMask,
            Operation,
            Submission,
            SubmitReply,
        )
        from labelhub.projects.permissions import Secrecy, register

        register(Document, Secrecy.OWN, "assignment__item__project", "assignment__labeler__user")
        register(
            DocumentMask, Secrecy.OWN, "document__assignment__item__project", "document__assignment__labeler__user"
        )
        register(Operation, Secrecy.OWN, "document__assignment__item__project", "document__assignment__labeler__user")
        register(Submission, Secrecy.OWN, "assignment__item__project", "assignment__labeler__user")
        register(
            SubmitReply, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user"
        )
        register(
            Annotation, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user"
        )
        register(Answer, Secrecy.OWN, "submission__assignment__item__project", "submission__assignment__labeler__user")
