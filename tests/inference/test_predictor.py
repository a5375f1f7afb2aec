"""A network behind the protocol: prepared pixels, shapes, doubts and maps on the picture's own grid; jobs of its own queue.

The network is one convolution that passes bright pixels on, so that what it must find is known.
Planted and seen to fail: the way back without mirroring; the weights of one model kept for another; an item that does not fit
ends the look at the project; one for which there is too little memory, too.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph, add_volume
from labelhub.formats.shapes import Grid
from labelhub.inference import predictor as network_module
from labelhub.inference import sliding, wiring
from labelhub.inference.compiling import CompiledMeanwhile
from labelhub.inference.networks import build, weights_of
from labelhub.inference.predictor import NetworkPredictor
from labelhub.inference.preparing import prepare
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions import selectors
from labelhub.predictions.architectures import read_design
from labelhub.predictions.models import Prediction, TrainedItem
from labelhub.predictions.plain import pixel_maps, reading_of
from labelhub.predictions.predictor import Interruptible, PictureDoesNotFit
from labelhub.predictions.preparation import Preparation
from labelhub.predictions.services import MappingProblem, Origin, predict_item, register_network
from labelhub.projects.ontology import read_ontology
from labelhub.workflow import predicting
from tests.cast import ONTOLOGY, Cast
from tests.workflow.walking import add_item

ontology = read_ontology(ONTOLOGY)


def design(dimensions: int = 3, channels: int = 1):
    return read_design(
        "UNet",
        {
            "spatial_dims": dimensions, "in_channels": channels, "out_channels": 2, "channels": [2, 2], "strides": [1],
            "num_res_units": 0, "kernel_size": 1, "up_kernel_size": 1,
        },
    )  # fmt: skip


def bright(dimensions: int = 3, channels: int = 1, sharpness: float = 8.0):
    """A network whose second map is positive where the pixel is above half."""
    network = build(design(dimensions, channels), seed=0)

    class Bright(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, batch):
            level = sharpness * (batch.mean(dim=1, keepdim=True) - 0.5)
            return torch.cat([-level, level], dim=1)

    return Bright()


def predictor(*networks, dimensions=3, classes=("", "nucleus"), channels=1, **how):
    settings = Preparation(normalisation="range", low=0, high=200, patch=(8,) * dimensions, **how)
    return NetworkPredictor(
        design(dimensions, channels), networks or (bright(dimensions, channels),), classes, settings
    )


def scene(depth: int = 12) -> np.ndarray:
    pixels = np.zeros((depth, 24, 20), dtype=np.int16)
    pixels[2:6, 4:10, 3:9] = 200
    pixels[8:10, 15:20, 12:18] = 200
    return pixels


def test_objects_are_found_where_they_are_with_confidence_and_a_map():
    seen = predictor().predict(scene(), Grid((12, 24, 20)), ontology)
    assert [shape.mask.origin for shape in seen.shapes] == [(2, 4, 3), (8, 15, 12)]
    assert [int(shape.mask.voxels.sum()) for shape in seen.shapes] == [144, 60]
    assert seen.asked_labels == ("nucleus",)
    assert all(confidence > 0.99 for confidence in seen.confidences.values())
    assert [(entry.kind, entry.label) for entry in seen.maps] == [("probability", "nucleus")]
    assert np.array_equal(seen.maps[0].values > 127, scene() > 0)
    assert not seen.doubts


def test_a_picture_in_colour_and_the_planes_of_a_volume():
    colour = np.stack([scene(1)] * 3, axis=-1)
    colour[0, 5:9, 5:9] = 200
    assert len(predictor(dimensions=2).predict(colour, Grid((1, 24, 20)), ontology).shapes) == 1
    assert len(predictor(dimensions=2, channels=3).predict(colour, Grid((1, 24, 20)), ontology).shapes) == 1
    assert len(predictor(dimensions=2).predict(scene(), Grid((12, 24, 20)), ontology).shapes) == 2
    with pytest.raises(PictureDoesNotFit, match="2 channels"):
        predictor(channels=2).predict(scene(), Grid((12, 24, 20)), ontology)


def test_resampled_pixels_come_back_to_their_own_grid():
    grid = Grid((12, 24, 20), (2.0, 1.0, 1.0))
    seen = predictor(spacing_mm=(1.0, 1.0, 1.0)).predict(scene(), grid, ontology)
    found = np.zeros(scene().shape, dtype=bool)
    for shape in seen.shapes:
        z, y, x = shape.mask.origin
        d, h, w = shape.mask.voxels.shape
        found[z : z + d, y : y + h, x : x + w] |= shape.mask.voxels
    truth = scene() > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95


@pytest.mark.parametrize("flipped", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_axes_towards_the_patient_and_back(flipped):
    steps = np.array(flipped) * np.array([1.0, 2.0, 3.0])
    affine = np.diag([*steps, 1.0])
    affine = affine[:, [1, 0, 2, 3]]
    grid = Grid((3, 4, 5), (3.0, 1.0, 2.0), affine)
    pixels = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    prepared = prepare(pixels, grid, Preparation(normalisation="none", axes="ras"), channels=1)
    assert np.array_equal(prepared.back(prepared.image)[0], pixels)
    # Going up along the network's first axis goes to the right.
    index = np.argwhere(prepared.image[0] == pixels[0, 0, 0])[0]
    expected = [0 if step > 0 else size - 1 for step, size in zip(flipped, prepared.image.shape[1:], strict=True)]
    assert index.tolist() == expected


@pytest.mark.parametrize(("given", "wanted"), [(1, 1), (2, 1), (1, 3), (2, 3), (4, 3), (3, 3), (2, 2)])
def test_grey_and_colour_fit_networks_of_either_and_opacity_is_left_out(given, wanted):
    pixels = np.random.default_rng(0).integers(1, 200, (1, 6, 7, given)).astype(np.float32)
    image = prepare(pixels, Grid((1, 6, 7)), Preparation(normalisation="none"), channels=wanted, is_flat=True).image
    expected = pixels[..., :wanted] if wanted in (given, 3) and given >= wanted else pixels[..., [0] * wanted]
    assert np.array_equal(image, np.moveaxis(expected, 3, 0))


def test_several_answers_tell_how_unsure_the_model_is():
    seen = predictor(bright(), bright(sharpness=0.2), flips=True).predict(scene(), Grid((12, 24, 20)), ontology)
    assert [entry.kind for entry in seen.maps] == ["probability", "epistemic", "aleatoric"]
    doubt = seen.doubts["nucleus-1"]
    assert 0 < doubt.epistemic < doubt.aleatoric < 1
    again = predictor(bright(), bright(sharpness=0.2), flips=True).predict(scene(), Grid((12, 24, 20)), ontology)
    assert again.doubts == seen.doubts


def test_dropout_is_on_where_asked_and_repeats_itself():
    arguments = design().arguments | {"dropout": 0.5}
    dropping = [build(read_design("UNet", arguments), seed=0)]
    # One window: where windows overlap they disagree a little, whatever is asked.
    settings = Preparation(normalisation="z-score", dropout_passes=3, patch=(16, 32, 32))
    seen = [
        NetworkPredictor(read_design("UNet", arguments), dropping, ("", "nucleus"), settings).look(
            scene(), Grid((12, 24, 20))
        )
        for _ in range(2)
    ]
    assert seen[0].epistemic is not None
    assert seen[0].epistemic.any()
    assert np.array_equal(seen[0].probabilities, seen[1].probabilities)


def registered(cast: Cast, *, seed: int = 0, learned_from=(), **rest):
    wiring.prepare()
    made = design(2)
    return register_network(
        project=cast.project, name="tiny", design=made, weights=weights_of(build(made, seed=seed)),
        classes=["", "nucleus"], preparation=Preparation(patch=(16, 16), least_pixels=5), by="test",
        origin=Origin(learned_from=learned_from, licence="own", source="a test", **rest),
    )  # fmt: skip


def test_a_registered_network_looks_at_a_project_in_a_job_of_its_own_queue(cast: Cast):
    items = [add_item(cast.project, seed=seed) for seed in range(3)]
    model = registered(cast, learned_from=[items[0].pk])
    assert (model.is_network, model.architecture, model.licence, model.checksum) == (
        True,
        "UNet",
        "own",
        model.weights_id,
    )
    job = predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    assert job.queue == "gpu"
    assert run_pending(queues=["cpu"]) == 0
    run_pending(queues=["gpu"])
    assert Job.objects.get(pk=job.pk).result["items"] == 2, "what it learned from is not asked"
    prediction = Prediction.objects.filter(item=items[1]).get()
    maps = pixel_maps(prediction, medium=0)
    assert [(entry.kind, entry.values.shape) for entry in maps] == [("probability", (1, 64, 64))]
    assert reading_of(prediction).asked_labels == ("nucleus",)


def test_weights_of_one_model_are_not_kept_for_another(cast: Cast):
    item = add_item(cast.project)
    seen = [pixel_maps(predict_item(model=registered(cast, seed=seed), item=item), medium=0)[0] for seed in (1, 2)]
    assert not np.array_equal(seen[0].values, seen[1].values)


def test_what_a_model_learned_from_is_not_held_against_the_label(cast: Cast):
    item, other = add_item(cast.project), add_item(cast.project)
    final = registered(cast, learned_from=[item.pk])
    fold = registered(cast, learned_from=[other.pk], fold_of=final, fold=0)
    assert list(selectors.models_of(cast.project)) == [final]
    assert list(selectors.folds_of(final)) == [fold]
    word = predict_item(model=fold, item=item, is_out_of_sample=True)
    predict_item(model=final, item=item)
    assert selectors.newest_prediction(item) == word
    assert TrainedItem.objects.count() == 2


def test_maps_are_led_to_classes_of_the_project(cast: Cast):
    made = design(2)
    for classes, word in ((["", "cat"], "no class 'cat'"), (["nucleus"], "2 maps"), (["", ""], "No map")):
        with pytest.raises(MappingProblem, match=word):
            register_network(
                project=cast.project,
                name="x",
                design=made,
                weights=b"",
                classes=classes,
                preparation=Preparation(),
                by="t",
            )


def test_items_that_do_not_fit_a_network_are_left_out_with_the_reason_and_all_others_are_predicted(cast: Cast):
    def picture(channels: int) -> Item:
        pixels = np.zeros((32, 32, channels), np.uint8)
        pixels[4:20, 4:20] = 200
        return add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())

    coloured, first, second, grey = picture(3), picture(4), picture(4), add_item(cast.project)
    made = design(2, 4)
    model = register_network(
        project=cast.project, name="four", design=made, weights=weights_of(build(made, seed=0)),
        classes=["", "nucleus"], preparation=Preparation(patch=(16, 16)), by="test",
    )  # fmt: skip
    wiring.prepare()
    for _ in range(2):
        # Who looks again meets the items that were left out again, and those alone.
        job = predicting.start_predictions(model=model, project=cast.project, asked_by="test")
        run_pending(queues=["gpu"])
        job.refresh_from_db()
        assert (job.state, job.attempt) == ("done", 1)
        assert job.result["left_out"] == [
            {"reason": f"the network takes 4 channels and the picture has {n}", "items": 1, "codes": [item.code],
             "remedy": "a model that was made for such pictures"}
            for n, item in ((3, coloured), (1, grey))
        ]  # fmt: skip
        assert set(Prediction.objects.values_list("item", flat=True)) == {first.pk, second.pk}
    assert (job.result["items"], job.message) == (0, "0 looked at, 2 left out")
    assert [row.n for row in predicting.left_out(cast.project)[model.pk]] == [1, 1]


def test_an_item_that_does_not_fit_into_memory_is_left_out_and_those_after_it_are_predicted(cast: Cast, monkeypatch):
    items = [add_item(cast.project, seed=seed) for seed in range(3)]
    model = registered(cast)
    refused: list[float] = []
    whole = sliding._Pass.run

    def run(way):
        own = float(way.image.sum())
        if own in refused or not refused:
            refused.append(own)
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")
        whole(way)

    monkeypatch.setattr(sliding._Pass, "run", run)
    job = predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    run_pending(queues=["gpu"])
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result["items"]) == ("done", 1, 2)
    (left,) = predicting.left_out_of(job)
    assert (left.n, left.codes) == (1, (items[0].code,))
    assert "does not fit into memory" in left.reason
    assert "more memory" in left.remedy
    assert set(Prediction.objects.values_list("item", flat=True)) == {items[1].pk, items[2].pk}


@pytest.mark.parametrize("fails", [False, True])
def test_a_long_look_compiles_the_network_meanwhile_and_goes_on_without_where_that_fails(
    cast: Cast, monkeypatch, fails
):
    for seed in range(3):
        add_item(cast.project, seed=seed)
    model = registered(cast)
    asked: list[tuple[int, ...]] = []
    made: list[CompiledMeanwhile] = []

    def compiled(network):
        def quick(batch):
            if fails:
                raise RuntimeError("no compiler")
            asked.append(tuple(batch.shape))
            return network(batch)

        return quick

    class OnACard(NetworkPredictor):
        """Says so, and computes here; waits for the compiler after its first picture."""

        def look(self, pixels, grid):
            self.can_compile = True
            maps = super().look(pixels, grid)
            made[:] = self.networks
            assert made[0].is_over.wait(20)
            return maps

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(network_module, "NetworkPredictor", OnACard)
    monkeypatch.setattr(network_module, "PAYS_FROM_WINDOWS", 60)
    job = predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    run_pending(queues=["gpu"])
    job.refresh_from_db()
    assert (job.state, job.result["items"], Prediction.objects.count()) == ("done", 3, 3), job.error
    assert (len(asked) > 2) == (not fails)
    assert len(set(asked)) <= 1, "for windows of one size alone"
    assert ["could not be compiled (RuntimeError)" in note for note in job.result["notes"]] == [True] * fails
    assert ("could not be compiled" in job.message) == fails


def test_a_short_look_and_a_cpu_compile_nothing(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network: pytest.fail("compiled"))
    for can_compile, pictures in ((True, 1), (False, 10**6)):
        asked = predictor()
        assert not asked.can_compile or torch.cuda.is_available()
        asked.can_compile = can_compile
        asked.expect(pictures, pytest.fail)
        asked.look(scene(), Grid((12, 24, 20)))
        assert not any(isinstance(network, CompiledMeanwhile) for network in asked.networks)


def test_a_volume_is_stopped_between_two_windows(cast: Cast):
    pixels = scene()
    add_volume(
        project=cast.project, pixels=pixels, grid=Grid(pixels.shape, (1.0, 1.0, 1.0)), identity=ItemIdentity(),
        value_meaning="hu",
    )  # fmt: skip
    model = registered(cast)
    job = predicting.start_predictions(model=model, project=cast.project, asked_by="test")
    claimed = jobs.claim(worker="w", queues=["gpu"])
    seen = []

    class Running:
        arguments = job.arguments

        def progress(self, done, total, message=""):
            seen.append(done)
            if len(seen) == 3:
                raise jobs.JobCancelled

    with pytest.raises(jobs.JobCancelled):
        predicting.run_predictions(Running())
    assert claimed is not None
    assert seen == [0, 0, 0], "once before the item, then between windows"
    assert isinstance(predictor(), Interruptible)
    assert not Prediction.objects.exists()


def test_a_worker_that_lacks_a_package_says_so(cast: Cast, settings):
    settings.QUEUE_MODULES = {"gpu": "labelhub.no_such_package"}
    add_item(cast.project)
    job = predicting.start_predictions(model=registered(cast), project=cast.project, asked_by="test")
    run_pending(queues=["gpu"])
    job.refresh_from_db()
    assert job.state == "failed"
    assert "install_models" in job.error
