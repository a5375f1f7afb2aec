"""Blind review: no way to an undecided item tells a reviewer who read what, and letters are the same everywhere.

Planted and seen to fail: what each reader says in the order of their submissions; the story with names; a card's reason, a
comment, a dispute and a question with names; a notification that names a reader who is a reviewer as well; letters that change
when a further reading comes in; another reviewer's letters told as one's own; who stands apart by name; errors of
objects by name, or in the order of the readings; an earlier version, an appraisal and an @name as they are; another's
letters told to who sees names; names while work is with its author again; a name of one letter taken out of other words.
"""

from __future__ import annotations

import re
import uuid

import pytest
from django.core import mail
from django.test import Client

from labelhub.accounts import digests, notifications
from labelhub.accounts.services import create_person
from labelhub.assignments.models import Assignment
from labelhub.consensus.regions import forget_sittings
from labelhub.projects.models import Role
from labelhub.projects.policy import Policy
from labelhub.projects.services import add_member, publish_policy
from labelhub.reviews import threads
from labelhub.reviews.error_models import Appraisal
from labelhub.reviews.pseudonyms import veil_of
from labelhub.reviews.threads import Pin
from labelhub.workflow import lifecycle
from tests.web.world import read
from tests.workflow.walking import store

NAMES = ("Annabella", "Benvenuto", "Cleopatra", "@ben")


@pytest.fixture
def blind(cast, world):
    """Three readers with names that stand nowhere else, the third a reviewer; all that could name them has been said."""
    forget_sittings()
    people = {"Annabella": cast.ann, "Benvenuto": cast.ben}
    people["Cleopatra"] = create_person(username="cleopatra", display_name="Cleopatra", actor="test")
    add_member(project=cast.project, user=people["Cleopatra"], role=Role.REVIEWER, actor="test")
    for name, user in people.items():
        type(user).objects.filter(pk=user.pk).update(display_name=name)
    cast.project.labelers.filter(user=cast.ann).update(name="Annabella")
    cast.project.labelers.filter(user=cast.ben).update(name="Benvenuto")
    policy = Policy(readers=3, max_readers=3, review_blind=True, authors_read_comments=True)
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    read(cast, world.item, people["Cleopatra"], box=(5, 4, 20, 20), is_routed=False)
    world.item.refresh_from_db()
    return people


def say(world, by, text: str, **pin) -> None:
    threads.open_thread(item=world.item, by=by, text=text, request_id=uuid.uuid4(), pin=Pin(**pin))


def everything_told(as_, world) -> dict[str, str]:
    """All that Rita receives about the item, by where she receives it."""
    rita, place = as_("rita"), f"/review/cells/{world.item.code}/"
    ways = ["/review/", place, place + "story/", "/review/threads/?show=all"]
    ways += [place + name for name in ("layers/", "matters/", "errors/")]
    ways += ["/account/notifications/", f"/search/?q={world.item.code}", "/review/me/"]
    return {way: rita.get(way, follow=True).content.decode() for way in ways}


def test_nothing_that_a_reviewer_receives_names_a_reader_before_the_item_is_decided(as_, cast, world, blind):
    cast.rita.email = "rita@localhost"
    cast.rita.save()
    notifications.choose(cast.rita, in_app=notifications.KINDS, by_mail=notifications.KINDS, every="hourly")
    world.question_of_ann()
    say(world, cast.rita, "Who is this?", submission=world.by_ben)
    say(world, blind["Cleopatra"], "Annabella is right, not @ben. @rita")
    thread = threads.open_thread(item=world.item, by=cast.rita, text="?", request_id=uuid.uuid4())
    threads.reply(thread=thread, by=blind["Cleopatra"], text="I am Cleopatra.", request_id=uuid.uuid4())
    other = create_person(username="rolf", display_name="Rolf", actor="test")
    add_member(project=cast.project, user=other, role=Role.REVIEWER, actor="test")
    lifecycle.review(
        submission=world.by_ann, reviewer=other, verdict="reject", score=None, comment="Unlike Benvenuto.",
        request_id=uuid.uuid4(),
    )  # fmt: skip
    Appraisal.objects.create(
        item=world.item, submission=world.by_ben, reviewer=other, score=3, comment="Annabella is nearer."
    )
    work = Assignment.objects.get(item=world.item, read_kind="rework")
    lifecycle.dispute(assignment=work, by=cast.ann, reason="Annabella is right.")
    world.item.refresh_from_db()
    assert world.item.state == "review", "nobody is left who could read it blind"
    told = everything_told(as_, world)
    assert digests.send_due() == 1
    told["mail"] = str(mail.outbox[0].body)
    assert "names you" in told["mail"]
    assert "stands by a reading" in told["/review/"]
    assert "Is this debris?" in told["/review/"]
    assert "is nearer" in told[f"/review/cells/{world.item.code}/"]
    assert "Without Reader " in told[f"/review/cells/{world.item.code}/"], "who stands apart is told by a letter"
    found = {(way, name) for way, text in told.items() for name in NAMES if name in text}
    assert found == set()


def test_letters_are_the_same_on_every_way_and_stay_while_readings_come_in(as_, cast, world, blind):
    rita, place = as_("rita"), f"/review/cells/{world.item.code}/"
    veil = veil_of(cast.rita, world.item)
    assert sorted(veil.letters.values()) == ["Reader A", "Reader B", "Reader C"]
    layers = {
        one["key"]: one["name"] for one in rita.get(place + "layers/").json()["layers"] if one["kind"] == "reader"
    }
    of_ann, of_ben = (labeler_letter(veil, entry) for entry in (world.by_ann, world.by_ben))
    assert (layers[f"s{world.by_ann.pk}"], layers[f"s{world.by_ben.pk}"]) == (of_ann, of_ben)
    matter = rita.get(place + "matters/").json()["matters"][0]
    assert [layers[says["reader"]] for says in matter["says"]] == sorted(layers.values())
    errors = rita.get(place + "errors/").json()["readings"]
    assert [entry["name"] for entry in errors] == sorted(layers.values()), "in the order of the letters"
    assert {entry["reader"]: entry["name"] for entry in errors} == layers
    store(cast, world.item, cast.ann, (4, 4, 15), version=2, is_routed=False)
    earlier = [one["name"] for one in rita.get(place + "layers/").json()["layers"] if one["kind"] == "earlier"]
    assert earlier == [of_ann], "an earlier version goes by the letter of who drew it"
    say(world, cast.rita, f"Look at {of_ann}.")
    assert f"Look at {of_ann}." in rita.get(place).content.decode()
    dora = create_person(username="dora", display_name="Dora", actor="test")
    add_member(project=cast.project, user=dora, role=Role.ANNOTATOR, actor="test")
    read(cast, world.item, dora, box=(4, 4, 20, 20), is_routed=False)
    later = veil_of(cast.rita, world.item)
    assert {key: later.letters[key] for key in veil.letters} == dict(veil.letters)


def test_what_is_said_of_a_letter_reaches_others_as_the_same_reader(as_, cast, world, blind):
    """Reader A of one reviewer is another's Reader B, the admin's Annabella, and everybody's once the item is decided."""
    of_ann = labeler_letter(veil_of(cast.rita, world.item), world.by_ann)
    say(world, cast.rita, f"I follow {of_ann}.")
    place = f"/review/cells/{world.item.code}/"
    orders = set()
    for number in range(8):
        user = create_person(username=f"r{number}", display_name=f"Reviewer {number}", actor="test")
        add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
        letter = labeler_letter(veil_of(user, world.item), world.by_ann)
        orders.add(tuple(veil_of(user, world.item).letters.items()))
        assert veil_of(user, world.item).text(f"I follow {of_ann}.", cast.rita.pk) == f"I follow {letter}."
    assert len(orders) > 1, "letters are each reviewer's own"
    assert "I follow Annabella." in as_("ada").get(place).content.decode()
    lifecycle.settle(item=world.item, reason="x", by=cast.rita, submission=world.by_ann)
    page = as_("rita").get(place).content.decode()
    assert "I follow Annabella." in page
    assert "Benvenuto" in page


def test_readers_stand_in_the_order_of_their_letters_for_every_reviewer(cast, world, blind):
    """Catches the order in which they read, which is the same for everybody."""
    for number in range(4):
        user = create_person(username=f"r{number}", display_name=f"Reviewer {number}", actor="test")
        add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
        client = Client()
        client.force_login(user)
        page = client.get(f"/review/cells/{world.item.code}/").content.decode()
        told = re.findall(r'data-chooses="s\d+"[^>]*><span>(Reader [A-Z])', page)
        assert told == ["Reader A", "Reader B", "Reader C"]


def test_what_was_said_of_a_letter_with_a_judgement_names_the_reader_to_who_sees_names(as_, cast, world, blind):
    """Catches Reader A of another reviewer told to an admin as she is called there, or once the item is decided."""
    of_ann = labeler_letter(veil_of(cast.rita, world.item), world.by_ann)
    lifecycle.review(
        submission=world.by_ben, reviewer=cast.rita, verdict="reject", score=None, comment=f"Unlike {of_ann}.",
        request_id=uuid.uuid4(),
    )  # fmt: skip
    Appraisal.objects.create(
        item=world.item, submission=world.by_ben, reviewer=cast.rita, score=3, comment=f"{of_ann} is nearer."
    )
    world.item.refresh_from_db()
    assert (world.item.state, veil_of(cast.rita, world.item).is_drawn) == ("rework", True), "nothing is decided yet"
    place = f"/review/cells/{world.item.code}/"
    pages = [as_("ada").get(place).content.decode()]
    lifecycle.settle(item=world.item, reason="x", by=cast.ada, submission=world.by_ann)
    pages.append(as_("rita").get(place).content.decode())
    for page in pages:
        assert "Unlike Annabella." in page
        assert "Annabella is nearer." in page


def test_a_reader_of_one_letter_takes_no_word_apart(cast, world, blind):
    cast.project.labelers.filter(user=cast.ann).update(name="a")
    veil = veil_of(cast.rita, world.item)
    assert veil.text("Mark a nucleus.") == "Mark a nucleus."
    assert veil.labeler(world.by_ann.assignment.labeler).startswith("Reader ")


def test_who_is_an_admin_of_the_site_sees_names_even_with_a_reviewers_seat(cast, world, blind):
    boss = create_person(username="boss", display_name="Boss", actor="test")
    add_member(project=cast.project, user=boss, role=Role.REVIEWER, actor="test")
    assert veil_of(boss, world.item).is_drawn
    boss.site_role = Role.ADMIN
    boss.save()
    assert not veil_of(boss, world.item).is_drawn


def labeler_letter(veil, submission) -> str:
    return veil.letters[submission.assignment.labeler_id]
