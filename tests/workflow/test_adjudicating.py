"""A reviewer decides an item region by region: answers are kept, settling carries them out all or none, and nothing is lost.

Planted and seen to fail: settling while a matter is open; an answer of a reading that no longer speaks carried out; a second
reviewer's answers mixed into the first one's label; an answer of who read the item; oneself, or who was at it in an earlier
review, named as at work.
"""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from labelhub.accounts.services import create_person
from labelhub.audit.models import Event
from labelhub.consensus.models import SettledShape
from labelhub.consensus.provenance import read_provenance
from labelhub.consensus.regions import forget_sittings
from labelhub.consensus.selectors import current_settlement
from labelhub.projects.models import Role, StaleEdit
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.services import add_member
from labelhub.reviews.adjudications import others_at_work
from labelhub.reviews.models import MatterAnswer
from labelhub.reviews.services import ReviewRefused
from labelhub.workflow import adjudicating
from labelhub.workflow.errors import StaleJudgement, StepRefused
from labelhub.workflow.steps import versions_of
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, review, set_policy, state, store

pytestmark = pytest.mark.django_db
SHARED, ANNS, BENS = (8, 8, 16), (36, 8, 14), (36, 38, 14)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_sittings()


@pytest.fixture
def disputed(cast: Cast):
    """Both mark one square alike; each marks another that the other does not have."""
    set_policy(cast, readers=2, max_readers=2)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SHARED, ANNS)
    store(cast, item, cast.ben, SHARED, BENS)
    assert state(item) == "review"
    item.refresh_from_db()
    return item


def desk(cast: Cast, item):
    return adjudicating.desk_of(item, cast.rita)


def decide(cast: Cast, item, key: str, choice: str, by=None, **rest):
    return adjudicating.answer_matter(
        item=item, by=by or cast.rita, key=key, choice=choice, request_id=rest.pop("request_id", uuid.uuid4()), **rest
    )


def decide_all(cast: Cast, item, choice: str = "reader", **rest) -> None:
    found = desk(cast, item).sitting
    for matter in found.found.matters:
        given = {"submission": found.submissions[0].pk} if choice == "reader" else {}
        decide(cast, item, matter.key, choice, **given, **rest)


def test_an_item_is_settled_region_by_region_with_where_each_comes_from(cast: Cast, disputed):
    found = desk(cast, disputed).sitting
    assert [matter.kind for matter in found.found.matters] == ["area", "area"]
    first = next(m for m in found.found.matters if m.says[0].shares)
    second = next(m for m in found.found.matters if m.says[1].shares)
    decide(cast, disputed, first.key, "reader", submission=found.submissions[0].pk, comment="a nucleus, dark")
    after = decide(cast, disputed, second.key, "ambiguous")
    assert after.label.open == ()
    settlement = adjudicating.settle_regions(item=disputed, by=cast.rita)
    assert state(disputed) == "settled"
    labels = sorted(SettledShape.objects.filter(settlement=settlement).values_list("label", flat=True))
    assert labels == ["ignore", "nucleus", "nucleus"]
    rows = {row.region: row for row in read_provenance(settlement.provenance)}
    assert rows[first.key].how == "reading"
    assert rows[first.key].submission == found.submissions[0].pk
    assert rows[first.key].decided_by == cast.rita.pk
    assert rows[first.key].why == "a nucleus, dark"
    assert rows[second.key].how == "ambiguous"
    assert settlement.inputs.count() == 2


def test_whoever_finds_that_nothing_is_there_settles_it_as_no_finding(cast: Cast):
    """Also where the item's questions were answered: an empty label without it would say nothing."""
    set_policy(cast, readers=2, max_readers=2)
    item = add_item(cast.project)
    for user, squares in ((cast.ann, (ANNS,)), (cast.ben, ())):
        store(cast, item, user, *squares, answers={"quality": "good"})
    item.refresh_from_db()
    found = desk(cast, item).sitting
    (matter,) = found.found.matters
    decide(cast, item, matter.key, "reader", submission=found.submissions[1].pk)
    settlement = adjudicating.settle_regions(item=item, by=cast.rita)
    assert settlement.no_finding
    assert settlement.answers == {"quality": "good"}


def test_nothing_is_settled_while_something_is_open(cast: Cast, disputed):
    found = desk(cast, disputed).sitting
    decide(cast, disputed, found.found.matters[0].key, "consensus") if found.found.matters[0].consensus else None
    with pytest.raises(StepRefused, match="still open") as refusal:
        adjudicating.settle_regions(item=disputed, by=cast.rita)
    assert refusal.value.code == "matters-open"
    assert state(disputed) == "review"
    assert current_settlement(disputed) is None


def test_a_region_answered_twice_keeps_both_and_the_later_counts(cast: Cast, disputed):
    found = desk(cast, disputed).sitting
    key = found.found.matters[0].key
    again = uuid.uuid4()
    decide(cast, disputed, key, "reader", submission=found.submissions[0].pk)
    decide(cast, disputed, key, "reader", submission=found.submissions[1].pk, request_id=again)
    retried = decide(cast, disputed, key, "reader", submission=found.submissions[1].pk, request_id=again)
    assert MatterAnswer.objects.count() == 2
    assert retried.standing[key].submission_id == found.submissions[1].pk
    taken_back = decide(cast, disputed, key, "open")
    assert key not in taken_back.standing
    assert MatterAnswer.objects.count() == 3
    assert Event.objects.filter(kind="matter.answered").count() == 3


def test_a_reader_added_meanwhile_refuses_the_settling_and_keeps_what_was_decided(cast: Cast, disputed):
    decide_all(cast, disputed)
    seen = versions_of([disputed])[disputed.pk]
    cleo = new_annotator(cast, "Cleo")
    store(cast, disputed, cleo, SHARED, (4, 40, 18), is_routed=False)
    with pytest.raises(StaleJudgement):
        adjudicating.settle_regions(item=disputed, by=cast.rita, seen=seen)
    assert StaleEdit.objects.filter(what="judgement").count() == 1
    assert current_settlement(disputed) is None
    assert MatterAnswer.objects.count() == 2
    now = desk(cast, disputed)
    assert now.label.open, "what the new reader alone marked is open"


def test_a_reading_that_was_rejected_is_not_carried_out(cast: Cast, disputed):
    found = desk(cast, disputed).sitting
    decide_all(cast, disputed)
    store(cast, disputed, new_annotator(cast, "Cleo"), SHARED, BENS, is_routed=False)
    store(cast, disputed, new_annotator(cast, "Dora"), SHARED, ANNS, is_routed=False)
    review(found.submissions[0], cast.rita, "reject", "not these")
    now = desk(cast, disputed)
    assert all(row.submission_id == found.submissions[0].pk for row in now.outdated)
    assert len(now.outdated) == 2


def test_two_reviewers_keep_their_own_answers_and_the_first_to_settle_counts(cast: Cast, disputed):
    other = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=other, role=Role.REVIEWER, actor="test")
    seen = versions_of([disputed])[disputed.pk]
    found = desk(cast, disputed).sitting
    decide_all(cast, disputed)
    for matter in found.found.matters:
        decide(cast, disputed, matter.key, "ambiguous", by=other)
    settlement = adjudicating.settle_regions(item=disputed, by=cast.rita, seen=seen)
    assert "ignore" not in SettledShape.objects.filter(settlement=settlement).values_list("label", flat=True)
    with pytest.raises(StaleJudgement):
        adjudicating.settle_regions(item=disputed, by=other, seen=seen)
    assert MatterAnswer.objects.filter(reviewer=other).count() == 2


def test_who_else_is_at_the_item_is_told_by_name_but_neither_oneself_nor_who_was_at_it_before(cast: Cast, disputed):
    rolf = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=rolf, role=Role.REVIEWER, actor="test")
    key = desk(cast, disputed).sitting.found.matters[0].key
    for user in (cast.rita, rolf):
        decide(cast, disputed, key, "ambiguous", by=user)
    assert others_at_work(disputed, cast.rita) == ("Rolf",)
    assert others_at_work(disputed, cast.ada) == ("Rita", "Rolf")
    disputed.state_changed_at = timezone.now()
    assert others_at_work(disputed, cast.ada) == (), "it came into review anew"


def test_who_read_the_item_decides_no_region_of_it(cast: Cast, disputed):
    key = desk(cast, disputed).sitting.found.matters[0].key
    store(cast, disputed, cast.rita, SHARED, is_routed=False)
    with pytest.raises(ReviewRefused, match="You read this item yourself"):
        decide(cast, disputed, key, "ambiguous")
    assert not adjudicating.decides_by_region(cast.rita, disputed)
    assert not MatterAnswer.objects.exists()


def test_refusals_store_nothing(cast: Cast, disputed):
    found = desk(cast, disputed).sitting
    key = found.found.matters[0].key
    with pytest.raises(StepRefused, match="no longer in dispute"):
        decide(cast, disputed, "0" * 32, "ambiguous")
    with pytest.raises(StepRefused, match="no longer speaks"):
        decide(cast, disputed, key, "reader", submission=10**9)
    with pytest.raises(ReviewRefused, match="is no choice"):
        decide(cast, disputed, key, "whatever")
    with pytest.raises(ReviewRefused, match="Say which reading"):
        decide(cast, disputed, key, "reader")
    for strokes in (
        [],
        "x",
        [{"mode": "add", "label": "nucleus", "z": 0, "points": [[0, 0], [1, float("nan")], [2, 2]]}],
        [{"mode": "add", "label": "", "z": 0, "points": [[0, 0], [1, 1], [2, 2]]}],
        [{"mode": "add", "label": "nucleus", "z": 0, "points": [[0, 0]] * 5000}],
        [{"mode": "fill", "label": "nucleus", "z": 0, "points": [[0, 0], [1, 1], [2, 2]]}],
    ):
        with pytest.raises(ReviewRefused):
            decide(cast, disputed, key, "drawn", strokes=strokes)
    stranger = [{"mode": "add", "label": "unicorn", "z": 0, "points": [[0, 0], [1, 1], [2, 0]]}]
    with pytest.raises(StepRefused, match="unicorn"):
        decide(cast, disputed, key, "drawn", strokes=stranger)
    for person in (cast.ann, cast.ben):
        with pytest.raises((NotAllowed, NotFound)):
            decide(cast, disputed, key, "ambiguous", by=person)
    with pytest.raises(NotFound):
        decide(cast, disputed, key, "ambiguous", by=cast.otto)
    assert not MatterAnswer.objects.exists()


def test_a_panel_votes_on_whole_readings(cast: Cast, disputed):
    key = desk(cast, disputed).sitting.found.matters[0].key
    set_policy(cast, readers=2, max_readers=2, panel_reviewers=3)
    with pytest.raises(StepRefused, match="a panel votes"):
        decide(cast, disputed, key, "ambiguous")
    with pytest.raises(StepRefused, match="a panel votes"):
        adjudicating.settle_regions(item=disputed, by=cast.rita)
    assert not adjudicating.decides_by_region(cast.rita, disputed)
