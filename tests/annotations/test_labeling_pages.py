"""The annotator's pages without a browser: who may open them, what they say, and what a refusal answers."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import orjson
import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from labelhub.annotations import history
from labelhub.annotations.models import Document, Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Acknowledgement
from labelhub.projects.selectors import current_guideline
from labelhub.projects.services import publish_guideline
from labelhub.reviews.models import Decision
from labelhub.workflow import lifecycle
from tests.annotations.conftest import POLYGON

pytestmark = pytest.mark.django_db


def browser_of(user=None):
    browser = Browser()
    if user is not None:
        browser.force_login(user)
    return browser


def post(browser, address, **body):
    return browser.post(address, orjson.dumps(body), content_type="application/json")


def test_the_queue_offers_one_start_and_an_outsider_sees_another_project(cast, item):
    text = browser_of(cast.ann).get(reverse("label-queue")).content.decode()
    assert text.count("start-button") == 1
    assert "K7Q2" not in browser_of(cast.otto).get(reverse("label-queue")).content.decode()
    assert browser_of(cast.otto).get(reverse("label-queue") + "?project=cells").status_code == 404
    assert browser_of().get(reverse("label-queue")).status_code == 302


def test_start_hands_out_an_item_and_opens_it(cast, item):
    answer = browser_of(cast.ann).post(reverse("label-next"), {"project": "cells"})
    assert answer.url == reverse("label-workspace", args=[Assignment.objects.get().pk])
    assert browser_of(cast.ann).get(answer.url).status_code == 200
    for person in (cast.ben, cast.rita, cast.ada, cast.otto):
        assert browser_of(person).get(answer.url).status_code == 404


def test_instructions_are_read_before_the_first_item(cast, item):
    publish_guideline(project=cast.project, text="Mark every nucleus.", by=cast.ada)
    browser = browser_of(cast.ann)
    text = browser.get(reverse("label-queue")).content.decode()
    assert "Mark every nucleus." in text
    assert "start-button" not in text
    browser.post(reverse("label-next"), {"project": "cells"})
    assert not Assignment.objects.exists()
    guideline = current_guideline(cast.project)
    browser_of(cast.otto).post(reverse("label-acknowledge", args=[guideline.pk]))
    assert not Acknowledgement.objects.exists()
    browser.post(reverse("label-acknowledge", args=[guideline.pk]))
    assert Acknowledgement.objects.count() == 1
    assert "start-button" in browser.get(reverse("label-queue")).content.decode()


def test_a_submit_is_answered_with_the_way_on_and_a_retry_with_the_same_submission(cast, assignment, client_of_ann):
    client_of_ann.do(
        "shape.add", shape_id="s", medium=0, label="nucleus", regions=[{"kind": "polygon", "points": POLYGON}]
    )
    address = reverse("label-submit", args=[assignment.pk])
    request_id = str(uuid.uuid4())
    extent = {"media": [{"medium": 0, "whole": True}]}
    replies = [post(browser_of(cast.ann), address, request_id=request_id, extent=extent).json() for _ in range(3)]
    assert len({(reply["version"], reply["submitted_at"]) for reply in replies}) == 1
    assert Submission.objects.count() == 1
    assert replies[0]["next"].startswith("/label/")
    assert post(browser_of(cast.ben), address, request_id=request_id).status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"request_id": "no"}, "malformed", 400),
        ({"request_id": str(uuid.uuid4()), "extent": {"media": []}}, "nothing-drawn", 422),
        ({"request_id": str(uuid.uuid4()), "no_finding": True}, "extent-wrong", 422),
    ],
)
def test_a_submit_that_cannot_stand_says_why_and_stores_nothing(cast, assignment, client_of_ann, body, code, status):
    answer = post(browser_of(cast.ann), reverse("label-submit", args=[assignment.pk]), **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Submission.objects.exists()


def test_a_skip_needs_a_reason(cast, assignment):
    address = reverse("label-skip", args=[assignment.pk])
    assert post(browser_of(cast.ann), address, reason=" ").json()["code"] == "reason-missing"
    assert post(browser_of(cast.ann), address, reason="blurred").status_code == 200
    assert Assignment.objects.get().state == "skipped"
    assert post(browser_of(cast.ann), address, reason="again").status_code == 409


def test_returned_work_opens_with_the_reviewers_words_and_keeps_its_long_lease(cast, assignment, client_of_ann):
    client_of_ann.do(
        "shape.add", shape_id="s", medium=0, label="nucleus", regions=[{"kind": "polygon", "points": POLYGON}]
    )
    Item.objects.update(state=Item.State.READING)
    submission = lifecycle.submit(assignment=assignment, by=cast.ann, request_id=uuid.uuid4())
    lifecycle.review(
        submission=submission, reviewer=cast.rita, verdict=Decision.Verdict.REJECT, score=4,
        comment="The <b>left</b> border is too wide.", request_id=uuid.uuid4(),
    )  # fmt: skip
    rework = Assignment.objects.get(read_kind="rework")
    browser = browser_of(cast.ann)
    assert "Returned to you" in browser.get(reverse("label-queue")).content.decode()
    text = browser.get(reverse("label-workspace", args=[rework.pk])).content.decode()
    assert "The &lt;b&gt;left&lt;/b&gt; border is too wide." in text
    assert "Rita" not in text
    assert [entry["shape_id"] for entry in Document.objects.get(assignment=rework).base["shapes"]] == ["s"]
    rework.refresh_from_db()
    assert rework.lease_until > timezone.now() + timedelta(days=1)


def test_opening_an_image_whose_time_ran_out_takes_it_again_and_the_draft_is_there(cast, assignment, client_of_ann):
    client_of_ann.do(
        "shape.add", shape_id="s", medium=0, label="nucleus", regions=[{"kind": "polygon", "points": POLYGON}]
    )
    Assignment.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    browser_of(cast.ann).get(reverse("label-workspace", args=[assignment.pk]))
    assignment.refresh_from_db()
    assert assignment.lease_until > timezone.now()
    assert len(history.state_of(client_of_ann.document).standing_shapes()) == 1


def test_own_work_counts_ones_own_only(cast, assignment, client_of_ann):
    lifecycle.submit(assignment=assignment, by=cast.ann, request_id=uuid.uuid4(), no_finding=True, active_s=30.0)
    text = browser_of(cast.ann).get(reverse("label-me")).content.decode()
    assert re.search(r"<dd>\s*1\s*</dd>", text)
    assert "30 s" in text
    assert "Nothing finished in these days" in browser_of(cast.ben).get(reverse("label-me")).content.decode()
