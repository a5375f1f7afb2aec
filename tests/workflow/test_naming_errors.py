"""A reviewer names errors of single objects: proposed, confirmed, changed, removed; who is told what of it.

Planted and seen to fail: a proposal that counts without anybody's word; an earlier word that counts beside the later; a blind
author told the class or the side; a panel member's names shown before one's own vote; one reader's word on another's shape
of the same name; a word that cannot be taken back; a word on an item that was taken out; the first word shown in
place of the last; one object more, or fewer, than are taken at once.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from labelhub.analytics.labeler_errors import errors_of
from labelhub.analytics.labeler_standings import standings_of
from labelhub.audit.models import Event
from labelhub.consensus.regions import forget_sittings
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_policy
from labelhub.reviews.error_models import Appraisal, ObjectVerdict
from labelhub.reviews.selectors import own_comments
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.verdicts import MOST_AT_ONCE, Judged, errors_returned, keep_verdicts, own_errors
from labelhub.workflow import adjudicating, lifecycle, naming_errors
from labelhub.workflow.errors import ItemExcluded, StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, read, review, set_policy, store, take

pytestmark = pytest.mark.django_db
SHARED, SMALL, ANNS, BENS = (8, 8, 16), (12, 12, 8), (36, 8, 14), (36, 38, 14)


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_sittings()


@pytest.fixture
def disputed(cast: Cast):
    """Cleo and Ben agree on two squares; Ann drew one of them too small, missed the other, and has one of her own."""
    set_policy(cast, readers=3, max_readers=3, slip_agreement=0.0)
    item = add_item(cast.project)
    mine = store(cast, item, cast.ann, SMALL, ANNS, is_routed=False)
    store(cast, item, cast.ben, SHARED, BENS, is_routed=False)
    store(cast, item, new_annotator(cast, "Cleo"), SHARED, BENS, is_routed=False)
    lifecycle.score_and_route(item=item)
    item.refresh_from_db()
    return item, mine


def of(item, by, submission) -> naming_errors.ReadingErrors:
    desk = naming_errors.errors_on_desk(item, by)
    return next(entry for entry in desk.readings if entry.submission == submission)


def judge(item, by, submission, kinds: dict[str, str], **rest):
    return naming_errors.judge_objects(
        item=item, by=by, submission=submission.pk, kinds=kinds, request_id=rest.get("request_id", uuid.uuid4())
    )


def counts(cast: Cast) -> dict[str, int]:
    return {entry.kind: entry.n_errors for entry in errors_of(labeler(cast, cast.ann))}


def test_a_proposal_is_nobodys_word_until_it_is_confirmed_and_the_last_word_counts(cast: Cast, disputed):
    item, mine = disputed
    found = of(item, cast.rita, mine)
    kinds = {error.kind: error.key for error in found.errors}
    assert set(kinds) == {"boundary", "extra", "missing"}
    assert counts(cast) == {}
    again = uuid.uuid4()
    judge(item, cast.rita, mine, {key: kind for kind, key in kinds.items()}, request_id=again)
    judge(item, cast.rita, mine, {key: kind for kind, key in kinds.items()}, request_id=again)
    assert ObjectVerdict.objects.count() == 3
    assert counts(cast) == {"boundary": 1, "extra": 1, "missing": 1}
    judge(item, cast.rita, mine, {kinds["extra"]: "wrong class"})
    judge(item, cast.rita, mine, {kinds["missing"]: "none"})
    assert counts(cast) == {"boundary": 1, "wrong class": 1}
    said = of(item, cast.rita, mine).said
    assert {kind: said[key].kind for kind, key in kinds.items()} == {
        "boundary": "boundary", "extra": "wrong class", "missing": "none",
    }  # fmt: skip
    assert ObjectVerdict.objects.count() == 5, "nothing is changed, and nothing is lost"
    row = ObjectVerdict.objects.filter(kind="wrong class").get()
    assert (row.proposed, row.label_given, row.size, row.unit) == ("extra", "nucleus", 196.0, "px")
    events = Event.objects.filter(kind="objects.judged", subject=f"submission:{mine.pk}").order_by("pk")
    assert [event.facts["kinds"] for event in events][1:] == [{"wrong class": 1}, {"none": 1}]
    named = errors_of(labeler(cast, cast.ann))[0]
    assert (named.share.n, named.share.value, named.items) == (1, 1.0, (item.code,))
    assert 0 <= named.share.low < named.share.high <= 1


def test_errors_follow_the_label_that_the_reviewer_decides_and_then_the_settled_one(cast: Cast, disputed):
    item, mine = disputed
    desk = adjudicating.desk_of(item, cast.rita)
    only_ann = next(
        matter for matter in desk.sitting.found.matters if matter.says[0].shares and not matter.says[1].shares
    )
    place = desk.sitting.reader_of(mine.pk)
    assert place is not None
    extra = next(error for error in of(item, cast.rita, mine).errors if error.kind == "extra")
    adjudicating.answer_matter(
        item=item, by=cast.rita, key=only_ann.key, choice="reader", submission=mine.pk, request_id=uuid.uuid4()
    )
    now = of(item, cast.rita, mine)
    assert extra.key not in {error.key for error in now.errors}
    assert extra.key in {error.key for error in now.right}
    assert naming_errors.errors_on_desk(item, cast.rita).against == "the label as you decided so far"
    lifecycle.settle(item=item, reason="x", by=cast.rita, submission=mine)
    after = naming_errors.errors_on_desk(item, cast.rita)
    assert after.against == "the settled label"
    assert of(item, cast.rita, mine).errors == ()


def test_an_author_is_told_sorts_of_errors_and_more_only_where_the_policy_shows_others_answers(cast: Cast, disputed):
    item, mine = disputed
    errors = of(item, cast.rita, mine).errors
    judge(item, cast.rita, mine, {error.key: str(error.kind) for error in errors})
    review(mine, cast.rita, "reject", "Look again.")
    work = take(cast, cast.ann)
    _, policy = current_policy(cast.project)
    told = errors_returned(work, policy)
    assert told == ("where an object ends, 1 time", "which objects there are, 2 times")
    set_policy(cast, readers=3, max_readers=3, show_other_answers_on_rework=True)
    told = errors_returned(work, current_policy(cast.project)[1])
    assert sorted(told) == ["Boundary: nucleus, 64 px", "Extra: nucleus, 196 px", "Missing: nucleus, 196 px"]
    assert errors_returned(store(cast, item, cast.ben, SHARED, version=2).assignment, policy) == ()


def test_a_single_reading_has_nothing_to_be_compared_with_and_can_be_named_all_the_same(cast: Cast):
    set_policy(cast, readers=1, review_share=1.0)
    add_item(cast.project)
    mine = read(cast, cast.ann, SHARED)
    item = mine.assignment.item
    found = of(item, cast.rita, mine)
    assert (found.errors, len(found.right)) == ((), 1)
    assert naming_errors.errors_on_desk(item, cast.rita).against == "nothing yet"
    judge(item, cast.rita, mine, {found.right[0].key: "boundary"})
    assert counts(cast) == {"boundary": 1}


def test_what_cannot_be_named_is_refused_and_stores_nothing(cast: Cast, disputed):
    item, mine = disputed
    errors = of(item, cast.rita, mine).errors
    with pytest.raises(StepRefused, match="no longer there"):
        judge(item, cast.rita, mine, {"0" * 32: "extra"})
    with pytest.raises(ReviewRefused, match="no kind of error"):
        judge(item, cast.rita, mine, {errors[0].key: "ugly"})
    with pytest.raises(ReviewRefused, match="at once"):
        judge(item, cast.rita, mine, {})
    for user in (cast.ann, cast.ben, cast.otto):
        with pytest.raises((NotAllowed, NotFound)):
            judge(item, user, mine, {errors[0].key: "extra"})
    store(cast, item, cast.rita, SHARED, is_routed=False)
    with pytest.raises(ReviewRefused, match="read this item yourself"):
        judge(item, cast.rita, mine, {errors[0].key: "extra"})
    assert not ObjectVerdict.objects.exists()


def test_as_many_objects_as_are_taken_at_once_are_kept_and_not_one_more(cast: Cast, disputed):
    item, mine = disputed
    one = Judged("", "extra", "", "nucleus", "", 0, 9.0, "px", 0, 0, (0, 1, 1), None, "px", "m", "1")

    def keep(n: int):
        return keep_verdicts(
            item=item,
            submission=mine,
            reviewer=cast.rita,
            judged=[replace(one, key=f"{number:032d}") for number in range(n)],
            request_id=uuid.uuid4(),
        )

    with pytest.raises(ReviewRefused, match=f"from 1 to {MOST_AT_ONCE} objects"):
        keep(MOST_AT_ONCE + 1)
    assert not ObjectVerdict.objects.exists()
    assert len(keep(MOST_AT_ONCE)) == MOST_AT_ONCE


def test_a_request_is_heard_once_and_is_nobody_elses(cast: Cast, disputed):
    item, mine = disputed
    first, second, *_ = of(item, cast.rita, mine).errors
    again = uuid.uuid4()
    rows = judge(item, cast.rita, mine, {first.key: "extra"}, request_id=again)
    assert judge(item, cast.rita, mine, {second.key: "split"}, request_id=again) == rows
    with pytest.raises(ReviewRefused, match="used for another judgement"):
        judge(item, cast.ada, mine, {first.key: "extra"}, request_id=again)
    assert ObjectVerdict.objects.count() == 1


def test_an_author_is_told_nothing_of_what_is_no_error_or_is_anothers(cast: Cast, disputed):
    item, mine = disputed
    first, second, *_ = of(item, cast.rita, mine).errors
    judge(item, cast.rita, mine, {first.key: "none", second.key: "split"})
    own = [own_errors(labeler(cast, cast.ann), mine, is_exact=exact) for exact in (True, False)]
    assert [len(told) for told in own] == [1, 1]
    assert own[0][0].startswith("Split: ")
    assert own[1] == ("which objects there are, 1 time",)
    assert own_errors(labeler(cast, cast.ben), mine, is_exact=True) == ()


def test_a_word_on_one_reading_is_none_on_another_whose_shape_has_the_same_name(cast: Cast, disputed):
    item, mine = disputed
    first = of(item, cast.rita, mine)
    key = next(error.key for error in (*first.errors, *first.right) if error.given == ("s1",))
    judge(item, cast.rita, mine, {key: "boundary"})
    theirs = [entry for entry in naming_errors.errors_on_desk(item, cast.rita).readings if entry.submission != mine]
    assert all(key in {error.key for error in (*entry.errors, *entry.right)} for entry in theirs)
    assert [entry.said for entry in theirs] == [{}, {}]


def test_a_word_can_be_taken_back_when_the_label_no_longer_shows_its_object(cast: Cast, disputed):
    item, mine = disputed
    missing = next(error for error in of(item, cast.rita, mine).errors if error.kind == "missing")
    judge(item, cast.rita, mine, {missing.key: "missing"})
    lifecycle.settle(item=item, reason="x", by=cast.rita, submission=mine)
    item.refresh_from_db()
    after = of(item, cast.rita, mine)
    assert missing.key not in {error.key for error in (*after.errors, *after.right)}
    judge(item, cast.rita, mine, {missing.key: "none"})
    assert counts(cast) == {}
    row = ObjectVerdict.objects.latest("pk")
    assert (row.kind, row.proposed, row.size, row.label_accepted) == ("none", "", missing.size, "nucleus")


def test_nothing_is_named_on_an_item_that_was_taken_out(cast: Cast, disputed):
    item, mine = disputed
    key = of(item, cast.rita, mine).errors[0].key
    lifecycle.exclude(item=item, by=cast.ada, reason="Blurred.")
    item.refresh_from_db()
    with pytest.raises(ItemExcluded):
        judge(item, cast.rita, mine, {key: "extra"})
    assert not ObjectVerdict.objects.exists()


def test_while_a_panel_votes_nobody_sees_what_another_member_named(cast: Cast, disputed):
    item, mine = disputed
    set_policy(cast, readers=3, max_readers=3, panel_reviewers=3)
    assert naming_errors.errors_on_desk(item, cast.rita).against == "the readers together", "nobody decides its regions"
    error = of(item, cast.rita, mine).errors[0]
    judge(item, cast.rita, mine, {error.key: "split"})
    assert of(item, cast.rita, mine).said[error.key].kind == "split"
    assert of(item, cast.ada, mine).said == {}
    assert counts(cast) == {}, "it counts once the panel has decided"
    lifecycle.accept_readers(item=item, reason="x", by=cast.ada)
    assert of(item, cast.ada, mine).said[error.key].kind == "split"


def test_who_settles_by_region_says_how_good_each_reading_is(cast: Cast, disputed):
    """Planted and seen to fail: a score kept although the settling is refused; a score that the author is not told."""
    item, mine = disputed
    said = {mine.pk: adjudicating.Said(3, "Too small."), mine.pk + 10**6: adjudicating.Said(None, " ")}
    with pytest.raises(StepRefused, match="still open"):
        adjudicating.settle_regions(item=item, by=cast.rita, said=said)
    for matter in adjudicating.desk_of(item, cast.rita).sitting.found.matters:
        adjudicating.answer_matter(item=item, by=cast.rita, key=matter.key, choice="consensus", request_id=uuid.uuid4())
    with pytest.raises(ReviewRefused, match="outside 0 to 10"):
        adjudicating.settle_regions(item=item, by=cast.rita, said={mine.pk: adjudicating.Said(11)})
    with pytest.raises(ReviewRefused, match="no longer speaks"):
        adjudicating.settle_regions(item=item, by=cast.rita, said={mine.pk + 10**6: adjudicating.Said(1)})
    with pytest.raises(ReviewRefused, match="longer than"):
        adjudicating.settle_regions(item=item, by=cast.rita, said={mine.pk: adjudicating.Said(None, "x" * 10_001)})
    assert not Appraisal.objects.exists()
    adjudicating.settle_regions(item=item, by=cast.rita, said=said)
    assert [(row.submission, row.score, row.comment) for row in Appraisal.objects.all()] == [(mine, 3, "Too small.")]
    assert Event.objects.get(kind="reading.appraised").subject == f"submission:{mine.pk}"
    (own,) = own_comments(labeler(cast, cast.ann), item)
    assert (own.verdict, own.score, own.comment) == ("", 3, "Too small.")
    assert own_comments(labeler(cast, cast.ben), item) == ()
    mean = next(row for row in standings_of(cast.project).rows if row.labeler.user_id == cast.ann.pk).review
    assert (mean.estimate.value, mean.estimate.n) == (3.0, 1)
