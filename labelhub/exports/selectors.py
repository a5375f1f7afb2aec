"""Reading releases. Admins only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import readings_of_settlements
from labelhub.exports.models import Release, ReleaseFile
from labelhub.formats.shapes import Reading
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound

_AT_A_TIME = 8


def releases_of(project: Project) -> QuerySet[Release]:
    """Return the project's releases with their files, newest first."""
    rows = Release.objects.filter(project=project).select_related("made_by")
    return rows.prefetch_related("files").order_by("-number")


def release_numbered(project: Project, number: int) -> Release:
    """Return one release of the project. Raises ``NotFound``."""
    release = Release.objects.filter(project=project, number=number).select_related("project").first()
    if release is None:
        raise NotFound("There is no such release in this project.")
    return release


def labels_in(release: Release) -> Iterator[tuple[Item, Reading]]:
    """Yield the settled labels that a release holds as plain readings with their items, few in memory at once.

    What is ambiguous is the class ``ignore``, as in the release's files.
    """
    keys = [entry["settlement"] for entry in release.manifest.get("settlements", ())]
    for start in range(0, len(keys), _AT_A_TIME):
        some = keys[start : start + _AT_A_TIME]
        rows = Settlement.objects.select_related("item__project").in_bulk(some)
        settlements = [rows[key] for key in some]
        for settlement, reading in zip(settlements, readings_of_settlements(settlements), strict=True):
            yield settlement.item, reading


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
