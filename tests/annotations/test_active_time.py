"""S8: active time is the server's, whatever a client's clock says and however often it beats; what is done at once counts once.

Planted once and seen to fail: a wait for the lock that sets the clock back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from labelhub.annotations import documents, log
from labelhub.annotations.models import Document
from labelhub.assignments.models import Assignment, Companion
from labelhub.projects.selectors import labeler_of
from tests.annotations.conftest import POLYGON, Client

pytestmark = pytest.mark.django_db


class Clock:
    """The server's time, in seconds from a moment."""

    def __init__(self) -> None:
        self.start = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
        self.at = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.at)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("django.utils.timezone.now", found.now)
    return found


@pytest.fixture
def people(cast, assignment, clock) -> tuple[Client, Client]:
    Assignment.objects.update(lease_until=clock.now() + timedelta(days=3))
    Companion.objects.create(assignment=assignment, labeler=labeler_of(cast.ben, cast.project))
    document = documents.document_of(assignment=assignment)
    return Client(document, cast.ann), Client(document, cast.ben)


def active_s() -> float:
    return Document.objects.get().active_s


def beat(person: Client) -> float:
    return documents.beat(document=person.document, author=person.author)


def draw(person: Client, claimed: str) -> None:
    """An operation whose sender says what time it is."""
    payload = {
        "shape_id": uuid.uuid4().hex, "medium": 0, "label": "nucleus", "at": claimed,
        "regions": [{"kind": "polygon", "points": POLYGON}],
    }  # fmt: skip
    operation = person.operation("shape.add", **payload) | {"at": claimed, "active_s": 1e9}
    assert person.send(operation).refused is None


# How often the windows of somebody beat, in seconds: as the page does, much too often, in two windows, hardly.
BEATS: list[tuple[list[float], list[float]]] = [
    ([10.0], []),
    ([1.0], []),
    ([10.0, 10.0], []),
    ([29.0], []),
    ([10.0], [10.0]),
    ([1.0, 12.0], [25.0]),
]


# The clock is the server's own, so one way of beating says what the other database does.
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.once) for seed in range(1, len(BEATS)))])
def test_the_time_is_right_within_five_percent_whoever_beats_how_often(people, clock: Clock, seed: int):
    rng = np.random.default_rng(seed)
    events: list[tuple[float, Callable[[], object]]] = []
    bouts: list[tuple[float, float]] = []
    for person, windows in zip(people, BEATS[seed], strict=True):
        start = float(rng.random() * 60)
        for _ in range(3 if windows else 0):
            end = start + float(rng.integers(200, 700))
            bouts.append((start, end))
            claimed = str(rng.choice(["1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "NaN"]))
            for every in windows:
                beats = np.arange(start + rng.random() * min(every, 5), end, every)
                events.extend((float(at), partial(beat, person)) for at in beats)
            drawn = (start, *np.arange(start + 15, end, 20))
            events.extend((float(at), partial(draw, person, claimed)) for at in drawn)
            start = end + float(rng.integers(60, 900))
    for clock.at, do in sorted(events, key=lambda event: event[0]):
        do()
    assert active_s() == pytest.approx(joined(bouts), rel=0.05)


def joined(bouts: list[tuple[float, float]]) -> float:
    """How long anybody was at work; breaks below the idle cut are work."""
    places = sorted(bouts)
    total, (start, end) = 0.0, places[0]
    for first, last in places[1:]:
        if first > end + documents.IDLE_AFTER_S:
            total, start, end = total + end - start, first, last
        else:
            end = max(end, last)
    return total + end - start


def test_who_beats_hardly_at_all_never_gets_more_than_the_time_that_passed(people, clock: Clock):
    ann, _ = people
    for clock.at in np.arange(0.0, 600.0, 45.0):
        beat(ann)
    assert active_s() == 0
    for clock.at in np.arange(700.0, 800.0, 0.01)[::97]:
        beat(ann)
    assert 99 <= active_s() <= 100


def test_a_wait_for_the_lock_counts_once(people, clock: Clock, monkeypatch):
    ann, ben = people
    beat(ann)
    take = documents.locked_documents

    def waiting(keys):
        clock.at += 8
        beat(ben)
        return take(keys)

    monkeypatch.setattr(log, "locked_documents", waiting)
    for _ in range(5):
        draw(ann, "")
        clock.at += 2
    beat(ann)
    assert active_s() == pytest.approx(clock.at)


def test_a_server_clock_that_is_set_back_takes_nothing_and_gives_nothing(people, clock: Clock):
    ann, _ = people
    times = [0.0, 10.0, 20.0, -3600.0, -3590.0, -3580.0]
    for clock.at in times:
        beat(ann)
    assert active_s() == pytest.approx(sum(b - a for a, b in pairwise(times) if b > a))
