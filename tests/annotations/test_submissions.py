"""Frozen submissions: exactly once, with a scope, never empty by accident; and readings that were made elsewhere."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from django.utils import timezone

from labelhub.annotations import documents, history, plain, submissions
from labelhub.annotations.errors import AnnotationRefused
from labelhub.annotations.models import Annotation, Submission
from labelhub.assignments.models import Assignment
from labelhub.audit.models import Event
from labelhub.formats.shapes import MaskRegion, Reading, Region, Shape
from labelhub.projects.ontology import OntologyProblem, read_ontology
from labelhub.projects.selectors import current_guideline, current_ontology, current_policy, labeler_of
from labelhub.projects.services import publish_ontology
from tests.annotations.conftest import POLYGON
from tests.cast import ONTOLOGY


def freeze(assignment, **rest):
    return submissions.freeze(assignment=assignment, request_id=rest.pop("request_id", None) or uuid.uuid4(), **rest)


def draw_a_polygon(client, shape_id="p1"):
    return client.do(
        "shape.add", shape_id=shape_id, medium=0, label="nucleus", regions=[{"kind": "polygon", "points": POLYGON}]
    )


def test_what_was_drawn_is_what_is_read_back(client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    client_of_ann.do(
        "stroke.add", stroke_id="s1", medium=1, plane="axial", index=2, label="lesion", mode="add", tip="round",
        radius=16, points=[40, 40, 80, 60],
    )  # fmt: skip
    client_of_ann.do("answer.set", question="quality", value="good")
    submission = freeze(assignment, active_s=12.5, extent={"media": [{"medium": 0, "whole": True}]})

    reading = plain.reading_of(submission)
    polygon, mask = reading.shapes
    assert (polygon.label, polygon.regions[0].points.tolist()) == ("nucleus", POLYGON)
    assert mask.shape_id == "mask-1-lesion"
    assert mask.medium == 1
    assert mask.mask.origin[0] == 2
    assert mask.mask.voxels.any(axis=(0, 1)).all(), "cropped tight"
    assert reading.answers == {"quality": "good"}
    assert reading.asked_labels == ("nucleus", "debris", "lesion")
    assert submission.active_s == 12.5
    assert submission.extent == {"media": [{"medium": 0, "whole": True}]}
    assert Event.objects.filter(kind="submission.frozen", subject=f"submission:{submission.pk}").count() == 1


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_retried_submit_is_one_row_and_every_reply_equals_the_first(client_of_ann, assignment, times):
    draw_a_polygon(client_of_ann)
    request_id = uuid.uuid4()
    replies = [freeze(assignment, request_id=request_id) for _ in range(times)]
    Assignment.objects.filter(pk=assignment.pk).update(state="submitted")
    replies.append(freeze(assignment, request_id=request_id))
    assert {(reply.pk, reply.version, reply.submitted_at) for reply in replies} == {
        (replies[0].pk, 1, replies[0].submitted_at)
    }
    assert Submission.objects.count() == 1
    assert Annotation.objects.count() == 1


def test_a_second_different_submit_of_a_closed_assignment_is_refused(client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    freeze(assignment)
    Assignment.objects.filter(pk=assignment.pk).update(state="submitted")
    with pytest.raises(AnnotationRefused) as refusal:
        freeze(assignment)
    assert refusal.value.code == "assignment-closed"


def test_an_empty_submission_says_no_finding_or_is_refused(client_of_ann, assignment):
    with pytest.raises(AnnotationRefused) as refusal:
        freeze(assignment)
    assert refusal.value.code == "nothing-drawn"
    assert freeze(assignment, no_finding=True).no_finding
    assert plain.reading_of(Submission.objects.get()).is_empty_read


def test_no_finding_beside_a_shape_is_refused(client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    with pytest.raises(AnnotationRefused) as refusal:
        freeze(assignment, no_finding=True)
    assert refusal.value.code == "no-finding-with-shapes"


def test_an_erased_layer_and_a_deleted_shape_count_as_nothing(client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    client_of_ann.do("shape.delete", shape_id="p1")
    stroke = {"medium": 0, "plane": "axial", "index": 0, "label": "lesion", "tip": "round", "points": [40, 40]}
    client_of_ann.do("stroke.add", stroke_id="s1", mode="add", radius=8, **stroke)
    client_of_ann.do("stroke.add", stroke_id="s2", mode="erase", radius=20, **stroke)
    with pytest.raises(AnnotationRefused) as refusal:
        freeze(assignment)
    assert refusal.value.code == "nothing-drawn"


def test_missing_required_answers_are_named(cast, assignment):
    ontology = {
        "classes": [
            ONTOLOGY["classes"][0]
            | {"attributes": [{"key": "edge", "text": "Edge", "choices": ["sharp", "blurred"], "is_required": True}]}
        ],
        "questions": [{"key": "side", "text": "Which side", "choices": ["left", "right"], "is_required": True}],
    }
    publish_ontology(project=cast.project, ontology=read_ontology(ontology), by=cast.ada)
    document = documents.document_of(assignment=assignment)
    from tests.annotations.conftest import Client

    client = Client(document, cast.ann)
    draw_a_polygon(client)
    with pytest.raises(AnnotationRefused, match=r"Which side; Edge \(Nucleus\)") as refusal:
        freeze(assignment)
    assert refusal.value.code == "answers-missing"
    client.do("answer.set", question="side", value="left")
    client.do("shape.attribute", shape_id="p1", attribute="edge", value="sharp")
    assert plain.reading_of(freeze(assignment)).shapes[0].attributes == {"edge": "sharp"}


def ask_only_if_found(cast, assignment):
    """Two required questions: one of the image, one that presupposes a finding; returns Ann's client."""
    questions = [
        {"key": "side", "text": "Which side", "choices": ["left", "right"], "is_required": True},
        {"key": "margin", "text": "Margin", "choices": ["sharp", "blurred"], "is_required": True,
         "presupposes_finding": True},
    ]  # fmt: skip
    ontology = read_ontology({"classes": [ONTOLOGY["classes"][0]], "questions": questions})
    publish_ontology(project=cast.project, ontology=ontology, by=cast.ada)
    from tests.annotations.conftest import Client

    return Client(documents.document_of(assignment=assignment), cast.ann)


def test_no_finding_is_not_asked_what_presupposes_one_but_still_what_is_asked_of_the_image(cast, assignment):
    """Catches “No finding” that demands the lesion's margin, one that no longer demands the image's side, and a scope that
    claims that the margin was asked.
    """
    client = ask_only_if_found(cast, assignment)
    with pytest.raises(AnnotationRefused, match=r"missing: Which side\.") as refusal:
        freeze(assignment, no_finding=True)
    assert refusal.value.code == "answers-missing"
    client.do("answer.set", question="side", value="left")
    submission = freeze(assignment, no_finding=True)
    assert (submission.asked_questions, plain.reading_of(submission).answers) == (["side"], {"side": "left"})


def test_a_finding_is_asked_what_presupposes_one(cast, assignment):
    client = ask_only_if_found(cast, assignment)
    draw_a_polygon(client)
    client.do("answer.set", question="side", value="left")
    with pytest.raises(AnnotationRefused, match=r"missing: Margin\."):
        freeze(assignment)
    client.do("answer.set", question="margin", value="sharp")
    assert freeze(assignment).asked_questions == ["side", "margin"]


def test_an_imported_empty_read_was_not_asked_what_presupposes_a_finding_unless_it_answered(cast, assignment):
    ask_only_if_found(cast, assignment)
    empty = Reading(item="K7Q2", rater="r1", is_empty_read=True)
    assert store(cast, assignment, empty).asked_questions == ["side"]
    answered = Reading(item="K7Q2", rater="r1", answers={"margin": "sharp"}, is_empty_read=True)
    assert sorted(store(cast, assignment, answered).asked_questions) == ["margin", "side"]


def test_an_answer_about_a_finding_contradicts_no_finding(cast, assignment):
    client = ask_only_if_found(cast, assignment)
    client.do("answer.set", question="side", value="left")
    client.do("answer.set", question="margin", value="sharp")
    with pytest.raises(AnnotationRefused, match="asked only where something is found") as refusal:
        freeze(assignment, no_finding=True)
    assert refusal.value.code == "no-finding-with-answers"
    client.do("answer.set", question="margin", value=None)
    assert freeze(assignment, no_finding=True).no_finding


def test_an_older_ontology_asks_everything_of_everybody():
    entry = {"key": "margin", "text": "Margin", "choices": ["sharp", "blurred"], "is_required": True}
    ontology = read_ontology({"questions": [entry]})
    assert not ontology.questions[0].presupposes_finding
    assert ontology.questions_asked(no_finding=True) == ontology.questions
    assert read_ontology(ontology.to_document()) == ontology


def test_an_attribute_of_a_shape_cannot_be_asked_only_if_found():
    attribute = {"key": "edge", "text": "Edge", "choices": ["sharp", "blurred"], "presupposes_finding": True}
    with pytest.raises(OntologyProblem, match="something was found already"):
        read_ontology({"classes": [ONTOLOGY["classes"][0] | {"attributes": [attribute]}]})


def test_an_ontology_published_meanwhile_does_not_change_what_was_asked(cast, client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    publish_ontology(project=cast.project, ontology=read_ontology({"classes": []}), by=cast.ada)
    assert freeze(assignment).asked_labels == ["nucleus", "debris", "lesion"]


def test_an_ended_lease_refuses_and_keeps_the_draft(client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    Assignment.objects.filter(pk=assignment.pk).update(lease_until=timezone.now())
    with pytest.raises(AnnotationRefused, match="Your draft is kept"):
        freeze(assignment)
    assert len(history.state_of(client_of_ann.document).standing_shapes()) == 1


@pytest.mark.parametrize(
    "extent",
    [
        {},
        {"media": [{"medium": 7, "whole": True}]},
        {"media": [{"medium": 1, "slices": [[3, 2]]}]},
        {"media": [{"medium": 1, "slices": [[0, 6]]}]},
        {"media": [{"medium": 1, "slices": [[0, 1.5]]}]},
        {"media": "all"},
    ],
)
def test_an_extent_that_is_none_of_the_item_is_refused(client_of_ann, assignment, extent):
    draw_a_polygon(client_of_ann)
    with pytest.raises(AnnotationRefused) as refusal:
        freeze(assignment, extent=extent)
    assert refusal.value.code == "extent-wrong"


def test_rework_starts_from_what_was_submitted_and_counts_on(cast, client_of_ann, assignment):
    draw_a_polygon(client_of_ann)
    client_of_ann.do(
        "stroke.add", stroke_id="s1", medium=0, plane="axial", index=0, label="lesion", mode="add", tip="square",
        radius=20, points=[100, 100],
    )  # fmt: skip
    client_of_ann.do("answer.set", question="quality", value="fair")
    first = freeze(assignment)
    Assignment.objects.filter(pk=assignment.pk).update(state="submitted")
    again = Assignment.objects.create(
        item=assignment.item, labeler=assignment.labeler, read_kind="rework", follows=assignment
    )
    second = freeze(again)
    assert (first.version, second.version, second.read_kind) == (1, 2, "rework")
    before, after = plain.readings_of([first, second])
    assert [shape.shape_id for shape in after.shapes] == [shape.shape_id for shape in before.shapes]
    assert np.array_equal(before.shapes[1].mask.voxels, after.shapes[1].mask.voxels)
    assert after.answers == {"quality": "fair"}


def reading(**rest):
    hole = Region("polygon", np.array([[3.0, 3.0], [5.0, 3.0], [4.0, 5.0]]), z=1, is_hole=True)
    outline = Region("polygon", np.array([[1.0, 1.0], [9.0, 1.0], [5.0, 9.0]]), z=1)
    mask = MaskRegion(np.ones((2, 3, 4), dtype=np.bool_), (1, 2, 3))
    shapes = (
        Shape(
            "a", "nucleus", (outline, hole), attributes={"size": 3, "signs": ("x", "y")}, medium=1, source="imported"
        ),
        Shape("b", "lesion", mask=mask, medium=1),
        Shape("c", "debris"),
    )
    return Reading(item="K7Q2", rater="r1", **({"shapes": shapes, "answers": {"quality": "good"}} | rest))


def store(cast, assignment, given, **rest):
    project = cast.project
    return submissions.store_reading(
        assignment=assignment, reading=given, ontology_version=current_ontology(project)[0],
        guideline=current_guideline(project), policy=current_policy(project)[0],
        media=list(assignment.item.media.all()), **rest,
    )  # fmt: skip


def test_a_stored_reading_reads_back_equal(cast, assignment):
    given = reading(asked_labels=("nucleus", "lesion", "debris"), asked_questions=("quality",))
    back = plain.reading_of(store(cast, assignment, given))
    assert [shape.label for shape in back.shapes] == ["nucleus", "lesion", "debris"]
    assert plain.regions_to_document(back.shapes[0].regions) == plain.regions_to_document(given.shapes[0].regions)
    assert back.shapes[0].attributes == {"size": 3, "signs": ("x", "y")}
    assert back.shapes[1].mask.origin == (1, 2, 3)
    assert back.shapes[1].mask.voxels.all()
    assert back.answers == {"quality": "good"}


def test_an_empty_reading_needs_to_say_so(cast, assignment):
    empty = reading(shapes=(), answers={})
    with pytest.raises(AnnotationRefused):
        store(cast, assignment, empty)
    assert store(cast, assignment, reading(shapes=(), answers={}, is_empty_read=True)).no_finding


def test_a_shape_on_a_picture_that_is_not_there_stores_nothing(cast, assignment):
    with pytest.raises(AnnotationRefused):
        store(cast, assignment, reading(shapes=(Shape("a", "nucleus", medium=9),)))
    assert not Submission.objects.exists()


def test_reading_many_submissions_takes_as_many_queries_as_reading_one(
    cast, item, assignment, django_assert_num_queries
):
    others = [assignment]
    for person in (cast.ben, cast.rita):
        labeler = labeler_of(person, cast.project)
        others.append(Assignment.objects.create(item=item, labeler=labeler, read_kind="independent"))
    stored = [store(cast, entry, reading()) for entry in others]
    with django_assert_num_queries(5):
        plain.readings_of(stored[:1])
    with django_assert_num_queries(5):
        readings = plain.readings_of(reversed(stored))
    assert [entry.locator for entry in readings] == [f"submission:{row.pk}" for row in reversed(stored)]
