"""The rows of a thread: saying, mending, resolving, and who is told of it. Each is one row and one event.

Not here: who may (``threads`` for reviewers, ``pins`` for who labels), and who reads what.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.annotations import hints
from labelhub.annotations.models import Document
from labelhub.assignments.models import Assignment, Companion
from labelhub.assignments.onlookers import were_there
from labelhub.assignments.selectors import drawers_of
from labelhub.audit import services as audit
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import NotFound, role_in
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import keep_stale_edit
from labelhub.projects.telling import REVIEWING, seated
from labelhub.reviews.models import Comment, Mention, Thread, ThreadTurn
from labelhub.reviews.pseudonyms import Veil, veil_of
from labelhub.reviews.services import ReviewRefused

MOST_CHARACTERS = 4000
# How often one work can have come back.
MOST_ROUNDS = 20
NAMED = re.compile(r"(?<![\w@])@([\w.+-]{1,150})")


def say(thread: Thread, by: User, words: str, request_id: uuid.UUID, replaces: Comment | None = None) -> Comment:
    """Store what somebody says, and tell whom it concerns. Within the caller's transaction."""
    comment = Comment.objects.create(thread=thread, by=by, text=words, replaces=replaces, request_id=request_id)
    names = {name.rstrip(".") for name in NAMED.findall(words)}
    named = list(readers_of(thread.item.project).filter(username__in=names).exclude(pk=by.pk)) if names else []
    Mention.objects.bulk_create(Mention(comment=comment, user=user) for user in named)
    _tell(thread, comment, by, named)
    if thread.assignment_id is not None and is_heard(thread, by):
        _tell_drawers(thread, comment, by, names)
    return comment


def mend(comment: Comment, by: User, text: str, request_id: uuid.UUID) -> Comment:
    """Replace one's own comment by a further row. Writes ``comment.edited``.

    Raises ``NotFound`` for anybody but its author, and ``ReviewRefused`` (``stale-comment``) where it was replaced before: what
    was sent is kept then.
    """
    if comment.by_id != by.pk:
        raise NotFound("There is no such comment of yours.")
    words = words_of(text)
    with transaction.atomic():
        Thread.objects.select_for_update().get(pk=comment.thread_id)
        earlier = earlier_comment(request_id, by)
        if earlier is not None:
            return earlier
        newer = Comment.objects.filter(replaces=comment).first()
        if newer is None:
            kept = say(comment.thread, by, words, request_id, replaces=comment)
            record(comment.thread, by, "comment.edited", comment=kept.pk, replaces=comment.pk)
            return kept
        keep_stale_edit(
            project=comment.thread.item.project, what="comment", subject=f"comment:{comment.pk}",
            seen=f"comment:{comment.pk}", newest=f"comment:{newer.pk}", content={"text": words}, by=by,
        )  # fmt: skip
    raise ReviewRefused(
        "You changed this comment meanwhile, in another window. Both versions are kept; this one was not shown. Load the page "
        "again.",
        code="stale-comment",
    )


def turn_over(
    thread: Thread, by: User, *, is_resolved: bool, seen: int, request_id: uuid.UUID | None = None
) -> ThreadTurn | None:
    """Resolve a thread or open it again; None where it stands so already. Writes ``thread.resolved`` or ``thread.reopened``.

    ``seen`` is the newest comment that ``by`` had before them. A retried ``request_id`` is the first one. Raises
    ``ReviewRefused`` (``stale-thread``) where somebody wrote since.
    """
    with transaction.atomic():
        Thread.objects.select_for_update().get(pk=thread.pk)
        earlier = None if request_id is None else ThreadTurn.objects.filter(request_id=request_id).first()
        if earlier is not None:
            return earlier if (earlier.thread_id, earlier.by_id) == (thread.pk, by.pk) else None
        newest = Comment.objects.filter(thread=thread).order_by("-pk").first()
        if newest is not None and newest.pk > seen and newest.by_id != by.pk:
            raise ReviewRefused(
                "Somebody wrote in this thread since you opened it, so it was not changed. Load the page again and read it.",
                code="stale-thread",
            )
        if is_thread_resolved(thread) == is_resolved:
            return None
        kept = ThreadTurn.objects.create(thread=thread, is_resolved=is_resolved, by=by, request_id=request_id)
        record(thread, by, "thread.resolved" if is_resolved else "thread.reopened", turn=kept.pk)
    return kept


def is_thread_resolved(thread: Thread) -> bool:
    """Whether the thread is resolved now."""
    newest = ThreadTurn.objects.filter(thread=thread).order_by("-pk").first()
    return newest is not None and newest.is_resolved


def is_for(user: User, thread: Thread) -> bool:
    """Whether ``user`` wrote the reading that the thread is about, and the policy lets them read what is said to them."""
    if not thread.is_for_author or thread.submission is None:
        return False
    labeler = thread.submission.assignment.labeler
    if labeler.user_id != user.pk or role_in(user, labeler.project) is None:
        return False
    return current_policy(labeler.project)[1].authors_read_comments


def readers_of(project: Project) -> QuerySet[User]:
    """Return who may be named in a comment: the project's reviewers and admins, by name."""
    return seated(project, REVIEWING)


def drawer(thread: Thread, user: int) -> Labeler | None:
    """Return as whom ``user`` labels or labeled in the working copy that the thread is pinned to; None where they did not."""
    work = thread.assignment
    if work is None or work.labeler.user_id == user:
        return None if work is None else work.labeler
    seat = Companion.objects.filter(assignment=work, labeler__user=user).select_related("labeler").first()
    return None if seat is None else seat.labeler


def is_heard(thread: Thread, by: User) -> bool:
    """Whether who draws in the working copy may read what ``by`` says at the pin: a reviewer only where the policy says so."""
    return _was_there(thread, by) or current_policy(thread.item.project)[1].authors_read_comments


def _was_there(thread: Thread, by: User) -> bool:
    """Whether who draws at the pin's image saw ``by`` there: they drew too, or looked on."""
    return drawer(thread, by.pk) is not None or by.pk in were_there(
        [thread.assignment_id] if thread.assignment_id else ()
    )


def written_by(thread: Thread, by: User, veil: Veil) -> str:
    """Return what the writer is called behind the veil: who pinned it while they labeled goes by their letter."""
    labeler = drawer(thread, by.pk) if veil.is_drawn else None
    return veil.person(by) if labeler is None else veil.labeler(labeler)


def _tell(thread: Thread, comment: Comment, by: User, named: Sequence[User]) -> None:
    """Tell who is named, who takes part, and the author it is written for; an edit tells nobody but who is newly named."""
    item = thread.item
    about = f"review:{item.project.slug}/{item.code}"
    author = thread.submission.assignment.labeler.user if thread.submission is not None else None
    is_author = author is not None and by.pk == author.pk
    told = {user.pk for user in named}
    for user in named:
        notify(
            users=[user], kind="mention", text=f"{_who(thread, by, user)} names you in a comment on {item.code}.", about=about,
            project_id=item.project_id, key=f"mention:{_first_version(comment).pk}",
        )  # fmt: skip
    if comment.replaces_id is not None:
        return
    part = User.objects.filter(pk__in=Comment.objects.filter(thread=thread).values("by"), is_active=True)
    others = [user for user in part.exclude(pk__in={by.pk, *told}) if author is None or user.pk != author.pk]
    may = set(readers_of(item.project).filter(pk__in=[user.pk for user in others]).values_list("pk", flat=True))
    for user in (user for user in others if user.pk in may):
        notify(
            users=[user], kind="comment", text=f"{_who(thread, by, user)} answered in a thread on {item.code}.", about=about,
            project_id=item.project_id, key=f"comment:{comment.pk}",
        )  # fmt: skip
    if author is not None and not is_author and is_for(author, thread):
        notify(
            users=[author], kind="comment", text=f"A reviewer wrote to you about your reading of {item.code}.",
            about=f"work:{thread.submission.assignment_id}" if thread.submission else "", project_id=item.project_id,
            key=f"comment:{comment.pk}",
        )  # fmt: skip


def _tell_drawers(thread: Thread, comment: Comment, by: User, names: Collection[str]) -> None:
    """Tell of a word at a pin who draws in its working copy and is named, or wrote there: who it is only of those at the image.

    Nobody else who labels is told anything, whatever names stand in the text; a reviewer who was never there has no name.
    """
    open_to = _drawers(thread)
    people = User.objects.filter(pk__in=set(open_to) - {by.pk}, is_active=True)
    wrote = set(Comment.objects.filter(thread=thread).values_list("by", flat=True))
    who, item = str(by) if _was_there(thread, by) else "A reviewer", thread.item
    for user in people:
        is_named = user.username in names
        if not is_named and (user.pk not in wrote or comment.replaces_id is not None):
            continue
        notify(
            users=[user], kind="mention" if is_named else "comment",
            text=f"{who} names you at a pin on {item.code}." if is_named else f"{who} answered at a pin on {item.code}.",
            about=f"work:{open_to[user.pk]}", project_id=item.project_id,
            key=f"mention:{_first_version(comment).pk}" if is_named else f"comment:{comment.pk}",
        )  # fmt: skip


def _drawers(thread: Thread) -> dict[int, uuid.UUID]:
    """Return who may open the working copy that the thread is pinned to, each with the latest work on it that is theirs."""
    rounds: list[uuid.UUID] = []
    row = thread.assignment
    while row is not None and len(rounds) < MOST_ROUNDS:
        rounds.append(row.pk)
        later = Assignment.objects.filter(follows=row, labeler=row.labeler_id)
        row = later.order_by("created_at").last()
    there = drawers_of(set(rounds))
    return {user: key for key in rounds for user in there.get(key, ())}


def _first_version(comment: Comment) -> Comment:
    """Return what an edited comment said first: who was named then is not told again."""
    while comment.replaces is not None:
        comment = comment.replaces
    return comment


def _who(thread: Thread, by: User, told: User) -> str:
    """What ``told`` is told of who writes: the author of the reading it is about has no name, other readers their letter."""
    if thread.submission is not None and thread.submission.assignment.labeler.user_id == by.pk:
        return "Its author"
    return written_by(thread, by, veil_of(told, thread.item))


def earlier_comment(request_id: uuid.UUID, by: User) -> Comment | None:
    """Return what was stored under the request before, or None. Raises ``ReviewRefused`` (``request-reused``)."""
    earlier = Comment.objects.filter(request_id=request_id).select_related("thread").first()
    if earlier is not None and earlier.by_id != by.pk:
        raise ReviewRefused(
            "This request was used for another comment. Nothing was stored. Send it again.", code="request-reused"
        )
    return earlier


def record(thread: Thread, by: User, kind: str, **facts: int) -> None:
    """Write the event, and let who has the working copy before them know that there is something new."""
    labeler = drawer(thread, by.pk)
    audit.append(
        project_id=thread.item.project_id, kind=kind,
        actor=f"user:{by.pk}" if labeler is None else f"labeler:{labeler.pk}", subject=f"item:{thread.item_id}",
        facts={"thread": thread.pk, **facts},
    )  # fmt: skip
    if thread.assignment_id is not None and is_heard(thread, by):
        copies = Document.objects.filter(
            Q(assignment=thread.assignment_id) | Q(assignment__follows=thread.assignment_id)
        )
        for key in copies.values_list("pk", flat=True):
            hints.tell_on_commit(key, hints.pinned(key))


def words_of(text: str) -> str:
    """Return the text as it is kept. Raises ``ReviewRefused`` (``comment-missing``, ``comment-too-long``)."""
    words = text.strip()
    if not words:
        raise ReviewRefused("Write your comment. Nothing was stored.", code="comment-missing", status=422)
    if len(words) > MOST_CHARACTERS:
        raise ReviewRefused(
            f"This has {len(words)} characters; at most {MOST_CHARACTERS} are taken. Nothing was stored. Shorten it.",
            code="comment-too-long", status=422,
        )  # fmt: skip
    return words
