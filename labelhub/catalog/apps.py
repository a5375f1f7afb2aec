"""Registers the package with Django."""

from django.apps import AppConfig


class CatalogApp(AppConfig):
    """Items, media, blobs, ingest: what there is to label."""

    name = "labelhub.catalog"
    label = "catalog"

    def ready(self) -> None:
        """Declare who may see the rows, and which jobs are done here."""
        from labelhub.catalog.ingest import JOB_KIND, run_ingest
        from labelhub.catalog.models import (
            Example,
            IngestEntry,
            IngestRun,
            Item,
            Medium,
            Original,
            PublishedExample,
            Study,
            Subject,
        )
        from labelhub.jobs import registry
        from labelhub.projects.permissions import Secrecy, register

        register(Subject, Secrecy.HIDDEN, "project")
        register(Study, Secrecy.HIDDEN, "project")
        register(Item, Secrecy.HIDDEN, "project")
        register(Medium, Secrecy.HIDDEN, "item__project")
        register(Example, Secrecy.SHARED, "project")
        register(PublishedExample, Secrecy.SHARED, "guideline__project")
        register(IngestRun, Secrecy.ADMIN, "project")
        register(IngestEntry, Secrecy.ADMIN, "run__project")
        register(Original, Secrecy.ADMIN, "project")
        registry.register(JOB_KIND, run_ingest)
