"""The pages that are open all day ask the database at most twelve times, however many rows there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
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
    address = place.format(busy.project.slug)
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    # What opens and closes transactions asks nothing.
    told = [entry["sql"] for entry in asked if not entry["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))]
    assert len(told) <= MOST, "\n".join(sql[:160] for sql in told)
