"""Work for machines over REST: the loop from next to submit, idempotence, refusals with codes, and the outsider."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labelhub.accounts.services import make_api_token
from labelhub.annotations.models import Submission
from tests.cast import Cast
from tests.workflow.walking import add_item, draw, set_policy, state, take


def machine(user) -> Client:
    return Client(headers={"authorization": f"Bearer {make_api_token(user=user, name='test')}"})


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast, readers=1)


def test_a_machine_takes_submits_and_is_told_when_there_is_nothing(cast: Cast):
    item = add_item(cast.project)
    client = machine(cast.ann)
    given = client.post(f"/api/v1/projects/{cast.project.slug}/next/").json()
    assert set(given) == {
        "id", "item_code", "state", "is_rework", "is_recalled", "is_training", "due_at", "fence", "lease_until", "created_at",
        "closed_at",
    }  # fmt: skip
    draw(take(cast, cast.ann), cast.ann, (10, 10, 20))
    body = {"request_id": str(uuid.uuid4())}
    place = f"/api/v1/assignments/{given['id']}/submit/"
    answers = [client.post(place, body, content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.content for answer in answers}) == 1
    assert (Submission.objects.count(), state(item)) == (1, "settled")
    assert client.post(f"/api/v1/projects/{cast.project.slug}/next/").status_code == 204
    queue = client.get(f"/api/v1/projects/{cast.project.slug}/queue/").json()
    assert (queue["open"], queue["n_submitted"], queue["closed"][0]["id"]) == ([], 1, given["id"])


def test_refusals_carry_a_code_and_change_nothing(cast: Cast):
    item = add_item(cast.project)
    client = machine(cast.ann)
    given = client.post(f"/api/v1/projects/{cast.project.slug}/next/").json()
    submit, skip = (f"/api/v1/assignments/{given['id']}/{step}/" for step in ("submit", "skip"))
    empty = client.post(submit, {"request_id": str(uuid.uuid4())}, content_type="application/json")
    assert (empty.status_code, empty.json()["code"]) == (422, "nothing-drawn")
    wrong_bodies: list[Any] = [{}, {"request_id": "7"}, {"request_id": str(uuid.uuid4()), "extent": 3}, []]
    for wrong in wrong_bodies:
        assert client.post(submit, wrong, content_type="application/json").status_code == 400
    assert client.post(skip, {"reason": 5}, content_type="application/json").status_code == 400
    assert (Submission.objects.count(), state(item)) == (0, "reading")
    assert client.post(skip, {"reason": "blurred"}, content_type="application/json").json()["state"] == "skipped"
    again = client.post(skip, {"reason": "blurred"}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "assignment-closed")


def test_outsiders_and_colleagues_find_nothing_and_strangers_are_asked_to_sign_in(cast: Cast):
    add_item(cast.project)
    mine = take(cast, cast.ann)
    body = {"request_id": str(uuid.uuid4()), "no_finding": True}
    for user in (cast.otto, cast.ben, cast.rita, cast.ada):
        client = machine(user)
        for step in ("submit", "skip"):
            answer = client.post(f"/api/v1/assignments/{mine.pk}/{step}/", body, content_type="application/json")
            assert answer.status_code == 404, (user, step)
    outsider = machine(cast.otto)
    assert outsider.post(f"/api/v1/projects/{cast.project.slug}/next/").status_code == 404
    assert outsider.get(f"/api/v1/projects/{cast.project.slug}/queue/").status_code == 404
    assert Client().post(f"/api/v1/projects/{cast.project.slug}/next/").status_code in (401, 403)
    assert Submission.objects.count() == 0
