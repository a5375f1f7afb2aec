"""Work whose time ended is taken again by its author, with the draft as it was, while the item still wants a reader."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labelhub.annotations import documents, history
from labelhub.assignments.errors import NotOpen
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.projects.models import Role
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import current_guideline
from labelhub.projects.services import add_member, publish_guideline
from labelhub.workflow import lifecycle, placement
from labelhub.workflow.errors import GuidelineUnread, StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, draw, new_annotator, read, review, set_policy, state, store, submit, take

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=3)


def expired(cast: Cast, user=None, *squares) -> Assignment:
    """Work that its author began, drew into and let run out."""
    late = take(cast, user or cast.ann)
    draw(late, user or cast.ann, *(squares or (SQUARE,)))
    assert lifecycle.expire_leases(now=timezone.now() + timedelta(hours=2)) == 1
    late.refresh_from_db()
    return late


def test_the_author_takes_it_again_with_the_draft_as_it_was_and_submits(cast: Cast):
    item = add_item(cast.project)
    late = expired(cast)
    assert state(item) == "waiting"
    again = lifecycle.take_again(assignment=late, by=cast.ann)
    assert (again.pk, again.state, again.planned_blind) == (late.pk, "open", True)
    assert again.fence > late.fence
    assert again.lease_until > timezone.now()
    assert state(item) == "reading"
    assert len(history.state_of(documents.document_of(assignment=again)).standing_shapes()) == 1
    assert Event.objects.filter(kind="assignment.taken_again", subject=f"item:{item.pk}").count() == 1
    assert submit(again, cast.ann).annotations.count() == 1


def test_taking_it_twice_is_taking_it_once(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    first = lifecycle.take_again(assignment=late, by=cast.ann)
    second = lifecycle.take_again(assignment=late, by=cast.ann)
    assert (first.pk, first.fence) == (second.pk, second.fence)
    assert Event.objects.filter(kind="assignment.taken_again").count() == 1


def test_nobody_else_takes_it(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    for user, refusal in ((cast.ben, NotFound), (cast.otto, NotFound), (cast.rita, NotAllowed), (cast.ada, NotAllowed)):
        with pytest.raises((refusal, NotFound)):
            lifecycle.take_again(assignment=late, by=user)
    late.refresh_from_db()
    assert late.state == "expired"


def test_an_item_that_wants_no_reader_any_more_is_not_taken_and_the_draft_is_kept(cast: Cast):
    item = add_item(cast.project)
    late = expired(cast)
    for name in ("Cleo", "Dan"):
        read(cast, new_annotator(cast, name), SQUARE)
    assert state(item) == "settled"
    with pytest.raises(StepRefused, match="draft is kept") as refusal:
        lifecycle.take_again(assignment=late, by=cast.ann)
    assert refusal.value.code == "no-longer-wanted"
    assert len(history.state_of(documents.document_of(assignment=late)).standing_shapes()) == 1


def test_places_that_others_hold_are_not_taken_from_them(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    take(cast, cast.ben)
    take(cast, new_annotator(cast, "Cleo"))
    with pytest.raises(StepRefused):
        lifecycle.take_again(assignment=late, by=cast.ann)


def test_a_read_that_is_taken_again_after_others_disagreed_is_no_longer_a_planned_one(cast: Cast):
    set_policy(cast, readers=2, max_readers=4)
    item = add_item(cast.project)
    late = expired(cast)
    read(cast, cast.ben, SQUARE)
    read(cast, new_annotator(cast, "Cleo"), OTHER)
    assert state(item) == "reading"
    again = lifecycle.take_again(assignment=late, by=cast.ann)
    assert not again.planned_blind


def test_gold_is_taken_again_whatever_others_said_of_it(cast: Cast, monkeypatch):
    item = add_item(cast.project)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    monkeypatch.setattr(placement, "is_gold_due", lambda *_: True)
    late = expired(cast)
    read(cast, cast.ben, SQUARE)
    assert lifecycle.take_again(assignment=late, by=cast.ann).planned_blind


def test_returned_work_whose_week_is_over_is_with_a_reviewer(cast: Cast):
    set_policy(cast, readers=1, max_readers=2)
    item = add_item(cast.project)
    submission = read(cast, cast.ann, SQUARE)
    review(submission, cast.rita, "reject", "Too large.")
    assert lifecycle.expire_leases(now=timezone.now() + timedelta(days=8)) == 1
    assert state(item) == "review"
    with pytest.raises(StepRefused):
        lifecycle.take_again(assignment=Assignment.objects.get(read_kind="rework"), by=cast.ann)


def test_closed_work_excluded_items_and_unread_instructions_are_refused(cast: Cast):
    item, other = add_item(cast.project), add_item(cast.project)
    submission = read(cast, cast.ann, SQUARE)
    with pytest.raises(NotOpen):
        lifecycle.take_again(assignment=submission.assignment, by=cast.ann)
    late = expired(cast)
    lifecycle.exclude(item=late.item, by=cast.ada, reason="blurred")
    with pytest.raises(StepRefused):
        lifecycle.take_again(assignment=late, by=cast.ann)
    assert {item.pk, other.pk} == {submission.assignment.item_id, late.item_id}


def test_changed_instructions_are_read_first(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    publish_guideline(project=cast.project, text="Anew.", by=cast.ada)
    assert current_guideline(cast.project).text == "Anew."
    with pytest.raises(GuidelineUnread):
        lifecycle.take_again(assignment=late, by=cast.ann)


def test_whoever_sees_all_labels_since_does_not_go_on_blind(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    add_member(project=cast.project, user=cast.ann, role=Role.ADMIN, actor="test")
    with pytest.raises(StepRefused):
        lifecycle.take_again(assignment=late, by=cast.ann)


# The page -------------------------------------------------------------------------------------------------------------


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_asks_and_its_button_takes_it_again(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    client = client_of(cast.ann)
    page = client.get(reverse("label-workspace", args=[late.pk])).content.decode()
    assert "Your time on this image ended. Your draft is kept. Take it again?" in page
    address = reverse("label-again", args=[late.pk])
    assert f'action="{address}"' in page
    answer = client.post(address)
    assert (answer.status_code, answer["Location"]) == (302, reverse("label-workspace", args=[late.pk]))
    late.refresh_from_db()
    assert late.state == "open"
    assert "Take it again?" not in client.get(reverse("label-workspace", args=[late.pk])).content.decode()


def test_the_page_says_what_happened_where_it_is_too_late(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    take(cast, cast.ben)
    take(cast, new_annotator(cast, "Cleo"))
    answer = client_of(cast.ann).post(reverse("label-again", args=[late.pk]), follow=True)
    assert answer.status_code == 200
    assert "draft is kept" in answer.content.decode()
    assert answer.redirect_chain[0][0].startswith(reverse("label-queue"))


def test_the_button_is_nobody_elses(cast: Cast):
    add_item(cast.project)
    late = expired(cast)
    address = reverse("label-again", args=[late.pk])
    for user in (cast.ben, cast.otto):
        assert client_of(user).post(address).status_code in (403, 404)
    assert client_of(cast.ann).get(address).status_code == 405
    assert Client().post(address).status_code in (302, 401, 403)
    late.refresh_from_db()
    assert late.state == "expired"
