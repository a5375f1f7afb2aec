"""Comment threads on items: opening, answering, mending, resolving, and who reads what.

Reviewers and admins read every thread of their projects, but for judgements that a panel member or a blind second reviewer may
not see yet. The author of a reading reads a thread about it only where a reviewer wrote it for them and the policy lets
authors read comments (:func:`own_threads`): the words and nobody's name. Every write is a new row with one event.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Action, NotFound, require, visible_to
from labelhub.projects.selectors import current_policy
from labelhub.reviews.models import Comment, Thread, ThreadTurn
from labelhub.reviews.selectors import screen_of
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.writing import (
    NAMED,
    earlier_comment,
    is_for,
    mend,
    record,
    say,
    turn_over,
    words_of,
)


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a thread belongs within its item; nothing given is the item as a whole."""

    submission: Submission | None = None
    shape_id: str = ""
    medium: int | None = None
    x: float | None = None
    y: float | None = None
    z: int | None = None
    radius: float | None = None


@dataclass(frozen=True, slots=True)
class OwnRemark:
    """One thing said to the author of a reading: "you", or a reviewer without a name."""

    is_mine: bool
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnThread:
    """A thread that a reviewer opened for the author of a reading: what was said, where, and whether it is resolved."""

    pk: int
    remarks: tuple[OwnRemark, ...]
    place: dict[str, Any] | None
    is_resolved: bool


def open_thread(
    *, item: Item, by: User, text: str, request_id: uuid.UUID, pin: Pin | None = None, is_for_author: bool = False
) -> Thread:
    """Open a thread with its first comment. A retried ``request_id`` is the first one. Writes ``thread.opened``.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here, and ``ReviewRefused`` (``comment-missing``,
    ``comment-too-long``, ``pin-unknown``, ``not-for-authors``).
    """
    require(by, Action.REVIEW, item)
    words, where = words_of(text), pin or Pin()
    _check_pin(item, where, is_for_author=is_for_author)
    with transaction.atomic():
        earlier = earlier_comment(request_id, by)
        if earlier is not None:
            return earlier.thread
        thread = Thread.objects.create(
            item=item, submission=where.submission, shape_id=where.shape_id, medium=where.medium, x=where.x, y=where.y,
            z=where.z, radius=where.radius, is_for_author=is_for_author, opened_by=by,
        )  # fmt: skip
        comment = say(thread, by, words, request_id)
        record(thread, by, "thread.opened", comment=comment.pk)
    return thread


def reply(*, thread: Thread, by: User, text: str, request_id: uuid.UUID) -> Comment:
    """Say something further in a thread. A retry is the first one. Writes ``comment.written``.

    Raises ``NotFound`` for those who may not read the thread, and as :func:`open_thread`.
    """
    require_reader(by, thread)
    words = words_of(text)
    with transaction.atomic():
        earlier = earlier_comment(request_id, by)
        if earlier is not None:
            return earlier
        comment = say(thread, by, words, request_id)
        record(thread, by, "comment.written", comment=comment.pk)
    return comment


def edit(*, comment: Comment, by: User, text: str, request_id: uuid.UUID) -> Comment:
    """Replace one's own comment by a further row. Writes ``comment.edited``.

    Raises ``NotFound`` for anybody but its author, and ``ReviewRefused`` (``stale-comment``) where it was replaced before: what
    was sent is kept then.
    """
    require_reader(by, comment.thread)
    return mend(comment, by, text, request_id)


def turn(*, thread: Thread, by: User, is_resolved: bool, seen: int) -> ThreadTurn | None:
    """Resolve a thread or open it again; None where it stands so already. Writes ``thread.resolved`` or ``thread.reopened``.

    ``seen`` is the newest comment that ``by`` had before them. Raises ``NotFound``/``NotAllowed`` for those who do not review
    here, and ``ReviewRefused`` (``stale-thread``) where somebody wrote since.
    """
    require(by, Action.REVIEW, thread)
    require_reader(by, thread)
    return turn_over(thread, by, is_resolved=is_resolved, seen=seen)


def require_reader(user: User, thread: Thread) -> None:
    """Raise ``NotFound`` where ``user`` may not read the thread."""
    if not readable(user, Thread.objects.filter(pk=thread.pk)).exists() and not is_for(user, thread):
        raise NotFound("There is no such thread.")


def readable(user: User, rows: QuerySet[Thread]) -> QuerySet[Thread]:
    """Return those of the threads that ``user`` may read as a reviewer or admin of their projects."""
    return visible_to(user, rows)


def threads_about(user: User, item: Item) -> Sequence[Thread]:
    """Return the item's threads that ``user`` may read now, oldest first, each with ``said`` (newest versions) and its state.

    While a panel votes, or a blind second judgement is asked of ``user``, what others wrote since is left out.
    """
    rows = with_state(readable(user, Thread.objects.filter(item=item)))
    screen = screen_of(user, item)
    every = rows.select_related("submission__assignment__labeler", "assignment__labeler", "opened_by").order_by("pk")
    found = [thread for thread in every if screen.shows(thread.opened_by_id, thread.at)]
    said = comments_of(found)
    for thread in found:
        thread.said = [entry for entry in said.get(thread.pk, []) if screen.shows(entry.by_id, entry.at)]
    return found


def comments_of(threads: Iterable[Thread]) -> dict[int, list[Comment]]:
    """Return the newest version of each comment, by thread, in the order in which they were first said."""
    keys = [thread.pk for thread in threads]
    rows = (
        Comment.objects.filter(thread__in=keys).select_related("by").prefetch_related("mentions__user").order_by("pk")
    )
    first: dict[int, int] = {}
    newest: dict[int, Comment] = {}
    for row in rows:
        start = first[row.pk] = first.get(row.replaces_id, row.pk) if row.replaces_id is not None else row.pk
        newest[start] = row
    found: dict[int, list[Comment]] = {}
    for start in sorted(newest):
        found.setdefault(newest[start].thread_id, []).append(newest[start])
    return found


def own_threads(labeler: Labeler, item: Item) -> tuple[OwnThread, ...]:
    """Return what reviewers wrote for this labeler about their readings of the item. A declared disclosure."""
    if not current_policy(item.project)[1].authors_read_comments:
        return ()
    rows = Thread.objects.filter(item=item, is_for_author=True, submission__assignment__labeler=labeler)
    found = list(with_state(rows).order_by("pk"))
    said = comments_of(found)
    return tuple(
        OwnThread(
            thread.pk,
            tuple(
                OwnRemark(entry.by_id == labeler.user_id, nameless(entry), entry.at)
                for entry in said.get(thread.pk, ())
            ),
            None
            if thread.medium is None
            else {"medium": thread.medium, "x": thread.x, "y": thread.y, "z": thread.z, "radius": thread.radius},
            bool(getattr(thread, "is_resolved", False)),
        )
        for thread in found
    )


def own_thread(user: User, pk: int) -> Thread:
    """Return a thread that was written for ``user``. Raises ``NotFound``."""
    rows = Thread.objects.filter(pk=pk, submission__assignment__labeler__user=user)
    row = rows.select_related("item__project", "submission__assignment__labeler__project").first()
    if row is None or not is_for(user, row):
        raise NotFound("There is no such thread.")
    return row


def thread_for(user: User, project: Project, pk: int) -> Thread:
    """Return a thread of the project for a reviewer or admin. Raises ``NotFound``."""
    row = readable(user, Thread.objects.filter(item__project=project, pk=pk)).select_related("item__project").first()
    if row is None:
        raise NotFound("There is no such thread.")
    return row


def comment_for(user: User, project: Project, pk: int) -> Comment:
    """Return a comment of the project for a reviewer or admin. Raises ``NotFound``."""
    rows = visible_to(user, Comment.objects.filter(thread__item__project=project, pk=pk))
    row = rows.select_related("thread__item__project").first()
    if row is None:
        raise NotFound("There is no such comment.")
    return row


def with_state(rows: QuerySet[Thread]) -> QuerySet[Any]:
    """Add ``is_resolved``, and ``last_by``, ``last_pk`` and ``last_at`` of the newest comment."""
    turns = ThreadTurn.objects.filter(thread=OuterRef("pk")).order_by("-pk")
    last = Comment.objects.filter(thread=OuterRef("pk")).order_by("-pk")
    return rows.annotate(
        is_resolved=Coalesce(Subquery(turns.values("is_resolved")[:1]), Value(value=False)),
        last_by=Subquery(last.values("by")[:1]), last_pk=Subquery(last.values("pk")[:1]),
        last_at=Subquery(last.values("at")[:1]),
    )  # fmt: skip


def _check_pin(item: Item, pin: Pin, *, is_for_author: bool) -> None:
    submission = pin.submission
    is_known = submission is None or submission.assignment.item_id == item.pk
    if is_known and pin.shape_id:
        is_known = submission is not None and submission.annotations.filter(shape_id=pin.shape_id).exists()
    place = (pin.medium, pin.x, pin.y, pin.z)
    if any(part is not None for part in place):
        is_known = is_known and all(part is not None for part in place)
        is_known = is_known and item.media.filter(ordinal=pin.medium or 0).exists()
    if not is_known:
        raise ReviewRefused(
            "The place of this comment is none of this item. Nothing was stored. Load the page again.",
            code="pin-unknown", status=422,
        )  # fmt: skip
    if is_for_author and (submission is None or not current_policy(item.project)[1].authors_read_comments):
        raise ReviewRefused(
            "Authors read no comments in this project, or no reading was chosen. Nothing was stored. Write it for reviewers, "
            "or return the reading with your words.",
            code="not-for-authors", status=422,
        )  # fmt: skip


def nameless(comment: Comment) -> str:
    """Return the text without the names of people who are mentioned in it."""
    names = {mention.user.username for mention in comment.mentions.all()}
    return NAMED.sub(
        lambda found: "@a reviewer" if found.group(1).rstrip(".") in names else found.group(0), comment.text
    )
