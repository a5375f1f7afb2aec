"""The pages that are open all day ask the database at most twelve times, however many rows there are."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Acknowledgement, GuidelineVersion
from labelhub.scoring.exams import rule
from labelhub.scoring.gold import make_gold
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

pytestmark = pytest.mark.django_db
MOST = 12
PAGES = (
    "/label/?project={}",
    "/manage/{}/people/",
    "/manage/{}/activity/",
    "/manage/{}/activity/?sort=-closed",
    "/manage/{}/gold/",
)


@pytest.fixture
def busy(cast: Cast) -> Cast:
    """A project with 300 items, 900 assignments, 12 people and 10 gold items."""
    set_policy(cast, readers=3, max_readers=5)
    people = [labeler(cast, user) for user in (cast.ann, cast.ben)]
    people += [labeler(cast, new_annotator(cast, f"Reader {number}")) for number in range(8)]
    gold = [add_item(cast.project, subject=f"gold {number}") for number in range(10)]
    for item in gold:
        make_gold(
            item=item, submission=store(cast, item, cast.rita, (10, 10, 20), is_gold=True), by="test", kind="hidden"
        )
    items = [
        Item(
            project=cast.project,
            code=f"BUSY-{number:04d}",
            source_id=f"busy {number}",
            group_key=f"g{number}",
            place=number / 300,
        )
        for number in range(300)
    ]
    made = Item.objects.bulk_create(items)
    states = ("submitted", "submitted", "open", "skipped", "expired")
    Assignment.objects.bulk_create(
        Assignment(
            item=item, labeler=people[(number + turn) % len(people)], read_kind="independent", planned_blind=True,
            state=(state := states[(number + turn) % len(states)]), reason="First reader of 3.",
            closed_at=None if state == "open" else timezone.now(),
        )
        for number, item in enumerate(made) for turn in range(3)
    )  # fmt: skip
    return cast


@pytest.mark.parametrize("place", PAGES)
def test_pages_that_are_open_all_day_ask_at_most_twelve_times(busy: Cast, client, place: str):
    client.force_login(busy.ann if place.startswith("/label") else busy.ada)
    asks_at_most_twelve_times(client, place.format(busy.project.slug))


@pytest.mark.parametrize("limit", [0, 40])
def test_the_reviewers_inbox_asks_at_most_twelve_times_however_much_waits(busy: Cast, client, limit: int):
    """Found with the project of each item asked for by itself, and the rules at each look."""
    set_policy(busy, readers=3, max_readers=5, reviews_a_day=limit)
    waiting = Item.objects.filter(project=busy.project, code__startswith="BUSY-")
    waiting.update(state=Item.State.REVIEW)
    n = limit or Item.objects.filter(project=busy.project, state=Item.State.REVIEW).count()
    client.force_login(busy.rita)
    page = asks_at_most_twelve_times(client, "/review/")
    assert page.content.decode().count("data-list-row>") == (limit or 60)
    words = " ".join(page.content.decode().split())
    assert f"{n} items wait for you" in words, words[words.find("wait for you") - 20 :][:40]


@pytest.mark.parametrize("exam", ["open", "admitted"])
@pytest.mark.parametrize("is_read", [True, False])
def test_the_queue_with_instructions_and_an_exam_asks_at_most_twelve_times(
    busy: Cast, client, exam: str, is_read: bool
):
    """Found with two queries for the instructions and who read them, and one for a ruling that the desk may know."""
    set_policy(busy, readers=3, max_readers=5, exam_items=4)
    text = GuidelineVersion.objects.create(project=busy.project, number=9, text="Outline every nucleus.")
    mine = labeler(busy, busy.ann)
    if is_read:
        Acknowledgement.objects.create(labeler=mine, guideline=text)
    if exam == "admitted":
        rule(labeler=mine, verdict="admitted", reason="Labeled here before.", by="test")
    Assignment.objects.filter(labeler=mine, state="open").update(state="expired")
    client.force_login(busy.ann)
    asks_at_most_twelve_times(client, f"/label/?project={busy.project.slug}")


def asks_at_most_twelve_times(client, address: str) -> Any:
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)
    assert answer.status_code == 200
    # What opens and closes transactions asks nothing.
    told = [entry["sql"] for entry in asked if not entry["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]
    assert len(told) <= MOST, "\n".join(sql[:160] for sql in told)
    return answer
