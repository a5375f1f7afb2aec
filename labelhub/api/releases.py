"""Releases for machines: the list, starting one, with every read where that is asked for. Admins only.

Files are downloaded from the page's address. Not here: what a release holds (``exports``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.exports.models import Release
from labelhub.exports.selectors import releases_of
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import project_for
from labelhub.workflow import lifecycle


class ReleasesView(APIView):
    """The project's releases."""

    def get(self, request: Request, slug: str) -> Response:
        """Return the releases, newest first, each with its files and whether it is finished."""
        project = project_for(_person(request), slug)
        require(_person(request), Action.MANAGE, project)
        return Response([_shown(release) for release in releases_of(project)])

    def post(self, request: Request, slug: str) -> Response:
        """Start a release: ``formats`` is a list, ``note`` a text, ``reads`` true for every read as well."""
        project = project_for(_person(request), slug)
        require(_person(request), Action.MANAGE, project)
        body = request.data
        if not isinstance(body, Mapping):
            raise ParseError("The body is a JSON object. No release was started.")
        formats, note = body.get("formats", []), body.get("note", "")
        if (
            not isinstance(formats, list)
            or not all(isinstance(name, str) for name in formats)
            or not isinstance(note, str)
        ):
            raise ParseError("“formats” is a list of names and “note” a text. No release was started.")
        made = lifecycle.release(
            project=project, formats=formats, note=note[:300], by=_person(request), with_reads=body.get("reads") is True
        )
        return Response(_shown(made), status=201)


def _shown(release: Release) -> dict[str, Any]:
    return {
        "number": release.number,
        "note": release.note,
        "formats": release.formats,
        "with_reads": "reads" in release.manifest,
        "made_at": release.made_at,
        "finished_at": release.finished_at,
        "sha256": release.sha256,
        "files": [{"name": file.name, "size": file.size, "sha256": file.blob_id} for file in release.files.all()],
    }


def _person(request: Request) -> User:
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
