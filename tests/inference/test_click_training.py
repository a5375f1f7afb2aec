"""From a release to a network that takes clicks: whole patients held out, figures after clicks, going on after an end.

The pictures are discs on noise and the network is tiny, so that a training takes seconds.
Planted and seen to fail: a patient's other picture learned from in the fold that judges; a finished fold trained again; places
that were not settled counted as wrong; the network that looks at the picture before anybody pointed taken for one click.
"""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.analytics.click_table import click_rows
from labelhub.catalog.services import ItemIdentity, add_photograph, add_volume
from labelhub.exports.models import Release
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.inference import wiring
from labelhub.inference.deepedit import CHANNELS, ClickNetwork, Example, Learner, click_network
from labelhub.inference.networks import build
from labelhub.inference.training import click_figures, clicking
from labelhub.inference.training.click_figures import AFTER, Session, metrics_of, session
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.worker import run_pending
from labelhub.predictions.architectures import read_design
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem, TrainingPoint
from labelhub.predictions.selectors import click_networks, models_of
from labelhub.predictions.services import factory_parameters
from labelhub.predictions.training_settings import TrainingRefused, read_training_settings
from labelhub.workflow import lifecycle
from labelhub.workflow.training_models import start_training
from tests.cast import Cast
from tests.workflow.walking import labeler, set_policy

# What is learned is the same on either database.
pytestmark = pytest.mark.once

SIDE = 40
TINY = {"kind": "clicks", "classes": ["lesion"], "folds": 2, "epochs": 2, "steps": 25}


def disc(rng: np.random.Generator, depth: int = 1) -> np.ndarray:
    """The mask ``[z, y, x]`` of a disc, or of a cylinder."""
    y, x = np.ogrid[:SIDE, :SIDE]
    cy, cx, r = rng.integers(14, 26), rng.integers(14, 26), rng.integers(6, 9)
    return np.repeat(((y - cy) ** 2 + (x - cx) ** 2 <= r**2)[None], depth, axis=0)


def settle(cast: Cast, *, number: int, subject: str, depth: int = 1) -> None:
    """An item that two people paint alike, so that it is settled."""
    rng = np.random.default_rng(number)
    mask = disc(rng, depth)
    pixels = np.clip(60 + 120 * mask + rng.normal(0, 12, mask.shape), 0, 255).astype(np.uint8)
    identity = ItemIdentity(subject=subject)
    item = (
        add_photograph(project=cast.project, pixels=pixels[0], identity=identity, source_id=str(number))
        if depth == 1
        else add_volume(
            project=cast.project, pixels=pixels.astype(np.int16), grid=Grid(mask.shape, (2.0, 1.0, 1.0)),
            identity=identity, source_id=str(number),
        )
    )  # fmt: skip
    for user in (cast.ann, cast.ben):
        shapes = (Shape("s", "lesion", (), MaskRegion(mask)),)
        reading = Reading(item.code, user.username, shapes, read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=item, labeler=labeler(cast, user), reading=reading)


def released(cast: Cast, n: int = 6, n_patients: int = 3, depth: int = 1) -> Release:
    set_policy(cast)
    wiring.prepare()
    for number in range(n):
        settle(cast, number=number, subject=f"patient-{number % n_patients}", depth=depth)
    return lifecycle.release(project=cast.project, formats=["coco"], note="", by=cast.ada)


def test_a_training_ends_in_a_network_that_the_editor_asks_and_its_figures(cast: Cast, monkeypatch):
    release = released(cast)
    learned: list[set[str]] = []
    cut = clicking.windows_of

    def watched(seen, *given):
        learned.append({one.label.group for one in seen})
        return cut(seen, *given)

    monkeypatch.setattr(clicking, "windows_of", watched)
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY, name="Clicks: Lesion")
    run_pending(queues=["gpu"])
    job = Job.objects.get(pk=run.job_id)
    assert job.state == "done", job.error
    model = click_networks(cast.project)["lesion"]
    assert (model.name, model.release_number, model.licence) == ("Clicks: Lesion", 1, "own")
    assert TrainedItem.objects.filter(model=model).count() == 6
    assert not models_of(cast.project).exists(), "it drafts nothing"
    assert not Prediction.objects.exists()
    # Each fold learned from other patients than it judged, the last from all.
    assert [len(groups) for groups in learned] == [2, 1, 3] or [len(groups) for groups in learned] == [1, 2, 3]
    assert learned[0] | learned[1] == learned[2]
    assert not learned[0] & learned[1]
    figures = model.metrics["clicks"]
    assert list(figures) == [str(n) for n in AFTER]
    assert all((one["n"], one["n_groups"]) == (6, 3) for one in figures.values())
    assert figures["5"]["value"] > 0.7
    assert figures["0"]["low"] <= figures["0"]["value"] <= figures["0"]["high"]
    assert set(model.metrics["picture"]) == {"1", "5"}
    points = TrainingPoint.objects.filter(run=run)
    assert points.count() == 6
    assert all(0 <= point.held_out_dice <= 1 for point in points if point.fold is not None)
    assert isinstance(click_network(factory_parameters(model)), ClickNetwork)
    (row,) = click_rows(cast.project)
    assert (row.label, row.n_learned, row.is_asked, [one.n_clicks for one in row.after]) == (
        "lesion",
        6,
        True,
        [0, 1, 5],
    )
    assert row.after[0].picture is None
    assert row.after[2].picture is not None
    run.refresh_from_db()
    assert run.finished_at is not None


def test_volumes_are_learned_in_three_dimensions_and_slice_by_slice(cast: Cast):
    release = released(cast, n=2, n_patients=2, depth=6)
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY | {"epochs": 1, "steps": 12})
    run_pending(queues=["gpu"])
    job = Job.objects.get(pk=run.job_id)
    assert job.state == "done", job.error
    model = click_networks(cast.project)["lesion"]
    assert model.arguments["spatial_dims"] == 3
    assert model.metrics["clicks"]["1"]["n"] == 2


def test_windows_are_of_many_sizes_and_of_volumes_half_are_slices():
    rng = np.random.default_rng(3)
    mask = disc(rng, 8)
    label = clicking.Label(1, "p", None, Grid(mask.shape, (2.0, 1.0, 1.0)), mask.astype(np.uint8), frozenset({0, 1}))
    seen = clicking.Seen(label, mask.astype(np.int16) * 100)
    windows = clicking.windows_of([seen] * 20, (6, 24, 24), rng)
    assert len(windows) == 20 * 12
    flat = [one for one in windows if 1 in one.truth.shape]
    assert 0.35 < len(flat) / len(windows) < 0.65
    assert len({one.truth.shape for one in windows}) > 20
    assert np.mean([one.truth.any() for one in windows]) > 0.8
    assert all(np.array_equal(one.pixels > 0, one.truth) for one in windows), "mirrored together"
    judged = clicking.judged_window(seen, (6, 24, 24))
    assert judged.truth.sum() > 0.7 * mask[:6].sum()


def test_a_training_whose_worker_died_goes_on_where_it_was(cast: Cast, monkeypatch, tmp_path):
    release = released(cast, n=4, n_patients=2)
    run = start_training(project=cast.project, release=release, by=cast.ada, settings=TINY | {"epochs": 1, "steps": 2})
    fitted: list[int] = []
    ends_at = [1]
    learn = Learner.learn

    def counted(self, *given):
        if len(fitted) == ends_at[0]:
            raise jobs.WorkerStopping
        fitted.append(1)
        return learn(self, *given)

    monkeypatch.setattr(Learner, "learn", counted)
    claimed = jobs.claim(worker="first", queues=["gpu"])
    with pytest.raises(jobs.WorkerStopping):
        clicking.train_click_network(run, Running(claimed), tmp_path)
    jobs.put_back(claimed)
    assert not ModelVersion.objects.exists()
    ends_at[0] = 99
    run_pending(queues=["gpu"])
    assert Job.objects.get(pk=run.job_id).state == "done"
    assert len(fitted) == 3, "two folds and one of all, none twice"


def test_one_patient_alone_is_learned_from_and_the_figures_say_why_there_are_none(cast: Cast):
    release = released(cast, n=2, n_patients=1)
    start_training(project=cast.project, release=release, by=cast.ada, settings=TINY | {"epochs": 1, "steps": 2})
    run_pending(queues=["gpu"])
    (row,) = click_rows(cast.project)
    assert not row.after
    assert "one patient" in row.reason


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "clicks"}, "learns one class: name it"),
        ({"kind": "clicks", "classes": ["lesion", "nucleus"]}, "learns one class"),
        ({"kind": "clicks", "classes": ["nucleus"]}, "nucleus is not painted"),
        ({"kind": "clicks", "classes": ["nothing"]}, "nothing is not painted"),
        ({"kind": "magic"}, "kind is automatic or clicks"),
    ],
)
def test_what_cannot_be_learned_by_clicks_is_told_before_anything_starts(cast: Cast, asked, words):
    release = released(cast, n=1, n_patients=1)
    with pytest.raises(TrainingRefused, match=words):
        start_training(project=cast.project, release=release, by=cast.ada, settings=asked)
    assert not Job.objects.filter(kind="inference.train").exists()


def test_settings_survive_their_document():
    settings = read_training_settings(TINY)
    assert read_training_settings(settings.to_document()) == settings


DESIGN = read_design(
    "UNet", {"spatial_dims": 2, "in_channels": CHANNELS, "out_channels": 1, "channels": [2, 4], "strides": [2]}
)


class Oracle:
    """Answers as a network would that knows the truth, and says nothing unasked."""

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth

    def propose(self, pixels, hints, **_):
        class Proposed:
            mask = self.truth

        return Proposed()

    def look(self, channels):
        return -np.ones(self.truth.shape, np.float32)


def test_a_session_counts_none_one_and_five_clicks():
    rng = np.random.default_rng(1)
    truth = disc(rng)
    found = session(Oracle(truth), Example(truth * 100.0, truth), rng)
    assert found.network == (0.0, 1.0, 1.0)
    assert found.picture[0] == 0.0
    assert found.picture[2] > 0.6, "a small disc, and a person who misses"


def test_what_was_not_settled_counts_for_neither_side():
    truth = np.zeros((1, SIDE, SIDE), bool)
    truth[:, 10:20, 10:20] = True
    counts = np.ones_like(truth)
    counts[:, :, 20:] = False
    given = truth.copy()
    given[:, 10:20, 20:35] = True
    assert click_figures._dice(given, Example(truth * 1.0, truth, counts=counts)) == 1.0
    assert click_figures._dice(given, Example(truth * 1.0, truth)) < 0.6
    # Nothing is learned from it either: a network's loss is the same whatever it says there.
    network = ClickNetwork(DESIGN, build(DESIGN, seed=1))
    assert session(network, Example(truth * 1.0, truth, counts=counts), np.random.default_rng(0)).network[0] >= 0


def test_figures_resample_patients_and_have_none_without_a_session():
    sessions = {1: [Session((0.1, 0.5, 0.9), (0.0, 0.4, 0.8))], 2: [Session((0.3, 0.7, 0.9), (0.0, 0.6, 0.8))]}
    found = metrics_of(sessions, {1: "a", 2: "b"}, seed=0, n_items=2)
    assert found["clicks"]["1"]["value"] == pytest.approx(0.6)
    assert found["picture"]["5"]["value"] == pytest.approx(0.8)
    assert (found["clicks"]["1"]["n"], found["clicks"]["1"]["n_groups"]) == (2, 2)
    assert "one patient" in metrics_of({}, {1: "a"}, seed=0, n_items=1)["reason"]
