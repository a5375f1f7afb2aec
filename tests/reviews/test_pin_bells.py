"""The bell at pins: who draws there and wrote or is named hears of an answer, and nobody hears what they may not read.

Planted once and seen to fail: a reviewer's word told against the policy; a reviewer's name; a labeler named who draws
elsewhere; an edit that tells again; an answer told to who wrote it.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labelhub.accounts.models import Notification
from labelhub.assignments.models import Assignment, Companion
from labelhub.reviews import pins, threads
from labelhub.reviews.models import Thread
from labelhub.web.notifications import address_of
from labelhub.workflow import watching
from tests.cast import Cast
from tests.reviews.test_pins import alone, cast, pin, shared  # noqa: F401 - the same people and pictures
from tests.workflow.walking import draw, set_policy, submit

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


def told(user: Any) -> list[tuple[str, str]]:
    rows = Notification.objects.filter(user=user).order_by("pk")
    return list(rows.values_list("kind", "text"))


def answer(work: Assignment, by: Any, text: str) -> None:
    (view,) = pins.pins_of(by, work)
    pins.answer_pin(assignment=work, pin=view.id, by=by, text=text, request_id=uuid.uuid4())


def reviewed(cast: Cast, text: str) -> None:  # noqa: F811
    threads.reply(thread=Thread.objects.get(), by=cast.rita, text=text, request_id=uuid.uuid4())


def test_colleagues_at_one_image_hear_of_answers_and_of_their_names(cast: Cast, shared: Assignment):  # noqa: F811
    code = shared.item.code
    pin(shared, cast.ann, "A nucleus?")
    assert told(cast.ben) == [], "he neither wrote nor is named"
    answer(shared, cast.ben, "Debris.")
    assert told(cast.ann) == [("comment", f"Ben answered at a pin on {code}.")]
    assert told(cast.ben) == []
    answer(shared, cast.ann, "Are you sure, @ben?")
    assert told(cast.ben) == [("mention", f"Ann names you at a pin on {code}.")]
    (row,) = Notification.objects.filter(user=cast.ben)
    assert address_of(row) == f"/label/{shared.pk}/"


def test_a_name_rings_for_nobody_who_does_not_draw_there(cast: Cast, alone):  # noqa: F811
    set_policy(cast, readers=2, authors_read_comments=True)
    by_ann, _ = alone
    pin(by_ann, cast.ann, "@ben and @otto, look.")
    reviewed(cast, "Yes, @ben.")
    assert told(cast.ben) == told(cast.otto) == []


@pytest.mark.parametrize("may_read", [False, True])
def test_a_reviewers_answer_rings_only_where_authors_read_comments_and_has_no_name(cast: Cast, alone, may_read):  # noqa: F811
    set_policy(cast, readers=2, authors_read_comments=may_read)
    by_ann, _ = alone
    pin(by_ann, cast.ann, "What is this?")
    reviewed(cast, "Debris.")
    reviewed(cast, "Or dust, @ann.")
    code = by_ann.item.code
    words = [
        ("comment", f"A reviewer answered at a pin on {code}."),
        ("mention", f"A reviewer names you at a pin on {code}."),
    ]
    assert told(cast.ann) == (words if may_read else [])
    assert told(cast.ben) == []


def test_a_reviewer_who_watches_is_named_and_hears_of_answers(cast: Cast, shared: Assignment):  # noqa: F811
    set_policy(cast, readers=2, reviewers_join="watch")
    watching.come(assignment=shared, by=cast.rita)
    pin(shared, cast.ann, "A nucleus?")
    answer(shared, cast.rita, "Debris.")
    assert told(cast.ann) == [("comment", f"Rita answered at a pin on {shared.item.code}.")]
    answer(shared, cast.ann, "Then I take it out.")
    assert [kind for kind, _ in told(cast.rita)] == ["comment"]


def test_who_left_hears_nothing_more(cast: Cast, shared: Assignment):  # noqa: F811
    pin(shared, cast.ben, "A nucleus?")
    Companion.objects.filter(labeler__user=cast.ben).update(left_at="2026-01-01T00:00Z")
    answer(shared, cast.ann, "Debris, @ben.")
    assert told(cast.ben) == []


def test_an_edit_tells_only_who_is_newly_named(cast: Cast, shared: Assignment):  # noqa: F811
    pin(shared, cast.ben, "A nucleus?")
    answer(shared, cast.ann, "Debris, @rita.")
    (view,) = pins.pins_of(cast.ann, shared)
    remark = view.said[-1].id
    for words in ("Dust, @rita.", "Dust, @rita and @ben."):
        pins.mend_remark(
            assignment=shared, pin=view.id, remark=remark, by=cast.ann, text=words, request_id=(made := uuid.uuid4())
        )
        remark = made
    assert [kind for kind, _ in told(cast.rita)] == ["mention"]
    assert [kind for kind, _ in told(cast.ben)] == ["comment", "mention"]


def test_it_leads_to_the_work_that_goes_on(cast: Cast, shared: Assignment):  # noqa: F811
    set_policy(cast, readers=2, authors_read_comments=True)
    pin(shared, cast.ann, "Here.")
    draw(shared, cast.ann, (10, 10, 20))
    submit(shared, cast.ann)
    again = Assignment.objects.create(
        item=shared.item, labeler=shared.labeler, read_kind="rework", follows=shared, planned_blind=False
    )
    reviewed(cast, "There.")
    (row,) = Notification.objects.filter(user=cast.ann)
    assert address_of(row) == f"/label/{again.pk}/"
