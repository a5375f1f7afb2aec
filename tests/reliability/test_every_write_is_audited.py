"""R9: every endpoint that writes leaves exactly one event of its own, in the transaction of what it records.

The routes are enumerated from the URLconf: one that is neither told here how to work nor declared silent fails. An endpoint
may set other things going (a submit is routed); their events are others. Planted once and seen to fail: cancelling a job
without its event (second test), a skip that writes its event after its transaction (third test: the skip stood).
"""

from __future__ import annotations

import copy
import io
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from labelhub.accounts.services import make_api_token, make_sign_in_link
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.audit import services as audit
from labelhub.audit.models import Event
from labelhub.catalog.examples import add_from_item
from labelhub.jobs import services as jobs
from labelhub.predictions.models import ModelVersion
from labelhub.predictions.services import predict_item, register_model
from labelhub.projects import teams
from labelhub.projects.models import GuidelineVersion, Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy, labeler_of
from labelhub.projects.services import publish_guideline, publish_policy
from labelhub.reviews import pins, threads
from labelhub.reviews.pins import Place
from labelhub.reviews.threads import Pin
from labelhub.scoring.gold import make_gold
from labelhub.workflow import lifecycle, naming_errors, together, watching
from tests.cast import make_cast
from tests.kept import Storages, made_once
from tests.web.test_access import API, PAGES, access_of, matter_of
from tests.web.test_hanging import FORM as HANGING
from tests.web.world import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at"), pytest.mark.once]

# Routes that take a POST and leave no event, with the reason.
SILENT = {
    "account-theme": "how pages look to oneself; nobody else is concerned",
    "account-notification-open": "marks one's own notification as read; nobody else is concerned",
    "account-notifications-read": "the same for all of one's own",
    "account-notifications-choose": "what one is told oneself, and where",
    "manage-new-guess": "looks at files and writes nothing",
    "manage-audit-verify": "reads the chain",
    "manage-data-piece": "a piece of an upload whose opening and start are events",
    "api-document": "the log of operations is the record: each has author, time and place, and is never changed",
    "api-heartbeat": "a sign of life",
    "review-beat": "a sign of life",
    "api-propose": "nothing is stored of a proposal; that a trained model made one is an event, tried with the step",
    "api-masks": "a mask that an operation of the log names afterwards",
}


@dataclass(frozen=True)
class Sent:
    """One request that works, and the event that it must leave."""

    kind: str
    by: str
    place: str
    data: Any = None
    is_json: bool = False
    query: dict[str, Any] | None = None


def form(event: str, by: str, route: str, *args: Any, **data: Any) -> Sent:
    return Sent(event, by, reverse(route, args=args), data)


def body(event: str, by: str, route: str, *args: Any, **data: Any) -> Sent:
    return Sent(event, by, reverse(route, args=args), data, is_json=True)


def work(world: World) -> Assignment:
    return world.work_of_ann()


def a_zip() -> SimpleUploadedFile:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("configs/metadata.json", "{}")
    return SimpleUploadedFile("bundle.zip", held.getvalue())


def model_of(world: World) -> int:
    """A version that may look at the project."""
    made = register_model(
        project=world.cast.project, name="m", predictor="classical-threshold", parameters={"classes": {}}, by="test"
    )
    return made.pk


def released(world: World) -> int:
    """The number of a release."""
    lifecycle.declare_ambiguous(item=world.item, by=world.cast.rita, reason="x")
    made = lifecycle.release(project=world.cast.project, formats=["csv"], note="", by=world.cast.ada)
    return made.number


def model_that_saw(world: World) -> int:
    """A version that looked at an item which nobody was given."""
    model = ModelVersion.objects.get(pk=model_of(world))
    predict_item(model=model, item=world.add())
    return model.pk


def with_drafts(world: World) -> Assignment:
    """Ann's work, in a project that shows drafts."""
    publish_policy(project=world.cast.project, policy=Policy(drafts="asked"), by=world.cast.ada)
    return work(world)


def submitted(world: World) -> Assignment:
    mine = work(world)
    lifecycle.submit(assignment=mine, by=world.cast.ann, request_id=uuid.uuid4(), no_finding=True)
    return mine


def expired(world: World) -> Assignment:
    from datetime import timedelta

    from django.utils import timezone

    mine = work(world)
    lifecycle.expire_leases(now=timezone.now() + timedelta(days=1))
    return mine


def parked(world: World) -> Assignment:
    return lifecycle.park(assignment=work(world), by=world.cast.ann)


def shared(world: World, *, is_joined: bool = False) -> Assignment:
    """An image of a shared batch that Ann labels, and Ben where ``is_joined``."""
    item = world.add()
    make_batch(project=world.cast.project, name="Together", items=[item], by="test", is_shared=True, priority=9)
    given = lifecycle.hand_out(labeler=labeler_of(world.cast.ann, world.cast.project))
    assert given is not None
    if is_joined:
        together.join(assignment=given, by=world.cast.ben)
    return given


def to_watch(world: World, *, is_there: bool = False) -> Assignment:
    """Work of a shared batch that Rita may watch and draw in, and watches where ``is_there``."""
    policy = Policy(readers=2, max_readers=2, reviewers_join="draw")
    publish_policy(project=world.cast.project, policy=policy, by=world.cast.ada)
    given = shared(world, is_joined=True)
    if is_there:
        watching.come(assignment=given, by=world.cast.rita)
    return given


def pinned(world: World) -> tuple[uuid.UUID, uuid.UUID]:
    """Ann's work and a pin that she set there."""
    mine, pin = work(world), uuid.uuid4()
    pins.open_pin(assignment=mine, by=world.cast.ann, place=Place(0, 3, 3, 0), text="See.", request_id=pin)
    return mine.pk, pin


def example(world: World) -> int:
    return add_from_item(item=world.add(), z=None, caption="Like this", marker="good", by="test").pk


def upload(world: World) -> int:
    client = Client()
    client.force_login(world.cast.ada)
    return client.post(reverse("manage-data-upload", args=[SLUG])).json()["run"]


def piece(world: World) -> int:
    run = upload(world)
    client = Client()
    client.force_login(world.cast.ada)
    client.post(
        reverse("manage-data-piece", args=[SLUG, run]), b"none", content_type="application/octet-stream",
        query_params={"name": "a.png", "offset": 0, "total": 4},
    )  # fmt: skip
    return run


def started(world: World) -> int:
    run = piece(world)
    client = Client()
    client.force_login(world.cast.ada)
    client.post(reverse("manage-data-start", args=[SLUG, run]))
    return run


def cancelled(world: World) -> int:
    run = started(world)
    client = Client()
    client.force_login(world.cast.ada)
    client.post(reverse("manage-data-cancel", args=[SLUG, run]))
    return run


def decided(world: World) -> str:
    """The item with all its matters decided by Rita."""
    from labelhub.workflow.adjudicating import answer_matter, desk_of

    item, rita = world.item, world.cast.rita
    for matter in desk_of(item, rita).sitting.found.matters:
        answer_matter(item=item, by=rita, key=matter.key, choice="ambiguous", request_id=uuid.uuid4())
    return item.code


SLUG = "cells"
RULES = {"readers": "2", "max_readers": "3"}


def unread(world: World) -> GuidelineVersion:
    return publish_guideline(project=world.cast.project, text="New words.", by=world.cast.ada)


def token(world: World) -> int:
    from labelhub.accounts.selectors import tokens_of

    make_api_token(user=world.cast.ann, name="loader")
    return tokens_of(world.cast.ann).get().pk


def ann(world: World) -> Labeler:
    return labeler_of(world.cast.ann, world.cast.project)


def gold(world: World) -> int:
    return make_gold(item=world.item, submission=world.by_ann, by="test").pk


def accepted(world: World) -> World:
    lifecycle.review(
        submission=world.by_ann,
        reviewer=world.cast.rita,
        verdict="accept",
        score=None,
        comment="",
        request_id=uuid.uuid4(),
    )
    return world


def pair(world: World) -> dict[str, int]:
    return {"first": ann(world).pk, "second": labeler_of(world.cast.ben, world.cast.project).pk}


def apart(world: World) -> int:
    first, second = (Labeler.objects.get(pk=key) for key in pair(world).values())
    return teams.keep_apart(first=first, second=second, reason="same outlines", by="test").pk


def batch(world: World) -> int:
    return make_batch(project=world.cast.project, name="Old", items=[world.item], by="test").pk


CASES: dict[str, Callable[[World], Sent]] = {
    "sign-in-link": lambda w: form(
        "person.signed_in", "", "sign-in-link", make_sign_in_link(user=w.cast.ann, actor="test")
    ),
    "sign-out": lambda w: form("person.signed_out", "ann", "sign-out"),
    "account-name": lambda w: form("person.renamed", "ann", "account-name", display_name="Anna"),
    "account-password": lambda w: form("password.set", "ann", "account-password", password="a long one, 47 times"),
    "account-token": lambda w: form("api_token.made", "ann", "account-token", name="loader"),
    "account-token-revoke": lambda w: form("api_token.revoked", "ann", "account-token-revoke", token(w)),
    "account-everywhere": lambda w: form("sessions.ended", "ann", "account-everywhere"),
    "label-next": lambda w: (w.add(), form("item.handed_out", "ann", "label-next", project=SLUG))[1],
    "label-acknowledge": lambda w: form("guideline.acknowledged", "ann", "label-acknowledge", unread(w).pk),
    "label-again": lambda w: form("assignment.taken_again", "ann", "label-again", expired(w).pk),
    "label-join": lambda w: form("companion.joined", "ben", "label-join", shared(w).pk),
    "label-leave": lambda w: form("companion.left", "ben", "label-leave", shared(w, is_joined=True).pk),
    "label-submit": lambda w: body(
        "submission.frozen",
        "ann",
        "label-submit",
        work(w).pk,
        request_id=str(uuid.uuid4()),
        no_finding=True,
        extent={"media": [{"medium": 0, "whole": True}]},
    ),
    "label-skip": lambda w: body("assignment.skipped", "ann", "label-skip", work(w).pk, reason="dark"),
    "label-park": lambda w: body("assignment.parked", "ann", "label-park", work(w).pk),
    "label-resume": lambda w: form("assignment.resumed", "ann", "label-resume", parked(w).pk),
    "label-ask": lambda w: body("question.asked", "ann", "label-ask", work(w).pk, text="Which?", waits=True),
    "label-unreadable": lambda w: body("assignment.unreadable", "ann", "label-unreadable", work(w).pk, reason="dark"),
    "label-recall": lambda w: form("submission.recalled", "ann", "label-recall", submitted(w).pk),
    "review-thread-open": lambda w: form(
        "thread.opened", "rita", "review-thread-open", SLUG, w.item.code, text="See.", request_id=uuid.uuid4()
    ),
    "review-thread-reply": lambda w: form(
        "comment.written",
        "ada",
        "review-thread-reply",
        SLUG,
        w.thread_for_ann().pk,
        text="Yes.",
        request_id=uuid.uuid4(),
    ),
    "review-comment-edit": lambda w: form(
        "comment.edited",
        "rita",
        "review-comment-edit",
        SLUG,
        w.thread_for_ann().comments.get().pk,
        text="There.",
        request_id=uuid.uuid4(),
    ),
    "review-thread-turn": lambda w: form(
        "thread.resolved", "rita", "review-thread-turn", SLUG, w.thread_for_ann().pk, resolved="1", seen="0"
    ),
    "review-dispute-take": lambda w: form(
        "dispute.decided", "ada", "review-dispute-take", SLUG, dispute_with_a_reader(w)
    ),
    "label-thread-reply": lambda w: form(
        "comment.written",
        "ann",
        "label-thread-reply",
        w.by_ann.assignment_id,
        written_to_ann(w),
        text="Which?",
        request_id=uuid.uuid4(),
    ),
    "label-dispute": lambda w: body("rework.disputed", "ann", "label-dispute", w.returned_to_ann().pk, reason="It is."),
    "review-answer": lambda w: form(
        "question.answered", "rita", "review-answer", SLUG, w.question_of_ann().pk, text="This."
    ),
    "review-claim": lambda w: form(
        "unreadable.decided", "rita", "review-claim", SLUG, w.claim_of_ann().pk, verdict="refute"
    ),
    "review-decide": lambda w: form(
        "submission.reviewed",
        "rita",
        "review-decide",
        SLUG,
        w.item.code,
        submission=w.by_ann.pk,
        verdict="accept",
        request_id=uuid.uuid4(),
    ),
    "review-matter-answer": lambda w: body(
        "matter.answered",
        "rita",
        "review-matter-answer",
        SLUG,
        w.item.code,
        key=matter_of(w),
        choice="ambiguous",
        request_id=str(uuid.uuid4()),
    ),
    "review-matters-settle": lambda w: form("item.settled", "rita", "review-matters-settle", SLUG, decided(w)),
    "review-settle": lambda w: form("item.settled", "rita", "review-settle", SLUG, agreed(w)),
    "review-errors-judge": lambda w: body(
        "objects.judged",
        "rita",
        "review-errors-judge",
        SLUG,
        w.item.code,
        request_id=str(uuid.uuid4()),
        reader=f"s{w.by_ann.pk}",
        objects=[{"key": an_error(w), "kind": "extra"}],
    ),
    "review-story-look": lambda w: form("item.seen", "rita", "review-story-look", SLUG, agreed(w)),
    "review-watch": lambda w: form("onlooker.came", "rita", "review-watch", SLUG, to_watch(w).pk),
    "review-watch-draw": lambda w: form(
        "companion.joined", "rita", "review-watch-draw", SLUG, to_watch(w, is_there=True).pk
    ),
    "review-watch-go": lambda w: form("onlooker.left", "rita", "review-watch-go", SLUG, to_watch(w, is_there=True).pk),
    "review-ambiguous": lambda w: form(
        "item.ambiguous", "rita", "review-ambiguous", SLUG, w.item.code, comment="Both are right."
    ),
    "manage-new": lambda w: form(
        "project.created", "ada", "manage-new", title="Knee", people="", questions="Remark (text)"
    ),
    "manage-item-exclude": lambda w: form("item.excluded", "ada", "manage-item-exclude", SLUG, w.item.code, reason="x"),
    "manage-item-story": lambda w: form("story.exported", "ada", "manage-item-story", SLUG, w.item.code),
    "manage-item-gold": lambda w: form(
        "gold.made", "ada", "manage-item-gold", SLUG, w.item.code, submission=w.by_ann.pk
    ),
    "manage-people-add": lambda w: form(
        "member.added", "ada", "manage-people-add", SLUG, username="nina", display_name="Nina", role="annotator"
    ),
    "manage-people-role": lambda w: form(
        "member.added", "ada", "manage-people-role", SLUG, w.cast.ben.pk, role="reviewer"
    ),
    "manage-people-remove": lambda w: form("member.removed", "ada", "manage-people-remove", SLUG, w.cast.ben.pk),
    "manage-people-link": lambda w: form("sign_in_link.made", "ada", "manage-people-link", SLUG, w.cast.ben.pk),
    "manage-policy": lambda w: form(
        "policy.published", "ada", "manage-policy", SLUG, version=current_policy(w.cast.project)[0].number, readers="1"
    ),
    "manage-ontology": lambda w: form(
        "ontology.published", "ada", "manage-ontology", SLUG, questions="Remark (text)", confirmed="1"
    ),
    "manage-hanging": lambda w: form("hanging.published", "ada", "manage-hanging", SLUG, **HANGING),
    "manage-example-add": lambda w: form(
        "example.added", "ada", "manage-example-add", SLUG, item=w.add().code, caption="Like this", marker="good"
    ),
    "manage-example-caption": lambda w: form(
        "example.captioned",
        "ada",
        "manage-example-caption",
        SLUG,
        example(w),
        caption="Rather this",
        marker="bad",
        seen_caption="Like this",
        seen_marker="good",
    ),
    "manage-example-withdraw": lambda w: form("example.withdrawn", "ada", "manage-example-withdraw", SLUG, example(w)),
    "manage-example-remove": lambda w: form("example.removed", "ada", "manage-example-remove", SLUG, example(w)),
    "manage-guideline": lambda w: form(
        "guideline.published", "ada", "manage-guideline", SLUG, text="Look twice.", confirmed="1"
    ),
    "manage-releases": lambda w: (
        lifecycle.declare_ambiguous(item=w.item, by=w.cast.rita, reason="x"),
        form("release.started", "ada", "manage-releases", SLUG, formats=["coco"]),
    )[1],
    "api-releases": lambda w: (
        lifecycle.declare_ambiguous(item=w.item, by=w.cast.rita, reason="x"),
        body("release.started", "ada", "api-releases", SLUG, formats=["coco"], reads=True),
    )[1],
    "manage-data-upload": lambda w: form("ingest.opened", "ada", "manage-data-upload", SLUG),
    "manage-data-start": lambda w: form("ingest.started", "ada", "manage-data-start", SLUG, piece(w)),
    "manage-data-cancel": lambda w: form("ingest.cancel_asked", "ada", "manage-data-cancel", SLUG, started(w)),
    "manage-data-resume": lambda w: form("ingest.started", "ada", "manage-data-resume", SLUG, cancelled(w)),
    "manage-data-abandon": lambda w: form("ingest.abandoned", "ada", "manage-data-abandon", SLUG, upload(w)),
    "manage-job-cancel": lambda w: form("job.cancel_asked", "ada", "manage-job-cancel", SLUG, job(w)),
    "manage-activity-act": lambda w: form(
        "assignment.requeued", "ada", "manage-activity-act", SLUG, chosen=[str(work(w).pk)], act="requeue", reason="ill"
    ),
    "manage-activity-assign": lambda w: form(
        "item.assigned", "ada", "manage-activity-assign", SLUG, codes=w.add().code, to=ann(w).pk
    ),
    "manage-batches-add": lambda w: form(
        "batch.made", "ada", "manage-batches-add", SLUG, name="New", codes=w.item.code, priority="1"
    ),
    "manage-batch-edit": lambda w: form("batch.changed", "ada", "manage-batch-edit", SLUG, batch(w), priority="7"),
    "manage-gold-draw": lambda w: form(
        "gold.made", "ada", "manage-gold-draw", accepted(w).cast.project.slug, n="1", kind="hidden", how="random"
    ),
    "manage-gold-exclude": lambda w: form("gold.retired", "ada", "manage-gold-exclude", SLUG, gold(w), reason="wrong"),
    "manage-gold-doubt": lambda w: form("gold.doubted", "ada", "manage-gold-doubt", SLUG, gold(w)),
    "manage-exam-rule": lambda w: form(
        "exam.ruled", "ada", "manage-exam-rule", SLUG, ann(w).pk, verdict="admitted", reason="known"
    ),
    "manage-labeler-gate": lambda w: form(
        "gate.paused", "ada", "manage-labeler-gate", SLUG, ann(w).pk, step="pause", reason="talk first"
    ),
    "manage-model-look": lambda w: form("model.look_asked", "ada", "manage-model-look", SLUG, model_of(w)),
    "manage-models-bring": lambda w: form(
        "bundle.received", "ada", "manage-models-bring", SLUG, bundle=a_zip(), name="Ours"
    ),
    "manage-models-train": lambda w: form(
        "training.started", "ada", "manage-models-train", SLUG, release=str(released(w))
    ),
    "manage-prices": lambda w: form("prices.published", "ada", "manage-prices", SLUG, labeling="30", currency="EUR"),
    "manage-model-edge": lambda w: form(
        "edge_cases.asked", "ada", "manage-model-edge", SLUG, model_that_saw(w), strategy="random", size="1"
    ),
    "manage-drafts-again": lambda w: form(
        "drafts.given_again", "ada", "manage-drafts-again", SLUG, ann(w).pk, reason="talked"
    ),
    "manage-scores-renew": lambda w: form("scores.renewal_asked", "ada", "manage-scores-renew", SLUG),
    "manage-teams-add": lambda w: form("team.made", "ada", "manage-teams-add", SLUG, name="Vendor", kind="vendor"),
    "manage-teams-place": lambda w: form(
        "labeler.qualifications_changed", "ada", "manage-teams-place", SLUG, ann(w).pk, qualifications="MRI"
    ),
    "manage-teams-apart": lambda w: form(
        "pair.kept_apart", "ada", "manage-teams-apart", SLUG, **pair(w), reason="same outlines"
    ),
    "manage-teams-together": lambda w: form("pair.let_together", "ada", "manage-teams-together", SLUG, apart(w)),
    "api-next": lambda w: (w.add(), body("item.handed_out", "ann", "api-next", SLUG))[1],
    "api-submit": lambda w: body(
        "submission.frozen", "ann", "api-submit", work(w).pk, request_id=str(uuid.uuid4()), no_finding=True
    ),
    "api-skip": lambda w: body("assignment.skipped", "ann", "api-skip", work(w).pk, reason="dark"),
    "api-park": lambda w: body("assignment.parked", "ann", "api-park", work(w).pk),
    "api-resume": lambda w: body("assignment.resumed", "ann", "api-resume", parked(w).pk),
    "api-questions": lambda w: body("question.asked", "ann", "api-questions", work(w).pk, text="Which?"),
    "api-unreadable": lambda w: body("assignment.unreadable", "ann", "api-unreadable", work(w).pk, reason="dark"),
    "api-draft": lambda w: body("draft.asked", "ann", "api-draft", with_drafts(w).pk),
    "api-dispute": lambda w: body("rework.disputed", "ann", "api-dispute", w.returned_to_ann().pk, reason="It is."),
    "api-pins": lambda w: body(
        "thread.opened",
        "ann",
        "api-pins",
        work(w).pk,
        medium=0,
        x=3,
        y=3,
        z=0,
        text="See.",
        request_id=str(uuid.uuid4()),
    ),
    "api-pin-said": lambda w: body(
        "comment.written", "ann", "api-pin-said", *pinned(w), text="There.", request_id=str(uuid.uuid4())
    ),
    "api-pin-turn": lambda w: (
        at := pinned(w),
        body(
            "thread.resolved",
            "ann",
            "api-pin-turn",
            *at,
            is_resolved=True,
            seen=str(at[1]),
            request_id=str(uuid.uuid4()),
        ),
    )[1],
    "api-recall": lambda w: body("submission.recalled", "ann", "api-recall", submitted(w).pk),
}
# Tried elsewhere, because they need what a site sets up: a password known beforehand, a folder that may be read in place.
ELSEWHERE = {"sign-in": "tests/web/test_account.py", "manage-data-folder": "tests/catalog/test_data_page.py"}


def dispute_with_a_reader(world: World) -> int:
    """A dispute of Ann's that waits for a reader who is there."""
    from tests.workflow.walking import new_annotator

    new_annotator(world.cast, "Cleo")
    return world.dispute_of_ann().pk


def an_error(world: World) -> str:
    """The key of an object of Ann's that the other reader does not have."""
    world.item.refresh_from_db()
    desk = naming_errors.errors_on_desk(world.item, world.cast.rita)
    return next(entry for entry in desk.readings if entry.submission == world.by_ann).errors[0].key


def written_to_ann(world: World) -> int:
    """A thread that Rita opened for Ann, whom the policy lets read it."""
    publish_policy(
        project=world.cast.project, policy=Policy(max_readers=2, authors_read_comments=True), by=world.cast.ada
    )
    pin = Pin(submission=world.by_ann)
    return threads.open_thread(
        item=world.item, by=world.cast.rita, text="See.", request_id=uuid.uuid4(), pin=pin, is_for_author=True
    ).pk


def agreed(world: World) -> str:
    """An item whose two readers agree, and which a reviewer settles by their vote."""
    from tests.web.world import add_item, read

    item = add_item(world.cast, source_id="agreed")
    for user in (world.cast.ann, world.cast.ben):
        read(world.cast, item, user, box=(4, 4, 20, 20), is_routed=False)
    return item.code


def job(world: World) -> int:
    return jobs.enqueue(
        kind="exports.release", arguments={}, project_id=world.cast.project.pk, asked_by="test", dedupe_key="x"
    ).pk


@pytest.fixture(scope="module")
def kept(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[tuple[World, Storages]]:
    """The world and where its pictures lie, made once in a transaction around those of the tests."""
    yield from made_once(members_world, blocker=django_db_blocker, folder=tmp_path_factory.mktemp("world"))


def members_world() -> World:
    made = make_world(make_cast())
    for user in (made.cast.ann, made.cast.ben):
        assert labeler_of(user, made.cast.project) is not None
    return made


@pytest.fixture
def world(kept, db, settings) -> World:
    """The world as it was made; what a test changes, its rows and its objects, is its own."""
    cache.clear()
    settings.STORAGES = kept[1]
    return copy.deepcopy(kept[0])


def writing_routes() -> set[str]:
    pages = {
        str(entry.name) for entry in PAGES if (access := access_of(entry)) is not None and "POST" in access.methods
    }
    return pages | {str(entry.name) for entry in API if hasattr(entry.callback.cls, "post")}


def test_each_writing_route_is_tried_here_or_says_why_it_leaves_no_event():
    assert writing_routes() == {*CASES, *SILENT, *ELSEWHERE}
    assert all(Path(place).exists() for place in ELSEWHERE.values())


def send(sent: Sent, world: World) -> int:
    client = Client(raise_request_exception=False)
    if sent.by:
        client.force_login(getattr(world.cast, sent.by))
    options = {"content_type": "application/json"} if sent.is_json else {}
    return client.post(sent.place, sent.data or {}, **options).status_code


@pytest.mark.parametrize("name", CASES)
def test_a_write_leaves_exactly_one_event_of_its_own(world: World, name: str):
    sent = CASES[name](world)
    last = Event.objects.order_by("pk").last()
    status = send(sent, world)
    assert status < 400, status
    kinds = Counter(Event.objects.filter(pk__gt=last.pk).values_list("kind", flat=True))
    assert kinds[sent.kind] == 1, kinds


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_recorded_does_not_happen(world: World, name: str, monkeypatch):
    sent = CASES[name](world)
    real, before = audit.append, counts()

    def broken(**given: Any) -> None:
        if given["kind"] == sent.kind:
            raise RuntimeError("the log cannot be written")
        real(**given)

    monkeypatch.setattr(audit, "append", broken)
    assert send(sent, world) >= 500
    assert counts() == before


def counts() -> dict[str, Any]:
    """How many rows each table of ours has, and in what state work and items are."""
    tables: dict[str, Any] = {
        model.__name__: model._default_manager.count()
        for model in apps.get_models()
        if model.__module__.startswith("labelhub.")
    }
    tables["work"] = Counter(Assignment.objects.values_list("state", flat=True))
    return tables
