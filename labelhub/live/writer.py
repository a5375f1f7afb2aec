"""Group commit: what all windows send within some milliseconds is stored in one transaction, and acknowledged after it.

One writer an event loop, one thread with one connection: on SQLite a connection an operation and a commit an operation cost
hundreds of times more than the write itself. Not here: what is stored (``annotations.log``).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connection, transaction

from labelhub.accounts import hinting
from labelhub.accounts.selectors import standing_sessions
from labelhub.annotations import hints, log
from labelhub.annotations.fold import Act
from labelhub.annotations.models import Operation
from labelhub.live import rooms
from labelhub.projects.errors import DomainError

logger = logging.getLogger(__name__)
# The first of a burst is stored nearly at once; what comes while others are stored waits for the next group.
FIRST_WAIT_S, GROUP_S = 0.002, 0.025
MOST_A_COMMIT = 200
# Documents whose hints wait for a message server that is away; of more the oldest are given up, and windows ask by themselves.
MOST_HINTS = 2000


@dataclass(frozen=True, slots=True)
class Post:
    """One sending to one document, with the session it came through: (key, person, epoch)."""

    document_id: uuid.UUID
    sending: log.Sending
    session: tuple[str, int, int | None]


News: TypeAlias = dict[uuid.UUID, list[Act]]
Waiting: TypeAlias = tuple[Post, "asyncio.Future[log.Answer]"]


class SessionEnded(DomainError):
    """The sender was signed out before this came; nothing was stored."""

    def __init__(self) -> None:
        super().__init__("You are signed out. Your work is kept here. Sign in again.", code="signed-out", status=401)


class NotStored(DomainError):
    """The database did not take a group of sendings; the clients still hold them and send them again."""

    def __init__(self) -> None:
        super().__init__(
            "The server could not store this just now. Your work is kept here and sent again.",
            code="not-stored",
            status=503,
        )


class GroupWriter:
    """Stores what is sent through one event loop."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._flushed_at = 0.0
        self._heads: dict[uuid.UUID, int] = {}
        self._hinting: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live-writer")

    async def store(self, post: Post) -> log.Answer:
        """Store one sending with whatever else comes at this moment; return its answer once it is committed.

        Raises ``SessionEnded``; and ``NotStored`` where the commit failed: nothing is stored then, or all of it and the answer
        was lost; sending again is harmless.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[log.Answer] = loop.create_future()
        self._waiting.append((post, future))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(max(FIRST_WAIT_S, self._flushed_at + GROUP_S - loop.time()))
            self._flushed_at = loop.time()
            batch, self._waiting = self._waiting[:MOST_A_COMMIT], self._waiting[MOST_A_COMMIT:]
            try:
                answers, acts = await sync_to_async(store_together, thread_sensitive=False, executor=self._executor)(
                    [post for post, _ in batch]
                )
            except Exception:
                logger.exception("a group of %d sendings was not stored", len(batch))
                answers, acts = [NotStored() for _ in batch], {}
            heads: dict[uuid.UUID, int] = {}
            for (post, future), answer in zip(batch, answers, strict=True):
                if isinstance(answer, log.Acknowledged):
                    heads[post.document_id] = max(heads.get(post.document_id, 0), answer.head_seq)
                if future.done():
                    continue
                if isinstance(answer, (NotStored, SessionEnded)):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
            try:
                await rooms.deliver(acts)
            except Exception:
                # What waits next is stored all the same; windows ask by themselves.
                logger.exception("what was stored could not be passed on")
            self._hint(heads)

    def _hint(self, heads: dict[uuid.UUID, int]) -> None:
        """Have it told to other processes; nothing that waits to be stored waits for it."""
        for key, head_seq in heads.items():
            self._heads[key] = max(head_seq, self._heads.pop(key, 0))
        for key in list(self._heads)[:-MOST_HINTS]:
            del self._heads[key]
        if self._heads and (self._hinting is None or self._hinting.done()):
            self._hinting = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        """Send the hints that wait; those that did not go out are sent again, by then with the newest number."""
        while self._heads:
            heads, self._heads = self._heads, {}
            sent = await asyncio.gather(
                *(hinting.send(hints.group_of(key), hints.head_moved(key, head)) for key, head in heads.items())
            )
            lost = {key: head for (key, head), is_sent in zip(heads.items(), sent, strict=True) if not is_sent}
            if lost:
                for key, head_seq in lost.items():
                    self._heads[key] = max(head_seq, self._heads.get(key, 0))
                await asyncio.sleep(hinting.SILENT_S)


def store_together(batch: Sequence[Post]) -> tuple[list[Any], News]:
    """Store sendings to many documents in one transaction; return an answer each, and what is new in each document's log.

    A document's trouble stays its own.
    """
    connection.close_if_unusable_or_obsolete()
    try:
        return _store(batch)
    finally:
        # Given back at once where connections are pooled; kept where it is the one of this thread.
        connection.close_if_unusable_or_obsolete()


def _store(batch: Sequence[Post]) -> tuple[list[Any], News]:
    answers: list[Any] = [None] * len(batch)
    with transaction.atomic():
        signed_in = standing_sessions({key: (person, epoch) for key, person, epoch in (post.session for post in batch)})
        places: dict[uuid.UUID, list[int]] = {}
        for place, post in enumerate(batch):
            if post.session[0] in signed_in:
                places.setdefault(post.document_id, []).append(place)
            else:
                answers[place] = SessionEnded()
        stored, operations = _stored({key: [batch[place].sending for place in there] for key, there in places.items()})
        for key, there in places.items():
            for place, answer in zip(there, stored[key], strict=True):
                answers[place] = answer
    news: News = {}
    for row in operations:
        act = Act(row.seq, str(row.op_id), str(row.author.public_id), row.kind, row.payload)
        news.setdefault(row.document_id, []).append(act)
    return answers, news


def _stored(groups: dict[uuid.UUID, list[log.Sending]]) -> tuple[dict[uuid.UUID, list[Any]], list[Operation]]:
    """Store all at once; where that fails, each document by itself, so that one's trouble is not the others'."""
    try:
        with transaction.atomic():
            taken = log.append_to_many(groups)
            return dict(taken.answers), list(taken.operations)
    except Exception:
        if len(groups) == 1:
            raise
        logger.exception("sendings to %d documents were not stored together; each is tried by itself", len(groups))
    found: dict[uuid.UUID, list[Any]] = {}
    operations: list[Operation] = []
    for key, sendings in groups.items():
        try:
            with transaction.atomic():
                taken = log.append_to_many({key: sendings})
            found[key] = taken.answers[key]
            operations += taken.operations
        except Exception:
            logger.exception("sendings to one document were not stored")
            found[key] = [NotStored() for _ in sendings]
    return found, operations


_writers: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupWriter] = WeakKeyDictionary()


def writer() -> GroupWriter:
    """Return the running event loop's writer."""
    return _writers.setdefault(asyncio.get_running_loop(), GroupWriter())
