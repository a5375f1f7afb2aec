"""Times of labeling, rework and review are kept apart; that of review is right whoever beats how often, in how many windows.

Planted once and seen to fail: a time counted from the last beat at the same item alone; no idle cut; what was taken back
counted as rework; anybody timed.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client

from labelhub.analytics.labeler_standings import standings_of
from labelhub.annotations import documents
from labelhub.annotations.models import Document, Submission
from labelhub.annotations.selectors import own_work
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import labeler_of
from labelhub.reviews.desk_time import TimeAtDesk, beat_at_desk, desk_time_of, desk_times_on
from labelhub.reviews.error_models import DeskTime
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, draw, review, set_policy, submit, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


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
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=1)
    return made


def sit(clock: Clock, cast: Cast, items: list[Item], *, until: float, every: float = 12.0, windows: int = 1) -> None:
    """Rita reviews the items in turn, each as long, with beats as her windows send them, from opening to leaving."""
    start, each = clock.at, (until - clock.at) / len(items)
    for place, item in enumerate(items):
        begin, end = start + place * each, start + (place + 1) * each
        beats = sorted({begin, end, *(at for w in range(windows) for at in np.arange(begin + w * 1.7, end, every))})
        for clock.at in map(float, beats):
            beat_at_desk(item=item, by=cast.rita)
    clock.at = until


@pytest.mark.parametrize(("every", "windows"), [(12.0, 1), (1.0, 1), (12.0, 3), (29.0, 1)])
def test_the_time_at_the_desk_is_right_within_five_percent(cast: Cast, clock: Clock, every: float, windows: int):
    items = [add_item(cast.project, seed=n) for n in range(3)]
    sit(clock, cast, items, until=300, every=every, windows=windows)
    # A pause: somebody at the telephone is not at work.
    clock.at += 600
    sit(clock, cast, items[:1], until=clock.at + 100, every=every, windows=windows)
    found = desk_times_on(items[0])[cast.rita.pk]
    assert found == pytest.approx(200, rel=0.05)
    whole = desk_time_of(cast.rita, [cast.project])
    assert whole.n == 3
    assert whole.active_s == pytest.approx(400, rel=0.05)
    assert desk_time_of(cast.ada, [cast.project]) == TimeAtDesk(0, 0.0)


def test_two_windows_of_two_items_never_count_a_minute_twice(cast: Cast, clock: Clock):
    one, other = add_item(cast.project), add_item(cast.project, seed=1)
    for at in np.arange(0.0, 601.0, 6.0):
        clock.at = float(at)
        beat_at_desk(item=one if at % 12 else other, by=cast.rita)
    assert desk_time_of(cast.rita, [cast.project]).active_s == pytest.approx(600)


def test_only_who_reviews_is_timed_and_a_clock_set_back_gives_nothing_and_takes_nothing(cast: Cast, clock: Clock):
    item = add_item(cast.project)
    for user in (cast.ann, cast.otto):
        with pytest.raises((NotFound, NotAllowed)):
            beat_at_desk(item=item, by=user)
    client = Client()
    client.force_login(cast.rita)
    place = f"/review/{cast.project.slug}/{item.code}/beat/"
    for clock.at in (0.0, 10.0, 20.0, -4000.0, -3990.0):
        answer = client.post(place)
    assert answer.json() == {"active_s": 30.0}
    for user, status in ((cast.ann, 403), (cast.otto, 404)):
        client.force_login(user)
        assert client.post(place).status_code == status
    assert DeskTime.objects.count() == 1


def work_for(clock: Clock, cast: Cast, assignment: Assignment, seconds: float) -> None:
    """Ann is at work so long, beating as her page does."""
    Assignment.objects.filter(pk=assignment.pk).update(lease_until=clock.now() + timedelta(days=1))
    document = documents.document_of(assignment=assignment)
    begin = clock.at
    for clock.at in map(float, [*np.arange(begin, begin + seconds, 12.0), begin + seconds]):
        documents.beat(document=Document.objects.get(pk=document.pk), author=cast.ann)
    clock.at += 100


def test_labeling_rework_and_review_are_told_apart(cast: Cast, clock: Clock):
    add_item(cast.project)
    first = take(cast, cast.ann)
    draw(first, cast.ann, (10, 10, 20))
    clock.at += 100
    work_for(clock, cast, first, 240)
    submission = submit(first, cast.ann)
    again = lifecycle.recall(assignment=first, by=cast.ann)
    work_for(clock, cast, again, 60)
    submission = submit(again, cast.ann)
    Item.objects.update(state=Item.State.REVIEW)
    sit(clock, cast, [first.item], until=clock.at + 80)
    review(submission, cast.rita, "reject", comment="Look again.", score=3)
    back = Assignment.objects.get(state="open", labeler__user=cast.ann)
    work_for(clock, cast, back, 120)
    submit(back, cast.ann)
    assert Submission.objects.count() == 3
    standings = {row.labeler.user_id: row for row in standings_of(cast.project).rows}
    ann, rita = standings[cast.ann.pk], standings[cast.rita.pk]
    # What she took back herself is labeling; only what came back is rework.
    assert ann.active_s == pytest.approx(300, rel=0.05)
    assert ann.rework_s == pytest.approx(120, rel=0.05)
    assert (ann.n_timed, ann.n_reworked) == (2, 1)
    assert ann.desk == TimeAtDesk(0, 0.0)
    assert rita.desk.n == 1
    assert rita.desk.active_s == pytest.approx(80, rel=0.05)
    mine = own_work(labeler_of(cast.ann, cast.project), today=clock.now().date())
    assert (mine.labeling_s, mine.n_labeled) == (ann.active_s, 2)
    assert (mine.rework_s, mine.n_reworked) == (ann.rework_s, 1)
    pages(cast, first.item)


def pages(cast: Cast, item: Item) -> None:
    """Each page says which time it tells, of how many, and how it was measured."""
    client = Client()
    client.force_login(cast.ada)
    base = f"/manage/{cast.project.slug}/labelers/"
    table = client.get(base).content.decode()
    assert "rework 2 min n=1" in table
    assert "review 80 s n=1" in table
    rows = list(csv.DictReader(io.StringIO(client.get(base, {"format": "csv"}).getvalue().decode("utf-8-sig"))))
    times = {(row["labeler"], row["number"]): row for row in rows if "time" in row["number"]}
    assert times["Ann", "rework time, provisional"]["n"] == "1"
    assert "pauses above 30 s" in times["Rita", "review time, provisional"]["method"]
    one = client.get(f"{base}{labeler_of(cast.ann, cast.project).pk}/").content.decode()
    assert "Labeling time, n=2" in one
    assert "Rework time, n=1" in one
    story = client.get(f"/review/{cast.project.slug}/{item.code}/story/").content.decode()
    assert all(part in story for part in ("s of rework, pauses", "s of labeling, pauses", "80 s of review, pauses"))
    client.force_login(cast.rita)
    assert "Time at the desk, at 1 item" in client.get("/review/me/").content.decode()
    client.force_login(cast.ann)
    assert "Rework, n=1" in client.get("/label/me/").content.decode()
