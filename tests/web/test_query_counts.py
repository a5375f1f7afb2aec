"""The pages that are open all day ask the database at most twelve times, however many rows there are."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment, Companion
from labelhub.catalog.models import Item
from labelhub.projects.models import Acknowledgement, GuidelineVersion
from labelhub.projects.selectors import current_policy
from labelhub.reviews.calibration_models import ReviewTest
from labelhub.reviews.questions import keep_claim, keep_question
from labelhub.scoring.exams import rule
from labelhub.scoring.gold import make_gold
from labelhub.workflow import adjudicating
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, review, set_policy, store

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


INBOXES: dict[str, tuple[dict[str, Any], int]] = {
    "by default": ({}, 10),
    "at most 40 a day": ({"reviews_a_day": 40}, 11),
    "a panel of 3, at most 40 a day": ({"panel_reviewers": 3, "reviews_a_day": 40}, 11),
    "people at work together are watched": ({"reviewers_join": "watch"}, 12),
    "blind": ({"review_blind": True}, 10),
    "with tests of reviewers": ({"rereview_share": 1.0, "review_gold_share": 0.2}, 11),
    "blind, with tests of reviewers": ({"review_blind": True, "rereview_share": 1.0, "review_gold_share": 0.2}, 11),
    "a blind panel with tests, at most 40 a day": (
        {"panel_reviewers": 3, "review_blind": True, "rereview_share": 1.0, "reviews_a_day": 40}, 12,
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", INBOXES)
def test_the_reviewers_inbox_asks_as_often_as_it_did_and_never_more_than_twelve_times(busy: Cast, client, how: str):
    """With some of everything in it: begun today, tested, asked, said to be unreadable. One question more fails this test.

    Found with the project of each item asked for by itself, the rules at each look, and the tests of reviewers three times.
    """
    policy, n_asked = INBOXES[how]
    set_policy(busy, readers=2, max_readers=2, slip_agreement=0.0, **policy)
    n = everything_in_the_inbox(busy, has_tests="rereview_share" in policy)
    client.force_login(busy.rita)
    page, told = asked_for(client, "/review/")
    limit = policy.get("reviews_a_day", 0)
    # One of the day's reviews is done with.
    offered = limit - 1 if limit else n
    words = " ".join(page.content.decode().split())
    assert page.content.decode().count("data-list-row>") == min(offered, 60)
    assert f"{offered} items wait for you" in words, words[words.find("wait for you") - 20 :][:40]
    assert "Is this debris?" in words
    assert "Black." in words
    assert ("<span>Ann</span>" in words) is not policy.get("review_blind", False)
    assert ("<span>Ann, Ben</span>" in words) is ("reviewers_join" in policy)
    assert len(told) == n_asked <= MOST, "\n".join(sql[:160] for sql in told)


def everything_in_the_inbox(cast: Cast, *, has_tests: bool) -> int:
    """Fill the inbox of Rita, who judged one item and began another today; return how many items wait for her."""
    judged, begun, *others = (add_item(cast.project, seed=seed) for seed in range(5))
    by_ann = [
        (store(cast, item, cast.ann, (10, 10, 20)), store(cast, item, cast.ben, (40, 40, 15)))[0]
        for item in (judged, begun, *others)
    ]
    review(by_ann[0], cast.rita, "accept")
    if current_policy(cast.project)[1].panel_reviewers == 1:
        matter = adjudicating.desk_of(begun, cast.rita).sitting.found.matters[0].key
        adjudicating.answer_matter(
            item=begun, by=cast.rita, key=matter, choice="ambiguous", request_id=uuid.uuid4()
        )  # fmt: skip
    Item.objects.filter(project=cast.project, code__startswith="BUSY-").update(state=Item.State.REVIEW)
    work = Assignment.objects.filter(item__code__startswith="BUSY-", labeler=labeler(cast, cast.ann))
    keep_question(assignment=work.first(), text="Is this debris?")
    keep_claim(assignment=work.last(), reason="Black.")
    shared = add_item(cast.project, seed=9)
    make_batch(project=cast.project, name="Together", items=[shared], by="test", is_shared=True)
    together = Assignment.objects.create(
        item=shared, labeler=labeler(cast, cast.ann), read_kind="co-edited", planned_blind=False,
        state=Assignment.State.OPEN, reason="Together.",
    )  # fmt: skip
    Companion.objects.create(assignment=together, labeler=labeler(cast, cast.ben))
    if has_tests:
        tested = others[0]
        Item.objects.filter(pk=tested.pk).update(state=Item.State.SETTLED)
        ReviewTest.objects.create(
            item=tested, reviewer=cast.rita, kind="again", decided_by=cast.ada, settled_as=1, reason="They differ.",
            hides_from=timezone.now(), due_from=timezone.now(),
        )  # fmt: skip
    return Item.objects.filter(project=cast.project, state=Item.State.REVIEW).count() + has_tests


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


def asks_at_most_twelve_times(client, address: str) -> None:
    _, told = asked_for(client, address)
    assert len(told) <= MOST, "\n".join(sql[:160] for sql in told)


def asked_for(client, address: str) -> tuple[Any, list[str]]:
    """The page as it is when it is opened again, and what was asked of the database for it."""
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)
    assert answer.status_code == 200
    # What opens and closes transactions asks nothing.
    quiet = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return answer, [entry["sql"] for entry in asked if not entry["sql"].startswith(quiet)]
