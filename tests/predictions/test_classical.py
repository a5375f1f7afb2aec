"""The classical predictor on pictures whose content is known, and its word in scoring and routing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.consensus.selectors import current_settlement
from labelhub.formats.shapes import Grid
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions import services
from labelhub.predictions.classical import NAME, ClassicalPredictor, SettingsProblem
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import reading_of
from labelhub.predictions.predictor import NoSuchPredictor
from labelhub.projects.ontology import read_ontology
from labelhub.scoring.models import Score
from labelhub.workflow import lifecycle, predicting
from tests.cast import ONTOLOGY, Cast
from tests.workflow.walking import add_item, labeler, read, rule, set_policy, square_reading, state

PARAMETERS = {"classes": {"nucleus": {"polarity": "bright", "sigma": 0.5, "min_size": 20}}}
SQUARE, ALIKE, ELSEWHERE = (10, 10, 20), (11, 10, 20), (40, 40, 15)
ontology = read_ontology(ONTOLOGY)


def predictor(**settings) -> ClassicalPredictor:
    return ClassicalPredictor({"classes": {"nucleus": {"sigma": 0.0, "min_size": 4} | settings}})


def scene(*squares: tuple[int, int, int], depth: int = 1, ground: int = 20, light: int = 200) -> np.ndarray:
    pixels = np.full((depth, 48, 48), ground, dtype=np.uint8)
    for x, y, side in squares:
        pixels[:, y : y + side, x : x + side] = light
    return pixels


@pytest.mark.parametrize("threshold", [{"threshold": "otsu"}, {"threshold": "value", "value": 100}])
def test_bright_objects_are_found_where_they_are(threshold):
    seen = predictor(**threshold).predict(scene((5, 5, 10), (30, 20, 8)), Grid((1, 48, 48)), ontology)
    assert [shape.mask.origin for shape in seen.shapes] == [(0, 5, 5), (0, 20, 30)]
    assert [int(shape.mask.voxels.sum()) for shape in seen.shapes] == [100, 64]
    assert all(0 < confidence <= 1 for confidence in seen.confidences.values())
    assert seen.asked_labels == ("nucleus",)


def test_dark_objects_local_light_colour_and_sizes():
    dark = scene((5, 5, 10), ground=200, light=20)
    assert len(predictor(polarity="dark").predict(dark, Grid((1, 48, 48)), ontology).shapes) == 1
    assert (
        len(
            predictor(threshold="local", window=31, offset=10)
            .predict(scene((5, 5, 6)), Grid((1, 48, 48)), ontology)
            .shapes
        )
        == 1
    )
    colour = np.stack([scene((5, 5, 10)), scene(), scene()], axis=-1)
    assert len(predictor(channel=0).predict(colour, Grid((1, 48, 48)), ontology).shapes) == 1
    assert predictor(channel=1).predict(colour, Grid((1, 48, 48)), ontology).shapes == ()
    assert predictor(min_size=101).predict(scene((5, 5, 10)), Grid((1, 48, 48)), ontology).shapes == ()
    assert predictor(max_size=99).predict(scene((5, 5, 10)), Grid((1, 48, 48)), ontology).shapes == ()


def test_a_volume_gives_one_object_over_its_planes_and_an_even_picture_none():
    seen = predictor().predict(scene((5, 5, 10), depth=4), Grid((4, 48, 48)), ontology)
    assert [shape.mask.voxels.shape for shape in seen.shapes] == [(4, 10, 10)]
    assert predictor().predict(scene(), Grid((1, 48, 48)), ontology).shapes == ()


def test_each_tool_gets_shapes_of_its_kind():
    classes = {key: {"sigma": 0.0, "min_size": 4} for key in ("nucleus", "debris", "lesion")}
    seen = ClassicalPredictor({"classes": classes}).predict(scene((5, 5, 10), (30, 20, 8)), Grid((1, 48, 48)), ontology)
    kinds = {shape.label: shape.regions[0].kind if shape.regions else "mask" for shape in seen.shapes}
    assert kinds == {"nucleus": "mask", "debris": "box", "lesion": "mask"}
    assert sum(shape.label == "lesion" for shape in seen.shapes) == 1, "a brushed class is one region"
    box = next(shape for shape in seen.shapes if shape.label == "debris").regions[0]
    assert box.points.tolist() == [[5, 5], [15, 15]]


def test_unknown_settings_and_predictors_are_named(cast: Cast):
    with pytest.raises(SettingsProblem, match="speed"):
        predictor(speed=3)
    with pytest.raises(SettingsProblem, match="bright, dark"):
        predictor(polarity="blue")
    with pytest.raises(NoSuchPredictor, match=NAME):
        services.register_model(project=cast.project, name="x", predictor="y", parameters={}, by="test")


def registered(cast: Cast):
    return services.register_model(
        project=cast.project, name="squares", predictor=NAME, parameters=PARAMETERS, by="test"
    )


def test_a_prediction_is_made_once_and_reads_back_as_a_reading(cast: Cast):
    item, model = add_item(cast.project), registered(cast)
    first = services.predict_item(model=model, item=item)
    assert services.predict_item(model=model, item=item) == first
    reading = reading_of(first)
    assert [shape.label for shape in reading.shapes] == ["nucleus"]
    assert reading.shapes[0].mask is not None
    assert abs(int(reading.shapes[0].mask.voxels.sum()) - 400) < 40
    assert reading.asked_labels == ("nucleus",)


def test_a_model_that_sees_something_else_sends_agreeing_readers_to_a_reviewer(cast: Cast):
    set_policy(cast)
    item = add_item(cast.project)
    services.predict_item(model=registered(cast), item=item)
    read(cast, cast.ann, ELSEWHERE)
    read(cast, cast.ben, ELSEWHERE)
    assert (state(item), rule(item)) == ("review", "model-disagrees")
    assert Score.objects.filter(item=item, about="model", metric="similarity", label="").count() == 2


def test_a_model_that_pre_labelled_is_never_heard(cast: Cast):
    set_policy(cast)
    item = add_item(cast.project)
    services.predict_item(model=registered(cast), item=item)
    for user, given in ((cast.ann, {"read_kind": "assisted", "planned_blind": False}), (cast.ben, {})):
        lifecycle.record_reading(
            item=item, labeler=labeler(cast, user), reading=square_reading(item, user.username, ELSEWHERE, **given)
        )
    assert (state(item), rule(item)) == ("settled", "agreement")
    assert not Score.objects.filter(item=item, about="model", first__read_kind="assisted", replaced_at=None).exists()


def test_a_look_at_the_project_is_a_job_and_opens_what_was_settled_by_vote_alone(cast: Cast):
    set_policy(cast)
    by_vote, by_reviewer, fine = (add_item(cast.project, seed=seed) for seed in range(3))
    for item, square in ((by_vote, ELSEWHERE), (by_reviewer, ELSEWHERE), (fine, SQUARE)):
        for user in (cast.ann, cast.ben):
            last = lifecycle.record_reading(
                item=item, labeler=labeler(cast, user), reading=square_reading(item, user.username, square)
            )
        if item is by_reviewer:
            lifecycle.settle(item=item, by=cast.rita, reason="looked at it", submission=last)
    job = predicting.start_predictions(model=registered(cast), project=cast.project, asked_by="test")
    run_pending(queues=["cpu"])
    assert Job.objects.get(pk=job.pk).result == {"items": 3, "sent_to_review": 1, "notes": [], "left_out": []}
    assert [state(item) for item in (by_vote, by_reviewer, fine)] == ["review", "settled", "settled"]
    assert Prediction.objects.count() == 3
    settlement = current_settlement(by_reviewer)
    assert settlement is not None
    assert settlement.decided_by == cast.rita


def test_a_volume_is_predicted_too(cast: Cast):
    pixels = scene((5, 5, 10), depth=3).astype(np.int16)
    item = add_volume(
        project=cast.project,
        pixels=pixels,
        grid=Grid(pixels.shape, (2.0, 1.0, 1.0)),
        identity=ItemIdentity(),
        value_meaning="hu",
    )
    reading = reading_of(services.predict_item(model=registered(cast), item=item))
    assert reading.shapes[0].mask is not None
    assert reading.shapes[0].mask.voxels.shape[0] == 3


def test_the_predictor_is_loaded_without_scikit_image():
    code = "import sys, labelhub.predictions.classical; print('skimage' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )
