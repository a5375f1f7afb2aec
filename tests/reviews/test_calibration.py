"""How reviewers' judgements hold: against disputes, other reviewers and gold, with n and interval.

Planted once and seen to fail: an upheld dispute that counts as held; a reading judged twice that counts twice; what was judged
again both blind and in the open, or gold that was placed and met, counted twice; the first of several later judgements instead
of the last; votes of a panel that still sits.
"""

from __future__ import annotations

import pytest

from labelhub.accounts.services import create_person
from labelhub.projects.models import Role
from labelhub.projects.services import add_member
from labelhub.reviews.calibration import calibration_of
from labelhub.scoring.services import score_item
from labelhub.workflow import lifecycle, testing_reviewers
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, read, review, set_policy, store, take

pytestmark = pytest.mark.django_db
SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture
def rolf(cast: Cast):
    user = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
    return user


def disputed(cast: Cast, third) -> None:
    """Rita returns what Ann drew, Ann disputes it, and a further labeler draws ``third``."""
    set_policy(cast, readers=1, max_readers=1, slip_agreement=0.0)
    add_item(cast.project)
    review(read(cast, cast.ann, SQUARE), cast.rita, "reject", "No.")
    name = f"Cleo{third[0]}"
    cleo = new_annotator(cast, name)
    lifecycle.dispute(assignment=take(cast, cast.ann), by=cast.ann, reason="It is.")
    read(cast, cleo, third)


def test_nothing_judged_again_is_no_number_with_a_reason(cast: Cast):
    held = calibration_of(cast.rita, [cast.project])
    assert held.overturned.value != held.overturned.value
    assert (held.n_judged, held.overturned.n, held.right_on_gold.n) == (0, 0, 0)
    assert held.overturned.reason


@pytest.mark.parametrize(("third", "share"), [(SQUARE, 1.0), (OTHER, 0.0)])
def test_a_dispute_tests_the_return(cast: Cast, third, share):
    disputed(cast, third)
    held = calibration_of(cast.rita, [cast.project])
    assert (held.overturned.value, held.overturned.n) == (share, 1)
    assert 0 <= held.overturned.low < held.overturned.high <= 1
    assert [entry.by for entry in held.again] == ["a third reader"]
    assert calibration_of(cast.ada, [cast.project]).n_judged == 0
    assert calibration_of(cast.rita, [cast.other_project]).n_judged == 0


def test_another_reviewer_who_judges_the_reading_otherwise_overturns_it(cast: Cast, rolf):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    first = store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, OTHER)
    review(first, cast.rita, "accept")
    review(first, rolf, "reject", "No.")
    assert calibration_of(cast.rita, [cast.project]).overturned.value == 1.0
    assert calibration_of(rolf, [cast.project]).overturned.n == 0, "the last word was not judged again"
    review(first, cast.rita, "accept")
    again = calibration_of(cast.rita, [cast.project])
    assert (again.n_judged, again.overturned.n) == (2, 0), "her last word counts, and nobody judged that again"


def test_of_several_who_judged_a_reading_again_the_last_counts(cast: Cast, rolf):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    first = store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, OTHER)
    review(first, cast.rita, "accept")
    review(first, rolf, "reject", "No.")
    review(first, cast.ada, "accept")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.overturned.value, held.overturned.n) == (0.0, 1)
    assert calibration_of(rolf, [cast.project]).overturned.value == 1.0


def test_what_was_judged_again_blind_and_in_the_open_counts_once_and_by_the_blind_one(cast: Cast, rolf):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, rereview_share=1.0)
    item = add_item(cast.project)
    by_ann, by_ben = store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, OTHER)
    review(by_ann, cast.rita, "accept")
    assert review(by_ann, rolf, "accept") is None, "a test, which holds"
    review(by_ann, cast.ada, "reject", "No.")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.overturned.value, held.overturned.n) == (0.0, 1)
    assert [entry.by for entry in held.again] == ["another reviewer, blind"]
    assert by_ben.assignment.item == item


def test_gold_that_was_placed_counts_once_although_it_was_met_again(cast: Cast):
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, review_gold_share=0.5)
    item = add_item(cast.project)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    right, _ = store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, OTHER)
    assert testing_reviewers.place_gold(cast.project, cast.rita, turn=1) is not None
    assert review(right, cast.rita, "reject", "No.") is None
    score_item(item)
    review(right, cast.rita, "accept")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.right_on_gold.value, held.right_on_gold.n) == (0.0, 1)


def test_a_vote_counts_once_the_panel_has_decided(cast: Cast, rolf):
    set_policy(cast, readers=2, max_readers=2, panel_reviewers=3)
    item = add_item(cast.project)
    by_ann, _ = store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, OTHER)
    review(by_ann, cast.rita, "accept")
    assert calibration_of(cast.rita, [cast.project]).n_judged == 0
    review(by_ann, rolf, "accept")
    assert calibration_of(cast.rita, [cast.project]).n_judged == 1


def test_judgements_are_compared_with_gold(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    right, wrong = store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, OTHER)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    score_item(item)
    review(wrong, cast.rita, "reject", "No.")
    review(right, cast.rita, "accept")
    held = calibration_of(cast.rita, [cast.project])
    assert (held.right_on_gold.value, held.right_on_gold.n) == (1.0, 2)
