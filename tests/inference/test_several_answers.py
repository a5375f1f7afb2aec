"""Networks that were trained here and are asked more than once: an ensemble of folds, dropout, mirrored windows; tiny volumes.

Planted and seen to fail: the folds' weights left out of the members; dropout switched off while it is asked; mirrored windows
that are not mirrored back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelhub.catalog.selectors import grid_of, media_of, read_pixels
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.inference import wiring
from labelhub.inference.networks import build, load_weights
from labelhub.inference.predictor import Maps, NetworkPredictor
from labelhub.inference.training.fitting import fit
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions.architectures import read_design
from labelhub.predictions.models import Prediction
from labelhub.predictions.preparation import Preparation
from labelhub.predictions.selectors import folds_of, models_of
from labelhub.predictions.services import predictor_for
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import TrainingSettings
from labelhub.workflow.training_models import start_training
from tests.cast import Cast
from tests.inference.test_click_training import SIDE, disc, released
from tests.inference.test_training import volume_case

# What is learned is the same on either database.
pytestmark = pytest.mark.once
assert wiring
FEW = {"folds": 2, "epochs": 2, "steps": 4, "batch": 1, "classes": ["lesion"], "flips": False}


def test_the_models_of_the_folds_answer_together_with_the_one_of_all(cast: Cast):
    release = released(cast, n=4, n_patients=2, depth=6)
    mask = disc(np.random.default_rng(9), 6)
    unseen = add_volume(
        project=cast.project, pixels=(60 + 120 * mask).astype(np.int16), grid=Grid(mask.shape, (2.0, 1.0, 1.0)),
        identity=ItemIdentity(subject="somebody else"), source_id="unseen",
    )  # fmt: skip
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=FEW | {"ensemble": True})
    run_pending(queues=["gpu"])
    assert Job.objects.get(pk=run.job_id).state == "done", Job.objects.get(pk=run.job_id).error
    model = models_of(cast.project).get()
    folds = list(folds_of(model))
    assert model.parameters["members"] == [fold.weights_id for fold in folds]
    assert all(not fold.parameters["members"] for fold in folds), "a fold speaks alone of what was kept from it"
    together = predictor_for(model)
    assert len(together.networks) == 3
    medium = media_of(unseen)[0]

    def look(predictor) -> Maps:
        return predictor.look(read_pixels(medium), grid_of(medium))

    alone = [look(predictor_for(fold)) for fold in folds]
    answer = look(together)
    assert answer.epistemic is not None
    assert answer.epistemic.any(), "they disagree somewhere"
    assert all(one.epistemic is None for one in alone), "one answer knows no doubt"
    # The third is the network of all, asked alone.
    single = NetworkPredictor(
        together.design, together.networks[:1], together.classes, together.preparation.with_members(())
    )
    mean = np.mean([one.probabilities.astype(float) for one in (look(single), *alone)], axis=0)
    assert np.abs(mean - answer.probabilities).max() <= 2.0, "probabilities are averaged, to a step of a byte"
    # What it said of the item that nobody let it learn from carries its doubt, which edge cases are chosen by.
    prediction = Prediction.objects.get(model=model, item=unseen)
    assert {entry["kind"] for entry in prediction.maps} == {"probability", "epistemic", "aleatoric"}


def test_without_an_ensemble_a_volume_is_asked_once(cast: Cast):
    release = released(cast, n=2, n_patients=2, depth=6)
    start_training(project=cast.project, release=release, by=cast.ada, settings=FEW | {"epochs": 1})
    run_pending(queues=["gpu"])
    predictor = predictor_for(models_of(cast.project).get())
    assert len(predictor.networks) == 1
    assert predictor.look(np.zeros((6, SIDE, SIDE), np.int16), Grid((6, SIDE, SIDE), (2.0, 1.0, 1.0))).epistemic is None


def fitted(design, patch) -> object:
    settings = TrainingSettings(steps=6, batch=1)
    found = fit(
        design, patch, [volume_case(), volume_case(1)], [], settings, seed=1, epochs=3, tell=lambda _epoch: None,
        between=lambda: None,
    )  # fmt: skip
    return load_weights(build(design), found.weights)


def maps_of(design, network, preparation: Preparation) -> Maps:
    pixels = np.asarray(volume_case(7).image[0], dtype=np.float32)
    return NetworkPredictor(design, (network,), ("", "lesion"), preparation).look(pixels, Grid(pixels.shape))


def test_dropout_that_was_trained_with_tells_doubt_when_it_stays_on():
    arguments = {
        "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2], "dropout": 0.4,
    }  # fmt: skip
    design = read_design("UNet", arguments)
    network = fitted(design, (8, 16, 16))
    # One window: where windows overlap they disagree a little, whatever is asked.
    once = Preparation(normalisation="none", patch=(16, 32, 32))
    asked = replace(once, dropout_passes=6)
    plain = maps_of(design, network, once)
    assert plain.epistemic is None
    first, second = (maps_of(design, fitted(design, (8, 16, 16)), asked) for _ in range(2))
    assert first.epistemic.any()
    assert np.array_equal(first.probabilities, second.probabilities), "the same pixels give the same answer"
    assert np.array_equal(first.epistemic, second.epistemic)
    assert not np.array_equal(first.probabilities, plain.probabilities), "and it is another than with dropout off"


def test_mirrored_windows_of_a_volume_answer_alike_in_a_mirrored_volume():
    sized = sized_to(DataShape((10, 24, 24), (2.0, 1.0, 1.0)))
    network = fitted(sized.design, sized.patch)
    flips = Preparation(normalisation="none", patch=sized.patch, flips=True)
    pixels = np.asarray(volume_case(7).image[0], dtype=np.float32)
    predictor = NetworkPredictor(sized.design, (network,), ("", "lesion"), flips)
    given = predictor.look(pixels, Grid(pixels.shape))
    mirrored = predictor.look(np.ascontiguousarray(pixels[:, ::-1]), Grid(pixels.shape))
    apart = np.abs(given.probabilities[:, :, ::-1].astype(int) - mirrored.probabilities.astype(int))
    assert given.epistemic.any()
    assert apart.max() <= 2, "whichever way the volume lies, the same answers are averaged"
    alone = NetworkPredictor(sized.design, (network,), ("", "lesion"), replace(flips, flips=False))
    unmirrored = [alone.look(one, Grid(pixels.shape)).probabilities for one in (pixels, pixels[:, ::-1].copy())]
    assert np.abs(unmirrored[0][:, :, ::-1].astype(int) - unmirrored[1].astype(int)).max() > 2, (
        "a network alone does not"
    )
