"""One decorator a view says who may open it; a test walks the addresses and refuses a view that says nothing.

Not here: the rules themselves (``projects.permissions``). A project that somebody is no member of does not exist for
them (404); a member whose role is too low is told so (403); who is not signed in is asked to sign in and comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import reverse

from labelhub.accounts.models import User
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Role
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import rules_held
from labelhub.web.context import homes_of

View = Callable[..., HttpResponseBase]
Audience = Literal["anyone", "signed-in", "annotator", "reviewer", "admin"]

ROLE_ORDER: tuple[str, ...] = (Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN)
TOO_LOW = "This page is for {role}s of the project, and you are {own}. Nothing was changed. Ask an admin for it."


@dataclass(frozen=True, slots=True)
class Access:
    """What a view declared: who may open it, and whether its address names a project."""

    audience: Audience
    in_project: bool
    methods: tuple[str, ...]


def page(audience: Audience, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Declare a page whose address names no project. A role means: held in at least one project."""

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if (refusal := _refusal(request, audience, methods)) is not None:
                return refusal
            if audience in ROLE_ORDER:
                _require_role(audience, _highest_role(request))
            with _rules_as_read(request):
                return view(request, *args, **kwargs)

        guarded.access = Access(audience, in_project=False, methods=methods)  # type: ignore[attr-defined]
        return guarded

    return declare


def _highest_role(request: HttpRequest) -> str | None:
    """The person's highest role in any project or on the site; their projects are kept for the page's frame."""
    user = person(request)
    homes = request.homes = homes_of(user)  # type: ignore[attr-defined]
    held = {user.site_role, *(home.role for home in homes)}
    return next((role for role in reversed(ROLE_ORDER) if role in held), None)


def project_page(role: str, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Declare a page of the project that ``slug`` names; the view gets the project instead, and ``request.role``."""

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if (refusal := _refusal(request, "signed-in", methods)) is not None:
                return refusal
            homes = homes_of(person(request))
            home = next((home for home in homes if home.project.slug == slug), None)
            if home is None:
                raise NotFound("There is no such project, or you are not a member of it.")
            _require_role(role, home.role)
            request.project, request.role, request.homes = home.project, home.role, homes  # type: ignore[attr-defined]
            with _rules_as_read(request):
                return view(request, home.project, *args, **kwargs)

        guarded.access = Access(role, in_project=True, methods=methods)  # type: ignore[attr-defined, arg-type]
        return guarded

    return declare


def _rules_as_read(request: HttpRequest) -> AbstractContextManager[None]:
    """What only looks reads a project's rules once, so that all of a page goes by the same ones; a step sees to its own."""
    return rules_held() if request.method in ("GET", "HEAD") else nullcontext()


def person(request: HttpRequest) -> User:
    """Return who is signed in; only for views behind a decorator of this module."""
    assert isinstance(request.user, User)
    return request.user


def actor(request: HttpRequest) -> str:
    """Return how the audit chain names who is signed in."""
    return f"user:{person(request).pk}"


def _refusal(request: HttpRequest, audience: str, methods: tuple[str, ...]) -> HttpResponseBase | None:
    allowed = {*methods, "HEAD"} if "GET" in methods else set(methods)
    if request.method not in allowed:
        return HttpResponseNotAllowed(sorted(allowed))
    if audience != "anyone" and not request.user.is_authenticated:
        return _to_sign_in(request)
    if _holds_nul(request):
        raise DomainError(
            "This address or form holds a character that no text has. Nothing was changed.", code="nul", status=400
        )
    return None


def _holds_nul(request: HttpRequest) -> bool:
    """Whether a NUL character came along, which no database takes in a text; bodies that are no form are not read here."""
    given = [request.GET]
    if request.content_type == "application/x-www-form-urlencoded":
        given.append(request.POST)
    texts = (text for form in given for _, values in form.lists() for text in values)
    return "\0" in request.path or any("\0" in text for text in texts)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to sign-in; a fragment asked for by htmx makes the whole page go there and come back to where it was."""
    if request.headers.get("HX-Request") == "true":
        answer = HttpResponse(status=401)
        answer["HX-Redirect"] = reverse("sign-in")
        return answer
    after = request.get_full_path() if request.method == "GET" else "/"
    return HttpResponseRedirect(f"{settings.LOGIN_URL}?next={quote(after)}")


def _require_role(wanted: str, own: str | None) -> None:
    if own is None or ROLE_ORDER.index(own) < ROLE_ORDER.index(wanted):
        raise NotAllowed(TOO_LOW.format(role=wanted, own=f"{_article(own)} {own}" if own else "no member"))


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
