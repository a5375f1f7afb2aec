"""The log under several hands: what is kept in memory is never believed after a rollback, and baking changes nothing.

Planted once and seen to fail: a standing copy put back before the commit; another's client id counted on; baked strokes that
can be undone; baking that forgets deleted shapes, or paints what was undone.
"""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from django.db import transaction

from labelhub.annotations import baking, documents, history, log
from labelhub.annotations.layers import layer_digest, paint_layers
from labelhub.annotations.models import Document, Operation, Snapshot
from labelhub.annotations.standing import standings
from labelhub.assignments.models import Companion
from labelhub.jobs.models import Job
from labelhub.projects.selectors import labeler_of
from tests.annotations.conftest import POLYGON, Client

pytestmark = pytest.mark.django_db
SIZES = {0: (1, 100, 120), 1: (6, 50, 40)}


def shape(shape_id: str) -> dict[str, Any]:
    return {
        "shape_id": shape_id, "medium": 0, "label": "nucleus", "regions": [{"kind": "polygon", "points": POLYGON}],
    }  # fmt: skip


def stroke(stroke_id: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "stroke_id": stroke_id, "medium": 1, "plane": "axial", "index": int(rng.integers(6)), "label": "lesion",
        "mode": str(rng.choice(["add", "add", "erase"])), "tip": str(rng.choice(["round", "square"])),
        "radius": int(rng.integers(4, 31)), "points": rng.integers(0, 161, 2 * int(rng.integers(1, 5))).tolist(),
    }  # fmt: skip


def said(document: Document) -> tuple[Any, ...]:
    """What a document says, however its log is read: shapes, answers, and each layer's pixels."""
    document = Document.objects.select_related("assignment").get(pk=document.pk)
    state = history.state_of(document)
    layers = paint_layers(state, SIZES, history.masks_of(document, state))
    digests = {key: layer_digest(layer) for key, layer in layers.items()}
    return list(state.shapes.values()), dict(state.answers), digests, state.head_seq


@pytest.fixture
def ben(cast, assignment) -> Client:
    Companion.objects.create(assignment=assignment, labeler=labeler_of(cast.ben, cast.project))
    return Client(documents.document_of(assignment=assignment), cast.ben)


def test_a_write_that_is_rolled_back_leaves_nothing_in_memory(
    client_of_ann: Client, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        client_of_ann.do("shape.add", **shape("a"))
    with transaction.atomic():
        client_of_ann.do("shape.add", **shape("b"))
        transaction.set_rollback(True)
    # Another process, which has no copy in memory, writes what now stands at that place.
    believed = standings._kept.pop(client_of_ann.document.pk, None)
    again = Client(client_of_ann.document, client_of_ann.author)
    assert again.refusal("shape.add", **shape("c")) == ""
    if believed is not None:
        standings.keep(believed)
    assert again.refusal("shape.delete", shape_id="b") == "shape-unknown"
    assert again.refusal("shape.delete", shape_id="c") == ""
    assert again.refusal("shape.add", **shape("b")) == ""
    assert Operation.objects.filter(document=client_of_ann.document).count() == 4


def test_what_another_process_wrote_is_caught_up_with(client_of_ann: Client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client_of_ann.do("shape.add", **shape("a"))
    kept = standings._kept[client_of_ann.document.pk]
    del standings._kept[client_of_ann.document.pk]
    client_of_ann.do("shape.delete", shape_id="a")
    standings.keep(kept)
    assert kept.head_seq == 1
    assert client_of_ann.do("shape.restore", shape_id="a").head_seq == 3
    assert kept.head_seq == 3


def test_nobody_counts_on_under_the_client_of_another(client_of_ann: Client, ben: Client):
    client_of_ann.do("shape.add", **shape("a"))
    ben.client_id = client_of_ann.client_id
    operation = ben.operation("shape.delete", shape_id="a") | {"client_seq": 2}
    with pytest.raises(log.AnnotationRefused) as refusal:
        ben.send(operation)
    assert refusal.value.code == "client-taken"
    assert client_of_ann.do("shape.add", **shape("b")).refused is None


def test_several_senders_are_stored_in_one_go_and_each_gets_an_answer_of_their_own(client_of_ann, ben, cast):
    sendings = [
        log.Sending(cast.ann, uuid.uuid4(), [client_of_ann.operation("shape.add", **shape("a"))]),
        log.Sending(cast.otto, uuid.uuid4(), [ben.operation("shape.add", **shape("x"))]),
        log.Sending(cast.ben, uuid.uuid4(), [ben.operation("shape.delete", shape_id="a") | {"client_seq": 1}]),
        log.Sending(cast.ben, uuid.uuid4(), [], epoch=9),
    ]
    answers = log.append_together(document=client_of_ann.document, sendings=sendings)
    kinds = [type(answer).__name__ for answer in answers]
    assert kinds == ["Acknowledged", "NotFound", "Acknowledged", "AnnotationRefused"]
    assert [row.kind for row in Operation.objects.order_by("seq")] == ["shape.add", "shape.delete"]


def test_only_who_painted_a_stroke_takes_it_back(client_of_ann: Client, ben: Client):
    client_of_ann.do("stroke.add", **stroke("s", np.random.default_rng(1)))
    assert ben.refusal("stroke.undo", stroke_id="s") == "not-your-stroke"


@pytest.mark.parametrize("seed", range(6))
def test_a_baked_log_says_what_the_whole_log_says(client_of_ann: Client, ben: Client, seed: int):
    rng = np.random.default_rng(seed)
    painted: dict[str, Client] = {}
    for number in range(60):
        client = (client_of_ann, ben)[int(rng.integers(2))]
        if painted and rng.random() < 0.3:
            name = str(rng.choice(list(painted)[-4:]))
            painted[name].do(str(rng.choice(["stroke.undo", "stroke.redo"])), stroke_id=name)
        elif rng.random() < 0.3:
            client.do("shape.add", **shape(f"h{number}"))
            if rng.random() < 0.4:
                client.do("shape.delete", shape_id=f"h{number}")
        else:
            client.do("stroke.add", **stroke(f"s{number}", rng))
            painted[f"s{number}"] = client
    whole = said(client_of_ann.document)
    place = history.bake(client_of_ann.document, keep=12)
    assert 0 < place <= whole[3] - 12
    assert history.bake(client_of_ann.document, keep=12) == place
    assert said(client_of_ann.document) == whole
    row = Snapshot.objects.get()
    assert row.state["marks"] == []
    # What goes on from there is the same again, also in the copy that stands in memory.
    client_of_ann.do("stroke.add", **stroke("after", rng))
    baked = said(client_of_ann.document)
    Document.objects.filter(pk=client_of_ann.document.pk).update(baked_seq=0)
    assert said(client_of_ann.document) == baked


def test_a_baked_stroke_can_no_longer_be_taken_back_and_its_mask_can_be_read(client_of_ann: Client):
    rng = np.random.default_rng(3)
    for number in range(4):
        client_of_ann.do("stroke.add", **(stroke(f"s{number}", rng) | {"mode": "add"}))
    history.bake(client_of_ann.document, keep=1)
    assert client_of_ann.refusal("stroke.undo", stroke_id="s0") == "stroke-unknown"
    assert client_of_ann.refusal("stroke.undo", stroke_id="s3") == ""
    document = Document.objects.get(pk=client_of_ann.document.pk)
    (layer,) = history.state_of(document).base_layers
    assert documents.mask_for(document, layer["mask"]) is not None


def test_a_replay_of_what_was_baked_is_still_known(client_of_ann: Client):
    first = client_of_ann.operation("stroke.add", **stroke("s0", np.random.default_rng(4)))
    client_of_ann.send(first)
    client_of_ann.do("shape.add", **shape("a"))
    history.bake(client_of_ann.document, keep=0)
    again = Client(client_of_ann.document, client_of_ann.author)
    assert again.send(first | {"client_seq": 1}).seq == {first["op_id"]: 1}
    assert Operation.objects.count() == 2


def test_the_past_is_read_from_the_nearest_place(client_of_ann: Client):
    for number in range(8):
        client_of_ann.do("shape.add", **shape(f"h{number}"))
    history.bake(client_of_ann.document, keep=4)
    document = Document.objects.get(pk=client_of_ann.document.pk)
    assert [len(history.state_at(document, seq).shapes) for seq in (0, 3, 4, 6, 8)] == [0, 3, 4, 6, 8]


def test_a_long_log_asks_for_its_baking_once(client_of_ann: Client, monkeypatch):
    monkeypatch.setattr(history, "BAKE_AFTER", 10)
    monkeypatch.setattr(baking, "EVERY", 5)
    for number in range(16):
        client_of_ann.do("shape.add", **shape(f"h{number}"))
    job = Job.objects.get(kind=baking.JOB_KIND)
    monkeypatch.setattr(history, "KEPT_FOR_UNDO", 3)
    assert job.arguments == {"document": str(client_of_ann.document.pk)}
