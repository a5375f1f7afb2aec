"""Registers the package with Django."""

from django.apps import AppConfig


class AssignmentsApp(AppConfig):
    """Who may label what, until when, and why they were given it."""

    name = "labelhub.assignments"
    label = "assignments"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.assignments.models import Assignment, Batch, BatchItem, Companion, Onlooker, Recall
        from labelhub.projects.permissions import Secrecy, register

        register(Assignment, Secrecy.OWN, "item__project", "labeler__user", "companions")
        register(Companion, Secrecy.OWN, "assignment__item__project", "labeler__user")
        register(Onlooker, Secrecy.OWN, "assignment__item__project", "assignment__labeler__user")
        register(Recall, Secrecy.OWN, "former__item__project", "former__labeler__user")
        register(Batch, Secrecy.ADMIN, "project")
        register(BatchItem, Secrecy.ADMIN, "batch__project")
