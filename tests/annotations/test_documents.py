"""The log: gapless, once each, the author's own; and the checks at its door."""

from __future__ import annotations

import math
import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelhub.annotations import documents, history, log
from labelhub.annotations.errors import AnnotationRefused
from labelhub.annotations.models import Document, Operation
from labelhub.annotations.operations import _CHECKS, MAX_OPERATIONS
from labelhub.assignments.models import Assignment
from labelhub.projects.permissions import NotAllowed, NotFound
from tests.annotations.conftest import POLYGON, Client

STROKE = {"stroke_id": "k1", "medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "add", "tip": "round",
          "radius": 8, "points": [40, 40, 80, 80]}  # fmt: skip


def shape(points=None, *, kind="polygon", label="nucleus", **rest):
    region = {"kind": kind, "points": POLYGON if points is None else points}
    return {"shape_id": "s1", "medium": 0, "label": label, "regions": [region | rest]}


def test_operations_get_gapless_places_and_are_acknowledged_once_stored(client_of_ann):
    first = client_of_ann.send(
        client_of_ann.operation("shape.add", **shape()), client_of_ann.operation("stroke.add", **STROKE)
    )
    second = client_of_ann.do("answer.set", question="quality", value="good")
    assert sorted([*first.seq.values(), *second.seq.values()]) == [1, 2, 3]
    assert list(Operation.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    assert Document.objects.get().head_seq == second.head_seq == 3
    assert second.next_client_seq == 4


def test_a_replay_gets_its_first_acknowledgement_and_stores_nothing(client_of_ann):
    operation = client_of_ann.operation("shape.add", **shape())
    first = client_of_ann.send(operation)
    again = client_of_ann.send(operation, operation)
    assert dict(again.seq) == dict(first.seq)
    other_window = Client(client_of_ann.document, client_of_ann.author)
    assert dict(other_window.send(operation).seq) == dict(first.seq)
    assert Operation.objects.count() == 1


def test_a_gap_is_refused_with_what_is_expected_and_nothing_after_it_is_stored(client_of_ann):
    operations = [
        client_of_ann.operation("answer.set", question="quality", value=value) for value in ("poor", "fair", "good")
    ]
    answer = client_of_ann.send(operations[0], operations[2], operations[1])
    assert answer.refused.code == "sequence-gap"
    assert answer.next_client_seq == 2
    assert Operation.objects.count() == 1
    assert client_of_ann.send(*operations[1:]).refused is None


def test_a_refused_operation_keeps_those_before_it_and_stops_those_after(client_of_ann):
    good, bad, after = (
        client_of_ann.operation("shape.add", **shape()),
        client_of_ann.operation("shape.add", **(shape() | {"shape_id": "s2", "label": "unknown"})),
        client_of_ann.operation("answer.set", question="quality", value="good"),
    )
    answer = client_of_ann.send(good, bad, after)
    assert (answer.refused.op_id, answer.refused.code) == (bad["op_id"], "class-unknown")
    assert Operation.objects.count() == 1


def test_only_the_labeler_writes(cast, client_of_ann):
    operation = client_of_ann.operation("shape.add", **shape())
    for person, error in [(cast.ben, NotFound), (cast.otto, NotFound), (cast.rita, NotAllowed), (cast.ada, NotAllowed)]:
        with pytest.raises(error):
            Client(client_of_ann.document, person).send(operation)
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "submitted"}, "assignment-closed"),
        ({"state": "skipped"}, "assignment-closed"),
        ({"state": "expired"}, "lease-ended"),
        ({"lease_until": timezone.now() - timedelta(seconds=1)}, "lease-ended"),
    ],
)
def test_a_closed_or_lapsed_assignment_takes_no_operation(client_of_ann, change, code):
    Assignment.objects.update(**change)
    with pytest.raises(AnnotationRefused) as refusal:
        client_of_ann.do("shape.add", **shape())
    assert refusal.value.code == code


def test_an_old_lease_or_epoch_is_refused(client_of_ann):
    operation = client_of_ann.operation("shape.add", **shape())
    with pytest.raises(AnnotationRefused, match="Your draft is kept"):
        client_of_ann.send(operation, fence=0)
    with pytest.raises(AnnotationRefused) as refusal:
        client_of_ann.send(operation, epoch=2)
    assert refusal.value.code == "stale-epoch"
    assert client_of_ann.send(operation, epoch=1, fence=1).refused is None


def test_a_request_with_too_many_operations_is_refused_whole(client_of_ann):
    with pytest.raises(AnnotationRefused) as refusal:
        client_of_ann.send(*[{}] * (MAX_OPERATIONS + 1))
    assert refusal.value.code == "too-many-operations"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (shape([[math.nan, 1.0], [4.0, 4.0], [1.0, 9.0]]), "not-a-number"),
        (shape([[math.inf, 1.0], [4.0, 4.0], [1.0, 9.0]]), "not-a-number"),
        (shape([[True, 1.0], [4.0, 4.0], [1.0, 9.0]]), "not-a-number"),
        (shape([["1", 1.0], [4.0, 4.0], [1.0, 9.0]]), "not-a-number"),
        (shape([[1.0, 1.0], [4.0, 4.0]]), "too-few-points"),
        (shape([[1.0, 1.0], [4.0, 4.0], [8.0, 8.0]]), "zero-area"),
        (shape([[1.0, 1.0], [9.0, 9.0], [9.0, 1.0], [1.0, 9.0]]), "self-crossing"),
        (shape([[1.0, 1.0], [9.0, 1.0], [9.0, 5.0], [5.0, -1.0]]), "outside-image"),
        (shape([[1.0, 1.0], [121.0, 1.0], [9.0, 5.0]]), "outside-image"),
        (shape([[1.0, 1.0]] * 20_001), "too-many-points"),
        (shape(z=1), "slice-unknown"),
        (shape(z=1.0), "slice-unknown"),
        (shape(is_hole=True), "hole-alone"),
        (shape([[1.0, 1.0], [4.0, 4.0]], kind="box"), "tool-mismatch"),
        (shape([[4.0, 4.0], [1.0, 1.0]], kind="box", label="debris"), "zero-area"),
        (shape(label="lesion"), "tool-mismatch"),
        (shape() | {"medium": 7}, "medium-unknown"),
        (shape() | {"shape_id": "a b"}, "malformed"),
        (shape() | {"regions": []}, "malformed"),
        (shape() | {"regions": [[]]}, "malformed"),
        (shape() | {"attributes": {"x": 1}}, "attribute-unknown"),
    ],
)
def test_a_shape_that_cannot_be_scored_is_refused_with_its_code(client_of_ann, payload, code):
    assert client_of_ann.refusal("shape.add", **payload) == code
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"points": [1.5, 2]}, "malformed"),
        ({"points": [1, 2, 3]}, "malformed"),
        ({"points": []}, "malformed"),
        ({"points": [481, 2]}, "outside-image"),
        ({"points": [-1, 2]}, "outside-image"),
        ({"points": [1, 1] * 20_001}, "too-many-points"),
        ({"radius": 2}, "radius-wrong"),
        ({"radius": 10**9}, "radius-wrong"),
        ({"index": 1}, "slice-unknown"),
        ({"plane": "oblique"}, "malformed"),
        ({"label": "nucleus"}, "tool-mismatch"),
    ],
)
def test_a_stroke_that_cannot_be_painted_is_refused_with_its_code(client_of_ann, change, code):
    assert client_of_ann.refusal("stroke.add", **(STROKE | change)) == code


def test_references_must_exist_and_answers_must_fit(client_of_ann):
    refusal = client_of_ann.refusal
    assert refusal("shape.delete", shape_id="none") == "shape-unknown"
    assert refusal("stroke.undo", stroke_id="none") == "stroke-unknown"
    assert refusal("answer.set", question="none", value=1) == "question-unknown"
    assert refusal("answer.set", question="quality", value="splendid") == "answer-wrong"
    assert refusal("shape.explode", shape_id="s1") == "kind-unknown"
    patch = {"stroke_id": "p", "medium": 0, "label": "lesion", "mode": "add", "origin": [0, 0, 0]}
    assert refusal("patch.add", mask="0" * 64, **patch) == "mask-unknown"
    client_of_ann.do("shape.add", **shape())
    assert refusal("shape.add", **shape()) == "shape-exists"
    assert refusal("shape.geometry", shape_id="s1", base_version=2, regions=shape()["regions"]) == "version-unknown"
    assert refusal("shape.label", shape_id="s1", label="debris") == "tool-mismatch"


def test_a_patch_names_a_mask_of_this_document_only(client_of_ann, cast, item):
    mask = np.ones((1, 2, 3), dtype=np.bool_)
    blob = documents.store_mask(document=client_of_ann.document, author=cast.ann, mask=mask)
    patch = {"medium": 0, "label": "lesion", "mode": "add", "mask": blob.pk}
    assert client_of_ann.refusal("patch.add", stroke_id="p0", origin=[0, 99, 0], **patch) == "outside-image"
    assert client_of_ann.refusal("patch.add", stroke_id="p1", origin=[0, 5, 6], **patch) == ""
    state = history.state_of(client_of_ann.document)
    assert history.masks_of(client_of_ann.document, state)[blob.pk].shape == (1, 2, 3)
    assert documents.mask_for(client_of_ann.document, "f" * 64) is None


def test_what_is_stored_holds_no_field_that_the_kind_has_not(client_of_ann):
    client_of_ann.do("shape.add", **shape(author="somebody"), source="drawn", is_deleted=True, version=9, author="x")
    assert set(Operation.objects.get().payload) == {"shape_id", "medium", "label", "regions", "attributes"}
    assert set(Operation.objects.get().payload["regions"][0]) == {"kind", "points"}
    assert history.state_of(client_of_ann.document).standing_shapes()[0].author == str(client_of_ann.author.public_id)


def test_active_time_is_the_servers_and_pauses_do_not_count(client_of_ann, cast):
    document = client_of_ann.document
    documents.beat(document=document, author=cast.ann)
    Document.objects.update(beat_at=timezone.now() - timedelta(seconds=10))
    assert documents.beat(document=document, author=cast.ann) == pytest.approx(10, abs=1)
    Document.objects.update(beat_at=timezone.now() - timedelta(seconds=3600))
    assert documents.beat(document=document, author=cast.ann) == pytest.approx(10, abs=1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["shape_id", "stroke_id", "medium", "label", "regions", "points", "layer", "attribute", "value", "question", "mask",
          "origin", "index", "radius", "plane", "mode", "tip", "base_version", "attributes"]  # fmt: skip


@pytest.mark.once
@given(st.sampled_from(sorted(_CHECKS)), st.dictionaries(st.sampled_from(FIELDS), json_values), json_values)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_arrives_is_stored_or_refused_with_a_code_and_never_an_error(client_of_ann, kind, payload, junk):
    expected = log.next_client_seq(client_of_ann.document, client_of_ann.client_id)
    entry = {"op_id": str(uuid.uuid4()), "client_seq": expected, "kind": kind, "payload": payload}
    for candidate in (entry, junk):
        answer = client_of_ann.send(candidate)
        assert answer.refused is not None or len(answer.seq) == 1
    history.state_of(client_of_ann.document)
