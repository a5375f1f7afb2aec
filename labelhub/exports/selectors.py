"""Reading releases. Admins only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from labelhub.catalog.models import Item
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


def releases_holding(item: Item) -> Iterator[tuple[Release, int]]:
    """Yield the releases that hold the item, oldest first, each with the number of the label that it holds."""
    for release in Release.objects.filter(project=item.project_id).order_by("number").iterator(chunk_size=1):
        for entry in release.manifest.get("settlements", ()):
            if entry["item"] == item.code:
                yield release, entry["number"]
                break
