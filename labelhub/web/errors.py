"""Maps the few domain errors to pages: what happened, what is safe, what to do. htmx gets a notice instead."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotAllowed, NotFound


class DomainErrorMiddleware:
    """Answers ``NotFound`` with 404, ``NotAllowed`` with 403, ``DomainError`` with its status."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let the view answer; what it raises comes to ``process_exception``."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a domain error into its page; other errors go on."""
        if isinstance(exception, NotFound):
            return not_found(request, exception)
        if isinstance(exception, NotAllowed):
            return forbidden(request, exception)
        if isinstance(exception, DomainError):
            return problem(request, exception)
        return None


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for what does not exist, or not for this person."""
    explanation = str(exception) if isinstance(exception, NotFound) else ""
    return _answer(request, "errors/404.html", explanation or "There is nothing at this address.", 404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page for what this person's role does not include."""
    explanation = str(exception) if isinstance(exception, NotAllowed) else ""
    return _answer(request, "errors/403.html", explanation or "Your role does not include this.", 403)


def problem(request: HttpRequest, exception: DomainError) -> HttpResponse:
    """Return the page for what cannot be done now, in the error's own words."""
    return _answer(request, "errors/409.html", str(exception), exception.status)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page for a form that was not proven to come from here."""
    sentence = (
        "This form was open too long, or cookies are blocked. Nothing was changed. Reload the page and try again."
    )
    return _answer(request, "errors/403.html", sentence, 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for our own mistakes; it needs no database and no session."""
    return render(request, "errors/500.html", {"is_bare": True}, status=500)


def _answer(request: HttpRequest, template: str, explanation: str, status: int) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        notice = render(request, "components/notice.html", {"level": "error", "text": explanation}, status=status)
        notice["HX-Retarget"], notice["HX-Reswap"] = "#notices", "beforeend"
        return notice
    context = {"explanation": explanation, "status": status, "back": _page_before(request)}
    return render(request, template, context, status=status)


def _page_before(request: HttpRequest) -> str:
    """The page of ours that a form was sent from; empty where the browser does not say, or it is this one."""
    before = urlsplit(request.headers.get("Referer", ""))
    if (
        request.method != "POST"
        or before.netloc != request.get_host()
        or before.path == request.path
        or before.path[:2] == "//"
    ):
        return ""
    return f"{before.path}?{before.query}" if before.query else before.path
