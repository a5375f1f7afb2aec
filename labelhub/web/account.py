"""Sign-in by one-time link or password, sign-out, and each person's page: name, theme, password, keys for machines."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from labelhub.accounts import failures, passwords, selectors, services
from labelhub.accounts.middleware import EPOCH_KEY
from labelhub.accounts.models import User
from labelhub.projects.permissions import NotFound
from labelhub.web.access import actor, page, person

BACKEND = "django.contrib.auth.backends.ModelBackend"
THEMES = (("system", "As the device"), ("light", "Light"), ("dark", "Dark"))
NAMELESS = "Name the key after what will use it. None was made."
TOO_MANY = "Too many tries. Wait a quarter of an hour, or ask an admin for a one-time link."


@page("anyone", methods=("GET", "POST"))
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; the page also says how to come in by a one-time link."""
    after = _safe_next(request)
    if request.method == "GET":
        return redirect(after) if request.user.is_authenticated else _sign_in_page(request, after)
    name, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if failures.is_blocked(name=name, address=_address(request)):
        return _sign_in_page(request, after, TOO_MANY, status=429)
    try:
        user = passwords.sign_in_with_password(username=name, password=password)
    except passwords.PasswordRefused as error:
        failures.note_failure(name=name, address=_address(request))
        return _sign_in_page(request, after, str(error), status=400)
    failures.forget(name=name, address=_address(request))
    _begin_session(request, user)
    return redirect(after)


@page("anyone", methods=("GET", "POST"))
@never_cache
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button; only pressing it spends the link, so that mail scanners and link previews do not."""
    if request.method == "GET":
        return render(request, "account/link.html")
    try:
        user = services.use_sign_in_link(token)
    except services.LinkRefused as error:
        return render(request, "account/link.html", {"refusal": str(error)}, status=410)
    _begin_session(request, user)
    return redirect(_safe_next(request))


@page("anyone", methods=("POST",))
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session; the browser forgets what it kept of this site, and the pictures in its cache."""
    if isinstance(request.user, User):
        passwords.record_sign_out(user=request.user)
    logout(request)
    response = redirect("sign-in")
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@page("signed-in")
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """Show the person's own page."""
    return _account_page(request)


@page("signed-in", methods=("POST",))
def change_name(request: HttpRequest) -> HttpResponse:
    """Change the name that colleagues see."""
    name = request.POST.get("display_name", "").strip()
    if name:
        passwords.change_profile(user=person(request), display_name=name)
        messages.success(request, "Your name was changed.")
    else:
        messages.warning(request, "A name needs at least one letter. Nothing was changed.")
    return redirect("account")


@page("signed-in", methods=("POST",))
def change_theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme; answers nothing to the button of the top bar."""
    try:
        passwords.change_profile(user=person(request), theme=request.POST.get("theme", ""))
    except ValueError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    return HttpResponse(status=204)


@page("signed-in", methods=("POST",))
@sensitive_post_parameters("current", "password")
def set_password(request: HttpRequest) -> HttpResponse:
    """Set or change the password; other sessions end, this one goes on."""
    user = person(request)
    if failures.is_blocked(name=user.username, address=_address(request)):
        return _account_page(request, password_refusal=TOO_MANY, status=429)
    try:
        passwords.set_password(
            user=user, password=request.POST.get("password", ""), current=request.POST.get("current", "")
        )
    except passwords.PasswordRefused as error:
        failures.note_failure(name=user.username, address=_address(request))
        return _account_page(request, password_refusal=str(error), status=400)
    _begin_session(request, user)
    messages.success(request, "Your password was set. Your other sessions were ended.")
    return redirect("account")


@page("signed-in", methods=("POST",))
@never_cache
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a key for machines and show it, this once."""
    name = request.POST.get("name", "").strip()
    if not name:
        return _account_page(request, token_refusal=NAMELESS, status=400)
    return _account_page(request, new_token=services.make_api_token(user=person(request), name=name))


@page("signed-in", methods=("POST",))
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Make one of the person's own keys useless."""
    token = selectors.tokens_of(person(request)).filter(pk=pk).first()
    if token is None:
        raise NotFound("There is no such key of yours, or it was revoked already.")
    services.revoke_api_token(token=token, actor=actor(request))
    messages.success(request, f"The key “{token.name}” works no more.")
    return redirect("account")


@page("signed-in", methods=("POST",))
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all sessions of the person, this one too."""
    services.end_sessions(user=person(request), actor=actor(request), reason="signed out everywhere")
    logout(request)
    messages.success(request, "You are signed out everywhere.")
    return redirect("sign-in")


def _account_page(request: HttpRequest, status: int = 200, **extra: object) -> HttpResponse:
    tokens = selectors.tokens_of(person(request))
    return render(request, "account/account.html", {"tokens": tokens, "themes": THEMES, **extra}, status=status)


def _sign_in_page(request: HttpRequest, after: str, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {"next": after, "refusal": refusal, "username": request.POST.get("username", "")}
    return render(request, "account/sign_in.html", context, status=status)


def _begin_session(request: HttpRequest, user: User) -> None:
    """Start a session with a new key (no fixation), under the person's present epoch."""
    login(request, user, backend=BACKEND)
    request.session[EPOCH_KEY] = user.session_epoch


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _safe_next(request: HttpRequest) -> str:
    """Where to go after sign-in: an address of this site, else home."""
    after = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(
        after, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return after if is_ours else "/"
