"""Registers the package with Django."""

from django.apps import AppConfig


class ProjectsApp(AppConfig):
    """Projects, ontology, guideline, policy, members, labelers, and the one permission module."""

    name = "labelhub.projects"
    label = "projects"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.jobs.registry import when_failed
        from labelhub.projects.models import (
            Acknowledgement,
            GuidelineVersion,
            HangingVersion,
            KeptApart,
            Labeler,
            Membership,
            OntologyVersion,
            PolicyVersion,
            PriceVersion,
            Project,
            Qualification,
            StaleEdit,
            Team,
            TeamMember,
        )
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.projects.telling import tell_of_failed_job

        when_failed(tell_of_failed_job)
        register(Project, Secrecy.SHARED, "")
        register(OntologyVersion, Secrecy.SHARED, "project")
        register(GuidelineVersion, Secrecy.SHARED, "project")
        register(PolicyVersion, Secrecy.HIDDEN, "project")
        register(HangingVersion, Secrecy.SHARED, "project")
        register(PriceVersion, Secrecy.ADMIN, "project")
        register(Membership, Secrecy.ADMIN, "project", "user")
        register(Labeler, Secrecy.HIDDEN, "project", "user")
        register(Acknowledgement, Secrecy.OWN, "labeler__project", "labeler__user")
        register(StaleEdit, Secrecy.ADMIN, "project", "by")
        register(Team, Secrecy.ADMIN, "project")
        register(TeamMember, Secrecy.ADMIN, "team__project")
        register(Qualification, Secrecy.ADMIN, "labeler__project")
        register(KeptApart, Secrecy.ADMIN, "first__project")
