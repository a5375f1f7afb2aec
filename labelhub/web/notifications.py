"""What somebody was told: the list, how many are unread, opening one, and what they want to be told of.

Everything is the reader's own. Not here: the rows (``accounts.notifications``), hints over sockets (``live.notifications``).
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from labelhub.accounts import digests, notifications
from labelhub.accounts.models import MailDigest, Notification
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotFound
from labelhub.web.access import page, person

PAGE = 50
# Of a time in microseconds: up to the year 5138.
MOST_DIGITS = 17
ROUTES = {
    "work": "label-workspace",
    "review": "review-item",
    "job": "manage-job",
    "releases": "manage-releases",
}


@page("signed-in")
def inbox(request: HttpRequest) -> HttpResponse:
    """List what somebody was told, newest first, with filters in the address, and their choices under it."""
    user, kind, only_unread = person(request), request.GET.get("kind", ""), request.GET.get("show") == "unread"
    if kind and kind not in notifications.KINDS:
        raise DomainError(
            "This is no kind of notification. Choose one from the list.", code="filter-refused", status=400
        )
    rows = notifications.inbox_of(user, only_unread=only_unread, kind=kind)
    before = request.GET.get("before", "")
    if before:
        if not before.isascii() or not before.isdigit() or len(before) > MOST_DIGITS:
            raise DomainError("This place in the list is none of ours. Start again.", code="filter-refused", status=400)
        rows = rows.filter(created_at__lt=notifications.at_moment(int(before)))
    found = list(rows[: PAGE + 1])
    context = {
        "rows": found[:PAGE], "before": found[PAGE - 1].moment if len(found) > PAGE else "", "kind": kind,
        "only_unread": only_unread, "kinds": notifications.KINDS, "n_unread": notifications.n_unread(user),
        "choices": notifications.choices_of(user), "every": notifications.digest_of(user),
        "rhythms": MailDigest.Every.values, "keep_days": notifications.KEEP_READ.days, "has_mail": bool(user.email),
    }  # fmt: skip
    return render(request, "account/notifications.html", context)


@page("signed-in")
def count(request: HttpRequest) -> JsonResponse:
    """Return how many are unread: what the bell shows, asked for after a hint and now and then."""
    response = JsonResponse({"unread": notifications.n_unread(person(request)), "most": notifications.MOST_COUNTED})
    response["Cache-Control"] = "private, no-store"
    return response


@page("signed-in", methods=("POST",))
def open_one(request: HttpRequest, moment: int) -> HttpResponse:
    """Mark one as read and go to what it is about."""
    try:
        row = notifications.inbox_of(person(request)).filter(created_at=notifications.at_moment(moment)).first()
    except OverflowError:
        row = None
    if row is None:
        raise NotFound("There is no such notification, or it is not yours.")
    notifications.mark_read(person(request), row.pk)
    return redirect(address_of(row))


@page("signed-in", methods=("POST",))
def mark_read(request: HttpRequest) -> HttpResponse:
    """Mark all as read."""
    n = notifications.mark_read(person(request))
    messages.success(request, f"{n} marked as read." if n else "There was nothing unread.")
    return redirect("account-notifications")


@page("signed-in", methods=("POST",))
def choose(request: HttpRequest) -> HttpResponse:
    """Keep what somebody wants to be told of, where, and how often by mail."""
    post = request.POST
    every = post.get("every", MailDigest.Every.OFF)
    if every not in MailDigest.Every.values:
        raise DomainError(
            "Choose how often: off, hourly or daily. Nothing was changed.", code="every-unknown", status=400
        )
    notifications.choose(person(request), in_app=post.getlist("in_app"), by_mail=post.getlist("by_mail"), every=every)
    if every != MailDigest.Every.OFF:
        digests.schedule()
    messages.success(request, "Kept. It holds for what comes from now on.")
    return redirect(f"{reverse('account-notifications')}#choices")


def address_of(row: Notification) -> str:
    """Return the page that a notification leads to; the list where it leads nowhere any more."""
    kind, _, rest = row.about.partition(":")
    try:
        if kind == "queue":
            return f"{reverse('label-queue')}?project={rest}"
        if kind == "gate":
            slug, _, labeler = rest.partition("/")
            return f"{reverse('manage-labeler', args=[slug, labeler])}#gate"
        if kind in ROUTES:
            return reverse(ROUTES[kind], args=rest.split("/"))
    except NoReverseMatch:
        pass
    return reverse("account-notifications")
