"""Ends sessions whose owner was disabled, changed role or password, or signed out everywhere, at their next request."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

EPOCH_KEY = "labelhub_epoch"


class SessionEpochMiddleware:
    """Compares the session's epoch with the person's; an older session is signed out before the view runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, as nobody if the session has ended."""
        if request.user.is_authenticated:
            current = request.user.session_epoch
            held = request.session.get(EPOCH_KEY)
            if held is None:
                request.session[EPOCH_KEY] = current
            elif held != current:
                logout(request)
        return self.get_response(request)
