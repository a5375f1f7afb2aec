"""Pins of a working copy: who sets, reads and answers them, that a retry is the same act, and that none unblinds anybody.

Planted once and seen to fail: the pins of an item in place of a working copy's; one's own pin taken for a look at others'
readings; a late turn that counts again; a reviewer's word shown against the policy; a name in blind review; pins listed to who
may still read the item blind; a pin set in work that is closed.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labelhub.annotations.errors import AnnotationRefused
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment, Companion
from labelhub.audit.models import Event
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.selectors import labeler_of
from labelhub.reviews import pins, thread_list, threads
from labelhub.reviews.models import Comment, Thread
from labelhub.reviews.pins import Place
from labelhub.reviews.pseudonyms import veil_of
from labelhub.reviews.selectors import has_judged
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.sightings import keep_sighting, knows_others
from labelhub.reviews.thread_list import Wanted
from labelhub.web.blind_review import veil_threads
from labelhub.workflow import together
from tests.cast import Cast, make_cast
from tests.workflow.walking import SIZE, add_item, draw, set_policy, submit, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
HERE = Place(0, 12.5, 20.0, 0)


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=2)
    return made


@pytest.fixture
def shared(cast: Cast) -> Assignment:
    """An image that Ann and Ben label together."""
    make_batch(project=cast.project, name="Together", items=[add_item(cast.project)], by="test", is_shared=True)
    work = take(cast, cast.ann)
    together.join(assignment=work, by=cast.ben)
    return work


@pytest.fixture
def alone(cast: Cast) -> tuple[Assignment, Assignment]:
    """One image that Ann and Ben read each for themselves."""
    add_item(cast.project)
    return take(cast, cast.ann), take(cast, cast.ben)


def pin(work: Assignment, by: Any, text: str = "Look.", place: Place = HERE, **rest: Any) -> Thread:
    given = {"request_id": uuid.uuid4()} | rest
    return pins.open_pin(assignment=work, by=by, place=place, text=text, **given)


def seen_by(user: Any, work: Assignment) -> list[list[tuple[str, str]]]:
    return [[(remark.who, remark.text) for remark in view.said] for view in pins.pins_of(user, work)]


def test_who_labels_together_sees_pins_with_names_and_answers(cast: Cast, shared: Assignment):
    pin(shared, cast.ann, "A nucleus?")
    (view,) = pins.pins_of(cast.ben, shared)
    assert (view.place, view.is_resolved) == (HERE, False)
    pins.answer_pin(assignment=shared, pin=view.id, by=cast.ben, text="Debris.", request_id=uuid.uuid4())
    assert seen_by(cast.ann, shared) == [[("You", "A nucleus?"), ("Ben", "Debris.")]]
    assert seen_by(cast.ben, shared) == [[("Ann", "A nucleus?"), ("You", "Debris.")]]
    names = {labeler_of(user, cast.project).pk for user in (cast.ann, cast.ben)}
    told = Event.objects.filter(kind__in=["thread.opened", "comment.written"]).values_list("actor", flat=True)
    assert set(told) == {f"labeler:{pk}" for pk in names}


def test_a_pin_lies_on_the_image_up_to_its_edge_and_no_further(cast: Cast, shared: Assignment):
    for x, y in ((0.0, 0.0), (float(SIZE), float(SIZE))):
        pin(shared, cast.ann, place=Place(0, x, y, 0))
    for place in (Place(0, SIZE + 0.1, 0, 0), Place(0, 0, -0.1, 0), Place(0, 1, 1, 1), Place(1, 1, 1, 0)):
        with pytest.raises(ReviewRefused, match="not on the image"):
            pin(shared, cast.ann, place=place)
    assert len(pins.pins_of(cast.ann, shared)) == 2


def test_an_image_holds_as_many_pins_as_it_may_and_not_one_more(cast: Cast, shared: Assignment, monkeypatch):
    monkeypatch.setattr(pins, "MOST_PINS", 2)
    for _ in range(2):
        pin(shared, cast.ann)
    with pytest.raises(ReviewRefused, match="holds 2 pins") as refusal:
        pin(shared, cast.ben)
    assert (refusal.value.code, Thread.objects.count()) == ("too-many-pins", 2)


def test_nobody_who_reads_the_same_image_alone_sees_a_pin_of_another(cast: Cast, alone):
    set_policy(cast, readers=2, authors_read_comments=True)
    by_ann, by_ben = alone
    opened = pin(by_ann, cast.ann, "I see a nucleus.")
    assert pins.pins_of(cast.ben, by_ben) == ()
    (view,) = pins.pins_of(cast.ann, by_ann)
    acts = [
        lambda: pin(by_ann, cast.ben),
        lambda: pins.answer_pin(assignment=by_ann, pin=view.id, by=cast.ben, text="No.", request_id=uuid.uuid4()),
        lambda: pins.answer_pin(assignment=by_ben, pin=view.id, by=cast.ben, text="No.", request_id=uuid.uuid4()),
        lambda: pins.turn_pin(
            assignment=by_ben, pin=view.id, by=cast.ben, is_resolved=True, seen=view.newest, request_id=uuid.uuid4()
        ),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()
    for user in (cast.otto, cast.ben):
        with pytest.raises(NotFound):
            threads.require_reader(user, opened)
    assert Comment.objects.count() == 1
    # Nor does a reviewer set pins in a working copy that is not theirs.
    with pytest.raises((NotFound, NotAllowed)):
        pin(by_ann, cast.rita)


def test_every_address_knows_only_who_draws_there(cast: Cast, alone):
    by_ann, _ = alone
    pin(by_ann, cast.ann)
    (view,) = pins.pins_of(cast.ann, by_ann)
    body = {"request_id": str(uuid.uuid4()), "text": "x", "medium": 0, "x": 1, "y": 1, "z": 0, "is_resolved": True}
    body["seen"] = str(view.newest)
    base = f"/api/v1/assignments/{by_ann.pk}/pins/"
    for user in (cast.ben, cast.rita, cast.ada, cast.otto):
        client = Client()
        client.force_login(user)
        answers = [client.get(base)]
        answers += [
            client.post(f"{base}{end}", body, content_type="application/json")
            for end in ("", f"{view.id}/said/", f"{view.id}/turn/")
        ]
        assert [answer.status_code for answer in answers] == [404] * 4, user
    assert Comment.objects.count() == 1
    own = Client()
    own.force_login(cast.ann)
    first = own.get(base).json()
    assert [row["said"][0]["text"] for row in first["pins"]] == ["Look."]
    assert own.get(base, {"seen": first["version"]}).json() == {"version": first["version"]}
    for odd in ({"x": "1"}, {"x": float("inf")}, {"z": -1}, {"medium": True}, {"text": 5}, {"request_id": "one"}):
        answer = own.post(base, body | odd, content_type="application/json")
        assert answer.status_code in (400, 422), odd
    again = own.post(
        f"{base}{view.id}/said/", body | {"replaces": str(view.id)}, content_type="application/json"
    ).json()
    assert [(remark["text"], remark["is_edited"]) for remark in again["pins"][0]["said"]] == [("x", True)]


def test_a_retry_is_the_same_act(cast: Cast, shared: Assignment):
    number = uuid.uuid4()
    first = pin(shared, cast.ann, request_id=number)
    assert pin(shared, cast.ann, request_id=number) == first
    with pytest.raises(ReviewRefused, match="another comment"):
        pin(shared, cast.ben, request_id=number)
    (view,) = pins.pins_of(cast.ben, shared)
    say = {"assignment": shared, "pin": view.id, "by": cast.ben}
    answer = uuid.uuid4()
    assert pins.answer_pin(**say, text="Yes.", request_id=answer) == pins.answer_pin(
        **say, text="Yes.", request_id=answer
    )
    (view,) = pins.pins_of(cast.ben, shared)
    resolved = uuid.uuid4()
    turn = {"is_resolved": True, "seen": view.newest, "request_id": resolved}
    pins.turn_pin(**say, **turn)
    pins.turn_pin(**say | {"by": cast.ann}, **turn | {"is_resolved": False, "request_id": uuid.uuid4()})
    # What was lost on its way and comes late does not turn it once more.
    pins.turn_pin(**say, **turn)
    assert [view.is_resolved for view in pins.pins_of(cast.ann, shared)] == [False]
    kinds = Event.objects.filter(kind__contains="thread").order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["thread.opened", "thread.resolved", "thread.reopened"]


def test_a_pin_lies_on_the_image_and_only_while_it_is_labeled(cast: Cast, shared: Assignment):
    for place in (Place(1, 1, 1, 0), Place(0, 65, 1, 0), Place(0, 1, -1, 0), Place(0, 1, 1, 1)):
        with pytest.raises(ReviewRefused, match="not on the image"):
            pin(shared, cast.ann, place=place)
    pin(shared, cast.ann)
    draw(shared, cast.ann, (10, 10, 20))
    submit(shared, cast.ann)
    with pytest.raises(AnnotationRefused):
        pin(shared, cast.ann)
    (view,) = pins.pins_of(cast.ann, shared)
    pins.answer_pin(assignment=shared, pin=view.id, by=cast.ann, text="After all: no.", request_id=uuid.uuid4())
    Companion.objects.filter(labeler__user=cast.ben).update(left_at="2026-01-01T00:00Z")
    with pytest.raises(NotFound):
        pins.answer_pin(assignment=shared, pin=view.id, by=cast.ben, text="I left.", request_id=uuid.uuid4())


@pytest.mark.parametrize("may_read", [False, True])
def test_a_reviewers_word_reaches_who_labels_only_where_the_policy_says_so_and_without_a_name(cast, alone, may_read):
    set_policy(cast, readers=2, authors_read_comments=may_read)
    by_ann, _ = alone
    thread = pin(by_ann, cast.ann, "What is this?")
    thread = threads.thread_for(cast.rita, cast.project, thread.pk)
    before = pins.pins_of(cast.ann, by_ann)
    said = threads.reply(
        thread=thread, by=cast.rita, text="Debris, says @rita and @ada there.", request_id=uuid.uuid4()
    )
    threads.turn(thread=thread, by=cast.rita, is_resolved=True, seen=said.pk)
    (view,) = pins.pins_of(cast.ann, by_ann)
    if may_read:
        assert seen_by(cast.ann, by_ann)[0][1] == ("A reviewer", "Debris, says @rita and @a reviewer there.")
        assert view.is_resolved
        return
    assert (view,) == before, "not even a number may tell that a reviewer was there"
    # What Ann cannot see does not keep her from resolving what she asked.
    pins.turn_pin(
        assignment=by_ann, pin=view.id, by=cast.ann, is_resolved=False, seen=view.newest, request_id=uuid.uuid4()
    )


def test_a_pin_of_ones_own_makes_nobody_a_judge_of_the_item_and_a_look_at_anothers_does(cast: Cast, alone):
    by_ann, _ = alone
    thread = pin(by_ann, cast.ann)
    assert not has_judged(cast.ann, by_ann.item)
    assert not knows_others(cast.ann, by_ann.item)
    assert thread_list.page_of(cast.rita, [cast.project], Wanted()).rows == (), "she may still be asked to read it"
    keep_sighting(item=by_ann.item, by=cast.rita)
    assert [row.thread for row in thread_list.page_of(cast.rita, [cast.project], Wanted()).rows] == [thread]
    threads.reply(thread=thread, by=cast.ada, text="Hm.", request_id=uuid.uuid4())
    assert has_judged(cast.ada, by_ann.item)


def test_a_blind_reviewer_is_not_told_who_pinned_what(cast: Cast, alone):
    set_policy(cast, readers=2, review_blind=True)
    by_ann, _ = alone
    thread = pin(by_ann, cast.ann)
    for user, name in ((cast.rita, "A reader"), (cast.ada, "Ann")):
        (found,) = threads.threads_about(user, thread.item)
        veil_threads([(found, found.said)], veil_of(user, thread.item))
        assert [comment.who for comment in found.said] == [name]


def test_pins_stay_when_the_image_comes_back(cast: Cast, shared: Assignment):
    pin(shared, cast.ann, "Here.")
    draw(shared, cast.ann, (10, 10, 20))
    submit(shared, cast.ann)
    again = Assignment.objects.create(
        item=shared.item, labeler=shared.labeler, read_kind="rework", follows=shared, planned_blind=False
    )
    assert seen_by(cast.ann, again) == [[("You", "Here.")]]
