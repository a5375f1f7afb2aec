"""How believable readings are to a model that kept its probabilities; where it objects and where it is only in doubt.

Planted once and seen to fail: outside and inside exchanged; doubt counted as objection; a class that the reading was not asked
for; pixels in place of square millimetres; a quality that is computed anew at each scoring.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.test import Client

from labelhub.analytics.model_doubts import doubted_readings, given_for
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Region, Shape
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import map_documents
from labelhub.predictions.predictor import PixelMap, Seen
from labelhub.predictions.services import register_model
from labelhub.projects import teams
from labelhub.projects.default_rules import DYNAMIC_OVERLAP
from labelhub.projects.policy import Policy
from labelhub.projects.presets import with_preset
from labelhub.projects.routing_rules import Condition, Rule
from labelhub.projects.services import publish_policy
from labelhub.routing.policy_rules import Situation, facts_of
from labelhub.scoring.model_quality import beliefs, qualities, worst
from labelhub.scoring.models import Score
from labelhub.scoring.services import score_item
from labelhub.workflow.predicting import hear_model
from tests.cast import Cast, make_cast
from tests.workflow.walking import (
    UNPLACED,
    add_item,
    labeler,
    read,
    redraw,
    rule,
    set_policy,
    state,
    store,
    submit,
    take,
)

GRID = Grid((1, 40, 40), (1.0, 0.5, 0.5))


def drawn(*boxes: tuple[int, int, int, int], label: str = "lesion", **rest: Any) -> Reading:
    mask = np.zeros((1, 40, 40), dtype=bool)
    for y0, y1, x0, x1 in boxes:
        mask[0, y0:y1, x0:x1] = True
    shapes = (Shape("s", label, (), MaskRegion(mask)),) if boxes else ()
    return Reading("i", "r", shapes, is_empty_read=not boxes, **rest)


def said(*boxes: tuple[int, int, int, int, float], label: str = "lesion") -> dict[int, list[PixelMap]]:
    values = np.zeros((1, 40, 40), dtype=np.uint8)
    for y0, y1, x0, x1, probability in boxes:
        values[0, y0:y1, x0:x1] = round(255 * probability)
    return {0: [PixelMap("probability", values, label)]}


def test_what_the_model_sees_too_is_believable_and_what_it_denies_is_not():
    (fits,) = qualities(drawn((5, 15, 5, 15)), said((5, 15, 5, 15, 1.0)), [GRID])
    assert fits.quality == pytest.approx(1.0)
    assert (fits.objected, fits.objections) == (0.0, ())
    (missed,) = qualities(drawn(), said((5, 15, 5, 15, 1.0)), [GRID])
    (extra,) = qualities(drawn((5, 15, 5, 15)), said(), [GRID])
    for found in (missed, extra):
        assert found.quality < 0.05
        assert found.objected == 100 * 0.25
        assert found.unit == "mm²"
        (place,) = found.objections
        assert (place.n_voxels, place.box) == (100, ((0, 1), (5, 15), (5, 15)))


def test_doubt_is_no_objection():
    (found,) = qualities(drawn((5, 15, 5, 15)), said((5, 15, 5, 15, 0.4)), [GRID])
    assert found.objections == ()
    assert found.doubted == 100 * 0.25
    assert found.quality == pytest.approx(0.4, abs=0.1)


def test_the_largest_objection_comes_first_and_specks_are_left_out():
    reading = drawn((0, 10, 0, 10), (20, 24, 20, 24), (30, 33, 30, 33))
    (found,) = qualities(reading, said(), [GRID])
    assert [place.n_voxels for place in found.objections] == [100, 16]


def test_only_what_was_asked_and_what_the_model_knows():
    maps = said((5, 15, 5, 15, 1.0))
    assert qualities(drawn(asked_labels=("debris",)), maps, [GRID]) == ()
    assert qualities(drawn(label="nucleus"), {0: []}, [GRID]) == ()
    assert worst(()) is None


def test_outlines_and_volumes_and_several_media():
    corners = np.array([(5, 5), (15, 5), (15, 15), (5, 15)], dtype=float)
    outline = Reading("i", "r", (Shape("s", "lesion", (Region("polygon", corners),)),))
    (found,) = qualities(outline, said((5, 15, 5, 15, 1.0)), [GRID])
    assert found.quality == pytest.approx(1.0)
    volume = Grid((2, 40, 40), (3.0, 0.5, 0.5))
    values = np.zeros((2, 40, 40), dtype=np.uint8)
    values[:, 5:15, 5:15] = 255
    maps = {0: [PixelMap("probability", values, "lesion")], 1: [PixelMap("probability", values[:1], "lesion")]}
    (found,) = qualities(drawn(), maps, [volume, GRID])
    assert found.objected == 200 * 0.75 + 100 * 0.25
    assert len(found.objections) == 2


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def seen(cast: Cast, probability: float) -> Any:
    item = add_item(cast.project)
    look_at(cast, item, probability)
    return item


def look_at(cast: Cast, item: Any, probability: float) -> None:
    """A model says how likely the bright square is one; it draws nothing."""
    model = register_model(
        project=cast.project, name="m", predictor="classical-threshold", parameters={"classes": {}}, by="test"
    )
    values = np.zeros((1, 64, 64), dtype=np.uint8)
    values[0, 10:30, 10:30] = round(255 * probability)
    maps = map_documents(Seen(maps=(PixelMap("probability", values, "nucleus"),)), 0)
    Prediction.objects.create(model=model, item=item, maps=maps, answers={"asked_labels": ["nucleus"]})


@pytest.mark.django_db
def test_it_is_kept_with_each_reading_and_a_rule_may_ask_for_it(cast: Cast):
    doubts = Rule(
        "hardly-believable", "submission", (Condition("label_quality", "below", 0.3),), "reviewer",
        because="A reading is hardly believable to the model: {label_quality}.",
    )  # fmt: skip
    # The model drew no shape here: only its probabilities are heard.
    set_policy(cast, readers=1, model_agreement=0.0, rules=(doubts, *DYNAMIC_OVERLAP))
    fine = seen(cast, 1.0)
    read(cast, cast.ann, (10, 10, 20))
    assert state(fine) == "settled"
    wrong = seen(cast, 1.0)
    read(cast, cast.ann, (40, 40, 20))
    assert (state(wrong), rule(wrong)) == ("review", "hardly-believable")
    rows = Score.objects.filter(item=wrong, about="model", metric="label-quality", replaced_at=None)
    assert rows.get(label="").value == pytest.approx(rows.get(label="nucleus").value)
    objected = Score.objects.get(item=wrong, metric="objected", label="nucleus")
    assert (objected.value, objected.n, objected.unit) == (800.0, 2, "px")
    before = Score.objects.count()
    assert next(iter(score_item(wrong).quality.values())) == rows.get(label="").value
    assert Score.objects.count() == before


@pytest.mark.django_db
def test_the_preset_sends_what_is_hardly_believed_back_once_and_then_to_a_reviewer(cast: Cast):
    preset = with_preset(Policy(**UNPLACED | {"model_agreement": 0.0}), "model-looks-twice")
    publish_policy(project=cast.project, policy=replace(preset, audit_share=0.0), by=cast.ada)
    wrong = seen(cast, 1.0)
    read(cast, cast.ann, (40, 40, 20))
    assert (state(wrong), rule(wrong)) == ("rework", "hardly-believed-alone")
    returned = take(cast, cast.ann)
    assert (returned.item, returned.read_kind) == (wrong, "rework")
    client = Client()
    client.force_login(cast.ann)
    page = client.get(f"/label/{returned.pk}/").content.decode()
    assert "believe" not in page, "an annotator learns nothing of the model"
    submit(returned, cast.ann)
    assert (state(wrong), rule(wrong)) == ("review", "hardly-believed"), "once is enough"
    mended = seen(cast, 1.0)
    read(cast, cast.ann, (40, 40, 20))
    again = take(cast, cast.ann)
    redraw(again, cast.ann, (10, 10, 20))
    submit(again, cast.ann)
    assert state(mended) == "settled"
    fine = seen(cast, 1.0)
    read(cast, cast.ann, (10, 10, 20))
    assert state(fine) == "settled"


@pytest.mark.django_db
def test_under_the_preset_a_label_that_was_settled_before_the_model_saw_it_goes_to_a_reviewer(cast: Cast):
    preset = with_preset(Policy(**UNPLACED | {"model_agreement": 0.0}), "model-looks-twice")
    publish_policy(project=cast.project, policy=replace(preset, audit_share=0.0), by=cast.ada)
    item = add_item(cast.project)
    read(cast, cast.ann, (40, 40, 20))
    assert state(item) == "settled"
    look_at(cast, item, 1.0)
    assert hear_model(item=item)
    assert (state(item), rule(item)) == ("review", "hardly-believed-later")


def test_a_policy_without_a_model_does_not_hear_it():
    situation = Situation((), 1, label_quality=0.1)
    assert facts_of(situation, Policy())["label_quality"] == 0.1
    assert facts_of(situation, Policy(use_model=False))["label_quality"] is None


def test_what_the_model_holds_each_drawn_class_to_be():
    maps = said((5, 15, 5, 15, 0.2))
    maps[0].append(said((5, 15, 5, 15, 0.7), label="debris")[0][0])
    found = beliefs(drawn((5, 15, 5, 15)), maps, [GRID])
    assert {key: round(value, 2) for key, value in found.items()} == {
        ("lesion", "lesion"): 0.2, ("lesion", "debris"): 0.7, ("lesion", ""): 0.1,
    }  # fmt: skip
    assert beliefs(drawn(), maps, [GRID]) == {}


@pytest.mark.django_db
def test_a_class_that_is_given_for_another_is_named_with_its_items(cast: Cast, client: Client):
    set_policy(cast, readers=1, model_agreement=0.0)
    model = register_model(
        project=cast.project, name="m", predictor="classical-threshold", parameters={"classes": {}}, by="test"
    )
    swapped = []
    for number in range(12):
        item = add_item(cast.project)
        is_swapped = number in (3, 7)
        for label, probability in (("nucleus", 0.05 if is_swapped else 0.9), ("debris", 0.9 if is_swapped else 0.05)):
            values = np.zeros((1, 64, 64), dtype=np.uint8)
            values[0, 10:30, 10:30] = round(255 * probability)
            kept = map_documents(Seen(maps=(PixelMap("probability", values, label),)), 0)
            row, _ = Prediction.objects.get_or_create(model=model, item=item)
            Prediction.objects.filter(pk=row.pk).update(
                maps=Prediction.objects.get(pk=row.pk).maps + kept, answers={"asked_labels": ["nucleus", "debris"]}
            )
        read(cast, cast.ann, (10, 10, 20))
        swapped += [item.code] if is_swapped else []
    # Debris is never given, so nothing can be counted as it: one that is, and that the model sees as such.
    item = add_item(cast.project)
    values = np.zeros((1, 64, 64), dtype=np.uint8)
    values[0, 40:50, 40:50] = 230
    kept = map_documents(Seen(maps=(PixelMap("probability", values, "debris"),)), 0)
    Prediction.objects.create(model=model, item=item, maps=kept, answers={"asked_labels": ["debris"]})
    store(cast, item, cast.ben, (40, 40, 10), label="debris")
    (pair,) = given_for(cast.project, cast.ontology)
    assert (pair.given, pair.held, sorted(pair.items)) == ("nucleus", "debris", sorted(swapped))
    assert pair.share.n == 12
    assert pair.share.value == pytest.approx(2 / 12)
    first, second, *_ = doubted_readings(cast.project)
    assert {first.code, second.code} == set(swapped)
    assert (first.labeler, first.objected[0][2]) == ("Ann", "px")
    bens = teams.make_team(project=cast.project, name="Vendor A", kind="vendor", by="test")
    teams.set_teams(labeler=labeler(cast, cast.ben), teams=[bens], by="test")
    assert doubted_readings(cast.project, team=bens) == []
    client.force_login(cast.ada)
    page = client.get(f"/manage/{cast.project.slug}/models/", {"team": bens.pk}).content.decode()
    assert "Nobody of this team has a reading that a model hardly believes" in page
    anns = teams.make_team(project=cast.project, name="Site North", kind="site", by="test")
    teams.set_teams(labeler=labeler(cast, cast.ann), teams=[anns], by="test")
    assert {one.code for one in doubted_readings(cast.project, team=anns)} >= set(swapped)
