"""The working copy over HTTP, tried by everybody: its labeler, colleagues, an outsider, nobody."""

from __future__ import annotations

import uuid

import numpy as np
import orjson
import pytest
from django.test import Client as Browser
from django.urls import reverse

from labelhub.annotations.models import Operation
from labelhub.assignments.models import Assignment
from tests.annotations.conftest import POLYGON

pytestmark = pytest.mark.django_db


def browser_of(user=None):
    browser = Browser(enforce_csrf_checks=False)
    if user is not None:
        browser.force_login(user)
    return browser


def address(assignment, rest=""):
    return f"/api/v1/assignments/{assignment.pk}/document/{rest}"


def send(browser, assignment, *operations, **rest):
    body = {"client_id": str(uuid.uuid4()), "epoch": 1, "fence": 1, "operations": list(operations)} | rest
    return browser.post(address(assignment), orjson.dumps(body), content_type="application/json")


def add_shape(client_seq=1):
    payload = {"shape_id": "s1", "medium": 0, "label": "nucleus", "regions": [{"kind": "polygon", "points": POLYGON}]}
    return {"op_id": str(uuid.uuid4()), "client_seq": client_seq, "kind": "shape.add", "payload": payload}


def test_the_labeler_reads_and_writes(cast, assignment):
    browser = browser_of(cast.ann)
    workspace = browser.get(address(assignment)).json()
    assert workspace["code"] == "K7Q2"
    assert [medium["size"] for medium in workspace["media"]] == [[1, 100, 120], [6, 50, 40]]
    assert [entry["key"] for entry in workspace["ontology"]["classes"]] == ["nucleus", "debris", "lesion"]
    answer = send(browser, assignment, add_shape()).json()
    assert answer["acknowledged"][0]["seq"] == answer["head_seq"] == 1
    assert browser.get(address(assignment)).json()["state"]["shapes"][0]["shape_id"] == "s1"
    assert [act["seq"] for act in browser.get(address(assignment) + "?after=0").json()["operations"]] == [1]
    assert browser.get(address(assignment) + "?after=1").json()["operations"] == []


@pytest.mark.parametrize("who", ["ben", "rita", "ada", "otto", None])
def test_nobody_else_finds_it(cast, assignment, who):
    browser = browser_of(getattr(cast, who) if who else None)
    expected = 404 if who else 403
    assert browser.get(address(assignment)).status_code == expected
    assert send(browser, assignment, add_shape()).status_code == expected
    assert (
        browser.post(address(assignment, "heartbeat/"), "{}", content_type="application/json").status_code == expected
    )
    assert browser.get(address(assignment, f"masks/{'0' * 64}/")).status_code == expected
    assert (
        browser.post(
            address(assignment, "masks/?size=1,1,8"), b"\xff", content_type="application/octet-stream"
        ).status_code
        == expected
    )
    assert not Operation.objects.exists()


def test_a_browser_needs_the_token_to_write(cast, assignment):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(cast.ann)
    assert send(browser, assignment, add_shape()).status_code == 403


def test_what_an_annotator_gets_names_no_reason_row_or_other_person(cast, assignment):
    Assignment.objects.update(reason="Gold was due.")
    text = browser_of(cast.ann).get(address(assignment)).content.decode()
    for hidden in ("Gold", "gold", "reason", "score", "planned", "read_kind", "Ben", "group", "source_id", '"id"'):
        assert hidden not in text
    assert set(orjson.loads(text)) == {
        "code", "author", "status", "is_rework", "fence", "lease_until", "epoch", "active_s", "ontology", "instructions",
        "media", "state", "is_shared", "hanging", "drafts",
    }  # fmt: skip


def test_two_worlds_that_differ_in_hidden_labels_give_equal_bytes(cast, assignment):
    browser = browser_of(cast.ann)
    before = browser.get(address(assignment)).content
    from labelhub.projects.selectors import labeler_of

    Assignment.objects.create(
        item=assignment.item, labeler=labeler_of(cast.ben, cast.project), read_kind="independent", state="submitted"
    )
    assert browser.get(address(assignment)).content == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"operations": [NaN]}', 400),
        (b"[" * 100_000, 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"operations": 3}', 400),
        (b'{"operations": [], "client_id": "no"}', 400),
        (b'{"operations": [], "client_id": "6a3f0d9e-0a67-4c7f-b1f5-000000000000", "epoch": true, "fence": 1}', 400),
        (b'"' + b"a" * (9 * 1024 * 1024) + b'"', 400),
    ],
    ids=["nan", "deep", "cut", "list", "number", "client", "epoch", "large"],
)
def test_hostile_bodies_are_refused(cast, assignment, body, status):
    answer = browser_of(cast.ann).post(address(assignment), body, content_type="application/json")
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_stale_lease_is_answered_with_the_sentence_and_code(cast, assignment):
    answer = send(browser_of(cast.ann), assignment, add_shape(), fence=7)
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "lease-ended",
        "detail": "Your time on this image ended. Your draft is kept. Take it again?",
    }


def test_what_one_drew_is_not_taken_from_whoever_signed_in_after_them(cast, assignment):
    answer = send(browser_of(cast.ann), assignment, add_shape(), person=str(cast.ben.public_id))
    assert (answer.status_code, answer.json()["code"]) == (403, "signed-out")
    assert send(browser_of(cast.ann), assignment, add_shape(), person=str(cast.ann.public_id)).status_code == 200


@pytest.mark.parametrize("place", ["mask", "heartbeat", "submit", "park", "skip"])
def test_a_page_left_open_does_nothing_in_the_name_of_whoever_signed_in_after(cast, assignment, place):
    addresses = {
        "mask": address(assignment, "masks/?size=1,1,8"),
        "heartbeat": address(assignment, "heartbeat/"),
    }
    to = addresses.get(place) or reverse(f"label-{place}", args=[assignment.pk])
    body = b"\xff" if place == "mask" else b'{"client_id": "6a3f0d9e-0a67-4c7f-b1f5-000000000000", "reason": "unclear"}'

    def post(person):
        kind = "application/octet-stream" if place == "mask" else "application/json"
        return browser_of(cast.ann).post(to, body, content_type=kind, headers={"X-LabelHub-Person": person})

    before = Assignment.objects.values().get(pk=assignment.pk)
    answer = post(str(cast.ben.public_id))
    assert (answer.status_code, answer.json()["code"]) == (403, "signed-out")
    assert Assignment.objects.values().get(pk=assignment.pk) == before
    # The person whom the page was made for is let through to it.
    answer = post(str(cast.ann.public_id))
    assert answer.status_code != 403


def test_a_refused_operation_is_named_in_a_normal_answer(cast, assignment):
    bad = add_shape(2)
    bad["payload"]["regions"][0]["points"] = [[1, 1], [9, 9], [9, 1], [1, 9]]
    bad["payload"]["shape_id"] = "s2"
    answer = send(browser_of(cast.ann), assignment, add_shape(1), bad).json()
    assert answer["refused"]["code"] == "self-crossing"
    assert answer["refused"]["op_id"] == bad["op_id"]
    assert len(answer["acknowledged"]) == 1


def test_a_mask_travels_as_bits_and_comes_back_the_same(cast, assignment):
    browser = browser_of(cast.ann)
    mask = np.random.default_rng(0).random((2, 3, 5)) < 0.5
    bits = np.packbits(mask).tobytes()
    stored = browser.post(address(assignment, "masks/?size=2,3,5"), bits, content_type="application/octet-stream")
    assert stored.status_code == 201
    assert browser.get(address(assignment, f"masks/{stored.json()['mask']}/")).content == bits
    for size, body in [("2,3", bits), ("0,3,5", bits), ("2,3,5", bits + b"x"), ("99999,99999,99999", b"")]:
        answer = browser.post(address(assignment, f"masks/?size={size}"), body, content_type="application/octet-stream")
        assert answer.status_code == 400
