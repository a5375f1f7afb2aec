"""What an annotator's browser can see of each image it is given: of every answer the status, headers, size, form and time.

Several annotators sit down in turn in a project of which some images are hidden gold, and do with each image what the labeling
page does. The image itself is no part of it, nor are ids as such: their characters are. Time is either measured, or
modelled: every question to the database takes equally long and nothing else takes any, so that a run gives the same numbers
each time. Not here: whether it tells gold from other images (``gold_classifier``).
"""

from __future__ import annotations

import re
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import orjson
from django.db import connection
from django.test import Client
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.config.soak.frozen import Frozen
from labelhub.config.soak.report import Progress, silent
from labelhub.config.soak.world import SoakWorld, add_item, make_world, square_reading
from labelhub.scoring.models import GoldReference
from labelhub.workflow import beat, lifecycle

N_ANNOTATORS = 3
GOLD_SHARE = 0.25
# What one question to the database takes where time is modelled.
QUESTION_S = 0.0004
# A text of which there are more kinds than this, as images and tokens are, is told by its length alone.
MOST_KINDS = 12
SEEN = {"media": [{"medium": 0, "whole": True}]}
PLACE, ELSEWHERE = 4.0, 20.0
# What differs with every id, moment, token and image code, and says nothing.
ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[A-Z0-9]{4}-[A-Z0-9]{4}\b"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?|\b[A-Za-z0-9_-]{20,}"
)


@dataclass(slots=True)
class Sight:
    """What somebody saw of one image: numbers, and texts of which only their kinds count.

    Not seen: which row the image is, whether it is gold, and ``behind``, how long answers took before they waited for their
    beat.
    """

    labeler: int
    item: int
    is_gold: bool
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    behind: dict[str, float] = field(default_factory=dict)


class Watch:
    """A stopwatch: :meth:`now` in seconds, of which ``waited_s`` were spent waiting for a beat."""

    def __init__(self) -> None:
        self.waited_s = 0.0

    def now(self) -> float:
        """Return the measured seconds so far."""
        return time.perf_counter()

    def wait(self, seconds: float) -> None:
        """Wait for a beat."""
        time.sleep(seconds)
        self.waited_s += seconds


class ModelWatch(Watch):
    """A stopwatch on which only questions to the database, and waiting, take time."""

    def __init__(self) -> None:
        super().__init__()
        self._spent_s = 0.0

    def now(self) -> float:
        """Return the modelled seconds so far."""
        return self._spent_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._spent_s += seconds
        self.waited_s += seconds

    def question(self, execute: Callable[..., Any], *asked: Any) -> Any:
        """Let one question's time pass and ask it."""
        self._spent_s += QUESTION_S
        return execute(*asked)


@contextmanager
def measured_time() -> Iterator[Watch]:
    """Measure time, with the beats that answers wait for."""
    watch = Watch()
    with mock.patch.object(beat, "clock", watch.now), mock.patch.object(beat, "wait", watch.wait):
        yield watch


@contextmanager
def modelled_time() -> Iterator[Watch]:
    """Model time meanwhile."""
    watch = ModelWatch()
    with (
        connection.execute_wrapper(watch.question),
        mock.patch.object(beat, "clock", watch.now),
        mock.patch.object(beat, "wait", watch.wait),
    ):
        yield watch


def look(
    *, n: int, rng: np.random.Generator, watch: Watch, frozen: Frozen, progress: Progress = silent
) -> list[Sight]:  # fmt: skip
    """Let the annotators read ``n`` times in turn; return what each saw of each image but the first."""
    world = _world(n, rng)
    sitters = [Sitter(world, user, rng, watch, frozen) for user in world.annotators]
    sights: list[Sight] = []
    while len(sights) < n:
        sitter = sitters[int(rng.integers(len(sitters)))]
        sight = sitter.read()
        if sight is not None:
            sights.append(sight)
        progress(len(sights), n)
    return sights


def one_reader_each(sights: Sequence[Sight], rng: np.random.Generator) -> list[Sight]:
    """Return what one of its readers, drawn at random, saw of each image.

    Who compares notes with others knows by its code alone that an image went to many.
    """
    return list({sights[place].item: sights[place] for place in rng.permutation(len(sights))}.values())


def table_of(sights: Sequence[Sight]) -> tuple[NDArray[np.float64], list[str]]:
    """Return ``seen[sight, thing]`` and what each thing is: numbers, lengths of texts, and which of few kinds a text is."""
    columns: dict[str, NDArray[np.float64]] = {}
    for name in sorted({name for sight in sights for name in sight.numbers}):
        columns[name] = np.array([sight.numbers.get(name, -1.0) for sight in sights])
    for name in sorted({name for sight in sights for name in sight.texts}):
        texts = [sight.texts.get(name) for sight in sights]
        columns[f"{name}, length"] = np.array([-1.0 if text is None else len(text) for text in texts])
        kinds = sorted({text or "" for text in texts})
        for number, kind in enumerate(kinds if 1 < len(kinds) <= MOST_KINDS else ()):
            columns[f"{name}, kind {number}"] = np.array([float((text or "") == kind) for text in texts])
    return np.column_stack(list(columns.values())), list(columns)


def _world(n: int, rng: np.random.Generator) -> SoakWorld:
    """Make enough images that neither gold nor other work runs out, gold among the others in a random order."""
    world = make_world(
        n_annotators=N_ANNOTATORS, readers=2, gold_share=GOLD_SHARE, gold_share_undecided=GOLD_SHARE, use_model=False,
        lease_s=7 * 24 * 3600, gold_max_exposures=2 * N_ANNOTATORS,
    )  # fmt: skip
    n_gold, n_other = 10 + n // N_ANNOTATORS, 10 + n
    for is_gold in rng.permutation(np.arange(n_gold + n_other) < n_gold):
        item = add_item(world, rng)
        if is_gold:
            reading = square_reading(item, "expert", PLACE)
            lifecycle.record_reading(item=item, labeler=world.labeler(world.admins[0]), reading=reading, is_gold=True)
    return world


class Sitter:
    """One annotator at the labeling page."""

    def __init__(self, world: SoakWorld, user: User, rng: np.random.Generator, watch: Watch, frozen: Frozen) -> None:
        self.world, self.user, self.rng, self.watch, self.frozen = world, user, rng, watch, frozen
        self.client = Client()
        self.client.force_login(user)
        self.place = ""
        self.given: tuple[dict[str, float], dict[str, str]] = ({}, {})
        self.n_read = 0

    def read(self) -> Sight | None:
        """Read one image and return what was seen of it; None for the first, which is given in another way."""
        is_first = not self.place
        if is_first:
            self.place = str(
                self._ask("given", "/label/next/", {"project": self.world.project.slug}).headers["Location"]
            )
        key = uuid.UUID(self.place.strip("/").rpartition("/")[2])
        work = Assignment.objects.select_related("item").get(pk=key)
        is_gold = GoldReference.objects.filter(item=work.item, retired_at=None).exists()
        sight = Sight(work.labeler_id, work.item_id, is_gold, *self.given)
        self._ids(sight, key, work.item.code)
        self._sit(sight, f"/label/{key}/", f"/api/v1/assignments/{key}")
        self.n_read += 1
        return None if is_first else sight

    def _sit(self, sight: Sight, page: str, api: str) -> None:
        """Do what the page does, from opening it to looking back at it."""
        self._ask("page", page, sight=sight)
        self._ask("media", f"{api}/media/", sight=sight)
        self._ask("slice", f"{api}/media/0/slice/axial/0/", sight=sight)
        thumbnail = self._ask("thumbnail", f"{api}/media/0/thumbnail/", sight=sight)
        workspace = orjson.loads(self._ask("document", f"{api}/document/", sight=sight).content)
        self._ask("operation", f"{api}/document/", self._drawing(workspace), sight=sight)
        self._ask("heartbeat", f"{api}/document/heartbeat/", {}, sight=sight)
        request = {"request_id": str(uuid.uuid4()), "no_finding": False, "extent": SEEN}
        done = self._ask("submitted", f"{page}submit/", request, sight=sight)
        self.given = _renamed(sight, "submitted", "given")
        self.place = orjson.loads(done.content)["next"]
        self._ask("queue", f"/label/?project={self.world.project.slug}", sight=sight)
        self._ask("me", f"/label/me/?project={self.world.project.slug}", sight=sight)
        self._ask("page after", page, sight=sight)
        self._ask("document after", f"{api}/document/", sight=sight)
        self._ask("thumbnail after", f"{api}/media/0/thumbnail/", sight=sight, HTTP_IF_NONE_MATCH=thumbnail["ETag"])

    def _drawing(self, workspace: Mapping[str, Any]) -> dict[str, Any]:
        x = (ELSEWHERE if self.rng.random() < 0.1 else PLACE) + float(self.rng.integers(0, 3))
        points = [[x, 4.0], [x + 8, 4.0], [x + 8, 12.0], [x, 12.0]]
        payload = {
            "shape_id": str(uuid.uuid4()), "medium": 0, "label": "nucleus",
            "regions": [{"kind": "polygon", "points": points}],
        }  # fmt: skip
        operation = {"op_id": str(uuid.uuid4()), "client_seq": 1, "kind": "shape.add", "payload": payload}
        return {
            "operations": [operation], "client_id": str(uuid.uuid4()), "epoch": workspace["epoch"],
            "fence": workspace["fence"],
        }  # fmt: skip

    def _ids(self, sight: Sight, key: uuid.UUID, code: str) -> None:
        sight.numbers |= {f"code, character {place}": float(ord(char)) for place, char in enumerate(code)}
        sight.numbers |= {"id, version": float(key.version or 0), "id, first": key.int / 2**128}
        sight.numbers |= {"id, last": float(key.int % 2**16), "place in the row": float(self.n_read)}

    def _ask(
        self,
        kind: str,
        address: str,
        body: Mapping[str, Any] | None = None,
        *,
        sight: Sight | None = None,
        **headers: Any,
    ) -> Any:
        self.frozen.step(self.frozen.number + 1)
        began, waited_s = self.watch.now(), self.watch.waited_s
        answer: Any
        if body is None:
            answer = self.client.get(address, **headers)
        elif kind == "given":
            answer = self.client.post(address, body)
        else:
            answer = self.client.post(address, orjson.dumps(body), content_type="application/json")
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        took_s = self.watch.now() - began
        if answer.status_code >= 400:
            raise RuntimeError(f"{kind} {address}: {answer.status_code} {content[:300]!r}")
        if sight is not None:
            sight.behind[f"{kind}, ms"] = (took_s - self.watch.waited_s + waited_s) * 1000
            sight.numbers |= {f"{kind}, ms": took_s * 1000, f"{kind}, bytes": float(len(content))}
            sight.numbers |= {f"{kind}, status": float(answer.status_code), f"{kind}, headers": len(answer.headers)}
            cookies = {f"Set-Cookie {name}": morsel.OutputString() for name, morsel in answer.cookies.items()}
            for name, value in {**answer.headers, **cookies}.items():
                sight.texts[f"{kind}, {name}"] = ID.sub(lambda found: f"<{len(found[0])}>", value)
            sight.texts[f"{kind}, form"] = f"{zlib.crc32(ID.sub('<>', content.decode(errors='replace')).encode()):08x}"
        return answer


def _renamed(sight: Sight, kind: str, to: str) -> tuple[dict[str, float], dict[str, str]]:
    """Return what was seen of one answer as seen of the next image: the answer to a submit brings it."""
    numbers = {f"{to}{name.removeprefix(kind)}": n for name, n in sight.numbers.items() if name.startswith(f"{kind},")}
    texts = {f"{to}{name.removeprefix(kind)}": t for name, t in sight.texts.items() if name.startswith(f"{kind},")}
    return numbers, texts
