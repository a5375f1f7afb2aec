"""Pins: short threads at a place of an image, set while it is labeled. They belong to the working copy.

Who draws in the copy, or watches it, reads and writes them; reviewers read and answer them as any thread of the item
(``threads``). To who draws, a word of anybody else is "a reviewer", and only where the policy lets authors read comments; so in
a solo batch nobody's word but one's own, and a reviewer's, is ever there. Not here: the rows (``writing``), how news of them
travel (``annotations.hints``: windows then read anew).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from labelhub.accounts.models import User
from labelhub.annotations import documents
from labelhub.assignments.models import Assignment, Companion
from labelhub.assignments.onlookers import watched_by, were_there
from labelhub.projects.permissions import Action, NotFound, can
from labelhub.projects.selectors import current_policy
from labelhub.reviews.models import Comment, Thread, ThreadTurn
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.threads import comments_of, nameless
from labelhub.reviews.writing import MOST_ROUNDS, earlier_comment, mend, record, say, turn_over, words_of

MOST_PINS = 300
A_REVIEWER = "A reviewer"


@dataclass(frozen=True, slots=True)
class Place:
    """A place ``(x, y)`` of slice ``z`` of a medium, in its pixels."""

    medium: int
    x: float
    y: float
    z: int


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing said at a pin, in its newest words. Ids are those that clients made up: they tell no count of rows."""

    id: uuid.UUID
    who: str
    is_mine: bool
    text: str
    at: datetime
    is_edited: bool


@dataclass(frozen=True, slots=True)
class PinView:
    """One pin as somebody at the image sees it; its id is that of what was said first, ``newest`` of what was written last."""

    id: uuid.UUID
    place: Place
    is_resolved: bool
    said: tuple[Remark, ...]
    newest: uuid.UUID


def open_pin(*, assignment: Assignment, by: User, place: Place, text: str, request_id: uuid.UUID) -> Thread:
    """Pin a thread with its first comment to a place. A retried ``request_id`` is the first one. Writes ``thread.opened``.

    Raises ``NotFound`` for anybody but who draws or watches here, the refusal of ``annotations`` where nobody draws here now,
    and ``ReviewRefused`` (``comment-missing``, ``comment-too-long``, ``pin-unknown``, ``too-many-pins``, ``request-reused``).
    """
    _require_there(by, assignment)
    words = words_of(text)
    _check_place(assignment, place)
    with transaction.atomic():
        document = documents.document_of(assignment=assignment)
        documents.locked_documents([document.pk])
        earlier = earlier_comment(request_id, by)
        if earlier is not None:
            return _of_work(earlier, assignment).thread
        if (refusal := documents.refusal_now(document)) is not None:
            raise refusal
        if Thread.objects.filter(assignment=assignment).count() >= MOST_PINS:
            raise ReviewRefused(
                f"This image holds {MOST_PINS} pins, as many as one may. Nothing was stored. Answer at one of them.",
                code="too-many-pins",
            )
        thread = Thread.objects.create(
            item=assignment.item, assignment=assignment, medium=place.medium, x=place.x, y=place.y, z=place.z,
            opened_by=by,
        )  # fmt: skip
        comment = say(thread, by, words, request_id)
        record(thread, by, "thread.opened", comment=comment.pk)
    return thread


def answer_pin(*, assignment: Assignment, pin: uuid.UUID, by: User, text: str, request_id: uuid.UUID) -> Comment:
    """Say something further at a pin. A retry is the first one. Writes ``comment.written``.

    Raises ``NotFound`` for anybody but who draws or watches here, and as :func:`open_pin`.
    """
    thread, words = _pin_for(by, assignment, pin), words_of(text)
    with transaction.atomic():
        Thread.objects.select_for_update().get(pk=thread.pk)
        earlier = earlier_comment(request_id, by)
        if earlier is not None:
            return _of_work(earlier, assignment)
        comment = say(thread, by, words, request_id)
        record(thread, by, "comment.written", comment=comment.pk)
    return comment


def mend_remark(
    *, assignment: Assignment, pin: uuid.UUID, remark: uuid.UUID, by: User, text: str, request_id: uuid.UUID
) -> Comment:
    """Put other words in place of one's own. Writes ``comment.edited``. Raises as ``writing.mend``."""
    thread = _pin_for(by, assignment, pin)
    comment = Comment.objects.filter(thread=thread, request_id=remark).select_related("thread__item__project").first()
    if comment is None:
        raise NotFound("There is no such comment.")
    return mend(comment, by, text, request_id)


def turn_pin(
    *, assignment: Assignment, pin: uuid.UUID, by: User, is_resolved: bool, seen: uuid.UUID, request_id: uuid.UUID
) -> ThreadTurn | None:
    """Resolve a pin or open it again, as ``writing.turn_over``; ``seen`` is the last remark that ``by`` had before them."""
    thread = _pin_for(by, assignment, pin)
    last = Comment.objects.filter(thread=thread, request_id=seen).first()
    # A word that they may not read is no reason to read again.
    unheard = Comment.objects.filter(thread=thread).exclude(pk__in=[row.pk for row in _heard(thread, assignment)])
    newest = max([0 if last is None else last.pk, *unheard.values_list("pk", flat=True)])
    return turn_over(thread, by, is_resolved=is_resolved, seen=newest, request_id=request_id)


def pins_of(user: User, assignment: Assignment) -> tuple[PinView, ...]:
    """Return the pins of the working copy, oldest first, as ``user``, who draws in it or watches it, may see them."""
    threads = list(Thread.objects.filter(assignment__in=_rounds(assignment)).order_by("pk"))
    names, hears_others = _names(assignment), _hears_others(assignment)
    said, turns, first = comments_of(threads), _turns(threads), _first(threads)
    found = []
    for thread in threads:
        rows = [row for row in said.get(thread.pk, ()) if row.by_id in names or hears_others]
        if not rows:
            continue
        heard = [row.is_resolved for row in turns.get(thread.pk, ()) if row.by_id in names or hears_others]
        place = Place(thread.medium or 0, thread.x or 0.0, thread.y or 0.0, thread.z or 0)
        remarks, newest = tuple(_remark(row, user, names) for row in rows), max(rows, key=lambda row: row.pk)
        found.append(PinView(first[thread.pk], place, bool(heard and heard[-1]), remarks, newest.request_id))
    return tuple(found)


def _pin_for(by: User, assignment: Assignment, pin: uuid.UUID) -> Thread:
    """Return a pin of the working copy for who draws in it. Raises ``NotFound``."""
    _require_there(by, assignment)
    known = Comment.objects.filter(request_id=pin, replaces=None).values("thread")
    rows = Thread.objects.filter(pk__in=known, assignment__in=_rounds(assignment))
    thread = rows.select_related("item__project", "assignment__labeler", "submission").first()
    if thread is None:
        raise NotFound("There is no such pin on this image.")
    return thread


def _require_there(by: User, assignment: Assignment) -> None:
    """Raise ``NotFound`` for anybody but who draws in the work or watches it."""
    if not can(by, Action.LABEL, assignment):
        watched_by(by, assignment.pk)


def _rounds(assignment: Assignment) -> list[uuid.UUID]:
    """The work and what it goes on from, of the same labeler: pins stay when an image comes back."""
    found, row = [assignment.pk], assignment
    while row.follows is not None and row.follows.labeler_id == assignment.labeler_id and len(found) < MOST_ROUNDS:
        row = row.follows
        found.append(row.pk)
    return found


def _names(assignment: Assignment) -> dict[int, str]:
    """What those are called to each other who draw or watch here, or did."""
    rounds = _rounds(assignment)
    seats = Companion.objects.filter(assignment__in=rounds).values("labeler__user")
    people = User.objects.filter(Q(pk__in=seats) | Q(pk=assignment.labeler.user_id or 0))
    watching = {key: f"{person} (reviewer)" for key, person in were_there(rounds).items()}
    return watching | {person.pk: str(person) for person in people}


def _remark(row: Comment, user: User, names: dict[int, str]) -> Remark:
    is_mine = row.by_id == user.pk
    who = "You" if is_mine else names.get(row.by_id, A_REVIEWER)
    text = row.text if row.by_id in names else nameless(row)
    return Remark(row.request_id, who, is_mine, text, row.at, row.replaces_id is not None)


def _hears_others(assignment: Assignment) -> bool:
    return current_policy(assignment.item.project)[1].authors_read_comments


def _heard(thread: Thread, assignment: Assignment) -> list[Comment]:
    rows = Comment.objects.filter(thread=thread)
    return list(rows if _hears_others(assignment) else rows.filter(by__in=_names(assignment)))


def _first(threads: Sequence[Thread]) -> dict[int, uuid.UUID]:
    """The id of what was said first in each thread."""
    rows = Comment.objects.filter(thread__in=[thread.pk for thread in threads]).order_by("-pk")
    return dict(rows.values_list("thread", "request_id"))


def _turns(threads: Sequence[Thread]) -> dict[int, list[ThreadTurn]]:
    found: dict[int, list[ThreadTurn]] = {}
    for row in ThreadTurn.objects.filter(thread__in=[thread.pk for thread in threads]).order_by("pk"):
        found.setdefault(row.thread_id, []).append(row)
    return found


def _of_work(comment: Comment, assignment: Assignment) -> Comment:
    """Return what was stored under the same request. Raises ``ReviewRefused`` where it was meant for another image."""
    if comment.thread.assignment_id not in _rounds(assignment):
        raise ReviewRefused(
            "This request was used for another comment. Nothing was stored. Send it again.", code="request-reused"
        )
    return comment


def _check_place(assignment: Assignment, place: Place) -> None:
    sizes: dict[int, Any] = {
        ordinal: size for ordinal, *size in assignment.item.media.values_list("ordinal", "size_x", "size_y", "size_z")
    }
    x, y, z = sizes.get(place.medium, (-1, -1, -1))
    if not (0 <= place.x <= x and 0 <= place.y <= y and 0 <= place.z < z):
        raise ReviewRefused(
            "This place is not on the image. Nothing was stored. Choose another.", code="pin-unknown", status=422
        )
