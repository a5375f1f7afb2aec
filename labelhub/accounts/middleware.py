"""Whose request it is: sessions that ended are signed out at their next request, and a page left open acts for nobody else.

A page says in ``X-LabelHub-Person`` whom it was made for. Where somebody else signed in on the same browser since, what the
page sends is refused before anything is done: it would be done in the wrong name.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse

EPOCH_KEY = "labelhub_epoch"
SOMEBODY_ELSE = "Somebody else is signed in here now. Your work is kept. Sign in again as yourself, then come back."


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


class SamePersonMiddleware:
    """Refuses what a page sends that was made for somebody else than who is signed in now."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request; 403 with the code ``signed-out`` where the page is another person's."""
        person = request.headers.get("X-LabelHub-Person")
        if person is not None and request.user.is_authenticated and person != str(request.user.public_id):
            return JsonResponse({"code": "signed-out", "detail": SOMEBODY_ELSE}, status=403)
        return self.get_response(request)
