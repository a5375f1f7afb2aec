"""Who knows what others saw in an item, and so reads it blind no more: whoever looked, judged, decided, or wrote of it.

Planted and seen to fail: a judgement, or an answer to what is in dispute, that leaves somebody blind; a reviewer or an admin
who is an annotator now taken for blind, by the queue, by hand, and by hidden gold; a look that hides no gold from who looked; a
repeat of an image whose other reads the reader's seat shows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labelhub.consensus.regions import forget_sittings
from labelhub.projects.models import Role
from labelhub.projects.services import add_member
from labelhub.reviews import threads
from labelhub.reviews.sightings import has_seen, keep_sighting, knows_others
from labelhub.workflow import adjudicating, distribution, placement
from labelhub.workflow.desk import desk_of
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, next_for, review, set_policy, store, take

pytestmark = pytest.mark.django_db
SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


def answer(item: Any, by: Any) -> None:
    key = adjudicating.desk_of(item, by).sitting.found.matters[0].key
    adjudicating.answer_matter(item=item, by=by, key=key, choice="ambiguous", request_id=uuid.uuid4())


WAYS: Mapping[str, Callable[..., Any]] = {
    "looked": lambda item, by, reading: keep_sighting(item=item, by=by),
    "judged": lambda item, by, reading: review(reading, by, "reject", "No."),
    "answered": lambda item, by, reading: answer(item, by),
    "wrote": lambda item, by, reading: threads.open_thread(item=item, by=by, text="Odd.", request_id=uuid.uuid4()),
}


@pytest.mark.parametrize("way", WAYS)
def test_who_looked_judged_answered_or_wrote_is_blind_no_more_and_nobody_else(cast: Cast, way: str):
    forget_sittings()
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0)
    item, other = add_item(cast.project), add_item(cast.project, seed=1)
    by_ann = store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, OTHER)
    item.refresh_from_db()
    assert not knows_others(cast.rita, item)
    WAYS[way](item, cast.rita, by_ann)
    assert knows_others(cast.rita, item)
    assert has_seen(cast.rita, item) == (way == "looked")
    assert not knows_others(cast.rita, other)
    assert not knows_others(cast.ada, item)


def become(cast: Cast, user: Any, role: str) -> None:
    add_member(project=cast.project, user=user, role=role, actor="test")


def test_who_looked_as_a_reviewer_is_given_the_item_by_nobody_after_becoming_an_annotator(cast: Cast):
    set_policy(cast, readers=2)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    keep_sighting(item=item, by=cast.rita)
    for role in (Role.REVIEWER, Role.ANNOTATOR):
        become(cast, cast.rita, role)
        assert next_for(cast, cast.rita) is None, role
        given = distribution.assign_by_hand(items=[item], labeler=labeler(cast, cast.rita), by=cast.ada)
        assert given.kept == {"The labeler knows what others said of the item.": 1}, role
    assert take(cast, cast.ben).item == item


def test_who_was_an_admin_reads_blind_only_what_was_read_since(cast: Cast):
    set_policy(cast, readers=2)
    before, after = add_item(cast.project), add_item(cast.project, seed=1)
    store(cast, before, cast.ann, SQUARE)
    become(cast, cast.ben, Role.ADMIN)
    become(cast, cast.ada, Role.ANNOTATOR)
    store(cast, after, cast.ann, SQUARE)
    assert (knows_others(cast.ada, before), knows_others(cast.ada, after)) == (True, False)
    assert take(cast, cast.ada).item == after


def test_gold_whose_reads_a_reviewer_looked_at_measures_them_no_more(cast: Cast):
    set_policy(cast, readers=1, gold_share=0.5, gold_share_undecided=0.5)
    seen, fresh = add_item(cast.project), add_item(cast.project, seed=1)
    for item in (seen, fresh):
        store(cast, item, cast.ada, SQUARE, is_gold=True)
        store(cast, item, cast.ann, SQUARE)
    keep_sighting(item=seen, by=cast.rita)
    drawn = {next_gold_of(cast, cast.rita, turn) for turn in range(20)} - {None}
    assert drawn == {fresh.pk}


def next_gold_of(cast: Cast, user: Any, turn: int) -> int | None:
    desk = desk_of(labeler(cast, user))
    desk.labeler.n_handed = turn
    gold = placement.next_gold(desk)
    return None if gold is None else gold.item_id


def test_a_reviewer_repeats_no_image_of_which_others_reads_are_in(cast: Cast):
    set_policy(cast, readers=2, repeat_share=0.5, repeat_after_days=0)
    alone, read_by_two = add_item(cast.project), add_item(cast.project, seed=1)
    for user, items in ((cast.rita, (alone, read_by_two)), (cast.ann, (read_by_two,))):
        for item in items:
            store(cast, item, user, SQUARE)
    desk, later = desk_of(labeler(cast, cast.rita)), timezone.now() + timedelta(days=1)
    found = set()
    for turn in range(20):
        desk.labeler.n_handed = turn
        again = placement.next_repeat(desk, later)
        found.add(again and again.pk)
    assert found == {None, alone.pk}
