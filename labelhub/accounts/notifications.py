"""Notifications: what somebody is told, in the app and by mail. Rows of their own; sockets only hint that there are new ones.

The text holds plain facts that its receiver may know, and ``about`` names the thing that it leads to: ``work:UUID``,
``review:SLUG/CODE`` and the like, which the pages turn into an address. What an annotator is told is a declared disclosure
(``workflow.disclosures``) that they find on their queue as well. Not here: whom an event concerns (the package that writes it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labelhub.accounts.hinting import send_on_commit
from labelhub.accounts.models import EPOCH, MailDigest, Notification, NotificationChoice, User

# Kind -> what it is, in words. All are shown in the app unless somebody says otherwise, and none is mailed unless they ask.
KINDS: Mapping[str, str] = {
    "mention": "Somebody names you in a comment",
    "comment": "Somebody writes in a thread of yours",
    "returned": "Work of yours came back",
    "answered": "A question of yours was answered",
    "dispute-decided": "A dispute of yours was decided",
    "dispute-opened": "An author disputes a return",
    "return-overturned": "A return of yours was overturned",
    "pause-proposed": "A labeler is proposed for a pause",
    "job-failed": "A job failed",
    "release-done": "A release is finished",
}
# Read ones are kept this long, others so long.
KEEP_READ, KEEP_UNREAD = timedelta(days=90), timedelta(days=365)
MOST_COUNTED = 99


@dataclass(frozen=True, slots=True)
class Choice:
    """Where somebody wants to be told of one kind."""

    kind: str
    words: str
    in_app: bool
    by_mail: bool


def notify(
    *, users: Iterable[User], kind: str, text: str, about: str = "", project_id: int | None = None, key: str
) -> int:
    """Tell each of ``users`` once, as they chose; return how many rows were written. Runs in the caller's transaction.

    ``key`` names the fact: the same fact twice is one notification. A hint goes out once the transaction is committed.
    """
    if kind not in KINDS:
        message = f"{kind!r} is no kind of notification: {', '.join(KINDS)}"
        raise ValueError(message)
    wanted = {user.pk: user for user in users if user.is_active}
    if not wanted:
        return 0
    chosen = {row.user_id: row for row in NotificationChoice.objects.filter(user__in=wanted, kind=kind)}
    known = set(Notification.objects.filter(user__in=wanted, key=key[:120]).values_list("user_id", flat=True))
    rows = [
        Notification(
            user=user, kind=kind, text=text[:300], about=about[:200], project_id=project_id, key=key[:120],
            in_app=pk not in chosen or chosen[pk].in_app, by_mail=pk in chosen and chosen[pk].by_mail,
        )
        for pk, user in wanted.items()
        if pk not in known and (pk not in chosen or chosen[pk].in_app or chosen[pk].by_mail)
    ]  # fmt: skip
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        if row.in_app:
            _hint_on_commit(row.user_id)
    return len(rows)


def group_of(user_id: int) -> str:
    """Return the name of the channel group that hears hints for somebody."""
    return f"notifications.{user_id}"


def inbox_of(user: User, *, only_unread: bool = False, kind: str = "") -> QuerySet[Notification]:
    """Return what somebody was told in the app, newest first."""
    rows = Notification.objects.filter(user=user, in_app=True).order_by("-created_at", "-pk")
    if only_unread:
        rows = rows.filter(read_at=None)
    return rows.filter(kind=kind) if kind else rows


def at_moment(moment: int) -> datetime:
    """Return the time of :attr:`Notification.moment`. Raises :class:`OverflowError` where no calendar has it."""
    return EPOCH + timedelta(microseconds=moment)


def n_unread(user: User) -> int:
    """Return how many they have not read, counted to one above ``MOST_COUNTED``."""
    return inbox_of(user, only_unread=True).order_by()[: MOST_COUNTED + 1].count()


def mark_read(user: User, pk: int | None = None) -> int:
    """Mark one notification of ``user`` as read, or all; return how many changed."""
    rows = Notification.objects.filter(user=user, read_at=None)
    if pk is not None:
        rows = rows.filter(pk=pk)
    changed = rows.update(read_at=timezone.now())
    if changed:
        _hint_on_commit(user.pk)
    return changed


def choices_of(user: User) -> tuple[Choice, ...]:
    """Return what somebody chose for each kind."""
    chosen = {row.kind: row for row in NotificationChoice.objects.filter(user=user)}
    return tuple(
        Choice(kind, words, kind not in chosen or chosen[kind].in_app, kind in chosen and chosen[kind].by_mail)
        for kind, words in KINDS.items()
    )


def choose(user: User, *, in_app: Iterable[str], by_mail: Iterable[str], every: str) -> None:
    """Keep what somebody wants to be told of, where, and how often by mail (``off``, ``hourly``, ``daily``)."""
    if every not in MailDigest.Every.values:
        message = f"{every!r} is no rhythm of mails: {', '.join(MailDigest.Every.values)}"
        raise ValueError(message)
    shown, mailed = set(in_app), set(by_mail)
    with transaction.atomic():
        for kind in KINDS:
            NotificationChoice.objects.update_or_create(
                user=user, kind=kind, defaults={"in_app": kind in shown, "by_mail": kind in mailed}
            )
        MailDigest.objects.update_or_create(user=user, defaults={"every": every})


def digest_of(user: User) -> str:
    """Return how often somebody gets mail."""
    row = MailDigest.objects.filter(user=user).first()
    return MailDigest.Every.OFF.value if row is None else row.every


def tidy(now: datetime | None = None) -> int:
    """Delete what was kept long enough; return how many rows went."""
    at = now or timezone.now()
    old = Q(read_at__lt=at - KEEP_READ) | Q(created_at__lt=at - KEEP_UNREAD)
    gone, _ = Notification.objects.filter(old).delete()
    return gone


def _hint_on_commit(user_id: int) -> None:
    """Say that there is something new, and nothing of what. A hint may be lost: pages ask by themselves now and then."""
    send_on_commit(group_of(user_id), {"type": "notifications.changed"})
