"""Reading releases. Admins only."""

from __future__ import annotations

from django.db.models import QuerySet

from labelhub.exports.models import Release, ReleaseFile
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound


def releases_of(project: Project) -> QuerySet[Release]:
    """Return the project's releases with their files, newest first."""
    rows = Release.objects.filter(project=project).select_related("made_by")
    return rows.prefetch_related("files").order_by("-number")


def release_file(project: Project, number: int, name: str) -> ReleaseFile:
    """Return one file of a release. Raises ``NotFound``."""
    rows = ReleaseFile.objects.filter(release__project=project, release__number=number, name=name)
    file = rows.select_related("blob", "release").first()
    if file is None:
        raise NotFound("There is no such file in this release, or it is still being made.")
    return file
