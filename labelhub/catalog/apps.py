"""Registers the package with Django."""

from django.apps import AppConfig


class CatalogApp(AppConfig):
    """Items, media, blobs, ingest: what there is to label."""

    name = "labelhub.catalog"
    label = "catalog"
