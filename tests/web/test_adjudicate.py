"""The page on which a reviewer decides region by region: its JSON, its pictures, and refusals in words for people."""

from __future__ import annotations

import io
import json
import uuid

import numpy as np
import pytest
from PIL import Image

from labelhub.consensus.regions import forget_sittings
from labelhub.reviews.models import MatterAnswer


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_sittings()


@pytest.fixture
def place(world) -> str:
    return f"/review/cells/{world.item.code}/matters/"


def send(client, place: str, **body):
    body = {"request_id": str(uuid.uuid4())} | body
    return client.post(place + "answer/", json.dumps(body), content_type="application/json")


def test_the_page_lists_what_is_in_dispute_largest_first_with_who_says_what(as_, world, place):
    assert b"data-matters" in as_("rita").get(f"/review/cells/{world.item.code}/").content
    found = as_("rita").get(place).json()
    assert len(found["matters"]) >= 2
    first = found["matters"][0]
    assert {says["words"] for says in first["says"]} >= {"nothing here"}
    assert first["answer"] is None
    assert found["result"]["kind"] == "result"
    assert found["classes"]
    areas = [(m["box"][1][1] - m["box"][0][1]) * (m["box"][1][2] - m["box"][0][2]) for m in found["matters"][:2]]
    assert areas[0] >= areas[1]


def test_an_answer_shows_at_once_in_the_result_and_settling_needs_them_all(as_, world, place):
    rita = as_("rita")
    found = rita.get(place).json()
    assert rita.post(place + "settle/").status_code == 409
    for matter in found["matters"]:
        reader = next(says["reader"] for says in matter["says"] if not says["is_silent"])
        answered = send(rita, place, key=matter["key"], choice="reader", reader=reader)
        assert answered.status_code == 200, answered.content
        mine = next(one for one in answered.json()["matters"] if one["key"] == matter["key"])
        assert mine["answer"]["choice"] == "reader"
    layer = rita.get(place.replace("matters/", "layers/")).json()["layers"][0]
    assert len(answered.json()["result"]["shapes"]) == len(layer["shapes"])
    assert rita.post(place + "settle/").status_code == 302
    world.item.refresh_from_db()
    assert world.item.state == "settled"


def test_pictures_of_a_region_cover_what_one_reader_alone_marked(as_, place):
    rita = as_("rita")
    matter = rita.get(place).json()["matters"][0]
    low, high = matter["box"]
    answer = rita.get(f"{place}{matter['key']}/{low[0]}/")
    region = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert region.shape[:2] == (high[1] - low[1], high[2] - low[2])
    assert region[..., 1].any()
    assert rita.get(f"{place}{matter['key']}/99/").status_code == 204
    small = rita.get(f"{place}{matter['key']}/thumbnail/")
    assert Image.open(io.BytesIO(small.content)).size == (96, 96)
    assert rita.get(f"{place}{'0' * 32}/thumbnail/").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"key": "x", "choice": "reader"}', 400),
        (b'{"key": NaN}', 400),
        (b'{"key": "\\u0000", "choice": "reader", "request_id": "6f1f7c1e-1f57-4a0e-9d1a-1b8f5e2f6a11"}', 409),
        (b"[" * 100_000, 400),
        (b" " * (2 << 20), 413),
    ],
)
def test_what_is_no_answer_is_refused_in_a_sentence_and_stores_nothing(as_, place, body, status):
    answer = as_("rita").post(place + "answer/", body, content_type="application/json")
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")
    assert not MatterAnswer.objects.exists()


def test_nobody_but_reviewers_sees_matters(as_, place):
    assert as_("ann").get(place).status_code == 403
    assert as_("otto").get(place).status_code == 404
    assert send(as_("ann"), place, key="x", choice="ambiguous").status_code == 403
