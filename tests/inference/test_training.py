"""From a release of settled labels to a version: folds by group, out-of-sample words, curves, and going on after an end.

The pictures are squares on noise and the network is tiny, so that a training takes a second or two.
Planted and seen to fail: pictures of one patient in two folds; ambiguous pixels counted in the loss; a final model's own
word heard about what it learned from; a finished fold trained again; all labels read before a cancel is heard.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelhub.exports.models import Release
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.inference import wiring
from labelhub.inference.training import clicking
from labelhub.inference.training import running as training
from labelhub.inference.training.cases import IGNORED, Case, label_map
from labelhub.inference.training.cuts import Cuts
from labelhub.inference.training.fitting import Epoch, fit, loss_of
from labelhub.inference.training.folds import grouped_folds
from labelhub.jobs import registry
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions import selectors
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem, TrainingPoint
from labelhub.predictions.plain import pixel_maps
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import TrainingRefused, TrainingSettings, read_training_settings
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.scoring.models import Score
from labelhub.workflow import lifecycle
from labelhub.workflow.training_models import start_training, unfinished_training
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, set_policy, square_reading

# The queue and its claims are tried on both databases elsewhere; what is learned is the same on either.
pytestmark = pytest.mark.once

TINY = {"folds": 2, "epochs": 4, "steps": 6, "batch": 4, "patience": 4, "classes": ["nucleus"], "flips": False}
SQUARE = (10, 10, 20)


@pytest.fixture
def release(cast: Cast) -> Release:
    """Six pictures of three patients, each read alike by two people and so settled."""
    set_policy(cast)
    wiring.prepare()
    for number in range(6):
        item = add_item(cast.project, seed=number, subject=f"patient-{number % 3}")
        for user in (cast.ann, cast.ben):
            lifecycle.record_reading(
                item=item, labeler=labeler(cast, user), reading=square_reading(item, user.username, SQUARE)
            )
    lifecycle.release(project=cast.project, formats=["coco"], note="", by=cast.ada)
    run_pending(queues=["cpu"])
    return Release.objects.get()


def test_a_training_ends_in_a_version_that_knows_what_it_reached(cast: Cast, release: Release):
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY, name="Squares")
    assert unfinished_training(cast.project) == run
    assert start_training(project=cast.project, release=release, by=cast.ada, settings=TINY) == run
    run_pending(queues=["gpu"])
    job = Job.objects.get(pk=run.job_id)
    assert job.state == "done", job.error
    model = selectors.models_of(cast.project).get()
    assert (model.name, model.classes, model.release_number, model.release_sha256) == (
        "Squares", ["", "nucleus"], 1, release.sha256,
    )  # fmt: skip
    assert model.licence == "own"
    assert TrainedItem.objects.filter(model=model).count() == 6
    dice = model.metrics["classes"]["nucleus"]["dice"]
    assert dice["value"] > 0.8
    assert (dice["n"], dice["n_groups"], model.metrics["n_groups"]) == (6, 3, 3)
    assert dice["low"] <= dice["value"] <= dice["high"]
    assert model.metrics["classes"]["nucleus"]["readers"]["value"] == pytest.approx(1.0)

    folds = list(selectors.folds_of(model))
    assert [fold.fold for fold in folds] == [0, 1]
    for item in release_items():
        word = selectors.newest_prediction(item)
        assert word is not None
        assert word.is_out_of_sample
        learned = TrainedItem.objects.filter(model=word.model).values_list("item__group_key", flat=True)
        assert item.group_key not in set(learned), "nobody of the patient was learned from"
    assert Score.objects.filter(about="model", metric="similarity", label="", replaced_at=None).count() == 12
    assert not selectors.unseen_items(model).exists()

    curve = selectors.training_curve(selectors.training_of_job(run.job_id))
    assert [point.fold for point in curve if point.epoch == 1] == [0, 1, None]
    assert all(point.held_out_dice is not None for point in curve if point.fold is not None)
    run.refresh_from_db()
    assert (run.model, run.finished_at is None) == (model, False)
    assert unfinished_training(cast.project) is None


def test_a_network_that_learned_with_dropout_is_asked_with_it_and_tells_what_it_does_not_know(
    cast: Cast, release: Release
):
    asked = TINY | {"epochs": 1, "dropout": 0.3, "dropout_passes": 3, "network": "SegResNet"}
    start_training(project=cast.project, release=release, by=cast.ada, settings=asked)
    item = add_item(cast.project, seed=9)
    run_pending(queues=["gpu"])
    model = selectors.models_of(cast.project).get()
    assert (model.architecture, model.arguments["dropout_prob"]) == ("SegResNet", 0.3)
    versions = (model, *selectors.folds_of(model))
    assert [version.parameters["dropout_passes"] for version in versions] == [3] * 3
    maps = pixel_maps(Prediction.objects.get(model=model, item=item), medium=0)
    (doubt,) = (entry.values for entry in maps if entry.kind == "epistemic")
    assert doubt.any()


def release_items():
    return [row.item for row in Prediction.objects.select_related("item")]


def test_a_training_whose_worker_died_goes_on_where_it_was(cast: Cast, release: Release, monkeypatch):
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY)
    fitted: list[int] = []
    ends_at = [2]

    def counted(*arguments, **keywords):
        if len(fitted) == ends_at[0]:
            raise jobs.WorkerStopping
        fitted.append(keywords["seed"])
        return fit(*arguments, **keywords)

    monkeypatch.setattr(training, "fit", counted)
    claimed = jobs.claim(worker="first", queues=["gpu"])
    with pytest.raises(jobs.WorkerStopping):
        training.run_training(_running(claimed))
    jobs.put_back(claimed)
    assert not ModelVersion.objects.exists()
    ends_at[0] = 99
    run_pending(queues=["gpu"])
    assert fitted == [0, 1, 2], "no fold was trained twice"
    assert (
        TrainingPoint.objects.filter(run=run).values("fold", "epoch").distinct().count()
        == TrainingPoint.objects.count()
    )
    assert Job.objects.get(pk=run.job_id).state == "done"


def _running(job):
    from labelhub.jobs.registry import Running

    return Running(job)


def test_a_training_is_cancelled_between_two_batches(cast: Cast, release: Release):
    run = start_training(
        project=cast.project, release=release, by=cast.ada, settings=TINY | {"epochs": 2000, "patience": 1000}
    )
    claimed = jobs.claim(worker="w", queues=["gpu"])
    jobs.ask_cancel(claimed.pk)
    with pytest.raises(jobs.JobCancelled):
        training.run_training(_running(claimed))
    assert not TrainingPoint.objects.exists()
    run.refresh_from_db()
    assert run.finished_at is None


@pytest.mark.parametrize("asked", [TINY, {"kind": "clicks", "classes": ["lesion"]}])
def test_reading_the_labels_is_stopped_between_two_items(cast: Cast, release: Release, monkeypatch, asked):
    start_training(project=cast.project, release=release, by=cast.ada, settings=asked)
    claimed = jobs.claim(worker="w", queues=["gpu"])
    read = []

    def cancelled(item, *arguments):
        read.append(item)
        jobs.ask_cancel(claimed.pk)
        return []

    monkeypatch.setattr(registry, "WRITE_EVERY_S", 0.0)
    for module in (training, clicking):
        monkeypatch.setattr(module, "labels_of", cancelled)
    with pytest.raises(jobs.JobCancelled):
        training.run_training(_running(claimed))
    assert len(read) == 1, "of six"


def test_one_patient_alone_is_learned_from_and_the_metrics_say_why_there_are_none(cast: Cast):
    set_policy(cast)
    wiring.prepare()
    for seed in range(2):
        item = add_item(cast.project, seed=seed, subject="the only one")
        for user in (cast.ann, cast.ben):
            lifecycle.record_reading(
                item=item, labeler=labeler(cast, user), reading=square_reading(item, user.username, SQUARE)
            )
    release = lifecycle.release(project=cast.project, formats=["coco"], note="", by=cast.ada)
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY | {"epochs": 1})
    run_pending(queues=["gpu"])
    assert Job.objects.get(pk=run.job_id).result["folds"] == 0
    model = ModelVersion.objects.get()
    assert "one group" in model.metrics["reason"]
    assert not Prediction.objects.exists()


def test_who_may_start_one_and_from_what(cast: Cast, release: Release):
    for person in (cast.ann, cast.rita):
        with pytest.raises((NotAllowed, NotFound)):
            start_training(project=cast.project, release=release, by=person)
    with pytest.raises(NotFound):
        start_training(project=cast.project, release=release, by=cast.otto)
    with pytest.raises(TrainingRefused, match="no settled label of this project"):
        start_training(project=cast.other_project, release=release, by=cast.otto)
    with pytest.raises(TrainingRefused, match="debris is not drawn as an area"):
        start_training(project=cast.project, release=release, by=cast.ada, settings={"classes": ["debris"]})
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY | {"classes": ["lesion"]})
    run_pending(queues=["gpu"])
    assert "No label of the release" in Job.objects.get(pk=run.job_id).error
    for bad in (
        {"speed": 1},
        {"folds": 1},
        {"effort": "huge"},
        {"learning_rate": 2},
        {"classes": "x"},
        {"epochs": True},
    ):
        with pytest.raises(TrainingRefused):
            read_training_settings(bad)


def test_what_is_ambiguous_or_was_not_asked_is_not_learned():
    grid = Grid((1, 8, 8))
    square = MaskRegion(np.ones((1, 4, 4), dtype=bool), (0, 0, 0))
    unsure = MaskRegion(np.ones((1, 2, 2), dtype=bool), (0, 3, 3))
    shapes = (Shape("1", "nucleus", mask=square), Shape("2", "ignore", mask=unsure))
    asked = label_map(Reading("i", "r", shapes, asked_labels=("nucleus", "lesion")), 0, grid, ("nucleus", "lesion"))
    assert [int((asked == value).sum()) for value in (0, 1, IGNORED)] == [45, 15, 4]
    part = label_map(Reading("i", "r", shapes, asked_labels=("nucleus",)), 0, grid, ("nucleus", "lesion"))
    assert [int((part == value).sum()) for value in (0, 1, IGNORED)] == [0, 15, 49]

    labels = torch.from_numpy(asked.astype(np.int64))
    answer = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    other = answer.clone()
    other[:, :, 3:5, 3:5] += 9 * torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    assert float(loss_of(answer, labels)) == pytest.approx(float(loss_of(other, labels)), abs=1e-6)
    assert float(loss_of(answer, torch.full_like(labels, IGNORED))) == 0


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_a_group_is_held_out_whole_and_folds_are_even(n_folds):
    groups = [f"g{number % 7}" for number in range(40)]
    folds = grouped_folds(groups, n_folds, rng=np.random.default_rng(1))
    for group in set(groups):
        assert len({fold for fold, own in zip(folds, groups, strict=True) if own == group}) == 1
    sizes = np.bincount(folds)
    assert len(sizes) == n_folds
    assert sizes.max() - sizes.min() <= 6
    assert grouped_folds(["a", "a"], 3, rng=np.random.default_rng(0)) == [0, 0]


def volume_case(seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    labels = np.zeros((10, 24, 24), dtype=np.uint8)
    labels[3:7, 6:16, 8:18] = 1
    image = (labels + 0.3 * rng.standard_normal(labels.shape))[None].astype(np.float16)
    return Case(seed, str(seed), image, labels, {1: np.argwhere(labels == 1)})


def test_a_volume_is_learned_and_the_same_seed_gives_the_same_weights():
    sized = sized_to(DataShape((10, 24, 24), (2.0, 1.0, 1.0)))
    settings = TrainingSettings(steps=4, batch=1)
    told: list[Epoch] = []
    given = {"seed": 3, "epochs": 3, "tell": told.append, "between": lambda: None}
    first = fit(sized.design, sized.patch, [volume_case()], [volume_case(1)], settings, **given)
    second = fit(sized.design, sized.patch, [volume_case()], [volume_case(1)], settings, **given)
    assert first == second
    assert [epoch.number for epoch in told] == [1, 2, 3] * 2
    assert told[2].loss < told[0].loss


def test_cuts_hold_what_is_labeled_and_nothing_is_learned_beyond_the_picture():
    cuts = Cuts([volume_case()], (16, 16, 16), batch=4, seed=1)
    images, labels = cuts.next()
    assert tuple(images.shape) == (4, 1, 16, 16, 16)
    assert (labels[0] == 1).any()
    assert (labels == IGNORED).any(), "the picture is ten planes deep"
    again, _ = Cuts([volume_case()], (16, 16, 16), batch=4, seed=1).next()
    assert torch.equal(images, again)
