"""The story of an item: what each may see of it, that nothing is left out, and the file that proves itself.

Planted once and seen to fail: a sight that shows everything to a reviewer who may still read the item (the second test), one
that shows a panel's votes before one's own (the third), names left as they are in the file (the fifth).
"""

from __future__ import annotations

import re
import uuid

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelhub.audit.models import Event
from labelhub.audit.proofs import check_here
from labelhub.catalog.models import Item
from labelhub.jobs.worker import run_pending
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.services import add_member, publish_policy
from labelhub.workflow import lifecycle
from tests.web.world import World, add_item, read

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


def place(world: World, item: Item | None = None) -> str:
    return reverse("review-story", args=[world.cast.project.slug, (item or world.item).code])


def page(client, world: World, item: Item | None = None) -> str:
    answer = client.get(place(world, item))
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def decide(world: World, submission, verdict: str, comment: str = "") -> None:
    lifecycle.review(
        submission=submission, reviewer=world.cast.rita, verdict=verdict, score=7, comment=comment,
        request_id=uuid.uuid4(),
    )  # fmt: skip


def exported(as_, world: World) -> bytes:
    answer = as_("ada").post(reverse("manage-item-story", args=[world.cast.project.slug, world.item.code]))
    assert answer.status_code == 200, answer.content[:500]
    return answer.content


def released(world: World) -> None:
    lifecycle.release(project=world.cast.project, formats=["png"], note="", by=world.cast.ada)
    run_pending(queues=["cpu"])


def test_every_event_of_an_item_stands_in_its_story_with_its_number_and_hash(world, as_):
    decide(world, world.by_ann, "accept", "The edge of Ann is right.")
    released(world)
    text = page(as_("ada"), world)
    subjects = [f"item:{world.item.pk}", f"submission:{world.by_ann.pk}", f"submission:{world.by_ben.pk}"]
    events = Event.objects.filter(subject__in=subjects) | Event.objects.filter(kind__startswith="release.")
    assert len(events) >= 8
    for event in events:
        assert f'id="event-{event.seq}"' in text, event.kind
        assert event.hash in text
    for words in (
        "accepted the reading of Ann", "The edge of Ann is right.", "7 of 10", "1 × Nucleus", "ontology 1",
        "instructions 1", "policy 2", "Rule “", "settled the item: label 1", "the reading of Ann, decided by Rita",
        "release 1, which holds this item", "Where the readers differ", "Alike with Ann", "no interval: one pair",
        "still has the hash",
    ):  # fmt: skip
        assert words in text, words


def test_who_may_still_read_the_item_sees_nothing_that_others_saw(world, as_, cast):
    """Rita could be given this item for a blind read: until then its story is its pixels."""
    item = add_item(cast, source_id="open")
    read(cast, item, cast.ann, box=(4, 4, 20, 20))
    assert Item.objects.get(pk=item.pk).state == "reading"
    text = page(as_("rita"), world, item)
    assert "You may still be asked to read this item yourself" in text
    assert "Ann" not in text
    assert "Nucleus" not in text
    assert "brought the item in" in text
    layer = f"s{item_reading(item)}"
    for key, status in ((layer, 404), ("dispute", 404), ("pixels", 200)):
        picture = reverse("review-story-picture", args=[cast.project.slug, item.code, key])
        assert as_("rita").get(picture).status_code == status, key
    assert "Nucleus" in page(as_("ada"), world, item), "an admin sees everything"


def test_who_looks_is_given_the_item_for_no_blind_read_any_more(world, as_, cast):
    item = add_item(cast, source_id="open")
    read(cast, item, cast.ann, box=(4, 4, 20, 20))
    look = reverse("review-story-look", args=[cast.project.slug, item.code])
    for _ in range(2):
        assert as_("rita").post(look).status_code == 302
    assert Event.objects.filter(kind="item.seen").count() == 1
    assert "Nucleus" in page(as_("rita"), world, item)
    rita = Labeler.objects.get(project=cast.project, user=cast.rita)
    given = lifecycle.hand_out(labeler=rita)
    assert given is None or given.item_id != item.pk
    assert as_("ann").post(look).status_code == 403
    assert as_("otto").post(look).status_code == 404


def test_who_is_at_work_on_the_item_cannot_look(world, as_, cast):
    item = add_item(cast, source_id="open")
    read(cast, item, cast.ann, box=(4, 4, 20, 20))
    given = lifecycle.hand_out(labeler=Labeler.objects.get(project=cast.project, user=cast.rita))
    assert given is not None
    as_("rita").post(reverse("review-story-look", args=[cast.project.slug, given.item.code]))
    text = page(as_("rita"), world, given.item)
    assert "You are at work on this item" in text
    assert "Nucleus" not in text
    assert not Event.objects.filter(kind="item.seen").exists()


def item_reading(item: Item) -> int:
    from labelhub.scoring.reads import reads_of

    return reads_of(item).current[0].pk


def test_a_panels_votes_are_hidden_until_ones_own(world, as_, cast):
    publish_policy(project=cast.project, policy=Policy(readers=2, max_readers=2, panel_reviewers=2), by=cast.ada)
    sam = _reviewer(cast, "Sam")
    decide(world, world.by_ann, "accept", "Words of Rita.")
    assert Item.objects.get(pk=world.item.pk).state == "review"
    client = as_(None)
    client.force_login(sam)
    before = page(client, world)
    assert "Words of Rita." not in before
    assert "voted in a panel" not in before
    assert "shown after your own vote" in before
    assert "Words of Rita." in page(as_("rita"), world)
    assert "Words of Rita." not in page(as_("ada"), world), "an admin may vote too"
    lifecycle.review(
        submission=world.by_ben, reviewer=sam, verdict="accept", score=None, comment="", request_id=uuid.uuid4()
    )
    assert "Words of Rita." in page(client, world)


def _reviewer(cast, name: str):
    from labelhub.accounts.services import create_person

    user = create_person(username=name.lower(), display_name=name, actor="test")
    add_member(project=cast.project, user=user, role="reviewer", actor="test")
    return user


def test_an_item_that_nobody_read_has_a_story_too(world, as_):
    text = page(as_("ada"), world, world.add())
    assert "Nobody has read it yet" in text
    assert "brought the item in" in text


def test_the_exported_file_holds_no_name_no_script_and_nothing_from_elsewhere(world, as_):
    decide(world, world.by_ann, "reject", "Ann, look at scan.png of task-7 again.")
    data = exported(as_, world)
    text = re.sub("base64,[A-Za-z0-9+/=]*", "base64,", data.decode())
    for name in ("Ann", "Ben", "Rita", "Ada", "scan.png", "task-7"):
        assert name not in text, name
    assert "█████, look at █████" in text
    assert "labeler" in text
    assert text.count("<script") == 1
    assert '<script type="application/json"' in text
    assert "http://" not in text
    assert "https://" not in text
    assert text.count("data:image/png;base64,") >= 4
    assert 'src="/' not in text
    assert 'href="' not in text.replace('href="#', "")


def test_the_export_is_on_record_with_the_hash_of_the_file(world, as_):
    import hashlib

    data = exported(as_, world)
    event = Event.objects.get(kind="story.exported")
    assert event.facts == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    assert "exported the item" in page(as_("ada"), world)


def test_the_file_verifies_here_and_says_elsewhere_what_it_could_not_check(world, as_, tmp_path, capsys, settings):
    from dataclasses import replace

    decide(world, world.by_ann, "accept")
    released(world)
    data = exported(as_, world)
    found = check_here(data)
    assert (found.broken, found.unchecked) == (None, ())
    numbers = [event["seq"] for event in found.document["events"]]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 8
    file = tmp_path / "story.html"
    file.write_bytes(data)
    call_command("audit", "verify", str(file))
    said = capsys.readouterr().out
    assert "Everything in the file holds." in said
    assert "this database holds all of them" in said
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, audit_key=b"another installation")
    elsewhere = check_here(data)
    assert elsewhere.broken is None
    assert "who made it" in elsewhere.unchecked[0]
    with pytest.raises(CommandError, match="who made it") as partly:
        call_command("audit", "verify", str(file))
    assert partly.value.returncode == 2


def test_the_file_is_compared_with_the_chain_of_the_database(world, as_, tmp_path):
    """A file that holds by itself is told from the chain that was changed since, by the first event that differs."""
    data = exported(as_, world)
    row = Event.objects.filter(subject=f"item:{world.item.pk}").earliest("seq")
    Event.objects.filter(pk=row.pk).update(actor="user:999")
    assert check_here(data).broken == f"Event {row.seq} is another one in the database's chain {row.chain}."
    Event.objects.filter(pk=row.pk).delete()
    assert "is not in the database's chain" in check_here(data).broken
    file = tmp_path / "story.html"
    file.write_bytes(data)
    with pytest.raises(CommandError, match="Does not hold"):
        call_command("audit", "verify", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("audit", "verify", str(tmp_path / "missing.html"))


def test_the_block_of_the_file_is_for_machines(world, as_):
    data = exported(as_, world)
    start = data.index(b'id="labelhub-story">') + len(b'id="labelhub-story">')
    document = orjson.loads(data[start : data.index(b"</script>", start)])
    assert (document["format"], document["item"]) == ("labelhub-story", world.item.code)
    assert document["tree"]["size"] == document["head"]["seq"]
    assert {"seq", "at", "kind", "actor", "subject", "facts", "previous_hash", "hash", "content_sha256", "path"} == set(
        document["events"][0]
    )


def test_a_story_takes_the_same_queries_however_many_read_the_item(world, as_, cast):
    client = as_("ada")
    page(client, world)
    with CaptureQueriesContext(connection) as two:
        page(client, world)
    for name in ("Cleo", "Dora", "Emil"):
        user = _reviewer(cast, name)
        read(cast, world.item, user, box=(10, 10, 30, 30))
    with CaptureQueriesContext(connection) as five:
        page(client, world)
    assert len(five) == len(two)


def test_an_item_without_a_picture_has_a_story_and_a_file(world, as_, cast):
    """A rater's answers were imported without the image: only its grid is known, so no pixels are shown, and nothing fails."""
    from labelhub.catalog.services import ItemIdentity, NewMedium, create_item
    from labelhub.formats.shapes import Grid, Reading
    from labelhub.web.story import story_file

    media = [NewMedium(kind="photograph", grid=Grid((1, 32, 32)))]
    item = create_item(project=cast.project, media=media, identity=ItemIdentity())
    labeler = Labeler.objects.get(project=cast.project, user=cast.ann)
    reading = Reading(item.code, "x", (), {"quality": "good"}, read_kind="independent", planned_blind=True)
    lifecycle.record_reading(item=item, labeler=labeler, reading=reading)
    text = page(as_("ada"), world, item)
    assert "answers only" in text
    assert "picture-pixels" not in text
    assert check_here(story_file(item)).broken is None
