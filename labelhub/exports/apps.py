"""Registers the package with Django."""

from django.apps import AppConfig


class ExportsApp(AppConfig):
    """Versioned releases of settled labels."""

    name = "labelhub.exports"
    label = "exports"

    def ready(self) -> None:
        """Declare who may see the rows, and who makes releases."""
        from labelhub.exports.models import Release, ReleaseFile
        from labelhub.exports.services import JOB_KIND, run_release
        from labelhub.jobs.registry import register as register_job
        from labelhub.projects.permissions import Secrecy, register

        register(Release, Secrecy.ADMIN, "project")
        register(ReleaseFile, Secrecy.ADMIN, "release__project")
        register_job(JOB_KIND, run_release)
