"""Maps domain errors to JSON answers with a code, so that machines need not read sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotAllowed, NotFound


def answer(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to ``exception``, or None where it is a mistake of ours (500)."""
    if isinstance(exception, NotFound):
        return Response({"code": "not-found", "detail": str(exception)}, status=404)
    if isinstance(exception, NotAllowed):
        return Response({"code": "not-allowed", "detail": str(exception)}, status=403)
    if isinstance(exception, DomainError):
        return Response({"code": exception.code, "detail": str(exception)}, status=exception.status)
    return exception_handler(exception, dict(context))
