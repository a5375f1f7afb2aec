"""Releases: settled labels as files, numbered, immutable, reproducible from their manifest."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.catalog.models import Blob
from labelhub.projects.models import Project


class Release(models.Model):
    """A set of settlements as it was at a time. ``manifest`` names every settlement and every file with its SHA-256."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    formats = models.JSONField(default=list)
    manifest = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, blank=True)
    note = models.CharField(max_length=300, blank=True)
    job_id = models.BigIntegerField(null=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """Numbers count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="releases_are_numbered_within_a_project"),
        ]


class ReleaseFile(models.Model):
    """One file of a release, with what its format could not carry."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=200)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    size = models.PositiveBigIntegerField()
    losses = models.JSONField(default=list)

    class Meta:
        """A name is used once a release."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["release", "name"], name="a_file_name_is_used_once_a_release"),
        ]
