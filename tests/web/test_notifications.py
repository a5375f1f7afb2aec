"""Notifications: who is told what, choices, the bell's number, the socket that only hints, and the mail digest.

Planted once and seen to fail: a fact told twice; a hint that says what is new; a socket left open to who signed out everywhere;
mail sent to who did not ask.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.core import mail
from django.test import Client
from django.utils import timezone

from labelhub.accounts import digests, notifications
from labelhub.accounts.models import MailDigest, Notification
from labelhub.accounts.services import end_sessions
from labelhub.config.asgi import application
from labelhub.jobs import services as jobs
from labelhub.jobs import worker
from labelhub.jobs.models import Job
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.web.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def cast(db) -> Cast:
    """A project of which nothing was read yet."""
    return make_cast()


@pytest.fixture
def world(cast) -> World:
    return make_world(cast)


def tell(*users, kind="mention", key="a", text="Somebody names you.", about=""):
    return notifications.notify(users=users, kind=kind, text=text, about=about, key=key)


def kinds(user):
    return list(Notification.objects.filter(user=user).order_by("pk").values_list("kind", flat=True))


def test_a_fact_is_told_once_and_unknown_kinds_are_refused(cast):
    assert tell(cast.ann, cast.ben) == 2
    assert tell(cast.ann) == 0
    with pytest.raises(ValueError, match="no kind"):
        tell(cast.ann, kind="gossip", key="b")
    cast.ben.is_active = False
    assert tell(cast.ben, key="c") == 0


def test_choices_decide_what_is_shown_and_mailed(cast):
    notifications.choose(cast.ann, in_app=["returned"], by_mail=["mention"], every="daily")
    tell(cast.ann, key="mailed only")
    tell(cast.ann, kind="comment", key="neither")
    tell(cast.ann, kind="returned", key="shown only")
    assert [row.kind for row in notifications.inbox_of(cast.ann)] == ["returned"]
    assert kinds(cast.ann) == ["mention", "returned"]
    assert notifications.n_unread(cast.ann) == 1


def test_the_page_lists_opens_marks_and_belongs_to_its_reader(cast, world, as_):
    tell(cast.ann, about=f"work:{world.by_ann.assignment_id}", text="Your work came back.")
    tell(cast.ann, kind="comment", key="b", text="A reviewer wrote.")
    client = as_("ann")
    page = client.get("/account/notifications/").content.decode()
    assert page.index("A reviewer wrote.") < page.index("Your work came back.")
    assert client.get("/account/notifications/count/").json()["unread"] == 2
    assert "A reviewer wrote." not in client.get("/account/notifications/?kind=mention").content.decode()
    assert client.get("/account/notifications/?kind=gossip").status_code == 400
    assert client.get("/account/notifications/?before=x").status_code == 400
    row = Notification.objects.get(key="a")
    for name in ("ben", "otto", "ada"):
        assert as_(name).post(f"/account/notifications/{row.moment}/open/").status_code == 404
    assert client.post(f"/account/notifications/{10**30}/open/").status_code == 404, "no calendar has this time"
    assert (
        client.post(f"/account/notifications/{row.moment}/open/")["Location"] == f"/label/{world.by_ann.assignment_id}/"
    )
    assert client.get("/account/notifications/count/").json()["unread"] == 1
    client.post("/account/notifications/read/")
    assert client.get("/account/notifications/count/").json()["unread"] == 0
    assert "Nothing of this kind" in client.get("/account/notifications/?show=unread").content.decode()
    assert "Nothing yet" in as_("otto").get("/account/notifications/").content.decode()


def test_an_address_does_not_say_how_much_others_were_told(cast, as_):
    at = timezone.now()
    seen = []
    for n_others in (0, 3):
        Notification.objects.all().delete()
        for number in range(n_others):
            tell(cast.rita, key=f"others {number}")
        tell(cast.ann)
        Notification.objects.filter(user=cast.ann).update(created_at=at)
        page = as_("ann").get("/account/notifications/").content.decode()
        seen.append(re.findall(r"/account/notifications/\w+/open/", page))
    assert len(seen[0]) == 1
    assert seen[0] == seen[1]


def test_choices_are_kept_from_the_form_and_start_the_mail_job(cast, as_):
    form = {"in_app": ["mention"], "by_mail": ["mention"], "every": "hourly"}
    assert as_("ann").post("/account/notifications/choices/", form).status_code == 302
    chosen = {entry.kind: (entry.in_app, entry.by_mail) for entry in notifications.choices_of(cast.ann)}
    assert chosen["mention"] == (True, True)
    assert chosen["returned"] == (False, False)
    assert Job.objects.filter(kind=digests.JOB_KIND).count() == 1
    assert as_("ann").post("/account/notifications/choices/", form | {"every": "weekly"}).status_code == 400


def test_what_an_address_leads_to_when_it_is_gone_is_the_list(cast, as_):
    tell(cast.ann, about="review:only-one-part")
    row = Notification.objects.get()
    assert as_("ann").post(f"/account/notifications/{row.moment}/open/")["Location"] == "/account/notifications/"


def test_returned_work_and_answers_reach_their_author_and_an_overturned_return_its_reviewer(cast, world):
    work = world.returned_to_ann()
    assert kinds(cast.ann) == ["returned"]
    lifecycle.dispute(assignment=work, by=cast.ann, reason="It is.")
    assert kinds(cast.rita) == kinds(cast.ada) == ["dispute-opened"]
    # Nobody else is there to read it: the admin decides.
    lifecycle.settle(item=world.item, reason="Right.", by=cast.ada, submission=world.by_ann)
    assert kinds(cast.ann) == ["returned", "dispute-decided"]
    assert Notification.objects.filter(user=cast.ann).latest("pk").text.endswith("Your reading stands.")
    assert kinds(cast.rita) == ["dispute-opened", "return-overturned"]
    question = world.question_of_ann()
    lifecycle.answer(question=question, by=cast.rita, text="Yes.", is_general=False)
    assert kinds(cast.ann)[-1] == "answered"
    assert kinds(cast.ben) == [], "nobody else is told anything"
    told = " ".join(Notification.objects.filter(user=cast.ann).values_list("text", flat=True))
    assert not any(name in told for name in ("Rita", "Ada", "Ben"))


def test_admins_hear_of_a_job_that_failed_for_good(cast):
    jobs.enqueue(kind="no.such.kind", arguments={}, project_id=cast.project.pk, asked_by="test")
    worker.run_pending(queues=["cpu"])
    assert kinds(cast.ada) == ["job-failed"]
    assert kinds(cast.rita) == []


def test_mail_goes_to_who_asked_as_often_as_they_chose(cast):
    cast.ann.email = "ann@example.org"
    cast.ann.save()
    cast.ben.email = "ben@example.org"
    cast.ben.save()
    notifications.choose(cast.ann, in_app=["mention"], by_mail=["mention"], every="daily")
    tell(cast.ann, cast.ben, text="Somebody names you on ABCD.")
    now = timezone.now()
    assert digests.send_due(now) == 1
    assert [(entry.to, "ABCD" in entry.body) for entry in mail.outbox] == [(["ann@example.org"], True)]
    tell(cast.ann, key="b")
    assert digests.send_due(now + timedelta(hours=23)) == 0, "once a day"
    assert digests.send_due(now + timedelta(hours=25)) == 1
    assert digests.send_due(now + timedelta(hours=50)) == 0, "nothing new, no mail"
    assert MailDigest.objects.get().every == "daily"


def test_the_digest_job_sets_its_next_run_and_deletes_what_is_old(cast):
    tell(cast.ann)
    Notification.objects.update(read_at=timezone.now() - timedelta(days=91))
    tell(cast.ann, key="b")
    digests.schedule()
    assert worker.run_pending(queues=["cpu"]) == 1
    assert [row.key for row in Notification.objects.all()] == ["b"]
    waiting = Job.objects.get(kind=digests.JOB_KIND, state="queued")
    assert waiting.not_before > timezone.now() + timedelta(minutes=50)


def headers_of(client: Client, origin: bytes = b"http://127.0.0.1:8000") -> list[tuple[bytes, bytes]]:
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return [(b"cookie", cookie.encode()), (b"origin", origin), (b"host", b"127.0.0.1:8000")]


class Socket(ApplicationCommunicator):
    """One window's socket, as a browser opens it."""

    async def opened(self) -> bool:
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output(timeout=5))["type"] == "websocket.accept"

    async def heard(self) -> dict[str, str]:
        return json.loads((await self.receive_output(timeout=5))["text"])

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})


def socket(client: Client, **given) -> Socket:
    scope = {
        "type": "websocket", "path": "/ws/notifications/", "query_string": b"", "subprotocols": [],
        "headers": headers_of(client, **given),
    }  # fmt: skip
    return Socket(application, scope)


@pytest.mark.django_db(transaction=True)
class TestSocket:
    """Each message is tried with its owner, a stranger, and somebody whose sessions ended."""

    def test_it_hints_to_its_owner_alone_and_says_nothing_of_what(self, cast, as_):
        async def play() -> None:
            mine, other = socket(as_ann), socket(as_otto)
            assert await mine.opened()
            assert await other.opened()
            assert await mine.heard() == {"type": "hello"}
            assert await other.heard() == {"type": "hello"}
            await database_sync_to_async(tell)(cast.ann)
            assert await mine.heard() == {"type": "changed"}
            assert await other.receive_nothing(timeout=0.3)
            await mine.say('{"type":"beat"}')
            assert await mine.heard() == {"type": "beat"}

        as_ann, as_otto = as_("ann"), as_("otto")
        asyncio.run(play())

    def test_strangers_foreign_pages_and_floods_are_turned_away(self, cast, as_):
        async def play() -> None:
            assert not await socket(Client()).opened()
            assert not await socket(as_ann, origin=b"https://evil.example").opened()
            loud = socket(as_ann)
            assert await loud.opened()
            await loud.heard()
            await loud.say("x" * 1000)
            assert (await loud.receive_output(timeout=5))["code"] == 4429

        as_ann = as_("ann")
        asyncio.run(play())

    def test_who_signed_out_everywhere_hears_nothing_more(self, cast, as_):
        async def play() -> None:
            mine = socket(client)
            assert await mine.opened()
            await mine.heard()
            await database_sync_to_async(end_sessions)(user=cast.ann, actor="test", reason="test")
            await database_sync_to_async(tell)(cast.ann)
            assert (await mine.receive_output(timeout=5))["code"] == 4401

        client = as_("ann")
        client.get("/account/notifications/count/")
        asyncio.run(play())
