"""The list of threads over several projects, page by page: what waits for somebody, what is open, what is resolved.

Not here: reading one thread, writing in it (``threads``); disputes (``tickets``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from labelhub.accounts.models import User
from labelhub.projects.models import Project, Team
from labelhub.projects.selectors import current_policy
from labelhub.reviews.models import Comment, Mention, Sighting, Thread
from labelhub.reviews.of_team import read_in
from labelhub.reviews.reviewer_tests import hides_from
from labelhub.reviews.selectors import Screen, screen_of
from labelhub.reviews.threads import comments_of, readable, with_state

PAGE = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is shown. ``waiting``: open, and the last word is somebody else's to one who takes part or is named.

    With a ``team`` threads on items that somebody of it read.
    """

    show: str = "open"
    text: str = ""
    mine: bool = False
    team: Team | None = None


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One thread in the list: its comments, and whether it waits for the reader."""

    thread: Thread
    said: tuple[Comment, ...]
    is_waiting: bool

    @property
    def last(self) -> Comment:
        """The newest comment."""
        return self.said[-1]


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """The threads of a page, those last written in first, and where the next page begins (empty: nowhere)."""

    rows: tuple[ThreadRow, ...]
    before: str


def page_of(user: User, projects: Sequence[Project], wanted: Wanted, *, before: int | None = None) -> ThreadPage:
    """Return one page in a few queries. ``before`` is the key of the last comment of the page before."""
    rows, hidden = _marked(user, projects), hides_from(user, projects)
    if wanted.team is not None:
        rows = rows.filter(item__in=read_in(wanted.team, hidden=hidden))
    if wanted.show == "waiting":
        rows = rows.filter(is_resolved=False, is_waiting=True)
    elif wanted.show != "all":
        rows = rows.filter(is_resolved=wanted.show == "resolved")
    if wanted.mine:
        rows = rows.filter(Q(opened_by=user) | Q(takes_part=True) | Q(is_named=True))
    if wanted.text:
        said = Comment.objects.filter(thread=OuterRef("pk"), text__icontains=wanted.text)
        rows = rows.filter(Q(item__code__istartswith=wanted.text) | Exists(said))
    if before is not None:
        rows = rows.filter(last_pk__lt=before)
    parts = ("item__project", "submission__assignment__labeler", "assignment__labeler", "opened_by")
    found = list(rows.select_related(*parts).order_by("-last_pk")[: PAGE + 1])
    screens = _screens(user, found[:PAGE], hidden)
    said_in = comments_of(found[:PAGE])
    rows_shown = []
    for thread in found[:PAGE]:
        heard, screen = said_in[thread.pk], screens.get(thread.item_id)
        if screen is not None:
            is_open = screen.shows(thread.opened_by_id, thread.at)
            heard = [entry for entry in heard if is_open and screen.shows(entry.by_id, entry.at)]
            # Found by a word that is hidden: that it is listed would tell that it stands there.
            heard = heard if _is_found(thread, heard, wanted.text) else []
        if heard:
            rows_shown.append(ThreadRow(thread, tuple(heard), bool(getattr(thread, "is_waiting", False))))
    place = str(getattr(found[PAGE - 1], "last_pk", "")) if len(found) > PAGE else ""
    return ThreadPage(tuple(rows_shown), place)


def _is_found(thread: Thread, heard: Sequence[Comment], text: str) -> bool:
    """Whether these comments, or the item's code, are what a search for ``text`` finds."""
    sought = text.casefold()
    begins = thread.item.code.casefold().startswith(sought)
    return begins or any(sought in entry.text.casefold() for entry in heard)


def n_waiting(user: User, projects: Sequence[Project]) -> int:
    """Return how many open threads wait for somebody."""
    rows = _marked(user, projects)
    return rows.filter(is_resolved=False, is_waiting=True).count()


def _marked(user: User, projects: Sequence[Project]) -> QuerySet[Any]:
    """The threads that ``user`` may read, with ``takes_part``, ``is_named`` and ``is_waiting`` as they are for them."""
    mine = Comment.objects.filter(thread=OuterRef("pk"), by=user.pk)
    named = Mention.objects.filter(comment__thread=OuterRef("pk"), user=user.pk)
    waiting = Thread.objects.filter(Q(pk__in=_called(user)) | Q(pk__in=_answered(user)), pk=OuterRef("pk"))
    rows: QuerySet[Any] = with_state(readable(user, Thread.objects.filter(item__project__in=projects))).annotate(
        takes_part=Exists(mine), is_named=Exists(named), is_waiting=Exists(waiting)
    )
    # A pin of somebody at work tells what they see: listed for who has looked at the item.
    looked = Sighting.objects.filter(item=OuterRef("item"), user=user.pk)
    return rows.filter(Q(assignment=None) | Q(takes_part=True) | Exists(looked))


def _called(user: User) -> QuerySet[Mention, int]:
    """Threads in which somebody is named and has not written since."""
    since = Comment.objects.filter(thread=OuterRef("comment__thread"), by=user.pk, pk__gt=OuterRef("comment"))
    return Mention.objects.filter(user=user.pk).exclude(Exists(since)).values_list("comment__thread", flat=True)


def _answered(user: User) -> QuerySet[Comment, int]:
    """Threads in which somebody wrote and another one wrote the last word."""
    later = Comment.objects.filter(thread=OuterRef("thread"), pk__gt=OuterRef("pk"))
    last = Comment.objects.exclude(Exists(later)).exclude(by=user.pk)
    own = Comment.objects.filter(thread=OuterRef("thread"), by=user.pk)
    return last.filter(Exists(own)).values_list("thread", flat=True)


def _screens(user: User, threads: Sequence[Thread], tested: Collection[int]) -> Mapping[int, Screen]:
    """What of these threads' items may bias a judgement that ``user`` still owes, by item; asked for where it can be."""
    found: dict[int, Screen] = {}
    for thread in threads:
        item = thread.item
        is_voted_on = current_policy(item.project)[1].panel_reviewers > 1
        if item.pk not in found and (is_voted_on or item.pk in tested):
            found[item.pk] = screen_of(user, item)
    return found
