"""Who made a layer: kept from the operation to the frozen shape, over a bake and into a rework.

Planted and seen to fail: the bake wrote no source (the layer was the hand's again); an undone stroke still counted; a patch
could name any source.
"""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from labelhub.annotations import documents, history, plain, submissions
from labelhub.annotations.layers import layer_source
from labelhub.annotations.models import Operation

STROKE = {"medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "add", "tip": "round", "radius": 8,
          "points": [40, 40, 80, 80]}  # fmt: skip
BOX = {"regions": [{"kind": "polygon", "points": [[1, 1], [9, 1], [9, 9]]}], "medium": 0, "label": "nucleus"}


@pytest.fixture
def patch(client_of_ann, cast):
    """A function that paints a piece with a source and returns the refusal's code."""
    mask = np.ones((1, 3, 4), dtype=np.bool_)
    blob = documents.store_mask(document=client_of_ann.document, author=cast.ann, mask=mask)
    payload = {"medium": 0, "label": "lesion", "mode": "add", "mask": blob.pk, "origin": [0, 5, 5]}

    def paint(stroke_id: str, **rest: object) -> str:
        return client_of_ann.refusal("patch.add", stroke_id=stroke_id, **payload, **rest)

    return paint


def frozen_source(assignment) -> str:
    submission = submissions.freeze(assignment=assignment, request_id=uuid.uuid4())
    (shape,) = plain.reading_of(submission).shapes
    return shape.source


@pytest.mark.parametrize(
    ("sources", "is_gone_over", "expected"),
    [
        (["tool"], False, "tool"),
        (["tool"], True, "drawn"),
        (["model", "model"], False, "model"),
        (["model"], True, "model-edited"),
        (["drawn"], False, "drawn"),
    ],
)
def test_the_submitted_shape_says_who_made_it(client_of_ann, assignment, patch, sources, is_gone_over, expected):
    assert [patch(f"p{at}", source=source) for at, source in enumerate(sources)] == [""] * len(sources)
    if is_gone_over:
        client_of_ann.do("stroke.add", stroke_id="s", **STROKE)
    assert frozen_source(assignment) == expected


def test_a_hand_that_was_taken_back_leaves_it_the_models(client_of_ann, assignment, patch):
    patch("p1", source="model")
    client_of_ann.do("stroke.add", stroke_id="s", **STROKE)
    client_of_ann.do("stroke.undo", stroke_id="s")
    assert frozen_source(assignment) == "model"


def test_only_known_sources_are_stored_and_the_hands_is_not_named(client_of_ann, patch):
    assert patch("p1", source="gold") == patch("p1", source=None) == patch("p1", source=["model"]) == "malformed"
    assert client_of_ann.refusal("shape.add", shape_id="s1", source="tool", **BOX) == "malformed"
    assert patch("p2", source="drawn") == ""
    assert "source" not in Operation.objects.get().payload
    client_of_ann.do("shape.add", shape_id="s2", source="model", **BOX)
    client_of_ann.do("shape.geometry", shape_id="s2", base_version=1, regions=BOX["regions"])
    assert history.state_of(client_of_ann.document).shapes["s2"].source == "model-edited"


def test_a_bake_and_a_rework_keep_it(client_of_ann, assignment, patch):
    patch("p1", source="model")
    history.bake(client_of_ann.document, keep=0)
    client_of_ann.document.refresh_from_db()
    state = history.state_of(client_of_ann.document)
    assert (state.marks, layer_source(state, 0, "lesion")) == ({}, "model")
    submission = submissions.freeze(assignment=assignment, request_id=uuid.uuid4())
    assert [layer["source"] for layer in documents.base_of(submission)["layers"]] == ["model"]
