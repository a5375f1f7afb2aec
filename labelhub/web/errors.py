"""Maps the few domain errors to pages: what happened, what is safe, what to do."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.projects.permissions import NotAllowed, NotFound


class DomainErrorMiddleware:
    """Answers ``NotFound`` with 404 and ``NotAllowed`` with 403, whichever view raised it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a domain error into its page; other errors go on."""
        if isinstance(exception, NotFound):
            return not_found(request, exception)
        if isinstance(exception, NotAllowed):
            return forbidden(request, exception)
        return None


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for what does not exist, or not for this person."""
    return render(request, "errors/404.html", {"explanation": str(exception) if isinstance(exception, NotFound) else ""}, status=404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for what this person's role does not include."""
    explanation = str(exception) if isinstance(exception, NotAllowed) else ""
    return render(request, "errors/403.html", {"explanation": explanation}, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for our own mistakes."""
    return render(request, "errors/500.html", status=500)
