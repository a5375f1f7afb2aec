"""Proposals over HTTP: who may ask, what is refused, what comes back, and what becomes of the reading.

Planted and seen to fail: the lease not looked at; the region not moved back to the medium's voxels; a trained model's proposal
that left the reading independent; a proposal that stored a mask; a class drawn as polygons that took one; a model that answered
where the policy shows none.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import numpy as np
import orjson
import pytest
from django.test import Client as Browser
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelhub.annotations import documents, log, plain, submissions
from labelhub.annotations.models import DocumentMask
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.catalog.models import Blob, Medium
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.inference.assist_server import _cropped
from labelhub.predictions import geodesic
from labelhub.predictions.architectures import read_design
from labelhub.predictions.assist import Answer, NoAssistant
from labelhub.predictions.interactive import CLASSICAL, CLICK_NETWORK
from labelhub.predictions.selectors import models_of
from labelhub.predictions.services import MappingProblem, register_click_network
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy, labeler_of
from labelhub.projects.services import publish_policy
from labelhub.workflow import assisting

pytestmark = pytest.mark.django_db
REGION = {"origin": [1, 4, 4], "size": [7, 34, 40]}
CUBE = {"medium": 0, "label": "lesion", **REGION, "positive": [[4, 17, 20]]}


@pytest.fixture
def assignment(cast) -> Assignment:
    """Ann's open work on a volume with a bright cube from (2, 10, 14) on."""
    pixels = np.full((8, 40, 48), 100, np.int16)
    pixels[2:6, 10:26, 14:30] = 200
    item = add_volume(
        project=cast.project, pixels=pixels, grid=Grid((8, 40, 48), (1.0, 1.0, 1.0)), source_id="cube", actor="test",
        identity=ItemIdentity(),
    )  # fmt: skip
    return Assignment.objects.create(
        item=item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True,
        state="open", fence=1, lease_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """The questions that were asked; answered here, without a process."""
    questions = []

    async def ask(question, *, path):
        questions.append(question)
        cut = tuple(slice(at, at + side) for at, side in zip(question.origin, question.size, strict=True))
        pixels = np.full((8, 40, 48), 100, np.int16)
        pixels[2:6, 10:26, 14:30] = 200
        found = geodesic.propose(pixels[cut], question.hints, level=question.level)
        origin, mask = _cropped(found.mask, question.origin)
        return Answer(origin, mask, found.method, ask.is_trained, 0.01)

    ask.is_trained = False
    monkeypatch.setattr(assisting, "ask", ask)
    return questions, ask


def post(user, assignment, body):
    browser = Browser()
    if user is not None:
        browser.force_login(user)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return browser.post(f"/api/v1/assignments/{assignment.pk}/document/propose/", raw, content_type="application/json")


def mask_of(response) -> np.ndarray:
    size = tuple(int(side) for side in response["X-Size"].split(","))
    return np.unpackbits(np.frombuffer(response.content, np.uint8), count=int(np.prod(size))).reshape(size)


def test_a_press_is_answered_with_a_piece_in_the_mediums_voxels_and_nothing_is_stored(cast, assignment, asked):
    before = (Blob.objects.count(), Event.objects.count())
    response = post(cast.ann, assignment, CUBE)
    assert response.status_code == 200
    assert (response["X-Origin"], response["X-Size"], response["X-Source"]) == ("2,10,14", "4,16,16", "tool")
    assert mask_of(response).mean() > 0.95
    assert asked[0][0].hints.positive == ((3, 13, 16),)
    assert (Blob.objects.count(), Event.objects.count(), DocumentMask.objects.count()) == (*before, 0)
    assignment.refresh_from_db()
    assert assignment.read_kind == "independent"


def test_every_kind_of_hint_reaches_the_assistant_in_the_regions_voxels(cast, assignment, asked):
    body = CUBE | {
        "negative": [[4, 5, 6]],
        "strokes": [
            {"is_inside": True, "points": [[4, 12, 16], [4, 20, 20]]},
            {"is_inside": False, "points": [[4, 6, 40]]},
        ],
        "box": {"origin": [2, 8, 12], "size": [4, 20, 20]},
        "extreme": [[4, 10, 20], [4, 25, 20], [4, 17, 14], [4, 17, 29]],
        "level": -2,
    }
    assert post(cast.ann, assignment, body).status_code == 200
    hints = asked[0][0].hints
    assert hints.negative == ((3, 1, 2),)
    assert (hints.positive_strokes, hints.negative_strokes) == ((((3, 8, 12), (3, 16, 16)),), (((3, 2, 36),),))
    assert hints.box == ((1, 4, 8), (5, 24, 28))
    assert len(hints.extreme) == 4
    assert asked[0][0].level == -2


@pytest.mark.parametrize(("who", "status"), [("ben", 404), ("rita", 404), ("ada", 404), ("otto", 404), (None, 403)])
def test_nobody_else_may_ask(cast, assignment, asked, who, status):
    assert post(getattr(cast, who) if who else None, assignment, CUBE).status_code == status
    assert not asked[0]


def test_nothing_is_proposed_where_nothing_can_be_drawn(cast, assignment, asked):
    Assignment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert post(cast.ann, assignment, CUBE).json()["code"] == "lease-ended"
    Assignment.objects.update(state="submitted", lease_until=None)
    assert post(cast.ann, assignment, CUBE).json()["code"] == "assignment-closed"
    assert not asked[0]


@pytest.mark.parametrize(
    "change",
    [
        {"label": "nucleus"}, {"label": "none"}, {"label": None}, {"label": ["lesion"]}, {"medium": 1.0}, {"medium": True},
        {"origin": [1, 4]}, {"origin": None}, {"origin": [2, 4, 4]}, {"size": [0, 1, 1]}, {"size": [10**9] * 3},
        {"positive": [[0, 0, 0]]}, {"positive": [[4, 17.5, 20]]}, {"positive": [[4, -1, 20]]}, {"positive": []},
        {"positive": [[4, 17, 20]] * 2001}, {"positive": "all"}, {"positive": [[True, 17, 20]]},
        {"negative": [[4, 17, 20]]}, {"strokes": [[4, 17, 20]]}, {"strokes": [{"is_inside": 1, "points": []}]},
        {"strokes": [{"is_inside": True, "points": [[4, 9, 9]] * 1001}] * 2}, {"box": [1, 2]},
        {"box": {"origin": [2, 8, 12], "size": [90, 1, 1]}}, {"box": {"origin": [2, 8, 12], "size": [1, 0, 1]}},
        {"level": 21}, {"level": 0.5}, {"extreme": [[4, 17, 20]]},
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_a_sentence(cast, assignment, asked, change):
    response = post(cast.ann, assignment, CUBE | change)
    assert response.status_code == 400
    assert response.json()["detail"].endswith(".")


def test_numbers_that_are_none_and_other_media_are_refused(cast, assignment, asked):
    for raw in (b'{"level": NaN}', b'{"level": Infinity}', b"[]", b"", b'{"origin":' + b"[" * 40 + b"]" * 40 + b"}"):
        assert post(cast.ann, assignment, raw).status_code == 400
    assert post(cast.ann, assignment, CUBE | {"medium": 7}).status_code == 404
    Medium.objects.update(pixels=None)
    assert post(cast.ann, assignment, CUBE).json()["code"] == "no-pixels"


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from([*CUBE, "negative", "strokes", "box", "extreme", "level"]), anything, max_size=5)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_payload_breaks_the_server(cast, assignment, asked, change):
    assert post(cast.ann, assignment, CUBE | change).status_code in (200, 400, 404)


def test_without_an_assistant_the_answer_says_what_to_do(cast, assignment, settings, tmp_path):
    settings.ENVIRONMENT = type(settings.ENVIRONMENT)(
        **{name: getattr(settings.ENVIRONMENT, name) for name in settings.ENVIRONMENT.__slots__} | {"var": tmp_path}
    )
    response = post(cast.ann, assignment, CUBE)
    assert (response.status_code, response.json()["code"]) == (503, "no-assistant")
    assert response.json()["detail"] == str(NoAssistant())


def test_a_trained_models_proposal_makes_the_reading_an_assisted_one_with_one_event(cast, assignment, asked):
    asked[1].is_trained = True
    assert [post(cast.ann, assignment, CUBE)["X-Source"] for _ in range(2)] == ["model", "model"]
    assignment.refresh_from_db()
    assert assignment.read_kind == "assisted"
    assert Event.objects.filter(kind="proposal.shown").count() == 1


@pytest.mark.parametrize(
    ("is_trained", "source", "kind"), [(False, "tool", "independent"), (True, "model", "assisted")]
)
def test_what_is_kept_is_frozen_with_who_made_it(cast, assignment, asked, is_trained, source, kind):
    asked[1].is_trained = is_trained
    response = post(cast.ann, assignment, CUBE)
    document = documents.document_of(assignment=assignment)
    mask = mask_of(response).astype(np.bool_)
    blob = documents.store_mask(document=document, author=cast.ann, mask=mask)
    payload = {
        "stroke_id": "p", "medium": 0, "label": "lesion", "mode": "add", "mask": blob.pk, "source": response["X-Source"],
        "origin": [int(at) for at in response["X-Origin"].split(",")],
    }  # fmt: skip
    operation = {"op_id": str(uuid.uuid4()), "client_seq": 1, "kind": "patch.add", "payload": payload}
    log.append_operations(document=document, author=cast.ann, client_id=uuid.uuid4(), operations=[operation])
    submission = submissions.freeze(assignment=assignment, request_id=uuid.uuid4())
    (shape,) = plain.reading_of(submission).shapes
    assert np.array_equal(shape.mask.voxels, mask)
    assert (shape.source, submission.read_kind) == (source, kind)


def test_a_model_answers_only_where_the_policy_shows_models_and_one_is_for_the_class(cast, assignment, asked):
    design = read_design(
        "UNet", {"spatial_dims": 2, "in_channels": 3, "out_channels": 1, "channels": [4, 8], "strides": [2]}
    )
    request = CUBE | {"by_model": True}
    given = {"project": cast.project, "name": "clicks", "design": design, "weights": b"w", "by": "test"}
    with pytest.raises(MappingProblem, match="no painted class"):
        register_click_network(**given, label="nucleus")
    model = register_click_network(**given, label="lesion")
    document = documents.document_of(assignment=assignment)
    assert assisting.offered_labels(document) == []
    assert post(cast.ann, assignment, request).json()["code"] == "no-assistant"
    publish_policy(project=cast.project, policy=Policy(drafts="asked"), by=cast.ada)
    document.policy = current_policy(cast.project)[0]
    document.save()
    assert assisting.offered_labels(document) == ["lesion"]
    asked[1].is_trained = True
    assert post(cast.ann, assignment, request)["X-Source"] == "model"
    assert (asked[0][-1].method, asked[0][-1].parameters["weights"]) == (CLICK_NETWORK, model.weights_id)
    assert post(cast.ann, assignment, CUBE).status_code == 200
    assert asked[0][-1].method == CLASSICAL
    assert post(cast.ann, assignment, request | {"by_model": 1}).status_code == 400
    assert not models_of(cast.project).exists(), "it draws nothing by itself"
