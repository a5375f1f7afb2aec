"""Who knows what others saw in an item, and so reads it blind no more: whoever looked, judged, decided, or wrote of it.

Planted and seen to fail: a judgement, or an answer to what is in dispute, that leaves somebody blind.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from labelhub.consensus.regions import forget_sittings
from labelhub.reviews import threads
from labelhub.reviews.sightings import has_seen, keep_sighting, knows_others
from labelhub.workflow import adjudicating
from tests.cast import Cast
from tests.workflow.walking import add_item, review, set_policy, store

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
