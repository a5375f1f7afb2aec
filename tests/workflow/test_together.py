"""Labeling one image together: who may join, one working copy and one reading of it, and what joining costs.

Planted once and seen to fail: a seat in a solo batch; a stranger let in; the seat not asked at a write; one who sat there given
the image alone; a seat that outlives leaving; the image read by as many as the policy says; who left brought back by a recall;
who is paused; work taken back that nobody may join.
"""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from labelhub.accounts.models import Notification
from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Submission
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment, Companion
from labelhub.audit.models import Event
from labelhub.catalog.models import READ_ONCE, Item
from labelhub.projects import teams
from labelhub.projects.permissions import Action, NotFound, can
from labelhub.projects.selectors import labeler_of
from labelhub.reviews.selectors import has_read
from labelhub.scoring import exams
from labelhub.workflow import lifecycle, pausing, together
from labelhub.workflow.auditing import items_to_audit
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, new_annotator, set_policy, submit

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30]]


@pytest.fixture
def item(cast: Cast) -> Item:
    set_policy(cast, readers=3, max_readers=3)
    item = add_item(cast.project)
    make_batch(project=cast.project, name="Together", items=[item], by="test", is_shared=True)
    return item


@pytest.fixture
def work(cast: Cast, item: Item) -> Assignment:
    found = lifecycle.hand_out(labeler=labeler_of(cast.ann, cast.project))
    assert found is not None
    return found


def add_shape(work: Assignment, user, shape_id: str = "a"):
    payload = {
        "shape_id": shape_id, "medium": 0, "label": "nucleus", "regions": [{"kind": "polygon", "points": SQUARE}],
    }  # fmt: skip
    operation = {"op_id": str(uuid.uuid4()), "client_seq": 1, "kind": "shape.add", "payload": payload}
    return log.append_operations(
        document=documents.document_of(assignment=work), author=user, client_id=uuid.uuid4(), operations=[operation]
    )


def test_who_joins_draws_in_the_same_copy_and_any_of_them_submits_it_for_all(cast: Cast, item, work):
    with pytest.raises(NotFound):
        add_shape(work, cast.ben)
    together.join(assignment=work, by=cast.ben)
    together.join(assignment=work, by=cast.ben)
    assert Companion.objects.count() == 1
    assert Event.objects.filter(kind="companion.joined").count() == 1
    assert add_shape(work, cast.ann, "a").head_seq == 1
    assert add_shape(work, cast.ben, "b").head_seq == 2
    authors = {shape.author for shape in history.state_of(documents.document_of(assignment=work)).standing_shapes()}
    assert authors == {str(cast.ann.public_id), str(cast.ben.public_id)}
    lifecycle.submit(assignment=work, by=cast.ben, request_id=uuid.uuid4())
    frozen = Submission.objects.get()
    assert (frozen.read_kind, frozen.planned_blind, frozen.annotations.count()) == ("co-edited", False, 2)
    assert Item.objects.get(pk=item.pk).reads_taken == 1


def test_a_shared_image_is_read_once_whatever_the_policy_says(cast: Cast, item, work):
    assert lifecycle.hand_out(labeler=labeler_of(cast.ben, cast.project)) is None
    together.join(assignment=work, by=cast.ben)
    add_shape(work, cast.ben)
    submit(work, cast.ann)
    assert Item.objects.get(pk=item.pk).state in ("settled", "review")


def test_nobody_sits_down_where_work_is_done_alone_or_is_not_theirs_to_see(cast: Cast, work):
    add_item(cast.project)
    alone = lifecycle.hand_out(labeler=labeler_of(cast.ben, cast.project))
    assert alone is not None
    assert alone.read_kind == "independent"
    for user, wanted in ((cast.ann, alone), (cast.otto, work)):
        with pytest.raises(NotFound):
            together.join(assignment=wanted, by=user)
    # The page that asks whether to join already names who sits there.
    with pytest.raises(NotFound):
        together.work_to_join(cast.otto, work.pk)
    assert Companion.objects.count() == 0


def test_the_entry_exam_comes_before_shared_work(cast: Cast, work):
    set_policy(cast, exam_items=2)
    with pytest.raises(StepRefused) as refusal:
        together.join(assignment=work, by=cast.ben)
    assert (refusal.value.code, work.companions.count()) == ("exam-first", 0)
    exams.rule(labeler=labeler_of(cast.ben, cast.project), verdict="admitted", reason="known", by="user:1")
    together.join(assignment=work, by=cast.ben)


def test_a_handed_over_draft_is_no_shared_image(cast: Cast, item, work):
    Assignment.objects.filter(pk=work.pk).update(item=add_item(cast.project))
    with pytest.raises(NotFound):
        together.join(assignment=work, by=cast.ben)


def test_seats_are_counted_qualified_and_given_back(cast: Cast, item, work, monkeypatch):
    monkeypatch.setattr(together, "MOST_AT_ONE_IMAGE", 2)
    together.join(assignment=work, by=cast.ben)
    cleo = new_annotator(cast, "Cleo")
    with pytest.raises(StepRefused) as refusal:
        together.join(assignment=work, by=cleo)
    assert refusal.value.code == "seats-taken"
    together.leave(assignment=work, by=cast.ben)
    together.leave(assignment=work, by=cast.ben)
    assert Event.objects.filter(kind="companion.left").count() == 1
    assert not can(cast.ben, Action.LABEL, work)
    with pytest.raises(NotFound):
        add_shape(work, cast.ben)
    together.join(assignment=work, by=cleo)
    teams.set_qualifications(labeler=labeler_of(cast.ann, cast.project), names=["radiologist"], by="test")
    from labelhub.assignments.batches import batches_of, change_batch

    batch = batches_of(cast.project).get()
    change_batch(batch=batch, priority=0, due_at=None, qualification="radiologist", by="test")
    monkeypatch.setattr(together, "MOST_AT_ONE_IMAGE", 8)
    with pytest.raises(StepRefused) as refusal:
        together.join(assignment=work, by=cast.ben)
    assert refusal.value.code == "not-qualified"
    assert together.shared_work(labeler_of(cast.ben, cast.project)) == ()


def test_who_sat_there_never_reads_it_alone_and_does_not_review_it(cast: Cast, item, work):
    set_policy(cast, readers=1, max_readers=3, audit_share=1.0, audit_least=1)
    together.join(assignment=work, by=cast.ben)
    add_shape(work, cast.ben)
    together.leave(assignment=work, by=cast.ben)
    submit(work, cast.ann)
    assert has_read(cast.ben, item)
    from labelhub.projects.selectors import current_policy

    policy = current_policy(cast.project)[1]
    assert item.pk not in items_to_audit(labeler_of(cast.ben, cast.project), policy)
    Item.objects.filter(pk=item.pk).update(state="waiting", wanted_reads=3)
    assert lifecycle.hand_out(labeler=labeler_of(cast.ben, cast.project)) is None
    cleo = new_annotator(cast, "Cleo")
    assert lifecycle.hand_out(labeler=labeler_of(cleo, cast.project)) is not None


def test_the_pages_ask_first_and_show_who_is_there(cast: Cast, item, work):
    browser = Client()
    browser.force_login(cast.ben)
    queue = browser.get("/label/").content.decode()
    assert "Labeled together now" in queue
    assert item.code in queue
    asked = browser.get(f"/label/{work.pk}/")
    assert asked.status_code == 302
    assert b"Ann" in browser.get(asked["Location"]).content
    assert browser.get(f"/api/v1/assignments/{work.pk}/document/").status_code == 404
    assert browser.post(f"/label/{work.pk}/join/").status_code == 302
    page = browser.get(f"/label/{work.pk}/").content.decode()
    assert 'data-shared="yes"' in page
    assert 'id="skip"' not in page
    assert browser.get(f"/api/v1/assignments/{work.pk}/document/").status_code == 200
    assert (
        browser.post(f"/label/{work.pk}/skip/", b'{"reason":"x"}', content_type="application/json").status_code == 404
    )
    assert browser.post(f"/label/{work.pk}/leave/").status_code == 302
    assert browser.get(f"/api/v1/assignments/{work.pk}/document/").status_code == 404


def test_an_image_that_leaves_a_shared_batch_is_read_by_several_again(cast: Cast, item):
    assert Item.objects.get(pk=item.pk).overlap_draw == READ_ONCE
    make_batch(project=cast.project, name="Alone", items=[item], by="test")
    assert Item.objects.get(pk=item.pk).overlap_draw < READ_ONCE


def test_who_joined_is_not_offered_what_only_the_one_who_began_can_do(cast: Cast, item, work):
    together.join(assignment=work, by=cast.ben)
    add_shape(work, cast.ben)
    submit(work, cast.ann)
    for user, is_offered in ((cast.ann, True), (cast.ben, False)):
        browser = Client()
        browser.force_login(user)
        page = browser.get(f"/label/{work.pk}/").content.decode()
        assert (f"/label/{work.pk}/recall/" in page) is is_offered
        assert ("Only Ann, who began it, can take it back" in page) is not is_offered


def test_taking_shared_work_back_brings_all_back_who_sat_there(cast: Cast, item, work):
    cleo, dan = new_annotator(cast, "Cleo"), new_annotator(cast, "Dan")
    for user in (cast.ben, cleo, dan):
        together.join(assignment=work, by=user)
    add_shape(work, cast.ben)
    together.leave(assignment=work, by=dan)
    submit(work, cast.ann)
    pausing.pause(labeler=labeler_of(cleo, cast.project), reason="test", by=cast.ada)
    again = lifecycle.recall(assignment=work, by=cast.ann)
    assert lifecycle.recall(assignment=work, by=cast.ann) == again
    seats = Companion.objects.filter(assignment=again, left_at=None)
    assert [seat.labeler.user for seat in seats] == [cast.ben], "Dan left before, Cleo is paused"
    (event,) = Event.objects.filter(kind="submission.recalled")
    assert event.facts["companions"] == [labeler_of(cast.ben, cast.project).pk]
    assert list(Notification.objects.values_list("user", "text")) == [
        (cast.ben.pk, f"Ann took {item.code} back, which you labeled together. You sit at it again.")
    ]
    add_shape(again, cast.ben, "b")
    assert not can(dan, Action.LABEL, again)
    (found,) = together.shared_work(labeler_of(cast.ben, cast.project))
    assert (found.id, found.names, found.is_mine) == (again.pk, ("Ann", "Ben"), True)
    together.join(assignment=again, by=dan)
    browser = Client()
    browser.force_login(cast.ben)
    assert "Ann took this image back" in browser.get(f"/label/{again.pk}/").content.decode()
    second = submit(again, cast.ben)
    assert second.annotations.count() == 2
    assert has_read(cast.ben, item)
    third = lifecycle.recall(assignment=again, by=cast.ann)
    assert Companion.objects.filter(assignment=third).count() == 2
